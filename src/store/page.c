/* SPDX-License-Identifier: MIT */
/* page.c - stored events that match a filter, a page at a time; see replay.h. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/replay.h"
#include "store/store_priv.h"

#define SLICE_US 15000
#define PAGE_MAX 1024
#define CLOCK_SLACK_MS (INT64_C(24) * 3600 * 1000)

struct page_job {
	struct gan_job job;
	struct gan_event_filter f;
	int64_t at, upto;
	size_t n, max_bytes, bytes;
	struct gan_event **events;
	size_t nevents;
	bool end;
	gan_page_fn cb;
	void *arg;
};

static void
page_forget(struct page_job *j)
{
	for (size_t i = 0; i < j->nevents; i++)
		gan_event_free(&j->events[i]);
	j->nevents = 0;
}

/* Mapping is through with it, and it is JSON. */
static int
can_be_mapped(struct gan_store *s, sqlite3_stmt *st)
{
	int64_t one;
	int rc;

	if (sqlite3_column_type(st, 6) == SQLITE_NULL)
		return 0;
	if (sqlite3_column_int(st, 6) != GAN_EVENT_REJECTED)
		return 1;
	rc = gan_db_int(
	    s->db, gan_bind(s->db, GAN_SQL_REJECT_WHOLE, GAN_I(sqlite3_column_int64(st, 0))), &one);
	return rc == GAN_ENOENT ? 1 : rc == GAN_OK ? 0 : rc;
}

static bool
wanted(const struct gan_event_filter *f, sqlite3_stmt *st)
{
	int64_t ms = sqlite3_column_int64(st, 4);

	return (f->since_ms == 0 || ms >= f->since_ms) && (f->until_ms == 0 || ms <= f->until_ms) &&
	       (f->source == NULL || gan_streq(f->source, gan_col_text(st, 1))) &&
	       (f->topic == NULL || gan_glob(f->topic, gan_col_text(st, 2)));
}

static int
take(struct gan_store *s, struct page_job *j, sqlite3_stmt *st)
{
	struct gan_event *e;
	int rc = wanted(&j->f, st) ? can_be_mapped(s, st) : 0;

	if (rc <= 0)
		return rc;
	e = gan_event_read(st);
	if (e == NULL)
		return GAN_ENOMEM;
	j->events[j->nevents++] = e;
	j->bytes += e->body_len;
	return GAN_OK;
}

static bool
is_full(const struct page_job *j)
{
	return j->nevents == j->n || j->bytes >= j->max_bytes;
}

/* 1: not through yet. */
static int
page_walk(struct gan_store *s, struct page_job *j, int64_t end)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_EVENT_PAGE, GAN_I(j->at), GAN_I(j->upto));
	unsigned looked = 0;
	int rc = 0;

	while (!is_full(j) && (rc = gan_db_step(s->db, st)) > 0) {
		rc = take(s, j, st);
		if (rc < 0)
			return rc;
		j->at = sqlite3_column_int64(st, 0);
		if (++looked % 16 == 0 && gan_mono_us() > end)
			return 1;
	}
	j->end = rc == 0 && !is_full(j);
	if (j->end && j->upto != INT64_MAX)
		j->at = j->upto;
	return rc < 0 ? rc : GAN_OK;
}

static int
page_ids(struct gan_store *s, struct page_job *j, int64_t end)
{
	size_t i = 0;
	int rc;

	for (; i < j->f.nids && !is_full(j); i++) {
		sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;

		if (j->f.ids[i] <= j->at)
			continue;
		if (gan_mono_us() > end)
			return 1;
		st = gan_bind(s->db, GAN_SQL_EVENT_GET, GAN_I(j->f.ids[i]));
		rc = gan_db_step(s->db, st);
		if (rc > 0 && j->f.ids[i] <= j->upto)
			rc = take(s, j, st);
		if (rc < 0)
			return rc;
		j->at = j->f.ids[i];
	}
	j->end = i == j->f.nids;
	return GAN_OK;
}

static int
page_run(struct gan_store *s, struct gan_job *job)
{
	struct page_job *j = (struct page_job *)job;
	int64_t end = gan_mono_us() + SLICE_US;
	int rc = j->f.ids != NULL ? page_ids(s, j, end) : page_walk(s, j, end);

	if (rc > 0)
		return 1;
	job->rc = rc;
	return s->db->broken ? rc : GAN_OK;
}

static void
page_done(struct gan_job *job)
{
	struct page_job *j = (struct page_job *)job;
	struct gan_event **events = NULL;
	size_t n = 0;

	if (job->rc == GAN_OK) {
		events = gan_steal(&j->events);
		n = j->nevents;
		j->nevents = 0;
	}
	j->cb(j->arg, job->rc, events, n, j->at, j->end);
}

static void
page_fini(struct gan_job *job)
{
	struct page_job *j = (struct page_job *)job;

	page_forget(j);
	free(j->events);
}

static const struct gan_job_ops page_ops = { GAN_JOB_QUERY, page_run, page_done, page_fini, NULL };

static void
page_pack(struct gan_pack *p, const struct gan_event_filter *from, struct gan_event_filter *ret)
{
	*ret = *from;
	ret->source = gan_pack_str(p, from->source);
	ret->topic = gan_pack_str(p, from->topic);
	ret->ids =
	    from->ids == NULL ? NULL : gan_pack_mem(p, from->ids, from->nids * sizeof(*from->ids));
}

/* The bounds by id that the filter's times give: ids are never earlier than their rows. */
static void
page_bounds(struct page_job *j, int64_t after_id, int64_t upto_id)
{
	int64_t floor = j->f.since_ms == 0 ? 0 : gan_id_floor(j->f.since_ms) - 1;
	int64_t end = j->f.until_ms == 0 ? INT64_MAX : gan_id_floor(j->f.until_ms + CLOCK_SLACK_MS);

	j->at = after_id > floor ? after_id : floor;
	j->upto = upto_id != 0 && upto_id < end ? upto_id : end;
}

int
gan_store_page(struct gan_store *s, const struct gan_event_filter *filter, int64_t after_id,
    int64_t upto_id, size_t n, size_t max_bytes, gan_page_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_event_filter ignored;
	struct page_job *j;
	struct gan_job *job;
	int rc = GAN_ENOMEM;

	page_pack(&p, filter, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &page_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	p.at = (char *)(j + 1);
	page_pack(&p, filter, &j->f);
	page_bounds(j, after_id, upto_id);
	j->n = n > PAGE_MAX ? PAGE_MAX : n;
	j->max_bytes = max_bytes;
	j->cb = cb;
	j->arg = arg;
	j->events = calloc(j->n + 1, sizeof(struct gan_event *));
	if (j->events != NULL)
		rc = gan_store_job_post(s, job);
	if (rc < 0)
		gan_store_job_free(&job);
	return rc;
}
