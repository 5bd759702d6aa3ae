/* SPDX-License-Identifier: MIT */
/*
 * load.c - load on a webhook source: C connections, each sends its next
 * request when the answer to the last one is in (closed loop); with --rate, R
 * requests a second however long the answers take (open loop), each on a
 * connection that is free, and its latency counted from when it was due.
 *
 *	load --url http://127.0.0.1:PORT/hooks/NAME --secret-file FILE
 *	     [--connections C] [--rate R] [--seconds S] [--keep-alive] [--topic T]
 *	     [--body FILE]
 *
 * Every body is new (@N@ in it becomes a number), signed with HMAC-SHA256 and
 * carries a new uuid, so nothing is a duplicate.  A latency is the time from
 * connect (or send, when kept alive) to the last byte of the answer.  Prints
 * one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#define BUCKET_US 10
#define BUCKETS 1000000 /* 10 s */
#define RETRY_MS 10

/* 700 bytes of a lot, as the vendor sends them. */
static const char sample[] =
    "[{\"code\":\"LOT-@N@\",\"creation-date\":\"2026-11-21T19:02:11.123Z\",\"expiration-date\":"
    "\"2027-11-21T00:00:00.000Z\",\"supplier-lot\":\"agriculture1\",\"product\":{\"id\":222,"
    "\"code\":\"product-code\",\"uom\":\"kg\"},\"n\":@N@,\"quantity\":10.5,\"comment\":\"A comment "
    "of the length that people write when they have a moment, and no longer than that.\","
    "\"warehouse-location\":{\"id\":333,\"code\":\"warehouse-location-code\",\"warehouse\":{\"id\":"
    "444,\"code\":\"warehouse-code\"}},\"sales-order\":{\"id\":555,\"code\":\"sales-order-code\","
    "\"client\":{\"id\":777,\"code\":\"client-code\"},\"parameters\":[{\"name\":\"parameterX\","
    "\"value\":\"valueX\"}]},\"shipping\":{\"id\":666,\"code\":\"shipping-code\"},\"worker\":{"
    "\"id\":333,\"number\":0,\"name\":\"worker-name\"}}]";

struct peer {
	int fd;
	int64_t started_us, retry_ms; /* retry_ms > 0: closed until then */
	struct gan_buf out, in;
	size_t sent, want; /* want: length of the whole answer, 0 when not known yet */
};

struct load {
	struct sockaddr_in addr;
	char host[128], path[256];
	const char *topic;
	char *body;
	size_t body_len;
	struct gan_hmac_key *key;
	bool keep_alive;
	long connections, seconds, rate;
	int epoll, timer; /* timer: of the open loop; -1 without */
	struct peer *peers, **idle;
	long nidle;
	int64_t due_us;
	long n;
	uint32_t *buckets;
	long ok, refused, errors;
	int64_t worst_us;
};

static void
put_body(struct load *l, struct gan_buf *out)
{
	const char *p = l->body, *end = p + l->body_len, *at;

	l->n++;
	while ((at = memmem(p, (size_t)(end - p), "@N@", 3)) != NULL) {
		gan_buf_put(out, p, (size_t)(at - p));
		gan_buf_printf(out, "%ld", l->n);
		p = at + 3;
	}
	gan_buf_put(out, p, (size_t)(end - p));
}

static void
make_request(struct load *l, struct gan_buf *out)
{
	static struct gan_buf body;
	unsigned char mac[GAN_DIGEST_MAX], raw[16];
	char hex[2 * GAN_DIGEST_MAX + 1], uuid[33], when[GAN_TIME_LEN];

	gan_buf_clear(&body);
	put_body(l, &body);
	gan_must(gan_hmac(l->key, body.data, body.len, mac) == 0);
	gan_hex(mac, GAN_SHA256_LEN, hex);
	gan_random(raw, sizeof(raw));
	gan_hex(raw, sizeof(raw), uuid);
	gan_buf_clear(out);
	gan_buf_printf(out,
	    "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
	    "%sx-prodsmart-topic: %s\r\nx-prodsmart-api-version: 1\r\n"
	    "x-prodsmart-webhook-uuid: %.8s-%.4s-4%.3s-a%.3s-%.12s\r\n"
	    "x-prodsmart-triggered-at: %s\r\nx-prodsmart-hmac-sha256: %s\r\n\r\n",
	    l->path, l->host, body.len, l->keep_alive ? "" : "Connection: close\r\n", l->topic,
	    uuid, uuid + 8, uuid + 13, uuid + 17, uuid + 20, gan_time_format(gan_wall_ms(), when),
	    hex);
	gan_buf_put(out, body.data, body.len);
	gan_must(!out->failed && !body.failed);
}

static void
watch(struct load *l, struct peer *p, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = p };

	gan_must(epoll_ctl(l->epoll, op, p->fd, &ev) == 0);
}

