/* SPDX-License-Identifier: MIT */
/* load.c - walk gantry.yaml beside the schema table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_priv.h"
#include "conf/secrets.h"

static void load_row(struct gan_loader *l, const struct gan_schema_row *row, unsigned kinds,
    const struct gan_yaml_node *n, const struct gan_bases *at);

static const char *
leaf_of(const struct gan_schema_row *row)
{
	const char *dot = strrchr(row->path, '.');

	return dot != NULL ? dot + 1 : row->path;
}

static void
say_unknown(struct gan_loader *l, const char *parent, unsigned kinds, const struct gan_yaml_node *n)
{
	const struct gan_schema_row *row = gan_schema_find(parent, n->key->text, 0);
	const char *guess = NULL;
	char shown[64], known[300] = "", names[64];
	size_t best = SIZE_MAX, len;

	gan_printable(n->key->text, n->key->len, shown, sizeof(shown));
	if (gan_diags_full(l->d)) {
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key, "unknown key '%s'", shown);
		return;
	}
	if (row != NULL) {
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
		    "'%s' does not belong to this kind, only to %s", shown,
		    gan_schema_kind_names(row->kinds, names, sizeof(names)));
		return;
	}
	for (size_t pos = 0; (row = gan_schema_next(parent, kinds, &pos)) != NULL;) {
		if (gan_nearer(n->key->text, leaf_of(row), &best))
			guess = leaf_of(row);
		len = strlen(known);
		(void)snprintf(
		    known + len, sizeof(known) - len, "%s%s", len > 0 ? ", " : "", leaf_of(row));
	}
	if (guess != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
		    "unknown key '%s', did you mean '%s'?", shown, guess);
	else
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
		    "unknown key '%s'; known here: %s", shown, known);
}

static void
say_wanted(struct gan_loader *l, const struct gan_schema_row *row, const struct gan_yaml_node *n)
{
	char wanted[200], label[80];

	gan_value_wanted(row, wanted, sizeof(wanted));
	gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "%s must be %s",
	    gan_row_label(row, n, label, sizeof(label)), wanted);
}

/* Is n the collection that the row wants?  Nothing at all is an empty one. */
static bool
is_collection(struct gan_loader *l, const struct gan_schema_row *row, enum gan_yaml_kind want,
    const struct gan_yaml_node *n)
{
	char label[80];

	if (n->kind != want && n->kind != GAN_YAML_NULL) {
		say_wanted(l, row, n);
		return false;
	}
	if (row->max == 0 || n->nchild <= (size_t)row->max)
		return true;
	gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "%s has %zu entries, the most is %d",
	    gan_row_label(row, n, label, sizeof(label)), n->nchild, (int)row->max);
	return false;
}

static void
load_named(struct gan_loader *l, const struct gan_schema_row *row, unsigned kinds,
    const struct gan_yaml_node *map, const struct gan_bases *at)
{
	const struct gan_schema_row *each = gan_schema_find(row->path, "*", kinds);
	const struct gan_bases nowhere = { 0 };

	gan_must(each != NULL);
	if (at->own != NULL && strcmp(row->path, "connectors.*.operations") == 0) {
		gan_load_operations(l, at->own, kinds, map);
		return;
	}
	if (at->own != NULL && strcmp(row->path, "connectors.*.headers") == 0)
		gan_load_headers(l, at->own, map);
	if (at->own != NULL && strcmp(row->path, "connectors.*.query_names") == 0)
		gan_load_query_names(l, at->own, map);
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next)
		load_row(l, each, kinds, n, &nowhere);
}

/* The one list that is stored; another one needs its own place here. */
static void
keep_proxy(struct gan_loader *l, const struct gan_yaml_node *n)
{
	struct gan_conf_public *p = &l->conf->public;
	char **more = realloc(p->trusted_proxies, (p->ntrusted_proxies + 1) * sizeof(*more));

	if (more != NULL)
		p->trusted_proxies = more;
	if (more == NULL || (more[p->ntrusted_proxies] = gan_memdup(n->text, n->len)) == NULL)
		l->no_memory = true;
	else
		p->ntrusted_proxies++;
}

static void
load_list(struct gan_loader *l, const struct gan_schema_row *row, unsigned kinds,
    const struct gan_yaml_node *list)
{
	const struct gan_schema_row *each = NULL;
	const struct gan_bases nowhere = { 0 };
	size_t pos = 0;

	each = gan_schema_next(row->path, kinds, &pos);
	gan_must(each != NULL);
	for (const struct gan_yaml_node *n = list->child; n != NULL; n = n->next) {
		unsigned before = l->d->errors;

		load_row(l, each, kinds, n, &nowhere);
		if (each->type == GAN_T_IP && l->d->errors == before)
			keep_proxy(l, n);
	}
}

/*
 * One secret: its form, and its bytes unless that is not wanted.  The value
 * itself is never repeated: it may be the secret.
 */
static void
load_secret(struct gan_loader *l, const struct gan_schema_row *row, const struct gan_yaml_node *n,
    struct gan_secret *place)
{
	const char *name = n->kind == GAN_YAML_STR ? gan_secret_name(n->text, n->len) : NULL;
	struct gan_err err = { 0 };
	char label[80];
	int rc;

