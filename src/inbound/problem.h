/* SPDX-License-Identifier: MIT */
/*
 * problem.h - error answers (RFC 9457, application/problem+json).
 *
 * One row per kind of problem; the type is "/problems/<slug>" and stable.  The
 * detail says what to do.  Nothing that a sender sent is repeated in it but
 * printable ASCII that somebody checked.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define GAN_PROBLEM_TYPE "application/problem+json"

/* name, HTTP status, slug, title */
#define GAN_PROBLEM_MAP(X)                                                                         \
	X(FRAMING, 400, "bad-request", "The request can be read in more than one way")             \
	X(BODY, 400, "bad-body", "The body is not valid JSON")                                     \
	X(TOPIC, 400, "bad-topic", "The topic is not well-formed")                                 \
	X(PARAMETER, 400, "bad-parameter", "A parameter is not usable")                            \
	X(IDEMPOTENCY_KEY, 400, "bad-idempotency-key", "The Idempotency-Key is not usable")        \
	X(SIGNATURE, 401, "bad-signature", "The signature does not fit")                           \
	X(TOKEN, 401, "bad-token", "The credentials are missing or unknown")                       \
	X(FORBIDDEN, 403, "wrong-source", "The credentials belong to another source")              \
	X(NOT_FOUND, 404, "not-found", "There is nothing here")                                    \
	X(METHOD, 405, "method-not-allowed", "This method is not allowed here")                    \
	X(TIMEOUT, 408, "too-slow", "The request took too long to arrive")                         \
	X(IN_FLIGHT, 409, "still-running", "The first request with this key is still running")     \
	X(CURSOR, 409, "unknown-cursor", "This outbox has not given out this cursor")              \
	X(TOO_LARGE, 413, "too-large", "The body is too large")                                    \
	X(URI, 414, "uri-too-long", "The request target is too long")                              \
	X(ENCODING, 415, "content-encoding", "The body must not be encoded")                       \
	X(MEDIA_TYPE, 415, "content-type", "The Content-Type is not supported")                    \
	X(EXPECT, 417, "expectation", "The expectation is not supported")                          \
	X(CONFLICT, 422, "key-reused", "The Idempotency-Key was used for another body")            \
	X(HEADERS, 431, "headers-too-large", "There are too many headers")                         \
	X(INTERNAL, 500, "internal", "Something went wrong here")                                  \
	X(TRANSFER, 501, "transfer-encoding", "The Transfer-Encoding is not supported")            \
	X(UNAVAILABLE, 503, "unavailable", "The event could not be stored")                        \
	X(NOT_READY, 503, "not-ready", "Gantry is not ready")                                      \
	X(PAUSED, 503, "paused", "A person has paused this outbox")                                \
	X(READERS, 503, "too-many-readers", "Too many readers wait")                               \
	X(DRAINING, 503, "shutting-down", "Gantry is shutting down")

enum gan_problem {
#define X(name, status, slug, title) GAN_PROBLEM_##name,
	GAN_PROBLEM_MAP(X)
#undef X
	    GAN_PROBLEM_N,
};

int gan_problem_status(enum gan_problem p);

/* The first problem whose row has this status; INTERNAL when none has. */
enum gan_problem gan_problem_of_status(int status);

/* The object alone, as a part of an answer; and the whole document. */
void gan_problem_put(struct gan_buf *out, enum gan_problem p, const char *detail);
void gan_problem_write(struct gan_buf *out, enum gan_problem p, const char *detail);
