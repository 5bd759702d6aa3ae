/* SPDX-License-Identifier: MIT */
/*
 * check.c - one loop over values instead of recursion, so that depth costs a
 * bit and not a stack frame.  Where something is (line, column, path) is found
 * by a second look at the text, made only when somebody has to be told.
 */
#include "json/check.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/numbers.h"

enum { DEPTH_MAX = 1024 };

struct scan {
	const char *text, *p, *end;
	struct gan_err *err;
	struct gan_json_info *info;
	size_t depth, max_depth;
	uint64_t in_object[DEPTH_MAX / 64]; /* bit i: level i is an object */
};

static bool
top_is_object(const struct scan *s)
{
	size_t i = s->depth - 1;

	return (s->in_object[i / 64] >> (i % 64) & 1) != 0;
}

/* Say where: lines and columns count characters from 1. */
static int
fail(struct scan *s, enum gan_code code, const char *at, const char *what)
{
	size_t line = 1, col = 1;

	for (const char *p = s->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			col = 1;
		} else if (((unsigned char)*p & 0xc0) != 0x80) {
			col++;
		}
	}
	return gan_err_set(s->err, code, "line %zu column %zu: %s", line, col, what);
}

static int
fail_found(struct scan *s, const char *expected)
{
	char what[96];
	unsigned char c;

	if (s->p >= s->end) {
		(void)snprintf(what, sizeof(what), "expected %s, but the text ends here", expected);
		return fail(s, GAN_EPARSE, s->end, what);
	}
	c = (unsigned char)*s->p;
	if (c > 0x20 && c < 0x7f)
		(void)snprintf(what, sizeof(what), "expected %s, found '%c'", expected, c);
	else
		(void)snprintf(what, sizeof(what), "expected %s, found byte 0x%02x", expected, c);
	return fail(s, GAN_EPARSE, s->p, what);
}

static void
skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
		s->p++;
}

static int
check_escape(struct scan *s)
{
	unsigned char code[2];

	if (s->end - s->p < 2)
		return fail(s, GAN_EPARSE, s->end, "the text ends inside a string");
	if (s->p[1] != 'u') {
		if (s->p[1] == '\0' || strchr("\"\\/bfnrt", s->p[1]) == NULL)
			return fail(s, GAN_EPARSE, s->p, "unknown escape in a string");
		s->p += 2;
		return GAN_OK;
	}
	if (s->end - s->p < 6 || !gan_unhex(s->p + 2, 4, code))
		return fail(s, GAN_EPARSE, s->p, "\\u needs four hex digits");
	s->p += 6;
	return GAN_OK;
}

/* A control character, which is refused, or more than one byte of UTF-8. */
static int
check_wide(struct scan *s)
{
	size_t n = gan_utf8_next(s->p, (size_t)(s->end - s->p));

	if ((unsigned char)*s->p < 0x20)
		return fail(
		    s, GAN_EPARSE, s->p, "control character in a string (write it as an escape)");
	if (n == 0)
		return fail(s, GAN_EPARSE, s->p, "bytes that are not UTF-8");
	s->p += n;
	return GAN_OK;
}

/* At the opening quote; leaves p behind the closing one. */
static int
check_string(struct scan *s)
{
	int rc = GAN_OK;

	s->p++;
	for (;;) {
		unsigned char c;

		s->p += gan_plain_run(s->p, (size_t)(s->end - s->p));
		if (s->p >= s->end)
			return fail(s, GAN_EPARSE, s->end, "the text ends inside a string");
		c = (unsigned char)*s->p;
		if (c == '"') {
			s->p++;
			return GAN_OK;
		}
		if (c == '\\')
			rc = check_escape(s);
		else if (c == 0x7f)
			s->p++;
		else
			rc = check_wide(s);
		if (rc < 0)
			return rc;
	}
}

static bool
skip_digits(struct scan *s)
{
	const char *start = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > start;
}

/* What the path needs to know of one level. */
struct level {
	const char *key; /* NULL: array */
	size_t len;
	size_t index;
};

static void
path_put(struct gan_buf *b, const struct level *l)
{
	if (l->key == NULL) {
		gan_buf_printf(b, "/%zu", l->index);
		return;
	}
	gan_buf_putc(b, '/');
	for (size_t i = 0; i < l->len; i++) {
		if (l->key[i] == '~')
			gan_buf_puts(b, "~0");
		else if (l->key[i] == '/')
			gan_buf_puts(b, "~1");
		else
			gan_buf_putc(b, l->key[i]);
	}
}

