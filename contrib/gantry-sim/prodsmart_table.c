/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_table.c - the operations of the vendor's page: method and path as
 * they are spelled there, slashes and singulars included, the names of the
 * query, the documented statuses.
 *
 * Where the page tells no status for an object that is not there, it is the
 * documented error of the operation, or 404 if it has none.
 */
#include "base/mem.h"
#include "prodsmart.h"

#define EQ(name, type, path)                                                                       \
	{                                                                                          \
		name, type, false, false, GAN_PS_EQUAL, path                                       \
	}
#define BEFORE(name, path)                                                                         \
	{                                                                                          \
		name, GAN_PS_DATE, false, false, GAN_PS_BEFORE, path                               \
	}
#define AFTER(name, path)                                                                          \
	{                                                                                          \
		name, GAN_PS_DATE, false, false, GAN_PS_AFTER, path                                \
	}
#define PLAIN(name, type)                                                                          \
	{                                                                                          \
		name, type, false, false, GAN_PS_NOFILTER, NULL                                    \
	}
#define PAGE PLAIN("page", GAN_PS_INT)
#define WORKERS PLAIN("workers", GAN_PS_BOOL)
#define END                                                                                        \
	{                                                                                          \
		NULL, GAN_PS_ANY, false, false, GAN_PS_NOFILTER, NULL                              \
	}

static const struct gan_ps_arg workers[] = { WORKERS, END };
static const struct gan_ps_arg partner_list[] = { PAGE, EQ("id", GAN_PS_INT, "id"),
	EQ("code", GAN_PS_STR, "code"), END };
static const struct gan_ps_arg client_order_list[] = { PAGE,
	BEFORE("due-date-before", "products[].due-date"),
	AFTER("due-date-after", "products[].due-date"), EQ("client", GAN_PS_STR, "client"), END };
static const struct gan_ps_arg purchase_order_list[] = { PAGE, EQ("id", GAN_PS_INT, "id"),
	EQ("code", GAN_PS_STR, "code"), BEFORE("due-date-before", "products[].due-date"),
	AFTER("due-date-after", "products[].due-date"), EQ("supplier", GAN_PS_STR, "supplier"),
	END };
static const struct gan_ps_arg order_list[] = { PAGE, BEFORE("start-date-before", "start-date"),
	AFTER("start-date-after", "start-date"), BEFORE("due-date-before", "due-date"),
	AFTER("due-date-after", "due-date"), EQ("running-status", GAN_PS_STR, "running-status"),
	EQ("active", GAN_PS_BOOL, "active"), EQ("product", GAN_PS_STR, "products[].product"),
	EQ("machine", GAN_PS_STR, "machines[].code"), WORKERS, END };

static const struct gan_ps_arg product_list[] = { PAGE,
	EQ("product-family-code", GAN_PS_STR, "families[].code"),
	AFTER("modification-date", "$modified"), END };
static const struct gan_ps_arg stock_get[] = { PLAIN("lot", GAN_PS_STR), END };
static const struct gan_ps_arg pages[] = { PAGE, END };
static const struct gan_ps_arg production_list[] = { PAGE,
	EQ("production-order-id", GAN_PS_INT, "production-order.id"),
	{ "production-order-code", GAN_PS_STR, false, true, GAN_PS_EQUAL, "production-order.code" },
	EQ("worker", GAN_PS_INT, "worker.number"), BEFORE("start-time-before", "start-time"),
	AFTER("start-time-after", "start-time"), BEFORE("end-time-before", "end-time"),
	AFTER("end-time-after", "end-time"), EQ("start-time", GAN_PS_DATE, "start-time"),
	EQ("checked-out", GAN_PS_BOOL, "checked-out"), PLAIN("worker-name", GAN_PS_BOOL), END };
static const struct gan_ps_arg downtime_list[] = { PAGE, BEFORE("start-time-before", "start-time"),
	AFTER("start-time-after", "start-time"), BEFORE("end-time-before", "end-time"),
	AFTER("end-time-after", "end-time"), EQ("machine", GAN_PS_STR, "machines[].code"), END };
static const struct gan_ps_arg punchclock_list[] = { PAGE, BEFORE("date-before", "date"),
	AFTER("date-after", "date"), EQ("worker", GAN_PS_INT, "worker.number"), END };
static const struct gan_ps_arg movement_list[] = { PAGE,
	EQ("product-code", GAN_PS_STR, "product-code"), EQ("type", GAN_PS_STR, "type"), END };
