/* SPDX-License-Identifier: MIT */
/* worker_priv.h - what worker_jq.c and worker_run.c share, with jq's types. */
#pragma once

#include <jq.h>
#include <jv.h>

#include "mapping/worker.h"

/* The key of the object that uuid5 leaves: made at random, so no payload can hold it. */
extern char gan_jq_marker[32];

struct gan_jq_program {
	jq_state *jq; /* NULL: it does not compile */
	char *broken; /* why */
	bool keyed, effect;
	size_t nafter;
	bool uuids; /* the text names uuid5: look for markers */
};

struct gan_jq_event {
	jv in; /* [event, meta] */
};
