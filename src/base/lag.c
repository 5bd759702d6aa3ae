/* SPDX-License-Identifier: MIT */
/* lag.c - see lag.h. */
#include "base/lag.h"

#include <string.h>

#include "base/mem.h"

const uint32_t gan_lag_bounds_us[GAN_LAG_BUCKETS] = { 500, 1000, 2000, 5000, 10000, 20000, 50000,
	100000, 500000, 1000000 };

void
gan_lag_add(struct gan_lag *lag, uint64_t us)
{
	size_t i = 0;

	while (i < GAN_LAG_BUCKETS && us > gan_lag_bounds_us[i])
		i++;
	lag->counts[i]++;
	lag->sum_us += us;
	if (us > lag->max_us)
		lag->max_us = us;
}

/* All that a turn does lies between two of these, and so does the waiting of one poll. */
static void
on_prepare(uv_prepare_t *handle)
{
	struct gan_lag *lag = handle->data;
	uint64_t now = uv_hrtime(), idle = uv_metrics_idle_time(handle->loop);
	uint64_t spent = now - lag->turn_ns, waited = idle - lag->idle_ns;

	if (lag->turn_ns != 0)
		gan_lag_add(lag, spent > waited ? (spent - waited) / 1000 : 0);
	lag->turn_ns = now;
	lag->idle_ns = idle;
}

void
gan_lag_start(struct gan_lag *lag, uv_loop_t *loop)
{
	memset(lag, 0, sizeof(*lag));
	gan_must(uv_loop_configure(loop, UV_METRICS_IDLE_TIME) == 0);
	gan_must(uv_prepare_init(loop, &lag->prepare) == 0);
	lag->prepare.data = lag;
	gan_must(uv_prepare_start(&lag->prepare, on_prepare) == 0);
	uv_unref((uv_handle_t *)&lag->prepare);
}

void
gan_lag_stop(struct gan_lag *lag)
{
	uv_close((uv_handle_t *)&lag->prepare, NULL);
}
