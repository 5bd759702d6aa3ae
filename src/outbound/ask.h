/* SPDX-License-Identifier: MIT */
/*
 * ask.h - a request that is no delivery: a feed read, a page of a
 * reconciliation, a look for what an earlier request did.
 *
 * It goes through the same door as a delivery: the connector's token, the
 * account's quota, its Retry-After, the breaker, the transfer limits, the
 * masking.  Nothing of it is stored: whoever asks does that with the answer.
 *
 *	queued --quota, token--> in flight --> answered
 *
 * It is answered without being sent when the connector is paused, its
 * credentials are refused, its breaker is open or the peer asked for patience,
 * when its turn does not come within GAN_ASK_WAIT_MS, and when the gateway
 * stops.  One in flight is waited for when the gateway stops, as a delivery is.
 *
 * Nothing is repeated by itself but for one thing: a refused token (not
 * carried out, then) is followed by one more try with a fresh one.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gan_outbound;
struct gan_ask_handle; /* one ask; gone when its callback has returned */

#define GAN_ASK_BODY_MAX ((size_t)4 << 20) /* of an answer */
#define GAN_ASK_QUEUE_MAX 64               /* of one connector */
#define GAN_ASK_WAIT_MS INT64_C(300000)    /* for its turn */

/* Who goes first when the quota is short; see account.h. */
enum gan_ask_prio {
	GAN_ASK_PROBE, /* for a delivery whose turn has come */
	GAN_ASK_FEED,
	GAN_ASK_RECONCILE, /* only while no delivery wants to go */
	GAN_ASK_NPRIO,
};

struct gan_ask {
	const char *connector, *operation;
	/* As a rule would write it: {"$path": …, "$query": …}; copied. */
	const char *output;
	size_t output_len;
	enum gan_ask_prio prio;
	int64_t by_ms; /* monotonic: its turn must have come by then; 0: within GAN_ASK_WAIT_MS */
};

struct gan_answer {
	/*
	 * GAN_OK: a complete 2xx.  GAN_EBUSY: not carried out, come again in wait_ms (the peer
	 * said so with 429 or 503, the connector is paused, the quota is used up).  GAN_EAUTH:
	 * credentials refused, the connector pauses.  GAN_ENET: no or no whole answer.
	 * GAN_EINVAL: refused for good (another 4xx, a redirect).  GAN_EGONE: the gateway stops
	 * or the connector is no longer in the configuration.
	 */
	int rc;
	bool maybe_sent;  /* bytes of the request may have arrived, whatever rc says */
	int status;       /* HTTP status; 0: none came */
	const char *body; /* never NULL, NUL behind it; secrets are masked */
	size_t body_len;
	bool complete;                /* body is the whole answer */
	const char *text;             /* for a person: "" when all went well */
	const char *request;          /* what was sent, secrets masked; "" when nothing was */
	const char *head;             /* status line and headers of the answer, or "" */
	int64_t wait_ms;              /* GAN_EBUSY: when to come again; -1: nobody said */
	int64_t started_ms, ended_ms; /* of the request, wall clock; 0: not sent */
};
typedef void (*gan_answer_fn)(void *arg, const struct gan_answer *ans);

/*
 * The callback comes exactly once and never from within.  GAN_ENOENT: no such
 * connector or operation; GAN_EINVAL: the operation does not take this output
 * (err names the field); GAN_EBUSY: too many asks wait already; GAN_EGONE:
 * the gateway stops.
 */
GAN_MUST_CHECK int gan_outbound_ask(struct gan_outbound *out, const struct gan_ask *a,
    gan_answer_fn cb, void *arg, struct gan_ask_handle **ret, struct gan_err *err);

/*
 * Whoever asked does not want to know any more: no callback comes.  Not sent
 * yet: it never is.  In flight: it goes on to its end.
 */
void gan_outbound_ask_cancel(struct gan_ask_handle **ap);
