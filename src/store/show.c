/* SPDX-License-Identifier: MIT */
/*
 * show.c - one event, one delivery, or the story of a business key.
 *
 * Keys are indexed by part, 65,536 deliveries after another, so that only the
 * newest part of the index is written to (schema.c).  Who looks for a key asks
 * each part, the newest first, and pauses after a slice of time.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/query_priv.h"

#define SLICE_US 15000

int
gan_show_event(struct gan_store *s, struct query_job *j)
{
	int64_t id;

	if (!gan_id_parse(GAN_ID_EVENT, j->q.text, &id))
		return GAN_ENOENT;
	return gan_shape_event_id(s, id, j->q.source, j->q.bodies, 0, NULL, NULL, &j->out);
}

static int
show_delivery(struct gan_store *s, struct query_job *j, int64_t id)
{
	struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };
	int rc = gan_dlv_load(s, id, &d);

	if (rc < 0)
		return rc;
	return gan_shape_event_id(s, d.event_id, j->q.source, j->q.bodies, id, NULL, NULL, &j->out);
}

static int
by_id(const void *va, const void *vb)
{
	int64_t a = *(const int64_t *)va, b = *(const int64_t *)vb;

	return (a > b) - (a < b);
}

/* Deliveries in j->events become their events, each once, oldest first. */
static int
events_of(struct gan_store *s, struct query_job *j)
{
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < j->nevents; i++) {
		struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };

		rc = gan_dlv_load(s, j->events[i], &d);
		if (rc < 0 && rc != GAN_ENOENT)
			return rc;
		if (rc == GAN_OK)
			j->events[n++] = d.event_id;
	}
	qsort(j->events, n, sizeof(*j->events), by_id);
	j->nevents = 0;
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || j->events[i] != j->events[i - 1])
			j->events[j->nevents++] = j->events[i];
	}
	return j->nevents == 0 ? GAN_ENOENT : GAN_OK;
}

static int
ids_read(struct gan_store *s, struct query_job *j, sqlite3_stmt *st)
{
	int rc = 0;

	while (j->nevents < j->q.limit && (rc = gan_db_step(s->db, st)) > 0)
		j->events[j->nevents++] = sqlite3_column_int64(st, 0);
	gan_db_rewind(&st);
	return rc < 0 ? rc : GAN_OK;
}

int
gan_parts_begin(struct gan_store *s, struct query_job *j)
{
	int64_t last = 0;
	int rc;

	if (j->parts_known)
		return GAN_OK;
	j->key_part = gan_key_part(s->made);
	rc = gan_db_int(s->db, s->db->st[GAN_SQL_DLV_FIRST_PART], &last);
	j->last_part = rc == GAN_OK ? last : j->key_part;
	j->parts_known = rc == GAN_OK || rc == GAN_ENOENT;
	return j->parts_known ? GAN_OK : rc;
}

/* The newest deliveries of the key, as many as are asked for. 1: not through yet. */
static int
ids_of_key(struct gan_store *s, struct query_job *j, int64_t end)
{
	int rc = gan_parts_begin(s, j);

	for (; rc == GAN_OK && j->key_part >= j->last_part && j->nevents < j->q.limit;
	     j->key_part--) {
		if (gan_mono_us() > end)
			return 1;
		rc = ids_read(s, j,
		    gan_bind(s->db, GAN_SQL_DLV_OF_KEY, GAN_T(j->q.text), GAN_I(j->key_part)));
	}
	return rc;
}

static int
story_begin(struct gan_store *s, struct query_job *j, int64_t end)
{
	int rc;

	if (j->events == NULL)
		j->events = calloc(j->q.limit, sizeof(*j->events));
	if (j->events == NULL)
		return GAN_ENOMEM;
	rc = ids_of_key(s, j, end);
	j->by_key = j->nevents > 0;
	if (rc == GAN_OK && !j->by_key)
		rc = ids_read(s, j, gan_bind(s->db, GAN_SQL_EFFECT_OWNERS, GAN_T(j->q.text)));
	if (rc == GAN_OK)
		rc = events_of(s, j);
	if (rc != GAN_OK)
		return rc;
	j->story_begun = true;
	gan_buf_putc(&j->out, '{');
	gan_json_str(&j->out, "key", j->q.text);
	gan_buf_puts(&j->out, ",\"events\":[");
	return GAN_OK;
}

static int
show_key(struct gan_store *s, struct query_job *j)
{
	int64_t end = gan_mono_us() + SLICE_US;
	int rc = j->story_begun ? GAN_OK : story_begin(s, j, end);

	while (rc == GAN_OK && j->told < j->nevents && !j->out.failed) {
		if (j->told > 0 && gan_mono_us() > end)
			return 1;
		if (j->told > 0)
			gan_buf_putc(&j->out, ',');
		rc = gan_shape_event_id(s, j->events[j->told++], NULL, j->q.bodies, 0,
		    j->by_key ? j->q.text : NULL, j->by_key ? NULL : j->q.text, &j->out);
	}
	if (rc <= 0)
		gan_buf_puts(&j->out, "]}");
	return rc;
}

int
gan_show_run(struct gan_store *s, struct query_job *j)
{
	int64_t id;

	if (gan_id_parse(GAN_ID_EVENT, j->q.text, &id))
		return gan_show_event(s, j);
	if (gan_id_parse(GAN_ID_DELIVERY, j->q.text, &id))
		return show_delivery(s, j, id);
	return show_key(s, j);
}
