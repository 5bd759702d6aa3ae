/* SPDX-License-Identifier: MIT */
/*
 * request.h - one HTTP request that arrived at a struct gan_server.
 *
 * Loop thread only.  A request lives from its first line until it is over:
 * answered and sent, or its client or its time is gone.  Whoever answers later
 * keeps the pointer and clears it in on_end, which always comes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "inbound/framing.h"
#include "inbound/problem.h"

struct gan_request;

/* Texts live as long as the request.  The path is as it was sent, without the query. */
const char *gan_request_method(const struct gan_request *r);
const char *gan_request_path(const struct gan_request *r);
const char *gan_request_query(const struct gan_request *r); /* behind the '?'; NULL: none */

/* The first header of that name, without surrounding white space; NULL: none. */
const char *gan_request_header(const struct gan_request *r, const char *name);
const struct gan_header *gan_request_headers(const struct gan_request *r, size_t *ret_n);

/* Numeric address of the peer of the connection. */
const char *gan_request_remote(const struct gan_request *r);

/* The body, NUL behind it; empty before on_request. */
const char *gan_request_body(const struct gan_request *r, size_t *ret_len);

/* Take the body away: malloc'ed, never NULL even when empty, but for lack of memory. */
char *gan_request_take_body(struct gan_request *r, size_t *ret_len);

/* Data of the handler; on_end(user) comes exactly once, when the request is over. */
void gan_request_set_user(struct gan_request *r, void *user, void (*on_end)(void *user));
void *gan_request_user(const struct gan_request *r);

/*
 * The first answer counts, a later one does nothing and returns false (the
 * server may have answered 503 meanwhile).  Everything is copied.
 */
struct gan_answer {
	int status;
	const char *type; /* Content-Type; NULL: no body */
	const void *body;
	size_t len;
	const struct gan_header *headers; /* more headers */
	size_t nheaders;
	bool close; /* close the connection whatever keep_alive says */
};
bool gan_request_answer(struct gan_request *r, const struct gan_answer *a);

/*
 * May an answer of so many bytes wait to be read, beside those that do?  For
 * who is asked for much and changes nothing: slow readers of it all must not
 * fill the memory.  Small ones always may.
 */
bool gan_request_has_room(const struct gan_request *r, size_t len);

/*
 * Whoever lets a request wait on purpose says until when (gan_mono_ms()): the
 * server's own patience with the handler ends then instead, if that is later.
 */
void gan_request_wait(struct gan_request *r, int64_t until_ms);

/* Answer with a problem document; retry_after_s > 0 adds Retry-After. */
bool gan_request_problem(struct gan_request *r, enum gan_problem p, int retry_after_s,
    const char *fmt, ...) GAN_PRINTF(4, 5);

/* The same with one header more (Allow, WWW-Authenticate ...). */
bool gan_request_problem_with(struct gan_request *r, enum gan_problem p, const char *name,
    const char *value, const char *fmt, ...) GAN_PRINTF(5, 6);
