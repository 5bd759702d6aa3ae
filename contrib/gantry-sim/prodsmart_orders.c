/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_orders.c - production orders.
 *
 * Kept in the form of the sample of the list: `active`, `shipping` as text.
 * The samples of get and update show `is-active`, `shipping` as an object and
 * parameters as `custom-fields`.  Codes are not unique, as the page does not
 * say so: a second one counts as a repeat in the journal.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "prodsmart.h"

cJSON *
gan_ps_location(const char *code)
{
	cJSON *v = gan_ps_wrap("id", "location id");

	gan_ps_set(v, "code", cJSON_CreateString(code));
	gan_ps_set(v, "name", cJSON_CreateString("location name"));
	return v;
}

static void
default_to(cJSON *item, const char *name, const cJSON *old, cJSON *otherwise)
{
	const cJSON *before = old == NULL ? NULL : gan_ps_member(old, name);

	if (gan_ps_member(item, name) != NULL) {
		cJSON_Delete(otherwise);
	} else if (before != NULL) {
		cJSON_Delete(otherwise);
		gan_ps_set(item, name, gan_ps_copy(before));
	} else {
		gan_ps_set(item, name, otherwise);
	}
}

static int
by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* The sample: workers 1 and 3 and the group "All" were sent, 1 to 4 came back. */
static void
resolve_groups(cJSON *item)
{
	int found[260] = { 1, 2, 3, 4 };
	size_t n = 4;
	const cJSON *w;
	cJSON *list;

	if (gan_ps_member(item, "worker-groups") == NULL)
		return;
	cJSON_ArrayForEach(w, gan_cj_get(item, "workers-assigned"))
	{
		const char *text = gan_cj_str(w, "number");
		int number =
		    text != NULL ? (int)strtol(text, NULL, 10) : (int)gan_cj_num(w, "number", 0);

		if (n < GAN_COUNT(found) && (number < 1 || number > 4))
			found[n++] = number;
	}
	qsort(found, n, sizeof(found[0]), by_number);
	list = cJSON_CreateArray();
	for (size_t i = 0; i < n; i++) {
		cJSON *one = cJSON_CreateObject();

		gan_ps_set(one, "number", cJSON_CreateNumber(found[i]));
		(void)cJSON_AddItemToArray(list, one);
	}
	gan_ps_set(item, "workers-assigned", list);
	gan_ps_drop(item, "worker-groups");
}

/* [{"name":"n","value":v}] -> [{"n":v}] */
static cJSON *
custom_fields(const cJSON *parameters)
{
	cJSON *list = cJSON_CreateArray();
	const cJSON *p;

	cJSON_ArrayForEach(p, parameters)
	{
		const cJSON *value = gan_cj_get(p, "value");
		cJSON *one = cJSON_CreateObject();

		gan_ps_set(one, gan_cj_str(p, "name"),
		    value == NULL ? cJSON_CreateNull() : gan_ps_copy(value));
		(void)cJSON_AddItemToArray(list, one);
	}
	return list;
}

void
gan_ps_order_tidy(struct gan_ps *ps, cJSON *item)
{
	const cJSON *v = gan_ps_member(item, "is-active"), *old;
	cJSON *product;
	char key[32];

	(void)snprintf(key, sizeof(key), "%.0f", gan_cj_num(item, "id", 0));
	old = gan_ps_find(ps, GAN_PS_PRODUCTION_ORDERS, key);
	if (v != NULL) {
		gan_ps_set(item, "active", gan_ps_copy(v));
		gan_ps_drop(item, "is-active");
	}
	v = gan_ps_member(item, "shipping");
	if (cJSON_IsObject(v)) {
		const char *code = gan_cj_str(v, "code");

		gan_ps_set(item, "shipping", cJSON_CreateString(code == NULL ? "" : code));
	}
	v = gan_ps_member(item, "parameters");
	if (v != NULL) {
		gan_ps_set(item, "custom-fields", custom_fields(v));
		gan_ps_drop(item, "parameters");
	}
	resolve_groups(item);
	cJSON_ArrayForEach(product, gan_ps_member(item, "products"))
	    default_to(product, "quantity-produced", NULL, cJSON_CreateNumber(0));
	default_to(item, "status", old, cJSON_CreateString("scheduled"));
	default_to(item, "running-status", old, cJSON_CreateString("notstarted"));
	default_to(item, "active", old, cJSON_CreateTrue());
	default_to(item, "ended", old, cJSON_CreateFalse());
	default_to(item, "notes", NULL, cJSON_CreateString(""));
}

cJSON *
gan_ps_order_view(const struct gan_ps_call *c, const cJSON *item)
{
	bool whole =
	    strcmp(c->op->name, "production-orders.get") == 0 || strcmp(c->op->method, "PUT") == 0;
	cJSON *v = gan_ps_copy(item);
	const char *text = gan_cj_str(v, "location");

	if (text != NULL)
		gan_ps_set(v, "location", gan_ps_location(text));
	if (!gan_ps_flag(c, "workers"))
		gan_ps_drop(v, "workers-assigned");
	if (!whole) {
		gan_ps_drop(v, "custom-fields");
		return v;
	}
	text = gan_cj_str(v, "shipping");
	if (text != NULL)
		gan_ps_set(v, "shipping",
		    text[0] == '\0' ? cJSON_CreateObject() : gan_ps_wrap("code", text));
	gan_ps_set(v, "is-active", gan_ps_copy(gan_ps_member(v, "active")));
	gan_ps_drop(v, "active");
	return v;
}

static cJSON *
order_of(struct gan_ps_call *c)
{
	cJSON *order = gan_ps_find(c->ps, c->op->pool, c->param);

	if (order == NULL)
		gan_ps_fail(c, c->op->missing, "there is no production order %s", c->param);
	return order;
}

/* The message is added to the notes; what the page leaves open is the line break between. */
void
gan_ps_order_notify(struct gan_ps_call *c)
{
	const char *message = gan_cj_str(c->body, "message");
	cJSON *order = order_of(c), *entry;
	const char *notes;

	if (order == NULL)
		return;
	entry = gan_ps_copy(c->body);
	gan_ps_set(entry, "production-order", gan_ps_copy(gan_ps_member(order, "id")));
	(void)cJSON_AddItemToArray(c->ps->notifications, entry);
	notes = gan_cj_str(order, "notes");
	if (message != NULL) {
		struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };

		if (notes != NULL && strstr(notes, message) != NULL)
			c->ans->repeats = 1;
		gan_buf_printf(&text, "%s%s%s", notes == NULL ? "" : notes,
		    notes == NULL || notes[0] == '\0' ? "" : "\n", message);
		gan_ps_set(order, "notes", cJSON_CreateString(text.data));
	}
	c->ans->acted = true;
	c->ans->status = c->op->ok;
}

void
gan_ps_order_activate(struct gan_ps_call *c)
{
	cJSON *order = order_of(c);
	const char *running = order == NULL ? NULL : gan_cj_str(order, "running-status");

	if (order == NULL)
		return;
	if (gan_streq(running, "closed") || gan_streq(running, "archived")) {
		gan_ps_fail(c, 405, "the production order is %s", running);
		return;
	}
	if (gan_cj_true(order, "active")) {
		c->ans->status = 204;
		return;
	}
	gan_ps_set(order, "active", cJSON_CreateTrue());
	c->ans->acted = true;
	c->ans->status = c->op->ok;
}
