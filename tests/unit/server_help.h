/* SPDX-License-Identifier: MIT */
/* server_help.h - a listener with a handler that answers now, later, or when it is told to. */
#pragma once

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "inbound/server.h"
#include "lib/talk.h"

#define HOST "Host: gantry\r\n"

enum { MANY = 400, WAITING_MAX = 512 };

static uv_loop_t loop;
static struct gan_server *server;
static struct gan_err err;

/* What the handler saw. */
static unsigned seen, ended;
static struct gan_request *waiting[WAITING_MAX];
static size_t nwaiting;
static uv_timer_t later;
static int64_t patience_ms; /* that a handler asks for */

static inline void
on_end(void *user)
{
	ended++;
	for (size_t i = 0; i < nwaiting; i++)
		if (waiting[i] == user)
			waiting[i] = NULL;
}

static inline void
answer(struct gan_request *r)
{
	size_t n;
	const char *body = gan_request_body(r, &n);

	(void)gan_request_answer(
	    r, &(struct gan_answer){ .status = 200, .type = "text/plain", .body = body, .len = n });
}

static inline void
answer_all(void)
{
	for (size_t i = 0; i < nwaiting; i++)
		if (waiting[i] != NULL)
			answer(waiting[i]);
}

static inline void
on_later(uv_timer_t *t)
{
	(void)t;
	answer_all();
}

static inline void
on_head(void *arg, struct gan_request *r)
{
	(void)arg;
	if (strcmp(gan_request_path(r), "/early") == 0)
		(void)gan_request_problem(r, GAN_PROBLEM_NOT_FOUND, 0, "not here");
}

/* /now echoes the body, /later waits for the timer, /wait for the test, the rest is 404. */
static inline void
on_request(void *arg, struct gan_request *r)
{
	const char *path = gan_request_path(r);

	(void)arg;
	seen++;
	if (strcmp(path, "/now") == 0) {
		answer(r);
	} else if (strcmp(path, "/later") == 0 || strcmp(path, "/wait") == 0) {
		ck_assert_uint_lt(nwaiting, WAITING_MAX);
		waiting[nwaiting++] = r;
		gan_request_set_user(r, r, on_end);
		if (patience_ms > 0)
			gan_request_wait(r, gan_mono_ms() + patience_ms);
		if (path[1] == 'l')
			(void)uv_timer_start(&later, on_later, 20, 0);
	} else {
		(void)gan_request_problem(r, GAN_PROBLEM_NOT_FOUND, 0, "not here");
	}
}

static struct gan_server_options opt;

static inline void
start(void)
{
	ck_assert_msg(gan_server_open(&loop, &opt, &server, &err) == GAN_OK, "%s", err.msg);
}

static inline void
setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(uv_timer_init(&loop, &later), 0);
	opt = (struct gan_server_options){ .name = "test",
		.host = "127.0.0.1",
		.listen_fd = -1,
		.max_body = 1000,
		.max_connections = 64,
		.beat_ms = 20,
		.on_head = on_head,
		.on_request = on_request };
}

static inline void
teardown(void)
{
	gan_server_close(&server);
	uv_close((uv_handle_t *)&later, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static inline int
status_of(const char *raw)
{
	char *a GAN_AUTO(gan_str_free) = talk(&loop, gan_server_port(server), raw);

	return talk_status(a);
}
