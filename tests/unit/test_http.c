/* SPDX-License-Identifier: MIT */
/* test_http.c - kind http: how requests are dressed, tokens read, answers judged. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "conf/operation.h"
#include "outbound/connector.h"
#include "outbound/success.h"

#define TEXT(s) ((char *)(uintptr_t)(s))
#define SECRET(s)                                                                                  \
	{                                                                                          \
		TEXT("name"), TEXT(s), sizeof(s) - 1                                               \
	}

static struct gan_err err;
static const struct gan_operation post = { .name = "post",
	.method = "POST",
	.path = "/orders",
	.repeat = GAN_REPEAT_HOLD,
	.body = GAN_BODY_ANY,
	.any_query = true };

static struct gan_conf_connector
erp(struct gan_conf_auth auth)
{
	return (struct gan_conf_connector){ .name = TEXT("erp"),
		.kind = GAN_CONNECTOR_HTTP,
		.base_url = TEXT("https://erp.example.com/api"),
		.ca_file = TEXT("/etc/ca.pem"),
		.deliver = { .connect_ms = 1000, .total_ms = 2000 },
		.auth = auth };
}

static const char *
header(const struct gan_wire *req, const char *name)
{
	for (size_t i = 0; i < req->nheaders; i++)
		if (strcmp(req->headers[i].name, name) == 0)
			return req->headers[i].value;
	return NULL;
}

/* ---- the request ------------------------------------------------------------------ */

static void
build(const struct gan_conf_connector *c, const char *output, struct gan_wire *req)
{
	char warning[256];
	size_t n = strlen(output);

	ck_assert_msg(
	    gan_connector_check(c, &post, output, n, warning, &err) == GAN_OK, "%s", err.msg);
	ck_assert_msg(gan_connector_build(c, &post, output, n, "token-1", req, &err) == GAN_OK,
	    "%s", err.msg);
}

START_TEST(a_request_is_dressed)
{
	struct gan_conf_connector c = erp((struct gan_conf_auth){ 0 });
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_wire bare GAN_AUTO(gan_wire_fini) = { 0 };

	c.headers[0] = (struct gan_conf_header){ TEXT("X-Plant"), TEXT("porto-1") };
	c.nheaders = 1;
	build(&c, "{\"a\": 1.50}", &req);
	ck_assert_str_eq(req.url, "https://erp.example.com/api/orders");
	ck_assert_str_eq(req.method, "POST");
	ck_assert_uint_eq(req.body_len, 11); /* byte by byte */
	ck_assert_str_eq(header(&req, "Content-Type"), "application/json");
	ck_assert_str_eq(header(&req, "Accept"), "application/json");
	ck_assert_str_eq(header(&req, "X-Plant"), "porto-1");
	ck_assert_ptr_null(header(&req, "Authorization"));
	ck_assert_str_eq(req.ca_file, "/etc/ca.pem");
	ck_assert_ptr_null(req.client_cert);
	ck_assert(!req.repeatable);
	build(&c, "{\"$query\":{\"a\":[\"x y\",2.0,true],\"b\":null}}", &bare);
	ck_assert_str_eq(bare.url, "https://erp.example.com/api/orders?a=x%20y&a=2.0&a=true");
	ck_assert_ptr_null(header(&bare, "Content-Type"));
	ck_assert_ptr_null(bare.body);
}
END_TEST

START_TEST(credentials_stand_in_one_header_and_are_masked)
{
	struct gan_conf_connector c = erp((struct gan_conf_auth){ .user = TEXT("gantry"),
	    .password = SECRET("pass:word"),
	    .cert_pem = SECRET("CERT"),
	    .key_pem = SECRET("KEY") });
	struct gan_wire basic GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_wire bearer GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_wire oauth GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_buf shown GAN_AUTO(gan_buf_fini) = { 0 };

	ck_assert_int_eq(gan_kind_http.token_mode(&c), GAN_TOKEN_STATIC);
	build(&c, "{}", &basic);
	ck_assert_str_eq(header(&basic, "Authorization"), "Basic Z2FudHJ5OnBhc3M6d29yZA==");
	ck_assert_str_eq(basic.client_cert, "CERT");
	ck_assert_str_eq(basic.client_key, "KEY");
	gan_wire_describe(&basic, &shown);
	ck_assert_ptr_nonnull(strstr(shown.data, "Authorization: (masked)"));
	ck_assert_ptr_null(strstr(shown.data, "Z2Fud"));
	ck_assert_uint_eq(basic.nsecrets, 2); /* the pair and the password */

	c = erp((struct gan_conf_auth){ .bearer = SECRET("static-token") });
	ck_assert_int_eq(gan_kind_http.token_mode(&c), GAN_TOKEN_STATIC);
	build(&c, "{}", &bearer);
	ck_assert_str_eq(header(&bearer, "Authorization"), "Bearer static-token");

	c = erp((struct gan_conf_auth){ .token_url = TEXT("https://id/t") });
	ck_assert_int_eq(gan_kind_http.token_mode(&c), GAN_TOKEN_FETCHED);
	build(&c, "{}", &oauth);
	ck_assert_str_eq(header(&oauth, "Authorization"), "Bearer token-1");
}
END_TEST

