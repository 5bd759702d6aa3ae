/* SPDX-License-Identifier: MIT */
/* test_transfer.c - real requests to a server that misbehaves: how far did each come? */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "lib/peer.h"
#include "outbound/transfer.h"

static uv_loop_t loop;
static struct gan_transfers *ts;
static struct gan_err err;
static struct gan_response got; /* copied out of the callback */
static int answers;
static char seen[8192]; /* the last request that the server saw */

static void
setup(void)
{
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_msg(gan_transfers_open(&loop, &ts, &err) == 0, "%s", err.msg);
	answers = 0;
}

static void
forget(void)
{
	free(got.head);
	free(got.body);
	free(got.retry_after);
	memset(&got, 0, sizeof(got));
}

static void
teardown(void)
{
	gan_transfers_close(&ts);
	while (uv_loop_alive(&loop))
		uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0); /* no handle is left */
	forget();
}

static void
on_answer(void *arg, struct gan_response *r)
{
	(void)arg;
	forget();
	got = *r;
	got.head = strdup(r->head);
	got.body = gan_memdup(r->body, r->body_len);
	got.retry_after = r->retry_after != NULL ? strdup(r->retry_after) : NULL;
	answers++;
	uv_stop(&loop); /* else the same turn may go on to wait for events */
}

static void
fill(struct gan_wire *req, const char *base)
{
	req->method = "POST";
	req->body = "{\"a\":1}";
	req->body_len = 7;
	req->connect_ms = 2000;
	req->total_ms = 5000;
	ck_assert_msg(gan_wire_url(req, base, "/x", &err) == 0, "%s", err.msg);
	ck_assert_int_eq(gan_wire_header(req, "Content-Type", "application/json", &err), 0);
	ck_assert_int_eq(
	    gan_wire_secret(req, "Authorization", "Bearer ", "s3cret-token", 12, &err), 0);
}

static void
wait_for(int n)
{
	while (answers < n && uv_run(&loop, UV_RUN_ONCE) != 0)
		;
	ck_assert_int_ge(answers, n);
}

