/* SPDX-License-Identifier: MIT */
/* rule_tests.c - the `tests` and `tables` of a rule file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mapping/rules_priv.h"
#include "mapping/tables.h"
#include "json/check.h"

struct ctx {
	struct gan_rule_loader *l;
	struct gan_rule *rule;
	struct gan_rule_test *test;
	const struct gan_yaml_node *node; /* of the test */
};

#define ERROR(c, node, ...)                                                                        \
	gan_diag_node((c)->l->d, GAN_DIAG_ERROR, (c)->rule->doc, node, __VA_ARGS__)

typedef int (*test_fn)(struct ctx *c, const struct gan_yaml_node *node, const char *key);

static int
test_name(struct ctx *c, const struct gan_yaml_node *node, const char *key)
{
	if (node->kind != GAN_YAML_STR || node->len == 0) {
		ERROR(c, node, "'%s' of a test must be a text", key);
		return GAN_OK;
	}
	c->test->name = gan_memdup(node->text, node->len);
	return c->test->name != NULL ? GAN_OK : GAN_ENOMEM;
}

/* The event may hold numbers that change: what then happens is what is tested. */
static int
test_event(struct ctx *c, const struct gan_yaml_node *node, const char *key)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };

	(void)key;
	gan_yaml_json(node, &b);
	free(c->test->event);
	c->test->event = gan_buf_steal(&b, NULL);
	return c->test->event != NULL ? GAN_OK : GAN_ENOMEM;
}

static int
test_event_file(struct ctx *c, const struct gan_yaml_node *node, const char *key)
{
	struct gan_rule_file *file = NULL;
	struct gan_err err = { 0 };

	if (node->kind != GAN_YAML_STR || node->len == 0) {
		ERROR(c, node, "'%s' must be the path of a JSON file", key);
		return GAN_OK;
	}
	int rc = gan_rule_files_get(&c->l->set->files, node->text, GAN_RULE_FILE_MAX, &file, &err);
	if (rc == GAN_OK)
		rc = gan_json_check(file->data, file->len, GAN_JSON_DEPTH, NULL, &err);
	else if (rc == GAN_ENOMEM)
		return rc;
	if (rc < 0 && file != NULL)
		ERROR(c, node, "'%s' is not JSON: %s", node->text, err.msg);
	else if (rc < 0)
		ERROR(c, node, "%s", err.msg);
	if (rc < 0)
		return GAN_OK;
	free(c->test->event);
	c->test->event = gan_memdup(file->data, file->len);
	return c->test->event != NULL ? GAN_OK : GAN_ENOMEM;
}

static int
test_meta(struct ctx *c, const struct gan_yaml_node *node, const char *key)
{
	if (node->kind == GAN_YAML_MAP)
		return gan_rule_json(c->l, c->rule, node, key, &c->test->meta);
	ERROR(c, node, "'%s' must be a mapping", key);
	return GAN_OK;
}

static int
test_expect(struct ctx *c, const struct gan_yaml_node *node, const char *key)
{
	if (node->kind == GAN_YAML_SEQ)
		return gan_rule_json(c->l, c->rule, node, key, &c->test->expect);
	ERROR(c, node, "'%s' must be a list with one item per request; [] for none", key);
	return GAN_OK;
}

static int
expect_words(struct ctx *c, const struct gan_yaml_node *node, const char *key, char **ret)
{
	bool good = node->kind == GAN_YAML_STR || node->kind == GAN_YAML_SEQ;

	for (const struct gan_yaml_node *n = node->kind == GAN_YAML_SEQ ? node->child : NULL;
	     n != NULL; n = n->next)
		good = good && n->kind == GAN_YAML_STR;
	if (good)
		return gan_rule_json(c->l, c->rule, node, key, ret);
	ERROR(c, node, "'%s' must be a text, or a list with one text per request", key);
	return GAN_OK;
}

static int
test_expect_key(struct ctx *c, const struct gan_yaml_node *node, const char *key)
{
	if (c->rule->key.text == NULL && gan_yaml_get(gan_yaml_root(c->rule->doc), "key") == NULL)
		ERROR(c, node, "'%s' is given, but the rule has no 'key'", key);
	return expect_words(c, node, key, &c->test->expect_key);
}

static int
test_expect_effect(struct ctx *c, const struct gan_yaml_node *node, const char *key)
{
	if (gan_yaml_get(gan_yaml_root(c->rule->doc), "effect") == NULL)
		ERROR(c, node, "'%s' is given, but the rule has no 'effect'", key);
	return expect_words(c, node, key, &c->test->expect_effect);
}

static int
test_expect_reject(struct ctx *c, const struct gan_yaml_node *node, const char *key)
{
	if (node->kind != GAN_YAML_STR || node->len == 0) {
		ERROR(c, node, "'%s' must be the text of the reason", key);
		return GAN_OK;
	}
	c->test->expect_reject = gan_memdup(node->text, node->len);
	return c->test->expect_reject != NULL ? GAN_OK : GAN_ENOMEM;
}

static const struct {
	const char *key;
	test_fn parse;
} keys[] = {
	{ "name", test_name },
	{ "event", test_event },
	{ "event_file", test_event_file },
	{ "meta", test_meta },
	{ "expect", test_expect },
	{ "expect_key", test_expect_key },
	{ "expect_effect", test_expect_effect },
	{ "expect_reject", test_expect_reject },
};

