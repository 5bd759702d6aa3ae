/* SPDX-License-Identifier: MIT */
/*
 * inbound_help.h - the public listener over real sockets, with a configuration
 * made by hand and a fake store that answers when it is told to, so that what
 * happens between accept and COMMIT can be seen.
 */
#pragma once

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/inbound.h"
#include "lib/talk.h"
#include "json/cj.h"

#define KEY "igw-test-secret"
#define BODY "{\"id\":111}"
#define S1_HEX "9fa4246350412dda705c24cb38078a82756177f0"
#define TOKEN "plant-token-1"
#define AUTH "Authorization: Bearer " TOKEN "\r\n"
#define TYPE "Content-Type: application/json\r\n"

/* ---- the fake store ---------------------------------------------------------- */

struct job {
	gan_ingest_fn cb;
	gan_json_fn json_cb;
	void *arg;
	struct gan_ingest in; /* texts are copies */
	char *event_id, *source;
	struct gan_query q; /* of the last one: numbers only */
};

enum { JOBS = 512 };

static struct {
	struct job jobs[JOBS]; /* every job ever */
	size_t njobs, ndone;
	struct job watches[JOBS];
	size_t nwatches;
	int refuse_watch;
	size_t room; /* ingest refuses more than so many with GAN_EBUSY; 0: no limit */
	int refuse;  /* what ingest and query return at once */
	int rc;      /* what the callbacks get */
	bool hold;   /* answer only when told */
	enum gan_ingest_verdict verdict;
	struct gan_quarantine q; /* the last one, copies */
	unsigned nquarantined;
	uv_idle_t commit;
} store;

static inline int64_t
job_id(size_t i)
{
	return gan_id_next(0, 1760000000000) + (int64_t)i;
}

static inline void
commit_all(void)
{
	while (store.ndone < store.njobs) {
		struct job *j = &store.jobs[store.ndone];
		int64_t id = job_id(store.ndone++);

		if (j->cb != NULL)
			j->cb(j->arg, store.rc, store.verdict, id);
		else
			j->json_cb(j->arg, store.rc, "{\"id\":\"x\"}", 10);
	}
}

static inline void
on_commit(uv_idle_t *i)
{
	(void)uv_idle_stop(i);
	if (!store.hold)
		commit_all();
}

static inline char *
copy(const char *s)
{
	return s == NULL ? NULL : strdup(s);
}

int
gan_store_ingest(struct gan_store *s, const struct gan_ingest *in, gan_ingest_fn cb, void *arg)
{
	struct job *j = &store.jobs[store.njobs];

	(void)s;
	if (store.refuse < 0)
		return store.refuse;
	if (store.room > 0 && store.njobs >= store.room)
		return GAN_EBUSY;
	ck_assert_uint_lt(store.njobs++, JOBS);
	*j = (struct job){ .cb = cb, .arg = arg, .in = *in };
	j->in.source = copy(in->source);
	j->in.topic = copy(in->topic);
	j->in.topic_raw = copy(in->topic_raw);
	j->in.meta = copy(in->meta);
	j->in.reject = copy(in->reject);
	(void)uv_idle_start(&store.commit, on_commit);
	return GAN_OK;
}

int
gan_store_query(struct gan_store *s, const struct gan_query *q, gan_json_fn cb, void *arg)
{
	struct job *j = &store.jobs[store.njobs];

	(void)s;
	if (store.refuse < 0)
		return store.refuse;
	ck_assert_uint_lt(store.njobs++, JOBS);
	*j = (struct job){ .json_cb = cb, .arg = arg };
	j->q.kind = q->kind;
	j->q.limit = q->limit;
	j->event_id = copy(q->text);
	j->source = copy(q->source);
	(void)uv_idle_start(&store.commit, on_commit);
	return GAN_OK;
}

