/* SPDX-License-Identifier: MIT */
/*
 * test_admin_parts.c - the admin listener, and quarantine acceptance with the
 * real inbound part and the real store.
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/inbound.h"
#include "json/cj.h"

#define DEADLINE_MS 10000
#define SECRET "0123456789abcdef0123456789abcdef"

static uv_loop_t loop;
static char dir[64], sock[96], dbpath[96];
static struct gan_config *conf;
static struct gan_store *store;
static struct gan_inbound *inbound;
static struct gan_admin *admin;
static struct gan_err err;
static int closed;

static struct gan_config *
op_conf(void *arg)
{
	(void)arg;
	return conf;
}

static struct gan_rules *
op_rules(void *arg)
{
	(void)arg;
	return NULL;
}

static struct gan_pool *
op_pool(void *arg)
{
	(void)arg;
	return NULL;
}

static const char *
op_red(void *arg, int64_t *ret_since_ms)
{
	(void)arg;
	*ret_since_ms = 0;
	return NULL;
}

static const char *
op_not_ready(void *arg)
{
	(void)arg;
	return NULL;
}

static void
op_last_reload(void *arg, int64_t *ret_ms, int *ret_rc, const char **ret_text)
{
	(void)arg;
	*ret_ms = 0;
	*ret_rc = 0;
	*ret_text = NULL;
}

static int64_t
op_started(void *arg)
{
	(void)arg;
	return 1750000000000;
}

static void
on_fatal(void *arg, const struct gan_err *why)
{
	(void)arg;
	ck_abort_msg("store: %s", why->msg);
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fchmod(fileno(f), mode), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void
load_conf(void)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	char path[128], text[1024];

	(void)snprintf(text, sizeof(text),
	    "version: 1\nsite: test\nsecrets: .\n"
	    "listen:\n  public: {address: \"127.0.0.1:0\"}\n  admin: {address: \"127.0.0.1:0\"}\n"
	    "  control: {socket: %s}\n"
	    "store: {path: %s}\n"
	    "sources:\n  prodsmart: {kind: prodsmart-webhook, secret: [secret:hook]}\n",
	    sock, dbpath);
	write_file("hook", SECRET, 0600);
	write_file("gantry.yaml", text, 0600);
	(void)snprintf(path, sizeof(path), "%s/rules.d", dir);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof(path), "%s/gantry.yaml", dir);
	ck_assert_msg(gan_config_load(path, true, &conf, &d) == GAN_OK, "%s", d.text.data);
}

static void
setup(void)
{
	struct gan_store_options opt = { .path = dbpath,
		.on_fatal = on_fatal,
		.keep_delivered_ms = INT64_C(1) << 40,
		.keep_ignored_ms = INT64_C(1) << 40,
		.keep_rejected_ms = INT64_C(1) << 40,
		.keep_audit_ms = INT64_C(1) << 40 };
	struct gan_inbound_options in_opt = { .listen_fd = -1, .not_ready = op_not_ready };
	struct gan_admin_ops ops = {
		.conf = op_conf,
		.rules = op_rules,
		.pool = op_pool,
		.rules_red = op_red,
		.not_ready = op_not_ready,
		.last_reload = op_last_reload,
		.started_ms = op_started,
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(dir, sizeof(dir), "/tmp/gantry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(sock, sizeof(sock), "%s/control.sock", dir);
	(void)snprintf(dbpath, sizeof(dbpath), "%s/gantry.db", dir);
	load_conf();
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_msg(gan_store_open(&loop, &opt, &store, &err) == GAN_OK, "%s", err.msg);
	in_opt.conf = conf;
	in_opt.store = store;
	ck_assert_msg(gan_inbound_open(&loop, &in_opt, &inbound, &err) == GAN_OK, "%s", err.msg);
	ops.store = store;
	ops.inbound = inbound;
	ck_assert_msg(gan_admin_open(&loop, &ops, -1, &admin, &err) == GAN_OK, "%s", err.msg);
}

static void
count_closed(void *arg)
{
	(void)arg;
	closed++;
}

static void
turn(int64_t end, const char *what)
{
	ck_assert_msg(gan_mono_ms() < end, "not in time: %s", what);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	(void)poll(NULL, 0, 1);
}

static void
run_until_closed(void)
{
	int64_t end = gan_mono_ms() + DEADLINE_MS;

	while (closed == 0)
		turn(end, "close");
	closed = 0;
}

static void
teardown(void)
{
	char cmd[128];

	gan_admin_close(gan_steal(&admin), count_closed, NULL);
	run_until_closed();
	gan_inbound_drain(inbound, 0, count_closed, NULL);
	run_until_closed();
	gan_inbound_close(&inbound);
	gan_store_close(store, count_closed, NULL);
	run_until_closed();
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	gan_config_unref(&conf);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- a client: text out, text in until the other side closes or a line ends ---- */

