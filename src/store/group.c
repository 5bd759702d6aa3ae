/* SPDX-License-Identifier: MIT */
/*
 * group.c - the store thread: takes all waiting jobs, runs them in one
 * transaction, commits, hands the results back.
 *
 * Ingest goes first and whole; the others get as much time as ingest and the
 * sync took, so that neither can starve the other: a full drain leaves ingest
 * about half of the thread.  Among the others turns are weighted and go on
 * from group to group, one job at least in each.  A sender waits for ingest:
 * it never waits for more work to come, its group is what gathered while the
 * last one was synced.  The rest keeps two milliseconds from the last COMMIT,
 * so that a drain at full speed shares syncs too.
 */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "store/store_priv.h"

#define SHARE_US 5000          /* of the other classes while no ingest waits */
#define PACE_US 2000           /* between two commits that nobody outside waits for */
#define SLICE_US 15000         /* of queries and retention between two commits */
#define CHECKPOINT_FRAMES 1000 /* 4 MB of WAL: senders wait meanwhile, 16 MB took 15 ms */
#define START_FRAMES 11000     /* while a start is under way: 64 MB are the most it may become */
#define START_US 2000000 /* no checkpoint before: it would keep the gateway from being ready */
#define RETRY_FULL 3     /* ingest jobs tried alone on a full disk before giving up */

/* Jobs in one turn, for each class but ingest and queries. */
static const unsigned weights[GAN_JOB_NCLASS] = {
	[GAN_JOB_SETTLE] = 8,
	[GAN_JOB_MAP] = 4,
	[GAN_JOB_CLAIM] = 4,
	[GAN_JOB_FEED] = 1,
	[GAN_JOB_COMMAND] = 2,
	[GAN_JOB_RING] = 2,
};

static bool
has_work(const struct gan_queue q[GAN_JOB_NCLASS])
{
	for (int i = 0; i < GAN_JOB_NCLASS; i++) {
		if (q[i].head != NULL)
			return true;
	}
	return false;
}

/* ---- handing back ---------------------------------------------------------------- */

static void
publish_counts(struct gan_store *s)
{
	if (s->topics_changed || s->counts.ntopics != s->now.ntopics)
		s->counts = s->now;
	else
		memcpy(&s->counts, &s->now, offsetof(struct gan_store_counts, ntopics));
	s->topics_changed = false;
}

static void
publish_due(struct gan_store *s)
{
	for (size_t i = 0; i < s->txn.ndue && i < GAN_GROUP_DUE; i++) {
		size_t k = 0;

		while (k < s->ntell_due && k < GAN_GROUP_DUE &&
		       strcmp(s->tell_due[k], s->txn.due[i]) != 0)
			k++;
		if (k < s->ntell_due)
			continue;
		if (k < GAN_GROUP_DUE)
			memcpy(s->tell_due[k], s->txn.due[i], sizeof(s->tell_due[k]));
		s->ntell_due++;
	}
	if (s->txn.ndue > GAN_GROUP_DUE)
		s->ntell_due = GAN_GROUP_DUE + 1;
}

/* Everything that ran is final: give it to the loop. */
static void
publish(struct gan_store *s, bool committed)
{
	struct gan_job *job;
	bool synced = false;

	gan_rescue_ran(s);
	(void)pthread_mutex_lock(&s->lock);
	while ((job = gan_queue_pop(&s->ran)) != NULL) {
		if (job->sync) {
			job->finished = synced = true;
			continue;
		}
		gan_queue_push(&s->out, job);
	}
	if (committed) {
		s->tell_events = s->tell_events || s->txn.new_events;
		publish_due(s);
	}
	publish_counts(s);
	if (synced)
		(void)pthread_cond_broadcast(&s->synced);
	(void)pthread_mutex_unlock(&s->lock);
	(void)uv_async_send(&s->async);
}

static void
cancel(struct gan_job *job, int rc)
{
	if (job->ops->cancel != NULL)
		job->ops->cancel(job);
	job->rc = rc;
}

/* The database is broken: everybody hears it, nothing more is accepted. */
static void
fail_all(struct gan_store *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->fatal = true;
	for (int i = 0; i < GAN_JOB_NCLASS; i++) {
		gan_queue_append(&s->ran, &s->mine[i]);
		gan_queue_append(&s->ran, &s->in[i]);
	}
	gan_queue_append(&s->ran, &s->watching);
	for (struct gan_job *job = s->ran.head; job != NULL; job = job->next)
		cancel(job, GAN_EIO);
	(void)pthread_mutex_unlock(&s->lock);
	publish(s, false);
}

/* ---- one transaction ---------------------------------------------------------------- */

