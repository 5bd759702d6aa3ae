/* SPDX-License-Identifier: MIT */
/* test_store_outbox.c - messages that are fetched: what is told, in which order, and until when. */
#include "conf/config.h"
#include "store_help.h"

static char cursor[96]; /* `next` of the last read */

static void
got_outbox(void *arg, int rc, const char *json, size_t len, size_t n)
{
	struct got *g = arg;

	g->rc = rc;
	g->json = gan_memdup(json, len);
	g->n = n;
	g->done = true;
}

static struct got
read_raw(const char *after, unsigned limit, int64_t now_ms)
{
	struct got g = { .done = false };
	struct gan_outbox_read r = { .connector = "c",
		.after = after,
		.limit = limit,
		.at = { now_ms, now_ms, now_ms, 0, give_up_ms } };

	ck_assert_int_eq(gan_store_outbox_read(st, &r, got_outbox, &g), GAN_OK);
	wait_for(&g.done);
	return g;
}

/* "a,b,c": the values of .m of the messages' bodies; the cursor behind them is kept. */
static const char *
told_at(const char *after, unsigned limit, int64_t now_ms)
{
	static char text[512];
	struct got g = read_raw(after, limit, now_ms);
	cJSON *tree = cJSON_Parse(g.json), *m;
	const char *next = cJSON_GetStringValue(cJSON_GetObjectItem(tree, "next"));

	ck_assert_int_eq(g.rc, GAN_OK);
	ck_assert_ptr_nonnull(tree);
	text[0] = '\0';
	cJSON_ArrayForEach(m, cJSON_GetObjectItem(tree, "messages"))
	{
		cJSON *body = cJSON_GetObjectItem(m, "body");

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
		    text[0] == '\0' ? "" : ",", cJSON_GetObjectItem(body, "m")->valuestring);
	}
	snprintf(cursor, sizeof(cursor), "%s", next == NULL ? "" : next);
	cJSON_Delete(tree);
	free(g.json);
	return text;
}

static const char *
told(const char *after)
{
	return told_at(after, 100, T0 + 3000);
}

static struct got
ack(const char *upto)
{
	struct got g = { .done = false };

	ck_assert_int_eq(gan_store_outbox_ack(
			     st, "c", upto, "127.0.0.1 with token 1", T0 + 2000, got_outbox, &g),
	    GAN_OK);
	wait_for(&g.done);
	free(g.json);
	return g;
}

/* A message with {"m": m} as its body; *ret_id: its delivery. */
static int64_t
message(const char *m, struct gan_new_delivery d)
{
	char body[64];
	cJSON *list;
	int64_t id;

	snprintf(body, sizeof(body), "{\"m\":\"%s\"}", m);
	d.body = body;
	d.pull = true;
	(void)put_delivery(d);
	list = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .limit = 1 });
	ck_assert(gan_id_parse(GAN_ID_DELIVERY,
	    cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 0), "id")), &id));
	cJSON_Delete(list);
	return id;
}

#define KEY(k) ((struct gan_new_delivery){ .key = (k) })
#define PLAIN ((struct gan_new_delivery){ .key = NULL })

START_TEST(all_are_told_in_the_order_of_acceptance)
{
	int64_t a = message("a1", KEY("a")), b;
	char first[96];

	(void)message("b1", KEY("b"));
	(void)message("a2", KEY("a"));
	(void)message("x", PLAIN);
	b = message("b2", KEY("b"));
	ck_assert_str_eq(told(NULL), "a1,b1,a2,x,b2");
	ck_assert_str_eq(told(NULL), "a1,b1,a2,x,b2"); /* at least once */
	ck_assert_str_eq(told_at(NULL, 2, T0), "a1,b1");
	snprintf(first, sizeof(first), "%s", cursor);
	ck_assert_str_eq(told_at(first, 2, T0), "a2,x");
	ck_assert_str_eq(told(cursor), "b2");
	ck_assert_str_eq(told(cursor), "");
	ck_assert_str_eq(told(first), "a2,x,b2");
	ck_assert_str_eq(state_of(a), "waiting");
	ck_assert_uint_eq(ack(first).n, 2);
	ck_assert_str_eq(state_of(a), "delivered");
	ck_assert_str_eq(state_of(b), "waiting");
	ck_assert_str_eq(told(NULL), "a2,x,b2");
	ck_assert_uint_eq(ack(cursor).n, 3);
	ck_assert_str_eq(told(NULL), "");
	/* Again: nothing more happens. */
	ck_assert_int_eq(ack(first).rc, GAN_OK);
	ck_assert_uint_eq(ack(first).n, 0);
}
END_TEST

