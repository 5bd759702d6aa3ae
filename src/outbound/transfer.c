/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - curl's multi interface driven by uv: see transfer.h.
 *
 * curl tells which sockets to watch (on_socket) and when to be woken
 * (on_timeout); both only note it.  drive() feeds what happened back and then
 * hands out what is finished, outside of every curl callback.
 */
#include "outbound/transfer.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "outbound/transfer_priv.h"

#define POOL_MAX 16

struct gan_transfers {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;  /* curl's */
	uv_timer_t reaper; /* ends what was cancelled, in a turn of its own */
	struct gan_transfer *active, *over;
	CURL *pool[POOL_MAX];
	size_t npool;
	unsigned handles; /* uv handles that are not closed yet */
	bool closing;
};

struct watch {
	uv_poll_t poll;
	struct gan_transfers *all;
	curl_socket_t fd;
};

static void
list_add(struct gan_transfer **list, struct gan_transfer *t)
{
	t->prev = NULL;
	t->next = *list;
	if (*list != NULL)
		(*list)->prev = t;
	*list = t;
}

static void
list_drop(struct gan_transfer **list, struct gan_transfer *t)
{
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		*list = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	t->prev = t->next = NULL;
}

static void
handle_gone(struct gan_transfers *ts)
{
	if (--ts->handles == 0 && ts->closing)
		free(ts);
}

static void
on_timer_closed(uv_handle_t *h)
{
	handle_gone(h->data);
}

static void
on_watch_closed(uv_handle_t *h)
{
	struct watch *w = h->data;
	struct gan_transfers *ts = w->all;

	free(w);
	handle_gone(ts);
}

static CURL *
easy_take(struct gan_transfers *ts)
{
	return ts->npool > 0 ? ts->pool[--ts->npool] : curl_easy_init();
}

/* reset forgets options and pointers into us; kept connections belong to the multi handle. */
static void
easy_give(struct gan_transfers *ts, CURL *easy)
{
	if (easy == NULL)
		return;
	if (ts->closing || ts->npool == POOL_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	ts->pool[ts->npool++] = easy;
}

static void
transfer_free(struct gan_transfers *ts, struct gan_transfer *t)
{
	easy_give(ts, t->easy);
	gan_transfer_clear(t);
	t->magic = 0;
	free(t);
}

static void
response_fini(struct gan_response *r)
{
	free(r->head);
	free(r->body);
	free(r->retry_after);
}

/* t is in no list and not in the multi handle any more. */
static void
finish(struct gan_transfers *ts, struct gan_transfer *t, CURLcode code)
{
	static char nothing[1];
	struct gan_response r;

	if (gan_transfer_conclude(t, code, &r) < 0) {
		r = (struct gan_response){ .sent = t->began ? GAN_MAYBE_SENT : GAN_NOT_SENT,
			.started_ms = t->started_ms,
			.ended_ms = gan_wall_ms(),
			.head = nothing,
			.body = nothing,
			.error = "out of memory" };
		t->cb(t->arg, &r);
	} else {
		t->cb(t->arg, &r);
		response_fini(&r);
	}
	transfer_free(ts, t);
}

static void
collect(struct gan_transfers *ts)
{
	CURLMsg *m;
	int left;

	while (!ts->closing && (m = curl_multi_info_read(ts->multi, &left)) != NULL) {
		CURL *easy = m->easy_handle;
		CURLcode code = m->data.result; /* m is gone after the removal */
		char *p = NULL;
		struct gan_transfer *t;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &p);
		t = (struct gan_transfer *)(void *)p;
		gan_must(t != NULL && t->magic == GAN_TRANSFER_MAGIC);
		(void)curl_multi_remove_handle(ts->multi, easy);
		list_drop(&ts->active, t);
		finish(ts, t, code);
	}
}

static int multi_new(struct gan_transfers *ts);

/* The multi handle failed as a whole: nothing in it can be trusted any more. */
static void
start_over(struct gan_transfers *ts)
{
	struct gan_transfer *t;

	while (!ts->closing && (t = ts->active) != NULL) {
		(void)curl_multi_remove_handle(ts->multi, t->easy);
		list_drop(&ts->active, t);
		finish(ts, t, CURLE_FAILED_INIT);
	}
	if (ts->closing)
		return;
	(void)curl_multi_cleanup(ts->multi);
	gan_must(multi_new(ts) == GAN_OK);
}

static void
drive(struct gan_transfers *ts, curl_socket_t fd, int flags)
{
	int running;

	if (ts->closing)
		return;
	if (curl_multi_socket_action(ts->multi, fd, flags, &running) != CURLM_OK) {
		start_over(ts);
		return;
	}
	collect(ts);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;

	if ((events & UV_READABLE) != 0)
		flags |= CURL_CSELECT_IN;
	if ((events & UV_WRITABLE) != 0)
		flags |= CURL_CSELECT_OUT;
	drive(w->all, w->fd, flags);
}

