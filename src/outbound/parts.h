/* SPDX-License-Identifier: MIT */
/*
 * parts.h - what a rule's output says about the request: its body alone, or
 * {"$path": {…}, "$query": {…}, "$body": …} (design: end of section 7).
 *
 * Works on the raw bytes of JSON that was checked before: the body is sent as
 * the rule wrote it, digit by digit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct gan_span {
	const char *p; /* NULL: not there */
	size_t len;
};

struct gan_parts {
	struct gan_span path, query, body;
};

/* Spans point into text, also into a damaged one.  GAN_EINVAL: "$…" keys beside others or twice. */
GAN_MUST_CHECK int gan_parts_split(
    const char *text, size_t len, struct gan_parts *ret_parts, struct gan_err *err);

/* Is the span absent, null or an object without members? */
int gan_span_empty(const struct gan_span *s);

/*
 * The members of a JSON object one after the other, as they are written.
 * Start with *at = 0; false: that was the last.  key without its quotes, with
 * its escapes.
 */
bool gan_parts_next(const struct gan_span *object, size_t *at, struct gan_span *ret_key,
    struct gan_span *ret_value);
/* The same for the items of an array. */
bool gan_parts_item(const struct gan_span *array, size_t *at, struct gan_span *ret_value);
