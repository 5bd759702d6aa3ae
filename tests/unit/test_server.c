/* SPDX-License-Identifier: MIT */
/* test_server.c - real sockets against a running listener: answers, framing, sizes. */
#include "server_help.h"

START_TEST(answers_are_plain_and_closed)
{
	start();
	char *a GAN_AUTO(gan_str_free) = talk(&loop, gan_server_port(server),
	    "POST /now?x=1 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"
	    "POST /now HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");

	ck_assert_int_eq(talk_status(a), 200);
	ck_assert_ptr_nonnull(strstr(a, "\r\nContent-Length: 5\r\n"));
	ck_assert_ptr_nonnull(strstr(a, "\r\nConnection: close\r\n"));
	ck_assert_ptr_nonnull(strstr(a, "\r\nDate: "));
	ck_assert_ptr_null(strstr(a, "Server:"));
	ck_assert_str_eq(strstr(a, "\r\n\r\n"), "\r\n\r\nhello"); /* and no second answer */
	ck_assert_uint_eq(seen, 1);
}
END_TEST

START_TEST(head_has_no_body)
{
	start();
	char *a GAN_AUTO(gan_str_free) =
	    talk(&loop, gan_server_port(server), "HEAD /nowhere HTTP/1.1\r\n" HOST "\r\n");

	ck_assert_int_eq(talk_status(a), 404);
	ck_assert_str_eq(strstr(a, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

START_TEST(later_answers_come)
{
	start();
	char *a GAN_AUTO(gan_str_free) = talk(&loop, gan_server_port(server),
	    "POST /later HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");

	ck_assert_str_eq(strstr(a, "\r\n\r\n"), "\r\n\r\nabcde");
	ck_assert_uint_eq(ended, 1);
}
END_TEST

START_TEST(early_answers_arrive_behind_a_body)
{
	start();
	char *raw GAN_AUTO(gan_str_free) =
	    gan_asprintf("POST /early HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n%0900d", 0);

	ck_assert_int_eq(status_of(raw), 404);
	ck_assert_int_eq(status_of("POST /early HTTP/1.1\r\n" HOST "Content-Length: 900\r\n"
				   "Expect: 100-continue\r\n\r\n"),
	    404);
	ck_assert_uint_eq(seen, 0);
}
END_TEST

/* Ways to make two programs cut the same bytes differently; and what is only malformed. */
static const struct {
	const char *raw;
	int status; /* 0: any refusal will do, or a close */
} ambiguous[] = {
	{ "POST /now HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST HOST "Content-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "0\r\n\r\n",
	    400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\nabc", 0 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: -3\r\n\r\nabc", 0 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 3x\r\n\r\nabc", 0 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n", 0 },
	{ "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501 },
	{ "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501 },
	{ "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", 0 },
	{ "POST /now HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
	    415 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n", 413 },
	{ "POST /now HTTP/1.1\r\n" HOST "X-Sig: abc\r\n def\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "X-Sig: abc\r\n\tdef\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 0\r\nX-Sig: abc\r\n def\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length:\r\n 3\r\n\r\nabc", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST ": x\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST ":\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 0\r\n:\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\n", 400 },
	{ "POST /now HTTP/1.1\n" HOST "Content-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "nocolon\r\nContent-Length: 0\r\n\r\n", 0 },
	{ "POST /now HTTP/1.1\r\n" HOST "X(A): x\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "X-A: x\rX-B: y\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "X-A: x\nX-B: y\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "POST /now HTTP/1.1\r\n" HOST "X-A: x\x01\r\nContent-Length: 0\r\n\r\n", 400 },
	{ "GET http://gantry/now HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /%6eow HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /now HTTP/1.2\r\n" HOST "\r\n", 0 },
	{ "GET /now\r\n\r\n", 0 },
	{ "GET /now HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", 417 },
	{ "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 0 },
};

static void
refuse_all_ambiguous(void)
{
	/* A second request behind each, which must never be answered. */
	static const char second[] = "GET /now HTTP/1.1\r\n" HOST "\r\n";

	start();
	for (size_t i = 0; i < GAN_COUNT(ambiguous); i++) {
		char *raw GAN_AUTO(gan_str_free) = gan_asprintf("%s%s", ambiguous[i].raw, second);
		char *a GAN_AUTO(gan_str_free) = talk(&loop, gan_server_port(server), raw);
		int status = talk_status(a);

		ck_assert_msg(seen == 0, "case %zu reached the handler: %s", i, a);
		ck_assert_msg(ambiguous[i].status == 0 ? status == 0 || status >= 400
						       : status == ambiguous[i].status,
		    "case %zu: %s", i, a);
		ck_assert_msg(strstr(a, " 200 ") == NULL, "case %zu: %s", i, a);
	}
}

START_TEST(framing_matrix)
{
	refuse_all_ambiguous();
}
END_TEST

START_TEST(a_nul_does_not_hide_the_rest)
{
	static const char raw[] =
	    "POST /now HTTP/1.1\r\n" HOST "X-A: b\0c\r\nContent-Length: 0\r\n\r\n";

	start();
	char *a GAN_AUTO(gan_str_free) =
	    talk_n(&loop, gan_server_port(server), raw, sizeof(raw) - 1);

	ck_assert_uint_eq(seen, 0);
	ck_assert_int_ne(talk_status(a), 200);
}
END_TEST

START_TEST(framing_holds_with_keep_alive)
{
	opt.keep_alive = true;
	refuse_all_ambiguous();
	/* A good connection is kept: two answers. */
	char *a GAN_AUTO(gan_str_free) = talk(&loop, gan_server_port(server),
	    "POST /now HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
	    "POST /now HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: 3\r\n\r\nxyz");

	ck_assert_uint_eq(seen, 2);
	ck_assert_ptr_nonnull(strstr(a, "\r\n\r\nabcHTTP/1.1 200"));
	ck_assert_ptr_nonnull(strstr(a, "\r\n\r\nxyz"));
}
END_TEST

START_TEST(bodies_are_bounded)
{
	start();
	char *big GAN_AUTO(gan_str_free) =
	    gan_asprintf("POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
			 "3e9\r\n%01001d\r\n0\r\n\r\n",
		0);
	char *fits GAN_AUTO(gan_str_free) =
	    gan_asprintf("POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
			 "3e8\r\n%01000d\r\n0\r\n\r\n",
		0);

	ck_assert_int_eq(status_of(big), 413);
	ck_assert_int_eq(status_of(fits), 200);
	gan_server_close(&server);
	opt.max_buffered = 500;
	start();
	ck_assert_int_eq(status_of(fits), 503);
	ck_assert_int_eq(
	    status_of("POST /now HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"), 200);
}
END_TEST

START_TEST(headers_are_bounded)
{
	char raw[70000];
	int n = snprintf(raw, sizeof(raw), "GET /now HTTP/1.1\r\n" HOST);

	start();
	for (int i = 0; i < 70; i++)
		n += snprintf(raw + n, sizeof(raw) - (size_t)n, "X-%d: 1\r\n", i);
	(void)snprintf(raw + n, sizeof(raw) - (size_t)n, "\r\n");
	ck_assert_int_eq(status_of(raw), 431);
	(void)snprintf(raw, sizeof(raw), "GET /now HTTP/1.1\r\n" HOST "X-A: %060000d\r\n\r\n", 0);
	int status = status_of(raw);
	ck_assert_msg(status == 0 || status >= 400, "%d", status);
	ck_assert_uint_eq(seen, 0);
}
END_TEST

/* More words than fit: libmicrohttpd refuses them twice, and then forgets to end the request. */
START_TEST(words_behind_the_target_are_bounded)
{
	struct gan_buf raw GAN_AUTO(gan_buf_fini) = { 0 };
	char *a;

	opt.head_ms = 150;
	start();
	for (size_t n = 100; n < 3000; n += 100) {
		gan_buf_puts(&raw, "GET /now?");
		for (size_t i = 0; i < n; i++)
			gan_buf_puts(&raw, "a&");
		gan_buf_puts(&raw, " HTTP/1.1\r\n" HOST "\r\n");
		a = talk_n(&loop, gan_server_port(server), raw.data, raw.len);
		ck_assert_int_eq(talk_status(a), n > 200 ? 414 : 200);
		free(a);
		gan_buf_fini(&raw);
	}
	ck_assert_uint_eq(seen, 2);
}
END_TEST

START_TEST(an_inherited_socket_is_used)
{
	unsigned port;
	int fd;

	start();
	port = gan_server_port(server);
	gan_server_close(&server);
	fd = open("/dev/null", O_RDONLY);
	opt.listen_fd = fd;
	ck_assert_int_eq(gan_server_open(&loop, &opt, &server, &err), GAN_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "not a listening socket"));
	opt.listen_fd = -1;
	opt.host = "no.name";
	ck_assert_int_eq(gan_server_open(&loop, &opt, &server, &err), GAN_ECONFIG);
	opt.host = "127.0.0.1";
	start();
	ck_assert_uint_ne(port, 0);
	opt.port = (uint16_t)gan_server_port(server);
	struct gan_server *other = NULL;
	ck_assert_int_eq(gan_server_open(&loop, &opt, &other, &err), GAN_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "is another gantryd running?"));
}
END_TEST

START_TEST(ipv6_is_spoken)
{
	opt.host = "::1";
	if (gan_server_open(&loop, &opt, &server, &err) < 0) {
		printf("skipped: IPv6 (%s)\n", err.msg);
		return;
	}
	ck_assert_uint_ne(gan_server_port(server), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("server");
	TCase *tc = tcase_create("server");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, answers_are_plain_and_closed);
	tcase_add_test(tc, head_has_no_body);
	tcase_add_test(tc, later_answers_come);
	tcase_add_test(tc, early_answers_arrive_behind_a_body);
	tcase_add_test(tc, framing_matrix);
	tcase_add_test(tc, a_nul_does_not_hide_the_rest);
	tcase_add_test(tc, framing_holds_with_keep_alive);
	tcase_add_test(tc, bodies_are_bounded);
	tcase_add_test(tc, headers_are_bounded);
	tcase_add_test(tc, words_behind_the_target_are_bounded);
	tcase_add_test(tc, an_inherited_socket_is_used);
	tcase_add_test(tc, ipv6_is_spoken);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
