/* SPDX-License-Identifier: MIT */
/* prodsmart_pool.c - the objects in memory, and the handlers that most operations share. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "prodsmart.h"

cJSON *
gan_ps_copy(const cJSON *tree)
{
	cJSON *copy = cJSON_Duplicate(tree, true);

	gan_must(copy != NULL);
	return copy;
}

cJSON *
gan_ps_member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

void
gan_ps_drop(cJSON *object, const char *name)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
}

void
gan_ps_set(cJSON *object, const char *name, cJSON *value)
{
	gan_must(value != NULL);
	if (gan_ps_member(object, name) != NULL)
		gan_must(cJSON_ReplaceItemInObjectCaseSensitive(object, name, value));
	else
		gan_must(cJSON_AddItemToObject(object, name, value));
}

cJSON *
gan_ps_wrap(const char *name, const char *text)
{
	cJSON *object = cJSON_CreateObject();

	gan_must(object != NULL);
	gan_ps_set(object, name, cJSON_CreateString(text));
	return object;
}

/* ---- pools ------------------------------------------------------------------ */

const char *
gan_ps_key_text(const cJSON *v, char out[GAN_PS_KEY])
{
	if (cJSON_IsString(v))
		return v->valuestring;
	(void)snprintf(out, GAN_PS_KEY, "%.0f", cJSON_IsNumber(v) ? v->valuedouble : 0);
	return out;
}

const char *
gan_ps_key(enum gan_ps_pool_id pool, const cJSON *item, char out[GAN_PS_KEY])
{
	return gan_ps_key_text(gan_cj_get(item, gan_ps_kinds[pool].key), out);
}

static void
count_code(struct gan_ps_pool *pl, const cJSON *item, int64_t change)
{
	const char *code = gan_cj_str(item, "code");
	int64_t *n;

	if (code == NULL)
		return;
	n = gan_sim_table_get(&pl->by_code, code);
	(void)gan_sim_table_put(&pl->by_code, code, (n == NULL ? 0 : *n) + change);
}

cJSON *
gan_ps_find(const struct gan_ps *ps, enum gan_ps_pool_id pool, const char *key)
{
	const int64_t *at = gan_sim_table_get(&ps->pools[pool].by_key, key);

	return at == NULL || *at < 0 ? NULL : ps->pools[pool].items[*at];
}

int64_t
gan_ps_count_code(const struct gan_ps *ps, enum gan_ps_pool_id pool, const char *code)
{
	const int64_t *n = code == NULL ? NULL : gan_sim_table_get(&ps->pools[pool].by_code, code);

	return n == NULL ? 0 : *n;
}

cJSON *
gan_ps_find_code(const struct gan_ps *ps, enum gan_ps_pool_id pool, const char *code)
{
	const struct gan_ps_pool *pl = &ps->pools[pool];

	if (gan_ps_count_code(ps, pool, code) == 0)
		return NULL;
	for (size_t i = 0; i < pl->len; i++) {
		if (pl->items[i] != NULL && gan_streq(gan_cj_str(pl->items[i], "code"), code))
			return pl->items[i];
	}
	return NULL;
}

static void
append(struct gan_ps_pool *pl, cJSON *item)
{
	if (pl->len == pl->cap) {
		size_t cap = pl->cap == 0 ? 64 : pl->cap * 2;
		cJSON **items = realloc(pl->items, cap * sizeof(cJSON *));

		gan_must(items != NULL);
		pl->items = items;
		pl->cap = cap;
	}
	pl->items[pl->len++] = item;
}

cJSON *
gan_ps_put(struct gan_ps *ps, enum gan_ps_pool_id pool, cJSON *item)
{
	const struct gan_ps_kind *kind = &gan_ps_kinds[pool];
	struct gan_ps_pool *pl = &ps->pools[pool];
	const char *key;
	char number[GAN_PS_KEY];
	int64_t *at;

	if (strcmp(kind->key, "id") == 0) {
		if (!cJSON_IsNumber(gan_ps_member(item, "id")))
			gan_ps_set(item, "id", cJSON_CreateNumber((double)++ps->last_id));
		else if (gan_cj_num(item, "id", 0) > (double)ps->last_id)
			ps->last_id = (int64_t)gan_cj_num(item, "id", 0);
	}
	if (kind->tidy != NULL)
		kind->tidy(ps, item);
	count_code(pl, item, 1);
	if (kind->key[0] == '\0') {
		append(pl, item);
		return item;
	}
	key = gan_ps_key(pool, item, number);
	at = gan_sim_table_get(&pl->by_key, key);
	if (at != NULL && *at >= 0) {
		count_code(pl, pl->items[*at], -1);
		cJSON_Delete(pl->items[*at]);
		pl->items[*at] = item;
		return item;
	}
	append(pl, item);
	(void)gan_sim_table_put(&pl->by_key, key, (int64_t)pl->len - 1);
	return item;
}

void
gan_ps_remove(struct gan_ps *ps, enum gan_ps_pool_id pool, const char *key)
{
	struct gan_ps_pool *pl = &ps->pools[pool];
	int64_t *at = gan_sim_table_get(&pl->by_key, key);

	if (at == NULL || *at < 0)
		return;
	count_code(pl, pl->items[*at], -1);
	cJSON_Delete(pl->items[*at]);
	pl->items[*at] = NULL;
	*at = -1;
}

