/* SPDX-License-Identifier: MIT */
/* test_store_replay.c - pages of stored events, the course of a replay, and who goes first. */
#include "store/replay.h"
#include "store_help.h"

struct page {
	bool done, end;
	int rc;
	size_t n;
	int64_t ids[64], at;
};

static void
got_page(void *arg, int rc, struct gan_event **events, size_t n, int64_t at, bool end)
{
	struct page *p = arg;

	p->rc = rc;
	p->n = n;
	p->at = at;
	p->end = end;
	for (size_t i = 0; rc == GAN_OK && i < n; i++) {
		p->ids[i] = events[i]->id;
		gan_event_free(&events[i]);
	}
	free(events);
	p->done = true;
}

static struct page
page(struct gan_event_filter f, int64_t after, int64_t upto, size_t n)
{
	struct page p = { .done = false };

	ck_assert_int_eq(gan_store_page(st, &f, after, upto, n, 1 << 20, got_page, &p), GAN_OK);
	wait_for(&p.done);
	ck_assert_int_eq(p.rc, GAN_OK);
	return p;
}

static int64_t
event_of(const char *source, const char *topic, int64_t now_ms, enum gan_event_state state)
{
	struct got g = put_full(source, topic, "{}", now_ms, GAN_DEDUPE_NONE, NULL, NULL);

	ck_assert_int_eq(g.rc, GAN_OK);
	if (state != GAN_EVENT_RECEIVED)
		ck_assert_int_eq(
		    map((struct gan_map_commit){
			.event_id = g.id, .source = source, .topic = topic, .state = state }),
		    GAN_OK);
	return g.id;
}

START_TEST(pages_by_filter)
{
	int64_t a = event_of("erp", "order.created", T0, GAN_EVENT_MAPPED);
	int64_t b = event_of("mes", "order.created", T0 + 1000, GAN_EVENT_IGNORED);
	int64_t c = event_of("erp", "order.changed", T0 + 2000, GAN_EVENT_MAPPED);
	struct got no =
	    put_full("erp", "order.created", "x", T0 + 2500, GAN_DEDUPE_NONE, NULL, "no JSON");
	int64_t d = event_of("erp", "stock.counted", T0 + 3000, GAN_EVENT_MAPPED);
	int64_t ids[] = { a, d };
	struct page p;

	ck_assert_int_eq(no.rc, GAN_OK);
	(void)event_of("erp", "order.created", T0 + 4000, GAN_EVENT_RECEIVED);
	p = page((struct gan_event_filter){ .source = NULL }, 0, 0, 64);
	ck_assert_uint_eq(p.n, 4); /* neither what is no JSON nor what mapping has not seen */
	ck_assert(p.end);
	p = page((struct gan_event_filter){ .source = NULL }, 0, 0, 2);
	ck_assert_uint_eq(p.n, 2);
	ck_assert(!p.end);
	ck_assert_int_eq(p.ids[1], b);
	p = page((struct gan_event_filter){ .source = NULL }, p.at, 0, 64);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_int_eq(p.ids[0], c);
	p = page((struct gan_event_filter){ .source = "erp", .topic = "order.*" }, 0, 0, 64);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_int_eq(p.ids[0], a);
	ck_assert_int_eq(p.ids[1], c);
	p = page(
	    (struct gan_event_filter){ .since_ms = T0 + 1000, .until_ms = T0 + 2000 }, 0, 0, 64);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_int_eq(p.ids[0], b);
	p = page((struct gan_event_filter){ .source = NULL }, 0, c, 64);
	ck_assert_uint_eq(p.n, 3);
	p = page((struct gan_event_filter){ .ids = ids, .nids = 2 }, 0, 0, 64);
	ck_assert_uint_eq(p.n, 2);
	ck_assert(p.end);
	p = page((struct gan_event_filter){ .ids = ids, .nids = 2 }, a, 0, 64);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_int_eq(p.ids[0], d);
}
END_TEST

/* ---- the course -------------------------------------------------------------------- */

