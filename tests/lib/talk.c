/* SPDX-License-Identifier: MIT */
/* talk.c - see talk.h. */
#include "talk.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RUN_MS = 20000, READ_MS = 10000, ANSWER_MAX = 1 << 20 };

struct run {
	uv_async_t done;
	uv_timer_t deadline;
	void (*fn)(void *arg);
	void *arg;
	volatile int over;
};

static void
give_up(uv_timer_t *t)
{
	(void)t;
	(void)fprintf(stderr, "talk: nothing happened for %d ms\n", RUN_MS);
	abort();
}

static void
on_done(uv_async_t *a)
{
	((struct run *)a->data)->over = 1;
}

static void *
body(void *p)
{
	struct run *r = p;

	r->fn(r->arg);
	(void)uv_async_send(&r->done);
	return NULL;
}

static void
loop_until(uv_loop_t *loop, struct run *r, const volatile int *flag)
{
	(void)uv_async_init(loop, &r->done, on_done);
	r->done.data = r;
	(void)uv_timer_init(loop, &r->deadline);
	(void)uv_timer_start(&r->deadline, give_up, RUN_MS, 0);
	if (r->fn != NULL) {
		pthread_t t;

		if (pthread_create(&t, NULL, body, r) != 0)
			abort();
		while (!*flag)
			(void)uv_run(loop, UV_RUN_ONCE);
		(void)pthread_join(t, NULL);
	} else {
		while (!*flag)
			(void)uv_run(loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&r->done, NULL);
	uv_close((uv_handle_t *)&r->deadline, NULL);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

void
talk_run(uv_loop_t *loop, void (*fn)(void *arg), void *arg)
{
	struct run r = { .fn = fn, .arg = arg };

	loop_until(loop, &r, &r.over);
}

void
talk_wait(uv_loop_t *loop, const volatile int *flag)
{
	struct run r = { 0 };

	loop_until(loop, &r, flag);
}

int
talk_connect(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval tv = { .tv_sec = READ_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

int
talk_send(int fd, const void *p, size_t n)
{
	return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

char *
talk_read_until(int fd, const char *text)
{
	char *buf = calloc(1, ANSWER_MAX);
	size_t n = 0;

	while (buf != NULL && n + 1 < ANSWER_MAX && (text == NULL || strstr(buf, text) == NULL)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, READ_MS) <= 0)
			break;
		got = recv(fd, buf + n, ANSWER_MAX - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return buf;
}

char *
talk_read_all(int fd)
{
	return talk_read_until(fd, NULL);
}

struct one {
	unsigned port;
	const void *raw;
	size_t n;
	char *answer;
};

static void
one_talk(void *arg)
{
	struct one *o = arg;
	int fd = talk_connect(o->port);

	if (fd < 0)
		return;
	(void)talk_send(fd, o->raw, o->n);
	o->answer = talk_read_all(fd);
	(void)close(fd);
}

char *
talk_n(uv_loop_t *loop, unsigned port, const void *raw, size_t n)
{
	struct one o = { .port = port, .raw = raw, .n = n };

	talk_run(loop, one_talk, &o);
	return o.answer != NULL ? o.answer : calloc(1, 1);
}

char *
talk(uv_loop_t *loop, unsigned port, const char *raw)
{
	return talk_n(loop, port, raw, strlen(raw));
}

int
talk_status(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}
