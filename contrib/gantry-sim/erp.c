/* SPDX-License-Identifier: MIT */
/*
 * erp.c - a JSON API such as an ERP has: who is it, is it JSON, taken.
 *
 * Tokens are OAuth 2 client credentials as RFC 6749 has them (4.4, 5.1, 5.2):
 * the client by Basic, both halves encoded as for a form, or in the body.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim.h"

static void
respond(struct gan_sim_answer *ans, int status, const char *error, const char *text)
{
	ans->status = status;
	gan_buf_printf(&ans->body, "{\"error\":\"%s\",\"error_description\":", error);
	gan_buf_json(&ans->body, text, strlen(text));
	gan_buf_putc(&ans->body, '}');
}

/* A member of a form, decoded into out; false when it is missing, twice or too long. */
static bool
form_value(const char *form, size_t len, const char *name, char *out, size_t outsz)
{
	const char *p = form, *end = form + len;
	size_t n = strlen(name), used = 0;
	bool found = false;

	while (p < end) {
		const char *stop = memchr(p, '&', (size_t)(end - p));

		if (stop == NULL)
			stop = end;
		if ((size_t)(stop - p) > n && memcmp(p, name, n) == 0 && p[n] == '=') {
			if (found)
				return false;
			found = true;
			for (p += n + 1; p < stop; p++) {
				char c = *p == '+' ? ' ' : *p;

				if (used + 1 >= outsz)
					return false;
				if (c == '%') {
					if (stop - p < 3 ||
					    !gan_unhex(p + 1, 2, (unsigned char *)&c))
						return false;
					p += 2;
				}
				out[used++] = c;
			}
		}
		p = stop < end ? stop + 1 : end;
	}
	out[used] = '\0';
	return found;
}

/* Text as in a form, but for what needs no encoding. */
static void
encode(const char *text, struct gan_buf *out)
{
	for (; *text != '\0'; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text) != NULL)
			gan_buf_putc(out, *text);
		else
			gan_buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

static bool
client_is_good(const struct gan_sim_erp *e, const struct gan_sim_request *req)
{
	struct gan_buf id GAN_AUTO(gan_buf_fini) = { 0 }, secret GAN_AUTO(gan_buf_fini) = { 0 };
	char got_id[256], got_secret[256];
	bool by_header = gan_sim_header(req, "authorization") != NULL;

	if (e->client_auth[0] != '\0' && by_header != (strcmp(e->client_auth, "basic") == 0))
		return false;
	if (by_header) {
		encode(e->client_id, &id);
		encode(e->client_secret, &secret);
		return gan_sim_basic(req, id.data, secret.data) > 0;
	}
	return form_value(req->body, req->body_len, "client_id", got_id, sizeof(got_id)) &&
	       form_value(
		   req->body, req->body_len, "client_secret", got_secret, sizeof(got_secret)) &&
	       strcmp(got_id, e->client_id) == 0 && strcmp(got_secret, e->client_secret) == 0;
}

static void
give_token(struct gan_sim_erp *e, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	const char *type = gan_sim_header(req, "content-type");
	char grant[64], scope[256] = "", hex[33];
	unsigned char raw[16];

	if (strcmp(req->method, "POST") != 0) {
		respond(ans, 405, "invalid_request", "POST");
		return;
	}
	if (type == NULL || strcasecmp(type, "application/x-www-form-urlencoded") != 0 ||
	    !form_value(req->body, req->body_len, "grant_type", grant, sizeof(grant))) {
		respond(ans, 400, "invalid_request", "a form with grant_type is expected");
		return;
	}
	if (!client_is_good(e, req)) {
		respond(ans, 401, "invalid_client", "unknown client, or the wrong secret");
		return;
	}
	if (strcmp(grant, "client_credentials") != 0) {
		respond(ans, 400, "unsupported_grant_type", grant);
		return;
	}
	(void)form_value(req->body, req->body_len, "scope", scope, sizeof(scope));
	if (strcmp(scope, e->scope) != 0) {
		respond(ans, 400, "invalid_scope", "another scope is expected");
		return;
	}
	gan_random(raw, sizeof(raw));
	gan_hex(raw, sizeof(raw), hex);
	gan_sim_token_add(&e->tokens, hex, e->token_life_ms);
	ans->status = 200;
	ans->acted = true;
	gan_buf_printf(&ans->body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\"", hex);
	if (strcmp(e->expires_in, "none") != 0) {
		const char *quote = strcmp(e->expires_in, "text") == 0 ? "\"" : "";

		gan_buf_printf(&ans->body, ",\"expires_in\":%s%lld%s", quote,
		    (long long)(e->token_life_ms / 1000), quote);
	}
	gan_buf_putc(&ans->body, '}');
}

static bool
admitted(const struct gan_sim_erp *e, const struct gan_sim_request *req)
{
	const char *auth = gan_sim_header(req, "authorization");

	if (strcmp(e->auth, "none") == 0)
		return auth == NULL; /* credentials that nobody asked for */
	if (strcmp(e->auth, "basic") == 0)
		return gan_sim_basic(req, e->user, e->password) > 0;
	if (auth == NULL || strncmp(auth, "Bearer ", 7) != 0)
		return false;
	if (strcmp(e->auth, "bearer") == 0)
		return strcmp(auth + 7, e->token) == 0;
	return gan_sim_token_check(&e->tokens, auth + 7) == GAN_SIM_TOKEN_GOOD;
}

void
gan_sim_erp(struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	const char *type = gan_sim_header(req, "content-type");
	cJSON *body GAN_AUTO(gan_cj_free) = NULL;
	struct gan_err err;

	if (strcmp(req->path, GAN_SIM_OAUTH_PATH) == 0) {
		give_token(&sim->erp, req, ans);
		return;
	}
	if (!admitted(&sim->erp, req)) {
		gan_buf_puts(&ans->extra, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
		respond(ans, 401, "invalid_token", "who are you?");
		return;
	}
	if (req->body_len > 0 && strcmp(req->method, "GET") == 0) {
		respond(ans, 400, "invalid_request", "a GET has no body");
		return;
	}
	if (req->body_len > 0 && (type == NULL || strcasecmp(type, "application/json") != 0)) {
		respond(ans, 415, "invalid_request", "Content-Type must be application/json");
		return;
	}
	if (req->body_len > 0 && gan_cj_parse(req->body, req->body_len, &body, &err) < 0) {
		respond(ans, 400, "invalid_request", err.msg);
		return;
	}
	if (gan_sim_canned_answer(sim->canned[GAN_SIM_ERP], req, ans))
		return;
	ans->status = 200;
	ans->acted = true;
	gan_buf_puts(&ans->body, "{\"ok\":true}");
}
