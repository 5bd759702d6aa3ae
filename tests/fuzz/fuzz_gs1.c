/* SPDX-License-Identifier: MIT */
/* fuzz_gs1.c - GTIN, SSCC and serials, one a line; and whether any stands twice. */
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
