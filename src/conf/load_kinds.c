/* SPDX-License-Identifier: MIT */
/* load_kinds.c - sources and connectors: names, kinds, and what the table cannot say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_priv.h"

#define NAME_MAX_LEN 64

static bool
name_ok(struct gan_loader *l, const char *what, const struct gan_yaml_node *n)
{
	const struct gan_yaml_node *key = n->key;
	char shown[80];

	if (key->len > 0 && key->len <= NAME_MAX_LEN &&
	    strspn(key->text, "abcdefghijklmnopqrstuvwxyz0123456789-") == key->len)
		return true;
	gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, key,
	    "'%s' cannot be the name of a %s: use 1 to %d characters of a-z, 0-9 and -",
	    gan_printable(key->text, key->len, shown, sizeof(shown)), what, NAME_MAX_LEN);
	return false;
}

/* The kind of a section, or -1 after saying what is wrong. */
static int
kind_of(struct gan_loader *l, const char *parent, const char *what, const struct gan_yaml_node *n)
{
	const struct gan_schema_row *row = gan_schema_find(parent, "kind", 0);
	const struct gan_yaml_node *kind = gan_yaml_get(n, "kind");
	struct gan_yaml_node none = *n;
	struct gan_bases nowhere = { 0 };
	int i;

	if (n->kind != GAN_YAML_MAP) {
		gan_diag_node(
		    l->d, GAN_DIAG_ERROR, l->doc, n, "a %s must be a mapping with a 'kind'", what);
		return -1;
	}
	if (kind == NULL) {
		char wanted[200];

		none = *n->key;
		gan_value_wanted(row, wanted, sizeof(wanted));
		gan_diag_node(
		    l->d, GAN_DIAG_ERROR, l->doc, &none, "missing key 'kind': %s", wanted);
		return -1;
	}
	i = kind->kind == GAN_YAML_STR ? gan_schema_choice_find(row->choices, kind->text) : -1;
	if (i < 0)
		gan_value_load(l, row, kind, &nowhere);
	return i;
}

static void
finish_webhook(
    struct gan_loader *l, struct gan_conf_source *s, const struct gan_yaml_node *signature)
{
	const struct gan_yaml_node *algorithm = gan_yaml_get(signature, "algorithm");
	const struct gan_yaml_node *encoding = gan_yaml_get(signature, "encoding");

	if ((algorithm == NULL) != (encoding == NULL))
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc,
		    algorithm != NULL ? algorithm->key : encoding->key,
		    "'algorithm' and 'encoding' go together: write both, or neither (auto)");
	s->signature.pinned = algorithm != NULL;
}

/* At least one way to prove who sends. */
static void
finish_erp(struct gan_loader *l, const struct gan_yaml_node *n)
{
	const struct gan_yaml_node *basic = gan_yaml_get(n, "basic");
	const struct gan_yaml_node *user = gan_yaml_get(basic, "user");

	if (basic == NULL && gan_yaml_get(n, "tokens") == NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
		    "missing key 'tokens', or 'basic' with 'user' and 'password': the sender has to "
		    "prove who it is");
	if (user != NULL && user->kind == GAN_YAML_STR && strchr(user->text, ':') != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, user,
		    "'user' must not hold a colon: HTTP Basic ends the user's name there");
}

static void
load_source(struct gan_loader *l, struct gan_conf_source *s, const struct gan_yaml_node *n)
{
	const struct gan_bases at = { .own = s };
	int kind = kind_of(l, "sources.*", "source", n);
	unsigned bit;

	if (kind < 0)
		return;
	bit = GAN_K_SOURCE(kind);
	gan_load_defaults(l, "sources.*", bit, &at);
	gan_load_section(l, "sources.*", bit, n, &at);
	while (s->nsecrets < GAN_SECRETS_MAX && s->secrets[s->nsecrets].name != NULL)
		s->nsecrets++;
	if (s->kind == GAN_SOURCE_HTTP)
		finish_erp(l, n);
	else if (s->kind == GAN_SOURCE_WEBHOOK)
		finish_webhook(l, s, gan_yaml_get(n, "signature"));
	gan_load_changes(l, s, n);
}

void
gan_load_sources(struct gan_loader *l, const struct gan_yaml_node *map)
{
	struct gan_config *c = l->conf;

	if (map == NULL || map->kind != GAN_YAML_MAP || map->nchild == 0)
		return;
	c->sources = calloc(map->nchild, sizeof(*c->sources));
	if (c->sources == NULL) {
		l->no_memory = true;
		return;
	}
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		struct gan_conf_source *s = &c->sources[c->nsources];

		if (!name_ok(l, "source", n))
			continue;
		if (strcmp(n->key->text, GAN_ANSWERS) == 0)
			gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
			    "'answers' is the name of Gantry's own source of answers, take "
			    "another one");
		c->nsources++;
		s->name = gan_asprintf("%s", n->key->text);
		if (s->name == NULL)
			l->no_memory = true;
		load_source(l, s, n);
	}
}

