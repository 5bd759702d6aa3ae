/* SPDX-License-Identifier: MIT */
/* test_store_answers.c - results that are events: when, with what, and how far. */
#include <sqlite3.h>

#include "store_help.h"

static void
listen_to(const char *globs, size_t len)
{
	ck_assert_int_eq(gan_store_listen(st, globs, len), GAN_OK);
}
#define LISTEN(globs) listen_to(globs, sizeof(globs))

static cJSON *
answers(void)
{
	return ask((struct gan_query){ .kind = GAN_QUERY_EVENTS, .source = "answers" });
}

static int
nanswers(void)
{
	cJSON *list = answers();
	int n = cJSON_GetArraySize(list);

	cJSON_Delete(list);
	return n;
}

static const char *
text_at(const cJSON *o, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(o, name));
}

/* The newest answer with its body; the caller's to delete. */
static cJSON *
newest(void)
{
	cJSON *list = answers(), *event;

	ck_assert_ptr_nonnull(cJSON_GetArrayItem(list, 0));
	event = ask((struct gan_query){ .kind = GAN_QUERY_SHOW,
	    .text = text_at(cJSON_GetArrayItem(list, 0), "id"),
	    .bodies = true });
	cJSON_Delete(list);
	return event;
}

/* As the pipeline would with answers that no rule listens to any more: they have their turn. */
static void
ignore_answers(void)
{
	cJSON *list = ask((struct gan_query){
	    .kind = GAN_QUERY_EVENTS, .source = "answers", .state = "received" });
	int64_t id;

	for (int i = cJSON_GetArraySize(list); i > 0; i--) {
		ck_assert(gan_id_parse(
		    GAN_ID_EVENT, text_at(cJSON_GetArrayItem(list, i - 1), "id"), &id));
		ck_assert_int_eq(map((struct gan_map_commit){ .event_id = id,
				     .source = "answers",
				     .topic = "c/op.delivered",
				     .state = GAN_EVENT_IGNORED }),
		    GAN_OK);
	}
	cJSON_Delete(list);
}

static int64_t
queue(struct gan_new_delivery d)
{
	ignore_answers();
	return put_delivery(d);
}

static void
deliver(struct gan_new_delivery d)
{
	(void)queue(d);
	ck_assert_int_eq(settle(claim_one(T0 + 1000), GAN_DLV_DELIVERED, 0), GAN_OK);
}

START_TEST(nobody_listens_nothing_is_made)
{
	deliver((struct gan_new_delivery){ .key = "k" });
	LISTEN("answers/other/op.delivered\0answers/c/op.dead");
	deliver((struct gan_new_delivery){ .key = "k" });
	ck_assert_int_eq(nanswers(), 0);
	LISTEN("answers/c/*");
	deliver((struct gan_new_delivery){ .key = "k" });
	ck_assert_int_eq(nanswers(), 1);
	listen_to("", 0);
	deliver((struct gan_new_delivery){ .key = "k" });
	ck_assert_int_eq(nanswers(), 1);
}
END_TEST

START_TEST(an_answer_tells_request_response_and_origin)
{
	cJSON *e, *body, *part;
	int64_t event;

	LISTEN("answers/c/op.delivered");
	event = put_delivery((struct gan_new_delivery){
	    .key = "po/1", .body = "{\"n\": 1.10, \"big\": 12345678901234567890}" });
	ck_assert_int_eq(settle(claim_one(T0 + 1000), GAN_DLV_DELIVERED, 0), GAN_OK);
	e = newest();
	body = cJSON_GetObjectItem(e, "body");
	ck_assert_str_eq(text_at(e, "topic"), "c/op.delivered");
	ck_assert_str_eq(text_at(e, "state"), "received");
	ck_assert_str_eq(keys_of(body), "delivery,request,response,origin");
	part = cJSON_GetObjectItem(body, "delivery");
	ck_assert_str_eq(text_at(part, "state"), "delivered");
	ck_assert_str_eq(text_at(part, "event"), event_text(event));
	ck_assert_int_eq(
	    cJSON_GetObjectItem(cJSON_GetObjectItem(body, "response"), "ref")->valueint, 7);
	part = cJSON_GetObjectItem(body, "origin");
	ck_assert_str_eq(keys_of(part), "id,source,topic,key,received_at,body");
	ck_assert_str_eq(text_at(part, "id"), event_text(event));
	ck_assert_str_eq(text_at(part, "source"), "erp");
	ck_assert_str_eq(text_at(part, "key"), "po/1");
	part = cJSON_GetObjectItem(e, "answer");
	ck_assert_str_eq(keys_of(part), "delivery,origin,depth");
	ck_assert_str_eq(text_at(part, "origin"), event_text(event));
	ck_assert_int_eq(cJSON_GetObjectItem(part, "depth")->valueint, 1);
	cJSON_Delete(e);
}
END_TEST

