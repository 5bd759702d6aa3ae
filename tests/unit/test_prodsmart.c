/* SPDX-License-Identifier: MIT */
/* test_prodsmart.c - the table of operations, requests and answers of Prodsmart. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/mem.h"
#include "outbound/connector.h"
#include "outbound/outbound.h"
#include "outbound/probe.h"

static struct gan_err err;
static char warning[256];

#define TEXT(s) ((char[]){ s })

static char key[] = "ps-key-0123", secret[] = "ps-secret-0123";
static struct gan_conf_connector ps = { .name = TEXT("prodsmart"),
	.kind = GAN_CONNECTOR_PRODSMART,
	.base_url = TEXT("https://ps.example"),
	.api_key = { NULL, key, sizeof(key) - 1 },
	.api_secret = { NULL, secret, sizeof(secret) - 1 },
	.deliver = { .connect_ms = 5000, .total_ms = 30000 } };

static void
setup(void)
{
	ps.prodsmart_basic = false;
}

static const struct gan_operation *
op(const char *name)
{
	const struct gan_operation *o = gan_connector_operation(&ps, name);

	ck_assert_msg(o != NULL, "%s", name);
	return o;
}

/* ---- the table ------------------------------------------------------------------ */

#define ROW(name, method, path) name " " method " " path "\n"

/* Copied from the vendor's page, not from the table. */
static const char page[] =
    /* clang-format off */
    ROW("authorization.get", "GET", "/api/authorization")
    ROW("authorization.create", "POST", "/api/authorization")
    ROW("authorization.delete", "DELETE", "/api/authorization")
    ROW("changes.read", "GET", "/api/changes/{channel}")
    ROW("suppliers.create", "POST", "/api/suppliers")
    ROW("suppliers.list", "GET", "/api/suppliers")
    ROW("suppliers.get", "GET", "/api/suppliers/{id}")
    ROW("suppliers.update", "PUT", "/api/suppliers/{id}")
    ROW("suppliers.delete", "DELETE", "/api/suppliers/{id}")
    ROW("clients.create", "POST", "/api/clients")
    ROW("clients.list", "GET", "/api/clients")
    ROW("clients.get", "GET", "/api/clients/{id}")
    ROW("clients.update", "PUT", "/api/clients/{id}")
    ROW("clients.delete", "DELETE", "/api/clients/{id}")
    ROW("client-orders.create", "POST", "/api/client-order/")
    ROW("client-orders.list", "GET", "/api/client-order/")
    ROW("client-orders.get", "GET", "/api/client-order/{id}")
    ROW("client-orders.update", "PUT", "/api/client-order/")
    ROW("client-orders.delete", "DELETE", "/api/client-order/{id}")
    ROW("purchase-orders.create", "POST", "/api/purchase-orders/")
    ROW("purchase-orders.list", "GET", "/api/purchase-orders")
    ROW("purchase-orders.get", "GET", "/api/purchase-orders/{id}")
    ROW("purchase-orders.update", "PUT", "/api/purchase-orders/{id}")
    ROW("purchase-orders.delete", "DELETE", "/api/purchase-orders/{id}")
    ROW("production-orders.create", "POST", "/api/production-orders/")
    ROW("production-orders.list", "GET", "/api/production-orders/")
    ROW("production-orders.get", "GET", "/api/production-orders/{id}")
    ROW("production-orders.update", "PUT", "/api/production-orders/{id}")
    ROW("production-orders.delete", "DELETE", "/api/production-orders/{id}")
    ROW("production-orders.notify", "POST", "/api/production-orders/{id}/notify")
    ROW("production-orders.activate", "POST", "/api/production-orders/{id}/activate")
    ROW("products.get", "GET", "/api/products/{code}")
    ROW("products.create", "POST", "/api/products")
    ROW("products.update", "PUT", "/api/products/{code}")
    ROW("products.delete", "DELETE", "/api/products/{code}")
    ROW("products.list", "GET", "/api/products")
    ROW("bom.set", "POST", "/api/bom")
    ROW("stock.set", "POST", "/api/stock")
    ROW("stock.get", "GET", "/api/stock/{code}")
    ROW("product-families.create", "POST", "/api/product-families")
    ROW("product-families.delete", "DELETE", "/api/product-family/{code}")
    ROW("product-families.list", "GET", "/api/product-families")
    ROW("machines.counter", "POST", "/api/machines/{machine_code}/counter")
    ROW("machines.parameters", "POST", "/api/machines/{machine_code}/parameters")
    ROW("machines.startstop", "POST", "/api/machines/{machine_code}/startstop")
    ROW("productions.update", "PUT", "/api/productions/{id}")
    ROW("productions.delete", "DELETE", "/api/productions/{id}")
    ROW("productions.list", "GET", "/api/productions")
    ROW("downtimes.list", "GET", "/api/downtimes")
    ROW("punchclocks.list", "GET", "/api/punchclocks")
    ROW("inventory-movements.get", "GET", "/api/inventory-movements/{id}")
    ROW("inventory-movements.create", "POST", "/api/inventory-movements/")
    ROW("inventory-movements.update", "PUT", "/api/inventory-movements/{id}")
    ROW("inventory-movements.delete", "DELETE", "/api/inventory-movement/{id}")
    ROW("inventory-movements.list", "GET", "/api/inventory-movements/")
    ROW("reports.worker-labor-time", "GET", "/api/reports/worker-labor-time");
