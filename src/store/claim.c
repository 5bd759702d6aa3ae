/* SPDX-License-Identifier: MIT */
/*
 * claim.c - the heads of due lanes become `sending`.
 *
 * Costs the same with ten rows waiting and with ten million: due lanes come
 * from one index in the order of their time, and each lane names its head.
 */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "conf/config.h"
#include "store/store_priv.h"

#define NPRIO 3
#define RECHECK_MS 60000  /* the safety net of those who wait for an effect */
#define DUE_AHEAD_MS 1000 /* less is how clocks are read, not a jump */
#define DUE_KEEP_MS 1000
#define SPARE 64 /* heads looked at beyond n that were not sent after all */

struct claim_job {
	struct gan_job job;
	size_t n;
	struct gan_claim_at at;
	bool pull; /* heads go to the outbox: nothing is sent */
	int64_t next_due_ms;
	struct gan_claimed **rows;
	size_t nrows, looked;
	gan_claim_fn cb;
	void *arg;
	char connector[];
};

void
gan_claimed_free(struct gan_claimed **cp)
{
	struct gan_claimed *c = gan_steal(cp);

	if (c == NULL)
		return;
	free(c->connector);
	free(c->operation);
	free(c->rule);
	free(c->key);
	free(c->effect);
	free(c->body);
	free(c);
}

static void
claim_forget(struct claim_job *j)
{
	for (size_t i = 0; i < j->nrows; i++)
		gan_claimed_free(&j->rows[i]);
	j->nrows = 0;
	j->looked = 0;
}

/* Takes the texts of d and the body. */
static struct gan_claimed *
claimed_new(struct gan_dlv *d, char **body, size_t body_len)
{
	struct gan_claimed *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->id = d->id;
	c->event_id = d->event_id;
	c->created_ms = d->created_ms;
	c->first_sent_ms = d->first_sent_ms;
	c->attempt = (unsigned)d->attempts + 1;
	c->connector = gan_steal(&d->connector);
	c->operation = gan_steal(&d->operation);
	c->rule = gan_steal(&d->rule);
	c->key = gan_steal(&d->key);
	c->effect = gan_steal(&d->effect);
	c->body = gan_steal(body);
	c->body_len = body_len;
	c->on_unknown = d->on_unknown;
	c->on_dead = d->on_dead;
	c->maybe_sent = d->maybe_sent == GAN_SENT_MAYBE;
	c->denied = d->maybe_sent == GAN_SENT_DENIED;
	return c;
}

static int
expire(struct gan_store *s, struct gan_dlv *d, int64_t now_ms)
{
	int rc = gan_dlv_move(s, d, GAN_DLV_EXPIRED,
	    d->maybe_sent == GAN_SENT_MAYBE
		? "older than valid_for when its turn came again; an earlier attempt may "
		  "have arrived"
		: "older than valid_for when its turn came",
	    "expired", now_ms);

	return rc < 0 ? rc : gan_lane_arm(s, d->lane_id, 0, false, now_ms);
}

/*
 * What it waits for may never come: its event was rejected, or no rule makes
 * it.  Nobody else would ever say so.  While it waits, first_sent_ms is when
 * its turn came first; send_it() forgets that.
 */
static bool
waited_too_long(const struct claim_job *j, struct gan_dlv *d, struct gan_buf *why)
{
	char span[32];
	int64_t since = d->first_sent_ms;

	if (!d->held || since == 0)
		d->first_sent_ms = since = j->at.due_ms;
	if (j->at.give_up_ms <= 0 || j->at.due_ms - since < j->at.give_up_ms)
		return false;
	gan_buf_printf(
	    why, "; gave up after %s", gan_duration_format(j->at.give_up_ms, span, sizeof(span)));
	return true;
}

/* It is not sent now: what the effects said becomes its state. */
static int
by_effect(
    struct gan_store *s, struct claim_job *j, struct gan_dlv *d, int verdict, struct gan_buf *said)
{
	int64_t now_ms = j->at.wall_ms;
	bool closes, over = verdict == GAN_EFFECT_AFTER && waited_too_long(j, d, said);
	const char *why = said->data == NULL ? "" : said->data;
	int rc;