static const struct gan_ps_arg report_args[] = { { "start-time", GAN_PS_DATE, true, false,
						     GAN_PS_NOFILTER, NULL },
	{ "end-time", GAN_PS_DATE, true, false, GAN_PS_NOFILTER, NULL },
	EQ("worker-number", GAN_PS_STR, "worker.number"), PLAIN("section", GAN_PS_STR),
	PLAIN("show-rework", GAN_PS_BOOL), PLAIN("show-weekend", GAN_PS_BOOL),
	PLAIN("only-punch-clock", GAN_PS_BOOL), PAGE, END };

#define OP(name, method, path, pool, ok, missing, flags, args, fields, run)                        \
	{                                                                                          \
		name, method, path, GAN_PS_##pool, ok, missing, flags, args, fields, run           \
	}

const struct gan_ps_op gan_ps_ops[] = {
	OP("authorization.get", "GET", "/api/authorization", NPOOLS, 200, 0, GAN_PS_BASIC, NULL,
	    NULL, gan_ps_authorization_get),
	OP("authorization.create", "POST", "/api/authorization", NPOOLS, 201, 0,
	    GAN_PS_BASIC | GAN_PS_BODY_OPTIONAL, NULL, gan_ps_authorization_fields,
	    gan_ps_authorization_create),
	OP("authorization.delete", "DELETE", "/api/authorization", NPOOLS, 204, 0, GAN_PS_BASIC,
	    NULL, NULL, gan_ps_authorization_delete),

	OP("changes.read", "GET", "/api/changes/{channel}", NPOOLS, 200, 404, 0, workers, NULL,
	    gan_ps_changes_read),

	OP("suppliers.create", "POST", "/api/suppliers", SUPPLIERS, 201, 0, 0, NULL,
	    gan_ps_partner_fields, gan_ps_create),
	OP("suppliers.list", "GET", "/api/suppliers", SUPPLIERS, 200, 0, 0, partner_list, NULL,
	    gan_ps_list),
	OP("suppliers.get", "GET", "/api/suppliers/{id}", SUPPLIERS, 201, 400, 0, NULL, NULL,
	    gan_ps_get),
	OP("suppliers.update", "PUT", "/api/suppliers/{id}", SUPPLIERS, 201, 400, 0, NULL,
	    gan_ps_partner_fields, gan_ps_update),
	OP("suppliers.delete", "DELETE", "/api/suppliers/{id}", SUPPLIERS, 204, 404, 0, NULL, NULL,
	    gan_ps_delete),

	OP("clients.create", "POST", "/api/clients", CLIENTS, 201, 0, 0, NULL,
	    gan_ps_partner_fields, gan_ps_create),
	OP("clients.list", "GET", "/api/clients", CLIENTS, 200, 0, 0, partner_list, NULL,
	    gan_ps_list),
	OP("clients.get", "GET", "/api/clients/{id}", CLIENTS, 201, 400, 0, NULL, NULL, gan_ps_get),
	OP("clients.update", "PUT", "/api/clients/{id}", CLIENTS, 201, 400, 0, NULL,
	    gan_ps_partner_fields, gan_ps_update),
	OP("clients.delete", "DELETE", "/api/clients/{id}", CLIENTS, 204, 404, 0, NULL, NULL,
	    gan_ps_delete),

	OP("client-orders.create", "POST", "/api/client-order/", CLIENT_ORDERS, 201, 0, 0, NULL,
	    gan_ps_client_order_fields, gan_ps_create),
	OP("client-orders.list", "GET", "/api/client-order/", CLIENT_ORDERS, 200, 0, 0,
	    client_order_list, NULL, gan_ps_list),
	OP("client-orders.get", "GET", "/api/client-order/{id}", CLIENT_ORDERS, 201, 400, 0, NULL,
	    NULL, gan_ps_get),
	OP("client-orders.update", "PUT", "/api/client-order/", CLIENT_ORDERS, 201, 400, 0, NULL,
	    gan_ps_client_order_fields, gan_ps_client_order_update),
	OP("client-orders.delete", "DELETE", "/api/client-order/{id}", CLIENT_ORDERS, 204, 404, 0,
	    NULL, NULL, gan_ps_delete),

	OP("purchase-orders.create", "POST", "/api/purchase-orders/", PURCHASE_ORDERS, 201, 0, 0,
	    NULL, gan_ps_purchase_order_fields, gan_ps_create),
	OP("purchase-orders.list", "GET", "/api/purchase-orders", PURCHASE_ORDERS, 200, 0, 0,
	    purchase_order_list, NULL, gan_ps_list),
	OP("purchase-orders.get", "GET", "/api/purchase-orders/{id}", PURCHASE_ORDERS, 201, 400, 0,
	    NULL, NULL, gan_ps_get),
	OP("purchase-orders.update", "PUT", "/api/purchase-orders/{id}", PURCHASE_ORDERS, 201, 400,
	    0, NULL, gan_ps_purchase_order_fields, gan_ps_update),
	OP("purchase-orders.delete", "DELETE", "/api/purchase-orders/{id}", PURCHASE_ORDERS, 204,
	    404, 0, NULL, NULL, gan_ps_delete),

	OP("production-orders.create", "POST", "/api/production-orders/", PRODUCTION_ORDERS, 201, 0,
	    0, workers, gan_ps_order_fields, gan_ps_create),
	OP("production-orders.list", "GET", "/api/production-orders/", PRODUCTION_ORDERS, 200, 0, 0,
	    order_list, NULL, gan_ps_list),
	OP("production-orders.get", "GET", "/api/production-orders/{id}", PRODUCTION_ORDERS, 200,
	    404, 0, workers, NULL, gan_ps_get),
	OP("production-orders.update", "PUT", "/api/production-orders/{id}", PRODUCTION_ORDERS, 200,
	    404, 0, workers, gan_ps_order_update_fields, gan_ps_update),
	OP("production-orders.delete", "DELETE", "/api/production-orders/{id}", PRODUCTION_ORDERS,
	    204, 404, 0, NULL, NULL, gan_ps_delete),
	OP("production-orders.notify", "POST", "/api/production-orders/{id}/notify",
	    PRODUCTION_ORDERS, 200, 404, 0, NULL, gan_ps_notify_fields, gan_ps_order_notify),
	OP("production-orders.activate", "POST", "/api/production-orders/{id}/activate",
	    PRODUCTION_ORDERS, 200, 404, 0, NULL, gan_ps_activate_fields, gan_ps_order_activate),

	OP("products.get", "GET", "/api/products/{code}", PRODUCTS, 200, 404, 0, NULL, NULL,
	    gan_ps_get),
	OP("products.create", "POST", "/api/products", PRODUCTS, 201, 0, 0, NULL,
	    gan_ps_product_fields, gan_ps_create),
	OP("products.update", "PUT", "/api/products/{code}", PRODUCTS, 201, 400, 0, NULL,
	    gan_ps_product_fields, gan_ps_update),
	OP("products.delete", "DELETE", "/api/products/{code}", PRODUCTS, 204, 400, 0, NULL, NULL,
	    gan_ps_delete),
	OP("products.list", "GET", "/api/products", PRODUCTS, 200, 0, 0, product_list, NULL,
	    gan_ps_product_list),
	OP("bom.set", "POST", "/api/bom", BOMS, 201, 404, 0, NULL, gan_ps_bom_fields,
	    gan_ps_bom_set),
	OP("stock.set", "POST", "/api/stock", STOCK, 201, 404, 0, NULL, gan_ps_stock_fields,
	    gan_ps_stock_set),
	OP("stock.get", "GET", "/api/stock/{code}", STOCK, 200, 400, 0, stock_get, NULL,
	    gan_ps_stock_get),
	OP("product-families.create", "POST", "/api/product-families", FAMILIES, 201, 0, 0, NULL,
	    gan_ps_family_fields, gan_ps_family_create),
	OP("product-families.delete", "DELETE", "/api/product-family/{code}", FAMILIES, 204, 400, 0,
	    NULL, NULL, gan_ps_delete),
	OP("product-families.list", "GET", "/api/product-families", FAMILIES, 201, 0, 0, pages,
	    NULL, gan_ps_list),

	OP("machines.counter", "POST", "/api/machines/{machine_code}/counter", MACHINES, 200, 400,
	    GAN_PS_BASIC_TOO, NULL, gan_ps_counter_fields, gan_ps_machine_counter),
	OP("machines.parameters", "POST", "/api/machines/{machine_code}/parameters", MACHINES, 200,
	    404, GAN_PS_BASIC_TOO, NULL, gan_ps_parameters_fields, gan_ps_machine_parameters),
	OP("machines.startstop", "POST", "/api/machines/{machine_code}/startstop", MACHINES, 200,
	    404, GAN_PS_BASIC_TOO, NULL, gan_ps_startstop_fields, gan_ps_machine_startstop),

	OP("productions.update", "PUT", "/api/productions/{id}", PRODUCTIONS, 200, 400, 0, NULL,
	    gan_ps_production_fields, gan_ps_update),
	OP("productions.delete", "DELETE", "/api/productions/{id}", PRODUCTIONS, 201, 400, 0, NULL,
	    NULL, gan_ps_delete),
	OP("productions.list", "GET", "/api/productions", PRODUCTIONS, 200, 0, 0, production_list,
	    NULL, gan_ps_production_list),
	OP("downtimes.list", "GET", "/api/downtimes", DOWNTIMES, 200, 0, 0, downtime_list, NULL,
	    gan_ps_list),
	OP("punchclocks.list", "GET", "/api/punchclocks", PUNCHCLOCKS, 200, 0, 0, punchclock_list,
	    NULL, gan_ps_list),

	OP("inventory-movements.get", "GET", "/api/inventory-movements/{id}", MOVEMENTS, 200, 404,
	    0, NULL, NULL, gan_ps_get),
	OP("inventory-movements.create", "POST", "/api/inventory-movements/", MOVEMENTS, 200, 0, 0,
	    NULL, gan_ps_movement_fields, gan_ps_movement_create),
	OP("inventory-movements.update", "PUT", "/api/inventory-movements/{id}", MOVEMENTS, 200,
	    404, 0, NULL, gan_ps_movement_update_fields, gan_ps_movement_update),
	OP("inventory-movements.delete", "DELETE", "/api/inventory-movement/{id}", MOVEMENTS, 204,
	    400, 0, NULL, NULL, gan_ps_movement_delete),
	OP("inventory-movements.list", "GET", "/api/inventory-movements/", MOVEMENTS, 200, 0, 0,
	    movement_list, NULL, gan_ps_list),

	OP("reports.worker-labor-time", "GET", "/api/reports/worker-labor-time", LABOR, 200, 0, 0,
	    report_args, NULL, gan_ps_report),
};