/* clang-format on */

START_TEST(every_operation_of_the_page_is_there)
{
	const struct gan_kind *kind = gan_kind_of(GAN_CONNECTOR_PRODSMART);
	struct gan_buf all GAN_AUTO(gan_buf_fini) = { 0 };

	ck_assert_uint_eq(kind->noperations, 56);
	for (size_t i = 0; i < kind->noperations; i++)
		gan_buf_printf(&all, "%s %s %s\n", kind->operations[i].name,
		    kind->operations[i].method, kind->operations[i].path);
	ck_assert_str_eq(all.data, page);
}
END_TEST

/* Reads and deletions may be repeated, what sets a state in its lane, nothing else by itself. */
START_TEST(repeat_classes)
{
	static const char set[] =
	    "suppliers.update clients.update purchase-orders.update production-orders.update "
	    "products.create products.update bom.set stock.set machines.counter "
	    "productions.update inventory-movements.update ";
	static const char look[] =
	    "suppliers.create clients.create client-orders.create purchase-orders.create "
	    "production-orders.create production-orders.notify product-families.create "
	    "inventory-movements.create ";
	static const char hold[] =
	    "changes.read client-orders.update machines.parameters machines.startstop ";
	const struct gan_kind *kind = gan_kind_of(GAN_CONNECTOR_PRODSMART);

	for (size_t i = 0; i < kind->noperations; i++) {
		const struct gan_operation *o = &kind->operations[i];
		char word[64];
		enum gan_repeat want;

		snprintf(word, sizeof(word), "%s ", o->name);
		want = strstr(set, word) != NULL    ? GAN_REPEAT_SET
		       : strstr(look, word) != NULL ? GAN_REPEAT_PROBE
		       : strstr(hold, word) != NULL ? GAN_REPEAT_HOLD
						    : GAN_REPEAT_SAFE;
		ck_assert_msg(o->repeat == want, "%s", o->name);
		ck_assert_msg((o->probe != NULL) == (want == GAN_REPEAT_PROBE), "%s", o->name);
		if (strcmp(o->method, "DELETE") == 0)
			ck_assert_str_eq(o->done, "400 404 410 ");
	}
	ck_assert_int_eq(gan_repeat_in_lane(GAN_REPEAT_SET, true), GAN_REPEAT_SAFE);
	ck_assert_int_eq(gan_repeat_in_lane(GAN_REPEAT_SET, false), GAN_REPEAT_KEYED);
	ck_assert_int_eq(gan_repeat_in_lane(GAN_REPEAT_PROBE, true), GAN_REPEAT_PROBE);
	ck_assert_int_eq(
	    gan_outbound_knows(&ps, "stock.set", true, GAN_ON_UNKNOWN_RESEND, &err), 0);
	ck_assert_int_eq(
	    gan_outbound_knows(&ps, "suppliers.create", true, GAN_ON_UNKNOWN_RESEND, &err),
	    GAN_ECONFIG);
	ck_assert_int_eq(gan_outbound_knows(&ps, "suppliers.search", false, 0, &err), GAN_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "it has: suppliers.create, suppliers.list, "));
	ck_assert_ptr_null(strstr(err.msg, "clients"));
	ck_assert_int_eq(gan_outbound_knows(&ps, "invoices.pay", false, 0, &err), GAN_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "gantry-rules(5)"));
}
END_TEST

