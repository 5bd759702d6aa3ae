/* SPDX-License-Identifier: MIT */
/* inbound_priv.h - what the public listener's own files share: not server*.c and request.c. */
#pragma once

#include "base/hmac.h"
#include "inbound/auth.h"
#include "inbound/inbound.h"
#include "inbound/request.h"
#include "inbound/server.h"
#include "inbound/signature.h"
#include "inbound/topic.h"

enum { GAN_CLIENT_LEN = 64, GAN_VALUE_MAX = GAN_INBOUND_VALUE_MAX };

/* A source with its keys prepared. */
struct gan_inbound_source {
	const struct gan_conf_source *conf;
	struct gan_signer *signer; /* webhooks */
	struct gan_auth auth;      /* http */
	bool form_told;            /* which form the first good signature had */
};

/* A configuration with all that requests need of it; counted, on the loop thread only. */
struct gan_snapshot {
	unsigned refs;
	struct gan_config *conf;
	struct gan_inbound_source *sources; /* as in conf */
	struct gan_auth *consumers;         /* as conf->connectors: empty but for those that pull */
};

GAN_MUST_CHECK int gan_snapshot_new(
    struct gan_config *conf, struct gan_snapshot **ret_snap, struct gan_err *err);
struct gan_snapshot *gan_snapshot_ref(struct gan_snapshot *snap);
void gan_snapshot_unref(struct gan_snapshot **sp);
struct gan_inbound_source *gan_snapshot_source(struct gan_snapshot *snap, const char *name);

/*
 * The client's address: the last one in X-Forwarded-For that is no trusted
 * proxy, if the peer is one; else the peer.
 */
char *gan_snapshot_client(
    const struct gan_snapshot *snap, const struct gan_request *r, char out[GAN_CLIENT_LEN]);

/* One line of a storm of equal ones, with how many were left out before it. */
struct gan_storm {
	int64_t last_ms;
	uint64_t left_out;
	char more[56]; /* "" or " (12 more since the last line)" */
};
bool gan_storm_due(struct gan_storm *storm);

struct gan_exchange;
struct gan_lookup; /* look.c */
struct gan_pull;   /* outbox.c */

struct gan_inbound {
	unsigned refs; /* the owner and each exchange */
	struct gan_inbound_options opt;
	struct gan_server *server;
	struct gan_store *store;
	struct gan_snapshot *snap;  /* for requests that begin now */
	struct gan_exchange *keyed; /* idempotency keys whose first request still runs */
	struct gan_inbound_stats stats;
	struct gan_storm refused, unstored, rejected;
	bool draining;
	uv_timer_t timer; /* when the first of the waiting has waited enough */
	struct gan_exchange *waiting;
	unsigned wait_max; /* so many at a time for outcomes, and half as many readers: the other
			      connections are for who has something to say */
	uv_timer_t outbox_timer; /* what is due in outboxes that nobody reads */
	void (*drain_cb)(void *arg);
	void *drain_arg;
};

/* One request to a source, until it is over and the store has answered. */
struct gan_exchange {
	unsigned refs;
	struct gan_inbound *in;
	struct gan_request *req; /* NULL: over */
	struct gan_snapshot *snap;
	struct gan_inbound_source *src;
	void (*run)(struct gan_exchange *x); /* when the body is complete */
	int64_t received_ms;
	unsigned way; /* http: which one of src->auth opened, from 1 */
	char topic[GAN_TOPIC_MAX + 1];
	struct gan_lookup *lookup; /* GET /v1/objects: malloc'ed */
	struct gan_pull *pull;     /* under /v1/outbox/: malloc'ed */
	bool rejected;             /* stored, but as rejected */
	bool keyed;
	unsigned char hash[16];
	struct gan_exchange *next; /* in keyed */

	/* A request that waits for the outcome of its event: wait.c */
	int64_t event; /* what was stored, or is asked for */
	bool replayed;
	bool waits;
	int64_t wait_s, wait_until_ms;
	void (*wait_over)(struct gan_exchange *x); /* answers without it */
	struct gan_exchange *next_waiting;
};

/* NULL without memory. */
struct gan_exchange *gan_exchange_begin(struct gan_inbound *in, struct gan_request *r);
struct gan_exchange *gan_exchange_ref(struct gan_exchange *x);
void gan_exchange_unref(struct gan_exchange **xp);

/*
 * Routes: routes.c has the table.  A head function is called when the headers
 * are complete and the body is not there, with what stands in the path for
 * {...}, in order; it answers, or sets x->run.
 */
#define GAN_ROUTE_PARTS 2
#define GAN_ROUTE_PART_MAX 255
typedef void (*gan_head_fn)(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS]);
void gan_webhook_head(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS]);
void gan_erp_head_post(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS]);
void gan_erp_head_batch(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS]);
void gan_look_head_event(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS]);