static char *
talk(const struct sockaddr *sa, socklen_t len, const char *text, bool line)
{
	int64_t end = gan_mono_ms() + DEADLINE_MS;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct gan_buf b = { 0 };
	char chunk[4096];

	ck_assert_int_eq(connect(fd, sa, len), 0);
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	for (;;) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n > 0)
			gan_buf_put(&b, chunk, (size_t)n);
		if (n == 0 || (line && b.len > 0 && b.data[b.len - 1] == '\n'))
			break;
		if (n < 0)
			turn(end, text);
	}
	(void)close(fd);
	return gan_buf_steal(&b, NULL);
}

static cJSON *
ask(const char *request, int want_exit)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char *text GAN_AUTO(gan_str_free) = NULL;
	char *line GAN_AUTO(gan_str_free) = gan_asprintf("%s\n", request);
	cJSON *r = NULL;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", sock);
	text = talk((struct sockaddr *)&sun, sizeof(sun), line, true);
	ck_assert_msg(gan_cj_parse(text, strlen(text), &r, &err) == GAN_OK, "%s", text);
	ck_assert_msg((int)gan_cj_num(r, "exit", -1) == want_exit, "%s", text);
	return r;
}

static unsigned
admin_port(void)
{
	cJSON *r GAN_AUTO(gan_cj_free) = ask("{\"verb\":\"status\"}", 0);
	const char *at = gan_cj_str(gan_cj_get(gan_cj_get(r, "result"), "listen"), "admin");

	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(strncmp(at, "127.0.0.1:", 10), 0);
	return (unsigned)strtoul(at + 10, NULL, 10);
}

static char *
http(const char *method, const char *path)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)admin_port()) };
	char request[256];

	(void)snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
	    method, path, strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
	return talk((struct sockaddr *)&sin, sizeof(sin), request, false);
}

static void
expect(const char *method, const char *path, const char *first, const char *part)
{
	char *text GAN_AUTO(gan_str_free) = http(method, path);

	ck_assert_msg(strncmp(text, first, strlen(first)) == 0, "%s: %s", path, text);
	ck_assert_msg(strstr(text, part) != NULL, "%s: no '%s' in %s", path, part, text);
}

START_TEST(the_admin_listener_only_reads)
{
	expect("GET", "/healthz", "HTTP/1.1 200 ", "\r\n\r\nok\n");
	expect("GET", "/metrics", "HTTP/1.1 200 ", "\ngantry_ready 1\n");
	expect("GET", "/metrics", "HTTP/1.1 200 ", "text/plain; version=0.0.4");
	expect("GET", "/admin/v1/status", "HTTP/1.1 200 ", "\"site\":\"test\"");
	expect("POST", "/metrics", "HTTP/1.1 405 ", "GET, HEAD");
	expect("GET", "/metrics/", "HTTP/1.1 404 ", "problem+json");
	expect("GET", "/", "HTTP/1.1 404 ", "/metrics");
}
END_TEST

