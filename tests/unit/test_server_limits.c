/* SPDX-License-Identifier: MIT */
/* test_server_limits.c - slow, many, gone: deadlines, a full house, no descriptors, drain. */
#include "server_help.h"

struct slow {
	const char *first, *drip;
	char *answer;
	int64_t took_ms;
};

/* One byte now and then would keep libmicrohttpd's own time-out away for ever. */
static void
drip(void *arg)
{
	struct slow *s = arg;
	int fd = talk_connect(gan_server_port(server));
	int64_t from = gan_mono_ms();

	(void)talk_send(fd, s->first, strlen(s->first));
	for (const char *p = s->drip; *p != '\0' && gan_mono_ms() - from < 5000; p++) {
		struct timeval tv = { .tv_usec = 20000 };
		fd_set set;

		if (talk_send(fd, p, 1) < 0)
			break;
		FD_ZERO(&set);
		FD_SET(fd, &set);
		if (select(fd + 1, &set, NULL, NULL, &tv) > 0)
			break;
	}
	s->answer = talk_read_all(fd);
	s->took_ms = gan_mono_ms() - from;
	(void)close(fd);
}

static void
check_slow(const char *first, int status)
{
	char dots[300];
	struct slow s = { .first = first, .drip = dots };
	struct gan_server_stats st;

	memset(dots, 'a', sizeof(dots) - 1);
	dots[sizeof(dots) - 1] = '\0';
	talk_run(&loop, drip, &s);
	ck_assert_int_eq(talk_status(s.answer), status);
	ck_assert_int_lt(s.took_ms, 3000);
	ck_assert_int_ge(s.took_ms, 100);
	free(s.answer);
	gan_server_stats(server, &st);
	ck_assert_uint_eq(st.timed_out, 1);
	ck_assert_uint_eq(seen, 0);
}

START_TEST(slow_headers_end)
{
	opt.head_ms = 150;
	start();
	check_slow("POST /now HTTP/1.1\r\n" HOST "X-A: ", 408);
}
END_TEST

START_TEST(slow_request_lines_end)
{
	opt.head_ms = 150;
	start();
	check_slow("POST /", 0);
}
END_TEST

START_TEST(slow_bodies_end)
{
	opt.body_ms = 150;
	start();
	check_slow("POST /now HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n", 408);
}
END_TEST

START_TEST(slow_requests_end)
{
	opt.total_ms = 150;
	start();
	check_slow("POST /now HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n", 408);
}
END_TEST

START_TEST(handlers_have_a_deadline_too)
{
	opt.answer_ms = 100;
	opt.total_ms = 50; /* time spent waiting is not the client's */
	start();
	char *a GAN_AUTO(gan_str_free) = talk(&loop, gan_server_port(server),
	    "POST /wait HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");

	ck_assert_int_eq(talk_status(a), 503);
	ck_assert_ptr_nonnull(strstr(a, "\r\nRetry-After: 5\r\n"));
	ck_assert_ptr_nonnull(strstr(a, "application/problem+json"));
	ck_assert_uint_eq(ended, 1);
}
END_TEST

START_TEST(waiting_is_not_the_clients_time)
{
	opt.total_ms = 60;
	start();
	(void)uv_timer_start(&later, on_later, 300, 0);
	ck_assert_int_eq(
	    status_of("POST /wait HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"), 200);
}
END_TEST

START_TEST(a_handler_may_ask_for_patience)
{
	opt.answer_ms = 20;
	opt.total_ms = 60;
	patience_ms = 30000;
	start();
	(void)uv_timer_start(&later, on_later, 300, 0);
	ck_assert_int_eq(
	    status_of("POST /wait HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"), 200);
	patience_ms = 0;
	(void)uv_timer_start(&later, on_later, 300, 0);
	ck_assert_int_eq(
	    status_of("POST /wait HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"), 503);
}
END_TEST

static int stall;

static void
on_stall(uv_timer_t *t)
{
	if (__atomic_load_n(&stall, __ATOMIC_ACQUIRE) == 0)
		return;
	uv_close((uv_handle_t *)t, NULL);
	(void)usleep(300000);
}

/* In time, while the loop looks elsewhere. */
static void
ask_a_deaf_loop(void *arg)
{
	static const char raw[] = "POST /now HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi";
	char **answer = arg;
	int fd = talk_connect(gan_server_port(server));

	(void)usleep(50000);
	__atomic_store_n(&stall, 1, __ATOMIC_RELEASE);
	(void)usleep(20000);
	(void)talk_send(fd, raw, sizeof(raw) - 1);
	*answer = talk_read_all(fd);
	(void)close(fd);
}

/* What lies in the socket already came in time, however late we read it. */
START_TEST(our_own_delay_is_not_the_clients)
{
	char *a GAN_AUTO(gan_str_free) = NULL;
	uv_timer_t t;

	opt.head_ms = 200;
	start();
	(void)uv_timer_init(&loop, &t);
	(void)uv_timer_start(&t, on_stall, 5, 5);
	talk_run(&loop, ask_a_deaf_loop, &a);
	ck_assert_int_eq(talk_status(a), 200);
}
END_TEST

