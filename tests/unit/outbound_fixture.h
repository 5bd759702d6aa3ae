/* SPDX-License-Identifier: MIT */
/*
 * outbound_fixture.h - for the tests of dispatch: real configuration, real
 * requests to a scripted server; the store is a stand-in that keeps lanes in
 * memory and can be told to be busy or full.  It defines gan_store_claim()
 * and _settle(), so a program includes it instead of linking the store.
 */
#pragma once

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/config.h"
#include "conf/yaml.h"
#include "lib/peer.h"
#include "outbound/outbound.h"

/* ---- the store's stand-in --------------------------------------------------- */

#define ROWS 64

struct row {
	const char *connector, *operation, *key, *body;
	enum gan_delivery_state state;
	int64_t next_ms, first_ms;
	unsigned attempts;
	int on_unknown;
	bool maybe_sent;
	char *reason, *response, *request, *answer, *verdict, *looked;
	unsigned tries; /* with an attempt record */
};

struct job {
	struct job *next;
	bool claim;
	int rc;
	gan_claim_fn claim_cb;
	gan_done_fn done_cb;
	void *arg;
	struct gan_claimed **rows;
	size_t n;
	int64_t next_due_ms;
};

static uv_loop_t loop;
static struct row rows[ROWS];
static size_t nrows;
static struct job *jobs;
static uv_timer_t store_timer;
static int busy_settles, full_settles, settles;

void
gan_claimed_free(struct gan_claimed **cp)
{
	struct gan_claimed *c = gan_steal(cp);

	if (c == NULL)
		return;
	free(c->connector);
	free(c->operation);
	free(c->rule);
	free(c->key);
	free(c->body);
	free(c);
}

static inline void
run_jobs(uv_timer_t *t)
{
	struct job *j;

	(void)t;
	while ((j = jobs) != NULL) {
		jobs = j->next;
		if (j->claim)
			j->claim_cb(j->arg, j->rc, j->rows, j->n, j->next_due_ms);
		else
			j->done_cb(j->arg, j->rc);
		free(j);
	}
	uv_stop(&loop);
}

static inline struct job *
job_new(void *arg)
{
	struct job *j = calloc(1, sizeof(*j)), **end = &jobs;

	while (*end != NULL)
		end = &(*end)->next;
	*end = j;
	j->arg = arg;
	uv_timer_start(&store_timer, run_jobs, 0, 0);
	return j;
}

static inline bool
is_head(size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(rows[k].key, rows[i].key) == 0 && rows[k].state != GAN_DLV_DELIVERED)
			return false;
	return true;
}

static inline struct gan_claimed *
claimed_from(size_t i)
{
	struct gan_claimed *c = calloc(1, sizeof(*c));

	c->id = (int64_t)i + 1;
	c->first_sent_ms = rows[i].first_ms;
	c->attempt = ++rows[i].attempts;
	c->connector = strdup(rows[i].connector);
	c->operation = strdup(rows[i].operation);
	c->rule = strdup("r");
	c->key = strdup(rows[i].key);
	c->body = strdup(rows[i].body);
	c->body_len = strlen(c->body);
	c->on_unknown = rows[i].on_unknown;
	c->maybe_sent = rows[i].maybe_sent;
	rows[i].state = GAN_DLV_SENDING;
	return c;
}

int
gan_store_claim(struct gan_store *s, const char *connector, size_t n, const struct gan_claim_at *at,
    gan_claim_fn cb, void *arg)
{
	struct job *j = job_new(arg);

	(void)s;
	ck_assert_int_gt(at->give_up_ms, 0);
	ck_assert_int_gt(at->lease_ms, 60000);
	j->claim = true;
	j->claim_cb = cb;
	j->rows = calloc(n, sizeof(*j->rows));
	j->next_due_ms = INT64_MAX;
	for (size_t i = 0; i < nrows; i++) {
		if (rows[i].state != GAN_DLV_WAITING || !is_head(i) ||
		    strcmp(rows[i].connector, connector) != 0)
			continue;
		if (rows[i].next_ms > at->due_ms || j->n == n)
			j->next_due_ms =
			    rows[i].next_ms < j->next_due_ms ? rows[i].next_ms : j->next_due_ms;
		else
			j->rows[j->n++] = claimed_from(i);
	}
	return GAN_OK;
}

int64_t
gan_store_due_floor(const struct gan_store *s)
{
	(void)s;
	return 0;
}

static inline void
keep(char **at, const char *text)
{
	free(*at);
	*at = text != NULL ? strdup(text) : NULL;
}

int
gan_store_settle(struct gan_store *s, const struct gan_settle *st, gan_done_fn cb, void *arg)
{
	struct row *r = &rows[st->delivery_id - 1];
	struct job *j;

	(void)s;
	settles++;
	if (busy_settles > 0 && busy_settles-- > 0)
		return GAN_EBUSY;
	j = job_new(arg);
	j->done_cb = cb;
	if (full_settles > 0 && full_settles-- > 0) {
		j->rc = GAN_EFULL;
		return GAN_OK;
	}
	ck_assert_int_eq(r->state, GAN_DLV_SENDING);
	r->state = st->state;
	r->next_ms = st->next_ms;
	r->maybe_sent = st->maybe_sent;
	if (st->uncounted)
		r->attempts--;
	else if (r->first_ms == 0)
		r->first_ms = st->now_ms;
	keep(&r->reason, st->reason);
	keep(&r->response, st->response);
	keep(&r->looked, st->looked != NULL ? st->looked->verdict : NULL);
	if (st->attempt != NULL) {
		r->tries++;
		keep(&r->request, st->attempt->request);
		keep(&r->verdict, st->attempt->verdict);
		free(r->answer);
		r->answer = gan_memdup(st->attempt->response_len > 0 ? st->attempt->response : "",
		    st->attempt->response_len);
	}
	return GAN_OK;
}

