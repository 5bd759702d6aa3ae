/* SPDX-License-Identifier: MIT */
/*
 * pool.h - mapping workers: child processes (`--mapper`) that run jq with an
 * empty environment, limits on memory and files, and a deadline per event at
 * which they are killed and replaced.
 *
 * Loop thread only.  Workers run in parallel; results come in any order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "mapping/rules.h"
#include "mapping/verdicts.h"

struct gan_pool;

struct gan_pool_options {
	unsigned workers;
	int64_t timeout_ms; /* per event and per test */
	int64_t memory;     /* RLIMIT_AS of a worker */
	enum gan_numbers numbers;
	const char *time_zone;         /* TZ of the workers */
	struct gan_verdicts *verdicts; /* of earlier checks, borrowed; NULL: check everything */
};

/* Workers are started when there is something to do.  Strings are copied. */
GAN_MUST_CHECK int gan_pool_open(uv_loop_t *loop, const struct gan_pool_options *opt,
    struct gan_pool **ret_pool, struct gan_err *err);

/* Kill the workers; pending callbacks come with GAN_EGONE; then cb. */
void gan_pool_close(struct gan_pool *p, void (*cb)(void *arg), void *arg);

/* New options after a reload: running workers finish their event and are replaced. */
GAN_MUST_CHECK int gan_pool_tune(
    struct gan_pool *p, const struct gan_pool_options *opt, struct gan_err *err);

struct gan_map_output {
	char *body;
	size_t body_len;
	char *key, *effect; /* NULL when the rule has none */
	char **after;
	size_t nafter;
	char *newest; /* likewise */
};

/* What one rule made of one event. */
struct gan_map_result {
	const struct gan_rule *rule; /* borrowed from the set in the job */
	struct gan_map_output *outputs;
	size_t noutputs;
	char *reject; /* not NULL: rejected for this reason, outputs is empty */
};

struct gan_map_event {
	int64_t id;
	int64_t received_ms;
	const char *source, *topic, *topic_raw, *meta; /* meta: JSON object */
	const char *body; /* checked JSON; borrowed until the callback */
	size_t body_len;
};

/*
 * Run rules (indexes into set, borrowed until the callback) on one event, each
 * on its own.  A worker killed at the deadline or by its limits is given the
 * event once more on a fresh worker, then the rule it was in is rejected by
 * name and the remaining rules go on.  rc: GAN_OK, or GAN_EGONE at close.  The
 * pool holds a reference to set meanwhile; results belong to the pool and live
 * until the callback returns.
 */
typedef void (*gan_map_fn)(
    void *arg, int rc, const struct gan_map_result *results, size_t nresults);
GAN_MUST_CHECK int gan_pool_map(struct gan_pool *p, struct gan_rules *set, const size_t *rules,
    size_t nrules, const struct gan_map_event *ev, gan_map_fn cb, void *arg);

/*
 * Read and parse a rule set (gan_rules_load(), or with *blobp a packed one,
 * which is taken over) without holding up the loop.  cb comes once, later, on
 * the loop; set and d are lent.  rc: that of the load, or GAN_EGONE when the
 * pool is closed meanwhile; only an error returned here means no cb.
 */
typedef void (*gan_read_fn)(void *arg, int rc, struct gan_rules *set, struct gan_diags *d);
GAN_MUST_CHECK int gan_pool_read(struct gan_pool *p, struct gan_config *conf,
    const struct gan_rule_checks *checks, char **blobp, size_t len, gan_read_fn cb, void *arg);

/*
 * The same for gantry.yaml, with its secrets: gan_config_load().  conf and d
 * are lent; conf is NULL unless rc is GAN_OK, or the pool was closed.
 */
typedef void (*gan_config_read_fn)(void *arg, int rc, struct gan_config *conf, struct gan_diags *d);
GAN_MUST_CHECK int gan_pool_read_config(
    struct gan_pool *p, const char *path, gan_config_read_fn cb, void *arg);

/*
 * Compile every rule of a set and run its golden tests, in a worker beside the
 * ones at work.  Findings (compile errors at file:line:column with excerpt, red
 * tests with the difference, rules without tests as warnings) go to d in the
 * callback; report is the lines that `rules test` prints, tests the number
 * run.  green: no error and no red test.  only: one rule's name, or NULL.
 */
struct gan_check_report {
	bool green;
	unsigned rules, passed, failed;
	unsigned unchanged;  /* rules of these that were green before: not run again */
	struct gan_diags *d; /* the pool's, until the callback returns */
	const char *lines;   /* "ok    rule: test (2 requests)\nFAIL  …" */
	const char *json;    /* the same as an array: rule, test, file, line, ok, detail */
};
typedef void (*gan_check_fn)(void *arg, int rc, const struct gan_check_report *report);
GAN_MUST_CHECK int gan_pool_check(
    struct gan_pool *p, struct gan_rules *set, const char *only, gan_check_fn cb, void *arg);

struct gan_pool_stats {
	unsigned workers_running;
	uint64_t restarts; /* kills and crashes since open */
	uint64_t mapped;
	uint64_t compiled; /* programs given to workers, checks apart */
};
void gan_pool_stats(const struct gan_pool *p, struct gan_pool_stats *ret);

/* main() of a worker process: frames on fd 0 and 1 until end of file. Returns an exit code. */
int gan_worker_main(int argc, char **argv);
