/* SPDX-License-Identifier: MIT */
/* replay.c - see replay.h. */
#include "store/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_priv.h"

/* Stored: never renumber. */
enum replay_state {
	REPLAY_RUNNING,
	REPLAY_DONE,
	REPLAY_STOPPED,
};

static const char *const state_names[] = { "running", "done", "stopped" };

static int
shape(sqlite3_stmt *st, struct gan_buf *b)
{
	gan_buf_printf(b, "{\"replay\":%lld", (long long)sqlite3_column_int64(st, 0));
	gan_json_str(b, "state", state_names[sqlite3_column_int(st, 1)]);
	gan_json_bytes(b, "filter", st, 2);
	gan_json_str(b, "who", gan_col_text(st, 3));
	gan_json_str(b, "reason", gan_col_text(st, 4));
	gan_json_time(b, "begun_at", sqlite3_column_int64(st, 5));
	gan_json_time(b, "ended_at", sqlite3_column_int64(st, 6));
	if (sqlite3_column_int64(st, 7) == 0)
		gan_json_str(b, "at", NULL);
	else
		gan_json_id(b, "at", GAN_ID_EVENT, sqlite3_column_int64(st, 7));
	gan_json_id(b, "upto", GAN_ID_EVENT, sqlite3_column_int64(st, 8));
	gan_buf_printf(b, ",\"events\":%lld,\"deliveries\":%lld,\"rejected\":%lld",
	    (long long)sqlite3_column_int64(st, 9), (long long)sqlite3_column_int64(st, 10),
	    (long long)sqlite3_column_int64(st, 11));
	gan_json_str(b, "last_rejection", gan_col_text(st, 12));
	gan_buf_putc(b, '}');
	return GAN_OK;
}

static int
shape_no(struct gan_store *s, int64_t no, struct gan_buf *b)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_REPLAY_GET, GAN_I(no));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc < 0 ? rc : GAN_ENOENT;
	return shape(st, b);
}

static int
audit(struct gan_store *s, const char *verb, int64_t no, const char *who, const char *reason,
    const char *before, const char *after, int64_t now_ms)
{
	char object[32];

	(void)snprintf(object, sizeof(object), "replay %lld", (long long)no);
	return gan_command_audit(s,
	    &(struct gan_command){
		.id = object, .verb = verb, .who = who, .reason = reason, .now_ms = now_ms },
	    before, after);
}

/* ---- begin, end, list: jobs that answer with JSON ------------------------------------- */

struct talk_job {
	struct gan_job job;
	struct gan_replay_begin b;
	struct gan_replay_end e;
	unsigned limit;
	gan_json_fn cb;
	void *arg;
	struct gan_buf out;
};

/* 0: none. */
static int
running(struct gan_store *s, int64_t *ret_no, int64_t *ret_at)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_REPLAY_RUNNING];
	int rc = gan_db_step(s->db, st);

	*ret_no = rc > 0 ? sqlite3_column_int64(st, 0) : 0;
	*ret_at = rc > 0 ? sqlite3_column_int64(st, 1) : 0;
	return rc < 0 ? rc : GAN_OK;
}

static int
begin_run(struct gan_store *s, struct gan_job *job)
{
	struct talk_job *j = (struct talk_job *)job;
	const struct gan_replay_begin *b = &j->b;
	int64_t at, no = 0, upto = b->upto_id != 0 ? b->upto_id : s->txn.last_event;
	int rc = running(s, &no, &at);

	gan_buf_clear(&j->out);
	job->rc = GAN_OK;
	if (rc == GAN_OK && no != 0) {
		gan_buf_printf(&j->out,
		    "replay %lld is under way: wait for its end (`gantryctl replay list`) or stop "
		    "it (`gantryctl replay stop`)",
		    (long long)no);
		job->rc = GAN_ESTATE;
		return GAN_OK;
	}
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_REPLAY_PUT, GAN_T(b->filter),
		    GAN_T(b->who == NULL ? "gantryd" : b->who), GAN_T(b->reason), GAN_I(b->now_ms),
		    GAN_I(upto));
	no = sqlite3_last_insert_rowid(s->db->h);
	if (rc == GAN_OK)
		rc = audit(s, "replay", no, b->who, b->reason, NULL, b->filter, b->now_ms);
	return rc < 0 ? rc : shape_no(s, no, &j->out);
}

