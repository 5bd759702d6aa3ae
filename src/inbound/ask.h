/* SPDX-License-Identifier: MIT */
/*
 * ask.h - how the inbound side asks a vendor something, without knowing who
 * sends requests: the program's wiring fills struct gan_asker (src/ask.c).
 *
 * Whoever answers keeps the account's quota and token.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum gan_question_prio {
	GAN_QUESTION_FEED,      /* before retries: what it would bring is dropped after a day */
	GAN_QUESTION_RECONCILE, /* when nothing else wants the quota */
};

struct gan_question {
	const char *connector;
	const char *operation; /* "changes.read" */
	const char *output;    /* as a rule would write it: {"$path":{…},"$query":{…}} */
	size_t output_len;
	enum gan_question_prio prio;
};

struct gan_reply {
	int rc;          /* GAN_OK: a complete 2xx; else why there is none */
	bool maybe_sent; /* bytes of the request may have arrived */
	int status;      /* 0: no answer */
	bool complete;   /* the answer is whole, whatever its status */
	const char *body;
	size_t body_len;
	const char *text; /* for a person, when rc is not GAN_OK */
	int64_t wait_ms;  /* ask again not before; 0: nobody said */
};

/* Called exactly once for each question that was taken, later. */
typedef void (*gan_reply_fn)(void *arg, const struct gan_reply *r);

struct gan_asker {
	void *arg;
	/* Everything is copied.  Negative, with the reason: not taken, no reply comes. */
	int (*ask)(void *arg, const struct gan_question *q, gan_reply_fn cb, void *cb_arg,
	    struct gan_err *err);
};
