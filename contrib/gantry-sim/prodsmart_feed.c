/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_feed.c - change-feed channels: a read takes away what it returns.
 *
 * A channel is a set of changed entities in their current state: one that
 * changes again before it was read is listed once, as the newest change.  Of
 * what was handed out and then spoilt on its way by a fault, `lost` tells.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "prodsmart.h"

static const char *const types[] = { "DOWN_TIME", "PRODUCT", "PRODUCTION", "PRODUCTION_ORDER",
	"PUNCH_CLOCK", "STOCK" };

static struct gan_ps_channel *
find(const struct gan_ps *ps, const char *name)
{
	struct gan_ps_channel *ch = ps->channels;

	while (ch != NULL && strcmp(ch->name, name) != 0)
		ch = ch->next;
	return ch;
}

static struct gan_ps_channel *
make(struct gan_ps *ps, const char *name)
{
	struct gan_ps_channel *ch = calloc(1, sizeof(*ch)), **tail = &ps->channels;

	gan_must(ch != NULL);
	(void)snprintf(ch->name, sizeof(ch->name), "%s", name);
	ch->left = cJSON_CreateArray();
	ch->handed = cJSON_CreateArray();
	ch->lost = cJSON_CreateArray();
	gan_must(ch->left != NULL && ch->handed != NULL && ch->lost != NULL);
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = ch;
	return ch;
}

/* One of the six types is there from the start; other names only after they were pushed to. */
static struct gan_ps_channel *
open_channel(struct gan_ps *ps, const char *name)
{
	struct gan_ps_channel *ch = find(ps, name);

	for (size_t i = 0; ch == NULL && i < GAN_COUNT(types); i++) {
		if (strcmp(types[i], name) == 0)
			ch = make(ps, name);
	}
	return ch;
}

static void
put_item(struct gan_ps_call *c, const cJSON *item)
{
	char *text GAN_AUTO(gan_str_free) = NULL;

	if (cJSON_IsString(item)) {
		gan_buf_puts(&c->ans->body, item->valuestring);
		return;
	}
	if (gan_ps_flag(c, "workers") || gan_ps_member(item, "workers-assigned") == NULL) {
		text = gan_cj_print(item);
	} else {
		cJSON *without GAN_AUTO(gan_cj_free) = gan_ps_copy(item);

		gan_ps_drop(without, "workers-assigned");
		text = gan_cj_print(without);
	}
	gan_must(text != NULL);
	gan_buf_puts(&c->ans->body, text);
}

void
gan_ps_changes_read(struct gan_ps_call *c)
{
	struct gan_ps_channel *ch = open_channel(c->ps, c->param);
	int n = 0;

	if (ch == NULL) {
		gan_ps_fail(c, c->op->missing, "there is no channel %s", c->param);
		return;
	}
	gan_buf_putc(&c->ans->body, '[');
	for (; n < GAN_PS_PAGE && ch->left->child != NULL; n++) {
		cJSON *item = cJSON_DetachItemFromArray(ch->left, 0);

		if (n > 0)
			gan_buf_putc(&c->ans->body, ',');
		put_item(c, item);
		(void)cJSON_AddItemToArray(ch->handed, item);
	}
	gan_buf_putc(&c->ans->body, ']');
	ch->reads++;
	ch->last = n;
	c->ps->last_read = ch;
	c->ans->handed = n;
	c->ans->acted = n > 0;
	c->ans->status = c->op->ok;
}

void
gan_sim_prodsmart_lost(struct gan_sim *sim)
{
	struct gan_ps_channel *ch = sim->prodsmart.ps->last_read;
	int first = cJSON_GetArraySize(ch->handed) - ch->last;

	for (; ch->last > 0; ch->last--)
		(void)cJSON_AddItemToArray(ch->lost, cJSON_DetachItemFromArray(ch->handed, first));
}

/* What makes two changes those of one entity. */
static bool
same_entity(const cJSON *a, const cJSON *b)
{
	static const char *const keys[] = { "id", "code", "product-code" };

	for (size_t i = 0; i < GAN_COUNT(keys); i++) {
		const cJSON *x = gan_ps_member(a, keys[i]), *y = gan_ps_member(b, keys[i]);

		if (x != NULL || y != NULL)
			return x != NULL && y != NULL && cJSON_Compare(x, y, true) != 0;
	}
	return false;
}

static void
push(struct gan_ps_channel *ch, const cJSON *item)
{
	cJSON *old, *next;

	for (old = ch->left->child; cJSON_IsObject(item) && old != NULL; old = next) {
		next = old->next;
		if (cJSON_IsObject(old) && same_entity(old, item))
			cJSON_Delete(cJSON_DetachItemViaPointer(ch->left, old));
	}
	(void)cJSON_AddItemToArray(ch->left, gan_ps_copy(item));
}

int
gan_ps_changes_push(struct gan_ps *ps, const cJSON *spec, struct gan_err *err)
{
	const cJSON *list, *item;

	if (!cJSON_IsObject(spec))
		return gan_err_set(err, GAN_EINVAL, "changes: lists by channel");
	cJSON_ArrayForEach(list, spec)
	{
		struct gan_ps_channel *ch = find(ps, list->string);

		if (!cJSON_IsArray(list) || strlen(list->string) >= sizeof(ch->name))
			return gan_err_set(
			    err, GAN_EINVAL, "changes.%s must be a list", list->string);
		if (ch == NULL)
			ch = make(ps, list->string);
		cJSON_ArrayForEach(item, list)
		{
			if (!cJSON_IsObject(item) && !cJSON_IsString(item))
				return gan_err_set(err, GAN_EINVAL,
				    "changes.%s: objects, or strings with the text of one",
				    list->string);
			push(ch, item);
		}
	}
	return GAN_OK;
}

static void
show_list(const char *name, const cJSON *list, struct gan_buf *out)
{
	char *text GAN_AUTO(gan_str_free) = gan_cj_print(list);

	gan_must(text != NULL);
	gan_buf_printf(out, ",\"%s\":", name);
	gan_buf_puts(out, text);
}

void
gan_ps_changes_show(const struct gan_ps *ps, struct gan_buf *out)
{
	gan_buf_puts(out, "\"changes\":{");
	for (const struct gan_ps_channel *ch = ps->channels; ch != NULL; ch = ch->next) {
		if (ch != ps->channels)
			gan_buf_putc(out, ',');
		gan_buf_json(out, ch->name, strlen(ch->name));
		gan_buf_printf(out, ":{\"reads\":%lld", (long long)ch->reads);
		show_list("left", ch->left, out);
		show_list("handed_out", ch->handed, out);
		show_list("lost", ch->lost, out);
		gan_buf_putc(out, '}');
	}
	gan_buf_putc(out, '}');
}

void
gan_ps_changes_clear(struct gan_ps *ps)
{
	struct gan_ps_channel *ch;

	while ((ch = ps->channels) != NULL) {
		ps->channels = ch->next;
		cJSON_Delete(ch->left);
		cJSON_Delete(ch->handed);
		cJSON_Delete(ch->lost);
		free(ch);
	}
}
