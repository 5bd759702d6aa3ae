/* SPDX-License-Identifier: MIT */
/* retry_after.h - the Retry-After header (RFC 9110, 10.2.3): seconds or a date. */
#pragma once

#include <stdint.h>

#define GAN_RETRY_AFTER_MAX_MS INT64_C(3600000)

/*
 * How long to wait from now_ms (wall clock), at most one hour; a date that is
 * past is 0.  NULL and what is neither form give otherwise_ms.
 */
int64_t gan_retry_after_ms(const char *value, int64_t now_ms, int64_t otherwise_ms);
