/* SPDX-License-Identifier: MIT */
/*
 * lag.h - how long the turns of a uv loop are.
 *
 * A turn is the time from one look at sockets and timers to the next, without
 * the waiting.  Whatever arrives meanwhile waits for its end, so the longest
 * turns are what a sender or a timer may have to wait in the worst case.  Every
 * turn is counted; none is sampled.  Loop thread only.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#define GAN_LAG_BUCKETS 10

/* Upper bounds of the buckets in microseconds; one more, without a bound, follows. */
extern const uint32_t gan_lag_bounds_us[GAN_LAG_BUCKETS];

struct gan_lag {
	uv_prepare_t prepare;
	uint64_t turn_ns, idle_ns; /* at the end of the last turn */
	uint64_t counts[GAN_LAG_BUCKETS + 1];
	uint64_t sum_us, max_us;
};

/* Before the loop has handles that run; the object must outlive the loop. Never keeps it alive. */
void gan_lag_start(struct gan_lag *lag, uv_loop_t *loop);

/* Its handle is closed in the next turn of the loop. */
void gan_lag_stop(struct gan_lag *lag);

void gan_lag_add(struct gan_lag *lag, uint64_t us);
