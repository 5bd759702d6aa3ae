/* SPDX-License-Identifier: MIT */
/*
 * rule_expect.c - what the tests of a rule expect, held against its target: a
 * test that wants a body which the connector would refuse proves a dead delivery.
 *
 * Here, while the set is made, and not with the tests in the workers: it depends
 * on the connector, which a verdict that is kept from an earlier set does not.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mapping/rules_priv.h"
#include "json/span.h"

static const struct gan_yaml_node *
item_node(const struct gan_rule *rule, size_t test, size_t item)
{
	const struct gan_yaml_node *n = gan_yaml_get(gan_yaml_root(rule->doc), "tests")->child;

	for (; test > 0; test--)
		n = n->next;
	for (n = gan_yaml_get(n, "expect")->child; item > 0; item--)
		n = n->next;
	return n;
}

/* One item of one test. */
static int
check_item(struct gan_rule_loader *l, struct gan_rule *rule, const struct gan_conf_connector *c,
    size_t test, size_t item, struct gan_span body)
{
	struct gan_rule_test *t = &rule->tests[test];
	char warning[256] = "";
	struct gan_err err = { 0 };
	int rc = l->checks->takes(c, rule->operation, body.p, body.n, warning, &err);

	if (rc == GAN_ENOMEM)
		return rc;
	if (rc < 0) {
		t->refused_item = item;
		t->refused = gan_asprintf(
		    "request %zu: %s would refuse it: %s", item + 1, rule->connector, err.msg);
		return t->refused != NULL ? GAN_OK : GAN_ENOMEM;
	}
	if (warning[0] != '\0')
		gan_diag_node(l->d, GAN_DIAG_WARNING, rule->doc, item_node(rule, test, item),
		    "the test '%s': %s warns: %s", t->name, rule->connector, warning);
	return GAN_OK;
}

/* The first item that would be refused counts. */
static int
check_test(struct gan_rule_loader *l, struct gan_rule *rule, const struct gan_conf_connector *c,
    size_t test)
{
	const char *expect = rule->tests[test].expect;
	struct gan_span list, body;
	struct gan_span_iter it = { 0 };
	int rc = GAN_OK;

	if (expect == NULL)
		return GAN_OK;
	list = gan_span_of(expect, strlen(expect));
	for (size_t i = 0; rc == GAN_OK && rule->tests[test].refused == NULL &&
			   gan_span_next(list, &it, NULL, &body);
	     i++)
		rc = check_item(l, rule, c, test, i, body);
	return rc;
}

int
gan_rule_check_expected(struct gan_rule_loader *l, struct gan_rule *rule)
{
	const struct gan_conf_connector *c = gan_config_connector(l->conf, rule->connector);
	int rc = GAN_OK;

	if (c == NULL || l->checks->takes == NULL)
		return GAN_OK;
	for (size_t i = 0; i < rule->ntests && rc == GAN_OK; i++)
		rc = check_test(l, rule, c, i);
	return rc;
}
