/* SPDX-License-Identifier: MIT */
/*
 * verbs_replay.c - stored events once more through the rules in force.
 *
 * A plan maps them and writes nothing.  The replay itself is a row of the
 * store, made with its audit row in one COMMIT; who carries it out is told of it.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "admin/scope.h"
#include "admin/walk.h"
#include "base/clock.h"
#include "base/id.h"

#define PLAN_EVENTS 10000
#define PLAN_MS 20000
#define EXAMPLES 3
#define EXAMPLE_BODY 2048

/* What one rule would make. */
struct row {
	unsigned deliveries, rejected, nexamples;
	struct gan_buf examples; /* members of an array */
	char *reject;            /* the first reason */
};

struct plan {
	struct gan_call *call;
	struct gan_scope scope;
	struct gan_rules *rules;
	struct gan_walk *walk;
	struct gan_event *event;
	struct row *rows; /* as rules->rules */
	int64_t end_ms, last;
	unsigned events, deliveries;
	bool complete;
};

static void plan_next(struct plan *p);

static void
plan_free(void *state)
{
	struct plan *p = state;

	for (size_t i = 0; p->rows != NULL && i < p->rules->nrules; i++) {
		gan_buf_fini(&p->rows[i].examples);
		free(p->rows[i].reject);
	}
	free(p->rows);
	gan_rules_unref(&p->rules);
	gan_scope_fini(&p->scope);
	free(p);
}

static void
put_row(struct gan_buf *b, const struct gan_rule *rule, const struct row *row)
{
	gan_buf_puts(b, b->data[b->len - 1] == '[' ? "{\"rule\":" : ",{\"rule\":");
	gan_put_str(b, rule->name);
	gan_buf_puts(b, ",\"connector\":");
	gan_put_str(b, rule->connector);
	gan_buf_puts(b, ",\"operation\":");
	gan_put_str(b, rule->operation);
	gan_buf_printf(
	    b, ",\"deliveries\":%u,\"rejected\":%u,\"reject\":", row->deliveries, row->rejected);
	gan_put_str(b, row->reject);
	gan_buf_puts(b, ",\"examples\":[");
	if (row->examples.data != NULL)
		gan_buf_puts(b, row->examples.data);
	gan_buf_puts(b, "]}");
}

static void
plan_reply(struct plan *p)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	char id[GAN_ID_LEN];

	gan_buf_printf(&b, "{\"events\":%u,\"deliveries\":%u,\"complete\":%s,\"upto\":", p->events,
	    p->deliveries, p->complete ? "true" : "false");
	gan_put_str(&b, p->last == 0 ? NULL : gan_id_format(GAN_ID_EVENT, p->last, id));
	gan_buf_puts(&b, ",\"rules\":[");
	for (size_t i = 0; i < p->rules->nrules && !b.failed; i++) {
		if (p->rows[i].deliveries > 0 || p->rows[i].rejected > 0)
			put_row(&b, &p->rules->rules[i], &p->rows[i]);
	}
	gan_buf_puts(&b, "]}");
	if (b.failed)
		gan_call_fail(p->call, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(p->call, GAN_EXIT_OK, b.data, b.len, NULL);
}

/* The walk is over. */
static void
plan_end(struct plan *p, int rc)
{
	gan_walk_close(&p->walk);
	p->call->admin->walk = NULL;
	if (gan_call_cancelled(p->call))
		return;
	if (rc < 0)
		gan_call_store_failed(p->call, rc, NULL);
	else
		plan_reply(p);
}

static void
put_example(struct plan *p, struct row *row, const struct gan_map_output *o)
{
	struct gan_buf *b = &row->examples;
	char id[GAN_ID_LEN];

	if (row->nexamples++ >= EXAMPLES)
		return;
	gan_buf_printf(b, "%s{\"event\":\"%s\",\"key\":", b->len > 0 ? "," : "",
	    gan_id_format(GAN_ID_EVENT, p->event->id, id));
	gan_put_str(b, o->key);
	gan_buf_puts(b, ",\"effect\":");
	gan_put_str(b, o->effect);
	gan_buf_puts(b, ",\"body\":");
	if (o->body_len <= EXAMPLE_BODY)
		gan_buf_put(b, o->body, o->body_len);
	else
		gan_buf_puts(b, "null");
	gan_buf_putc(b, '}');
}

static void
count(struct plan *p, const struct gan_map_result *r)
{
	struct row *row = &p->rows[r->rule - p->rules->rules];

	if (r->reject != NULL) {
		row->rejected++;
		if (row->reject == NULL)
			row->reject = gan_asprintf("%s", r->reject);
		return;
	}
	for (size_t i = 0; i < r->noutputs; i++) {
		if (p->scope.key != NULL &&
		    (r->outputs[i].key == NULL || strcmp(p->scope.key, r->outputs[i].key) != 0))
			continue;
		row->deliveries++;
		p->deliveries++;
		put_example(p, row, &r->outputs[i]);
	}
}

static void
plan_mapped(void *arg, int rc, const struct gan_map_result *results, size_t n)
{
	struct plan *p = arg;

	if (rc < 0) {
		plan_end(p, rc);
		return;
	}
	for (size_t i = 0; i < n; i++)
		count(p, &results[i]);
	plan_next(p);
}