/* ---- OAuth 2 ---------------------------------------------------------------------------- */

START_TEST(a_token_is_asked_for)
{
	struct gan_conf_connector c =
	    erp((struct gan_conf_auth){ .token_url = TEXT("https://id.example.com/t?tenant=7"),
		.client_id = TEXT("a:b c"),
		.client_secret = SECRET("s=e&c r"),
		.scope = TEXT("read write") });
	struct gan_wire basic GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_wire in_body GAN_AUTO(gan_wire_fini) = { 0 };
	char *body GAN_AUTO(gan_str_free) = NULL, *other GAN_AUTO(gan_str_free) = NULL;
	unsigned char pair[64];
	int n;

	ck_assert_int_eq(gan_kind_http.token_request(&c, &basic, &body, &err), GAN_OK);
	ck_assert_str_eq(basic.url, "https://id.example.com/t?tenant=7");
	ck_assert_str_eq(basic.method, "POST");
	ck_assert_str_eq(header(&basic, "Content-Type"), "application/x-www-form-urlencoded");
	ck_assert_str_eq(body, "grant_type=client_credentials&scope=read%20write");
	ck_assert_uint_eq(strncmp(header(&basic, "Authorization"), "Basic ", 6), 0);
	n = gan_base64_decode(header(&basic, "Authorization") + 6,
	    strlen(header(&basic, "Authorization") + 6), pair, sizeof(pair) - 1);
	ck_assert_int_gt(n, 0);
	pair[n] = '\0';
	ck_assert_str_eq((char *)pair, "a%3Ab%20c:s%3De%26c%20r");

	c.auth.client_post = true;
	c.auth.scope = NULL;
	ck_assert_int_eq(gan_kind_http.token_request(&c, &in_body, &other, &err), GAN_OK);
	ck_assert_str_eq(other, "grant_type=client_credentials&client_id=a%3Ab%20c&"
				"client_secret=s%3De%26c%20r");
	ck_assert_ptr_null(header(&in_body, "Authorization"));
}
END_TEST

static const struct {
	const char *body;
	int64_t use_ms;    /* 0: none */
	const char *error; /* NULL: a token */
} tokens[] = {
	{ "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":3600}", 3540000, NULL },
	{ "{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":\"100\"}", 80000,
	    NULL },
	{ "{\"access_token\":\"t\",\"expires_in\":30.5}", 24400, NULL },
	{ "{\"access_token\":\"t\",\"expires_in\":null}", 240000, NULL },
	{ "{\"access_token\":\"t\"}", 240000, NULL },
	{ "{\"access_token\":\"t\",\"expires_in\":1e300}", 86340000, NULL },
	{ "{\"access_token\":\"t\",\"expires_in\":0}", 0, "expires_in" },
	{ "{\"access_token\":\"t\",\"expires_in\":-5}", 0, "expires_in" },
	{ "{\"access_token\":\"t\",\"expires_in\":\"\"}", 0, "expires_in" },
	{ "{\"access_token\":\"t\",\"expires_in\":\"1h\"}", 0, "expires_in" },
	{ "{\"access_token\":\"t\",\"expires_in\":\"nan\"}", 0, "expires_in" },
	{ "{\"access_token\":\"t\",\"expires_in\":true}", 0, "expires_in" },
	{ "{\"access_token\":\"t\",\"token_type\":\"mac\"}", 0,
	    "token_type is \"mac\": only bearer tokens can be used" },
	{ "{\"access_token\":\"\"}", 0, "no access_token" },
	{ "{\"access_token\":7}", 0, "no access_token" },
	{ "{\"token\":\"t\"}", 0, "no access_token" },
	{ "token=t", 0, "no JSON" },
};

