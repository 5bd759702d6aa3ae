/* SPDX-License-Identifier: MIT */
/* test_control_verbs.c - verbs asked through the control socket, with a real store. */
#include "lib/control_fixture.h"

START_TEST(requests_that_make_no_sense_are_refused)
{
	refused("{", 64, "no JSON object");
	refused("[]", 64, "no JSON object");
	refused("{\"verb\":\"frobnicate\"}", 64, "does not know the verb 'frobnicate'");
	refused("{}", 64, "does not know the verb");
	refused("{\"verb\":\"status\",\"args\":[]}", 64, "args must be");
	refused("{\"verb\":\"status\",\"args\":{\"limit\":1}}", 64,
	    "does not take the argument 'limit'");
	refused("{\"verb\":\"pause\",\"args\":{}}", 64, "'connector' is missing");
	refused("{\"verb\":\"retry\",\"args\":{\"id\":\"x1\"}}", 64, "id of a delivery");
	refused("{\"verb\":\"backup\",\"args\":{\"path\":\"x\"}}", 64, "absolute path");
	refused("{\"verb\":\"events list\",\"args\":{\"state\":\"frozen\"}}", 64, "");
	refused("{\"verb\":\"show\",\"args\":{\"text\":\"po/none\"}}", 1, "po/none");
	refused("{\"verb\":\"pause\",\"args\":{\"connector\":\"mov\"}}", 1, "there are: movilitas");
}
END_TEST

START_TEST(writes_need_a_reason_where_it_is_required)
{
	conf.require_reason = true;
	refused("{\"verb\":\"reload\"}", 64, "needs --reason");
	refused("{\"verb\":\"reload\",\"reason\":\"\"}", 64, "needs --reason");
	cJSON_Delete(ask("{\"verb\":\"reload\",\"reason\":\"new rule\"}", 0));
	cJSON_Delete(ask("{\"verb\":\"status\"}", 0));
}
END_TEST

START_TEST(status_has_the_promised_members)
{
	static const char *const names[] = { "version", "generation", "ready", "events",
		"deliveries", "connectors", "attention", "last_reload", "site", "started_at",
		"not_ready", "duplicates", "ignored_topics", "listen", "store", "mapping",
		"quarantined", "inbound" };
	cJSON *r GAN_AUTO(gan_cj_free) = ask("{\"verb\":\"status\"}", 0);
	const cJSON *s = gan_cj_get(r, "result");

	for (size_t i = 0; i < GAN_COUNT(names); i++)
		ck_assert_msg(gan_cj_get(s, names[i]) != NULL, "no %s", names[i]);
	ck_assert_int_eq((int)gan_cj_num(s, "generation", 0), 3);
	ck_assert(gan_cj_true(s, "ready"));
	ck_assert_int_eq((int)gan_cj_num(gan_cj_get(s, "events"), "received", -1), 0);
	ck_assert_int_eq((int)gan_cj_num(s, "attention", -1), 0);
}
END_TEST

START_TEST(red_rules_are_an_attention_item)
{
	cJSON *r;
	const cJSON *items, *item;

	(void)store_event("body is no JSON");
	red = "waste.yaml:3:1: error: unknown key";
	not_ready = "starting";
	r = ask("{\"verb\":\"attention\"}", 0);
	items = gan_cj_get(r, "result");
	ck_assert_int_eq(cJSON_GetArraySize(items), 2);
	item = cJSON_GetArrayItem(items, 0);
	ck_assert_str_eq(gan_cj_str(item, "kind"), "config");
	ck_assert_str_eq(gan_cj_str(item, "reason"), red);
	ck_assert_str_eq(gan_cj_str(item, "since"), "2025-06-15T15:06:40.000Z");
	ck_assert_str_eq(gan_cj_str(cJSON_GetArrayItem(items, 1), "kind"), "rejected");
	cJSON_Delete(r);
	r = ask("{\"verb\":\"status\"}", 0);
	ck_assert_int_eq((int)gan_cj_num(gan_cj_get(r, "result"), "attention", -1), 2);
	ck_assert_str_eq(gan_cj_str(gan_cj_get(r, "result"), "not_ready"), "starting");
	cJSON_Delete(r);
	r = ask("{\"verb\":\"doctor\"}", 1);
	ck_assert_int_gt(cJSON_GetArraySize(gan_cj_get(r, "result")), 1);
	cJSON_Delete(r);
	red = not_ready = NULL;
}
END_TEST

START_TEST(only_red_rules_are_a_whole_list)
{
	cJSON *r;

	red = "x";
	r = ask("{\"verb\":\"attention\"}", 0);
	ck_assert_int_eq(cJSON_GetArraySize(gan_cj_get(r, "result")), 1);
	cJSON_Delete(r);
	red = NULL;
	r = ask("{\"verb\":\"attention\"}", 0);
	ck_assert_int_eq(cJSON_GetArraySize(gan_cj_get(r, "result")), 0);
	cJSON_Delete(r);
}
END_TEST

