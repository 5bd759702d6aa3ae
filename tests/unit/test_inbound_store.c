/* SPDX-License-Identifier: MIT */
/* test_inbound_store.c - from the socket to the COMMIT: real config, sockets and database. */
#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/config.h"
#include "conf/yaml.h"
#include "inbound/inbound.h"
#include "lib/talk.h"
#include "json/cj.h"

#define KEY "igw-test-secret"
#define AUTH(token) "Authorization: Bearer " token "\r\nContent-Type: application/json\r\n"
#define ERP AUTH("plant-token-with-some-length")
#define LAB AUTH("lab-token-with-some-length")

enum { MANY = 200 };

static uv_loop_t loop;
static struct gan_store *store;
static struct gan_config *conf;
static struct gan_inbound *inbound;
static struct gan_err err;
static char dir[64];
static int64_t max_bytes;

static void
write_file(const char *name, const char *text)
{
	char path[160];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

static struct gan_config *
load(void)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_config *c = NULL;
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/gantry.yaml", dir);
	ck_assert_msg(gan_config_load(path, true, &c, &d) == GAN_OK, "%s", d.text.data);
	return c;
}

static void
on_fatal(void *arg, const struct gan_err *e)
{
	(void)arg;
	ck_abort_msg("store failed: %s", e->msg);
}

static void
open_all(void)
{
	char path[160];
	struct gan_store_options so = { .path = path,
		.max_bytes = max_bytes,
		.keep_delivered_ms = 1000000000,
		.keep_ignored_ms = 1000000000,
		.keep_rejected_ms = 1000000000,
		.keep_audit_ms = 1000000000,
		.on_fatal = on_fatal };
	struct gan_inbound_options io = { .listen_fd = -1 };

	(void)snprintf(path, sizeof(path), "%s/gantry.db", dir);
	ck_assert_msg(gan_store_open(&loop, &so, &store, &err) == GAN_OK, "%s", err.msg);
	io.store = store;
	io.conf = conf;
	ck_assert_msg(gan_inbound_open(&loop, &io, &inbound, &err) == GAN_OK, "%s", err.msg);
}

static int over;

static void
on_over(void *arg)
{
	(void)arg;
	over = 1;
}

/* In the order of a real stop. */
static void
close_all(void)
{
	over = 0;
	gan_inbound_drain(inbound, 5000, on_over, NULL);
	talk_wait(&loop, &over);
	over = 0;
	gan_store_close(gan_steal(&store), on_over, NULL);
	talk_wait(&loop, &over);
	gan_inbound_close(&inbound);
}

