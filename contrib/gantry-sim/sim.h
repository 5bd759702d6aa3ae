/* SPDX-License-Identifier: MIT */
/*
 * sim.h - the systems that Gantry talks to, simulated on loopback ports: what
 * the parts of gantry-sim share.
 *
 * One thread, one libuv loop.  A request is read whole, an armed fault is
 * looked for, the vendor's handler answers (or does not), the journal keeps
 * both sides, and http.c puts the answer on the wire as the fault wants it.
 * Nothing here is shared with the connectors that it judges.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "json/cj.h"

enum gan_sim_system {
	GAN_SIM_PRODSMART,
	GAN_SIM_MOVILITAS,
	GAN_SIM_FLEX2B,
	GAN_SIM_ERP,
	GAN_SIM_CONTROL, /* not simulated: the test asks here */
	GAN_SIM_NSYSTEMS,
};

extern const char *const gan_sim_names[GAN_SIM_NSYSTEMS];

/* GAN_SIM_NSYSTEMS when there is none of that name. */
enum gan_sim_system gan_sim_system_find(const char *name);

#define GAN_SIM_HEADERS_MAX 64
#define GAN_SIM_HEAD_MAX (64 * 1024)
#define GAN_SIM_BODY_MAX (16 * 1024 * 1024)

struct gan_sim_header {
	char *name; /* lower case */
	char *value;
};

/* A whole request; all of it points into the connection's buffer. */
struct gan_sim_request {
	enum gan_sim_system system;
	char *method;
	char *path;
	char *query; /* without '?'; "" when there is none */
	struct gan_sim_header headers[GAN_SIM_HEADERS_MAX];
	size_t nheaders;
	char *body; /* NUL behind it */
	size_t body_len;
};

/* First header of that lower-case name, or NULL. */
const char *gan_sim_header(const struct gan_sim_request *req, const char *name);

struct gan_sim_answer {
	int status;
	struct gan_buf extra; /* more header lines, each with its CR LF */
	struct gan_buf body;  /* JSON */
	const char *type;     /* of the body; NULL: application/json */
	bool acted;           /* the system changed, or took, something */
	const char *op;       /* name of the operation, or NULL */
	struct gan_buf notes; /* for the journal: JSON strings with commas between */
	int handed;           /* items of a channel that this answer takes away */
	unsigned repeats;     /* ids in the request that it had seen before */
};

/* ---- table.c: text -> number, open addressing ------------------------------ */

struct gan_sim_table {
	char **keys;
	int64_t *values;
	size_t cap, len;
};
void gan_sim_table_fini(struct gan_sim_table *t);
/* NULL when absent. */
int64_t *gan_sim_table_get(const struct gan_sim_table *t, const char *key);
/* True when the key is new.  A full table (five million) forgets nothing and takes nothing. */
bool gan_sim_table_put(struct gan_sim_table *t, const char *key, int64_t value);

/* ---- journal.c --------------------------------------------------------------- */

struct gan_sim_journal;

GAN_MUST_CHECK int gan_sim_journal_open(
    const char *file, size_t max_bytes, struct gan_sim_journal **ret_journal, struct gan_err *err);
void gan_sim_journal_free(struct gan_sim_journal **jp);

/* status 0: nothing was answered.  fault: its kind, or NULL.  lost: items that it ate. */
void gan_sim_journal_add(struct gan_sim_journal *j, const struct gan_sim_request *req, int status,
    const struct gan_sim_answer *ans, const char *fault, int lost);
/* A JSON array of the entries after number `after`; filters may be NULL. */
void gan_sim_journal_list(struct gan_sim_journal *j, const char *system, const char *path,
    int64_t after, size_t limit, struct gan_buf *out);
void gan_sim_journal_count(struct gan_sim_journal *j, struct gan_buf *out);
void gan_sim_journal_reset(struct gan_sim_journal *j);

/* ---- fault.c ------------------------------------------------------------------- */

#define GAN_SIM_FAULT_MAP(X)                                                                       \
	X(STATUS, "status", false)                                                                 \
	X(REDIRECT, "redirect", false)                                                             \
	X(DROP_BEFORE, "drop-before", false)                                                       \
	X(DROP_AFTER, "drop-after", true)                                                          \
	X(HANG, "hang", false)                                                                     \
	X(HANG_AFTER, "hang-after", true)                                                          \
	X(LATE, "late", true)                                                                      \
	X(GARBAGE, "garbage", true)                                                                \
	X(RAW, "raw", true)                                                                        \
	X(HALF, "half", true)                                                                      \
	X(HUGE, "huge", true)

