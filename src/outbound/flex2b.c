/* SPDX-License-Identifier: MIT */
/*
 * flex2b.c - Flex²B, 3PL API: replicationpost.
 *
 * The code in the body and the HTTP status may disagree; the worse one counts.
 * 402, 403 and 499 do not mean here what they mean elsewhere.  A success says
 * that the post was received, no more.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "outbound/connector.h"
#include "outbound/gs1.h"
#include "json/cj.h"

#define LINES_MAX 100
/* Exactly this text, on GET too: another one is answered with 499. */
#define CONTENT_TYPE "application/json; charset=utf8"

static const struct gan_field post_fields[] = {
	{ .name = "repLines", .type = GAN_FIELD_OBJECTS, .required = true, .max_items = LINES_MAX },
};

/* The apiuuids stay the same on every resend: the receiver can recognise them. */
static const struct gan_operation operations[] = {
	{ .name = "replicationpost",
	    .method = "POST",
	    .path = "/v1/replicationpost",
	    .repeat = GAN_REPEAT_KEYED,
	    .fields = post_fields,
	    .nfields = GAN_COUNT(post_fields) },
};

/* ---- before sending ------------------------------------------------------ */

static bool
is_uuid(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
	}
	return n == 36;
}

static int
check_nodes(const cJSON *nodes, struct gan_err *err)
{
	const cJSON *node;
	size_t i = 0;

	if (!cJSON_IsArray(nodes) || cJSON_GetArraySize(nodes) == 0)
		return gan_err_set(err, GAN_EINVAL, "nodes must be a list of {name, value}");
	cJSON_ArrayForEach(node, nodes)
	{
		const char *name = gan_cj_str(node, "name");
		char shown[48];

		if (name == NULL || name[0] == '\0')
			return gan_err_set(err, GAN_EINVAL, "nodes[%zu].name must be a text", i);
		if (gan_cj_str(node, "value") == NULL)
			return gan_err_set(err, GAN_EINVAL,
			    "nodes[%zu].value (%s) must be a text, numbers and dates too", i,
			    gan_printable(name, strlen(name), shown, sizeof(shown)));
		i++;
	}
	return GAN_OK;
}

static int
check_line(const cJSON *line, const char **ret_uuid, struct gan_err *err)
{
	static const char ids[] = "PH PD HI OH OD LH DD LD ";
	const char *id = gan_cj_str(line, "apiid"), *uuid = gan_cj_str(line, "apiuuid");
	const char *sender = gan_cj_str(line, "senderidentification");
	const char *at;
	char shown[48];

	if (uuid == NULL)
		return gan_err_set(err, GAN_EINVAL, "apiuuid is missing");
	if (!is_uuid(uuid))
		return gan_err_set(err, GAN_EINVAL, "apiuuid \"%s\" is no UUID",
		    gan_printable(uuid, strlen(uuid), shown, sizeof(shown)));
	if (id == NULL)
		return gan_err_set(err, GAN_EINVAL, "apiid is missing");
	at = strlen(id) == 2 ? strstr(ids, id) : NULL;
	if (at == NULL || at[2] != ' ')
		return gan_err_set(err, GAN_EINVAL, "apiid is \"%s\", allowed: %s",
		    gan_printable(id, strlen(id), shown, sizeof(shown)), ids);
	if (sender == NULL || sender[0] == '\0')
		return gan_err_set(err, GAN_EINVAL, "senderidentification is missing");
	*ret_uuid = uuid;
	return check_nodes(gan_cj_get(line, "nodes"), err);
}

static int
check(const struct gan_conf_connector *c, const struct gan_operation *op, const cJSON *body,
    char warning[256], struct gan_err *err)
{
	const char *uuids[LINES_MAX];
	const cJSON *line;
	size_t n = 0;
	int rc;

	(void)c;
	(void)op;
	(void)warning;
	cJSON_ArrayForEach(line, gan_cj_get(body, "repLines"))
	{
		rc = check_line(line, &uuids[n], err);
		if (rc < 0)
			return gan_err_wrap(err, rc, "repLines[%zu]", n);
		n++;
	}
	rc = gan_gs1_distinct(uuids, n, err);
	return rc < 0 ? gan_err_wrap(err, rc, "apiuuid") : rc;
}

static int
dress(const struct gan_conf_connector *c, const struct gan_operation *op, const char *token,
    struct gan_wire *req, struct gan_err *err)
{
	int rc = gan_wire_header(req, "Content-Type", CONTENT_TYPE, err);

	(void)op;
	if (rc == GAN_OK)
		rc = gan_wire_secret(req, "Authorization", c->flex2b_raw ? "" : "Bearer ", token,
		    strlen(token), err);
	return rc;
}

/* ---- the answer ---------------------------------------------------------- */

