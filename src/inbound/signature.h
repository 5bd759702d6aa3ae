/* SPDX-License-Identifier: MIT */
/*
 * signature.h - did a holder of our secret sign these bytes?
 *
 * The vendor's pages leave header name, algorithm and encoding open, so every
 * form that they can mean is known: SHA-1 or SHA-256, as hex, base64 (either
 * alphabet, padded or not) or base64 of the hex text.  The length of the value
 * tells which; the header's name does not.  A source may pin one form, then
 * every other is refused.  Pure; used by one thread at a time.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/hmac.h"
#include "conf/config.h"
#include "inbound/framing.h"

struct gan_signer; /* the keys of one source, prepared */

/* From a webhook source with one or two secrets; GAN_EINVAL when there is none or one is empty. */
GAN_MUST_CHECK int gan_signer_new(
    const struct gan_conf_source *source, struct gan_signer **ret_signer, struct gan_err *err);
void gan_signer_free(struct gan_signer **sp);

/* The headers that may carry this source's signature, lower case; NULL behind the last. */
const char *gan_signer_header(const struct gan_signer *s, size_t i);

struct gan_signature {
	const char *header; /* that was found, of gan_signer_header(); NULL: none */
	enum gan_digest algorithm;
	enum gan_sig_encoding encoding;
	unsigned secret; /* which one fits: 1 or 2 */
};

/*
 * Every signature header that is present must verify over the raw body, with
 * any of the secrets.  Returns GAN_OK with *ret_sig filled (from the first
 * header), GAN_EAUTH with the reason in err, or GAN_ENOMEM (nothing is known).
 */
GAN_MUST_CHECK int gan_signature_verify(const struct gan_signer *s,
    const struct gan_header *headers, size_t nheaders, const void *body, size_t len,
    struct gan_signature *ret_sig, struct gan_err *err);

const char *gan_signature_algorithm(enum gan_digest alg); /* "sha1", "sha256" */
const char *gan_signature_encoding(
    enum gan_sig_encoding encoding); /* "hex", "base64", "base64hex" */
