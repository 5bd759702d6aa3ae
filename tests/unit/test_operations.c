/* SPDX-License-Identifier: MIT */
/* test_operations.c - what operations can ask for: bodies, parts of the path, the query. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "outbound/connector.h"
#include "outbound/fields.h"
#include "outbound/params.h"

static struct gan_err err;

/* ---- bodies ------------------------------------------------------------------- */

static const struct gan_field line[] = {
	{ .name = "code", .type = GAN_FIELD_STRING, .required = true },
	{ .name = "quantity", .type = GAN_FIELD_NUMBER, .required = true, .positive = true },
	{ .name = "due-date", .type = GAN_FIELD_DATE, .blank = true },
};
static const struct gan_field worker[] = {
	{ .name = "number", .type = GAN_FIELD_CODE, .required = true },
};
static const struct gan_field contact[] = {
	{ .name = "phone", .type = GAN_FIELD_STRING, .instead = "email" },
	{ .name = "email", .type = GAN_FIELD_STRING },
};
static const struct gan_field order[] = {
	{ .name = "code", .type = GAN_FIELD_STRING, .required = true, .max_chars = 5 },
	{ .name = "start", .type = GAN_FIELD_DATE, .required = true },
	{ .name = "products",
	    .type = GAN_FIELD_OBJECTS,
	    .required = true,
	    .unique = "code",
	    .max_items = 3,
	    .fields = line,
	    .nfields = GAN_COUNT(line) },
	{ .name = "worker",
	    .type = GAN_FIELD_OBJECT,
	    .fields = worker,
	    .nfields = GAN_COUNT(worker) },
	{ .name = "contacts",
	    .type = GAN_FIELD_OBJECTS,
	    .blank = true,
	    .fields = contact,
	    .nfields = GAN_COUNT(contact) },
	{ .name = "amount", .type = GAN_FIELD_NUMERIC, .blank = true },
	{ .name = "running", .type = GAN_FIELD_NUMBER, .allowed = "0 1 " },
	{ .name = "note", .type = GAN_FIELD_STRING, .blank = true },
	{ .name = "tags", .type = GAN_FIELD_STRINGS },
};

#define ORDER(rest)                                                                                \
	"{\"code\":\"A\",\"start\":\"2026-11-21T19:02:11Z\",\"products\":[{\"code\":\"P\","        \
	"\"quantity\":1}]" rest "}"
#define LINES(lines) "{\"code\":\"A\",\"start\":\"2026-11-21T19:02:11Z\",\"products\":[" lines "]}"

