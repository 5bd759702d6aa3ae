/* SPDX-License-Identifier: MIT */
/*
 * delivery_state.h - the states of events and deliveries (design: sections 9
 * and 11).  Numbers are stored in the database: never reuse or reorder them.
 */
#pragma once

#include "base/state.h"

enum gan_event_state {
	GAN_EVENT_RECEIVED, /* stored, not mapped yet */
	GAN_EVENT_MAPPED,   /* every rule that listens ran; perhaps nothing to send */
	GAN_EVENT_IGNORED,  /* no rule listens */
	GAN_EVENT_REJECTED, /* some rule rejected it, or it is no JSON */
	GAN_EVENT_NSTATES,
};

enum gan_delivery_state {
	GAN_DLV_WAITING, /* due now, later, or behind another of its lane */
	GAN_DLV_SENDING, /* committed before the first byte leaves */
	GAN_DLV_DELIVERED,
	GAN_DLV_UNKNOWN, /* bytes left, the outcome is not known */
	GAN_DLV_DEAD,    /* refused for good, gave up, or an effect conflict */
	GAN_DLV_EXPIRED, /* older than valid_for when its turn came */
	GAN_DLV_SKIPPED, /* by a person */
	GAN_DLV_NSTATES,
};

extern const struct gan_state_table gan_event_states;
extern const struct gan_state_table gan_delivery_states;

static inline const char *
gan_event_state_name(int state)
{
	return gan_event_states.states[state].name;
}

static inline const char *
gan_delivery_state_name(int state)
{
	return gan_delivery_states.states[state].name;
}
