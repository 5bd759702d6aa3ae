/* SPDX-License-Identifier: MIT */
/* test_connector.c - bodies in, answers out: movilitas and flex2b without a network. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "outbound/connector.h"
#include "outbound/outbound.h"

static struct gan_err err;
static char warning[256];

#define TEXT(s) ((char[]){ s })

static char key[] = "chan-key-1", token_text[] = "static-token", user[] = "u", pass[] = "pässword";
static char api_key[] = "key-1", api_secret[] = "sec\"ret";

static struct gan_conf_connector movilitas = { .name = TEXT("movilitas"),
	.kind = GAN_CONNECTOR_MOVILITAS,
	.base_url = TEXT("https://mv.example"),
	.channel_key = { NULL, key, sizeof(key) - 1 },
	.deliver = { .connect_ms = 5000, .total_ms = 30000 } };
static struct gan_conf_connector flex2b = { .name = TEXT("flex2b"),
	.kind = GAN_CONNECTOR_FLEX2B,
	.base_url = TEXT("https://f2b.example"),
	.user = { NULL, user, sizeof(user) - 1 },
	.password = { NULL, pass, sizeof(pass) - 1 },
	.deliver = { .connect_ms = 5000, .total_ms = 10000 } };

static void
setup(void)
{
	movilitas.gs1 = GAN_GS1_STRICT;
	movilitas.serials_plain = false;
	movilitas.movilitas_bearer = false;
	movilitas.token = (struct gan_secret){ 0 };
	flex2b.flex2b_raw = false;
}

static const struct gan_operation *
op(const struct gan_conf_connector *c, const char *name)
{
	const struct gan_operation *o = gan_connector_operation(c, name);

	ck_assert_ptr_nonnull(o);
	return o;
}

static int
check(const struct gan_conf_connector *c, const char *name, const char *body)
{
	return gan_connector_check(c, op(c, name), body, strlen(body), warning, &err);
}

/* ---- names ---------------------------------------------------------------- */

START_TEST(operations_are_known_by_name)
{
	struct gan_conf_connector erp = { .name = TEXT("erp"), .kind = GAN_CONNECTOR_HTTP };

	ck_assert_int_eq(gan_outbound_knows(&movilitas, "ssccs.release", false, 0, &err), 0);
	ck_assert_int_eq(
	    gan_outbound_knows(&movilitas, "serials.decomission", false, 0, &err), GAN_ENOENT);
	ck_assert_str_eq(err.msg, "connector movilitas has no operation serials.decomission, did "
				  "you mean serials.decommission?");
	ck_assert_int_eq(gan_outbound_knows(&movilitas, "pallets", false, 0, &err), GAN_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "it has: serials.decommission, ssccs.release"));
	ck_assert_int_eq(
	    gan_outbound_knows(&movilitas, "ssccs.release", true, GAN_ON_UNKNOWN_RESEND, &err),
	    GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "use hold"));
	ck_assert_int_eq(
	    gan_outbound_knows(&movilitas, "ssccs.release", true, GAN_ON_UNKNOWN_HOLD, &err), 0);
	/* From `deliver` it simply does not apply. */
	ck_assert_int_eq(
	    gan_outbound_knows(&movilitas, "ssccs.release", false, GAN_ON_UNKNOWN_RESEND, &err), 0);
	ck_assert_int_eq(
	    gan_outbound_knows(&flex2b, "replicationpost", true, GAN_ON_UNKNOWN_RESEND, &err), 0);
	ck_assert_int_eq(gan_outbound_knows(&erp, "anything", false, 0, &err), GAN_ENOENT);
	ck_assert_str_eq(err.msg, "connector erp has no operation anything: declare it under "
				  "'operations' of the connector in gantry.yaml");
	erp.kind = GAN_CONNECTOR_PULL;
	ck_assert_int_eq(gan_outbound_knows(&erp, "any.thing_1", false, 0, &err), 0);
	ck_assert_int_eq(gan_outbound_knows(&erp, "any.thing", true, GAN_ON_UNKNOWN_HOLD, &err), 0);
	ck_assert_int_eq(
	    gan_outbound_knows(&erp, "any.thing", true, GAN_ON_UNKNOWN_RESEND, &err), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "leave on_unknown out"));
	ck_assert_int_eq(gan_outbound_knows(&erp, "any thing", false, 0, &err), GAN_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "use 1 to 64 characters"));
}
END_TEST

/* ---- movilitas: before sending ---------------------------------------------- */

