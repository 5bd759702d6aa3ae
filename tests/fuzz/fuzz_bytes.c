/* SPDX-License-Identifier: MIT */
/* fuzz_bytes.c - base64, hex, UTF-8, globs and what is made of texts for people. */
#include "base/buf.h"
#include "base/hmac.h"
#include "base/str.h"
#include "fuzz.h"
#include "json/check.h"

static void
base64(const char *s, size_t n)
{
	size_t room = n / 4 * 3 + 3;
	unsigned char *raw = malloc(room), *back = malloc(room);
	char *text GAN_AUTO(gan_str_free) = gan_base64_encode(s, n);
	int len = gan_base64_decode(s, n, raw, room);

	gan_must(raw != NULL && back != NULL && text != NULL && len >= GAN_EPARSE);
	if (len >= 0) {
		char *again GAN_AUTO(gan_str_free) = gan_base64_encode(raw, (size_t)len);

		gan_must(gan_base64_decode(again, strlen(again), back, room) == len);
		gan_must(memcmp(raw, back, (size_t)len) == 0);
		gan_must(len == 0 || gan_base64_decode(s, n, back, (size_t)len - 1) == GAN_EPARSE);
	}
	back = realloc(back, n + 1);
	gan_must(back != NULL && gan_base64_decode(text, strlen(text), back, n) == (int)n);
	gan_must(memcmp(back, s, n) == 0);
	free(raw);
	free(back);
}

static void
hex(const char *s, size_t n)
{
	unsigned char *raw = malloc(n + 1);
	char *text = malloc(2 * n + 1);

	gan_must(raw != NULL && text != NULL);
	(void)gan_unhex(s, n, raw);
	gan_hex((const unsigned char *)s, n, text);
	gan_must(gan_unhex(text, 2 * n, raw) && memcmp(raw, s, n) == 0);
	free(raw);
	free(text);
}

static void
shown(const char *s, size_t n)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	char out[16];

	for (size_t room = 8; room <= sizeof(out); room++) {
		gan_printable(s, n, out, room);
		gan_must(strlen(out) < room && gan_utf8_valid(out, strlen(out)));
	}
	gan_buf_json(&b, s, n);
	gan_must(gan_json_check(b.data, b.len, 1, NULL, NULL) == GAN_OK);
}

/* A pattern and a text, one a line. */
static void
glob(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { (const char *)data, size };
	char *pattern GAN_AUTO(gan_str_free) = fuzz_line(&in);
	char *text GAN_AUTO(gan_str_free) = fuzz_line(&in);

	if (text == NULL)
		return;
	bool hit = gan_glob(pattern, text);

	if (strpbrk(pattern, "*?") == NULL)
		gan_must(hit == (strcmp(pattern, text) == 0));
	gan_must(gan_glob("*", text) && gan_distance(pattern, pattern) == 0);
	gan_must(gan_distance(pattern, text) == gan_distance(text, pattern));
	(void)gan_is_token(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s GAN_AUTO(gan_str_free) = fuzz_copy(data, size);

	base64(s, size);
	hex(s, size);
	shown(s, size);
	glob(data, size);
	return 0;
}
