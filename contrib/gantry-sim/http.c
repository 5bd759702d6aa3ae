/* SPDX-License-Identifier: MIT */
/*
 * http.c - listeners and connections, and what a fault does on the wire.
 *
 * libmicrohttpd would not let us send half an answer or bytes that are no
 * HTTP, so the little that a simulator needs of a server is here.  One
 * request at a time per connection; an answer is one write.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sim.h"

#define CONNECTIONS_MAX 8192
#define IDLE_MS 120000

struct gan_sim_listener {
	uv_tcp_t tcp;
	struct gan_sim *sim;
	enum gan_sim_system system;
	char host[64];
	int port;
	bool down, closing, again;
};

struct conn {
	uv_tcp_t tcp;
	uv_timer_t late; /* open from the start, so that closing is one path */
	uv_write_t write;
	struct gan_sim *sim;
	enum gan_sim_system system;
	struct conn *prev, *next;
	int64_t touched_ms;
	struct gan_buf in, out;
	size_t handles;
	bool waiting; /* for the late timer or the end of a write: reads nothing new */
	bool keep_alive, closing, told_continue;
};

static struct conn *conns;
static size_t nconns;

static void serve(struct conn *c);

static void
on_conn_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	if (--c->handles > 0)
		return;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	nconns--;
	gan_buf_fini(&c->in);
	gan_buf_fini(&c->out);
	free(c);
}

static void
conn_close(struct conn *c, bool reset)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->late, on_conn_closed);
	if (!reset || uv_tcp_close_reset(&c->tcp, on_conn_closed) != 0)
		uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

static void
sent(struct conn *c)
{
	gan_buf_clear(&c->out);
	c->waiting = false;
	if (!c->keep_alive)
		conn_close(c, false);
}

static void
on_written(uv_write_t *w, int status)
{
	struct conn *c = w->data;

	if (c->closing)
		return;
	if (status < 0) {
		conn_close(c, false);
		return;
	}
	sent(c);
	if (!c->closing)
		serve(c);
}

/* Send c->out; true when all of it is gone already. */
static bool
flush_out(struct conn *c)
{
	uv_buf_t b = uv_buf_init(c->out.data, (unsigned)c->out.len);
	int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);

	if (n == (int)c->out.len) {
		sent(c);
		return true;
	}
	if (n < 0 && n != UV_EAGAIN) {
		conn_close(c, false);
		return true;
	}
	if (n > 0) {
		b.base += n;
		b.len -= (size_t)n;
	}
	c->waiting = true;
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0)
		conn_close(c, false);
	return false;
}

static void
put_answer(struct conn *c, int status, const char *type, const char *extra, const char *body,
    size_t len, size_t shown_len)
{
	if (status == 204) { /* has no body, and nothing that describes one */
		gan_buf_printf(&c->out, "HTTP/1.1 204 No Content\r\n%s%s\r\n",
		    c->keep_alive ? "" : "Connection: close\r\n", extra == NULL ? "" : extra);
		return;
	}
	gan_buf_printf(&c->out,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n", status,
	    gan_sim_reason(status), type, shown_len, c->keep_alive ? "" : "Connection: close\r\n",
	    extra == NULL ? "" : extra);
	gan_buf_put(&c->out, body, len);
}

static void
put_huge(struct conn *c, int64_t size)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	c->keep_alive = false;
	put_answer(c, 200, "application/json", NULL, "{\"x\":\"", 6, (size_t)size + 8);
	for (int64_t left = size; left > 0; left -= (int64_t)sizeof(block))
		gan_buf_put(
		    &c->out, block, left < (int64_t)sizeof(block) ? (size_t)left : sizeof(block));
	gan_buf_puts(&c->out, "\"}");
}

static void
on_late(uv_timer_t *t)
{
	struct conn *c = t->data;

	if (c->closing)
		return;
	if (c->out.len == 0) { /* a hang that came to its end */
		conn_close(c, true);
		return;
	}
	if (flush_out(c) && !c->closing)
		serve(c);
}

static void
wait_for(struct conn *c, int64_t ms)
{
	c->waiting = true;
	gan_must(uv_timer_start(&c->late, on_late, (uint64_t)ms, 0) == 0);
}

static const char *
extra_lines(const struct gan_sim_fault *f, char *out, size_t n)
{
	out[0] = '\0';
	if (f->retry_after != NULL)
		(void)snprintf(out, n, "Retry-After: %s\r\n", f->retry_after);
	else if (f->kind == GAN_SIM_FAULT_REDIRECT)
		(void)snprintf(out, n, "Location: %s\r\n",
		    f->location == NULL ? "http://127.0.0.1:9/elsewhere" : f->location);
	return out;
}

