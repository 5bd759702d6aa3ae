/* SPDX-License-Identifier: MIT */
/* gs1.c - see gs1.h. */
#include "outbound/gs1.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

int
gan_gs1_check_digit(const char *digits, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (unsigned)(digits[n - 1 - i] - '0') * ((i & 1) != 0 ? 1u : 3u);
	return (int)((10u - sum % 10u) % 10u);
}

/* What GTIN and SSCC share: digits only, some digit is not 0, the last one fits. */
static int
check_digits(const char *what, const char *s, size_t n, struct gan_err *err)
{
	char shown[48];
	int want;

	if (strspn(s, "0123456789") != n)
		return gan_err_set(err, GAN_EINVAL, "%s \"%s\" is not made of digits only", what,
		    gan_printable(s, n, shown, sizeof(shown)));
	if (strspn(s, "0") == n)
		return gan_err_set(err, GAN_EINVAL, "%s \"%s\" is all zeros", what, s);
	want = gan_gs1_check_digit(s, n - 1);
	if (s[n - 1] - '0' != want)
		return gan_err_set(err, GAN_EINVAL, "%s \"%s\" has the check digit %c, expected %d",
		    what, s, s[n - 1], want);
	return GAN_OK;
}

int
gan_gs1_gtin(const char *s, struct gan_err *err)
{
	size_t n = strlen(s);
	char shown[48];

	if (n != 8 && n != 12 && n != 13 && n != 14)
		return gan_err_set(err, GAN_EINVAL,
		    "GTIN \"%s\" has %zu characters, a GTIN has 8, 12, 13 or 14 digits",
		    gan_printable(s, n, shown, sizeof(shown)), n);
	return check_digits("GTIN", s, n, err);
}

int
gan_gs1_sscc(const char *s, struct gan_err *err)
{
	size_t n = strlen(s);
	char shown[48];

	if (n != 18)
		return gan_err_set(err, GAN_EINVAL,
		    "SSCC \"%s\" has %zu characters, an SSCC has 18 digits (without the AI 00)",
		    gan_printable(s, n, shown, sizeof(shown)), n);
	return check_digits("SSCC", s, n, err);
}

#define LETTERS_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* 1 to 20 characters of a set, which words describe. */
static int
check_characters(
    const char *what, const char *s, const char *set, const char *words, struct gan_err *err)
{
	size_t n = strlen(s), good = strspn(s, set);
	char shown[64], bad[8];

	if (n == 0)
		return gan_err_set(err, GAN_EINVAL, "a %s is empty", what);
	if (good != n) {
		size_t wide = gan_utf8_next(s + good, n - good);

		gan_printable(s + good, wide > 0 ? wide : 1, bad, sizeof(bad));
		return gan_err_set(err, GAN_EINVAL,
		    "%s \"%s\" has the character \"%s\" at position %zu, which %s", what,
		    gan_printable(s, n, shown, sizeof(shown)), bad, good + 1, words);
	}
	if (n > 20)
		return gan_err_set(err, GAN_EINVAL,
		    "%s \"%s\" has %zu characters, at most 20 are allowed", what,
		    gan_printable(s, n, shown, sizeof(shown)), n);
	return GAN_OK;
}

static const char set82[] = LETTERS_DIGITS "!\"%&'()*+,-./:;<=>?_";

int
gan_gs1_serial(const char *s, struct gan_err *err)
{
	return check_characters("serial", s, set82,
	    "GS1 serials cannot hold (set 82: letters, digits and !\"%&'()*+,-./:;<=>?_)", err);
}

int
gan_gs1_lot(const char *s, struct gan_err *err)
{
	return check_characters("lot", s, set82,
	    "GS1 lots cannot hold (set 82: letters, digits and !\"%&'()*+,-./:;<=>?_)", err);
}

int
gan_gs1_serial_plain(const char *s, struct gan_err *err)
{
	return check_characters("serial", s, LETTERS_DIGITS,
	    "is neither letter nor digit (serials: alphanumeric in gantry.yaml)", err);
}

/* ---- element strings ------------------------------------------------------------- */

#define GS '\x1d'

