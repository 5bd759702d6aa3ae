/* SPDX-License-Identifier: MIT */
/*
 * quota.h - at most so many requests of one account in any window of time.
 *
 * The promise holds for the peer's clock, which sees a request at some moment
 * between its start and its end: a request counts from when its place is taken
 * until one window after it ended.  Then no window that the peer can choose
 * holds more than the limit, however long each request was on its way.
 *
 *	take --> under way --end--> counts for one window more --> gone
 *	              \--give (nothing was sent)--> gone
 *
 * A 429 says that the peer counts otherwise, or that others use the account:
 * each takes a tenth off the limit, at most once a window; each whole window
 * without one gives a hundredth (at least 1) back.
 *
 * Pure: the clock is handed in (monotonic milliseconds, never going back).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gan_quota {
	unsigned allowed; /* by the configuration; 0: no quota, everything may go */
	unsigned learned; /* the limit in force, 1 to allowed */
	int64_t window_ms;
	int64_t learned_ms; /* when `learned` changed last */
	int64_t closed_ms;  /* nothing before: nobody knows what was used until then */
	unsigned under_way;
	int64_t *ends; /* a ring: when those that count still were over, oldest first */
	size_t cap, first, n;
};

/* Zero it first. Keeps what is counted; on failure nothing has changed. */
GAN_MUST_CHECK int gan_quota_set(
    struct gan_quota *q, unsigned allowed, int64_t window_ms, struct gan_err *err);
void gan_quota_fini(struct gan_quota *q);

/* As if all of it had been used until now. */
void gan_quota_close(struct gan_quota *q, int64_t now_ms);

/* A request of before this quota was counted: it ended at end_ms, not before the one before it. */
void gan_quota_past(struct gan_quota *q, int64_t end_ms);

unsigned gan_quota_limit(struct gan_quota *q, int64_t now_ms);
unsigned gan_quota_used(struct gan_quota *q, int64_t now_ms);

/* How many may start now: SIZE_MAX without a quota. */
size_t gan_quota_room(struct gan_quota *q, int64_t now_ms);

/* Take n places; the caller asked for the room. */
void gan_quota_take(struct gan_quota *q, size_t n);
void gan_quota_give(struct gan_quota *q);
void gan_quota_end(struct gan_quota *q, int64_t now_ms);

/* When there is room again, as far as time alone can tell; INT64_MAX: first something must end. */
int64_t gan_quota_room_ms(struct gan_quota *q, int64_t now_ms);

/* When the oldest of those that count leaves; INT64_MAX: none does by time alone. */
int64_t gan_quota_next_ms(struct gan_quota *q, int64_t now_ms);

/* The peer said 429. Returns true when the limit shrank. */
bool gan_quota_refused(struct gan_quota *q, int64_t now_ms);
