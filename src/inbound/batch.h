/* SPDX-License-Identifier: MIT */
/*
 * batch.h - many events in one body, as a JSON array or as JSON lines.
 *
 * It finds where each item begins and ends; bytes are never copied or changed.
 * An array is one JSON text: when it is broken anywhere nobody can tell where
 * its items end, so it is refused as a whole.  Lines stand for themselves: they
 * are not looked into here, and a broken one is no harm to its neighbours.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define GAN_BATCH_MAX 1000

struct gan_batch_item {
	const char *text; /* without the white space around it */
	size_t len;
	size_t line; /* of the body, from 1; 0: of an array */
	size_t lead; /* bytes before text on its line */
};

struct gan_batch {
	size_t n;
	struct gan_batch_item items[GAN_BATCH_MAX];
};

/*
 * Empty lines are no items.  GAN_EPARSE: no array, not valid JSON, or nothing in
 * it; GAN_ELIMIT: more than GAN_BATCH_MAX items, or nested too deeply.  err says
 * where and what to do.
 */
GAN_MUST_CHECK int gan_batch_split(
    const char *body, size_t len, bool lines, struct gan_batch *ret, struct gan_err *err);

/* Does a body that may be either begin like an array? */
bool gan_batch_is_array(const char *body, size_t len);

/*
 * Is the item JSON?  As gan_json_check(), with the line and column of the body
 * in err for an item of JSON lines.
 */
struct gan_json_info;
GAN_MUST_CHECK int gan_batch_check(
    const struct gan_batch_item *item, struct gan_json_info *info, struct gan_err *err);
