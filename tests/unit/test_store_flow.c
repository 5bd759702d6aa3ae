/* SPDX-License-Identifier: MIT */
/* test_store_flow.c - the way of an event through the store: lanes, effects, attention. */
#include "store_help.h"

START_TEST(an_event_goes_all_the_way)
{
	int64_t event = put_delivery((struct gan_new_delivery){ .key = "po/1" }), id;
	struct gan_store_counts c;
	struct got g = claim(4, T0);

	ck_assert_uint_eq(g.n, 1);
	ck_assert_int_eq(g.rows[0]->event_id, event);
	ck_assert_uint_eq(g.rows[0]->attempt, 1);
	ck_assert_str_eq(g.rows[0]->key, "po/1");
	ck_assert_str_eq(g.rows[0]->body, "{\"a\":1}");
	ck_assert_int_eq(g.rows[0]->first_sent_ms, 0);
	ck_assert(!g.rows[0]->maybe_sent);
	id = g.rows[0]->id;
	drop_rows(&g);
	ck_assert_str_eq(state_of(id), "sending");
	ck_assert_int_eq(settle(id, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_str_eq(state_of(id), "delivered");
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.events[GAN_EVENT_MAPPED], 1);
	ck_assert_int_eq(c.events[GAN_EVENT_RECEIVED], 0);
	ck_assert_int_eq(c.deliveries[GAN_DLV_DELIVERED], 1);
	ck_assert_int_eq(c.deliveries[GAN_DLV_SENDING], 0);
	g = claim(4, T0 + 1000000);
	ck_assert_uint_eq(g.n, 0);
	ck_assert_int_eq(g.next_due_ms, INT64_MAX);
	drop_rows(&g);
}
END_TEST

START_TEST(a_lane_keeps_its_order_and_blocks_only_itself)
{
	int64_t a, b;

	put_delivery((struct gan_new_delivery){ .key = "po/1" });
	put_delivery((struct gan_new_delivery){ .key = "po/1" });
	put_delivery((struct gan_new_delivery){ .key = "po/2" });
	struct got g = claim(8, T0);

	ck_assert_uint_eq(g.n, 2);
	a = g.rows[0]->id;
	b = g.rows[1]->id;
	ck_assert_str_eq(g.rows[0]->key, "po/1");
	drop_rows(&g);
	ck_assert_uint_eq(claim_none(T0), 0);
	/* A retry holds the second one back. */
	ck_assert_int_eq(settle(a, GAN_DLV_WAITING, T0 + 5000), GAN_OK);
	g = claim(8, T0 + 10);
	ck_assert_uint_eq(g.n, 0);
	ck_assert_int_eq(g.next_due_ms, T0 + 5000);
	drop_rows(&g);
	g = claim(8, T0 + 5000);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_int_eq(g.rows[0]->id, a);
	ck_assert_uint_eq(g.rows[0]->attempt, 2);
	ck_assert_int_eq(g.rows[0]->first_sent_ms, T0);
	drop_rows(&g);
	/* Unknown blocks the lane, nothing else. */
	ck_assert_int_eq(settle(a, GAN_DLV_UNKNOWN, 0), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 20000), 0);
	ck_assert_int_eq(settle(b, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_int_eq(command(GAN_CMD_SENT, dlv_text(a), NULL), GAN_OK);
	ck_assert_str_eq(state_of(a), "delivered");
	ck_assert_int_gt(claim_one(T0 + 1000000), a);
}
END_TEST

START_TEST(dead_blocks_or_lets_the_next_one_go)
{
	int64_t a;

	put_delivery((struct gan_new_delivery){ .key = "k", .on_dead = 0 });
	put_delivery((struct gan_new_delivery){ .key = "k", .on_dead = 1 });
	put_delivery((struct gan_new_delivery){ .key = "k" });
	a = claim_one(T0);
	ck_assert_int_eq(settle(a, GAN_DLV_DEAD, 0), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 10), 0);
	ck_assert_int_eq(command(GAN_CMD_SKIP, dlv_text(a), NULL), GAN_OK);
	/* The second one is dead too, but skips. */
	a = claim_one(T0 + 10);
	ck_assert_int_eq(settle(a, GAN_DLV_DEAD, 0), GAN_OK);
	int64_t third = claim_one(T0 + 10);

	/* Tried again, it comes back into the lane, behind the one on its way. */
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(a), NULL), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 1000), 0);
	ck_assert_int_eq(settle(third, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 1000), a);
	ck_assert_int_eq(settle(a, GAN_DLV_DELIVERED, 0), GAN_OK);
	struct gan_store_counts c;

	gan_store_counts(st, &c);
	ck_assert_int_eq(c.attention, 0);
	ck_assert_int_eq(c.deliveries[GAN_DLV_DELIVERED], 2);
	ck_assert_int_eq(c.deliveries[GAN_DLV_SKIPPED], 1);
}
END_TEST