void
gan_ps_clear(struct gan_ps *ps, enum gan_ps_pool_id pool)
{
	struct gan_ps_pool *pl = &ps->pools[pool];

	for (size_t i = 0; i < pl->len; i++)
		cJSON_Delete(pl->items[i]);
	free(pl->items);
	gan_sim_table_fini(&pl->by_key);
	gan_sim_table_fini(&pl->by_code);
	*pl = (struct gan_ps_pool){ 0 };
}

/* ---- handlers --------------------------------------------------------------- */

static cJSON *
view_of(const struct gan_ps_call *c, const cJSON *item)
{
	const struct gan_ps_kind *kind = &gan_ps_kinds[c->op->pool];

	return kind->view == NULL ? gan_ps_copy(item) : kind->view(c, item);
}

/* What the path names; NULL, and the answer is made, when it is not there. */
static cJSON *
named(struct gan_ps_call *c)
{
	cJSON *item = gan_ps_find(c->ps, c->op->pool, c->param);

	if (item == NULL)
		gan_ps_fail(c, c->op->missing, "there is none with %s %s",
		    gan_ps_kinds[c->op->pool].key, c->param);
	return item;
}

/* Created so lately that lists do not show it yet? */
static bool
hidden(const struct gan_ps_call *c, const cJSON *item)
{
	double made = gan_cj_num(item, "$made", 0);

	return c->p->list_delay_ms > 0 && made > 0 &&
	       (double)gan_mono_ms() < made + (double)c->p->list_delay_ms;
}

void
gan_ps_list(struct gan_ps_call *c)
{
	const struct gan_ps_pool *pl = &c->ps->pools[c->op->pool];
	const char *page = gan_ps_arg(c, "page");
	long long skip = page == NULL ? 0 : (strtoll(page, NULL, 10) - 1) * GAN_PS_PAGE;
	cJSON *list = cJSON_CreateArray();
	int n = 0;

	gan_must(list != NULL);
	for (size_t i = 0; i < pl->len && n < GAN_PS_PAGE; i++) {
		if (pl->items[i] == NULL || hidden(c, pl->items[i]) ||
		    !gan_ps_matches(c, pl->items[i]) || skip-- > 0)
			continue;
		gan_must(cJSON_AddItemToArray(list, view_of(c, pl->items[i])));
		n++;
	}
	gan_ps_answer(c, c->op->ok, list);
}

void
gan_ps_get(struct gan_ps_call *c)
{
	const cJSON *item = named(c);

	if (item != NULL)
		gan_ps_answer(c, c->op->ok, view_of(c, item));
}

void
gan_ps_made(cJSON *item)
{
	gan_ps_set(item, "$made", cJSON_CreateNumber((double)gan_mono_ms()));
}

void
gan_ps_create(struct gan_ps_call *c)
{
	const struct gan_ps_kind *kind = &gan_ps_kinds[c->op->pool];
	const char *code = gan_cj_str(c->body, "code");
	bool known = gan_ps_count_code(c->ps, c->op->pool, code) > 0;
	cJSON *item;

	if (known)
		c->ans->repeats = 1;
	if (known && kind->unique_code)
		gan_ps_fail(c, 400, "code %s is there already", code);
	if (kind->check != NULL)
		kind->check(c, NULL);
	if (c->failed)
		return;
	item = gan_ps_copy(c->body);
	if (strcmp(kind->key, "id") == 0)
		gan_ps_drop(item, "id"); /* ids are given here */
	gan_ps_made(item);
	c->ans->acted = true;
	gan_ps_answer(c, c->op->ok, view_of(c, gan_ps_put(c->ps, c->op->pool, item)));
}

void
gan_ps_update(struct gan_ps_call *c)
{
	const struct gan_ps_kind *kind = &gan_ps_kinds[c->op->pool];
	const char *code = gan_cj_str(c->body, "code");
	const cJSON *old = named(c);
	cJSON *item;

	if (old == NULL)
		return;
	if (kind->unique_code && !gan_streq(code, gan_cj_str(old, "code")) &&
	    gan_ps_count_code(c->ps, c->op->pool, code) > 0)
		gan_ps_fail(c, 400, "code %s is another's", code);
	if (kind->check != NULL)
		kind->check(c, old);
	if (c->failed)
		return;
	item = gan_ps_copy(c->body);
	gan_ps_set(item, kind->key, gan_ps_copy(gan_ps_member(old, kind->key)));
	c->ans->acted = true;
	gan_ps_answer(c, c->op->ok, view_of(c, gan_ps_put(c->ps, c->op->pool, item)));
}

void
gan_ps_delete(struct gan_ps_call *c)
{
	const struct gan_ps_kind *kind = &gan_ps_kinds[c->op->pool];
	const cJSON *item = named(c);
	int held;

	if (item == NULL)
		return;
	held = kind->held == NULL ? 0 : kind->held(c, item);
	if (held != 0) {
		gan_ps_fail(c, held, "other entities depend on it");
		return;
	}
	c->ans->acted = true;
	c->ans->status = c->op->ok;
	if (c->op->ok != 204)
		gan_ps_answer(c, c->op->ok, view_of(c, item));
	gan_ps_remove(c->ps, c->op->pool, c->param);
}
