/* SPDX-License-Identifier: MIT */
/*
 * dedupe.c - see dedupe.h: open addressing, linear probing, at most 7/8 full.
 *
 * A slot cannot name its log row in two bytes.  It names a block: rows that
 * follow each other and together hold a handful of entries, one row at least.
 */
#include "store/dedupe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCKS 32768 /* about so many in a full generation; their numbers fit a slot */

struct slot {
	uint16_t print;
	uint16_t block; /* from 1; 0: empty */
};

struct generation {
	struct slot *slots;
	uint32_t *rows; /* the first row of each block, counted from first_row */
	size_t nblocks, in_block, used;
	int64_t start_ms, first_row, last_row;
};

struct gan_window {
	struct generation now, before;
	size_t max;       /* entries per generation */
	size_t nslots;    /* per generation */
	size_t per_block; /* entries after which a new row opens a new block */
};

static bool
generation_init(struct generation *g, const struct gan_window *w)
{
	/* Zero pages until they are used: an idle gateway pays nothing. */
	g->slots = calloc(w->nslots, sizeof(*g->slots));
	g->rows = calloc(w->max / w->per_block + 2, sizeof(*g->rows));
	return g->slots != NULL && g->rows != NULL;
}

static void
generation_fini(struct generation *g)
{
	free(g->slots);
	free(g->rows);
}

struct gan_window *
gan_window_new(size_t max)
{
	struct gan_window *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->max = (max == 0 ? GAN_DEDUPE_DEFAULT : max) / 2;
	if (w->max == 0)
		w->max = 1;
	w->nslots = w->max / 7 * 8 + 8;
	w->per_block = w->max / BLOCKS + 1;
	if (!generation_init(&w->now, w) || !generation_init(&w->before, w))
		gan_window_free(&w);
	return w;
}

void
gan_window_free(struct gan_window **wp)
{
	struct gan_window *w = gan_steal(wp);

	if (w == NULL)
		return;
	generation_fini(&w->now);
	generation_fini(&w->before);
	free(w);
}

static size_t
slot_of(const struct gan_window *w, const unsigned char hash[GAN_DEDUPE_PRINT], uint16_t *ret_print)
{
	uint32_t where;

	memcpy(&where, hash, sizeof(where));
	memcpy(ret_print, hash + sizeof(where), sizeof(*ret_print));
	return (size_t)(((uint64_t)where * w->nslots) >> 32);
}

static int64_t
look_at(const struct generation *g, const unsigned char hash[16], size_t block,
    gan_window_look_fn look, void *arg)
{
	int64_t first = g->first_row + g->rows[block - 1];
	int64_t last = block == g->nblocks ? g->last_row : g->first_row + g->rows[block] - 1;

	return look(arg, hash, first, last);
}

static int64_t
generation_find(const struct gan_window *w, const struct generation *g,
    const unsigned char hash[16], int64_t now_ms, gan_window_look_fn look, void *arg)
{
	uint16_t print;
	size_t at = slot_of(w, hash, &print);
	int64_t id = 0;

	/* Without newer entries nothing rotates, but time passes. */
	if (g->used == 0 || now_ms - g->start_ms >= 2 * GAN_DEDUPE_KEEP_MS)
		return 0;
	while (id == 0 && g->slots[at].block != 0) {
		if (g->slots[at].print == print)
			id = look_at(g, hash, g->slots[at].block, look, arg);
		at = at + 1 == w->nslots ? 0 : at + 1;
	}
	return id;
}

int64_t
gan_window_find(const struct gan_window *w, const unsigned char hash[16], int64_t now_ms,
    gan_window_look_fn look, void *arg)
{
	int64_t id = generation_find(w, &w->now, hash, now_ms, look, arg);

	return id != 0 ? id : generation_find(w, &w->before, hash, now_ms, look, arg);
}

static void
generation_begin(struct generation *g, int64_t row, int64_t at_ms)
{
	g->start_ms = at_ms;
	g->first_row = row;
	g->nblocks = g->in_block = 0;
}

/* The oldest table is emptied and used again. */
static void
rotate(struct gan_window *w)
{
	struct generation old = w->before;

	w->before = w->now;
	if (old.used > 0)
		memset(old.slots, 0, w->nslots * sizeof(*old.slots));
	old.used = 0;
	w->now = old;
}

void
gan_window_add(
    struct gan_window *w, const unsigned char print[GAN_DEDUPE_PRINT], int64_t row, int64_t at_ms)
{
	struct generation *g = &w->now;
	uint16_t piece;
	size_t at = slot_of(w, print, &piece);

	if (g->used > 0 && (g->used >= w->max || at_ms - g->start_ms >= GAN_DEDUPE_KEEP_MS))
		rotate(w);
	if (g->used == 0)
		generation_begin(g, row, at_ms);
	if (g->nblocks == 0 || (g->in_block >= w->per_block && row != g->last_row)) {
		g->rows[g->nblocks++] = (uint32_t)(row - g->first_row);
		g->in_block = 0;
	}
	while (g->slots[at].block != 0)
		at = at + 1 == w->nslots ? 0 : at + 1;
	g->slots[at] = (struct slot){ piece, (uint16_t)g->nblocks };
	g->in_block++;
	g->used++;
	g->last_row = row;
}

int64_t
gan_window_first_row(const struct gan_window *w)
{
	return w->before.used > 0 ? w->before.first_row : w->now.first_row;
}

size_t
gan_window_count(const struct gan_window *w)
{
	return w->now.used + w->before.used;
}
