/* SPDX-License-Identifier: MIT */
/* table.c - text -> number; grows to twice its size at three quarters full. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim.h"

#define ENTRIES_MAX 5000000

static uint64_t
hash_of(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return h ^ h >> 29;
}

static size_t
slot_of(const struct gan_sim_table *t, const char *key)
{
	size_t i = (size_t)hash_of(key) & (t->cap - 1);

	while (t->keys[i] != NULL && strcmp(t->keys[i], key) != 0)
		i = (i + 1) & (t->cap - 1);
	return i;
}

static bool
grow(struct gan_sim_table *t)
{
	struct gan_sim_table bigger = { .cap = t->cap == 0 ? 64 : t->cap * 2 };

	bigger.keys = calloc(bigger.cap, sizeof(*bigger.keys));
	bigger.values = calloc(bigger.cap, sizeof(*bigger.values));
	if (bigger.keys == NULL || bigger.values == NULL) {
		free(bigger.keys);
		free(bigger.values);
		return false;
	}
	for (size_t i = 0; i < t->cap; i++) {
		size_t to;

		if (t->keys[i] == NULL)
			continue;
		to = slot_of(&bigger, t->keys[i]);
		bigger.keys[to] = t->keys[i];
		bigger.values[to] = t->values[i];
	}
	free(t->keys);
	free(t->values);
	t->keys = bigger.keys;
	t->values = bigger.values;
	t->cap = bigger.cap;
	return true;
}

void
gan_sim_table_fini(struct gan_sim_table *t)
{
	for (size_t i = 0; i < t->cap; i++)
		free(t->keys[i]);
	free(t->keys);
	free(t->values);
	*t = (struct gan_sim_table){ 0 };
}

int64_t *
gan_sim_table_get(const struct gan_sim_table *t, const char *key)
{
	size_t i;

	if (t->cap == 0)
		return NULL;
	i = slot_of(t, key);
	return t->keys[i] == NULL ? NULL : &t->values[i];
}

bool
gan_sim_table_put(struct gan_sim_table *t, const char *key, int64_t value)
{
	int64_t *old = gan_sim_table_get(t, key);
	size_t i;

	if (old != NULL) {
		*old = value;
		return false;
	}
	if (t->len >= ENTRIES_MAX)
		return true;
	if (t->len + 1 > t->cap / 4 * 3)
		gan_must(grow(t));
	i = slot_of(t, key);
	t->keys[i] = gan_memdup(key, strlen(key));
	gan_must(t->keys[i] != NULL);
	t->values[i] = value;
	t->len++;
	return true;
}
