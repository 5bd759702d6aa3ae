/* SPDX-License-Identifier: MIT */
/* command.c - what people change: the change and its audit row in one COMMIT. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_priv.h"

int
gan_command_audit(
    struct gan_store *s, const struct gan_command *c, const char *before, const char *after)
{
	int64_t id = gan_id_next(s->txn.last_audit, c->now_ms);

	s->txn.last_audit = id;
	return gan_run(s->db, GAN_SQL_AUDIT_PUT, GAN_I(id), GAN_I(c->now_ms),
	    GAN_T(c->who == NULL ? "gantryd" : c->who), GAN_T(c->verb == NULL ? "" : c->verb),
	    GAN_T(c->id), GAN_T(c->reason), GAN_T(before), GAN_T(after));
}

/* ---- deliveries --------------------------------------------------------------------- */

static const struct move {
	uint32_t from;
	int to;
	const char *what;
} moves[] = {
	[GAN_CMD_RETRY] = { GAN_TO(GAN_DLV_DEAD) | GAN_TO(GAN_DLV_EXPIRED) |
				GAN_TO(GAN_DLV_WAITING),
	    GAN_DLV_WAITING, "tried again" },
	[GAN_CMD_SENT] = { GAN_TO(GAN_DLV_UNKNOWN), GAN_DLV_DELIVERED, "resolved" },
	[GAN_CMD_NOT_SENT] = { GAN_TO(GAN_DLV_UNKNOWN), GAN_DLV_WAITING, "resolved" },
	[GAN_CMD_SKIP] = { GAN_TO(GAN_DLV_WAITING) | GAN_TO(GAN_DLV_UNKNOWN) |
			       GAN_TO(GAN_DLV_DEAD) | GAN_TO(GAN_DLV_EXPIRED),
	    GAN_DLV_SKIPPED, "skipped" },
	[GAN_CMD_FREE] = { GAN_TO(GAN_DLV_DEAD) | GAN_TO(GAN_DLV_EXPIRED) | GAN_TO(GAN_DLV_WAITING),
	    GAN_DLV_WAITING, "tried again" },
	[GAN_CMD_CORRECT] = { 0, GAN_DLV_SKIPPED, "corrected" },
	[GAN_CMD_APPROVE] = { 0, GAN_DLV_SKIPPED, "corrected" },
};

static const char *
possible(int state)
{
	switch (state) {
	case GAN_DLV_WAITING:
		return "it can be made due now (retry) or skipped";
	case GAN_DLV_SENDING:
		return "wait until this attempt has ended";
	case GAN_DLV_UNKNOWN:
		return "look at the target, then resolve it --as sent or --as not-sent, or correct or "
		       "skip it";
	case GAN_DLV_DEAD:
	case GAN_DLV_EXPIRED:
		return "it can be retried, corrected or skipped";
	default:
		return "nothing more can be done with it";
	}
}

int
gan_command_refuse(struct gan_store *s, struct command_job *j, const struct gan_dlv *d)
{
	char copy[GAN_ID_LEN];
	int64_t by;
	int rc = gan_db_int(s->db, gan_bind(s->db, GAN_SQL_REVISION_COPY, GAN_I(d->id)), &by);

	if (rc < 0 && rc != GAN_ENOENT)
		return rc;
	gan_buf_clear(&j->out);
	gan_buf_printf(&j->out, "%s is %s and cannot be %s: ", j->c.id,
	    gan_delivery_state_name(d->state), moves[j->c.kind].what);
	if (rc == GAN_OK && gan_id_format(GAN_ID_DELIVERY, by, copy))
		gan_buf_printf(&j->out, "its corrected copy %s is in its place", copy);
	else
		gan_buf_puts(&j->out, possible(d->state));
	j->job.rc = GAN_ESTATE;
	return GAN_OK;
}