START_TEST(a_message_is_whole)
{
	struct gan_new_delivery d = {
		.key = "k\"1", .body = "{\"big\":12345678901234567890,\"n\":1.10}", .pull = true
	};
	int64_t event = put_delivery(d);
	struct got g = read_raw(NULL, 10, T0);
	cJSON *tree = cJSON_Parse(g.json);
	cJSON *m = cJSON_GetArrayItem(cJSON_GetObjectItem(tree, "messages"), 0);

	ck_assert_ptr_nonnull(
	    strstr(g.json, "\"body\":{\"big\":12345678901234567890,\"n\":1.10}}"));
	ck_assert_str_eq(keys_of(m), "id,cursor,key,operation,rule,event,created_at,body");
	ck_assert_str_eq(cJSON_GetObjectItem(m, "key")->valuestring, "k\"1");
	ck_assert_str_eq(cJSON_GetObjectItem(m, "operation")->valuestring, "op");
	ck_assert_str_eq(cJSON_GetObjectItem(m, "rule")->valuestring, "r");
	ck_assert_str_eq(cJSON_GetObjectItem(m, "event")->valuestring, event_text(event));
	ck_assert_str_eq(cJSON_GetObjectItem(m, "cursor")->valuestring,
	    cJSON_GetObjectItem(tree, "next")->valuestring);
	cJSON_Delete(tree);
	free(g.json);
}
END_TEST

START_TEST(who_acknowledged_is_in_the_story)
{
	int64_t id = message("a", KEY("k"));
	cJSON *t, *d, *try;

	(void)told(NULL);
	ck_assert_uint_eq(ack(cursor).n, 1);
	t = ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = dlv_text(id), .bodies = true });
	d = cJSON_GetArrayItem(cJSON_GetObjectItem(t, "deliveries"), 0);
	try = cJSON_GetArrayItem(cJSON_GetObjectItem(d, "tries"), 0);
	ck_assert_int_eq(cJSON_GetObjectItem(d, "attempts")->valueint, 1);
	ck_assert_str_eq(cJSON_GetObjectItem(try, "verdict")->valuestring, "delivered");
	ck_assert_str_eq(cJSON_GetObjectItem(try, "request")->valuestring,
	    "POST /v1/outbox/c/ack by 127.0.0.1 with token 1");
	cJSON_Delete(t);
}
END_TEST

START_TEST(only_cursors_that_were_given_out_count)
{
	char unread[96];
	struct got g;

	(void)message("a", PLAIN);
	(void)message("b", PLAIN);
	ck_assert_str_eq(told_at(NULL, 1, T0), "a");
	ck_assert_int_eq(ack("").rc, GAN_EINVAL);
	ck_assert_int_eq(ack("nonsense").rc, GAN_EINVAL);
	/* Of another consumer, and the next one of ours: nobody read it. */
	snprintf(unread, sizeof(unread), "%.14s.d", cursor);
	ck_assert_int_eq(ack(unread).rc, GAN_EINVAL);
	snprintf(unread, sizeof(unread), "%s", cursor);
	unread[13]++;
	ck_assert_int_eq(ack(unread).rc, GAN_EINVAL);
	g = read_raw(unread, 10, T0);
	ck_assert_int_eq(g.rc, GAN_EINVAL);
	free(g.json);
	ck_assert_uint_eq(ack(cursor).n, 1);
	ck_assert_str_eq(told(NULL), "b");
}
END_TEST

START_TEST(what_comes_after_something_is_told_after_it)
{
	int64_t held;

	held = message(
	    "held", (struct gan_new_delivery){
			.key = "k", .after = (const char *const[]){ "paid" }, .nafter = 1 });
	(void)message("follower", KEY("k"));
	(void)message("other", KEY("o"));
	(void)message("payment", (struct gan_new_delivery){ .effect = "paid" });
	ck_assert_str_eq(told(NULL), "other,payment");
	ck_assert_str_eq(told(cursor), "");
	ck_assert_uint_eq(ack(cursor).n, 2);
	ck_assert_str_eq(told(cursor), "held,follower");
	ck_assert_uint_eq(ack(cursor).n, 2);
	ck_assert_str_eq(state_of(held), "delivered");
}
END_TEST

