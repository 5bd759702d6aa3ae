/* SPDX-License-Identifier: MIT */
/*
 * pool_priv.h - what the files of the pool share: pool_process.c runs one
 * worker process, pool_work.c gives events (pool_job.c) to several,
 * pool_check.c tests a rule set on one of its own, pool_read.c reads files on
 * a thread, pool.c opens, tunes and closes it all.
 */
#pragma once

#include "mapping/frame.h"
#include "mapping/pool.h"

#define GAN_START_MS 10000   /* a new process must have greeted by then */
#define GAN_COMPILE_MS 10000 /* jq 1.6 takes 25 ms for a program; tables come on top */

struct gan_mapper;
struct gan_check;

/* How a worker came to its end. */
enum gan_mapper_end {
	GAN_END_START,  /* before it greeted: not the fault of any rule */
	GAN_END_LATE,   /* killed at the deadline */
	GAN_END_NOMEM,  /* jq ran out of memory */
	GAN_END_CRASH,  /* a signal, or an exit that nobody asked for */
	GAN_END_BROKEN, /* killed because it spoke nonsense */
};

typedef void (*gan_mapper_frame_fn)(struct gan_mapper *m, int kind, struct gan_frame_in *in);
typedef void (*gan_mapper_death_fn)(struct gan_mapper *m, enum gan_mapper_end end);

/* One event on its way; the arrays lie behind it, in the same memory. */
struct gan_job {
	struct gan_job *next;
	struct gan_rules *set;
	uint64_t serial; /* of the set */
	size_t *rules;   /* indexes into set */
	size_t n, left;  /* rules, and those without a result */
	struct gan_map_result *results;
	char **texts; /* of results[i]: one copy of its frame, all its texts point into it */
	unsigned char *strikes;
	bool *done;
	uint32_t *sent; /* what the worker was given: indexes into rules */
	uint32_t nsent;
	uint32_t seq;
	unsigned compiles; /* programs that its worker compiles first */
	char *meta;
	const char *body;
	size_t len;
	gan_map_fn cb;
	void *arg;
};

/* A program that a worker has compiled; its place in the list is its id. */
struct gan_mapper_program {
	bool used;
	unsigned char hash[32];
};

/* One worker process.  Frees itself after gan_mapper_close(). */
struct gan_mapper {
	struct gan_pool *pool;
	struct gan_mapper *next; /* in pool->mappers */
	uv_process_t process;
	uv_pipe_t pipe;
	uv_timer_t deadline;
	unsigned handles; /* not closed yet */
	bool greeted, exited, eof, warned, late, nonsense, closing;
	int64_t exit_code;
	int signal;
	char end_text[64]; /* for people: "signal 11" */
	struct gan_progress *progress;
	struct gan_buf in;
	gan_mapper_frame_fn on_frame;
	gan_mapper_death_fn on_death; /* after it the mapper closes itself */
	struct gan_check *check;      /* NULL: it maps events */

	/* of pool_work.c */
	bool retire; /* gets no more events */
	struct gan_job *first, *last;
	unsigned njobs;
	struct gan_mapper_program *programs;
	size_t nprograms;
	uint32_t *ids; /* by rule index in the set of that serial; 0: not there */
	uint64_t serial;
	bool stale;                /* may hold programs of old sets */
	struct gan_buf out;        /* frames that leave before the loop waits again */
	int64_t since_us, mean_us; /* since when it is at its first job; what one takes lately */
};

struct gan_pool {
	uv_loop_t *loop;
	struct gan_pool_options opt;
	char *time_zone;
	struct gan_mapper *mappers; /* all that are not freed yet */
	uv_timer_t again;           /* after a worker that did not start */
	int64_t backoff_ms;
	struct gan_job *first, *last;
	size_t nwaiting;
	uint32_t last_seq;
	struct gan_rules *set; /* the latest one seen */
	uint64_t serial;       /* counts its changes */
	size_t nold;           /* jobs of other sets */
	struct gan_check *checks;
	size_t nreads;       /* threads at work for us: pool_read.c */
	uv_prepare_t sender; /* active while some mapper has something to send */
	struct gan_buf scratch;
	struct gan_pool_stats stats;
	bool closing;
	unsigned handles; /* of the pool itself, not closed yet */
	void (*close_cb)(void *arg);
	void *close_arg;
};

GAN_MUST_CHECK int gan_mapper_spawn(struct gan_pool *p, gan_mapper_frame_fn on_frame,
    gan_mapper_death_fn on_death, struct gan_mapper **ret_mapper);
void gan_mapper_send(struct gan_mapper *m, const uv_buf_t *bufs, unsigned n);
/* Kill it when nothing changes this within ms; 0: no deadline. */
void gan_mapper_deadline(struct gan_mapper *m, int64_t ms);
/* It broke the protocol: kill it; on_death will follow. */
void gan_mapper_distrust(struct gan_mapper *m);
/* End it without on_death. */
void gan_mapper_close(struct gan_mapper *m);

/* "exceeded 2s", "needed more than 256MiB": what the rule did that was running. */
void gan_mapper_reason(
    const struct gan_mapper *m, enum gan_mapper_end end, char *out, size_t outsz);

/* Jobs: pool_job.c.  The set is referenced, the rule indexes are copied, the body is borrowed. */
struct gan_job *gan_job_new(struct gan_pool *p, struct gan_rules *set, const size_t *rules,
    size_t n, const struct gan_map_event *ev);
void gan_job_free(struct gan_job **jp);
void gan_queue_front(struct gan_pool *p, struct gan_job *j);
void gan_queue_back(struct gan_pool *p, struct gan_job *j);
struct gan_job *gan_queue_pop(struct gan_pool *p);
/* Result i from a RESULT frame; false (and nothing kept) when it is damaged. */
bool gan_job_read(struct gan_job *j, size_t i, struct gan_frame_in *in);
void gan_job_reject(struct gan_job *j, size_t i, const char *fmt, ...) GAN_PRINTF(3, 4);
/* Every rule has its result: tell, and free it.  It is in no list any more. */
void gan_job_finish(struct gan_pool *p, struct gan_job *j);

/* Work: pool_work.c. */
void gan_pool_dispatch(struct gan_pool *p);            /* give waiting jobs to workers */
void gan_pool_send(uv_prepare_t *sender);              /* what was given since the last time */
struct gan_job *gan_mapper_take(struct gan_mapper *m); /* its first job, out of its list */

/* PROGRAM frame of a rule. */
void gan_pool_put_program(struct gan_buf *b, uint32_t id, const struct gan_rule *rule);

/* Checks: pool_check.c.  Stopped, a check tells its owner (GAN_EGONE) and frees itself. */
struct gan_check *gan_check_next(const struct gan_check *c);
void gan_check_stop(struct gan_check *c);

/* A handle of the pool was closed: if it was the last one, finish gan_pool_close(). */
void gan_pool_closed_one(struct gan_pool *p);
