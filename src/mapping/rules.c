/* SPDX-License-Identifier: MIT */
/* rules.c - rule sets as others see them: counted, asked, listed; see rules.h. */
#include "mapping/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "mapping/rules_priv.h"

static void
code_fini(struct gan_rule_code *c)
{
	free(c->text);
	c->text = NULL;
}

static void
test_fini(struct gan_rule_test *t)
{
	free(t->name);
	free(t->event);
	free(t->meta);
	free(t->expect);
	free(t->expect_key);
	free(t->expect_effect);
	free(t->expect_reject);
	free(t->refused);
}

void
gan_rule_fini(struct gan_rule *r)
{
	free(r->name);
	free(r->file);
	free(r->description);
	for (size_t i = 0; i < r->nfrom; i++)
		free(r->from[i]);
	free(r->from);
	free(r->connector);
	free(r->operation);
	code_fini(&r->when);
	code_fini(&r->map);
	code_fini(&r->key);
	code_fini(&r->effect);
	for (size_t i = 0; i < r->nafter; i++)
		code_fini(&r->after[i]);
	free(r->after);
	code_fini(&r->newest);
	free(r->settings);
	free(r->tables);
	for (size_t i = 0; i < r->ntests; i++)
		test_fini(&r->tests[i]);
	free(r->tests);
	gan_yaml_free(&r->doc);
	memset(r, 0, sizeof(*r));
}

struct gan_rules *
gan_rules_ref(struct gan_rules *r)
{
	if (r != NULL)
		r->refs++;
	return r;
}

void
gan_rules_unref(struct gan_rules **rp)
{
	struct gan_rules *r = gan_steal(rp);

	if (r == NULL || --r->refs > 0)
		return;
	struct gan_rule_set *set = (struct gan_rule_set *)r;
	for (size_t i = 0; i < r->nrules; i++)
		gan_rule_fini(&r->rules[i]);
	free(r->rules);
	gan_rule_files_fini(&set->files);
	free(set);
}

int
gan_rules_pack(const struct gan_rules *r, struct gan_buf *out)
{
	return gan_rule_files_pack(&((const struct gan_rule_set *)r)->files, out);
}

const struct gan_rule *
gan_rules_find(const struct gan_rules *r, const char *name)
{
	for (size_t i = 0; i < r->nrules; i++)
		if (strcmp(r->rules[i].name, name) == 0)
			return &r->rules[i];
	return NULL;
}

/* Does the glob match "source/topic"?  Without pasting the two together for short ones. */
static bool
matches(const char *glob, const char *source, const char *topic)
{
	size_t n = strlen(source);

	if (strcmp(source, GAN_ANSWERS) == 0 && !gan_rule_names_answers(glob))
		return false;
	if (strncmp(glob, source, n) == 0 && glob[n] == '/' && strpbrk(source, "*?") == NULL &&
	    gan_glob(glob + n + 1, topic))
		return true;
	if (memchr(glob, '*', strcspn(glob, "/")) == NULL &&
	    memchr(glob, '?', strcspn(glob, "/")) == NULL)
		return false; /* another source, spelled out */
	GAN_AUTO(gan_str_free) char *whole = gan_asprintf("%s/%s", source, topic);
	gan_must(whole != NULL);
	return gan_glob(glob, whole);
}

bool
gan_rule_listens(const struct gan_rule *rule, const char *source, const char *topic)
{
	if (!rule->enabled)
		return false;
	for (size_t i = 0; i < rule->nfrom; i++)
		if (matches(rule->from[i], source, topic))
			return true;
	return false;
}

bool
gan_rules_listen(const struct gan_rules *r, const char *source, const char *topic)
{
	for (size_t i = 0; i < r->nrules; i++)
		if (gan_rule_listens(&r->rules[i], source, topic))
			return true;
	return false;
}

int
gan_rules_answers(const struct gan_rules *r, struct gan_buf *out)
{
	for (size_t i = 0; i < r->nrules; i++) {
		const struct gan_rule *rule = &r->rules[i];

		for (size_t k = 0; rule->enabled && k < rule->nfrom; k++) {
			if (gan_rule_names_answers(rule->from[k]))
				gan_buf_put(out, rule->from[k], strlen(rule->from[k]) + 1);
		}
	}
	return out->failed ? GAN_ENOMEM : GAN_OK;
}

static void
put_member(struct gan_buf *out, const char *name, const char *value)
{
	gan_buf_printf(out, ",\"%s\":", name);
	if (value == NULL)
		gan_buf_puts(out, "null");
	else
		gan_buf_json(out, value, strlen(value));
}

int
gan_rules_json(const struct gan_rules *r, struct gan_buf *out)
{
	gan_buf_putc(out, '[');
	for (size_t i = 0; i < r->nrules; i++) {
		const struct gan_rule *rule = &r->rules[i];

		gan_buf_puts(out, i == 0 ? "{\"name\":" : ",{\"name\":");
		gan_buf_json(out, rule->name, strlen(rule->name));
		put_member(out, "file", rule->file);
		gan_buf_puts(out, ",\"from\":[");
		for (size_t k = 0; k < rule->nfrom; k++) {
			if (k > 0)
				gan_buf_putc(out, ',');
			gan_buf_json(out, rule->from[k], strlen(rule->from[k]));
		}
		gan_buf_puts(out, "],\"to\":\"");
		gan_buf_printf(out, "%s/%s\"", rule->connector, rule->operation);
		gan_buf_printf(out, ",\"enabled\":%s,\"tests\":%zu",
		    rule->enabled ? "true" : "false", rule->ntests);
		put_member(out, "description", rule->description);
		gan_buf_putc(out, '}');
	}
	gan_buf_putc(out, ']');
	return out->failed ? GAN_ENOMEM : GAN_OK;
}
