/* SPDX-License-Identifier: MIT */
/*
 * send.c - `gantry-sim send`: webhooks signed in every form that the vendor's
 * page can mean, one or many.
 *
 * Each request has a connection of its own, as from a sender that keeps none.
 * All of them run in one poll(2) loop; an answer counts when its status line
 * is in.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim.h"

#define CONNECTIONS_MAX 1024
#define ANSWER_MS 30000

static const char usage[] =
    "usage: gantry-sim send --url URL --secret-file FILE --topic TOPIC [OPTION...]\n"
    "\n"
    "Posts a signed webhook; prints the status and the answer; exit 0 on 2xx, else 1.\n"
    "\n"
    "  --form F           sha1-hex (default) sha1-base64 sha256-hex sha256-base64\n"
    "                     sha1-base64hex sha256-base64hex\n"
    "  --header NAME      header of the signature (x-prodsmart-hmac-sha256)\n"
    "  --quotes           header values in double quotes, as the vendor prints them\n"
    "  --prefix           \"sha1=\" or \"sha256=\" before the signature\n"
    "  --uuid U           webhook uuid; else a new one for each\n"
    "  --triggered-at T   else the time of now\n"
    "  --body FILE        - or nothing: standard input; @N@ in it becomes 1, 2, …\n"
    "  --count N          that many; prints a summary as JSON\n"
    "  --rate R           at most R per second\n"
    "  --connections C    at most C at a time (1)\n";

enum { HEX, BASE64, BASE64HEX };

struct sender {
	struct sockaddr_in addr;
	char host[128], path[512];
	const char *topic, *header, *uuid, *triggered_at;
	enum gan_digest alg;
	int encoding; /* HEX, BASE64 or BASE64HEX */
	bool quotes, prefix;
	char *secret, *body;
	size_t secret_len, body_len;
	struct gan_hmac_key *key;
	long count, rate, connections;
};

struct flight {
	int fd; /* -1: free */
	struct gan_buf out, in;
	size_t done;
	int64_t until_ms;
};

struct tally {
	long sent, ok, failed;
	long by_status[600];
};

static int
parse_form(struct sender *s, const char *form)
{
	static const char *const names[] = { "hex", "base64", "base64hex" };
	const char *dash = strchr(form, '-');

	if (dash == NULL)
		return -1;
	s->alg = strncmp(form, "sha256", 6) == 0 ? GAN_SHA256 : GAN_SHA1;
	if (strncmp(form, s->alg == GAN_SHA1 ? "sha1-" : "sha256-", (size_t)(dash - form) + 1) != 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		if (strcmp(dash + 1, names[i]) == 0) {
			s->encoding = i;
			return 0;
		}
	}
	return -1;
}

static int
parse_url(struct sender *s, const char *url)
{
	const char *host = url + 7, *slash, *colon;
	char name[128];
	long port = 80;

	if (strncmp(url, "http://", 7) != 0)
		return -1;
	slash = strchr(host, '/');
	if (slash == NULL || slash - host >= (long)sizeof(name))
		return -1;
	(void)snprintf(s->host, sizeof(s->host), "%.*s", (int)(slash - host), host);
	(void)snprintf(name, sizeof(name), "%s", s->host);
	colon = strchr(name, ':');
	if (colon != NULL) {
		port = strtol(colon + 1, NULL, 10);
		name[colon - name] = '\0';
	}
	if (strcmp(name, "localhost") == 0)
		(void)snprintf(name, sizeof(name), "127.0.0.1");
	s->addr.sin_family = AF_INET;
	s->addr.sin_port = htons((uint16_t)port);
	(void)snprintf(s->path, sizeof(s->path), "%s", slash);
	return inet_pton(AF_INET, name, &s->addr.sin_addr) == 1 && port > 0 && port < 65536 ? 0
											    : -1;
}

static void
put_signature(const struct sender *s, const struct gan_buf *body, struct gan_buf *out)
{
	char hex[2 * GAN_DIGEST_MAX + 1], *text GAN_AUTO(gan_str_free) = NULL;
	unsigned char mac[GAN_DIGEST_MAX];
	size_t n = gan_digest_len(s->alg);

	gan_must(gan_hmac(s->key, body->data, body->len, mac) == 0);
	gan_hex(mac, n, hex);
	if (s->prefix)
		gan_buf_puts(out, s->alg == GAN_SHA1 ? "sha1=" : "sha256=");
	if (s->encoding == HEX) {
		gan_buf_puts(out, hex);
		return;
	}
	text = s->encoding == BASE64 ? gan_base64_encode(mac, n) : gan_base64_encode(hex, 2 * n);
	gan_must(text != NULL);
	gan_buf_puts(out, text);
}