START_TEST(live_goes_before_retries)
{
	int64_t a;

	put_delivery((struct gan_new_delivery){ .key = "old" });
	a = claim_one(T0);
	ck_assert_int_eq(settle(a, GAN_DLV_WAITING, T0 + 1), GAN_OK);
	put_delivery((struct gan_new_delivery){ .key = "new" });
	struct got g = claim(1, T0 + 100);

	ck_assert_uint_eq(g.n, 1);
	ck_assert_str_eq(g.rows[0]->key, "new");
	ck_assert_int_le(g.next_due_ms, T0 + 100); /* one more is due now */
	drop_rows(&g);
	ck_assert_int_eq(claim_one(T0 + 100), a);
}
END_TEST

START_TEST(uncounted_attempts_burn_nothing)
{
	struct gan_settle s = { .state = GAN_DLV_WAITING,
		.next_ms = T0 + 7,
		.uncounted = true,
		.reason = "token refused",
		.now_ms = T0 };
	struct got g = { .done = false };

	put_delivery((struct gan_new_delivery){ .key = NULL });
	s.delivery_id = claim_one(T0);
	ck_assert_int_eq(gan_store_settle(st, &s, got_done, &g), GAN_OK);
	wait_for(&g.done);
	g = claim(1, T0 + 7);
	ck_assert_uint_eq(g.rows[0]->attempt, 1);
	ck_assert_int_eq(g.rows[0]->first_sent_ms, 0);
	drop_rows(&g);
}
END_TEST

START_TEST(a_lost_lease_is_unknown)
{
	int64_t id;

	put_delivery((struct gan_new_delivery){ .key = "k" });
	id = claim_one(T0);
	struct got g = claim(1, T0 + 59999);

	ck_assert_uint_eq(g.n, 0);
	ck_assert_int_eq(g.next_due_ms, T0 + 60000);
	drop_rows(&g);
	ck_assert_uint_eq(claim_none(T0 + 60000), 0);
	ck_assert_str_eq(state_of(id), "unknown");
	/* The late answer is kept, the outcome is a person's. */
	ck_assert_int_eq(settle(id, GAN_DLV_DELIVERED, 0), GAN_ESTATE);
	ck_assert_str_eq(state_of(id), "unknown");
	cJSON *t =
	    ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = dlv_text(id), .bodies = true });
	cJSON *d = cJSON_GetArrayItem(cJSON_GetObjectItem(t, "deliveries"), 0);

	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(d, "tries")), 2);
	cJSON_Delete(t);
	/* "It was not sent": it goes again, once. */
	ck_assert_int_eq(command(GAN_CMD_NOT_SENT, dlv_text(id), NULL), GAN_OK);
	g = claim(1, T0 + 70000);
	ck_assert_uint_eq(g.n, 1);
	ck_assert(!g.rows[0]->maybe_sent);
	ck_assert(g.rows[0]->denied);
	drop_rows(&g);
}
END_TEST

/* A suspended machine: the first request answers after a person let the delivery go again. */
START_TEST(a_late_answer_does_not_end_the_next_claim)
{
	struct gan_settle s = { .state = GAN_DLV_DEAD, .claim = 1, .reason = "late", .now_ms = T0 };
	struct got g = { .done = false };

	put_delivery((struct gan_new_delivery){ .key = "k" });
	s.delivery_id = claim_one(T0);
	ck_assert_uint_eq(claim_none(T0 + 60000), 0);
	ck_assert_int_eq(command(GAN_CMD_NOT_SENT, dlv_text(s.delivery_id), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 60001), s.delivery_id);
	ck_assert_int_eq(gan_store_settle(st, &s, got_done, &g), GAN_OK);
	wait_for(&g.done);
	ck_assert_int_eq(g.rc, GAN_ESTATE);
	ck_assert_str_eq(state_of(s.delivery_id), "sending");
	s.claim = 2;
	g.done = false;
	ck_assert_int_eq(gan_store_settle(st, &s, got_done, &g), GAN_OK);
	wait_for(&g.done);
	ck_assert_int_eq(g.rc, GAN_OK);
	ck_assert_str_eq(state_of(s.delivery_id), "dead");
}
END_TEST

