/* SPDX-License-Identifier: MIT */
/*
 * signature.c - decode first, compare bytes of the exact digest length, in
 * constant time, against every secret without an early exit.
 */
#include "inbound/signature.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

enum { NALG = 2, NAMES_MAX = 3, VALUE_MAX = 128 };

static const char *const known_names[] = { "x-prodsmart-hmac-sha256", "x-prodsmart-hmac-sha1" };

struct gan_signer {
	struct gan_hmac_key *keys[GAN_SECRETS_MAX][NALG];
	size_t nsecrets;
	char *own_name; /* the configured header, or NULL */
	const char *names[NAMES_MAX + 1];
	bool pinned;
	enum gan_digest algorithm;
	enum gan_sig_encoding encoding;
};

/* A value as it was sent, decoded. */
struct claim {
	enum gan_digest algorithm;
	enum gan_sig_encoding encoding;
	unsigned char digest[GAN_DIGEST_MAX];
};

const char *
gan_signature_algorithm(enum gan_digest alg)
{
	return alg == GAN_SHA1 ? "sha1" : "sha256";
}

const char *
gan_signature_encoding(enum gan_sig_encoding encoding)
{
	static const char *const names[] = { "hex", "base64", "base64hex" };

	return names[encoding];
}

void
gan_signer_free(struct gan_signer **sp)
{
	struct gan_signer *s = gan_steal(sp);

	if (s == NULL)
		return;
	for (size_t i = 0; i < GAN_SECRETS_MAX; i++)
		for (size_t a = 0; a < NALG; a++)
			gan_hmac_key_free(&s->keys[i][a]);
	free(s->own_name);
	free(s);
}

