/* SPDX-License-Identifier: MIT */
/* outputs.c - see outputs.h. */
#include "admin/outputs.h"

#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/compact.h"

#define COMPACT_MAX (64u << 20)

struct output {
	char *key, *effect, *body;
	size_t body_len;
	bool matched;
};

struct gan_output_set {
	char *rule, *to, *reject;
	struct output *outputs;
	size_t n;
};

static void
set_fini(struct gan_output_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->outputs[i].key);
		free(s->outputs[i].effect);
		free(s->outputs[i].body);
	}
	free(s->outputs);
	free(s->rule);
	free(s->to);
	free(s->reject);
}

void
gan_outputs_fini(struct gan_outputs *o)
{
	for (size_t i = 0; i < o->n; i++)
		set_fini(&o->rules[i]);
	free(gan_steal(&o->rules));
	o->n = 0;
}

static bool
copy_text(char **ret, const char *text)
{
	*ret = text == NULL ? NULL : strdup(text);
	return text == NULL || *ret != NULL;
}

static bool
set_copy(struct gan_output_set *s, const struct gan_map_result *r)
{
	s->to = gan_asprintf("%s/%s", r->rule->connector, r->rule->operation);
	s->outputs = calloc(r->noutputs + 1, sizeof(*s->outputs));
	if (s->to == NULL || s->outputs == NULL || !copy_text(&s->rule, r->rule->name) ||
	    !copy_text(&s->reject, r->reject))
		return false;
	for (size_t i = 0; i < r->noutputs; i++) {
		struct output *o = &s->outputs[s->n++];

		o->body = gan_memdup(r->outputs[i].body, r->outputs[i].body_len);
		o->body_len = r->outputs[i].body_len;
		if (o->body == NULL || !copy_text(&o->key, r->outputs[i].key) ||
		    !copy_text(&o->effect, r->outputs[i].effect))
			return false;
	}
	return true;
}

int
gan_outputs_copy(const struct gan_map_result *results, size_t n, struct gan_outputs *ret_out)
{
	struct gan_outputs o = { calloc(n + 1, sizeof(*o.rules)), 0 };

	if (o.rules == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		o.n++;
		if (!set_copy(&o.rules[i], &results[i])) {
			gan_outputs_fini(&o);
			return GAN_ENOMEM;
		}
	}
	*ret_out = o;
	return GAN_OK;
}

/* ---- one against the other ----------------------------------------------------------- */

struct compare {
	const struct gan_map_event *ev;
	const char *key; /* asked for, or NULL */
	struct gan_outputs_tally *tally;
	struct gan_buf *out;
};

static void
put_side(
    struct gan_buf *b, const char *name, const struct gan_output_set *s, const struct output *o)
{
	gan_buf_printf(b, ",\"%s\":", name);
	if (o == NULL) {
		gan_buf_puts(b, "null");
		return;
	}
	gan_buf_puts(b, "{\"to\":");
	gan_put_str(b, s->to);
	gan_buf_puts(b, ",\"effect\":");
	gan_put_str(b, o->effect);
	gan_buf_puts(b, ",\"body\":");
	gan_buf_put(b, o->body, o->body_len);
	gan_buf_putc(b, '}');
}

static void
put_change(struct compare *c, const char *change, const struct gan_output_set *a,
    const struct output *x, const struct gan_output_set *b, const struct output *y,
    const char *reject)
{
	const struct output *any = x != NULL ? x : y;
	char id[GAN_ID_LEN];

	if (c->out->len > 0)
		gan_buf_putc(c->out, ',');
	gan_buf_printf(
	    c->out, "{\"event\":\"%s\",\"source\":", gan_id_format(GAN_ID_EVENT, c->ev->id, id));
	gan_put_str(c->out, c->ev->source);
	gan_buf_puts(c->out, ",\"topic\":");
	gan_put_str(c->out, c->ev->topic);
	gan_buf_puts(c->out, ",\"rule\":");
	gan_put_str(c->out, a != NULL ? a->rule : b->rule);
	gan_buf_puts(c->out, ",\"key\":");
	gan_put_str(c->out, any != NULL ? any->key : NULL);
	gan_buf_printf(c->out, ",\"change\":\"%s\"", change);
	put_side(c->out, "before", a, x);
	put_side(c->out, "after", b, y);
	gan_buf_puts(c->out, ",\"reject\":");
	gan_put_str(c->out, reject);
	gan_buf_putc(c->out, '}');
}

