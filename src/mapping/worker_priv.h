/* SPDX-License-Identifier: MIT */
/* worker_priv.h - what worker_jq.c, worker_run.c and worker_json.c share, with jq's types. */
#pragma once

#include <jq.h>
#include <jv.h>

#include "mapping/worker.h"
#include "json/check.h"

/* The key of the object that uuid5 leaves: made at random, so no payload can hold it. */
extern char gan_jq_marker[32];

struct gan_jq_program {
	jq_state *jq; /* NULL: it does not compile */
	char *broken; /* why */
	bool keyed, effect;
	size_t nafter; /* with newest, which is the last one */
	bool newest;
	bool uuids; /* the text names uuid5: look for markers */
	bool meta;  /* it may name $meta */
};

struct gan_jq_event {
	jv body, meta;         /* meta: invalid until a program wants it */
	const char *meta_text; /* borrowed */
	size_t meta_len;
};

/*
 * The value of a text that gan_json_check() found good; a NUL stands behind it.
 * Invalid when half a surrogate pair stands in a text, which libjq refuses too.
 */
jv gan_jv_read(const char *text);

/* What uuid5() left becomes the text of the UUID; anything else stays.  Consumes v. */
jv gan_jv_uuid(jv v);

/*
 * Append a value as JSON, and with uuids the UUIDs in place of what uuid5()
 * left.  Borrows v.  Returns what is wrong with it, or NULL; then out holds a part.
 */
const char *gan_jv_write(struct gan_buf *out, jv v, bool uuids);
