/* SPDX-License-Identifier: MIT */
/*
 * bare_jq.c - the ceiling of mapping: N processes, each a loop around libjq
 * that parses an event, runs a rule's program on it and prints what came out,
 * for every rule that listens.  The programs are those of the workers, made by
 * the same function; nothing is checked, nobody is told.
 *
 *	bare_jq CONFIG EVENTS PROCESSES MILLISECONDS	prints one JSON object
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "mapping/pool_priv.h"
#include "mapping/worker_priv.h"
#include "mapping_input.h"

enum { PROCESSES_MAX = 64 };

/* What the processes tell, in memory that all of them share. */
struct tally {
	unsigned long events, outputs;
	int64_t us;
	double cpu_us;
	long rss_kb;
	volatile int ready;
};

static const char meta[] =
    "{\"api_version\":\"1\",\"webhook_uuid\":\"91cb972d-b476-4936-947c-4be471b9da5b\","
    "\"triggered_at\":\"2026-11-21T19:02:11.123Z\",\"remote\":\"127.0.0.1\",\"signature\":"
    "\"sha256-hex\",\"id\":\"e0mjqz8k1c0003\",\"source\":\"prodsmart\",\"topic\":\"lot.created\","
    "\"topic_raw\":\"lot_created\",\"received_at\":\"2026-11-21T19:02:11.523Z\"}";

static jq_state *
compile(const struct gan_rule *rule)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf frame = { 0 }, findings = { 0 };
	struct gan_frame_in in;
	uint32_t nfindings = 0;
	int kind;

	gan_pool_put_program(&frame, 1, rule);
	gan_must(gan_frame_next(frame.data, frame.len, &kind, &in) > 0);
	(void)gan_frame_u32(&in); /* its id */
	struct gan_jq_program *p = gan_jq_compile(&in, &findings, &nfindings);
	must_be(p != NULL && p->jq != NULL, "a rule does not compile");
	jq_state *jq = p->jq;
	free(p);
	return jq;
}

static unsigned long
run(jq_state *jq, const struct line *l)
{
	jv in = JV_ARRAY(jv_parse_sized(l->body, (int)l->len), jv_parse(meta)), out;
	unsigned long n = 0;

	jq_start(jq, in, 0);
	while (jv_is_valid(out = jq_next(jq))) {
		jv_free(jv_dump_string(out, 0));
		n++;
	}
	must_be(!jv_invalid_has_msg(out), "a rule rejects an event");
	return n;
}

static double
cpu_us(void)
{
	struct rusage u;

	gan_must(getrusage(RUSAGE_SELF, &u) == 0);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void
loop(struct tally *t, const struct tally *all, long processes, const struct input *in, int64_t ms)
{
	jq_state **jq = calloc(in->rules->nrules, sizeof(jq_state *));
	struct rusage u;

	gan_must(jq != NULL);
	gan_jq_init();
	for (size_t i = 0; i < in->rules->nrules; i++)
		jq[i] = compile(&in->rules->rules[i]);
	t->ready = 1;
	for (long i = 0; i < processes; i++)
		while (!all[i].ready)
			(void)usleep(1000);
	int64_t start = gan_mono_us(), now = start;
	double cpu = cpu_us();
	while (now < start + ms * 1000) {
		const struct line *l = &in->lines[t->events++ % in->n];

		for (size_t i = 0; i < l->nrules; i++)
			t->outputs += run(jq[l->rules[i]], l);
		now = gan_mono_us();
	}
	t->us = now - start;
	t->cpu_us = cpu_us() - cpu;
	gan_must(getrusage(RUSAGE_SELF, &u) == 0);
	t->rss_kb = u.ru_maxrss;
}

int
main(int argc, char **argv)
{
	struct input in = { 0 };
	struct tally sum = { 0 };
	double rate = 0;

	must_be(argc == 5, "usage: bare_jq CONFIG EVENTS PROCESSES MILLISECONDS");
	long n = strtol(argv[3], NULL, 10), ms = strtol(argv[4], NULL, 10);
	must_be(n > 0 && n <= PROCESSES_MAX && ms > 0, "PROCESSES is 1 to 64");
	read_input(&in, argv[1], argv[2]);
	struct tally *all = mmap(NULL, (size_t)n * sizeof(*all), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	gan_must(all != MAP_FAILED);
	for (long i = 0; i < n; i++) {
		if (fork() != 0)
			continue;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		loop(&all[i], all, n, &in, ms);
		_exit(0);
	}
	for (long i = 0; i < n; i++) {
		int status;

		must_be(wait(&status) > 0 && status == 0, "a process failed");
	}
	for (long i = 0; i < n; i++) {
		sum.events += all[i].events;
		sum.outputs += all[i].outputs;
		sum.cpu_us += all[i].cpu_us;
		sum.rss_kb = all[i].rss_kb > sum.rss_kb ? all[i].rss_kb : sum.rss_kb;
		rate += (double)all[i].events * 1e6 / (double)all[i].us;
	}
	(void)printf(
	    "{\"rate\":%.0f,\"events\":%lu,\"outputs\":%lu,\"cpu_us\":%.1f,\"peak_mb\":%.1f}\n",
	    rate, sum.events, sum.outputs, sum.cpu_us / (double)sum.events,
	    (double)sum.rss_kb / 1024);
	return 0;
}
