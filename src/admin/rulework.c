/* SPDX-License-Identifier: MIT */
/* rulework.c - see rulework.h. */
#include "admin/rulework.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "outbound/outbound.h"
#include "json/check.h"

const struct gan_rule_checks gan_rulework_checks = {
	.knows = gan_outbound_knows,
	.takes = gan_outbound_takes,
};

struct work {
	gan_rulework_fn fn;
	void *arg;
	struct gan_pool *pool;
	char *only; /* the rule asked for, or NULL: all */
	bool trying, tests;
	struct gan_rules *set;
	struct gan_config *conf;
	struct gan_buf findings; /* printed in front of what the workers say */
	/* try */
	size_t index;
	char *source, *topic, *topic_raw, *meta, *body;
	struct gan_map_event ev;
	char refused[600]; /* by the connector, or "" */
};

static void
work_free(struct work **wp)
{
	struct work *w = gan_steal(wp);

	if (w == NULL)
		return;
	gan_rules_unref(&w->set);
	gan_config_unref(&w->conf);
	gan_buf_fini(&w->findings);
	free(w->only);
	free(w->source);
	free(w->topic);
	free(w->topic_raw);
	free(w->meta);
	free(w->body);
	free(w);
}

static void
work_fail(struct work *w, enum gan_rulework_verdict v, const char *text)
{
	w->fn(w->arg, v, NULL, 0, text);
	work_free(&w);
}

/* ---- check ---- */

static void
put_check(struct gan_buf *b, bool ok, const struct gan_check_report *r, const char *findings)
{
	gan_buf_printf(b, "{\"ok\":%s,\"rules\":%u,\"passed\":%u,\"failed\":%u,\"findings\":",
	    ok ? "true" : "false", r != NULL ? r->rules : 0, r != NULL ? r->passed : 0,
	    r != NULL ? r->failed : 0);
	gan_put_str(b, findings);
	gan_buf_puts(b, ",\"tests\":");
	gan_buf_puts(b, r != NULL && r->json != NULL ? r->json : "[]");
	gan_buf_puts(b, "}");
}

static const char *
buf_text(const struct gan_buf *b)
{
	return b->data != NULL ? b->data : "";
}

static void
work_finish(struct work *w, enum gan_rulework_verdict v, const struct gan_check_report *r)
{
	struct gan_buf json GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };

	put_check(&json, v == GAN_RULEWORK_GREEN, r, buf_text(&w->findings));
	gan_buf_puts(&text, buf_text(&w->findings));
	if (r != NULL && w->tests && r->lines != NULL)
		gan_buf_puts(&text, r->lines);
	if (text.len > 0 && text.data[text.len - 1] != '\n')
		gan_buf_puts(&text, "\n");
	if (r != NULL)
		gan_buf_printf(&text, "%u rule%s, %u test%s passed, %u failed\n", r->rules,
		    r->rules == 1 ? "" : "s", r->passed, r->passed == 1 ? "" : "s", r->failed);
	if (json.failed || text.failed || w->findings.failed) {
		work_fail(w, GAN_RULEWORK_FAILED, "out of memory");
		return;
	}
	w->fn(w->arg, v, json.data, json.len, buf_text(&text));
	work_free(&w);
}

static void
checked(void *arg, int rc, const struct gan_check_report *r)
{
	struct work *w = arg;
	enum gan_rulework_verdict v = GAN_RULEWORK_GREEN;

	if (rc < 0) {
		work_fail(w, GAN_RULEWORK_FAILED, gan_strerror(rc));
		return;
	}
	if (r->d != NULL && r->d->text.data != NULL)
		gan_buf_puts(&w->findings, r->d->text.data);
	if (!r->green)
		v = r->failed > 0 && (r->d == NULL || r->d->errors <= r->failed)
			? GAN_RULEWORK_RED
			: GAN_RULEWORK_BROKEN;
	work_finish(w, v, r);
}

/* Is there the one rule that was asked for?  If not, the work has ended. */
static bool
work_has_rule(struct work *w)
{
	const char *name = w->only;
	char text[160];

	for (size_t i = 0; i < w->set->nrules; i++) {
		if (strcmp(w->set->rules[i].name, name) == 0) {
			w->index = i;
			return true;
		}
	}
	(void)snprintf(
	    text, sizeof(text), "no rule of the name '%.80s': see `gantryctl rules list`", name);
	work_fail(w, GAN_RULEWORK_NONE, text);
	return false;
}

