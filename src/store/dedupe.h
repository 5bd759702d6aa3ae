/* SPDX-License-Identifier: MIT */
/*
 * dedupe.h - which events were seen already: a bounded window in memory, two
 * generations of 128-bit hashes, each with the id of its event.
 *
 * A generation is replaced when it is seven days old or holds half of the
 * entries allowed, so an entry lives 7 to 14 days or until that many newer
 * ones came.  Hashes are compared whole: a false duplicate would be a lost
 * event.  Store thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GAN_DEDUPE_KEEP_MS (INT64_C(7) * 24 * 3600 * 1000)
#define GAN_DEDUPE_DEFAULT 1000000

struct gan_window;

struct gan_dedupe_entry {
	unsigned char hash[16];
	int64_t event_id;
};

/* max: entries in both generations together; 0: the default. NULL without memory. */
struct gan_window *gan_window_new(size_t max);
void gan_window_free(struct gan_window **wp);

/* The event id of a hash, or 0: never seen, or too long ago. */
int64_t gan_window_find(const struct gan_window *w, const unsigned char hash[16], int64_t now_ms);

/* Room for n more, so that adding them cannot fail. */
GAN_MUST_CHECK int gan_window_reserve(struct gan_window *w, size_t n);

/*
 * Add an entry that stands in log row `row`, written at at_ms.  The same
 * sequence of calls always leaves the same window, so a reload after a restart
 * is exact.
 */
void gan_window_add(
    struct gan_window *w, const struct gan_dedupe_entry *e, int64_t row, int64_t at_ms);

/* Log rows before this one are no longer needed. */
int64_t gan_window_first_row(const struct gan_window *w);

size_t gan_window_count(const struct gan_window *w);