/* Exactly one way to a token. */
static void
finish_movilitas(struct gan_loader *l, const struct gan_yaml_node *n)
{
	const struct gan_yaml_node *token = gan_yaml_get(n, "token");
	const struct gan_yaml_node *key = gan_yaml_get(n, "api_key");
	const struct gan_yaml_node *secret = gan_yaml_get(n, "api_secret");

	if (token != NULL && (key != NULL || secret != NULL))
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, token->key,
		    "'token' does not go with 'api_key' and 'api_secret': keep one of the two "
		    "ways to log in");
	else if (token == NULL && key == NULL && secret == NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
		    "missing key 'token', or 'api_key' and 'api_secret'");
	else if ((key == NULL) != (secret == NULL))
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
		    "missing key '%s': it goes with '%s'", key == NULL ? "api_key" : "api_secret",
		    key == NULL ? "api_secret" : "api_key");
}

/* One way to log in at most, and the files of the certificate. */
static void
finish_http(struct gan_loader *l, struct gan_conf_connector *c, const struct gan_yaml_node *auth)
{
	static const char *const ways[] = { "basic", "bearer", "oauth2" };
	const struct gan_yaml_node *first = NULL, *n;

	n = gan_yaml_get(gan_yaml_get(auth, "basic"), "user");
	if (n != NULL && c->auth.user != NULL && strchr(c->auth.user, ':') != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "'user' must not hold a colon: that is where the password begins");
	gan_load_mtls(l, c, gan_yaml_get(auth, "mtls"));

	for (size_t i = 0; i < GAN_COUNT(ways); i++) {
		n = gan_yaml_get(auth, ways[i]);
		if (n != NULL && first != NULL) {
			gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
			    "'%s' does not go with '%s': keep one way to log in", ways[i],
			    first->key->text);
			return;
		}
		if (n != NULL)
			first = n;
	}
}

/* The vendor ends a flex2b token after 30 s: a longer request would outlive it. */
static void
default_flex2b(struct gan_loader *l, struct gan_conf_deliver *d)
{
	const struct gan_yaml_node *deliver = gan_yaml_get(gan_yaml_root(l->doc), "deliver");

	if (gan_yaml_get(gan_yaml_get(deliver, "timeout"), "total") == NULL)
		d->total_ms = 10000;
}

static void
finish_quota(
    struct gan_loader *l, const struct gan_conf_quota *q, const struct gan_yaml_node *quota)
{
	if (quota == NULL || q->per_minute == 0 || gan_conf_quota_limit(q) > 0)
		return;
	gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, quota->key,
	    "%u%% of %u requests is not one: raise 'share' or 'per_minute'", q->share_pct,
	    q->per_minute);
}

static void
load_connector(struct gan_loader *l, struct gan_conf_connector *c, const struct gan_yaml_node *n)
{
	const struct gan_bases at = { .own = c, .deliver = &c->deliver };
	const struct gan_bases own = { .own = c }; /* `deliver` is in force already */
	int kind = kind_of(l, "connectors.*", "connector", n);
	unsigned bit;

	if (kind < 0)
		return;
	bit = GAN_K_CONNECTOR(kind);
	c->deliver = l->conf->deliver;
	if (bit == GAN_K_FLEX2B)
		default_flex2b(l, &c->deliver);
	gan_load_defaults(l, "connectors.*", bit, &own);
	gan_load_section(l, "connectors.*", bit, n, &at);
	finish_quota(l, &c->quota, gan_yaml_get(n, "quota"));
	if (bit == GAN_K_MOVILITAS)
		finish_movilitas(l, n);
	else if (bit == GAN_K_HTTP)
		finish_http(l, c, gan_yaml_get(n, "auth"));
	if (c->deliver.retry.first_ms > c->deliver.retry.max_ms && gan_yaml_get(n, "retry") != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, gan_yaml_get(n, "retry")->key,
		    "'retry.first' must not be longer than 'retry.max'");
}

void
gan_load_connectors(struct gan_loader *l, const struct gan_yaml_node *map)
{
	struct gan_config *conf = l->conf;

	if (map == NULL || map->kind != GAN_YAML_MAP || map->nchild == 0)
		return;
	conf->connectors = calloc(map->nchild, sizeof(*conf->connectors));
	if (conf->connectors == NULL) {
		l->no_memory = true;
		return;
	}
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		struct gan_conf_connector *c = &conf->connectors[conf->nconnectors];

		if (!name_ok(l, "connector", n))
			continue;
		conf->nconnectors++;
		c->name = gan_asprintf("%s", n->key->text);
		if (c->name == NULL)
			l->no_memory = true;
		load_connector(l, c, n);
	}
}