/* ---- try ---- */

/* What the connector would say of it before sending; the first such text is kept. */
static void
put_refused(struct gan_buf *b, struct work *w, const struct gan_map_output *o)
{
	const struct gan_rule *rule = &w->set->rules[w->index];
	const struct gan_conf_connector *c = gan_config_connector(w->conf, rule->connector);
	char warning[256] = "";
	struct gan_err err = { 0 };
	bool refused = c != NULL && gan_outbound_takes(c, rule->operation, o->body, o->body_len,
					warning, &err) < 0;

	gan_buf_puts(b, ",\"refused\":");
	gan_put_str(b, refused ? err.msg : NULL);
	gan_buf_puts(b, ",\"warning\":");
	gan_put_str(b, warning[0] != '\0' ? warning : NULL);
	if (refused && w->refused[0] == '\0')
		(void)snprintf(w->refused, sizeof(w->refused), "would not be sent: %s", err.msg);
}

static void
put_output(struct gan_buf *b, struct work *w, const struct gan_map_output *o)
{
	gan_buf_puts(b, "{\"key\":");
	gan_put_str(b, o->key);
	gan_buf_puts(b, ",\"effect\":");
	gan_put_str(b, o->effect);
	gan_buf_puts(b, ",\"after\":[");
	for (size_t i = 0; i < o->nafter; i++) {
		if (i > 0)
			gan_buf_puts(b, ",");
		gan_put_str(b, o->after[i]);
	}
	gan_buf_puts(b, "],\"newest\":");
	gan_put_str(b, o->newest);
	gan_buf_puts(b, ",\"body\":");
	gan_buf_put(b, o->body, o->body_len);
	put_refused(b, w, o);
	gan_buf_puts(b, "}");
}

static void
tried(void *arg, int rc, const struct gan_map_result *r, size_t n)
{
	struct work *w = arg;
	struct gan_buf json GAN_AUTO(gan_buf_fini) = { 0 };
	const struct gan_rule *rule = &w->set->rules[w->index];
	const char *reject = rc >= 0 && n == 1 ? r->reject : NULL;

	if (rc < 0 || n != 1) {
		work_fail(w, GAN_RULEWORK_FAILED, gan_strerror(rc < 0 ? rc : GAN_ESTATE));
		return;
	}
	gan_buf_puts(&json, "{\"rule\":");
	gan_put_str(&json, rule->name);
	gan_buf_printf(&json, ",\"to\":\"%s/%s\",\"listens\":%s,\"outputs\":[", rule->connector,
	    rule->operation, gan_rule_listens(rule, w->source, w->topic) ? "true" : "false");
	for (size_t i = 0; i < r->noutputs; i++) {
		if (i > 0)
			gan_buf_puts(&json, ",");
		put_output(&json, w, &r->outputs[i]);
	}
	gan_buf_puts(&json, "],\"reject\":");
	gan_put_str(&json, reject);
	gan_buf_puts(&json, "}");
	if (json.failed)
		work_fail(w, GAN_RULEWORK_FAILED, "out of memory");
	else {
		if (reject == NULL && w->refused[0] != '\0')
			reject = w->refused;
		w->fn(w->arg, reject != NULL ? GAN_RULEWORK_RED : GAN_RULEWORK_GREEN, json.data,
		    json.len, reject);
		work_free(&w);
	}
}

static bool
copy_event(struct work *w, const struct gan_map_event *ev)
{
	const char *meta = ev->meta != NULL ? ev->meta : "{}";

	w->ev = (struct gan_map_event){
		.id = ev->id,
		.received_ms = ev->received_ms != 0 ? ev->received_ms : gan_wall_ms(),
		.body_len = ev->body_len,
	};
	w->ev.source = w->source = ev->source != NULL ? gan_asprintf("%s", ev->source) : NULL;
	w->ev.topic = w->topic = ev->topic != NULL ? gan_asprintf("%s", ev->topic) : NULL;
	w->ev.topic_raw = w->topic_raw =
	    ev->topic_raw != NULL ? gan_asprintf("%s", ev->topic_raw) : NULL;
	w->ev.meta = w->meta = gan_asprintf("%s", meta);
	w->ev.body = w->body = gan_memdup(ev->body, ev->body_len);
	return w->meta != NULL && w->body != NULL && (ev->source == NULL || w->source != NULL) &&
	       (ev->topic == NULL || w->topic != NULL) &&
	       (ev->topic_raw == NULL || w->topic_raw != NULL);
}

