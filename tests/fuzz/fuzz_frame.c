/* SPDX-License-Identifier: MIT */
/*
 * fuzz_frame.c - frames between pool and workers.  The first byte of each
 * piece of payload chooses how the reader goes on.
 */
#include "fuzz.h"
#include "mapping/frame.h"

static void
read_all(struct gan_frame_in *in, const uint8_t *choice, size_t n)
{
	for (size_t i = 0; i < n && !in->bad && in->left > 0; i++) {
		size_t before = in->left, len = 0;
		const char *s;

		switch (choice[i] % 3) {
		case 0:
			(void)gan_frame_u32(in);
			break;
		case 1:
			(void)gan_frame_i64(in);
			break;
		default:
			s = gan_frame_str(in, &len);
			gan_must(s == NULL || (len < before && s[len] == '\0'));
		}
		gan_must(in->left <= before);
	}
	if (in->bad)
		gan_must(gan_frame_u32(in) == 0 && gan_frame_str(in, NULL) == NULL);
}

static void
there_and_back(const char *s, size_t n)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	size_t at = gan_frame_begin(&b, GAN_FRAME_EVENT), len;
	struct gan_frame_in in;
	const char *text;
	int kind;

	gan_buf_i64(&b, -(int64_t)n);
	gan_frame_bytes(&b, s, n);
	gan_frame_text(&b, NULL);
	gan_frame_end(&b, at);
	for (size_t cut = 0; cut < b.len; cut += 1 + cut / 2)
		gan_must(gan_frame_next(b.data, cut, &kind, &in) == 0);
	gan_must(gan_frame_next(b.data, b.len, &kind, &in) == (long)b.len);
	gan_must(kind == GAN_FRAME_EVENT && gan_frame_i64(&in) == -(int64_t)n);
	text = gan_frame_str(&in, &len);
	gan_must(text != NULL && len == n && memcmp(text, s, n) == 0);
	gan_must(gan_frame_str(&in, NULL) == NULL && !in.bad && in.left == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes GAN_AUTO(gan_str_free) = fuzz_copy(data, size);
	size_t at = 0;

	while (at < size) {
		struct gan_frame_in in;
		int kind = 0;
		long n = gan_frame_next(bytes + at, size - at, &kind, &in);

		if (n <= 0)
			break;
		gan_must((size_t)n <= size - at && n >= GAN_FRAME_HEAD);
		gan_must(in.left == (size_t)n - GAN_FRAME_HEAD);
		read_all(&in, data, size);
		at += (size_t)n;
	}
	there_and_back(bytes, size);
	return 0;
}