static int
begin(struct gan_store *s)
{
	gan_answers_take(s);
	gan_txn_begin(s);
	return gan_db_run_vals(s->db, GAN_SQL_BEGIN, NULL, 0);
}

static int
commit(struct gan_store *s)
{
	int rc = gan_seen_write(s);

	if (rc == GAN_OK)
		rc = gan_counters_flush(s);
	if (rc == GAN_OK && GAN_FAILPOINT_FAILS("before-commit")) {
		s->db->broken = true;
		rc = gan_err_set(&s->db->why, GAN_EIO, "failpoint");
	}
	if (rc == GAN_OK)
		rc = gan_db_run_vals(s->db, GAN_SQL_COMMIT, NULL, 0);
	if (rc == GAN_OK && sqlite3_get_autocommit(s->db->h) == 0)
		rc = gan_err_set(&s->db->why, GAN_EIO, "COMMIT left the transaction open");
	return rc;
}

static int
run_one(struct gan_store *s, struct gan_job *job)
{
	int rc;

	gan_queue_push(&s->ran, job);
	rc = job->ops->run(s, job);
	return rc < 0 ? rc : GAN_OK;
}

static int
run_ingest(struct gan_store *s)
{
	struct gan_job *job;
	int rc = GAN_OK;

	for (int n = 0; rc == GAN_OK && n < GAN_GROUP_INGEST && !gan_rescue_waits(s); n++) {
		job = gan_queue_pop(&s->mine[GAN_JOB_INGEST]);
		if (job == NULL)
			break;
		rc = run_one(s, job);
	}
	return rc;
}

/* The next of the other classes, in weighted turns that go on from group to group. */
static struct gan_job *
next_other(struct gan_store *s, unsigned maps)
{
	for (int skipped = 0; skipped <= GAN_JOB_NCLASS; skipped++) {
		int c = s->turn.class;
		bool full = c == GAN_JOB_MAP && maps == GAN_GROUP_MAP;

		if (s->turn.used < weights[c] && s->mine[c].head != NULL && !full) {
			s->turn.used++;
			return gan_queue_pop(&s->mine[c]);
		}
		s->turn.class = (c + 1) % GAN_JOB_NCLASS;
		s->turn.used = 0;
	}
	return NULL;
}

static int
run_others(struct gan_store *s, int64_t end_us)
{
	unsigned maps = 0;
	struct gan_job *job;
	int rc = GAN_OK;

	while (rc == GAN_OK && (job = next_other(s, maps)) != NULL) {
		maps += job->ops->class == GAN_JOB_MAP;
		rc = run_one(s, job);
		if (gan_mono_us() > end_us)
			break;
	}
	return rc;
}

static int
run_group(struct gan_store *s)
{
	int64_t start = gan_mono_us(), middle, share = SHARE_US;
	bool ingest = s->mine[GAN_JOB_INGEST].head != NULL;
	int rc = run_ingest(s);

	middle = gan_mono_us();
	if (ingest)
		share = middle - start + s->commit_us;
	if (rc == GAN_OK)
		rc = run_others(s, middle + share);
	middle = gan_mono_us();
	if (rc == GAN_OK)
		rc = commit(s);
	s->committed_us = gan_mono_us();
	s->commit_us = (7 * s->commit_us + (s->committed_us - middle)) / 8;
	return rc;
}

static int
run_alone(struct gan_store *s, struct gan_job *job)
{
	int rc = begin(s);

	job->rc = GAN_OK;
	if (rc == GAN_OK)
		rc = job->ops->run(s, job);
	if (rc >= 0)
		rc = commit(s);
	if (rc == GAN_OK) {
		gan_txn_apply(s);
		return GAN_OK;
	}
	gan_db_rollback(s->db);
	job->rc = rc;
	return rc;
}

/*
 * Not final yet: no room for them, so they may share one sync of the spool.
 * The first that may go there goes at once: where records wait, nothing may be
 * stored past them.
 */
static bool
may_gather(const struct gan_store *s, const struct gan_job *job)
{
	return job->rc == GAN_EFULL && (job->spool == GAN_JOB_UNSPOOLED || gan_rescue_waits(s));
}

/*
 * Some job failed and took the group with it: run them again one by one, so
 * that only the guilty ones fail.  On a full disk every attempt costs: after a
 * few the rest of the ingest jobs is refused without one.
 */
