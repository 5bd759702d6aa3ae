/* SPDX-License-Identifier: MIT */
/*
 * check.h - is this RFC 8259 JSON?  One strict pass over the raw bytes, no
 * tree, no allocation.
 *
 * Refused: everything the grammar refuses, bytes that are not UTF-8, a byte
 * order mark, nesting beyond max_depth.  Accepted: any root value, duplicate
 * keys, lone surrogate escapes, numbers of any size - but the first number
 * that an IEEE double would change is reported (12.50 and 1e3 survive, 2^53+1
 * and 1e1000 do not).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define GAN_JSON_DEPTH 64

struct gan_json_info {
	bool inexact;           /* some number would change */
	char inexact_path[128]; /* JSON pointer of the first one, cut with "..." */
	char inexact_text[48];  /* the number, cut with "..." */
	size_t depth;           /* deepest nesting seen */
};

/*
 * Returns 0 with *info filled (info may be NULL), or GAN_EPARSE / GAN_ELIMIT
 * with "line L column C: what" in err.
 */
GAN_MUST_CHECK int gan_json_check(const char *text, size_t len, size_t max_depth,
    struct gan_json_info *info, struct gan_err *err);

/*
 * Copy checked JSON to out with each number that a double would change put
 * into quotes (mapping.numbers: text).
 */
GAN_MUST_CHECK int gan_json_quote_inexact(const char *text, size_t len, struct gan_buf *out);
