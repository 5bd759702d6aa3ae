/* SPDX-License-Identifier: MIT */
/*
 * correct.c - an edited copy takes the place of a delivery that needs a person.
 *
 * The original keeps its body, its tries and its id, and is skipped in the
 * same COMMIT that makes the copy: a delivery of the same event, rule and
 * output with a replay number below zero.  Order per key counts by id, so the
 * copy, whose id is a new one, has a row in `place` while it is open that says
 * where it stands; revision.place keeps that for one that is tried again
 * after it had left its lane.
 *
 * The copy also takes over the effect of its original: that was a person's
 * decision, so another body under that effect is no conflict here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/store_priv.h"

static const uint32_t correctable =
    GAN_TO(GAN_DLV_DEAD) | GAN_TO(GAN_DLV_UNKNOWN) | GAN_TO(GAN_DLV_EXPIRED);

/* A correction as it waits in its table. */
struct draft {
	int64_t id, place;
	char *who, *body;
	size_t body_len;
};

static void
draft_fini(struct draft *r)
{
	free(r->who);
	free(r->body);
}

/* Where a delivery stands in its lane. */
static int
place_of(struct gan_store *s, const struct gan_dlv *d, int64_t *ret_place)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int rc;

	*ret_place = d->id;
	if (!d->copy)
		return GAN_OK;
	st = gan_bind(s->db, GAN_SQL_REVISION_OF, GAN_I(d->id));
	rc = gan_db_step(s->db, st);
	if (rc > 0)
		*ret_place = sqlite3_column_int64(st, 6);
	return rc < 0 ? rc : GAN_OK;
}

int
gan_correct_place(struct gan_store *s, const struct gan_dlv *d, int64_t lane)
{
	int64_t place;
	int rc = place_of(s, d, &place);

	if (rc < 0 || place == d->id || d->key == NULL)
		return rc;
	return gan_run(s->db, GAN_SQL_PLACE_PUT, GAN_I(lane), GAN_I(place), GAN_I(d->id));
}

/* ---- the copy ------------------------------------------------------------------------ */

static int
copy_put(struct gan_store *s, const struct gan_dlv *d, const struct draft *r, int64_t now_ms,
    int64_t *ret_id, int64_t *ret_lane)
{
	int64_t id = gan_id_next(s->txn.last_delivery, now_ms), lane = 0;
	int rc = gan_lane_join(s, d->connector, d->key, id, false, now_ms, &lane);

	s->txn.last_delivery = id;
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_REVISION_DLV, GAN_I(d->id), GAN_I(id), GAN_I(lane),
		    GAN_I(now_ms), GAN_I(gan_key_part(s->txn.made)));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_REVISION_PAYLOAD, GAN_I(d->id), GAN_I(id),
		    GAN_B(r->body, r->body_len));
	if (rc == GAN_OK && d->key != NULL)
		rc = gan_run(s->db, GAN_SQL_PLACE_PUT, GAN_I(lane), GAN_I(r->place), GAN_I(id));
	s->txn.deliveries[GAN_DLV_WAITING]++;
	s->txn.made++;
	*ret_id = id;
	*ret_lane = lane;
	return rc;
}

/* The original leaves: skipped, out of its lane, without its effect. */
static int
replace(struct gan_store *s, const struct command_job *j, struct gan_dlv *d, const struct draft *r,
    int64_t copy)
{
	const struct gan_command *c = &j->c;
	char id[GAN_ID_LEN], why[64], after[64];
	const char *before = gan_delivery_state_name(d->state);
	int64_t lane = d->lane_id;
	int rc = gan_effect_hand(s, d, copy, r->body, r->body_len, c->now_ms);

	(void)gan_id_format(GAN_ID_DELIVERY, copy, id);
	(void)snprintf(why, sizeof(why), "replaced by %s", id);
	(void)snprintf(after, sizeof(after), "skipped, replaced by %s", id);
	if (rc == GAN_OK)
		rc = gan_dlv_move(s, d, GAN_DLV_SKIPPED, why, NULL, c->now_ms);
	if (rc == GAN_OK && lane != 0)
		rc = gan_lane_arm(s, lane, 1, false, c->now_ms);
	return rc < 0 ? rc : gan_command_audit(s, c, before, after);
}

static int
put_in_force(struct gan_store *s, struct command_job *j, struct gan_dlv *d, struct draft *r)
{
	const struct gan_command *c = &j->c;
	const bool approves = c->kind == GAN_CMD_APPROVE;
	int64_t copy = 0, lane = 0;
	bool other;
	int rc = place_of(s, d, &r->place);

	if (rc == GAN_OK)
		rc = copy_put(s, d, r, c->now_ms, &copy, &lane);
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_REVISION_DONE, GAN_I(r->id),
		    GAN_T(approves ? c->who : NULL), GAN_I0(approves ? c->now_ms : 0), GAN_I(copy),
		    GAN_I(r->place));
	other = lane != d->lane_id;
	if (rc == GAN_OK)
		rc = replace(s, j, d, r, copy);
	/* One that had left its lane already: the copy goes before those that are in it. */
	if (rc == GAN_OK && other)
		rc = gan_lane_arm(s, lane, 0, false, c->now_ms);
	return rc < 0 ? rc : gan_shape_delivery_id(s, copy, &j->out);
}

/* ---- the two verbs --------------------------------------------------------------------- */

