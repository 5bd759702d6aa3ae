/* SPDX-License-Identifier: MIT */
/* test_store_query.c - the shapes of design section 11, listings, commands, quarantine. */
#include "store_help.h"

#define EVENT_KEYS "id,source,topic,received_at,state,reason,deliveries"
#define DLV_KEYS "id,rule,connector,operation,key,effect,state,attempts,next_at,last,response"

static const char *
text_of(const cJSON *o, const char *name)
{
	const cJSON *i = cJSON_GetObjectItemCaseSensitive(o, name);

	ck_assert_msg(cJSON_IsString(i), "%s is no string", name);
	return i->valuestring;
}

static bool
is_null(const cJSON *o, const char *name)
{
	return cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(o, name));
}

START_TEST(an_event_has_the_shape_of_the_design)
{
	int64_t event = put_delivery((struct gan_new_delivery){ .key = "po/1", .effect = "e" });
	int64_t id = claim_one(T0);
	cJSON *t, *d, *last;

	ck_assert_int_eq(settle(id, GAN_DLV_DELIVERED, 0), GAN_OK);
	t = ask((struct gan_query){ .kind = GAN_QUERY_EVENT, .text = event_text(event) });
	ck_assert_str_eq(keys_of(t), EVENT_KEYS);
	ck_assert_str_eq(text_of(t, "id"), event_text(event));
	ck_assert_str_eq(text_of(t, "state"), "mapped");
	ck_assert_str_eq(text_of(t, "received_at"), "2025-06-15T15:06:40.000Z");
	ck_assert(is_null(t, "reason"));
	d = cJSON_GetArrayItem(cJSON_GetObjectItem(t, "deliveries"), 0);
	ck_assert_str_eq(keys_of(d), DLV_KEYS);
	ck_assert_str_eq(text_of(d, "id"), dlv_text(id));
	ck_assert_str_eq(text_of(d, "state"), "delivered");
	ck_assert_int_eq(cJSON_GetObjectItem(d, "attempts")->valueint, 1);
	ck_assert(is_null(d, "next_at"));
	last = cJSON_GetObjectItem(d, "last");
	ck_assert_str_eq(keys_of(last), "status,error,at");
	ck_assert_int_eq(cJSON_GetObjectItem(last, "status")->valueint, 200);
	ck_assert(is_null(last, "error"));
	ck_assert_int_eq(
	    cJSON_GetObjectItem(cJSON_GetObjectItem(d, "response"), "ref")->valueint, 7);
	cJSON_Delete(t);
	/* Only its own sender. */
	struct got g = ask_raw((struct gan_query){
	    .kind = GAN_QUERY_EVENT, .text = event_text(event), .source = "other" });

	ck_assert_int_eq(g.rc, GAN_ENOENT);
	free(g.json);
}
END_TEST