/* Libmicrohttpd never looks again at a refused request behind one that was suspended. */
START_TEST(a_refused_request_frees_its_slot)
{
	struct gan_buf raw GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_server_stats st;
	int64_t from;
	char *a;

	opt.keep_alive = true;
	start();
	gan_buf_puts(&raw, "GET /later HTTP/1.1\r\n" HOST "\r\nGET /now?");
	for (int i = 0; i < 600; i++)
		gan_buf_puts(&raw, "a&");
	gan_buf_puts(&raw, " HTTP/1.1\r\n" HOST "\r\n");
	(void)uv_timer_start(&later, on_later, 20, 0);
	a = talk_n(&loop, gan_server_port(server), raw.data, raw.len);
	ck_assert_int_eq(talk_status(a), 200);
	ck_assert_ptr_nonnull(strstr(a, "HTTP/1.1 414 "));
	free(a);
	from = gan_mono_ms();
	do {
		(void)uv_run(&loop, UV_RUN_ONCE);
		gan_server_stats(server, &st);
	} while (st.connections > 0);
	ck_assert_int_lt(gan_mono_ms() - from, 4000); /* its own time-out is 10 s */
}
END_TEST

static void
many_idle(void *arg)
{
	int fds[20];

	(void)arg;
	for (size_t i = 0; i < GAN_COUNT(fds); i++)
		fds[i] = talk_connect(gan_server_port(server));
	for (size_t i = 0; i < GAN_COUNT(fds); i++) {
		free(talk_read_all(fds[i]));
		(void)close(fds[i]);
	}
}

/* Old libmicrohttpd went deaf when all connections of a full house timed out in one turn. */
START_TEST(full_house_recovers)
{
	opt.max_connections = 4;
	opt.head_ms = 100;
	start();
	for (int i = 0; i < 3; i++) {
		talk_run(&loop, many_idle, NULL);
		ck_assert_int_eq(
		    status_of("POST /now HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"), 200);
	}
}
END_TEST

