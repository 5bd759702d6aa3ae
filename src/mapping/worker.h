/* SPDX-License-Identifier: MIT */
/*
 * worker.h - the parts of a mapping worker process: worker.c speaks frames,
 * worker_limits.c sets limits, worker_jq.c compiles, worker_run.c runs,
 * worker_json.c reads and writes, worker_test.c compares.  Runs in the child
 * only; one thread.  jq's own types stay inside worker*.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "conf/config.h"
#include "mapping/frame.h"

#define GAN_PROGRESS_FD 3 /* struct gan_progress, shared with the pool */

/* Once per process, before the first rule: bytes of address space, no files, no children. */
void gan_worker_limit(int64_t memory);

/* Once per process: the marker of uuid5, the way out when memory ends. */
void gan_jq_init(void);

struct gan_jq_program;

/*
 * Compile the rule of a PROGRAM frame (behind the id).  A rule that does not
 * compile is a program too: it rejects everything, and its findings are
 * appended as COMPILED wants them.  NULL: the frame is damaged.
 */
struct gan_jq_program *gan_jq_compile(
    struct gan_frame_in *in, struct gan_buf *findings, uint32_t *ret_nfindings);
void gan_jq_program_free(struct gan_jq_program **pp);

/* An event with its meta, each parsed once for all its rules; meta is borrowed. */
struct gan_jq_event;

/* NULL: the reason, for people, is in why. */
struct gan_jq_event *gan_jq_event_new(const char *body, size_t len, const char *meta,
    size_t meta_len, enum gan_numbers numbers, struct gan_buf *why);
void gan_jq_event_free(struct gan_jq_event **ep);

/* Run one program on one event and append the result as a RESULT frame has it. */
void gan_jq_run(struct gan_jq_program *p, struct gan_jq_event *ev, struct gan_buf *out);

/* Append a result that is a rejection. */
void gan_jq_put_reject(struct gan_buf *out, const char *why, size_t len);

/* What a golden test expects; any member may be NULL. */
struct gan_jq_expect {
	const char *bodies, *keys, *effects, *reject;
};

/* Compare a result with what was expected; what differs goes to detail, one line each. */
bool gan_jq_compare(const char *result, size_t len, const struct gan_jq_expect *e,
    uint32_t *ret_requests, struct gan_buf *detail);
