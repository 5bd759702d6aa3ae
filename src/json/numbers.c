/* SPDX-License-Identifier: MIT */
/* numbers.c - see numbers.h; and the copy that puts the others into quotes. */
#include "json/numbers.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/check.h"

/*
 * A decimal of up to 15 significant digits always comes back from a double
 * (no two of them share one) while the exponent stays well inside the normal
 * range; more than 17 digits never do, since no shortest form is longer.
 */
enum {
	ALWAYS_KEPT = 15,
	NEVER_KEPT = 18,
	SAFE_EXPONENT = 290,
	EXPONENT_MAX = 100000, /* far beyond any double; stops overflow */
};

/* value = 0.d1d2d3… * 10^point, without leading or trailing zeros; n 0: zero. */
struct decimal {
	char digits[NEVER_KEPT];
	size_t n; /* may exceed the digits kept */
	long point;
};

static void
decimal_digit(struct decimal *d, char c, size_t *zeros)
{
	if (c == '0') {
		if (d->n > 0)
			(*zeros)++;
		return;
	}
	/* Zeros count only once something other than a zero follows them. */
	for (; *zeros > 0; (*zeros)--, d->n++)
		if (d->n < sizeof(d->digits))
			d->digits[d->n] = '0';
	if (d->n < sizeof(d->digits))
		d->digits[d->n] = c;
	d->n++;
}

static long
exponent(const char *s, const char *end)
{
	bool negative = false;
	long e = 0;

	if (s < end && (*s == '+' || *s == '-'))
		negative = *s++ == '-';
	for (; s < end && *s >= '0' && *s <= '9'; s++)
		if (e < EXPONENT_MAX * 10L)
			e = e * 10 + (*s - '0');
	return negative ? -e : e;
}

static void
decimal_parse(const char *s, size_t n, struct decimal *d)
{
	const char *end = s + n;
	bool fraction = false;
	size_t zeros = 0;
	long whole = 0, lead = 0;

	d->n = 0;
	if (s < end && *s == '-')
		s++;
	for (; s < end && *s != 'e' && *s != 'E'; s++) {
		if (*s == '.') {
			fraction = true;
			continue;
		}
		decimal_digit(d, *s, &zeros);
		if (d->n == 0 && fraction)
			lead++;
		if (d->n > 0 && !fraction)
			whole++;
	}
	d->point = whole - lead + (s < end ? exponent(s + 1, end) : 0);
}

/* The digits and the exponent of v printed with p significant digits. */
static bool
same_at(const struct decimal *d, double v, int p, bool *ret_reads_back)
{
	char text[40], digits[24];
	struct decimal back;
	size_t n = 0;
	char *e;

	(void)snprintf(text, sizeof(text), "%.*e", p - 1, v);
	e = strchr(text, 'e');
	if (e == NULL)
		return false;
	/* The decimal point is the locale's: take digits only. */
	for (const char *c = text; c < e; c++)
		if (*c >= '0' && *c <= '9')
			digits[n++] = *c;
	(void)snprintf(digits + n, sizeof(digits) - n, "e%ld", strtol(e + 1, NULL, 10) - (p - 1));
	*ret_reads_back = strtod(digits, NULL) == v;
	decimal_parse(digits, strlen(digits), &back);
	return back.n == d->n && back.point == d->point &&
	       memcmp(back.digits, d->digits, d->n) == 0;
}

static bool
survives(const struct decimal *d)
{
	char text[48];
	bool reads_back = false;
	double v;

	(void)snprintf(text, sizeof(text), "%.*se%ld", (int)d->n, d->digits, d->point - (long)d->n);
	v = strtod(text, NULL);
	for (int p = 1; p <= 17; p++) {
		bool same = same_at(d, v, p, &reads_back);

		if (reads_back)
			return same;
	}
	return false;
}

bool
gan_json_number_exact(const char *s, size_t n)
{
	struct decimal d;

	/* Up to 15 characters without an exponent: the usual case, decided at once. */
	if (n <= ALWAYS_KEPT && memchr(s, 'e', n) == NULL && memchr(s, 'E', n) == NULL)
		return true;
	decimal_parse(s, n, &d);
	if (d.n == 0)
		return true;
	if (d.n >= NEVER_KEPT)
		return false;
	if (d.point > EXPONENT_MAX || d.point < -EXPONENT_MAX)
		return false;
	if (d.n <= ALWAYS_KEPT && d.point > -SAFE_EXPONENT && d.point < SAFE_EXPONENT)
		return true;
	return survives(&d);
}

int
gan_json_quote_inexact(const char *text, size_t len, struct gan_buf *out)
{
	const char *p = text, *end = text + len, *from = text;

	while (p < end) {
		const char *start = p;

		if (*p == '"') {
			for (p++; p < end && *p != '"'; p++)
				if (*p == '\\')
					p++;
			p++;
			continue;
		}
		if (*p != '-' && (*p < '0' || *p > '9')) {
			p++;
			continue;
		}
		while (p < end && (strchr("+-.eE", *p) != NULL || (*p >= '0' && *p <= '9')) &&
		       *p != '\0')
			p++;
		if (gan_json_number_exact(start, (size_t)(p - start)))
			continue;
		gan_buf_put(out, from, (size_t)(start - from));
		gan_buf_putc(out, '"');
		gan_buf_put(out, start, (size_t)(p - start));
		gan_buf_putc(out, '"');
		from = p;
	}
	gan_buf_put(out, from, (size_t)(end - from));
	return out->failed ? GAN_ENOMEM : GAN_OK;
}
