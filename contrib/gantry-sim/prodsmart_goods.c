/* SPDX-License-Identifier: MIT */
/* prodsmart_goods.c - products, their families, what they are made of, how much there is. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "prodsmart.h"

static void
give_id(struct gan_ps *ps, cJSON *item)
{
	if (!cJSON_IsNumber(gan_ps_member(item, "id")))
		gan_ps_set(item, "id", cJSON_CreateNumber((double)++ps->last_id));
}

/* Products are named by their code; ids are given to them and to their operations. */
void
gan_ps_product_tidy(struct gan_ps *ps, cJSON *item)
{
	const char *code = gan_cj_str(item, "code");
	const cJSON *old = gan_ps_find(ps, GAN_PS_PRODUCTS, code);
	char now[GAN_TIME_LEN];
	cJSON *operation;

	if (old != NULL)
		gan_ps_set(item, "id", gan_ps_copy(gan_ps_member(old, "id")));
	give_id(ps, item);
	cJSON_ArrayForEach(operation, gan_ps_member(item, "operations")) give_id(ps, operation);
	if (gan_ps_member(item, "$modified") == NULL)
		gan_ps_set(
		    item, "$modified", cJSON_CreateString(gan_time_format(gan_wall_ms(), now)));
}

static cJSON *
components_of(const struct gan_ps *ps, const char *code)
{
	const cJSON *bom = gan_cj_get(gan_ps_find(ps, GAN_PS_BOMS, code), "bom"), *b;
	cJSON *list = cJSON_CreateArray();

	cJSON_ArrayForEach(b, bom)
	{
		const char *part = gan_cj_str(b, "product-code");
		const char *name = gan_cj_str(gan_ps_find(ps, GAN_PS_PRODUCTS, part), "name");
		const char *operation = gan_cj_str(b, "operation-code");
		cJSON *one = gan_ps_wrap("code", part);

		gan_ps_set(one, "name", cJSON_CreateString(name == NULL ? part : name));
		gan_ps_set(one, "quantity", gan_ps_copy(gan_ps_member(b, "quantity")));
		gan_ps_set(
		    one, "operation", cJSON_CreateString(operation == NULL ? "" : operation));
		(void)cJSON_AddItemToArray(list, one);
	}
	return list;
}

/* Reads show null for what is not set; the list shows the components, and no id. */
cJSON *
gan_ps_product_view(const struct gan_ps_call *c, const cJSON *item)
{
	static const char *const nulls[] = { "section", "families", "custom-fields" };
	bool listed = strcmp(c->op->name, "products.list") == 0;
	cJSON *v = gan_ps_copy(item);

	for (size_t i = 0; strcmp(c->op->method, "GET") == 0 && i < GAN_COUNT(nulls); i++) {
		if (gan_ps_member(v, nulls[i]) == NULL)
			gan_ps_set(v, nulls[i], cJSON_CreateNull());
	}
	if (listed) {
		gan_ps_set(v, "components", components_of(c->ps, gan_cj_str(item, "code")));
		gan_ps_drop(v, "id");
	}
	return v;
}

void
gan_ps_product_check(struct gan_ps_call *c, const cJSON *old)
{
	const char *code = gan_cj_str(c->body, "code");
	const cJSON *operation;

	if (old != NULL && !gan_streq(code, c->param))
		gan_ps_fail(c, 400, "code %s is not that of the path", code);
	cJSON_ArrayForEach(operation, gan_cj_get(c->body, "operations"))
	{
		if (cJSON_GetArraySize(gan_cj_get(operation, "task-durations")) > 1)
			gan_ps_fail(c, 400, "task-durations: one at most");
	}
}

/* As the page's sample has it, a list of one product may be that product. */
void
gan_ps_product_list(struct gan_ps_call *c)
{
	cJSON *list GAN_AUTO(gan_cj_free) = NULL;
	struct gan_err err;

	gan_ps_list(c);
	if (c->p->single_object == 0)
		return;
	gan_must(gan_cj_parse(c->ans->body.data, c->ans->body.len, &list, &err) == 0);
	if (cJSON_GetArraySize(list) != 1)
		return;
	gan_buf_clear(&c->ans->body);
	gan_ps_answer(c, c->op->ok, cJSON_DetachItemFromArray(list, 0));
}

int
gan_ps_product_held(const struct gan_ps_call *c, const cJSON *item)
{
	const struct gan_ps_pool *pl = &c->ps->pools[GAN_PS_BOMS];
	const cJSON *b;

	for (size_t i = 0; i < pl->len; i++) {
		cJSON_ArrayForEach(b, gan_cj_get(pl->items[i], "bom"))
		{
			if (gan_streq(gan_cj_str(b, "product-code"), gan_cj_str(item, "code")))
				return 400;
		}
	}
	return 0;
}

void
gan_ps_bom_set(struct gan_ps_call *c)
{
	const char *code = gan_cj_str(c->body, "product-code");
	const cJSON *b;

	if (gan_ps_find(c->ps, GAN_PS_PRODUCTS, code) == NULL)
		gan_ps_fail(c, 404, "there is no product %s", code);
	cJSON_ArrayForEach(b, gan_cj_get(c->body, "bom"))
	{
		const char *part = gan_cj_str(b, "product-code");

		if (gan_ps_find(c->ps, GAN_PS_PRODUCTS, part) == NULL)
			gan_ps_fail(c, 400, "there is no product %s to be a part", part);
	}
	if (c->failed)
		return;
	c->ans->acted = true;
	gan_ps_answer(
	    c, c->op->ok, gan_ps_copy(gan_ps_put(c->ps, GAN_PS_BOMS, gan_ps_copy(c->body))));
}

