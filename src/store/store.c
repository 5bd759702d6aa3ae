/* SPDX-License-Identifier: MIT */
/*
 * store.c - the store as the loop thread sees it: open, queues in, results
 * out, close.  What happens between is in group.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_priv.h"

/*
 * Jobs and bytes that may be on their way.  Each class has its own, so that a
 * person's listings can never keep a result from being recorded.
 */
static const struct {
	size_t jobs, bytes;
} limits[GAN_JOB_NCLASS] = {
	[GAN_JOB_INGEST] = { 8192, 64 << 20 },
	[GAN_JOB_SETTLE] = { 16384, 256 << 20 },
	[GAN_JOB_MAP] = { 4096, 128 << 20 },
	[GAN_JOB_CLAIM] = { 4096, 16 << 20 },
	[GAN_JOB_FEED] = { 256, 1 << 20 },
	[GAN_JOB_COMMAND] = { 256, 64 << 20 },
	[GAN_JOB_RING] = { 256, 8 << 20 },
	[GAN_JOB_QUERY] = { 64, 1 << 20 },
	[GAN_JOB_WATCH] = { GAN_WATCH_MAX, 1 << 20 },
};

void *
gan_store_job_new(size_t size, const struct gan_job_ops *ops)
{
	struct gan_job *job = calloc(1, size);

	if (job != NULL)
		job->ops = ops;
	return job;
}

void
gan_store_job_free(struct gan_job **jp)
{
	struct gan_job *job = gan_steal(jp);

	if (job == NULL)
		return;
	if (job->ops->fini != NULL)
		job->ops->fini(job);
	free(job);
}

static int
post_locked(struct gan_store *s, struct gan_job *job)
{
	enum gan_job_class class = job->ops->class;
	struct gan_queue *q = &s->in[class];

	if (s->stop)
		return GAN_EGONE;
	if (s->fatal && !(job->spool != GAN_JOB_UNSPOOLED && s->rescue.open))
		return GAN_EIO;
	if (s->depth[class] >= limits[class].jobs || s->bytes[class] >= limits[class].bytes)
		return GAN_EBUSY;
	s->depth[class]++;
	s->bytes[class] += job->bytes;
	job->next = NULL;
	*q->tail = job;
	q->tail = &job->next;
	(void)pthread_cond_signal(&s->wake);
	return GAN_OK;
}

int
gan_store_job_post(struct gan_store *s, struct gan_job *job)
{
	int rc;

	(void)pthread_mutex_lock(&s->lock);
	rc = post_locked(s, job);
	(void)pthread_mutex_unlock(&s->lock);
	return rc;
}

int
gan_store_job_send(struct gan_store *s, struct gan_job *job)
{
	int rc = gan_store_job_post(s, job);

	if (rc < 0)
		gan_store_job_free(&job);
	return rc;
}

