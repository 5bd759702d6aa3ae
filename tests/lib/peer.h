/* SPDX-License-Identifier: MIT */
/*
 * peer.h - a scripted HTTP server on the test's own loop: each whole request
 * goes to a function that answers as badly as the test wants.
 */
#pragma once

#include <stddef.h>
#include <uv.h>

struct peer;
struct peer_req {
	struct peer *peer;
	struct peer_conn *conn;
	const char *text; /* head and body as received */
	size_t len;
	int n; /* 0 for the first request of this peer */
};

typedef void (*peer_fn)(void *arg, const struct peer_req *req);

struct peer *peer_open(uv_loop_t *loop, peer_fn fn, void *arg);
int peer_port(const struct peer *p);
const char *peer_url(const struct peer *p); /* "http://127.0.0.1:port" */
int peer_requests(const struct peer *p);
int peer_connections(const struct peer *p);
void peer_close(struct peer *p); /* run the loop afterwards */

/* Answers; without any the connection just hangs. */
void peer_say(const struct peer_req *req, const char *raw);      /* and close */
void peer_say_open(const struct peer_req *req, const char *raw); /* and keep */
void peer_reply(const struct peer_req *req, int status, const char *head, const char *body);
void peer_hang_up(const struct peer_req *req);
void peer_flood(const struct peer_req *req, const char *first, const char *again); /* for ever */
