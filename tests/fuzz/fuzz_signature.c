/* SPDX-License-Identifier: MIT */
/*
 * fuzz_signature.c - header lines, an empty line, the body.  No input may pass
 * by itself; with the right digest in any form it must, and with one bit of it
 * turned it must not.
 */
#include <stdio.h>

#include "base/str.h"
#include "fuzz.h"
#include "inbound/signature.h"

#define KEY1 "the first secret of this source"
#define KEY2 "the second secret of this source"

enum { HEADERS_MAX = 8 };

static struct gan_signer *signers[3]; /* auto; pinned; auto with a header of its own */
static struct gan_hmac_key *keys[2];

static void
open_all(void)
{
	static char name[] = "hook", one[] = KEY1, two[] = KEY2, own[] = "x-sig";
	struct gan_conf_source source = { .name = name,
		.secrets = { { name, one, strlen(one) }, { name, two, strlen(two) } },
		.nsecrets = 2 };

	gan_must(gan_signer_new(&source, &signers[0], NULL) == GAN_OK);
	source.signature = (struct gan_conf_signature){ true, NULL, GAN_SHA256, GAN_SIG_BASE64 };
	gan_must(gan_signer_new(&source, &signers[1], NULL) == GAN_OK);
	source.signature = (struct gan_conf_signature){ .header = own };
	gan_must(gan_signer_new(&source, &signers[2], NULL) == GAN_OK);
	gan_must(gan_hmac_key_new(GAN_SHA1, KEY2, strlen(KEY2), &keys[0], NULL) == GAN_OK);
	gan_must(gan_hmac_key_new(GAN_SHA256, KEY1, strlen(KEY1), &keys[1], NULL) == GAN_OK);
}

static char *
spell(const unsigned char *digest, size_t n, enum gan_sig_encoding encoding)
{
	char hex[2 * GAN_DIGEST_MAX + 1];

	gan_hex(digest, n, hex);
	if (encoding == GAN_SIG_HEX)
		return fuzz_text(hex, 2 * n);
	return encoding == GAN_SIG_BASE64 ? gan_base64_encode(digest, n)
					  : gan_base64_encode(hex, 2 * n);
}

static void
sign(const char *body, size_t len, enum gan_digest alg, enum gan_sig_encoding encoding)
{
	unsigned char digest[GAN_DIGEST_MAX];
	size_t n = gan_digest_len(alg);
	struct gan_signature sig;
	struct gan_err err;

	gan_must(gan_hmac(keys[alg == GAN_SHA1 ? 0 : 1], body, len, digest) == GAN_OK);
	for (int turned = 0; turned < 2; turned++) {
		digest[len % n] ^= (unsigned char)(turned << len % 8);
		char *value GAN_AUTO(gan_str_free) = spell(digest, n, encoding);
		struct gan_header h = { "X-Prodsmart-Hmac-SHA256", value };
		bool fits = alg == GAN_SHA256 && encoding == GAN_SIG_BASE64;

		gan_must((gan_signature_verify(signers[0], &h, 1, body, len, &sig, &err) ==
			     GAN_OK) == (turned == 0));
		gan_must(turned == 1 || (sig.algorithm == alg && sig.encoding == encoding));
		gan_must(turned == 1 || sig.secret == (alg == GAN_SHA1 ? 2u : 1u));
		gan_must((gan_signature_verify(signers[1], &h, 1, body, len, &sig, &err) ==
			     GAN_OK) == (turned == 0 && fits));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { (const char *)data, size };
	struct gan_header headers[HEADERS_MAX];
	struct gan_signature sig;
	struct gan_err err;
	char *line, *lines[HEADERS_MAX], *body;
	size_t n = 0;

	if (signers[0] == NULL)
		open_all();
	while (n < HEADERS_MAX && (line = fuzz_line(&in)) != NULL) {
		char *colon = strchr(line, ':');

		if (line[0] == '\0') {
			free(line);
			break;
		}
		if (colon != NULL)
			*colon = '\0';
		headers[n] = (struct gan_header){ line, colon != NULL ? colon + 1 : NULL };
		lines[n++] = line;
	}
	body = fuzz_copy(in.p, in.left);
	for (size_t i = 0; i < GAN_COUNT(signers); i++) {
		err.code = GAN_OK;
		gan_must(gan_signature_verify(signers[i], headers, n, body, in.left, &sig, &err) ==
			 GAN_EAUTH);
		gan_must(err.code == GAN_EAUTH && err.msg[0] != '\0');
	}
	for (int alg = GAN_SHA1; alg <= GAN_SHA256; alg++)
		for (int encoding = GAN_SIG_HEX; encoding <= GAN_SIG_BASE64HEX; encoding++)
			sign(body, in.left, (enum gan_digest)alg, (enum gan_sig_encoding)encoding);
	for (size_t i = 0; i < n; i++)
		free(lines[i]);
	free(body);
	return 0;
}
