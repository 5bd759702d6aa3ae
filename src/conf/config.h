/* SPDX-License-Identifier: MIT */
/*
 * config.h - gantry.yaml as an immutable snapshot.
 *
 * A snapshot is made whole (parsed, checked, secrets read) or not at all, is
 * never changed afterwards, and is counted: whoever works with one holds a
 * reference across a reload.  Reference counts are touched by the loop thread
 * only.  Every text is NUL-terminated and owned by the snapshot.  Names, bounds
 * and defaults: the schema table (schema.h) and gantry.yaml(5).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hmac.h"
#include "base/log.h"

struct gan_buf;
struct gan_diags;

/* The bytes of a secret file; never printed, overwritten when freed. */
struct gan_secret {
	char *name;  /* what stands behind "secret:" */
	char *bytes; /* NUL behind it; NULL when the key is not set */
	size_t len;
};

enum gan_on_unknown {
	GAN_ON_UNKNOWN_HOLD,
	GAN_ON_UNKNOWN_PROBE,
	GAN_ON_UNKNOWN_RESEND,
};

enum gan_on_dead {
	GAN_ON_DEAD_BLOCK,
	GAN_ON_DEAD_SKIP,
};

enum gan_numbers {
	GAN_NUMBERS_EXACT,
	GAN_NUMBERS_TEXT,
	GAN_NUMBERS_DOUBLE,
};

struct gan_address {
	char *host; /* numeric, no brackets */
	uint16_t port;
};

struct gan_conf_public {
	struct gan_address address;
	int64_t max_body;
	unsigned max_connections;
	bool keep_alive;
	char **trusted_proxies; /* numeric addresses */
	size_t ntrusted_proxies;
};

struct gan_conf_store {
	bool postgresql; /* engine; not built yet: refused at load */
	char *path;      /* absolute */
	int64_t min_free;
	int64_t spool; /* size of the emergency spool; 0: none */
	int64_t keep_delivered_ms, keep_ignored_ms, keep_rejected_ms, keep_audit_ms;
};

struct gan_conf_mapping {
	char *rules; /* absolute folder */
	unsigned workers;
	int64_t timeout_ms;
	int64_t memory;
	enum gan_numbers numbers;
};

struct gan_conf_retry {
	int64_t first_ms;
	double factor;
	int64_t max_ms;
	unsigned jitter_pct;
	int64_t give_up_ms;
};

struct gan_conf_deliver {
	int64_t connect_ms, total_ms;
	struct gan_conf_retry retry;
	unsigned breaker_failures;
	int64_t breaker_open_ms;
	unsigned concurrency;
	enum gan_on_unknown on_unknown;
	int64_t probe_after_ms; /* on_unknown: probe: from the doubt to the look */
	enum gan_on_dead on_dead;
};

#define GAN_ANSWERS "answers" /* the source of answers: no other may have the name */

enum gan_source_kind {
	GAN_SOURCE_WEBHOOK, /* prodsmart-webhook */
	GAN_SOURCE_FEED,    /* prodsmart-feed */
	GAN_SOURCE_HTTP,    /* http: the ERP */
};

enum gan_sig_encoding {
	GAN_SIG_HEX,
	GAN_SIG_BASE64,
	GAN_SIG_BASE64HEX,
};

struct gan_conf_signature {
	bool pinned;  /* false: auto */
	char *header; /* lower case; NULL: the two known names. Also allowed with auto. */
	enum gan_digest algorithm;
	enum gan_sig_encoding encoding;
};

#define GAN_SECRETS_MAX 2 /* a list of them; those that are not set have no name */

/* What an entity of the MES is called in topics: gan_entity_names[]. */
enum gan_entity {
	GAN_ENTITY_PRODUCTION,
	GAN_ENTITY_PRODUCTION_ORDER,
	GAN_ENTITY_PRODUCT,
	GAN_ENTITY_STOCK,
	GAN_ENTITY_PUNCH_CLOCK,
	GAN_ENTITY_DOWNTIME,
	GAN_ENTITY_N,
};
extern const char *const gan_entity_names[GAN_ENTITY_N];

/* A change channel: its name at the vendor, and what it tells of. */
struct gan_conf_channel {
	char *name;
	enum gan_entity type;
};
#define GAN_CHANNELS_MAX 3

struct gan_conf_reconcile {
	bool on;
	char *connector; /* never NULL when on */
	int64_t every_ms, overlap_ms, grace_ms;
};

struct gan_conf_source {
	char *name;
	enum gan_source_kind kind;
	struct gan_secret secrets[GAN_SECRETS_MAX]; /* webhook: secret; http: tokens */
	size_t nsecrets;
	char *basic_user; /* http: NULL when it has no `basic` */
	struct gan_secret basic_passwords[GAN_SECRETS_MAX];
	struct gan_conf_signature signature;
	/* prodsmart-feed */
	char *connector;
	struct gan_conf_channel channels[GAN_CHANNELS_MAX];
	size_t nchannels;
	int64_t every_ms;
	struct gan_conf_reconcile reconcile; /* webhooks and feeds */
};