START_TEST(too_old_is_expired_and_a_person_may_send_it)
{
	int64_t id;
	cJSON *t;

	put_delivery((struct gan_new_delivery){ .key = "k", .valid_until_ms = T0 + 50 });
	ck_assert_uint_eq(claim_none(T0 + 51), 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	cJSON *it = cJSON_GetArrayItem(t, 0);

	ck_assert_str_eq(cJSON_GetObjectItem(it, "kind")->valuestring, "expired");
	ck_assert_str_eq(
	    keys_of(it), "kind,id,key,source,connector,operation,rule,reason,since,actions");
	ck_assert(gan_id_parse(GAN_ID_DELIVERY, cJSON_GetObjectItem(it, "id")->valuestring, &id));
	cJSON_Delete(t);
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(id), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 1000), id);
}
END_TEST

START_TEST(an_equal_effect_happens_once)
{
	int64_t a, b;
	struct got g;

	put_delivery(
	    (struct gan_new_delivery){ .effect = "e/1", .body = "{\"x\":1, \"y\":[2.50]}" });
	put_delivery(
	    (struct gan_new_delivery){ .effect = "e/1", .body = "{\"y\":[2.50],\"x\":1}" });
	g = claim(8, T0);
	ck_assert_uint_eq(g.n, 1); /* the second one waits for the first */
	a = g.rows[0]->id;
	ck_assert_int_lt(g.next_due_ms, INT64_MAX);
	drop_rows(&g);
	ck_assert_int_eq(settle(a, GAN_DLV_WAITING, T0 + 20), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 20), a);
	ck_assert_int_eq(settle(a, GAN_DLV_DELIVERED, 0), GAN_OK);
	/* Woken, and delivered without a call. */
	ck_assert_uint_eq(claim_none(T0 + 20), 0);
	cJSON *t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .state = "delivered" });

	ck_assert_int_eq(cJSON_GetArraySize(t), 2);
	ck_assert(gan_id_parse(
	    GAN_ID_DELIVERY, cJSON_GetObjectItem(cJSON_GetArrayItem(t, 0), "id")->valuestring, &b));
	ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetArrayItem(t, 0), "attempts")->valueint, 0);
	cJSON_Delete(t);
	/* And for ever. */
	put_delivery(
	    (struct gan_new_delivery){ .effect = "e/1", .body = "{\"y\":[2.50],\"x\":1}" });
	ck_assert_uint_eq(claim_none(T0 + 30), 0);
}
END_TEST

START_TEST(another_body_is_a_conflict)
{
	int64_t a;
	cJSON *t;

	put_delivery((struct gan_new_delivery){ .effect = "e/1", .body = "{\"x\":1}" });
	put_delivery((struct gan_new_delivery){ .effect = "e/1", .body = "{\"x\":1.0}" });
	a = claim_one(T0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	ck_assert_str_eq(
	    cJSON_GetObjectItem(cJSON_GetArrayItem(t, 0), "kind")->valuestring, "conflict");
	ck_assert_ptr_nonnull(strstr(
	    cJSON_GetObjectItem(cJSON_GetArrayItem(t, 0), "reason")->valuestring, dlv_text(a)));
	cJSON_Delete(t);
}
END_TEST

START_TEST(the_next_takes_over_from_a_dead_one)
{
	int64_t a, b;

	put_delivery((struct gan_new_delivery){ .effect = "e/1" });
	put_delivery((struct gan_new_delivery){ .effect = "e/1" });
	a = claim_one(T0);
	/* Unknown: the other one waits. */
	ck_assert_int_eq(settle(a, GAN_DLV_UNKNOWN, 0), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 100000), 0);
	/* Not sent after all, then refused: now it is its turn. */
	ck_assert_int_eq(command(GAN_CMD_NOT_SENT, dlv_text(a), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 100000), a);
	ck_assert_int_eq(settle(a, GAN_DLV_DEAD, 0), GAN_OK);
	b = claim_one(T0 + 100000);
	ck_assert_int_ne(a, b);
	ck_assert_int_eq(settle(b, GAN_DLV_DELIVERED, 0), GAN_OK);
	/* The dead one may be tried again: it is done already. */
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(a), NULL), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 200000), 0);
	ck_assert_str_eq(state_of(a), "delivered");
}
END_TEST

