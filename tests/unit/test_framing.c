/* SPDX-License-Identifier: MIT */
/* test_framing.c - every request that could be cut in two ways is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "inbound/framing.h"

enum { LINES = 8 };

struct sample {
	const char *method, *uri, *version;
	const char *lines[LINES][2];
	int status;
};

#define HOST                                                                                       \
	{                                                                                          \
		"Host", "gantry.example.com"                                                       \
	}
#define JSON                                                                                       \
	{                                                                                          \
		"Content-Type", "application/json"                                                 \
	}

static const struct sample samples[] = {
	{ "POST", "/hooks/a", "HTTP/1.1", { HOST, JSON, { "Content-Length", "10" } }, 0 },
	{ "POST", "/hooks/a", "HTTP/1.1", { HOST, { "Transfer-Encoding", "chunked" } }, 0 },
	{ "POST", "/hooks/a", "HTTP/1.1", { HOST, { "Transfer-Encoding", " Chunked" } }, 0 },
	{ "GET", "/healthz", "HTTP/1.0", { { "Accept", "*/*" } }, 0 },
	{ "GET", "/v1/events/e1?x=%20", "HTTP/1.1", { HOST }, 0 },
	{ "GET", "/", "HTTP/1.1", { { "Host", "[::1]:8480" } }, 0 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "Via", "a" }, { "Via", "b" } }, 0 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "Expect", "100-continue" } }, 0 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "X-A", "\tcaf\xc3\xa9 " } }, 0 },
	/* Host */
	{ "GET", "/", "HTTP/1.1", { { "Accept", "*/*" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { HOST, HOST }, 400 },
	{ "GET", "/", "HTTP/1.0", { HOST, { "host", "other" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { { "Host", "" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { { "Host", "a, b" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { { "Host", "a/b" } }, 400 },
	/* length and coding */
	{ "POST", "/", "HTTP/1.1",
	    { HOST, { "Content-Length", "3" }, { "Transfer-Encoding", "chunked" } }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "3" }, { "content-length", "3" } },
	    400 },
	{ "POST", "/", "HTTP/1.1",
	    { HOST, { "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "chunked" } }, 400 },
	{ "POST", "/", "HTTP/1.0", { { "Transfer-Encoding", "chunked" } }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Transfer-Encoding", "gzip" } }, 501 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Transfer-Encoding", "gzip, chunked" } }, 501 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Transfer-Encoding", "chunked " } }, 501 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Transfer-Encoding", "chunked, identity" } }, 501 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Transfer-Encoding", "" } }, 501 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "" } }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "+3" } }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "-3" } }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "3, 3" } }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "0x3" } }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "99999999999999999999" } }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "1025" } }, 413 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Length", "1024" } }, 0 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Encoding", "gzip" } }, 415 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Content-Encoding", "identity" } }, 415 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "Expect", "something" } }, 417 },
	/* others that count must be alone */
	{ "POST", "/", "HTTP/1.1", { HOST, JSON, JSON }, 400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Authorization", "a" }, { "AUTHORIZATION", "b" } },
	    400 },
	{ "POST", "/", "HTTP/1.1", { HOST, { "Idempotency-Key", "a" }, { "Idempotency-Key", "a" } },
	    400 },
	{ "POST", "/", "HTTP/1.1",
	    { HOST, { "x-prodsmart-hmac-sha256", "a" }, { "X-Prodsmart-Hmac-Sha256", "b" } }, 400 },
	{ "POST", "/", "HTTP/1.1",
	    { HOST, { "x-prodsmart-topic", "a" }, { "x-prodsmart-topic", "b" } }, 400 },
	/* names and values */
	{ "GET", "/", "HTTP/1.1", { HOST, { "", "x" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "Content-Length ", "3" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "X\tA", "3" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "X(A)", "3" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "X-A", "a\rb" } }, 400 },
	{ "GET", "/", "HTTP/1.1", { HOST, { "X-A", "a\x7f" } }, 400 },
	/* target, version, method */
	{ "GET", "http://a/healthz", "HTTP/1.1", { HOST }, 400 },
	{ "OPTIONS", "*", "HTTP/1.1", { HOST }, 400 },
	{ "GET", "/hooks/%61", "HTTP/1.1", { HOST }, 400 },
	{ "GET", "/a%00b", "HTTP/1.1", { HOST }, 400 },
	{ "GET", "/a b", "HTTP/1.1", { HOST }, 400 },
	{ "GET", "/a\\b", "HTTP/1.1", { HOST }, 400 },
	{ "GET", "/a#b", "HTTP/1.1", { HOST }, 400 },
	{ "GET", "/caf\xc3\xa9", "HTTP/1.1", { HOST }, 400 },
	{ "GET", "/", "HTTP/1.2", { HOST }, 400 },
	{ "GET", "/", "HTTP/2.0", { HOST }, 400 },
	{ "GET", "/", "", { HOST }, 400 },
	{ "G(T", "/", "HTTP/1.1", { HOST }, 400 },
};

