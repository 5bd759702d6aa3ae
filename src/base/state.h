/* SPDX-License-Identifier: MIT */
/*
 * state.h - state machines as tables: each state names its permitted
 * successors.  A move outside the table is a bug and stops the process before
 * it can be committed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gan_state {
	const char *name;
	uint32_t next; /* bit i: a move to state i is permitted */
};

struct gan_state_table {
	const char *what; /* "delivery", for the message */
	const struct gan_state *states;
	int n;
};

#define GAN_TO(s) (UINT32_C(1) << (s))

bool gan_state_can(const struct gan_state_table *t, int from, int to);

/* Aborts with both names when the move is not in the table. */
void gan_state_must(const struct gan_state_table *t, int from, int to);

/* -1 when there is no state of that name. */
int gan_state_find(const struct gan_state_table *t, const char *name);
