/* SPDX-License-Identifier: MIT */
/*
 * object.c - what became of a business key, for one source: its events, each at
 * the place of its newest delivery of the key, the newest first.
 */
#include "base/clock.h"
#include "base/str.h"
#include "store/query_priv.h"

#define SLICE_US 15000
#define PAGE_BYTES (4u << 20) /* then a page is full, if it has one at least */

/* Does this delivery stand for its event: is it the newest one of it with the key? */
static int
stands(struct gan_store *s, const struct query_job *j, int64_t id, int64_t event)
{
	int64_t newest = 0;
	int rc = gan_db_int(s->db,
	    gan_bind(s->db, GAN_SQL_DLV_NEWEST_OF_EVENT, GAN_I(event), GAN_T(j->q.text)), &newest);

	return rc < 0 ? rc : newest == id;
}

/* 1: the page is full, and this one begins the next. */
static int
tell(struct gan_store *s, struct query_job *j, int64_t id, int64_t event)
{
	struct gan_buf one GAN_AUTO(gan_buf_fini) = { .max = j->out.max };
	int rc;

	/* One event may have a thousand of them side by side: the first was the newest. */
	if (event == j->key_event)
		return GAN_OK;
	j->key_event = event;
	rc = gan_event_is_of(s, event, j->q.source);
	if (rc > 0)
		rc = stands(s, j, id, event);
	if (rc <= 0)
		return rc;
	rc = gan_shape_event_id(s, event, j->q.source, false, 0, j->q.text, NULL, &one);
	if (rc < 0)
		return rc;
	if (j->found == j->q.limit || (j->found > 0 && j->out.len + one.len > PAGE_BYTES))
		return 1;
	if (one.failed)
		j->out.failed = true;
	if (j->found++ > 0)
		gan_buf_putc(&j->out, ',');
	gan_buf_put(&j->out, one.data, one.len);
	return GAN_OK;
}

/* The rows of one part of the index. 1: not through yet. */
static int
tell_part(struct gan_store *s, struct query_job *j, int64_t end)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(
	    s->db, GAN_SQL_DLV_LIST_KEY, GAN_I(j->below), GAN_T(j->q.text), GAN_I(j->key_part));
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		int64_t id = sqlite3_column_int64(st, 0);

		rc = tell(s, j, id, sqlite3_column_int64(st, 1));
		if (rc > 0)
			j->full = true;
		if (rc != GAN_OK)
			return rc < 0 ? rc : GAN_OK;
		j->below = id;
		if (gan_mono_us() > end)
			return 1;
	}
	return rc;
}

int
gan_object_run(struct gan_store *s, struct query_job *j)
{
	int64_t end = gan_mono_us() + SLICE_US;
	int rc = gan_parts_begin(s, j);

	if (rc == GAN_OK && !j->story_begun) {
		j->story_begun = true;
		gan_buf_putc(&j->out, '{');
		gan_json_str(&j->out, "key", j->q.text);
		gan_buf_puts(&j->out, ",\"events\":[");
	}
	for (; rc == GAN_OK && !j->full && j->key_part >= j->last_part; j->key_part--) {
		if (gan_mono_us() > end)
			return 1;
		rc = tell_part(s, j, end);
		if (rc != GAN_OK)
			return rc;
	}
	if (rc < 0)
		return rc;
	gan_buf_putc(&j->out, ']');
	if (j->full)
		gan_json_id(&j->out, "next", GAN_ID_DELIVERY, j->below);
	else
		gan_json_str(&j->out, "next", NULL);
	gan_buf_putc(&j->out, '}');
	return GAN_OK;
}
