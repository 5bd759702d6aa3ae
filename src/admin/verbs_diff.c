/* SPDX-License-Identifier: MIT */
/*
 * verbs_diff.c - what if: stored events through the rules in force, and
 * through those of the files as they are now.
 *
 * Nothing is written and nobody is called.  Each of the two sets has a worker
 * of its own for the time, so that mapping keeps all of its workers.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "admin/outputs.h"
#include "admin/rulework.h"
#include "admin/scope.h"
#include "admin/walk.h"
#include "base/clock.h"
#include "base/id.h"

#define EVENTS_MAX 10000
#define TIME_MS 20000
#define BYTES_MAX (8u << 20)

struct diff {
	struct gan_call *call;
	struct gan_scope scope;
	struct gan_rules *now, *files; /* now: NULL when there are none in force */
	struct gan_walk *walk;
	struct gan_event *event;
	struct gan_outputs before;
	struct gan_outputs_tally tally;
	struct gan_buf findings, out;
	int64_t end_ms, after, last;
	unsigned events, limit;
	bool complete;
};

static void diff_next(struct diff *d);

static void
diff_free(void *state)
{
	struct diff *d = state;

	gan_scope_fini(&d->scope);
	gan_rules_unref(&d->now);
	gan_rules_unref(&d->files);
	gan_outputs_fini(&d->before);
	gan_buf_fini(&d->findings);
	gan_buf_fini(&d->out);
	free(d);
}

/* ---- the answer ---------------------------------------------------------------------- */

static unsigned
differences(const struct diff *d)
{
	const struct gan_outputs_tally *t = &d->tally;

	return t->added + t->removed + t->changed + t->rejects + t->accepts;
}

