/* SPDX-License-Identifier: MIT */
/*
 * flex2b.c - the Flex2B server for 3PLs: short-lived tokens and replication
 * posts.
 *
 * Status codes are used as the vendor uses them: 499 is a wrong content type,
 * 401 no token, 403 a token that is not or no longer good.  The body repeats
 * the status as ResponseCode.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim.h"

#define CONTENT_TYPE "application/json; charset=utf8"
#define LINES_MAX 1000

static void
respond(struct gan_sim_answer *ans, int status, const char *message)
{
	ans->status = status;
	gan_buf_printf(&ans->body, "{\"ResponseCode\":%d,\"ResponseMessage\":", status);
	gan_buf_json(&ans->body, message, strlen(message));
	gan_buf_putc(&ans->body, '}');
}

static void
give_token(struct gan_sim_flex2b *f, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	int basic = gan_sim_basic(req, f->user, f->password);
	char *token GAN_AUTO(gan_str_free) = NULL;
	unsigned char raw[36];

	if (basic <= 0) {
		respond(ans, 401, basic == 0 ? "Basic authorization expected" : "Unknown user");
		return;
	}
	gan_random(raw, sizeof(raw));
	token = gan_base64_encode(raw, sizeof(raw));
	gan_must(token != NULL);
	gan_sim_token_add(&f->tokens, token, f->token_life_ms);
	ans->status = 200;
	ans->acted = true;
	gan_buf_printf(&ans->body,
	    "{\"ResponseCode\":200,\"ResponseMessage\":\"OK\",\"AccessToken\":\"%s\","
	    "\"ExpirationMs\":%lld}",
	    token, (long long)f->token_life_ms);
}

static bool
admitted(struct gan_sim_flex2b *f, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	const char *token = gan_sim_header(req, "authorization");

	if (token == NULL || token[0] == '\0') {
		respond(ans, 401, "No token provided");
		return false;
	}
	if (!f->raw) {
		if (strncmp(token, "Bearer ", 7) != 0) {
			respond(ans, 401, "No valid token was provided");
			return false;
		}
		token += 7;
	}
	switch (gan_sim_token_check(&f->tokens, token)) {
	case GAN_SIM_TOKEN_GOOD:
		return true;
	case GAN_SIM_TOKEN_EXPIRED:
		respond(ans, 403, "Token is no longer valid");
		return false;
	case GAN_SIM_TOKEN_UNKNOWN:
		break;
	}
	respond(ans, 403, "Token is invalid");
	return false;
}

static bool
is_uuid(const char *s)
{
	if (s == NULL || strlen(s) != 36)
		return false;
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
	}
	return true;
}

static bool
is_category(const char *s)
{
	return s != NULL && strlen(s) == 2 && strstr("PH PD HI OH OD LH DD LD", s) != NULL;
}

static const char *
line_complaint(const cJSON *line)
{
	const cJSON *nodes = gan_cj_get(line, "nodes"), *node;
	const char *sender = gan_cj_str(line, "senderidentification");

	if (!cJSON_IsObject(line))
		return "a line must be an object";
	if (!is_uuid(gan_cj_str(line, "apiuuid")))
		return "apiuuid must be a UUID";
	if (!is_category(gan_cj_str(line, "apiid")))
		return "apiid must be PH, PD, HI, OH, OD, LH, DD or LD";
	if (sender == NULL || sender[0] == '\0')
		return "senderidentification is missing";
	if (!cJSON_IsArray(nodes) || nodes->child == NULL)
		return "nodes must be an array, not empty";
	cJSON_ArrayForEach(node, nodes)
	{
		const char *name = gan_cj_str(node, "name");

		if (name == NULL || name[0] == '\0' || gan_cj_str(node, "value") == NULL)
			return "a node needs a name and a value, both text";
	}
	return NULL;
}

static void
take_lines(struct gan_sim_flex2b *f, const cJSON *body, struct gan_sim_answer *ans)
{
	const cJSON *lines = gan_cj_get(body, "repLines"), *line;
	unsigned char raw[16];
	char hex[33];

	if (!cJSON_IsArray(lines) || lines->child == NULL ||
	    cJSON_GetArraySize(lines) > LINES_MAX) {
		respond(ans, 400, "repLines must be an array, not empty");
		return;
	}
	cJSON_ArrayForEach(line, lines)
	{
		const char *why = line_complaint(line);

		if (why != NULL) {
			respond(ans, 400, why);
			return;
		}
	}
	cJSON_ArrayForEach(line, lines)
	{
		if (!gan_sim_table_put(&f->uuids, gan_cj_str(line, "apiuuid"), 1))
			ans->repeats++;
	}
	gan_random(raw, sizeof(raw));
	gan_hex(raw, sizeof(raw), hex);
	for (char *p = hex; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	ans->status = 200;
	ans->acted = true;
	gan_buf_printf(&ans->body,
	    "{\"ResponseCode\":200,\"ResponseMessage\":\"OK\",\"CommunicationID\":\"%s\"}", hex);
}

void
gan_sim_flex2b(struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	bool token = strcmp(req->path, "/v1/generatetoken") == 0;
	const char *type = gan_sim_header(req, "content-type");
	cJSON *body GAN_AUTO(gan_cj_free) = NULL;
	struct gan_err err;

	if (!token && strcmp(req->path, "/v1/replicationpost") != 0) {
		respond(ans, 404, "Requested object is unknown");
		return;
	}
	if (strcmp(req->method, token ? "GET" : "POST") != 0) {
		respond(ans, 405, "Method not allowed");
		return;
	}
	if (type == NULL || strcmp(type, CONTENT_TYPE) != 0) {
		respond(ans, 499, "Invalid content type");
		return;
	}
	if (token) {
		give_token(&sim->flex2b, req, ans);
		return;
	}
	if (!admitted(&sim->flex2b, req, ans))
		return;
	/* Typographic quotes and no-break spaces, as in the vendor's own sample, are no JSON. */
	if (gan_cj_parse(req->body, req->body_len, &body, &err) < 0) {
		respond(ans, 400, err.msg);
		return;
	}
	take_lines(&sim->flex2b, body, ans);
}