enum gan_sim_fault_kind {
#define X(name, text, acts) GAN_SIM_FAULT_##name,
	GAN_SIM_FAULT_MAP(X)
#undef X
	    GAN_SIM_FAULT_NKINDS,
};

extern const char *const gan_sim_fault_names[GAN_SIM_FAULT_NKINDS];

struct gan_sim_fault {
	struct gan_sim_fault *next;
	int64_t id;
	enum gan_sim_system system;
	enum gan_sim_fault_kind kind;
	bool act;     /* does the system do its work before it misbehaves? */
	bool token;   /* meant for token requests; else for all the others */
	char *method; /* or NULL */
	char *path;   /* part of the path, or NULL */
	char *match;  /* part of the body, or NULL */
	int64_t left; /* requests still to spoil; -1: no end */
	double probability;
	uint64_t rng;
	int status;
	char *retry_after, *body, *location;
	int64_t ms;
	int64_t size;
	int64_t hits;
};

struct gan_sim_faults {
	struct gan_sim_fault *head;
	int64_t last_id;
};

/* From the JSON of POST /fault; *ret_id names it. */
GAN_MUST_CHECK int gan_sim_fault_add(
    struct gan_sim_faults *f, const cJSON *spec, int64_t *ret_id, struct gan_err *err);
/* The first one armed for this request, already counted, or NULL. */
const struct gan_sim_fault *gan_sim_fault_pick(
    struct gan_sim_faults *f, const struct gan_sim_request *req, bool token);
void gan_sim_fault_list(const struct gan_sim_faults *f, struct gan_buf *out);
/* id 0: all of them. */
bool gan_sim_fault_remove(struct gan_sim_faults *f, int64_t id);

/* ---- the systems ----------------------------------------------------------------- */

/* Tokens that were handed out, and until when they are good. */
#define GAN_SIM_TOKENS 1024
struct gan_sim_tokens {
	struct {
		char text[512];
		int64_t until_ms; /* monotonic; INT64_MAX: for ever */
	} t[GAN_SIM_TOKENS];
	size_t n; /* ever issued */
};
enum gan_sim_token_state {
	GAN_SIM_TOKEN_GOOD,
	GAN_SIM_TOKEN_EXPIRED,
	GAN_SIM_TOKEN_UNKNOWN,
};
void gan_sim_token_add(struct gan_sim_tokens *t, const char *text, int64_t life_ms);
enum gan_sim_token_state gan_sim_token_check(const struct gan_sim_tokens *t, const char *text);

struct gan_sim_prodsmart {
	char *api_key, *api_secret;
	int64_t token_life_ms;
	int64_t one_token; /* a new token ends the older ones */
	int64_t limit_per_minute, limit_window_ms;
	int64_t zone_minutes;  /* of the company: what a date without a zone means */
	int64_t list_delay_ms; /* until a list shows what was created */
	int64_t report_ms;     /* how long a run of the report keeps others out */
	int64_t single_object; /* a list of one product is that product, as in the page's sample */
	struct gan_sim_tokens tokens;
	struct gan_ps *ps; /* prodsmart.h */
};

struct gan_sim_movilitas {
	char *api_key, *api_secret, *static_token, *channel_key;
	char *sscc_default; /* state of an SSCC that nobody named, "" for none */
	char *products;     /* "," between registered GTINs and around them; "" for any */
	int64_t token_life_ms;
	struct gan_sim_tokens tokens;
	struct gan_sim_table ssccs;   /* SSCC -> enum in movilitas.c */
	struct gan_sim_table serials; /* "GTIN/serial" -> 1 when decommissioned */
};

struct gan_sim_flex2b {
	char *user, *password;
	int64_t token_life_ms;
	bool raw; /* takes the bare token, not "Bearer x" */
	struct gan_sim_tokens tokens;
	struct gan_sim_table uuids;
};

/* Any JSON API: how its callers prove themselves is a setting. */
#define GAN_SIM_OAUTH_PATH "/oauth/token"
struct gan_sim_erp {
	char *auth; /* none, basic, bearer or oauth2 */
	char *user, *password, *token, *client_id, *client_secret;
	char *scope;       /* that a client must ask for; "" for none */
	char *expires_in;  /* how the answer tells it: number, text or none */
	char *client_auth; /* basic or post: the other one is refused; "" for both */
	int64_t token_life_ms;
	struct gan_sim_tokens tokens;
};

/* ---- canned.c: answers that a test has put in -------------------------------------- */

struct gan_sim_canned;
/* From POST /state: a list of {method, path, status, body, times}; it replaces the former. */
GAN_MUST_CHECK int gan_sim_canned_set(
    struct gan_sim_canned **list, const cJSON *spec, struct gan_err *err);