	gan_row_label(row, n, label, sizeof(label));
	if (name == NULL) {
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "%s must not stand here as plain text: write secret:NAME, and put the value "
		    "into %s/NAME (a NAME is made of letters, digits and . _ -)",
		    label, l->conf->secrets_dir);
		return;
	}
	if (place == NULL)
		return;
	place->name = gan_asprintf("%s", name);
	if (place->name == NULL)
		l->no_memory = true;
	if (!l->read_secrets)
		return;
	rc = gan_secret_read(name, l->conf->secrets_dir, place, &err);
	if (rc < 0)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "secret:%s: %s", name, err.msg);
	else if ((row->flags & GAN_F_STRONG) != 0 && place->len < GAN_SECRET_SHORT)
		gan_diag_node(l->d, GAN_DIAG_WARNING, l->doc, n,
		    "secret:%s has only %zu bytes: a key should have %d or more", name, place->len,
		    GAN_SECRET_SHORT);
}

/* One secret, or a list of one or two. */
static void
load_secrets(struct gan_loader *l, const struct gan_schema_row *row, const struct gan_yaml_node *n,
    struct gan_secret *list)
{
	const struct gan_yaml_node *item = n->kind == GAN_YAML_SEQ ? n->child : n;
	size_t count = n->kind == GAN_YAML_SEQ ? n->nchild : 1;

	if (n->kind == GAN_YAML_MAP || n->kind == GAN_YAML_NULL || count < 1 ||
	    count > GAN_SECRETS_MAX) {
		say_wanted(l, row, n);
		return;
	}
	for (size_t i = 0; i < count; i++, item = item->next)
		load_secret(l, row, item, list != NULL ? &list[i] : NULL);
	if (list != NULL && count == 2 && list[0].name != NULL &&
	    gan_streq(list[0].name, list[1].name))
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->child->next,
		    "secret:%s stands here twice", list[0].name);
}

static void
load_row(struct gan_loader *l, const struct gan_schema_row *row, unsigned kinds,
    const struct gan_yaml_node *n, const struct gan_bases *at)
{
	if ((row->flags & GAN_F_LATER) != 0 && n->kind != GAN_YAML_NULL)
		gan_diag_node(l->d, GAN_DIAG_WARNING, l->doc, n->key,
		    "'%s' is not built yet: it is checked, and has no effect", leaf_of(row));
	switch (row->type) {
	case GAN_T_MAP:
		if (is_collection(l, row, GAN_YAML_MAP, n))
			gan_load_section(l, row->path, kinds, n, at);
		return;
	case GAN_T_NAMED:
		if (is_collection(l, row, GAN_YAML_MAP, n) && strchr(row->path, '.') != NULL)
			load_named(l, row, kinds, n, at);
		return;
	case GAN_T_LIST:
		if (is_collection(l, row, GAN_YAML_SEQ, n))
			load_list(l, row, kinds, n);
		return;
	case GAN_T_SECRET:
		load_secret(l, row, n, gan_row_place(row, at));
		return;
	case GAN_T_SECRETS:
		load_secrets(l, row, n, gan_row_place(row, at));
		return;
	default:
		if (n->kind == GAN_YAML_MAP && (row->flags & GAN_F_OR_MAP) != 0)
			gan_load_section(l, row->path, kinds, n, at);
		else
			gan_value_load(l, row, n, at);
	}
}

static void
check_required(
    struct gan_loader *l, const char *parent, unsigned kinds, const struct gan_yaml_node *map)
{
	const struct gan_schema_row *row;
	const struct gan_yaml_node *where = map->key != NULL ? map->key : map;
	char help[300];

	for (size_t pos = 0; (row = gan_schema_next(parent, kinds, &pos)) != NULL;) {
		if ((row->flags & GAN_F_REQUIRED) == 0 || gan_yaml_get(map, leaf_of(row)) != NULL)
			continue;
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, where, "missing key '%s': %s",
		    leaf_of(row), gan_schema_help(row, help, sizeof(help)));
	}
}

void
gan_load_section(struct gan_loader *l, const char *parent, unsigned kinds,
    const struct gan_yaml_node *map, const struct gan_bases *at)
{
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		const struct gan_schema_row *row = gan_schema_find(parent, n->key->text, kinds);

		if (row == NULL)
			say_unknown(l, parent, kinds, n);
		else
			load_row(l, row, kinds, n, at);
	}
	check_required(l, parent, kinds, map);
}

void
gan_load_defaults(
    struct gan_loader *l, const char *parent, unsigned kinds, const struct gan_bases *at)
{
	const struct gan_schema_row *row;

	for (size_t pos = 0; (row = gan_schema_next(parent, kinds, &pos)) != NULL;) {
		if (row->type == GAN_T_MAP)
			gan_load_defaults(l, row->path, kinds, at);
		else if (row->type != GAN_T_NAMED && row->type != GAN_T_LIST)
			gan_value_default(l, row, at);
	}
}