static void
ask(const char *base, int64_t total_ms)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	int before = answers;

	fill(&req, base);
	req.total_ms = total_ms;
	ck_assert_msg(
	    gan_transfer_start(ts, &req, on_answer, NULL, NULL, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(answers, before);
	wait_for(before + 1);
}

static void
serve(const struct peer_req *req, const char *how)
{
	snprintf(seen, sizeof(seen), "%s", req->text);
	if (strcmp(how, "fine") == 0)
		peer_reply(req, 200, "Retry-After: 7 \r\nSet-Cookie: sid=1\r\n",
		    "{\"echo\":\"s3cret-token\"}");
	else if (strcmp(how, "close") == 0)
		peer_hang_up(req);
	else if (strcmp(how, "half") == 0)
		peer_say(req, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"succ");
	else if (strcmp(how, "half-head") == 0)
		peer_say(req, "HTTP/1.1 200 OK\r\nContent-Le");
	else if (strcmp(how, "endless") == 0)
		peer_flood(req, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		    "10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n");
	else if (strcmp(how, "big") == 0)
		peer_say_open(req, "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n");
	else if (strcmp(how, "heads") == 0)
		peer_flood(req, "HTTP/1.1 200 OK\r\n",
		    "X-Pad: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n");
	else if (strcmp(how, "redirect") == 0)
		peer_reply(req, 302, "Location: /elsewhere\r\n", "");
	else if (strcmp(how, "continue") == 0)
		peer_say(req, "HTTP/1.1 100 Continue\r\nRetry-After: 1\r\n\r\n"
			      "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n");
	else if (strcmp(how, "only-100") == 0)
		peer_say(req, "HTTP/1.1 100 Continue\r\n\r\n");
	else if (strcmp(how, "garbage") == 0)
		peer_say(req, "hello\r\n\r\n");
	/* "hang": nothing */
}

static void
on_request(void *arg, const struct peer_req *req)
{
	serve(req, arg);
}

static void
ask_peer(const char *how, int64_t total_ms)
{
	struct peer *p = peer_open(&loop, on_request, (void *)(uintptr_t)how);

	ask(peer_url(p), total_ms);
	peer_close(p);
}

START_TEST(whole_answer)
{
	ask_peer("fine", 5000);
	ck_assert_int_eq(got.sent, GAN_COMPLETE);
	ck_assert_int_eq(got.status, 200);
	ck_assert_str_eq(got.retry_after, "7");
	ck_assert_str_eq(got.error, "");
	ck_assert_msg(strncmp(got.remote, "127.0.0.1:", 10) == 0, "%s", got.remote);
	ck_assert_ptr_nonnull(strstr(seen, "POST /x HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(seen, "Authorization: Bearer s3cret-token\r\n"));
	ck_assert_ptr_null(strstr(seen, "Expect:"));
	ck_assert_ptr_nonnull(strstr(seen, "\r\n\r\n{\"a\":1}"));
	ck_assert_uint_ge(got.bytes_sent, strlen(seen));
	/* What is written down repeats no secret. */
	ck_assert_str_eq(got.body, "{\"echo\":\"************\"}");
	ck_assert_ptr_null(strstr(got.head, "sid=1"));
}
END_TEST

static const struct {
	const char *method;
	bool body;
	const char *length; /* NULL: none is told */
} methods[] = {
	{ "GET", false, NULL },
	{ "DELETE", false, NULL },
	{ "POST", false, "Content-Length: 0\r\n" },
	{ "PUT", false, "Content-Length: 0\r\n" },
	{ "PATCH", false, "Content-Length: 0\r\n" },
	{ "POST", true, "Content-Length: 7\r\n" },
	{ "PUT", true, "Content-Length: 7\r\n" },
	{ "PATCH", true, "Content-Length: 7\r\n" },
	{ "DELETE", true, "Content-Length: 7\r\n" },
};

START_TEST(every_method_with_and_without_a_body)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct peer *p = peer_open(&loop, on_request, (void *)(uintptr_t) "fine");
	char line[64];

	fill(&req, peer_url(p));
	ck_assert_int_eq(gan_wire_query(&req, "t", "s3cret/token", 12, true, &err), 0);
	req.method = methods[_i].method;
	if (!methods[_i].body)
		req.body = NULL;
	ck_assert_int_eq(gan_transfer_start(ts, &req, on_answer, NULL, NULL, &err), 0);
	wait_for(1);
	peer_close(p);
	ck_assert_int_eq(got.sent, GAN_COMPLETE);
	snprintf(line, sizeof(line), "%s /x?t=s3cret%%2Ftoken HTTP/1.1\r\n", methods[_i].method);
	ck_assert_msg(strncmp(seen, line, strlen(line)) == 0, "%s", seen);
	if (methods[_i].length != NULL)
		ck_assert_msg(strstr(seen, methods[_i].length) != NULL, "%s", seen);
	else
		ck_assert_msg(strstr(seen, "Content-Length") == NULL, "%s", seen);
	ck_assert_ptr_null(strstr(seen, "Transfer-Encoding"));
	ck_assert((strstr(seen, "\r\n\r\n{\"a\":1}") != NULL) == methods[_i].body);
}
END_TEST

START_TEST(refused_connection_sent_nothing)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char url[64];

	/* Bound but not listening: nobody else can take the port. */
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(a.sin_port));
	ask(url, 5000);
	close(fd);
	ck_assert_int_eq(got.sent, GAN_NOT_SENT);
	ck_assert_int_eq(got.status, 0);
	ck_assert_ptr_nonnull(strstr(got.error, "no connection: Connection refused: "));
}
END_TEST

START_TEST(tls_failure_sent_nothing)
{
	struct peer *p = peer_open(&loop, on_request, (void *)(uintptr_t) "hang");
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d", peer_port(p));
	ask(url, 300); /* the peer never answers the hello */
	ck_assert_int_eq(got.sent, GAN_NOT_SENT);
	ck_assert_int_eq(peer_requests(p), 0);
	peer_close(p);
}
END_TEST

