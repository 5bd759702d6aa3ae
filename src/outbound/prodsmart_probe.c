/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_probe.c - how it is found out whether something was created.
 *
 * The page knows no idempotency keys.  Codes are unique for suppliers, clients
 * and families; orders can share one, so our mark in a free text tells ours
 * from another, as it does for movements and messages, which have no code.
 * Replies and lists are not echoes of what was sent (workers are added, dates
 * come in another form): only what the samples show unchanged is compared.
 *
 * A machine's stop or start leaves nothing that is surely its own.
 */
#include "base/mem.h"
#include "outbound/probe.h"
#include "outbound/prodsmart_priv.h"

#define ARGS(a) .args = a, .nargs = GAN_COUNT(a)
#define EQUAL(e) .equal = e, .nequal = GAN_COUNT(e)

static const struct gan_probe_arg by_code[] = { { "$query.code", "code" } };
static const struct gan_probe_arg by_id[] = { { "$path.id", "$path.id" } };

static const struct gan_probe_pair partner[] = { { .sent = "name" }, { .sent = "number" },
	{ .sent = "addresses[].code" } };

const struct gan_probe gan_prodsmart_probe_supplier = {
	.ask = "suppliers.list", ARGS(by_code), .key = "code", EQUAL(partner)
};
const struct gan_probe gan_prodsmart_probe_client = {
	.ask = "clients.list", ARGS(by_code), .key = "code", EQUAL(partner)
};

static const struct gan_probe_pair bought[] = { { .sent = "supplier" },
	{ .sent = "products[].code" }, { .sent = "products[].quantity" } };

const struct gan_probe gan_prodsmart_probe_purchase_order = { .ask = "purchase-orders.list",
	ARGS(by_code),
	.paged = true,
	.key = "code",
	.mark = "observations",
	EQUAL(bought) };

/* No filter by code. */
static const struct gan_probe_arg by_client[] = { { "$query.client", "client" } };
static const struct gan_probe_pair sold[] = { { .sent = "client" }, { .sent = "products[].code" },
	{ .sent = "products[].quantity" } };

const struct gan_probe gan_prodsmart_probe_client_order = { .ask = "client-orders.list",
	ARGS(by_client),
	.paged = true,
	.key = "code",
	.mark = "observations",
	EQUAL(sold) };

static const struct gan_probe_arg by_product[] = { { "$query.product", "products[].product" } };
static const struct gan_probe_pair made[] = { { .sent = "products[].product" },
	{ .sent = "products[].quantity-ordered" } };

const struct gan_probe gan_prodsmart_probe_production_order = { .ask = "production-orders.list",
	ARGS(by_product),
	.paged = true,
	.key = "code",
	.mark = "notes",
	EQUAL(made) };

/* The message is added to the order's notes. */
const struct gan_probe gan_prodsmart_probe_note = { .ask = "production-orders.get",
	ARGS(by_id),
	.one = "code",
	.mark = "message",
	.mark_seen = "notes" };

static const struct gan_probe_pair family[] = { { .sent = "name" } };

const struct gan_probe gan_prodsmart_probe_families = { .ask = "product-families.list",
	.paged = true,
	.each = "product-families",
	.key = "code",
	EQUAL(family) };

static const struct gan_probe_arg by_move[] = { { "$query.product-code", "product-code" },
	{ "$query.type", "type" } };
static const struct gan_probe_pair moved[] = { { .sent = "quantity" } };

const struct gan_probe gan_prodsmart_probe_movement = { .ask = "inventory-movements.list",
	ARGS(by_move),
	.paged = true,
	.mark = "comment",
	EQUAL(moved) };
