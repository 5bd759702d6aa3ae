/* SPDX-License-Identifier: MIT */
/*
 * map_pool.c - the product's mapping without the rest of the gateway: events
 * through a pool of N workers, as the pipeline gives them, results thrown away.
 *
 *	map_pool CONFIG EVENTS WORKERS MILLISECONDS	prints one JSON object
 */
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "mapping/pool_priv.h"
#include "mapping_input.h"

enum {
	WINDOW = 256, /* events under way, as in pipeline.c */
	WARM_UP = 64, /* events before the clock starts: each worker compiles */
};

static struct input in;
static struct gan_pool *pool;
static unsigned long given, taken, outputs;
static int64_t start_us, end_us, length_us;
static double loop_cpu_us, workers_cpu_us;
static long rss_kb;
static bool over;

static const char meta[] =
    "{\"api_version\":\"1\",\"webhook_uuid\":\"91cb972d-b476-4936-947c-4be471b9da5b\","
    "\"triggered_at\":\"2026-11-21T19:02:11.123Z\",\"remote\":\"127.0.0.1\",\"signature\":"
    "\"sha256-hex\"}";

static double
own_cpu_us(void)
{
	struct rusage u;

	gan_must(getrusage(RUSAGE_SELF, &u) == 0);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* The first number in a file of /proc after a word. */
static double
proc_number(int pid, const char *name, const char *word)
{
	char path[64], text[4096];
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	FILE *f = fopen(path, "re");

	must_be(f != NULL, path);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	const char *at = strstr(text, word);
	return at == NULL ? 0 : strtod(at + strlen(word), NULL);
}

static double
workers_us(void)
{
	double ns = 0;

	for (const struct gan_mapper *m = pool->mappers; m != NULL; m = m->next)
		ns += proc_number(m->process.pid, "schedstat", "");
	return ns / 1000;
}

static void
look_at_memory(void)
{
	for (const struct gan_mapper *m = pool->mappers; m != NULL; m = m->next) {
		long kb = (long)proc_number(m->process.pid, "status", "VmHWM:");

		rss_kb = kb > rss_kb ? kb : rss_kb;
	}
}

static void give(void);

static void
on_mapped(void *arg, int rc, const struct gan_map_result *results, size_t n)
{
	(void)arg;
	if (rc != GAN_OK)
		return; /* closing */
	for (size_t i = 0; i < n; i++) {
		must_be(
		    results[i].reject == NULL, results[i].reject != NULL ? results[i].reject : "");
		if (start_us > 0)
			outputs += results[i].noutputs;
	}
	if (++taken == WARM_UP * in.conf->mapping.workers) {
		start_us = gan_mono_us();
		loop_cpu_us = own_cpu_us();
		workers_cpu_us = workers_us();
	} else if (start_us > 0 && !over && gan_mono_us() >= start_us + length_us) {
		over = true;
		end_us = gan_mono_us();
		loop_cpu_us = own_cpu_us() - loop_cpu_us;
		workers_cpu_us = workers_us() - workers_cpu_us;
		look_at_memory();
		gan_pool_close(pool, NULL, NULL);
	}
	if (!over)
		give();
}

static void
give(void)
{
	const struct line *l = &in.lines[given++ % in.n];
	const struct gan_map_event ev = { .id = (int64_t)given,
		.received_ms = gan_wall_ms(),
		.source = l->source,
		.topic = l->topic,
		.topic_raw = l->topic,
		.meta = meta,
		.body = l->body,
		.body_len = l->len };

	must_be(gan_pool_map(pool, in.rules, l->rules, l->nrules, &ev, on_mapped, NULL) == GAN_OK,
	    "the pool takes no event");
}

int
main(int argc, char **argv)
{
	struct gan_pool_options opt;
	struct gan_err err;
	uv_loop_t loop;

	if (argc == 2 && strcmp(argv[1], "--mapper") == 0)
		return gan_worker_main(argc, argv);
	must_be(argc == 5, "usage: map_pool CONFIG EVENTS WORKERS MILLISECONDS");
	read_input(&in, argv[1], argv[2]);
	in.conf->mapping.workers = (unsigned)strtol(argv[3], NULL, 10);
	length_us = strtol(argv[4], NULL, 10) * 1000;
	opt = (struct gan_pool_options){ .workers = in.conf->mapping.workers,
		.timeout_ms = in.conf->mapping.timeout_ms,
		.memory = in.conf->mapping.memory,
		.numbers = in.conf->mapping.numbers,
		.time_zone = in.conf->time_zone };
	gan_must(uv_loop_init(&loop) == 0);
	must_be(gan_pool_open(&loop, &opt, &pool, &err) == GAN_OK, "no pool");
	for (int i = 0; i < WINDOW; i++)
		give();
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	unsigned long events = taken - WARM_UP * in.conf->mapping.workers;
	(void)printf(
	    "{\"rate\":%.0f,\"events\":%lu,\"outputs\":%lu,\"cpu_us\":%.1f,\"loop_us\":%.1f,"
	    "\"peak_mb\":%.1f}\n",
	    (double)events * 1e6 / (double)(end_us - start_us), events, outputs,
	    workers_cpu_us / (double)events, loop_cpu_us / (double)events, (double)rss_kb / 1024);
	return 0;
}
