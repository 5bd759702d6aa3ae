/* SPDX-License-Identifier: MIT */
/*
 * prodsmart.c - Prodsmart (Autodesk Fusion Operations): how a request carries
 * the token, what an answer means, how the token is got.  The operations stand
 * in prodsmart_table.c.
 *
 * The page documents 200, 201 and 204 without a pattern (a GET gives 201, a
 * POST 200), so any 2xx is success, whatever its body.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "outbound/prodsmart_priv.h"
#include "outbound/success.h"
#include "json/cj.h"

#define AUTHORIZATION "/api/authorization"
#define SCOPES "{\"scopes\":[\"productions_write\"]}"
#define TOKEN_MAX 4096
/* A token lives two hours; the page says nothing of renewal. */
#define TOKEN_USE_MS (INT64_C(110) * 60 * 1000)

static bool
no_token(const struct gan_conf_connector *c, const struct gan_operation *op)
{
	return op->basic_only || (op->basic_allowed && c->prodsmart_basic);
}

static int
put_basic(const struct gan_conf_connector *c, struct gan_wire *req, struct gan_err *err)
{
	return gan_wire_basic(
	    req, c->api_key.bytes, c->api_key.len, c->api_secret.bytes, c->api_secret.len, err);
}

static int
dress(const struct gan_conf_connector *c, const struct gan_operation *op, const char *token,
    struct gan_wire *req, struct gan_err *err)
{
	/* On every request, also without a body. */
	int rc = gan_wire_header(req, "Content-Type", "application/json", err);

	if (rc == GAN_OK)
		rc = gan_wire_header(req, "Accept", "application/json", err);
	if (rc < 0)
		return rc;
	if (no_token(c, op))
		return put_basic(c, req, err);
	return gan_wire_query(req, "access_token", token, strlen(token), true, err);
}

/* ---- the answer ------------------------------------------------------------- */

/* Does this refusal of a repeat say that the first one was carried out? */
static bool
says_done(const struct gan_operation *op, int status)
{
	char word[16];
	const char *at;

	if (op->done == NULL)
		return false;
	snprintf(word, sizeof(word), "%d ", status);
	at = strstr(op->done, word);
	return at != NULL;
}

static void
judge_refusal(const struct gan_operation *op, const struct gan_asked *asked, const cJSON *answer,
    const struct gan_response *resp, struct gan_judged *j)
{
	char said[320];

	gan_connector_vendor_text(answer, resp->status, j->text, sizeof(j->text));
	if (!asked->maybe_sent || !says_done(op, resp->status))
		return;
	snprintf(said, sizeof(said), "%.319s", j->text);
	j->outcome = GAN_OUTCOME_ALREADY;
	snprintf(j->text, sizeof(j->text), "done by an earlier attempt, as it seems: %s", said);
}

static void
judge(const struct gan_operation *op, const struct gan_asked *asked,
    const struct gan_response *resp, struct gan_judged *j)
{
	cJSON *answer GAN_AUTO(gan_cj_free) = NULL;

	gan_outcome_of(resp, j);
	if (resp->sent != GAN_COMPLETE || j->outcome == GAN_OUTCOME_REDIRECT)
		return;
	if (gan_cj_parse(resp->body, resp->body_len, &answer, NULL) < 0)
		answer = NULL;
	if (op->success != NULL) { /* declared */
		gan_success_judge(op->success, resp, answer, j);
	} else if (j->outcome == GAN_OUTCOME_REFUSED) {
		judge_refusal(op, asked, answer, resp, j);
	} else if (j->outcome == GAN_OUTCOME_OK) {
		j->response = gan_connector_keep(answer, resp);
		if (resp->status == 204 && op->body == GAN_BODY_EMPTY) {
			j->outcome = GAN_OUTCOME_ALREADY;
			snprintf(j->text, sizeof(j->text), "HTTP 204: it was active already");
		}
	} else if (j->outcome == GAN_OUTCOME_BUSY && op->one_at_a_time &&
		   resp->retry_after == NULL) {
		j->outcome = GAN_OUTCOME_TURN;
	}
}

/* ---- the token ---------------------------------------------------------------- */

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
	req->method = "POST";
	req->body = SCOPES;
	req->body_len = sizeof(SCOPES) - 1;
	rc = gan_wire_url(req, c->base_url, AUTHORIZATION, err);
	if (rc == GAN_OK)
		rc = gan_wire_header(req, "Content-Type", "application/json", err);
	if (rc == GAN_OK)
		rc = put_basic(c, req, err);
	return rc == GAN_OK ? gan_connector_hide(c, req, err) : rc;
}

static int
token_read(const struct gan_response *resp, int64_t now_ms, struct gan_token_life *ret_life,
    struct gan_err *err)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	const char *token;

	(void)now_ms;
	if (gan_cj_parse(resp->body, resp->body_len, &tree, NULL) < 0)
		return gan_err_set(err, GAN_EPARSE, "the answer to the token request is no JSON");
	token = gan_cj_str(tree, "token");
	if (token == NULL || token[0] == '\0' || strlen(token) >= TOKEN_MAX)
		return gan_err_set(err, GAN_EPARSE, "the answer has no member token");
	ret_life->token = strdup(token);
	if (ret_life->token == NULL)
		return gan_err_set(err, GAN_ENOMEM, "token");
	ret_life->use_ms = TOKEN_USE_MS;
	return GAN_OK;
}

const struct gan_kind gan_kind_prodsmart = {
	.name = "prodsmart",
	.operations = gan_prodsmart_operations,
	.noperations = GAN_PRODSMART_OPERATIONS,
	.dress = dress,
	.judge = judge,
	.token_mode = token_mode,
	.no_token = no_token,
	.token_request = token_request,
	.token_read = token_read,
};
