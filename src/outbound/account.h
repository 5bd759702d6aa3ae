/* SPDX-License-Identifier: MIT */
/*
 * account.h - inside outbound only: what all connectors with one base_url and
 * one set of credentials share: the quota, and the peer's wish to be left alone.
 *
 * Every request of theirs needs a place: deliveries take theirs before they are
 * claimed, so that no claim waits for the quota; token fetches and asks when
 * they start.  When places are short they go, first to last, to
 *
 *	deliveries that were claimed already, and looks for them
 *	feed reads, one for every three deliveries that want to go
 *	deliveries: live, retry, replay (the order of claims)
 *	feed reads
 *	reconciliation, while no delivery wants to go and half of the quota is free
 *
 * An account outlives reloads, and the last connector that used it by one
 * window.  With other credentials a connector gets another account; it starts
 * with one window's pause when the old one had the same base_url, since the
 * peer may count both as one.
 *
 * What was used does not end with the process either: gan_accounts_tell()
 * at the end, gan_outbound_open() at the next start.  A process that died told
 * nothing: then the first window is a pause.
 */
#pragma once

#include <uv.h>

#include "base/buf.h"
#include "outbound/ask.h"
#include "outbound/connector.h"
#include "outbound/quota.h"

struct gan_conn;

/* Someone who holds a claim and waits for a place. */
struct gan_place_wait {
	struct gan_place_wait *next;
	void (*fn)(void *arg, bool have); /* false: not now, look why */
	void *arg;
	int64_t until_ms; /* monotonic: told false then, when no place came */
};

struct gan_account {
	struct gan_account *next;
	struct gan_outbound *out;
	unsigned refs; /* connectors, sends, asks, token fetches */
	struct gan_config *conf;
	const struct gan_conf_connector *c; /* the first that had it: who it is */
	struct gan_quota quota;
	int64_t wait_ms;    /* monotonic: Retry-After of the whole account */
	int64_t idle_ms;    /* monotonic: since when nobody refers to it */
	int64_t short_ms;   /* monotonic: since when somebody waits for the quota; 0: nobody does */
	uint64_t waited_ms; /* all of that, of before short_ms */
	unsigned since_feed; /* places of deliveries since the last feed read */
	unsigned turn;       /* which connector is asked first */
	struct gan_place_wait *waits;
	struct gan_ask_handle *asks[GAN_ASK_NPRIO]; /* queued, oldest first */
	uv_timer_t timer;
	bool uncounted; /* requests may have gone out that the quota does not know of */
	bool running, again, closing;
};

/* The one of these credentials, referred to once more. */
GAN_MUST_CHECK int gan_account_get(struct gan_outbound *out, struct gan_config *conf,
    const struct gan_conf_connector *c, struct gan_account **ret_a, struct gan_err *err);
struct gan_account *gan_account_ref(struct gan_account *a);
void gan_account_unref(struct gan_account **ap);

/* A connector's quota under a new configuration; the strictest of those that share it counts. */
GAN_MUST_CHECK int gan_account_tune(struct gan_account *a, struct gan_err *err);

/* For deliveries that are not claimed yet. */
size_t gan_account_room(struct gan_account *a);
void gan_account_take(struct gan_account *a, size_t n);

/* One place now, for what goes first; false: there is none. */
bool gan_account_try(struct gan_account *a);
/* …or as soon as there is one; never from within. */
void gan_account_wait(struct gan_account *a, struct gan_place_wait *w);
void gan_account_unwait(struct gan_account *a, struct gan_place_wait *w);
/* When there may be room: a guess, monotonic. */
int64_t gan_account_room_ms(struct gan_account *a);

/* A connector got another account meanwhile: so does what has not been sent; without its place. */
void gan_account_follow(struct gan_account **ap, bool *place, struct gan_account *to);

void gan_account_give(struct gan_account *a); /* nothing was sent */
void gan_account_end(struct gan_account *a);  /* the request is over */

/*
 * The peer asked for patience, by a 429 or another status: everybody waits, for
 * at least a second (or first_ms, when retries begin sooner), since
 * `Retry-After: 0` again and again must not make us run in circles.  Returns
 * for how long.
 */
int64_t gan_account_busy(struct gan_account *a, int64_t first_ms, int64_t wait_ms, int status);

/* Something changed: look soon who may go. */
void gan_account_wake(struct gan_account *a);

/*
 * What every account used, for the next process, and from the last one; see
 * outbound.h.  handover.c
 */
void gan_accounts_tell(const struct gan_outbound *out, struct gan_buf *text);
void gan_accounts_recall(struct gan_outbound *out, const char *told);

/* Frees those that nobody has used for a window, or all. */
void gan_accounts_prune(struct gan_outbound *out, bool all);