#define WASTE(code, rest)                                                                          \
	"{\"product_code\":\"" code "\",\"product_code_schema\":\"GTIN\",\"reason\":\"destroy\","  \
	"\"send_to_market\":false,\"market_id\":\"EU\"," rest "}"
#define SERIALS "\"serials\":[\"SV902P05IYI4ARW5WWHJ\",\"DI8U86IYQI9KS4G87WGI\"]"
#define GOOD WASTE("01234567891231", SERIALS)

static const struct {
	const char *op, *body, *error;
} bad[] = {
	{ "serials.decommission", WASTE("01234567891234", SERIALS), "expected 1" },
	{ "serials.decommission", WASTE("01234567891231", "\"serials\":[]"), "serials is empty" },
	{ "serials.decommission", WASTE("01234567891231", "\"serials\":[1]"),
	    "serials[0] must be a text" },
	{ "serials.decommission", WASTE("01234567891231", "\"serials\":[\"A\",\"B C\"]"),
	    "serials[1]: serial \"B C\" has the character \" \" at position 2" },
	{ "serials.decommission", WASTE("01234567891231", "\"serials\":[\"A\",\"A\"]"),
	    "\"A\" occurs twice" },
	{ "serials.decommission", WASTE("01234567891231", "\"serials\":[\"A\\u0000B\"]"),
	    "\\u0000" },
	{ "serials.decommission", WASTE("01234567891231", "\"serials\":\"A\""), "must be a list" },
	{ "serials.decommission", WASTE("01234567891231", "\"market_id\":\"US\"," SERIALS),
	    "market_id stands twice" },
	{ "serials.decommission", "{\"product_code\":1}", "product_code must be a text" },
	{ "serials.decommission", "{\"product_code\":\"x\",\"product_code_schema\":\"NTIN\"}",
	    "product_code_schema is \"NTIN\", allowed: GTIN" },
	{ "serials.decommission",
	    "{\"product_code\":\"x\",\"product_code_schema\":\"GTIN\",\"reason\":\"burn\"}",
	    "reason is \"burn\", allowed: destroy sample" },
	{ "serials.decommission",
	    "{\"product_code\":\"x\",\"product_code_schema\":\"GTIN\",\"reason\":\"lock\","
	    "\"send_to_market\":\"false\"}",
	    "send_to_market must be true or false, without quotes" },
	{ "serials.decommission", "[]", "must be a JSON object" },
	{ "serials.decommission", "{\"$path\":{\"id\":1},\"$body\":{}}", "$path and $query" },
	{ "ssccs.release", "{}", "ssccs is missing" },
	{ "ssccs.release", "{\"ssccs\":[337370000000000003]}", "ssccs[0] must be a text" },
	{ "ssccs.release", "{\"ssccs\":[\"337370000000000011\"]}", "expected 0" },
	{ "ssccs.release", "{\"ssccs\":[\"337370000000000003\",\"337370000000000003\"]}",
	    "occurs twice" },
};

