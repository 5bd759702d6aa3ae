/* SPDX-License-Identifier: MIT */
/*
 * worker_json.c - JSON to jq's values and back, for text that was checked
 * already and for values that go straight into a frame.
 *
 * libjq's own parser and printer do the same, one character at a time and with
 * a copy more; beside a small program they cost more than the program.  What
 * comes out must be what libjq 1.6 gives: tests/unit/test_worker_json.c compares.
 * (1.7 would write a number that no program touched with the digits it came
 * with; here it is a double with both, so that they send the same.)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
#include "mapping/worker_priv.h"

enum {
	KEYS = 256,   /* names of members that are kept; a power of two */
	KEY_MAX = 48, /* bytes of a name worth keeping */
	PLAIN_DIGITS = 15,
};

struct reader {
	const char *p;
	bool bad; /* half of a surrogate pair: no text can hold it */
};

/*
 * Events name the same members again and again: their names are kept as jq's
 * strings, which are counted and know their hash.
 */
static jv known[KEYS];

static jv read_value(struct reader *r);

static void
skip_space(struct reader *r)
{
	while (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r')
		r->p++;
}

static unsigned
read_hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)p[i];

		v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

static size_t
put_utf8(unsigned long c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Behind "\u"; a second half alone becomes U+FFFD, as libjq has it. */
static unsigned long
read_escape(struct reader *r)
{
	unsigned long c = read_hex4(r->p);

	r->p += 4;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c >= 0xdc00)
		return 0xfffd;
	unsigned low = r->p[0] == '\\' && r->p[1] == 'u' ? read_hex4(r->p + 2) : 0;
	if (low < 0xdc00 || low > 0xdfff) {
		r->bad = true;
		return 0xfffd;
	}
	r->p += 6;
	return 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
}

static jv
read_escaped(struct reader *r, size_t len)
{
	char *text = malloc(len + 1); /* no escape is shorter than what it means */
	size_t n = 0;

	if (text == NULL)
		_exit(GAN_EXIT_NOMEM);
	while (*r->p != '"') {
		static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";

		if (*r->p != '\\') {
			text[n++] = *r->p++;
		} else if (r->p[1] == 'u') {
			r->p += 2;
			n += put_utf8(read_escape(r), text + n);
		} else {
			const char *at = strchr(plain, r->p[1]);

			text[n++] = at != NULL ? meant[at - plain] : '?';
			r->p += 2;
		}
	}
	r->p++;
	jv v = jv_string_sized(text, (int)n);
	free(text);
	return v;
}

/* At the opening quote: the length up to the closing one, and whether anything is escaped. */
static size_t
measure(const char *p, bool *ret_escaped)
{
	const char *start = ++p;

	*ret_escaped = false;
	for (; *p != '"'; p++) {
		if (*p == '\\') {
			*ret_escaped = true;
			p++;
		}
	}
	return (size_t)(p - start);
}

static jv
read_string(struct reader *r)
{
	bool escaped;
	size_t n = measure(r->p, &escaped);

	r->p++;
	if (escaped)
		return read_escaped(r, n);
	jv v = jv_string_sized(r->p, (int)n);
	r->p += n + 1;
	return v;
}

static jv
read_key(struct reader *r)
{
	uint32_t hash = 2166136261U;
	bool escaped;
	size_t n = measure(r->p, &escaped);

	if (escaped || n > KEY_MAX)
		return read_string(r);
	const char *s = r->p + 1;
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)s[i]) * 16777619U;
	jv *slot = &known[(hash ^ hash >> 16) & (KEYS - 1)];
	if (jv_get_kind(*slot) != JV_KIND_STRING ||
	    (size_t)jv_string_length_bytes(jv_copy(*slot)) != n ||
	    memcmp(jv_string_value(*slot), s, n) != 0) {
		jv_free(*slot);
		*slot = jv_string_sized(s, (int)n);
	}
	r->p += n + 2;
	return jv_copy(*slot);
}

static jv
read_number(struct reader *r)
{
	const char *p = r->p;
	bool negative = *p == '-';
	int64_t v = 0;
	char *end;

	if (negative)
		p++;
	const char *digits = p;
	for (; *p >= '0' && *p <= '9' && p - digits <= PLAIN_DIGITS; p++)
		v = v * 10 + (*p - '0');
	if (p - digits <= PLAIN_DIGITS && *p != '.' && *p != 'e' && *p != 'E') {
		r->p = p;
		return jv_number(negative ? -(double)v : (double)v);
	}
	double d = strtod(r->p, &end); /* the locale is C */
	r->p = end;
	return jv_number(d);
}

static jv
read_array(struct reader *r)
{
	jv out = jv_array();

	r->p++;
	for (skip_space(r); *r->p != ']'; skip_space(r)) {
		if (*r->p == ',') {
			r->p++;
			skip_space(r);
		}
		out = jv_array_append(out, read_value(r));
	}
	r->p++;
	return out;
}

static jv
read_object(struct reader *r)
{
	jv out = jv_object();

	r->p++;
	for (skip_space(r); *r->p != '}'; skip_space(r)) {
		if (*r->p == ',') {
			r->p++;
			skip_space(r);
		}
		jv key = read_key(r);
		skip_space(r);
		r->p++; /* the colon */
		out = jv_object_set(out, key, read_value(r));
	}
	r->p++;
	return out;
}

static jv
read_value(struct reader *r)
{
	skip_space(r);
	switch (*r->p) {
	case '{':
		return read_object(r);
	case '[':
		return read_array(r);
	case '"':
		return read_string(r);
	case 't':
		r->p += 4;
		return jv_true();
	case 'f':
		r->p += 5;
		return jv_false();
	case 'n':
		r->p += 4;
		return jv_null();
	default:
		return read_number(r);
	}
}