static void
hang_up(struct peer *p)
{
	if (p->fd >= 0)
		(void)close(p->fd); /* leaves the epoll set with it */
	p->fd = -1;
}

static void
failed(struct load *l, struct peer *p)
{
	l->errors++;
	hang_up(p);
	p->retry_ms = gan_mono_ms() + RETRY_MS;
}

/* The next request of this connection; opens one when there is none. */
static void
next(struct load *l, struct peer *p)
{
	make_request(l, &p->out);
	gan_buf_clear(&p->in);
	p->sent = p->want = 0;
	p->retry_ms = 0;
	p->started_us = gan_mono_us();
	if (p->fd >= 0) {
		watch(l, p, EPOLL_CTL_MOD, EPOLLOUT);
		return;
	}
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	gan_must(p->fd >= 0);
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	watch(l, p, EPOLL_CTL_ADD, EPOLLOUT);
	if (connect(p->fd, (const struct sockaddr *)&l->addr, sizeof(l->addr)) < 0 &&
	    errno != EINPROGRESS)
		failed(l, p);
}

/* Length of the whole answer, 0 while the head is not there. */
static size_t
answer_length(const struct gan_buf *in)
{
	const char *end = in->len == 0 ? NULL : strstr(in->data, "\r\n\r\n"), *at;

	if (end == NULL)
		return 0;
	at = strcasestr(in->data, "\r\ncontent-length:");
	if (at == NULL || at > end)
		return (size_t)(end - in->data) + 4;
	return (size_t)(end - in->data) + 4 + strtoul(at + 17, NULL, 10);
}

static void
count(struct load *l, const struct peer *p)
{
	int64_t us = gan_mono_us() - p->started_us;

	if (strncmp(p->in.data + 8, " 200", 4) == 0 || strncmp(p->in.data + 8, " 202", 4) == 0)
		l->ok++;
	else
		l->refused++;
	if (us > l->worst_us)
		l->worst_us = us;
	l->buckets[us / BUCKET_US < BUCKETS ? us / BUCKET_US : BUCKETS - 1]++;
}

static void
receive(struct load *l, struct peer *p)
{
	char chunk[16384];
	ssize_t n = recv(p->fd, chunk, sizeof(chunk), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		failed(l, p);
		return;
	}
	gan_buf_put(&p->in, chunk, (size_t)n);
	if (p->want == 0)
		p->want = answer_length(&p->in);
	if (p->want == 0 || p->in.len < p->want)
		return;
	count(l, p);
	if (!l->keep_alive || strcasestr(p->in.data, "\r\nconnection: close") != NULL)
		hang_up(p);
	if (l->rate == 0)
		next(l, p);
	else
		l->idle[l->nidle++] = p;
}

static void
step(struct load *l, struct peer *p)
{
	ssize_t n;

	if (p->fd < 0)
		return;
	if (p->sent == p->out.len) {
		receive(l, p);
		return;
	}
	n = send(p->fd, p->out.data + p->sent, p->out.len - p->sent, MSG_NOSIGNAL);
	if (n < 0) {
		if (errno != EAGAIN)
			failed(l, p);
		return;
	}
	p->sent += (size_t)n;
	if (p->sent == p->out.len)
		watch(l, p, EPOLL_CTL_MOD, EPOLLIN);
}

/* Send what is due; what finds no free connection is late, and counted as that. */
static void
keep_rate(struct load *l)
{
	uint64_t ticks;

	(void)!read(l->timer, &ticks, sizeof(ticks));
	while (l->nidle > 0 && l->due_us <= gan_mono_us()) {
		struct peer *p = l->idle[--l->nidle];

		next(l, p);
		p->started_us = l->due_us;
		l->due_us += 1000000 / l->rate;
	}
}

static void
begin(struct load *l)
{
	long period_ns = l->rate > 1 ? 1000000000 / l->rate : 999999999;
	struct itimerspec every = { { 0, period_ns }, { 0, 1 } };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	for (long i = 0; i < l->connections; i++) {
		if (l->rate == 0)
			next(l, &l->peers[i]);
		else
			l->idle[l->nidle++] = &l->peers[i];
	}
	if (l->rate == 0)
		return;
	l->due_us = gan_mono_us();
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	gan_must(l->timer >= 0 && timerfd_settime(l->timer, 0, &every, NULL) == 0 &&
		 epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &ev) == 0);
}

static double
run(struct load *l)
{
	int64_t start = gan_mono_us(), end = start + l->seconds * 1000000;

	begin(l);
	while (gan_mono_us() < end) {
		struct epoll_event ev[256];
		int n = epoll_wait(l->epoll, ev, 256, RETRY_MS);

		for (int i = 0; i < n; i++)
			if (ev[i].data.ptr != NULL)
				step(l, ev[i].data.ptr);
		if (l->rate > 0)
			keep_rate(l);
		if (l->errors == 0)
			continue;
		for (long i = 0; i < l->connections; i++) {
			struct peer *p = &l->peers[i];

			if (p->fd < 0 && p->retry_ms > 0 && p->retry_ms <= gan_mono_ms())
				next(l, p);
		}
	}
	return (double)(gan_mono_us() - start) / 1e6;
}