/* Digits stay as the rule wrote them, on their way into the answer, too. */
START_TEST(numbers_keep_their_digits)
{
	struct got g;
	cJSON *list;

	LISTEN("answers/*");
	deliver((struct gan_new_delivery){ .body = "{\"n\":1.10,\"big\":12345678901234567890}" });
	list = answers();
	g = ask_raw((struct gan_query){ .kind = GAN_QUERY_SHOW,
	    .text = text_at(cJSON_GetArrayItem(list, 0), "id"),
	    .bodies = true });
	ck_assert_ptr_nonnull(
	    strstr(g.json, "\"request\":{\"n\":1.10,\"big\":12345678901234567890}"));
	free(g.json);
	cJSON_Delete(list);
}
END_TEST

START_TEST(a_dead_one_tells_why)
{
	cJSON *e, *response;

	LISTEN("answers/c/op.dead");
	(void)put_delivery((struct gan_new_delivery){ .key = "k" });
	ck_assert_int_eq(settle(claim_one(T0 + 1000), GAN_DLV_DEAD, 0), GAN_OK);
	e = newest();
	response = cJSON_GetObjectItem(cJSON_GetObjectItem(e, "body"), "response");
	ck_assert_str_eq(keys_of(response), "status,error,body");
	ck_assert_int_eq(cJSON_GetObjectItem(response, "status")->valueint, 200);
	ck_assert_str_eq(text_at(response, "error"), "why");
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetObjectItem(response, "body"), "ok")));
	cJSON_Delete(e);
}
END_TEST

/* Retry and unknown are no ends. */
START_TEST(only_ends_are_told)
{
	int64_t id;

	LISTEN("answers/*");
	(void)put_delivery((struct gan_new_delivery){ .key = "k" });
	id = claim_one(T0 + 1000);
	ck_assert_int_eq(settle(id, GAN_DLV_WAITING, T0 + 2000), GAN_OK);
	ck_assert_int_eq(settle(claim_one(T0 + 3000), GAN_DLV_UNKNOWN, 0), GAN_OK);
	ck_assert_int_eq(nanswers(), 0);
	ck_assert_int_eq(command(GAN_CMD_SENT, dlv_text(id), NULL), GAN_OK);
	ck_assert_int_eq(nanswers(), 1);
}
END_TEST

START_TEST(ends_without_a_request_are_told_too)
{
	cJSON *e;

	LISTEN("answers/*");
	deliver((struct gan_new_delivery){ .effect = "once" });
	(void)queue((struct gan_new_delivery){ .effect = "once" });
	ck_assert_uint_eq(claim_none(T0 + 1000), 0);
	ck_assert_int_eq(nanswers(), 2);
	e = newest(); /* what the target gave to the one that did it */
	ck_assert_int_eq(cJSON_GetObjectItem(
			     cJSON_GetObjectItem(cJSON_GetObjectItem(e, "body"), "response"), "ref")
			     ->valueint,
	    7);
	cJSON_Delete(e);
	(void)queue((struct gan_new_delivery){ .effect = "once", .body = "{\"b\":2}" });
	ck_assert_uint_eq(claim_none(T0 + 1000), 0);
	e = newest();
	ck_assert_str_eq(text_at(e, "topic"), "c/op.dead");
	ck_assert_ptr_nonnull(strstr(
	    text_at(cJSON_GetObjectItem(cJSON_GetObjectItem(e, "body"), "response"), "error"),
	    "conflict"));
	cJSON_Delete(e);
	give_up_ms = 1000;
	(void)queue(
	    (struct gan_new_delivery){ .after = (const char *const[]){ "never" }, .nafter = 1 });
	ck_assert_uint_eq(claim_none(T0 + 1000), 0);
	ck_assert_uint_eq(claim_none(T0 + 90000), 0);
	ck_assert_int_eq(nanswers(), 4);
}
END_TEST

/* The answer's event is mapped to a delivery, whose answer is mapped to a delivery ... */
static void
answer_the_answer(const char *id)
{
	struct gan_new_delivery d = { .rule = "echo",
		.connector = "c",
		.operation = "op",
		.body = "{}",
		.body_len = 2,
		.key = "k2" };
	int64_t event;

	ck_assert(gan_id_parse(GAN_ID_EVENT, id, &event));
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = event,
			     .source = "answers",
			     .topic = "c/op.delivered",
			     .state = GAN_EVENT_MAPPED,
			     .deliveries = &d,
			     .ndeliveries = 1 }),
	    GAN_OK);
	ck_assert_int_eq(settle(claim_one(T0 + 1000), GAN_DLV_DELIVERED, 0), GAN_OK);
}

