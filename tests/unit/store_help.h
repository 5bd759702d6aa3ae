/* SPDX-License-Identifier: MIT */
/*
 * store_help.h - a real store in a temporary folder and a real loop; every
 * call waits for its callback, with a deadline that fails.
 */
#pragma once

#include <check.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "store/store.h"

#define T0 INT64_C(1750000000000)
#define DEADLINE_MS 20000

static uv_loop_t loop;
static struct gan_store *st;
static struct gan_store_options opt;
static char dir[64], path[96];
static struct gan_err err;
static int fatal_rc;
static int64_t give_up_ms; /* of a claim */

static inline void
on_fatal(void *arg, const struct gan_err *e)
{
	(void)arg;
	fatal_rc = e->code;
}

static inline void
late(uv_timer_t *t)
{
	(void)t;
	ck_abort_msg("nothing happened for %d ms", DEADLINE_MS);
}

/* Run the loop until *flag. */
static inline void
wait_for(const bool *flag)
{
	uv_timer_t t;

	uv_update_time(&loop);
	uv_timer_init(&loop, &t);
	uv_timer_start(&t, late, DEADLINE_MS, 0);
	while (!*flag)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static inline void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

static inline void
reopen(void)
{
	int rc = gan_store_open(&loop, &opt, &st, &err);

	ck_assert_msg(rc == GAN_OK, "%s", err.msg);
}

static inline void
shut(void)
{
	bool done = false;

	gan_store_close(st, set_flag, &done);
	wait_for(&done);
	st = NULL;
}

static inline void
setup(void)
{
	memcpy(dir, "/tmp/gantry-store-XXXXXX", 25);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/gantry.db", dir);
	memset(&opt, 0, sizeof(opt));
	opt.path = path;
	opt.on_fatal = on_fatal;
	fatal_rc = 0;
	give_up_ms = 0;
	uv_loop_init(&loop);
	reopen();
}

static inline void books_are_right(void);

static inline void
teardown(void)
{
	char cmd[128];

	if (st != NULL && fatal_rc == 0)
		books_are_right();
	if (st != NULL)
		shut();
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- calls that wait -------------------------------------------------------- */

struct got {
	bool done;
	int rc;
	enum gan_ingest_verdict verdict;
	int64_t id;
	struct gan_event **events;
	struct gan_claimed **rows;
	size_t n;
	int64_t next_due_ms;
	char *json;
};

static inline void
got_ingest(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	struct got *g = arg;

	g->rc = rc;
	g->verdict = verdict;
	g->id = id;
	g->done = true;
}

static inline struct got
put_full(const char *source, const char *topic, const char *body, int64_t now_ms,
    enum gan_dedupe dedupe, const char *hash, const char *reject)
{
	struct got g = { .done = false };
	struct gan_ingest in = { .source = source,
		.topic = topic,
		.topic_raw = topic,
		.meta = "{\"uuid\":\"u1\"}",
		.reject = reject,
		.body = strdup(body),
		.body_len = strlen(body),
		.received_ms = now_ms,
		.dedupe = dedupe };

	if (hash != NULL)
		memcpy(in.hash, hash, strlen(hash) < 16 ? strlen(hash) : 16);
	ck_assert_int_eq(gan_store_ingest(st, &in, got_ingest, &g), GAN_OK);
	wait_for(&g.done);
	return g;
}

static inline int64_t
put(const char *body)
{
	struct got g = put_full("erp", "order.created", body, T0, GAN_DEDUPE_NONE, NULL, NULL);

	ck_assert_int_eq(g.rc, GAN_OK);
	ck_assert_int_eq(g.verdict, GAN_INGEST_STORED);
	return g.id;
}

static inline void
got_done(void *arg, int rc)
{
	struct got *g = arg;

	g->rc = rc;
	g->done = true;
}

static inline int
map(struct gan_map_commit m)
{
	struct got g = { .done = false };

	if (m.now_ms == 0)
		m.now_ms = T0;
	if (m.source == NULL) {
		m.source = "erp";
		m.topic = "order.created";
	}
	ck_assert_int_eq(gan_store_map_commit(st, &m, got_done, &g), GAN_OK);
	wait_for(&g.done);
	return g.rc;
}

/* One delivery with connector "c" for a new event. */
static inline int64_t
put_delivery(struct gan_new_delivery d)
{
	int64_t event = put("{}");

	if (d.rule == NULL)
		d.rule = "r";
	if (d.connector == NULL)
		d.connector = "c";
	if (d.operation == NULL)
		d.operation = "op";
	if (d.body == NULL)
		d.body = "{\"a\":1}";
	d.body_len = strlen(d.body);
	ck_assert_int_eq(
	    map((struct gan_map_commit){
		.event_id = event, .state = GAN_EVENT_MAPPED, .deliveries = &d, .ndeliveries = 1 }),
	    GAN_OK);
	return event;
}

static inline void
got_claim(void *arg, int rc, struct gan_claimed **rows, size_t n, int64_t next_due_ms)
{
	struct got *g = arg;

	g->rc = rc;
	g->rows = rows;
	g->n = n;
	g->next_due_ms = next_due_ms;
	g->done = true;
}

static inline struct got
claim(size_t n, int64_t now_ms)
{
	struct got g = { .done = false };

	ck_assert_int_eq(
	    gan_store_claim(st, "c", n,
		&(struct gan_claim_at){ now_ms, now_ms, now_ms, 60000, give_up_ms }, got_claim, &g),
	    GAN_OK);
	wait_for(&g.done);
	ck_assert_int_eq(g.rc, GAN_OK);
	return g;
}

static inline void
drop_rows(struct got *g)
{
	for (size_t i = 0; i < g->n; i++)
		gan_claimed_free(&g->rows[i]);
	free(g->rows);
	g->rows = NULL;
}

/* Claim exactly one and give its id. */
static inline int64_t
claim_one(int64_t now_ms)
{
	struct got g = claim(8, now_ms);
	int64_t id;

	ck_assert_uint_eq(g.n, 1);
	id = g.rows[0]->id;
	drop_rows(&g);
	return id;
}

static inline size_t
claim_none(int64_t now_ms)
{
	struct got g = claim(8, now_ms);
	size_t n = g.n;

	drop_rows(&g);
	return n;
}

static inline int
settle(int64_t id, enum gan_delivery_state state, int64_t next_ms)
{
	struct gan_attempt a = { .started_ms = T0,
		.ended_ms = T0 + 5,
		.request = "POST https://x/y\nauthorization: ***",
		.status = state == GAN_DLV_UNKNOWN ? 0 : 200,
		.verdict = "v",
		.error = state == GAN_DLV_DELIVERED ? NULL : "it broke",
		.response_head = "HTTP/1.1 200 OK",
		.response = "{ \"ok\" : true }",
		.response_len = 15 };
	struct gan_settle s = { .delivery_id = id,
		.state = state,
		.next_ms = next_ms,
		.maybe_sent = state == GAN_DLV_UNKNOWN,
		.reason = state == GAN_DLV_DELIVERED ? NULL : "why",
		.response = state == GAN_DLV_DELIVERED ? "{\"ref\":7}" : NULL,
		.attempt = &a,
		.now_ms = T0 + 10 };
	struct got g = { .done = false };

	ck_assert_int_eq(gan_store_settle(st, &s, got_done, &g), GAN_OK);
	wait_for(&g.done);
	return g.rc;
}

static inline void
got_json(void *arg, int rc, const char *json, size_t len)
{
	struct got *g = arg;

	g->rc = rc;
	g->json = json == NULL ? NULL : gan_memdup(json, len);
	g->done = true;
}

static inline struct got
ask_raw(struct gan_query q)
{
	struct got g = { .done = false };

	ck_assert_int_eq(gan_store_query(st, &q, got_json, &g), GAN_OK);
	wait_for(&g.done);
	return g;
}

static inline cJSON *
ask(struct gan_query q)
{
	struct got g = ask_raw(q);
	cJSON *tree;

	ck_assert_msg(g.rc == GAN_OK, "%d %s", g.rc, g.json);
	tree = cJSON_Parse(g.json);
	ck_assert_msg(tree != NULL, "%s", g.json);
	free(g.json);
	return tree;
}

/* Every lane can move or is on the attention list, and every row is accounted for. */
static inline void
books_are_right(void)
{
	struct got g = ask_raw((struct gan_query){ .kind = GAN_QUERY_CHECK });

	ck_assert_msg(g.rc == GAN_OK && strcmp(g.json, "[]") == 0, "%d %s", g.rc, g.json);
	free(g.json);
}

static inline int
command(enum gan_command_kind kind, const char *id, char **ret_json)
{
	struct got g = { .done = false };
	struct gan_command c = { .kind = kind,
		.id = id,
		.verb = "verb",
		.who = "ana (1000)",
		.reason = "because",
		.now_ms = T0 + 100 };

	ck_assert_int_eq(gan_store_command(st, &c, got_json, &g), GAN_OK);
	wait_for(&g.done);
	if (ret_json != NULL)
		*ret_json = g.json;
	else
		free(g.json);
	return g.rc;
}

static inline const char *
dlv_text(int64_t id)
{
	static char text[4][GAN_ID_LEN];
	static int turn;

	turn = (turn + 1) % 4;
	return gan_id_format(GAN_ID_DELIVERY, id, text[turn]);
}

static inline const char *
event_text(int64_t id)
{
	static char text[4][GAN_ID_LEN];
	static int turn;

	turn = (turn + 1) % 4;
	return gan_id_format(GAN_ID_EVENT, id, text[turn]);
}

/* The state of a delivery as show tells it. */
static inline const char *
state_of(int64_t id)
{
	static char state[32];
	cJSON *tree = ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = dlv_text(id) });
	cJSON *d = cJSON_GetArrayItem(cJSON_GetObjectItem(tree, "deliveries"), 0);

	snprintf(state, sizeof(state), "%s", cJSON_GetObjectItem(d, "state")->valuestring);
	cJSON_Delete(tree);
	return state;
}

/* "a,b,c": the member names in order. */
static inline const char *
keys_of(const cJSON *o)
{
	static char keys[512];

	keys[0] = '\0';
	for (const cJSON *i = o->child; i != NULL; i = i->next)
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s",
		    keys[0] == '\0' ? "" : ",", i->string);
	return keys;
}

static inline int
run_suite(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
