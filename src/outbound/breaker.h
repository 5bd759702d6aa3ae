/* SPDX-License-Identifier: MIT */
/*
 * breaker.h - stops asking a system that keeps failing.
 *
 *	closed --(n failures in a row)--> open --(time)--> half-open
 *	half-open: one probe; it works -> closed, it fails -> open again
 *
 * Pure: the clock is handed in (monotonic milliseconds).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gan_breaker {
	unsigned failures; /* in a row */
	bool open;
	bool probing; /* half-open and the one probe is under way */
	int64_t until_ms;
};

/* How many requests may start now: SIZE_MAX, 1 (a probe) or 0. */
size_t gan_breaker_allows(const struct gan_breaker *b, int64_t now_ms);

/* The probe leaves. No effect while closed. */
void gan_breaker_probe(struct gan_breaker *b);

/* The probe was given up without an answer about the system's health. */
void gan_breaker_void(struct gan_breaker *b);

/* Returns true when this closed an open breaker. */
bool gan_breaker_ok(struct gan_breaker *b);

/* Returns true when this opened it. */
bool gan_breaker_failed(struct gan_breaker *b, int64_t now_ms, unsigned limit, int64_t open_ms);
