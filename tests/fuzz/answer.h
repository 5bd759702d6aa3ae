/* SPDX-License-Identifier: MIT */
/*
 * answer.h - answers of a vendor.  The input: "STATUS FLAGS" on the first line
 * (0 to 499 means 100 to 599; u: unreadable, n: no answer, m: an earlier attempt may have been
 * carried out), the body that was asked on the second, the answer's body behind it.
 */
#pragma once

#include <stdio.h>

#include "fuzz.h"
#include "outbound/connector.h"
#include "json/check.h"

struct fuzz_answer {
	struct gan_asked asked;
	struct gan_response resp;
	char *head, *body, *ask;
};

static inline bool
fuzz_answer_read(struct fuzz_answer *a, const uint8_t *data, size_t size)
{
	struct fuzz_in in = { (const char *)data, size };

	memset(a, 0, sizeof(*a));
	a->head = fuzz_line(&in);
	a->ask = fuzz_line(&in);
	a->body = fuzz_text(in.p, in.left);
	if (a->ask == NULL)
		return false;
	a->asked = (struct gan_asked){ a->ask, strlen(a->ask), strchr(a->head, 'm') != NULL };
	a->resp.sent = GAN_COMPLETE;
	if (strchr(a->head, 'u') != NULL)
		a->resp.sent = GAN_UNREADABLE;
	a->resp.status = (int)(strtoul(a->head, NULL, 10) % 500 + 100);
	if (strchr(a->head, 'n') != NULL) {
		a->resp.sent = GAN_MAYBE_SENT;
		a->resp.status = 0;
	}
	if (a->resp.sent != GAN_COMPLETE)
		(void)snprintf(a->resp.error, sizeof(a->resp.error), "cut off");
	a->resp.head = a->head;
	a->resp.body = a->body;
	a->resp.body_len = in.left;
	return true;
}

static inline void
fuzz_answer_fini(struct fuzz_answer *a)
{
	free(a->head);
	free(a->body);
	free(a->ask);
}

/* The answer to an operation: nothing but a whole, plain success is one. */
static inline enum gan_outcome
fuzz_judge_op(
    const struct gan_kind *kind, const struct gan_operation *op, const struct fuzz_answer *a)
{
	struct gan_judged j = { 0 };

	kind->judge(op, &a->asked, &a->resp, &j);
	gan_must(j.outcome < GAN_OUTCOME_N && strlen(j.text) < sizeof(j.text));
	if (j.outcome == GAN_OUTCOME_OK)
		gan_must(
		    a->resp.sent == GAN_COMPLETE && a->resp.status >= 200 && a->resp.status < 300);
	else
		gan_must(j.text[0] != '\0');
	if (j.response != NULL)
		gan_must(gan_json_check(
			     j.response, strlen(j.response), GAN_JSON_DEPTH, NULL, NULL) == GAN_OK);
	free(j.response);
	return j.outcome;
}

static inline enum gan_outcome
fuzz_judge(const struct gan_kind *kind, size_t op, const struct fuzz_answer *a)
{
	return fuzz_judge_op(kind, &kind->operations[op], a);
}

/* The answer as one to a token request. */
static inline void
fuzz_token(const struct gan_kind *kind, const struct fuzz_answer *a)
{
	struct gan_token_life life = { 0 };
	struct gan_err err = { 0 };
	int rc = kind->token_read(&a->resp, INT64_C(1795287731123), &life, &err);

	if (rc == GAN_OK)
		gan_must(life.token != NULL && life.token[0] != '\0' && life.use_ms >= 0);
	else
		gan_must((rc == GAN_EAUTH || rc == GAN_EPARSE) && err.msg[0] != '\0');
	free(life.token);
}

/* The answer's body as one to be sent; what passes the check can be built. */
static inline void
fuzz_request_op(
    const struct gan_conf_connector *c, const struct gan_operation *o, const struct fuzz_answer *a)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_err err = { 0 };
	char warning[256];
	size_t len = a->resp.body_len;

	int rc = gan_connector_check(c, o, a->body, len, warning, &err);

	/* Anything else would be tried again, for ever. */
	if (rc < 0) {
		gan_must(rc == GAN_EINVAL || rc == GAN_ELIMIT);
		return;
	}
	gan_must(gan_connector_build(c, o, a->body, len, "token-1", &req, &err) == GAN_OK);
	if (o->body == GAN_BODY_OBJECT)
		gan_must((const char *)req.body >= a->body &&
			 (const char *)req.body + req.body_len <= a->body + len);
	/* Whatever stood in the output: the same server, and nothing that a URL cannot hold. */
	gan_must(strncmp(req.url, c->base_url, strlen(c->base_url)) == 0);
	for (const char *u = req.url; *u != '\0'; u++)
		gan_must(*u > ' ' && *u < 0x7f && *u != '#');
}

static inline void
fuzz_request(const struct gan_conf_connector *c, const struct gan_kind *kind, size_t op,
    const struct fuzz_answer *a)
{
	fuzz_request_op(c, &kind->operations[op], a);
}
