/* SPDX-License-Identifier: MIT */
/*
 * id.h - identifiers and randomness.
 *
 * Every stored row has a positive 63-bit id that grows with time: 41 bits of
 * milliseconds since 2024-01-01, 6 bits for the node, 16 bits of sequence.
 * People see it as one letter for what it is and 13 characters of Crockford's
 * base 32: "e01hqz5k2m0000" is an event, "d…" a delivery, "a…" an attempt,
 * "q…" a quarantined request.  Text order is time order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GAN_ID_LEN 15 /* letter, 13 characters, NUL */

enum gan_id_kind {
	GAN_ID_EVENT = 'e',
	GAN_ID_DELIVERY = 'd',
	GAN_ID_ATTEMPT = 'a',
	GAN_ID_QUARANTINE = 'q',
	GAN_ID_PLACE = 'p', /* in an outbox */
};

/*
 * The id that follows `last`, for an object born at now_ms: greater than last
 * always, and of the time now_ms unless the clock went backwards.
 */
int64_t gan_id_next(int64_t last, int64_t now_ms);

/* When an id was made, in wall-clock milliseconds; and the first id of a time. */
int64_t gan_id_time_ms(int64_t id);
int64_t gan_id_floor(int64_t ms);

char *gan_id_format(enum gan_id_kind kind, int64_t id, char out[GAN_ID_LEN]);

/* False unless s is exactly one well-formed id of that kind. */
bool gan_id_parse(enum gan_id_kind kind, const char *s, int64_t *ret_id);

/* Cryptographic randomness; a failure of the generator aborts. */
void gan_random(void *out, size_t n);

/* Uniform in [0, n). */
uint32_t gan_random_below(uint32_t n);

/* RFC 4122 version 5 in the URL namespace, lower case. */
GAN_MUST_CHECK int gan_uuid5(const char *name, size_t n, char out[37]);
