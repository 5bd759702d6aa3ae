/* SPDX-License-Identifier: MIT */
/* state.c - see state.h. */
#include "base/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool
gan_state_can(const struct gan_state_table *t, int from, int to)
{
	gan_must(from >= 0 && from < t->n && to >= 0 && to < t->n);
	return (t->states[from].next & GAN_TO(to)) != 0;
}

void
gan_state_must(const struct gan_state_table *t, int from, int to)
{
	if (gan_state_can(t, from, to))
		return;
	(void)fprintf(stderr, "<2>gantry: forbidden move of a %s: %s -> %s\n", t->what,
	    t->states[from].name, t->states[to].name);
	abort();
}

int
gan_state_find(const struct gan_state_table *t, const char *name)
{
	for (int i = 0; i < t->n; i++) {
		if (strcmp(t->states[i].name, name) == 0)
			return i;
	}
	return -1;
}
