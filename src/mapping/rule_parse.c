/* SPDX-License-Identifier: MIT */
/* rule_parse.c - one rule file: keys, names, globs, targets, pieces of jq. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "mapping/rules_priv.h"
#include "json/check.h"

enum { NAME_MAX_LEN = 64 };

/* What the parser of one key needs. */
struct parse {
	struct gan_rule_loader *l;
	const struct gan_rule_file *file;
	struct gan_rule *rule;
	bool off; /* enabled: false */
};

typedef int (*parse_fn)(struct parse *p, const struct gan_yaml_node *node, const char *key);

#define ERROR(p, node, ...)                                                                        \
	gan_diag_node((p)->l->d, GAN_DIAG_ERROR, (p)->rule->doc, node, __VA_ARGS__)

const char *
gan_rule_nearest(const char *s, const void *p, size_t n, size_t stride)
{
	size_t best = strlen(s) < 3 ? 2 : 3; /* shorter words, fewer slips */
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *word = *(char *const *)((const char *)p + i * stride);
		size_t d = gan_distance(s, word);

		if (d < best) {
			best = d;
			found = word;
		}
	}
	return found;
}

static bool
is_text(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	if (node->kind != GAN_YAML_STR)
		ERROR(p, node, "'%s' must be a text", key);
	else if (node->len == 0 || strlen(node->text) != node->len)
		ERROR(p, node, "'%s' is empty", key);
	else
		return true;
	return false;
}

static int
copy_text(const struct gan_yaml_node *node, char **ret)
{
	*ret = gan_memdup(node->text, node->len);
	return *ret != NULL ? GAN_OK : GAN_ENOMEM;
}

static int
parse_name(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	if (!is_text(p, node, key))
		return GAN_OK;
	bool good = node->len <= NAME_MAX_LEN && node->text[0] != '-';
	for (size_t i = 0; i < node->len; i++)
		good = good && (islower((unsigned char)node->text[i]) ||
				   isdigit((unsigned char)node->text[i]) || node->text[i] == '-');
	if (!good)
		ERROR(p, node,
		    "a rule's name is made of a-z, 0-9 and '-', does not start with '-' and has at "
		    "most %d characters",
		    NAME_MAX_LEN);
	return copy_text(node, &p->rule->name);
}

static int
parse_description(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	return is_text(p, node, key) ? copy_text(node, &p->rule->description) : GAN_OK;
}

static int
parse_enabled(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	if (node->kind != GAN_YAML_BOOL)
		ERROR(p, node, "'%s' must be true or false", key);
	else
		p->rule->enabled = node->text[0] == 't' || node->text[0] == 'T';
	return GAN_OK;
}

static void
unknown_source(struct parse *p, const struct gan_yaml_node *node, const char *name)
{
	const struct gan_config *c = p->l->conf;
	const char *near = c->nsources == 0 ? NULL
					    : gan_rule_nearest(name, &c->sources[0].name,
						  c->nsources, sizeof(c->sources[0]));

	if (p->off)
		return;
	if (near != NULL)
		ERROR(p, node, "there is no source '%s', did you mean '%s'?", name, near);
	else
		ERROR(p, node, "there is no source '%s' in gantry.yaml", name);
}

static void
check_source(struct parse *p, const struct gan_yaml_node *node, const char *name)
{
	const struct gan_config *c = p->l->conf;
	bool any = false;

	for (size_t i = 0; i < c->nsources && !any; i++)
		any = gan_glob(name, c->sources[i].name);
	if (!any)
		unknown_source(p, node, name);
}

static int
parse_glob(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	struct gan_rule *r = p->rule;

	if (!is_text(p, node, key))
		return GAN_OK;
	const char *slash = strchr(node->text, '/');
	if (slash == NULL || slash == node->text || slash[1] == '\0') {
		/* "*" alone is every source and topic */
		if (strcmp(node->text, "*") != 0) {
			ERROR(p, node, "'from' is source/topic, such as \"erp/pallet.*\"");
			return GAN_OK;
		}
	} else {
		GAN_AUTO(gan_str_free)
		char *name = gan_memdup(node->text, (size_t)(slash - node->text));

		if (name == NULL)
			return GAN_ENOMEM;
		if (!gan_rule_names_answers(node->text))
			check_source(p, node, name);
		else if (!p->off && gan_rule_check_answers(p->l, r, node) < 0)
			return GAN_ENOMEM;
	}
	char **from = realloc(r->from, (r->nfrom + 1) * sizeof(*from));
	if (from == NULL)
		return GAN_ENOMEM;
	r->from = from;
	if (copy_text(node, &from[r->nfrom]) < 0)
		return GAN_ENOMEM;
	r->nfrom++;
	return GAN_OK;
}

