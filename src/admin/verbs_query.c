/* SPDX-License-Identifier: MIT */
/* verbs_query.c - verbs that look and change nothing. */
#include <string.h>

#include "admin/admin_priv.h"
#include "base/id.h"

void
gan_verb_status(struct gan_call *c)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	gan_status_json(c->admin, &out);
	if (out.failed)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(c, GAN_EXIT_OK, out.data, out.len, NULL);
}

/* A whole number argument in milliseconds or rows; absent is 0. */
static int64_t
call_int(const struct gan_call *c, const char *name)
{
	double v = gan_cj_num(c->args, name, 0);

	return v > 0 && v < 9e15 ? (int64_t)v : 0;
}

static void
run_query(struct gan_call *c, enum gan_query_kind kind, gan_json_fn done)
{
	int64_t limit = call_int(c, "limit");
	struct gan_query q = {
		.kind = kind,
		.text = gan_call_str(c, "text"),
		.source = gan_call_str(c, "source"),
		.topic = gan_call_str(c, "topic"),
		.state = gan_call_str(c, "state"),
		.connector = gan_call_str(c, "connector"),
		.rule = gan_call_str(c, "rule"),
		.key = gan_call_str(c, "key"),
		.before = gan_call_str(c, "before"),
		.since_ms = call_int(c, "since_ms"),
		.until_ms = call_int(c, "until_ms"),
		.limit = limit > 1000 ? 1000 : (unsigned)limit,
		.bodies = gan_call_flag(c, "bodies"),
	};
	int rc = gan_store_query(c->admin->ops.store, &q, done, c);

	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
}

/* The story of an id is one event; it is told in the shape of a key's story all the same. */
static void
show_done(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	const char *text = gan_call_str(c, "text");
	int64_t id;

	if (rc == GAN_ENOENT) {
		gan_call_fail(c, GAN_EXIT_NEGATIVE,
		    "nothing is known of '%.200s': it is no key or effect of a delivery, and no id "
		    "of an event or delivery that is still kept",
		    text);
		return;
	}
	if (rc < 0 ||
	    (!gan_id_parse(GAN_ID_EVENT, text, &id) && !gan_id_parse(GAN_ID_DELIVERY, text, &id))) {
		gan_call_store_done(c, rc, json, len);
		return;
	}
	gan_buf_puts(&out, "{\"key\":null,\"events\":[");
	gan_buf_put(&out, json, len);
	gan_buf_puts(&out, "]}");
	gan_call_store_done(c, out.failed ? GAN_ENOMEM : GAN_OK, out.data, out.len);
}

void
gan_verb_show(struct gan_call *c)
{
	const char *text;

	if (gan_call_need(c, "text", &text))
		run_query(c, GAN_QUERY_SHOW, show_done);
}

void
gan_verb_events(struct gan_call *c)
{
	run_query(c, GAN_QUERY_EVENTS, gan_call_store_done);
}

void
gan_verb_deliveries(struct gan_call *c)
{
	run_query(c, GAN_QUERY_DELIVERIES, gan_call_store_done);
}

void
gan_verb_lanes(struct gan_call *c)
{
	run_query(c, GAN_QUERY_LANES, gan_call_store_done);
}

void
gan_verb_audit(struct gan_call *c)
{
	run_query(c, GAN_QUERY_AUDIT, gan_call_store_done);
}

void
gan_verb_quarantine_list(struct gan_call *c)
{
	run_query(c, GAN_QUERY_QUARANTINE, gan_call_store_done);
}

/*
 * The store's list with the items of the moment (paused connectors, red
 * rules) in front: they are few, and everything waits behind them.
 */
static void
attention_done(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	const char *rest;

	if (rc < 0) {
		gan_call_store_failed(c, rc, json);
		return;
	}
	if (gan_call_cancelled(c))
		return;
	gan_must(len >= 2);
	rest = memchr(json, '[', len);
	gan_must(rest != NULL);
	rest++;
	gan_buf_puts(&out, "[");
	/* Items of the moment have neither source, rule nor key, so a filter leaves them out. */
	if (gan_call_str(c, "source") == NULL && gan_call_str(c, "rule") == NULL &&
	    gan_call_str(c, "key") == NULL && gan_call_str(c, "connector") == NULL &&
	    gan_call_str(c, "before") == NULL)
		(void)gan_status_attention(c->admin, &out);
	len -= (size_t)(rest - json);
	if (out.len > 1 && rest[strspn(rest, " \t\r\n")] == ']')
		out.data[--out.len] = '\0'; /* the comma behind the last item */
	gan_buf_put(&out, rest, len);
	if (out.failed)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(c, GAN_EXIT_OK, out.data, out.len, NULL);
}

void
gan_verb_attention(struct gan_call *c)
{
	run_query(c, GAN_QUERY_ATTENTION, attention_done);
}

/* An answer with "ok":false is a negative one. */
static void
check_done(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	const cJSON *ok;
	int exit_code = GAN_EXIT_OK;

	if (rc < 0) {
		gan_call_store_failed(c, rc, json);
		return;
	}
	if (gan_cj_parse(json, len, &tree, NULL) == GAN_OK) {
		ok = cJSON_IsObject(tree) ? gan_cj_get(tree, "ok") : NULL;
		if (cJSON_IsFalse(ok) ||
		    (cJSON_IsArray(tree) && ok == NULL && cJSON_GetArraySize(tree) > 0))
			exit_code = GAN_EXIT_NEGATIVE;
	}
	gan_call_reply(
	    c, exit_code, json, len, exit_code == GAN_EXIT_OK ? "the database is whole" : NULL);
}

void
gan_verb_store_check(struct gan_call *c)
{
	run_query(c, GAN_QUERY_CHECK, check_done);
}