START_TEST(a_token_is_read)
{
	struct gan_response resp = { .sent = GAN_COMPLETE,
		.status = 200,
		.body = TEXT(tokens[_i].body),
		.body_len = strlen(tokens[_i].body) };
	struct gan_token_life life = { 0 };
	int rc = gan_kind_http.token_read(&resp, 0, &life, &err);

	if (tokens[_i].error == NULL) {
		ck_assert_msg(rc == GAN_OK, "%s", err.msg);
		ck_assert_str_eq(life.token, "t");
		ck_assert_int_eq(life.use_ms, tokens[_i].use_ms);
	} else {
		ck_assert_int_eq(rc, GAN_EPARSE);
		ck_assert_ptr_null(life.token);
		ck_assert_msg(strstr(err.msg, tokens[_i].error) != NULL, "%s", err.msg);
	}
	free(life.token);
}
END_TEST

static const struct {
	int status;
	const char *body;
	int rc;
	const char *text;
} refusals[] = {
	{ 401, "{\"error\":\"invalid_client\"}", GAN_EAUTH, "HTTP 401: invalid_client" },
	{ 400, "{\"error\":\"invalid_scope\",\"error_description\":\"no such scope\"}", GAN_EAUTH,
	    "HTTP 400: no such scope (invalid_scope)" },
	{ 400, "{\"error\":\"temporarily_unavailable\"}", GAN_ENET,
	    "HTTP 400: temporarily_unavailable" },
	{ 400, "{\"message\":\"bad tenant\"}", GAN_OK, "HTTP 400: bad tenant" },
	{ 400, "{\"error\":\"\"}", GAN_OK, "" },
	{ 404, "<html>", GAN_OK, "" },
	{ 429, "{\"error\":\"invalid_client\"}", GAN_OK, "" },
	{ 503, "{\"error\":\"invalid_client\"}", GAN_OK, "" },
	{ 302, "{\"error\":\"invalid_client\"}", GAN_OK, "" },
};

START_TEST(a_refusal_says_why)
{
	struct gan_response resp = { .sent = GAN_COMPLETE,
		.status = refusals[_i].status,
		.body = TEXT(refusals[_i].body),
		.body_len = strlen(refusals[_i].body) };
	char text[512] = "";

	ck_assert_int_eq(gan_kind_http.token_refused(&resp, text, sizeof(text)), refusals[_i].rc);
	ck_assert_str_eq(text, refusals[_i].text);
}
END_TEST

/* ---- success ------------------------------------------------------------------------------ */

static const struct gan_success rule = { .codes = { 200, 201, 409 },
	.ncodes = 3,
	.field = TEXT("result.code"),
	.equals = { { .kind = GAN_SCALAR_NUMBER, .text = TEXT("0"), .number = 0 },
	    { .kind = GAN_SCALAR_TEXT, .text = TEXT("OK") },
	    { .kind = GAN_SCALAR_BOOL, .text = TEXT("true"), .truth = true } },
	.nequals = 3 };
static const struct gan_success any = { .any_2xx = true };
static const struct gan_success there = { .any_2xx = true, .field = TEXT("id") };

static const struct {
	const struct gan_success *rule;
	int status;
	const char *body;
	enum gan_outcome outcome;
	const char *text; /* in it; "": none at all */
} answers[] = {
	{ NULL, 200, "{}", GAN_OUTCOME_OK, "" },
	{ NULL, 204, "", GAN_OUTCOME_OK, "" },
	{ NULL, 200, "fine", GAN_OUTCOME_AMBIGUOUS, "the answer is no JSON: fine" },
	{ NULL, 400, "{\"title\":\"t\"}", GAN_OUTCOME_REFUSED, "HTTP 400: t" },
	{ NULL, 401, "", GAN_OUTCOME_TOKEN, "HTTP 401" },
	{ NULL, 500, "{\"detail\":\"d\"}", GAN_OUTCOME_AMBIGUOUS, "HTTP 500: d" },
	{ &any, 200, "fine", GAN_OUTCOME_OK, "" },
	{ &any, 299, "", GAN_OUTCOME_OK, "" },
	{ &any, 409, "", GAN_OUTCOME_REFUSED, "HTTP 409" },
	{ &there, 200, "{\"id\":0}", GAN_OUTCOME_OK, "" },
	{ &there, 200, "{\"id\":false}", GAN_OUTCOME_OK, "" },
	{ &there, 200, "{\"id\":null}", GAN_OUTCOME_REFUSED,
	    "no success: id is null, expected a value; HTTP 200: {\"id\":null}" },
	{ &there, 200, "[]", GAN_OUTCOME_REFUSED, "id is missing" },
	{ &there, 204, "", GAN_OUTCOME_AMBIGUOUS, "no JSON, so id cannot be looked at" },
	{ &rule, 200, "{\"result\":{\"code\":0}}", GAN_OUTCOME_OK, "" },
	{ &rule, 200, "{\"result\":{\"code\":0.0}}", GAN_OUTCOME_OK, "" },
	{ &rule, 201, "{\"result\":{\"code\":\"OK\"}}", GAN_OUTCOME_OK, "" },
	{ &rule, 201, "{\"result\":{\"code\":true}}", GAN_OUTCOME_OK, "" },
	{ &rule, 200, "{\"result\":{\"code\":false}}", GAN_OUTCOME_REFUSED,
	    "result.code is false, expected 0 or \"OK\" or true" },
	{ &rule, 200, "{\"result\":{\"code\":\"ok\"}}", GAN_OUTCOME_REFUSED, "is \"ok\"" },
	{ &rule, 200, "{\"result\":{\"code\":\"0\"}}", GAN_OUTCOME_REFUSED, "is \"0\"" },
	{ &rule, 200, "{\"result\":{\"codes\":0}}", GAN_OUTCOME_REFUSED, "is missing" },
	{ &rule, 200, "{\"result.code\":0}", GAN_OUTCOME_REFUSED, "is missing" },
	{ &rule, 200, "{\"result\":\"code\"}", GAN_OUTCOME_REFUSED, "is missing" },
	{ &rule, 202, "{\"result\":{\"code\":0}}", GAN_OUTCOME_REFUSED, "the status is 202" },
	{ &rule, 409, "{\"result\":{\"code\":5}}", GAN_OUTCOME_ALREADY,
	    "done before: HTTP 409 counts as success" },
	{ &rule, 404, "{\"result\":{\"code\":0}}", GAN_OUTCOME_REFUSED, "HTTP 404" },
	{ &rule, 500, "{\"result\":{\"code\":0}}", GAN_OUTCOME_AMBIGUOUS, "HTTP 500" },
};