static void
on_timer(uv_timer_t *timer)
{
	drive(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timeout(CURLM *multi, long ms, void *arg)
{
	struct gan_transfers *ts = arg;

	(void)multi;
	if (ts->closing)
		return 0;
	if (ms < 0) {
		(void)uv_timer_stop(&ts->timer);
		return 0;
	}
	uv_update_time(ts->loop); /* its cached time may be old: the timer would fire too early */
	(void)uv_timer_start(&ts->timer, on_timer, ms > 0 ? (uint64_t)ms : 1, 0);
	return 0;
}

static struct watch *
watch_new(struct gan_transfers *ts, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->all = ts;
	w->fd = fd;
	w->poll.data = w;
	if (uv_poll_init_socket(ts->loop, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	ts->handles++;
	(void)curl_multi_assign(ts->multi, fd, w);
	return w;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct gan_transfers *ts = arg;
	struct watch *w = socket_arg;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			(void)uv_poll_stop(&w->poll);
			(void)curl_multi_assign(ts->multi, fd, NULL);
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		}
		return 0;
	}
	if (ts->closing) /* curl_multi_cleanup may ask once more */
		return 0;
	if (w == NULL)
		w = watch_new(ts, fd);
	if (w == NULL)
		return -1;
	if (what != CURL_POLL_OUT)
		events |= UV_READABLE;
	if (what != CURL_POLL_IN)
		events |= UV_WRITABLE;
	return uv_poll_start(&w->poll, events, on_poll) == 0 ? 0 : -1;
}

static int
multi_new(struct gan_transfers *ts)
{
	ts->multi = curl_multi_init();
	if (ts->multi == NULL)
		return GAN_ENOMEM;
	(void)curl_multi_setopt(ts->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(ts->multi, CURLMOPT_SOCKETDATA, ts);
	(void)curl_multi_setopt(ts->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	(void)curl_multi_setopt(ts->multi, CURLMOPT_TIMERDATA, ts);
	(void)curl_multi_setopt(ts->multi, CURLMOPT_PIPELINING, 0L);
	return GAN_OK;
}

int
gan_transfers_open(uv_loop_t *loop, struct gan_transfers **ret_ts, struct gan_err *err)
{
	static bool ready;
	struct gan_transfers *ts;

	if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return gan_err_set(err, GAN_ENOMEM, "libcurl does not start");
	ready = true;
	ts = calloc(1, sizeof(*ts));
	if (ts == NULL)
		return gan_err_set(err, GAN_ENOMEM, "transfers");
	ts->loop = loop;
	if (multi_new(ts) < 0) {
		free(ts);
		return gan_err_set(err, GAN_ENOMEM, "transfers");
	}
	(void)uv_timer_init(loop, &ts->timer);
	(void)uv_timer_init(loop, &ts->reaper);
	ts->timer.data = ts->reaper.data = ts;
	ts->handles = 2;
	*ret_ts = ts;
	return GAN_OK;
}

void
gan_transfers_close(struct gan_transfers **tsp)
{
	struct gan_transfers *ts = gan_steal(tsp);
	struct gan_transfer *t;

	if (ts == NULL)
		return;
	ts->closing = true;
	while ((t = ts->active) != NULL) {
		(void)curl_multi_remove_handle(ts->multi, t->easy);
		list_drop(&ts->active, t);
		transfer_free(ts, t);
	}
	while ((t = ts->over) != NULL) {
		list_drop(&ts->over, t);
		transfer_free(ts, t);
	}
	(void)curl_multi_cleanup(ts->multi);
	while (ts->npool > 0)
		curl_easy_cleanup(ts->pool[--ts->npool]);
	uv_close((uv_handle_t *)&ts->timer, on_timer_closed);
	uv_close((uv_handle_t *)&ts->reaper, on_timer_closed);
}

int
gan_transfer_start(struct gan_transfers *ts, const struct gan_wire *req, gan_transfer_fn cb,
    void *arg, struct gan_transfer **ret_t, struct gan_err *err)
{
	struct gan_transfer *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return gan_err_set(err, GAN_ENOMEM, "transfer");
	t->magic = GAN_TRANSFER_MAGIC;
	t->all = ts;
	t->cb = cb;
	t->arg = arg;
	t->started_ms = gan_wall_ms();
	t->easy = easy_take(ts);
	rc = t->easy != NULL ? gan_transfer_setup(t, req, err)
			     : gan_err_set(err, GAN_ENOMEM, "transfer");
	if (rc == GAN_OK && curl_multi_add_handle(ts->multi, t->easy) != CURLM_OK)
		rc = gan_err_set(err, GAN_ENOMEM, "transfer");
	if (rc < 0) {
		transfer_free(ts, t);
		return rc;
	}
	list_add(&ts->active, t);
	if (ret_t != NULL)
		*ret_t = t;
	return GAN_OK;
}

static void
on_reaper(uv_timer_t *timer)
{
	struct gan_transfers *ts = timer->data;
	struct gan_transfer *t;

	while (!ts->closing && (t = ts->over) != NULL) {
		list_drop(&ts->over, t);
		finish(ts, t, CURLE_ABORTED_BY_CALLBACK);
	}
}

void
gan_transfer_cancel(struct gan_transfer *t)
{
	struct gan_transfers *ts = t->all;

	if (t->cancelled)
		return;
	t->cancelled = true;
	(void)curl_multi_remove_handle(ts->multi, t->easy);
	list_drop(&ts->active, t);
	list_add(&ts->over, t);
	(void)uv_timer_start(&ts->reaper, on_reaper, 0, 0);
}

void
gan_transfer_drop(struct gan_transfer **tp)
{
	struct gan_transfer *t = gan_steal(tp);

	if (t == NULL)
		return;
	if (t->cancelled) {
		list_drop(&t->all->over, t);
	} else {
		(void)curl_multi_remove_handle(t->all->multi, t->easy);
		list_drop(&t->all->active, t);
	}
	transfer_free(t->all, t);
}