/* YYMMDD; day 00 is the last of its month. */
static int
check_date(const char *s, struct gan_err *err)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int yy, mm, dd, most;

	if (strspn(s, "0123456789") != 6)
		return gan_err_set(err, GAN_EINVAL, "not a date: it is not made of digits");
	yy = (s[0] - '0') * 10 + s[1] - '0';
	mm = (s[2] - '0') * 10 + s[3] - '0';
	dd = (s[4] - '0') * 10 + s[5] - '0';
	if (mm < 1 || mm > 12)
		return gan_err_set(err, GAN_EINVAL, "not a date: there is no month %02d", mm);
	most = days[mm - 1] + (mm == 2 && yy % 4 == 0); /* 00 is 2000, which had one */
	if (dd > most)
		return gan_err_set(
		    err, GAN_EINVAL, "not a date: month %02d has no day %02d", mm, dd);
	return GAN_OK;
}

static const struct ai {
	char ai[3];
	unsigned length; /* 0: up to GS */
	int (*check)(const char *s, struct gan_err *err);
} ais[] = {
	{ "00", 18, gan_gs1_sscc },
	{ "01", 14, gan_gs1_gtin },
	{ "10", 0, gan_gs1_lot },
	{ "11", 6, check_date },
	{ "17", 6, check_date },
	{ "21", 0, gan_gs1_serial },
};

static const struct ai *
find_ai(const char *s)
{
	for (size_t i = 0; i < GAN_COUNT(ais); i++)
		if (strncmp(s, ais[i].ai, 2) == 0)
			return &ais[i];
	return NULL;
}

/* One element; *sp goes behind it and the GS that may end it. */
static int
check_element(const char **sp, unsigned *seen, struct gan_err *err)
{
	const struct ai *ai = find_ai(*sp);
	const char *s = *sp + 2;
	char value[32], shown[48];
	size_t n;
	int rc;

	if (ai == NULL)
		return gan_err_set(err, GAN_EINVAL,
		    "element string: \"%s\" begins with no AI of 00 01 10 11 17 21",
		    gan_printable(*sp, strlen(*sp), shown, sizeof(shown)));
	if ((*seen & 1u << (ai - ais)) != 0)
		return gan_err_set(err, GAN_EINVAL, "element string: AI %s occurs twice", ai->ai);
	*seen |= 1u << (ai - ais);
	n = strcspn(s, "\x1d");
	if (ai->length > n)
		return gan_err_set(err, GAN_EINVAL,
		    "element string: AI %s has less than %u characters", ai->ai, ai->length);
	if (ai->length > 0)
		n = ai->length;
	if (n >= sizeof(value))
		return gan_err_set(err, GAN_EINVAL,
		    "element string: AI %s has %zu characters, at most 20 are allowed", ai->ai, n);
	memcpy(value, s, n);
	value[n] = '\0';
	rc = ai->check(value, err);
	if (rc < 0)
		return gan_err_wrap(err, rc, "element string: AI %s", ai->ai);
	*sp = s + n + (s[n] == GS);
	return GAN_OK;
}

int
gan_gs1_elements(const char *s, struct gan_err *err)
{
	unsigned seen = 0;
	int rc = GAN_OK;

	if (strncmp(s, "]d2", 3) == 0 || strncmp(s, "]C1", 3) == 0 || strncmp(s, "]Q3", 3) == 0)
		s += 3;
	s += *s == GS;
	if (*s == '\0')
		return gan_err_set(err, GAN_EINVAL, "the element string is empty");
	while (rc == GAN_OK && *s != '\0')
		rc = check_element(&s, &seen, err);
	return rc;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int
gan_gs1_distinct(const char *const *codes, size_t n, struct gan_err *err)
{
	const char **sorted;
	const char *twice = NULL;
	char shown[64];

	if (n < 2)
		return GAN_OK;
	sorted = calloc(n, sizeof(*sorted));
	if (sorted == NULL)
		return gan_err_set(err, GAN_ENOMEM, "list of %zu codes", n);
	memcpy(sorted, codes, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_text);
	for (size_t i = 1; i < n && twice == NULL; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			twice = sorted[i];
	free(sorted);
	if (twice == NULL)
		return GAN_OK;
	return gan_err_set(err, GAN_EINVAL, "\"%s\" occurs twice in one request",
	    gan_printable(twice, strlen(twice), shown, sizeof(shown)));
}
