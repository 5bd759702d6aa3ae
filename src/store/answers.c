/* SPDX-License-Identifier: MIT */
/*
 * answers.c - what became of a delivery is an event too, of the source
 * `answers`, when a rule listens (design: section 7).
 *
 * It is made where a delivery becomes delivered or dead, which is one place
 * (gan_dlv_move), so it shares the COMMIT of the result, whoever brought it
 * about.  From there on it is an event like any other.
 *
 * A rule may answer an answer.  How far a chain has come is known of each
 * event; the one that would be the ninth step is kept, rejected and on the
 * attention list, and no rule is asked about it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/config.h"
#include "store/store_priv.h"

#define DEPTH_MAX 8
#define PART_MAX (1 << 20) /* of a request, a response, an origin's body */
#define NAME "answers"     /* of the row in `keep` */

/* The first event that led here, and how many answers ago. */
struct chain {
	int64_t origin, depth;
	char *key; /* of the first delivery */
};

static void
chain_fini(struct chain *c)
{
	free(c->key);
}

/* ---- who listens -------------------------------------------------------------------- */

struct listen_job {
	struct gan_job job;
	struct gan_globs globs;
};

static int
listen_run(struct gan_store *s, struct gan_job *job)
{
	const struct listen_job *j = (struct listen_job *)job;

	return gan_run(s->db, GAN_SQL_KEEP_PUT, GAN_T(NAME), GAN_B(j->globs.list, j->globs.len));
}

static void
listen_fini(struct gan_job *job)
{
	free(((struct listen_job *)job)->globs.list);
}

static const struct gan_job_ops listen_ops = { GAN_JOB_COMMAND, listen_run, NULL, listen_fini,
	NULL };

int
gan_store_listen(struct gan_store *s, const char *globs, size_t len)
{
	struct listen_job *j = gan_store_job_new(sizeof(*j), &listen_ops);
	char *list = gan_memdup(len == 0 ? "" : globs, len);
	struct gan_job *job = j == NULL ? NULL : &j->job;
	int rc = GAN_ENOMEM;

	if (j != NULL)
		j->globs = (struct gan_globs){ gan_memdup(len == 0 ? "" : globs, len), len };
	if (j == NULL || list == NULL || j->globs.list == NULL) {
		free(list);
		gan_store_job_free(&job);
		return rc;
	}
	(void)pthread_mutex_lock(&s->lock);
	free(s->listen_next.list);
	s->listen_next = (struct gan_globs){ list, len };
	s->listen_new = true;
	(void)pthread_mutex_unlock(&s->lock);
	return gan_store_job_send(s, job);
}

void
gan_answers_take(struct gan_store *s)
{
	(void)pthread_mutex_lock(&s->lock);
	if (s->listen_new) {
		free(s->listen.list);
		s->listen = s->listen_next;
		s->listen_next = (struct gan_globs){ NULL, 0 };
		s->listen_new = false;
	}
	(void)pthread_mutex_unlock(&s->lock);
}

/* At a start: those of the rules before, until the new ones are proven. */
int
gan_answers_load(struct gan_store *s)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_KEEP_GET, GAN_T(NAME));
	int rc = gan_db_step(s->db, st);
	size_t len;

	if (rc <= 0)
		return rc;
	len = (size_t)sqlite3_column_bytes(st, 0);
	s->listen.list = gan_memdup(len == 0 ? "" : sqlite3_column_blob(st, 0), len);
	s->listen.len = s->listen.list == NULL ? 0 : len;
	return s->listen.list == NULL ? gan_err_set(&s->db->why, GAN_ENOMEM, NAME) : GAN_OK;
}

static bool
is_listened_to(const struct gan_store *s, const char *name)
{
	const struct gan_globs *g = &s->listen;

	for (size_t at = 0; at < g->len; at += strlen(g->list + at) + 1) {
		if (gan_glob(g->list + at, name))
			return true;
	}
	return false;
}

/* ---- what it tells ------------------------------------------------------------------- */

static int
chain_of(struct gan_store *s, const struct gan_dlv *d, struct chain *ret)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_ANSWER_GET, GAN_I(d->event_id));
	int rc = gan_db_step(s->db, st);
	const char *key = rc > 0 ? gan_col_text(st, 3) : d->key;

	if (rc < 0)
		return rc;
	ret->origin = rc > 0 ? sqlite3_column_int64(st, 1) : d->event_id;
	ret->depth = rc > 0 ? sqlite3_column_int64(st, 2) + 1 : 1;
	ret->key = key == NULL ? NULL : strdup(key);
	if (key != NULL && ret->key == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, NAME);
	return GAN_OK;
}

/* What is too large for a rule to look at is left out and named. */
static void
put_part(struct gan_buf *b, struct gan_buf *left_out, const char *name, const char *path,
    sqlite3_stmt *row, int col)
{
	if (sqlite3_column_bytes(row, col) <= PART_MAX) {
		gan_json_bytes(b, name, row, col);
		return;
	}
	gan_json_str(b, name, NULL);
	gan_buf_printf(left_out, "%s\"%s\"", left_out->len == 0 ? "" : ",", path);
}