static void
setup(void)
{
	char sub[80];

	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	(void)snprintf(dir, sizeof(dir), "/tmp/gantry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(sub, sizeof(sub), "%s/secrets", dir);
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	write_file("secrets/hook", KEY);
	write_file("secrets/erp", "plant-token-with-some-length\n");
	write_file("secrets/lab", "lab-token-with-some-length\n");
	write_file("gantry.yaml",
	    "version: 1\n"
	    "listen:\n  public: {address: \"127.0.0.1:0\", max_connections: 300}\n"
	    "store: {path: gantry.db, min_free: 0}\n"
	    "sources:\n"
	    "  prodsmart: {kind: prodsmart-webhook, secret: [secret:hook]}\n"
	    "  erp: {kind: http, tokens: [secret:erp]}\n"
	    "  lab: {kind: http, tokens: [secret:lab]}\n");
	conf = load();
	open_all();
}

static void
teardown(void)
{
	char cmd[160];

	close_all();
	gan_config_unref(&conf);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static char *last;

static int
ask(const char *line, const char *headers, const char *body)
{
	char *raw GAN_AUTO(gan_str_free) =
	    gan_asprintf("%s HTTP/1.1\r\nHost: gantry\r\n%sContent-Length: %zu\r\n\r\n%s", line,
		headers, strlen(body), body);

	free(last);
	last = talk(&loop, gan_inbound_port(inbound), raw);
	return talk_status(last);
}

/* The text behind "id":" in the last answer. */
static const char *
last_id(void)
{
	static char id[32];
	const char *at = strstr(last, "\"id\":\"");

	ck_assert_ptr_nonnull(at);
	(void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(at + 6, "\""), at + 6);
	return id;
}

static char *
signed_headers(const char *key, const char *body, const char *more)
{
	struct gan_hmac_key *k = NULL;
	unsigned char mac[GAN_DIGEST_MAX];
	char hex[65];

	ck_assert_int_eq(gan_hmac_key_new(GAN_SHA256, key, strlen(key), &k, NULL), GAN_OK);
	ck_assert_int_eq(gan_hmac(k, body, strlen(body), mac), GAN_OK);
	gan_hmac_key_free(&k);
	gan_hex(mac, 32, hex);
	return gan_asprintf("x-prodsmart-hmac-sha256: %s\r\n%s", hex, more);
}

static int
hook(const char *key, const char *body, const char *more)
{
	char *headers GAN_AUTO(gan_str_free) = signed_headers(key, body, more);

	return ask("POST /hooks/prodsmart", headers, body);
}

static struct gan_store_counts
counts(void)
{
	static struct gan_store_counts c;

	gan_store_counts(store, &c);
	return c;
}

#define SENDING                                                                                    \
	"x-prodsmart-topic: lot_deleted\r\nx-prodsmart-webhook-uuid: u-1\r\n"                      \
	"x-prodsmart-triggered-at: 2026-01-01T00:00:00.000Z\r\n"

START_TEST(repeats_are_known_across_a_restart)
{
	char first[32];

	ck_assert_int_eq(hook(KEY, "{\"id\":111}", SENDING), 200);
	(void)snprintf(first, sizeof(first), "%s", last_id());
	ck_assert_int_eq(hook(KEY, "{\"id\":111}", SENDING), 200);
	ck_assert_ptr_nonnull(strstr(last, "duplicate"));
	ck_assert_str_eq(last_id(), first);
	close_all();
	open_all();
	ck_assert_int_eq(hook(KEY, "{\"id\":111}", SENDING), 200);
	ck_assert_ptr_nonnull(strstr(last, "duplicate"));
	ck_assert_str_eq(last_id(), first);
	ck_assert_int_eq(hook(KEY, "{\"id\":111}", ""), 200);
	ck_assert_str_ne(last_id(), first);
	ck_assert_int_eq(counts().events[GAN_EVENT_RECEIVED], 2);
}
END_TEST

START_TEST(posts_are_idempotent_and_shown_to_their_sender)
{
	char first[32], line[64];

	ck_assert_int_eq(
	    ask("POST /v1/events/erp/order.new", ERP "Idempotency-Key: a\r\n", "{\"n\":1}"), 202);
	(void)snprintf(first, sizeof(first), "%s", last_id());
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/order.new", ERP "Idempotency-Key: a\r\n", "{\"n\":1}"), 202);
	ck_assert_ptr_nonnull(strstr(last, "Idempotent-Replayed: true"));
	ck_assert_str_eq(last_id(), first);
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/order.new", ERP "Idempotency-Key: a\r\n", "{\"n\":2}"), 422);
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/order.old", ERP "Idempotency-Key: a\r\n", "{\"n\":1}"), 422);
	ck_assert_int_eq(
	    ask("POST /v1/events/lab/order.new", LAB "Idempotency-Key: a\r\n", "{\"n\":1}"), 202);
	ck_assert_str_ne(last_id(), first);
	(void)snprintf(line, sizeof(line), "GET /v1/events/%s", first);
	ck_assert_int_eq(ask(line, ERP, ""), 200);
	ck_assert_str_eq(last_id(), first);
	ck_assert_ptr_nonnull(strstr(last, "\"topic\":\"order.new\""));
	ck_assert_int_eq(ask(line, LAB, ""), 404);
	ck_assert_int_eq(ask("GET /v1/events/e0000000000000", ERP, ""), 404);
}
END_TEST

static char quarantined[32];

static void
on_list(void *arg, int rc, const char *json, size_t len)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;

	(void)arg;
	ck_assert_int_eq(rc, GAN_OK);
	ck_assert_int_eq(gan_cj_parse(json, len, &tree, &err), GAN_OK);
	ck_assert_int_eq(cJSON_GetArraySize(tree), 1);
	(void)snprintf(
	    quarantined, sizeof(quarantined), "%s", gan_cj_str(cJSON_GetArrayItem(tree, 0), "id"));
	over = 1;
}

static int verified;

