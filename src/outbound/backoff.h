/* SPDX-License-Identifier: MIT */
/*
 * backoff.h - how long to wait before the next try: first * factor^(n-1), at
 * most max, then spread by the jitter so that many lanes do not knock at once.
 */
#pragma once

#include <stdint.h>

#include "conf/config.h"

/*
 * attempt: how many tries have failed (1 after the first).  random: uniform
 * in the whole range of 32 bits.  Returns milliseconds, at least 1.
 */
int64_t gan_backoff_ms(const struct gan_conf_retry *retry, unsigned attempt, uint32_t random);
