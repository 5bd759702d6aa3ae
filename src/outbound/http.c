/* SPDX-License-Identifier: MIT */
/*
 * http.c - any JSON API: what it can do stands under `operations:` of the
 * connector, how to log in under `auth:`.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "base/str.h"
#include "outbound/connector.h"
#include "outbound/success.h"
#include "json/cj.h"

#define TOKEN_MAX 8192
#define LIFE_DEFAULT_S 300.0 /* of a token that does not say: nobody knows, so not long */
#define LIFE_MAX_S 86400.0
#define EARLY_MAX_S 60.0

/* ---- the request ----------------------------------------------------------- */

/* Authorization: Basic, of two texts that are used as they are. */
static int
put_basic(struct gan_wire *req, const char *user, const char *password, size_t password_len,
    struct gan_err *err)
{
	struct gan_buf pair GAN_AUTO(gan_buf_fini) = { 0 };
	char *basic;
	int rc;

	gan_buf_puts(&pair, user);
	gan_buf_putc(&pair, ':');
	gan_buf_put(&pair, password, password_len);
	basic = pair.failed ? NULL : gan_base64_encode(pair.data, pair.len);
	if (pair.data != NULL)
		explicit_bzero(pair.data, pair.len);
	if (basic == NULL)
		return gan_err_set(err, GAN_ENOMEM, "request");
	rc = gan_wire_secret(req, "Authorization", "Basic ", basic, strlen(basic), err);
	gan_secret_free(basic, strlen(basic));
	return rc;
}

static int
put_auth(
    const struct gan_conf_auth *a, const char *token, struct gan_wire *req, struct gan_err *err)
{
	if (a->user != NULL)
		return put_basic(req, a->user, a->password.bytes, a->password.len, err);
	if (a->bearer.bytes != NULL)
		return gan_wire_secret(
		    req, "Authorization", "Bearer ", a->bearer.bytes, a->bearer.len, err);
	if (a->token_url != NULL)
		return gan_wire_secret(req, "Authorization", "Bearer ", token, strlen(token), err);
	return GAN_OK;
}

static int
dress(const struct gan_conf_connector *c, const struct gan_operation *op, const char *token,
    struct gan_wire *req, struct gan_err *err)
{
	int rc = gan_wire_header(req, "Accept", "application/json", err);

	(void)op;
	if (rc == GAN_OK && req->body != NULL)
		rc = gan_wire_header(req, "Content-Type", "application/json", err);
	for (size_t i = 0; rc == GAN_OK && i < c->nheaders; i++)
		rc = gan_wire_header(req, c->headers[i].name, c->headers[i].value, err);
	return rc == GAN_OK ? put_auth(&c->auth, token, req, err) : rc;
}

static void
judge(const struct gan_operation *op, const struct gan_asked *asked,
    const struct gan_response *resp, struct gan_judged *j)
{
	cJSON *answer GAN_AUTO(gan_cj_free) = NULL;

	(void)asked;
	gan_outcome_of(resp, j);
	if (resp->sent != GAN_COMPLETE || j->outcome == GAN_OUTCOME_BUSY ||
	    j->outcome == GAN_OUTCOME_REDIRECT)
		return;
	if (gan_cj_parse(resp->body, resp->body_len, &answer, NULL) < 0)
		answer = NULL;
	gan_success_judge(op->success, resp, answer, j);
}

/* ---- OAuth 2, client credentials: RFC 6749, 4.4 ---------------------------------- */

static enum gan_token_mode
token_mode(const struct gan_conf_connector *c)
{
	return c->auth.token_url != NULL ? GAN_TOKEN_FETCHED : GAN_TOKEN_STATIC;
}

static void
put_pair(struct gan_buf *out, const char *name, const char *value, size_t len)
{
	gan_buf_printf(out, "%s%s=", out->len > 0 ? "&" : "", name);
	gan_wire_percent(out, value, len);
}

/* Both are encoded as for a form before they are joined: RFC 6749, 2.3.1. */
static int
put_client(const struct gan_conf_auth *a, struct gan_wire *req, struct gan_err *err)
{
	struct gan_buf id GAN_AUTO(gan_buf_fini) = { 0 }, secret GAN_AUTO(gan_buf_fini) = { 0 };
	int rc;

	gan_wire_percent(&id, a->client_id, strlen(a->client_id));
	gan_wire_percent(&secret, a->client_secret.bytes, a->client_secret.len);
	if (id.failed || secret.failed)
		return gan_err_set(err, GAN_ENOMEM, "token request");
	rc = put_basic(req, id.data, secret.data, secret.len, err);
	explicit_bzero(secret.data, secret.len);
	return rc;
}

