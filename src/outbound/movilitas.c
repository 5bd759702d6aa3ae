/* SPDX-License-Identifier: MIT */
/*
 * movilitas.c - Movilitas.Cloud, Manufacturer V2 API: decommission serials,
 * release SSCCs.
 *
 * The vendor's pages show neither the HTTP statuses nor the JSON of errors,
 * and name the same errors in two ways; so an error is known by its code or
 * name anywhere in the body.  Success is only what says success and, where a
 * list comes back, names every serial that was asked for.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "outbound/connector.h"
#include "outbound/success.h"
#include "json/cj.h"

#define BASE "/v1/manufacturer/v2/api" /* both versions belong there */
#define ITEMS_MAX 500
#define TOKEN_MAX 8192

static const struct gan_field decommission_fields[] = {
	{ .name = "product_code", .type = GAN_FIELD_GTIN, .required = true },
	{ .name = "product_code_schema",
	    .type = GAN_FIELD_STRING,
	    .required = true,
	    .allowed = "GTIN " },
	{ .name = "reason",
	    .type = GAN_FIELD_STRING,
	    .required = true,
	    .allowed = "destroy sample free_sample check_out lock export " },
	{ .name = "send_to_market", .type = GAN_FIELD_BOOL, .required = true },
	/* The vendor's list of them is out of date. */
	{ .name = "market_id", .type = GAN_FIELD_STRING },
	{ .name = "serials", .type = GAN_FIELD_SERIALS, .required = true, .max_items = ITEMS_MAX },
};

static const struct gan_field release_fields[] = {
	{ .name = "ssccs", .type = GAN_FIELD_SSCCS, .required = true, .max_items = ITEMS_MAX },
};

/*
 * A released number may belong to somebody else a moment later: repeating a
 * release could free theirs.  A decommission is final and names its serials,
 * so one repeat is possible where it is configured.
 */
static const struct gan_operation operations[] = {
	{ .name = "serials.decommission",
	    .method = "POST",
	    .path = BASE "/serials/decommission",
	    .repeat = GAN_REPEAT_ONCE,
	    .fields = decommission_fields,
	    .nfields = GAN_COUNT(decommission_fields) },
	{ .name = "ssccs.release",
	    .method = "POST",
	    .path = BASE "/ssccs/release",
	    .repeat = GAN_REPEAT_HOLD,
	    .fields = release_fields,
	    .nfields = GAN_COUNT(release_fields) },
};

/* The list of codes that an operation is about. */
static const cJSON *
codes_of(const struct gan_operation *op, const cJSON *body)
{
	return gan_cj_get(body, op->fields == release_fields ? "ssccs" : "serials");
}

/* ---- the request ---------------------------------------------------------- */

static int
dress(const struct gan_conf_connector *c, const struct gan_operation *op, const char *token,
    struct gan_wire *req, struct gan_err *err)
{
	int rc = gan_wire_header(req, "Content-Type", "application/json", err);

	(void)op;
	if (rc == GAN_OK)
		rc = gan_wire_header(req, "Accept", "application/json", err);
	if (rc == GAN_OK)
		rc = c->movilitas_bearer
			 ? gan_wire_secret(
			       req, "Authorization", "Bearer ", token, strlen(token), err)
			 : gan_wire_secret(req, "x-access-token", "", token, strlen(token), err);
	if (rc == GAN_OK)
		rc = gan_wire_secret(
		    req, "x-channel-key", "", c->channel_key.bytes, c->channel_key.len, err);
	return rc;
}

/* ---- the answer ---------------------------------------------------------- */

static const struct {
	const char *text;
	enum gan_outcome outcome;
} signs[] = {
	{ "InvalidTokenError", GAN_OUTCOME_TOKEN },
	{ "ERR0000", GAN_OUTCOME_TOKEN },
	{ "Failed to authenticate token", GAN_OUTCOME_TOKEN },
	{ "NoTokenError", GAN_OUTCOME_CONFIG },
	{ "ERR0001", GAN_OUTCOME_CONFIG },
	{ "No token provided", GAN_OUTCOME_CONFIG },
	{ "Channel ID", GAN_OUTCOME_CONFIG },
	{ "ProductError", GAN_OUTCOME_REFUSED },
	{ "ValidationError", GAN_OUTCOME_REFUSED },
	{ "Validation error", GAN_OUTCOME_REFUSED },
	{ "Request body could not be parsed", GAN_OUTCOME_REFUSED },
	{ "not in Assigned status", GAN_OUTCOME_REFUSED },
};

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_';
}

/* As a word of its own, in any case. */
static bool
mentions(const char *body, size_t len, const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(body + i, text, n) == 0 && (i == 0 || !is_word(body[i - 1])) &&
		    (i + n == len || !is_word(body[i + n])))
			return true;
	return false;
}

