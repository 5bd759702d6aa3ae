/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_fields.c - the bodies of all operations, by the attribute lists and
 * samples of the vendor's page.  Members that neither shows are refused.
 */
#include "prodsmart.h"

#define STR(name)                                                                                  \
	{                                                                                          \
		name, GAN_PS_STR, false, NULL, NULL, 0                                             \
	}
#define NUM(name)                                                                                  \
	{                                                                                          \
		name, GAN_PS_NUM, false, NULL, NULL, 0                                             \
	}
#define BOOL(name)                                                                                 \
	{                                                                                          \
		name, GAN_PS_BOOL, false, NULL, NULL, 0                                            \
	}
#define DATE(name)                                                                                 \
	{                                                                                          \
		name, GAN_PS_DATE, false, NULL, NULL, 0                                            \
	}
#define NUMSTR(name)                                                                               \
	{                                                                                          \
		name, GAN_PS_NUMSTR, false, NULL, NULL, 0                                          \
	}
#define ANY(name)                                                                                  \
	{                                                                                          \
		name, GAN_PS_ANY, false, NULL, NULL, 0                                             \
	}
#define LIST(name, sub)                                                                            \
	{                                                                                          \
		name, GAN_PS_LIST, false, sub, NULL, 0                                             \
	}
#define OBJECT(name, sub)                                                                          \
	{                                                                                          \
		name, GAN_PS_OBJECT, false, sub, NULL, 0                                           \
	}
#define CODE(name)                                                                                 \
	{                                                                                          \
		name, GAN_PS_CODE_OBJ, false, NULL, NULL, 0                                        \
	}
/* Required ones */
#define MUST(name, type)                                                                           \
	{                                                                                          \
		name, type, true, NULL, NULL, 0                                                    \
	}
#define TEXT(name) MUST(name, GAN_PS_TEXT)
#define ITEMS(name, sub, unique)                                                                   \
	{                                                                                          \
		name, GAN_PS_LIST, true, sub, unique, 0                                            \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, GAN_PS_ANY, false, NULL, NULL, 0                                             \
	}

/* Parts that come again. */
static const struct gan_ps_field codes[] = { TEXT("code"), END };
static const struct gan_ps_field name_value[] = { TEXT("name"), ANY("value"), END };
static const struct gan_ps_field numbers[] = { MUST("number", GAN_PS_NUMSTR), END };

const struct gan_ps_field gan_ps_authorization_fields[] = { ANY("scopes"), END };

static const struct gan_ps_field addresses[] = {
	TEXT("code"),
	STR("name"),
	TEXT("address"),
	STR("city"),
	STR("post-code"),
	STR("state"),
	TEXT("country"),
	BOOL("default"),
	END,
};

static const struct gan_ps_field contacts[] = {
	STR("phone-number"),
	STR("email"),
	STR("name"),
	BOOL("default"),
	END,
};

const struct gan_ps_field gan_ps_partner_fields[] = {
	NUM("id"),
	TEXT("code"),
	TEXT("name"),
	STR("number"),
	DATE("expiration-date"),
	STR("phone-number"),
	STR("email"),
	{ "addresses", GAN_PS_LIST, false, addresses, "code", 0 },
	LIST("contacts", contacts),
	END,
};

static const struct gan_ps_field trade_products[] = {
	TEXT("code"),
	STR("name"),
	MUST("quantity", GAN_PS_POS),
	DATE("due-date"),
	DATE("requested-date"),
	STR("location"),
	NUM("price"),
	NUM("cost"),
	STR("uom"),
	STR("delivery-address"),
	STR("billing-address"),
	END,
};

const struct gan_ps_field gan_ps_client_order_fields[] = {
	NUM("id"),
	TEXT("code"),
	STR("client"),
	STR("observations"),
	ITEMS("products", trade_products, "code"),
	DATE("creation-date"),
	STR("billing-address"),
	STR("delivery-address"),
	STR("location"),
	LIST("parameters", name_value),
	END,
};

/* `client` is in the page's own sample of an update. */
const struct gan_ps_field gan_ps_purchase_order_fields[] = {
	NUM("id"),
	TEXT("code"),
	STR("supplier"),
	STR("client"),
	STR("billing-address"),
	STR("observations"),
	ITEMS("products", trade_products, NULL),
	STR("delivery-address"),
	LIST("parameters", name_value),
	STR("approval-status"),
	BOOL("active"),
	DATE("creation-date"),
	END,
};

static const struct gan_ps_field order_products[] = {
	TEXT("product"),
	MUST("quantity-ordered", GAN_PS_POS),
	STR("observations"),
	NUM("quantity-produced"),
	END,
};

static const struct gan_ps_field names[] = { TEXT("name"), END };

#define ORDER_FIELDS                                                                               \
	NUM("id"), TEXT("code"), MUST("start-date", GAN_PS_DATE), MUST("due-date", GAN_PS_DATE),   \
	    ITEMS("products", order_products, "product"), STR("description"), CODE("shipping"),    \
	    LIST("workers-assigned", numbers), LIST("worker-groups", names),                       \
	    LIST("machines", codes), STR("serial-number"), STR("notes"), NUM("pieces-by-box"),     \
	    STR("location"), BOOL("ended"), BOOL("active"), BOOL("is-active"),                     \
	    BOOL("material-staging-complete"), STR("status"), STR("running-status")