	if (over) {
		d->held = false;
		rc = gan_dlv_move(s, d, GAN_DLV_DEAD, why, "dead", now_ms);
		closes = !gan_dlv_is_open(d, GAN_DLV_DEAD);
		return rc < 0 ? rc : gan_lane_arm(s, d->lane_id, closes, false, now_ms);
	}
	switch (verdict) {
	case GAN_EFFECT_DONE:
		rc = gan_dlv_move(s, d, GAN_DLV_DELIVERED, why, NULL, now_ms);
		closes = true;
		break;
	case GAN_EFFECT_OLDER:
		rc = gan_dlv_move(s, d, GAN_DLV_SKIPPED, why, NULL, now_ms);
		closes = true;
		break;
	case GAN_EFFECT_CONFLICT:
		rc = gan_dlv_move(s, d, GAN_DLV_DEAD, why, "conflict", now_ms);
		closes = !gan_dlv_is_open(d, GAN_DLV_DEAD);
		break;
	default:
		d->held = true;
		d->next_ms = j->at.due_ms + RECHECK_MS;
		if (verdict == GAN_EFFECT_AFTER && j->at.give_up_ms > 0 &&
		    d->next_ms > d->first_sent_ms + j->at.give_up_ms)
			d->next_ms = d->first_sent_ms + j->at.give_up_ms;
		rc = gan_dlv_move(s, d, GAN_DLV_WAITING, why, NULL, now_ms);
		closes = false;
		break;
	}
	return rc < 0 ? rc : gan_lane_arm(s, d->lane_id, closes, false, now_ms);
}

static int
send_it(struct gan_store *s, struct claim_job *j, struct gan_dlv *d, char **body, size_t body_len)
{
	int64_t id = d->id, lane = d->lane_id;
	int rc;

	/* Copy first, mark second: running out of memory must not strand the row. */
	gan_state_must(&gan_delivery_states, d->state, GAN_DLV_SENDING);
	j->rows[j->nrows] = claimed_new(d, body, body_len);
	if (j->rows[j->nrows] == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "claim");
	j->nrows++;
	rc = gan_run(s->db, GAN_SQL_DLV_SENDING, GAN_I(id), GAN_I0(d->first_sent_ms));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_LANE_LEASE, GAN_I(lane), GAN_T("gantryd"),
		    GAN_I(j->at.mono_ms + j->at.lease_ms));
	s->txn.deliveries[GAN_DLV_WAITING]--;
	s->txn.deliveries[GAN_DLV_SENDING]++;
	return rc;
}

/* A reader of its outbox may have taken it in, and now its connector is called: a person knows. */
static int
doubt(struct gan_store *s, const struct gan_dlv *d, int64_t now_ms)
{
	int rc = gan_run(s->db, GAN_SQL_DLV_SENDING, GAN_I(d->id), GAN_I0(d->first_sent_ms));

	s->txn.deliveries[GAN_DLV_WAITING]--;
	s->txn.deliveries[GAN_DLV_SENDING]++;
	return rc < 0 ? rc
		      : gan_lease_lost(s, d->id,
			    "it was read from the outbox and never acknowledged, and its connector "
			    "is called now",
			    now_ms);
}

static int
payload_read(struct gan_store *s, int64_t id, char **ret_body, size_t *ret_len, char **ret_after,
    size_t *ret_after_len, char **ret_newest)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_PAYLOAD_GET, GAN_I(id));
	int rc = gan_db_step(s->db, st);
	const void *p;

	if (rc < 0)
		return rc;
	gan_must(rc > 0);
	p = sqlite3_column_blob(st, 0);
	*ret_len = (size_t)sqlite3_column_bytes(st, 0);
	*ret_body = gan_memdup(p == NULL ? "" : p, *ret_len);
	p = sqlite3_column_blob(st, 1);
	*ret_after_len = (size_t)sqlite3_column_bytes(st, 1);
	*ret_after = gan_memdup(p == NULL ? "" : p, *ret_after_len);
	p = sqlite3_column_text(st, 2);
	*ret_newest = p == NULL ? NULL : gan_memdup(p, (size_t)sqlite3_column_bytes(st, 2));
	if (*ret_body == NULL || *ret_after == NULL || (p != NULL && *ret_newest == NULL))
		return gan_err_set(&s->db->why, GAN_ENOMEM, "claim");
	return GAN_OK;
}

