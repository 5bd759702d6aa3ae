/* SPDX-License-Identifier: MIT */
/* scrub.c - see scrub.h. */
#include "outbound/scrub.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"

/* A secret of 16 bytes is far beyond chance; shorter pieces would garble answers. */
#define FORM_MIN 6

/* Longest first: what is replaced for a short one would hide that a longer one stands there. */
static void
insert(struct gan_scrub *s, struct gan_scrub_form form)
{
	size_t i = s->n++;

	for (; i > 0 && s->forms[i - 1].len < form.len; i--)
		s->forms[i] = s->forms[i - 1];
	s->forms[i] = form;
}

/* text is taken over and may be NULL: no memory. */
static int
add_form(struct gan_scrub *s, char *text, size_t len)
{
	bool known = len < FORM_MIN;

	if (text == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < s->n && !known; i++)
		known = s->forms[i].len == len && memcmp(s->forms[i].text, text, len) == 0;
	if (!known && s->n == s->cap) {
		size_t cap = s->cap + 2 * (size_t)GAN_SCRUB_FORMS;
		struct gan_scrub_form *more = realloc(s->forms, cap * sizeof(*more));

		if (more == NULL) {
			gan_secret_free(text, len);
			return GAN_ENOMEM;
		}
		s->forms = more;
		s->cap = cap;
	}
	if (known)
		gan_secret_free(text, len);
	else
		insert(s, (struct gan_scrub_form){ text, len });
	return GAN_OK;
}

static int
add_hex(struct gan_scrub *s, const char *secret, size_t len, const char *digits)
{
	char *text = malloc(2 * len + 1), *p = text;

	for (size_t i = 0; text != NULL && i < len; i++) {
		*p++ = digits[(unsigned char)secret[i] >> 4];
		*p++ = digits[(unsigned char)secret[i] & 15];
	}
	return add_form(s, text, 2 * len);
}

static int
add_percent(struct gan_scrub *s, const char *secret, size_t len, const char *digits)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	char *text = malloc(3 * len + 1), *p = text;

	for (size_t i = 0; text != NULL && i < len; i++) {
		unsigned char c = (unsigned char)secret[i];

		if (memchr(plain, c, sizeof(plain) - 1) != NULL) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = digits[c >> 4];
		*p++ = digits[c & 15];
	}
	return add_form(s, text, text != NULL ? (size_t)(p - text) : 0);
}

/* As in a JSON text; some writers put a backslash before '/', too.  No control bytes: secrets.c. */
static int
add_json(struct gan_scrub *s, const char *secret, size_t len, const char *escaped)
{
	char *text = malloc(2 * len + 1), *p = text;

	for (size_t i = 0; text != NULL && i < len; i++) {
		if (strchr(escaped, secret[i]) != NULL)
			*p++ = '\\';
		*p++ = secret[i];
	}
	return add_form(s, text, text != NULL ? (size_t)(p - text) : 0);
}

/* n characters of base64 from `from` on, in one of the alphabets. */
static int
add_piece(struct gan_scrub *s, const char *text, size_t from, size_t n, bool url)
{
	char *piece = gan_memdup(text + from, n);

	for (char *p = piece; piece != NULL && url && p < piece + n; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	return add_form(s, piece, n);
}

/*
 * Behind `skip` other bytes (modulo 3) the secret's bits begin inside a
 * character and end inside one: those in between are its own.  Alone, it is
 * the whole text.
 */
static int
add_base64(struct gan_scrub *s, const char *secret, size_t len, size_t skip)
{
	static const size_t first[] = { 0, 2, 3 };
	size_t end = (skip + len) * 8 / 6, whole;
	char *joined = calloc(1, skip + len), *text = NULL;
	int rc = GAN_OK;

	if (joined != NULL) {
		memcpy(joined + skip, secret, len);
		text = gan_base64_encode(joined, skip + len);
		gan_secret_free(joined, skip + len);
	}
	if (text == NULL)
		return GAN_ENOMEM;
	whole = strcspn(text, "=");
	for (int url = 0; url < 2 && rc == GAN_OK; url++) {
		if (skip == 0)
			rc = add_piece(s, text, 0, whole, url != 0);
		if (rc == GAN_OK)
			rc = add_piece(s, text, first[skip], end - first[skip], url != 0);
	}
	gan_secret_free(text, strlen(text));
	return rc;
}

int
gan_scrub_add(struct gan_scrub *s, const char *secret, size_t len)
{
	static const char *const digits[] = { "0123456789ABCDEF", "0123456789abcdef" };
	int rc;

	if (len < FORM_MIN)
		return GAN_OK;
	rc = add_form(s, gan_memdup(secret, len), len);
	for (int i = 0; i < 2 && rc == GAN_OK; i++) {
		rc = add_hex(s, secret, len, digits[i]);
		if (rc == GAN_OK)
			rc = add_percent(s, secret, len, digits[i]);
		if (rc == GAN_OK)
			rc = add_json(s, secret, len, i == 0 ? "\"\\" : "\"\\/");
	}
	for (size_t skip = 0; skip < 3 && rc == GAN_OK; skip++)
		rc = add_base64(s, secret, len, skip);
	return rc;
}

void
gan_scrub_text(const struct gan_scrub *s, char *text, size_t len)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct gan_scrub_form *f = &s->forms[i];
		char *at = text;

		while ((at = memmem(at, len - (size_t)(at - text), f->text, f->len)) != NULL) {
			memset(at, '*', f->len);
			at += f->len;
		}
	}
}

void
gan_scrub_fini(struct gan_scrub *s)
{
	for (size_t i = 0; i < s->n; i++)
		gan_secret_free(s->forms[i].text, s->forms[i].len);
	free(s->forms);
	memset(s, 0, sizeof(*s));
}
