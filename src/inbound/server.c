/* SPDX-License-Identifier: MIT */
/*
 * server.c - libmicrohttpd's epoll descriptor inside the libuv loop.
 *
 * Old libmicrohttpd forgets to say that it has work in three cases: after a
 * resume, when connections closed while it was at its limit, and when a peer
 * went away.  So there is one pump(): run, run again if either of the first
 * two may be, then ask when to run next.  The heartbeat covers the third.
 */
#include "inbound/server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/server_priv.h"

enum {
	ROUNDS_MAX = 8, /* MHD accepts ten connections a turn; the rest wakes the loop again */
	CROWDED_BEAT_MS = 50,
	IDLE_TIMEOUT_S = 10,
	CONNECTION_MEMORY = 16 * 1024, /* cleared by MHD for every request */
	MEMORY_STEP = 4 * 1024,
	LOG_PERIOD_MS = 10000,
	LAST_WORDS_MS = 1000, /* of a drain, for the last 503s to leave */
	STILL_MAX = 8,
	STUCK_MS = 20,
};

unsigned
gan_server_connections(const struct gan_server *s)
{
	if (s->daemon == NULL)
		return 0;
	return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

/* Never from inside libmicrohttpd: this moves the connection to another of its lists. */
void
gan_server_hurry(struct gan_conn *c)
{
	if (!c->hurried)
		(void)MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
	c->hurried = true;
}

static void pump(struct gan_server *s);

static void
on_timer(uv_timer_t *t)
{
	pump(t->data);
}

static bool
is_moving(struct gan_server *s)
{
	s->still = s->calls == s->calls_seen ? s->still + 1 : 0;
	s->calls_seen = s->calls;
	return s->still < STILL_MAX;
}

/*
 * "At once" is said for ever about a connection that can neither go on nor end,
 * such as one whose chunk header is larger than its buffer.  A timer of 0 ms
 * that starts itself again never lets libuv out of its timers: use the next
 * turn of the loop, and take it slowly when nothing moves any more.
 */
static void
arm_timer(struct gan_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)uv_timer_stop(&s->timer);
	if (s->paused || MHD_get_timeout(s->daemon, &ms) != MHD_YES)
		return;
	if (ms == 0 && is_moving(s))
		gan_server_schedule(s);
	else
		(void)uv_timer_start(&s->timer, on_timer, ms > 0 ? ms : STUCK_MS, 0);
}

static void
pump(struct gan_server *s)
{
	bool again = true;

	if (s->daemon == NULL)
		return;
	if (s->pumping) {
		gan_server_schedule(s);
		return;
	}
	s->pumping = true;
	for (int i = 0; again && i < ROUNDS_MAX; i++) {
		unsigned before = gan_server_connections(s);

		s->resumed = false;
		(void)MHD_run(s->daemon);
		again = s->resumed || gan_server_connections(s) < before;
	}
	s->pumping = false;
	if (s->starved)
		gan_server_shed(s);
	arm_timer(s);
	/* The drain is reported from the check handle, never from inside a caller. */
	if (s->draining && !s->drained && gan_server_connections(s) == 0)
		gan_server_schedule(s);
}

static void
on_poll(uv_poll_t *p, int status, int events)
{
	(void)status;
	(void)events;
	pump(p->data);
}

void
gan_server_watch(struct gan_server *s)
{
	(void)uv_poll_start(&s->poll, UV_READABLE, on_poll);
}

static void
on_idle(uv_idle_t *i)
{
	(void)i; /* only keeps the poll from waiting */
}

static void
on_check(uv_check_t *c)
{
	struct gan_server *s = c->data;

	(void)uv_check_stop(&s->check);
	(void)uv_idle_stop(&s->idle);
	pump(s);
	if (gan_server_drain_done(s)) {
		s->drained = true;
		s->drain_cb(s->drain_arg);
	}
}

void
gan_server_schedule(struct gan_server *s)
{
	if (s->closing)
		return;
	(void)uv_check_start(&s->check, on_check);
	(void)uv_idle_start(&s->idle, on_idle);
}

static void
on_beat(uv_timer_t *t)
{
	struct gan_server *s = t->data;
	uint64_t next;

	/* Timers go first: after a long turn, what came in time may not have been read yet. */
	pump(s);
	next = gan_server_sweep(s) ? CROWDED_BEAT_MS : (uint64_t)s->opt.beat_ms;
	pump(s);
	if (s->drained || (gan_server_connections(s) == 0 && !s->draining)) {
		(void)uv_timer_stop(&s->beat);
		return;
	}
	(void)uv_timer_start(&s->beat, on_beat, next, next);
	if (s->draining)
		gan_server_schedule(s);
}

static void
start_beat(struct gan_server *s)
{
	if (!uv_is_active((uv_handle_t *)&s->beat))
		(void)uv_timer_start(
		    &s->beat, on_beat, (uint64_t)s->opt.beat_ms, (uint64_t)s->opt.beat_ms);
}

/* ---- what libmicrohttpd calls -------------------------------------------- */