START_TEST(movilitas_refuses_before_sending)
{
	ck_assert_int_eq(check(&movilitas, bad[_i].op, bad[_i].body), GAN_EINVAL);
	ck_assert_msg(strstr(err.msg, bad[_i].error) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(movilitas_takes_good_bodies)
{
	ck_assert_msg(check(&movilitas, "serials.decommission", GOOD) == 0, "%s", err.msg);
	ck_assert_msg(
	    check(&movilitas, "serials.decommission", "{\"$body\":" GOOD "}") == 0, "%s", err.msg);
	ck_assert_int_eq(check(&movilitas, "ssccs.release",
			     "{\"ssccs\":[\"337370000000000003\",\"337370000000000010\"]}"),
	    0);
	/* The vendor's own sample, as it stands. */
	movilitas.gs1 = GAN_GS1_WARN;
	ck_assert_int_eq(
	    check(&movilitas, "serials.decommission", WASTE("01234567891234", SERIALS)), 0);
	ck_assert_ptr_nonnull(strstr(warning, "expected 1"));
	movilitas.gs1 = GAN_GS1_OFF;
	ck_assert_int_eq(
	    check(&movilitas, "serials.decommission", WASTE("01234567891234", SERIALS)), 0);
	ck_assert_str_eq(warning, "");
}
END_TEST

/* As `operations:` of gantry.yaml makes them, of both kinds that declare. */
static struct gan_field codes[] = {
	{ .name = "gtin", .type = GAN_FIELD_GTIN },
	{ .name = "sscc", .type = GAN_FIELD_SSCC },
	{ .name = "serial", .type = GAN_FIELD_SERIAL },
	{ .name = "lot", .type = GAN_FIELD_LOT },
	{ .name = "scan", .type = GAN_FIELD_ELEMENTS },
	{ .name = "ssccs", .type = GAN_FIELD_SSCCS },
	{ .name = "serials", .type = GAN_FIELD_SERIALS },
};
static struct gan_conf_operation declared = { .op = { .name = "aggregate",
						  .method = "PATCH",
						  .path = "/aggregate",
						  .fields = codes,
						  .nfields = GAN_COUNT(codes) } };

static const struct {
	const char *body, *error; /* NULL: taken */
} declared_bodies[] = {
	{ "{\"gtin\":\"96385074\",\"sscc\":\"337370000000000003\",\"serial\":\"a-1\",\"lot\":\"L/1\","
	  "\"scan\":\"0109506000134352\\u001d10L\",\"ssccs\":[\"337370000000000010\"],"
	  "\"serials\":[\"007\",\"7\"]}",
	    NULL },
	{ "{}", NULL },
	{ "{\"gtin\":\"96385075\"}", "gtin: GTIN \"96385075\" has the check digit 5, expected 4" },
	{ "{\"gtin\":96385074}", "gtin must be a text" },
	{ "{\"sscc\":\"337370000000000011\"}", "sscc: SSCC" },
	{ "{\"serial\":\"a b\"}", "serial: serial \"a b\" has the character" },
	{ "{\"serial\":\"\"}", "serial is empty" },
	{ "{\"lot\":\"a b\"}", "lot: lot \"a b\" has the character" },
	{ "{\"scan\":\"0109506000134325\"}", "scan: element string: AI 01: GTIN" },
	{ "{\"ssccs\":[\"337370000000000003\",\"337370000000000011\"]}", "ssccs[1]: SSCC" },
	{ "{\"serials\":[]}", "serials is empty" },
	{ "{\"serials\":[\"A\",\"B\",\"A\"]}", "\"A\" occurs twice" },
	{ "{\"serials\":[\"A\",1]}", "serials[1] must be a text" },
};

START_TEST(codes_of_gs1_in_declared_operations)
{
	struct gan_conf_connector c = movilitas;
	const char *body = declared_bodies[_i].body, *error = declared_bodies[_i].error;

	c.operations = &declared;
	c.noperations = 1;
	for (int http = 0; http < 2; http++) {
		c.kind = http ? GAN_CONNECTOR_HTTP : GAN_CONNECTOR_MOVILITAS;
		ck_assert_msg(check(&c, "aggregate", body) == (error == NULL ? 0 : GAN_EINVAL),
		    "%s: %s", body, err.msg);
		ck_assert_msg(error == NULL || strstr(err.msg, error) != NULL, "%s", err.msg);
	}
}
END_TEST

START_TEST(how_strict_a_connector_is)
{
	static const char odd[] = WASTE("01234567891231", "\"serials\":[\"A\",\"B-1\"]");

	ck_assert_int_eq(check(&movilitas, "serials.decommission", odd), 0);
	movilitas.serials_plain = true;
	ck_assert_int_eq(check(&movilitas, "serials.decommission", odd), GAN_EINVAL);
	ck_assert_ptr_nonnull(
	    strstr(err.msg, "serials[1]: serial \"B-1\" has the character \"-\""));
	ck_assert_int_eq(check(&movilitas, "serials.decommission", GOOD), 0);
	movilitas.gs1 = GAN_GS1_WARN;
	ck_assert_int_eq(check(&movilitas, "serials.decommission", odd), 0);
	ck_assert_ptr_nonnull(strstr(warning, "neither letter nor digit"));
	movilitas.gs1 = GAN_GS1_OFF;
	ck_assert_int_eq(check(&movilitas, "serials.decommission", odd), 0);
	ck_assert_str_eq(warning, "");
	/* One serial twice is never what was meant. */
	ck_assert_int_eq(
	    check(&movilitas, "serials.decommission", WASTE("1", "\"serials\":[\"A\",\"A\"]")),
	    GAN_EINVAL);
}
END_TEST

static void
build(const struct gan_conf_connector *c, const char *name, const char *body, struct gan_buf *out)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };

	ck_assert_msg(
	    gan_connector_build(c, op(c, name), body, strlen(body), "the-token", &req, &err) == 0,
	    "%s", err.msg);
	gan_buf_clear(out);
	gan_buf_printf(out, "%s %s\n", req.method, req.url);
	for (size_t i = 0; i < req.nheaders; i++)
		gan_buf_printf(out, "%s: %s%s\n", req.headers[i].name, req.headers[i].value,
		    req.headers[i].secret ? " (secret)" : "");
	gan_buf_put(out, req.body, req.body_len);
	ck_assert(!req.repeatable);
}