static int
end_run(struct gan_store *s, struct gan_job *job)
{
	struct talk_job *j = (struct talk_job *)job;
	const struct gan_replay_end *e = &j->e;
	int64_t no = 0, at;
	int rc = running(s, &no, &at);

	gan_buf_clear(&j->out);
	job->rc = GAN_OK;
	if (rc < 0)
		return rc;
	if (no == 0 || (e->no != 0 && e->no != no)) {
		if (e->no != 0)
			gan_buf_printf(&j->out, "replay %lld is not running", (long long)e->no);
		else
			gan_buf_puts(&j->out, "no replay is running");
		job->rc = GAN_ESTATE;
		return GAN_OK;
	}
	rc = gan_run(s->db, GAN_SQL_REPLAY_END, GAN_I(no),
	    GAN_I(e->who != NULL ? REPLAY_STOPPED : REPLAY_DONE), GAN_I(e->now_ms));
	if (rc == GAN_OK && e->who != NULL)
		rc =
		    audit(s, "replay stop", no, e->who, e->reason, "running", "stopped", e->now_ms);
	return rc < 0 ? rc : shape_no(s, no, &j->out);
}

static int
list_run(struct gan_store *s, struct gan_job *job)
{
	struct talk_job *j = (struct talk_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_REPLAY_LIST, GAN_I(INT64_MAX), GAN_I(j->limit));
	int rc;

	gan_buf_clear(&j->out);
	job->rc = GAN_OK;
	gan_buf_putc(&j->out, '[');
	while ((rc = gan_db_step(s->db, st)) > 0) {
		if (j->out.len > 1)
			gan_buf_putc(&j->out, ',');
		rc = shape(st, &j->out);
		if (rc < 0)
			return rc;
	}
	gan_buf_putc(&j->out, ']');
	return rc;
}

static void
talk_done(struct gan_job *job)
{
	struct talk_job *j = (struct talk_job *)job;
	bool told = (job->rc == GAN_OK || job->rc == GAN_ESTATE) && j->out.data != NULL;
	const char *text = told ? j->out.data : gan_strerror(job->rc);

	if (j->cb != NULL)
		j->cb(j->arg, job->rc, text, strlen(text));
}

static void
talk_fini(struct gan_job *job)
{
	gan_buf_fini(&((struct talk_job *)job)->out);
}

static const struct gan_job_ops begin_ops = { GAN_JOB_COMMAND, begin_run, talk_done, talk_fini,
	NULL };
static const struct gan_job_ops end_ops = { GAN_JOB_COMMAND, end_run, talk_done, talk_fini, NULL };
static const struct gan_job_ops list_ops = { GAN_JOB_COMMAND, list_run, talk_done, talk_fini,
	NULL };

static void
talk_pack(struct gan_pack *p, const struct talk_job *from, struct talk_job *j)
{
	j->b = from->b;
	j->e = from->e;
	j->b.filter = gan_pack_str(p, from->b.filter);
	j->b.who = gan_pack_str(p, from->b.who);
	j->b.reason = gan_pack_str(p, from->b.reason);
	j->e.who = gan_pack_str(p, from->e.who);
	j->e.reason = gan_pack_str(p, from->e.reason);
}