START_TEST(show_tells_the_story_of_a_key)
{
	int64_t a, b, id;
	cJSON *t, *e, *d, *try;

	a = put_delivery((struct gan_new_delivery){ .key = "po/1", .effect = "fx" });
	b = put_delivery((struct gan_new_delivery){ .key = "po/1" });
	put_delivery((struct gan_new_delivery){ .key = "po/2" });
	struct got g = claim(1, T0);

	id = g.rows[0]->id;
	drop_rows(&g);
	ck_assert_int_eq(settle(id, GAN_DLV_WAITING, T0 + 5000), GAN_OK);
	t = ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = "po/1" });
	ck_assert_str_eq(keys_of(t), "key,events");
	ck_assert_str_eq(text_of(t, "key"), "po/1");
	e = cJSON_GetObjectItem(t, "events");
	ck_assert_int_eq(cJSON_GetArraySize(e), 2);
	ck_assert_str_eq(text_of(cJSON_GetArrayItem(e, 0), "id"), event_text(a));
	ck_assert_str_eq(text_of(cJSON_GetArrayItem(e, 1), "id"), event_text(b));
	d = cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetArrayItem(e, 0), "deliveries"), 0);
	ck_assert_str_eq(text_of(d, "state"), "waiting");
	ck_assert_str_eq(text_of(d, "next_at"), "2025-06-15T15:06:45.000Z");
	ck_assert_str_eq(text_of(cJSON_GetObjectItem(d, "last"), "error"), "why");
	cJSON_Delete(t);
	/* By effect, by delivery, with everything. */
	t = ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = "fx" });
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(t, "events")), 1);
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = dlv_text(id), .bodies = true });
	ck_assert_str_eq(keys_of(t),
	    "id,source,topic,received_at,state,reason,topic_raw,meta,body,audit,deliveries");
	d = cJSON_GetArrayItem(cJSON_GetObjectItem(t, "deliveries"), 0);
	ck_assert_str_eq(keys_of(d), DLV_KEYS ",request,tries,audit,behind");
	ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetObjectItem(d, "request"), "a")->valueint, 1);
	try = cJSON_GetArrayItem(cJSON_GetObjectItem(d, "tries"), 0);
	ck_assert_str_eq(keys_of(try), "id,at,ended_at,verdict,status,error,request,response_head,"
				       "response,response_cut");
	ck_assert_ptr_nonnull(strstr(text_of(try, "request"), "authorization: ***"));
	cJSON_Delete(t);
	g = ask_raw((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = "po/9" });
	ck_assert_int_eq(g.rc, GAN_ENOENT);
	free(g.json);
}
END_TEST

START_TEST(listings_page_and_filter)
{
	char before[GAN_ID_LEN] = "";
	int64_t ids[25];
	int seen = 0;
	cJSON *t;

	for (int i = 0; i < 25; i++)
		ids[i] = put_full("erp", i % 5 == 0 ? "order.deleted" : "order.created", "{}",
		    T0 + i * 1000, GAN_DEDUPE_NONE, NULL, NULL)
			     .id;
	do {
		t = ask((struct gan_query){ .kind = GAN_QUERY_EVENTS,
		    .limit = 10,
		    .before = before[0] == '\0' ? NULL : before });
		for (cJSON *e = t->child; e != NULL; e = e->next) {
			ck_assert_str_eq(keys_of(e), EVENT_KEYS);
			ck_assert_str_eq(text_of(e, "id"), event_text(ids[24 - seen]));
			snprintf(before, sizeof(before), "%s", text_of(e, "id"));
			seen++;
		}
		int n = cJSON_GetArraySize(t);

		cJSON_Delete(t);
		if (n < 10)
			break;
	} while (true);
	ck_assert_int_eq(seen, 25);
	t = ask((struct gan_query){ .kind = GAN_QUERY_EVENTS, .topic = "*.deleted" });
	ck_assert_int_eq(cJSON_GetArraySize(t), 5);
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_EVENTS,
	    .since_ms = T0 + 5000,
	    .until_ms = T0 + 9000,
	    .state = "received" });
	ck_assert_int_eq(cJSON_GetArraySize(t), 5);
	cJSON_Delete(t);
	struct got g =
	    ask_raw((struct gan_query){ .kind = GAN_QUERY_EVENTS, .before = "nonsense" });

	ck_assert_int_eq(g.rc, GAN_EINVAL);
	free(g.json);
	g = ask_raw((struct gan_query){ .kind = GAN_QUERY_EVENTS, .state = "dead" });
	ck_assert_int_eq(g.rc, GAN_EINVAL);
	ck_assert_ptr_nonnull(strstr(g.json, "rejected"));
	free(g.json);
}
END_TEST

