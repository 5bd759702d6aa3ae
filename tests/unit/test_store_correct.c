/* SPDX-License-Identifier: MIT */
/* test_store_correct.c - edited copies, their approval, and letting one go without its `after`. */
#include "store_help.h"

#define NEW "{\"a\":2}"

static int
change(enum gan_command_kind kind, int64_t id, const char *who, bool four_eyes, char **ret_json)
{
	struct got g = { .done = false };
	struct gan_command c = { .kind = kind,
		.id = dlv_text(id),
		.verb = kind == GAN_CMD_CORRECT ? "correct" : "approve",
		.who = who,
		.reason = "a typing error",
		.body = kind == GAN_CMD_CORRECT ? NEW : NULL,
		.body_len = kind == GAN_CMD_CORRECT ? strlen(NEW) : 0,
		.four_eyes = four_eyes,
		.now_ms = T0 + 200 };

	ck_assert_int_eq(gan_store_command(st, &c, got_json, &g), GAN_OK);
	wait_for(&g.done);
	if (ret_json != NULL)
		*ret_json = g.json;
	else
		free(g.json);
	return g.rc;
}

/* Correct it and give the copy's id. */
static int64_t
copy_of(int64_t id)
{
	char *json;
	cJSON *t;
	int64_t copy;

	ck_assert_int_eq(change(GAN_CMD_CORRECT, id, "ana (1000)", false, &json), GAN_OK);
	t = cJSON_Parse(json);
	ck_assert(gan_id_parse(GAN_ID_DELIVERY, cJSON_GetObjectItem(t, "id")->valuestring, &copy));
	ck_assert_str_eq(cJSON_GetObjectItem(t, "corrects")->valuestring, dlv_text(id));
	cJSON_Delete(t);
	free(json);
	return copy;
}

static int64_t
dead(struct gan_new_delivery d)
{
	int64_t id;

	put_delivery(d);
	id = claim_one(T0);
	ck_assert_int_eq(settle(id, GAN_DLV_DEAD, 0), GAN_OK);
	return id;
}

/* Claims the one that is due: its body must be the new one. */
static int64_t
sent_new(int64_t now_ms)
{
	struct got g = claim(8, now_ms);
	int64_t id;

	ck_assert_uint_eq(g.n, 1);
	id = g.rows[0]->id;
	ck_assert_uint_eq(g.rows[0]->body_len, strlen(NEW));
	ck_assert_int_eq(memcmp(g.rows[0]->body, NEW, strlen(NEW)), 0);
	drop_rows(&g);
	return id;
}

static cJSON *
told(int64_t id, cJSON **ret_tree)
{
	*ret_tree =
	    ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = dlv_text(id), .bodies = true });
	return cJSON_GetArrayItem(cJSON_GetObjectItem(*ret_tree, "deliveries"), 0);
}

static const char *
text(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItem(o, name);

	return cJSON_IsString(v) ? v->valuestring : "-";
}

/* The copy is sent where the original stood, before all others of the key, and no other body is. */
START_TEST(a_copy_takes_the_place)
{
	int64_t first = dead((struct gan_new_delivery){ .key = "k" }), copy, next;
	cJSON *t, *d;

	put_delivery((struct gan_new_delivery){ .key = "k" });
	put_delivery((struct gan_new_delivery){ .key = "k" });
	ck_assert_uint_eq(claim_none(T0 + 150), 0);
	copy = copy_of(first);
	ck_assert_int_ne(copy, first);
	ck_assert_str_eq(state_of(first), "skipped");
	books_are_right();
	shut();
	reopen();
	ck_assert_int_eq(sent_new(T0 + 300), copy);
	ck_assert_int_eq(settle(copy, GAN_DLV_WAITING, T0 + 400), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 350), 0); /* it keeps its place */
	ck_assert_int_eq(sent_new(T0 + 400), copy);
	ck_assert_int_eq(settle(copy, GAN_DLV_DELIVERED, 0), GAN_OK);
	next = claim_one(T0 + 400);
	ck_assert_int_gt(next, first);
	ck_assert_int_lt(next, copy);

	d = told(first, &t);
	ck_assert_str_eq(text(d, "replaced_by"), dlv_text(copy));
	ck_assert_int_eq(
	    (int)cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(d, "request"), "a")),
	    1);
	cJSON *row = cJSON_GetArrayItem(cJSON_GetObjectItem(d, "audit"), 0);

	ck_assert_str_eq(text(row, "verb"), "correct");
	ck_assert_str_eq(text(row, "before"), "dead");
	ck_assert_ptr_nonnull(strstr(text(row, "after"), dlv_text(copy)));
	cJSON_Delete(t);
	d = told(copy, &t);
	ck_assert_str_eq(text(d, "corrects"), dlv_text(first));
	ck_assert_str_eq(text(cJSON_GetObjectItem(d, "correction"), "who"), "ana (1000)");
	ck_assert_str_eq(text(cJSON_GetObjectItem(d, "correction"), "reason"), "a typing error");
	ck_assert(
	    cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetObjectItem(d, "correction"), "approved_by")));
	cJSON_Delete(t);
}
END_TEST

