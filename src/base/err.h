/* SPDX-License-Identifier: MIT */
/*
 * err.h - the one error vocabulary of gantry.
 *
 * A function that can fail for more than one reason returns int: 0 or a
 * positive count on success, a negative GAN_E* code on failure.  The text for
 * the operator goes into the caller's struct gan_err, when one was given: what
 * is wrong, where, and what to do about it.
 */
#pragma once

#define GAN_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define GAN_MUST_CHECK __attribute__((warn_unused_result))

#define GAN_ERR_MAP(X)                                                                             \
	X(NOMEM, -1, "out of memory")                                                              \
	X(INVAL, -2, "value not allowed")                                                          \
	X(PARSE, -3, "cannot be parsed")                                                           \
	X(LIMIT, -4, "limit reached")                                                              \
	X(NOENT, -5, "no such object")                                                             \
	X(STORE, -6, "database failure")                                                           \
	X(AUTH, -7, "signature or credential refused")                                             \
	X(NET, -8, "network failure")                                                              \
	X(STATE, -9, "not possible in this state")                                                 \
	X(FULL, -10, "no space left for new data")                                                 \
	X(IO, -11, "input or output failed")                                                       \
	X(BUSY, -12, "busy, try again")                                                            \
	X(PERM, -13, "not allowed")                                                                \
	X(CONFIG, -14, "configuration error")                                                      \
	X(GONE, -15, "shutting down")

enum gan_code {
	GAN_OK = 0,
#define X(name, num, text) GAN_E##name = num,
	GAN_ERR_MAP(X)
#undef X
};

struct gan_err {
	enum gan_code code;
	char msg[512];
};

/* Fill *err (may be NULL) and hand back code, so callers can return it. */
int gan_err_set(struct gan_err *err, enum gan_code code, const char *fmt, ...) GAN_PRINTF(3, 4);

/* The same with ": <text of errno>" behind it. */
int gan_err_errno(struct gan_err *err, enum gan_code code, const char *fmt, ...) GAN_PRINTF(3, 4);

/* Put "context: " in front of the text already there; returns code. */
int gan_err_wrap(struct gan_err *err, int code, const char *fmt, ...) GAN_PRINTF(3, 4);

const char *gan_strerror(int code);