/* ---- quarantine ---- */

static void
quarantine(const char *body, const char *secret, const char *uuid)
{
	struct gan_hmac_key *key = NULL;
	unsigned char mac[GAN_DIGEST_MAX];
	char hex[2 * GAN_DIGEST_MAX + 1], headers[400];
	struct gan_quarantine q = { .source = "prodsmart",
		.topic = "unknown",
		.headers = headers,
		.why = "wrong signature",
		.remote = "192.0.2.1",
		.body = body,
		.body_len = strlen(body),
		.received_ms = 1763750000000 };

	ck_assert_int_eq(gan_hmac_key_new(GAN_SHA256, secret, strlen(secret), &key, &err), GAN_OK);
	ck_assert_int_eq(gan_hmac(key, body, strlen(body), mac), GAN_OK);
	gan_hmac_key_free(&key);
	gan_hex(mac, GAN_SHA256_LEN, hex);
	(void)snprintf(headers, sizeof(headers),
	    "{\"x-prodsmart-hmac-sha256\":\"%s\",\"x-prodsmart-webhook-uuid\":\"%s\","
	    "\"x-prodsmart-triggered-at\":\"2026-11-21T10:00:00Z\"}",
	    hex, uuid);
	ck_assert_int_eq(gan_store_quarantine(store, &q), GAN_OK);
}

static int
count_of(const char *verb)
{
	char request[64];
	cJSON *r GAN_AUTO(gan_cj_free) = NULL;

	(void)snprintf(request, sizeof(request), "{\"verb\":\"%s\"}", verb);
	r = ask(request, 0);
	return cJSON_GetArraySize(gan_cj_get(r, "result"));
}

START_TEST(what_fits_now_is_taken_in)
{
	cJSON *r;
	const cJSON *rows, *e;
	char request[256], *event;

	quarantine("{\"notification\":\"production/update\",\"id\":1}", SECRET, "u1");
	quarantine("{\"id\":2}", "another secret, not ours", "u2");
	quarantine("not json", SECRET, "u3");
	ck_assert_int_eq(count_of("quarantine list"), 3);

	r = ask("{\"verb\":\"quarantine accept\",\"args\":{\"all\":true,\"plan\":true}}", 0);
	rows = gan_cj_get(r, "result");
	ck_assert_int_eq(cJSON_GetArraySize(rows), 3);
	ck_assert(gan_cj_true(cJSON_GetArrayItem(rows, 0), "matches"));
	ck_assert(cJSON_IsFalse(gan_cj_get(cJSON_GetArrayItem(rows, 1), "matches")));
	ck_assert(gan_cj_true(cJSON_GetArrayItem(rows, 2), "matches"));
	cJSON_Delete(r);
	ck_assert_int_eq(count_of("quarantine list"), 3);
	ck_assert_int_eq(count_of("events list"), 0);

	r = ask(
	    "{\"verb\":\"quarantine accept\",\"args\":{\"all\":true},\"reason\":\"mended\"}", 0);
	rows = gan_cj_get(r, "result");
	ck_assert(gan_cj_true(cJSON_GetArrayItem(rows, 0), "accepted"));
	event = gan_asprintf("%s", gan_cj_str(cJSON_GetArrayItem(rows, 0), "event"));
	ck_assert(cJSON_IsFalse(gan_cj_get(cJSON_GetArrayItem(rows, 1), "accepted")));
	cJSON_Delete(r);
	ck_assert_int_eq(count_of("quarantine list"), 1);
	ck_assert_int_eq(count_of("events list"), 2);
	ck_assert_int_eq(count_of("audit"), 2);

	(void)snprintf(request, sizeof(request),
	    "{\"verb\":\"show\",\"args\":{\"text\":\"%s\",\"bodies\":true}}", event);
	free(event);
	r = ask(request, 0);
	e = cJSON_GetArrayItem(gan_cj_get(gan_cj_get(r, "result"), "events"), 0);
	ck_assert_str_eq(gan_cj_str(e, "topic"), "production.updated");
	ck_assert_str_eq(gan_cj_str(e, "received_at"), "2025-11-21T18:33:20.000Z");
	ck_assert_str_eq(gan_cj_str(gan_cj_get(e, "meta"), "webhook_uuid"), "u1");
	cJSON_Delete(r);
	r = ask("{\"verb\":\"events list\",\"args\":{\"state\":\"rejected\"}}", 0);
	ck_assert_int_eq(cJSON_GetArraySize(gan_cj_get(r, "result")), 1);
	cJSON_Delete(r);
}
END_TEST