/* With a header of its own that is pinned, a source looks nowhere else. */
static void
choose_names(struct gan_signer *s)
{
	size_t n = 0;

	if (s->own_name == NULL || !s->pinned)
		for (size_t i = 0; i < GAN_COUNT(known_names); i++)
			s->names[n++] = known_names[i];
	if (s->own_name == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		if (gan_header_is(s->names[i], s->own_name))
			return;
	s->names[n] = s->own_name;
}

int
gan_signer_new(
    const struct gan_conf_source *source, struct gan_signer **ret_signer, struct gan_err *err)
{
	struct gan_signer *s GAN_AUTO(gan_signer_free) = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return gan_err_set(err, GAN_ENOMEM, "source %s", source->name);
	if (source->nsecrets == 0)
		return gan_err_set(err, GAN_EINVAL, "source %s has no secret", source->name);
	for (size_t i = 0; i < source->nsecrets; i++) {
		const struct gan_secret *secret = &source->secrets[i];

		for (size_t a = 0; a < NALG; a++) {
			rc = gan_hmac_key_new(a == 0 ? GAN_SHA1 : GAN_SHA256, secret->bytes,
			    secret->bytes == NULL ? 0 : secret->len, &s->keys[i][a], err);
			if (rc < 0)
				return gan_err_wrap(err, rc, "source %s, secret %s", source->name,
				    secret->name == NULL ? "(unnamed)" : secret->name);
		}
	}
	s->nsecrets = source->nsecrets;
	s->pinned = source->signature.pinned;
	s->algorithm = source->signature.algorithm;
	s->encoding = source->signature.encoding;
	if (source->signature.header != NULL) {
		s->own_name = strdup(source->signature.header);
		if (s->own_name == NULL)
			return gan_err_set(err, GAN_ENOMEM, "source %s", source->name);
	}
	choose_names(s);
	*ret_signer = gan_steal(&s);
	return GAN_OK;
}

const char *
gan_signer_header(const struct gan_signer *s, size_t i)
{
	return i <= NAMES_MAX ? s->names[i] : NULL;
}

static void
trim(const char **sp, size_t *np)
{
	while (*np > 0 && ((*sp)[0] == ' ' || (*sp)[0] == '\t')) {
		(*sp)++;
		(*np)--;
	}
	while (*np > 0 && ((*sp)[*np - 1] == ' ' || (*sp)[*np - 1] == '\t'))
		(*np)--;
}

/* White space, one pair of quotes, one known prefix. */
static void
strip(const char **sp, size_t *np)
{
	static const char *const prefixes[] = { "sha1=", "sha256=", "sha1hash=" };

	trim(sp, np);
	if (*np >= 2 && (*sp)[0] == '"' && (*sp)[*np - 1] == '"') {
		(*sp)++;
		*np -= 2;
		trim(sp, np);
	}
	for (size_t i = 0; i < GAN_COUNT(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (*np > n && strncasecmp(*sp, prefixes[i], n) == 0) {
			*sp += n;
			*np -= n;
			return;
		}
	}
}

static bool
decode_hex(const char *s, size_t n, struct claim *c)
{
	if (n != 2 * GAN_SHA1_LEN && n != 2 * GAN_SHA256_LEN)
		return false;
	c->algorithm = n == 2 * GAN_SHA1_LEN ? GAN_SHA1 : GAN_SHA256;
	return gan_unhex(s, n, c->digest);
}

/* The forms never collide in length; hex goes first, since 40 hex digits are base64 too. */
static bool
decode(const char *s, size_t n, struct claim *c)
{
	unsigned char raw[VALUE_MAX];
	int len;

	c->encoding = GAN_SIG_HEX;
	if (decode_hex(s, n, c))
		return true;
	len = n < VALUE_MAX ? gan_base64_decode(s, n, raw, sizeof(raw)) : GAN_EPARSE;
	if (len == GAN_SHA1_LEN || len == GAN_SHA256_LEN) {
		c->encoding = GAN_SIG_BASE64;
		c->algorithm = len == GAN_SHA1_LEN ? GAN_SHA1 : GAN_SHA256;
		memcpy(c->digest, raw, (size_t)len);
		return true;
	}
	c->encoding = GAN_SIG_BASE64HEX;
	return len > 0 && decode_hex((const char *)raw, (size_t)len, c);
}

/* Which secret signed: 1 or 2, 0 for none, or GAN_ENOMEM. */
static int
match(const struct gan_signer *s, const struct claim *c, const void *body, size_t len)
{
	unsigned char want[GAN_DIGEST_MAX];
	size_t n = gan_digest_len(c->algorithm);
	unsigned hits = 0;

	for (size_t i = 0; i < s->nsecrets; i++) {
		if (gan_hmac(s->keys[i][c->algorithm == GAN_SHA1 ? 0 : 1], body, len, want) < 0)
			return GAN_ENOMEM;
		hits |= (unsigned)gan_equal_secret(want, c->digest, n) << i;
	}
	if ((hits & 1) != 0)
		return 1;
	return hits != 0 ? 2 : 0;
}

static int
verify_one(const struct gan_signer *s, const struct gan_header *h, const void *body, size_t len,
    struct gan_signature *sig, struct gan_err *err)
{
	const char *value = h->value == NULL ? "" : h->value;
	size_t n = strlen(value);
	struct claim c = { 0 };
	int secret;

	strip(&value, &n);
	if (n == 0)
		return gan_err_set(err, GAN_EAUTH, "header %s is empty", sig->header);
	if (!decode(value, n, &c))
		return gan_err_set(err, GAN_EAUTH,
		    "header %s (%zu characters) is no SHA-1 or SHA-256 digest as hex, base64 or "
		    "base64 of hex",
		    sig->header, n);
	sig->algorithm = c.algorithm;
	sig->encoding = c.encoding;
	if (s->pinned && (c.algorithm != s->algorithm || c.encoding != s->encoding))
		return gan_err_set(err, GAN_EAUTH,
		    "header %s is %s in %s, but this source is pinned to %s in %s", sig->header,
		    gan_signature_algorithm(c.algorithm), gan_signature_encoding(c.encoding),
		    gan_signature_algorithm(s->algorithm), gan_signature_encoding(s->encoding));
	secret = match(s, &c, body, len);
	if (secret < 0)
		return gan_err_set(err, GAN_ENOMEM, "signature check");
	if (secret == 0)
		return gan_err_set(err, GAN_EAUTH, "the signature in %s (%s in %s) %s", sig->header,
		    gan_signature_algorithm(c.algorithm), gan_signature_encoding(c.encoding),
		    s->nsecrets == 1 ? "does not fit the secret" : "fits neither secret");
	sig->secret = (unsigned)secret;
	return GAN_OK;
}

int
gan_signature_verify(const struct gan_signer *s, const struct gan_header *headers, size_t nheaders,
    const void *body, size_t len, struct gan_signature *ret_sig, struct gan_err *err)
{
	struct gan_signature first = { 0 };

	for (size_t i = 0; s->names[i] != NULL; i++) {
		unsigned seen = 0;

		for (size_t j = 0; j < nheaders; j++) {
			struct gan_signature sig = { .header = s->names[i] };
			int rc;

			if (!gan_header_is(headers[j].name, s->names[i]))
				continue;
			if (++seen > 1)
				return gan_err_set(err, GAN_EAUTH,
				    "header %s was sent more than once", s->names[i]);
			rc = verify_one(s, &headers[j], body, len, &sig, err);
			if (rc < 0)
				return rc;
			if (first.header == NULL)
				first = sig;
		}
	}
	if (first.header == NULL)
		return gan_err_set(err, GAN_EAUTH, "no signature: header %s%s is missing",
		    s->names[0], s->names[1] == NULL ? "" : " (or another name for it)");
	*ret_sig = first;
	return GAN_OK;
}
