/* SPDX-License-Identifier: MIT */
/* load_prodsmart.c - connectors of kind prodsmart: other names for parts of the query. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_priv.h"

/*
 * The names that the vendor's pages translate, so that only their English
 * spelling in other places tells what goes over the wire.
 */
const char *const gan_query_names[GAN_CONF_QUERY_NAMES] = { "page", "workers", "active", "product",
	"machine", "worker", "type", "lot", "section", "supplier" };

static bool
name_ok(struct gan_loader *l, const struct gan_yaml_node *key)
{
	const char *guess = NULL;
	size_t best = SIZE_MAX;
	char shown[80];

	for (size_t i = 0; i < GAN_CONF_QUERY_NAMES; i++) {
		if (strlen(key->text) == key->len && strcmp(key->text, gan_query_names[i]) == 0)
			return true;
		if (gan_nearer(key->text, gan_query_names[i], &best))
			guess = gan_query_names[i];
	}
	gan_printable(key->text, key->len, shown, sizeof(shown));
	gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, key,
	    "'%s' is no name that can be replaced%s%s%s", shown,
	    guess != NULL ? ", did you mean '" : ": see gantry.yaml(5)", guess != NULL ? guess : "",
	    guess != NULL ? "'?" : "");
	return false;
}

void
gan_load_query_names(
    struct gan_loader *l, struct gan_conf_connector *c, const struct gan_yaml_node *map)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		struct gan_conf_header *h = &c->query_names[c->nquery_names];

		if (!name_ok(l, n->key) || n->kind != GAN_YAML_STR || n->len == 0)
			continue; /* said, or said with the row */
		if (strspn(n->text, plain) != n->len) {
			gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
			    "the name of a parameter has letters, digits, '-', '.', '_' and '~'");
			continue;
		}
		if (c->nquery_names == GAN_CONF_QUERY_NAMES)
			continue; /* one of them stands twice: said by the parser */
		c->nquery_names++;
		h->name = gan_memdup(n->key->text, n->key->len);
		h->value = gan_memdup(n->text, n->len);
		if (h->name == NULL || h->value == NULL)
			l->no_memory = true;
	}
}

void
gan_query_names_free(struct gan_conf_connector *c)
{
	for (size_t i = 0; i < c->nquery_names; i++) {
		free(c->query_names[i].name);
		free(c->query_names[i].value);
	}
}
