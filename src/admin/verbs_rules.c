/* SPDX-License-Identifier: MIT */
/*
 * verbs_rules.c - rules and configuration: what is in force, and what the
 * files say now.
 *
 * The files are read on the loop: they are few, small and local, and a reload
 * reads them in the same way.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "admin/rulework.h"
#include "base/id.h"

static struct gan_config *
conf_of(struct gan_call *c)
{
	return c->admin->ops.conf(c->admin->ops.arg);
}

static struct gan_pool *
need_pool(struct gan_call *c)
{
	struct gan_pool *pool = c->admin->ops.pool(c->admin->ops.arg);

	if (pool == NULL)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "no mapping workers run at the moment");
	return pool;
}

static void
work_done(void *arg, enum gan_rulework_verdict v, const char *json, size_t len, const char *text)
{
	struct gan_call *c = arg;

	gan_call_reply(
	    c, v == GAN_RULEWORK_GREEN ? GAN_EXIT_OK : GAN_EXIT_NEGATIVE, json, len, text);
}

void
gan_verb_rules_list(struct gan_call *c)
{
	struct gan_rules *rules = c->admin->ops.rules(c->admin->ops.arg);
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	if (rules == NULL)
		gan_buf_puts(&out, "[]");
	else if (gan_rules_json(rules, &out) < 0)
		out.failed = true;
	if (out.failed)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(c, GAN_EXIT_OK, out.data, out.len, NULL);
}

void
gan_verb_rules_check(struct gan_call *c)
{
	struct gan_pool *pool = need_pool(c);

	if (pool != NULL)
		gan_rulework_check(
		    pool, conf_of(c), gan_call_str(c, "rule"), NULL, false, work_done, c);
}

void
gan_verb_rules_test(struct gan_call *c)
{
	struct gan_pool *pool = need_pool(c);

	if (pool != NULL)
		gan_rulework_check(
		    pool, conf_of(c), gan_call_str(c, "rule"), NULL, true, work_done, c);
}

/* ---- try ---- */

static void
try_event(struct gan_call *c, const struct gan_map_event *ev)
{
	struct gan_pool *pool = need_pool(c);

	if (pool != NULL)
		gan_rulework_try(pool, conf_of(c), gan_call_str(c, "rule"), ev, work_done, c);
}

static void
try_stored(struct gan_call *c, const struct gan_event *e)
{
	struct gan_map_event ev = {
		.id = e->id,
		.received_ms = e->received_ms,
		.source = e->source,
		.topic = e->topic,
		.topic_raw = e->topic_raw,
		.meta = e->meta,
		.body = e->body,
		.body_len = e->body_len,
	};

	try_event(c, &ev);
}

static void
try_fetched(void *arg, int rc, struct gan_event **events, size_t n)
{
	struct gan_call *c = arg;

	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
	else if (n == 0)
		gan_call_fail(
		    c, GAN_EXIT_NEGATIVE, "no event with the id %s", gan_call_str(c, "id"));
	else if (!gan_call_cancelled(c))
		try_stored(c, events[0]);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		gan_event_free(&events[i]);
	if (rc >= 0)
		free(events);
}

void
gan_verb_rules_try(struct gan_call *c)
{
	const char *rule, *id = gan_call_str(c, "id"), *event = gan_call_str(c, "event");
	int64_t n;
	int rc;

	if (!gan_call_need(c, "rule", &rule))
		return;
	if ((id == NULL) == (event == NULL)) {
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "rules try takes the id of a stored event or --event-file FILE");
		return;
	}
	if (event != NULL) {
		struct gan_map_event ev = {
			.source = gan_call_str(c, "source"),
			.topic = gan_call_str(c, "topic"),
			.body = event,
			.body_len = strlen(event),
		};

		try_event(c, &ev);
		return;
	}
	if (!gan_id_parse(GAN_ID_EVENT, id, &n)) {
		gan_call_fail(c, GAN_EXIT_USAGE, "'%.40s' is no event id (e…)", id);
		return;
	}
	rc = gan_store_event(c->admin->ops.store, n, try_fetched, c);
	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
}

/* ---- config ---- */

void
gan_verb_config_show(struct gan_call *c)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	if (gan_config_json(conf_of(c), &out) < 0 || out.failed)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(c, GAN_EXIT_OK, out.data, out.len, NULL);
}

static void
config_broken(struct gan_call *c, const char *findings)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_puts(&out, "{\"ok\":false,\"rules\":0,\"passed\":0,\"failed\":0,\"findings\":");
	gan_put_str(&out, findings);
	gan_buf_puts(&out, ",\"tests\":[]}");
	if (out.failed)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(c, GAN_EXIT_NEGATIVE, out.data, out.len, findings);
}

static void
config_read(void *arg, int rc, struct gan_config *conf, struct gan_diags *d)
{
	struct gan_call *c = arg;
	struct gan_pool *pool;

	if (rc == GAN_EGONE)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "the gateway is stopping");
	else if (rc < 0)
		config_broken(c, d->text.data != NULL ? d->text.data : gan_strerror(rc));
	else if ((pool = need_pool(c)) != NULL)
		gan_rulework_check(pool, conf, NULL, d->text.data, false, work_done, c);
}

void
gan_verb_config_check(struct gan_call *c)
{
	struct gan_pool *pool = need_pool(c);
	int rc;

	if (pool == NULL)
		return;
	rc = gan_pool_read_config(pool, conf_of(c)->path, config_read, c);
	if (rc < 0)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "%s", gan_strerror(rc));
}