static int
put_request(struct gan_store *s, int64_t delivery, struct gan_buf *b, struct gan_buf *left_out)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_PAYLOAD_GET, GAN_I(delivery));
	int rc = gan_db_step(s->db, st);

	if (rc > 0)
		put_part(b, left_out, "request", "request", st, 0);
	return rc < 0 ? rc : GAN_OK;
}

/* The one whose response it is: its own, or of the delivery that had the same effect. */
static int
responder(struct gan_store *s, const struct gan_dlv *d, int64_t *ret)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int rc;

	*ret = d->id;
	if (d->effect == NULL)
		return GAN_OK;
	st = gan_bind(s->db, GAN_SQL_EFFECT_GET, GAN_T(d->effect), GAN_T(d->connector));
	rc = gan_db_step(s->db, st);
	if (rc > 0)
		*ret = sqlite3_column_int64(st, 0);
	return rc < 0 ? rc : GAN_OK;
}

static int
put_response(
    struct gan_store *s, const struct gan_dlv *d, struct gan_buf *b, struct gan_buf *left_out)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	sqlite3_stmt *last GAN_AUTO(gan_db_rewind) = NULL;
	int64_t from = d->id;
	int rc = responder(s, d, &from);

	if (rc < 0)
		return rc;
	st = gan_bind(s->db, GAN_SQL_RESPONSE_GET, GAN_I(from));
	rc = gan_db_step(s->db, st);
	if (rc > 0)
		put_part(b, left_out, "response", "response", st, 0);
	if (rc != 0)
		return rc < 0 ? rc : GAN_OK;
	/* Too long to be kept twice, or of no use for the story: as it was received. */
	last = gan_bind(s->db, GAN_SQL_ATTEMPT_NEWEST, GAN_I(from));
	rc = gan_db_step(s->db, last);
	if (rc > 0 && sqlite3_column_int(last, 2) != 0)
		put_part(b, left_out, "response", "response", last, 1);
	else
		gan_json_str(b, "response", NULL);
	return rc < 0 ? rc : GAN_OK;
}

/* A dead one: what the target said last, and why that was the end. */
static int
put_refusal(
    struct gan_store *s, const struct gan_dlv *d, struct gan_buf *b, struct gan_buf *left_out)
{
	sqlite3_stmt *row GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_DLV_GET, GAN_I(d->id));
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int rc = gan_db_step(s->db, row);
	int64_t status = 0;

	if (rc < 0)
		return rc;
	st = gan_bind(s->db, GAN_SQL_ATTEMPT_NEWEST, GAN_I(d->id));
	rc = gan_db_step(s->db, st);
	if (rc < 0)
		return rc;
	gan_json_name(b, "response");
	status = rc > 0 ? sqlite3_column_int64(st, 0) : 0;
	if (status != 0)
		gan_buf_printf(b, "{\"status\":%lld", (long long)status);
	else
		gan_buf_puts(b, "{\"status\":null");
	gan_json_str(b, "error", gan_col_text(row, gan_col_text(row, 13) != NULL ? 13 : 11));
	if (rc > 0)
		put_part(b, left_out, "body", "response.body", st, 1);
	else
		gan_json_str(b, "body", NULL);
	gan_buf_putc(b, '}');
	return GAN_OK;
}

static int
put_origin(struct gan_store *s, const struct chain *c, struct gan_buf *b, struct gan_buf *left_out)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_EVENT_GET, GAN_I(c->origin));
	int rc = gan_db_step(s->db, st);
	bool there = rc > 0; /* retention may have been there before */

	if (rc < 0)
		return rc;
	gan_json_name(b, "origin");
	gan_buf_putc(b, '{');
	gan_json_id(b, "id", GAN_ID_EVENT, c->origin);
	gan_json_str(b, "source", there ? gan_col_text(st, 1) : NULL);
	gan_json_str(b, "topic", there ? gan_col_text(st, 2) : NULL);
	gan_json_str(b, "key", c->key);
	gan_json_time(b, "received_at", there ? sqlite3_column_int64(st, 4) : 0);
	if (there)
		put_part(b, left_out, "body", "origin.body", st, 7);
	else
		gan_json_str(b, "body", NULL);
	gan_buf_putc(b, '}');
	return GAN_OK;
}

