/* SPDX-License-Identifier: MIT */
/*
 * server_limits.c - absolute deadlines, the end of file descriptors, the drain.
 *
 * libmicrohttpd's own time-out only counts inactivity: a byte now and then
 * keeps a connection for ever.  Ours end it by shutdown(), which the epoll set
 * reports at once.
 */
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "inbound/server_priv.h"

enum {
	PAUSE_MS = 50,
	CROWD_MS = 1000,      /* so long we make room after descriptors ran out */
	DRAIN_IDLE_MS = 1000, /* a new connection may still speak for so long in a drain */
	LOG_PERIOD_MS = 10000,

	/* What a client has when no slot is left and others wait for one. */
	SILENT_MS = 300, /* a new one, to say what it wants; TCP sends again after 200 */
	SLOW_MS = 500,   /* a kept one to ask again; every one to send a body, to read an answer */
	SLOW_RATE = 4,   /* and 1 ms more for so many bytes */
};

static void
cut(struct gan_conn *c)
{
	if (c->cut)
		return;
	c->cut = true;
	(void)shutdown(c->fd, SHUT_RDWR);
}

/* Libmicrohttpd cannot answer before the request is complete: told past it when that is possible.
 */
static void
time_out(struct gan_conn *c)
{
	struct gan_request *r = c->request;

	if (c->cut)
		return;
	/* An idle kept connection that ends is no failure. */
	if (r != NULL || !c->used)
		c->server->stats.timed_out++;
	if (r != NULL && r->phase < GAN_PHASE_WAIT)
		gan_request_tell(
		    r, GAN_PROBLEM_TIMEOUT, "The request did not arrive in time. Send it again.");
	cut(c);
}

/* It does not tell whose request it is about to refuse. */
void
gan_server_refuse(struct gan_server *s)
{
	for (struct gan_conn *c = s->conns.next; c != &s->conns; c = c->next) {
		enum gan_problem p;
		const char *why =
		    c->cut || c->request == NULL ? NULL : gan_request_is_refused(c->request, &p);

		if (why == NULL)
			continue;
		s->stats.refused++;
		gan_request_tell(c->request, p, why);
		cut(c);
	}
}

static void
sweep_waiting(struct gan_conn *c, int64_t now, bool drain_over)
{
	struct gan_server *s = c->server;
	struct gan_request *r = c->request;

	if (drain_over) {
		(void)gan_request_problem(r, GAN_PROBLEM_DRAINING, 5, "Send the request again.");
	} else if (now - r->wait_since_ms > s->opt.answer_ms && now > r->wait_until_ms) {
		s->stats.timed_out++;
		(void)gan_request_problem(r, GAN_PROBLEM_UNAVAILABLE, 5,
		    "It is not known in time whether the request was stored. Send it again.");
	}
}

/* Those who say nothing, or say it slowly, must not keep out those who have something to say. */
static bool
others_wait(const struct gan_server *s, int64_t now)
{
	struct pollfd p = { .fd = s->listen_fd, .events = POLLIN };

	if (now >= s->crowded_until_ms && gan_server_connections(s) < s->opt.max_connections)
		return false;
	return p.fd >= 0 && poll(&p, 1, 0) > 0;
}

static int64_t
min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the patience with the client of a connection that is not suspended ends. */
static int64_t
deadline(const struct gan_conn *c, bool crowded)
{
	const struct gan_server_options *o = &c->server->opt;
	const struct gan_request *r = c->request;
	int64_t total = c->since_ms + o->total_ms + (r == NULL ? 0 : r->waited_ms);
	int64_t from = c->since_ms, limit = o->head_ms;
	int64_t crowd = c->used ? SLOW_MS : SILENT_MS;

	if (r != NULL && r->phase == GAN_PHASE_BODY) {
		from = r->head_done_ms;
		limit = o->body_ms;
		crowd = SLOW_MS + (int64_t)((r->body.len + r->dropped) / SLOW_RATE);
	} else if (r != NULL && r->phase == GAN_PHASE_ANSWER) {
		from = r->queued_ms;
		limit = o->total_ms;
		crowd = SLOW_MS + (int64_t)(r->answer_len / SLOW_RATE);
	}
	return min(total, from + (crowded ? min(limit, crowd) : limit));
}

static void
sweep_conn(struct gan_conn *c, int64_t now, bool crowded, bool drain_over)
{
	struct gan_request *r = c->request;

	if (r != NULL && r->suspended) {
		sweep_waiting(c, now, drain_over);
		return;
	}
	if (drain_over)
		cut(c);
	if (r == NULL && c->server->draining && (c->used || now - c->since_ms > DRAIN_IDLE_MS))
		cut(c);
	/* It does not look at a connection whose refused request it never ends. */
	if (c->cut)
		gan_server_hurry(c);
	else if (now > deadline(c, crowded))
		time_out(c);
}

bool
gan_server_sweep(struct gan_server *s)
{
	int64_t now = gan_mono_ms();
	bool crowded = others_wait(s, now);
	bool drain_over = s->draining && now > s->drain_cut_ms;

	for (struct gan_conn *c = s->conns.next; c != &s->conns; c = c->next)
		sweep_conn(c, now, crowded, drain_over);
	return crowded;
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
 * look away for a moment.  Who waits in the queue is not turned away, since a
 * webhook would not come again: those that hold a descriptor for nothing go.
 */
void
gan_server_shed(struct gan_server *s)
{
	s->starved = false;
	s->stats.starved++;
	s->crowded_until_ms = gan_mono_ms() + CROWD_MS;
	if (gan_log_due(&s->starved_logged_ms, LOG_PERIOD_MS))
		gan_log(GAN_LOG_WARNING, NULL,
		    "%s listener: no file descriptor left for a new connection (%u open); raise "
		    "LimitNOFILE or lower max_connections",
		    s->name, gan_server_connections(s));
	(void)gan_server_sweep(s);
	s->paused = true;
	(void)uv_poll_stop(&s->poll);
	(void)uv_timer_start(&s->pause, on_pause_over, PAUSE_MS, 0);
}