static int
parse_from(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	int rc = GAN_OK;

	if (node->kind != GAN_YAML_SEQ)
		return parse_glob(p, node, key);
	if (node->nchild == 0)
		ERROR(p, node, "'from' is empty");
	for (const struct gan_yaml_node *n = node->child; n != NULL && rc == GAN_OK; n = n->next)
		rc = parse_glob(p, n, key);
	return rc;
}

static void
check_connector(struct parse *p, const struct gan_yaml_node *node)
{
	const struct gan_config *c = p->l->conf;
	const char *name = p->rule->connector, *near = NULL;
	const struct gan_conf_connector *found = gan_config_connector(c, name);

	if (p->off)
		return;
	if (found == NULL && c->nconnectors > 0)
		near = gan_rule_nearest(
		    name, &c->connectors[0].name, c->nconnectors, sizeof(c->connectors[0]));
	if (found == NULL && near != NULL)
		ERROR(p, node, "there is no connector '%s', did you mean '%s'?", name, near);
	else if (found == NULL)
		ERROR(p, node, "there is no connector '%s' in gantry.yaml", name);
}

static int
parse_to(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	if (!is_text(p, node, key))
		return GAN_OK;
	const char *slash = strchr(node->text, '/');
	if (slash == NULL || slash == node->text || slash[1] == '\0') {
		ERROR(p, node,
		    "'to' is connector/operation, such as \"movilitas/serials.decommission\"");
		return GAN_OK;
	}
	p->rule->connector = gan_memdup(node->text, (size_t)(slash - node->text));
	p->rule->operation = gan_memdup(slash + 1, strlen(slash + 1));
	if (p->rule->connector == NULL || p->rule->operation == NULL)
		return GAN_ENOMEM;
	check_connector(p, node);
	return GAN_OK;
}

/* Block scalars: | keeps lines, > folds them, and then positions cannot be told. */
static bool
is_literal(const struct gan_rule_file *file, const struct gan_yaml_node *node)
{
	const char *p = file->data, *mark = NULL;

	for (int line = 1; p != NULL && line < node->line; line++) {
		const char *end = strchr(p, '\n'), *bar;
		size_t n = end != NULL ? (size_t)(end - p) : strlen(p);

		bar = memchr(p, '|', n);
		if (bar == NULL)
			bar = memchr(p, '>', n);
		if (bar != NULL)
			mark = bar;
		p = end != NULL ? end + 1 : NULL;
	}
	return mark != NULL && *mark == '|';
}

int
gan_rule_code(struct gan_rule_loader *l, struct gan_rule *rule, const struct gan_rule_file *file,
    const struct gan_yaml_node *node, const char *key, struct gan_rule_code *ret_code)
{
	struct parse p = { .l = l, .file = file, .rule = rule };

	if (node->kind != GAN_YAML_STR) {
		ERROR(&p, node, "'%s' must be a text of jq; put it in quotes", key);
		return GAN_OK;
	}
	if (!is_text(&p, node, key))
		return GAN_OK;
	if (copy_text(node, &ret_code->text) < 0)
		return GAN_ENOMEM;
	ret_code->line = node->line;
	ret_code->col = node->quoted ? node->col + 1 : node->col;
	ret_code->block = node->block && is_literal(file, node);
	(void)gan_rule_scan(rule, ret_code, l->d);
	return GAN_OK;
}

static int
parse_when(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	return gan_rule_code(p->l, p->rule, p->file, node, key, &p->rule->when);
}

static int
parse_map(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	return gan_rule_code(p->l, p->rule, p->file, node, key, &p->rule->map);
}

static int
parse_key(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	return gan_rule_code(p->l, p->rule, p->file, node, key, &p->rule->key);
}

static int
parse_effect(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	return gan_rule_code(p->l, p->rule, p->file, node, key, &p->rule->effect);
}

