/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_table.c - every operation of Prodsmart's API, as the vendor's page
 * has them: help article 8106718, "API". Paths are copied with their trailing
 * slashes and their singulars; they follow no rule.
 *
 * Fields: what the page calls required, with its type, and of the others those
 * whose type matters before sending: dates (without a zone the company's own
 * would count), lists with required members, numbers, true and false.  What is
 * not named here goes out as it is.
 */
#include "base/mem.h"
#include "outbound/prodsmart_priv.h"

/* clang-format off */
#define MUST(n, t) { .name = n, .type = GAN_FIELD_##t, .required = true }
#define MAY(n, t) { .name = n, .type = GAN_FIELD_##t, .blank = true }
#define POSITIVE(n) { .name = n, .type = GAN_FIELD_NUMBER, .required = true, .positive = true }
#define INSIDE(f) .fields = f, .nfields = GAN_COUNT(f)
#define LIST(n, f) { .name = n, .type = GAN_FIELD_OBJECTS, .blank = true, INSIDE(f) }
#define LIST_MUST(n, f) { .name = n, .type = GAN_FIELD_OBJECTS, .required = true, INSIDE(f) }
#define LIST_UNIQUE(n, f, by)                                                                      \
	{ .name = n, .type = GAN_FIELD_OBJECTS, .required = true, .unique = by, INSIDE(f) }

/* ---- bodies ------------------------------------------------------------------ */

static const struct gan_field code[] = { MUST("code", STRING) };
static const struct gan_field code_and_name[] = { MUST("code", STRING), MUST("name", STRING) };
static const struct gan_field name[] = { MUST("name", STRING) };
static const struct gan_field name_and_value[] = { MUST("name", STRING), MUST("value", ANY) };
static const struct gan_field code_and_value[] = { MUST("code", STRING), MUST("value", ANY) };
static const struct gan_field number[] = { MUST("number", NUMERIC) };

static const struct gan_field scopes[] = {
	{ .name = "scopes",
	    .type = GAN_FIELD_STRINGS,
	    .required = true,
	    .allowed = "productions_write " },
};

static const struct gan_field addresses[] = { MUST("code", STRING), MUST("address", STRING),
	MUST("country", STRING), MAY("default", BOOL) };
static const struct gan_field contacts[] = {
	{ .name = "phone-number", .type = GAN_FIELD_STRING, .blank = true, .instead = "email" },
	MAY("email", STRING),
	MAY("name", STRING),
	MAY("default", BOOL),
};
/* Of suppliers and clients. An update removes the contacts and addresses that it does not name. */
static const struct gan_field partner[] = {
	MUST("code", STRING),
	MUST("name", STRING),
	MAY("number", STRING),
	MAY("expiration-date", DATE),
	{ .name = "addresses",
	    .type = GAN_FIELD_OBJECTS,
	    .blank = true,
	    .unique = "code",
	    INSIDE(addresses) },
	LIST("contacts", contacts),
};

static const struct gan_field order_lines[] = {
	MUST("code", STRING),
	POSITIVE("quantity"),
	MAY("due-date", DATE),
	MAY("requested-date", DATE),
	MAY("price", NUMBER),
	MAY("cost", NUMBER),
};
static const struct gan_field client_order[] = {
	MUST("code", STRING),
	LIST_UNIQUE("products", order_lines, "code"),
	MAY("client", STRING),
	MAY("creation-date", DATE),
	MAY("observations", STRING),
	LIST("parameters", name),
};
static const struct gan_field purchase_order[] = {
	MUST("code", STRING),
	LIST_MUST("products", order_lines),
	MAY("supplier", STRING),
	MAY("creation-date", DATE),
	MAY("observations", STRING),
	LIST("parameters", name),
};

static const struct gan_field ordered[] = {
	MUST("product", STRING),
	POSITIVE("quantity-ordered"),
	MAY("observations", STRING),
};
static const struct gan_field production_order[] = {
	MUST("code", STRING),
	MUST("start-date", DATE),
	MUST("due-date", DATE),
	LIST_UNIQUE("products", ordered, "product"),
	LIST("workers-assigned", number),
	LIST("worker-groups", name),
	LIST("machines", code),
	MAY("notes", STRING),
	MAY("description", STRING),
	MAY("ended", BOOL),
};