START_TEST(deliveries_filter_by_what_people_know)
{
	int64_t dead;
	cJSON *t;

	put_delivery((struct gan_new_delivery){ .key = "a", .rule = "one" });
	put_delivery((struct gan_new_delivery){ .key = "b", .rule = "two" });
	struct got g = claim(1, T0);

	dead = g.rows[0]->id;
	drop_rows(&g);
	ck_assert_int_eq(settle(dead, GAN_DLV_DEAD, 0), GAN_OK);
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES });
	ck_assert_int_eq(cJSON_GetArraySize(t), 2);
	ck_assert_str_eq(keys_of(t->child),
	    "id,event,rule,connector,operation,key,effect,state,attempts,next_at,last,response");
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .state = "dead" });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	ck_assert_str_eq(text_of(t->child, "id"), dlv_text(dead));
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .key = "b" });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	ck_assert_str_eq(text_of(t->child, "rule"), "two");
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .connector = "none" });
	ck_assert_int_eq(cJSON_GetArraySize(t), 0);
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_LANES });
	ck_assert_int_eq(cJSON_GetArraySize(t), 2);
	ck_assert_str_eq(keys_of(t->child),
	    "connector,key,waiting,head,state,head_state,blocked_since,next_at,reason");
	ck_assert_str_eq(text_of(t->child, "state"), "blocked");
	ck_assert_str_eq(text_of(t->child, "head"), dlv_text(dead));
	ck_assert_str_eq(text_of(t->child->next, "state"), "waiting");
	cJSON_Delete(t);
}
END_TEST

START_TEST(a_rejected_event_is_told_and_closed)
{
	int64_t bad = put_full("ps", "t", "not { json", T0, GAN_DEDUPE_NONE, NULL, "no JSON").id;
	struct gan_store_counts c;
	char *json;
	cJSON *t;

	t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	ck_assert_str_eq(text_of(t->child, "kind"), "rejected");
	ck_assert_str_eq(text_of(t->child, "id"), event_text(bad));
	ck_assert_str_eq(text_of(t->child, "source"), "ps");
	ck_assert_str_eq(text_of(t->child, "reason"), "no JSON");
	ck_assert(is_null(t->child, "connector"));
	cJSON_Delete(t);
	/* A body that is no JSON is shown as text. */
	t = ask(
	    (struct gan_query){ .kind = GAN_QUERY_SHOW, .text = event_text(bad), .bodies = true });
	ck_assert_str_eq(text_of(t, "body"), "not { json");
	ck_assert_str_eq(text_of(t, "reason"), "no JSON");
	cJSON_Delete(t);
	ck_assert_int_eq(command(GAN_CMD_SKIP, event_text(bad), &json), GAN_OK);
	ck_assert_ptr_nonnull(strstr(json, "\"state\":\"rejected\""));
	free(json);
	ck_assert_int_eq(command(GAN_CMD_SKIP, event_text(bad), &json), GAN_ESTATE);
	ck_assert_ptr_nonnull(strstr(json, "only rejected events"));
	free(json);
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.attention, 0);
	ck_assert_int_eq(c.events[GAN_EVENT_REJECTED], 1);
}
END_TEST

START_TEST(commands_say_what_is_possible_and_are_audited)
{
	int64_t id;
	char *json;
	cJSON *t;

	put_delivery((struct gan_new_delivery){ .key = "k" });
	id = claim_one(T0);
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(id), &json), GAN_ESTATE);
	ck_assert_ptr_nonnull(strstr(json, "is sending and cannot be tried again"));
	free(json);
	ck_assert_int_eq(settle(id, GAN_DLV_UNKNOWN, 0), GAN_OK);
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(id), &json), GAN_ESTATE);
	ck_assert_ptr_nonnull(strstr(json, "--as sent"));
	free(json);
	ck_assert_int_eq(command(GAN_CMD_SENT, dlv_text(id), &json), GAN_OK);
	t = cJSON_Parse(json);
	free(json);
	ck_assert_str_eq(text_of(t, "state"), "delivered");
	ck_assert_ptr_nonnull(cJSON_GetObjectItem(t, "event"));
	cJSON_Delete(t);
	ck_assert_int_eq(command(GAN_CMD_SKIP, "d000000000000z", &json), GAN_ENOENT);
	free(json);
	ck_assert_int_eq(command(GAN_CMD_SKIP, "nonsense", &json), GAN_ENOENT);
	free(json);
	t = ask((struct gan_query){ .kind = GAN_QUERY_AUDIT });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1); /* refusals change nothing */
	ck_assert_str_eq(keys_of(t->child), "id,at,who,verb,object,reason,before,after");
	ck_assert_str_eq(text_of(t->child, "who"), "ana (1000)");
	ck_assert_str_eq(text_of(t->child, "object"), dlv_text(id));
	ck_assert_str_eq(text_of(t->child, "before"), "unknown");
	ck_assert_str_eq(text_of(t->child, "after"), "delivered");
	cJSON_Delete(t);
}
END_TEST