START_TEST(requests_are_dressed_as_the_vendors_want)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	build(&movilitas, "ssccs.release", "{\"$body\":{\"ssccs\":[]}}", &out);
	ck_assert_str_eq(out.data, "POST https://mv.example/v1/manufacturer/v2/api/ssccs/release\n"
				   "Content-Type: application/json\nAccept: application/json\n"
				   "x-access-token: the-token (secret)\n"
				   "x-channel-key: chan-key-1 (secret)\n{\"ssccs\":[]}");
	movilitas.movilitas_bearer = true;
	build(&movilitas, "serials.decommission", "{}", &out);
	ck_assert_ptr_nonnull(strstr(out.data, "/v1/manufacturer/v2/api/serials/decommission\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "Authorization: Bearer the-token (secret)\n"));
	ck_assert_ptr_null(strstr(out.data, "x-access-token"));
	build(&flex2b, "replicationpost", "{\"n\":1.0}", &out);
	ck_assert_str_eq(out.data, "POST https://f2b.example/v1/replicationpost\n"
				   "Content-Type: application/json; charset=utf8\n"
				   "Authorization: Bearer the-token (secret)\n{\"n\":1.0}");
	flex2b.flex2b_raw = true;
	build(&flex2b, "replicationpost", "{}", &out);
	ck_assert_ptr_nonnull(strstr(out.data, "Authorization: the-token (secret)\n"));
}
END_TEST

/* ---- answers ---------------------------------------------------------------- */

static struct gan_judged
judge(const struct gan_conf_connector *c, const char *name, const char *body, bool maybe_sent,
    int status, const char *answer)
{
	struct gan_asked asked = { body, strlen(body), maybe_sent };
	char *copy GAN_AUTO(gan_str_free) = strdup(answer);
	struct gan_response r = {
		.sent = GAN_COMPLETE, .status = status, .body = copy, .body_len = strlen(answer)
	};
	struct gan_judged j = { 0 };

	if (status < 0) { /* cut off */
		r.status = -status;
		r.sent = GAN_UNREADABLE;
		snprintf(r.error, sizeof(r.error), "cut off");
	}
	gan_kind_of(c->kind)->judge(op(c, name), &asked, &r, &j);
	return j;
}

#define SSCCS "{\"ssccs\":[\"337370000000000003\",\"337370000000000010\"]}"
#define BOTH                                                                                       \
	"[{\"serial_number\":\"DI8U86IYQI9KS4G87WGI\",\"status\":\"Decommissioned\"},"             \
	"{\"serial_number\":\"SV902P05IYI4ARW5WWHJ\",\"status\":\"Decommissioned\"}]"
#define POOL(a, b)                                                                                 \
	"{\"success\":false,\"message\":\"SSCCs cannot be released because 1 or more SSCCs are "   \
	"not in Assigned status.\",\"data\":[{\"sscc\":\"337370000000000003\",\"status\":\"" a     \
	"\"},{\"sscc\":\"337370000000000010\",\"status\":\"" b "\"}]}"

static const struct {
	const char *op;
	bool maybe_sent;
	int status;
	const char *answer;
	enum gan_outcome outcome;
	const char *text;
} answers[] = {
	{ "serials.decommission", false, 200,
	    "{\"success\":true,\"message\":\"ok\",\"data\":" BOTH "}", GAN_OUTCOME_OK, "" },
	{ "serials.decommission", false, 200,
	    "{\"success\":true,\"data\":[{\"serial_number\":\"DI8U86IYQI9KS4G87WGI\","
	    "\"status\":\"Decommissioned\"}]}",
	    GAN_OUTCOME_PARTIAL,
	    "1 of 2 serials confirmed as Decommissioned, not: SV902P05IYI4ARW5WWHJ" },
	{ "serials.decommission", false, 200,
	    "{\"success\":true,\"data\":[{\"serial_number\":\"DI8U86IYQI9KS4G87WGI\","
	    "\"status\":\"Decommissioned\"},{\"serial_number\":\"SV902P05IYI4ARW5WWHJ\","
	    "\"status\":\"Active\"}]}",
	    GAN_OUTCOME_PARTIAL, "1 of 2" },
	{ "serials.decommission", false, 200, "{\"success\":true}", GAN_OUTCOME_PARTIAL, "0 of 2" },
	{ "serials.decommission", false, 200, "{\"message\":\"ok\"}", GAN_OUTCOME_AMBIGUOUS, "" },
	{ "serials.decommission", false, 200, "{\"success\":\"true\"}", GAN_OUTCOME_AMBIGUOUS,
	    "does not say" },
	{ "serials.decommission", false, 200, "<html>", GAN_OUTCOME_AMBIGUOUS, "does not say" },
	{ "serials.decommission", false, 200, "", GAN_OUTCOME_AMBIGUOUS, "does not say" },
	{ "serials.decommission", false, 200, "{\"success\":false,\"message\":\"no such thing\"}",
	    GAN_OUTCOME_REFUSED, "no such thing" },
	{ "serials.decommission", false, 200,
	    "{\"success\":false,\"name\":\"InvalidTokenError\",\"message\":\"expired\"}",
	    GAN_OUTCOME_TOKEN, "expired (InvalidTokenError)" },
	{ "serials.decommission", false, 400,
	    "{\"success\":false,\"error\":{\"x\":\"productERROR\"}}", GAN_OUTCOME_REFUSED,
	    "HTTP 400" },
	{ "serials.decommission", false, 400, "{\"name\":\"ValidationError\"}", GAN_OUTCOME_REFUSED,
	    "" },
	{ "serials.decommission", false, 500, "{\"name\":\"ValidationError\"}", GAN_OUTCOME_REFUSED,
	    "" },
	{ "serials.decommission", false, 400, "{\"name\":\"NoTokenError\"}", GAN_OUTCOME_CONFIG,
	    "" },
	{ "serials.decommission", false, 500, "{\"message\":\"oops\"}", GAN_OUTCOME_AMBIGUOUS,
	    "oops" },
	{ "serials.decommission", false, 503, "{\"name\":\"ValidationError\"}", GAN_OUTCOME_BUSY,
	    "" },
	{ "serials.decommission", false, -200, "{\"success\":tr", GAN_OUTCOME_AMBIGUOUS,
	    "cut off" },
	{ "serials.decommission", false, 302, "", GAN_OUTCOME_REDIRECT, "redirect refused" },
	{ "ssccs.release", false, 200, "{\"success\":true,\"message\":\"SSCCs released\"}",
	    GAN_OUTCOME_OK, "" },
	{ "ssccs.release", false, 401, "{\"code\":\"err0000\"}", GAN_OUTCOME_TOKEN, "" },
	{ "ssccs.release", false, 403, "", GAN_OUTCOME_TOKEN, "HTTP 403" },
	{ "ssccs.release", false, 401, "{\"code\":\"ERR0001\",\"message\":\"No token provided\"}",
	    GAN_OUTCOME_CONFIG, "No token provided (ERR0001)" },
	{ "ssccs.release", false, 400,
	    "{\"message\":\"Channel ID is missing or it needs to be in correct format\"}",
	    GAN_OUTCOME_CONFIG, "Channel ID" },
	{ "ssccs.release", false, 400, "{\"message\":\"ERR00001 is another code\"}",
	    GAN_OUTCOME_REFUSED, "" },
	{ "ssccs.release", false, 400, POOL("Available", "Available"), GAN_OUTCOME_REFUSED,
	    "not in Assigned status" },
	{ "ssccs.release", true, 400, POOL("Available", "available"), GAN_OUTCOME_ALREADY,
	    "already released" },
	{ "ssccs.release", true, 200, POOL("Available", "Available"), GAN_OUTCOME_ALREADY, "" },
	{ "ssccs.release", true, 400, POOL("Available", "Assigned"), GAN_OUTCOME_REFUSED, "" },
	{ "ssccs.release", true, 400,
	    "{\"data\":[{\"sscc\":\"337370000000000003\",\"status\":\"Available\"}]}",
	    GAN_OUTCOME_REFUSED, "" },
};

START_TEST(movilitas_answers)
{
	const char *body = strcmp(answers[_i].op, "ssccs.release") == 0 ? SSCCS : GOOD;
	struct gan_judged j = judge(&movilitas, answers[_i].op, body, answers[_i].maybe_sent,
	    answers[_i].status, answers[_i].answer);

	ck_assert_msg(j.outcome == answers[_i].outcome, "outcome %d: %s", j.outcome, j.text);
	ck_assert_msg(strstr(j.text, answers[_i].text) != NULL, "%s", j.text);
	if (j.outcome == GAN_OUTCOME_OK) {
		ck_assert_str_eq(j.text, "");
		ck_assert_str_eq(j.response, answers[_i].answer);
	} else {
		ck_assert_str_ne(j.text, "");
	}
	free(j.response);
}
END_TEST

/* ---- movilitas: the token ---------------------------------------------------- */

static int
read_token(const struct gan_conf_connector *c, const char *answer, struct gan_token_life *life)
{
	char *copy GAN_AUTO(gan_str_free) = strdup(answer);
	struct gan_response r = {
		.sent = GAN_COMPLETE, .status = 200, .body = copy, .body_len = strlen(answer)
	};

	memset(life, 0, sizeof(*life));
	return gan_kind_of(c->kind)->token_read(&r, INT64_C(1700000000000), life, &err);
}

static int64_t
life_of(const char *claims)
{
	char *mid = gan_base64_encode(claims, strlen(claims)), answer[512];
	struct gan_token_life life;

	mid[strcspn(mid, "=")] = '\0';
	snprintf(answer, sizeof(answer), "{\"success\":true,\"token\":\"aa.%s.cc\"}", mid);
	free(mid);
	ck_assert_msg(read_token(&movilitas, answer, &life) == 0, "%s", err.msg);
	free(life.token);
	return life.use_ms;
}

START_TEST(movilitas_tokens)
{
	const int64_t h23 = INT64_C(23) * 3600000;
	struct gan_token_life life;

	ck_assert_int_eq(
	    read_token(&movilitas, "{\"success\":true,\"data\":{\"token\":\"t1\"}}", &life), 0);
	ck_assert_str_eq(life.token, "t1");
	ck_assert_int_eq(life.use_ms, h23);
	free(life.token);
	ck_assert_int_eq(read_token(&movilitas, "{\"data\":{\"access_token\":\"t2\"}}", &life), 0);
	ck_assert_str_eq(life.token, "t2");
	free(life.token);
	ck_assert_int_eq(life_of("{\"iat\":1564000000,\"exp\":1564086400}"), 86400000 - 600000);
	ck_assert_int_eq(life_of("{\"exp\":1700003600}"), 3600000 - 600000);
	ck_assert_int_eq(life_of("{\"iat\":1564000000,\"exp\":1564000600}"), 300000);
	ck_assert_int_eq(life_of("{\"exp\":1600000000}"), h23); /* our clock may be wrong */
	ck_assert_int_eq(life_of("{\"exp\":\"soon\"}"), h23);
	ck_assert_int_eq(life_of("[1]"), h23);
	ck_assert_int_eq(
	    read_token(&movilitas, "{\"success\":false,\"message\":\"bad key\"}", &life),
	    GAN_EAUTH);
	ck_assert_ptr_nonnull(strstr(err.msg, "bad key"));
	ck_assert_int_eq(read_token(&movilitas, "{\"success\":true}", &life), GAN_EPARSE);
	ck_assert_int_eq(read_token(&movilitas, "<html>", &life), GAN_EPARSE);
}
END_TEST

START_TEST(token_requests)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_wire get GAN_AUTO(gan_wire_fini) = { 0 };
	char *body = NULL, *none = NULL;

	movilitas.api_key = (struct gan_secret){ NULL, api_key, sizeof(api_key) - 1 };
	movilitas.api_secret = (struct gan_secret){ NULL, api_secret, sizeof(api_secret) - 1 };
	ck_assert_int_eq(gan_kind_movilitas.token_mode(&movilitas), GAN_TOKEN_FETCHED);
	ck_assert_int_eq(gan_kind_movilitas.token_request(&movilitas, &req, &body, &err), 0);
	ck_assert_str_eq(body, "{\"api_key\":\"key-1\",\"api_secret\":\"sec\\\"ret\"}");
	ck_assert_str_eq(req.url, "https://mv.example/v1/api_auth");
	ck_assert_str_eq(req.method, "POST");
	for (size_t i = 0; i < req.nheaders; i++)
		ck_assert_ptr_null(strstr(req.headers[i].name, "channel"));
	free(body);
	movilitas.token = (struct gan_secret){ NULL, token_text, sizeof(token_text) - 1 };
	ck_assert_int_eq(gan_kind_movilitas.token_mode(&movilitas), GAN_TOKEN_STATIC);

	ck_assert_int_eq(gan_kind_flex2b.token_request(&flex2b, &get, &none, &err), 0);
	ck_assert_str_eq(get.url, "https://f2b.example/v1/generatetoken");
	ck_assert_str_eq(get.method, "GET");
	ck_assert_str_eq(get.headers[0].value, "application/json; charset=utf8");
	ck_assert_str_eq(get.headers[1].value, "Basic dTpww6Rzc3dvcmQ=");
	ck_assert(get.headers[1].secret);
	ck_assert_ptr_null(none);
}
END_TEST