START_TEST(an_event_is_listed_and_shown)
{
	char id[GAN_ID_LEN], request[128];
	cJSON *r;
	const cJSON *e;

	gan_id_format(GAN_ID_EVENT, store_event(NULL), id);
	r = ask("{\"verb\":\"events list\",\"args\":{\"limit\":5,\"topic\":\"order.*\"}}", 0);
	e = cJSON_GetArrayItem(gan_cj_get(r, "result"), 0);
	ck_assert_str_eq(gan_cj_str(e, "id"), id);
	ck_assert_str_eq(gan_cj_str(e, "state"), "received");
	cJSON_Delete(r);
	(void)snprintf(request, sizeof(request),
	    "{\"verb\":\"show\",\"args\":{\"text\":\"%s\",\"bodies\":true}}", id);
	r = ask(request, 0);
	e = cJSON_GetArrayItem(gan_cj_get(gan_cj_get(r, "result"), "events"), 0);
	ck_assert_str_eq(gan_cj_str(e, "id"), id);
	ck_assert_int_eq((int)gan_cj_num(gan_cj_get(e, "body"), "n", 0), 1);
	cJSON_Delete(r);
}
END_TEST

START_TEST(who_did_what_is_in_the_audit)
{
	char uid[32];
	cJSON *r;
	const cJSON *row;

	cJSON_Delete(ask("{\"verb\":\"pause\",\"args\":{\"connector\":\"movilitas\"},\"reason\":"
			 "\"vendor works\"}",
	    0));
	cJSON_Delete(ask("{\"verb\":\"reload\"}", 0));
	r = ask("{\"verb\":\"audit\"}", 0);
	ck_assert_int_eq(cJSON_GetArraySize(gan_cj_get(r, "result")), 3);
	row = cJSON_GetArrayItem(gan_cj_get(r, "result"), 0);
	ck_assert_str_eq(gan_cj_str(row, "verb"), "reload accepted");
	row = cJSON_GetArrayItem(gan_cj_get(r, "result"), 1);
	ck_assert_str_eq(gan_cj_str(row, "verb"), "reload");
	row = cJSON_GetArrayItem(gan_cj_get(r, "result"), 2);
	ck_assert_str_eq(gan_cj_str(row, "verb"), "pause");
	ck_assert_str_eq(gan_cj_str(row, "reason"), "vendor works");
	(void)snprintf(uid, sizeof(uid), "(%u)", (unsigned)getuid());
	ck_assert_ptr_nonnull(strstr(gan_cj_str(row, "who"), uid));
	cJSON_Delete(r);
}
END_TEST

START_TEST(a_refused_reload_is_a_negative_answer)
{
	cJSON *r;

	reload_rc = GAN_ECONFIG;
	r = ask("{\"verb\":\"reload\"}", 1);
	ck_assert_ptr_nonnull(strstr(gan_cj_str(r, "text"), "waste.yaml:3:1"));
	ck_assert(cJSON_IsFalse(gan_cj_get(gan_cj_get(r, "result"), "ok")));
	cJSON_Delete(r);
	r = ask("{\"verb\":\"status\"}", 0);
	ck_assert(
	    cJSON_IsFalse(gan_cj_get(gan_cj_get(gan_cj_get(r, "result"), "last_reload"), "ok")));
	cJSON_Delete(r);
	reload_rc = GAN_OK;
}
END_TEST

START_TEST(retry_of_an_event_maps_it_again)
{
	char id[GAN_ID_LEN], request[128];
	int64_t n = store_event("no JSON");
	cJSON *r;

	(void)snprintf(request, sizeof(request), "{\"verb\":\"retry\",\"args\":{\"id\":\"%s\"}}",
	    gan_id_format(GAN_ID_EVENT, n, id));
	r = ask(request, 0);
	ck_assert_int_eq(remapped, n);
	ck_assert_str_eq(gan_cj_str(gan_cj_get(r, "result"), "id"), id);
	cJSON_Delete(r);
}
END_TEST

START_TEST(a_backup_is_a_file)
{
	char request[256], path[128];

	(void)snprintf(path, sizeof(path), "%s/copy.db", dir);
	(void)snprintf(
	    request, sizeof(request), "{\"verb\":\"backup\",\"args\":{\"path\":\"%s\"}}", path);
	cJSON_Delete(ask(request, 0));
	ck_assert_int_eq(access(path, R_OK), 0);
	cJSON_Delete(ask(request, 1)); /* it exists now */
	cJSON_Delete(ask("{\"verb\":\"store check\"}", 0));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("control_verbs");
	TCase *tc = tcase_create("control");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, requests_that_make_no_sense_are_refused);
	tcase_add_test(tc, writes_need_a_reason_where_it_is_required);
	tcase_add_test(tc, status_has_the_promised_members);
	tcase_add_test(tc, red_rules_are_an_attention_item);
	tcase_add_test(tc, only_red_rules_are_a_whole_list);
	tcase_add_test(tc, an_event_is_listed_and_shown);
	tcase_add_test(tc, who_did_what_is_in_the_audit);
	tcase_add_test(tc, a_refused_reload_is_a_negative_answer);
	tcase_add_test(tc, retry_of_an_event_maps_it_again);
	tcase_add_test(tc, a_backup_is_a_file);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