const struct gan_ps_field gan_ps_order_fields[] = {
	ORDER_FIELDS,
	LIST("parameters", name_value),
	END,
};

const struct gan_ps_field gan_ps_order_update_fields[] = {
	ORDER_FIELDS,
	LIST("parameters", name_value),
	LIST("custom-fields", NULL),
	END,
};

const struct gan_ps_field gan_ps_notify_fields[] = {
	{ "short-message", GAN_PS_TEXT, true, NULL, NULL, 140 },
	STR("message"),
	END,
};

const struct gan_ps_field gan_ps_activate_fields[] = { END };

static const struct gan_ps_field durations[] = {
	STR("validSince"),
	STR("validUntil"),
	STR("duration"),
	STR("duration-customer"),
	NUM("ratio-quantity"),
	END,
};

static const struct gan_ps_field operations[] = {
	TEXT("code"),
	TEXT("name"),
	LIST("waste", codes),
	LIST("task-durations", durations),
	NUM("times-per-product"),
	LIST("custom-fields", NULL),
	LIST("parameters", name_value),
	LIST("checklists", codes),
	LIST("machines", codes),
	BOOL("disabled"),
	BOOL("optional"),
	BOOL("recovery"),
	BOOL("no-time"),
	BOOL("no-quantity"),
	BOOL("as-team"),
	BOOL("multi-po"),
	BOOL("print-production-barcode"),
	BOOL("prepare-batch-order"),
	NUM("max-waste-threshold"),
	OBJECT("section", names),
	NUM("id"),
	END,
};

const struct gan_ps_field gan_ps_product_fields[] = {
	TEXT("code"),
	TEXT("name"),
	ANY("section"),
	LIST("families", NULL),
	STR("color"),
	STR("observations"),
	{ "operations", GAN_PS_LIST, false, operations, "code", 0 },
	LIST("components", NULL),
	LIST("custom-fields", NULL),
	LIST("parameters", name_value),
	OBJECT("label", codes),
	BOOL("serializable"),
	NUM("unit-cost"),
	NUM("unit-price"),
	NUM("id"),
	END,
};

static const struct gan_ps_field bom_items[] = {
	TEXT("product-code"),
	MUST("quantity", GAN_PS_NUM),
	STR("operation-code"),
	END,
};

const struct gan_ps_field gan_ps_bom_fields[] = {
	TEXT("product-code"),
	ITEMS("bom", bom_items, NULL),
	END,
};

const struct gan_ps_field gan_ps_stock_fields[] = {
	TEXT("product-code"),
	MUST("stock", GAN_PS_NUM),
	DATE("date"),
	END,
};

static const struct gan_ps_field families[] = { TEXT("code"), TEXT("name"), END };
const struct gan_ps_field gan_ps_family_fields[] = {
	ITEMS("product-families", families, "code"),
	END,
};

static const struct gan_ps_field wastes[] = {
	TEXT("code"),
	MUST("quantity", GAN_PS_NUM),
	END,
};

const struct gan_ps_field gan_ps_counter_fields[] = {
	MUST("count", GAN_PS_NUM),
	{ "waste", GAN_PS_LIST, false, wastes, "code", 0 },
	LIST("parameters", name_value),
	END,
};

static const struct gan_ps_field code_value[] = { TEXT("code"), MUST("value", GAN_PS_ANY), END };
const struct gan_ps_field gan_ps_parameters_fields[] = {
	ITEMS("parameters", code_value, NULL),
	END,
};

const struct gan_ps_field gan_ps_startstop_fields[] = {
	TEXT("type"),
	MUST("running", GAN_PS_INT),
	END,
};

static const struct gan_ps_field production_order[] = { STR("code"), NUM("id"), END };
static const struct gan_ps_field production_operation[] = {
	TEXT("code"),
	STR("product-code"),
	STR("product"),
	NUM("id"),
	END,
};
static const struct gan_ps_field production_worker[] = {
	MUST("number", GAN_PS_NUMSTR),
	STR("name"),
	NUM("id"),
	END,
};

const struct gan_ps_field gan_ps_production_fields[] = {
	NUM("id"),
	MUST("start-time", GAN_PS_DATE),
	DATE("end-time"),
	STR("work-time"),
	OBJECT("production-order", production_order),
	{ "operation", GAN_PS_OBJECT, true, production_operation, NULL, 0 },
	NUM("quantity"),
	{ "worker", GAN_PS_OBJECT, true, production_worker, NULL, 0 },
	LIST("produced-waste", NULL),
	CODE("shipping"),
	STR("lot-number"),
	BOOL("finished"),
	BOOL("checked-out"),
	OBJECT("machine", codes),
	LIST("parameters", NULL),
	END,
};

#define MOVEMENT_FIELDS                                                                            \
	DATE("date-time"), STR("lot"), NUMSTR("total-cost"), STR("comment"), STR("warehouse"),     \
	    STR("warehouse-location"), STR("location"), STR("shipping"), STR("client-order"),      \
	    STR("receiving"), STR("purchase-order")

const struct gan_ps_field gan_ps_movement_fields[] = {
	TEXT("product-code"),
	MUST("quantity", GAN_PS_NUMSTR),
	TEXT("type"),
	MOVEMENT_FIELDS,
	END,
};

const struct gan_ps_field gan_ps_movement_update_fields[] = {
	STR("product-code"),
	NUMSTR("quantity"),
	STR("type"),
	MOVEMENT_FIELDS,
	END,
};