/* Spoil the answer; returns the status that the client can see, 0 for none. */
static int
misbehave(struct conn *c, const struct gan_sim_fault *f, const struct gan_sim_answer *ans)
{
	const char *body = ans->body.len == 0 ? "" : ans->body.data;
	char extra[512];

	switch (f->kind) {
	case GAN_SIM_FAULT_STATUS:
	case GAN_SIM_FAULT_REDIRECT:
		body = f->body != NULL ? f->body : "{\"simulated\":true}";
		put_answer(c, f->status, "application/json", extra_lines(f, extra, sizeof(extra)),
		    body, strlen(body), strlen(body));
		return f->status;
	case GAN_SIM_FAULT_LATE:
		put_answer(c, ans->status, ans->type == NULL ? "application/json" : ans->type,
		    ans->extra.len == 0 ? NULL : ans->extra.data, body, ans->body.len,
		    ans->body.len);
		return ans->status;
	case GAN_SIM_FAULT_GARBAGE:
		body = f->body != NULL ? f->body : "<html><body>It works!</body></html>";
		put_answer(c, 200, "text/html", NULL, body, strlen(body), strlen(body));
		return 200;
	case GAN_SIM_FAULT_RAW:
		c->keep_alive = false;
		gan_buf_puts(&c->out, f->body != NULL ? f->body : "\x16\x03\x01 no http here\r\n");
		return 0;
	case GAN_SIM_FAULT_HALF:
		c->keep_alive = false;
		put_answer(c, ans->status, "application/json", NULL, body, ans->body.len / 2,
		    ans->body.len);
		return ans->status;
	case GAN_SIM_FAULT_HUGE:
		put_huge(c, f->size);
		return 200;
	case GAN_SIM_FAULT_DROP_BEFORE:
	case GAN_SIM_FAULT_DROP_AFTER:
	case GAN_SIM_FAULT_HANG:
	case GAN_SIM_FAULT_HANG_AFTER:
	case GAN_SIM_FAULT_NKINDS:
		break;
	}
	return 0;
}

static void
put_on_wire(struct conn *c, const struct gan_sim_fault *f)
{
	if (f != NULL &&
	    (f->kind == GAN_SIM_FAULT_DROP_BEFORE || f->kind == GAN_SIM_FAULT_DROP_AFTER)) {
		conn_close(c, true);
		return;
	}
	if (f != NULL && (f->kind == GAN_SIM_FAULT_HANG || f->kind == GAN_SIM_FAULT_HANG_AFTER)) {
		wait_for(c, f->ms > 0 ? f->ms : IDLE_MS);
		return;
	}
	if (f != NULL && f->ms > 0)
		wait_for(c, f->ms);
	else
		(void)flush_out(c);
}

typedef void (*handler_fn)(
    struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans);

static void
handle(struct conn *c, const struct gan_sim_request *req)
{
	static const handler_fn handlers[GAN_SIM_NSYSTEMS] = { gan_sim_prodsmart, gan_sim_movilitas,
		gan_sim_flex2b, gan_sim_erp, gan_sim_control };
	struct gan_sim_answer ans = { .status = 500 };
	const struct gan_sim_fault *f = NULL;
	int status, lost = 0;

	if (c->system == GAN_SIM_PRODSMART)
		gan_sim_prodsmart_arrived(c->sim);
	if (c->system != GAN_SIM_CONTROL)
		f = gan_sim_fault_pick(&c->sim->faults, req, gan_sim_is_token(req));
	if (f == NULL || f->act)
		handlers[c->system](c->sim, req, &ans);
	if (f != NULL) {
		status = misbehave(c, f, &ans);
		if (f->kind != GAN_SIM_FAULT_LATE && ans.handed > 0) {
			lost = ans.handed;
			gan_sim_prodsmart_lost(c->sim);
		}
	} else {
		status = ans.status;
		put_answer(c, status, ans.type == NULL ? "application/json" : ans.type,
		    ans.extra.len == 0 ? NULL : ans.extra.data,
		    ans.body.len == 0 ? "" : ans.body.data, ans.body.len, ans.body.len);
	}
	if (c->system != GAN_SIM_CONTROL)
		gan_sim_journal_add(c->sim->journal, req, status, &ans,
		    f == NULL ? NULL : gan_sim_fault_names[f->kind], lost);
	gan_buf_fini(&ans.notes);
	gan_buf_fini(&ans.extra);
	gan_buf_fini(&ans.body);
	put_on_wire(c, f);
}

static void
refuse(struct conn *c, int status)
{
	static const char body[] = "{\"error\":\"the request is no HTTP that we take\"}";

	c->keep_alive = false;
	put_answer(c, status, "application/json", NULL, body, sizeof(body) - 1, sizeof(body) - 1);
	(void)flush_out(c);
}

/* Serve what is whole in the buffer. */
static void
serve(struct conn *c)
{
	while (!c->waiting && !c->closing && c->in.len > 0) {
		struct gan_sim_request req = { .system = c->system };
		const char *connection;
		size_t used = 0;
		char *end, saved;
		int rc = gan_sim_parse(&c->in, &req, &used);

		if (rc == 0) {
			if (!c->told_continue && gan_sim_wants_continue(&c->in)) {
				c->told_continue = true;
				gan_buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
				c->keep_alive = true;
				(void)flush_out(c);
			}
			return;
		}
		if (rc < 0) {
			refuse(c, -rc);
			return;
		}
		c->told_continue = false;
		connection = gan_sim_header(&req, "connection");
		c->keep_alive = connection == NULL || strcasecmp(connection, "close") != 0;
		end = req.body + req.body_len;
		saved = *end;
		*end = '\0';
		handle(c, &req);
		*end = saved;
		gan_buf_shift(&c->in, used);
	}
}