/*
 * A look asks an operation that is only a read, for names that it knows, and
 * looks at members that are texts of the body.
 */
START_TEST(looks_ask_what_is_there)
{
	const struct gan_kind *kind = gan_kind_of(GAN_CONNECTOR_PRODSMART);

	for (size_t i = 0; i < kind->noperations; i++) {
		const struct gan_operation *o = &kind->operations[i], *asked;
		const struct gan_probe *p = o->probe;

		if (p == NULL)
			continue;
		asked = op(p->ask);
		ck_assert_str_eq(asked->method, "GET");
		ck_assert_int_eq(asked->repeat, GAN_REPEAT_SAFE);
		ck_assert(p->key != NULL || p->mark != NULL);
		for (size_t k = 0; k < p->nargs; k++) {
			const char *name = strchr(p->args[k].to, '.') + 1;
			bool known = strncmp(p->args[k].to, "$path.", 6) == 0 &&
				     strstr(asked->path, name) != NULL;

			for (size_t q = 0; q < asked->nquery; q++)
				known |= strcmp(asked->query[q].name, name) == 0;
			ck_assert_msg(known, "%s: %s", o->name, p->args[k].to);
		}
		for (size_t k = 0; p->mark != NULL && k < o->nfields; k++)
			if (strcmp(o->fields[k].name, p->mark) == 0) {
				ck_assert_int_eq(o->fields[k].type, GAN_FIELD_STRING);
				break;
			} else {
				ck_assert_msg(k + 1 < o->nfields, "%s: %s", o->name, p->mark);
			}
		if (p->paged)
			ck_assert_str_eq(asked->query[0].name, "page");
	}
}
END_TEST

/* ---- requests --------------------------------------------------------------------- */