/* ResponseCode as a number or as digits; 0 when there is none. */
static int
response_code(const cJSON *answer)
{
	const char *s = gan_cj_str(answer, "ResponseCode");
	double n = gan_cj_num(answer, "ResponseCode", 0);

	if (s != NULL && strlen(s) == 3 && strspn(s, "0123456789") == 3)
		return (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
	return n >= 1 && n <= 999 ? (int)n : 0;
}

static bool
either(int a, int b, int code)
{
	return a == code || b == code;
}

/* The worse of two codes: doubt first, then who is to blame. */
static enum gan_outcome
worse(int http, int code)
{
	bool doubt = (http >= 500 && http != 503) || (code >= 500 && code != 503);

	if (http >= 300 && http < 400)
		return GAN_OUTCOME_REDIRECT;
	if (doubt)
		return GAN_OUTCOME_AMBIGUOUS;
	if (either(http, code, 429) || either(http, code, 503))
		return GAN_OUTCOME_BUSY;
	if (either(http, code, 401) || either(http, code, 403))
		return GAN_OUTCOME_TOKEN;
	if (http >= 400 || code >= 300 || (code != 0 && code < 200))
		return GAN_OUTCOME_REFUSED;
	/* 200 and 200 is success; any other 2xx was never described. */
	return http == 200 && code == 200 ? GAN_OUTCOME_OK : GAN_OUTCOME_AMBIGUOUS;
}

static void
explain(int code, const cJSON *answer, const struct gan_response *resp, struct gan_judged *j)
{
	const char *text = gan_cj_str(answer, "ResponseMessage");
	char shown[200];

	if (text != NULL)
		gan_printable(text, strlen(text), shown, sizeof(shown));
	if (code == 0 && resp->status >= 200 && resp->status < 300)
		snprintf(j->text, sizeof(j->text), "HTTP %d without a ResponseCode", resp->status);
	else if (code != 0)
		snprintf(j->text, sizeof(j->text), "HTTP %d, ResponseCode %d: %s", resp->status,
		    code, text != NULL ? shown : "no message");
	if (either(resp->status, code, 499))
		strncat(j->text, " (invalid content type: does a proxy change the header?)",
		    sizeof(j->text) - strlen(j->text) - 1);
}

static void
judge(const struct gan_operation *op, const struct gan_asked *asked,
    const struct gan_response *resp, struct gan_judged *j)
{
	cJSON *answer GAN_AUTO(gan_cj_free) = NULL;
	int code;

	(void)op;
	(void)asked;
	gan_outcome_of(resp, j);
	if (resp->sent != GAN_COMPLETE)
		return;
	if (gan_cj_parse(resp->body, resp->body_len, &answer, NULL) < 0)
		answer = NULL;
	code = response_code(answer);
	j->outcome = worse(resp->status, code);
	if (j->outcome == GAN_OUTCOME_REDIRECT)
		return;
	if (j->outcome != GAN_OUTCOME_OK) {
		explain(code, answer, resp, j);
		return;
	}
	if (gan_cj_str(answer, "CommunicationID") == NULL)
		snprintf(j->text, sizeof(j->text), "received, but no CommunicationID came back");
	j->response = gan_connector_keep(answer, resp);
}

/* ---- the token ----------------------------------------------------------- */

static enum gan_token_mode
token_mode(const struct gan_conf_connector *c)
{
	(void)c;
	return GAN_TOKEN_FETCHED;
}

static int
token_request(
    const struct gan_conf_connector *c, struct gan_wire *req, char **ret_body, struct gan_err *err)
{
	int rc;

	(void)ret_body;
	req->method = "GET";
	rc = gan_wire_url(req, c->base_url, "/v1/generatetoken", err);
	if (rc == GAN_OK)
		rc = gan_wire_header(req, "Content-Type", CONTENT_TYPE, err);
	if (rc == GAN_OK)
		rc = gan_wire_basic(
		    req, c->user.bytes, c->user.len, c->password.bytes, c->password.len, err);
	return rc == GAN_OK ? gan_connector_hide(c, req, err) : rc;
}

static int
token_read(const struct gan_response *resp, int64_t now_ms, struct gan_token_life *ret_life,
    struct gan_err *err)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	char text[400] = "no reason given";
	const char *token;
	double life;
	int code;

	(void)now_ms;
	if (gan_cj_parse(resp->body, resp->body_len, &tree, NULL) < 0)
		return gan_err_set(err, GAN_EPARSE, "the answer to the token request is no JSON");
	code = response_code(tree);
	gan_connector_vendor_text(tree, code, text, sizeof(text));
	if (code == 401 || code == 403)
		return gan_err_set(err, GAN_EAUTH, "user and password were refused: %s", text);
	token = gan_cj_str(tree, "AccessToken");
	if (code != 200 || token == NULL || token[0] == '\0')
		return gan_err_set(
		    err, GAN_EPARSE, "the answer has no AccessToken (ResponseCode %d)", code);
	life = gan_cj_num(tree, "ExpirationMs", 0);
	if (life <= 0 || life > 1e11)
		return gan_err_set(err, GAN_EPARSE,
		    "ExpirationMs is %.0f, expected a duration in milliseconds", life);
	ret_life->token = strdup(token);
	if (ret_life->token == NULL)
		return gan_err_set(err, GAN_ENOMEM, "token");
	ret_life->use_ms = (int64_t)(life * 0.8);
	return GAN_OK;
}

const struct gan_kind gan_kind_flex2b = {
	.name = "flex2b",
	.operations = operations,
	.noperations = GAN_COUNT(operations),
	.check = check,
	.dress = dress,
	.judge = judge,
	.token_mode = token_mode,
	.token_request = token_request,
	.token_read = token_read,
};