START_TEST(what_never_comes_is_given_up)
{
	int64_t held = message("held",
	    (struct gan_new_delivery){ .after = (const char *const[]){ "never" }, .nafter = 1 });

	give_up_ms = 100000;
	ck_assert_str_eq(told_at(NULL, 10, T0 + 61000), "");
	ck_assert_str_eq(state_of(held), "waiting");
	ck_assert_str_eq(told_at(NULL, 10, T0 + 200000), "");
	ck_assert_str_eq(state_of(held), "dead");
}
END_TEST

START_TEST(an_effect_is_told_once)
{
	struct gan_new_delivery once = { .effect = "once" };
	int64_t first = message("m", once), second = message("m", once), other;

	ck_assert_str_eq(told(NULL), "m");
	other = message("another body", once);
	ck_assert_str_eq(state_of(other), "dead");
	ck_assert_str_eq(told(NULL), "m");
	ck_assert_uint_eq(ack(cursor).n, 1);
	ck_assert_str_eq(state_of(first), "delivered");
	ck_assert_str_eq(told(NULL), "");
	ck_assert_str_eq(state_of(second), "delivered");
}
END_TEST

START_TEST(too_old_is_for_a_person_and_holds_its_key)
{
	struct gan_new_delivery d = KEY("k");
	int64_t old, next;

	d.valid_until_ms = T0 + 5000;
	old = message("old", d);
	next = message("next", KEY("k"));
	(void)message("other", PLAIN);
	ck_assert_str_eq(told_at(NULL, 10, T0 + 6000), "other");
	ck_assert_str_eq(state_of(old), "expired");
	ck_assert_str_eq(state_of(next), "waiting");
	books_are_right();
	/* A person lets it go: it and what stood behind it. */
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(old), NULL), GAN_OK);
	ck_assert_str_eq(told_at(NULL, 10, T0 + 7000), "other,old,next");
}
END_TEST

/* It may have been taken in: the receiver has the word now. */
START_TEST(once_told_it_waits_for_its_acknowledgement)
{
	struct gan_new_delivery d = KEY("k");
	int64_t id;

	d.valid_until_ms = T0 + 5000;
	id = message("a", d);
	ck_assert_str_eq(told_at(NULL, 10, T0 + 1000), "a");
	ck_assert_str_eq(told_at(NULL, 10, T0 + 90000), "a");
	ck_assert_uint_eq(ack(cursor).n, 1);
	ck_assert_str_eq(state_of(id), "delivered");
}
END_TEST

START_TEST(a_person_may_skip_one_and_nothing_else)
{
	int64_t a = message("a", KEY("k"));
	char *json = NULL;

	(void)message("b", KEY("k"));
	ck_assert_str_eq(told(NULL), "a,b");
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(a), &json), GAN_ESTATE);
	ck_assert_ptr_nonnull(strstr(json, "is in the outbox of c until it is acknowledged"));
	free(json);
	ck_assert_int_eq(command(GAN_CMD_SKIP, dlv_text(a), NULL), GAN_OK);
	ck_assert_str_eq(told(NULL), "b");
	ck_assert_uint_eq(ack(cursor).n, 1);
	ck_assert_str_eq(state_of(a), "skipped");
}
END_TEST

START_TEST(a_skipped_one_may_be_the_last_that_was_read)
{
	int64_t a;

	(void)message("b", PLAIN);
	a = message("a", PLAIN);
	ck_assert_str_eq(told(NULL), "b,a");
	ck_assert_int_eq(command(GAN_CMD_SKIP, dlv_text(a), NULL), GAN_OK);
	ck_assert_uint_eq(ack(cursor).n, 1);
}
END_TEST

START_TEST(paused_is_said)
{
	struct got g;

	(void)message("a", PLAIN);
	ck_assert_int_eq(command(GAN_CMD_PAUSE, "c", NULL), GAN_OK);
	g = read_raw(NULL, 10, T0);
	ck_assert_int_eq(g.rc, GAN_ESTATE);
	ck_assert_str_eq(g.json, "because");
	free(g.json);
	ck_assert_int_eq(command(GAN_CMD_RESUME, "c", NULL), GAN_OK);
	ck_assert_str_eq(told(NULL), "a");
}
END_TEST

