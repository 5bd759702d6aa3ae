/* SPDX-License-Identifier: MIT */
/*
 * hide.c - before anything is said about gantry.yaml: find the lines that hold
 * a plain text where a secret is meant, or may be (a misspelt key, a URL with a
 * password), so that no excerpt shows them.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf_priv.h"
#include "conf/secrets.h"

/* Some scalar in here that is not secret:NAME? */
static bool
holds_plain(const struct gan_yaml_node *n)
{
	if (n->kind != GAN_YAML_MAP && n->kind != GAN_YAML_SEQ)
		return n->kind != GAN_YAML_NULL && gan_secret_name(n->text, n->len) == NULL;
	for (const struct gan_yaml_node *c = n->child; c != NULL; c = c->next) {
		if (holds_plain(c))
			return true;
	}
	return false;
}

/* A key that no row knows: does it look like one for a secret? */
static bool
sounds_secret(const char *key)
{
	static const char *const words[] = { "secret", "token", "pass", "pwd", "key", "cred" };

	for (size_t i = 0; i < GAN_COUNT(words); i++) {
		if (strcasestr(key, words[i]) != NULL)
			return true;
	}
	for (size_t i = 0; i < gan_schema_nrows; i++) {
		const struct gan_schema_row *row = &gan_schema_rows[i];
		const char *dot = strrchr(row->path, '.');
		size_t best = SIZE_MAX;

		if ((row->type == GAN_T_SECRET || row->type == GAN_T_SECRETS) && dot != NULL &&
		    gan_nearer(key, dot + 1, &best))
			return true;
	}
	return false;
}

static bool
url_with_user(const struct gan_yaml_node *n)
{
	const char *slashes = n->text != NULL ? strstr(n->text, "://") : NULL;

	return slashes != NULL && strchr(slashes, '@') != NULL;
}

static void hide_value(
    struct gan_yaml *doc, const char *path, bool known, bool secret, const struct gan_yaml_node *n);

static void
hide_map(struct gan_yaml *doc, const char *path, bool known, const struct gan_yaml_node *map)
{
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		const struct gan_schema_row *row = NULL;
		bool secret;

		if (known) {
			row = gan_schema_find(path, n->key->text, 0);
			if (row == NULL)
				row = gan_schema_find(path, "*", 0);
		}
		secret = row != NULL ? row->type == GAN_T_SECRET || row->type == GAN_T_SECRETS
				     : sounds_secret(n->key->text);
		if (row != NULL && strcmp(row->path, "connectors.*.headers.*") == 0)
			secret = gan_header_is_secret(n->key->text);
		hide_value(doc, row != NULL ? row->path : "", row != NULL, secret, n);
	}
}

static void
hide_value(
    struct gan_yaml *doc, const char *path, bool known, bool secret, const struct gan_yaml_node *n)
{
	char item[128];

	if ((secret && holds_plain(n)) || url_with_user(n)) {
		gan_yaml_hide(doc, n);
		return;
	}
	if (n->kind == GAN_YAML_MAP) {
		hide_map(doc, path, known, n);
		return;
	}
	(void)snprintf(item, sizeof(item), "%s[]", path);
	for (const struct gan_yaml_node *c = n->child; c != NULL; c = c->next)
		hide_value(doc, item, known, false, c);
}

void
gan_load_hide(struct gan_yaml *doc)
{
	const struct gan_yaml_node *root = gan_yaml_root(doc);

	if (root != NULL)
		hide_value(doc, "", true, false, root);
}
