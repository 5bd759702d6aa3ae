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

int
gan_gs1_serial(const char *s, struct gan_err *err)
{
	static const char set82[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789!\"%&'()*+,-./:;<=>?_";
	size_t n = strlen(s), good = strspn(s, set82);
	char shown[64], bad[8];

	if (n == 0)
		return gan_err_set(err, GAN_EINVAL, "a serial is empty");
	if (good != n) {
		size_t wide = gan_utf8_next(s + good, n - good);

		gan_printable(s + good, wide > 0 ? wide : 1, bad, sizeof(bad));
		return gan_err_set(err, GAN_EINVAL,
		    "serial \"%s\" has the character \"%s\" at position %zu, which GS1 serials "
		    "cannot hold (set 82: letters, digits and !\"%%&'()*+,-./:;<=>?_)",
		    gan_printable(s, n, shown, sizeof(shown)), bad, good + 1);
	}
	if (n > 20)
		return gan_err_set(err, GAN_EINVAL,
		    "serial \"%s\" has %zu characters, at most 20 are allowed",
		    gan_printable(s, n, shown, sizeof(shown)), n);
	return GAN_OK;
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
