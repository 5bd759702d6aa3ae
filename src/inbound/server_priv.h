/* SPDX-License-Identifier: MIT */
/* server_priv.h - shared by server*.c and request.c only. */
#pragma once

#include <netinet/in.h>

#include "base/buf.h"
#include "inbound/framing.h"
#include "inbound/server.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

enum { GAN_REMOTE_LEN = INET6_ADDRSTRLEN };

/* A connection, from accept to close: NOTIFY_CONNECTION makes and ends it. */
struct gan_conn {
	struct gan_conn *next, *prev;
	struct gan_server *server;
	struct gan_request *request; /* the one in work */
	int64_t since_ms;            /* when the next request was first waited for */
	int fd;
	bool used; /* had a request before: keep-alive */
	bool cut;  /* shut down by us */
	bool hurried;
	struct MHD_Connection *mhd;
	char remote[GAN_REMOTE_LEN];
};

enum gan_phase {
	GAN_PHASE_HEAD,   /* request line seen */
	GAN_PHASE_BODY,   /* headers good, body arrives */
	GAN_PHASE_WAIT,   /* suspended until somebody answers */
	GAN_PHASE_ANSWER, /* the answer is being sent */
};

struct gan_request {
	struct gan_conn *conn;
	struct MHD_Connection *mhd;
	enum gan_phase phase;
	char *uri; /* ours; the '?' is a NUL */
	const char *query;
	const char *method, *version;
	struct gan_header headers[GAN_HEADERS_MAX];
	size_t nheaders; /* may exceed the array: then refused */
	bool continues;  /* Expect: 100-continue */
	bool keep_alive;
	uint64_t max_body;
	struct gan_buf body;
	uint64_t dropped; /* bytes of the body that were thrown away */
	bool too_large, no_room, suspended, answered;
	int64_t head_done_ms, wait_since_ms, wait_until_ms, waited_ms, queued_ms;
	size_t answer_len;
	struct MHD_Response *response;
	int status;
	void *user;
	void (*on_end)(void *user);
};

struct gan_server {
	uv_loop_t *loop;
	struct gan_server_options opt; /* host is a copy, name too */
	char *name;
	struct MHD_Daemon *daemon;
	int listen_fd; /* also MHD's, until quiesced; then -1 */
	uv_poll_t poll;
	uv_timer_t timer; /* when MHD wants to run */
	uv_timer_t beat;
	uv_timer_t pause; /* out of descriptors: accept again later */
	uv_check_t check; /* with idle: pump in this very turn of the loop */
	uv_idle_t idle;
	unsigned nhandles;     /* not closed yet */
	struct gan_conn conns; /* head of the ring */
	uint64_t buffered;     /* bytes of all bodies */
	uint64_t unsent;       /* bytes of all answers that are not read to their end */
	bool pumping, resumed, starved, paused, closing;
	uint64_t calls, calls_seen; /* of MHD to us; at the last look */
	unsigned still;             /* looks in a row at which nothing had moved */
	bool draining, drained;
	int64_t drain_cut_ms, drain_end_ms; /* those left are answered 503; it is over */
	void (*drain_cb)(void *arg);
	void *drain_arg;
	int64_t logged_ms, starved_logged_ms;
	int64_t crowded_until_ms; /* lately no descriptor was left */
	struct gan_server_stats stats;
};

/* server_listen.c */
GAN_MUST_CHECK int gan_listen_open(
    const char *host, uint16_t port, int *ret_fd, struct gan_err *err);
GAN_MUST_CHECK int gan_listen_adopt(int fd, struct gan_err *err);
unsigned gan_listen_port(int fd);

/* server.c */
void gan_server_schedule(struct gan_server *s); /* pump soon, never inside an MHD callback */
void gan_server_watch(struct gan_server *s);    /* MHD's descriptor, from now on */
unsigned gan_server_connections(const struct gan_server *s);
void gan_server_hurry(struct gan_conn *c); /* one that was cut and is still there */

/* server_limits.c */
bool gan_server_sweep(struct gan_server *s);  /* deadlines, at each beat; true: more beats wanted */
void gan_server_shed(struct gan_server *s);   /* out of file descriptors */
void gan_server_refuse(struct gan_server *s); /* heads that libmicrohttpd refuses badly */
bool gan_server_drain_done(struct gan_server *s);

/* request.c; the void * types are those of microhttpd.h */
void *gan_request_begin(struct gan_conn *conn, const char *uri, struct MHD_Connection *mhd);
int gan_request_step(
    struct gan_request *r, const char *method, const char *version, const char *data, size_t *size);
void gan_request_end(struct gan_request *r);

/* While headers arrive: why libmicrohttpd will refuse those that are there; NULL: it will not. */
const char *gan_request_is_refused(const struct gan_request *r, enum gan_problem *ret_p);

/* Say it past libmicrohttpd, which has not read the request to its end; then cut the connection. */
void gan_request_tell(const struct gan_request *r, enum gan_problem p, const char *detail);