static const struct {
	const char *op, *output;
	const char *want; /* method, URL and body; or the error behind a '!' */
} requests[] = {
	{ "suppliers.get", "{\"$path\":{\"id\":7}}",
	    "GET https://ps.example/api/suppliers/7?access_token=(masked)\n" },
	{ "suppliers.list", "{}", "GET https://ps.example/api/suppliers?access_token=(masked)\n" },
	{ "suppliers.list", "{\"$query\":{\"code\":\"V23076 - Week 33/34\"},\"$body\":null}",
	    "GET https://ps.example/api/suppliers?code=V23076%20-%20Week%2033%2F34"
	    "&access_token=(masked)\n" },
	{ "suppliers.update",
	    "{\"$path\":{\"id\":7},\"$body\":{\"code\":\"S\",\"name\":\"N\",\"x\":1.50}}",
	    "PUT https://ps.example/api/suppliers/7?access_token=(masked)\n"
	    "{\"code\":\"S\",\"name\":\"N\",\"x\":1.50}" },
	{ "products.delete", "{\"$path\":{\"code\":\"V23076 - Week 33/34\"}}",
	    "DELETE https://ps.example/api/products/V23076%20-%20Week%2033%2F34"
	    "?access_token=(masked)\n" },
	{ "production-orders.activate", "{\"$path\":{\"id\":\"7\"},\"$body\":{}}",
	    "POST https://ps.example/api/production-orders/7/activate?access_token=(masked)\n{}" },
	{ "production-orders.activate", "{\"$path\":{\"id\":7}}",
	    "POST https://ps.example/api/production-orders/7/activate?access_token=(masked)\n{}" },
	{ "productions.list", "{\"$query\":{\"production-order-code\":[\"A/1\",\"B 2\"]}}",
	    "GET https://ps.example/api/productions?production-order-code=A%2F1"
	    "&production-order-code=B%202&access_token=(masked)\n" },
	{ "inventory-movements.update", "{\"$path\":{\"id\":7},\"$body\":{\"quantity\":\"10\"}}",
	    "PUT https://ps.example/api/inventory-movements/7?access_token=(masked)\n"
	    "{\"quantity\":\"10\"}" },
	{ "authorization.create", "{\"scopes\":[\"productions_write\"]}",
	    "POST https://ps.example/api/authorization\nAuthorization: (masked)\n"
	    "{\"scopes\":[\"productions_write\"]}" },
	{ "authorization.create", "{\"scopes\":[\"root\"]}", "!scopes[0] is \"root\", allowed" },
	{ "suppliers.get", "{}", "!$path.id is missing" },
	{ "suppliers.get", "{\"id\":7}", "!$path.id is missing" },
	{ "suppliers.get", "{\"$path\":{\"id\":7},\"$body\":{\"a\":1}}",
	    "!suppliers.get takes no body" },
	{ "suppliers.update", "{\"$path\":{\"id\":7}}", "!$body is missing" },
	{ "suppliers.create", "{\"$path\":{\"id\":7},\"$body\":{}}", "!$path and $query have no" },
	{ "suppliers.create", "[{\"code\":\"S\",\"name\":\"N\"}]", "!must be a JSON object" },
	{ "suppliers.create", "{\"code\":\"S\"}", "!name is missing" },
	{ "suppliers.create",
	    "{\"code\":\"S\",\"name\":\"N\",\"addresses\":[{\"code\":\"A\",\"address\":\"x\","
	    "\"country\":\"PT\"},{\"code\":\"B\",\"address\":\"x\"}]}",
	    "!addresses[1].country is missing" },
	{ "clients.create",
	    "{\"code\":\"S\",\"name\":\"N\",\"contacts\":[{\"name\":\"no way to reach\"}]}",
	    "!contacts[0].phone-number is missing, and so is email" },
	{ "production-orders.create",
	    "{\"code\":\"P\",\"start-date\":\"2023-07-20T09:15:15\",\"due-date\":"
	    "\"2023-08-16T17:15:15Z\",\"products\":[{\"product\":\"A\",\"quantity-ordered\":1}]}",
	    "!start-date is \"2023-07-20T09:15:15\", without a zone" },
	{ "production-orders.create",
	    "{\"code\":\"P\",\"start-date\":\"2023-07-20T09:15:15Z\",\"due-date\":"
	    "\"2023-08-16T17:15:15Z\",\"products\":[{\"product\":\"A\",\"quantity-ordered\":1},"
	    "{\"product\":\"A\",\"quantity-ordered\":2}]}",
	    "!products[1].product is the same as in products[0]" },
	{ "production-orders.notify", "{\"$path\":{\"id\":1},\"$body\":{\"message\":\"m\"}}",
	    "!short-message is missing" },
	{ "machines.startstop",
	    "{\"$path\":{\"machine_code\":\"M\"},\"$body\":{\"type\":\"T\",\"running\":true}}",
	    "!running must be a number" },
	{ "machines.parameters",
	    "{\"$path\":{\"machine_code\":\"M\"},\"$body\":{\"parameters\":[{\"code\":\"C\"}]}}",
	    "!parameters[0].value is missing" },
	{ "machines.parameters",
	    "{\"$path\":{\"machine_code\":\"M\"},\"$body\":{\"parameters\":[{\"code\":\"C\","
	    "\"value\":null}]}}",
	    "POST https://ps.example/api/machines/M/parameters?access_token=(masked)\n"
	    "{\"parameters\":[{\"code\":\"C\",\"value\":null}]}" },
	{ "reports.worker-labor-time", "{\"$query\":{\"start-time\":\"2023-07-20T09:15:15Z\"}}",
	    "!$query.end-time is missing" },
	{ "productions.list",
	    "{\"$query\":{\"start-time\":\"2023-07-20T09:15:15Z\",\"start-time-after\":"
	    "\"2023-07-20T09:15:15Z\"}}",
	    "!$query.start-time does not go with $query.start-time-after" },
};