static int
draft_put(
    struct gan_store *s, const struct command_job *j, const struct gan_dlv *d, struct draft *r)
{
	const struct gan_command *c = &j->c;
	int rc = gan_run(s->db, GAN_SQL_REVISION_LATER, GAN_I(d->id));

	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_REVISION_PUT, GAN_I(d->id), GAN_B(c->body, c->body_len),
		    GAN_T(c->who == NULL ? "gantryd" : c->who), GAN_I(c->now_ms), GAN_T(c->reason));
	r->id = sqlite3_last_insert_rowid(s->db->h);
	r->body = gan_memdup(c->body, c->body_len);
	r->body_len = c->body_len;
	if (rc == GAN_OK && r->body == NULL)
		rc = gan_err_set(&s->db->why, GAN_ENOMEM, "correction");
	return rc;
}

/* GAN_ENOENT: none waits. */
static int
draft_get(struct gan_store *s, const struct gan_dlv *d, struct draft *r)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_REVISION_WAITS, GAN_I(d->id));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc < 0 ? rc : GAN_ENOENT;
	r->id = sqlite3_column_int64(st, 0);
	r->who = strdup(gan_col_text(st, 1));
	r->body_len = (size_t)sqlite3_column_bytes(st, 4);
	r->body = gan_memdup(sqlite3_column_blob(st, 4), r->body_len);
	if (r->who == NULL || r->body == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "correction");
	return GAN_OK;
}

static int
correct(struct gan_store *s, struct command_job *j, struct gan_dlv *d)
{
	struct draft r GAN_AUTO(draft_fini) = { .id = 0 };
	int rc = draft_put(s, j, d, &r);

	if (rc < 0 || !j->c.four_eyes)
		return rc < 0 ? rc : put_in_force(s, j, d, &r);
	rc = gan_command_audit(
	    s, &j->c, gan_delivery_state_name(d->state), "a correction waits for an approval");
	return rc < 0 ? rc : gan_shape_delivery_id(s, d->id, &j->out);
}

static int
approve(struct gan_store *s, struct command_job *j, struct gan_dlv *d)
{
	struct draft r GAN_AUTO(draft_fini) = { .id = 0 };
	int rc = draft_get(s, d, &r);

	gan_buf_clear(&j->out);
	if (rc == GAN_ENOENT) {
		gan_buf_printf(&j->out, "no correction of %s waits for an approval", j->c.id);
		j->job.rc = GAN_ESTATE;
		return GAN_OK;
	}
	if (rc < 0)
		return rc;
	if (j->c.four_eyes && gan_streq(r.who, j->c.who)) {
		gan_buf_printf(&j->out,
		    "%s was corrected by %s: another user must approve it (require_approval is "
		    "set)",
		    j->c.id, r.who);
		j->job.rc = GAN_EPERM;
		return GAN_OK;
	}
	return put_in_force(s, j, d, &r);
}

int
gan_correct(struct gan_store *s, struct command_job *j, struct gan_dlv *d)
{
	if ((correctable & GAN_TO(d->state)) == 0)
		return gan_command_refuse(s, j, d);
	return j->c.kind == GAN_CMD_CORRECT ? correct(s, j, d) : approve(s, j, d);
}

/* ---- telling of it ----------------------------------------------------------------------- */

static int
shape_copy(struct gan_store *s, int64_t id, bool bodies, struct gan_buf *b)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_REVISION_OF, GAN_I(id));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc;
	gan_json_id(b, "corrects", GAN_ID_DELIVERY, sqlite3_column_int64(st, 0));
	if (!bodies)
		return GAN_OK;
	gan_buf_puts(b, ",\"correction\":{");
	gan_json_str(b, "who", gan_col_text(st, 1));
	gan_json_time(b, "at", sqlite3_column_int64(st, 2));
	gan_json_str(b, "reason", gan_col_text(st, 3));
	gan_json_str(b, "approved_by", gan_col_text(st, 4));
	gan_json_time(b, "approved_at", sqlite3_column_int64(st, 5));
	gan_buf_putc(b, '}');
	return GAN_OK;
}

static int
shape_waiting(struct gan_store *s, int64_t id, bool bodies, struct gan_buf *b)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_REVISION_WAITS, GAN_I(id));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc;
	gan_buf_puts(b, ",\"to_approve\":{");
	gan_json_str(b, "who", gan_col_text(st, 1));
	gan_json_time(b, "at", sqlite3_column_int64(st, 2));
	gan_json_str(b, "reason", gan_col_text(st, 3));
	if (bodies)
		gan_json_bytes(b, "request", st, 4);
	gan_buf_putc(b, '}');
	return GAN_OK;
}

int
gan_correct_shape(struct gan_store *s, int64_t id, int state, bool copy, bool bodies, bool people,
    struct gan_buf *b)
{
	int64_t by;
	int rc = copy ? shape_copy(s, id, bodies, b) : GAN_OK;

	if (rc == GAN_OK && people && (correctable & GAN_TO(state)) != 0)
		rc = shape_waiting(s, id, bodies, b);
	if (rc < 0 || state != GAN_DLV_SKIPPED)
		return rc;
	rc = gan_db_int(s->db, gan_bind(s->db, GAN_SQL_REVISION_COPY, GAN_I(id)), &by);
	if (rc == GAN_OK)
		gan_json_id(b, "replaced_by", GAN_ID_DELIVERY, by);
	return rc == GAN_ENOENT ? GAN_OK : rc;
}

int
gan_correct_waits(struct gan_store *s, int64_t id)
{
	int64_t draft;
	int rc = gan_db_int(s->db, gan_bind(s->db, GAN_SQL_REVISION_WAITS, GAN_I(id)), &draft);

	return rc == GAN_OK ? 1 : rc == GAN_ENOENT ? 0 : rc;
}
