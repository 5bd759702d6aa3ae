/* SPDX-License-Identifier: MIT */
/*
 * dedupe.h - which events were seen already: a bounded window in memory, two
 * generations, over the log of 128-bit hashes that the store keeps.
 *
 * Memory holds four bytes for each entry: a piece of its hash, and which rows
 * of the log it stands in.  They say "surely not" for all but one in thousands
 * of new events; what they do not rule out is looked up in the log, where
 * whole hashes are compared: a false duplicate would be a lost event.  All
 * memory is taken at the start, so the window never grows nor fails, and costs
 * as much after ten million events as after ten thousand.
 *
 * A generation is replaced when it is seven days old or holds half of the
 * entries allowed, so an entry lives 7 to 14 days or until that many newer
 * ones came.  Store thread only.
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

/*
 * The event id that log rows first to last hold for the whole hash; 0: none
 * of them has it; negative: they cannot be read.
 */
typedef int64_t (*gan_window_look_fn)(
    void *arg, const unsigned char hash[16], int64_t first, int64_t last);

/* The event id of a hash; 0: never seen, or too long ago; negative: look failed so. */
int64_t gan_window_find(const struct gan_window *w, const unsigned char hash[16], int64_t now_ms,
    gan_window_look_fn look, void *arg);

/*
 * Add an entry that stands in log row `row`, written at at_ms; rows never go
 * back.  The same sequence of calls always leaves the same window, so a reload
 * after a restart is exact.
 */
#define GAN_DEDUPE_PRINT 6 /* bytes of a hash that the window itself knows */
void gan_window_add(
    struct gan_window *w, const unsigned char print[GAN_DEDUPE_PRINT], int64_t row, int64_t at_ms);

/* Log rows before this one are no longer needed. */
int64_t gan_window_first_row(const struct gan_window *w);

size_t gan_window_count(const struct gan_window *w);