static const struct gan_field note[] = {
	{ .name = "short-message",
	    .type = GAN_FIELD_STRING,
	    .required = true,
	    .max_chars = 140 },
	MAY("message", STRING),
};

static const struct gan_field steps[] = {
	MUST("code", STRING),
	MUST("name", STRING),
	LIST("waste", code),
	LIST("machines", code),
	LIST("checklists", code),
	{ .name = "task-durations", .type = GAN_FIELD_OBJECTS, .blank = true, .max_items = 1 },
	MAY("times-per-product", NUMBER),
};
/* Replaces the product: what is left out is removed, operations too. */
static const struct gan_field product[] = {
	MUST("code", STRING),
	MUST("name", STRING),
	LIST("operations", steps),
	LIST("families", code),
	LIST("parameters", name),
	MAY("serializable", BOOL),
};

static const struct gan_field parts[] = { MUST("product-code", STRING), MUST("quantity", NUMBER),
	MAY("operation-code", STRING) };
static const struct gan_field bom[] = { MUST("product-code", STRING), LIST_MUST("bom", parts) };

static const struct gan_field stock[] = { MUST("product-code", STRING), MUST("stock", NUMBER),
	MAY("date", DATE) };

static const struct gan_field families[] = { LIST_MUST("product-families", code_and_name) };

static const struct gan_field counted[] = { MUST("code", STRING), MUST("quantity", NUMBER) };
static const struct gan_field counter[] = { MUST("count", NUMBER), LIST("waste", counted),
	LIST("parameters", name_and_value) };
/* Here they go by their code, above by their name. */
static const struct gan_field parameters[] = { LIST_MUST("parameters", code_and_value) };
static const struct gan_field startstop[] = {
	MUST("type", STRING),
	{ .name = "running", .type = GAN_FIELD_NUMBER, .required = true, .allowed = "0 1 " },
};

static const struct gan_field operation[] = { MUST("code", STRING) };
static const struct gan_field wasted[] = { MUST("quantity", NUMERIC) };
static const struct gan_field production[] = {
	MUST("start-time", DATE),
	MUST("end-time", DATE),
	{ .name = "operation", .type = GAN_FIELD_OBJECT, .required = true, INSIDE(operation) },
	{ .name = "worker", .type = GAN_FIELD_OBJECT, .required = true, INSIDE(number) },
	MAY("quantity", NUMBER),
	LIST("produced-waste", wasted),
};

/* Quantities are texts in the samples, numbers in the list of attributes. */
static const struct gan_field movement[] = {
	MUST("product-code", STRING),
	MUST("quantity", NUMERIC),
	MUST("type", STRING),
	MAY("date-time", DATE),
	MAY("total-cost", NUMERIC),
	MAY("comment", STRING),
};
static const struct gan_field movement_changes[] = {
	MAY("product-code", STRING),
	MAY("quantity", NUMERIC),
	MAY("type", STRING),
	MAY("date-time", DATE),
	MAY("total-cost", NUMERIC),
	MAY("comment", STRING),
};

/* ---- queries ------------------------------------------------------------------ */

#define Q(n, t) { .name = n, .type = GAN_FIELD_##t }
#define Q_MUST(n, t) { .name = n, .type = GAN_FIELD_##t, .required = true }

static const struct gan_param workers[] = { Q("workers", BOOL) };
static const struct gan_param page[] = { Q("page", NUMBER) };
static const struct gan_param partners[] = { Q("page", NUMBER), Q("id", NUMBER),
	Q("code", STRING) };
static const struct gan_param client_orders[] = { Q("page", NUMBER), Q("due-date-before", DATE),
	Q("due-date-after", DATE), Q("client", STRING) };
static const struct gan_param purchase_orders[] = { Q("page", NUMBER), Q("id", NUMBER),
	Q("code", STRING), Q("due-date-before", DATE), Q("due-date-after", DATE),
	Q("supplier", STRING) };
static const struct gan_param production_orders[] = { Q("page", NUMBER),
	Q("start-date-before", DATE), Q("start-date-after", DATE), Q("due-date-before", DATE),
	Q("due-date-after", DATE), Q("running-status", STRING), Q("active", BOOL),
	Q("product", STRING), Q("machine", STRING), Q("workers", BOOL) };
