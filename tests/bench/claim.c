/* SPDX-License-Identifier: MIT */
/*
 * claim.c - what one claim costs, on a store that `fill` has made.
 *
 *	claim PATH ROUNDS LANES
 *
 * Opens the file as the daemon does, then ROUNDS times: claims the heads of
 * LANES due lanes, and settles each as delivered, as a drain does.  Each step
 * ends with its COMMIT.  Prints one JSON object: times are from the call to
 * the callback, CPU is of the whole process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"

#define CONNECTOR "flex2b"
#define LEASE_MS 60000

struct run {
	uv_loop_t loop;
	struct gan_store *s;
	struct gan_claimed **rows;
	size_t n, settled;
	bool done;
};

static void
fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "claim: %s: %s\n", what, why);
	exit(1);
}

static void
on_fatal(void *arg, const struct gan_err *err)
{
	(void)arg;
	fail("store", err->msg);
}

static void
on_claimed(void *arg, int rc, struct gan_claimed **rows, size_t n, int64_t next_due_ms)
{
	struct run *r = arg;

	(void)next_due_ms;
	if (rc < 0)
		fail("claim", gan_strerror(rc));
	r->rows = rows;
	r->n = n;
	r->done = true;
}

static void
on_settled(void *arg, int rc)
{
	struct run *r = arg;

	if (rc < 0)
		fail("settle", gan_strerror(rc));
	r->settled++;
}

static void
on_closed(void *arg)
{
	((struct run *)arg)->done = true;
}

static int64_t
claim(struct run *r, size_t lanes)
{
	int64_t start = gan_mono_us(), now = gan_wall_ms();
	struct gan_claim_at at = {
		.wall_ms = now, .due_ms = now, .mono_ms = gan_mono_ms(), .lease_ms = LEASE_MS
	};

	r->done = false;
	if (gan_store_claim(r->s, CONNECTOR, lanes, &at, on_claimed, r) < 0)
		fail("claim", "refused");
	while (!r->done)
		(void)uv_run(&r->loop, UV_RUN_ONCE);
	return gan_mono_us() - start;
}

static int64_t
settle(struct run *r)
{
	int64_t start = gan_mono_us(), now = gan_wall_ms();
	struct gan_attempt a = { .started_ms = now,
		.ended_ms = now,
		.request = "POST http://127.0.0.1/api/replicationpost\nauthorization: ***",
		.status = 200,
		.verdict = "delivered",
		.response_head = "HTTP/1.1 200 OK",
		.response = "{\"ResponseCode\":200}",
		.response_len = 20 };

	r->settled = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct gan_settle st = { .delivery_id = r->rows[i]->id,
			.claim = r->rows[i]->attempt,
			.state = GAN_DLV_DELIVERED,
			.attempt = &a,
			.now_ms = now };

		if (gan_store_settle(r->s, &st, on_settled, r) < 0)
			fail("settle", "refused");
	}
	while (r->settled < r->n)
		(void)uv_run(&r->loop, UV_RUN_ONCE);
	for (size_t i = 0; i < r->n; i++)
		gan_claimed_free(&r->rows[i]);
	free(r->rows);
	r->rows = NULL;
	return gan_mono_us() - start;
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double
cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void
report(int64_t *claims, int64_t *settles, size_t rounds, size_t rows, double cpu)
{
	qsort(claims, rounds, sizeof(*claims), by_size);
	qsort(settles, rounds, sizeof(*settles), by_size);
	printf("{\"rounds\":%zu,\"rows\":%zu,\"claim_p50_us\":%lld,\"claim_p99_us\":%lld,"
	       "\"settle_p50_us\":%lld,\"settle_p99_us\":%lld,\"cpu_us\":%.1f}\n",
	    rounds, rows, (long long)claims[rounds / 2], (long long)claims[rounds * 99 / 100],
	    (long long)settles[rounds / 2], (long long)settles[rounds * 99 / 100],
	    rows == 0 ? 0 : cpu / (double)rows);
}

int
main(int argc, char **argv)
{
	size_t rounds = argc == 4 ? strtoul(argv[2], NULL, 10) : 0, rows = 0;
	size_t lanes = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	int64_t *claims, *settles;
	struct gan_store_options opt = { .on_fatal = on_fatal };
	struct gan_err err = { .code = GAN_OK };
	struct run r = { .s = NULL };
	double cpu;

	if (rounds == 0 || lanes == 0) {
		(void)fprintf(stderr, "usage: claim PATH ROUNDS LANES\n");
		return 64;
	}
	claims = calloc(rounds, sizeof(*claims));
	settles = calloc(rounds, sizeof(*settles));
	gan_must(claims != NULL && settles != NULL && uv_loop_init(&r.loop) == 0);
	opt.path = argv[1];
	if (gan_store_open(&r.loop, &opt, &r.s, &err) < 0)
		fail("open", err.msg);
	cpu = cpu_us();
	for (size_t i = 0; i < rounds; i++) {
		claims[i] = claim(&r, lanes);
		rows += r.n;
		settles[i] = settle(&r);
	}
	report(claims, settles, rounds, rows, cpu_us() - cpu);
	r.done = false;
	gan_store_close(r.s, on_closed, &r);
	while (!r.done)
		(void)uv_run(&r.loop, UV_RUN_ONCE);
	(void)uv_run(&r.loop, UV_RUN_NOWAIT);
	(void)uv_loop_close(&r.loop);
	free(claims);
	free(settles);
	return 0;
}
