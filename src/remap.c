/* SPDX-License-Identifier: MIT */
/* remap.c - see remap.h. */
#include "remap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "commit.h"

struct remap {
	struct gan_store *store;
	struct gan_pool *pool;
	struct gan_config *conf;
	struct gan_rules *rules;
	struct gan_event *event;
	struct gan_outcome *outcome;
	size_t *index;
	int64_t event_id;
	gan_remap_fn cb;
	void *arg;
};

static void
remap_free(struct remap *r)
{
	gan_config_unref(&r->conf);
	gan_rules_unref(&r->rules);
	gan_event_free(&r->event);
	gan_outcome_free(&r->outcome);
	free(r->index);
	free(r);
}

static void GAN_PRINTF(3, 4) answer(struct remap *r, int rc, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->cb(r->arg, rc, text);
	remap_free(r);
}

static void
on_committed(void *arg, int rc)
{
	struct remap *r = arg;
	size_t bad = gan_outcome_rejections(r->outcome), made = gan_outcome_deliveries(r->outcome);
	char id[GAN_ID_LEN];

	(void)gan_id_format(GAN_ID_EVENT, r->event_id, id);
	if (rc != GAN_OK)
		answer(r, rc, "event %s: the result could not be stored: %s", id, gan_strerror(rc));
	else if (bad > 0)
		answer(r, GAN_ESTATE,
		    "event %s: still rejected by %zu rule%s; `gantryctl show %s` tells why", id,
		    bad, bad == 1 ? "" : "s", id);
	else
		answer(r, GAN_OK, "event %s: mapped, %zu deliver%s queued", id, made,
		    made == 1 ? "y" : "ies");
}

static void
commit(struct remap *r)
{
	int rc = gan_outcome_commit_again(r->outcome, r->store, r->event, on_committed, r);

	if (rc < 0)
		answer(r, rc, "the store takes nothing at the moment: %s; try again",
		    gan_strerror(rc));
}

static void
on_mapped(void *arg, int rc, const struct gan_map_result *results, size_t n)
{
	struct remap *r = arg;

	if (rc == GAN_OK)
		rc = gan_outcome_of_results(
		    r->conf, r->rules, results, n, r->event->received_ms, &r->outcome);
	if (rc < 0) {
		answer(r, rc, "not mapped: %s", gan_strerror(rc));
		return;
	}
	/* Rules that are gone are part of what was tried again. */
	rc = gan_outcome_retried(r->outcome, r->event->rejected, r->event->nrejected);
	if (rc < 0)
		answer(r, rc, "not mapped: %s", gan_strerror(rc));
	else
		commit(r);
}

/* Those of the rejecting rules that still exist and listen. */
static size_t
choose_rules(struct remap *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->rules->nrules; i++) {
		const struct gan_rule *rule = &r->rules->rules[i];

		if (!gan_rule_listens(rule, r->event->source, r->event->topic))
			continue;
		for (size_t k = 0; k < r->event->nrejected; k++) {
			if (gan_streq(r->event->rejected[k], rule->name)) {
				r->index[n++] = i;
				break;
			}
		}
	}
	return n;
}

static void
map(struct remap *r)
{
	const struct gan_map_event ev = gan_outcome_subject(r->event);
	size_t n;
	int rc;

	r->index = calloc(r->rules->nrules + 1, sizeof(*r->index));
	if (r->index == NULL) {
		answer(r, GAN_ENOMEM, "out of memory");
		return;
	}
	n = choose_rules(r);
	if (n == 0) {
		on_mapped(r, GAN_OK, NULL, 0);
		return;
	}
	rc = gan_pool_map(r->pool, r->rules, r->index, n, &ev, on_mapped, r);
	if (rc < 0)
		answer(r, rc, "the mapping workers are busy: try again");
}

static void
on_event(void *arg, int rc, struct gan_event **events, size_t n)
{
	struct remap *r = arg;
	char id[GAN_ID_LEN];

	(void)gan_id_format(GAN_ID_EVENT, r->event_id, id);
	if (rc == GAN_OK && n == 1)
		r->event = events[0];
	if (rc == GAN_OK)
		free(events);
	if (rc != GAN_OK)
		answer(r, rc, "event %s: %s", id, gan_strerror(rc));
	else if (r->event == NULL)
		answer(r, GAN_ENOENT, "there is no event %s", id);
	else if (r->event->state != GAN_EVENT_REJECTED)
		answer(r, GAN_ESTATE, "event %s is %s: only rejected events are mapped again", id,
		    gan_event_state_name((int)r->event->state));
	else if (r->event->nrejected == 1 && r->event->rejected[0][0] == '\0' &&
		 gan_streq(r->event->source, GAN_ANSWERS))
		answer(r, GAN_ESTATE,
		    "event %s ends a chain of answers that went round in a circle: no rule is "
		    "asked about it; mend the rules, then `gantryctl skip %s` closes it",
		    id, id);
	else if (r->event->nrejected == 1 && r->event->rejected[0][0] == '\0')
		answer(r, GAN_ESTATE,
		    "event %s was rejected as it came: no rule can map it; `gantryctl skip %s` "
		    "closes it",
		    id, id);
	else
		map(r);
}

void
gan_remap(struct gan_store *store, struct gan_pool *pool, struct gan_config *conf,
    struct gan_rules *rules, int64_t event_id, gan_remap_fn cb, void *cb_arg)
{
	struct remap *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL) {
		cb(cb_arg, GAN_ENOMEM, "out of memory");
		return;
	}
	r->store = store;
	r->pool = pool;
	r->conf = gan_config_ref(conf);
	r->rules = gan_rules_ref(rules);
	r->event_id = event_id;
	r->cb = cb;
	r->arg = cb_arg;
	rc = gan_store_event(store, event_id, on_event, r);
	if (rc < 0)
		answer(r, rc, "the store takes nothing at the moment: %s; try again",
		    gan_strerror(rc));
}