static void
format_remote(const struct sockaddr *sa, char out[GAN_REMOTE_LEN])
{
	const void *addr = NULL;

	(void)snprintf(out, GAN_REMOTE_LEN, "unknown");
	if (sa != NULL && sa->sa_family == AF_INET)
		addr = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	else if (sa != NULL && sa->sa_family == AF_INET6)
		addr = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	if (addr == NULL || inet_ntop(sa->sa_family, addr, out, GAN_REMOTE_LEN) == NULL)
		return;
	/* An IPv4 peer of a socket that listens on both families. */
	if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.') != NULL)
		memmove(out, out + 7, strlen(out + 7) + 1);
}

static void
on_connection(void *arg, struct MHD_Connection *mhd, void **socket_context,
    enum MHD_ConnectionNotificationCode what)
{
	struct gan_server *s = arg;
	struct gan_conn *c = *socket_context;

	s->calls++;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (c == NULL)
			return;
		/* Of a request that it refused twice it forgets to say that it is over. */
		if (c->request != NULL)
			gan_request_end(c->request);
		c->prev->next = c->next;
		c->next->prev = c->prev;
		free(gan_steal(&c));
		*socket_context = NULL;
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return; /* begin() finds no context and refuses the request */
	c->server = s;
	c->mhd = mhd;
	c->since_ms = gan_mono_ms();
	c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	format_remote(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
	    c->remote);
	c->next = &s->conns;
	c->prev = s->conns.prev;
	c->prev->next = c;
	s->conns.prev = c;
	*socket_context = c;
	start_beat(s);
}

static void *
on_uri(void *arg, const char *uri, struct MHD_Connection *mhd)
{
	struct gan_conn *c =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

	((struct gan_server *)arg)->calls++;
	return c == NULL ? NULL : gan_request_begin(c, uri, mhd);
}

static enum MHD_Result
on_access(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **context)
{
	struct gan_request *r = *context;

	((struct gan_server *)arg)->calls++;
	(void)mhd;
	(void)url;
	if (r == NULL)
		return MHD_NO;
	return (enum MHD_Result)gan_request_step(r, method, version, data, size);
}

static void
on_completed(
    void *arg, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
	struct gan_request *r = gan_steal(context);

	((struct gan_server *)arg)->calls++;
	(void)mhd;
	if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		GAN_FAILPOINT("after-answer");
	if (r != NULL)
		gan_request_end(r);
}

static size_t
leave_escaped(void *arg, struct MHD_Connection *mhd, char *text)
{
	(void)arg;
	(void)mhd;
	return strlen(text);
}

static void on_log(void *arg, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void
on_log(void *arg, const char *fmt, va_list ap)
{
	struct gan_server *s = arg;
	char text[512], line[512];

	/* Its only sign that accept() found no file descriptor left. */
	if (strstr(fmt, "resource limit") != NULL) {
		s->starved = true;
		return;
	}
	/* These refusals it says twice, or not at all: be faster. */
	if (strstr(fmt, "Content-Length' header") != NULL || strstr(fmt, "memory in pool") != NULL)
		gan_server_refuse(s);
	if (gan_log_level_get() < GAN_LOG_DEBUG || !gan_log_due(&s->logged_ms, LOG_PERIOD_MS))
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\r\n")] = '\0';
	gan_log(GAN_LOG_DEBUG, NULL, "%s listener: %s", s->name,
	    gan_printable(text, strlen(text), line, sizeof(line)));
}

static void
on_panic(void *arg, const char *file, unsigned int line, const char *reason)
{
	(void)arg;
	gan_log(GAN_LOG_ERR, NULL, "libmicrohttpd gave up at %s:%u: %s", file, line,
	    reason == NULL ? "no reason given" : reason);
	abort();
}

/* ---- life ------------------------------------------------------------------ */

static int
start_daemon(struct gan_server *s, struct gan_err *err)
{
	const union MHD_DaemonInfo *info;

	MHD_set_panic_func(on_panic, NULL);
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
	    0, NULL, NULL, on_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
	    MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
	    s->opt.max_connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)MEMORY_STEP,
	    MHD_OPTION_STRICT_FOR_CLIENT, -1, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
	    MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_END);
	if (s->daemon == NULL)
		return gan_err_set(
		    err, GAN_EIO, "%s listener: libmicrohttpd could not be started", s->name);
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL || uv_poll_init(s->loop, &s->poll, info->epoll_fd) < 0)
		return gan_err_set(
		    err, GAN_EIO, "%s listener: its epoll descriptor cannot be watched", s->name);
	s->poll.data = s;
	s->nhandles++;
	gan_server_watch(s);
	return GAN_OK;
}

static void
init_handles(struct gan_server *s)
{
	gan_must(uv_timer_init(s->loop, &s->timer) == 0);
	gan_must(uv_timer_init(s->loop, &s->beat) == 0);
	gan_must(uv_timer_init(s->loop, &s->pause) == 0);
	gan_must(uv_check_init(s->loop, &s->check) == 0);
	gan_must(uv_idle_init(s->loop, &s->idle) == 0);
	s->timer.data = s->beat.data = s->pause.data = s->check.data = s->idle.data = s;
	s->nhandles = 5;
}