static void
diff_reply(struct diff *d)
{
	const struct gan_outputs_tally *t = &d->tally;
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	char id[GAN_ID_LEN];

	gan_buf_printf(&b,
	    "{\"events\":%u,\"same\":%u,\"added\":%u,\"removed\":%u,\"changed\":%u,"
	    "\"rejects\":%u,\"accepts\":%u,\"complete\":%s,\"next\":",
	    d->events, t->same, t->added, t->removed, t->changed, t->rejects, t->accepts,
	    d->complete ? "true" : "false");
	gan_put_str(&b, d->complete ? NULL : gan_id_format(GAN_ID_EVENT, d->last, id));
	gan_buf_puts(&b, ",\"findings\":");
	gan_put_str(&b, d->findings.data != NULL ? d->findings.data : "");
	gan_buf_puts(&b, ",\"differences\":[");
	if (d->out.data != NULL)
		gan_buf_put(&b, d->out.data, d->out.len);
	gan_buf_puts(&b, "]}");
	if (b.failed || d->out.failed || d->findings.failed)
		gan_call_fail(d->call, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(d->call, differences(d) > 0 ? GAN_EXIT_NEGATIVE : GAN_EXIT_OK,
		    b.data, b.len, NULL);
}

static void
diff_end(struct diff *d, int rc)
{
	gan_walk_close(&d->walk);
	d->call->admin->walk = NULL;
	if (gan_call_cancelled(d->call))
		return;
	if (rc < 0)
		gan_call_store_failed(d->call, rc, NULL);
	else
		diff_reply(d);
}

/* ---- one event ------------------------------------------------------------------------- */

static void
on_after(void *arg, int rc, const struct gan_map_result *results, size_t n)
{
	struct diff *d = arg;
	const struct gan_map_event ev = {
		.id = d->event->id, .source = d->event->source, .topic = d->event->topic
	};
	struct gan_outputs after = { NULL, 0 };

	if (rc == GAN_OK)
		rc = gan_outputs_copy(results, n, &after);
	if (rc == GAN_OK)
		rc = gan_outputs_compare(&d->before, &after, &ev, d->scope.key, &d->tally, &d->out);
	gan_outputs_fini(&after);
	gan_outputs_fini(&d->before);
	if (rc < 0)
		diff_end(d, rc);
	else
		diff_next(d);
}

static void
on_before(void *arg, int rc, const struct gan_map_result *results, size_t n)
{
	struct diff *d = arg;

	if (rc == GAN_OK)
		rc = gan_outputs_copy(results, n, &d->before);
	if (rc < 0)
		diff_end(d, rc);
	else
		gan_walk_map(
		    d->walk, 1, d->files, d->scope.rule, d->scope.connector, d->event, on_after, d);
}

static void
on_event(void *arg, int rc, struct gan_event *e)
{
	struct diff *d = arg;
	bool enough = d->events >= EVENTS_MAX || gan_mono_ms() > d->end_ms ||
		      differences(d) >= d->limit || d->out.len > BYTES_MAX;

	/* Nobody waits for it any more when its asker has gone. */
	if (rc < 0 || e == NULL || (enough && d->events > 0) || d->call->owner == NULL) {
		d->complete = e == NULL;
		diff_end(d, rc);
		return;
	}
	d->event = e;
	d->last = e->id;
	d->events++;
	if (d->now != NULL)
		gan_walk_map(
		    d->walk, 0, d->now, d->scope.rule, d->scope.connector, e, on_before, d);
	else
		on_before(d, GAN_OK, NULL, 0);
}

static void
diff_next(struct diff *d)
{
	gan_walk_next(d->walk, on_event, d);
}

/* ---- the files --------------------------------------------------------------------------- */

static void
diff_begin(struct diff *d)
{
	struct gan_admin *a = d->call->admin;
	struct gan_rules *now = a->ops.rules(a->ops.arg);
	struct gan_err err = { 0 };

	if (gan_call_cancelled(d->call))
		return;
	if (a->walk != NULL) {
		gan_call_fail(d->call, GAN_EXIT_NEGATIVE,
		    "another plan or comparison is under way: say it again in a moment");
		return;
	}
	if (now != NULL)
		d->now = gan_rules_ref(now);
	if (d->scope.rule != NULL && gan_rules_find(d->files, d->scope.rule) == NULL &&
	    (now == NULL || gan_rules_find(now, d->scope.rule) == NULL)) {
		gan_call_fail(d->call, GAN_EXIT_NEGATIVE,
		    "no rule of the name '%.80s', neither in force nor in the files",
		    d->scope.rule);
		return;
	}
	d->end_ms = gan_mono_ms() + TIME_MS;
	if (gan_walk_open(a->loop, a->ops.store, a->ops.conf(a->ops.arg), &d->scope.events,
		d->after, d->scope.upto, &d->walk, &err) < 0) {
		gan_call_fail(d->call, GAN_EXIT_NEGATIVE, "%s", err.msg);
		return;
	}
	a->walk = d->walk;
	diff_next(d);
}

/* The files as they are do not even compile: that is all there is to say. */
static void
broken(struct diff *d)
{
	gan_call_fail(d->call, GAN_EXIT_NEGATIVE, "the files cannot be put in force:\n%.900s",
	    d->findings.data != NULL ? d->findings.data : "");
}

static void
on_checked(void *arg, int rc, const struct gan_check_report *r)
{
	struct diff *d = arg;

	if (rc < 0) {
		gan_call_fail(d->call, rc == GAN_EGONE ? GAN_EXIT_UNAVAILABLE : GAN_EXIT_NEGATIVE,
		    "%s", gan_strerror(rc));
		return;
	}
	if (r->d != NULL && r->d->text.data != NULL)
		gan_buf_puts(&d->findings, r->d->text.data);
	/* A red test is told, and does not hide what else is different. */
	if (!r->green && (r->failed == 0 || (r->d != NULL && r->d->errors > r->failed)))
		broken(d);
	else
		diff_begin(d);
}

static void
on_rules(void *arg, int rc, struct gan_rules *set, struct gan_diags *diags)
{
	struct diff *d = arg;
	struct gan_pool *pool = d->call->admin->ops.pool(d->call->admin->ops.arg);

	if (rc == GAN_OK || rc == GAN_ECONFIG)
		gan_buf_puts(&d->findings, diags->text.data != NULL ? diags->text.data : "");
	if (rc == GAN_ECONFIG) {
		broken(d);
		return;
	}
	if (rc == GAN_OK) {
		d->files = gan_rules_ref(set);
		rc = pool == NULL ? GAN_EGONE : gan_pool_check(pool, set, NULL, on_checked, d);
	}
	if (rc < 0)
		gan_call_fail(d->call, rc == GAN_EGONE ? GAN_EXIT_UNAVAILABLE : GAN_EXIT_NEGATIVE,
		    "%s", gan_strerror(rc));
}

static void
on_config(void *arg, int rc, struct gan_config *conf, struct gan_diags *diags)
{
	struct diff *d = arg;
	struct gan_pool *pool = d->call->admin->ops.pool(d->call->admin->ops.arg);
	const char *folder = gan_call_str(d->call, "rules");
	char *other GAN_AUTO(gan_str_free) = NULL;

	if (rc == GAN_ECONFIG) {
		gan_buf_puts(&d->findings, diags->text.data != NULL ? diags->text.data : "");
		broken(d);
		return;
	}
	/* Nobody else has this snapshot yet. */
	if (rc == GAN_OK && folder != NULL) {
		other = gan_asprintf("%s", folder);
		rc = other == NULL ? GAN_ENOMEM : GAN_OK;
	}
	if (other != NULL) {
		free(conf->mapping.rules);
		conf->mapping.rules = gan_steal(&other);
	}
	if (rc == GAN_OK)
		rc = pool == NULL
			 ? GAN_EGONE
			 : gan_pool_read(pool, conf, &gan_rulework_checks, NULL, 0, on_rules, d);
	if (rc < 0)
		gan_call_fail(d->call, rc == GAN_EGONE ? GAN_EXIT_UNAVAILABLE : GAN_EXIT_NEGATIVE,
		    "%s", gan_strerror(rc));
}

/* ---- the verb ------------------------------------------------------------------------------ */

/* False, and the call has ended, when what is asked makes no sense. */
static bool
diff_read(struct gan_call *c, struct diff *d)
{
	const char *after = gan_call_str(c, "after"), *folder = gan_call_str(c, "rules");
	double limit = gan_cj_num(c->args, "limit", 100);
	struct gan_err err = { 0 };

	d->limit = limit >= 1 && limit <= 1000 ? (unsigned)limit : 100;
	if (gan_scope_read(c->args, &d->scope, &err) < 0)
		gan_call_fail(c, GAN_EXIT_USAGE, "%s", err.msg);
	else if (!gan_scope_is_some(&d->scope))
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "say which events: --since TIME, or another filter, or ids (e…)");
	else if (after != NULL && !gan_id_parse(GAN_ID_EVENT, after, &d->after))
		gan_call_fail(c, GAN_EXIT_USAGE, "--after is the id of an event (e…)");
	else if (folder != NULL && folder[0] != '/')
		gan_call_fail(c, GAN_EXIT_USAGE, "--rules is an absolute path");
	else
		return true;
	return false;
}

void
gan_verb_rules_diff(struct gan_call *c)
{
	struct gan_pool *pool = c->admin->ops.pool(c->admin->ops.arg);
	struct diff *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL || pool == NULL) {
		free(d);
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "%s",
		    pool == NULL ? "no mapping workers run at the moment" : "out of memory");
		return;
	}
	d->call = c;
	c->state = d;
	c->state_free = diff_free;
	if (!diff_read(c, d))
		return;
	rc = gan_pool_read_config(pool, c->admin->ops.conf(c->admin->ops.arg)->path, on_config, d);
	if (rc < 0)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "%s", gan_strerror(rc));
}