int
gan_store_job_wait(struct gan_store *s, struct gan_job *job)
{
	int rc;

	job->sync = true;
	(void)pthread_mutex_lock(&s->lock);
	rc = post_locked(s, job);
	while (rc == GAN_OK && !job->finished)
		(void)pthread_cond_wait(&s->synced, &s->lock);
	if (rc == GAN_OK) {
		s->depth[job->ops->class]--;
		s->bytes[job->ops->class] -= job->bytes;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return rc;
}

int
gan_store_job_read(struct gan_store *s, struct gan_job *job, const char *what, struct gan_err *err)
{
	int rc = gan_store_job_wait(s, job);

	if (rc == GAN_OK)
		rc = job->rc;
	gan_store_job_free(&job);
	if (rc == GAN_OK)
		return GAN_OK;
	/* After a failure the store thread leaves the reason as it is. */
	return gan_err_set(
	    err, rc, "reading %s: %s", what, rc == GAN_EIO ? s->db->why.msg : gan_strerror(rc));
}

/* ---- results, on the loop ------------------------------------------------------ */

static void
store_free(struct gan_store *s)
{
	gan_window_free(&s->window);
	gan_rescue_free(s);
	free(s->seen);
	free(s->listen.list);
	free(s->listen_next.list);
	gan_db_free(&s->db);
	(void)pthread_cond_destroy(&s->wake);
	(void)pthread_cond_destroy(&s->synced);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static void
async_closed(uv_handle_t *h)
{
	struct gan_store *s = h->data;
	void (*cb)(void *arg) = s->on_closed;
	void *arg = s->closed_arg;

	store_free(s);
	if (cb != NULL)
		cb(arg);
}

static void
run_done(struct gan_job *list)
{
	while (list != NULL) {
		struct gan_job *job = list;

		list = job->next;
		if (job->ops->done != NULL)
			job->ops->done(job);
		gan_store_job_free(&job);
	}
}

static void
tell(struct gan_store *s, bool events, size_t ndue, char due[][64])
{
	if (events && s->on_events != NULL && !s->closing)
		s->on_events(s->events_arg, NULL);
	if (s->on_due == NULL)
		return;
	if (ndue > GAN_GROUP_DUE && !s->closing)
		s->on_due(s->due_arg, NULL);
	for (size_t i = 0; ndue <= GAN_GROUP_DUE && i < ndue && !s->closing; i++)
		s->on_due(s->due_arg, due[i]);
}

static void
tell_spool(struct gan_store *s, const struct gan_spool_note notes[GAN_SPOOL_NNEWS])
{
	for (int i = 0; i < GAN_SPOOL_NNEWS && s->on_spool != NULL; i++) {
		if (notes[i].told)
			s->on_spool(
			    s->fatal_arg, (enum gan_spool_news)i, notes[i].records, notes[i].text);
	}
}

static void
on_async(uv_async_t *h)
{
	struct gan_store *s = h->data;
	char due[GAN_GROUP_DUE][64];
	struct gan_spool_note notes[GAN_SPOOL_NNEWS];
	struct gan_job *list;
	bool events, ended, fatal;
	size_t ndue;

	(void)pthread_mutex_lock(&s->lock);
	list = s->out.head;
	s->out.head = NULL;
	s->out.tail = &s->out.head;
	for (struct gan_job *job = list; job != NULL; job = job->next) {
		s->depth[job->ops->class]--;
		s->bytes[job->ops->class] -= job->bytes;
	}
	events = s->tell_events;
	ndue = s->ntell_due;
	memcpy(due, s->tell_due, sizeof(due));
	s->tell_events = false;
	s->ntell_due = 0;
	memcpy(notes, s->rescue.notes, sizeof(notes));
	memset(s->rescue.notes, 0, sizeof(s->rescue.notes));
	ended = s->ended;
	fatal = s->fatal;
	(void)pthread_mutex_unlock(&s->lock);

	run_done(list);
	tell_spool(s, notes);
	tell(s, events, ndue, due);
	if (fatal && !s->fatal_told) {
		s->fatal_told = true;
		if (s->on_fatal != NULL)
			s->on_fatal(s->fatal_arg, &s->db->why);
	}
	if (ended && s->closing && s->works == 0 && !s->joined) {
		s->joined = true;
		(void)pthread_join(s->thread, NULL);
		uv_close((uv_handle_t *)&s->async, async_closed);
	}
}

void
gan_store_on_events(struct gan_store *s, void (*fn)(void *arg, struct gan_event *e), void *arg)
{
	s->on_events = fn;
	s->events_arg = arg;
}

void
gan_store_on_due(struct gan_store *s, void (*fn)(void *arg, const char *connector), void *arg)
{
	s->on_due = fn;
	s->due_arg = arg;
}

void
gan_store_counts(struct gan_store *s, struct gan_store_counts *ret_counts)
{
	(void)pthread_mutex_lock(&s->lock);
	*ret_counts = s->counts;
	(void)pthread_mutex_unlock(&s->lock);
}

bool
gan_store_upgraded(const struct gan_store *s, int *ret_from, int *ret_to)
{
	*ret_from = s->db->from_version;
	*ret_to = gan_db_version();
	return *ret_from != 0;
}

int64_t
gan_store_due_floor(const struct gan_store *s)
{
	return s->due_floor_ms;
}

void
gan_store_tune(struct gan_store *s, const struct gan_store_options *opt)
{
	(void)pthread_mutex_lock(&s->lock);
	s->opt = *opt;
	s->opt.path = NULL;
	s->tuned = true;
	(void)pthread_cond_signal(&s->wake);
	(void)pthread_mutex_unlock(&s->lock);
}

void
gan_store_close(struct gan_store *s, void (*cb)(void *arg), void *arg)
{
	gan_must(!s->closing);
	s->closing = true;
	s->on_closed = cb;
	s->closed_arg = arg;
	(void)pthread_mutex_lock(&s->lock);
	s->stop = true;
	(void)pthread_cond_signal(&s->wake);
	(void)pthread_mutex_unlock(&s->lock);
	/* The thread may have ended before (on_fatal): look again in any case. */
	(void)uv_async_send(&s->async);
}

/* ---- open ---------------------------------------------------------------------- */

/* The clock may have gone back while nobody looked: ids tell how far it had come. */
static int64_t
due_floor_ms(const struct gan_store *s)
{
	int64_t last = s->last_delivery > s->last_attempt ? s->last_delivery : s->last_attempt;
	int64_t seen_ms = last == 0 ? 0 : gan_id_time_ms(last);

	return seen_ms > s->due_kept_ms ? seen_ms : s->due_kept_ms;
}

static int
load(struct gan_store *s, struct gan_err *err)
{
	int rc;

	gan_txn_begin(s);
	rc = gan_counters_load(s);
	if (rc == GAN_OK)
		rc = gan_answers_load(s);
	if (rc == GAN_OK)
		rc = gan_seen_load(s);
	if (rc == GAN_OK)
		rc = gan_space_tune(s);
	if (rc == GAN_OK) {
		s->leases_stand = true;
		rc = gan_recover(s);
		if (rc == GAN_EFULL) /* the store thread tries again */
			rc = GAN_OK;
	}
	if (rc < 0)
		return gan_err_set(err, rc == GAN_EIO ? GAN_ESTORE : rc, "%s: %s",
		    s->db->path == NULL ? "memory" : s->db->path, s->db->why.msg);
	gan_space_check(s, true);
	s->due_floor_ms = due_floor_ms(s);
	return GAN_OK;
}

static int
locks_init(struct gan_store *s, struct gan_err *err)
{
	pthread_condattr_t attr;

	for (int i = 0; i < GAN_JOB_NCLASS; i++) {
		s->in[i].tail = &s->in[i].head;
		s->mine[i].tail = &s->mine[i].head;
	}
	s->out.tail = &s->out.head;
	s->ran.tail = &s->ran.head;
	s->watching.tail = &s->watching.head;
	if (pthread_condattr_init(&attr) != 0 ||
	    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
	    pthread_cond_init(&s->wake, &attr) != 0 || pthread_cond_init(&s->synced, NULL) != 0 ||
	    pthread_mutex_init(&s->lock, NULL) != 0)
		return gan_err_set(err, GAN_ENOMEM, "store locks");
	(void)pthread_condattr_destroy(&attr);
	return GAN_OK;
}

static int
start(struct gan_store *s, struct gan_err *err)
{
	int rc = uv_async_init(s->loop, &s->async, on_async);

	if (rc != 0)
		return gan_err_set(err, GAN_EIO, "store: %s", uv_strerror(rc));
	s->async.data = s;
	rc = pthread_create(&s->thread, NULL, gan_group_thread, s);
	if (rc == 0) {
		/* For top -H and debuggers. */
		(void)pthread_setname_np(s->thread, "gantry-store");
		return GAN_OK;
	}
	/* Keeps the memory of the handle until the loop has closed it. */
	s->joined = s->closing = true;
	uv_close((uv_handle_t *)&s->async, async_closed);
	return gan_err_set(err, GAN_EIO, "store thread: %s", strerror(rc));
}

int
gan_store_open(uv_loop_t *loop, const struct gan_store_options *opt, struct gan_store **ret_store,
    struct gan_err *err)
{
	struct gan_store *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return gan_err_set(err, GAN_ENOMEM, "store");
	s->opened_us = gan_mono_us();
	s->loop = loop;
	s->opt = s->keep = *opt;
	s->opt.path = s->keep.path = NULL;
	s->on_fatal = opt->on_fatal;
	s->on_spool = opt->on_spool;
	s->fatal_arg = opt->arg;
	rc = locks_init(s, err);
	s->window = gan_window_new(opt->dedupe_max);
	if (rc == GAN_OK && s->window == NULL)
		rc = gan_err_set(err, GAN_ENOMEM, "store");
	if (rc == GAN_OK)
		rc = gan_db_open(opt->path, &s->db, err);
	if (rc == GAN_OK)
		rc = load(s, err);
	if (rc == GAN_OK)
		rc = gan_rescue_open(s, opt->path, err);
	s->counts = s->now;
	if (rc < 0) {
		store_free(s);
		return rc;
	}
	rc = start(s, err);
	if (rc == GAN_OK)
		*ret_store = s;
	else if (!s->closing)
		store_free(s);
	return rc;
}
