/* SPDX-License-Identifier: MIT */
/* query_priv.h - what query.c and check.c share. */
#pragma once

#include "store/store_priv.h"

struct query_job {
	struct gan_job job;
	struct gan_query q;
	gan_json_fn cb;
	void *arg;
	struct gan_buf out;
	bool begun;
	int64_t below;      /* listings go on under this id */
	char below_what[2]; /* of attention */
	/* Of lanes, which go upwards: those blocked first, by time and id. */
	int64_t blocked_ms;
	bool blocked_told;
	unsigned found;
	/* Of a story: its events, and how many are told. */
	int64_t *events;
	size_t nevents, told;
	bool by_key;
	/* Of a check. */
	bool checking;
	size_t part;
	int64_t commits, attention;
	int64_t sums[GAN_EVENT_NSTATES + GAN_DLV_NSTATES];
};

/* One slice of `store check`: 1 when there is more. check.c */
int gan_check_run(struct gan_store *s, struct query_job *j);