static const struct gan_param products[] = { Q("page", NUMBER), Q("product-family-code", STRING),
	Q("modification-date", DATE) };
static const struct gan_param lot[] = { Q("lot", STRING) };
static const struct gan_param productions[] = { Q("page", NUMBER), Q("production-order-id", STRING),
	Q("production-order-code", STRINGS), Q("worker", NUMBER), Q("start-time-before", DATE),
	Q("start-time-after", DATE), Q("end-time-before", DATE), Q("end-time-after", DATE),
	{ .name = "start-time",
	    .type = GAN_FIELD_DATE,
	    .without = "start-time-before start-time-after " },
	Q("checked-out", BOOL), Q("worker-name", BOOL) };
static const struct gan_param downtimes[] = { Q("page", NUMBER), Q("start-time-before", DATE),
	Q("start-time-after", DATE), Q("end-time-before", DATE), Q("end-time-after", DATE),
	Q("machine", STRING) };
static const struct gan_param punchclocks[] = { Q("page", NUMBER), Q("date-before", DATE),
	Q("date-after", DATE), Q("worker", NUMBER) };
static const struct gan_param movements[] = { Q("page", NUMBER), Q("product-code", STRING),
	Q("type", STRING) };
static const struct gan_param labor[] = { Q_MUST("start-time", DATE), Q_MUST("end-time", DATE),
	Q("worker-number", NUMBER), Q("section", STRING), Q("show-rework", BOOL),
	Q("show-weekend", BOOL), Q("only-punch-clock", BOOL), Q("page", NUMBER) };

/* ---- operations ------------------------------------------------------------------
 *
 * Repeating a read or a deletion changes nothing: safe; when the first one may
 * have arrived, "not found" says that it did (.done).  What sets a state is set
 * again by a repeat, but not undone by it only where nothing newer went out in
 * between, which a key sees to: see GAN_REPEAT_SET.  Creating twice makes two.
 */

