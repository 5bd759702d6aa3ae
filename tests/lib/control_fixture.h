/* SPDX-License-Identifier: MIT */
/*
 * control_fixture.h - a control socket with a real store and a fake app behind
 * it, and a client that turns the loop while it waits.  For one test program:
 * everything is static.
 */
#pragma once

#include <check.h>
#include <errno.h>
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
#include "base/id.h"
#include "base/mem.h"
#include "json/cj.h"

#define DEADLINE_MS 10000

static uv_loop_t loop;
static char dir[64], sock[96], dbpath[96];
static struct gan_config conf;
static struct gan_conf_connector connector;
static struct gan_store *store;
static struct gan_admin *admin;
static struct gan_admin_ops ops;
static struct gan_err err;
static const char *red, *not_ready;
static int closed;

/* What the fake app was asked. */
static gan_reload_fn reload_cb;
static void *reload_arg;
static int reload_rc;
static bool reload_hangs;
static int64_t remapped;

static inline struct gan_config *
op_conf(void *arg)
{
	(void)arg;
	return &conf;
}

static inline struct gan_rules *
op_rules(void *arg)
{
	(void)arg;
	return NULL;
}

static inline struct gan_pool *
op_pool(void *arg)
{
	(void)arg;
	return NULL;
}

static inline const char *
op_red(void *arg, int64_t *ret_since_ms)
{
	(void)arg;
	*ret_since_ms = 1750000000000;
	return red;
}

static inline const char *
op_not_ready(void *arg)
{
	(void)arg;
	return not_ready;
}

static inline void
op_last_reload(void *arg, int64_t *ret_ms, int *ret_rc, const char **ret_text)
{
	(void)arg;
	*ret_ms = 1750000000000;
	*ret_rc = reload_rc;
	*ret_text = "waste.yaml:3:1: error";
}

static inline int64_t
op_started(void *arg)
{
	(void)arg;
	return 1750000000000;
}

static inline void
op_reload(void *arg, gan_reload_fn cb, void *cb_arg)
{
	(void)arg;
	reload_cb = cb;
	reload_arg = cb_arg;
	if (!reload_hangs)
		cb(cb_arg, reload_rc, reload_rc < 0 ? "waste.yaml:3:1: error" : NULL);
}

static inline void
op_remap(void *arg, int64_t event_id, gan_remap_fn cb, void *cb_arg)
{
	(void)arg;
	remapped = event_id;
	cb(cb_arg, GAN_OK, NULL);
}

static inline void
on_fatal(void *arg, const struct gan_err *why)
{
	(void)arg;
	ck_abort_msg("store: %s", why->msg);
}