const size_t gan_ps_nops = GAN_COUNT(gan_ps_ops);

const struct gan_ps_kind gan_ps_kinds[GAN_PS_NPOOLS] = {
	[GAN_PS_SUPPLIERS] = { "suppliers", "id", true, gan_ps_partner_tidy, gan_ps_partner_view,
	    gan_ps_partner_check, gan_ps_supplier_held },
	[GAN_PS_CLIENTS] = { "clients", "id", true, gan_ps_partner_tidy, gan_ps_partner_view,
	    gan_ps_partner_check, gan_ps_client_held },
	[GAN_PS_CLIENT_ORDERS] = { "client_orders", "id", false, NULL, gan_ps_trade_view, NULL,
	    gan_ps_client_order_held },
	[GAN_PS_PURCHASE_ORDERS] = { "purchase_orders", "id", false, NULL, gan_ps_trade_view, NULL,
	    gan_ps_purchase_order_held },
	[GAN_PS_PRODUCTION_ORDERS] = { "production_orders", "id", false, gan_ps_order_tidy,
	    gan_ps_order_view, NULL, NULL },
	[GAN_PS_PRODUCTS] = { "products", "code", false, gan_ps_product_tidy, gan_ps_product_view,
	    gan_ps_product_check, gan_ps_product_held },
	[GAN_PS_FAMILIES] = { "families", "code", false, NULL, NULL, NULL, gan_ps_family_held },
	[GAN_PS_BOMS] = { "boms", "product-code", false, NULL, NULL, NULL, NULL },
	[GAN_PS_STOCK] = { "stock", "product-code", false, NULL, NULL, NULL, NULL },
	[GAN_PS_MACHINES] = { "machines", "code", false, NULL, NULL, NULL, NULL },
	[GAN_PS_PRODUCTIONS] = { "productions", "id", false, gan_ps_production_tidy,
	    gan_ps_production_view, NULL, NULL },
	[GAN_PS_DOWNTIMES] = { "downtimes", "id", false, NULL, NULL, NULL, NULL },
	[GAN_PS_PUNCHCLOCKS] = { "punchclocks", "id", false, gan_ps_punchclock_tidy, NULL, NULL,
	    NULL },
	[GAN_PS_MOVEMENTS] = { "movements", "id", false, gan_ps_movement_tidy, gan_ps_movement_view,
	    NULL, NULL },
	[GAN_PS_LABOR] = { "labor", "", false, NULL, NULL, NULL, NULL },
};