jv
gan_jv_read(const char *text)
{
	struct reader r = { .p = text };
	jv v = read_value(&r);

	if (!r.bad)
		return v;
	jv_free(v);
	return jv_invalid();
}

/* ---- writing --------------------------------------------------------------------- */

static void
write_string(struct gan_buf *out, jv v)
{
	const char *p = jv_string_value(v), *end = p + jv_string_length_bytes(jv_copy(v));

	gan_buf_putc(out, '"');
	while (p < end) {
		static const char special[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
		const char *from = p;

		while (
		    p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\' && *p != 0x7f)
			p++;
		gan_buf_put(out, from, (size_t)(p - from));
		if (p == end)
			break;
		const char *at = *p != '\0' ? strchr(special, *p) : NULL;
		if (at != NULL) {
			const char two[] = { '\\', letter[at - special] };

			gan_buf_put(out, two, sizeof(two));
		} else {
			gan_buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*p);
		}
		p++;
	}
	gan_buf_putc(out, '"');
}

static void
write_number(struct gan_buf *out, double d)
{
	char digits[24], *p = digits + sizeof(digits);
	int64_t v;

	if (!(fabs(d) < 1e15) || d != (double)(int64_t)d || (d == 0 && signbit(d))) {
		jv text = jv_dump_string(jv_number(d), 0);

		gan_buf_puts(out, jv_string_value(text));
		jv_free(text);
		return;
	}
	v = d < 0 ? -(int64_t)d : (int64_t)d;
	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	if (d < 0)
		*--p = '-';
	gan_buf_put(out, p, (size_t)(digits + sizeof(digits) - p));
}

static const char *write_value(struct gan_buf *out, jv v, bool uuids, int depth);

static const char *
write_array(struct gan_buf *out, jv v, bool uuids, int depth)
{
	int n = jv_array_length(jv_copy(v));
	const char *bad = NULL;

	gan_buf_putc(out, '[');
	for (int i = 0; i < n && bad == NULL; i++) {
		if (i > 0)
			gan_buf_putc(out, ',');
		jv item = jv_array_get(jv_copy(v), i);
		bad = write_value(out, item, uuids, depth);
		jv_free(item);
	}
	gan_buf_putc(out, ']');
	return bad;
}

/* The UUID of a text, or null: nothing else can be behind the marker. */
static jv
make_uuid(jv name)
{
	char text[37];
	bool good = jv_get_kind(name) == JV_KIND_STRING &&
		    gan_uuid5(jv_string_value(name), (size_t)jv_string_length_bytes(jv_copy(name)),
			text) == GAN_OK;

	jv_free(name);
	return good ? jv_string(text) : jv_null();
}

jv
gan_jv_uuid(jv v)
{
	if (jv_get_kind(v) != JV_KIND_OBJECT || jv_object_length(jv_copy(v)) != 1)
		return v;
	jv name = jv_object_get(jv_copy(v), jv_string(gan_jq_marker));
	if (!jv_is_valid(name)) {
		jv_free(name);
		return v;
	}
	jv_free(v);
	return make_uuid(name);
}

static const char *
write_object(struct gan_buf *out, jv v, bool uuids, int depth)
{
	const char *bad = NULL;
	bool first = true;

	gan_buf_putc(out, '{');
	for (int i = jv_object_iter(v); bad == NULL && jv_object_iter_valid(v, i);
	     i = jv_object_iter_next(v, i)) {
		jv key = jv_object_iter_key(v, i), value = jv_object_iter_value(v, i);

		if (!first)
			gan_buf_putc(out, ',');
		first = false;
		write_string(out, key);
		gan_buf_putc(out, ':');
		bad = write_value(out, value, uuids, depth);
		jv_free(key);
		jv_free(value);
	}
	gan_buf_putc(out, '}');
	return bad;
}

/* Objects of one member may be what uuid5() left. */
static const char *
write_resolved(struct gan_buf *out, jv v, int depth)
{
	const char *bad = NULL;
	jv text = gan_jv_uuid(jv_copy(v));

	if (jv_get_kind(text) == JV_KIND_OBJECT)
		bad = write_object(out, v, true, depth);
	else
		bad = write_value(out, text, false, depth);
	jv_free(text);
	return bad;
}

static const char *
write_value(struct gan_buf *out, jv v, bool uuids, int depth)
{
	switch (jv_get_kind(v)) {
	case JV_KIND_STRING:
		write_string(out, v);
		return NULL;
	case JV_KIND_NUMBER:
		if (!isfinite(jv_number_value(v)))
			return "a number in the output is not finite";
		write_number(out, jv_number_value(v));
		return NULL;
	case JV_KIND_TRUE:
		gan_buf_puts(out, "true");
		return NULL;
	case JV_KIND_FALSE:
		gan_buf_puts(out, "false");
		return NULL;
	case JV_KIND_ARRAY:
	case JV_KIND_OBJECT:
		if (depth == 0)
			return "the output is nested deeper than 64 levels";
		if (jv_get_kind(v) == JV_KIND_ARRAY)
			return write_array(out, v, uuids, depth - 1);
		return uuids ? write_resolved(out, v, depth - 1)
			     : write_object(out, v, false, depth - 1);
	case JV_KIND_NULL:
	case JV_KIND_INVALID:
		break;
	}
	gan_buf_puts(out, "null");
	return NULL;
}

const char *
gan_jv_write(struct gan_buf *out, jv v, bool uuids)
{
	return write_value(out, v, uuids, GAN_JSON_DEPTH);
}
