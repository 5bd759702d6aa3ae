/* SPDX-License-Identifier: MIT */
/*
 * compact.c - see compact.h; for the hash of an effect, among others: numbers
 * and strings stay the text that they are.
 */
#include "json/compact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define DEPTH_MAX 256

struct reader {
	const char *p, *end;
	struct gan_buf *out;
	bool sort;
	int depth;
};

struct span {
	const char *text;
	size_t name_len; /* with its quotes */
	size_t len;
};

static int value(struct reader *r);

static void
blank(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool
take(struct reader *r, char c)
{
	blank(r);
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* At the character behind a backslash; leaves the reader on its last one. */
static bool
escape(struct reader *r)
{
	if (*r->p != 'u')
		return strchr("\"\\/bfnrt", *r->p) != NULL && *r->p != '\0';
	for (int i = 0; i < 4; i++) {
		if (++r->p >= r->end || strchr("0123456789abcdefABCDEF", *r->p) == NULL ||
		    *r->p == '\0')
			return false;
	}
	return true;
}

static int
string(struct reader *r)
{
	const char *start;

	if (!take(r, '"'))
		return GAN_EPARSE;
	start = r->p - 1;
	while (r->p < r->end && *r->p != '"') {
		if ((unsigned char)*r->p < 0x20)
			return GAN_EPARSE;
		if (*r->p == '\\') {
			r->p++;
			if (r->p == r->end || !escape(r))
				return GAN_EPARSE;
		}
		r->p++;
	}
	if (r->p >= r->end)
		return GAN_EPARSE;
	r->p++;
	if (!gan_utf8_valid(start, (size_t)(r->p - start)))
		return GAN_EPARSE;
	gan_buf_put(r->out, start, (size_t)(r->p - start));
	return GAN_OK;
}

static size_t
digits(struct reader *r)
{
	const char *start = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return (size_t)(r->p - start);
}

static int
number(struct reader *r)
{
	const char *start = r->p;

	if (r->p < r->end && *r->p == '-')
		r->p++;
	if (r->p < r->end && *r->p == '0')
		r->p++;
	else if (digits(r) == 0)
		return GAN_EPARSE;
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (digits(r) == 0)
			return GAN_EPARSE;
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (digits(r) == 0)
			return GAN_EPARSE;
	}
	gan_buf_put(r->out, start, (size_t)(r->p - start));
	return GAN_OK;
}

static int
word(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
		return GAN_EPARSE;
	r->p += n;
	gan_buf_put(r->out, text, n);
	return GAN_OK;
}

static int
by_name(const void *va, const void *vb)
{
	const struct span *a = va, *b = vb;
	size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
	int c = memcmp(a->text, b->text, n);

	if (c != 0)
		return c;
	if (a->name_len != b->name_len)
		return a->name_len < b->name_len ? -1 : 1;
	/* The same name twice: keep their order. */
	return a->text < b->text ? -1 : 1;
}

/* The members stand in out from `from` on, each followed by a comma or the end. */
static int
sort_members(struct gan_buf *out, size_t from, const size_t *ends, const size_t *names, size_t n)
{
	char *copy GAN_AUTO(gan_str_free) = NULL;
	struct span *spans;
	size_t at = 0;

	if (n < 2 || out->failed)
		return GAN_OK;
	copy = gan_memdup(out->data + from, out->len - from);
	spans = calloc(n, sizeof(*spans));
	if (copy == NULL || spans == NULL) {
		free(spans);
		return GAN_ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		spans[i] = (struct span){ copy + at, names[i], ends[i] - from - at };
		at = ends[i] - from + 1;
	}
	qsort(spans, n, sizeof(*spans), by_name);
	out->len = from;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			gan_buf_putc(out, ',');
		gan_buf_put(out, spans[i].text, spans[i].len);
	}
	free(spans);
	return GAN_OK;
}

