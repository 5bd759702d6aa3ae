/* SPDX-License-Identifier: MIT */
/* auth.c - see auth.h.  A password is compared as the client sends it: base64 of "user:password".
 */
#include "inbound/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum { CREDENTIAL_MAX = 8192 };

/* The scheme is part of it: a password must not do as a token. */
static int
digest(bool basic, const char *text, size_t len, unsigned char out[GAN_SHA256_LEN])
{
	const char *scheme = basic ? "basic" : "bearer";
	const struct gan_bytes parts[] = { { scheme, strlen(scheme) + 1 }, { text, len } };

	return gan_sha256(parts, GAN_COUNT(parts), out);
}

static int
add(struct gan_auth *a, bool basic, unsigned number, const char *text, size_t len)
{
	gan_must(a->n < GAN_AUTH_MAX);
	a->ways[a->n].basic = basic;
	a->ways[a->n].number = number;
	if (digest(basic, text, len, a->ways[a->n].digest) < 0)
		return GAN_ENOMEM;
	a->n++;
	return GAN_OK;
}

/* Without its bytes (an offline check) or empty, a secret opens nothing. */
static int
check(const char *what, const struct gan_secret *s, struct gan_err *err)
{
	if (s->bytes == NULL || s->len == 0)
		return gan_err_set(err, GAN_EINVAL, "%s: secret:%s is empty", what, s->name);
	return GAN_OK;
}

int
gan_auth_add_tokens(struct gan_auth *a, const char *what,
    const struct gan_secret list[GAN_SECRETS_MAX], struct gan_err *err)
{
	for (unsigned i = 0; i < GAN_SECRETS_MAX && list[i].name != NULL; i++) {
		int rc = check(what, &list[i], err);

		if (rc < 0)
			return rc;
		if (add(a, false, i + 1, list[i].bytes, list[i].len) < 0)
			return gan_err_set(err, GAN_ENOMEM, "%s", what);
	}
	return GAN_OK;
}

static int
add_password(struct gan_auth *a, unsigned number, const char *user, const struct gan_secret *s)
{
	size_t n = strlen(user) + 1 + s->len, len;
	char *plain = malloc(n + 1), *text = NULL;
	int rc = GAN_ENOMEM;

	if (plain != NULL) {
		(void)snprintf(plain, n + 1, "%s:", user);
		memcpy(plain + n - s->len, s->bytes, s->len);
		text = gan_base64_encode(plain, n);
	}
	len = text == NULL ? 0 : strlen(text);
	if (text != NULL)
		rc = add(a, true, number, text, len);
	gan_secret_free(text, len);
	gan_secret_free(plain, n);
	return rc;
}

int
gan_auth_add_basic(struct gan_auth *a, const char *what, const char *user,
    const struct gan_secret list[GAN_SECRETS_MAX], struct gan_err *err)
{
	for (unsigned i = 0; user != NULL && i < GAN_SECRETS_MAX && list[i].name != NULL; i++) {
		int rc = check(what, &list[i], err);

		if (rc < 0)
			return rc;
		if (add_password(a, i + 1, user, &list[i]) < 0)
			return gan_err_set(err, GAN_ENOMEM, "%s", what);
	}
	return GAN_OK;
}

bool
gan_auth_read(const struct gan_request *r, struct gan_credential *ret)
{
	const char *v = gan_request_header(r, "authorization");
	bool basic;
	size_t n;

	if (v == NULL)
		return false;
	basic = strncasecmp(v, "Basic ", 6) == 0;
	if (!basic && strncasecmp(v, "Bearer ", 7) != 0)
		return false;
	v += basic ? 6 : 7;
	v += strspn(v, " ");
	n = strcspn(v, " \t");
	if (n == 0 || n > CREDENTIAL_MAX || v[n + strspn(v + n, " \t")] != '\0')
		return false;
	return digest(basic, v, n, ret->digest) == GAN_OK;
}

unsigned
gan_auth_opens(const struct gan_auth *a, const struct gan_credential *c)
{
	unsigned hit = 0;

	for (unsigned i = 0; i < a->n; i++)
		if (gan_equal_secret(a->ways[i].digest, c->digest, GAN_SHA256_LEN))
			hit = i + 1;
	return hit;
}