/* A closed one that is tried again joins the lane of its key once more. */
static int
rejoin(struct gan_store *s, struct gan_dlv *d, int64_t now_ms)
{
	int64_t lane = 0;
	int rc;

	if (d->lane_id != 0)
		return GAN_OK;
	rc = gan_lane_join(s, d->connector, d->key, d->id, d->replay, now_ms, &lane);
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_DLV_LANE, GAN_I(d->id), GAN_I(lane));
	d->lane_id = lane;
	return rc == GAN_OK ? gan_correct_place(s, d, lane) : rc;
}

static int
make_due(struct gan_store *s, const struct command_job *j, struct gan_dlv *d)
{
	d->next_ms = j->c.now_ms;
	/* A person has decided: neither its age nor what it tried before count any more. */
	if (d->state != GAN_DLV_WAITING) {
		d->valid_until_ms = 0;
		d->first_sent_ms = 0;
	}
	if (j->c.kind == GAN_CMD_NOT_SENT && d->maybe_sent != GAN_SENT_NO)
		d->maybe_sent = GAN_SENT_DENIED;
	return rejoin(s, d, j->c.now_ms);
}

/* What it waited for goes to the audit row; the delivery has it no longer. */
static int
let_go(struct gan_store *s, struct command_job *j, const struct gan_dlv *d, struct gan_buf *before)
{
	int rc;

	gan_buf_printf(before, "%s, after ", gan_delivery_state_name(d->state));
	rc = gan_effect_free(s, d, before);
	if (rc != GAN_ENOENT)
		return rc;
	gan_buf_clear(&j->out);
	gan_buf_printf(&j->out,
	    "%s waits for no effect: its rule has no `after`, or it was let go before", j->c.id);
	j->job.rc = GAN_ESTATE;
	return GAN_OK;
}

static int
move_delivery(struct gan_store *s, struct command_job *j, struct gan_dlv *d)
{
	const struct gan_command *c = &j->c;
	const struct move *m = &moves[c->kind];
	struct gan_buf freed GAN_AUTO(gan_buf_fini) = { .max = 64 << 10 };
	const char *before = gan_delivery_state_name(d->state);
	int64_t lane = d->lane_id;
	int rc = GAN_OK, left;

	if ((m->from & GAN_TO(d->state)) == 0)
		return gan_command_refuse(s, j, d);
	if (gan_outbox_has(d) && m->to == GAN_DLV_WAITING) {
		gan_buf_printf(&j->out,
		    "%s is in the outbox of %s until it is acknowledged there: it can be skipped",
		    c->id, d->connector);
		j->job.rc = GAN_ESTATE;
		return GAN_OK;
	}
	if (c->kind == GAN_CMD_FREE) {
		rc = let_go(s, j, d, &freed);
		if (rc < 0 || j->job.rc != GAN_OK)
			return rc;
		before = freed.data;
	}
	if (m->to == GAN_DLV_WAITING) {
		rc = make_due(s, j, d);
		lane = d->lane_id;
	}
	left = lane != 0 && !gan_dlv_is_open(d, m->to);
	if (rc == GAN_OK)
		rc = gan_dlv_move(
		    s, d, m->to, m->to == GAN_DLV_WAITING ? NULL : c->reason, NULL, c->now_ms);
	if (rc == GAN_OK && lane != 0)
		rc = gan_lane_arm(s, lane, left, false, c->now_ms);
	if (rc == GAN_OK)
		rc = gan_command_audit(s, c, before, gan_delivery_state_name(m->to));
	return rc < 0 ? rc : gan_shape_delivery_id(s, d->id, &j->out);
}

static int
command_delivery(struct gan_store *s, struct command_job *j, int64_t id)
{
	struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };
	int rc = gan_dlv_load(s, id, &d);

	if (rc == GAN_ENOENT)
		j->job.rc = rc;
	if (rc < 0)
		return rc == GAN_ENOENT ? GAN_OK : rc;
	if (j->c.kind == GAN_CMD_CORRECT || j->c.kind == GAN_CMD_APPROVE)
		return gan_correct(s, j, &d);
	return move_delivery(s, j, &d);
}

/* ---- events --------------------------------------------------------------------------- */