START_TEST(a_restart_changes_nothing)
{
	char first[96];

	(void)message("a", KEY("k"));
	(void)message("b", KEY("k"));
	ck_assert_str_eq(told_at(NULL, 1, T0), "a");
	snprintf(first, sizeof(first), "%s", cursor);
	shut();
	reopen();
	(void)message("c", KEY("k"));
	ck_assert_str_eq(told(first), "b,c");
	ck_assert_uint_eq(ack(first).n, 1);
	ck_assert_uint_eq(ack(cursor).n, 2);
}
END_TEST

/* The connector was made one that is called: what was in its outbox is sent, in order; what was
 * told may have been taken in. */
START_TEST(they_go_back_when_nobody_pulls_any_more)
{
	int64_t a = message("a", KEY("k")), b = message("b", KEY("k"));
	struct got g;

	ck_assert_str_eq(told_at(NULL, 1, T0), "a");
	ck_assert_uint_eq(claim_none(T0 + 1000), 0);
	ck_assert_str_eq(state_of(a), "unknown");
	ck_assert_str_eq(state_of(b), "waiting");
	ck_assert_int_eq(command(GAN_CMD_NOT_SENT, dlv_text(a), NULL), GAN_OK);
	g = claim(8, gan_wall_ms() + 1000);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_int_eq(g.rows[0]->id, a);
	ck_assert(!g.rows[0]->maybe_sent && g.rows[0]->denied);
	drop_rows(&g);
	ck_assert_int_eq(settle(a, GAN_DLV_DELIVERED, 0), GAN_OK);
	g = claim(8, gan_wall_ms() + 1000);
	ck_assert_int_eq(g.rows[0]->id, b);
	ck_assert(!g.rows[0]->maybe_sent);
	drop_rows(&g);
	ck_assert_int_eq(settle(b, GAN_DLV_DELIVERED, 0), GAN_OK);
}
END_TEST

/* Where we can look, that answers it. */
START_TEST(one_that_was_told_may_be_looked_for)
{
	struct gan_new_delivery d = PLAIN;
	struct got g;

	d.on_unknown = GAN_ON_UNKNOWN_PROBE;
	(void)message("a", d);
	ck_assert_str_eq(told(NULL), "a");
	g = claim(8, T0 + 1000);
	ck_assert_uint_eq(g.n, 1);
	ck_assert(g.rows[0]->maybe_sent);
	ck_assert_int_eq(settle(g.rows[0]->id, GAN_DLV_DELIVERED, 0), GAN_OK);
	drop_rows(&g);
}
END_TEST

/* Many of them: none that came later may be sent before all are back. */
START_TEST(nothing_overtakes_those_that_go_back)
{
	struct gan_new_delivery later = { .key = "last", .body = "{\"m\":\"later\"}" };
	int64_t first = 0;
	char key[16];
	struct got g;

	for (int i = 0; i < 70; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		first = message("x", KEY(i == 69 ? "last" : key));
	}
	(void)put_delivery(later);
	g = claim(256, T0 + 1000);
	ck_assert_uint_eq(g.n, 0);
	ck_assert_int_le(g.next_due_ms, T0 + 1000);
	drop_rows(&g);
	g = claim(256, T0 + 1000);
	ck_assert_uint_eq(g.n, 70);
	for (size_t i = 0; i < g.n; i++)
		ck_assert(strcmp(g.rows[i]->key, "last") != 0 || g.rows[i]->id == first);
	for (size_t i = 0; i < g.n; i++)
		ck_assert_int_eq(settle(g.rows[i]->id, GAN_DLV_DELIVERED, 0), GAN_OK);
	drop_rows(&g);
}
END_TEST

/* What was told may have been done: another body must not do it once more. */
START_TEST(a_skipped_one_may_have_been_taken_in)
{
	struct gan_new_delivery once = { .effect = "once" };
	int64_t told_one = message("a", once), other;

	ck_assert_str_eq(told(NULL), "a");
	ck_assert_int_eq(command(GAN_CMD_SKIP, dlv_text(told_one), NULL), GAN_OK);
	other = message("b", once);
	ck_assert_str_eq(state_of(other), "dead");
	/* Of one that nobody was told, it may. */
	once.effect = "twice";
	ck_assert_int_eq(command(GAN_CMD_SKIP, dlv_text(message("c", once)), NULL), GAN_OK);
	(void)message("d", once);
	ck_assert_str_eq(told(NULL), "d");
}
END_TEST

