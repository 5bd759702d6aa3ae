/* SPDX-License-Identifier: MIT */
/* test_service.c - words and sockets of the service manager. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service.h"

static char dir[64];
static int notify_fd;

static void
setup(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memcpy(dir, "/tmp/gantry-service-XXXXXX", 27);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/notify", dir);
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(notify_fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", sun.sun_path, 1), 0);
}

static void
teardown(void)
{
	char path[80];

	(void)snprintf(path, sizeof(path), "%s/notify", dir);
	(void)unlink(path);
	(void)rmdir(dir);
	(void)close(notify_fd);
}

static const char *
told(void)
{
	static char text[512];
	ssize_t n = recv(notify_fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

START_TEST(the_manager_is_told_in_its_words)
{
	long long at = 0;

	gan_service_ready("generation 1, 3 rules");
	ck_assert_str_eq(told(), "READY=1\nSTATUS=generation 1, 3 rules");
	gan_service_reloading();
	ck_assert_int_eq(sscanf(told(), "RELOADING=1\nMONOTONIC_USEC=%lld", &at), 1);
	ck_assert_int_gt(at, 0);
	gan_service_status("waiting");
	ck_assert_str_eq(told(), "STATUS=waiting");
	gan_service_alive();
	ck_assert_str_eq(told(), "WATCHDOG=1");
	gan_service_stopping();
	ck_assert_ptr_nonnull(strstr(told(), "STOPPING=1\n"));
	ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
	unsetenv("NOTIFY_SOCKET");
	gan_service_ready("x");
	gan_service_reloading();
	gan_service_alive();
	gan_service_stopping();
	ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(the_watchdog_is_ours_or_nobodys)
{
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	ck_assert_int_eq(gan_service_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	ck_assert_int_eq(gan_service_watchdog_ms(), 30000);
	setenv("WATCHDOG_PID", pid, 1);
	ck_assert_int_eq(gan_service_watchdog_ms(), 30000);
	setenv("WATCHDOG_PID", "1", 1);
	ck_assert_int_eq(gan_service_watchdog_ms(), 0);
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "nonsense", 1);
	ck_assert_int_eq(gan_service_watchdog_ms(), 0);
}
END_TEST

/* As many sockets as names, from descriptor 3 on. */
static int
hand_over(const char *names, int n, struct gan_service_fds *ret_fds, struct gan_err *err)
{
	char text[16];

	for (int i = 0; i < n; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(dup2(fd, 3 + i), 3 + i);
		if (fd != 3 + i)
			(void)close(fd);
	}
	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	(void)snprintf(text, sizeof(text), "%d", n);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	return gan_service_sockets(ret_fds, err);
}

static const struct {
	const char *names;
	int n, public_fd, control_fd;
	const char *wrong;
} handed[] = {
	{ "public:control", 2, 3, 4, NULL },
	{ "control:public", 2, 4, 3, NULL },
	{ "control", 1, -1, 3, NULL },
	{ "unknown", 1, 3, -1, NULL },
	{ "public:public", 2, -1, -1, "two sockets named 'public'" },
	{ "public:http", 2, -1, -1, "a socket named 'http'" },
};

START_TEST(sockets_are_told_apart_by_name)
{
	struct gan_service_fds fds = { -1, -1 };
	struct gan_err err;
	int rc = hand_over(handed[_i].names, handed[_i].n, &fds, &err);

	if (handed[_i].wrong != NULL) {
		ck_assert_int_eq(rc, GAN_EINVAL);
		ck_assert_msg(strstr(err.msg, handed[_i].wrong) != NULL, "%s", err.msg);
		return;
	}
	ck_assert_int_eq(rc, GAN_OK);
	ck_assert_int_eq(fds.public_fd, handed[_i].public_fd);
	ck_assert_int_eq(fds.control_fd, handed[_i].control_fd);
	ck_assert_ptr_null(getenv("LISTEN_FDS")); /* not for the workers */
	ck_assert_int_ne(fcntl(3, F_GETFD) & FD_CLOEXEC, 0);
}
END_TEST

START_TEST(without_activation_there_are_none)
{
	struct gan_service_fds fds = { -1, -1 };
	struct gan_err err;

	ck_assert_int_eq(gan_service_sockets(&fds, &err), GAN_OK);
	ck_assert_int_eq(fds.public_fd, -1);
	ck_assert_int_eq(fds.control_fd, -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("service");
	TCase *tc = tcase_create("service");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_manager_is_told_in_its_words);
	tcase_add_test(tc, without_a_manager_nothing_happens);
	tcase_add_test(tc, the_watchdog_is_ours_or_nobodys);
	suite_add_tcase(s, tc);
	tc = tcase_create("sockets");
	tcase_add_loop_test(
	    tc, sockets_are_told_apart_by_name, 0, (int)(sizeof(handed) / sizeof(*handed)));
	tcase_add_test(tc, without_activation_there_are_none);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_set_fork_status(sr, CK_FORK); /* descriptors and the environment are changed */
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