START_TEST(requests_are_what_the_page_wants)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };
	const struct gan_operation *o = op(requests[_i].op);
	const char *output = requests[_i].output, *want = requests[_i].want;
	int rc = gan_connector_check(&ps, o, output, strlen(output), warning, &err);

	if (want[0] == '!') {
		ck_assert_int_eq(rc, GAN_EINVAL);
		ck_assert_msg(strstr(err.msg, want + 1) != NULL, "%s", err.msg);
		return;
	}
	ck_assert_msg(rc == GAN_OK, "%s", err.msg);
	rc = gan_connector_build(&ps, o, output, strlen(output),
	    gan_connector_no_token(&ps, o) ? NULL : "tok/en-1234", &req, &err);
	ck_assert_msg(rc == GAN_OK, "%s", err.msg);
	gan_wire_describe(&req, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "\nContent-Type: application/json\n"));
	gan_buf_clear(&text);
	gan_buf_printf(&text, "%s %s\n", req.method, req.shown_url);
	if (gan_connector_no_token(&ps, o))
		gan_buf_puts(&text, "Authorization: (masked)\n");
	else
		ck_assert_ptr_nonnull(strstr(req.url, "access_token=tok%2Fen-1234"));
	gan_buf_put(&text, req.body, req.body_len);
	/* curl writes the digits of %xx in the path its own way. */
	ck_assert_msg(strcasecmp(text.data, want) == 0, "%s", text.data);
	ck_assert(req.repeatable == (o->repeat == GAN_REPEAT_SAFE && o->done == NULL));
}
END_TEST

START_TEST(machines_may_be_asked_with_basic)
{
	static const char output[] =
	    "{\"$path\":{\"machine_code\":\"M 1\"},\"$body\":{\"count\":5}}";
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	char *basic GAN_AUTO(gan_str_free) = gan_base64_encode("ps-key-0123:ps-secret-0123", 26);
	struct gan_buf head GAN_AUTO(gan_buf_fini) = { 0 };

	ck_assert(!gan_connector_no_token(&ps, op("machines.counter")));
	ps.prodsmart_basic = true;
	ck_assert(gan_connector_no_token(&ps, op("machines.counter")));
	ck_assert(!gan_connector_no_token(&ps, op("stock.set")));
	ck_assert(gan_connector_no_token(&ps, op("authorization.get")));
	ck_assert_int_eq(gan_connector_build(&ps, op("machines.counter"), output,
			     sizeof(output) - 1, NULL, &req, &err),
	    0);
	ck_assert_str_eq(req.url, "https://ps.example/api/machines/M%201/counter");
	for (size_t i = 0; i < req.nheaders; i++)
		gan_buf_printf(&head, "%s: %s\n", req.headers[i].name, req.headers[i].value);
	gan_buf_printf(&head, "%s", basic);
	ck_assert_msg(
	    strstr(strstr(head.data, "Authorization: Basic "), basic) != NULL, "%s", head.data);
}
END_TEST

