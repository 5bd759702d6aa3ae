/* SPDX-License-Identifier: MIT */
/*
 * look.h - inside outbound only: before a delivery that may have been carried
 * out is sent again, with `on_unknown: probe`, it is looked for.
 *
 *	maybe sent --settling time--> claimed --asks--> equal      delivered
 *	                                          \---> different  unknown: a person
 *	                                          \---> absent     sent again, in the same claim
 *	                                          \---> no answer  looked for later
 *
 * That it has to be looked for is nothing but `maybe_sent` in its row, which
 * every COMMIT keeps: however the process ends in between, the next claim of it
 * looks first.
 */
#pragma once

#include "outbound/dispatch.h"
#include "outbound/probe.h"

/* What the rule says, as far as the operation can. */
enum gan_on_unknown gan_send_on_unknown(const struct gan_send *s);

/* Must it be looked for before it is sent?  True: done so, or settled; it goes on by itself. */
bool gan_look(struct gan_send *s);

/* The gateway stops, or the send is freed. */
void gan_look_end(struct gan_send *s);
