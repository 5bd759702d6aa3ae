/* SPDX-License-Identifier: MIT */
/*
 * test_outbound_store.c - outbound on the real store: from an accepted event
 * to the settled delivery, with a vendor that misbehaves.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/yaml.h"
#include "lib/peer.h"
#include "outbound/outbound.h"
#include "store/store.h"
#include "json/cj.h"

static uv_loop_t loop;
static struct gan_store *store;
static struct gan_outbound *out;
static struct gan_config *conf;
static struct peer *peer;
static struct gan_err err;
static char dir[64];
static bool done;
static char *listing;

static void
on_due(void *arg, const char *connector)
{
	(void)arg;
	if (out != NULL)
		gan_outbound_poke(out, connector);
}

static void
on_fatal(void *arg, const struct gan_err *e)
{
	(void)arg;
	ck_abort_msg("store: %s", e->msg);
}

static void
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

static void
start(peer_fn fn, void *arg)
{
	struct gan_store_options opt = { .path = ":memory:", .on_fatal = on_fatal };
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	char text[512], path[128];

	peer = peer_open(&loop, fn, arg);
	snprintf(text, sizeof(text),
	    "version: 1\nsecrets: .\ndeliver:\n"
	    "  timeout: {connect: 1s, total: 400ms}\n"
	    "  retry: {first: 20ms, factor: 2, max: 50ms, jitter: 0%%, give_up: 72h}\n"
	    "connectors:\n"
	    "  mv: {kind: movilitas, base_url: \"%s\", channel_key: secret:key, token: secret:tok}\n",
	    peer_url(peer));
	put("gantry.yaml", text);
	snprintf(path, sizeof(path), "%s/gantry.yaml", dir);
	ck_assert_msg(gan_config_load(path, true, &conf, &d) == 0, "%s", d.text.data);
	ck_assert_msg(gan_store_open(&loop, &opt, &store, &err) == 0, "%s", err.msg);
	gan_store_on_due(store, on_due, NULL);
	ck_assert_msg(gan_outbound_open(&loop, conf, store, NULL, &out, &err) == 0, "%s", err.msg);
}

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/gantry-outbound-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	put("key", "channel-key");
	put("tok", "static-token");
	ck_assert_int_eq(uv_loop_init(&loop), 0);
}

static void
finished(void *arg)
{
	(void)arg;
	done = true;
	uv_stop(&loop);
}

static void
wait_done(void)
{
	while (!done)
		uv_run(&loop, UV_RUN_ONCE);
	done = false;
}

static void
teardown(void)
{
	static const char *const files[] = { "key", "tok", "gantry.yaml" };
	char path[128];

	gan_outbound_drain(out, 0, finished, NULL);
	wait_done();
	gan_outbound_close(&out);
	gan_store_close(store, finished, NULL);
	wait_done();
	peer_close(peer);
	while (uv_loop_alive(&loop))
		uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	gan_config_unref(&conf);
	free(listing);
	listing = NULL;
	for (size_t i = 0; i < GAN_COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

/* ---- an event and its deliveries ---------------------------------------------- */

static int64_t event_id;

static void
on_stored(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	(void)arg;
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(verdict, GAN_INGEST_STORED);
	event_id = id;
	finished(NULL);
}

static void
on_mapped(void *arg, int rc)
{
	(void)arg;
	ck_assert_int_eq(rc, 0);
	finished(NULL);
}

static void
owe(const char *const *keys, size_t n)
{
	static const char body[] = "{\"ssccs\":[\"337370000000000003\"]}";
	struct gan_new_delivery d[8] = { 0 };
	struct gan_ingest in = { .source = "s",
		.topic = "t",
		.topic_raw = "t",
		.meta = "{}",
		.body = strdup("{}"),
		.body_len = 2,
		.received_ms = gan_wall_ms() };
	struct gan_map_commit m = { .source = "s",
		.topic = "t",
		.state = GAN_EVENT_MAPPED,
		.deliveries = d,
		.ndeliveries = n,
		.now_ms = gan_wall_ms() };

	ck_assert_int_eq(gan_store_ingest(store, &in, on_stored, NULL), 0);
	wait_done();
	for (size_t i = 0; i < n; i++)
		d[i] = (struct gan_new_delivery){ .rule = "r",
			.output_no = (unsigned)i,
			.connector = "mv",
			.operation = "ssccs.release",
			.key = keys[i],
			.body = body,
			.body_len = sizeof(body) - 1 };
	m.event_id = event_id;
	ck_assert_int_eq(gan_store_map_commit(store, &m, on_mapped, NULL), 0);
	wait_done();
}

static void
on_listing(void *arg, int rc, const char *json, size_t len)
{
	(void)arg;
	ck_assert_int_eq(rc, 0);
	free(listing);
	listing = gan_memdup(json, len);
	finished(NULL);
}

/* Run until n deliveries of the key are in the state. */
static void
until(const char *key, const char *state, int n)
{
	struct gan_query q = { .kind = GAN_QUERY_DELIVERIES, .key = key, .state = state };
	cJSON *list = NULL;
	int got;

	do {
		ck_assert_int_eq(gan_store_query(store, &q, on_listing, NULL), 0);
		wait_done();
		ck_assert_int_eq(gan_cj_parse(listing, strlen(listing), &list, &err), 0);
		got = cJSON_GetArraySize(list);
		gan_cj_free(&list);
	} while (got != n);
}

/* ---- stories --------------------------------------------------------------------- */

#define RELEASED "{\"success\":true,\"message\":\"SSCCs released\"}"

static void
busy_at_first(void *arg, const struct peer_req *req)
{
	(void)arg;
	if (req->n == 0)
		peer_reply(req, 429, "Retry-After: 0\r\n", "");
	else
		peer_reply(req, 200, "", RELEASED);
}

START_TEST(a_429_then_a_200)
{
	start(busy_at_first, NULL);
	owe((const char *[]){ "k" }, 1);
	until("k", "delivered", 1);
	ck_assert_int_eq(peer_requests(peer), 2);
	ck_assert_ptr_nonnull(strstr(listing, "\"attempts\":2"));
	ck_assert_ptr_nonnull(strstr(listing, "SSCCs released"));
}
END_TEST

static void
hangs_at_first(void *arg, const struct peer_req *req)
{
	(void)arg;
	if (req->n > 0)
		peer_reply(req, 200, "", RELEASED);
}

START_TEST(a_lost_answer_is_unknown_and_other_keys_go_on)
{
	start(hangs_at_first, NULL);
	owe((const char *[]){ "a", "a" }, 2);
	until("a", "unknown", 1);
	owe((const char *[]){ "b", "c", "b" }, 3);
	until("b", "delivered", 2);
	until("c", "delivered", 1);
	until("a", "waiting", 1);
	ck_assert_int_eq(peer_requests(peer), 4);
}
END_TEST

static void
always_fine(void *arg, const struct peer_req *req)
{
	(void)arg;
	peer_reply(req, 200, "", RELEASED);
}

START_TEST(a_lane_is_worked_off)
{
	start(always_fine, NULL);
	for (int i = 0; i < 5; i++)
		owe((const char *[]){ "k", "k", "x", "k", "y", "k" }, 6);
	until("k", "delivered", 20);
	until("x", "delivered", 5);
	until("y", "delivered", 5);
	ck_assert_int_eq(peer_requests(peer), 30);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("outbound on the store");
	TCase *c = tcase_create("stories");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 20);
	tcase_add_test(c, a_429_then_a_200);
	tcase_add_test(c, a_lost_answer_is_unknown_and_other_keys_go_on);
	tcase_add_test(c, a_lane_is_worked_off);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
