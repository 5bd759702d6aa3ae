/* SPDX-License-Identifier: MIT */
/*
 * server.h - an HTTP/1.1 listener inside the libuv loop: libmicrohttpd in
 * external epoll mode, with the cures of pitfalls.md 4.1.
 *
 * It reads whole requests (bounded in size, number and time), refuses each
 * that is not unambiguous, and hands the others to one handler, which answers
 * at once or later; meanwhile the connection is suspended and costs nothing.
 * Loop thread only.  The process must ignore SIGPIPE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "inbound/request.h"

struct gan_server;

struct gan_server_options {
	const char *name; /* for log lines: "public", "admin" */
	const char *host; /* numeric; with port: where to listen when listen_fd is -1 */
	uint16_t port;    /* 0: any free one */
	int listen_fd;    /* a listening socket, taken over (also on failure), or -1 */
	uint64_t max_body;
	uint64_t max_buffered; /* of all bodies that are arriving; of answers, too; 0: 64 MiB */
	unsigned max_connections;
	bool keep_alive;

	/* Absolute deadlines; 0: the default. */
	int64_t head_ms;   /* 5,000: from the first byte expected to the end of the headers */
	int64_t body_ms;   /* 15,000: from there to the end of the body */
	int64_t total_ms;  /* 30,000: for everything but the time that we let it wait */
	int64_t answer_ms; /* 5,000: that a handler may take, then 503 */
	int64_t beat_ms;   /* 250: how often deadlines are looked at */

	/*
	 * Headers are complete and unambiguous, the body is not there yet: may
	 * answer already (the body is then read and thrown away, so that the
	 * answer arrives).  May be NULL.
	 */
	void (*on_head)(void *arg, struct gan_request *r);
	/* The request is complete; answer it now or later. */
	void (*on_request)(void *arg, struct gan_request *r);
	void *arg;
};

/* Strings are copied. */
GAN_MUST_CHECK int gan_server_open(uv_loop_t *loop, const struct gan_server_options *opt,
    struct gan_server **ret_server, struct gan_err *err);

/* The port really bound. */
unsigned gan_server_port(const struct gan_server *s);

/* For requests that begin from now on. */
void gan_server_tune(struct gan_server *s, uint64_t max_body, bool keep_alive);

/*
 * Take no new connection, finish those that are open, then cb on the loop.
 * Shortly before grace_ms those that still wait are answered 503 and the others
 * cut, so that cb comes in time.
 */
void gan_server_drain(struct gan_server *s, int64_t grace_ms, void (*cb)(void *arg), void *arg);

/*
 * Release everything; requests that still wait end.  The loop must run once
 * more before it is closed.
 */
void gan_server_close(struct gan_server **sp);

struct gan_server_stats {
	uint64_t requests;  /* whose headers arrived */
	uint64_t refused;   /* answered with a problem of the client's (4xx) other than 401 */
	uint64_t timed_out; /* client or handler missed a deadline */
	uint64_t starved;   /* times that no file descriptor was left */
	unsigned connections;
};
void gan_server_stats(const struct gan_server *s, struct gan_server_stats *ret);