/* Its copy may be wrong as well: the second one stands there, too. */
START_TEST(a_copy_is_corrected_again)
{
	int64_t first = dead((struct gan_new_delivery){ .key = "k" }), a, b;

	put_delivery((struct gan_new_delivery){ .key = "k" });
	a = copy_of(first);
	ck_assert_int_eq(sent_new(T0 + 300), a);
	ck_assert_int_eq(settle(a, GAN_DLV_DEAD, 0), GAN_OK);
	b = copy_of(a);
	ck_assert_str_eq(state_of(a), "skipped");
	ck_assert_int_eq(sent_new(T0 + 300), b);
	ck_assert_int_eq(change(GAN_CMD_CORRECT, first, "ana (1000)", false, NULL), GAN_ESTATE);
}
END_TEST

/* on_dead: skip let the others go on; the copy goes before those that still wait. */
START_TEST(a_copy_of_one_that_left_its_lane)
{
	const struct gan_new_delivery d = { .key = "k", .on_dead = 1 };
	int64_t first = dead(d), second, copy;

	put_delivery(d);
	put_delivery(d);
	second = claim_one(T0 + 50);
	copy = copy_of(first); /* while the next of its key is on its way */
	ck_assert_uint_eq(claim_none(T0 + 300), 0);
	ck_assert_int_eq(settle(second, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_int_eq(sent_new(T0 + 300), copy);
	ck_assert_int_eq(settle(copy, GAN_DLV_DEAD, 0), GAN_OK);
	/* It left as well; tried again it goes first again. */
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(copy), NULL), GAN_OK);
	ck_assert_int_eq(sent_new(T0 + 300), copy);
}
END_TEST

START_TEST(a_copy_has_its_original_s_effect)
{
	int64_t id, copy;

	put_delivery((struct gan_new_delivery){ .effect = "e/1" });
	id = claim_one(T0);
	ck_assert_int_eq(settle(id, GAN_DLV_UNKNOWN, 0), GAN_OK);
	copy = copy_of(id);
	ck_assert_int_eq(sent_new(T0 + 300), copy);
	ck_assert_int_eq(settle(copy, GAN_DLV_DELIVERED, 0), GAN_OK);
	/* The body that was sent counts from now on. */
	put_delivery((struct gan_new_delivery){ .effect = "e/1", .body = NEW });
	put_delivery((struct gan_new_delivery){ .effect = "e/1" });
	ck_assert_uint_eq(claim_none(T0 + 300), 0);
	cJSON *t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });

	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	ck_assert_str_eq(text(cJSON_GetArrayItem(t, 0), "kind"), "conflict");
	cJSON_Delete(t);
}
END_TEST

