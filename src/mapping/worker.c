/* SPDX-License-Identifier: MIT */
/*
 * worker.c - a mapping worker process: limits itself, then reads frames and
 * answers them, one after the other, until the pipe ends.
 *
 * Results of quick events are kept until the frames that were read are done,
 * so that one write carries several; what may take long waits for a flush
 * first, so that a slow event holds back no result but its own.
 *
 * Nothing here guards against a program that runs for ever or eats all
 * memory: the limits end the process, and the pool starts another one.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mapping/pool.h"
#include "mapping/worker.h"

enum {
	READ_SIZE = 64 << 10,
	FLUSH_AT = 256 << 10, /* results are kept until then at most, */
	FLUSH_US = 2000,      /* or that long */
	QUICK_US = 500,       /* an event that takes less is quick, if it is */
	QUICK_BYTES = 32 << 10,
	KEEP = 2 << 20,   /* bytes of buffer kept between frames */
	CPU_SLACK_S = 10, /* beyond the deadline, which the pool keeps better */
};

struct slot {
	struct gan_jq_program *p;
	bool quick; /* it was, last time */
};

struct worker {
	int64_t timeout_ms;
	enum gan_numbers numbers;
	struct slot *programs; /* by id */
	size_t nprograms;
	struct gan_buf in, out;
	int64_t now_us, kept_us; /* when the frame at hand, and the first result in out, began */
	struct gan_progress *progress, no_progress;
	int64_t cpu_limit_s, cpu_look_us; /* look at the limit again */
	bool greeted;
};

static void
map_progress(struct worker *w)
{
	void *p = mmap(
	    NULL, sizeof(*w->progress), PROT_READ | PROT_WRITE, MAP_SHARED, GAN_PROGRESS_FD, 0);

	w->progress = p == MAP_FAILED ? &w->no_progress : p;
}

/*
 * Move the limit on processor time ahead of what was used; it cannot be per
 * event.  One thread uses no more of it than there is time, so most frames
 * need no look.
 */
static void
extend_cpu(struct worker *w)
{
	struct timespec used;
	struct rlimit l = { .rlim_max = RLIM_INFINITY };
	int64_t budget_s = w->timeout_ms / 1000 + CPU_SLACK_S;

	if (w->now_us < w->cpu_look_us || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) < 0)
		return;
	w->cpu_look_us = w->now_us + 1000000;
	if (used.tv_sec + budget_s <= w->cpu_limit_s)
		return;
	w->cpu_limit_s = used.tv_sec + 2 * budget_s + 1;
	l.rlim_cur = (rlim_t)w->cpu_limit_s;
	(void)setrlimit(RLIMIT_CPU, &l);
}

static void
flush(struct worker *w)
{
	size_t done = 0;

	if (w->out.failed)
		_exit(GAN_EXIT_NOMEM);
	while (done < w->out.len) {
		ssize_t n = write(STDOUT_FILENO, w->out.data + done, w->out.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0); /* the pool is gone */
		done += (size_t)n;
	}
	gan_buf_clear(&w->out);
}

static void
on_options(struct worker *w, struct gan_frame_in *in)
{
	int64_t memory = gan_frame_i64(in);

	w->timeout_ms = gan_frame_i64(in);
	w->numbers = (enum gan_numbers)gan_frame_u32(in);
	if (in->bad || w->greeted)
		_exit(2);
	gan_worker_limit(memory);
	w->greeted = true;
	gan_frame_end(&w->out, gan_frame_begin(&w->out, GAN_FRAME_HELLO));
}

static struct gan_jq_program *
program_of(struct worker *w, uint32_t id)
{
	return id < w->nprograms ? w->programs[id].p : NULL;
}

static void
drop(struct worker *w, uint32_t id)
{
	if (id < w->nprograms)
		gan_jq_program_free(&w->programs[id].p);
}