/* When the vendor changes a call, gantry.yaml can say so before a release does. */
START_TEST(a_declared_operation_replaces_ours)
{
	static const struct gan_success only_202 = { .codes = { 202 }, .ncodes = 1 };
	struct gan_conf_operation mine = { .op = { .name = "product-families.delete",
					       .method = "POST",
					       .path = "/api/v2/families/{code}/delete",
					       .repeat = GAN_REPEAT_HOLD,
					       .body = GAN_BODY_ANY,
					       .success = &only_202 } };
	struct gan_conf_connector c = ps;
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_asked asked = { "{}", 2, true };
	struct gan_response r = { .sent = GAN_COMPLETE, .status = 204, .body = TEXT("") };
	struct gan_judged j = { 0 };
	const struct gan_operation *o;

	c.operations = &mine;
	c.noperations = 1;
	o = gan_connector_operation(&c, "product-families.delete");
	ck_assert_ptr_eq(o, &mine.op);
	ck_assert_ptr_eq(gan_connector_operation(&c, "stock.set"), op("stock.set"));
	ck_assert_int_eq(
	    gan_connector_build(&c, o, "{\"$path\":{\"code\":7}}", 21, "the-token", &req, &err), 0);
	ck_assert_str_eq(
	    req.shown_url, "https://ps.example/api/v2/families/7/delete?access_token=(masked)");
	gan_kind_of(c.kind)->judge(o, &asked, &r, &j);
	ck_assert_int_eq(j.outcome, GAN_OUTCOME_REFUSED);
	r.status = 202;
	gan_kind_of(c.kind)->judge(o, &asked, &r, &j);
	ck_assert_int_eq(j.outcome, GAN_OUTCOME_OK);
}
END_TEST

/* The vendor's pages translate some names: then they are told in gantry.yaml. */
START_TEST(names_of_the_query_can_be_replaced)
{
	static const char output[] = "{\"$query\":{\"page\":2,\"worker\":7,\"checked-out\":true}}";
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_conf_connector italian = ps;
	const struct gan_kind *kind = gan_kind_of(ps.kind);

	italian.query_names[0] = (struct gan_conf_header){ TEXT("worker"), TEXT("lavoratore") };
	italian.nquery_names = 1;
	ck_assert_int_eq(gan_connector_check(&italian, op("productions.list"), output,
			     sizeof(output) - 1, warning, &err),
	    0);
	ck_assert_int_eq(gan_connector_build(&italian, op("productions.list"), output,
			     sizeof(output) - 1, "token-1", &req, &err),
	    0);
	ck_assert_str_eq(req.shown_url,
	    "https://ps.example/api/productions?page=2&lavoratore=7&checked-out=true"
	    "&access_token=(masked)");
	for (size_t n = 0; n < GAN_CONF_QUERY_NAMES; n++) {
		bool known = false;

		for (size_t i = 0; i < kind->noperations; i++)
			for (size_t q = 0; q < kind->operations[i].nquery; q++)
				known |= strcmp(kind->operations[i].query[q].name,
					     gan_query_names[n]) == 0;
		ck_assert_msg(known, "%s", gan_query_names[n]);
	}
}
END_TEST

/* ---- answers ----------------------------------------------------------------------- */