void gan_look_head_objects(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS]);

/* outbox.c */
void gan_outbox_head_read(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS]);
void gan_outbox_head_ack(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS]);
void gan_outbox_wake(struct gan_inbound *in, const char *connector);
void gan_outbox_reloaded(struct gan_inbound *in);
void gan_outbox_on_timer(uv_timer_t *t);
#define GAN_OUTBOX_TICK_MS 60000

/* For the server: finds the route and begins the exchange. */
void gan_routes_head(void *arg, struct gan_request *r);

/* ---- senders of kind http: sender.c ------------------------------------------- */

/*
 * Who sends, before the body is read: fills x->src and x->way.  False when the
 * request was answered.  _of: it has to be the source of that name; _any: the
 * one that the credentials belong to.
 */
bool gan_sender_of(struct gan_exchange *x, const char *source);
bool gan_sender_any(struct gan_exchange *x);

/* ---- Idempotency-Key: idempotency.c --------------------------------------------- */

#define GAN_KEY_MAX 255
#define GAN_KEY_REUSED                                                                             \
	"This key belongs to another topic or body sent within the last 7 days. Use a new key "    \
	"for a new event."

/* Without blanks around it; p is NULL when none was sent.  False when the request was answered. */
bool gan_key_read(struct gan_exchange *x, struct gan_bytes *ret);

/* One request at a time for x->hash; false when the request was answered. */
bool gan_key_enter(struct gan_exchange *x);
void gan_key_leave(struct gan_exchange *x); /* may be called without */

/* ---- posts: erp.c ------------------------------------------------------------------ */

#define GAN_TOPIC_WANTED "A topic has 1 to 100 characters of a-z, 0-9, '.' and '-': use such a one."

/* What the meta of each event of a post says; a closing brace is still to come. */
void gan_erp_meta(struct gan_exchange *x, struct gan_buf *meta);

/* ---- Prefer: wait=N (RFC 7240): wait.c --------------------------------------- */

#define GAN_WAIT_MAX_S 20

/* The seconds that a Prefer header asks for, at most GAN_WAIT_MAX_S; 0: none. */
int64_t gan_wait_wanted(const struct gan_request *r);

/*
 * Wait for the outcome of x->event and answer with it: 200.  When it does not
 * come in time, over() is called to answer x->req, which is there then; also
 * when too many wait already, in a drain, or when the store fails.
 */
void gan_wait_begin(struct gan_exchange *x, int64_t seconds, void (*over)(struct gan_exchange *x));

/*
 * Wait, until gan_wait_leave() (true: it did wait) or until_ms (gan_mono_ms()),
 * when over() answers x->req.  Who is gone waits no longer.
 */
void gan_wait_join(struct gan_exchange *x, int64_t until_ms, void (*over)(struct gan_exchange *x));
bool gan_wait_leave(struct gan_exchange *x);

/* Those that wait are answered now. */
void gan_wait_end_all(struct gan_inbound *in);
void gan_wait_on_timer(uv_timer_t *t);

/* May one more wait for an outcome?  Readers of outboxes have a bound of their own. */
bool gan_wait_has_room(const struct gan_inbound *in);

/* To who asks for a large answer while gan_request_has_room() says no. */
#define GAN_ANSWERS_UNREAD                                                                         \
	"Too many large answers are not read to their end. Read those, or ask for less at once."

/* "wait=N" for Preference-Applied, into out; NULL unless x did wait. */
#define GAN_WAIT_TEXT 16
const char *gan_wait_applied(const struct gan_exchange *x, char out[GAN_WAIT_TEXT]);

/* ---- what webhooks and posts share -------------------------------------------- */

/* A header's value for meta and log: printable, bounded; NULL when absent or empty. */
const char *gan_exchange_value(
    const struct gan_exchange *x, const char *name, char out[GAN_VALUE_MAX + 1]);

/* gan_inbound_options.ignored_by of the exchange's source and topic. */
uint64_t gan_exchange_ignored_by(const struct gan_exchange *x);

/* First half of a SHA-256 over the parts, told apart. */
GAN_MUST_CHECK int gan_exchange_hash(
    const struct gan_bytes *parts, size_t nparts, unsigned char out[16]);

/* Count and log what could not be stored; and answer 503, retry_after_s as in
 * gan_request_problem(). */
void gan_exchange_tell_unstored(struct gan_exchange *x, int rc);
void gan_exchange_unstored(struct gan_exchange *x, int rc, int retry_after_s);

/* Append ,"name":"value" (with the comma unless it is the first) when value is not NULL. */
void gan_meta_put(struct gan_buf *b, const char *name, const char *value);