static void
on_row(void *arg, int rc, const struct gan_quarantined *q)
{
	(void)arg;
	ck_assert_int_eq(rc, GAN_OK);
	ck_assert_str_eq(q->source, "prodsmart");
	ck_assert_str_eq(q->topic, "lot.deleted");
	verified =
	    gan_inbound_verify_again(inbound, q->source, q->headers, q->body, q->body_len, &err);
	over = 1;
}

static int
verify_row(int64_t id)
{
	over = 0;
	ck_assert_int_eq(gan_store_quarantine_get(store, id, on_row, NULL), GAN_OK);
	talk_wait(&loop, &over);
	return verified;
}

START_TEST(a_wrong_secret_of_ours_can_be_mended)
{
	struct gan_query q = { .kind = GAN_QUERY_QUARANTINE };
	struct gan_config *next GAN_AUTO(gan_config_unref) = NULL;
	int64_t id;

	ck_assert_int_eq(hook("the real secret of theirs", "{\"id\":111}", SENDING), 401);
	over = 0;
	ck_assert_int_eq(gan_store_query(store, &q, on_list, NULL), GAN_OK);
	talk_wait(&loop, &over);
	ck_assert(gan_id_parse(GAN_ID_QUARANTINE, quarantined, &id));
	ck_assert_int_eq(verify_row(id), GAN_EAUTH);
	write_file("secrets/hook", "the real secret of theirs");
	next = load();
	ck_assert_int_eq(gan_inbound_reload(inbound, next, &err), GAN_OK);
	ck_assert_int_eq(verify_row(id), GAN_OK);
	ck_assert_int_eq(hook("the real secret of theirs", "{\"id\":111}", SENDING), 200);
	ck_assert_ptr_null(strstr(last, "duplicate"));
}
END_TEST

static void
crowd(void *arg)
{
	static int fds[MANY];
	unsigned *good = arg, port = gan_inbound_port(inbound);

	for (int i = 0; i < MANY; i++) {
		char *body = gan_asprintf("{\"id\":%d}", i);
		char *headers = signed_headers(KEY, body, "x-prodsmart-topic: lot_deleted\r\n");
		char *raw = gan_asprintf("POST /hooks/prodsmart HTTP/1.1\r\nHost: a\r\n%s"
					 "Content-Length: %zu\r\n\r\n%s",
		    headers, strlen(body), body);

		fds[i] = talk_connect(port);
		(void)talk_send(fds[i], raw, strlen(raw));
		free(raw);
		free(headers);
		free(body);
	}
	for (int i = 0; i < MANY; i++) {
		char *a = talk_read_all(fds[i]);

		*good += talk_status(a) == 200;
		free(a);
		(void)close(fds[i]);
	}
}

START_TEST(a_crowd_shares_commits)
{
	unsigned good = 0;

	talk_run(&loop, crowd, &good);
	ck_assert_uint_eq(good, MANY);
	ck_assert_int_eq(counts().events[GAN_EVENT_RECEIVED], MANY);
	ck_assert_int_lt(counts().commits, MANY);
}
END_TEST

START_TEST(a_full_store_says_so)
{
	char *body GAN_AUTO(gan_str_free) = gan_asprintf("{\"x\":\"%0100000d\"}", 0);
	int stored = 0, status = 200;

	close_all();
	max_bytes = 1 << 20;
	open_all();
	for (; stored < 100 && status == 200; stored++)
		status = hook(KEY, body, "");
	ck_assert_int_eq(status, 503);
	ck_assert_int_gt(stored, 1);
	ck_assert_int_eq(ask("POST /v1/events/erp/a", ERP, body), 503);
	ck_assert_ptr_nonnull(strstr(last, "Retry-After: 5"));
	ck_assert_int_eq(counts().events[GAN_EVENT_RECEIVED], stored - 1);
	close_all();
	max_bytes = 0;
	open_all();
	ck_assert_int_eq(hook(KEY, body, ""), 200);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("inbound-store");
	TCase *tc = tcase_create("inbound-store");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, repeats_are_known_across_a_restart);
	tcase_add_test(tc, posts_are_idempotent_and_shown_to_their_sender);
	tcase_add_test(tc, a_wrong_secret_of_ours_can_be_mended);
	tcase_add_test(tc, a_crowd_shares_commits);
	tcase_add_test(tc, a_full_store_says_so);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
