/* SPDX-License-Identifier: MIT */
/*
 * fuzz_spool.c - records of the emergency spool, one after the other as they
 * lie in the file.  The checksum stops nearly all that is made up, so the input is
 * also made into a record whose checksum is right and whose inside is not.
 */
#include "base/crc.h"
#include "fuzz.h"
#include "store/spool.h"

#define FILE_NUMBER UINT64_C(0x0807060504030201)

static void
inside(const char *bytes, size_t n, const void *p, size_t len)
{
	gan_must((const char *)p > bytes && (const char *)p + len < bytes + n);
	gan_must(((const char *)p)[len] == '\0');
}

static void
check(const char *bytes, size_t n, const struct gan_spool_record *rec)
{
	const char *const texts[] = { rec->in.source, rec->in.topic, rec->in.topic_raw,
		rec->in.meta, rec->in.reject };

	gan_must(rec->number > 0 && rec->in.source != NULL && rec->in.topic != NULL);
	gan_must((unsigned)rec->in.dedupe <= GAN_DEDUPE_IDEMPOTENCY);
	for (size_t i = 0; i < GAN_COUNT(texts); i++) {
		if (texts[i] != NULL)
			inside(bytes, n, texts[i], strlen(texts[i]));
	}
	inside(bytes, n, rec->in.body, rec->in.body_len);
}

static void
read_all(const char *bytes, size_t size)
{
	struct gan_spool_record rec;
	size_t at = 0;

	while (at < size) {
		int n = gan_spool_decode(bytes + at, size - at, FILE_NUMBER, &rec);

		if (n <= 0)
			break;
		gan_must((size_t)n <= size - at && n % 8 == 0 && n >= GAN_SPOOL_FRONT);
		check(bytes + at, (size_t)n, &rec);
		at += (size_t)n;
	}
}

static void
put_le(char *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(v >> (8 * i));
}

static void
with_a_good_checksum(const uint8_t *data, size_t size)
{
	size_t n = size / 8 * 8;
	char *bytes;

	if (n < GAN_SPOOL_FRONT + 4)
		return;
	bytes = fuzz_copy(data, n);
	put_le(bytes, n, 4);
	put_le(bytes + 8, FILE_NUMBER, 8);
	put_le(bytes + 4, gan_crc32c(gan_crc32c(0, bytes, 4), bytes + 8, n - 8), 4);
	read_all(bytes, n);
	free(bytes);
}

static void
there_and_back(const uint8_t *data, size_t size)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	char *body = fuzz_text(data, size), *text = fuzz_text(data, size < 40 ? size : 40);
	struct gan_spool_record rec = { .number = 1 + size }, back;
	int n;

	rec.in = (struct gan_ingest){ .source = "s",
		.topic = text,
		.meta = size % 2 == 0 ? text : NULL,
		.body = body,
		.body_len = size,
		.received_ms = (int64_t)size };
	gan_spool_encode(&b, FILE_NUMBER, &rec);
	n = gan_spool_decode(b.data, b.len, FILE_NUMBER, &back);
	gan_must(!b.failed && n > 0 && (size_t)n == b.len && back.number == rec.number);
	gan_must(strcmp(back.in.topic, text) == 0 && back.in.topic_raw == NULL);
	gan_must((back.in.meta == NULL) == (rec.in.meta == NULL));
	gan_must(back.in.body_len == size && memcmp(back.in.body, body, size) == 0);
	gan_must(gan_spool_decode(b.data, b.len, FILE_NUMBER + 1, &back) == GAN_EPARSE);
	for (size_t cut = 4; cut < b.len; cut += 1 + cut / 2)
		gan_must(gan_spool_decode(b.data, cut, FILE_NUMBER, &back) == GAN_EPARSE);
	free(body);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0) {
		char *bytes = fuzz_copy(data, size);

		read_all(bytes, size);
		free(bytes);
	}
	with_a_good_checksum(data, size);
	there_and_back(data, size);
	return 0;
}