static inline void
setup(void)
{
	struct gan_store_options opt = { .path = dbpath,
		.on_fatal = on_fatal,
		.keep_delivered_ms = INT64_C(1) << 40,
		.keep_ignored_ms = INT64_C(1) << 40,
		.keep_rejected_ms = INT64_C(1) << 40,
		.keep_audit_ms = INT64_C(1) << 40 };

	(void)signal(SIGPIPE, SIG_IGN); /* as gantryd does */
	(void)snprintf(dir, sizeof(dir), "/tmp/gantry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(sock, sizeof(sock), "%s/control.sock", dir);
	(void)snprintf(dbpath, sizeof(dbpath), "%s/gantry.db", dir);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_msg(gan_store_open(&loop, &opt, &store, &err) == GAN_OK, "%s", err.msg);
	connector.name = (char *)(uintptr_t) "movilitas";
	conf.site = (char *)(uintptr_t) "porto-1";
	conf.path = (char *)(uintptr_t) "/nonexistent/gantry.yaml";
	conf.control_socket = sock;
	conf.secrets_dir = dir;
	conf.store.path = dbpath;
	conf.mapping.rules = dir;
	conf.connectors = &connector;
	conf.nconnectors = 1;
	conf.generation = 3;
	conf.require_reason = false;
	ops = (struct gan_admin_ops){
		.conf = op_conf,
		.rules = op_rules,
		.pool = op_pool,
		.store = store,
		.rules_red = op_red,
		.not_ready = op_not_ready,
		.last_reload = op_last_reload,
		.started_ms = op_started,
		.reload = op_reload,
		.remap = op_remap,
	};
	ck_assert_msg(gan_admin_open(&loop, &ops, -1, &admin, &err) == GAN_OK, "%s", err.msg);
}

static inline void
count_closed(void *arg)
{
	(void)arg;
	closed++;
}

static inline void
run_until_closed(int n)
{
	int64_t end = gan_mono_ms() + DEADLINE_MS;

	while (closed < n) {
		ck_assert_msg(gan_mono_ms() < end, "not closed in time");
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		(void)poll(NULL, 0, 1);
	}
}

static inline void
admin_shut(void)
{
	closed = 0;
	gan_admin_close(gan_steal(&admin), count_closed, NULL);
	run_until_closed(1);
}

static inline void
teardown(void)
{
	char cmd[128];

	if (admin != NULL)
		admin_shut();
	closed = 0;
	gan_store_close(store, count_closed, NULL);
	run_until_closed(1);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- a client ---- */

static inline int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", sock);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static inline void
say(int fd, const char *text, size_t n)
{
	int64_t end = gan_mono_ms() + DEADLINE_MS;

	while (n > 0) {
		ssize_t k = send(fd, text, n, MSG_NOSIGNAL);

		ck_assert_msg(gan_mono_ms() < end, "cannot send");
		if (k < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		if (k > 0) {
			text += k;
			n -= (size_t)k;
		}
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
}

/* One line without its end, or NULL when the other side hung up. To free(). */
static inline char *
hear(int fd)
{
	int64_t end = gan_mono_ms() + DEADLINE_MS;
	struct gan_buf b = { 0 };

	for (;;) {
		char c;
		ssize_t n = recv(fd, &c, 1, 0);

		ck_assert_msg(gan_mono_ms() < end, "no answer in time");
		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			gan_buf_fini(&b);
			return NULL;
		}
		if (n < 0) {
			(void)uv_run(&loop, UV_RUN_NOWAIT);
			(void)poll(NULL, 0, 1);
			continue;
		}
		if (c == '\n')
			return gan_buf_steal(&b, NULL);
		gan_buf_putc(&b, c);
	}
}

static inline cJSON *
hear_json(int fd)
{
	char *text GAN_AUTO(gan_str_free) = hear(fd);
	cJSON *tree = NULL;

	ck_assert_ptr_nonnull(text);
	ck_assert_msg(
	    gan_cj_parse(text, strlen(text), &tree, &err) == GAN_OK, "%s in %s", err.msg, text);
	return tree;
}

/* Ask on a connection of its own; the answer is the caller's. */
static inline cJSON *
ask(const char *request, int want_exit)
{
	int fd = dial();
	cJSON *r;

	say(fd, request, strlen(request));
	say(fd, "\n", 1);
	r = hear_json(fd);
	ck_assert_msg((int)gan_cj_num(r, "exit", -1) == want_exit, "%s: exit %d, %s", request,
	    (int)gan_cj_num(r, "exit", -1), gan_cj_str(r, "text"));
	(void)close(fd);
	return r;
}

static inline void
refused(const char *request, int want_exit, const char *part)
{
	cJSON *r GAN_AUTO(gan_cj_free) = ask(request, want_exit);
	const char *text = gan_cj_str(r, "text");

	ck_assert_msg(text != NULL && strstr(text, part) != NULL, "%s: %s", request,
	    text != NULL ? text : "no text");
	ck_assert(cJSON_IsNull(gan_cj_get(r, "result")));
}

static inline void
stored(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t event_id)
{
	(void)verdict;
	ck_assert_int_eq(rc, GAN_OK);
	*(int64_t *)arg = event_id;
}

static inline int64_t
store_event(const char *reject)
{
	struct gan_ingest in = { .source = "erp",
		.topic = "order.created",
		.topic_raw = "order.created",
		.meta = "{}",
		.reject = reject,
		.body = gan_memdup("{\n\"n\": 1}", 9),
		.body_len = 9,
		.received_ms = gan_wall_ms() };
	int64_t id = 0, end = gan_mono_ms() + DEADLINE_MS;

	ck_assert_int_eq(gan_store_ingest(store, &in, stored, &id), GAN_OK);
	while (id == 0) {
		ck_assert_msg(gan_mono_ms() < end, "not stored in time");
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	return id;
}
