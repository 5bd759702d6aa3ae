/* SPDX-License-Identifier: MIT */
/* dedupe.c - see dedupe.h: open addressing, linear probing, at most 7/8 full. */
#include "store/dedupe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct generation {
	struct gan_dedupe_entry *slots; /* event_id 0: empty */
	size_t nslots;                  /* a power of two, or 0 */
	size_t used;
	int64_t start_ms;
	int64_t first_row;
};

struct gan_window {
	struct generation now, before;
	size_t max; /* entries per generation */
};

struct gan_window *
gan_window_new(size_t max)
{
	struct gan_window *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->max = (max == 0 ? GAN_DEDUPE_DEFAULT : max) / 2;
	if (w->max == 0)
		w->max = 1;
	return w;
}

void
gan_window_free(struct gan_window **wp)
{
	struct gan_window *w = gan_steal(wp);

	if (w == NULL)
		return;
	free(w->now.slots);
	free(w->before.slots);
	free(w);
}

/* The slot that holds the hash, or the empty one where it belongs. */
static struct gan_dedupe_entry *
slot_of(const struct generation *g, const unsigned char hash[16])
{
	uint64_t h;
	size_t at;

	memcpy(&h, hash, sizeof(h));
	at = (size_t)h & (g->nslots - 1);
	while (g->slots[at].event_id != 0 && memcmp(g->slots[at].hash, hash, 16) != 0)
		at = (at + 1) & (g->nslots - 1);
	return &g->slots[at];
}

static int64_t
generation_find(const struct generation *g, const unsigned char hash[16], int64_t now_ms)
{
	/* Without newer entries nothing rotates, but time passes. */
	if (g->nslots == 0 || now_ms - g->start_ms >= 2 * GAN_DEDUPE_KEEP_MS)
		return 0;
	return slot_of(g, hash)->event_id;
}

int64_t
gan_window_find(const struct gan_window *w, const unsigned char hash[16], int64_t now_ms)
{
	int64_t id = generation_find(&w->now, hash, now_ms);

	return id != 0 ? id : generation_find(&w->before, hash, now_ms);
}

static int
generation_grow(struct generation *g, size_t entries)
{
	struct generation bigger = *g;

	if (entries <= g->nslots / 8 * 7)
		return GAN_OK;
	if (bigger.nslots == 0)
		bigger.nslots = 1024;
	while (bigger.nslots / 8 * 7 < entries)
		bigger.nslots *= 2;
	bigger.slots = calloc(bigger.nslots, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < g->nslots; i++) {
		if (g->slots[i].event_id != 0)
			*slot_of(&bigger, g->slots[i].hash) = g->slots[i];
	}
	free(g->slots);
	*g = bigger;
	return GAN_OK;
}

int
gan_window_reserve(struct gan_window *w, size_t n)
{
	size_t entries = w->now.used + n;

	/* A rotation on the way starts with the same table, emptied. */
	return generation_grow(&w->now, entries < w->max + 1 ? entries : w->max + 1);
}

static void
rotate(struct gan_window *w, int64_t row, int64_t at_ms)
{
	struct generation old = w->before;

	/* The oldest table is emptied and used again, when it is as large. */
	w->before = w->now;
	if (old.nslots < w->now.nslots) {
		struct gan_dedupe_entry *slots = calloc(w->now.nslots, sizeof(*slots));

		if (slots != NULL) {
			free(old.slots);
			old.slots = slots;
			old.nslots = w->now.nslots;
		} else if (old.nslots < 1024) {
			/* No memory for two: the older one goes, which only shortens the window. */
			free(old.slots);
			old = w->before;
			w->before = (struct generation){ .first_row = row };
		}
	}
	memset(old.slots, 0, old.nslots * sizeof(*old.slots));
	old.used = 0;
	old.start_ms = at_ms;
	old.first_row = row;
	w->now = old;
}

void
gan_window_add(struct gan_window *w, const struct gan_dedupe_entry *e, int64_t row, int64_t at_ms)
{
	struct generation *g = &w->now;
	struct gan_dedupe_entry *slot;

	if (g->used == 0 && w->before.used == 0) {
		g->start_ms = at_ms;
		g->first_row = row;
	} else if (g->used >= w->max || at_ms - g->start_ms >= GAN_DEDUPE_KEEP_MS) {
		rotate(w, row, at_ms);
	}
	if (generation_grow(g, g->used + 1) < 0)
		return;
	slot = slot_of(g, e->hash);
	if (slot->event_id == 0)
		g->used++;
	*slot = *e;
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