static void
plan_event(void *arg, int rc, struct gan_event *e)
{
	struct plan *p = arg;
	bool enough = p->events >= PLAN_EVENTS || gan_mono_ms() > p->end_ms;

	/* Nobody listens to a plan whose asker has gone. */
	if (rc < 0 || e == NULL || enough || p->call->owner == NULL) {
		p->complete = e == NULL;
		plan_end(p, rc);
		return;
	}
	p->event = e;
	p->events++;
	p->last = e->id;
	gan_walk_map(p->walk, 0, p->rules, p->scope.rule, p->scope.connector, e, plan_mapped, p);
}

static void
plan_next(struct plan *p)
{
	gan_walk_next(p->walk, plan_event, p);
}

static void
plan_begin(struct gan_call *c, struct gan_scope *scope, struct gan_rules *rules)
{
	struct gan_admin *a = c->admin;
	struct plan *p = calloc(1, sizeof(*p));
	struct gan_err err = { 0 };

	if (p == NULL) {
		gan_scope_fini(scope);
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
		return;
	}
	c->state = p;
	c->state_free = plan_free;
	p->call = c;
	p->scope = *scope;
	p->rules = gan_rules_ref(rules);
	p->end_ms = gan_mono_ms() + PLAN_MS;
	p->rows = calloc(rules->nrules + 1, sizeof(*p->rows));
	if (p->rows == NULL) {
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	} else if (gan_walk_open(a->loop, a->ops.store, a->ops.conf(a->ops.arg), &p->scope.events,
		       0, p->scope.upto, &p->walk, &err) < 0) {
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "%s", err.msg);
	} else {
		a->walk = p->walk;
		plan_next(p);
	}
}

/* ---- the verbs ------------------------------------------------------------------------- */

static void
begun(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;

	if (rc >= 0 && !c->admin->closing)
		c->admin->ops.replay(c->admin->ops.arg);
	gan_call_store_done(c, rc, json, len);
}

static void
replay_begin(struct gan_call *c, const struct gan_scope *scope)
{
	char *filter GAN_AUTO(gan_str_free) = gan_cj_print(c->args);
	struct gan_replay_begin b = { .filter = filter,
		.upto_id = scope->upto,
		.who = c->who,
		.reason = c->reason,
		.now_ms = gan_wall_ms() };
	int rc =
	    filter == NULL ? GAN_ENOMEM : gan_store_replay_begin(c->admin->ops.store, &b, begun, c);

	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
}

/* Names that nothing has are typing errors, not empty answers. */
static bool
names_exist(struct gan_call *c, const struct gan_scope *s, const struct gan_rules *rules)
{
	const struct gan_config *conf = c->admin->ops.conf(c->admin->ops.arg);

	if (s->rule != NULL && gan_rules_find(rules, s->rule) == NULL)
		gan_call_fail(c, GAN_EXIT_NEGATIVE,
		    "no rule of the name '%.80s' is in force: see `gantryctl rules list`", s->rule);
	else if (s->connector != NULL && gan_config_connector(conf, s->connector) == NULL)
		gan_call_fail(
		    c, GAN_EXIT_NEGATIVE, "no connector of the name '%.80s'", s->connector);
	else
		return true;
	return false;
}

void
gan_verb_replay(struct gan_call *c)
{
	struct gan_rules *rules = c->admin->ops.rules(c->admin->ops.arg);
	struct gan_scope scope = { .rule = NULL };
	struct gan_err err = { 0 };

	if (rules == NULL) {
		gan_call_fail(c, GAN_EXIT_NEGATIVE,
		    "there are no rules in force: mend the folder and reload");
	} else if (gan_scope_read(c->args, &scope, &err) < 0) {
		gan_call_fail(c, GAN_EXIT_USAGE, "%s", err.msg);
	} else if (!gan_scope_is_some(&scope)) {
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "say which events: ids (e…), or filters such as --source, --topic, --since, "
		    "--rule; never all of them by mistake");
	} else if (names_exist(c, &scope, rules)) {
		if (!gan_call_flag(c, "plan")) {
			replay_begin(c, &scope);
		} else if (c->admin->walk != NULL) {
			gan_call_fail(c, GAN_EXIT_NEGATIVE,
			    "another plan or comparison is under way: say it again in a moment");
		} else {
			plan_begin(c, &scope, rules);
			return; /* the scope is the plan's */
		}
	}
	gan_scope_fini(&scope);
}

void
gan_verb_replay_list(struct gan_call *c)
{
	double limit = gan_cj_num(c->args, "limit", 100);
	int rc = gan_store_replays(c->admin->ops.store,
	    limit >= 1 && limit <= 1000 ? (unsigned)limit : 100, gan_call_store_done, c);

	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
}

void
gan_verb_replay_stop(struct gan_call *c)
{
	const char *no = gan_call_str(c, "replay");
	struct gan_replay_end e = { .who = c->who, .reason = c->reason, .now_ms = gan_wall_ms() };
	char *end = NULL;
	int rc;

	if (no != NULL) {
		e.no = strtoll(no, &end, 10);
		if (end == no || *end != '\0' || e.no < 1) {
			gan_call_fail(c, GAN_EXIT_USAGE,
			    "replay stop takes the number of a replay, as `gantryctl replay list` "
			    "shows it");
			return;
		}
	}
	rc = gan_store_replay_end(c->admin->ops.store, &e, gan_call_store_done, c);
	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
}
