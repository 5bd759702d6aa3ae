/* SPDX-License-Identifier: MIT */
/*
 * load_links.c - sources that ask a connector: change channels and
 * reconciliation.  What they name must be there, and no channel may have two
 * readers: each would get a part of its changes.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_priv.h"

const char *const gan_entity_names[GAN_ENTITY_N] = {
	[GAN_ENTITY_PRODUCTION] = "production",
	[GAN_ENTITY_PRODUCTION_ORDER] = "production-order",
	[GAN_ENTITY_PRODUCT] = "product",
	[GAN_ENTITY_STOCK] = "stock",
	[GAN_ENTITY_PUNCH_CLOCK] = "punch-clock",
	[GAN_ENTITY_DOWNTIME] = "downtime",
};

static void
load_channel(struct gan_loader *l, struct gan_conf_source *s, const struct gan_yaml_node *n)
{
	const struct gan_schema_row *row = gan_schema_find("sources.*.channels", "*", GAN_K_FEED);
	struct gan_conf_channel *c = &s->channels[s->nchannels];
	int type = n->kind == GAN_YAML_STR ? gan_schema_choice_find(row->choices, n->text) : -1;
	char shown[80];

	/* The table has complained already about a type that it does not know. */
	if (type < 0 || s->nchannels == GAN_CHANNELS_MAX)
		return;
	if (n->key->len < 1 || n->key->len > 64 || strlen(n->key->text) != n->key->len) {
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
		    "'%s' cannot be the name of a channel: it has 1 to 64 bytes",
		    gan_printable(n->key->text, n->key->len, shown, sizeof(shown)));
		return;
	}
	c->type = (enum gan_entity)type;
	c->name = gan_memdup(n->key->text, n->key->len);
	if (c->name == NULL)
		l->no_memory = true;
	else
		s->nchannels++;
}

void
gan_load_changes(
    struct gan_loader *l, struct gan_conf_source *s, const struct gan_yaml_node *source)
{
	const struct gan_yaml_node *channels = gan_yaml_get(source, "channels");
	const struct gan_yaml_node *reconcile = gan_yaml_get(source, "reconcile");

	s->reconcile.on = s->kind != GAN_SOURCE_HTTP && reconcile != NULL &&
			  reconcile->kind == GAN_YAML_MAP && reconcile->nchild > 0;
	if (s->kind != GAN_SOURCE_FEED || channels == NULL || channels->kind != GAN_YAML_MAP)
		return;
	if (channels->nchild == 0)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, channels->key,
		    "'channels' names no channel: write one to three, as they are called in the "
		    "integrations menu");
	for (const struct gan_yaml_node *n = channels->child; n != NULL; n = n->next)
		load_channel(l, s, n);
}

/* ---- when connectors are there ------------------------------------------------- */

static void
say_no_connector(
    struct gan_loader *l, const char *what, const char *wanted, const struct gan_yaml_node *n)
{
	const struct gan_conf_connector *found = gan_config_connector(l->conf, wanted);
	const char *guess = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; found == NULL && i < l->conf->nconnectors; i++) {
		if (gan_nearer(wanted, l->conf->connectors[i].name, &best))
			guess = l->conf->connectors[i].name;
	}
	if (guess != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "there is no connector of that name, did you mean '%s'?", guess);
	else if (found != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "%s needs a connector of kind prodsmart", what);
	else
		gan_diag_node(
		    l->d, GAN_DIAG_ERROR, l->doc, n, "there is no connector of that name");
}

static const struct gan_conf_connector *
prodsmart(const struct gan_config *c, const char *name)
{
	const struct gan_conf_connector *found =
	    name != NULL ? gan_config_connector(c, name) : NULL;

	return found != NULL && found->kind == GAN_CONNECTOR_PRODSMART ? found : NULL;
}

/* The only connector that it can mean, when none is named. */
static const char *
only_one(const struct gan_config *c, size_t *ret_n)
{
	const char *name = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < c->nconnectors; i++) {
		if (c->connectors[i].kind != GAN_CONNECTOR_PRODSMART)
			continue;
		name = c->connectors[i].name;
		++*ret_n;
	}
	return *ret_n == 1 ? name : NULL;
}