static int
token_request(
    const struct gan_conf_connector *c, struct gan_wire *req, char **ret_body, struct gan_err *err)
{
	const struct gan_conf_auth *a = &c->auth;
	struct gan_buf body GAN_AUTO(gan_buf_fini) = { 0 };
	int rc;

	put_pair(&body, "grant_type", "client_credentials", strlen("client_credentials"));
	if (a->scope != NULL)
		put_pair(&body, "scope", a->scope, strlen(a->scope));
	if (a->client_post) {
		put_pair(&body, "client_id", a->client_id, strlen(a->client_id));
		put_pair(&body, "client_secret", a->client_secret.bytes, a->client_secret.len);
	}
	req->method = "POST";
	rc = gan_wire_whole_url(req, a->token_url, err);
	if (rc == GAN_OK)
		rc = gan_wire_header(req, "Content-Type", "application/x-www-form-urlencoded", err);
	if (rc == GAN_OK)
		rc = gan_wire_header(req, "Accept", "application/json", err);
	if (rc == GAN_OK && !a->client_post)
		rc = put_client(a, req, err);
	if (rc == GAN_OK)
		rc = gan_connector_hide(c, req, err);
	if (rc == GAN_OK) {
		req->body_len = body.len;
		req->body = *ret_body = gan_buf_steal(&body, NULL);
		if (*ret_body == NULL)
			rc = gan_err_set(err, GAN_ENOMEM, "token request");
	}
	return rc;
}

/* Seconds, as the number that the RFC wants or as the text that many send. */
static int
life_of(const cJSON *tree, double *ret_s, struct gan_err *err)
{
	const cJSON *v = gan_cj_get(tree, "expires_in");
	const char *text = gan_cj_str(tree, "expires_in");
	char *end = NULL;
	double s;

	*ret_s = LIFE_DEFAULT_S;
	if (v == NULL || cJSON_IsNull(v))
		return GAN_OK;
	s = text != NULL ? strtod(text, &end) : gan_cj_num(tree, "expires_in", 0);
	if ((text != NULL && (end == text || *end != '\0')) || !isfinite(s) || s <= 0)
		return gan_err_set(
		    err, GAN_EPARSE, "expires_in of the token is no number of seconds above 0");
	*ret_s = s < LIFE_MAX_S ? s : LIFE_MAX_S;
	return GAN_OK;
}

static int
token_read(const struct gan_response *resp, int64_t now_ms, struct gan_token_life *ret_life,
    struct gan_err *err)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	const char *token, *type;
	double life_s, early_s;
	char shown[48];
	int rc;

	(void)now_ms;
	if (gan_cj_parse(resp->body, resp->body_len, &tree, NULL) < 0)
		return gan_err_set(err, GAN_EPARSE, "the answer to the token request is no JSON");
	token = gan_cj_str(tree, "access_token");
	type = gan_cj_str(tree, "token_type");
	if (token == NULL || token[0] == '\0' || strlen(token) >= TOKEN_MAX)
		return gan_err_set(
		    err, GAN_EPARSE, "the answer to the token request has no access_token");
	if (type != NULL && strcasecmp(type, "bearer") != 0)
		return gan_err_set(err, GAN_EPARSE,
		    "token_type is \"%s\": only bearer tokens can be used",
		    gan_printable(type, strlen(type), shown, sizeof(shown)));
	rc = life_of(tree, &life_s, err);
	if (rc < 0)
		return rc;
	ret_life->token = strdup(token);
	if (ret_life->token == NULL)
		return gan_err_set(err, GAN_ENOMEM, "token");
	/* Renewed early: a fifth of its life, a minute at most. */
	early_s = life_s / 5 < EARLY_MAX_S ? life_s / 5 : EARLY_MAX_S;
	ret_life->use_ms = (int64_t)((life_s - early_s) * 1000.0);
	return GAN_OK;
}

/* {"error": "invalid_client", "error_description": "…"}: RFC 6749, 5.2. */
static int
token_refused(const struct gan_response *resp, char *text, size_t textsz)
{
	/* Some servers say these with a 400; they pass by themselves. */
	static const char *const passing[] = { "temporarily_unavailable", "server_error" };
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	const char *error;

	if (resp->status < 400 || resp->status > 499 || resp->status == 429 ||
	    gan_cj_parse(resp->body, resp->body_len, &tree, NULL) < 0)
		return GAN_OK;
	error = gan_cj_str(tree, "error");
	gan_connector_vendor_text(tree, resp->status, text, textsz);
	if (error == NULL || error[0] == '\0')
		return GAN_OK;
	for (size_t i = 0; i < GAN_COUNT(passing); i++)
		if (strcmp(error, passing[i]) == 0)
			return GAN_ENET;
	return GAN_EAUTH;
}

const struct gan_kind gan_kind_http = {
	.name = "http",
	.dress = dress,
	.judge = judge,
	.token_mode = token_mode,
	.token_request = token_request,
	.token_read = token_read,
	.token_refused = token_refused,
};
