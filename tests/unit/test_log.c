/* SPDX-License-Identifier: MIT */
/* test_log.c - one line each, whatever the data holds. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int pipe_fds[2], saved;

static void
setup(void)
{
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	saved = dup(2);
	ck_assert_int_eq(dup2(pipe_fds[1], 2), 2);
	unsetenv("JOURNAL_STREAM");
	gan_log_init(GAN_LOG_INFO);
}

static void
teardown(void)
{
	(void)dup2(saved, 2);
	(void)close(saved);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}

static const char *
written(void)
{
	static char text[8192];
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

START_TEST(a_line_has_its_level_and_what_it_is_about)
{
	gan_log(GAN_LOG_WARNING,
	    &(struct gan_log_about){ .event = "e1", .key = "po/1", .connector = "c" }, "it is %d",
	    7);
	ck_assert_str_eq(written(), "<4>gantryd: it is 7 event=e1 key=po/1 connector=c\n");
	gan_log(GAN_LOG_ERR, NULL, "plain");
	ck_assert_str_eq(written(), "<3>gantryd: plain\n");
}
END_TEST

START_TEST(levels_are_kept_to)
{
	enum gan_log_level level;

	gan_log(GAN_LOG_DEBUG, NULL, "hidden");
	ck_assert_str_eq(written(), "");
	gan_log_level_set(GAN_LOG_DEBUG);
	gan_log(GAN_LOG_DEBUG, NULL, "shown");
	ck_assert_str_eq(written(), "<7>gantryd: shown\n");
	ck_assert(gan_log_level_parse("notice", &level));
	ck_assert_int_eq(level, GAN_LOG_NOTICE);
	ck_assert(!gan_log_level_parse("loud", &level));
}
END_TEST

/* A sender must not be able to write lines of ours, or to the terminal. */
START_TEST(data_makes_no_lines)
{
	const char *text;

	gan_log(GAN_LOG_INFO, &(struct gan_log_about){ .key = "k\n<0>gantryd: forged\x1b[2J" },
	    "text\r\nmore");
	text = written();
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	ck_assert_ptr_null(strchr(text, '\r'));
	ck_assert_ptr_null(strchr(text, '\x1b'));
}
END_TEST

START_TEST(a_line_is_bounded)
{
	char big[10000];
	const char *text;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	gan_log(GAN_LOG_INFO, &(struct gan_log_about){ .key = big, .rule = big }, "%s", big);
	text = written();
	ck_assert_uint_le(strlen(text), 2048 + 16);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	gan_log(GAN_LOG_INFO, &(struct gan_log_about){ .key = big }, "short");
	ck_assert_uint_le(strlen(written()), 300);
}
END_TEST

START_TEST(a_storm_is_one_line)
{
	int64_t last = 0;

	ck_assert(gan_log_due(&last, 60000));
	for (int i = 0; i < 100; i++)
		ck_assert(!gan_log_due(&last, 60000));
	ck_assert(gan_log_due(&last, 0));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_line_has_its_level_and_what_it_is_about);
	tcase_add_test(tc, levels_are_kept_to);
	tcase_add_test(tc, data_makes_no_lines);
	tcase_add_test(tc, a_line_is_bounded);
	tcase_add_test(tc, a_storm_is_one_line);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
