/* SPDX-License-Identifier: MIT */
/* buf.c - see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void
gan_buf_fini(struct gan_buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

void
gan_buf_clear(struct gan_buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

static bool
buf_reserve(struct gan_buf *b, size_t n)
{
	size_t cap = b->cap == 0 ? 128 : b->cap;
	char *data;

	if (b->failed)
		return false;
	if (n > SIZE_MAX / 2 - b->len - 1 || (b->max != 0 && b->len + n > b->max)) {
		b->failed = true;
		return false;
	}
	if (b->cap >= b->len + n + 1)
		return true;
	while (cap < b->len + n + 1)
		cap *= 2;
	data = realloc(b->data, cap);
	if (data == NULL) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void
gan_buf_put(struct gan_buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n))
		return;
	if (n > 0)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
gan_buf_puts(struct gan_buf *b, const char *s)
{
	gan_buf_put(b, s, strlen(s));
}

void
gan_buf_putc(struct gan_buf *b, char c)
{
	gan_buf_put(b, &c, 1);
}

void
gan_buf_printf(struct gan_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
	} else if (buf_reserve(b, (size_t)n)) {
		(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

static void
json_char(struct gan_buf *b, unsigned char c)
{
	static const char shorts[] = "\b\t\n\f\r\"\\";
	static const char letters[] = "btnfr\"\\";
	const char *at = c == '\0' ? NULL : strchr(shorts, c);

	if (at != NULL) {
		gan_buf_putc(b, '\\');
		gan_buf_putc(b, letters[at - shorts]);
	} else if (c < 0x20 || c == 0x7f) {
		gan_buf_printf(b, "\\u%04x", c);
	} else {
		gan_buf_putc(b, (char)c);
	}
}

void
gan_buf_json(struct gan_buf *b, const char *s, size_t n)
{
	size_t i = 0;

	gan_buf_putc(b, '"');
	while (i < n) {
		size_t plain = gan_plain_run(s + i, n - i);

		gan_buf_put(b, s + i, plain);
		i += plain;
		if (i >= n)
			break;
		if ((unsigned char)s[i] < 0x80) {
			json_char(b, (unsigned char)s[i++]);
			continue;
		}
		size_t step = gan_utf8_next(s + i, n - i);

		if (step == 0) {
			gan_buf_puts(b, "\xef\xbf\xbd");
			i++;
		} else {
			gan_buf_put(b, s + i, step);
			i += step;
		}
	}
	gan_buf_putc(b, '"');
}

void
gan_buf_u32(struct gan_buf *b, uint32_t v)
{
	unsigned char raw[4];

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (unsigned char)(v >> (8 * i));
	gan_buf_put(b, raw, sizeof(raw));
}

void
gan_buf_i64(struct gan_buf *b, int64_t v)
{
	gan_buf_u32(b, (uint32_t)((uint64_t)v & 0xffffffffu));
	gan_buf_u32(b, (uint32_t)((uint64_t)v >> 32));
}

void
gan_buf_shift(struct gan_buf *b, size_t n)
{
	gan_must(n <= b->len);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

char *
gan_buf_steal(struct gan_buf *b, size_t *ret_len)
{
	char *data;

	gan_buf_put(b, "", 0);
	if (b->failed) {
		gan_buf_fini(b);
		return NULL;
	}
	data = b->data;
	if (ret_len != NULL)
		*ret_len = b->len;
	memset(b, 0, sizeof(*b));
	return data;
}
