/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_limit.c - the company's limit of requests in a sliding window.
 *
 * Two windows: what arrived (a test reads its highest count, spoilt and refused
 * requests included) and what was served, which alone decides about a 429.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "prodsmart.h"

static void
push(struct gan_ps_window *w, int64_t now_us)
{
	if (w->n == w->cap) {
		size_t cap = w->cap == 0 ? 256 : w->cap * 2;
		int64_t *at = calloc(cap, sizeof(*at));

		gan_must(at != NULL);
		for (size_t i = 0; i < w->n; i++)
			at[i] = w->at[(w->first + i) % w->cap];
		free(w->at);
		w->at = at;
		w->cap = cap;
		w->first = 0;
	}
	w->at[(w->first + w->n++) % w->cap] = now_us;
}

static void
expire(struct gan_ps_window *w, int64_t until_us)
{
	while (w->n > 0 && w->at[w->first] <= until_us) {
		w->first = (w->first + 1) % w->cap;
		w->n--;
	}
}

void
gan_ps_window_free(struct gan_ps_window *w)
{
	free(w->at);
	*w = (struct gan_ps_window){ 0 };
}

void
gan_sim_prodsmart_arrived(struct gan_sim *sim)
{
	struct gan_ps *ps = sim->prodsmart.ps;
	int64_t now = gan_mono_us();

	expire(&ps->arrived, now - sim->prodsmart.limit_window_ms * 1000);
	push(&ps->arrived, now);
	if ((int64_t)ps->arrived.n > ps->most)
		ps->most = (int64_t)ps->arrived.n;
}

bool
gan_ps_within_limit(struct gan_ps_call *c)
{
	struct gan_ps_window *w = &c->ps->served;
	int64_t now = gan_mono_us(), span = c->p->limit_window_ms * 1000, wait = span;

	expire(w, now - span);
	if ((int64_t)w->n < c->p->limit_per_minute) {
		push(w, now);
		return true;
	}
	c->ps->refused++;
	if (w->n > 0)
		wait = w->at[w->first] + span - now;
	gan_buf_printf(&c->ans->extra, "Retry-After: %lld\r\n",
	    (long long)(wait <= 1000000 ? 1 : (wait + 999999) / 1000000));
	gan_ps_fail(c, 429, "more than %lld requests in a window of %lld ms",
	    (long long)c->p->limit_per_minute, (long long)c->p->limit_window_ms);
	return false;
}
