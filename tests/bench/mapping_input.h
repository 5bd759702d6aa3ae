/* SPDX-License-Identifier: MIT */
/*
 * mapping_input.h - what bare_jq.c and map_pool.c both work on: the rules of a
 * configuration, and events from a file, one a line: source, topic and JSON,
 * a tab between them.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/rulework.h"
#include "base/file.h"
#include "base/mem.h"
#include "conf/config.h"
#include "mapping/rules.h"

enum { LINES_MAX = 10000 };

struct line {
	const char *source, *topic, *body;
	size_t len;
	size_t *rules; /* that listen */
	size_t nrules;
};

struct input {
	struct gan_config *conf;
	struct gan_rules *rules;
	struct line *lines;
	size_t n;
};

static void
must_be(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "%s\n", what);
	exit(1);
}

static void
add_line(struct input *in, char *text)
{
	struct line *l = &in->lines[in->n++];
	char *tab = strchr(text, '\t'), *next = tab != NULL ? strchr(tab + 1, '\t') : NULL;

	must_be(next != NULL, "an event is: source, topic, JSON, with tabs between them");
	*tab = *next = '\0';
	*l = (struct line){ .source = text, .topic = tab + 1, .body = next + 1 };
	l->len = strlen(l->body);
	l->rules = calloc(in->rules->nrules + 1, sizeof(*l->rules));
	gan_must(l->rules != NULL);
	for (size_t i = 0; i < in->rules->nrules; i++)
		if (gan_rule_listens(&in->rules->rules[i], l->source, l->topic))
			l->rules[l->nrules++] = i;
	must_be(l->nrules > 0, "no rule listens to an event");
}

static void
read_input(struct input *in, const char *config, const char *events)
{
	struct gan_diags d = { 0 };
	struct gan_err err;
	char *text, *next;
	size_t len;

	must_be(gan_config_load(config, false, &in->conf, &d) == GAN_OK &&
		    gan_rules_load(in->conf, &gan_rulework_checks, &in->rules, &d) == GAN_OK,
	    d.text.data != NULL ? d.text.data : config);
	must_be(gan_file_read(events, 16 << 20, &text, &len, &err) == GAN_OK, events);
	in->lines = calloc(LINES_MAX, sizeof(*in->lines));
	gan_must(in->lines != NULL);
	for (; *text != '\0' && in->n < LINES_MAX; text = next) {
		next = text + strcspn(text, "\n");
		if (*next == '\n')
			*next++ = '\0';
		add_line(in, text);
	}
	must_be(in->n > 0, "there are no events");
}
