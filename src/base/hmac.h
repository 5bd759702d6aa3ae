/* SPDX-License-Identifier: MIT */
/*
 * hmac.h - keyed and plain digests, base64, comparison in constant time: the
 * only door to OpenSSL besides id.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum gan_digest {
	GAN_SHA1,
	GAN_SHA256,
};

#define GAN_DIGEST_MAX 32
#define GAN_SHA256_LEN 32
#define GAN_SHA1_LEN 20

size_t gan_digest_len(enum gan_digest alg);

struct gan_hmac_key; /* keyed once, used for many messages; one thread at a time */

/* An empty key is refused with GAN_EINVAL.  The key bytes are not kept. */
GAN_MUST_CHECK int gan_hmac_key_new(enum gan_digest alg, const void *key, size_t len,
    struct gan_hmac_key **ret_key, struct gan_err *err);
void gan_hmac_key_free(struct gan_hmac_key **keyp);

/* HMAC of one whole message; out holds gan_digest_len(alg) bytes. */
GAN_MUST_CHECK int gan_hmac(
    const struct gan_hmac_key *key, const void *msg, size_t len, unsigned char out[GAN_DIGEST_MAX]);

/* SHA-256 over the parts, in order; a part may be empty. */
struct gan_bytes {
	const void *p;
	size_t len;
};
GAN_MUST_CHECK int gan_sha256(
    const struct gan_bytes *parts, size_t nparts, unsigned char out[GAN_SHA256_LEN]);

/* Same bytes?  Takes the same time wherever they differ. */
bool gan_equal_secret(const void *a, const void *b, size_t len);

/*
 * Standard or URL alphabet, padded or not.  Returns the number of bytes, or
 * GAN_EPARSE when s is no base64 or the result would not fit.
 */
int gan_base64_decode(const char *s, size_t n, unsigned char *out, size_t outsz);

/* Standard alphabet with padding, NUL-terminated, to free(); NULL without memory. */
char *gan_base64_encode(const void *p, size_t n);
