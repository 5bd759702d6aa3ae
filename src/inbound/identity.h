/* SPDX-License-Identifier: MIT */
/*
 * identity.h - is this what we know already?  The id of an entity, and a hash
 * of what a webhook (or a change channel) and the list of the same entities
 * both say of it.  Pure.
 *
 * The vendor writes the same fact in several ways; all of these are the same
 * here: absent, null, "", {} and []; false and absent; 30, 30.0 and "30"; a time
 * in any zone, to the second; a time in 2099 and an open end; "S1" and
 * {"code":"S1"}; lists in any order; `entry` and `type` of a punch clock, `notes`
 * and `note`.  Left out is what nobody does: `status`, `time-spent` and
 * `quantity-produced` change with the clock or with every piece.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "conf/config.h"
#include "json/span.h"

#define GAN_IDENTITY_ID_MAX 64
#define GAN_IDENTITY_LEN 16

struct gan_identity {
	char id[GAN_IDENTITY_ID_MAX + 1];
	unsigned char hash[GAN_IDENTITY_LEN];
};

/* Has this kind of entity an id and a list? */
bool gan_identity_known(enum gan_entity type);

/*
 * object: of checked JSON.  feed: as change channels tell it, which lack some
 * fields.  All deletions of an entity have one hash.  GAN_EINVAL: it is no object,
 * or has no usable id; GAN_ENOMEM.
 */
GAN_MUST_CHECK int gan_identity_of(
    enum gan_entity type, bool feed, struct gan_span object, struct gan_identity *ret);

/* The hash of an entity that is gone. */
void gan_identity_deleted(struct gan_identity *id);