static bool
object_says(const cJSON *object, const char *text, bool any_case)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, object)
	{
		if (cJSON_IsString(m) && (any_case ? strcasecmp(m->valuestring, text)
						   : strcmp(m->valuestring, text)) == 0)
			return true;
	}
	return false;
}

/* Is there, at any depth, an object with both the code and that status? */
static bool
listed_as(const cJSON *tree, const char *code, const char *status)
{
	const cJSON *item;

	if (cJSON_IsObject(tree) && object_says(tree, code, false) &&
	    object_says(tree, status, true))
		return true;
	cJSON_ArrayForEach(item, tree)
	{
		if (listed_as(item, code, status))
			return true;
	}
	return false;
}

static bool
all_listed_as(const cJSON *tree, const cJSON *codes, const char *status)
{
	const cJSON *code;

	if (tree == NULL || cJSON_GetArraySize(codes) == 0)
		return false;
	cJSON_ArrayForEach(code, codes)
	{
		if (!cJSON_IsString(code) || !listed_as(tree, code->valuestring, status))
			return false;
	}
	return true;
}

static bool
serial_confirmed(const cJSON *data, const char *serial)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, data)
	{
		const char *status = gan_cj_str(item, "status");

		if (gan_streq(gan_cj_str(item, "serial_number"), serial))
			return status != NULL && strcasecmp(status, "Decommissioned") == 0;
	}
	return false;
}

/* The answer lists the serials in another order than the request. */
static void
match_serials(const cJSON *serials, const cJSON *answer, struct gan_judged *j)
{
	const cJSON *data = gan_cj_get(answer, "data"), *s;
	size_t n = 0, good = 0, used = 0;
	char missing[200] = "", shown[48];

	cJSON_ArrayForEach(s, serials)
	{
		n++;
		if (!cJSON_IsString(s))
			continue;
		if (serial_confirmed(data, s->valuestring)) {
			good++;
		} else if (used < sizeof(missing) - 60) {
			gan_printable(s->valuestring, strlen(s->valuestring), shown, sizeof(shown));
			used += (size_t)snprintf(missing + used, sizeof(missing) - used, "%s%s",
			    used > 0 ? ", " : "", shown);
		}
	}
	j->outcome = good == n ? GAN_OUTCOME_OK : GAN_OUTCOME_PARTIAL;
	if (good != n)
		snprintf(j->text, sizeof(j->text),
		    "partial answer: %zu of %zu serials confirmed as Decommissioned, not: %s", good,
		    n, missing);
}

static void
judge_failure(const struct gan_operation *op, const struct gan_asked *asked, const cJSON *codes,
    const cJSON *answer, const struct gan_response *resp, struct gan_judged *j)
{
	if (op->success == NULL) /* else it has said why already */
		gan_connector_vendor_text(answer, resp->status, j->text, sizeof(j->text));
	if (op->fields == release_fields && asked->maybe_sent &&
	    all_listed_as(answer, codes, "Available")) {
		j->outcome = GAN_OUTCOME_ALREADY;
		snprintf(j->text, sizeof(j->text),
		    "already released: all SSCCs are Available after an earlier attempt");
		return;
	}
	for (size_t i = 0; i < GAN_COUNT(signs); i++)
		if (mentions(resp->body, resp->body_len, signs[i].text)) {
			j->outcome = signs[i].outcome;
			return;
		}
}

/* A complete 2xx. */
static void
judge_success(const struct gan_operation *op, const struct gan_asked *asked, const cJSON *codes,
    const cJSON *answer, const struct gan_response *resp, struct gan_judged *j)
{
	const cJSON *success = gan_cj_get(answer, "success");

	if (cJSON_IsFalse(success)) {
		j->outcome = GAN_OUTCOME_REFUSED;
		snprintf(j->text, sizeof(j->text), "HTTP %d with success: false", resp->status);
		judge_failure(op, asked, codes, answer, resp, j);
	} else if (!cJSON_IsTrue(success)) {
		j->outcome = GAN_OUTCOME_AMBIGUOUS;
		snprintf(j->text, sizeof(j->text),
		    "HTTP %d, but the answer does not say whether it succeeded", resp->status);
		judge_failure(op, asked, codes, answer, resp, j);
	} else {
		if (op->fields == decommission_fields)
			match_serials(codes, answer, j);
		j->response = gan_connector_keep(answer, resp);
	}
}

