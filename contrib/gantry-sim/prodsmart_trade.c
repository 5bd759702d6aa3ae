/* SPDX-License-Identifier: MIT */
/* prodsmart_trade.c - suppliers and clients, what is bought and what is sold. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "prodsmart.h"

/* If nobody is the default, the first one is. */
static void
choose_default(cJSON *list)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		if (gan_cj_true(item, "default"))
			return;
	}
	if (list != NULL && cJSON_IsArray(list) && list->child != NULL)
		gan_ps_set(list->child, "default", cJSON_CreateTrue());
}

void
gan_ps_partner_tidy(struct gan_ps *ps, cJSON *item)
{
	(void)ps;
	choose_default(gan_ps_member(item, "contacts"));
	choose_default(gan_ps_member(item, "addresses"));
}

/* The date goes in as ISO 8601 and comes out as 01/01/2020; an update's answer has no id. */
cJSON *
gan_ps_partner_view(const struct gan_ps_call *c, const cJSON *item)
{
	const char *date = gan_cj_str(item, "expiration-date");
	cJSON *v = gan_ps_copy(item);
	char text[16];

	if (date != NULL && strlen(date) >= 10) {
		(void)snprintf(text, sizeof(text), "%.2s/%.2s/%.4s", date + 8, date + 5, date);
		gan_ps_set(v, "expiration-date", cJSON_CreateString(text));
	}
	if (strcmp(c->op->method, "PUT") == 0)
		gan_ps_drop(v, "id");
	return v;
}

static int
defaults(const cJSON *list)
{
	const cJSON *item;
	int n = 0;

	cJSON_ArrayForEach(item, list) n += gan_cj_true(item, "default");
	return n;
}

static bool
address_used(const struct gan_ps *ps, const char *client, const char *code)
{
	const struct gan_ps_pool *pl = &ps->pools[GAN_PS_CLIENT_ORDERS];

	for (size_t i = 0; i < pl->len; i++) {
		const cJSON *o = pl->items[i];

		if (o != NULL && gan_streq(gan_cj_str(o, "client"), client) &&
		    (gan_streq(gan_cj_str(o, "delivery-address"), code) ||
			gan_streq(gan_cj_str(o, "billing-address"), code)))
			return true;
	}
	return false;
}

/* An address that an order names cannot be dropped by leaving it out. */
static void
check_dropped(struct gan_ps_call *c, const cJSON *old)
{
	const cJSON *address, *kept;

	cJSON_ArrayForEach(address, gan_cj_get(old, "addresses"))
	{
		const char *code = gan_cj_str(address, "code");
		bool stays = false;

		cJSON_ArrayForEach(kept, gan_cj_get(c->body, "addresses")) stays =
		    stays || gan_streq(gan_cj_str(kept, "code"), code);
		if (!stays && code != NULL && address_used(c->ps, gan_cj_str(old, "code"), code))
			gan_ps_fail(c, 400, "address %s is in use", code);
	}
}

void
gan_ps_partner_check(struct gan_ps_call *c, const cJSON *old)
{
	const cJSON *contact;

	cJSON_ArrayForEach(contact, gan_cj_get(c->body, "contacts"))
	{
		const char *phone = gan_cj_str(contact, "phone-number");
		const char *mail = gan_cj_str(contact, "email");

		if ((phone == NULL || phone[0] == '\0') && (mail == NULL || mail[0] == '\0'))
			gan_ps_fail(c, 400, "a contact needs phone-number or email");
	}
	if (defaults(gan_cj_get(c->body, "contacts")) > 1 ||
	    defaults(gan_cj_get(c->body, "addresses")) > 1)
		gan_ps_fail(c, 400, "there can be one default");
	if (old != NULL && c->op->pool == GAN_PS_CLIENTS)
		check_dropped(c, old);
}

/* Does an object of the pool have this text in that member? */
static bool
mentioned(const struct gan_ps *ps, enum gan_ps_pool_id pool, const char *name, const char *text)
{
	const struct gan_ps_pool *pl = &ps->pools[pool];

	for (size_t i = 0; text != NULL && i < pl->len; i++) {
		if (pl->items[i] != NULL && gan_streq(gan_cj_str(pl->items[i], name), text))
			return true;
	}
	return false;
}

int
gan_ps_supplier_held(const struct gan_ps_call *c, const cJSON *item)
{
	const char *code = gan_cj_str(item, "code");

	return mentioned(c->ps, GAN_PS_PURCHASE_ORDERS, "supplier", code) ? 412 : 0;
}

int
gan_ps_client_held(const struct gan_ps_call *c, const cJSON *item)
{
	const char *code = gan_cj_str(item, "code");

	return mentioned(c->ps, GAN_PS_CLIENT_ORDERS, "client", code) ? 412 : 0;
}

int
gan_ps_client_order_held(const struct gan_ps_call *c, const cJSON *item)
{
	const char *code = gan_cj_str(item, "code");

	return mentioned(c->ps, GAN_PS_MOVEMENTS, "client-order", code) ? 409 : 0;
}

int
gan_ps_purchase_order_held(const struct gan_ps_call *c, const cJSON *item)
{
	const char *code = gan_cj_str(item, "code");

	return mentioned(c->ps, GAN_PS_MOVEMENTS, "purchase-order", code) ? 409 : 0;
}

/* What the samples of answers leave out of what was sent. */
cJSON *
gan_ps_trade_view(const struct gan_ps_call *c, const cJSON *item)
{
	bool bought = c->op->pool == GAN_PS_PURCHASE_ORDERS;
	bool created = strcmp(c->op->method, "POST") == 0;
	cJSON *v = gan_ps_copy(item);

	if (bought && created)
		gan_ps_drop(v, "id");
	if (!bought) {
		gan_ps_drop(v, "delivery-address");
		gan_ps_drop(v, "location");
	}
	if (strcmp(c->op->method, "GET") == 0)
		gan_ps_drop(v, "billing-address");
	return v;
}

/* No id in the path: the code selects, the oldest order that has it. */
void
gan_ps_client_order_update(struct gan_ps_call *c)
{
	const char *code = gan_cj_str(c->body, "code");
	const cJSON *old = gan_ps_find_code(c->ps, GAN_PS_CLIENT_ORDERS, code);

	if (old == NULL) {
		gan_ps_fail(c, c->op->missing, "there is no order with code %s", code);
		return;
	}
	(void)snprintf(c->param, sizeof(c->param), "%.0f", gan_cj_num(old, "id", 0));
	gan_ps_update(c);
}
