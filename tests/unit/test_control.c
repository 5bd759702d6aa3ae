/* SPDX-License-Identifier: MIT */
/* test_control.c - the control socket: who may open it, frames, limits, its end. */
#include "lib/control_fixture.h"

START_TEST(only_owner_and_group_can_open_it)
{
	struct stat st;

	ck_assert_int_eq(lstat(sock, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, 0660);
	admin_shut();
	ck_assert_int_eq(lstat(sock, &st), -1);
}
END_TEST

START_TEST(a_live_socket_is_not_taken_a_dead_one_is)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct gan_admin *other = NULL;
	int fd;

	ck_assert_int_eq(gan_admin_open(&loop, &ops, -1, &other, &err), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "another gantryd answers"));
	admin_shut();
	/* The socket of a process that died without removing it. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", sock);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	(void)close(fd);
	ck_assert_msg(gan_admin_open(&loop, &ops, -1, &admin, &err) == GAN_OK, "%s", err.msg);
	cJSON_Delete(ask("{\"verb\":\"status\"}", 0));
}
END_TEST

START_TEST(a_file_in_its_place_stays)
{
	FILE *f;

	admin_shut();
	f = fopen(sock, "w");
	ck_assert_ptr_nonnull(f);
	(void)fclose(f);
	ck_assert_int_eq(gan_admin_open(&loop, &ops, -1, &admin, &err), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "is no socket"));
	ck_assert_int_eq(access(sock, F_OK), 0);
	conf.control_socket = (char *)(uintptr_t) "/nonexistent/dir/control.sock";
	ck_assert_int_eq(gan_admin_open(&loop, &ops, -1, &admin, &err), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "the folder of"));
	admin = NULL;
}
END_TEST

START_TEST(a_socket_of_the_service_manager_is_used)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	admin_shut();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", sock);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	ck_assert_int_eq(gan_admin_open(&loop, &ops, fd, &admin, &err), GAN_OK);
	cJSON_Delete(ask("{\"verb\":\"status\"}", 0));
	admin_shut();
	ck_assert_int_eq(lstat(sock, &st), 0); /* not ours to remove */
}
END_TEST

START_TEST(requests_come_in_pieces_and_in_a_row)
{
	static const char rest[] = "b\":\"status\"}\n{\"verb\":\"nonsense\"}\n"
				   "{\"verb\":\"lanes\",\"args\":{}}\n{";
	int fd = dial();
	cJSON *r;

	say(fd, "{\"ver", 5);
	say(fd, rest, strlen(rest));
	r = hear_json(fd);
	ck_assert_str_eq(gan_cj_str(gan_cj_get(r, "result"), "site"), "porto-1");
	cJSON_Delete(r);
	r = hear_json(fd);
	ck_assert_int_eq((int)gan_cj_num(r, "exit", -1), 64);
	cJSON_Delete(r);
	r = hear_json(fd);
	ck_assert_int_eq((int)gan_cj_num(r, "exit", -1), 0);
	ck_assert(cJSON_IsArray(gan_cj_get(r, "result")));
	cJSON_Delete(r);
	(void)close(fd);
}
END_TEST

START_TEST(a_request_that_is_too_large_is_refused)
{
	static char big[(2u << 20) + 100];
	int fd = dial();
	cJSON *r;

	memset(big, ' ', sizeof(big));
	say(fd, big, sizeof(big));
	r = hear_json(fd);
	ck_assert_int_eq((int)gan_cj_num(r, "exit", -1), 64);
	ck_assert_ptr_nonnull(strstr(gan_cj_str(r, "text"), "2 MiB"));
	cJSON_Delete(r);
	ck_assert_ptr_null(hear(fd));
	(void)close(fd);
}
END_TEST

START_TEST(the_33rd_connection_is_refused)
{
	int fds[33], exit_code = -1;
	cJSON *r;

	for (int i = 0; i < 33; i++) {
		fds[i] = dial();
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	r = hear_json(fds[32]);
	ck_assert_int_eq((int)gan_cj_num(r, "exit", -1), 69);
	cJSON_Delete(r);
	ck_assert_ptr_null(hear(fds[32]));
	for (int i = 0; i < 33; i++)
		(void)close(fds[i]);
	/* And there is room again, as soon as the ends have been seen. */
	for (int64_t end = gan_mono_ms() + DEADLINE_MS; exit_code != 0;) {
		int fd = dial();

		ck_assert(gan_mono_ms() < end);
		say(fd, "{\"verb\":\"status\"}\n", 18);
		r = hear_json(fd);
		exit_code = (int)gan_cj_num(r, "exit", -1);
		cJSON_Delete(r);
		(void)close(fd);
	}
}
END_TEST

START_TEST(a_late_answer_after_the_end_hurts_nobody)
{
	int fd = dial();

	reload_hangs = true;
	reload_cb = NULL;
	say(fd, "{\"verb\":\"reload\"}\n", 18);
	for (int64_t end = gan_mono_ms() + DEADLINE_MS; reload_cb == NULL;) {
		ck_assert(gan_mono_ms() < end);
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	admin_shut();
	ck_assert_ptr_null(hear(fd));
	(void)close(fd);
	reload_cb(reload_arg, GAN_OK, NULL);
	reload_hangs = false;
}
END_TEST

START_TEST(a_client_that_leaves_does_not_stop_its_request)
{
	int fd = dial();

	reload_hangs = true;
	reload_cb = NULL;
	say(fd, "{\"verb\":\"reload\"}\n", 18);
	for (int64_t end = gan_mono_ms() + DEADLINE_MS; reload_cb == NULL;) {
		ck_assert(gan_mono_ms() < end);
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	(void)close(fd);
	reload_cb(reload_arg, GAN_OK, NULL);
	reload_hangs = false;
	cJSON_Delete(ask("{\"verb\":\"status\"}", 0));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("control");
	TCase *tc = tcase_create("control");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, only_owner_and_group_can_open_it);
	tcase_add_test(tc, a_live_socket_is_not_taken_a_dead_one_is);
	tcase_add_test(tc, a_file_in_its_place_stays);
	tcase_add_test(tc, a_socket_of_the_service_manager_is_used);
	tcase_add_test(tc, requests_come_in_pieces_and_in_a_row);
	tcase_add_test(tc, a_request_that_is_too_large_is_refused);
	tcase_add_test(tc, the_33rd_connection_is_refused);
	tcase_add_test(tc, a_late_answer_after_the_end_hurts_nobody);
	tcase_add_test(tc, a_client_that_leaves_does_not_stop_its_request);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