static const struct {
	const char *body, *error; /* NULL: taken */
} bodies[] = {
	{ ORDER(""), NULL },
	{ ORDER(",\"more\":{\"a\":[1,2]}"), NULL },
	{ ORDER(",\"worker\":{\"number\":0}"), NULL },
	{ ORDER(",\"worker\":{\"number\":\"1000\"}"), NULL },
	{ ORDER(",\"amount\":\"10.50\",\"note\":\"\""), NULL },
	{ ORDER(",\"amount\":null,\"note\":null,\"contacts\":[]"), NULL },
	{ ORDER(",\"running\":0"), NULL },
	{ ORDER(",\"contacts\":[{\"email\":\"a@b\"},{\"phone\":\"1\"}]"), NULL },
	{ "{\"code\":\"äöüßé\",\"start\":\"2026-11-21T19:02:11.5+0100\",\"products\":[{\"code\":"
	  "\"P\",\"quantity\":0.5,\"due-date\":\"2026-11-21T19:02:11+01\"}]}",
	    NULL },
	{ "{}", "code is missing" },
	{ "{\"code\":null}", "code must be a text" },
	{ "{\"code\":\"\"}", "code is empty" },
	{ "{\"code\":\"äöüßéx\"}", "code has 6 characters, at most 5 are taken" },
	{ "{\"code\":\"A\",\"code\":\"B\"}", "code stands twice in the body" },
	{ "{\"code\":\"A\",\"start\":17}", "start must be a date as a text" },
	{ "{\"code\":\"A\",\"start\":\"2026-11-21T19:02:11\"}",
	    "start is \"2026-11-21T19:02:11\", without a zone: the receiver would read it in its "
	    "own; pass it through utc" },
	{ "{\"code\":\"A\",\"start\":\"2026-11-21\"}",
	    "start is \"2026-11-21\", expected date, time and zone as in 2026-11-21T19:02:11Z" },
	{ "{\"code\":\"A\",\"start\":\"2026-11-21 19:02:11Z\"}", "expected date, time and zone" },
	{ "{\"code\":\"A\",\"start\":\"2026-13-21T19:02:11Z\"}", "expected date, time and zone" },
	{ LINES(""), "products is empty" },
	{ LINES("{\"code\":\"P\",\"quantity\":1},{\"code\":\"Q\"}"),
	    "products[1].quantity is missing" },
	{ LINES("{\"code\":\"P\",\"quantity\":\"1\"}"),
	    "products[0].quantity must be a number, without quotes" },
	{ LINES("{\"code\":\"P\",\"quantity\":0}"),
	    "products[0].quantity is 0, it must be more than zero" },
	{ LINES("{\"code\":\"P\",\"quantity\":1},{\"code\":\"Q\",\"quantity\":1},"
		"{\"code\":\"P\",\"quantity\":2}"),
	    "products[2].code is the same as in products[0]: each may stand once" },
	{ LINES("{\"code\":\"P\",\"quantity\":1,\"due-date\":\"2026-11-21T19:02:11\"}"),
	    "products[0].due-date is \"2026-11-21T19:02:11\", without a zone" },
	{ LINES("{\"code\":\"P\",\"quantity\":1,\"quantity\":2}"),
	    "quantity stands twice in products[0]" },
	{ LINES("{\"code\":\"P\",\"quantity\":1},{\"code\":\"Q\",\"quantity\":1},"
		"{\"code\":\"R\",\"quantity\":1},{\"code\":\"S\",\"quantity\":1}"),
	    "products has 4 items, at most 3" },
	{ LINES("7"), "products[0] must be an object" },
	{ ORDER(",\"worker\":7"), "worker must be an object" },
	{ ORDER(",\"worker\":{\"number\":true}"), "worker.number must be a text or a number" },
	{ ORDER(",\"worker\":{}"), "worker.number is missing" },
	{ ORDER(",\"contacts\":[{\"name\":\"x\"}]"),
	    "contacts[0].phone is missing, and so is email" },
	{ ORDER(",\"amount\":\"1,5\""), "amount must be a number, or a text that is one" },
	{ ORDER(",\"amount\":\"0x10\""), "amount must be a number" },
	{ ORDER(",\"amount\":\"nan\""), "amount must be a number" },
	{ ORDER(",\"running\":2"), "running is \"2\", allowed: 0 1" },
	{ ORDER(",\"running\":0.5"), "running is \"0.5\", allowed: 0 1" },
	{ ORDER(",\"running\":\"1\""), "running must be a number" },
	{ ORDER(",\"tags\":[\"a\",1]"), "tags[1] must be a text" },
	{ ORDER(",\"tags\":null"), "tags must be a list" },
};

START_TEST(bodies_are_checked_field_by_field)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	const char *body = bodies[_i].body;
	int rc;

	ck_assert_msg(gan_cj_parse(body, strlen(body), &tree, &err) == 0, "%s", err.msg);
	rc = gan_fields_check(order, GAN_COUNT(order), tree, &err);
	if (bodies[_i].error == NULL) {
		ck_assert_msg(rc == GAN_OK, "%s: %s", body, err.msg);
		return;
	}
	ck_assert_int_eq(rc, GAN_EINVAL);
	ck_assert_msg(strstr(err.msg, bodies[_i].error) != NULL, "%s: %s", body, err.msg);
}
END_TEST

/* ---- the path and the query ----------------------------------------------------- */

static const struct gan_param filters[] = {
	{ .name = "page", .type = GAN_FIELD_NUMBER },
	{ .name = "code", .type = GAN_FIELD_STRING },
	{ .name = "from", .type = GAN_FIELD_DATE, .required = true, .without = "at " },
	{ .name = "at", .type = GAN_FIELD_DATE },
	{ .name = "all", .type = GAN_FIELD_BOOL },
	{ .name = "order", .type = GAN_FIELD_STRINGS },
};
static const struct gan_operation get = { .name = "things.get",
	.method = "GET",
	.path = "/api/things/{code}/of/{owner}/",
	.body = GAN_BODY_NONE,
	.query = filters,
	.nquery = GAN_COUNT(filters) };

#define PATH "\"$path\":{\"code\":7,\"owner\":\"me\"}"
#define FROM "\"from\":\"2026-11-21T19:02:11Z\""