static int
talk(struct gan_store *s, const struct gan_job_ops *ops, const struct talk_job *like)
{
	struct talk_job ignored, *j;
	struct gan_pack p = { NULL, 0 };

	talk_pack(&p, like, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p.at = (char *)(j + 1);
	talk_pack(&p, like, j);
	j->limit = like->limit;
	j->cb = like->cb;
	j->arg = like->arg;
	j->out.max = 16 << 20;
	return gan_store_job_send(s, &j->job);
}

int
gan_store_replay_begin(
    struct gan_store *s, const struct gan_replay_begin *b, gan_json_fn cb, void *arg)
{
	return talk(s, &begin_ops, &(struct talk_job){ .b = *b, .cb = cb, .arg = arg });
}

int
gan_store_replay_end(struct gan_store *s, const struct gan_replay_end *e, gan_json_fn cb, void *arg)
{
	return talk(s, &end_ops, &(struct talk_job){ .e = *e, .cb = cb, .arg = arg });
}

int
gan_store_replays(struct gan_store *s, unsigned limit, gan_json_fn cb, void *arg)
{
	return talk(s, &list_ops,
	    &(struct talk_job){
		.limit = limit == 0 || limit > 1000 ? 100 : limit, .cb = cb, .arg = arg });
}

/* ---- the one that runs ------------------------------------------------------------------ */

struct running_job {
	struct gan_job job;
	struct gan_replay r;
	char *filter;
	gan_replay_fn cb;
	void *arg;
};

static int
running_run(struct gan_store *s, struct gan_job *job)
{
	struct running_job *j = (struct running_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int64_t no = 0, at;
	int rc = running(s, &no, &at);

	free(gan_steal(&j->filter));
	j->r = (struct gan_replay){ .no = 0 };
	job->rc = GAN_OK;
	if (rc < 0 || no == 0)
		return rc;
	st = gan_bind(s->db, GAN_SQL_REPLAY_GET, GAN_I(no));
	rc = gan_db_step(s->db, st);
	if (rc <= 0)
		return rc;
	j->filter = strdup(gan_col_text(st, 2));
	if (j->filter == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "replay");
	j->r = (struct gan_replay){ .no = no,
		.at = sqlite3_column_int64(st, 7),
		.upto = sqlite3_column_int64(st, 8),
		.filter = j->filter };
	return GAN_OK;
}

static void
running_done(struct gan_job *job)
{
	struct running_job *j = (struct running_job *)job;

	j->cb(j->arg, job->rc, &j->r);
}

static void
running_fini(struct gan_job *job)
{
	free(((struct running_job *)job)->filter);
}

static const struct gan_job_ops running_ops = { GAN_JOB_COMMAND, running_run, running_done,
	running_fini, NULL };

int
gan_store_replay_running(struct gan_store *s, gan_replay_fn cb, void *arg)
{
	struct running_job *j = gan_store_job_new(sizeof(*j), &running_ops);

	if (j == NULL)
		return GAN_ENOMEM;
	j->cb = cb;
	j->arg = arg;
	return gan_store_job_send(s, &j->job);
}

/* ---- one event of it ---------------------------------------------------------------------- */

struct step_job {
	struct gan_job job;
	struct gan_replay_commit c;
	gan_done_fn cb;
	void *arg;
};

static int
step_run(struct gan_store *s, struct gan_job *job)
{
	struct step_job *j = (struct step_job *)job;
	const struct gan_replay_commit *c = &j->c;
	const struct gan_rejection *last =
	    c->nrejections == 0 ? NULL : &c->rejections[c->nrejections - 1];
	char *text GAN_AUTO(gan_str_free) = NULL;
	size_t made = c->ndeliveries;
	int64_t no = 0, at, one;
	int rc = running(s, &no, &at);

	job->rc = GAN_OK;
	if (rc == GAN_OK && (no != c->no || at != c->before_id))
		job->rc = no != c->no ? GAN_ESTATE : GAN_EINVAL;
	if (rc < 0 || job->rc != GAN_OK)
		return rc;
	/* Retention may have been faster: a delivery without its event would be an orphan. */
	if (made > 0)
		rc =
		    gan_db_int(s->db, gan_bind(s->db, GAN_SQL_EVENT_HAS, GAN_I(c->event_id)), &one);
	if (rc == GAN_ENOENT)
		made = 0;
	else if (rc < 0)
		return rc;
	for (size_t i = 0; i < made; i++) {
		rc = gan_delivery_put(s, c->event_id, c->no, &c->deliveries[i], c->now_ms);
		if (rc < 0)
			return rc;
	}
	if (last != NULL) {
		char id[GAN_ID_LEN];

		text = gan_asprintf("%s, %s: %.1000s", gan_id_format(GAN_ID_EVENT, c->event_id, id),
		    last->rule, last->reason);
		if (text == NULL)
			return gan_err_set(&s->db->why, GAN_ENOMEM, "replay");
	}
	return gan_run(s->db, GAN_SQL_REPLAY_STEP, GAN_I(c->no), GAN_I(c->event_id), GAN_I(made),
	    GAN_I(c->nrejections), GAN_T(text));
}

static void
step_done(struct gan_job *job)
{
	struct step_job *j = (struct step_job *)job;

	j->cb(j->arg, job->rc);
}

static const struct gan_job_ops step_ops = { GAN_JOB_COMMAND, step_run, step_done, NULL, NULL };

static void
step_pack(struct gan_pack *p, const struct gan_replay_commit *from, struct gan_replay_commit *ret)
{
	*ret = *from;
	ret->deliveries = gan_pack_deliveries(p, from->deliveries, from->ndeliveries);
	ret->rejections = gan_pack_rejections(p, from->rejections, from->nrejections);
}

int
gan_store_replay_commit(
    struct gan_store *s, const struct gan_replay_commit *c, gan_done_fn cb, void *arg)
{
	struct gan_replay_commit ignored;
	struct gan_pack p = { NULL, 0 };
	struct step_job *j;

	step_pack(&p, c, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &step_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p.at = (char *)(j + 1);
	step_pack(&p, c, &j->c);
	j->cb = cb;
	j->arg = arg;
	j->job.bytes = p.size;
	return gan_store_job_send(s, &j->job);
}
