/* SPDX-License-Identifier: MIT */
/*
 * server_limits.c - absolute deadlines, the end of file descriptors, the drain.
 *
 * libmicrohttpd's own time-out only counts inactivity: a byte now and then
 * keeps a connection for ever.  Ours end it by shutdown(), which the epoll set
 * reports at once.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "inbound/server_priv.h"

enum {
	PAUSE_MS = 100,
	CROWDED_MS = 500,     /* when no slot is left, a client that says nothing has so long */
	DRAIN_IDLE_MS = 1000, /* a new connection may still speak for so long in a drain */
	LOG_PERIOD_MS = 10000,
};

static void
cut(struct gan_conn *c)
{
	if (c->cut)
		return;
	c->cut = true;
	(void)shutdown(c->fd, SHUT_RDWR);
}

/*
 * A client that was too slow is told so when that is possible: libmicrohttpd
 * cannot answer before the body is complete, but neither has it written
 * anything, so the socket is ours.
 */
static void
time_out(struct gan_conn *c)
{
	static const char told[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
				   "Content-Length: 0\r\n\r\n";
	struct gan_request *r = c->request;

	if (c->cut)
		return;
	/* An idle kept connection that ends is no failure. */
	if (r != NULL || !c->used)
		c->server->stats.timed_out++;
	if (r != NULL && r->phase < GAN_PHASE_WAIT)
		(void)send(c->fd, told, sizeof(told) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	cut(c);
}

static void
sweep_waiting(struct gan_conn *c, int64_t now, bool drain_over)
{
	struct gan_server *s = c->server;
	struct gan_request *r = c->request;

	if (drain_over) {
		(void)gan_request_problem(r, GAN_PROBLEM_DRAINING, 5, "Send the request again.");
	} else if (now - r->wait_since_ms > s->opt.answer_ms) {
		s->stats.timed_out++;
		(void)gan_request_problem(r, GAN_PROBLEM_UNAVAILABLE, 5,
		    "It is not known in time whether the request was stored. Send it again.");
	}
}

/* Silent connections must not keep out those who have something to say. */
static int64_t
head_limit(const struct gan_server *s)
{
	if (s->opt.head_ms > CROWDED_MS && gan_server_connections(s) >= s->opt.max_connections)
		return CROWDED_MS;
	return s->opt.head_ms;
}

static void
sweep_conn(struct gan_conn *c, int64_t now, int64_t head_ms, bool drain_over)
{
	const struct gan_server_options *o = &c->server->opt;
	struct gan_request *r = c->request;
	int64_t waited = r == NULL ? 0 : r->waited_ms;

	if (r != NULL && r->suspended) {
		sweep_waiting(c, now, drain_over);
		return;
	}
	if (drain_over)
		cut(c);
	if (r == NULL && c->server->draining && (c->used || now - c->since_ms > DRAIN_IDLE_MS))
		cut(c);
	if ((r == NULL || r->phase == GAN_PHASE_HEAD) && now - c->since_ms > head_ms)
		time_out(c);
	else if (r != NULL && r->phase == GAN_PHASE_BODY && now - r->head_done_ms > o->body_ms)
		time_out(c);
	else if (now - c->since_ms - waited > o->total_ms)
		time_out(c);
}

void
gan_server_sweep(struct gan_server *s)
{
	int64_t now = gan_mono_ms();
	int64_t head_ms = head_limit(s);
	bool drain_over = s->draining && now > s->drain_cut_ms;

	for (struct gan_conn *c = s->conns.next; c != &s->conns; c = c->next)
		sweep_conn(c, now, head_ms, drain_over);
}

bool
gan_server_drain_done(struct gan_server *s)
{
	if (!s->draining || s->drained)
		return false;
	return gan_server_connections(s) == 0 || gan_mono_ms() > s->drain_end_ms;
}

static void
on_pause_over(uv_timer_t *t)
{
	struct gan_server *s = t->data;

	s->paused = false;
	gan_server_watch(s);
	gan_server_schedule(s);
}

/*
 * accept() fails while the queue stays readable, which would be a busy loop:
 * give up the spare descriptor to take one client and turn it away, then look
 * away for a moment.
 */
void
gan_server_shed(struct gan_server *s)
{
	s->starved = false;
	s->stats.starved++;
	if (gan_log_due(&s->starved_logged_ms, LOG_PERIOD_MS))
		gan_log(GAN_LOG_WARNING, NULL,
		    "%s listener: no file descriptor left for a new connection (%u open); raise "
		    "LimitNOFILE or lower max_connections",
		    s->name, gan_server_connections(s));
	if (s->reserve_fd >= 0 && s->listen_fd >= 0) {
		int fd;

		(void)close(s->reserve_fd);
		fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			(void)close(fd);
	}
	if (s->listen_fd >= 0)
		s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->paused = true;
	(void)uv_poll_stop(&s->poll);
	(void)uv_timer_start(&s->pause, on_pause_over, PAUSE_MS, 0);
}