static const struct {
	const char *output, *url; /* behind the host, or the error behind a '!' */
} requests[] = {
	{ "{" PATH ",\"$query\":{" FROM "}}",
	    "/api/things/7/of/me/?from=2026-11-21T19%3A02%3A11Z" },
	{ "{\"$path\":{\"owner\":\"V23076 - Week 33/34\",\"code\":12345678901234567890},"
	  "\"$query\":{\"code\":\"a&b=c#d\",\"page\":2," FROM "}}",
	    "/api/things/12345678901234567890/of/V23076%20-%20Week%2033%2F34/"
	    "?code=a%26b%3Dc%23d&page=2&from=2026-11-21T19%3A02%3A11Z" },
	{ "{\"$path\":{\"code\":\"%2e/é?\",\"owner\":\"...\"},\"$query\":{" FROM "}}",
	    "/api/things/%252e%2F%C3%A9%3F/of/.../?from=2026-11-21T19%3A02%3A11Z" },
	{ "{" PATH ",\"$query\":{\"all\":true,\"order\":[\"A 1\",2,\"B\"],\"page\":null," FROM "}}",
	    "/api/things/7/of/me/?all=true&order=A%201&order=2&order=B"
	    "&from=2026-11-21T19%3A02%3A11Z" },
	{ "{" PATH ",\"$query\":{\"order\":\"one\",\"page\":\"3\",\"code\":12.50," FROM "}}",
	    "/api/things/7/of/me/?order=one&page=3&code=12.50&from=2026-11-21T19%3A02%3A11Z" },
	{ "{\"$query\":{" FROM "}}", "!$path.code is missing" },
	{ "{\"$path\":null,\"$query\":{" FROM "}}", "!$path.code is missing" },
	{ "{\"$path\":[],\"$query\":{" FROM "}}", "!$path must be an object" },
	{ "{\"$path\":{\"code\":1}}", "!$path.owner is missing" },
	{ "{\"$path\":{\"code\":1,\"owner\":null}}", "!$path.owner is missing" },
	{ "{\"$path\":{\"code\":1,\"owner\":\"\"}}", "!$path.owner is empty" },
	{ "{\"$path\":{\"code\":1.5,\"owner\":1}}",
	    "!$path.code must be a text or a whole number" },
	{ "{\"$path\":{\"code\":1e3,\"owner\":1}}",
	    "!$path.code must be a text or a whole number" },
	{ "{\"$path\":{\"code\":true,\"owner\":1}}",
	    "!$path.code must be a text or a whole number" },
	{ "{\"$path\":{\"code\":\"..\",\"owner\":1}}", "!which a path cannot hold" },
	{ "{\"$path\":{\"code\":\"a\\n\",\"owner\":1}}", "!$path.code holds a control character" },
	{ "{\"$path\":{\"code\":1,\"owner\":1,\"id\":1}}", "!$path.id is nothing that things.get" },
	{ "{\"$path\":{\"code\":1,\"owner\":1,\"code\":2}}", "!code stands twice in $path" },
	{ "{" PATH "}", "!$query.from is missing" },
	{ "{" PATH ",\"$query\":{\"from\":\"2026-11-21T19:02:11\"}}", "!$query.from is" },
	{ "{" PATH ",\"$query\":{" FROM ",\"pages\":1}}", "!$query.pages is nothing that" },
	{ "{" PATH ",\"$query\":{" FROM ",\"page\":\"x\"}}", "!$query.page must be a number" },
	{ "{" PATH ",\"$query\":{" FROM ",\"all\":\"true\"}}",
	    "!$query.all must be true or false" },
	{ "{" PATH ",\"$query\":{" FROM ",\"order\":[]}}", "!$query.order has 0 values" },
	{ "{" PATH ",\"$query\":{" FROM ",\"order\":[\"a\",{}]}}",
	    "!$query.order[1] must be a text" },
	{ "{" PATH ",\"$query\":{" FROM ",\"code\":[\"a\"]}}", "!$query.code must be a text" },
	{ "{" PATH ",\"$query\":{" FROM ",\"code\":\"a\\t\"}}", "!$query.code holds a control" },
	{ "{" PATH ",\"$query\":{" FROM ",\"at\":\"2026-11-21T19:02:11Z\"}}",
	    "!$query.from does not go with $query.at" },
};