static int
body_write(struct gan_store *s, const struct gan_dlv *d, const struct chain *c, struct gan_buf *b)
{
	struct gan_buf left_out GAN_AUTO(gan_buf_fini) = { .max = 256 };
	int rc;

	gan_buf_puts(b, "{\"delivery\":");
	rc = gan_shape_delivery_id(s, d->id, b);
	if (rc == GAN_OK)
		rc = put_request(s, d->id, b, &left_out);
	if (rc == GAN_OK)
		rc = d->state == GAN_DLV_DELIVERED ? put_response(s, d, b, &left_out)
						   : put_refusal(s, d, b, &left_out);
	if (rc == GAN_OK)
		rc = put_origin(s, c, b, &left_out);
	if (left_out.len > 0)
		gan_buf_printf(b, ",\"left_out\":[%s]", left_out.data);
	gan_buf_putc(b, '}');
	if (rc == GAN_OK && (b->failed || left_out.failed))
		rc = gan_err_set(&s->db->why, GAN_ENOMEM, NAME);
	return rc;
}

/* ---- the event ------------------------------------------------------------------------ */

static int
mark_received(struct gan_store *s, int64_t id)
{
	s->txn.events[GAN_EVENT_RECEIVED]++;
	s->txn.last_received = id;
	s->txn.new_events = true;
	return GAN_OK;
}

/* Rules go round in a circle: the event stands for all that would follow. */
static int
cut_chain(struct gan_store *s, int64_t id, const struct chain *c, int64_t now_ms)
{
	char why[160], origin[GAN_ID_LEN];

	(void)snprintf(why, sizeof(why),
	    "the chain of answers that began with event %s is cut after %d: rules answer each "
	    "other in a circle",
	    gan_id_format(GAN_ID_EVENT, c->origin, origin), DEPTH_MAX);
	return gan_event_put_rejected(s, id, why, now_ms);
}

static int
event_put(struct gan_store *s, const struct gan_dlv *d, const char *topic, int64_t now_ms)
{
	struct gan_buf body GAN_AUTO(gan_buf_fini) = { .max = 16 << 20 };
	struct chain c GAN_AUTO(chain_fini) = { 0, 0, NULL };
	char meta[128], origin[GAN_ID_LEN], of[GAN_ID_LEN];
	int64_t id = gan_id_next(s->txn.last_event, now_ms);
	int rc = chain_of(s, d, &c);

	if (rc == GAN_OK)
		rc = body_write(s, d, &c, &body);
	if (rc < 0)
		return rc;
	(void)snprintf(meta, sizeof(meta), "{\"origin\":\"%s\",\"delivery\":\"%s\",\"depth\":%lld}",
	    gan_id_format(GAN_ID_EVENT, c.origin, origin),
	    gan_id_format(GAN_ID_DELIVERY, d->id, of), (long long)c.depth);
	s->txn.last_event = id;
	rc = gan_run(s->db, GAN_SQL_EVENT_PUT, GAN_I(id), GAN_T(GAN_ANSWERS), GAN_T(topic),
	    GAN_NULL, GAN_I(now_ms), GAN_T(meta), GAN_B(body.data, body.len));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_ANSWER_PUT, GAN_I(id), GAN_I(d->id), GAN_I(c.origin),
		    GAN_I(c.depth), GAN_T(c.key));
	if (rc < 0)
		return rc;
	return c.depth > DEPTH_MAX ? cut_chain(s, id, &c, now_ms) : mark_received(s, id);
}

int
gan_answer_make(struct gan_store *s, const struct gan_dlv *d, int64_t now_ms)
{
	char *name GAN_AUTO(gan_str_free) = NULL;

	if (s->listen.len == 0 || (d->state != GAN_DLV_DELIVERED && d->state != GAN_DLV_DEAD))
		return GAN_OK;
	name = gan_asprintf(
	    GAN_ANSWERS "/%s/%s.%s", d->connector, d->operation, gan_delivery_state_name(d->state));
	if (name == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, NAME);
	if (!is_listened_to(s, name))
		return GAN_OK;
	return event_put(s, d, name + sizeof(GAN_ANSWERS), now_ms);
}

/* ---- the links, for stories --------------------------------------------------------------- */

int
gan_answer_shape(struct gan_store *s, int64_t event, struct gan_buf *b)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_ANSWER_GET, GAN_I(event));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc;
	gan_json_name(b, "answer");
	gan_buf_putc(b, '{');
	gan_json_id(b, "delivery", GAN_ID_DELIVERY, sqlite3_column_int64(st, 0));
	gan_json_id(b, "origin", GAN_ID_EVENT, sqlite3_column_int64(st, 1));
	gan_buf_printf(b, ",\"depth\":%lld}", (long long)sqlite3_column_int64(st, 2));
	return GAN_OK;
}

int
gan_answers_shape(struct gan_store *s, int64_t delivery, struct gan_buf *b)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_ANSWER_LIST, GAN_I(delivery));
	char id[GAN_ID_LEN];
	bool first = true;
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		if (first)
			gan_json_name(b, "answers");
		gan_buf_printf(b, "%c\"%s\"", first ? '[' : ',',
		    gan_id_format(GAN_ID_EVENT, sqlite3_column_int64(st, 0), id));
		first = false;
	}
	if (!first)
		gan_buf_putc(b, ']');
	return rc;
}
