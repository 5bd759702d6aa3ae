/* SPDX-License-Identifier: MIT */
/* wire.c - struct gan_wire; see transfer.h. */
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "base/str.h"
#include "outbound/transfer.h"

/* Replacing a shorter text would only garble the answer. */
#define HIDE_MIN 6

void
gan_wire_fini(struct gan_wire *req)
{
	for (size_t i = 0; i < req->nheaders; i++) {
		free(req->headers[i].name);
		gan_secret_free(req->headers[i].value,
		    req->headers[i].value != NULL ? strlen(req->headers[i].value) : 0);
	}
	for (size_t i = 0; i < req->nsecrets; i++)
		gan_secret_free(req->secrets[i], strlen(req->secrets[i]));
	gan_secret_free(req->url, req->url != NULL ? strlen(req->url) : 0);
	free(req->shown_url);
	memset(req, 0, sizeof(*req));
}

int
gan_wire_whole_url(struct gan_wire *req, const char *url, struct gan_err *err)
{
	free(req->url);
	free(req->shown_url);
	req->url = strdup(url);
	req->shown_url = strdup(url);
	if (req->url == NULL || req->shown_url == NULL)
		return gan_err_set(err, GAN_ENOMEM, "URL");
	return GAN_OK;
}

/* value is taken over, also on failure. */
static int
add_header(struct gan_wire *req, const char *name, char *value, size_t len, bool secret,
    struct gan_err *err)
{
	int rc = GAN_OK;

	if (value == NULL)
		return gan_err_set(err, GAN_ENOMEM, "header %s", name);
	if (!gan_is_token(name))
		rc = gan_err_set(err, GAN_EINVAL, "header name is no token");
	else if (memchr(value, '\0', len) != NULL || strpbrk(value, "\r\n") != NULL)
		rc = gan_err_set(
		    err, GAN_EINVAL, "header %s: the value holds a line break or a NUL byte", name);
	else if (req->nheaders == GAN_REQUEST_HEADERS)
		rc = gan_err_set(err, GAN_ELIMIT, "header %s: too many headers", name);
	if (rc == GAN_OK) {
		struct gan_header *h = &req->headers[req->nheaders];

		h->name = strdup(name);
		if (h->name != NULL) {
			h->value = value;
			h->secret = secret;
			req->nheaders++;
			return GAN_OK;
		}
		rc = gan_err_set(err, GAN_ENOMEM, "header %s", name);
	}
	gan_secret_free(value, len);
	return rc;
}

int
gan_wire_header(struct gan_wire *req, const char *name, const char *value, struct gan_err *err)
{
	return add_header(req, name, strdup(value), strlen(value), false, err);
}

int
gan_wire_secret(struct gan_wire *req, const char *name, const char *prefix, const char *secret,
    size_t len, struct gan_err *err)
{
	size_t np = strlen(prefix);
	char *value = malloc(np + len + 1);
	int rc;

	if (value != NULL) {
		memcpy(value, prefix, np);
		memcpy(value + np, secret, len);
		value[np + len] = '\0';
	}
	rc = add_header(req, name, value, np + len, true, err);
	if (rc < 0)
		return rc;
	return gan_wire_hide(req, secret, len, err);
}

int
gan_wire_basic(struct gan_wire *req, const char *user, size_t user_len, const char *password,
    size_t password_len, struct gan_err *err)
{
	size_t n = user_len + 1 + password_len;
	char *pair = malloc(n + 1), *basic;
	int rc;

	if (pair == NULL)
		return gan_err_set(err, GAN_ENOMEM, "header Authorization");
	memcpy(pair, user, user_len);
	pair[user_len] = ':';
	memcpy(pair + user_len + 1, password, password_len);
	basic = gan_base64_encode(pair, n);
	gan_secret_free(pair, n);
	if (basic == NULL)
		return gan_err_set(err, GAN_ENOMEM, "header Authorization");
	rc = gan_wire_secret(req, "Authorization", "Basic ", basic, strlen(basic), err);
	gan_secret_free(basic, strlen(basic));
	return rc;
}

int
gan_wire_hide(struct gan_wire *req, const char *secret, size_t len, struct gan_err *err)
{
	if (len < HIDE_MIN)
		return GAN_OK;
	for (size_t i = 0; i < req->nsecrets; i++)
		if (strlen(req->secrets[i]) == len && memcmp(req->secrets[i], secret, len) == 0)
			return GAN_OK;
	if (req->nsecrets == GAN_REQUEST_SECRETS)
		return gan_err_set(err, GAN_ELIMIT, "too many secrets in one request");
	req->secrets[req->nsecrets] = gan_memdup(secret, len);
	if (req->secrets[req->nsecrets] == NULL)
		return gan_err_set(err, GAN_ENOMEM, "request");
	req->nsecrets++;
	return GAN_OK;
}

void
gan_wire_percent(struct gan_buf *out, const char *text, size_t len)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (size_t i = 0; i < len; i++) {
		if (memchr(plain, text[i], sizeof(plain) - 1) != NULL)
			gan_buf_putc(out, text[i]);
		else
			gan_buf_printf(out, "%%%02X", (unsigned char)text[i]);
	}
}

/* url with one more pair; NULL without memory. */
static char *
with_pair(const char *url, const char *name, const char *value, size_t len, bool masked)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_puts(&b, url);
	gan_buf_putc(&b, strchr(url, '?') != NULL ? '&' : '?');
	gan_wire_percent(&b, name, strlen(name));
	gan_buf_putc(&b, '=');
	if (masked)
		gan_buf_puts(&b, "(masked)");
	else
		gan_wire_percent(&b, value, len);
	return gan_buf_steal(&b, NULL);
}

int
gan_wire_query(struct gan_wire *req, const char *name, const char *value, size_t len, bool secret,
    struct gan_err *err)
{
	char *url = with_pair(req->url, name, value, len, false);
	char *shown = with_pair(req->shown_url, name, value, len, secret);

	if (url == NULL || shown == NULL) {
		gan_secret_free(url, url != NULL ? strlen(url) : 0);
		free(shown);
		return gan_err_set(err, GAN_ENOMEM, "URL");
	}
	gan_secret_free(req->url, strlen(req->url));
	free(req->shown_url);
	req->url = url;
	req->shown_url = shown;
	return secret ? gan_wire_hide(req, value, len, err) : GAN_OK;
}

void
gan_wire_describe(const struct gan_wire *req, struct gan_buf *out)
{
	gan_buf_printf(out, "%s %s\n", req->method, req->shown_url);
	for (size_t i = 0; i < req->nheaders; i++)
		gan_buf_printf(out, "%s: %s\n", req->headers[i].name,
		    req->headers[i].secret ? "(masked)" : req->headers[i].value);
}