/* 0.0.0.0 leads to this machine, where somebody would answer, and is not loopback by its name. */
START_TEST(plain_http_stays_on_this_machine)
{
	struct peer *p = peer_open(&loop, on_request, (void *)(uintptr_t) "fine");
	char base[64];

	snprintf(base, sizeof(base), "http://0.0.0.0:%d", peer_port(p));
	ask(base, 5000);
	ck_assert_int_eq(got.sent, GAN_NOT_SENT);
	ck_assert(!got.timed_out);
	ck_assert_int_eq(peer_requests(p), 0);
	peer_close(p);
}
END_TEST

struct ending {
	const char *how;
	int64_t total_ms;
	enum gan_sent sent;
	int status;
	bool cut;
	const char *error;
};

static const struct ending endings[] = {
	{ "close", 5000, GAN_MAYBE_SENT, 0, false, "no answer:" },
	{ "hang", 150, GAN_MAYBE_SENT, 0, false, "no complete answer within 150ms" },
	{ "garbage", 5000, GAN_MAYBE_SENT, 0, false, "no answer:" },
	{ "only-100", 5000, GAN_MAYBE_SENT, 0, false, "no answer:" },
	{ "half", 5000, GAN_UNREADABLE, 200, false, "cut off" },
	{ "half-head", 5000, GAN_UNREADABLE, 200, false, "in its headers" },
	{ "endless", 20000, GAN_UNREADABLE, 200, true, "larger than 1 MiB" },
	{ "big", 5000, GAN_UNREADABLE, 200, true, "larger than 1 MiB" },
	{ "heads", 20000, GAN_UNREADABLE, 200, true, "64 KiB of headers" },
	{ "redirect", 5000, GAN_COMPLETE, 302, false, "" },
	{ "continue", 5000, GAN_COMPLETE, 503, false, "" },
};

START_TEST(endings_are_told_apart)
{
	const struct ending *e = &endings[_i];

	ask_peer(e->how, e->total_ms);
	ck_assert_msg(got.sent == e->sent, "%s: sent %d (%s)", e->how, got.sent, got.error);
	ck_assert_msg(got.status == e->status, "%s: status %d", e->how, got.status);
	ck_assert_msg(got.cut == e->cut, "%s: cut", e->how);
	ck_assert_msg(strstr(got.error, e->error) != NULL, "%s: %s", e->how, got.error);
	ck_assert_uint_le(got.body_len, GAN_RESPONSE_BODY_MAX);
	ck_assert_ptr_null(got.retry_after);
}
END_TEST

START_TEST(a_header_value_cannot_break_out)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };

	ck_assert_int_eq(gan_wire_header(&req, "X-A", "a\r\nX-B: b", &err), GAN_EINVAL);
	ck_assert_int_eq(gan_wire_header(&req, "X A", "a", &err), GAN_EINVAL);
	ck_assert_int_eq(
	    gan_wire_secret(&req, "X-Key", "", "topsecret\0rest", 14, &err), GAN_EINVAL);
	ck_assert_ptr_null(strstr(err.msg, "topsecret"));
	ck_assert_int_eq(gan_wire_secret(&req, "X-Key", "", "top\nsecret", 10, &err), GAN_EINVAL);
	ck_assert_uint_eq(req.nheaders, 0);
}
END_TEST

START_TEST(urls_are_built_from_parts)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };

	ck_assert_int_eq(gan_wire_url(&req, "https://h.example:8443/pre/", "/v1/x", &err), 0);
	ck_assert_str_eq(req.url, "https://h.example:8443/pre/v1/x");
	ck_assert_int_eq(gan_wire_url(&req, "https://h.example", "/v1/x", &err), 0);
	ck_assert_str_eq(req.url, "https://h.example/v1/x");
	ck_assert_int_eq(gan_wire_url(&req, "https://u:p@h.example", "/", &err), GAN_EINVAL);
	ck_assert_int_eq(gan_wire_url(&req, "https://h.example/?q=1", "/", &err), GAN_EINVAL);
	ck_assert_int_eq(gan_wire_url(&req, "https://h.example/#f", "/", &err), GAN_EINVAL);
}
END_TEST

START_TEST(secrets_are_masked_when_written_down)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	fill(&req, "https://h.example");
	gan_wire_describe(&req, &out);
	ck_assert_str_eq(out.data, "POST https://h.example/x\nContent-Type: application/json\n"
				   "Authorization: (masked)\n");
}
END_TEST