static int
parse_after(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	const struct gan_yaml_node *first = node->kind == GAN_YAML_SEQ ? node->child : node;
	size_t n = node->kind == GAN_YAML_SEQ ? node->nchild : 1;
	int rc = GAN_OK;

	if (n > GAN_RULE_AFTER_MAX) {
		ERROR(p, node, "'after' has more than %d items", GAN_RULE_AFTER_MAX);
		return GAN_OK;
	}
	p->rule->after = calloc(n + 1, sizeof(*p->rule->after));
	if (p->rule->after == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < n && rc == GAN_OK; i++, first = first->next)
		rc = gan_rule_code(
		    p->l, p->rule, p->file, first, key, &p->rule->after[p->rule->nafter++]);
	return rc;
}

static int
parse_newest(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	if (gan_yaml_get(gan_yaml_root(p->rule->doc), "key") == NULL)
		ERROR(p, node, "'%s' needs a 'key': the newest of what?", key);
	return gan_rule_code(p->l, p->rule, p->file, node, key, &p->rule->newest);
}

static int
parse_valid_for(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	int64_t ms;

	if ((node->kind != GAN_YAML_STR && node->kind != GAN_YAML_INT) ||
	    !gan_duration_parse(node->text, &ms) || ms <= 0)
		ERROR(p, node, "'%s' must be a time with a unit, such as 30d or 12h", key);
	else
		p->rule->valid_for_ms = ms;
	return GAN_OK;
}

static int
parse_on_unknown(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	static const char *const words[] = { [GAN_ON_UNKNOWN_HOLD] = "hold",
		[GAN_ON_UNKNOWN_PROBE] = "probe",
		[GAN_ON_UNKNOWN_RESEND] = "resend" };

	for (size_t i = 0; i < GAN_COUNT(words); i++) {
		if (node->kind == GAN_YAML_STR && strcmp(node->text, words[i]) == 0) {
			p->rule->on_unknown_set = true;
			p->rule->on_unknown = (enum gan_on_unknown)i;
			return GAN_OK;
		}
	}
	ERROR(p, node, "'%s' must be hold, probe or resend", key);
	return GAN_OK;
}

int
gan_rule_json(struct gan_rule_loader *l, const struct gan_rule *rule,
    const struct gan_yaml_node *node, const char *what, char **ret_json)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };
	struct gan_json_info info;
	struct gan_err err = { 0 };

	gan_yaml_json(node, &b);
	if (b.failed)
		return GAN_ENOMEM;
	if (gan_json_check(b.data, b.len, GAN_JSON_DEPTH, &info, &err) < 0)
		gan_diag_node(l->d, GAN_DIAG_ERROR, rule->doc, node, "'%s' cannot be JSON: %s",
		    what, err.msg);
	else if (info.inexact)
		gan_diag_node(l->d, GAN_DIAG_ERROR, rule->doc, node,
		    "'%s': the number %s at %s would change in jq; put it in quotes", what,
		    info.inexact_text, info.inexact_path);
	*ret_json = gan_buf_steal(&b, NULL);
	return GAN_OK;
}

static int
parse_settings(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	if (node->kind != GAN_YAML_MAP) {
		ERROR(p, node, "'%s' must be a mapping of names to constants", key);
		return GAN_OK;
	}
	return gan_rule_json(p->l, p->rule, node, key, &p->rule->settings);
}

static int
parse_tables(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	(void)key;
	return gan_rule_parse_tables(p->l, p->rule, node);
}

static int
parse_tests(struct parse *p, const struct gan_yaml_node *node, const char *key)
{
	(void)key;
	return gan_rule_parse_tests(p->l, p->rule, node);
}

static const struct {
	const char *key;
	bool required;
	parse_fn parse;
} keys[] = {
	{ "rule", true, parse_name },
	{ "description", false, parse_description },
	{ "enabled", false, parse_enabled },
	{ "from", true, parse_from },
	{ "when", false, parse_when },
	{ "to", true, parse_to },
	{ "key", false, parse_key },
	{ "effect", false, parse_effect },
	{ "after", false, parse_after },
	{ "newest", false, parse_newest },
	{ "valid_for", false, parse_valid_for },
	{ "on_unknown", false, parse_on_unknown },
	{ "settings", false, parse_settings },
	{ "tables", false, parse_tables },
	{ "map", true, parse_map },
	{ "tests", false, parse_tests },
};

/* Its source, connector and operation need not be there yet. */
static bool
is_off(const struct gan_yaml_node *root)
{
	const struct gan_yaml_node *n = gan_yaml_get(root, "enabled");

	return n != NULL && n->kind == GAN_YAML_BOOL && (n->text[0] == 'f' || n->text[0] == 'F');
}