static struct gan_framing
run(const struct sample *c)
{
	struct gan_header headers[LINES] = { 0 };
	struct gan_framing_in in = { c->method, c->uri, c->version, headers, 0, 1024, false };
	struct gan_framing out;

	for (; in.nheaders < LINES && c->lines[in.nheaders][0] != NULL; in.nheaders++) {
		headers[in.nheaders].name = c->lines[in.nheaders][0];
		headers[in.nheaders].value = c->lines[in.nheaders][1];
	}
	gan_framing_check(&in, &out);
	return out;
}

START_TEST(matrix)
{
	for (size_t i = 0; i < GAN_COUNT(samples); i++) {
		struct gan_framing f = run(&samples[i]);

		ck_assert_msg(f.status == samples[i].status, "case %zu: %d, not %d (%s)", i,
		    f.status, samples[i].status, f.detail);
		ck_assert_msg((f.status == 0) == (f.detail[0] == '\0'), "case %zu", i);
	}
}
END_TEST

START_TEST(length_and_coding_are_told)
{
	struct gan_framing f = run(&samples[0]);

	ck_assert(f.has_length);
	ck_assert_uint_eq(f.length, 10);
	f = run(&samples[1]);
	ck_assert(f.chunked);
	ck_assert(!f.has_length);
}
END_TEST

START_TEST(tangled_and_many)
{
	struct gan_header headers[GAN_HEADERS_MAX + 1];
	struct gan_framing_in in = { "GET", "/", "HTTP/1.1", headers, 2, 1024, false };
	struct gan_framing f;
	char uri[3000];

	for (size_t i = 0; i < GAN_COUNT(headers); i++)
		headers[i] = (struct gan_header){ .name = "X-A", .value = "1" };
	headers[0] = (struct gan_header){ .name = "Host", .value = "a" };
	gan_framing_check(&in, &f);
	ck_assert_int_eq(f.status, 0);
	in.tangled = true;
	gan_framing_check(&in, &f);
	ck_assert_int_eq(f.status, 400);
	in.tangled = false;
	headers[1].value = NULL;
	gan_framing_check(&in, &f);
	ck_assert_int_eq(f.status, 0);
	in.nheaders = GAN_COUNT(headers);
	gan_framing_check(&in, &f);
	ck_assert_int_eq(f.status, 431);
	in.nheaders = 2;
	memset(uri, '/', sizeof(uri) - 1);
	uri[sizeof(uri) - 1] = '\0';
	in.uri = uri;
	gan_framing_check(&in, &f);
	ck_assert_int_eq(f.status, 414);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("framing");
	TCase *tc = tcase_create("framing");

	tcase_add_test(tc, matrix);
	tcase_add_test(tc, length_and_coding_are_told);
	tcase_add_test(tc, tangled_and_many);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
