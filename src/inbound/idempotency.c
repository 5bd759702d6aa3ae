/* SPDX-License-Identifier: MIT */
/*
 * idempotency.c - the Idempotency-Key of a post: what it looks like, and which
 * ones have a request under way.  What was stored under one is the store's
 * business (GAN_DEDUPE_IDEMPOTENCY).
 */
#include <string.h>

#include "inbound/inbound_priv.h"

bool
gan_key_read(struct gan_exchange *x, struct gan_bytes *ret)
{
	const char *v = gan_request_header(x->req, "idempotency-key");
	size_t n;
	bool good = true;

	*ret = (struct gan_bytes){ NULL, 0 };
	if (v == NULL)
		return true;
	v += strspn(v, " \t");
	n = strlen(v);
	while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
		n--;
	for (size_t i = 0; i < n; i++)
		good = good && v[i] >= ' ' && v[i] <= '~';
	if (good && n >= 1 && n <= GAN_KEY_MAX) {
		*ret = (struct gan_bytes){ v, n };
		return true;
	}
	(void)gan_request_problem(x->req, GAN_PROBLEM_IDEMPOTENCY_KEY, 0,
	    "An Idempotency-Key has 1 to %d printable ASCII characters. Send such a one, or none.",
	    GAN_KEY_MAX);
	return false;
}

bool
gan_key_enter(struct gan_exchange *x)
{
	for (const struct gan_exchange *k = x->in->keyed; k != NULL; k = k->next) {
		if (memcmp(k->hash, x->hash, sizeof(x->hash)) != 0)
			continue;
		(void)gan_request_problem(x->req, GAN_PROBLEM_IN_FLIGHT, 1,
		    "Wait for the answer to the first request, then repeat this one.");
		return false;
	}
	x->keyed = true;
	x->next = x->in->keyed;
	x->in->keyed = x;
	return true;
}

void
gan_key_leave(struct gan_exchange *x)
{
	struct gan_exchange **kp = &x->in->keyed;

	if (!x->keyed)
		return;
	while (*kp != x)
		kp = &(*kp)->next;
	*kp = x->next;
	x->keyed = false;
}