static void
count_paused(void *arg, const char *connector, const char *reason, int64_t since_ms)
{
	ck_assert_str_eq(connector, "movilitas");
	ck_assert_str_eq(reason, "because");
	ck_assert_int_eq(since_ms, T0 + 100);
	++*(int *)arg;
}

START_TEST(pauses_and_rules_survive_a_restart)
{
	char *json, *blob = NULL;
	size_t len;
	int n = 0;

	ck_assert_int_eq(gan_store_rules_get(st, &blob, &len, &err), GAN_OK);
	ck_assert_ptr_null(blob);
	ck_assert_int_eq(gan_store_rules_put(st, "one\0two", 7), GAN_OK);
	ck_assert_int_eq(command(GAN_CMD_PAUSE, "movilitas", &json), GAN_OK);
	ck_assert_ptr_nonnull(strstr(json, "\"paused\":true"));
	free(json);
	ck_assert_int_eq(command(GAN_CMD_PAUSE, "movilitas", &json), GAN_ESTATE);
	free(json);
	shut();
	reopen();
	ck_assert_int_eq(gan_store_rules_get(st, &blob, &len, &err), GAN_OK);
	ck_assert_uint_eq(len, 7);
	ck_assert_int_eq(memcmp(blob, "one\0two", 7), 0);
	free(blob);
	ck_assert_int_eq(gan_store_paused(st, count_paused, &n, &err), GAN_OK);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(command(GAN_CMD_RESUME, "movilitas", NULL), GAN_OK);
	ck_assert_int_eq(gan_store_paused(st, count_paused, &n, &err), GAN_OK);
	ck_assert_int_eq(n, 1);
}
END_TEST

static void
got_row(void *arg, int rc, const struct gan_quarantined *row)
{
	struct got *g = arg;

	g->rc = rc;
	g->done = true;
	if (rc == GAN_OK) {
		ck_assert_str_eq(row->source, "ps");
		ck_assert_uint_eq(row->body_len, 3);
		ck_assert_int_eq(memcmp(row->body, "a\0b", 3), 0);
	}
}

static int
quarantine_get(int64_t id)
{
	struct got g = { .done = false };

	ck_assert_int_eq(gan_store_quarantine_get(st, id, got_row, &g), GAN_OK);
	wait_for(&g.done);
	return g.rc;
}

START_TEST(quarantine_is_a_ring)
{
	struct gan_quarantine q = { .source = "ps",
		.topic = "t",
		.headers = "{ \"x\" : \"y\" }",
		.why = "signature does not match",
		.remote = "10.0.0.1",
		.body = "a\0b",
		.body_len = 3,
		.received_ms = T0 };
	struct gan_store_counts c;
	int64_t first, id;
	cJSON *t;

	for (int i = 0; i < 1010;) {
		if (gan_store_quarantine(st, &q) == GAN_OK)
			i++;
		else
			(void)put("{}"); /* busy: a flood costs nothing */
	}
	/* Nobody is told when they are stored: a close finishes what is queued. */
	shut();
	reopen();
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.quarantined, 1000);
	t = ask((struct gan_query){ .kind = GAN_QUERY_QUARANTINE, .limit = 1000 });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1000);
	ck_assert_str_eq(keys_of(t->child), "id,source,topic,why,remote,received_at,bytes,headers");
	ck_assert(gan_id_parse(GAN_ID_QUARANTINE, text_of(t->child, "id"), &id));
	ck_assert(
	    gan_id_parse(GAN_ID_QUARANTINE, text_of(cJSON_GetArrayItem(t, 999), "id"), &first));
	cJSON_Delete(t);
	ck_assert_int_eq(quarantine_get(id), GAN_OK);
	ck_assert_int_eq(quarantine_get(first - 1), GAN_ENOENT);
	ck_assert_int_eq(gan_store_quarantine_drop(st, id), GAN_OK);
	ck_assert_int_eq(quarantine_get(id), GAN_ENOENT);
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.quarantined, 999);
}
END_TEST

