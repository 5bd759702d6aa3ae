/* SPDX-License-Identifier: MIT */
/*
 * span.h - read JSON text in place, without a tree.
 *
 * Payloads are what others wrote: numbers and texts must come
 * out as they came in, so a span is a piece of the text itself.  Precondition of
 * everything here: the whole text has passed gan_json_check().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct gan_span {
	const char *p;
	size_t n; /* 0: there is no such value */
};

/* The value in a text, without white space around it. */
struct gan_span gan_span_of(const char *text, size_t len);

/* '{', '[', '"', '0' (a number), 't', 'f', 'n' (null), or 0 when there is no value. */
char gan_span_kind(struct gan_span s);

/* A member of an object by its name (written without escapes); empty when absent or no object. */
struct gan_span gan_span_get(struct gan_span object, const char *name);

/* The same along names joined by dots: "last.status". */
struct gan_span gan_span_path(struct gan_span object, const char *path);

/*
 * Walk an array or object.  Start with a zeroed iterator; false at the end.
 * ret_name (may be NULL) is the member's name in its quotes, empty in arrays.
 */
struct gan_span_iter {
	const char *at;
};
bool gan_span_next(struct gan_span container, struct gan_span_iter *it, struct gan_span *ret_name,
    struct gan_span *ret_value);
size_t gan_span_count(struct gan_span container);

/* Append a text decoded, null as nothing, anything else as it is written. */
void gan_span_text(struct gan_span s, struct gan_buf *out);

/* The same in fresh memory, NULL without memory or when s is absent or null. */
char *gan_span_dup(struct gan_span s);

bool gan_span_is(struct gan_span s, const char *text); /* a JSON string equal to text */
int64_t gan_span_int(struct gan_span s, int64_t otherwise);

/* Append the value indented by two blanks a level, base blanks in front of every further line. */
void gan_span_pretty(struct gan_span s, unsigned base, struct gan_buf *out);