static const struct {
	const char *op;
	int status;
	const char *answer, *retry_after;
	bool again; /* an earlier attempt may have arrived */
	enum gan_outcome outcome;
	const char *text, *response;
} answers[] = {
	{ "suppliers.get", 201, "{\"id\":7}", NULL, false, GAN_OUTCOME_OK, "", "{\"id\":7}" },
	{ "suppliers.create", 200, "{\"id\":7}", NULL, false, GAN_OUTCOME_OK, "", "{\"id\":7}" },
	{ "suppliers.create", 299, "no JSON", NULL, false, GAN_OUTCOME_OK, "", NULL },
	{ "stock.set", 201, "Request successful", NULL, false, GAN_OUTCOME_OK, "", NULL },
	{ "product-families.create", 201, "[{\"code\":\"F\"}]", NULL, false, GAN_OUTCOME_OK, "",
	    "[{\"code\":\"F\"}]" },
	{ "suppliers.delete", 204, "", NULL, false, GAN_OUTCOME_OK, "", NULL },
	{ "productions.delete", 201, "{\"id\":1}", NULL, false, GAN_OUTCOME_OK, "", "{\"id\":1}" },
	{ "production-orders.activate", 200, "{}", NULL, false, GAN_OUTCOME_OK, "", "{}" },
	{ "production-orders.activate", 204, "", NULL, false, GAN_OUTCOME_ALREADY,
	    "it was active already", NULL },
	{ "production-orders.activate", 405, "closed", NULL, true, GAN_OUTCOME_REFUSED,
	    "HTTP 405: closed", NULL },
	{ "suppliers.create", 400, "{\"message\":\"code exists\"}", NULL, true, GAN_OUTCOME_REFUSED,
	    "HTTP 400: code exists", NULL },
	{ "suppliers.delete", 404, "", NULL, false, GAN_OUTCOME_REFUSED, "HTTP 404", NULL },
	{ "suppliers.delete", 404, "", NULL, true, GAN_OUTCOME_ALREADY,
	    "done by an earlier attempt, as it seems: HTTP 404", NULL },
	{ "products.delete", 400, "not found", NULL, true, GAN_OUTCOME_ALREADY,
	    "as it seems: HTTP 400: not found", NULL },
	{ "suppliers.delete", 412, "has dependents", NULL, true, GAN_OUTCOME_REFUSED,
	    "HTTP 412: has dependents", NULL },
	{ "client-orders.delete", 409, "has orders", NULL, true, GAN_OUTCOME_REFUSED,
	    "HTTP 409: has orders", NULL },
	{ "machines.counter", 400, "must grow", NULL, false, GAN_OUTCOME_REFUSED, "must grow",
	    NULL },
	{ "machines.counter", 400, "must grow", NULL, true, GAN_OUTCOME_ALREADY, "must grow",
	    NULL },
	{ "machines.counter", 404, "no machine", NULL, true, GAN_OUTCOME_REFUSED, "no machine",
	    NULL },
	{ "stock.set", 429, "slow down", "7", false, GAN_OUTCOME_BUSY, "HTTP 429", NULL },
	{ "stock.set", 429, "slow down", NULL, false, GAN_OUTCOME_BUSY, "HTTP 429", NULL },
	{ "reports.worker-labor-time", 429, "another run", NULL, false, GAN_OUTCOME_TURN,
	    "HTTP 429: another run", NULL },
	{ "reports.worker-labor-time", 429, "slow down", "7", false, GAN_OUTCOME_BUSY, "HTTP 429",
	    NULL },
	{ "stock.set", 401, "", NULL, false, GAN_OUTCOME_TOKEN, "HTTP 401", NULL },
	{ "stock.set", 403, "", NULL, false, GAN_OUTCOME_TOKEN, "HTTP 403", NULL },
	{ "stock.set", 302, "", NULL, false, GAN_OUTCOME_REDIRECT, "redirect refused", NULL },
	{ "stock.set", 500, "", NULL, false, GAN_OUTCOME_AMBIGUOUS, "HTTP 500", NULL },
	{ "stock.set", 503, "", NULL, false, GAN_OUTCOME_BUSY, "HTTP 503", NULL },
};

START_TEST(answers_are_judged)
{
	const struct gan_operation *o = op(answers[_i].op);
	struct gan_asked asked = { "{}", 2, answers[_i].again };
	char *copy GAN_AUTO(gan_str_free) = strdup(answers[_i].answer);
	char *after GAN_AUTO(gan_str_free) =
	    answers[_i].retry_after != NULL ? strdup(answers[_i].retry_after) : NULL;
	struct gan_response r = { .sent = GAN_COMPLETE,
		.status = answers[_i].status,
		.body = copy,
		.body_len = strlen(answers[_i].answer),
		.retry_after = after };
	struct gan_judged j = { 0 };

	gan_kind_of(ps.kind)->judge(o, &asked, &r, &j);
	ck_assert_int_eq(j.outcome, answers[_i].outcome);
	if (answers[_i].text[0] == '\0')
		ck_assert_str_eq(j.text, "");
	else
		ck_assert_msg(strstr(j.text, answers[_i].text) != NULL, "%s", j.text);
	if (answers[_i].response == NULL)
		ck_assert_ptr_null(j.response);
	else
		ck_assert_str_eq(j.response, answers[_i].response);
	free(j.response);
}
END_TEST

