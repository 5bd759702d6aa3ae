/* SPDX-License-Identifier: MIT */
/* fuzz_params.c - what stands behind the '?' of a target. */
#include "base/str.h"
#include "fuzz.h"
#include "inbound/params.h"

static void
escape(const char *s, char *out)
{
	for (; *s != '\0'; s++, out += 3) {
		out[0] = '%';
		gan_hex((const unsigned char *)s, 1, out + 1);
	}
	*out = '\0';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *query GAN_AUTO(gan_str_free) = fuzz_text(data, size);
	char a[12], b[64], back[sizeof(a) + sizeof(b) * 3 + 16];
	struct gan_param want[] = { { "a", a, sizeof(a), false }, { "key", b, sizeof(b), false } };
	struct gan_err err = { 0 };
	int64_t n = 0;

	gan_must(!gan_param_number(query, 5, 20, &n) || (n >= 5 && n <= 20));
	if (gan_params_read(query, want, GAN_COUNT(want), &err) < 0) {
		gan_must(err.msg[0] != '\0');
		return 0;
	}
	gan_must(gan_utf8_valid(a, strlen(a)) && gan_utf8_valid(b, strlen(b)));
	if (!want[1].given)
		return 0;
	/* What was read, written with every byte escaped, reads the same. */
	char old[sizeof(b)];

	memcpy(old, b, sizeof(old));
	memcpy(back, "key=", 4);
	escape(b, back + 4);
	gan_must(gan_params_read(back, want, GAN_COUNT(want), &err) == GAN_OK);
	gan_must(strcmp(old, b) == 0 && !want[0].given);
	return 0;
}