static int
claim_head(struct gan_store *s, struct claim_job *j, int64_t head)
{
	struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };
	struct gan_buf why GAN_AUTO(gan_buf_fini) = { .max = 1024 };
	char *body GAN_AUTO(gan_str_free) = NULL;
	char *after GAN_AUTO(gan_str_free) = NULL;
	char *newest GAN_AUTO(gan_str_free) = NULL;
	struct gan_bytes list;
	size_t len = 0, after_len = 0;
	int rc = gan_dlv_load(s, head, &d);

	if (rc < 0)
		return rc;
	if (d.valid_until_ms != 0 && j->at.wall_ms > d.valid_until_ms)
		return expire(s, &d, j->at.wall_ms);
	rc = payload_read(s, head, &body, &len, &after, &after_len, &newest);
	list = (struct gan_bytes){ after, after_len };
	if (rc == GAN_OK && newest != NULL && d.key != NULL)
		rc = gan_newest_ask(s, &d, newest, &why);
	if (rc == GAN_EFFECT_GO && (d.effect != NULL || after_len > 0))
		rc = gan_effect_ask(s, &d, body, len, &list, j->at.wall_ms, &why);
	if (rc < 0)
		return rc;
	if (d.held && rc != GAN_EFFECT_WAIT && rc != GAN_EFFECT_AFTER) {
		int verdict = rc;

		d.held = false;
		d.first_sent_ms = 0; /* see waited_too_long() */
		rc = gan_effect_unwait(s, &d, &list);
		if (rc < 0)
			return rc;
		rc = verdict;
	}
	if (rc != GAN_EFFECT_GO)
		return by_effect(s, j, &d, rc, &why);
	if (!j->pull && d.attempts == 0 && d.maybe_sent == GAN_SENT_MAYBE &&
	    d.on_unknown != GAN_ON_UNKNOWN_PROBE)
		return doubt(s, &d, j->at.wall_ms);
	if (newest != NULL && d.key != NULL)
		rc = gan_newest_put(s, &d, newest);
	if (rc < 0)
		return rc;
	return j->pull ? gan_outbox_enter(s, &d, j->at.wall_ms) : send_it(s, j, &d, &body, len);
}

int
gan_claim_turn(struct gan_store *s, int64_t head, const struct gan_claim_at *at)
{
	struct claim_job j = { .at = *at, .pull = true };

	return claim_head(s, &j, head);
}

static int
claim_prio(struct gan_store *s, struct claim_job *j, int prio, bool *ret_more)
{
	size_t room = j->n - j->nrows, found = 0;
	int64_t heads[SPARE];
	sqlite3_stmt *st;
	int rc = GAN_OK;

	if (room > SPARE)
		room = SPARE;
	*ret_more = false;
	if (room == 0 || j->looked >= j->n + SPARE)
		return GAN_OK;
	st = gan_bind(s->db, GAN_SQL_LANE_DUE, GAN_T(j->connector), GAN_I(prio),
	    GAN_I(j->at.due_ms), GAN_I(room));
	while (found < room && (rc = gan_db_step(s->db, st)) > 0)
		heads[found++] = sqlite3_column_int64(st, 1);
	gan_db_rewind(&st);
	for (size_t i = 0; rc >= 0 && i < found; i++)
		rc = claim_head(s, j, heads[i]);
	j->looked += found;
	*ret_more = found > 0;
	return rc < 0 ? rc : GAN_OK;
}

/* Leases that ran out unsettled: nobody knows what became of the request. */
static int
claim_late(struct gan_store *s, struct claim_job *j)
{
	int64_t heads[64];
	size_t n = 0;
	int rc;
	sqlite3_stmt *st =
	    gan_bind(s->db, GAN_SQL_LANE_LATE, GAN_T(j->connector), GAN_I(j->at.mono_ms));

	while (n < GAN_COUNT(heads) && (rc = gan_db_step(s->db, st)) != 0) {
		if (rc < 0) {
			gan_db_rewind(&st);
			return rc;
		}
		heads[n++] = sqlite3_column_int64(st, 1);
	}
	gan_db_rewind(&st);
	for (size_t i = 0; i < n; i++) {
		rc = gan_lease_lost(s, heads[i],
		    "no result was recorded before the lease of this attempt ran out",
		    j->at.wall_ms);
		if (rc < 0)
			return rc;
	}
	return GAN_OK;
}

