/* SPDX-License-Identifier: MIT */
/* fuzz_gs1.c - codes and element strings of GS1, one a line; and whether any stands twice. */
#include <stdbool.h>

#include "fuzz.h"
#include "outbound/gs1.h"

enum { CODES_MAX = 32 };

/* One other last digit, and it is no code any more. */
static void
last_digit_counts(const char *code, int (*check)(const char *, struct gan_err *))
{
	char *other GAN_AUTO(gan_str_free) = fuzz_text(code, strlen(code));
	char *last = other + strlen(other) - 1;

	for (char c = '0'; c <= '9'; c++) {
		*last = c;
		gan_must((check(other, NULL) == GAN_OK) == (strcmp(other, code) == 0));
	}
}

/* A prefix changes nothing, what stands in it once more does; all six have 96 characters. */
static void
as_an_element_string(const char *s)
{
	char *more GAN_AUTO(gan_str_free) = gan_asprintf("]d2%s", s);
	char *twice GAN_AUTO(gan_str_free) = gan_asprintf("%s\x1d%s", s, s);

	gan_must(more != NULL && twice != NULL && strlen(s) <= 3 + 1 + 96 + 6);
	gan_must(s[0] == ']' || gan_gs1_elements(more, NULL) == GAN_OK);
	gan_must(gan_gs1_elements(twice, NULL) == GAN_EINVAL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { (const char *)data, size };
	char *codes[CODES_MAX], *line;
	struct gan_err err = { 0 };
	size_t n = 0;

	while (n < CODES_MAX && (line = fuzz_line(&in)) != NULL) {
		codes[n++] = line;
		if (gan_gs1_gtin(line, &err) == GAN_OK)
			last_digit_counts(line, gan_gs1_gtin);
		if (gan_gs1_sscc(line, &err) == GAN_OK)
			last_digit_counts(line, gan_gs1_sscc);
		if (gan_gs1_serial(line, &err) == GAN_OK)
			gan_must(strlen(line) >= 1 && strlen(line) <= 20);
		gan_must(gan_gs1_lot(line, NULL) == gan_gs1_serial(line, NULL));
		if (gan_gs1_serial_plain(line, &err) == GAN_OK)
			gan_must(gan_gs1_serial(line, NULL) == GAN_OK);
		if (gan_gs1_elements(line, &err) == GAN_OK)
			as_an_element_string(line);
	}
	bool twice = false;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			twice |= strcmp(codes[i], codes[k]) == 0;
	gan_must((gan_gs1_distinct((const char *const *)codes, n, &err) == GAN_EINVAL) == twice);
	for (size_t i = 0; i < n; i++)
		free(codes[i]);
	return 0;
}