/* ---- fixture ------------------------------------------------------------------ */

static char dir[64];
static struct gan_config *conf;
static struct gan_outbound *out;
static struct peer *peer;
static struct gan_err err;

static inline void
put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	chmod(path, 0600);
}

static inline struct gan_config *
config(const char *connectors)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_config *c = NULL;
	char path[128];

	put("gantry.yaml", connectors);
	snprintf(path, sizeof(path), "%s/gantry.yaml", dir);
	ck_assert_msg(gan_config_load(path, true, &c, &d) == 0, "%s",
	    d.text.data != NULL ? d.text.data : "?");
	return c;
}

enum {
	MV = 1,
	F2B = 2,
};

static inline struct gan_config *
config_for(int which, int failures)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_printf(&b,
	    "version: 1\nsecrets: .\ndeliver:\n"
	    "  timeout: {connect: 1s, total: 400ms}\n"
	    "  retry: {first: 20ms, factor: 2, max: 50ms, jitter: 0%%, give_up: 72h}\n"
	    "  breaker: {failures: %d, open: 100ms}\n"
	    "  on_unknown: hold\n"
	    "connectors:\n",
	    failures);
	if ((which & MV) != 0)
		gan_buf_printf(&b,
		    "  mv: {kind: movilitas, base_url: \"%s\", channel_key: secret:key, token: "
		    "secret:tok}\n",
		    peer_url(peer));
	if ((which & F2B) != 0)
		gan_buf_printf(&b,
		    "  f2b: {kind: flex2b, base_url: \"%s\", user: secret:user, password: "
		    "secret:pw}\n",
		    peer_url(peer));
	return config(b.data);
}

static inline void
start(int which, int failures, peer_fn fn, void *arg)
{
	peer = peer_open(&loop, fn, arg);
	conf = config_for(which, failures);
	ck_assert_msg(gan_outbound_open(&loop, conf, NULL, NULL, &out, &err) == 0, "%s", err.msg);
}

static inline struct row *
add(const char *connector, const char *operation, const char *key, const char *body)
{
	struct row *r = &rows[nrows++];

	*r = (struct row){
		.connector = connector, .operation = operation, .key = key, .body = body
	};
	return r;
}

#define RELEASE(key) add("mv", "ssccs.release", key, "{\"ssccs\":[\"337370000000000003\"]}")
#define POST(key)                                                                                  \
	add("f2b", "replicationpost", key,                                                         \
	    "{\"repLines\":[{\"apiuuid\":\"87277F40-6954-42F0-B191-A4A1DE476326\",\"apiid\":"      \
	    "\"PH\",\"senderidentification\":\"3PL\",\"nodes\":[{\"name\":\"a\",\"value\":"        \
	    "\"1\"}]}]}")

static inline void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/gantry-outbound-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	put("key", "channel-key");
	put("tok", "static-token");
	put("user", "someone");
	put("pw", "pass-word");
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	uv_timer_init(&loop, &store_timer);
	nrows = 0;
	busy_settles = full_settles = settles = 0;
}

static bool drained;

static inline void
on_drained(void *arg)
{
	(void)arg;
	drained = true;
	uv_stop(&loop);
}

static inline void
stop(int64_t grace_ms)
{
	drained = false;
	gan_outbound_drain(out, grace_ms, on_drained, NULL);
	while (!drained)
		uv_run(&loop, UV_RUN_ONCE);
	gan_outbound_close(&out);
}

static inline void
teardown(void)
{
	static const char *const files[] = { "key", "tok", "user", "pw", "gantry.yaml" };
	char path[128];

	if (out != NULL)
		stop(0);
	peer_close(peer);
	while (jobs != NULL)
		uv_run(&loop, UV_RUN_NOWAIT);
	uv_close((uv_handle_t *)&store_timer, NULL);
	while (uv_loop_alive(&loop))
		uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	gan_config_unref(&conf);
	for (size_t i = 0; i < nrows; i++) {
		keep(&rows[i].reason, NULL);
		keep(&rows[i].response, NULL);
		keep(&rows[i].request, NULL);
		keep(&rows[i].answer, NULL);
		keep(&rows[i].verdict, NULL);
		keep(&rows[i].looked, NULL);
	}
	for (size_t i = 0; i < GAN_COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

static inline void
until(const struct row *r, enum gan_delivery_state state)
{
	while (r->state != state)
		uv_run(&loop, UV_RUN_ONCE); /* the test case's time-out ends it */
}

static inline struct gan_connector_status
status(void)
{
	struct gan_connector_status s[4];

	ck_assert_uint_ge(gan_outbound_status(out, s, 4), 1);
	return s[0];
}

static inline bool
has(const struct peer_req *req, const char *text)
{
	return strstr(req->text, text) != NULL;
}

#define RELEASED "{\"success\":true,\"message\":\"SSCCs released\"}"
#define RECEIVED "{\"ResponseCode\":200,\"ResponseMessage\":\"OK\",\"CommunicationID\":\"44\"}"

/* ---- answers ---- */

static inline void
releases(void *arg, const struct peer_req *req)
{
	(void)arg;
	ck_assert(has(req, "x-access-token: static-token\r\n"));
	ck_assert(has(req, "x-channel-key: channel-key\r\n"));
	peer_reply(req, 200, "", RELEASED);
}
