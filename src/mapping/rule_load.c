/* SPDX-License-Identifier: MIT */
/*
 * rule_load.c - from files to a set: every file is read and every finding
 * told before the set is refused, so that one look mends them all.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "mapping/rules_priv.h"

static void
set_free(struct gan_rule_set **setp)
{
	struct gan_rule_set *set = gan_steal(setp);

	if (set != NULL) {
		struct gan_rules *r = &set->pub;

		gan_rules_unref(&r);
	}
}

static struct gan_rule_set *
set_new(void)
{
	struct gan_rule_set *set = calloc(1, sizeof(*set));

	if (set != NULL)
		set->pub.refs = 1;
	return set;
}

static void
check_unique(struct gan_rule_loader *l, const struct gan_rule *rule)
{
	const struct gan_rule *other =
	    rule->name == NULL ? NULL : gan_rules_find(&l->set->pub, rule->name);
	const struct gan_yaml_node *node;

	if (other == NULL)
		return;
	node = gan_yaml_get(gan_yaml_root(rule->doc), "rule");
	gan_diag_node(l->d, GAN_DIAG_ERROR, rule->doc, node,
	    "the rule '%s' is already in %s; names are unique", rule->name, other->file);
}

/* Rules with findings are dropped here; the set will be refused anyway. */
static int
load_one(struct gan_rule_loader *l, const struct gan_rule_file *file)
{
	struct gan_rules *r = &l->set->pub;
	struct gan_rule rule = { 0 };
	unsigned before = l->d->errors;
	int rc = gan_rule_parse(l, file, &rule);

	if (rc == GAN_OK)
		check_unique(l, &rule);
	if (rc < 0 || l->d->errors > before) {
		gan_rule_fini(&rule);
		return rc;
	}
	r->rules[r->nrules++] = rule;
	return GAN_OK;
}

static int
load_all(struct gan_rule_loader *l, struct gan_rules **ret_rules, unsigned before)
{
	struct gan_rule_files *files = &l->set->files;
	size_t n = files->n; /* tables and events are added behind */

	l->set->pub.rules = calloc(n + 1, sizeof(*l->set->pub.rules));
	if (l->set->pub.rules == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (files->items[i]->rule && load_one(l, files->items[i]) < 0)
			return GAN_ENOMEM;
	}
	if (l->d->text.failed)
		return GAN_ENOMEM;
	if (l->d->errors > before)
		return GAN_ECONFIG;
	for (size_t i = 0; i < files->n; i++) {
		free(gan_steal(&files->items[i]->table));
	}
	*ret_rules = &l->set->pub;
	return GAN_OK;
}

int
gan_rules_load(const struct gan_config *conf, const struct gan_rule_checks *checks,
    struct gan_rules **ret_rules, struct gan_diags *d)
{
	GAN_AUTO(set_free) struct gan_rule_set *set = set_new();
	struct gan_rule_loader l = { .conf = conf, .checks = checks, .set = set, .d = d };
	unsigned before = d->errors;

	if (set == NULL || gan_rule_files_scan(&set->files, conf, d) < 0)
		return GAN_ENOMEM;
	int rc = load_all(&l, ret_rules, before);
	if (rc == GAN_OK)
		set = NULL;
	return rc;
}

int
gan_rules_unpack(const struct gan_config *conf, const struct gan_rule_checks *checks,
    const void *blob, size_t len, struct gan_rules **ret_rules, struct gan_diags *d)
{
	GAN_AUTO(set_free) struct gan_rule_set *set = set_new();
	struct gan_rule_loader l = { .conf = conf, .checks = checks, .set = set, .d = d };
	unsigned before = d->errors;
	struct gan_err err = { 0 };

	if (set == NULL)
		return GAN_ENOMEM;
	int rc = gan_rule_files_unpack(&set->files, blob, len, &err);
	if (rc == GAN_ENOMEM)
		return rc;
	if (rc < 0) {
		gan_diag_file(d, GAN_DIAG_ERROR, "packed rules", "%s", err.msg);
		return GAN_ECONFIG;
	}
	rc = load_all(&l, ret_rules, before);
	if (rc == GAN_OK)
		set = NULL;
	return rc;
}