/* The template with every @N@ replaced. */
static void
make_body(const struct sender *s, long n, struct gan_buf *out)
{
	const char *p = s->body, *end = s->body + s->body_len, *at;

	gan_buf_puts(out, ""); /* an empty body has a place to point to, too */
	while ((at = memmem(p, (size_t)(end - p), "@N@", 3)) != NULL) {
		gan_buf_put(out, p, (size_t)(at - p));
		gan_buf_printf(out, "%ld", n);
		p = at + 3;
	}
	gan_buf_put(out, p, (size_t)(end - p));
}

static void
make_request(const struct sender *s, long n, struct gan_buf *out)
{
	struct gan_buf body GAN_AUTO(gan_buf_fini) = { 0 };
	char when[GAN_TIME_LEN], uuid[37], hex[33];
	const char *q = s->quotes ? "\"" : "";
	unsigned char raw[16];

	gan_random(raw, sizeof(raw));
	raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
	raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
	gan_hex(raw, 16, hex);
	(void)snprintf(uuid, sizeof(uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	    hex + 16, hex + 20);
	make_body(s, n, &body);
	gan_buf_printf(out,
	    "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\nx-prodsmart-topic: %s%s%s\r\n"
	    "x-prodsmart-api-version: %s1%s\r\nx-prodsmart-webhook-uuid: %s%s%s\r\n"
	    "x-prodsmart-triggered-at: %s%s%s\r\n%s: %s",
	    s->path, s->host, body.len, q, s->topic, q, q, q, q, s->uuid != NULL ? s->uuid : uuid,
	    q, q, s->triggered_at != NULL ? s->triggered_at : gan_time_format(gan_wall_ms(), when),
	    q, s->header, q);
	put_signature(s, &body, out);
	gan_buf_printf(out, "%s\r\n\r\n", q);
	gan_buf_put(out, body.data, body.len);
	gan_must(!out->failed && !body.failed);
}

static void
launch(const struct sender *s, struct flight *f, long n)
{
	gan_buf_clear(&f->out);
	gan_buf_clear(&f->in);
	f->done = 0;
	f->until_ms = gan_mono_ms() + ANSWER_MS;
	make_request(s, n, &f->out);
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	gan_must(f->fd >= 0);
	/* Still connecting, send says EAGAIN; refused, it says why. */
	(void)connect(f->fd, (const struct sockaddr *)&s->addr, sizeof(s->addr));
}

/* True when the flight has ended, well or not. */
static bool
step(struct flight *f)
{
	char chunk[8192];
	ssize_t n;

	if (f->done < f->out.len) {
		n = send(f->fd, f->out.data + f->done, f->out.len - f->done, MSG_NOSIGNAL);
		if (n < 0)
			return errno != EAGAIN;
		f->done += (size_t)n;
		return false;
	}
	n = recv(f->fd, chunk, sizeof(chunk), 0);
	if (n < 0)
		return errno != EAGAIN;
	gan_buf_put(&f->in, chunk, (size_t)n);
	return n == 0 || f->in.len > 1024 * 1024;
}

static void
land(struct flight *f, struct tally *t)
{
	int status = 0;

	if (f->in.len > 12 && strncmp(f->in.data, "HTTP/1.", 7) == 0)
		status = (int)strtol(f->in.data + 9, NULL, 10);
	if (status < 0 || status > 599)
		status = 0;
	t->by_status[status]++;
	t->ok += status >= 200 && status < 300;
	t->failed += status == 0;
	(void)close(f->fd);
	f->fd = -1;
}

static void
run(const struct sender *s, struct flight *flights, struct tally *t)
{
	struct pollfd *fds = calloc((size_t)s->connections, sizeof(*fds));
	int64_t start = gan_mono_ms();
	long landed = 0;

	gan_must(fds != NULL);
	while (landed < s->count) {
		int64_t now = gan_mono_ms(), wait = 1000;
		nfds_t n = 0;

		for (long i = 0; i < s->connections; i++) {
			struct flight *f = &flights[i];
			int64_t due = s->rate == 0 ? now : start + t->sent * 1000 / s->rate;

			if (f->fd < 0 && t->sent < s->count && due <= now)
				launch(s, f, ++t->sent);
			else if (f->fd < 0 && t->sent < s->count && due - now < wait)
				wait = due - now;
			if (f->fd >= 0)
				fds[n++] = (struct pollfd){ .fd = f->fd,
					.events = f->done < f->out.len ? POLLOUT : POLLIN };
		}
		(void)poll(fds, n, (int)wait);
		for (long i = 0; i < s->connections; i++) {
			struct flight *f = &flights[i];

			if (f->fd >= 0 && (step(f) || gan_mono_ms() > f->until_ms)) {
				land(f, t);
				landed++;
			}
		}
	}
	free(fds);
}

static void
report(const struct sender *s, const struct flight *f, const struct tally *t)
{
	bool any = false;

	if (s->count == 1) {
		const char *end = f->in.len == 0 ? NULL : strstr(f->in.data, "\r\n\r\n");

		if (end == NULL)
			(void)printf("no answer\n");
		else
			(void)printf(
			    "%.*s\n%s\n", (int)strcspn(f->in.data, "\r"), f->in.data, end + 4);
		return;
	}
	(void)printf(
	    "{\"sent\":%ld,\"ok\":%ld,\"unanswered\":%ld,\"status\":{", t->sent, t->ok, t->failed);
	for (int i = 1; i < 600; i++) {
		if (t->by_status[i] == 0)
			continue;
		(void)printf("%s\"%d\":%ld", any ? "," : "", i, t->by_status[i]);
		any = true;
	}
	(void)printf("}}\n");
}

static int
read_stdin(struct sender *s)
{
	struct gan_buf b = { .max = GAN_SIM_BODY_MAX };
	char chunk[8192];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
		gan_buf_put(&b, chunk, (size_t)n);
	gan_buf_puts(&b, "");
	if (n < 0 || b.failed)
		return -1;
	s->body = gan_buf_steal(&b, &s->body_len);
	return 0;
}

static int
prepare(struct sender *s, const char *secret_file, const char *body_file, struct gan_err *err)
{
	int rc = gan_file_read(secret_file, 4096, &s->secret, &s->secret_len, err);

	if (rc < 0)
		return rc;
	if (s->secret_len > 0 && s->secret[s->secret_len - 1] == '\n')
		s->secret_len--;
	rc = gan_hmac_key_new(s->alg, s->secret, s->secret_len, &s->key, err);
	if (rc < 0)
		return rc;
	if (body_file != NULL && strcmp(body_file, "-") != 0)
		return gan_file_read(body_file, GAN_SIM_BODY_MAX, &s->body, &s->body_len, err);
	return read_stdin(s) < 0 ? gan_err_set(err, GAN_EIO, "standard input") : GAN_OK;
}

static int
fly(struct sender *s)
{
	struct flight *flights = calloc((size_t)s->connections, sizeof(*flights));
	struct tally t = { 0 };

	gan_must(flights != NULL);
	for (long i = 0; i < s->connections; i++)
		flights[i].fd = -1;
	run(s, flights, &t);
	report(s, &flights[0], &t);
	for (long i = 0; i < s->connections; i++) {
		gan_buf_fini(&flights[i].out);
		gan_buf_fini(&flights[i].in);
	}
	free(flights);
	return t.ok == s->count ? 0 : 1;
}

static bool
parse_count(const char *text, long max, long *ret)
{
	char *end;

	*ret = strtol(text, &end, 10);
	return end != text && *end == '\0' && *ret >= 1 && *ret <= max;
}

int
gan_sim_send(int argc, char **argv)
{
	static const struct option longs[] = { { "url", 1, NULL, 'u' },
		{ "secret-file", 1, NULL, 's' }, { "topic", 1, NULL, 't' },
		{ "form", 1, NULL, 'f' }, { "header", 1, NULL, 'H' }, { "quotes", 0, NULL, 'q' },
		{ "prefix", 0, NULL, 'p' }, { "uuid", 1, NULL, 'i' },
		{ "triggered-at", 1, NULL, 'a' }, { "body", 1, NULL, 'b' },
		{ "count", 1, NULL, 'n' }, { "rate", 1, NULL, 'r' },
		{ "connections", 1, NULL, 'c' }, { "help", 0, NULL, 'h' }, { 0 } };
	struct sender s = { .header = "x-prodsmart-hmac-sha256", .count = 1, .connections = 1 };
	const char *secret_file = NULL, *body_file = NULL;
	struct gan_err err = { 0 };
	bool ok = true, url = false;
	int c, rc;

	while (ok && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'u':
			ok = url = parse_url(&s, optarg) == 0;
			break;
		case 's':
			secret_file = optarg;
			break;
		case 't':
			s.topic = optarg;
			break;
		case 'f':
			ok = parse_form(&s, optarg) == 0;
			break;
		case 'H':
			s.header = optarg;
			break;
		case 'q':
			s.quotes = true;
			break;
		case 'p':
			s.prefix = true;
			break;
		case 'i':
			s.uuid = optarg;
			break;
		case 'a':
			s.triggered_at = optarg;
			break;
		case 'b':
			body_file = optarg;
			break;
		case 'n':
			ok = parse_count(optarg, 100000000, &s.count);
			break;
		case 'r':
			ok = parse_count(optarg, 1000000, &s.rate);
			break;
		case 'c':
			ok = parse_count(optarg, CONNECTIONS_MAX, &s.connections);
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		default:
			ok = false;
		}
	}
	if (!ok || !url || secret_file == NULL || s.topic == NULL || optind < argc) {
		(void)fputs(usage, stderr);
		return 64;
	}
	rc = prepare(&s, secret_file, body_file, &err);
	if (rc < 0)
		(void)fprintf(stderr, "gantry-sim send: %s\n", err.msg);
	else
		rc = fly(&s);
	gan_hmac_key_free(&s.key);
	gan_secret_free(s.secret, s.secret_len);
	free(s.body);
	return rc < 0 ? 1 : rc;
}