static int
begin(char **ret_json)
{
	struct got g = { .done = false };
	struct gan_replay_begin b = { .filter = "{\"source\":\"erp\"}",
		.who = "ana (1000)",
		.reason = "because",
		.now_ms = T0 + 100 };

	ck_assert_int_eq(gan_store_replay_begin(st, &b, got_json, &g), GAN_OK);
	wait_for(&g.done);
	if (ret_json != NULL)
		*ret_json = g.json;
	else
		free(g.json);
	return g.rc;
}

static int
finish(int64_t no, const char *who)
{
	struct got g = { .done = false };
	struct gan_replay_end e = { .no = no, .who = who, .now_ms = T0 + 900 };

	ck_assert_int_eq(gan_store_replay_end(st, &e, got_json, &g), GAN_OK);
	wait_for(&g.done);
	free(g.json);
	return g.rc;
}

struct now {
	bool done;
	int64_t no, at;
};

static void
got_running(void *arg, int rc, const struct gan_replay *r)
{
	struct now *n = arg;

	ck_assert_int_eq(rc, GAN_OK);
	n->no = r->no;
	n->at = r->at;
	n->done = true;
}

static struct now
running(void)
{
	struct now n = { .done = false };

	ck_assert_int_eq(gan_store_replay_running(st, got_running, &n), GAN_OK);
	wait_for(&n.done);
	return n;
}

static int
step(int64_t no, int64_t before, int64_t event, const char *key)
{
	struct got g = { .done = false };
	struct gan_new_delivery d = { .rule = "r",
		.connector = "c",
		.operation = "op",
		.key = key,
		.body = "{\"a\":1}",
		.body_len = 7 };
	struct gan_rejection rej = { "other", "no" };
	struct gan_replay_commit c = { .no = no,
		.event_id = event,
		.before_id = before,
		.deliveries = &d,
		.ndeliveries = 1,
		.rejections = &rej,
		.nrejections = 1,
		.now_ms = T0 + 200 };

	ck_assert_int_eq(gan_store_replay_commit(st, &c, got_done, &g), GAN_OK);
	wait_for(&g.done);
	return g.rc;
}

static cJSON *
list(void)
{
	struct got g = { .done = false };
	cJSON *t;

	ck_assert_int_eq(gan_store_replays(st, 0, got_json, &g), GAN_OK);
	wait_for(&g.done);
	t = cJSON_Parse(g.json);
	free(g.json);
	return t;
}

START_TEST(it_goes_on_where_it_was_and_never_twice)
{
	int64_t a = event_of("erp", "t", T0, GAN_EVENT_MAPPED);
	int64_t b = event_of("erp", "t", T0, GAN_EVENT_IGNORED);
	char *json;
	cJSON *t, *row;

	ck_assert_int_eq(running().no, 0);
	ck_assert_int_eq(begin(NULL), GAN_OK);
	ck_assert_int_eq(begin(&json), GAN_ESTATE); /* one at a time */
	ck_assert_ptr_nonnull(strstr(json, "replay 1 is under way"));
	free(json);
	ck_assert_int_eq(step(1, 0, a, "k"), GAN_OK);
	shut();
	reopen();
	ck_assert_int_eq(running().no, 1);
	ck_assert_int_eq(running().at, a);
	ck_assert_int_eq(step(1, 0, a, "k"), GAN_EINVAL); /* done already */
	ck_assert_int_eq(step(1, b, b, "k"), GAN_EINVAL); /* would skip one */
	ck_assert_int_eq(step(1, a, b, "k"), GAN_OK);     /* nobody listened when it came */
	ck_assert_int_eq(finish(0, NULL), GAN_OK);
	ck_assert_int_eq(step(1, b, b, "k"), GAN_ESTATE);
	ck_assert_int_eq(finish(0, NULL), GAN_ESTATE);
	t = list();
	row = cJSON_GetArrayItem(t, 0);
	ck_assert_str_eq(cJSON_GetObjectItem(row, "state")->valuestring, "done");
	ck_assert_int_eq(cJSON_GetObjectItem(row, "deliveries")->valueint, 2);
	ck_assert_int_eq(cJSON_GetObjectItem(row, "rejected")->valueint, 2);
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES });
	ck_assert_int_eq(cJSON_GetArraySize(t), 2);
	cJSON_ArrayForEach(row, t)
	    ck_assert_int_eq(cJSON_GetObjectItem(row, "replay")->valueint, 1);
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_AUDIT });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	ck_assert_str_eq(
	    cJSON_GetObjectItem(cJSON_GetArrayItem(t, 0), "object")->valuestring, "replay 1");
	cJSON_Delete(t);
	/* The next one has another number, so it makes new ones. */
	ck_assert_int_eq(begin(NULL), GAN_OK);
	ck_assert_int_eq(step(2, 0, a, "k"), GAN_OK);
	ck_assert_int_eq(finish(2, "ana (1000)"), GAN_OK);
	t = list();
	ck_assert_str_eq(
	    cJSON_GetObjectItem(cJSON_GetArrayItem(t, 0), "state")->valuestring, "stopped");
	cJSON_Delete(t);
}
END_TEST

