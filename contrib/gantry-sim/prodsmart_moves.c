/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_moves.c - inventory movements: each one moves the stock.
 *
 * Kept as they are sent; answers turn the codes of shipping, receiving and
 * their orders into objects, and quantities are texts, as in every sample.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "prodsmart.h"

static double
quantity_of(const cJSON *item)
{
	const char *text = gan_cj_str(item, "quantity");

	return text == NULL ? gan_cj_num(item, "quantity", 0) : strtod(text, NULL);
}

static void
as_text(cJSON *item, const char *name)
{
	const cJSON *v = gan_ps_member(item, name);
	char text[32];

	if (!cJSON_IsNumber(v))
		return;
	(void)snprintf(text, sizeof(text), "%.15g", v->valuedouble);
	gan_ps_set(item, name, cJSON_CreateString(text));
}

void
gan_ps_movement_tidy(struct gan_ps *ps, cJSON *item)
{
	char now[GAN_TIME_LEN];

	(void)ps;
	as_text(item, "quantity");
	as_text(item, "total-cost");
	if (gan_ps_member(item, "date-time") == NULL)
		gan_ps_set(
		    item, "date-time", cJSON_CreateString(gan_time_format(gan_wall_ms(), now)));
}

/* {"code":…, <order>:{"code":…, <partner>:…}, "location":…} of the codes that were sent. */
static void
nest(const struct gan_ps_call *c, cJSON *v, const char *name, const char *order,
    const char *order_name, const char *partner, enum gan_ps_pool_id pool)
{
	const char *code = gan_cj_str(v, name), *of = gan_cj_str(v, order);
	const char *location = gan_cj_str(v, "location");
	cJSON *whole;

	if (code == NULL && of == NULL)
		return;
	whole = gan_ps_wrap("code", code == NULL ? "" : code);
	if (of != NULL) {
		const char *who = gan_cj_str(gan_ps_find_code(c->ps, pool, of), partner);
		cJSON *inner = gan_ps_wrap("code", of);

		gan_ps_set(inner, partner, cJSON_CreateString(who == NULL ? "" : who));
		gan_ps_set(whole, order_name, inner);
	}
	if (location != NULL)
		gan_ps_set(whole, "location", gan_ps_location(location));
	gan_ps_drop(v, order);
	gan_ps_set(v, name, whole);
}

cJSON *
gan_ps_movement_view(const struct gan_ps_call *c, const cJSON *item)
{
	cJSON *v = gan_ps_copy(item);

	nest(c, v, "shipping", "client-order", "clientOrder", "client", GAN_PS_CLIENT_ORDERS);
	nest(c, v, "receiving", "purchase-order", "purchaseOrder", "supplier",
	    GAN_PS_PURCHASE_ORDERS);
	gan_ps_drop(v, "location");
	gan_ps_drop(v, "warehouse");
	if (strcmp(c->op->name, "inventory-movements.get") == 0)
		gan_ps_drop(v, "id"); /* the page's sample has none */
	return v;
}

/* factor 1: do it, -1: undo it. */
static void
move(struct gan_ps *ps, const cJSON *m, double factor)
{
	const char *type = gan_cj_str(m, "type"), *code = gan_cj_str(m, "product-code");
	bool adds = gan_streq(type, "in") || gan_streq(type, "production");

	if (code != NULL)
		gan_ps_stock_add(
		    ps, code, gan_cj_str(m, "lot"), quantity_of(m) * factor * (adds ? 1 : -1));
}

/* Two of the types are documented by name, the other two only by their meaning. */
static bool
type_good(struct gan_ps_call *c)
{
	static const char *const types[] = { "in", "out", "consumption", "production" };
	const char *type = gan_cj_str(c->body, "type");

	for (size_t i = 0; type != NULL && i < GAN_COUNT(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	if (type != NULL)
		gan_ps_fail(c, 400, "type must be in, out, consumption or production");
	return type == NULL;
}

/* Was exactly this sent before?  Movements have no code: the index has their texts instead. */
static bool
sent_before(struct gan_ps_call *c)
{
	char *text GAN_AUTO(gan_str_free) = gan_cj_print(c->body);

	gan_must(text != NULL);
	return !gan_sim_table_put(&c->ps->pools[GAN_PS_MOVEMENTS].by_code, text, 1);
}

void
gan_ps_movement_create(struct gan_ps_call *c)
{
	cJSON *item;

	if (!type_good(c))
		return;
	if (quantity_of(c->body) <= 0) {
		gan_ps_fail(c, 400, "quantity must be above 0");
		return;
	}
	c->ans->repeats = sent_before(c);
	item = gan_ps_copy(c->body);
	gan_ps_made(item);
	item = gan_ps_put(c->ps, GAN_PS_MOVEMENTS, item);
	move(c->ps, item, 1);
	c->ans->acted = true;
	gan_ps_answer(c, c->op->ok, gan_ps_movement_view(c, item));
}

static cJSON *
movement_of(struct gan_ps_call *c)
{
	cJSON *item = gan_ps_find(c->ps, GAN_PS_MOVEMENTS, c->param);

	if (item == NULL)
		gan_ps_fail(c, c->op->missing, "there is no movement %s", c->param);
	return item;
}

/* Only what is sent changes.  The page shows no answer: 200 and nothing. */
void
gan_ps_movement_update(struct gan_ps_call *c)
{
	cJSON *item = movement_of(c);
	const cJSON *m;

	if (item == NULL || !type_good(c))
		return;
	move(c->ps, item, -1);
	cJSON_ArrayForEach(m, c->body) gan_ps_set(item, m->string, gan_ps_copy(m));
	gan_ps_movement_tidy(c->ps, item);
	move(c->ps, item, 1);
	c->ans->acted = true;
	c->ans->status = c->op->ok;
}

void
gan_ps_movement_delete(struct gan_ps_call *c)
{
	const cJSON *item = movement_of(c);

	if (item == NULL)
		return;
	move(c->ps, item, -1);
	gan_ps_delete(c);
}