static void
keep(struct worker *w, uint32_t id, struct gan_jq_program *p)
{
	if (id >= w->nprograms) {
		size_t n = (size_t)id + 64;
		struct slot *all = realloc(w->programs, n * sizeof(*all));

		if (all == NULL)
			_exit(GAN_EXIT_NOMEM);
		memset(all + w->nprograms, 0, (n - w->nprograms) * sizeof(*all));
		w->programs = all;
		w->nprograms = n;
	}
	drop(w, id);
	w->programs[id] = (struct slot){ .p = p };
}

static void
on_program(struct worker *w, struct gan_frame_in *in)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf findings = { 0 };
	uint32_t id = gan_frame_u32(in), n = 0;

	w->progress->program = id;
	struct gan_jq_program *p = gan_jq_compile(in, &findings, &n);
	w->progress->program = 0;
	if (p == NULL || id > UINT16_MAX * 16)
		_exit(2);
	keep(w, id, p);
	size_t at = gan_frame_begin(&w->out, GAN_FRAME_COMPILED);
	gan_buf_u32(&w->out, id);
	gan_buf_u32(&w->out, n);
	if (n > 0)
		gan_buf_put(&w->out, findings.data, findings.len);
	gan_frame_end(&w->out, at);
}

static void
run_one(struct worker *w, uint32_t id, struct gan_jq_event *ev, const struct gan_buf *why)
{
	static const char unknown[] = "internal: this rule was not given to the worker";
	struct gan_jq_program *p = program_of(w, id);

	if (ev == NULL)
		gan_jq_put_reject(&w->out, why->data, why->len);
	else if (p == NULL)
		gan_jq_put_reject(&w->out, unknown, sizeof(unknown) - 1);
	else
		gan_jq_run(p, ev, &w->out);
}

/* May its results be kept while others wait in out?  Leaves *in where it is. */
static bool
is_quick(const struct worker *w, struct gan_frame_in in, uint32_t n, size_t len)
{
	if (len > QUICK_BYTES || w->now_us - w->kept_us > FLUSH_US)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = gan_frame_u32(&in);

		if (id >= w->nprograms || !w->programs[id].quick)
			return false;
	}
	return true;
}

static void
learn_speed(struct worker *w, struct gan_frame_in in, uint32_t n)
{
	int64_t now_us = gan_mono_us();
	bool quick = now_us - w->now_us < QUICK_US;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = gan_frame_u32(&in);

		if (id < w->nprograms)
			w->programs[id].quick = quick;
	}
	w->now_us = now_us;
}

static void
on_event(struct worker *w, struct gan_frame_in *in)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf why = { 0 };
	size_t len, meta_len;
	uint32_t seq = gan_frame_u32(in);
	const char *meta = gan_frame_str(in, &meta_len), *body = gan_frame_str(in, &len);
	uint32_t n = gan_frame_u32(in);
	const struct gan_frame_in ids = *in;

	if (in->bad || meta == NULL || body == NULL || n > in->left / 4)
		_exit(2);
	if (w->out.len > 0 && !is_quick(w, ids, n, len))
		flush(w);
	if (w->out.len == 0)
		w->kept_us = w->now_us;
	w->progress->index = 0;
	w->progress->seq = seq;
	struct gan_jq_event *ev = gan_jq_event_new(body, len, meta, meta_len, w->numbers, &why);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = gan_frame_u32(in);

		w->progress->index = i;
		size_t at = gan_frame_begin(&w->out, GAN_FRAME_RESULT);
		gan_buf_u32(&w->out, seq);
		gan_buf_u32(&w->out, i);
		run_one(w, id, ev, &why);
		gan_frame_end(&w->out, at);
		if (w->out.len > FLUSH_AT)
			flush(w);
	}
	w->progress->seq = 0;
	gan_jq_event_free(&ev);
	size_t at = gan_frame_begin(&w->out, GAN_FRAME_DONE);
	gan_buf_u32(&w->out, seq);
	gan_frame_end(&w->out, at);
	learn_speed(w, ids, n);
}