static int due_calls, event_calls;

static void
on_due(void *arg, const char *connector)
{
	(void)arg;
	ck_assert_str_eq(connector, "c");
	due_calls++;
}

static void
on_events(void *arg, struct gan_event *e)
{
	(void)arg;
	ck_assert_str_eq(e->body, "{}");
	ck_assert_int_eq(e->after_id, 0);
	gan_event_free(&e);
	event_calls++;
}

START_TEST(those_who_wait_are_told)
{
	int64_t id;

	due_calls = event_calls = 0;
	gan_store_on_due(st, on_due, NULL);
	gan_store_on_events(st, on_events, NULL);
	put("{}");
	ck_assert_int_eq(event_calls, 1);
	ck_assert_int_eq(due_calls, 0);
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = 0, .state = GAN_EVENT_IGNORED }), GAN_ESTATE);
	shut();
	unlink(path);
	reopen();
	gan_store_on_due(st, on_due, NULL);
	put_delivery((struct gan_new_delivery){ .key = "k" });
	ck_assert_int_eq(due_calls, 1);
	id = claim_one(T0);
	due_calls = 0;
	ck_assert_int_eq(settle(id, GAN_DLV_WAITING, T0 + 5), GAN_OK);
	ck_assert_int_eq(due_calls, 1);
}
END_TEST

static void
never(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	(void)verdict;
	(void)id;
	ck_assert_int_eq(rc, GAN_OK);
	++*(int *)arg;
}

START_TEST(queues_are_bounded_and_close_finishes_them)
{
	int accepted = 0, done = 0, rc = GAN_OK;
	bool closed = false;

	/* The loop does not turn, so nothing is finished meanwhile. */
	while (rc == GAN_OK) {
		struct gan_ingest in = {
			.source = "s", .topic = "t", .meta = "{}", .received_ms = T0
		};

		in.body = strdup("{}");
		in.body_len = 2;
		rc = gan_store_ingest(st, &in, never, &done);
		if (rc == GAN_OK)
			accepted++;
		else
			free(in.body); /* still ours */
	}
	ck_assert_int_eq(rc, GAN_EBUSY);
	ck_assert_int_eq(accepted, 8192);
	/* Another class has its own queue. */
	cJSON_Delete(ask((struct gan_query){ .kind = GAN_QUERY_LANES }));
	gan_store_close(st, set_flag, &closed);
	struct gan_ingest in = { .source = "s", .topic = "t", .body = NULL };

	ck_assert_int_eq(gan_store_ingest(st, &in, never, &done), GAN_EGONE);
	wait_for(&closed);
	st = NULL;
	ck_assert_int_eq(done, accepted);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-query");
	TCase *tc = tcase_create("query");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_event_has_the_shape_of_the_design);
	tcase_add_test(tc, show_tells_the_story_of_a_key);
	tcase_add_test(tc, listings_page_and_filter);
	tcase_add_test(tc, deliveries_filter_by_what_people_know);
	tcase_add_test(tc, a_rejected_event_is_told_and_closed);
	tcase_add_test(tc, commands_say_what_is_possible_and_are_audited);
	tcase_add_test(tc, pauses_and_rules_survive_a_restart);
	tcase_add_test(tc, quarantine_is_a_ring);
	tcase_add_test(tc, those_who_wait_are_told);
	tcase_add_test(tc, queues_are_bounded_and_close_finishes_them);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