static int
member(struct reader *r, size_t *ret_name)
{
	size_t start = r->out->len;
	int rc = string(r);

	if (rc < 0)
		return rc;
	*ret_name = r->out->len - start;
	if (!take(r, ':'))
		return GAN_EPARSE;
	gan_buf_putc(r->out, ':');
	return value(r);
}

struct marks {
	size_t *v;
	size_t n, cap;
};

static void
marks_fini(struct marks *m)
{
	free(m->v);
}

static int
marks_add(struct marks *m, size_t end, size_t name)
{
	if (m->n + 2 > m->cap) {
		size_t cap = m->cap == 0 ? 32 : m->cap * 2;
		size_t *v = realloc(m->v, cap * sizeof(*v));

		if (v == NULL)
			return GAN_ENOMEM;
		m->v = v;
		m->cap = cap;
	}
	m->v[m->n++] = end;
	m->v[m->n++] = name;
	return GAN_OK;
}

/* Split the pairs of marks into ends and names, then sort. */
static int
sort_marked(struct reader *r, size_t from, const struct marks *m)
{
	size_t n = m->n / 2, *parts;
	int rc;

	if (n < 2)
		return GAN_OK;
	parts = calloc(2 * n, sizeof(*parts));
	if (parts == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		parts[i] = m->v[2 * i];
		parts[n + i] = m->v[2 * i + 1];
	}
	rc = sort_members(r->out, from, parts, parts + n, n);
	free(parts);
	return rc;
}

static int
object(struct reader *r)
{
	struct marks marks GAN_AUTO(marks_fini) = { NULL, 0, 0 };
	size_t from, name = 0;
	int rc = GAN_OK;

	r->p++;
	gan_buf_putc(r->out, '{');
	from = r->out->len;
	if (take(r, '}')) {
		gan_buf_putc(r->out, '}');
		return GAN_OK;
	}
	do {
		if (r->out->len > from)
			gan_buf_putc(r->out, ',');
		blank(r);
		rc = member(r, &name);
		if (rc == GAN_OK && r->sort)
			rc = marks_add(&marks, r->out->len, name);
	} while (rc == GAN_OK && take(r, ','));
	if (rc == GAN_OK && !take(r, '}'))
		rc = GAN_EPARSE;
	if (rc == GAN_OK && r->sort)
		rc = sort_marked(r, from, &marks);
	gan_buf_putc(r->out, '}');
	return rc;
}

static int
array(struct reader *r)
{
	bool first = true;
	int rc;

	r->p++;
	gan_buf_putc(r->out, '[');
	if (!take(r, ']')) {
		do {
			if (!first)
				gan_buf_putc(r->out, ',');
			first = false;
			rc = value(r);
		} while (rc == GAN_OK && take(r, ','));
		if (rc < 0)
			return rc;
		if (!take(r, ']'))
			return GAN_EPARSE;
	}
	gan_buf_putc(r->out, ']');
	return GAN_OK;
}

static int
value(struct reader *r)
{
	int rc;

	blank(r);
	if (r->p == r->end || r->depth == DEPTH_MAX)
		return GAN_EPARSE;
	r->depth++;
	switch (*r->p) {
	case '{':
		rc = object(r);
		break;
	case '[':
		rc = array(r);
		break;
	case '"':
		rc = string(r);
		break;
	case 't':
		rc = word(r, "true");
		break;
	case 'f':
		rc = word(r, "false");
		break;
	case 'n':
		rc = word(r, "null");
		break;
	default:
		rc = number(r);
		break;
	}
	r->depth--;
	return rc;
}

int
gan_json_compact(const char *text, size_t len, bool sort, struct gan_buf *out)
{
	struct reader r = { text, text + len, out, sort, 0 };
	size_t before = out->len;
	int rc = value(&r);

	blank(&r);
	if (rc == GAN_OK && r.p != r.end)
		rc = GAN_EPARSE;
	if (rc == GAN_OK && out->failed)
		rc = GAN_ENOMEM;
	if (rc < 0 && out->data != NULL && !out->failed)
		out->len = before;
	return rc;
}