/* ---- stock --------------------------------------------------------------------- */

/* The entry of a product, made when it is not there. */
static cJSON *
stock_of(struct gan_ps *ps, const char *code)
{
	cJSON *entry = gan_ps_find(ps, GAN_PS_STOCK, code);

	if (entry != NULL)
		return entry;
	entry = gan_ps_wrap("product-code", code);
	gan_ps_set(entry, "stock", cJSON_CreateNumber(0));
	gan_ps_set(entry, "lot", cJSON_CreateArray());
	return gan_ps_put(ps, GAN_PS_STOCK, entry);
}

static void
add_to(cJSON *entry, double change)
{
	gan_ps_set(entry, "stock", cJSON_CreateNumber(gan_cj_num(entry, "stock", 0) + change));
}

void
gan_ps_stock_add(struct gan_ps *ps, const char *code, const char *lot, double change)
{
	cJSON *entry = stock_of(ps, code), *l, *found = NULL;

	add_to(entry, change);
	if (lot == NULL || lot[0] == '\0')
		return;
	if (!cJSON_IsArray(gan_ps_member(entry, "lot")))
		gan_ps_set(entry, "lot", cJSON_CreateArray());
	cJSON_ArrayForEach(l, gan_ps_member(entry, "lot"))
	{
		if (gan_streq(gan_cj_str(l, "code"), lot))
			found = l;
	}
	if (found == NULL) {
		found = gan_ps_wrap("code", lot);
		(void)cJSON_AddItemToArray(gan_ps_member(entry, "lot"), found);
	}
	add_to(found, change);
}

/* Absolute: what is older than the last count is taken as well, and the journal tells. */
void
gan_ps_stock_set(struct gan_ps_call *c)
{
	const char *code = gan_cj_str(c->body, "product-code");
	const char *date = gan_cj_str(c->body, "date"), *last;
	int64_t at = gan_wall_ms(), before;
	char text[GAN_TIME_LEN];
	cJSON *entry;
	bool naive;

	if (gan_ps_find(c->ps, GAN_PS_PRODUCTS, code) == NULL) {
		gan_ps_fail(c, 404, "there is no product %s", code);
		return;
	}
	entry = stock_of(c->ps, code);
	last = gan_cj_str(entry, "$date");
	if (date != NULL)
		(void)gan_ps_date(c->p, date, &at, &naive);
	if (last != NULL && gan_time_parse(last, &before) == 0 && at < before)
		gan_ps_note(c, "older-count", code);
	gan_ps_set(entry, "$date", cJSON_CreateString(gan_time_format(at, text)));
	gan_ps_set(entry, "stock", gan_ps_copy(gan_ps_member(c->body, "stock")));
	c->ans->acted = true;
	c->ans->status = c->op->ok;
	c->ans->type = "text/plain";
	gan_buf_puts(&c->ans->body, "Request successful");
}

void
gan_ps_stock_get(struct gan_ps_call *c)
{
	const cJSON *entry = gan_ps_find(c->ps, GAN_PS_STOCK, c->param), *l;
	const char *lot = gan_ps_arg(c, "lot");
	cJSON *v, *lots;

	if (entry == NULL && gan_ps_find(c->ps, GAN_PS_PRODUCTS, c->param) == NULL) {
		gan_ps_fail(c, c->op->missing, "there is no product %s", c->param);
		return;
	}
	v = gan_ps_copy(entry == NULL ? stock_of(c->ps, c->param) : entry);
	lots = cJSON_CreateArray();
	cJSON_ArrayForEach(l, gan_cj_get(entry, "lot"))
	{
		if (lot == NULL || gan_streq(gan_cj_str(l, "code"), lot))
			(void)cJSON_AddItemToArray(lots, gan_ps_copy(l));
	}
	gan_ps_set(v, "lot", lots);
	gan_ps_answer(c, c->op->ok, v);
}

/* ---- families -------------------------------------------------------------------- */

void
gan_ps_family_create(struct gan_ps_call *c)
{
	const cJSON *list = gan_cj_get(c->body, "product-families"), *f;

	cJSON_ArrayForEach(f, list)
	{
		if (gan_ps_find(c->ps, GAN_PS_FAMILIES, gan_cj_str(f, "code")) == NULL)
			continue;
		c->ans->repeats = 1;
		gan_ps_fail(c, 400, "family %s is there already", gan_cj_str(f, "code"));
	}
	if (c->failed)
		return;
	cJSON_ArrayForEach(f, list)(void) gan_ps_put(c->ps, GAN_PS_FAMILIES, gan_ps_copy(f));
	c->ans->acted = true;
	gan_ps_answer(c, c->op->ok, gan_ps_copy(list));
}

int
gan_ps_family_held(const struct gan_ps_call *c, const cJSON *item)
{
	const struct gan_ps_pool *pl = &c->ps->pools[GAN_PS_PRODUCTS];
	const cJSON *f;

	for (size_t i = 0; i < pl->len; i++) {
		cJSON_ArrayForEach(f, gan_cj_get(pl->items[i], "families"))
		{
			if (gan_streq(gan_cj_str(f, "code"), gan_cj_str(item, "code")))
				return 400;
		}
	}
	return 0;
}
