/* SPDX-License-Identifier: MIT */
/* delivery_state.c - which moves exist. */
#include "store/delivery_state.h"

#define E(name) GAN_TO(GAN_EVENT_##name)
#define D(name) GAN_TO(GAN_DLV_##name)

/* A mapped event moves again only by `retry EVENT`. */
static const struct gan_state event_states[GAN_EVENT_NSTATES] = {
	[GAN_EVENT_RECEIVED] = { "received", E(MAPPED) | E(IGNORED) | E(REJECTED) },
	[GAN_EVENT_MAPPED] = { "mapped", E(MAPPED) | E(REJECTED) },
	[GAN_EVENT_IGNORED] = { "ignored", E(MAPPED) | E(IGNORED) | E(REJECTED) },
	[GAN_EVENT_REJECTED] = { "rejected", E(MAPPED) | E(IGNORED) | E(REJECTED) },
};

/*
 * Waiting goes straight to delivered when another delivery with the same
 * effect did it, to dead by an effect conflict, to itself when a person makes
 * it due now or when it must wait for an effect.
 */
static const struct gan_state delivery_states[GAN_DLV_NSTATES] = {
	[GAN_DLV_WAITING] = { "waiting",
	    D(WAITING) | D(SENDING) | D(DELIVERED) | D(DEAD) | D(EXPIRED) | D(SKIPPED) },
	[GAN_DLV_SENDING] = { "sending", D(WAITING) | D(DELIVERED) | D(UNKNOWN) | D(DEAD) },
	[GAN_DLV_DELIVERED] = { "delivered", 0 },
	[GAN_DLV_UNKNOWN] = { "unknown", D(WAITING) | D(DELIVERED) | D(SKIPPED) },
	[GAN_DLV_DEAD] = { "dead", D(WAITING) | D(SKIPPED) },
	[GAN_DLV_EXPIRED] = { "expired", D(WAITING) | D(SKIPPED) },
	[GAN_DLV_SKIPPED] = { "skipped", 0 },
};

const struct gan_state_table gan_event_states = { "event", event_states, GAN_EVENT_NSTATES };
const struct gan_state_table gan_delivery_states = { "delivery", delivery_states, GAN_DLV_NSTATES };