static void
on_test(struct worker *w, struct gan_frame_in *in)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf why = { 0 }, result = { 0 }, detail = { 0 };
	struct worker test = { .programs = w->programs, .nprograms = w->nprograms };
	uint32_t seq = gan_frame_u32(in), id = gan_frame_u32(in), requests = 0;
	size_t meta_len, len;
	const char *meta = gan_frame_str(in, &meta_len), *body = gan_frame_str(in, &len);
	struct gan_jq_expect e;

	e.bodies = gan_frame_str(in, NULL);
	e.keys = gan_frame_str(in, NULL);
	e.effects = gan_frame_str(in, NULL);
	e.reject = gan_frame_str(in, NULL);
	if (in->bad || meta == NULL || body == NULL)
		_exit(2);
	w->progress->index = 0;
	w->progress->seq = seq;
	struct gan_jq_event *ev = gan_jq_event_new(body, len, meta, meta_len, w->numbers, &why);
	run_one(&test, id, ev, &why);
	gan_jq_event_free(&ev);
	result = test.out;
	w->progress->seq = 0;
	bool green = gan_jq_compare(result.data, result.len, &e, &requests, &detail);
	size_t at = gan_frame_begin(&w->out, GAN_FRAME_TESTED);
	gan_buf_u32(&w->out, seq);
	gan_buf_u32(&w->out, green);
	gan_buf_u32(&w->out, requests);
	gan_frame_text(&w->out, detail.len > 0 ? detail.data : "");
	gan_frame_end(&w->out, at);
}

static void
on_frame(struct worker *w, int kind, struct gan_frame_in *in)
{
	extend_cpu(w);
	if (kind != GAN_FRAME_EVENT && w->out.len > 0)
		flush(w);
	switch (kind) {
	case GAN_FRAME_OPTIONS:
		on_options(w, in);
		break;
	case GAN_FRAME_PROGRAM:
		on_program(w, in);
		break;
	case GAN_FRAME_DROP:
		drop(w, gan_frame_u32(in));
		break;
	case GAN_FRAME_EVENT:
		on_event(w, in);
		break;
	case GAN_FRAME_TEST:
		on_test(w, in);
		break;
	default:
		_exit(2);
	}
	if (kind != GAN_FRAME_EVENT)
		w->now_us = gan_mono_us();
}

/* False at the end of the pipe. */
static bool
read_more(struct worker *w)
{
	static char chunk[READ_SIZE];
	ssize_t n;

	do
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	gan_buf_put(&w->in, chunk, (size_t)n);
	if (w->in.failed)
		_exit(GAN_EXIT_NOMEM);
	return true;
}

static void
serve(struct worker *w)
{
	struct gan_frame_in in;
	int kind;

	while (read_more(w)) {
		size_t done = 0;
		long n;

		w->now_us = gan_mono_us();
		while ((n = gan_frame_next(w->in.data + done, w->in.len - done, &kind, &in)) > 0) {
			on_frame(w, kind, &in);
			done += (size_t)n;
		}
		if (n < 0)
			_exit(2);
		if (w->out.len > 0)
			flush(w);
		gan_buf_shift(&w->in, done);
		if (w->in.len == 0 && w->in.cap > KEEP)
			gan_buf_fini(&w->in); /* a large table has come and been parsed */
	}
}

int
gan_worker_main(int argc, char **argv)
{
	struct worker w = { 0 };

	(void)argc;
	(void)argv;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "gantry-mapper", 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C is for the gateway */
	map_progress(&w);
	gan_jq_init();
	serve(&w);
	for (size_t i = 0; i < w.nprograms; i++)
		gan_jq_program_free(&w.programs[i].p);
	free(w.programs);
	gan_buf_fini(&w.in);
	gan_buf_fini(&w.out);
	return 0;
}