START_TEST(a_chain_is_cut_and_somebody_hears_of_it)
{
	cJSON *e, *list;
	int64_t first;

	LISTEN("answers/*");
	first = put_delivery((struct gan_new_delivery){ .key = "po/9" });
	ck_assert_int_eq(settle(claim_one(T0 + 1000), GAN_DLV_DELIVERED, 0), GAN_OK);
	for (int depth = 1; depth <= 8; depth++) {
		e = newest();
		ck_assert_str_eq(text_at(e, "state"), "received");
		ck_assert_int_eq(
		    cJSON_GetObjectItem(cJSON_GetObjectItem(e, "answer"), "depth")->valueint,
		    depth);
		ck_assert_str_eq(
		    text_at(cJSON_GetObjectItem(cJSON_GetObjectItem(e, "body"), "origin"), "key"),
		    "po/9");
		ck_assert_str_eq(
		    text_at(cJSON_GetObjectItem(cJSON_GetObjectItem(e, "body"), "origin"), "id"),
		    event_text(first));
		answer_the_answer(text_at(e, "id"));
		cJSON_Delete(e);
	}
	e = newest();
	ck_assert_str_eq(text_at(e, "state"), "rejected");
	ck_assert_ptr_nonnull(strstr(text_at(e, "reason"), event_text(first)));
	cJSON_Delete(e);
	list = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_int_eq(cJSON_GetArraySize(list), 1);
	ck_assert_str_eq(text_at(cJSON_GetArrayItem(list, 0), "kind"), "rejected");
	cJSON_Delete(list);
	/* It stands in nobody's way. */
	(void)put_delivery((struct gan_new_delivery){ .key = "po/10" });
	ck_assert_int_eq(nanswers(), 9);
}
END_TEST

START_TEST(what_is_too_large_is_left_out_and_named)
{
	size_t n = (1 << 20) + 100;
	char *large = malloc(n + 1);
	cJSON *e, *body;

	memset(large, 'x', n);
	memcpy(large, "[\"", 2);
	memcpy(large + n - 2, "\"]", 3);
	LISTEN("answers/*");
	deliver((struct gan_new_delivery){ .body = large });
	e = newest();
	body = cJSON_GetObjectItem(e, "body");
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(body, "request")));
	ck_assert_str_eq(
	    cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(body, "left_out"), 0)),
	    "request");
	cJSON_Delete(e);
	free(large);
}
END_TEST

/* At a start the rules take a moment: those of the process before count meanwhile. */
START_TEST(who_listens_is_known_at_a_start)
{
	LISTEN("answers/c/op.delivered");
	deliver((struct gan_new_delivery){ .key = "k" });
	shut();
	reopen();
	deliver((struct gan_new_delivery){ .key = "k" });
	ck_assert_int_eq(nanswers(), 2);
}
END_TEST

/* What the pipeline would be handed: in the order of acceptance, among the others. */
START_TEST(answers_are_handed_out_in_order)
{
	int64_t a, b, c;
	cJSON *e;

	LISTEN("answers/*");
	deliver((struct gan_new_delivery){ .key = "k" });
	b = put("{}");
	e = newest();
	ck_assert(gan_id_parse(GAN_ID_EVENT, text_at(e, "id"), &a));
	cJSON_Delete(e);
	ck_assert_int_lt(a, b);
	/* Not before its turn, and not skipped. */
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = b, .state = GAN_EVENT_IGNORED }), GAN_ESTATE);
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = a,
			     .source = "answers",
			     .topic = "c/op.delivered",
			     .state = GAN_EVENT_IGNORED }),
	    GAN_OK);
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = b, .state = GAN_EVENT_IGNORED }), GAN_OK);
	c = put("{}");
	ck_assert_int_gt(c, b);
}
END_TEST

/* Both or none: a result that the disk has no room for brings no answer either. */
START_TEST(no_answer_without_the_result)
{
	sqlite3 *db;
	int64_t id;

	LISTEN("answers/*");
	(void)put_delivery((struct gan_new_delivery){ .key = "k" });
	id = claim_one(T0 + 1000);
	shut();
	/* The event cannot be stored: so the result must not be, either. */
	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
			     "CREATE TRIGGER t BEFORE INSERT ON event WHEN NEW.source = 'answers'"
			     " BEGIN SELECT RAISE(ABORT, 'no'); END",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	reopen();
	ck_assert_int_lt(command(GAN_CMD_SENT, dlv_text(id), NULL), 0);
	ck_assert_str_eq(state_of(id), "unknown");
	ck_assert_int_eq(nanswers(), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-answers");
	TCase *tc = tcase_create("answers");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nobody_listens_nothing_is_made);
	tcase_add_test(tc, an_answer_tells_request_response_and_origin);
	tcase_add_test(tc, numbers_keep_their_digits);
	tcase_add_test(tc, a_dead_one_tells_why);
	tcase_add_test(tc, only_ends_are_told);
	tcase_add_test(tc, ends_without_a_request_are_told_too);
	tcase_add_test(tc, a_chain_is_cut_and_somebody_hears_of_it);
	tcase_add_test(tc, what_is_too_large_is_left_out_and_named);
	tcase_add_test(tc, who_listens_is_known_at_a_start);
	tcase_add_test(tc, answers_are_handed_out_in_order);
	tcase_add_test(tc, no_answer_without_the_result);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
