/* SPDX-License-Identifier: MIT */
/*
 * dispatch.h - inside outbound only: the connectors at work and the deliveries
 * on their way.
 *
 *	outbound.c  the whole: open, reload, pause, drain, status
 *	account.c   what connectors share: the quota, and whose turn it is
 *	dispatch.c  one connector: when to claim, how much, when to wait
 *	send.c      one delivery: check, token, request, verdict
 *	look.c      is it there already?
 *	ask.c       one request that is no delivery
 *	settle.c    the outcome into the store, again and again until it is there
 *
 * A connector outlives reloads (its name is its identity).  A delivery keeps
 * the configuration it started with.
 */
#pragma once

#include "base/clock.h"
#include "outbound/account.h"
#include "outbound/breaker.h"
#include "outbound/connector.h"
#include "outbound/outbound.h"
#include "outbound/token.h"

#define GAN_TOKEN_PAUSE_MS INT64_C(300000)
#define GAN_LEASE_SPARE_MS INT64_C(60000)
/* A look takes no longer, whatever it waits for; part of the lease. */
#define GAN_LOOK_MS INT64_C(120000)
#define GAN_LEASE_REST_MS INT64_C(10000) /* for the COMMIT behind the answer */

struct gan_send;

/* Credentials or a person keep the connector from sending. */
struct gan_pause {
	bool on;
	char reason[400];
	int64_t since_ms;
};

struct gan_conn {
	struct gan_conn *next;
	struct gan_outbound *out;
	char *name;
	struct gan_config *conf; /* the newest that has it */
	const struct gan_conf_connector *c;
	const struct gan_kind *kind; /* NULL: nobody is called */
	struct gan_token *token;
	struct gan_account *account;
	bool removed; /* gone from the configuration; freed when idle */
	uv_timer_t timer;

	bool claiming; /* a claim is under way in the store, of `asked` rows */
	size_t asked;
	struct gan_account *claim_account; /* whose places the claim holds */
	int64_t claim_until_ms;            /* monotonic: the end of its leases */
	bool due;                          /* something may be due now */
	int64_t next_due_ms;               /* wall clock; INT64_MAX: nothing known */
	int64_t hold_ms;                   /* monotonic: no claim before (the store was busy) */
	bool short_of_quota;               /* it would claim more if there were places */

	struct gan_pause person, refused;
	int64_t try_ms;    /* monotonic: the next try while refused.on */
	bool trying;       /* after a refusal: one delivery at a time until one works */
	bool token_try;    /* a token is being fetched for the try */
	unsigned refusals; /* different tokens refused in a row */
	uint64_t refused_serial;

	struct gan_breaker breaker;
	struct gan_send *sends;      /* claimed and not settled */
	unsigned in_flight;          /* claimed and not settled */
	struct gan_ask_handle *asks; /* on their way */
	unsigned nasks, asks_going;  /* with those that are queued; without */
	unsigned settling;           /* of these: over, and their outcome is with the store */
	char last_error[400];
	int64_t last_ok_ms;
	uint64_t delivered, retried, dead, unknown;
	uint64_t found, different, absent; /* by probes */
};

struct gan_outbound {
	uv_loop_t *loop;
	struct gan_store *store; /* borrowed */
	struct gan_transfers *transfers;
	struct gan_config *conf;
	struct gan_conn *conns;
	struct gan_account *accounts;
	struct gan_paused *paused; /* by people; names may be of no connector at present */
	uv_timer_t drain_timer, settle_timer;
	struct gan_due_clock clock; /* of next_ms; see gan_outbound_due_ms() */
	int64_t settle_wait_ms;
	unsigned claims; /* under way in the store, all connectors */
	unsigned handles;
	bool opening; /* what the process before used is not known yet */
	bool draining, drain_cut, drain_over, closing;
	void (*drain_cb)(void *arg);
	void *drain_arg;
};

/* One claimed delivery. */
struct gan_send {
	struct gan_send *prev, *next;
	struct gan_conn *conn;
	struct gan_config *conf; /* what it started with */
	const struct gan_conf_connector *c;
	const struct gan_operation *op;
	struct gan_account *account;
	struct gan_claimed *row;
	struct gan_transfer *transfer;
	uint64_t serial; /* of the token */
	bool waits_token, probe;
	bool place, waits_place; /* of the account */
	struct gan_place_wait wait;
	struct gan_look *look; /* whether it was carried out is being looked for */
	bool is_absent;        /* it was not */
	int64_t until_ms;      /* monotonic: a request that left later could outlive the lease */

	/* The outcome; everything that settle and attempt point to is owned here. */
	bool decided, settling, unsettled;
	struct gan_settle settle;
	struct gan_attempt attempt;
	struct gan_buf request;
	char reason[512];
	char *response, *head, *body;
	/* What the look saw. */
	struct gan_attempt looked;
	struct gan_buf look_request;
	char looked_text[512];
	char *seen;
};

/* dispatch.c */
GAN_MUST_CHECK int gan_conn_new(
    struct gan_outbound *out, const char *name, struct gan_conn **ret_c, struct gan_err *err);
/* Starts to use a configuration; a token of other credentials is dropped. */
GAN_MUST_CHECK int gan_conn_configure(
    struct gan_conn *c, struct gan_config *conf, struct gan_err *err);
void gan_conn_pump(struct gan_conn *c);
/* Is a token got with one as good with the other? */
bool gan_same_credentials(const struct gan_conf_connector *a, const struct gan_conf_connector *b);
/*
 * Is it called otherwise now than when this was its configuration?  What has not been sent must
 * not be: the new credentials would go to the old address.
 */
bool gan_conn_differs(const struct gan_conn *c, const struct gan_conf_connector *was);
/* The connector stops until credentials work again. */
void gan_conn_refuse(struct gan_conn *c, const char *reason);
/* What an answer says about the peer, for the breaker, by the limits that were in force; why: for
 * the log. */
void gan_conn_health(
    struct gan_conn *c, const struct gan_conf_deliver *d, enum gan_health health, const char *why);
/* Frees a connector that is gone and idle; the list is the caller's to walk anew. */
bool gan_conn_retire(struct gan_conn *c);

/* send.c */
void gan_send_start(struct gan_conn *c, struct gan_claimed *row);
/* Go on: token, request. */
void gan_send_go(struct gan_send *s);
/* So long from now, by the clock of due times. */
int64_t gan_send_due_in(const struct gan_send *s, int64_t wait_ms);
/* Has it been tried for `give_up`? started_ms: when this try began, for the first one. */
bool gan_send_gives_up(const struct gan_send *s, int64_t started_ms);
/* Not sent after all: back to waiting, uncounted, due at due_ms. */
void gan_send_back(struct gan_send *s, int64_t due_ms, const char *why);

/* settle.c */
void gan_send_settle(struct gan_send *s);
void gan_send_free(struct gan_send *s); /* out of the lists, no callback */
void gan_settle_again(uv_timer_t *timer);

/* outbound.c: something ended; is the drain over, is a removed connector idle? */
void gan_outbound_idle(struct gan_outbound *out);