static int
canonical(const struct output *o, struct gan_buf *b)
{
	int rc = gan_json_compact(o->body, o->body_len, true, b);

	return rc == GAN_OK && b->failed ? GAN_ENOMEM : rc;
}

/* 1: they are the same request. */
static int
equal(const struct gan_output_set *a, const struct output *x, const struct gan_output_set *b,
    const struct output *y)
{
	struct gan_buf p GAN_AUTO(gan_buf_fini) = { .max = COMPACT_MAX };
	struct gan_buf q GAN_AUTO(gan_buf_fini) = { .max = COMPACT_MAX };
	int rc;

	if (strcmp(a->to, b->to) != 0 || !gan_streq(x->effect, y->effect))
		return 0;
	if (x->body_len == y->body_len && memcmp(x->body, y->body, x->body_len) == 0)
		return 1;
	rc = canonical(x, &p);
	if (rc == GAN_OK)
		rc = canonical(y, &q);
	if (rc < 0)
		return rc;
	return p.len == q.len && memcmp(p.data, q.data, p.len) == 0;
}

static bool
is_asked(const struct compare *c, const struct output *o)
{
	return c->key == NULL || gan_streq(c->key, o->key);
}

/* The first of the other side with this key that has no partner yet. */
static struct output *
partner(struct gan_output_set *b, const struct output *x)
{
	for (size_t i = 0; b != NULL && i < b->n; i++) {
		if (!b->outputs[i].matched && gan_streq(b->outputs[i].key, x->key))
			return &b->outputs[i];
	}
	return NULL;
}

/* What one rule made before and makes after; either may be NULL: it did not listen. */
static int
compare_rule(struct compare *c, struct gan_output_set *a, struct gan_output_set *b)
{
	const char *was = a != NULL ? a->reject : NULL, *is = b != NULL ? b->reject : NULL;
	int rc = 0;

	if (is != NULL && was == NULL) {
		c->tally->rejects++;
		put_change(c, "rejects", a, NULL, b, NULL, is);
	} else if (was != NULL && is == NULL) {
		c->tally->accepts++;
		put_change(c, "accepts", a, NULL, b, NULL, was);
	}
	for (size_t i = 0; a != NULL && rc >= 0 && i < a->n; i++) {
		struct output *x = &a->outputs[i], *y = partner(b, x);

		if (!is_asked(c, x))
			continue;
		if (y == NULL) {
			c->tally->removed++;
			put_change(c, "removed", a, x, b, NULL, NULL);
			continue;
		}
		y->matched = true;
		rc = equal(a, x, b, y);
		if (rc > 0) {
			c->tally->same++;
		} else if (rc == 0) {
			c->tally->changed++;
			put_change(c, "changed", a, x, b, y, NULL);
		}
	}
	for (size_t i = 0; b != NULL && rc >= 0 && i < b->n; i++) {
		if (!b->outputs[i].matched && is_asked(c, &b->outputs[i])) {
			c->tally->added++;
			put_change(c, "added", a, NULL, b, &b->outputs[i], NULL);
		}
	}
	return rc < 0 ? rc : GAN_OK;
}

static struct gan_output_set *
find(const struct gan_outputs *o, const char *rule)
{
	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->rules[i].rule, rule) == 0)
			return &o->rules[i];
	}
	return NULL;
}

int
gan_outputs_compare(const struct gan_outputs *before, const struct gan_outputs *after,
    const struct gan_map_event *ev, const char *key, struct gan_outputs_tally *tally,
    struct gan_buf *out)
{
	struct compare c = { ev, key, tally, out };
	int rc = GAN_OK;

	for (size_t i = 0; rc == GAN_OK && i < before->n; i++)
		rc = compare_rule(&c, &before->rules[i], find(after, before->rules[i].rule));
	for (size_t i = 0; rc == GAN_OK && i < after->n; i++) {
		if (find(before, after->rules[i].rule) == NULL)
			rc = compare_rule(&c, NULL, &after->rules[i]);
	}
	return rc;
}