static int
skip_event(struct gan_store *s, struct command_job *j, int64_t id)
{
	int64_t state = GAN_EVENT_RECEIVED, one;
	int rc =
	    gan_db_int(s->db, gan_bind(s->db, GAN_SQL_ATTENTION_HAS, GAN_I(id), GAN_T("e")), &one);

	if (rc == GAN_OK) {
		s->txn.attention--;
		rc = gan_run(s->db, GAN_SQL_ATTENTION_DROP, GAN_I(id), GAN_T("e"));
		if (rc == GAN_OK)
			rc = gan_command_audit(s, &j->c, "rejected", "rejected, closed");
		return rc < 0 ? rc : gan_shape_event_id(s, id, NULL, false, 0, NULL, NULL, &j->out);
	}
	if (rc != GAN_ENOENT)
		return rc;
	rc = gan_shape_event_id(s, id, NULL, false, 0, NULL, NULL, &j->out);
	if (rc == GAN_OK)
		rc = gan_db_int(s->db, gan_bind(s->db, GAN_SQL_MAPPING_GET, GAN_I(id)), &state);
	else if (rc == GAN_ENOENT)
		j->job.rc = GAN_ENOENT;
	if (rc < 0 && rc != GAN_ENOENT)
		return rc;
	if (j->job.rc == GAN_OK) {
		gan_buf_clear(&j->out);
		gan_buf_printf(&j->out,
		    "%s is %s and not on the attention list: only rejected events can be closed",
		    j->c.id, gan_event_state_name((int)state));
		j->job.rc = GAN_ESTATE;
	}
	return GAN_OK;
}

/* ---- connectors ------------------------------------------------------------------------- */

static void
shape_pause(struct command_job *j, bool paused, const char *reason, int64_t since_ms)
{
	gan_buf_putc(&j->out, '{');
	gan_json_str(&j->out, "connector", j->c.id);
	gan_buf_printf(&j->out, ",\"paused\":%s", paused ? "true" : "false");
	gan_json_str(&j->out, "reason", reason);
	gan_json_time(&j->out, "since", since_ms);
	gan_buf_putc(&j->out, '}');
}

static int
command_pause(struct gan_store *s, struct command_job *j)
{
	const struct gan_command *c = &j->c;
	char since[GAN_TIME_LEN];
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_PAUSE_GET, GAN_T(c->id));
	bool pause = c->kind == GAN_CMD_PAUSE;
	int paused = gan_db_step(s->db, st), rc;

	if (paused < 0)
		return paused;
	if (pause && paused) {
		gan_buf_printf(&j->out, "%s is paused already, since %s: it can be resumed", c->id,
		    gan_time_format(sqlite3_column_int64(st, 1), since));
		j->job.rc = GAN_ESTATE;
		return GAN_OK;
	}
	gan_db_rewind(&st);
	rc = pause ? gan_run(s->db, GAN_SQL_PAUSE_PUT, GAN_T(c->id), GAN_T(c->reason),
			 GAN_I(c->now_ms), GAN_T(c->who == NULL ? "gantryd" : c->who))
		   : gan_run(s->db, GAN_SQL_PAUSE_DROP, GAN_T(c->id));
	/* Resuming one that no person paused is allowed: its token may be what stops it. */
	if (rc == GAN_OK)
		rc = gan_command_audit(
		    s, c, paused ? "paused" : "running", pause ? "paused" : "running");
	shape_pause(j, pause, pause ? c->reason : NULL, pause ? c->now_ms : 0);
	return rc;
}

/* ---- the job ------------------------------------------------------------------------------ */