static int64_t
put_state(const char *newest, const char *effect)
{
	put_delivery((struct gan_new_delivery){
	    .key = "k", .newest = newest, .effect = effect, .on_dead = 1 });
	return claim_one(T0);
}

START_TEST(the_newest_of_a_key_wins)
{
	int64_t noon = put_state("2026-01-01T12:00:00Z", "e/12"), dead, evening;
	cJSON *t;

	ck_assert_int_eq(settle(noon, GAN_DLV_DELIVERED, 0), GAN_OK);
	/* One that comes late is skipped when its turn comes, and holds nobody up. */
	put_delivery((struct gan_new_delivery){ .key = "k", .newest = "2026-01-01T11:00:00Z" });
	ck_assert_uint_eq(claim_none(T0), 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .state = "skipped" });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	cJSON_Delete(t);
	/* The same moment is not older; another key, operation or connector is another matter. */
	ck_assert_int_eq(
	    settle(put_state("2026-01-01T12:00:00Z", NULL), GAN_DLV_DELIVERED, 0), GAN_OK);
	put_delivery((struct gan_new_delivery){ .key = "other", .newest = "2025" });
	ck_assert_int_eq(settle(claim_one(T0), GAN_DLV_DELIVERED, 0), GAN_OK);
	put_delivery(
	    (struct gan_new_delivery){ .key = "k", .operation = "other.op", .newest = "2025" });
	ck_assert_int_eq(settle(claim_one(T0), GAN_DLV_DELIVERED, 0), GAN_OK);
	/* Nor does a person send an old one after a newer one: it went dead, that went by. */
	dead = put_state("2026-01-01T13:00:00Z", "e/13");
	ck_assert_int_eq(settle(dead, GAN_DLV_DEAD, 0), GAN_OK);
	evening = put_state("2026-01-01T18:00:00Z", NULL);
	ck_assert_int_eq(settle(evening, GAN_DLV_UNKNOWN, 0), GAN_OK);
	ck_assert_int_eq(command(GAN_CMD_NOT_SENT, dlv_text(evening), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 1000), evening); /* itself is not older than itself */
	ck_assert_int_eq(settle(evening, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(dead), NULL), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 2000), 0);
	ck_assert_str_eq(state_of(dead), "skipped");
}
END_TEST

START_TEST(after_waits_for_other_effects)
{
	const char *after[] = { "first \"quoted\"", "second" };
	int64_t a, b;

	put_delivery((struct gan_new_delivery){ .effect = "late", .after = after, .nafter = 2 });
	ck_assert_uint_eq(claim_none(T0), 0);
	put_delivery((struct gan_new_delivery){ .effect = "first \"quoted\"" });
	put_delivery((struct gan_new_delivery){ .effect = "second" });
	struct got g = claim(8, T0);

	ck_assert_uint_eq(g.n, 2);
	a = g.rows[0]->id;
	b = g.rows[1]->id;
	drop_rows(&g);
	ck_assert_int_eq(settle(a, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 10), 0);
	ck_assert_int_eq(settle(b, GAN_DLV_DELIVERED, 0), GAN_OK);
	claim_one(T0 + 10);
}
END_TEST

/* The one kind of waiting that no other delivery ends: it must come to a person by itself. */
START_TEST(what_never_comes_is_given_up)
{
	const char *const after[] = { "never/1" };
	int64_t id;
	cJSON *t;

	put_delivery((struct gan_new_delivery){ .key = "k", .after = after, .nafter = 1 });
	give_up_ms = 3600000;
	ck_assert_uint_eq(claim_none(T0 + 1000), 0);
	ck_assert_uint_eq(claim_none(T0 + 3600999), 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_int_eq(cJSON_GetArraySize(t), 0);
	cJSON_Delete(t);
	ck_assert_uint_eq(claim_none(T0 + 3601000 + 60000), 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	cJSON *it = cJSON_GetArrayItem(t, 0);

	ck_assert_str_eq(cJSON_GetObjectItem(it, "kind")->valuestring, "dead");
	ck_assert_str_eq(cJSON_GetObjectItem(it, "reason")->valuestring,
	    "waits until delivered: effect \"never/1\"; gave up after 1h");
	ck_assert(gan_id_parse(GAN_ID_DELIVERY, cJSON_GetObjectItem(it, "id")->valuestring, &id));
	cJSON_Delete(t);
	/* A person lets it wait once more, for as long; it comes, and its own clock starts anew. */
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(id), NULL), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 9000000), 0);
	ck_assert_uint_eq(claim_none(T0 + 9060000), 0);
	ck_assert_str_eq(state_of(id), "waiting");
	put_delivery((struct gan_new_delivery){ .effect = "never/1" });
	ck_assert_int_eq(settle(claim_one(T0 + 9060001), GAN_DLV_DELIVERED, 0), GAN_OK);
	struct got g = claim(1, T0 + 9060001);

	ck_assert_uint_eq(g.n, 1);
	ck_assert_int_eq(g.rows[0]->id, id);
	ck_assert_int_eq(g.rows[0]->first_sent_ms, 0);
	drop_rows(&g);
}
END_TEST

