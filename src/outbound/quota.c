/* SPDX-License-Identifier: MIT */
/* quota.c - see quota.h. */
#include "outbound/quota.h"

#include <stdlib.h>

#include "base/mem.h"

#define CAP_LEAST 16

static int
grow(struct gan_quota *q, size_t cap)
{
	int64_t *ends;

	if (cap <= q->cap)
		return GAN_OK;
	ends = calloc(cap, sizeof(*ends));
	if (ends == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < q->n; i++)
		ends[i] = q->ends[(q->first + i) % q->cap];
	free(q->ends);
	q->ends = ends;
	q->cap = cap;
	q->first = 0;
	return GAN_OK;
}

int
gan_quota_set(struct gan_quota *q, unsigned allowed, int64_t window_ms, struct gan_err *err)
{
	/* Never more than `allowed` count at once, but for those of a larger limit before. */
	if (allowed > 0 && grow(q, allowed < CAP_LEAST ? CAP_LEAST : allowed) < 0)
		return gan_err_set(err, GAN_ENOMEM, "quota");
	if (q->allowed != allowed)
		q->learned = allowed;
	q->allowed = allowed;
	q->window_ms = window_ms;
	return GAN_OK;
}

void
gan_quota_fini(struct gan_quota *q)
{
	free(q->ends);
	*q = (struct gan_quota){ 0 };
}

/* The clock is cut to milliseconds: two of its times may be almost one more apart than they say. */
static int64_t
span(const struct gan_quota *q)
{
	return q->window_ms + 1;
}

static void
forget(struct gan_quota *q, int64_t now_ms)
{
	while (q->n > 0 && q->ends[q->first] + span(q) <= now_ms) {
		q->first = (q->first + 1) % q->cap;
		q->n--;
	}
}

static void
recover(struct gan_quota *q, int64_t now_ms)
{
	int64_t whole, step = q->allowed / 100 > 0 ? q->allowed / 100 : 1, more;

	if (q->learned >= q->allowed)
		return;
	whole = (now_ms - q->learned_ms) / q->window_ms;
	if (whole <= 0)
		return;
	q->learned_ms += whole * q->window_ms;
	more = q->allowed - q->learned;
	if (whole < more / step + 1 && whole * step < more)
		more = whole * step;
	q->learned += (unsigned)more;
}

void
gan_quota_close(struct gan_quota *q, int64_t now_ms)
{
	if (q->allowed > 0 && now_ms + span(q) > q->closed_ms)
		q->closed_ms = now_ms + span(q);
}

void
gan_quota_past(struct gan_quota *q, int64_t end_ms)
{
	if (q->allowed == 0)
		return;
	/* More than fit: the oldest may go, as long as the limit is reached without it. */
	if (q->n == q->cap) {
		q->first = (q->first + 1) % q->cap;
		q->n--;
	}
	q->ends[(q->first + q->n) % q->cap] = end_ms;
	q->n++;
}

unsigned
gan_quota_limit(struct gan_quota *q, int64_t now_ms)
{
	if (q->allowed == 0)
		return 0;
	recover(q, now_ms);
	return q->learned;
}

unsigned
gan_quota_used(struct gan_quota *q, int64_t now_ms)
{
	forget(q, now_ms);
	return (unsigned)q->n + q->under_way;
}

size_t
gan_quota_room(struct gan_quota *q, int64_t now_ms)
{
	unsigned limit, used;

	if (q->allowed == 0)
		return SIZE_MAX;
	if (now_ms < q->closed_ms)
		return 0;
	limit = gan_quota_limit(q, now_ms);
	used = gan_quota_used(q, now_ms);
	return used < limit ? limit - used : 0;
}

void
gan_quota_take(struct gan_quota *q, size_t n)
{
	q->under_way += (unsigned)n;
}

void
gan_quota_give(struct gan_quota *q)
{
	gan_must(q->under_way > 0);
	q->under_way--;
}

void
gan_quota_end(struct gan_quota *q, int64_t now_ms)
{
	gan_quota_give(q);
	gan_quota_past(q, now_ms);
}

int64_t
gan_quota_room_ms(struct gan_quota *q, int64_t now_ms)
{
	unsigned limit;
	size_t over;

	if (gan_quota_room(q, now_ms) > 0)
		return now_ms;
	if (now_ms < q->closed_ms)
		return q->closed_ms;
	limit = gan_quota_limit(q, now_ms);
	over = q->n + q->under_way - limit; /* this many and one more must be forgotten */
	if (over >= q->n)
		return INT64_MAX;
	return q->ends[(q->first + over) % q->cap] + span(q);
}

int64_t
gan_quota_next_ms(struct gan_quota *q, int64_t now_ms)
{
	forget(q, now_ms);
	if (now_ms < q->closed_ms)
		return q->closed_ms;
	return q->n > 0 ? q->ends[q->first] + span(q) : INT64_MAX;
}

bool
gan_quota_refused(struct gan_quota *q, int64_t now_ms)
{
	unsigned limit, less;

	if (q->allowed == 0)
		return false;
	limit = gan_quota_limit(q, now_ms);
	if (limit < q->allowed && now_ms - q->learned_ms < q->window_ms)
		return false;
	less = limit / 10 > 0 ? limit / 10 : 1;
	q->learned = limit > less ? limit - less : 1;
	q->learned_ms = now_ms;
	return q->learned < limit;
}
