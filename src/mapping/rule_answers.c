/* SPDX-License-Identifier: MIT */
/*
 * rule_answers.c - rules that listen to answers, `from:
 * answers/<connector>/<operation>.delivered`: does what they name exist?
 *
 * Gantry's own source has to be named.  A glob that spans sources, such as "*",
 * means what comes from outside: a rule that maps every event would else be fed
 * with what became of its own deliveries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "mapping/rules_priv.h"

static const char *const ends[] = { ".delivered", ".dead" };

#define ERROR(...) gan_diag_node(l->d, GAN_DIAG_ERROR, rule->doc, node, __VA_ARGS__)

bool
gan_rule_names_answers(const char *glob)
{
	return strncmp(glob, GAN_ANSWERS "/", sizeof(GAN_ANSWERS)) == 0;
}

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n >= k && strcmp(text + n - k, end) == 0;
}

/* Could what the glob matches end like an answer's topic does? */
static bool
can_end(const char *glob)
{
	const char *tail = glob;

	for (const char *wild; (wild = strpbrk(tail, "*?")) != NULL;)
		tail = wild + 1;
	for (size_t i = 0; i < GAN_COUNT(ends); i++) {
		if (ends_with(tail, ends[i]) || (tail != glob && ends_with(ends[i], tail)))
			return true;
	}
	return false;
}

static const struct gan_conf_connector *
find_connector(struct gan_rule_loader *l, const struct gan_rule *rule,
    const struct gan_yaml_node *node, const char *name)
{
	const struct gan_config *c = l->conf;
	const char *near = NULL;

	for (size_t i = 0; i < c->nconnectors; i++) {
		if (gan_glob(name, c->connectors[i].name))
			return &c->connectors[i];
	}
	if (c->nconnectors > 0)
		near = gan_rule_nearest(
		    name, &c->connectors[0].name, c->nconnectors, sizeof(c->connectors[0]));
	if (near != NULL)
		ERROR(
		    "there is no connector '%s' that could answer, did you mean '%s'?", name, near);
	else
		ERROR("there is no connector '%s' that could answer in gantry.yaml", name);
	return NULL;
}

/* The operation, spelled out: "replicationpost.delivered". */
static int
check_operation(struct gan_rule_loader *l, const struct gan_rule *rule,
    const struct gan_yaml_node *node, const struct gan_conf_connector *c, const char *topic)
{
	struct gan_err err = { 0 };

	for (size_t i = 0; i < GAN_COUNT(ends) && l->checks->knows != NULL; i++) {
		char *name GAN_AUTO(gan_str_free) = NULL;

		if (!ends_with(topic, ends[i]))
			continue;
		name = gan_memdup(topic, strlen(topic) - strlen(ends[i]));
		if (name == NULL)
			return GAN_ENOMEM;
		if (l->checks->knows(c, name, false, GAN_ON_UNKNOWN_HOLD, &err) < 0)
			ERROR("%s", err.msg);
	}
	return GAN_OK;
}

int
gan_rule_check_answers(
    struct gan_rule_loader *l, const struct gan_rule *rule, const struct gan_yaml_node *node)
{
	const char *glob = node->text + sizeof(GAN_ANSWERS), *slash = strchr(glob, '/');
	bool wild = strpbrk(glob, "*?") != NULL;
	const struct gan_conf_connector *c;
	char *name GAN_AUTO(gan_str_free) = NULL;

	if ((slash == NULL && !wild) || slash == glob || !can_end(glob)) {
		ERROR("'from' of answers is answers/connector/operation.delivered, or .dead");
		return GAN_OK;
	}
	/* A '*' before the slash may stand for slashes, too. */
	if (slash == NULL || memchr(glob, '*', (size_t)(slash - glob)) != NULL)
		return GAN_OK;
	name = gan_memdup(glob, (size_t)(slash - glob));
	if (name == NULL)
		return GAN_ENOMEM;
	c = find_connector(l, rule, node, name);
	return c == NULL || wild ? GAN_OK : check_operation(l, rule, node, c, slash + 1);
}