/* And the other way round: what waited in lanes is told. */
START_TEST(lanes_become_messages)
{
	struct gan_new_delivery d = KEY("k");

	for (int i = 0; i < 3; i++) {
		char body[32];

		snprintf(body, sizeof(body), "{\"m\":\"%d\"}", i);
		d.body = body;
		(void)put_delivery(d);
	}
	ck_assert_str_eq(told(NULL), "0,1,2");
	ck_assert_uint_eq(ack(cursor).n, 3);
}
END_TEST

START_TEST(many_are_acknowledged_at_once)
{
	struct gan_new_delivery many[500];
	struct gan_store_counts *n = calloc(1, sizeof(*n));
	int64_t event = put("{}");

	for (size_t i = 0; i < GAN_COUNT(many); i++)
		many[i] = (struct gan_new_delivery){ .rule = "r",
			.output_no = (unsigned)i,
			.connector = "c",
			.operation = "op",
			.body = "{\"m\":\"\"}",
			.body_len = 8,
			.pull = true };
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = event,
			     .state = GAN_EVENT_MAPPED,
			     .deliveries = many,
			     .ndeliveries = GAN_COUNT(many) }),
	    GAN_OK);
	struct got g = read_raw(NULL, 450, T0);

	ck_assert_uint_eq(g.n, 450);
	cJSON *tree = cJSON_Parse(g.json);
	ck_assert_uint_eq(ack(cJSON_GetObjectItem(tree, "next")->valuestring).n, 450);
	cJSON_Delete(tree);
	free(g.json);
	shut();
	reopen();
	gan_store_counts(st, n);
	ck_assert_uint_eq(n->noutboxes, 1);
	ck_assert_str_eq(n->outboxes[0].connector, "c");
	ck_assert_int_eq(n->outboxes[0].backlog, 50);
	ck_assert_int_eq(n->outboxes[0].oldest_ms, T0);
	ck_assert_int_eq(n->deliveries[GAN_DLV_DELIVERED], 450);
	free(n);
}
END_TEST

START_TEST(what_is_good_is_found_behind_all_that_is_too_old)
{
	struct gan_new_delivery *d = calloc(1000, sizeof(*d));

	for (unsigned i = 0; i < 1000; i++)
		d[i] = (struct gan_new_delivery){ .rule = "r",
			.output_no = i,
			.connector = "c",
			.operation = "o",
			.body = "{\"m\":\"old\"}",
			.body_len = 11,
			.valid_until_ms = T0 + 1000,
			.pull = true };
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(map((struct gan_map_commit){ .event_id = put("{}"),
				     .state = GAN_EVENT_MAPPED,
				     .deliveries = d,
				     .ndeliveries = 1000 }),
		    GAN_OK);
	free(d);
	(void)message("good", PLAIN);
	/* They come into the outbox, but nobody is told of them in time. */
	for (int i = 0; i < 20; i++)
		ck_assert_str_eq(told_at(NULL, 0, T0), "");
	ck_assert_str_eq(told(NULL), "good");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-outbox");
	TCase *tc = tcase_create("outbox");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, all_are_told_in_the_order_of_acceptance);
	tcase_add_test(tc, a_message_is_whole);
	tcase_add_test(tc, who_acknowledged_is_in_the_story);
	tcase_add_test(tc, only_cursors_that_were_given_out_count);
	tcase_add_test(tc, what_comes_after_something_is_told_after_it);
	tcase_add_test(tc, what_never_comes_is_given_up);
	tcase_add_test(tc, an_effect_is_told_once);
	tcase_add_test(tc, too_old_is_for_a_person_and_holds_its_key);
	tcase_add_test(tc, once_told_it_waits_for_its_acknowledgement);
	tcase_add_test(tc, a_person_may_skip_one_and_nothing_else);
	tcase_add_test(tc, a_skipped_one_may_be_the_last_that_was_read);
	tcase_add_test(tc, paused_is_said);
	tcase_add_test(tc, a_restart_changes_nothing);
	tcase_add_test(tc, they_go_back_when_nobody_pulls_any_more);
	tcase_add_test(tc, one_that_was_told_may_be_looked_for);
	tcase_add_test(tc, nothing_overtakes_those_that_go_back);
	tcase_add_test(tc, a_skipped_one_may_have_been_taken_in);
	tcase_add_test(tc, lanes_become_messages);
	tcase_add_test(tc, many_are_acknowledged_at_once);
	tcase_add_test(tc, what_is_good_is_found_behind_all_that_is_too_old);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