START_TEST(an_answer_is_judged)
{
	struct gan_response resp = { .sent = GAN_COMPLETE,
		.status = answers[_i].status,
		.body = TEXT(answers[_i].body),
		.body_len = strlen(answers[_i].body) };
	struct gan_operation op = { .name = "o", .success = answers[_i].rule };
	struct gan_asked asked = { "{}", 2, false };
	struct gan_judged j = { 0 };

	gan_kind_http.judge(&op, &asked, &resp, &j);
	ck_assert_msg(j.outcome == answers[_i].outcome, "%d: %s", (int)j.outcome, j.text);
	if (answers[_i].text[0] == '\0')
		ck_assert_str_eq(j.text, "");
	ck_assert_msg(strstr(j.text, answers[_i].text) != NULL, "%s", j.text);
	/* Kept is what succeeded and is an object. */
	if ((j.outcome == GAN_OUTCOME_OK || j.outcome == GAN_OUTCOME_ALREADY) &&
	    answers[_i].body[0] == '{')
		ck_assert_str_eq(j.response, answers[_i].body);
	else
		ck_assert_ptr_null(j.response);
	free(j.response);
}
END_TEST

START_TEST(what_was_cut_or_is_busy_is_not_looked_into)
{
	char body[] = "{\"result\":{\"code\":0}}";
	struct gan_response resp = { .sent = GAN_UNREADABLE,
		.status = 200,
		.body = body,
		.body_len = sizeof(body) - 1,
		.error = "cut" };
	struct gan_operation op = { .name = "o", .success = &rule };
	struct gan_asked asked = { "{}", 2, false };
	struct gan_judged j = { 0 };

	gan_kind_http.judge(&op, &asked, &resp, &j);
	ck_assert_int_eq(j.outcome, GAN_OUTCOME_AMBIGUOUS);
	resp.sent = GAN_COMPLETE;
	resp.status = 503;
	gan_kind_http.judge(&op, &asked, &resp, &j);
	ck_assert_int_eq(j.outcome, GAN_OUTCOME_BUSY);
	resp.status = 307;
	gan_kind_http.judge(&op, &asked, &resp, &j);
	ck_assert_int_eq(j.outcome, GAN_OUTCOME_REDIRECT);
	ck_assert_ptr_null(j.response);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http");
	TCase *tc = tcase_create("http");

	tcase_add_test(tc, a_request_is_dressed);
	tcase_add_test(tc, credentials_stand_in_one_header_and_are_masked);
	tcase_add_test(tc, a_token_is_asked_for);
	tcase_add_loop_test(tc, a_token_is_read, 0, (int)GAN_COUNT(tokens));
	tcase_add_loop_test(tc, a_refusal_says_why, 0, (int)GAN_COUNT(refusals));
	tcase_add_loop_test(tc, an_answer_is_judged, 0, (int)GAN_COUNT(answers));
	tcase_add_test(tc, what_was_cut_or_is_busy_is_not_looked_into);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