START_TEST(the_token_is_asked_for_and_read)
{
	const struct gan_kind *kind = gan_kind_of(ps.kind);
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_token_life life = { 0 };
	char good[] = "{\"_links\":{\"self\":\"x\"},\"scopes\":[],\"token\":\"abc\"}";
	struct gan_response r = {
		.sent = GAN_COMPLETE, .status = 201, .body = good, .body_len = sizeof(good) - 1
	};
	char *body = NULL;

	ck_assert_int_eq(kind->token_request(&ps, &req, &body, &err), 0);
	ck_assert_ptr_null(body);
	gan_wire_describe(&req, &text);
	ck_assert_str_eq(text.data, "POST https://ps.example/api/authorization\n"
				    "Content-Type: application/json\nAuthorization: (masked)\n");
	ck_assert_msg(
	    req.body_len == 32 && memcmp(req.body, "{\"scopes\":[\"productions_write\"]}", 32) == 0,
	    "%.*s", (int)req.body_len, (const char *)req.body);
	ck_assert_int_eq(kind->token_read(&r, 0, &life, &err), 0);
	ck_assert_str_eq(life.token, "abc");
	ck_assert_int_eq(life.use_ms, 110 * 60 * 1000);
	free(life.token);
	r.body_len = 4;
	ck_assert_int_eq(kind->token_read(&r, 0, &life, &err), GAN_EPARSE);
	r.body = TEXT("{\"Token\":\"x\"}");
	r.body_len = 13;
	ck_assert_int_eq(kind->token_read(&r, 0, &life, &err), GAN_EPARSE);
}
END_TEST

/*
 * The operations in the manual page are those of the table.  After a change of
 * the table: GANTRY_UPDATE_DOC=1 build/tests/unit/test_prodsmart writes it anew.
 */
START_TEST(the_manual_page_lists_the_table)
{
	static const char begin[] =
	    "; begin of Prodsmart's operations, written by tests/unit/test_prodsmart.c\n";
	static const char end[] = "; end of Prodsmart's operations\n";
	static const char manual[] = "doc/gantry-rules.5.scd";
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 }, all GAN_AUTO(gan_buf_fini) = { 0 };
	char *text GAN_AUTO(gan_str_free) = NULL, *from, *to;
	size_t len;
	FILE *f;

	if (access(manual, R_OK) != 0)
		return; /* not run from the top of the tree */
	ck_assert_int_eq(gan_file_read(manual, 1 << 20, &text, &len, NULL), GAN_OK);
	ck_assert_int_eq(gan_kind_reference(gan_kind_of(ps.kind), &b), GAN_OK);
	from = strstr(text, begin);
	to = strstr(text, end);
	ck_assert(from != NULL && to != NULL && from < to);
	gan_buf_put(&all, text, (size_t)(from - text) + sizeof(begin) - 1);
	gan_buf_printf(&all, "\n%s%s", b.data, to);
	if (getenv("GANTRY_UPDATE_DOC") != NULL) {
		f = fopen(manual, "w");
		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(fwrite(all.data, 1, all.len, f), all.len);
		ck_assert_int_eq(fclose(f), 0);
		return;
	}
	ck_assert_msg(strcmp(all.data, text) == 0,
	    "doc/gantry-rules.5.scd is not what the table says: run GANTRY_UPDATE_DOC=1 "
	    "build/tests/unit/test_prodsmart");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("prodsmart");
	TCase *c = tcase_create("pure");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, every_operation_of_the_page_is_there);
	tcase_add_test(c, repeat_classes);
	tcase_add_test(c, looks_ask_what_is_there);
	tcase_add_loop_test(c, requests_are_what_the_page_wants, 0, (int)GAN_COUNT(requests));
	tcase_add_test(c, machines_may_be_asked_with_basic);
	tcase_add_test(c, a_declared_operation_replaces_ours);
	tcase_add_test(c, names_of_the_query_can_be_replaced);
	tcase_add_loop_test(c, answers_are_judged, 0, (int)GAN_COUNT(answers));
	tcase_add_test(c, the_token_is_asked_for_and_read);
	tcase_add_test(c, the_manual_page_lists_the_table);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
