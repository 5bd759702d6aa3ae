/* SPDX-License-Identifier: MIT */
/*
 * outbound.h - takes due deliveries from the store, sends them, records what
 * happened.  It knows connectors and deliveries; it never knows how an event
 * came in.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"
#include "store/store.h"

struct gan_outbound;

/*
 * quotas: what the process before used of them, as its gan_outbound_quotas()
 * said; "" when it said nothing, so that all may be used up; NULL when there was
 * none.
 */
GAN_MUST_CHECK int gan_outbound_open(uv_loop_t *loop, struct gan_config *conf,
    struct gan_store *store, const char *quotas, struct gan_outbound **ret_out,
    struct gan_err *err);

/* For the next process; after the drain. */
void gan_outbound_quotas(const struct gan_outbound *out, struct gan_buf *text);

/*
 * New configuration: transfers in flight end under the old one.  A connector
 * paused for its token tries once more.
 */
GAN_MUST_CHECK int gan_outbound_reload(
    struct gan_outbound *out, struct gan_config *conf, struct gan_err *err);

/* Deliveries may have become due (the store's on_due). NULL: for any connector. */
void gan_outbound_poke(struct gan_outbound *out, const char *connector);

/* A person paused or resumed a connector (already stored and audited). */
void gan_outbound_pause(
    struct gan_outbound *out, const char *connector, const char *reason, int64_t since_ms);
void gan_outbound_resume(struct gan_outbound *out, const char *connector);

/*
 * Claim nothing more; wait for transfers in flight at most grace_ms, then cut
 * them (they are settled as their bytes say: retry or unknown); then cb.
 */
void gan_outbound_drain(
    struct gan_outbound *out, int64_t grace_ms, void (*cb)(void *arg), void *arg);

/*
 * After the drain.  Its uv handles and callbacks from the store still pending
 * end in later turns of the loop, so the store is closed afterwards.
 */
void gan_outbound_close(struct gan_outbound **outp);

enum gan_pause_kind {
	GAN_PAUSE_NONE,
	GAN_PAUSE_PERSON,
	GAN_PAUSE_TOKEN, /* credentials refused: tries one token each 5 minutes */
};

struct gan_connector_status {
	const char *name;
	const char *kind; /* "movilitas", … */
	enum gan_pause_kind paused;
	const char *pause_reason; /* borrowed */
	int64_t paused_since_ms;
	bool breaker_open;
	int64_t breaker_until_ms;
	int64_t wait_until_ms; /* Retry-After of the whole account; 0: none */
	/* The account's quota; limit 0: none. allowed: by the configuration, before 429s. */
	unsigned quota_limit, quota_allowed, quota_used;
	int64_t quota_window_ms;
	int64_t quota_room_ms;    /* when the next request may start; 0: now */
	int64_t quota_short_ms;   /* since when something waits for it; 0: nothing does */
	uint64_t quota_waited_ms; /* for so long something waited since start */
	unsigned asks;            /* requests beside deliveries that wait or are on their way */
	unsigned in_flight, concurrency;
	unsigned consecutive_failures;
	const char *last_error; /* or NULL */
	int64_t last_ok_ms;
	uint64_t delivered, retried, dead, unknown; /* since start */
	uint64_t found, different, absent;          /* what probes saw */
};

/* Fill at most n; returns how many connectors there are. */
size_t gan_outbound_status(
    const struct gan_outbound *out, struct gan_connector_status *ret, size_t n);

/* Now, by the clock of due times: all next_ms of the store are meant by it. */
int64_t gan_outbound_due_ms(struct gan_outbound *out);

/* probe only where the operation has one, and needs it; else hold. */
enum gan_on_unknown gan_outbound_on_unknown(
    const struct gan_conf_connector *c, const char *operation, enum gan_on_unknown wanted);

/* For rules.h: does this connector have the operation, and may on_unknown be that? */
GAN_MUST_CHECK int gan_outbound_knows(const struct gan_conf_connector *c, const char *operation,
    bool on_unknown_set, enum gan_on_unknown on_unknown, struct gan_err *err);
/* Likewise: would it send this output?  gan_connector_check() by the operation's name. */
GAN_MUST_CHECK int gan_outbound_takes(const struct gan_conf_connector *c, const char *operation,
    const char *output, size_t len, char warning[256], struct gan_err *err);
