/* SPDX-License-Identifier: MIT */
/*
 * watch.c - who waits for the outcome of an event is told by the COMMIT that
 * brought it.
 *
 * A job that waits lies in s->watching.  Whatever changes an event's mapping or
 * a delivery of it marks those that wait for it; after the transaction only the
 * marked ones are looked at.  A rollback leaves a mark too many, which costs one
 * look.
 *
 * Many may wait for one event of many deliveries: they are told in slices, and
 * whether it is over is asked once for all that follow each other.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_priv.h"

#define SLICE_US 10000

struct watch_job {
	struct gan_job job;
	int64_t event_id, until_ms;
	char *source;
	bool touched;
	struct gan_buf out;
	gan_json_fn cb;
	void *arg;
};

void
gan_watch_touch(struct gan_store *s, int64_t event_id)
{
	for (struct gan_job *job = s->watching.head; job != NULL; job = job->next) {
		struct watch_job *j = (struct watch_job *)job;

		j->touched = j->touched || j->event_id == event_id;
	}
}

/* 1: it is still under way, as *open_event is, the last one that was.  The first look also finds
 * that there is no such event. */
static int
look(struct gan_store *s, struct watch_job *j, bool first, int64_t *open_event)
{
	int64_t over = 0;
	int rc = GAN_OK;

	j->touched = false;
	if (j->event_id != *open_event)
		rc = gan_db_int(
		    s->db, gan_bind(s->db, GAN_SQL_EVENT_OUTCOME, GAN_I(j->event_id)), &over);
	if (rc == GAN_ENOENT) /* not mapped yet, if it is there */
		rc = GAN_OK;
	if (rc == GAN_OK && over == 0) {
		*open_event = j->event_id;
		rc = first ? gan_event_is_of(s, j->event_id, j->source) : 1;
		return rc == 0 ? GAN_ENOENT : rc;
	}
	if (rc == GAN_OK)
		rc = gan_shape_event_id(s, j->event_id, j->source, false, 0, NULL, NULL, &j->out);
	return rc == GAN_OK && j->out.failed ? GAN_ELIMIT : rc;
}

/* Of those in q: what is over goes to s->ran, the others wait on; *later gets those that have to
 * be looked at when the slice is over. */
static bool
run_queue(
    struct gan_store *s, struct gan_queue *q, bool all, int64_t end_us, struct gan_queue *later)
{
	struct gan_queue rest = { NULL, &rest.head };
	int64_t now_ms = gan_mono_ms(), open_event = 0;
	struct gan_job *job;
	bool any = false;

	while (!s->db->broken && (job = gan_queue_pop(q)) != NULL) {
		struct watch_job *j = (struct watch_job *)job;
		bool due = all || j->touched;

		if (due && gan_mono_us() > end_us) {
			gan_queue_push(later, job);
			continue;
		}
		job->rc = due ? look(s, j, all, &open_event) : 1;
		if (job->rc > 0 && now_ms >= j->until_ms)
			job->rc = GAN_EBUSY;
		any = any || job->rc <= 0;
		gan_queue_push(job->rc > 0 ? &rest : &s->ran, job);
	}
	/* In a broken store all of them fail, those that were not looked at too. */
	gan_queue_append(&rest, q);
	gan_queue_append(&s->watching, &rest);
	return any;
}

bool
gan_watch_run(struct gan_store *s)
{
	struct gan_queue old = { NULL, &old.head }, later = { NULL, &later.head };
	int64_t end_us;
	bool any;

	if (s->watching.head == NULL && s->mine[GAN_JOB_WATCH].head == NULL)
		return false;
	end_us = gan_mono_us() + SLICE_US;
	gan_queue_append(&old, &s->watching);
	any = run_queue(s, &old, false, end_us, &later);
	any = run_queue(s, &s->mine[GAN_JOB_WATCH], true, end_us, &later) || any;
	/* The store thread comes back at once while there are some. */
	gan_queue_append(&s->mine[GAN_JOB_WATCH], &later);
	return any;
}

/* ---- the job ------------------------------------------------------------------------ */

static void
watch_done(struct gan_job *job)
{
	struct watch_job *j = (struct watch_job *)job;
	const char *text = job->rc == GAN_OK ? j->out.data : gan_strerror(job->rc);

	j->cb(j->arg, job->rc, text, job->rc == GAN_OK ? j->out.len : strlen(text));
}

static void
watch_fini(struct gan_job *job)
{
	struct watch_job *j = (struct watch_job *)job;

	gan_buf_fini(&j->out);
	free(j->source);
}

static const struct gan_job_ops watch_ops = { GAN_JOB_WATCH, NULL, watch_done, watch_fini, NULL };

int
gan_store_watch(struct gan_store *s, int64_t event_id, const char *source, int64_t until_ms,
    gan_json_fn cb, void *arg)
{
	struct watch_job *j = gan_store_job_new(sizeof(*j), &watch_ops);
	struct gan_job *job;
	int rc = GAN_ENOMEM;

	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	j->event_id = event_id;
	j->until_ms = until_ms;
	j->source = source == NULL ? NULL : strdup(source);
	j->cb = cb;
	j->arg = arg;
	if (j->source != NULL || source == NULL)
		rc = gan_store_job_post(s, job);
	if (rc < 0)
		gan_store_job_free(&job);
	return rc;
}