static int cancels;

static void
cancel_soon(void *arg, const struct peer_req *req)
{
	(void)req;
	cancels++;
	gan_transfer_cancel(*(struct gan_transfer **)arg);
}

START_TEST(cancelled_after_the_request_left)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_transfer *t = NULL;
	struct peer *p = peer_open(&loop, cancel_soon, &t);

	fill(&req, peer_url(p));
	ck_assert_int_eq(gan_transfer_start(ts, &req, on_answer, NULL, &t, &err), 0);
	wait_for(1);
	ck_assert_int_eq(cancels, 1);
	ck_assert(got.cancelled);
	ck_assert_int_eq(got.sent, GAN_MAYBE_SENT);
	peer_close(p);
}
END_TEST

START_TEST(cancelled_before_anything_left)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_transfer *t = NULL;
	struct peer *p = peer_open(&loop, on_request, (void *)(uintptr_t) "fine");

	fill(&req, peer_url(p));
	ck_assert_int_eq(gan_transfer_start(ts, &req, on_answer, NULL, &t, &err), 0);
	gan_transfer_cancel(t);
	ck_assert_int_eq(answers, 0); /* never from within */
	wait_for(1);
	ck_assert_int_eq(got.sent, GAN_NOT_SENT);
	peer_close(p);
}
END_TEST

/* The first request of a connection is answered, the second kills it. */
static void
once_per_connection(void *arg, const struct peer_req *req)
{
	(void)arg;
	if (req->n % 2 == 0)
		peer_reply(req, 200, "", "{}");
	else
		peer_hang_up(req);
}

START_TEST(nothing_is_repeated_behind_our_back)
{
	struct peer *p = peer_open(&loop, once_per_connection, NULL);

	ask(peer_url(p), 5000);
	ask(peer_url(p), 5000);
	ck_assert_int_eq(got.sent, GAN_MAYBE_SENT);
	ck_assert_int_eq(peer_requests(p), 2);
	ck_assert_int_eq(peer_connections(p), 2); /* each on a fresh one */
	peer_close(p);
}
END_TEST

START_TEST(many_at_once)
{
	struct peer *p = peer_open(&loop, on_request, (void *)(uintptr_t) "fine");

	for (int i = 0; i < 40; i++) {
		struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };

		fill(&req, peer_url(p));
		req.repeatable = i % 2 == 0;
		ck_assert_int_eq(gan_transfer_start(ts, &req, on_answer, NULL, NULL, &err), 0);
	}
	wait_for(40);
	ck_assert_int_eq(peer_requests(p), 40);
	peer_close(p);
}
END_TEST

START_TEST(closing_cuts_silently)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_transfer *t = NULL;
	struct peer *p = peer_open(&loop, on_request, (void *)(uintptr_t) "hang");

	fill(&req, peer_url(p));
	ck_assert_int_eq(gan_transfer_start(ts, &req, on_answer, NULL, &t, &err), 0);
	while (peer_requests(p) == 0)
		uv_run(&loop, UV_RUN_ONCE);
	gan_transfers_close(&ts);
	peer_close(p);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(answers, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("transfer");
	TCase *c = tcase_create("transfer");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, whole_answer);
	tcase_add_loop_test(c, every_method_with_and_without_a_body, 0, (int)GAN_COUNT(methods));
	tcase_add_test(c, refused_connection_sent_nothing);
	tcase_add_test(c, tls_failure_sent_nothing);
	tcase_add_test(c, plain_http_stays_on_this_machine);
	tcase_add_loop_test(c, endings_are_told_apart, 0, (int)GAN_COUNT(endings));
	tcase_add_test(c, a_header_value_cannot_break_out);
	tcase_add_test(c, urls_are_built_from_parts);
	tcase_add_test(c, secrets_are_masked_when_written_down);
	tcase_add_test(c, cancelled_after_the_request_left);
	tcase_add_test(c, cancelled_before_anything_left);
	tcase_add_test(c, nothing_is_repeated_behind_our_back);
	tcase_add_test(c, many_at_once);
	tcase_add_test(c, closing_cuts_silently);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
