/* SPDX-License-Identifier: MIT */
/* prodsmart_token.c - authorization: tokens of two hours, and who may call what. */
#include <string.h>

#include "base/id.h"
#include "base/str.h"
#include "prodsmart.h"

static void
answer_token(struct gan_ps_call *c, int status)
{
	/* The header of the page, with all its faults: a client has to ignore it. */
	gan_buf_puts(
	    &c->ans->extra, "Link: <http:/api.prodsmart.com/api/authorizations>;rel=\"self\"\r\n");
	c->ans->status = status;
	gan_buf_printf(&c->ans->body,
	    "{\"_links\":{\"self\":{\"href\":\"/api/authorizations\"}},"
	    "\"scopes\":[\"productions_write\"],\"token\":\"%s\"}",
	    c->ps->token);
}

void
gan_ps_authorization_get(struct gan_ps_call *c)
{
	if (c->ps->token[0] == '\0' ||
	    gan_sim_token_check(&c->p->tokens, c->ps->token) != GAN_SIM_TOKEN_GOOD)
		gan_ps_fail(c, 404, "there is no token");
	else
		answer_token(c, c->op->ok);
}

void
gan_ps_authorization_create(struct gan_ps_call *c)
{
	const cJSON *scopes = gan_ps_member(c->body, "scopes"), *item;
	unsigned char raw[16];

	if (scopes != NULL && !cJSON_IsArray(scopes))
		gan_ps_fail(c, 400, "scopes must be a list");
	cJSON_ArrayForEach(item, scopes)
	{
		if (!cJSON_IsString(item) || strcmp(item->valuestring, "productions_write") != 0)
			gan_ps_fail(c, 400, "the one scope is productions_write");
	}
	if (c->failed)
		return;
	if (c->p->one_token != 0)
		c->p->tokens.n = 0;
	gan_random(raw, sizeof(raw));
	gan_hex(raw, sizeof(raw), c->ps->token);
	gan_sim_token_add(&c->p->tokens, c->ps->token, c->p->token_life_ms);
	c->ans->acted = true;
	answer_token(c, c->op->ok);
}

void
gan_ps_authorization_delete(struct gan_ps_call *c)
{
	c->p->tokens.n = 0;
	c->ps->token[0] = '\0';
	c->ans->acted = true;
	c->ans->status = c->op->ok;
}

bool
gan_ps_admitted(struct gan_ps_call *c)
{
	const char *token = gan_ps_arg(c, "access_token");
	int basic = gan_sim_basic(c->req, c->p->api_key, c->p->api_secret);

	if ((c->op->flags & GAN_PS_BASIC) != 0) {
		if (basic <= 0)
			gan_ps_fail(c, 401, "Unauthorized: Basic with key and secret is needed");
		return !c->failed;
	}
	if (basic != 0 && (c->op->flags & GAN_PS_BASIC_TOO) != 0) {
		if (basic < 0)
			gan_ps_fail(c, 401, "Unauthorized: key or secret is wrong");
		return !c->failed;
	}
	if (token == NULL)
		gan_ps_fail(c, 401, "Unauthorized: access_token is missing");
	else if (gan_sim_token_check(&c->p->tokens, token) != GAN_SIM_TOKEN_GOOD)
		gan_ps_fail(c, 401, "Unauthorized: access_token is unknown or has expired");
	return !c->failed;
}