START_TEST(one_sending_is_taken_in_once)
{
	cJSON *r;
	const cJSON *rows;

	quarantine("{\"id\":1}", SECRET, "u1");
	/* In quotes, as a webhook that is accepted at once may carry it: the same name. */
	quarantine("{\"id\":1}", SECRET, "\\\"u1\\\"");
	quarantine("{\"id\":1}", SECRET, "u2");
	ck_assert_int_eq(count_of("quarantine list"), 3);
	r = ask("{\"verb\":\"quarantine accept\",\"args\":{\"all\":true}}", 0);
	rows = gan_cj_get(r, "result");
	ck_assert(cJSON_IsFalse(gan_cj_get(cJSON_GetArrayItem(rows, 0), "duplicate")));
	ck_assert(gan_cj_true(cJSON_GetArrayItem(rows, 1), "duplicate"));
	ck_assert(cJSON_IsFalse(gan_cj_get(cJSON_GetArrayItem(rows, 2), "duplicate")));
	cJSON_Delete(r);
	ck_assert_int_eq(count_of("quarantine list"), 0);
	ck_assert_int_eq(count_of("events list"), 2);
}
END_TEST

START_TEST(a_row_that_is_gone_is_a_negative_answer)
{
	char id[GAN_ID_LEN], request[128];
	cJSON *r;

	(void)snprintf(request, sizeof(request),
	    "{\"verb\":\"quarantine accept\",\"args\":{\"ids\":[\"%s\"]}}",
	    gan_id_format(GAN_ID_QUARANTINE, 4711, id));
	r = ask(request, 1);
	ck_assert_ptr_nonnull(strstr(
	    gan_cj_str(cJSON_GetArrayItem(gan_cj_get(r, "result"), 0), "reason"), "no such row"));
	cJSON_Delete(r);
	cJSON_Delete(ask("{\"verb\":\"quarantine accept\",\"args\":{\"ids\":[\"e1\"]}}", 64));
	cJSON_Delete(ask("{\"verb\":\"quarantine accept\",\"args\":{}}", 64));
}
END_TEST

START_TEST(the_doctor_names_what_is_wrong)
{
	char path[128];
	cJSON *r;
	const cJSON *item;
	bool found = false;

	(void)snprintf(path, sizeof(path), "%s/hook", dir);
	ck_assert_int_eq(chmod(path, 0644), 0);
	r = ask("{\"verb\":\"doctor\"}", 1);
	cJSON_ArrayForEach(item, gan_cj_get(r, "result"))
	{
		ck_assert_ptr_nonnull(gan_cj_str(item, "action"));
		found = found || (strcmp(gan_cj_str(item, "check"), "secrets") == 0 &&
				     strstr(gan_cj_str(item, "finding"),
					 "/hook can be read by every user") != NULL);
	}
	ck_assert(found);
	cJSON_Delete(r);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("admin_parts");
	TCase *tc = tcase_create("parts");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_admin_listener_only_reads);
	tcase_add_test(tc, what_fits_now_is_taken_in);
	tcase_add_test(tc, one_sending_is_taken_in_once);
	tcase_add_test(tc, a_row_that_is_gone_is_a_negative_answer);
	tcase_add_test(tc, the_doctor_names_what_is_wrong);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