static void
link_reconcile(
    struct gan_loader *l, struct gan_conf_source *s, const struct gan_yaml_node *reconcile)
{
	struct gan_conf_reconcile *r = &s->reconcile;
	const char *name = r->connector;
	size_t n = 0;

	if (name != NULL) {
		if (prodsmart(l->conf, name) == NULL)
			say_no_connector(
			    l, "reconciliation", name, gan_yaml_get(reconcile, "connector"));
		return;
	}
	name = s->kind == GAN_SOURCE_FEED ? s->connector : only_one(l->conf, &n);
	if (name == NULL && s->kind == GAN_SOURCE_WEBHOOK)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, reconcile->key,
		    n == 0 ? "'reconcile' asks the sender's API: there is no connector of kind "
			     "prodsmart"
			   : "'reconcile' needs a 'connector': there are several of kind "
			     "prodsmart");
	if (name != NULL && (r->connector = gan_asprintf("%s", name)) == NULL)
		l->no_memory = true;
}

/* What was told is read from the stored events: they must be there until the next round. */
static void
check_retention(
    struct gan_loader *l, const struct gan_conf_source *s, const struct gan_yaml_node *reconcile)
{
	const struct gan_conf_store *st = &l->conf->store;
	int64_t least = st->keep_delivered_ms;

	least = st->keep_ignored_ms < least ? st->keep_ignored_ms : least;
	least = st->keep_rejected_ms < least ? st->keep_rejected_ms : least;
	if (s->reconcile.every_ms > least)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, gan_yaml_get(reconcile, "every"),
		    "'every' must not be longer than store.retention keeps events: what they told "
		    "would be forgotten");
}

static bool
same_account(const struct gan_conf_connector *a, const struct gan_conf_connector *b)
{
	if (a == b)
		return true;
	if (!gan_streq(a->base_url, b->base_url))
		return false;
	return gan_streq(a->api_key.name, b->api_key.name) ||
	       (a->api_key.bytes != NULL && b->api_key.bytes != NULL &&
		   a->api_key.len == b->api_key.len &&
		   memcmp(a->api_key.bytes, b->api_key.bytes, a->api_key.len) == 0);
}

/* The source before s that reads this channel of the same account; or NULL. */
static const struct gan_conf_source *
other_reader(const struct gan_config *c, const struct gan_conf_source *s, const char *channel)
{
	const struct gan_conf_connector *mine = prodsmart(c, s->connector);

	for (const struct gan_conf_source *o = c->sources; mine != NULL && o < s; o++) {
		const struct gan_conf_connector *its =
		    o->kind == GAN_SOURCE_FEED ? prodsmart(c, o->connector) : NULL;

		if (its == NULL || !same_account(its, mine))
			continue;
		for (size_t i = 0; i < o->nchannels; i++) {
			if (strcmp(o->channels[i].name, channel) == 0)
				return o;
		}
	}
	return NULL;
}

static void
link_feed(struct gan_loader *l, const struct gan_conf_source *s, const struct gan_yaml_node *source)
{
	const struct gan_yaml_node *channels = gan_yaml_get(source, "channels");

	if (s->connector != NULL && prodsmart(l->conf, s->connector) == NULL)
		say_no_connector(l, "a feed", s->connector, gan_yaml_get(source, "connector"));
	for (size_t i = 0; i < s->nchannels; i++) {
		const struct gan_conf_source *other = other_reader(l->conf, s, s->channels[i].name);
		const struct gan_yaml_node *n = gan_yaml_get(channels, s->channels[i].name);

		if (other != NULL)
			gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
			    "source '%s' reads this channel of the same account: each of two "
			    "readers would get a part of its changes",
			    other->name);
	}
}

void
gan_load_links(struct gan_loader *l, const struct gan_yaml_node *sources)
{
	for (size_t i = 0; i < l->conf->nsources; i++) {
		struct gan_conf_source *s = &l->conf->sources[i];
		const struct gan_yaml_node *n =
		    s->name == NULL ? NULL : gan_yaml_get(sources, s->name);

		if (n == NULL)
			continue;
		if (s->kind == GAN_SOURCE_FEED)
			link_feed(l, s, n);
		if (s->reconcile.on) {
			link_reconcile(l, s, gan_yaml_get(n, "reconcile"));
			check_retention(l, s, gan_yaml_get(n, "reconcile"));
		}
	}
}
