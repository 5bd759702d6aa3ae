/* SPDX-License-Identifier: MIT */
/* str.c - see str.h. */
#include "base/str.h"

#include <string.h>

#include "base/mem.h"

bool
gan_streq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool
gan_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

size_t
gan_distance(const char *a, const char *b)
{
	enum { MAX = 64 };
	size_t n = strnlen(a, MAX), m = strnlen(b, MAX);
	size_t row[MAX + 1];

	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t cost = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			row[j] = cost;
		}
	}
	return row[m];
}

/* Are the 8 bytes at p plain?  The bytes of v are looked at side by side. */
static bool
eight_plain(const char *p)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	uint64_t v, quote, slash, del;

	memcpy(&v, p, sizeof(v));
	quote = v ^ (ones * '"');
	slash = v ^ (ones * '\\');
	del = v ^ (ones * 0x7f);
	/* A high bit set in any of the five: not ASCII, a control, a quote, a backslash, DEL. */
	return ((v | ((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) |
		    ((slash - ones) & ~slash) | ((del - ones) & ~del)) &
		   high) == 0;
}

size_t
gan_plain_run(const char *s, size_t n)
{
	size_t i = 0;

	while (n - i >= 8 && eight_plain(s + i))
		i += 8;
	while (i < n && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

size_t
gan_utf8_next(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len;
	uint32_t cp;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
		cp = p[0] & 0x1fu;
	} else if ((p[0] & 0xf0) == 0xe0) {
		len = 3;
		cp = p[0] & 0x0fu;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		cp = p[0] & 0x07u;
	} else {
		return 0;
	}
	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3fu);
	}
	if ((len == 3 && cp < 0x800) || (len == 4 && (cp < 0x10000 || cp > 0x10ffff)))
		return 0;
	return cp >= 0xd800 && cp <= 0xdfff ? 0 : len;
}

bool
gan_utf8_valid(const char *s, size_t n)
{
	while (n > 0) {
		size_t step = gan_utf8_next(s, n);

		if (step == 0)
			return false;
		s += step;
		n -= step;
	}
	return true;
}

unsigned
gan_steering(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned cp = n > 0 ? p[0] : 'x';

	if (n == 2)
		cp = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	else if (n == 3)
		cp = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	else if (n > 3)
		return 0;
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x200e || cp == 0x200f ||
	    (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069))
		return cp + 1;
	return 0;
}

bool
gan_is_token(const char *s)
{
	/* Each index once; what is not named is false. */
	static const bool allowed[256] = { ['!'] = true,
		['#' ... '\''] = true,
		['*'] = true,
		['+'] = true,
		['-'] = true,
		['.'] = true,
		['0' ... '9'] = true,
		['A' ... 'Z'] = true,
		['^'] = true,
		['_'] = true,
		['`'] = true,
		['a' ... 'z'] = true,
		['|'] = true,
		['~'] = true };
	const char *p = s;

	while (allowed[(unsigned char)*p])
		p++;
	return p > s && *p == '\0';
}

void
gan_hex(const unsigned char *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
gan_unhex(const char *s, size_t digits, unsigned char *out)
{
	for (size_t i = 0; i + 1 < digits; i += 2) {
		int hi = hex_digit(s[i]), lo = hex_digit(s[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i / 2] = (unsigned char)(hi << 4 | lo);
	}
	return digits % 2 == 0;
}

char *
gan_printable(const char *s, size_t n, char *out, size_t outsz)
{
	size_t o = 0;

	gan_must(outsz >= 8);
	for (size_t i = 0; i < n;) {
		size_t step = gan_plain_run(s + i, n - i), room = outsz - o - 4;
		bool plain = step > 0;

		if (!plain) {
			step = gan_utf8_next(s + i, n - i);
			plain = step > 0 && gan_steering(s + i, step) == 0;
		} else if (step > room) {
			step = room > 0 ? room : 1; /* the next turn says that there is more */
		}
		if (step == 0)
			step = 1;
		if (o + step + 4 > outsz) {
			memcpy(out + o, "...", 4);
			return out;
		}
		if (plain)
			memcpy(out + o, s + i, step);
		else
			out[o] = '?';
		o += plain ? step : 1;
		i += step;
	}
	out[o] = '\0';
	return out;
}
