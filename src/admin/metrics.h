/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - figures in, Prometheus text (version 0.0.4) out.  Pure: looks at
 * no clock, no file, no other part.  Never a label with a business key, an id,
 * a serial or a URL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/lag.h"
#include "inbound/inbound.h"
#include "mapping/pool.h"
#include "outbound/outbound.h"
#include "store/store.h"

struct gan_metrics_process {
	double cpu_s;
	int64_t resident_bytes, virtual_bytes;
	int64_t open_fds, max_fds;
	int64_t start_ms;
};

struct gan_metrics {
	const char *version, *site;
	uint64_t generation;
	bool ready, rules_red;
	int64_t reload_ms; /* 0: none yet */
	bool reload_ok;
	const struct gan_store_counts *store;
	const struct gan_inbound_stats *inbound;
	const struct gan_pool_stats *pool;
	const struct gan_lag *lag; /* or NULL */
	const struct gan_connector_status *connectors;
	size_t nconnectors;
	struct gan_metrics_process process;
};

void gan_metrics_put(const struct gan_metrics *m, struct gan_buf *out);

/* Of this process, from /proc; what cannot be read stays 0. */
void gan_metrics_process(struct gan_metrics_process *ret);