/* Over text that is known to be good, up to `at`: the JSON pointer of what is there. */
static void
find_path(const char *p, const char *at, char *out, size_t outsz)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct level levels[DEPTH_MAX];
	size_t depth = 0;
	const char *str = NULL;
	size_t str_len = 0;

	for (; p < at; p++) {
		if (*p == '"') {
			str = ++p;
			for (; *p != '"'; p++)
				p += *p == '\\';
			str_len = (size_t)(p - str);
		} else if (*p == '{' || *p == '[') {
			levels[depth++] = (struct level){ 0 };
		} else if (*p == '}' || *p == ']') {
			depth--;
		} else if (*p == ':') {
			levels[depth - 1].key = str;
			levels[depth - 1].len = str_len;
		} else if (*p == ',') {
			levels[depth - 1].index++;
		}
	}
	for (size_t i = 0; i < depth; i++)
		path_put(&b, &levels[i]);
	(void)gan_printable(b.data == NULL ? "" : b.data, b.len, out, outsz);
}

static int
check_number(struct scan *s)
{
	const char *start = s->p;
	struct gan_json_info *info = s->info;

	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!skip_digits(s))
		return fail_found(s, "a digit");
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!skip_digits(s))
			return fail_found(s, "a digit");
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!skip_digits(s))
			return fail_found(s, "a digit");
	}
	if (info == NULL || info->inexact || gan_json_number_exact(start, (size_t)(s->p - start)))
		return GAN_OK;
	info->inexact = true;
	find_path(s->text, start, info->inexact_path, sizeof(info->inexact_path));
	(void)gan_printable(
	    start, (size_t)(s->p - start), info->inexact_text, sizeof(info->inexact_text));
	return GAN_OK;
}

static int
check_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return fail_found(s, "a value");
	s->p += n;
	return GAN_OK;
}

static int
enter(struct scan *s, bool object)
{
	uint64_t bit;

	if (s->depth >= s->max_depth) {
		char what[64];

		(void)snprintf(what, sizeof(what), "nested deeper than %zu levels", s->max_depth);
		return fail(s, GAN_ELIMIT, s->p, what);
	}
	bit = UINT64_C(1) << (s->depth % 64);
	if (object)
		s->in_object[s->depth / 64] |= bit;
	else
		s->in_object[s->depth / 64] &= ~bit;
	s->depth++;
	if (s->info != NULL && s->info->depth < s->depth)
		s->info->depth = s->depth;
	s->p++;
	skip_space(s);
	return GAN_OK;
}

/* "key" : and up to the value. */
static int
check_key(struct scan *s)
{
	int rc;

	skip_space(s);
	if (s->p >= s->end || *s->p != '"')
		return fail_found(s, "a key in double quotes");
	rc = check_string(s);
	if (rc < 0)
		return rc;
	skip_space(s);
	if (s->p >= s->end || *s->p != ':')
		return fail_found(s, "':' after the key");
	s->p++;
	return GAN_OK;
}

/*
 * Behind a value: leave what ends here.  Returns 1 when another value must
 * follow, 0 when the root is complete.
 */
static int
after_value(struct scan *s)
{
	for (; s->depth > 0; s->depth--) {
		bool object = top_is_object(s);

		skip_space(s);
		if (s->p < s->end && *s->p == ',') {
			int rc;

			s->p++;
			rc = object ? check_key(s) : GAN_OK;
			return rc < 0 ? rc : 1;
		}
		if (s->p >= s->end || *s->p != (object ? '}' : ']'))
			return fail_found(s, object ? "',' or '}'" : "',' or ']'");
		s->p++;
	}
	return 0;
}

/* One value, or the opening of one.  Returns 1 when a value must follow it, 0 when it is whole. */
static int
check_value(struct scan *s)
{
	int rc;

	skip_space(s);
	if (s->p >= s->end)
		return fail_found(s, "a value");
	switch (*s->p) {
	case '{':
	case '[':
		rc = enter(s, *s->p == '{');
		if (rc < 0)
			return rc;
		/* Empty: after_value() finds the closing bracket. */
		if (s->p < s->end && *s->p == (top_is_object(s) ? '}' : ']'))
			return 0;
		rc = top_is_object(s) ? check_key(s) : GAN_OK;
		return rc < 0 ? rc : 1;
	case '"':
		return check_string(s);
	case 't':
		return check_word(s, "true");
	case 'f':
		return check_word(s, "false");
	case 'n':
		return check_word(s, "null");
	default:
		if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
			return check_number(s);
		return fail_found(s, "a value");
	}
}

int
gan_json_check(
    const char *text, size_t len, size_t max_depth, struct gan_json_info *info, struct gan_err *err)
{
	struct scan s = { .text = text, .p = text, .end = text + len, .err = err, .info = info };
	int rc;

	s.max_depth = max_depth < DEPTH_MAX ? max_depth : DEPTH_MAX;
	if (info != NULL)
		memset(info, 0, sizeof(*info));
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return fail(&s, GAN_EPARSE, text, "a byte order mark is not allowed");
	do {
		rc = check_value(&s);
		if (rc == 0)
			rc = after_value(&s);
	} while (rc > 0);
	if (rc < 0)
		return rc;
	skip_space(&s);
	return s.p == s.end ? GAN_OK : fail_found(&s, "the end of the text");
}
