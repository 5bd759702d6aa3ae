/* SPDX-License-Identifier: MIT */
/* peer.c - see peer.h. */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"

struct peer {
	uv_tcp_t tcp;
	uv_loop_t *loop;
	peer_fn fn;
	void *arg;
	int port, requests, connections;
	char url[64];
	struct peer_conn *conns;
	unsigned handles;
};

struct peer_conn {
	uv_tcp_t tcp;
	struct peer *peer;
	struct peer_conn *prev, *next;
	struct gan_buf in;
	const char *again; /* flooding */
	char buf[65536];
};

struct out {
	uv_write_t req;
	int close;
	char *text;
};

static void
gone(struct peer *p)
{
	if (--p->handles == 0)
		free(p);
}

static void
conn_closed(uv_handle_t *h)
{
	struct peer_conn *c = h->data;
	struct peer *p = c->peer;

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		p->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	gan_buf_fini(&c->in);
	free(c);
	gone(p);
}

static void
conn_close(struct peer_conn *c)
{
	if (!uv_is_closing((uv_handle_t *)&c->tcp))
		uv_close((uv_handle_t *)&c->tcp, conn_closed);
}

static void say(struct peer_conn *c, const char *text, int close);

static void
written(uv_write_t *w, int status)
{
	struct out *o = w->data;
	struct peer_conn *c = w->handle->data;

	if (status < 0 || o->close)
		conn_close(c);
	else if (c->again != NULL)
		say(c, c->again, 0);
	free(o->text);
	free(o);
}

static void
say(struct peer_conn *c, const char *text, int close)
{
	struct out *o = calloc(1, sizeof(*o));
	uv_buf_t b;

	gan_must(o != NULL && (o->text = strdup(text)) != NULL);
	o->req.data = o;
	o->close = close;
	b = uv_buf_init(o->text, (unsigned)strlen(text));
	if (uv_write(&o->req, (uv_stream_t *)&c->tcp, &b, 1, written) != 0) {
		free(o->text);
		free(o);
	}
}

/* Length of the first whole request in the buffer, 0: not yet. */
static size_t
whole(const struct gan_buf *in)
{
	const char *end = in->data != NULL ? strstr(in->data, "\r\n\r\n") : NULL;
	const char *len = in->data != NULL ? strcasestr(in->data, "\r\nContent-Length:") : NULL;
	size_t n;

	if (end == NULL)
		return 0;
	n = (size_t)(end + 4 - in->data);
	if (len != NULL && len < end)
		n += strtoul(len + 17, NULL, 10);
	return in->len >= n ? n : 0;
}

static void
on_alloc(uv_handle_t *h, size_t want, uv_buf_t *b)
{
	struct peer_conn *c = h->data;

	(void)want;
	*b = uv_buf_init(c->buf, sizeof(c->buf));
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct peer_conn *c = s->data;
	struct peer *p = c->peer;
	struct peer_req req = { .peer = p, .conn = c };
	char *text;

	if (n < 0) {
		conn_close(c);
		return;
	}
	gan_buf_put(&c->in, b->base, (size_t)n);
	while ((req.len = whole(&c->in)) > 0) {
		text = gan_memdup(c->in.data, req.len);
		gan_buf_shift(&c->in, req.len);
		req.text = text;
		req.n = p->requests++;
		p->fn(p->arg, &req);
		free(text);
	}
}

static void
on_connection(uv_stream_t *s, int status)
{
	struct peer *p = s->data;
	struct peer_conn *c = calloc(1, sizeof(*c));

	gan_must(status == 0 && c != NULL);
	c->peer = p;
	gan_must(uv_tcp_init(p->loop, &c->tcp) == 0);
	c->tcp.data = c;
	p->handles++;
	p->connections++;
	c->next = p->conns;
	if (p->conns != NULL)
		p->conns->prev = c;
	p->conns = c;
	gan_must(uv_accept(s, (uv_stream_t *)&c->tcp) == 0);
	gan_must(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0);
}

struct peer *
peer_open(uv_loop_t *loop, peer_fn fn, void *arg)
{
	struct peer *p = calloc(1, sizeof(*p));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int n = sizeof(a);

	gan_must(p != NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* it writes to peers that hang up */
	p->loop = loop;
	p->fn = fn;
	p->arg = arg;
	gan_must(uv_tcp_init(loop, &p->tcp) == 0);
	p->tcp.data = p;
	p->handles = 1;
	gan_must(uv_tcp_bind(&p->tcp, (struct sockaddr *)&a, 0) == 0);
	gan_must(uv_listen((uv_stream_t *)&p->tcp, 64, on_connection) == 0);
	gan_must(uv_tcp_getsockname(&p->tcp, (struct sockaddr *)&a, &n) == 0);
	p->port = ntohs(a.sin_port);
	snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%d", p->port);
	return p;
}

int
peer_port(const struct peer *p)
{
	return p->port;
}

const char *
peer_url(const struct peer *p)
{
	return p->url;
}

int
peer_requests(const struct peer *p)
{
	return p->requests;
}

int
peer_connections(const struct peer *p)
{
	return p->connections;
}

static void
listener_closed(uv_handle_t *h)
{
	gone(h->data);
}

void
peer_close(struct peer *p)
{
	for (struct peer_conn *c = p->conns; c != NULL; c = c->next)
		conn_close(c);
	uv_close((uv_handle_t *)&p->tcp, listener_closed);
}

void
peer_say(const struct peer_req *req, const char *raw)
{
	say(req->conn, raw, 1);
}

void
peer_say_open(const struct peer_req *req, const char *raw)
{
	say(req->conn, raw, 0);
}

void
peer_reply(const struct peer_req *req, int status, const char *head, const char *body)
{
	char *text = gan_asprintf(
	    "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), head, body);

	gan_must(text != NULL);
	say(req->conn, text, 0);
	free(text);
}

void
peer_hang_up(const struct peer_req *req)
{
	conn_close(req->conn);
}

void
peer_flood(const struct peer_req *req, const char *first, const char *again)
{
	req->conn->again = again;
	say(req->conn, first, 0);
}
