/* SPDX-License-Identifier: MIT */
/*
 * topic.h - what an event is about, in one spelling (design.md section 8).
 *
 * Prodsmart writes topics in several ways ("productionOrder/create",
 * "lot_deleted", "downTime_updated"); rules see only the canonical form
 * ("production-order.created", "lot.deleted", "downtime.updated").  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define GAN_TOPIC_MAX 100
#define GAN_TOPIC_UNKNOWN "unknown"

/*
 * The canonical form of a topic as a sender wrote it.  Surrounding white space
 * and one pair of quotes are dropped.  What has a known verb (create, update,
 * delete) becomes "<kebab-case>.<verb>d"; what is canonical already, and what
 * nobody knows, stays as it is; what is no printable ASCII word of at most 100
 * characters becomes "unknown".
 */
void gan_topic_canonical(const char *raw, char out[GAN_TOPIC_MAX + 1]);

/* Is it a topic that an ERP may post: [a-z0-9.-]{1,100}? */
bool gan_topic_valid(const char *topic);

/*
 * The text of a member of the root object of checked JSON.  False when the
 * root is no object, has no such member, or its value is no plain text (no
 * escapes) of less than outsz bytes.  The first of equal keys counts.
 */
bool gan_topic_from_body(const char *json, size_t len, const char *member, char *out, size_t outsz);
