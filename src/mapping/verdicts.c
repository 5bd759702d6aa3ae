/* SPDX-License-Identifier: MIT */
/* verdicts.c - see verdicts.h. */
#include "mapping/verdicts.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hmac.h"
#include "base/mem.h"
#include "mapping/pool.h"

void
gan_verdicts_fini(struct gan_verdicts *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i].requests);
	free(v->items);
	memset(v, 0, sizeof(*v));
}

/* Lengths included, so that nothing can slide. */
static void
put(struct gan_buf *b, const char *text)
{
	gan_buf_i64(b, text == NULL ? -1 : (int64_t)strlen(text));
	gan_buf_puts(b, text == NULL ? "" : text);
}

int
gan_verdict_subject(
    const struct gan_rule *rule, const struct gan_pool_options *opt, unsigned char ret[32])
{
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };

	gan_buf_put(&b, rule->hash, sizeof(rule->hash));
	put(&b, rule->from[0]); /* the default of a test's source and topic */
	for (size_t i = 0; i < rule->ntests; i++) {
		const struct gan_rule_test *t = &rule->tests[i];

		put(&b, t->event);
		put(&b, t->meta);
		put(&b, t->expect);
		put(&b, t->expect_key);
		put(&b, t->expect_effect);
		put(&b, t->expect_reject);
	}
	gan_buf_i64(&b, opt->timeout_ms);
	gan_buf_i64(&b, opt->memory);
	gan_buf_i64(&b, (int64_t)opt->numbers);
	put(&b, opt->time_zone);
	const struct gan_bytes parts[] = { { b.data, b.len } };
	return b.failed ? GAN_ENOMEM : gan_sha256(parts, GAN_COUNT(parts), ret);
}

const struct gan_verdict *
gan_verdicts_find(struct gan_verdicts *v, const unsigned char subject[32])
{
	for (size_t i = 0; i < v->n; i++) {
		if (memcmp(v->items[i].subject, subject, 32) != 0)
			continue;
		v->items[i].kept = true;
		return &v->items[i];
	}
	return NULL;
}

void
gan_verdicts_add(struct gan_verdicts *v, const unsigned char subject[32], const uint32_t *requests,
    size_t ntests)
{
	if (gan_verdicts_find(v, subject) != NULL)
		return;
	if (v->n == v->cap) {
		size_t cap = v->cap == 0 ? 32 : 2 * v->cap;
		struct gan_verdict *items = realloc(v->items, cap * sizeof(*items));

		if (items == NULL)
			return;
		v->items = items;
		v->cap = cap;
	}
	uint32_t *copy = malloc((ntests + 1) * sizeof(*copy));
	if (copy == NULL)
		return;
	if (ntests > 0)
		memcpy(copy, requests, ntests * sizeof(*copy));
	struct gan_verdict *item = &v->items[v->n++];
	*item = (struct gan_verdict){ .requests = copy, .ntests = ntests, .kept = true };
	memcpy(item->subject, subject, sizeof(item->subject));
}

void
gan_verdicts_sweep(struct gan_verdicts *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (!v->items[i].kept) {
			free(v->items[i].requests);
			continue;
		}
		v->items[n] = v->items[i];
		v->items[n++].kept = false;
	}
	v->n = n;
}