static int
parse_pair(struct parse *p, const struct gan_yaml_node *node)
{
	const char *key = node->key->text;

	for (size_t i = 0; i < GAN_COUNT(keys); i++) {
		if (strcmp(keys[i].key, key) != 0)
			continue;
		if (node->kind == GAN_YAML_NULL) {
			ERROR(p, node->key, "'%s' has no value", key);
			return GAN_OK;
		}
		return keys[i].parse(p, node, key);
	}
	const char *near = gan_rule_nearest(key, &keys[0].key, GAN_COUNT(keys), sizeof(keys[0]));
	if (near != NULL)
		ERROR(p, node->key, "unknown key '%s', did you mean '%s'?", key, near);
	else
		ERROR(p, node->key, "unknown key '%s'", key);
	return GAN_OK;
}

static void
check_whole(struct parse *p, const struct gan_yaml_node *root)
{
	struct gan_rule *r = p->rule;
	const struct gan_yaml_node *to = gan_yaml_get(root, "to");
	const struct gan_conf_connector *c =
	    r->connector != NULL ? gan_config_connector(p->l->conf, r->connector) : NULL;
	struct gan_err err = { 0 };

	for (size_t i = 0; i < GAN_COUNT(keys); i++)
		if (keys[i].required && gan_yaml_get(root, keys[i].key) == NULL)
			gan_diag_at(p->l->d, GAN_DIAG_ERROR, r->doc, 1, 1,
			    "the key '%s' is missing", keys[i].key);
	if (c != NULL && !p->off && p->l->checks->knows != NULL &&
	    p->l->checks->knows(c, r->operation, r->on_unknown_set, r->on_unknown, &err) < 0)
		ERROR(p, to, "%s", err.msg);
}

/* Everything that the compiled program is made of, lengths included so that nothing can slide. */
static int
make_hash(struct gan_rule *r)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };
	const char *fixed[] = { r->when.text, r->map.text, r->key.text, r->effect.text,
		r->settings };

	for (size_t i = 0; i < GAN_COUNT(fixed); i++) {
		gan_buf_i64(&b, fixed[i] == NULL ? -1 : (int64_t)strlen(fixed[i]));
		gan_buf_puts(&b, fixed[i] == NULL ? "" : fixed[i]);
	}
	for (size_t i = 0; i < r->nafter; i++) {
		gan_buf_i64(&b, (int64_t)strlen(r->after[i].text));
		gan_buf_puts(&b, r->after[i].text);
	}
	if (r->newest.text != NULL) { /* apart from one more `after` */
		gan_buf_i64(&b, -1);
		gan_buf_puts(&b, r->newest.text);
	}
	const char *tables = r->tables != NULL ? r->tables : "";
	const struct gan_bytes parts[] = { { b.data, b.len }, { tables, strlen(tables) } };
	return b.failed ? GAN_ENOMEM : gan_sha256(parts, GAN_COUNT(parts), r->hash);
}

int
gan_rule_parse(struct gan_rule_loader *l, const struct gan_rule_file *file, struct gan_rule *rule)
{
	struct parse p = { .l = l, .file = file, .rule = rule };
	unsigned before = l->d->errors;
	struct gan_err err = { 0 };
	int rc = gan_yaml_parse(file->name, file->data, file->len, &rule->doc, &err);

	if (rc == GAN_ENOMEM)
		return rc;
	if (rc < 0) {
		gan_diag_err(l->d, &err);
		return GAN_OK;
	}
	rule->enabled = true;
	rule->file = gan_memdup(file->name, strlen(file->name));
	const struct gan_yaml_node *root = gan_yaml_root(rule->doc);
	if (rule->file == NULL)
		return GAN_ENOMEM;
	if (root == NULL || root->kind != GAN_YAML_MAP) {
		gan_diag_at(l->d, GAN_DIAG_ERROR, rule->doc, 1, 1,
		    "a rule file holds one rule: a mapping that starts with 'rule: NAME'");
		return GAN_OK;
	}
	p.off = is_off(root);
	for (const struct gan_yaml_node *n = root->child; n != NULL; n = n->next)
		if (parse_pair(&p, n) < 0)
			return GAN_ENOMEM;
	check_whole(&p, root);
	if (l->d->errors > before)
		return GAN_OK;
	rc = gan_rule_check_expected(l, rule);
	return rc < 0 ? rc : make_hash(rule);
}
