/* SPDX-License-Identifier: MIT */
/* numbers.h - which JSON numbers survive a trip through an IEEE double? */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * True when reading the number as a double and writing the double in its
 * shortest form gives the same value: 12.50, 1e3 and -0 do; 2^53+1,
 * 0.10000000000000001, 1e1000 and 1e-400 do not.  Decided on the digits, so
 * the answer does not depend on locale or rounding mode.  s must match the
 * number grammar of RFC 8259 and need not end in NUL.
 */
bool gan_json_number_exact(const char *s, size_t n);