static void
leave_early(void *arg)
{
	static const char raw[] = "POST /wait HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi";
	struct linger now = { .l_onoff = 1 };
	int fd = talk_connect(gan_server_port(server));

	(void)arg;
	(void)talk_send(fd, raw, sizeof(raw) - 1);
	while (__atomic_load_n(&seen, __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(fd);
}

START_TEST(clients_may_leave_while_they_wait)
{
	start();
	talk_run(&loop, leave_early, NULL);
	ck_assert_uint_eq(nwaiting, 1);
	ck_assert_ptr_nonnull(waiting[0]);
	answer_all();
	while (ended == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(status_of("GET /now HTTP/1.1\r\n" HOST "\r\n"), 200);
}
END_TEST

static void
crowd(void *arg)
{
	static const char raw[] =
	    "POST /later HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: 2\r\n\r\nhi";
	static int fds[MANY];
	unsigned *good = arg;

	for (int i = 0; i < MANY; i++) {
		fds[i] = talk_connect(gan_server_port(server));
		(void)talk_send(fds[i], raw, sizeof(raw) - 1);
	}
	for (int i = 0; i < MANY; i++) {
		char *a = talk_read_all(fds[i]);

		*good += talk_status(a) == 200;
		free(a);
		(void)close(fds[i]);
	}
}

START_TEST(a_crowd_is_served)
{
	unsigned good = 0;

	opt.max_connections = 512;
	start();
	talk_run(&loop, crowd, &good);
	ck_assert_uint_eq(good, MANY);
	ck_assert_uint_eq(ended, MANY);
}
END_TEST

/* Nothing may depend on the heartbeat but deadlines. */
START_TEST(a_crowd_needs_no_heartbeat)
{
	unsigned good = 0;

	opt.beat_ms = 60000;
	opt.max_connections = 16;
	opt.keep_alive = true;
	start();
	talk_run(&loop, crowd, &good);
	ck_assert_uint_eq(good, MANY);
}
END_TEST

static int drained;

static void
on_drained(void *arg)
{
	(void)arg;
	drained = 1;
}

static char *drain_answer;

static void
in_flight(void *arg)
{
	static const char raw[] = "POST /wait HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi";
	unsigned port = gan_server_port(server);
	int fd = talk_connect(port);

	(void)arg;
	(void)talk_send(fd, raw, sizeof(raw) - 1);
	drain_answer = talk_read_all(fd);
	(void)close(fd);
}

static uv_timer_t drain_timer;
static int64_t grace_ms = 10000;

static void
begin_drain(uv_timer_t *t)
{
	if (seen == 0)
		return;
	(void)uv_timer_stop(t);
	uv_close((uv_handle_t *)t, NULL);
	gan_server_drain(server, grace_ms, on_drained, NULL);
	if (grace_ms > 1000)
		(void)uv_timer_start(&later, on_later, 50, 0);
}

static void
drain_with_one_in_flight(void)
{
	unsigned port;

	start();
	port = gan_server_port(server);
	(void)uv_timer_init(&loop, &drain_timer);
	(void)uv_timer_start(&drain_timer, begin_drain, 5, 5);
	talk_run(&loop, in_flight, NULL);
	talk_wait(&loop, &drained);
	/* Nobody listens any more. */
	ck_assert_int_lt(talk_connect(port), 0);
	ck_assert_uint_eq(ended, 1);
}

START_TEST(drain_answers_what_is_in_flight)
{
	drain_with_one_in_flight();
	ck_assert_int_eq(talk_status(drain_answer), 200);
	free(drain_answer);
}
END_TEST

START_TEST(drain_ends_after_its_grace)
{
	grace_ms = 100;
	drain_with_one_in_flight();
	ck_assert_int_eq(talk_status(drain_answer), 503);
	free(drain_answer);
}
END_TEST

START_TEST(drain_of_an_idle_listener_is_quick)
{
	int64_t from = gan_mono_ms();

	start();
	gan_server_drain(server, 10000, on_drained, NULL);
	ck_assert_int_eq(drained, 0);
	talk_wait(&loop, &drained);
	ck_assert_int_lt(gan_mono_ms() - from, 1000);
}
END_TEST

static int left_fd;

static void
send_and_leave_open(void *arg)
{
	static const char raw[] = "POST /wait HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi";

	(void)arg;
	left_fd = talk_connect(gan_server_port(server));
	(void)talk_send(left_fd, raw, sizeof(raw) - 1);
	while (__atomic_load_n(&seen, __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
}

/* libmicrohttpd aborts the process when it is stopped with a suspended connection. */
START_TEST(close_ends_suspended_requests)
{
	start();
	talk_run(&loop, send_and_leave_open, NULL);
	gan_server_close(&server);
	ck_assert_uint_eq(ended, 1);
	(void)close(left_fd);
}
END_TEST

/* In a process of its own, since the limit is the server's: a crowd, held for a while. */
static pid_t
start_crowd(unsigned port, int go)
{
	static const char request[] = "GET /now HTTP/1.1\r\n" HOST "\r\n";
	pid_t pid = fork();
	int fds[40];
	char c;

	if (pid != 0)
		return pid;
	(void)!read(go, &c, 1);
	for (size_t i = 0; i < GAN_COUNT(fds); i++)
		fds[i] = talk_connect(port);
	/* Until the server had to turn somebody away. */
	free(talk_read_all(fds[39]));
	for (size_t i = 0; i < GAN_COUNT(fds); i++)
		(void)close(fds[i]);
	for (;;) {
		int fd = talk_connect(port);
		char *a;

		(void)talk_send(fd, request, sizeof(request) - 1);
		a = talk_read_all(fd);
		(void)close(fd);
		if (talk_status(a) == 200)
			_exit(0);
		free(a);
	}
}

static void
wait_for_crowd(void *arg)
{
	pid_t *pid = arg;
	int status = -1;

	*pid = waitpid(*pid, &status, 0) == *pid && status == 0 ? 0 : -1;
}

START_TEST(running_out_of_descriptors_is_survived)
{
	struct rlimit was, low;
	struct gan_server_stats st;
	struct rusage used;
	int go[2], top;
	pid_t pid;

	opt.head_ms = 100;
	start();
	ck_assert_int_eq(pipe(go), 0);
	pid = start_crowd(gan_server_port(server), go[0]);
	top = dup(0);
	(void)close(top);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = (rlim_t)top + 10;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	talk_run(&loop, wait_for_crowd, &pid);
	(void)getrusage(RUSAGE_SELF, &used);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert_int_eq(pid, 0);
	gan_server_stats(server, &st);
	ck_assert_uint_ge(st.starved, 1);
	ck_assert_uint_le(st.starved, 200); /* and not a busy loop */
	ck_assert_int_eq(used.ru_utime.tv_sec + used.ru_stime.tv_sec, 0);
	(void)close(go[0]);
	(void)close(go[1]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("server-limits");
	TCase *tc = tcase_create("server-limits");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, slow_headers_end);
	tcase_add_test(tc, slow_request_lines_end);
	tcase_add_test(tc, slow_bodies_end);
	tcase_add_test(tc, slow_requests_end);
	tcase_add_test(tc, handlers_have_a_deadline_too);
	tcase_add_test(tc, waiting_is_not_the_clients_time);
	tcase_add_test(tc, a_handler_may_ask_for_patience);
	tcase_add_test(tc, our_own_delay_is_not_the_clients);
	tcase_add_test(tc, a_refused_request_frees_its_slot);
	tcase_add_test(tc, full_house_recovers);
	tcase_add_test(tc, clients_may_leave_while_they_wait);
	tcase_add_test(tc, a_crowd_is_served);
	tcase_add_test(tc, a_crowd_needs_no_heartbeat);
	tcase_add_test(tc, drain_answers_what_is_in_flight);
	tcase_add_test(tc, drain_ends_after_its_grace);
	tcase_add_test(tc, drain_of_an_idle_listener_is_quick);
	tcase_add_test(tc, close_ends_suspended_requests);
	tcase_add_test(tc, running_out_of_descriptors_is_survived);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