static void
run_apart(struct gan_store *s)
{
	struct gan_queue jobs = { NULL, &jobs.head };
	unsigned full = 0;
	struct gan_job *job;

	gan_queue_append(&jobs, &s->ran);
	while (!s->db->broken && (job = gan_queue_pop(&jobs)) != NULL) {
		bool ingest = job->ops->class == GAN_JOB_INGEST;

		gan_queue_push(&s->ran, job);
		if (ingest && (full >= RETRY_FULL || gan_rescue_waits(s))) {
			job->rc = GAN_EFULL;
		} else if (run_alone(s, job) == GAN_EFULL) {
			s->now.full = true;
			full += ingest;
		} else if (ingest && job->rc == GAN_OK) {
			full = 0;
		}
		/* Each is final by itself, whatever becomes of the next one. */
		if (!s->db->broken && !may_gather(s, job))
			publish(s, job->rc == GAN_OK);
	}
	gan_queue_append(&s->ran, &jobs);
}

static void
do_group(struct gan_store *s)
{
	bool writes = false;
	int rc;

	for (int i = 0; i < GAN_JOB_NCLASS; i++)
		writes = writes || (i < GAN_JOB_QUERY && s->mine[i].head != NULL);
	if (!writes)
		return;
	rc = begin(s);
	if (rc == GAN_OK)
		rc = run_group(s);
	if (rc == GAN_OK) {
		gan_txn_apply(s);
		publish(s, true);
		return;
	}
	gan_db_rollback(s->db);
	if (!s->db->broken)
		run_apart(s);
	if (s->db->broken)
		fail_all(s);
	else
		publish(s, false);
}

/* What the start found no room for. */
static void
do_recover(struct gan_store *s)
{
	if (gan_recover_due(s) && gan_recover(s) == GAN_OK)
		publish(s, true);
}

/*
 * Events that wait in the spool come before all others.  While the database
 * takes none of them, new ones are not even tried.
 */
static void
do_import(struct gan_store *s)
{
	int rc;

	if (gan_rescue_due(s)) {
		rc = begin(s);
		if (rc == GAN_OK)
			rc = gan_rescue_import(s);
		if (rc == GAN_OK)
			rc = commit(s);
		if (rc == GAN_OK) {
			gan_txn_apply(s);
			gan_rescue_imported(s);
			publish(s, true);
			return;
		}
		gan_db_rollback(s->db);
		gan_rescue_failed(s, rc);
	}
	if (s->db->broken) {
		fail_all(s);
		return;
	}
	if (!gan_rescue_waits(s))
		return;
	for (struct gan_job *job = s->mine[GAN_JOB_INGEST].head; job != NULL; job = job->next)
		job->rc = GAN_EFULL;
	gan_queue_append(&s->ran, &s->mine[GAN_JOB_INGEST]);
	publish(s, false);
}

/* ---- between commits ------------------------------------------------------------------ */

static bool
work_waits(struct gan_store *s)
{
	bool waits;

	(void)pthread_mutex_lock(&s->lock);
	waits = s->in[GAN_JOB_INGEST].head != NULL || s->in[GAN_JOB_SETTLE].head != NULL ||
		s->in[GAN_JOB_MAP].head != NULL || s->in[GAN_JOB_CLAIM].head != NULL;
	(void)pthread_mutex_unlock(&s->lock);
	return waits;
}

static void
do_queries(struct gan_store *s)
{
	int64_t end = gan_mono_us() + SLICE_US;
	struct gan_queue *q = &s->mine[GAN_JOB_QUERY];
	struct gan_job *job;
	bool any = false;
	int rc;

	while (!s->db->broken && gan_mono_us() < end && (job = gan_queue_pop(q)) != NULL) {
		rc = job->ops->run(s, job);
		if (rc > 0) {
			gan_queue_push(q, job); /* behind the others: nobody waits for a long one */
		} else {
			if (rc < 0)
				job->rc = rc;
			gan_queue_push(&s->ran, job);
			any = true;
		}
		if (work_waits(s))
			break;
	}
	if (s->db->broken)
		fail_all(s);
	else if (any)
		publish(s, false);
}

/* Outcomes that somebody waits for. */
static void
do_watches(struct gan_store *s)
{
	bool any = gan_watch_run(s);

	if (s->db->broken)
		fail_all(s);
	else if (any)
		publish(s, false);
}

static void
do_retention(struct gan_store *s, bool idle)
{
	int64_t now = gan_mono_ms();

	if (!idle && now - s->retain.last_slice_ms < 200)
		return;
	s->retain.last_slice_ms = now;
	if (!s->retain.active && now >= s->retain.next_ms)
		s->retain.active = true;
	if (!s->retain.active)
		return;
	if (gan_retain_slice(s, gan_wall_ms(), gan_mono_us() + SLICE_US) < 0 && s->db->broken)
		fail_all(s);
	else
		publish(s, false);
}

