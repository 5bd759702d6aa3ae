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
	bool by_key, story_begun;
	/* Of a key: the part looked at, the oldest there is. */
	int64_t key_part, last_part;
	bool parts_known;
	int64_t key_event; /* of an object: whose rows go by at the moment */
	bool full;         /* there is another page */
	/* Of a check. */
	bool checking;
	size_t part;
	int64_t commits, attention, messages;
	int64_t sums[GAN_EVENT_NSTATES + GAN_DLV_NSTATES];
};

/* What GAN_QUERY_SHOW and GAN_QUERY_EVENT ask for; 1 when there is more. show.c */
int gan_show_run(struct gan_store *s, struct query_job *j);
int gan_show_event(struct gan_store *s, struct query_job *j);

/* GAN_QUERY_OBJECT; likewise. object.c */
int gan_object_run(struct gan_store *s, struct query_job *j);

/* Before a search for a key: from which part of the index down to which. show.c */
GAN_MUST_CHECK int gan_parts_begin(struct gan_store *s, struct query_job *j);

/* One slice of `store check`: 1 when there is more. check.c */
int gan_check_run(struct gan_store *s, struct query_job *j);