/* on_dead: skip let the second one go; then a person puts the first one before it again. */
START_TEST(two_of_one_lane_never_wait_for_each_other)
{
	const struct gan_new_delivery d = { .key = "k", .effect = "e", .on_dead = 1 };
	int64_t a, b;

	put_delivery(d);
	put_delivery(d);
	a = claim_one(T0);
	ck_assert_int_eq(settle(a, GAN_DLV_DEAD, 0), GAN_OK);
	b = claim_one(T0);
	ck_assert_int_eq(settle(b, GAN_DLV_WAITING, T0 + 10), GAN_OK);
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(a), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 200), a);
	ck_assert_int_eq(settle(a, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 200), 0);
	ck_assert_str_eq(state_of(b), "delivered"); /* without a call */
}
END_TEST

/* The same, but the second one may have been carried out: the first must not be sent. */
START_TEST(one_that_may_have_arrived_is_not_overtaken)
{
	const struct gan_new_delivery d = { .key = "k", .effect = "e", .on_dead = 1 };
	struct gan_settle s = { .state = GAN_DLV_WAITING,
		.next_ms = T0 + 10,
		.maybe_sent = true,
		.reason = "time-out",
		.now_ms = T0 };
	struct got g = { .done = false };
	int64_t a;

	put_delivery(d);
	put_delivery(d);
	a = claim_one(T0);
	ck_assert_int_eq(settle(a, GAN_DLV_DEAD, 0), GAN_OK);
	s.delivery_id = claim_one(T0);
	ck_assert_int_eq(gan_store_settle(st, &s, got_done, &g), GAN_OK);
	wait_for(&g.done);
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(a), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 200), s.delivery_id);
	ck_assert_str_eq(state_of(a), "dead");
}
END_TEST

START_TEST(mapping_is_in_order_and_never_twice)
{
	int64_t a = put("1"), b = put("2");
	struct gan_new_delivery d = {
		.rule = "r", .connector = "c", .operation = "op", .body = "{}", .body_len = 2
	};
	struct gan_rejection no = { "bad", "no gtin" };
	const char *retried[] = { "bad", "r" };
	struct gan_store_counts c;

	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = b, .state = GAN_EVENT_MAPPED }), GAN_ESTATE);
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = a,
			     .state = GAN_EVENT_REJECTED,
			     .deliveries = &d,
			     .ndeliveries = 1,
			     .rejections = &no,
			     .nrejections = 1 }),
	    GAN_OK);
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = a, .state = GAN_EVENT_MAPPED }), GAN_ESTATE);
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.attention, 1);
	/* Mapped again: what was made before is not made twice, the rejection goes. */
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = a,
			     .state = GAN_EVENT_MAPPED,
			     .deliveries = &d,
			     .ndeliveries = 1,
			     .again = true,
			     .retried = retried,
			     .nretried = 2 }),
	    GAN_OK);
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.attention, 0);
	ck_assert_int_eq(c.events[GAN_EVENT_MAPPED], 1);
	ck_assert_int_eq(c.events[GAN_EVENT_RECEIVED], 1);
	ck_assert_int_eq(c.deliveries[GAN_DLV_WAITING], 1);
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = b, .state = GAN_EVENT_IGNORED }), GAN_OK);
	gan_store_counts(st, &c);
	ck_assert_uint_eq(c.ntopics, 1);
	ck_assert_str_eq(c.topics[0].source_topic, "erp/order.created");
	ck_assert_int_eq(c.topics[0].ignored, 1);
}
END_TEST

static void
got_events(void *arg, int rc, struct gan_event **events, size_t n)
{
	struct got *g = arg;

	g->rc = rc;
	g->events = events;
	g->n = n;
	g->done = true;
}

