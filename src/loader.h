/* SPDX-License-Identifier: MIT */
/*
 * loader.h - proves a rule set beside the ones in force: its form on a thread
 * of libuv's pool, programs and golden tests in a worker.  Start, reload and `gantryd -t` all come
 * through this door.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"
#include "mapping/pool.h"
#include "mapping/rules.h"

/* What the checks found; lives until the callback returns. */
struct gan_proof {
	struct gan_rules *rules; /* the set, when it has the right form; a reference of its own is
				  * taken by whoever keeps it */
	bool green;              /* no error, no red test */
	unsigned nrules, passed, failed;
	unsigned unchanged; /* rules that were green before, and not run again */
	const char *text;   /* every finding, ready to print */
	const char *lines;  /* a line for each test run */
	const char *first;  /* the first finding in one line, for the log */
};

typedef void (*gan_proof_fn)(void *arg, const struct gan_proof *proof);

struct gan_loader; /* a proof under way */

/*
 * Read the rules folder that conf names (or, with *blobp, a packed set, which
 * is taken over) and prove it under conf, in workers of its own with conf's
 * limits; what verdicts knows to be green (NULL: nothing) is not run again.  cb
 * comes exactly once: before this returns NULL, or later, and then the handle
 * ends with it.
 */
struct gan_loader *gan_loader_prove(uv_loop_t *loop, struct gan_config *conf,
    struct gan_verdicts *verdicts, char **blobp, size_t len, gan_proof_fn cb, void *arg);

/* Give up: cb is called with a proof that is not green, soon, on the loop. */
void gan_loader_cancel(struct gan_loader *l);

/*
 * `gantryd -t`: check file and rules without a daemon, on a loop of its own.
 * Findings go to stderr, a summary to stdout unless quiet.  Exit code 0 or 78.
 */
int gan_loader_check(const char *path, bool quiet);

/* Options of the worker pool as the configuration has them. */
struct gan_pool_options gan_loader_pool_options(const struct gan_config *conf);