/* Its event left meanwhile: no delivery without one. */
START_TEST(an_event_that_is_gone)
{
	ck_assert_int_eq(begin(NULL), GAN_OK);
	ck_assert_int_eq(step(1, 0, 12345, "k"), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 1000), 0);
	ck_assert_int_eq(finish(1, NULL), GAN_OK);
}
END_TEST

START_TEST(a_replay_waits_for_all_others)
{
	int64_t a = event_of("erp", "t", T0, GAN_EVENT_MAPPED), retried, live;
	struct got g;

	put_delivery((struct gan_new_delivery){ .key = "retry" });
	retried = claim_one(T0);
	ck_assert_int_eq(settle(retried, GAN_DLV_WAITING, T0 + 20), GAN_OK);
	ck_assert_int_eq(begin(NULL), GAN_OK);
	ck_assert_int_eq(step(1, 0, a, "old"), GAN_OK);
	put_delivery((struct gan_new_delivery){ .key = "live" });
	g = claim(3, T0 + 1000);
	ck_assert_uint_eq(g.n, 3);
	live = g.rows[0]->id;
	ck_assert_str_eq(g.rows[0]->key, "live");
	ck_assert_str_eq(g.rows[1]->key, "retry");
	ck_assert_str_eq(g.rows[2]->key, "old");
	drop_rows(&g);
	ck_assert_int_gt(live, retried);
	ck_assert_int_eq(finish(1, NULL), GAN_OK);
}
END_TEST

/* Order per key holds, so a live one takes the replay that stands before it along. */
START_TEST(a_live_one_behind_a_replay)
{
	int64_t a = event_of("erp", "t", T0, GAN_EVENT_MAPPED), b, first;
	struct got g;

	b = event_of("erp", "t", T0, GAN_EVENT_MAPPED);
	ck_assert_int_eq(begin(NULL), GAN_OK);
	ck_assert_int_eq(step(1, 0, a, "k"), GAN_OK);
	ck_assert_int_eq(step(1, a, b, "other"), GAN_OK);
	put_delivery((struct gan_new_delivery){ .key = "k" });
	g = claim(1, T0 + 1000);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_str_eq(g.rows[0]->key, "k");
	first = g.rows[0]->id;
	drop_rows(&g);
	/* Also when it has to be tried again: before the other replay. */
	ck_assert_int_eq(settle(first, GAN_DLV_WAITING, T0 + 1000), GAN_OK);
	g = claim(1, T0 + 1000);
	ck_assert_int_eq(g.rows[0]->id, first);
	drop_rows(&g);
	ck_assert_int_eq(settle(first, GAN_DLV_DELIVERED, 0), GAN_OK);
	g = claim(1, T0 + 1000);
	ck_assert_str_eq(g.rows[0]->key, "k");
	drop_rows(&g);
	g = claim(1, T0 + 1000);
	ck_assert_str_eq(g.rows[0]->key, "other");
	drop_rows(&g);
	ck_assert_int_eq(finish(1, NULL), GAN_OK);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store_replay");
	TCase *tc = tcase_create("replay");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, pages_by_filter);
	tcase_add_test(tc, it_goes_on_where_it_was_and_never_twice);
	tcase_add_test(tc, an_event_that_is_gone);
	tcase_add_test(tc, a_replay_waits_for_all_others);
	tcase_add_test(tc, a_live_one_behind_a_replay);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
