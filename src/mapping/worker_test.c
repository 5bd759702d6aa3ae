/* SPDX-License-Identifier: MIT */
/* worker_test.c - golden tests: is the result what was expected, and where not? */
#include <jv.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "mapping/worker.h"

enum {
	SHOWN = 160,      /* bytes of a value in a difference */
	PATH = 256,       /* bytes of a path */
	LINES = 20,       /* differences told */
	DETAIL = 8 << 10, /* bytes in all */
};

struct diff {
	struct gan_buf *out;
	unsigned n;
};

static void GAN_PRINTF(2, 3) line(struct diff *d, const char *fmt, ...)
{
	char text[PATH + 2 * SHOWN + 64];
	va_list ap;

	if (++d->n > LINES + 1 || d->out->len > DETAIL)
		return;
	if (d->n == LINES + 1) {
		gan_buf_puts(d->out, "(more differences are not shown)\n");
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gan_buf_puts(d->out, text);
	gan_buf_putc(d->out, '\n');
}

/* A value as text, cut; consumes v. */
static const char *
show(jv v, char out[SHOWN])
{
	jv text = jv_dump_string(v, 0);
	int n = jv_string_length_bytes(jv_copy(text));

	(void)snprintf(out, SHOWN, "%s", jv_string_value(text));
	if (n >= SHOWN)
		memcpy(out + SHOWN - 4, "...", 4);
	jv_free(text);
	return out;
}

static void differ(struct diff *d, const char *path, jv want, jv got);

static void
differ_objects(struct diff *d, const char *path, jv want, jv got)
{
	char below[PATH], text[SHOWN];

	jv_object_foreach(want, k, v)
	{
		jv other = jv_object_get(jv_copy(got), jv_copy(k));

		(void)snprintf(below, sizeof(below), "%s/%s", path, jv_string_value(k));
		if (jv_is_valid(other)) {
			differ(d, below, v, other);
		} else {
			line(d, "%s: missing, expected %s", below, show(v, text));
			jv_free(other);
		}
		jv_free(k);
	}
	jv_object_foreach(got, k, v)
	{
		if (!jv_object_has(jv_copy(want), jv_copy(k)))
			line(d, "%s/%s: not expected, got %s", path, jv_string_value(k),
			    show(jv_copy(v), text));
		jv_free(k);
		jv_free(v);
	}
	jv_free(want);
	jv_free(got);
}

static void
differ_arrays(struct diff *d, const char *path, jv want, jv got)
{
	int n = jv_array_length(jv_copy(want)), m = jv_array_length(jv_copy(got));
	char below[PATH], text[SHOWN];

	for (int i = 0; i < n || i < m; i++) {
		(void)snprintf(below, sizeof(below), "%s/%d", path, i);
		if (i >= m)
			line(d, "%s: missing, expected %s", below,
			    show(jv_array_get(jv_copy(want), i), text));
		else if (i >= n)
			line(d, "%s: not expected, got %s", below,
			    show(jv_array_get(jv_copy(got), i), text));
		else
			differ(d, below, jv_array_get(jv_copy(want), i),
			    jv_array_get(jv_copy(got), i));
	}
	jv_free(want);
	jv_free(got);
}

/* Consumes both. */
static void
differ(struct diff *d, const char *path, jv want, jv got)
{
	char a[SHOWN], b[SHOWN];
	jv_kind kind = jv_get_kind(want);

	if (jv_equal(jv_copy(want), jv_copy(got))) {
		jv_free(want);
		jv_free(got);
	} else if (kind == jv_get_kind(got) && kind == JV_KIND_OBJECT) {
		differ_objects(d, path, want, got);
	} else if (kind == jv_get_kind(got) && kind == JV_KIND_ARRAY) {
		differ_arrays(d, path, want, got);
	} else {
		line(d, "%s: expected %s, got %s", path[0] != '\0' ? path : "/", show(want, a),
		    show(got, b));
	}
}

static void
check_bodies(struct diff *d, const char *expected, jv bodies)
{
	jv want = jv_parse(expected);
	int n = jv_array_length(jv_copy(want)), m = jv_array_length(jv_copy(bodies));

	if (n != m)
		line(d, "expected %d request%s, got %d", n, n == 1 ? "" : "s", m);
	differ(d, "", want, bodies);
}

/* expect_key and expect_effect: one text for every request, or a list. */
static void
check_words(struct diff *d, const char *what, const char *expected, jv words)
{
	jv want = jv_parse(expected);

	if (jv_get_kind(want) == JV_KIND_STRING) {
		int n = jv_array_length(jv_copy(words));
		jv list = jv_array();

		for (int i = 0; i < n || i < 1; i++)
			list = jv_array_append(list, jv_copy(want));
		jv_free(want);
		want = list;
	}
	differ(d, what, want, words);
}

static jv
word(const char *s, size_t len)
{
	return s == NULL ? jv_null() : jv_string_sized(s, (int)len);
}

static void
check_outputs(
    struct diff *d, struct gan_frame_in *in, const struct gan_jq_expect *e, uint32_t *ret_requests)
{
	uint32_t n = gan_frame_u32(in);
	jv bodies = jv_array(), keys = jv_array(), effects = jv_array();

	for (uint32_t i = 0; i < n && !in->bad; i++) {
		size_t body_len, key_len, effect_len;
		const char *body = gan_frame_str(in, &body_len);
		const char *key = gan_frame_str(in, &key_len);
		const char *effect = gan_frame_str(in, &effect_len);

		for (uint32_t k = gan_frame_u32(in); k > 0 && !in->bad; k--)
			(void)gan_frame_str(in, NULL);
		if (body != NULL)
			bodies = jv_array_append(bodies, jv_parse_sized(body, (int)body_len));
		keys = jv_array_append(keys, word(key, key_len));
		effects = jv_array_append(effects, word(effect, effect_len));
	}
	*ret_requests = n;
	if (e->reject != NULL)
		line(
		    d, "expected reject \"%s\", got %u request%s", e->reject, n, n == 1 ? "" : "s");
	if (e->bodies != NULL)
		check_bodies(d, e->bodies, jv_copy(bodies));
	if (e->keys != NULL)
		check_words(d, "key", e->keys, jv_copy(keys));
	if (e->effects != NULL)
		check_words(d, "effect", e->effects, jv_copy(effects));
	jv_free(bodies);
	jv_free(keys);
	jv_free(effects);
}

bool
gan_jq_compare(const char *result, size_t len, const struct gan_jq_expect *e,
    uint32_t *ret_requests, struct gan_buf *detail)
{
	struct gan_frame_in in = { .p = result, .left = len };
	struct diff d = { .out = detail };

	*ret_requests = 0;
	if (gan_frame_u32(&in) == GAN_RESULT_OUTPUTS) {
		check_outputs(&d, &in, e, ret_requests);
		return d.n == 0;
	}
	const char *why = gan_frame_str(&in, NULL);
	if (why == NULL)
		why = "?";
	if (e->reject == NULL)
		line(&d, "rejected: %s", why);
	else if (strcmp(e->reject, why) != 0)
		line(&d, "expected reject \"%s\", got \"%s\"", e->reject, why);
	return d.n == 0;
}
