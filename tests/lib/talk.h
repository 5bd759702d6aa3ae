/* SPDX-License-Identifier: MIT */
/*
 * talk.h - a raw HTTP client for tests: it says exactly the bytes it is given,
 * on a thread of its own, while the loop under test runs on the caller's.
 */
#pragma once

#include <stddef.h>
#include <uv.h>

/* Run the loop until fn, on its own thread, has returned; fails the test after 20 s. */
void talk_run(uv_loop_t *loop, void (*fn)(void *arg), void *arg);

/* Run the loop until *flag is true; fails the test after 20 s. */
void talk_wait(uv_loop_t *loop, const volatile int *flag);

/* On the client's thread: blocking calls with a deadline of 10 s.  -1, NULL: it failed. */
int talk_connect(unsigned port);
int talk_send(int fd, const void *p, size_t n);
char *talk_read_all(int fd);                     /* until the peer closes; to free() */
char *talk_read_until(int fd, const char *text); /* until text was read, or the end */

/* Connect, send, read until the peer closes; runs the loop meanwhile. Never NULL; to free(). */
char *talk_n(uv_loop_t *loop, unsigned port, const void *raw, size_t n);
char *talk(uv_loop_t *loop, unsigned port, const char *raw);

/* The status of an answer ("HTTP/1.1 200 OK..."), 0 when there is none. */
int talk_status(const char *answer);