#define OP(n, m, p, r, ...)                                                                        \
	{ .name = n, .method = m, .path = p, .repeat = GAN_REPEAT_##r, __VA_ARGS__ }
#define BODY(f) .fields = f, .nfields = GAN_COUNT(f)
#define NONE .body = GAN_BODY_NONE
#define LOOK(p) .probe = &gan_prodsmart_probe_##p
#define QUERY(q) .query = q, .nquery = GAN_COUNT(q)
#define GET(n, p, ...) OP(n, "GET", p, SAFE, NONE, __VA_ARGS__)
#define READ(n, p) OP(n, "GET", p, SAFE, NONE)
#define DELETE(n, p) OP(n, "DELETE", p, SAFE, NONE, .done = "400 404 410 ")
#define MACHINE(n) "/api/machines/{machine_code}/" n

const struct gan_operation gan_prodsmart_operations[GAN_PRODSMART_OPERATIONS] = {
	/*
	 * For a rule that must.  We fetch our own token and never delete one: that could
	 * shut out every other user of the key.
	 */
	OP("authorization.get", "GET", "/api/authorization", SAFE, NONE, .basic_only = true,
	    .answer_is_secret = true),
	OP("authorization.create", "POST", "/api/authorization", SAFE, BODY(scopes),
	    .basic_only = true, .answer_is_secret = true),
	OP("authorization.delete", "DELETE", "/api/authorization", SAFE, NONE, .basic_only = true,
	    .done = "400 404 410 "),

	/* What was read is gone. */
	OP("changes.read", "GET", "/api/changes/{channel}", HOLD, NONE, QUERY(workers)),

	OP("suppliers.create", "POST", "/api/suppliers", PROBE, BODY(partner),
	    LOOK(supplier)),
	GET("suppliers.list", "/api/suppliers", QUERY(partners)),
	READ("suppliers.get", "/api/suppliers/{id}"),
	OP("suppliers.update", "PUT", "/api/suppliers/{id}", SET, BODY(partner)),
	DELETE("suppliers.delete", "/api/suppliers/{id}"),

	OP("clients.create", "POST", "/api/clients", PROBE, BODY(partner),
	    LOOK(client)),
	GET("clients.list", "/api/clients", QUERY(partners)),
	READ("clients.get", "/api/clients/{id}"),
	OP("clients.update", "PUT", "/api/clients/{id}", SET, BODY(partner)),
	DELETE("clients.delete", "/api/clients/{id}"),

	OP("client-orders.create", "POST", "/api/client-order/", PROBE, BODY(client_order),
	    LOOK(client_order)),
	GET("client-orders.list", "/api/client-order/", QUERY(client_orders)),
	READ("client-orders.get", "/api/client-order/{id}"),
	/* The page has no id in the path and does not say what selects the order. */
	OP("client-orders.update", "PUT", "/api/client-order/", HOLD, BODY(client_order)),
	DELETE("client-orders.delete", "/api/client-order/{id}"),

	OP("purchase-orders.create", "POST", "/api/purchase-orders/", PROBE, BODY(purchase_order),
	    LOOK(purchase_order)),
	GET("purchase-orders.list", "/api/purchase-orders", QUERY(purchase_orders)),
	READ("purchase-orders.get", "/api/purchase-orders/{id}"),
	OP("purchase-orders.update", "PUT", "/api/purchase-orders/{id}", SET,
	    BODY(purchase_order)),
	DELETE("purchase-orders.delete", "/api/purchase-orders/{id}"),

	OP("production-orders.create", "POST", "/api/production-orders/", PROBE,
	    BODY(production_order), QUERY(workers), LOOK(production_order)),
	GET("production-orders.list", "/api/production-orders/", QUERY(production_orders)),
	GET("production-orders.get", "/api/production-orders/{id}", QUERY(workers)),
	OP("production-orders.update", "PUT", "/api/production-orders/{id}", SET,
	    BODY(production_order), QUERY(workers)),
	DELETE("production-orders.delete", "/api/production-orders/{id}"),
	OP("production-orders.notify", "POST", "/api/production-orders/{id}/notify", PROBE,
	    BODY(note), LOOK(note)),
	OP("production-orders.activate", "POST", "/api/production-orders/{id}/activate", SAFE,
	    .body = GAN_BODY_EMPTY),

	READ("products.get", "/api/products/{code}"),
	OP("products.create", "POST", "/api/products", SET, BODY(product)),
	OP("products.update", "PUT", "/api/products/{code}", SET, BODY(product)),
	DELETE("products.delete", "/api/products/{code}"),
	GET("products.list", "/api/products", QUERY(products)),
	OP("bom.set", "POST", "/api/bom", SET, BODY(bom)),
	OP("stock.set", "POST", "/api/stock", SET, BODY(stock)),
	GET("stock.get", "/api/stock/{code}", QUERY(lot)),

	OP("product-families.create", "POST", "/api/product-families", PROBE, BODY(families),
	    LOOK(families)),
	DELETE("product-families.delete", "/api/product-family/{code}"),
	GET("product-families.list", "/api/product-families", QUERY(page)),

	/* Counts only grow: one that is there already is refused. */
	OP("machines.counter", "POST", MACHINE("counter"), SET, BODY(counter),
	    .basic_allowed = true, .done = "400 "),
	OP("machines.parameters", "POST", MACHINE("parameters"), HOLD, BODY(parameters),
	    .basic_allowed = true),
	OP("machines.startstop", "POST", MACHINE("startstop"), HOLD, BODY(startstop),
	    .basic_allowed = true),

	OP("productions.update", "PUT", "/api/productions/{id}", SET, BODY(production)),
	DELETE("productions.delete", "/api/productions/{id}"),
	GET("productions.list", "/api/productions", QUERY(productions)),
	GET("downtimes.list", "/api/downtimes", QUERY(downtimes)),
	GET("punchclocks.list", "/api/punchclocks", QUERY(punchclocks)),

	READ("inventory-movements.get", "/api/inventory-movements/{id}"),
	OP("inventory-movements.create", "POST", "/api/inventory-movements/", PROBE,
	    BODY(movement), LOOK(movement)),
	OP("inventory-movements.update", "PUT", "/api/inventory-movements/{id}", SET,
	    BODY(movement_changes)),
	DELETE("inventory-movements.delete", "/api/inventory-movement/{id}"),
	GET("inventory-movements.list", "/api/inventory-movements/", QUERY(movements)),

	/* 429 without Retry-After: somebody else runs this report just now. */
	GET("reports.worker-labor-time", "/api/reports/worker-labor-time", QUERY(labor),
	    .one_at_a_time = true),
};