/* Outcomes come only when outcome_all() is called. */
int
gan_store_watch(struct gan_store *s, int64_t event_id, const char *source, int64_t until_ms,
    gan_json_fn cb, void *arg)
{
	(void)s;
	(void)until_ms;
	if (store.refuse_watch < 0)
		return store.refuse_watch;
	ck_assert_uint_lt(store.nwatches, JOBS);
	ck_assert_int_eq(event_id, job_id(store.njobs - 1));
	ck_assert(source != NULL);
	store.watches[store.nwatches++] = (struct job){ .json_cb = cb, .arg = arg };
	return GAN_OK;
}

static inline void
outcome_all(int rc)
{
	for (size_t i = 0; i < store.nwatches; i++)
		store.watches[i].json_cb(store.watches[i].arg, rc, "{\"over\":1}", 10);
	store.nwatches = 0;
}

/* Outboxes are read from a real store: tests/e2e/test_outbox.py. */
int
gan_store_outbox_read(
    struct gan_store *s, const struct gan_outbox_read *r, gan_outbox_fn cb, void *arg)
{
	(void)s;
	(void)r;
	(void)cb;
	(void)arg;
	return GAN_EBUSY;
}

int
gan_store_outbox_ack(struct gan_store *s, const char *connector, const char *cursor,
    const char *who, int64_t now_ms, gan_outbox_fn cb, void *arg)
{
	(void)s;
	(void)connector;
	(void)cursor;
	(void)who;
	(void)now_ms;
	(void)cb;
	(void)arg;
	return GAN_EBUSY;
}

static inline void
forget_quarantine(void)
{
	free((void *)(uintptr_t)store.q.source);
	free((void *)(uintptr_t)store.q.topic);
	free((void *)(uintptr_t)store.q.headers);
	free((void *)(uintptr_t)store.q.why);
	free((void *)(uintptr_t)store.q.remote);
	free((void *)(uintptr_t)store.q.body);
}

int
gan_store_quarantine(struct gan_store *s, const struct gan_quarantine *q)
{
	(void)s;
	forget_quarantine();
	store.nquarantined++;
	store.q = *q;
	store.q.source = copy(q->source);
	store.q.topic = copy(q->topic);
	store.q.headers = copy(q->headers);
	store.q.why = copy(q->why);
	store.q.remote = copy(q->remote);
	store.q.body = gan_memdup(q->body, q->body_len);
	return GAN_OK;
}

static inline void
forget_jobs(void)
{
	for (size_t i = 0; i < store.njobs; i++) {
		struct job *j = &store.jobs[i];

		free((void *)(uintptr_t)j->in.source);
		free((void *)(uintptr_t)j->in.topic);
		free((void *)(uintptr_t)j->in.topic_raw);
		free((void *)(uintptr_t)j->in.meta);
		free((void *)(uintptr_t)j->in.reject);
		free(j->in.body);
		free(j->event_id);
		free(j->source);
	}
}

/* ---- a configuration by hand ---------------------------------------------------- */

static char *proxies[] = { (char[]){ "127.0.0.1" }, (char[]){ "10.0.0.7" } };
static struct gan_conf_source sources[] = {
	{ .name = (char[]){ "prodsmart" },
	    .kind = GAN_SOURCE_WEBHOOK,
	    .secrets = { { (char[]){ "ps" }, (char[]){ KEY }, sizeof(KEY) - 1 } },
	    .nsecrets = 1 },
	{ .name = (char[]){ "erp" },
	    .kind = GAN_SOURCE_HTTP,
	    .secrets = { { (char[]){ "t1" }, (char[]){ TOKEN }, sizeof(TOKEN) - 1 },
		{ (char[]){ "t2" }, (char[]){ "plant-token-2" }, 13 } },
	    .nsecrets = 2 },
	{ .name = (char[]){ "lab" },
	    .kind = GAN_SOURCE_HTTP,
	    .secrets = { { (char[]){ "t3" }, (char[]){ "lab-token" }, 9 } },
	    .nsecrets = 1 },
	{ .name = (char[]){ "sap" },
	    .kind = GAN_SOURCE_HTTP,
	    .basic_user = (char[]){ "sap user" },
	    .basic_passwords = { { (char[]){ "p1" }, (char[]){ "pass:word" }, 9 },
		{ (char[]){ "p2" }, (char[]){ "another" }, 7 } } },
	{ .name = (char[]){ "feed" }, .kind = GAN_SOURCE_FEED },
};
static struct gan_config conf;