static void
judge(const struct gan_operation *op, const struct gan_asked *asked,
    const struct gan_response *resp, struct gan_judged *j)
{
	cJSON *answer GAN_AUTO(gan_cj_free) = NULL, *body GAN_AUTO(gan_cj_free) = NULL;
	const cJSON *codes;

	gan_outcome_of(resp, j);
	if (resp->sent != GAN_COMPLETE || j->outcome == GAN_OUTCOME_BUSY ||
	    j->outcome == GAN_OUTCOME_REDIRECT)
		return;
	if (gan_cj_parse(resp->body, resp->body_len, &answer, NULL) < 0)
		answer = NULL;
	if (gan_cj_parse(asked->body, asked->body_len, &body, NULL) < 0)
		body = NULL;
	codes = codes_of(op, body);
	if (op->success != NULL) {
		gan_success_judge(op->success, resp, answer, j);
		if (j->outcome != GAN_OUTCOME_OK && j->outcome != GAN_OUTCOME_ALREADY)
			judge_failure(op, asked, codes, answer, resp, j);
	} else if (j->outcome == GAN_OUTCOME_OK)
		judge_success(op, asked, codes, answer, resp, j);
	else
		judge_failure(op, asked, codes, answer, resp, j);
}

/* ---- the token ----------------------------------------------------------- */

static enum gan_token_mode
token_mode(const struct gan_conf_connector *c)
{
	return c->token.bytes != NULL ? GAN_TOKEN_STATIC : GAN_TOKEN_FETCHED;
}

static int
token_request(
    const struct gan_conf_connector *c, struct gan_wire *req, char **ret_body, struct gan_err *err)
{
	struct gan_buf body GAN_AUTO(gan_buf_fini) = { 0 };
	int rc;

	gan_buf_puts(&body, "{\"api_key\":");
	gan_buf_json(&body, c->api_key.bytes, c->api_key.len);
	gan_buf_puts(&body, ",\"api_secret\":");
	gan_buf_json(&body, c->api_secret.bytes, c->api_secret.len);
	gan_buf_putc(&body, '}');
	req->method = "POST";
	rc = gan_wire_url(req, c->base_url, "/v1/api_auth", err);
	if (rc == GAN_OK)
		rc = gan_wire_header(req, "Content-Type", "application/json", err);
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

/*
 * How long a JWT lives: exp - iat, which no clock of ours can spoil; else
 * until exp.  0 when it is none.
 */
static int64_t
jwt_life_ms(const char *token, int64_t now_ms)
{
	unsigned char text[TOKEN_MAX];
	cJSON *claims GAN_AUTO(gan_cj_free) = NULL;
	const char *from = strchr(token, '.'), *to;
	double exp, iat;
	int n;

	to = from != NULL ? strchr(from + 1, '.') : NULL;
	if (to == NULL)
		return 0;
	n = gan_base64_decode(from + 1, (size_t)(to - from - 1), text, sizeof(text));
	if (n <= 0 || gan_cj_parse((const char *)text, (size_t)n, &claims, NULL) < 0)
		return 0;
	exp = gan_cj_num(claims, "exp", 0);
	iat = gan_cj_num(claims, "iat", (double)now_ms / 1000.0);
	if (!isfinite(exp) || !isfinite(iat) || exp <= iat || exp - iat > 30.0 * 86400)
		return 0;
	return (int64_t)((exp - iat) * 1000.0);
}

/* The vendor's page is cut off before the member's name. */
static const char *
token_member(const cJSON *tree)
{
	const cJSON *data = gan_cj_get(tree, "data");
	const char *at[] = { gan_cj_str(tree, "token"), gan_cj_str(data, "token"),
		gan_cj_str(data, "access_token") };

	for (size_t i = 0; i < GAN_COUNT(at); i++)
		if (at[i] != NULL && at[i][0] != '\0')
			return at[i];
	return NULL;
}

static int
token_read(const struct gan_response *resp, int64_t now_ms, struct gan_token_life *ret_life,
    struct gan_err *err)
{
	const int64_t hour = 3600000, early = 600000;
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	char text[400] = "no reason given";
	const char *token;
	int64_t life;

	if (gan_cj_parse(resp->body, resp->body_len, &tree, NULL) < 0)
		return gan_err_set(err, GAN_EPARSE, "the answer to the token request is no JSON");
	gan_connector_vendor_text(tree, resp->status, text, sizeof(text));
	if (cJSON_IsFalse(gan_cj_get(tree, "success")))
		return gan_err_set(err, GAN_EAUTH, "api_key and api_secret were refused: %s", text);
	token = token_member(tree);
	if (token == NULL || strlen(token) >= TOKEN_MAX)
		return gan_err_set(err, GAN_EPARSE,
		    "the answer has no token (looked at token, data.token, data.access_token)");
	life = jwt_life_ms(token, now_ms);
	if (life == 0)
		life = 23 * hour;
	else
		life = life > 2 * early ? life - early : life / 2;
	ret_life->token = strdup(token);
	if (ret_life->token == NULL)
		return gan_err_set(err, GAN_ENOMEM, "token");
	ret_life->use_ms = life;
	return GAN_OK;
}

const struct gan_kind gan_kind_movilitas = {
	.name = "movilitas",
	.operations = operations,
	.noperations = GAN_COUNT(operations),
	.dress = dress,
	.judge = judge,
	.token_mode = token_mode,
	.token_request = token_request,
	.token_read = token_read,
};