START_TEST(path_and_query_are_filled_in)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_buf path GAN_AUTO(gan_buf_fini) = { 0 };
	const char *output = requests[_i].output, *url = requests[_i].url;
	struct gan_parts parts;
	int rc;

	ck_assert_int_eq(gan_parts_split(output, strlen(output), &parts, &err), GAN_OK);
	rc = gan_params_check(&get, &parts, &err);
	if (url[0] == '!') {
		ck_assert_int_eq(rc, GAN_EINVAL);
		ck_assert_msg(strstr(err.msg, url + 1) != NULL, "%s: %s", output, err.msg);
		return;
	}
	ck_assert_msg(rc == GAN_OK, "%s: %s", output, err.msg);
	ck_assert_int_eq(gan_params_path(&get, &parts.path, &path, &err), GAN_OK);
	ck_assert_int_eq(gan_wire_url(&req, "https://h.example/pre", path.data, &err), GAN_OK);
	ck_assert_int_eq(gan_params_query(NULL, &get, &parts.query, &req, &err), GAN_OK);
	ck_assert_msg(strncmp(req.url, "https://h.example/pre", 21) == 0, "%s", req.url);
	/* curl writes the digits of %xx in the path its own way. */
	ck_assert_msg(strcasecmp(req.url + 21, url) == 0, "%s", req.url);
	ck_assert_str_eq(req.shown_url, req.url);
}
END_TEST

/* On the loop: neither may take more than a blink. */
START_TEST(long_lists_and_queries_are_no_trap)
{
	struct gan_buf body GAN_AUTO(gan_buf_fini) = { 0 };
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_field many[GAN_COUNT(order)];
	struct gan_parts parts;

	memcpy(many, order, sizeof(many));
	many[2].max_items = 0;
	gan_buf_puts(&body, "{\"code\":\"A\",\"start\":\"2026-11-21T19:02:11Z\",\"products\":[");
	for (int i = 0; i < 100000; i++)
		gan_buf_printf(&body, "%s{\"code\":\"%d\",\"quantity\":1}", i > 0 ? "," : "",
		    i == 99999 ? 17 : i);
	gan_buf_puts(&body, "]}");
	ck_assert_int_eq(gan_cj_parse(body.data, body.len, &tree, &err), GAN_OK);
	ck_assert_int_eq(gan_fields_check(many, GAN_COUNT(many), tree, &err), GAN_EINVAL);
	ck_assert_str_eq(
	    err.msg, "products[99999].code is the same as in products[17]: each may stand once");

	gan_buf_clear(&body);
	gan_buf_puts(&body, "{" PATH ",\"$query\":{");
	for (int i = 0; i < 100000; i++)
		gan_buf_printf(&body, "\"page%d\":1,", i);
	gan_buf_puts(&body, FROM "}}");
	ck_assert_int_eq(gan_parts_split(body.data, body.len, &parts, &err), GAN_OK);
	ck_assert_int_eq(gan_params_check(&get, &parts, &err), GAN_EINVAL);
	ck_assert_str_eq(err.msg, "$path and $query have more than 2666 bytes");
}
END_TEST

START_TEST(secrets_of_the_query_are_masked)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };

	req.method = "GET";
	ck_assert_int_eq(gan_wire_url(&req, "https://h.example", "/x", &err), GAN_OK);
	ck_assert_int_eq(
	    gan_wire_query(&req, "access_token", "t0p/secret", 10, true, &err), GAN_OK);
	ck_assert_int_eq(gan_wire_query(&req, "page", "2", 1, false, &err), GAN_OK);
	ck_assert_str_eq(req.url, "https://h.example/x?access_token=t0p%2Fsecret&page=2");
	gan_wire_describe(&req, &text);
	ck_assert_str_eq(text.data, "GET https://h.example/x?access_token=(masked)&page=2\n");
	ck_assert_uint_eq(req.nsecrets, 1);
	ck_assert_str_eq(req.secrets[0], "t0p/secret");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("operations");
	TCase *c = tcase_create("pure");
	SRunner *r;
	int failed;

	tcase_add_loop_test(c, bodies_are_checked_field_by_field, 0, (int)GAN_COUNT(bodies));
	tcase_add_loop_test(c, path_and_query_are_filled_in, 0, (int)GAN_COUNT(requests));
	tcase_add_test(c, long_lists_and_queries_are_no_trap);
	tcase_add_test(c, secrets_of_the_query_are_masked);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
