/* SPDX-License-Identifier: MIT */
/* span.c - see span.h. */
#include "json/span.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char *
skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* Behind the closing quote of the string that begins at p. */
static const char *
skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\')
			p++;
	}
	return p < end ? p + 1 : end;
}

static const char *
skip_value(const char *p, const char *end)
{
	unsigned depth = 0;

	do {
		if (p >= end)
			return end;
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[') {
			depth++;
			p++;
		} else if (*p == '}' || *p == ']') {
			depth--;
			p++;
		} else if (depth > 0) {
			p++;
		} else {
			while (p < end && strchr(",]} \t\r\n", *p) == NULL)
				p++;
		}
	} while (depth > 0);
	return p;
}

struct gan_span
gan_span_of(const char *text, size_t len)
{
	const char *p = skip_blank(text, text + len);

	return (struct gan_span){ p, (size_t)(skip_value(p, text + len) - p) };
}

char
gan_span_kind(struct gan_span s)
{
	if (s.n == 0)
		return 0;
	return strchr("{[\"tfn", *s.p) != NULL ? *s.p : '0';
}

bool
gan_span_next(struct gan_span container, struct gan_span_iter *it, struct gan_span *ret_name,
    struct gan_span *ret_value)
{
	const char *end = container.p + container.n, *p = it->at, *from;
	char kind = gan_span_kind(container);

	if (kind != '{' && kind != '[')
		return false;
	p = skip_blank(p == NULL ? container.p + 1 : p, end);
	if (p < end && *p == ',')
		p = skip_blank(p + 1, end);
	if (p >= end || *p == '}' || *p == ']')
		return false;
	if (ret_name != NULL)
		*ret_name = (struct gan_span){ p, 0 };
	if (kind == '{') {
		from = p;
		p = skip_string(p, end);
		if (ret_name != NULL)
			*ret_name = (struct gan_span){ from, (size_t)(p - from) };
		p = skip_blank(p, end);
		p = skip_blank(p < end ? p + 1 : p, end); /* the colon */
	}
	from = p;
	p = skip_value(p, end);
	*ret_value = (struct gan_span){ from, (size_t)(p - from) };
	it->at = p;
	return ret_value->n > 0;
}

size_t
gan_span_count(struct gan_span container)
{
	struct gan_span_iter it = { 0 };
	struct gan_span v;
	size_t n = 0;

	while (gan_span_next(container, &it, NULL, &v))
		n++;
	return n;
}

static struct gan_span
get_n(struct gan_span object, const char *name, size_t len)
{
	struct gan_span_iter it = { 0 };
	struct gan_span key, value;

	if (gan_span_kind(object) != '{')
		return (struct gan_span){ NULL, 0 };
	while (gan_span_next(object, &it, &key, &value)) {
		if (key.n == len + 2 && memcmp(key.p + 1, name, len) == 0)
			return value;
	}
	return (struct gan_span){ NULL, 0 };
}

struct gan_span
gan_span_get(struct gan_span object, const char *name)
{
	return get_n(object, name, strlen(name));
}

struct gan_span
gan_span_path(struct gan_span object, const char *path)
{
	size_t n = strcspn(path, ".");

	object = get_n(object, path, n);
	return path[n] == '.' ? gan_span_path(object, path + n + 1) : object;
}

static unsigned
hex4(const char *p)
{
	unsigned char b[2] = { 0, 0 };

	(void)gan_unhex(p, 4, b);
	return (unsigned)b[0] << 8 | b[1];
}

static void
put_utf8(struct gan_buf *out, unsigned c)
{
	if (c < 0x80) {
		gan_buf_putc(out, (char)c);
	} else if (c < 0x800) {
		gan_buf_putc(out, (char)(0xc0 | c >> 6));
		gan_buf_putc(out, (char)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		gan_buf_putc(out, (char)(0xe0 | c >> 12));
		gan_buf_putc(out, (char)(0x80 | (c >> 6 & 63)));
		gan_buf_putc(out, (char)(0x80 | (c & 63)));
	} else {
		gan_buf_putc(out, (char)(0xf0 | c >> 18));
		gan_buf_putc(out, (char)(0x80 | (c >> 12 & 63)));
		gan_buf_putc(out, (char)(0x80 | (c >> 6 & 63)));
		gan_buf_putc(out, (char)(0x80 | (c & 63)));
	}
}

/* The escape at p, which is behind the backslash; returns how many bytes it has. */
static size_t
put_escape(struct gan_buf *out, const char *p, const char *end)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = strchr(from, *p);
	unsigned c, low;

	if (*p != 'u') {
		gan_buf_putc(out, at != NULL ? to[at - from] : *p);
		return 1;
	}
	if (end - p < 5)
		return (size_t)(end - p);
	c = hex4(p + 1);
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 11 && p[5] == '\\' && p[6] == 'u') {
		low = hex4(p + 7);
		if (low >= 0xdc00 && low < 0xe000) {
			put_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
			return 11;
		}
	}
	/* Half a pair, or a NUL that would end the text. */
	put_utf8(out, (c >= 0xd800 && c < 0xe000) || c == 0 ? 0xfffd : c);
	return 5;
}

void
gan_span_text(struct gan_span s, struct gan_buf *out)
{
	const char *end = s.p + s.n - 1;

	if (s.n == 0 || *s.p == 'n')
		return;
	if (*s.p != '"') {
		gan_buf_put(out, s.p, s.n);
		return;
	}
	for (const char *p = s.p + 1; p < end;) {
		if (*p != '\\')
			gan_buf_putc(out, *p++);
		else
			p += 1 + put_escape(out, p + 1, end);
	}
}

char *
gan_span_dup(struct gan_span s)
{
	struct gan_buf b = { 0 };

	if (s.n == 0 || *s.p == 'n')
		return NULL;
	gan_buf_puts(&b, "");
	gan_span_text(s, &b);
	return gan_buf_steal(&b, NULL);
}

bool
gan_span_is(struct gan_span s, const char *text)
{
	char *own = gan_span_kind(s) == '"' ? gan_span_dup(s) : NULL;
	bool same = own != NULL && strcmp(own, text) == 0;

	free(own);
	return same;
}

int64_t
gan_span_int(struct gan_span s, int64_t otherwise)
{
	char text[32];

	if (gan_span_kind(s) != '0' || s.n >= sizeof(text))
		return otherwise;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return strtoll(text, NULL, 10);
}

static void
new_line(struct gan_buf *out, unsigned blanks)
{
	gan_buf_putc(out, '\n');
	while (blanks-- > 0)
		gan_buf_putc(out, ' ');
}

void
gan_span_pretty(struct gan_span s, unsigned base, struct gan_buf *out)
{
	char kind = gan_span_kind(s);
	struct gan_span_iter it = { 0 };
	struct gan_span name, value;
	bool first = true;

	if ((kind != '{' && kind != '[') || gan_span_count(s) == 0) {
		gan_buf_put(out, s.p, s.n);
		return;
	}
	gan_buf_putc(out, kind);
	while (gan_span_next(s, &it, &name, &value)) {
		if (!first)
			gan_buf_putc(out, ',');
		first = false;
		new_line(out, base + 2);
		if (name.n > 0) {
			gan_buf_put(out, name.p, name.n);
			gan_buf_puts(out, ": ");
		}
		gan_span_pretty(value, base + 2, out);
	}
	new_line(out, base);
	gan_buf_putc(out, kind == '{' ? '}' : ']');
}