/* ---- flex2b ------------------------------------------------------------------ */

#define NODE "{\"name\":\"pallet_#\",\"value\":\"12345678\"}"
#define LINE(uuid, id, nodes)                                                                      \
	"{\"apiuuid\":\"" uuid "\",\"apiid\":\"" id "\",\"senderidentification\":\"3PL\","         \
	"\"nodes\":[" nodes "]}"
#define U1 "87277F40-6954-42F0-B191-A4A1DE476326"
#define U2 "4b50f6b8-3e9a-441b-a9cf-f585f8ee5f10"

static const struct {
	const char *body, *error;
} bad_posts[] = {
	{ "[" LINE(U1, "PH", NODE) "]", "must be a JSON object with the member repLines" },
	{ "{}", "repLines is missing" },
	{ "{\"repLines\":[]}", "repLines is empty" },
	{ "{\"repLines\":[1]}", "repLines[0] must be an object" },
	{ "{\"repLines\":[" LINE("no", "PH", NODE) "]}", "repLines[0]: apiuuid \"no\" is no UUID" },
	{ "{\"repLines\":[" LINE(U1, "XX", NODE) "]}", "apiid is \"XX\", allowed: PH PD" },
	{ "{\"repLines\":[" LINE(U1, "H ", NODE) "]}", "apiid is \"H \"" },
	{ "{\"repLines\":[" LINE(U1, "PH", "") "]}", "nodes must be a list" },
	{ "{\"repLines\":[" LINE(U1, "PH", "{\"name\":\"a\",\"value\":1}") "]}",
	    "nodes[0].value (a) must be a text" },
	{ "{\"repLines\":[" LINE(U1, "PH", "{\"value\":\"1\"}") "]}", "nodes[0].name" },
	{ "{\"repLines\":[" LINE(U1, "PH", NODE) "," LINE(U1, "PD", NODE) "]}", "occurs twice" },
	{ "{\"repLines\":[{\"apiid\":\"PH\"}]}", "apiuuid is missing" },
	{ "{\"repLines\":[{\"apiuuid\":\"" U1 "\",\"apiid\":\"PH\"}]}",
	    "senderidentification is missing" },
};

