/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - HTTP requests out, inside the uv loop; the only door to
 * libcurl.
 *
 * What counts most about a failed request is whether any byte of it can have
 * left: enum gan_sent says so with certainty.  A connection is refused, a name
 * not found or a certificate rejected before the first byte of the request;
 * from the moment the connection is handed to the request it may have arrived.
 *
 * Redirects are never followed, environment proxies never used, nothing is
 * repeated behind the caller's back.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "outbound/scrub.h"

#define GAN_REQUEST_HEADERS 24
#define GAN_REQUEST_SECRETS 8
#define GAN_RESPONSE_BODY_MAX ((size_t)1 << 20)
#define GAN_RESPONSE_HEAD_MAX ((size_t)64 << 10)

struct gan_header {
	char *name;
	char *value;
	bool secret; /* masked wherever the request is written down */
};

/*
 * A request under construction: zero it, fill it by the calls below, start it
 * with gan_transfer_start(), which copies everything.  A setter that failed
 * has left it unusable but safe to gan_wire_fini().
 */
struct gan_wire {
	const char *method; /* static text */
	char *url;
	char *shown_url; /* the same for people: secrets as "(masked)" */
	struct gan_header headers[GAN_REQUEST_HEADERS];
	size_t nheaders;
	char *secrets[GAN_REQUEST_SECRETS]; /* replaced where an answer repeats them: scrub.h */
	size_t nsecrets;
	const void *body; /* borrowed until gan_transfer_start() returns; NULL: none */
	size_t body_len;
	int64_t connect_ms, total_ms;
	bool repeatable;       /* may use a kept connection, on which curl repeats a request */
	size_t answer_max;     /* of the body; 0: GAN_RESPONSE_BODY_MAX */
	bool answer_is_secret; /* a token: never kept, so it comes as it is */
	const char *ca_file;   /* borrowed like body; NULL: the system's */
	/* A client certificate and its key, PEM, borrowed likewise; NULL: none. */
	const char *client_cert, *client_key;
};

void gan_wire_fini(struct gan_wire *req); /* overwrites secrets; also a GAN_AUTO handler */

/* base may have a path of its own; user names, queries and fragments in it are refused. */
GAN_MUST_CHECK int gan_wire_url(
    struct gan_wire *req, const char *base, const char *path, struct gan_err *err);

/* A whole URL out of the configuration, which has checked it. */
GAN_MUST_CHECK int gan_wire_whole_url(struct gan_wire *req, const char *url, struct gan_err *err);

/*
 * One more pair of the query, behind gan_wire_url(); name and value are
 * percent-encoded.  A secret is masked wherever the request is written down.
 */
GAN_MUST_CHECK int gan_wire_query(struct gan_wire *req, const char *name, const char *value,
    size_t len, bool secret, struct gan_err *err);

/* Append text with everything but letters, digits and "-._~" as %XX: a '/' too. */
void gan_wire_percent(struct gan_buf *out, const char *text, size_t len);

/* GAN_EINVAL for a name that is no token or a value with CR, LF or NUL (len counts all bytes). */
GAN_MUST_CHECK int gan_wire_header(
    struct gan_wire *req, const char *name, const char *value, struct gan_err *err);
/* prefix + secret as the value; the error never repeats the value. */
GAN_MUST_CHECK int gan_wire_secret(struct gan_wire *req, const char *name, const char *prefix,
    const char *secret, size_t len, struct gan_err *err);

/* Authorization: Basic, of user and password. */
GAN_MUST_CHECK int gan_wire_basic(struct gan_wire *req, const char *user, size_t user_len,
    const char *password, size_t password_len, struct gan_err *err);

/* One more text to be replaced in answers; short ones, and those known already, are ignored. */
GAN_MUST_CHECK int gan_wire_hide(
    struct gan_wire *req, const char *secret, size_t len, struct gan_err *err);

/* "POST https://host/path" and the headers, one a line, secrets as "(masked)". */
void gan_wire_describe(const struct gan_wire *req, struct gan_buf *out);

enum gan_sent {
	GAN_NOT_SENT,   /* no byte of the request left this machine */
	GAN_MAYBE_SENT, /* some may have, and no status came back */
	GAN_COMPLETE,   /* a whole answer */
	GAN_UNREADABLE, /* the status is known; the rest was cut off or too large */
};

struct gan_response {
	enum gan_sent sent;
	int status; /* of the final answer; 0: none */
	char *head; /* status line and headers as received (cookies masked); never NULL */
	char *body; /* never NULL, NUL behind it; at most answer_max */
	size_t body_len;
	bool cut;                     /* more came than is kept */
	char *retry_after;            /* the header as it came, or NULL */
	char remote[64];              /* "address:port", or "" */
	int64_t started_ms, ended_ms; /* wall clock */
	uint64_t bytes_sent;          /* head and body, as far as curl knows */
	bool timed_out, cancelled;
	char error[320];               /* "" when complete */
	const struct gan_scrub *scrub; /* for texts read out of the body; NULL: no secrets */
};

struct gan_transfers; /* all of them */
struct gan_transfer;  /* one; gone when its callback has returned */

/* resp is the callee's to read until it returns. Never called from within start or cancel. */
typedef void (*gan_transfer_fn)(void *arg, struct gan_response *resp);

GAN_MUST_CHECK int gan_transfers_open(
    uv_loop_t *loop, struct gan_transfers **ret_ts, struct gan_err *err);

/*
 * Cut what still runs, without callbacks.  Memory is given back in later
 * turns of the loop, which must run until its handles are closed.
 */
void gan_transfers_close(struct gan_transfers **tsp);

GAN_MUST_CHECK int gan_transfer_start(struct gan_transfers *ts, const struct gan_wire *req,
    gan_transfer_fn cb, void *arg, struct gan_transfer **ret_t, struct gan_err *err);

/* End it now; the callback comes soon, with what is known (cancelled is set). */
void gan_transfer_cancel(struct gan_transfer *t);

/* End it now without a callback: whoever asked does not want to know any more. */
void gan_transfer_drop(struct gan_transfer **tp);