void gan_sim_canned_free(struct gan_sim_canned **list);
/* True when one was meant for this request, and is in ans now. */
bool gan_sim_canned_answer(
    struct gan_sim_canned *list, const struct gan_sim_request *req, struct gan_sim_answer *ans);

struct gan_sim {
	uv_loop_t loop;
	uv_signal_t on_term, on_int;
	uv_timer_t sweep;
	struct gan_sim_listener *listeners[GAN_SIM_NSYSTEMS];
	struct gan_sim_journal *journal;
	struct gan_sim_faults faults;
	struct gan_sim_prodsmart prodsmart;
	struct gan_sim_movilitas movilitas;
	struct gan_sim_flex2b flex2b;
	struct gan_sim_erp erp;
	struct gan_sim_canned *canned[GAN_SIM_NSYSTEMS]; /* of Movilitas and the ERP */
};

/* Is this a request for a token (faults treat those apart)? */
bool gan_sim_is_token(const struct gan_sim_request *req);

void gan_sim_prodsmart(
    struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans);
/* Each request that arrives, spoilt or not: the limit's window sees it. */
void gan_sim_prodsmart_arrived(struct gan_sim *sim);
/* A fault ate the answer that handed out items of a channel. */
void gan_sim_prodsmart_lost(struct gan_sim *sim);
GAN_MUST_CHECK int gan_sim_prodsmart_init(struct gan_sim_prodsmart *p);
void gan_sim_prodsmart_fini(struct gan_sim_prodsmart *p);
void gan_sim_prodsmart_reset(struct gan_sim_prodsmart *p); /* settings stay */
GAN_MUST_CHECK int gan_sim_prodsmart_set(
    struct gan_sim_prodsmart *p, const cJSON *v, struct gan_err *err);
void gan_sim_prodsmart_show(const struct gan_sim_prodsmart *p, struct gan_buf *out);
void gan_sim_movilitas(
    struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans);
void gan_sim_flex2b(
    struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans);
void gan_sim_erp(
    struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans);
void gan_sim_control(
    struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans);

/* state.c: settings and memory of the systems, as GET and POST /state show them. */
GAN_MUST_CHECK int gan_sim_state_init(struct gan_sim *sim);
void gan_sim_state_fini(struct gan_sim *sim);
GAN_MUST_CHECK int gan_sim_state_set(struct gan_sim *sim, const cJSON *state, struct gan_err *err);
void gan_sim_state_show(const struct gan_sim *sim, struct gan_buf *out);
/* Forget what happened: journal, faults, tokens, pools; settings stay. */
void gan_sim_state_reset(struct gan_sim *sim);

/* SSCC pool words, shared by movilitas.c and state.c; -1 when it is none. */
int gan_sim_sscc_state(const char *name);
const char *gan_sim_sscc_name(int64_t state);

/* Basic credentials right?  0 none were given, 1 right, -1 wrong. */
int gan_sim_basic(const struct gan_sim_request *req, const char *user, const char *password);

/* ---- http.c ------------------------------------------------------------------------- */

/* port 0: any. */
GAN_MUST_CHECK int gan_sim_listen(struct gan_sim *sim, enum gan_sim_system system, const char *host,
    int port, struct gan_err *err);
int gan_sim_port(const struct gan_sim *sim, enum gan_sim_system system);
/* Close the port (connections are refused) or open it again; the number stays. */
GAN_MUST_CHECK int gan_sim_set_down(
    struct gan_sim *sim, enum gan_sim_system system, bool down, struct gan_err *err);
bool gan_sim_is_down(const struct gan_sim *sim, enum gan_sim_system system);
void gan_sim_sweep(struct gan_sim *sim); /* close what has been idle for too long */
void gan_sim_stop(struct gan_sim *sim);

/* ---- wire.c: request parsing ---------------------------------------------------------- */

/*
 * Is there a whole request at the front of the buffer?  1 with *req set and
 * *ret_used its length; 0 more is needed; or the negative HTTP status of a
 * refusal.  The buffer is changed in place, once a request is whole.
 */
int gan_sim_parse(struct gan_buf *in, struct gan_sim_request *req, size_t *ret_used);
/* "Expect: 100-continue" in a head whose body has not come yet? */
bool gan_sim_wants_continue(const struct gan_buf *in);
const char *gan_sim_reason(int status);

/* ---- send.c ----------------------------------------------------------------------------- */

/* The command `gantry-sim send`; returns the exit code. */
int gan_sim_send(int argc, char **argv);