enum gan_connector_kind {
	GAN_CONNECTOR_MOVILITAS,
	GAN_CONNECTOR_FLEX2B,
	GAN_CONNECTOR_PRODSMART,
	GAN_CONNECTOR_HTTP,
	GAN_CONNECTOR_PULL, /* nobody is called: its receiver reads /v1/outbox/ */
};

/* Requests that an account may make: floor(per_minute * share / 100) in any window. */
struct gan_conf_quota {
	unsigned per_minute; /* 0: no quota */
	unsigned share_pct;
	int64_t window_ms;
};

unsigned gan_conf_quota_limit(const struct gan_conf_quota *q);

enum gan_gs1_mode {
	GAN_GS1_STRICT,
	GAN_GS1_WARN,
	GAN_GS1_OFF,
};

/* http: at most one of basic, bearer and OAuth 2; and a client certificate. */
struct gan_conf_auth {
	char *user; /* basic; NULL: not set, as for the others */
	struct gan_secret password;
	struct gan_secret bearer;
	char *token_url, *client_id, *scope; /* OAuth 2 client credentials */
	struct gan_secret client_secret;
	bool client_post;                    /* client_auth: post */
	char *cert, *key;                    /* mtls: absolute paths, */
	struct gan_secret cert_pem, key_pem; /* and what stood in the files when they were read */
};

struct gan_conf_header {
	char *name, *value;
};

#define GAN_CONF_HEADERS_MAX 16

/* The names in `query_names` of a connector of kind prodsmart. */
#define GAN_CONF_QUERY_NAMES 10
extern const char *const gan_query_names[GAN_CONF_QUERY_NAMES];

struct gan_conf_operation; /* conf/operation.h */

struct gan_conf_connector {
	char *name;
	enum gan_connector_kind kind;
	char *base_url;                  /* no trailing slash */
	char *ca_file;                   /* absolute, or NULL: the system's */
	struct gan_conf_deliver deliver; /* `deliver` of the file, then this connector's own keys */
	struct gan_conf_quota quota;

	/* movilitas: static token, or api_key + api_secret */
	struct gan_secret channel_key, token, api_key, api_secret;
	enum gan_gs1_mode gs1;
	bool serials_plain;    /* letters and digits only */
	bool movilitas_bearer; /* token_header: bearer instead of x-access-token */
	/* pull */
	struct gan_secret tokens[GAN_SECRETS_MAX];
	/* flex2b */
	struct gan_secret user, password;
	bool flex2b_raw; /* token_header: raw */
	/* prodsmart: api_key and api_secret of above */
	bool prodsmart_basic;                                     /* machines: basic */
	struct gan_conf_header query_names[GAN_CONF_QUERY_NAMES]; /* ours, and what is sent */
	size_t nquery_names;
	/* http */
	struct gan_conf_auth auth;
	struct gan_conf_header headers[GAN_CONF_HEADERS_MAX];
	size_t nheaders;
	/* movilitas, http: what `operations:` declares */
	struct gan_conf_operation *operations;
	size_t noperations;
};

struct gan_config {
	unsigned refs;
	uint64_t generation; /* set by whoever puts it in force */
	char *path;          /* as given */
	char *dir;           /* absolute folder of the file */
	char *site;
	char *time_zone;
	char *secrets_dir; /* absolute */
	struct gan_conf_public public;
	struct gan_address admin; /* host NULL: no admin listener */
	char *control_socket;     /* absolute */
	struct gan_conf_store store;
	struct gan_conf_mapping mapping;
	struct gan_conf_deliver deliver;
	struct gan_conf_source *sources;
	size_t nsources;
	struct gan_conf_connector *connectors;
	size_t nconnectors;
	bool require_reason;   /* gantryctl writes need --reason */
	bool require_approval; /* a correction is sent when another user approves it */
	enum gan_log_level log_level;
};

/*
 * Load and check a file.  With read_secrets false secret files are not read
 * (offline checks by users who may not read them).  Findings, errors and
 * warnings, go to d; *ret_config is set only when there is no error.
 * Returns 0, GAN_ECONFIG (see d), or GAN_ENOMEM.
 */
GAN_MUST_CHECK int gan_config_load(
    const char *path, bool read_secrets, struct gan_config **ret_config, struct gan_diags *d);

struct gan_config *gan_config_ref(struct gan_config *c);
void gan_config_unref(struct gan_config **cp); /* also a GAN_AUTO handler */

const struct gan_conf_source *gan_config_source(const struct gan_config *c, const char *name);
const struct gan_conf_connector *gan_config_connector(const struct gan_config *c, const char *name);

/* The whole configuration in force as JSON, defaults filled in, "secret:NAME" for secrets. */
GAN_MUST_CHECK int gan_config_json(const struct gan_config *c, struct gan_buf *out);