struct gan_config *
gan_config_ref(struct gan_config *c)
{
	c->refs++;
	return c;
}

void
gan_config_unref(struct gan_config **cp)
{
	struct gan_config *c = gan_steal(cp);

	if (c != NULL)
		c->refs--;
}

static uv_loop_t loop;
static struct gan_inbound *inbound;
static struct gan_err err;
static const char *not_ready_text;

static inline const char *
not_ready(void *arg)
{
	(void)arg;
	return not_ready_text;
}

static inline void
setup(void)
{
	struct gan_inbound_options opt = { .conf = &conf, .listen_fd = -1, .not_ready = not_ready };

	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(uv_idle_init(&loop, &store.commit), 0);
	conf = (struct gan_config){ .refs = 1,
		.public = { .address = { (char[]){ "127.0.0.1" }, 0 },
		    .max_body = 100000,
		    .max_connections = 512,
		    .trusted_proxies = proxies,
		    .ntrusted_proxies = 2 },
		.sources = sources,
		.nsources = GAN_COUNT(sources) };
	ck_assert_msg(gan_inbound_open(&loop, &opt, &inbound, &err) == GAN_OK, "%s", err.msg);
}

static inline void
teardown(void)
{
	gan_inbound_close(&inbound);
	uv_close((uv_handle_t *)&store.commit, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	commit_all(); /* may come after everything is closed */
	outcome_all(GAN_EGONE);
	ck_assert_uint_eq(conf.refs, 1);
	forget_jobs();
	forget_quarantine();
}

/* A request with these header lines and this body; the answer is kept until the next one. */
static char *last;

static int GAN_PRINTF(3, 4) ask(const char *line, const char *body, const char *headers, ...)
{
	char *lines GAN_AUTO(gan_str_free) = NULL, *raw GAN_AUTO(gan_str_free) = NULL;
	va_list ap;

	va_start(ap, headers);
	if (vasprintf(&lines, headers, ap) < 0)
		abort();
	va_end(ap);
	raw = gan_asprintf("%s HTTP/1.1\r\nHost: gantry\r\n%sContent-Length: %zu\r\n\r\n%s", line,
	    lines, strlen(body), body);
	free(last);
	last = talk(&loop, gan_inbound_port(inbound), raw);
	return talk_status(last);
}

static inline bool
said(const char *text)
{
	return strstr(last, text) != NULL;
}

static inline struct job *
job(void)
{
	ck_assert_uint_gt(store.njobs, 0);
	return &store.jobs[store.njobs - 1];
}

static inline struct gan_inbound_stats
stats(void)
{
	struct gan_inbound_stats st;

	gan_inbound_stats(inbound, &st);
	return st;
}

static inline int
hook(const char *body, const char *more)
{
	struct gan_hmac_key *key = NULL;
	unsigned char mac[GAN_DIGEST_MAX];
	char hex[41];

	ck_assert_int_eq(gan_hmac_key_new(GAN_SHA1, KEY, strlen(KEY), &key, NULL), GAN_OK);
	ck_assert_int_eq(gan_hmac(key, body, strlen(body), mac), GAN_OK);
	gan_hmac_key_free(&key);
	gan_hex(mac, 20, hex);
	return ask("POST /hooks/prodsmart", body, "x-prodsmart-hmac-sha256: %s\r\n%s", hex, more);
}

#define IDS                                                                                        \
	"x-prodsmart-topic: \"productionOrder/create\"\r\n"                                        \
	"x-prodsmart-webhook-uuid: 91cb972d-b476-4936-947c-4be471b9da5b\r\n"                       \
	"x-prodsmart-triggered-at: 2023-08-29T20:39:46.142Z\r\n"                                   \
	"x-prodsmart-api-version: 1\r\n"

static const char keyed[] = "POST /v1/events/erp/a HTTP/1.1\r\nHost: a\r\n" AUTH TYPE
			    "Idempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}";