/* What the event does not say of itself: as the first `from` of the rule has it. */
static bool
set_origin(struct work *w)
{
	const struct gan_rule *rule = &w->set->rules[w->index];
	const char *from = rule->nfrom > 0 ? rule->from[0] : "try/event";
	const char *slash = strchr(from, '/');
	size_t n = slash != NULL ? (size_t)(slash - from) : strlen(from);

	if (w->source == NULL)
		w->ev.source = w->source = gan_memdup(from, n);
	if (w->topic == NULL)
		w->ev.topic = w->topic = gan_asprintf("%s", slash != NULL ? slash + 1 : "event");
	if (w->topic_raw == NULL || w->topic_raw[0] == '\0') {
		free(w->topic_raw);
		w->ev.topic_raw = w->topic_raw =
		    w->topic != NULL ? gan_asprintf("%s", w->topic) : NULL;
	}
	return w->source != NULL && w->topic != NULL && w->topic_raw != NULL;
}

/* ---- both begin by reading the folder ---- */

static void
on_read(void *arg, int rc, struct gan_rules *set, struct gan_diags *d)
{
	struct work *w = arg;

	if (d->text.data != NULL)
		gan_buf_puts(&w->findings, d->text.data);
	if (rc == GAN_ECONFIG) {
		work_finish(w, GAN_RULEWORK_BROKEN, NULL);
		return;
	}
	if (rc < 0) {
		work_fail(w, GAN_RULEWORK_FAILED, gan_strerror(rc));
		return;
	}
	w->set = gan_rules_ref(set);
	if (w->only != NULL && !work_has_rule(w))
		return;
	if (!w->trying)
		rc = gan_pool_check(w->pool, w->set, w->only, checked, w);
	else
		rc = set_origin(w) ? gan_pool_map(w->pool, w->set, &w->index, 1, &w->ev, tried, w)
				   : GAN_ENOMEM;
	if (rc < 0)
		work_fail(w, GAN_RULEWORK_FAILED, gan_strerror(rc));
}

/* NULL, and told, when there is no memory. */
static struct work *
work_new(struct gan_pool *pool, const char *only, gan_rulework_fn fn, void *arg)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w != NULL && only != NULL && (w->only = gan_asprintf("%s", only)) == NULL)
		work_free(&w);
	if (w == NULL) {
		fn(arg, GAN_RULEWORK_FAILED, NULL, 0, "out of memory");
		return NULL;
	}
	w->pool = pool;
	w->fn = fn;
	w->arg = arg;
	return w;
}

static void
work_start(struct work *w, struct gan_config *conf)
{
	int rc;

	w->conf = gan_config_ref(conf);
	rc = gan_pool_read(w->pool, conf, &gan_rulework_checks, NULL, 0, on_read, w);

	if (rc < 0)
		work_fail(w, GAN_RULEWORK_FAILED, gan_strerror(rc));
}

void
gan_rulework_check(struct gan_pool *pool, struct gan_config *conf, const char *only,
    const char *before, bool tests, gan_rulework_fn fn, void *arg)
{
	struct work *w = work_new(pool, only, fn, arg);

	if (w == NULL)
		return;
	w->tests = tests;
	if (before != NULL)
		gan_buf_puts(&w->findings, before);
	work_start(w, conf);
}

void
gan_rulework_try(struct gan_pool *pool, struct gan_config *conf, const char *rule,
    const struct gan_map_event *ev, gan_rulework_fn fn, void *arg)
{
	struct work *w = work_new(pool, rule, fn, arg);
	struct gan_err err = { 0 };
	char text[640];

	if (w == NULL)
		return;
	w->trying = true;
	if (gan_json_check(ev->body, ev->body_len, GAN_JSON_DEPTH, NULL, &err) < 0) {
		(void)snprintf(text, sizeof(text), "the event is no JSON: %s", err.msg);
		work_fail(w, GAN_RULEWORK_FAILED, text);
	} else if (!copy_event(w, ev)) {
		work_fail(w, GAN_RULEWORK_FAILED, "out of memory");
	} else {
		work_start(w, conf);
	}
}