static int
parse_pair(struct ctx *c, const struct gan_yaml_node *n)
{
	const char *key = n->key->text;

	for (size_t i = 0; i < GAN_COUNT(keys); i++)
		if (strcmp(keys[i].key, key) == 0)
			return keys[i].parse(c, n, key);
	const char *near = gan_rule_nearest(key, &keys[0].key, GAN_COUNT(keys), sizeof(keys[0]));
	if (near != NULL)
		ERROR(c, n->key, "unknown key '%s' in a test, did you mean '%s'?", key, near);
	else
		ERROR(c, n->key, "unknown key '%s' in a test", key);
	return GAN_OK;
}

static void
check_test(struct ctx *c)
{
	const struct gan_yaml_node *n = c->node;
	bool event = gan_yaml_get(n, "event") != NULL, file = gan_yaml_get(n, "event_file") != NULL;
	bool reject = gan_yaml_get(n, "expect_reject") != NULL;
	bool others = gan_yaml_get(n, "expect") != NULL || gan_yaml_get(n, "expect_key") != NULL ||
		      gan_yaml_get(n, "expect_effect") != NULL;

	if (gan_yaml_get(n, "name") == NULL)
		ERROR(c, n, "a test needs a 'name'");
	if (event == file)
		ERROR(c, n, "a test needs either 'event' or 'event_file'");
	if (!reject && !others)
		ERROR(c, n, "a test needs 'expect' (or 'expect_reject'); [] for no request");
	if (reject && others)
		ERROR(c, n, "a test expects requests or a reject, not both");
}

static int
parse_test(struct ctx *c)
{
	int rc = GAN_OK;

	c->test->line = c->node->line;
	if (c->node->kind != GAN_YAML_MAP) {
		ERROR(c, c->node, "a test is a mapping with 'name', 'event' and 'expect'");
		return GAN_OK;
	}
	for (const struct gan_yaml_node *n = c->node->child; n != NULL && rc == GAN_OK; n = n->next)
		rc = parse_pair(c, n);
	if (rc == GAN_OK)
		check_test(c);
	return rc;
}

int
gan_rule_parse_tests(
    struct gan_rule_loader *l, struct gan_rule *rule, const struct gan_yaml_node *node)
{
	struct ctx c = { .l = l, .rule = rule };

	if (node->kind != GAN_YAML_SEQ || node->nchild > GAN_RULE_TESTS_MAX) {
		ERROR(&c, node, "'tests' must be a list of at most %d tests", GAN_RULE_TESTS_MAX);
		return GAN_OK;
	}
	rule->tests = calloc(node->nchild + 1, sizeof(*rule->tests));
	if (rule->tests == NULL)
		return GAN_ENOMEM;
	for (c.node = node->child; c.node != NULL; c.node = c.node->next) {
		c.test = &rule->tests[rule->ntests++];
		if (parse_test(&c) < 0)
			return GAN_ENOMEM;
	}
	return GAN_OK;
}

/* The JSON of a table; made once per file, however many rules use it. */
static int
table_json(struct ctx *c, const struct gan_yaml_node *node, const char **ret_json)
{
	struct gan_rule_files *files = &c->l->set->files;
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };
	struct gan_rule_file *file = NULL;
	struct gan_err err = { 0 };
	int rc = gan_rule_files_get(files, node->text, GAN_TABLE_FILE_MAX, &file, &err);

	if (rc == GAN_OK && file->table == NULL) {
		files->table_bytes += file->len;
		if (files->table_bytes > GAN_TABLES_MAX)
			rc = gan_err_set(&err, GAN_ELIMIT,
			    "all tables together are larger than %zu MiB", GAN_TABLES_MAX >> 20);
		else
			rc = gan_table_json(file->name, file->data, file->len, &b, NULL, &err);
		if (rc == GAN_OK)
			file->table = gan_buf_steal(&b, NULL);
	}
	if (rc == GAN_OK)
		*ret_json = file->table;
	else if (rc != GAN_ENOMEM)
		ERROR(c, node, "%s", err.msg);
	return rc;
}

int
gan_rule_parse_tables(
    struct gan_rule_loader *l, struct gan_rule *rule, const struct gan_yaml_node *node)
{
	struct ctx c = { .l = l, .rule = rule };
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };

	if (node->kind != GAN_YAML_MAP) {
		ERROR(&c, node, "'tables' must be a mapping of names to CSV files");
		return GAN_OK;
	}
	for (const struct gan_yaml_node *n = node->child; n != NULL; n = n->next) {
		const char *json = "{}";

		if (n->kind != GAN_YAML_STR || n->len == 0)
			ERROR(&c, n, "a table is the path of a CSV file");
		else if (table_json(&c, n, &json) == GAN_ENOMEM)
			return GAN_ENOMEM;
		gan_buf_putc(&b, n == node->child ? '{' : ',');
		gan_buf_json(&b, n->key->text, n->key->len);
		gan_buf_putc(&b, ':');
		gan_buf_puts(&b, json);
	}
	gan_buf_puts(&b, node->child == NULL ? "{}" : "}");
	rule->tables = gan_buf_steal(&b, NULL);
	return rule->tables != NULL ? GAN_OK : GAN_ENOMEM;
}
