/* SPDX-License-Identifier: MIT */
/* id.c - see id.h. */
#include "base/id.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define EPOCH_MS INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define TIME_SHIFT 22
#define TIME_END (INT64_C(1) << 41)

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

int64_t
gan_id_floor(int64_t ms)
{
	if (ms <= EPOCH_MS)
		return 0;
	/* Beyond 2093 all times are the last one: "until 9999" is a fair question. */
	return (ms - EPOCH_MS < TIME_END ? ms - EPOCH_MS : TIME_END - 1) << TIME_SHIFT;
}

int64_t
gan_id_next(int64_t last, int64_t now_ms)
{
	int64_t id = gan_id_floor(now_ms) + 1;

	return id > last ? id : last + 1;
}

int64_t
gan_id_time_ms(int64_t id)
{
	return (id >> TIME_SHIFT) + EPOCH_MS;
}

char *
gan_id_format(enum gan_id_kind kind, int64_t id, char out[GAN_ID_LEN])
{
	uint64_t v = (uint64_t)id;

	out[0] = (char)kind;
	for (int i = GAN_ID_LEN - 2; i >= 1; i--) {
		out[i] = alphabet[v & 31];
		v >>= 5;
	}
	out[GAN_ID_LEN - 1] = '\0';
	return out;
}

bool
gan_id_parse(enum gan_id_kind kind, const char *s, int64_t *ret_id)
{
	uint64_t v = 0;

	if (s == NULL || s[0] != (char)kind || strlen(s) != GAN_ID_LEN - 1)
		return false;
	for (const char *p = s + 1; *p != '\0'; p++) {
		const char *at = strchr(alphabet, *p);

		if (at == NULL || v >> 58 != 0)
			return false;
		v = v << 5 | (uint64_t)(at - alphabet);
	}
	if (v == 0 || v > INT64_MAX)
		return false;
	*ret_id = (int64_t)v;
	return true;
}

void
gan_random(void *out, size_t n)
{
	gan_must(n <= 4096 && RAND_bytes(out, (int)n) == 1);
}

uint32_t
gan_random_below(uint32_t n)
{
	uint64_t v;

	gan_must(n > 0);
	gan_random(&v, sizeof(v));
	return (uint32_t)(v % n);
}

int
gan_uuid5(const char *name, size_t n, char out[37])
{
	static const unsigned char url_namespace[16] = { 0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11,
		0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
	unsigned char d[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned int len = 0;
	char hex[33];
	int ok;

	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, url_namespace, sizeof(url_namespace)) == 1 &&
	     EVP_DigestUpdate(ctx, name, n) == 1 && EVP_DigestFinal_ex(ctx, d, &len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return GAN_ENOMEM;
	d[6] = (unsigned char)((d[6] & 0x0f) | 0x50);
	d[8] = (unsigned char)((d[8] & 0x3f) | 0x80);
	gan_hex(d, 16, hex);
	(void)snprintf(
	    out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return GAN_OK;
}
