/* SPDX-License-Identifier: MIT */
/* test_pool_read.c - rule files are read by another thread, and a close waits for it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "mapping/pool.h"

#define RULE "rule: r\nfrom: erp/*\nto: wms/op\nmap: '{}'\n"

static char dir[64];
static uv_loop_t loop;
static struct gan_pool *pool;
static struct gan_conf_source source;
static struct gan_conf_connector connector;
static struct gan_config conf;

static void
write_file(const char *name, const char *text)
{
	char *path GAN_AUTO(gan_str_free) = gan_asprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void
setup(void)
{
	const struct gan_pool_options opt = { .workers = 1, .timeout_ms = 1000, .memory = 1 << 28 };
	struct gan_err err;

	(void)snprintf(dir, sizeof(dir), "/tmp/gantry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	source = (struct gan_conf_source){ .name = (char *)"erp", .kind = GAN_SOURCE_HTTP };
	connector = (struct gan_conf_connector){ .name = (char *)"wms" };
	conf = (struct gan_config){ .refs = 1,
		.dir = dir,
		.sources = &source,
		.nsources = 1,
		.connectors = &connector,
		.nconnectors = 1 };
	conf.mapping.rules = dir;
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(gan_pool_open(&loop, &opt, &pool, &err), GAN_OK);
}

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

/* Check's own time limit is the deadline. */
static void
run_until(const bool *flag)
{
	while (!*flag)
		(void)uv_run(&loop, UV_RUN_ONCE);
}

static void
teardown(void)
{
	char *cmd GAN_AUTO(gan_str_free) = gan_asprintf("rm -rf '%s'", dir);
	bool closed = false;

	if (pool != NULL) {
		gan_pool_close(pool, on_closed, &closed);
		run_until(&closed);
	}
	pool = NULL;
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	ck_assert_uint_eq(conf.refs, 1);
	ck_assert_int_eq(system(cmd), 0);
}

static int
knows(const struct gan_conf_connector *c, const char *operation, bool set, enum gan_on_unknown how,
    struct gan_err *err)
{
	(void)c;
	(void)operation;
	(void)set;
	(void)how;
	(void)err;
	return GAN_OK;
}

static const struct gan_rule_checks checks = { .knows = knows };

static uv_sem_t loop_turned;

/* Called while the rules are read: goes on only if the loop does. */
static int
knows_when_loop_turns(const struct gan_conf_connector *c, const char *operation, bool set,
    enum gan_on_unknown how, struct gan_err *err)
{
	uv_sem_wait(&loop_turned);
	return knows(c, operation, set, how, err);
}

static const struct gan_rule_checks checks_when_loop_turns = { .knows = knows_when_loop_turns };

static void
on_turn(uv_timer_t *t)
{
	uv_sem_post(&loop_turned);
	uv_close((uv_handle_t *)t, NULL);
}

struct reading {
	bool done;
	int rc;
	size_t nrules;
	char first[512];
};

static void
on_read(void *arg, int rc, struct gan_rules *set, struct gan_diags *d)
{
	struct reading *r = arg;

	ck_assert(!r->done);
	r->done = true;
	r->rc = rc;
	r->nrules = set != NULL ? set->nrules : 0;
	memcpy(r->first, d->first, sizeof(r->first));
}

START_TEST(reading_does_not_hold_the_loop)
{
	struct reading r = { 0 };
	uv_timer_t timer;

	write_file("r.yaml", RULE);
	ck_assert_int_eq(uv_sem_init(&loop_turned, 0), 0);
	ck_assert_int_eq(
	    gan_pool_read(pool, &conf, &checks_when_loop_turns, NULL, 0, on_read, &r), GAN_OK);
	ck_assert(!r.done);
	ck_assert_int_eq(uv_timer_init(&loop, &timer), 0);
	ck_assert_int_eq(uv_timer_start(&timer, on_turn, 20, 0), 0);
	run_until(&r.done);
	ck_assert_int_eq(r.rc, GAN_OK);
	ck_assert_uint_eq(r.nrules, 1);
	ck_assert_uint_eq(conf.refs, 1);
	uv_sem_destroy(&loop_turned);
}
END_TEST

START_TEST(reading_tells_what_is_wrong)
{
	struct reading r = { 0 };
	char *blob = gan_asprintf("no packed set");

	write_file("r.yaml", "rule: [\n");
	ck_assert_int_eq(gan_pool_read(pool, &conf, &checks, NULL, 0, on_read, &r), GAN_OK);
	run_until(&r.done);
	ck_assert_int_eq(r.rc, GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(r.first, "r.yaml:"));
	r.done = false;
	ck_assert_int_eq(gan_pool_read(pool, &conf, &checks, &blob, 13, on_read, &r), GAN_OK);
	ck_assert_ptr_null(blob);
	run_until(&r.done);
	ck_assert_int_eq(r.rc, GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(r.first, "packed"));
}
END_TEST

static void
on_config(void *arg, int rc, struct gan_config *c, struct gan_diags *d)
{
	struct reading *r = arg;

	ck_assert(!r->done);
	r->done = true;
	r->rc = rc;
	ck_assert_int_eq(c != NULL, rc == GAN_OK);
	memcpy(r->first, d->first, sizeof(r->first));
}

START_TEST(the_configuration_likewise)
{
	char *path GAN_AUTO(gan_str_free) = gan_asprintf("%s/gantry.yaml", dir);
	struct reading r = { 0 };

	ck_assert_int_eq(gan_pool_read_config(pool, path, on_config, &r), GAN_OK);
	ck_assert(!r.done);
	run_until(&r.done);
	ck_assert_int_eq(r.rc, GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(r.first, "cannot be read"));
	write_file("gantry.yaml", "version: 1\nsite: [\n");
	r.done = false;
	ck_assert_int_eq(gan_pool_read_config(pool, path, on_config, &r), GAN_OK);
	run_until(&r.done);
	ck_assert_int_eq(r.rc, GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(r.first, "gantry.yaml:"));
}
END_TEST

START_TEST(a_close_waits_for_reading)
{
	struct reading r = { 0 };
	bool closed = false;
	uv_timer_t timer;

	write_file("r.yaml", RULE);
	ck_assert_int_eq(uv_sem_init(&loop_turned, 0), 0);
	ck_assert_int_eq(
	    gan_pool_read(pool, &conf, &checks_when_loop_turns, NULL, 0, on_read, &r), GAN_OK);
	gan_pool_close(pool, on_closed, &closed);
	for (int i = 0; i < 3; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert(!closed);
	ck_assert_int_eq(uv_timer_init(&loop, &timer), 0);
	ck_assert_int_eq(uv_timer_start(&timer, on_turn, 0, 0), 0);
	run_until(&closed);
	ck_assert(r.done);
	ck_assert_int_eq(r.rc, GAN_EGONE);
	pool = NULL;
	uv_sem_destroy(&loop_turned);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pool_read");
	TCase *tc = tcase_create("thread");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reading_does_not_hold_the_loop);
	tcase_add_test(tc, reading_tells_what_is_wrong);
	tcase_add_test(tc, the_configuration_likewise);
	tcase_add_test(tc, a_close_waits_for_reading);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