static double
percentile(const struct load *l, double q)
{
	double want = q * (double)(l->ok + l->refused), seen = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		seen += l->buckets[i];
		if (seen >= want)
			return (double)(i + 1) * BUCKET_US / 1000.0;
	}
	return 0;
}

static int
parse_url(struct load *l, const char *url)
{
	char name[128];
	const char *slash;
	char *colon;

	if (strncmp(url, "http://", 7) != 0 || (slash = strchr(url + 7, '/')) == NULL)
		return -1;
	(void)snprintf(l->host, sizeof(l->host), "%.*s", (int)(slash - url - 7), url + 7);
	(void)snprintf(l->path, sizeof(l->path), "%s", slash);
	(void)snprintf(name, sizeof(name), "%s", l->host);
	colon = strchr(name, ':');
	if (colon == NULL)
		return -1;
	*colon = '\0';
	l->addr.sin_family = AF_INET;
	l->addr.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	return inet_pton(AF_INET, name, &l->addr.sin_addr) == 1 ? 0 : -1;
}

static int
prepare(struct load *l, const char *secret_file, const char *body_file)
{
	struct gan_err err = { 0 };
	char *secret = NULL;
	size_t len = 0;
	int rc = gan_file_read(secret_file, 4096, &secret, &len, &err);

	if (rc == 0 && len > 0 && secret[len - 1] == '\n')
		len--;
	if (rc == 0)
		rc = gan_hmac_key_new(GAN_SHA256, secret, len, &l->key, &err);
	if (rc == 0 && body_file != NULL) {
		rc = gan_file_read(body_file, 1 << 20, &l->body, &l->body_len, &err);
	} else if (rc == 0) {
		l->body = gan_memdup(sample, sizeof(sample) - 1);
		l->body_len = sizeof(sample) - 1;
	}
	gan_secret_free(secret, len);
	if (rc < 0)
		(void)fprintf(stderr, "load: %s\n", err.msg);
	l->n = gan_wall_ms() % 1000000000 * 1000; /* another run, other bodies */
	return rc;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = { { "url", 1, NULL, 'u' },
		{ "secret-file", 1, NULL, 's' }, { "connections", 1, NULL, 'c' },
		{ "seconds", 1, NULL, 't' }, { "keep-alive", 0, NULL, 'k' },
		{ "topic", 1, NULL, 'T' }, { "body", 1, NULL, 'b' }, { "rate", 1, NULL, 'r' },
		{ 0 } };
	struct load l = { .connections = 1, .seconds = 5, .topic = "lot_created" };
	const char *secret = NULL, *body = NULL;
	bool url = false;
	double took;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'u':
			url = parse_url(&l, optarg) == 0;
			break;
		case 's':
			secret = optarg;
			break;
		case 'c':
			l.connections = strtol(optarg, NULL, 10);
			break;
		case 't':
			l.seconds = strtol(optarg, NULL, 10);
			break;
		case 'r':
			l.rate = strtol(optarg, NULL, 10);
			break;
		case 'k':
			l.keep_alive = true;
			break;
		case 'T':
			l.topic = optarg;
			break;
		case 'b':
			body = optarg;
			break;
		default:
			return 64;
		}
	}
	if (!url || secret == NULL || l.connections < 1 || l.connections > 4096 || l.seconds < 1 ||
	    l.rate < 0 || l.rate > 1000000) {
		(void)fprintf(stderr, "load: --url and --secret-file are needed\n");
		return 64;
	}
	if (prepare(&l, secret, body) < 0)
		return 1;
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.peers = calloc((size_t)l.connections, sizeof(*l.peers));
	l.buckets = calloc(BUCKETS, sizeof(*l.buckets));
	l.idle = calloc((size_t)l.connections, sizeof(struct peer *));
	gan_must(l.epoll >= 0 && l.peers != NULL && l.buckets != NULL && l.idle != NULL);
	for (long i = 0; i < l.connections; i++)
		l.peers[i].fd = -1;
	took = run(&l);
	(void)printf("{\"connections\":%ld,\"keep_alive\":%s,\"seconds\":%.2f,\"ok\":%ld,"
		     "\"refused\":%ld,\"errors\":%ld,\"rate\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
		     "\"max_ms\":%.2f}\n",
	    l.connections, l.keep_alive ? "true" : "false", took, l.ok, l.refused, l.errors,
	    (double)l.ok / took, percentile(&l, 0.5), percentile(&l, 0.99),
	    (double)l.worst_us / 1000);
	return 0;
}