START_TEST(flex2b_refuses_before_sending)
{
	ck_assert_int_eq(check(&flex2b, "replicationpost", bad_posts[_i].body), GAN_EINVAL);
	ck_assert_msg(strstr(err.msg, bad_posts[_i].error) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(flex2b_takes_every_category_and_100_lines)
{
	static const char *const ids[] = { "PH", "PD", "HI", "OH", "OD", "LH", "DD", "LD" };
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	for (int lines = 100; lines <= 101; lines++) {
		gan_buf_clear(&b);
		gan_buf_puts(&b, "{\"repLines\":[");
		for (int i = 0; i < lines; i++)
			gan_buf_printf(&b,
			    "%s{\"apiuuid\":\"87277f40-6954-42f0-b191-%012d\",\"apiid\":\"%s\","
			    "\"senderidentification\":\"3PL\",\"nodes\":[" NODE "]}",
			    i > 0 ? "," : "", i, ids[i % 8]);
		gan_buf_puts(&b, "]}");
		ck_assert_int_eq(
		    check(&flex2b, "replicationpost", b.data), lines == 100 ? 0 : GAN_EINVAL);
	}
	ck_assert_ptr_nonnull(strstr(err.msg, "101 items, at most 100"));
	ck_assert_int_eq(check(&flex2b, "replicationpost",
			     "{\"repLines\":[" LINE(U1, "PH", NODE) "," LINE(U2, "PD", NODE) "]}"),
	    0);
}
END_TEST

static const struct {
	int status;
	const char *answer;
	enum gan_outcome outcome;
	const char *text;
} posts[] = {
	{ 200, "{\"ResponseCode\":200,\"ResponseMessage\":\"OK\",\"CommunicationID\":\"44930\"}",
	    GAN_OUTCOME_OK, "" },
	{ 200, "{\"ResponseCode\":\"200\",\"CommunicationID\":\"44930\"}", GAN_OUTCOME_OK, "" },
	{ 200, "{\"ResponseCode\":200}", GAN_OUTCOME_OK, "no CommunicationID" },
	{ 200, "{\"ResponseCode\":402,\"ResponseMessage\":\"later\"}", GAN_OUTCOME_REFUSED,
	    "HTTP 200, ResponseCode 402: later" },
	{ 402, "{\"ResponseCode\":200}", GAN_OUTCOME_REFUSED, "HTTP 402" },
	{ 200, "{\"ResponseCode\":401}", GAN_OUTCOME_TOKEN, "401" },
	{ 403, "{\"ResponseCode\":403}", GAN_OUTCOME_TOKEN, "403" },
	{ 403, "", GAN_OUTCOME_TOKEN, "403" },
	{ 400, "{\"ResponseCode\":400}", GAN_OUTCOME_REFUSED, "400" },
	{ 404, "<html>", GAN_OUTCOME_REFUSED, "404" },
	{ 499, "{\"ResponseCode\":499}", GAN_OUTCOME_REFUSED, "content type" },
	{ 500, "{\"ResponseCode\":500}", GAN_OUTCOME_AMBIGUOUS, "500" },
	{ 200, "{\"ResponseCode\":500}", GAN_OUTCOME_AMBIGUOUS, "500" },
	{ 400, "{\"ResponseCode\":500}", GAN_OUTCOME_AMBIGUOUS, "500" },
	{ 200, "{\"ResponseMessage\":\"OK\"}", GAN_OUTCOME_AMBIGUOUS, "without a ResponseCode" },
	{ 200, "OK", GAN_OUTCOME_AMBIGUOUS, "without a ResponseCode" },
	{ 201, "{\"ResponseCode\":200}", GAN_OUTCOME_AMBIGUOUS, "" },
	{ 429, "", GAN_OUTCOME_BUSY, "429" },
	{ 503, "", GAN_OUTCOME_BUSY, "503" },
	{ 302, "{\"ResponseCode\":200}", GAN_OUTCOME_REDIRECT, "redirect" },
	{ -200, "{\"ResponseCode\":200", GAN_OUTCOME_AMBIGUOUS, "cut off" },
};

START_TEST(flex2b_answers)
{
	struct gan_judged j =
	    judge(&flex2b, "replicationpost", "{}", false, posts[_i].status, posts[_i].answer);

	ck_assert_msg(j.outcome == posts[_i].outcome, "outcome %d: %s", j.outcome, j.text);
	ck_assert_msg(strstr(j.text, posts[_i].text) != NULL, "%s", j.text);
	ck_assert_ptr_null(strstr(j.text, "processed"));
	if (j.outcome == GAN_OUTCOME_OK)
		ck_assert_str_eq(j.response, posts[_i].answer);
	free(j.response);
}
END_TEST

START_TEST(flex2b_tokens)
{
	struct gan_token_life life;

	ck_assert_int_eq(
	    read_token(&flex2b,
		"{\"ResponseCode\":200,\"AccessToken\":\"1f/+=\",\"ExpirationMs\":30000}", &life),
	    0);
	ck_assert_str_eq(life.token, "1f/+=");
	ck_assert_int_eq(life.use_ms, 24000);
	free(life.token);
	ck_assert_int_eq(
	    read_token(&flex2b,
		"{\"ResponseCode\":200,\"AccessToken\":\"x\",\"ExpirationMs\":1.7e12}", &life),
	    GAN_EPARSE);
	ck_assert_int_eq(
	    read_token(&flex2b, "{\"ResponseCode\":200,\"AccessToken\":\"x\"}", &life), GAN_EPARSE);
	ck_assert_int_eq(
	    read_token(&flex2b, "{\"ResponseCode\":401,\"ResponseMessage\":\"who\"}", &life),
	    GAN_EAUTH);
	ck_assert_ptr_nonnull(strstr(err.msg, "who"));
	ck_assert_int_eq(read_token(&flex2b, "OK", &life), GAN_EPARSE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("connector");
	TCase *c = tcase_create("connector");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, operations_are_known_by_name);
	tcase_add_loop_test(c, movilitas_refuses_before_sending, 0, (int)GAN_COUNT(bad));
	tcase_add_test(c, movilitas_takes_good_bodies);
	tcase_add_loop_test(
	    c, codes_of_gs1_in_declared_operations, 0, (int)GAN_COUNT(declared_bodies));
	tcase_add_test(c, how_strict_a_connector_is);
	tcase_add_test(c, requests_are_dressed_as_the_vendors_want);
	tcase_add_loop_test(c, movilitas_answers, 0, (int)GAN_COUNT(answers));
	tcase_add_test(c, movilitas_tokens);
	tcase_add_test(c, token_requests);
	tcase_add_loop_test(c, flex2b_refuses_before_sending, 0, (int)GAN_COUNT(bad_posts));
	tcase_add_test(c, flex2b_takes_every_category_and_100_lines);
	tcase_add_loop_test(c, flex2b_answers, 0, (int)GAN_COUNT(posts));
	tcase_add_test(c, flex2b_tokens);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