static int
soonest(struct gan_store *s, struct claim_job *j)
{
	int64_t at;
	int rc;

	j->next_due_ms = INT64_MAX;
	for (int p = 0; p <= NPRIO; p++) {
		rc = gan_db_int(s->db,
		    p < NPRIO ? gan_bind(s->db, GAN_SQL_LANE_SOONEST, GAN_T(j->connector), GAN_I(p))
			      : gan_bind(s->db, GAN_SQL_LANE_LEASED, GAN_T(j->connector)),
		    &at);
		if (rc < 0 && rc != GAN_ENOENT)
			return rc;
		if (rc == GAN_OK && p == NPRIO) /* a lease */
			at = j->at.due_ms + (at - j->at.mono_ms);
		if (rc == GAN_OK && at < j->next_due_ms)
			j->next_due_ms = at;
	}
	return GAN_OK;
}

/*
 * The wall clock went back: a start from now on must know by which clock the
 * waiting ones are due.  Else it knows from the wall clock.
 */
static int
keep_due(struct gan_store *s, const struct gan_claim_at *at)
{
	s->due_ahead_ms = at->due_ms - at->wall_ms > DUE_AHEAD_MS ? at->due_ms - at->wall_ms : 0;
	if (s->due_ahead_ms == 0 || at->due_ms - s->due_kept_ms < DUE_KEEP_MS)
		return GAN_OK;
	s->due_kept_ms = at->due_ms;
	return gan_mark_set(s, "due", at->due_ms);
}

static int
claim_run(struct gan_store *s, struct gan_job *job)
{
	struct claim_job *j = (struct claim_job *)job;
	bool more;
	int rc;

	job->rc = GAN_OK;
	claim_forget(j);
	if (s->leases_stand) {
		job->rc = GAN_EFULL;
		return GAN_OK;
	}
	rc = keep_due(s, &j->at);
	if (rc == GAN_OK)
		rc = gan_outbox_return(s, j->connector, j->at.wall_ms);
	/* 1: some are in no lane yet.  Nothing must overtake them: it is asked again at once. */
	if (rc == GAN_OK)
		rc = claim_late(s, j);
	for (int prio = 0; rc == GAN_OK && prio < NPRIO; prio++) {
		do {
			rc = claim_prio(s, j, prio, &more);
		} while (rc == GAN_OK && more);
	}
	return rc < 0 ? rc : soonest(s, j);
}

static void
claim_done(struct gan_job *job)
{
	struct claim_job *j = (struct claim_job *)job;
	struct gan_claimed **rows = NULL;
	size_t n = 0;

	if (job->rc == GAN_OK) {
		rows = gan_steal(&j->rows);
		n = j->nrows;
		j->nrows = 0;
	}
	j->cb(j->arg, job->rc, rows, n, job->rc == GAN_OK ? j->next_due_ms : INT64_MAX);
}

static void
claim_fini(struct gan_job *job)
{
	struct claim_job *j = (struct claim_job *)job;

	if (j->rows != NULL)
		claim_forget(j);
	free(j->rows);
}

static const struct gan_job_ops claim_ops = { GAN_JOB_CLAIM, claim_run, claim_done, claim_fini,
	NULL };

int
gan_store_claim(struct gan_store *s, const char *connector, size_t n, const struct gan_claim_at *at,
    gan_claim_fn cb, void *arg)
{
	size_t len = strlen(connector) + 1;
	struct claim_job *j = gan_store_job_new(sizeof(*j) + len, &claim_ops);
	struct gan_job *job;
	int rc = GAN_ENOMEM;

	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	memcpy(j->connector, connector, len);
	j->n = n > 256 ? 256 : n;
	j->at = *at;
	j->cb = cb;
	j->arg = arg;
	j->rows = calloc(j->n + 1, sizeof(struct gan_claimed *));
	if (j->rows != NULL)
		rc = gan_store_job_post(s, job);
	if (rc < 0)
		gan_store_job_free(&job);
	return rc;
}