static int
command_run(struct gan_store *s, struct gan_job *job)
{
	struct command_job *j = (struct command_job *)job;
	const struct gan_command *c = &j->c;
	int64_t id;
	int rc;

	gan_buf_clear(&j->out);
	job->rc = GAN_OK;
	switch (c->kind) {
	case GAN_CMD_PAUSE:
	case GAN_CMD_RESUME:
		return command_pause(s, j);
	case GAN_CMD_NOTE:
		gan_buf_putc(&j->out, '{');
		gan_json_str(&j->out, "verb", c->verb);
		gan_json_str(&j->out, "object", c->id);
		gan_buf_putc(&j->out, '}');
		return gan_command_audit(s, c, NULL, c->outcome);
	default:
		break;
	}
	if (gan_id_parse(GAN_ID_DELIVERY, c->id, &id)) {
		rc = command_delivery(s, j, id);
	} else if (c->kind == GAN_CMD_SKIP && gan_id_parse(GAN_ID_EVENT, c->id, &id)) {
		rc = skip_event(s, j, id);
	} else {
		job->rc = GAN_ENOENT;
		rc = GAN_OK;
	}
	if (rc == GAN_OK && job->rc == GAN_ENOENT) {
		gan_buf_clear(&j->out);
		gan_buf_printf(&j->out, "there is no %s", c->id == NULL ? "such object" : c->id);
	}
	if (rc == GAN_OK && j->out.failed)
		rc = gan_err_set(&s->db->why, GAN_ENOMEM, "command");
	return rc;
}

static void
command_done(struct gan_job *job)
{
	struct command_job *j = (struct command_job *)job;
	bool told = job->rc == GAN_OK || job->rc == GAN_ESTATE || job->rc == GAN_ENOENT ||
		    job->rc == GAN_EPERM;
	const char *text = told && j->out.data != NULL ? j->out.data : gan_strerror(job->rc);

	if (j->cb != NULL)
		j->cb(j->arg, job->rc, text, strlen(text));
}

static void
command_fini(struct gan_job *job)
{
	gan_buf_fini(&((struct command_job *)job)->out);
}

static const struct gan_job_ops command_ops = { GAN_JOB_COMMAND, command_run, command_done,
	command_fini, NULL };

static void
command_pack(struct gan_pack *p, const struct gan_command *from, struct gan_command *ret)
{
	*ret = *from;
	ret->id = gan_pack_str(p, from->id);
	ret->verb = gan_pack_str(p, from->verb);
	ret->who = gan_pack_str(p, from->who);
	ret->reason = gan_pack_str(p, from->reason);
	ret->outcome = gan_pack_str(p, from->outcome);
	ret->body = from->body == NULL ? NULL : gan_pack_mem(p, from->body, from->body_len);
}

int
gan_store_command(struct gan_store *s, const struct gan_command *c, gan_json_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_command ignored;
	struct command_job *j;
	struct gan_job *job;

	if (c->id == NULL && c->kind != GAN_CMD_NOTE)
		return GAN_EINVAL;
	command_pack(&p, c, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &command_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p.at = (char *)(j + 1);
	command_pack(&p, c, &j->c);
	j->out.max = 16 << 20;
	j->cb = cb;
	j->arg = arg;
	job = &j->job;
	job->bytes = c->body_len;
	return gan_store_job_send(s, job);
}

/* ---- paused connectors after a restart ------------------------------------------------------ */

struct paused_job {
	struct gan_job job;
	void (*fn)(void *arg, const char *connector, const char *reason, int64_t since_ms);
	void *arg;
};

/* Runs while the loop thread waits for it, so fn may be called from here. */
static int
paused_run(struct gan_store *s, struct gan_job *job)
{
	struct paused_job *j = (struct paused_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_PAUSE_LIST];
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0)
		j->fn(
		    j->arg, gan_col_text(st, 0), gan_col_text(st, 1), sqlite3_column_int64(st, 2));
	return rc;
}

static const struct gan_job_ops paused_ops = { GAN_JOB_QUERY, paused_run, NULL, NULL, NULL };

int
gan_store_paused(struct gan_store *s,
    void (*fn)(void *arg, const char *connector, const char *reason, int64_t since_ms), void *arg,
    struct gan_err *err)
{
	struct paused_job *j = gan_store_job_new(sizeof(*j), &paused_ops);

	if (j == NULL)
		return gan_err_set(err, GAN_ENOMEM, "paused connectors");
	j->fn = fn;
	j->arg = arg;
	return gan_store_job_read(s, &j->job, "the paused connectors", err);
}