static void
on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
	static char shared[64 * 1024]; /* one loop, and on_read copies at once */

	(void)h;
	(void)hint;
	*b = uv_buf_init(shared, sizeof(shared));
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = s->data;

	if (n < 0) {
		conn_close(c, false);
		return;
	}
	c->touched_ms = gan_mono_ms();
	gan_buf_put(&c->in, b->base, (size_t)n);
	if (c->in.failed) {
		conn_close(c, true);
		return;
	}
	serve(c);
}

static void
on_connection(uv_stream_t *server, int status)
{
	struct gan_sim_listener *l = server->data;
	struct conn *c;

	if (status < 0)
		return;
	c = calloc(1, sizeof(*c));
	gan_must(c != NULL);
	c->sim = l->sim;
	c->system = l->system;
	c->in.max = GAN_SIM_BODY_MAX + GAN_SIM_HEAD_MAX + 65536;
	c->touched_ms = gan_mono_ms();
	gan_must(uv_tcp_init(&l->sim->loop, &c->tcp) == 0);
	gan_must(uv_timer_init(&l->sim->loop, &c->late) == 0);
	c->tcp.data = c;
	c->late.data = c;
	c->handles = 2;
	c->next = conns;
	if (conns != NULL)
		conns->prev = c;
	conns = c;
	nconns++;
	if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0 || nconns > CONNECTIONS_MAX) {
		conn_close(c, true);
		return;
	}
	(void)uv_tcp_nodelay(&c->tcp, 1);
	gan_must(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0);
}

static int
bind_listener(struct gan_sim_listener *l, struct gan_err *err)
{
	struct sockaddr_storage addr;
	int len = sizeof(addr), rc;

	if (uv_ip4_addr(l->host, l->port, (struct sockaddr_in *)&addr) != 0)
		return gan_err_set(err, GAN_EINVAL, "'%s' is no IPv4 address", l->host);
	gan_must(uv_tcp_init(&l->sim->loop, &l->tcp) == 0);
	l->tcp.data = l;
	rc = uv_tcp_bind(&l->tcp, (struct sockaddr *)&addr, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&l->tcp, 1024, on_connection);
	if (rc == 0)
		rc = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&addr, &len);
	if (rc != 0)
		return gan_err_set(err, GAN_ENET, "%s port %d of %s: %s", l->host, l->port,
		    gan_sim_names[l->system], uv_strerror(rc));
	l->port = ntohs(((struct sockaddr_in *)&addr)->sin_port);
	return GAN_OK;
}

int
gan_sim_listen(struct gan_sim *sim, enum gan_sim_system system, const char *host, int port,
    struct gan_err *err)
{
	struct gan_sim_listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return gan_err_set(err, GAN_ENOMEM, "listener");
	l->sim = sim;
	l->system = system;
	l->port = port;
	(void)snprintf(l->host, sizeof(l->host), "%s", host);
	sim->listeners[system] = l;
	return bind_listener(l, err);
}

int
gan_sim_port(const struct gan_sim *sim, enum gan_sim_system system)
{
	return sim->listeners[system]->port;
}

bool
gan_sim_is_down(const struct gan_sim *sim, enum gan_sim_system system)
{
	return sim->listeners[system]->down;
}

static void
on_listener_closed(uv_handle_t *h)
{
	struct gan_sim_listener *l = h->data;
	struct gan_err err;

	l->closing = false;
	if (l->again) {
		l->again = false;
		l->down = bind_listener(l, &err) < 0;
	}
}

int
gan_sim_set_down(struct gan_sim *sim, enum gan_sim_system system, bool down, struct gan_err *err)
{
	struct gan_sim_listener *l = sim->listeners[system];

	if (down == l->down)
		return GAN_OK;
	l->down = down;
	if (down) {
		l->closing = true;
		uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
		return GAN_OK;
	}
	if (l->closing) {
		l->again = true;
		return GAN_OK;
	}
	return bind_listener(l, err);
}

void
gan_sim_sweep(struct gan_sim *sim)
{
	int64_t now = gan_mono_ms();

	(void)sim;
	for (struct conn *c = conns; c != NULL; c = c->next) {
		if (!c->waiting && now - c->touched_ms > IDLE_MS)
			conn_close(c, false);
	}
}

static void
close_any(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void
gan_sim_stop(struct gan_sim *sim)
{
	for (struct conn *c = conns; c != NULL; c = c->next)
		conn_close(c, false);
	for (int i = 0; i < GAN_SIM_NSYSTEMS; i++) {
		struct gan_sim_listener *l = sim->listeners[i];

		if (l != NULL && !l->down)
			l->closing = true;
	}
	uv_walk(&sim->loop, close_any, NULL);
}