START_TEST(only_what_needs_a_person_is_corrected)
{
	int64_t id;
	char *json;

	put_delivery((struct gan_new_delivery){ .key = "k" });
	id = claim_one(T0);
	ck_assert_int_eq(change(GAN_CMD_CORRECT, id, "ana (1000)", false, &json), GAN_ESTATE);
	ck_assert_ptr_nonnull(strstr(json, "is sending and cannot be corrected"));
	free(json);
	ck_assert_int_eq(settle(id, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_int_eq(change(GAN_CMD_CORRECT, id, "ana (1000)", false, NULL), GAN_ESTATE);
	ck_assert_int_eq(change(GAN_CMD_CORRECT, id + 99, "ana (1000)", false, NULL), GAN_ENOENT);
}
END_TEST

/* Until another one approves nothing moves; the lane waits and the list says who is asked. */
START_TEST(four_eyes)
{
	int64_t id = dead((struct gan_new_delivery){ .key = "k" });
	cJSON *t, *d;
	char *json;

	ck_assert_int_eq(change(GAN_CMD_APPROVE, id, "bea (1001)", true, NULL), GAN_ESTATE);
	ck_assert_int_eq(change(GAN_CMD_CORRECT, id, "ana (1000)", true, NULL), GAN_OK);
	ck_assert_int_eq(change(GAN_CMD_CORRECT, id, "bea (1001)", true, NULL), GAN_OK);
	ck_assert_str_eq(state_of(id), "dead");
	ck_assert_uint_eq(claim_none(T0 + 300), 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_str_eq(
	    cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetArrayItem(t, 0), "actions"), 0)
		->valuestring,
	    "approve");
	cJSON_Delete(t);
	d = told(id, &t);
	ck_assert_str_eq(text(cJSON_GetObjectItem(d, "to_approve"), "who"), "bea (1001)");
	cJSON_Delete(t);
	/* bea's is the later one: ana may approve it, bea may not. */
	ck_assert_int_eq(change(GAN_CMD_APPROVE, id, "bea (1001)", true, &json), GAN_EPERM);
	ck_assert_ptr_nonnull(strstr(json, "was corrected by bea (1001)"));
	free(json);
	ck_assert_int_eq(change(GAN_CMD_APPROVE, id, "ana (1000)", true, &json), GAN_OK);
	t = cJSON_Parse(json);
	ck_assert_str_eq(text(t, "corrects"), dlv_text(id));
	cJSON_Delete(t);
	free(json);
	d = told(sent_new(T0 + 300), &t);
	ck_assert_str_eq(text(cJSON_GetObjectItem(d, "correction"), "approved_by"), "ana (1000)");
	cJSON_Delete(t);
	ck_assert_int_eq(change(GAN_CMD_APPROVE, id, "cal (1002)", true, NULL), GAN_ESTATE);
}
END_TEST

/* ---- without `after` ------------------------------------------------------------------ */

START_TEST(one_is_let_go_without_what_it_waits_for)
{
	const char *const after[] = { "never/1", "never/2" };
	int64_t id, one;
	cJSON *t, *d;

	put_delivery((struct gan_new_delivery){ .key = "k", .after = after, .nafter = 2 });
	give_up_ms = 3600000;
	ck_assert_uint_eq(claim_none(T0), 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES });
	ck_assert(gan_id_parse(GAN_ID_DELIVERY, text(cJSON_GetArrayItem(t, 0), "id"), &id));
	cJSON_Delete(t);
	d = told(id, &t);
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(d, "after")), 2);
	cJSON_Delete(t);
	/* Plain retry waits again. */
	ck_assert_int_eq(command(GAN_CMD_RETRY, dlv_text(id), NULL), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 100), 0);
	ck_assert_int_eq(command(GAN_CMD_FREE, dlv_text(id), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 200), id);
	ck_assert_int_eq(settle(id, GAN_DLV_WAITING, T0 + 300), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 300), id); /* a retry does not wait either */
	ck_assert_int_eq(settle(id, GAN_DLV_DELIVERED, 0), GAN_OK);
	d = told(id, &t);
	ck_assert_ptr_null(cJSON_GetObjectItem(d, "after"));
	cJSON *row = cJSON_GetArrayItem(cJSON_GetObjectItem(d, "audit"), 1);

	ck_assert_str_eq(text(row, "before"), "waiting, after \"never/1\", \"never/2\"");
	ck_assert_str_eq(text(row, "reason"), "because");
	cJSON_Delete(t);
	/* What comes late finds nobody waiting. */
	put_delivery((struct gan_new_delivery){ .effect = "never/1" });
	one = claim_one(T0 + 400);
	ck_assert_int_eq(settle(one, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_int_eq(command(GAN_CMD_FREE, dlv_text(id), NULL), GAN_ESTATE);
}
END_TEST

START_TEST(letting_go_after_the_deadline)
{
	const char *const after[] = { "never/1" };
	int64_t id;
	cJSON *t;
	char *json;

	put_delivery((struct gan_new_delivery){ .key = "k", .after = after, .nafter = 1 });
	give_up_ms = 1000;
	ck_assert_uint_eq(claim_none(T0), 0);
	ck_assert_uint_eq(claim_none(T0 + 70000), 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_str_eq(text(cJSON_GetArrayItem(t, 0), "kind"), "dead");
	ck_assert(gan_id_parse(GAN_ID_DELIVERY, text(cJSON_GetArrayItem(t, 0), "id"), &id));
	cJSON_Delete(t);
	ck_assert_int_eq(command(GAN_CMD_FREE, dlv_text(id), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 70000), id);
	ck_assert_int_eq(settle(id, GAN_DLV_DEAD, 0), GAN_OK);
	ck_assert_int_eq(command(GAN_CMD_FREE, dlv_text(id), &json), GAN_ESTATE);
	ck_assert_ptr_nonnull(strstr(json, "waits for no effect"));
	free(json);
	ck_assert_str_eq(state_of(id), "dead");
}
END_TEST

/* Its own effect still protects it. */
START_TEST(without_after_is_not_without_effect)
{
	const char *const after[] = { "never/1" };
	int64_t first;
	cJSON *t;

	put_delivery((struct gan_new_delivery){ .effect = "e" });
	first = claim_one(T0);
	put_delivery((struct gan_new_delivery){ .effect = "e", .after = after, .nafter = 1 });
	ck_assert_uint_eq(claim_none(T0), 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .state = "waiting" });
	ck_assert_int_eq(command(GAN_CMD_FREE, text(cJSON_GetArrayItem(t, 0), "id"), NULL), GAN_OK);
	cJSON_Delete(t);
	ck_assert_uint_eq(claim_none(T0 + 200), 0);
	ck_assert_int_eq(settle(first, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_uint_eq(claim_none(T0 + 200), 0); /* done without a call */
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .state = "delivered" });
	ck_assert_int_eq(cJSON_GetArraySize(t), 2);
	cJSON_Delete(t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store_correct");
	TCase *tc = tcase_create("correct");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_copy_takes_the_place);
	tcase_add_test(tc, a_copy_is_corrected_again);
	tcase_add_test(tc, a_copy_of_one_that_left_its_lane);
	tcase_add_test(tc, a_copy_has_its_original_s_effect);
	tcase_add_test(tc, only_what_needs_a_person_is_corrected);
	tcase_add_test(tc, four_eyes);
	tcase_add_test(tc, one_is_let_go_without_what_it_waits_for);
	tcase_add_test(tc, letting_go_after_the_deadline);
	tcase_add_test(tc, without_after_is_not_without_effect);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
