/* SPDX-License-Identifier: MIT */
/* breaker.c - see breaker.h. */
#include "outbound/breaker.h"

size_t
gan_breaker_allows(const struct gan_breaker *b, int64_t now_ms)
{
	if (!b->open)
		return SIZE_MAX;
	if (now_ms < b->until_ms || b->probing)
		return 0;
	return 1;
}

void
gan_breaker_probe(struct gan_breaker *b)
{
	if (b->open)
		b->probing = true;
}

void
gan_breaker_void(struct gan_breaker *b)
{
	b->probing = false;
}

bool
gan_breaker_ok(struct gan_breaker *b)
{
	bool was_open = b->open;

	b->open = b->probing = false;
	b->failures = 0;
	return was_open;
}

bool
gan_breaker_failed(struct gan_breaker *b, int64_t now_ms, unsigned limit, int64_t open_ms)
{
	bool was_open = b->open;

	if (b->failures < UINT32_MAX)
		b->failures++;
	/* Answers to requests that left before it opened change nothing more. */
	if (was_open && !b->probing)
		return false;
	if (!was_open && b->failures < limit)
		return false;
	b->open = true;
	b->probing = false;
	b->until_ms = now_ms + open_ms;
	return !was_open;
}