static size_t
unmapped(int64_t after, size_t n, int64_t *ret_first)
{
	struct got g = { .done = false };

	ck_assert_int_eq(gan_store_unmapped(st, after, n, 1 << 20, got_events, &g), GAN_OK);
	wait_for(&g.done);
	ck_assert_int_eq(g.rc, GAN_OK);
	*ret_first = g.n > 0 ? g.events[0]->id : 0;
	if (g.n > 0)
		ck_assert_str_eq(g.events[0]->meta, "{\"uuid\":\"u1\"}");
	for (size_t i = 0; i < g.n; i++)
		gan_event_free(&g.events[i]);
	free(g.events);
	return g.n;
}

START_TEST(unmapped_events_come_in_order_in_pages)
{
	int64_t id[5], first;

	for (int i = 0; i < 4; i++)
		id[i] = put("{}");
	id[4] = put_full("erp", "t", "not json", T0, GAN_DEDUPE_NONE, NULL, "no JSON").id;
	ck_assert_uint_eq(unmapped(0, 2, &first), 2);
	ck_assert_int_eq(first, id[0]);
	ck_assert_uint_eq(unmapped(id[1], 9, &first), 2); /* the rejected one is not mapped */
	ck_assert_int_eq(first, id[2]);
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = id[0], .state = GAN_EVENT_IGNORED }), GAN_OK);
	shut();
	reopen();
	ck_assert_uint_eq(unmapped(0, 9, &first), 3);
	ck_assert_int_eq(first, id[1]);
}
END_TEST

static int64_t
put_ignored(const char *topic)
{
	struct got g = { .done = false };
	struct gan_ingest in = { .source = "erp",
		.topic = topic,
		.body = strdup("{}"),
		.body_len = 2,
		.received_ms = T0,
		.ignored_by = 7 };

	ck_assert_int_eq(gan_store_ingest(st, &in, got_ingest, &g), GAN_OK);
	wait_for(&g.done);
	ck_assert_int_eq(g.rc, GAN_OK);
	return g.id;
}

START_TEST(what_nobody_listens_to_is_ignored_at_once)
{
	struct gan_store_counts c;
	int64_t id, first;

	(void)put_ignored("a");
	(void)put_ignored("a");
	(void)put_ignored("b");
	ck_assert_uint_eq(unmapped(0, 9, &first), 0);
	id = put("{}");
	(void)put_ignored("b"); /* one waits before it: the cursor must not pass */
	shut();
	reopen();
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.events[GAN_EVENT_IGNORED], 4);
	ck_assert_int_eq(c.events[GAN_EVENT_RECEIVED], 1);
	ck_assert_uint_eq(c.ntopics, 2);
	ck_assert_int_eq(c.topics[1].ignored, 2);
	ck_assert_uint_eq(unmapped(0, 9, &first), 1);
	ck_assert_int_eq(first, id);
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = id, .state = GAN_EVENT_MAPPED }), GAN_OK);
	(void)put_ignored("a");
	ck_assert_uint_eq(unmapped(0, 9, &first), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-flow");
	TCase *tc = tcase_create("flow");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_event_goes_all_the_way);
	tcase_add_test(tc, a_lane_keeps_its_order_and_blocks_only_itself);
	tcase_add_test(tc, dead_blocks_or_lets_the_next_one_go);
	tcase_add_test(tc, live_goes_before_retries);
	tcase_add_test(tc, uncounted_attempts_burn_nothing);
	tcase_add_test(tc, a_lost_lease_is_unknown);
	tcase_add_test(tc, a_late_answer_does_not_end_the_next_claim);
	tcase_add_test(tc, too_old_is_expired_and_a_person_may_send_it);
	tcase_add_test(tc, an_equal_effect_happens_once);
	tcase_add_test(tc, another_body_is_a_conflict);
	tcase_add_test(tc, the_next_takes_over_from_a_dead_one);
	tcase_add_test(tc, the_newest_of_a_key_wins);
	tcase_add_test(tc, after_waits_for_other_effects);
	tcase_add_test(tc, what_never_comes_is_given_up);
	tcase_add_test(tc, two_of_one_lane_never_wait_for_each_other);
	tcase_add_test(tc, one_that_may_have_arrived_is_not_overtaken);
	tcase_add_test(tc, mapping_is_in_order_and_never_twice);
	tcase_add_test(tc, unmapped_events_come_in_order_in_pages);
	tcase_add_test(tc, what_nobody_listens_to_is_ignored_at_once);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
