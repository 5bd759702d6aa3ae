/* SPDX-License-Identifier: MIT */
/* prodsmart_state.c - what POST /state puts into Prodsmart, and what GET /state shows of it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "prodsmart.h"

int
gan_sim_prodsmart_init(struct gan_sim_prodsmart *p)
{
	p->ps = calloc(1, sizeof(*p->ps));
	if (p->ps == NULL)
		return GAN_ENOMEM;
	p->ps->last_id = 1000;
	p->ps->notifications = cJSON_CreateArray();
	return p->ps->notifications == NULL ? GAN_ENOMEM : GAN_OK;
}

void
gan_sim_prodsmart_fini(struct gan_sim_prodsmart *p)
{
	if (p->ps == NULL)
		return;
	for (int i = 0; i < GAN_PS_NPOOLS; i++)
		gan_ps_clear(p->ps, (enum gan_ps_pool_id)i);
	gan_ps_changes_clear(p->ps);
	gan_ps_window_free(&p->ps->arrived);
	gan_ps_window_free(&p->ps->served);
	cJSON_Delete(p->ps->notifications);
	free(p->ps);
	p->ps = NULL;
}

void
gan_sim_prodsmart_reset(struct gan_sim_prodsmart *p)
{
	gan_sim_prodsmart_fini(p);
	gan_must(gan_sim_prodsmart_init(p) == 0);
}

static int
check_list(enum gan_ps_pool_id pool, const cJSON *list, struct gan_err *err)
{
	const struct gan_ps_kind *kind = &gan_ps_kinds[pool];
	const cJSON *item;

	if (!cJSON_IsArray(list))
		return gan_err_set(err, GAN_EINVAL, "%s must be a list of objects", kind->name);
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *key = gan_cj_get(item, kind->key);
		bool given = strcmp(kind->key, "id") == 0;

		if (!cJSON_IsObject(item) || (key == NULL ? !given && kind->key[0] != '\0'
						 : given  ? !cJSON_IsNumber(key)
							  : !cJSON_IsString(key)))
			return gan_err_set(err, GAN_EINVAL, "%s: objects, each with its %s",
			    kind->name, kind->key);
	}
	return GAN_OK;
}

/* A list replaces the whole pool. */
static int
set_pool(struct gan_ps *ps, enum gan_ps_pool_id pool, const cJSON *list, struct gan_err *err)
{
	const cJSON *item;
	int rc = check_list(pool, list, err);

	if (rc < 0)
		return rc;
	gan_ps_clear(ps, pool);
	cJSON_ArrayForEach(item, list)(void) gan_ps_put(ps, pool, gan_ps_copy(item));
	ps->pools[pool].closed = true;
	return GAN_OK;
}

/* Members change in the objects that are there; what is not there is added. */
static int
merge_pool(struct gan_ps *ps, enum gan_ps_pool_id pool, const cJSON *list, struct gan_err *err)
{
	const cJSON *item, *m;
	int rc = check_list(pool, list, err);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach(item, list)
	{
		char key[GAN_PS_KEY];
		const cJSON *old = gan_ps_find(ps, pool, gan_ps_key(pool, item, key));
		cJSON *fresh = gan_ps_copy(old == NULL ? item : old);

		cJSON_ArrayForEach(m, item) gan_ps_set(fresh, m->string, gan_ps_copy(m));
		(void)gan_ps_put(ps, pool, fresh);
	}
	return GAN_OK;
}

/* By their keys: ids or codes. */
static int
remove_some(struct gan_ps *ps, enum gan_ps_pool_id pool, const cJSON *list, struct gan_err *err)
{
	const cJSON *v;

	if (!cJSON_IsArray(list))
		return gan_err_set(err, GAN_EINVAL, "remove: lists of ids or codes");
	cJSON_ArrayForEach(v, list)
	{
		char key[GAN_PS_KEY];

		if (!cJSON_IsNumber(v) && !cJSON_IsString(v))
			return gan_err_set(err, GAN_EINVAL, "remove: lists of ids or codes");
		gan_ps_remove(ps, pool, gan_ps_key_text(v, key));
	}
	return GAN_OK;
}

typedef int (*pool_fn)(
    struct gan_ps *ps, enum gan_ps_pool_id pool, const cJSON *list, struct gan_err *err);

/* 1 done, 0 there is no such pool, or an error. */
static int
on_pool(struct gan_ps *ps, const cJSON *list, pool_fn fn, struct gan_err *err)
{
	for (int i = 0; i < GAN_PS_NPOOLS; i++) {
		if (strcmp(gan_ps_kinds[i].name, list->string) == 0) {
			int rc = fn(ps, (enum gan_ps_pool_id)i, list, err);

			return rc < 0 ? rc : 1;
		}
	}
	return 0;
}

static int
on_pools(struct gan_ps *ps, const cJSON *lists, pool_fn fn, struct gan_err *err)
{
	const cJSON *list;

	cJSON_ArrayForEach(list, lists)
	{
		int rc = on_pool(ps, list, fn, err);

		if (rc < 0)
			return rc;
		if (rc == 0)
			return gan_err_set(err, GAN_EINVAL, "prodsmart has no %s", list->string);
	}
	return GAN_OK;
}

int
gan_sim_prodsmart_set(struct gan_sim_prodsmart *p, const cJSON *v, struct gan_err *err)
{
	int rc;

	if (strcmp(v->string, "changes") == 0)
		return gan_ps_changes_push(p->ps, v, err);
	if (strcmp(v->string, "merge") == 0 && cJSON_IsObject(v))
		return on_pools(p->ps, v, merge_pool, err);
	if (strcmp(v->string, "remove") == 0 && cJSON_IsObject(v))
		return on_pools(p->ps, v, remove_some, err);
	rc = on_pool(p->ps, v, set_pool, err);
	if (rc != 0)
		return rc < 0 ? rc : GAN_OK;
	return gan_err_set(err, GAN_EINVAL, "prodsmart has no setting \"%s\"", v->string);
}

static void
show_tree(const cJSON *tree, struct gan_buf *out)
{
	char *text GAN_AUTO(gan_str_free) = gan_cj_print(tree);

	gan_must(text != NULL);
	gan_buf_puts(out, text);
}

void
gan_sim_prodsmart_show(const struct gan_sim_prodsmart *p, struct gan_buf *out)
{
	const struct gan_ps *ps = p->ps;

	gan_buf_printf(out,
	    "{\"limit\":{\"per_minute\":%lld,\"window_ms\":%lld,\"most\":%lld,\"refused\":%lld},"
	    "\"naive_dates\":%lld,",
	    (long long)p->limit_per_minute, (long long)p->limit_window_ms, (long long)ps->most,
	    (long long)ps->refused, (long long)ps->naive_dates);
	gan_ps_changes_show(ps, out);
	gan_buf_puts(out, ",\"notifications\":");
	show_tree(ps->notifications, out);
	for (int i = 0; i < GAN_PS_NPOOLS; i++) {
		const struct gan_ps_pool *pl = &ps->pools[i];
		bool any = false;

		gan_buf_printf(out, ",\"%s\":[", gan_ps_kinds[i].name);
		for (size_t k = 0; k < pl->len; k++) {
			if (pl->items[k] == NULL)
				continue;
			if (any)
				gan_buf_putc(out, ',');
			show_tree(pl->items[k], out);
			any = true;
		}
		gan_buf_putc(out, ']');
	}
	gan_buf_putc(out, '}');
}