static void
set_defaults(struct gan_server_options *o)
{
	o->head_ms = o->head_ms > 0 ? o->head_ms : 5000;
	o->body_ms = o->body_ms > 0 ? o->body_ms : 15000;
	o->total_ms = o->total_ms > 0 ? o->total_ms : 30000;
	o->answer_ms = o->answer_ms > 0 ? o->answer_ms : 5000;
	o->beat_ms = o->beat_ms > 0 ? o->beat_ms : 250;
	o->max_buffered = o->max_buffered > 0 ? o->max_buffered : (uint64_t)64 << 20;
}

int
gan_server_open(uv_loop_t *loop, const struct gan_server_options *opt,
    struct gan_server **ret_server, struct gan_err *err)
{
	struct gan_server *s GAN_AUTO(gan_server_close) = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		if (opt->listen_fd >= 0)
			(void)close(opt->listen_fd);
		return gan_err_set(err, GAN_ENOMEM, "listener");
	}
	s->loop = loop;
	s->opt = *opt;
	s->listen_fd = opt->listen_fd;
	s->conns.next = s->conns.prev = &s->conns;
	set_defaults(&s->opt);
	init_handles(s);
	s->name = strdup(opt->name);
	if (s->name == NULL)
		return gan_err_set(err, GAN_ENOMEM, "listener");
	s->opt.name = s->name;
	s->opt.host = NULL; /* only wanted here */
	rc = s->listen_fd >= 0 ? gan_listen_adopt(s->listen_fd, err)
			       : gan_listen_open(opt->host, opt->port, &s->listen_fd, err);
	if (rc < 0)
		return gan_err_wrap(err, rc, "%s listener", s->name);
	rc = start_daemon(s, err);
	if (rc < 0)
		return rc;
	pump(s);
	*ret_server = gan_steal(&s);
	return GAN_OK;
}

unsigned
gan_server_port(const struct gan_server *s)
{
	return s->listen_fd < 0 ? 0 : gan_listen_port(s->listen_fd);
}

void
gan_server_tune(struct gan_server *s, uint64_t max_body, bool keep_alive)
{
	s->opt.max_body = max_body;
	s->opt.keep_alive = keep_alive;
}

/* Stop accepting; connections that the kernel holds for us stay with whoever else has the socket.
 */
static void
stop_listening(struct gan_server *s)
{
	if (s->listen_fd < 0)
		return;
	if (s->daemon != NULL)
		(void)MHD_quiesce_daemon(s->daemon);
	(void)close(s->listen_fd);
	s->listen_fd = -1;
}

/* Whoever is connected already is still served: empty the queue of the socket. */
static void
accept_all(struct gan_server *s)
{
	unsigned before;

	do {
		before = gan_server_connections(s);
		pump(s);
	} while (gan_server_connections(s) > before);
}

void
gan_server_drain(struct gan_server *s, int64_t grace_ms, void (*cb)(void *arg), void *arg)
{
	gan_must(!s->draining);
	s->drain_cb = cb;
	s->drain_arg = arg;
	s->drain_end_ms = gan_mono_ms() + grace_ms;
	s->drain_cut_ms =
	    s->drain_end_ms - (grace_ms > 4 * LAST_WORDS_MS ? LAST_WORDS_MS : grace_ms / 4);
	accept_all(s);
	stop_listening(s);
	s->draining = true;
	start_beat(s);
	gan_server_schedule(s);
}

static void
on_closed(uv_handle_t *h)
{
	struct gan_server *s = h->data;

	if (--s->nhandles > 0)
		return;
	free(s->name);
	free(s);
}

/* MHD_stop_daemon() aborts on suspended connections: all must have been resumed and run. */
static void
stop_daemon(struct gan_server *s)
{
	if (s->daemon == NULL)
		return;
	for (struct gan_conn *c = s->conns.next; c != &s->conns; c = c->next)
		if (c->request != NULL && c->request->suspended)
			(void)gan_request_problem(
			    c->request, GAN_PROBLEM_DRAINING, 5, "Send the request again.");
	pump(s);
	MHD_stop_daemon(gan_steal(&s->daemon));
}

void
gan_server_close(struct gan_server **sp)
{
	struct gan_server *s = gan_steal(sp);

	if (s == NULL)
		return;
	s->closing = true;
	stop_listening(s);
	if (s->nhandles > 5)
		(void)uv_poll_stop(&s->poll);
	stop_daemon(s);
	if (s->nhandles > 5)
		uv_close((uv_handle_t *)&s->poll, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
	uv_close((uv_handle_t *)&s->beat, on_closed);
	uv_close((uv_handle_t *)&s->pause, on_closed);
	uv_close((uv_handle_t *)&s->check, on_closed);
	uv_close((uv_handle_t *)&s->idle, on_closed);
}

void
gan_server_stats(const struct gan_server *s, struct gan_server_stats *ret)
{
	*ret = s->stats;
	ret->connections = gan_server_connections(s);
}
