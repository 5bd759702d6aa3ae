/* SPDX-License-Identifier: MIT */
/* hmac.c - see hmac.h. */
#include "base/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct gan_hmac_key {
	EVP_MAC_CTX *ctx; /* keyed; duplicated for each message */
	enum gan_digest alg;
};

size_t
gan_digest_len(enum gan_digest alg)
{
	return alg == GAN_SHA1 ? GAN_SHA1_LEN : GAN_SHA256_LEN;
}

void
gan_hmac_key_free(struct gan_hmac_key **keyp)
{
	struct gan_hmac_key *key = gan_steal(keyp);

	if (key == NULL)
		return;
	EVP_MAC_CTX_free(key->ctx);
	free(key);
}

int
gan_hmac_key_new(enum gan_digest alg, const void *bytes, size_t len, struct gan_hmac_key **ret_key,
    struct gan_err *err)
{
	struct gan_hmac_key *key GAN_AUTO(gan_hmac_key_free) = NULL;
	char name[8];
	EVP_MAC *mac;
	OSSL_PARAM params[2];

	if (len == 0)
		return gan_err_set(err, GAN_EINVAL, "an empty key would accept any signature");
	key = calloc(1, sizeof(*key));
	if (key == NULL)
		return gan_err_set(err, GAN_ENOMEM, "hmac key");
	key->alg = alg;
	memcpy(name, alg == GAN_SHA1 ? "SHA1\0\0" : "SHA256", 7);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
	params[1] = OSSL_PARAM_construct_end();
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	key->ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (key->ctx == NULL || EVP_MAC_init(key->ctx, bytes, len, params) != 1)
		return gan_err_set(err, GAN_ENOMEM, "hmac key");
	*ret_key = gan_steal(&key);
	return GAN_OK;
}

int
gan_hmac(
    const struct gan_hmac_key *key, const void *msg, size_t len, unsigned char out[GAN_DIGEST_MAX])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->ctx);
	size_t n = 0;
	int ok;

	ok = ctx != NULL && EVP_MAC_update(ctx, msg, len) == 1 &&
	     EVP_MAC_final(ctx, out, &n, GAN_DIGEST_MAX) == 1 && n == gan_digest_len(key->alg);
	EVP_MAC_CTX_free(ctx);
	return ok ? GAN_OK : GAN_ENOMEM;
}

static EVP_MD *fetched_sha256;

static void
fetch_sha256(void)
{
	fetched_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* Looked up once for the process: a look-up costs as much as hashing a hundred bytes. */
static EVP_MD *
sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, fetch_sha256);
	return fetched_sha256;
}

int
gan_sha256(const struct gan_bytes *parts, size_t nparts, unsigned char out[GAN_SHA256_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned int n = 0;
	int ok;

	ok = ctx != NULL && sha256() != NULL && EVP_DigestInit_ex2(ctx, sha256(), NULL) == 1;
	for (size_t i = 0; ok && i < nparts; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, &n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? GAN_OK : GAN_ENOMEM;
}

bool
gan_equal_secret(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/*
 * Not EVP_DecodeBlock: it knows one alphabet, wants padding and counts it as
 * bytes (pitfalls.md section 9); what signatures need is strictness.
 */
int
gan_base64_decode(const char *s, size_t n, unsigned char *out, size_t outsz)
{
	unsigned int acc = 0, bits = 0;
	size_t o = 0, pad = 0;

	while (n > 0 && s[n - 1] == '=' && pad < 2) {
		n--;
		pad++;
	}
	if (n % 4 == 1 || (pad > 0 && (n + pad) % 4 != 0))
		return GAN_EPARSE;
	for (size_t i = 0; i < n; i++) {
		int v = base64_value(s[i]);

		if (v < 0)
			return GAN_EPARSE;
		acc = (acc << 6 | (unsigned int)v) & 0xffffffu;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (o == outsz)
			return GAN_EPARSE;
		out[o++] = (unsigned char)(acc >> bits);
	}
	if ((acc & ((1u << bits) - 1)) != 0)
		return GAN_EPARSE; /* left-over bits: two texts would mean the same bytes */
	return (int)o;
}

char *
gan_base64_encode(const void *p, size_t n)
{
	char *out;

	if (n > (size_t)1 << 28)
		return NULL;
	out = malloc((n + 2) / 3 * 4 + 1);
	if (out != NULL)
		(void)EVP_EncodeBlock((unsigned char *)out, p, (int)n);
	return out;
}