static void
do_checkpoint(struct gan_store *s, bool idle)
{
	if (s->db->path == NULL)
		return;
	/* After a crash the log may be long: let the start's own questions go first. */
	if (gan_mono_us() - s->opened_us < START_US && s->db->wal_frames < START_FRAMES)
		return;
	if (s->db->wal_frames >= CHECKPOINT_FRAMES)
		gan_db_checkpoint(s->db, false);
	else if (idle && s->db->wal_uncut)
		gan_db_checkpoint(s->db, true);
	if (s->db->broken)
		fail_all(s);
}

static void
do_tune(struct gan_store *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->keep = s->opt;
	s->tuned = false;
	(void)pthread_mutex_unlock(&s->lock);
	if (gan_space_tune(s) < 0 && s->db->broken)
		fail_all(s);
	gan_space_check(s, true);
	s->retain.next_ms = s->recover_ms = 0;
}

/* Under lock. Only jobs that no sender waits for, right behind a COMMIT: let them gather. */
static void
keep_pace(struct gan_store *s)
{
	int64_t at_us = s->committed_us + PACE_US;
	const struct timespec until = { .tv_sec = at_us / 1000000,
		.tv_nsec = at_us % 1000000 * 1000 };

	while (s->in[GAN_JOB_INGEST].head == NULL && !s->stop && gan_mono_us() < at_us) {
		if (pthread_cond_timedwait(&s->wake, &s->lock, &until) != 0)
			break;
	}
}

/* Wait for jobs; false after a second without any. */
static bool
wait_for_work(struct gan_store *s, bool *ret_stop, bool *ret_tuned)
{
	struct timespec until;
	bool work, background = has_work(s->mine) || s->retain.active || gan_rescue_due(s);

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	(void)pthread_mutex_lock(&s->lock);
	while (!has_work(s->in) && !s->stop && !s->tuned && !background) {
		if (pthread_cond_timedwait(&s->wake, &s->lock, &until) != 0)
			break;
	}
	work = has_work(s->in);
	if (work && !background)
		keep_pace(s);
	for (int i = 0; i < GAN_JOB_NCLASS; i++)
		gan_queue_append(&s->mine[i], &s->in[i]);
	*ret_stop = s->stop;
	*ret_tuned = s->tuned;
	(void)pthread_mutex_unlock(&s->lock);
	return work || background;
}

/* What runs in slices, or waits, is cut short at the end: its caller hears GAN_EGONE. */
static void
drop_queries(struct gan_store *s)
{
	gan_queue_append(&s->mine[GAN_JOB_QUERY], &s->mine[GAN_JOB_WATCH]);
	gan_queue_append(&s->mine[GAN_JOB_QUERY], &s->watching);
	for (struct gan_job *job = s->mine[GAN_JOB_QUERY].head; job != NULL; job = job->next)
		cancel(job, GAN_EGONE);
	gan_queue_append(&s->ran, &s->mine[GAN_JOB_QUERY]);
	publish(s, false);
}

void *
gan_group_thread(void *arg)
{
	struct gan_store *s = arg;
	unsigned idle = 0;
	bool stop = false, tuned = false;

	while (!s->db->broken) {
		bool work = wait_for_work(s, &stop, &tuned);

		idle = work ? 0 : idle + 1;
		if (tuned)
			do_tune(s);
		gan_space_check(s, false);
		gan_rescue_check(s);
		if (!s->db->broken)
			do_recover(s);
		if (!s->db->broken)
			do_import(s);
		if (!s->db->broken)
			do_group(s);
		if (!s->db->broken)
			do_watches(s);
		if (!s->db->broken)
			do_checkpoint(s, idle == 3);
		if (stop && !has_work(s->mine))
			break;
		if (!s->db->broken)
			do_queries(s);
		if (stop)
			drop_queries(s);
		if (!s->db->broken && !stop)
			do_retention(s, !work);
		if (idle > 0 && !s->db->broken)
			publish(s, false);
	}
	if (!s->db->broken)
		drop_queries(s);
	/* Whoever found the damage may have had no job at hand. */
	if (s->db->broken && !s->fatal)
		fail_all(s);
	/* Until the process ends: webhooks still go to the spool, all others fail. */
	while (s->db->broken && !stop) {
		(void)wait_for_work(s, &stop, &tuned);
		fail_all(s);
	}
	if (!s->db->broken && s->db->path != NULL)
		gan_db_checkpoint(s->db, true);
	(void)pthread_mutex_lock(&s->lock);
	s->ended = true;
	(void)pthread_mutex_unlock(&s->lock);
	(void)uv_async_send(&s->async);
	return NULL;
}
