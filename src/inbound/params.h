/* SPDX-License-Identifier: MIT */
/*
 * params.h - what stands behind the '?' of a target: name=value&name=value.
 *
 * Strict, since a parameter that is misspelt and passed over gives a wrong
 * answer: names that nobody asked for, the same one twice, broken escapes, text
 * that is not UTF-8 and control characters are refused.  A '+' is a blank.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gan_param {
	const char *name;
	char *out; /* NUL-terminated; "" when it is not there */
	size_t outsz;
	bool given;
};

/* query may be NULL. GAN_EINVAL with a sentence that may be shown to the sender. */
GAN_MUST_CHECK int gan_params_read(
    const char *query, struct gan_param *params, size_t n, struct gan_err *err);

/* A plain number from min to max; false when it is none. */
bool gan_param_number(const char *text, int64_t min, int64_t max, int64_t *ret);
