/* SPDX-License-Identifier: MIT */
/* settle.c - the end of a claim: attempt, state, lane and effect in one COMMIT. */
#include <string.h>

#include "base/clock.h"
#include "conf/config.h"
#include "store/store_priv.h"

struct settle_job {
	struct gan_job job;
	struct gan_settle st;
	struct gan_attempt looked, attempt;
	gan_done_fn cb;
	void *arg;
};

int
gan_attempt_put(struct gan_store *s, int64_t delivery, const struct gan_attempt *a)
{
	int64_t id = gan_id_next(s->txn.last_attempt, a->ended_ms);

	s->txn.last_attempt = id;
	return gan_run(s->db, GAN_SQL_ATTEMPT_PUT, GAN_I(id), GAN_I(delivery), GAN_I(a->started_ms),
	    GAN_I(a->ended_ms), GAN_T(a->request), GAN_I0(a->status),
	    GAN_T(a->verdict == NULL ? "" : a->verdict), GAN_T(a->error), GAN_T(a->response_head),
	    a->response == NULL ? GAN_NULL : GAN_B(a->response, a->response_len),
	    GAN_I(a->response_cut));
}

static int
tried_put(struct gan_store *s, const struct gan_settle *st)
{
	const struct gan_attempt *a = st->attempt;
	const char *error = a == NULL ? NULL : a->error;

	if (a == NULL && st->reason == NULL)
		return GAN_OK;
	if (error == NULL && st->state != GAN_DLV_DELIVERED)
		error = st->reason;
	return gan_run(s->db, GAN_SQL_DLV_TRIED, GAN_I(st->delivery_id),
	    GAN_I0(a == NULL ? 0 : a->status), GAN_T(error), GAN_I(st->now_ms));
}

static int
lane_after(struct gan_store *s, const struct gan_dlv *d, int64_t now_ms)
{
	return gan_lane_arm(s, d->lane_id, !gan_dlv_is_open(d, d->state), true, now_ms);
}

static const char *
kind_of(int state)
{
	return state == GAN_DLV_UNKNOWN ? "unknown" : state == GAN_DLV_DEAD ? "dead" : NULL;
}

static int
settle_it(struct gan_store *s, const struct gan_settle *st, struct gan_dlv *d)
{
	int rc;

	if (!st->uncounted) {
		d->attempts++;
		if (d->first_sent_ms == 0)
			d->first_sent_ms =
			    st->attempt != NULL ? st->attempt->started_ms : st->now_ms;
	}
	if (st->state == GAN_DLV_WAITING)
		d->next_ms = st->next_ms;
	if (st->maybe_sent)
		d->maybe_sent = GAN_SENT_MAYBE;
	rc = tried_put(s, st);
	if (rc == GAN_OK && st->state == GAN_DLV_DELIVERED && st->response != NULL)
		rc = gan_run(s->db, GAN_SQL_RESPONSE_PUT, GAN_I(d->id), GAN_T(st->response));
	if (rc == GAN_OK)
		rc = gan_dlv_move(
		    s, d, (int)st->state, st->reason, kind_of((int)st->state), st->now_ms);
	return rc < 0 ? rc : lane_after(s, d, st->now_ms);
}

static int
settle_run(struct gan_store *s, struct gan_job *job)
{
	struct settle_job *j = (struct settle_job *)job;
	struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };
	int rc = gan_dlv_load(s, j->st.delivery_id, &d);

	job->rc = GAN_OK;
	if (rc == GAN_ENOENT) {
		job->rc = GAN_ENOENT;
		return GAN_OK;
	}
	/* Kept in any case: for a lost lease it is what tells a person what happened. */
	if (rc == GAN_OK && j->st.looked != NULL)
		rc = gan_attempt_put(s, d.id, j->st.looked);
	if (rc == GAN_OK && j->st.attempt != NULL)
		rc = gan_attempt_put(s, d.id, j->st.attempt);
	if (rc < 0)
		return rc;
	if (d.state != GAN_DLV_SENDING ||
	    (j->st.claim != 0 && (int64_t)j->st.claim != d.attempts + 1)) {
		job->rc = GAN_ESTATE;
		return GAN_OK;
	}
	return settle_it(s, &j->st, &d);
}

static void
settle_done(struct gan_job *job)
{
	struct settle_job *j = (struct settle_job *)job;

	if (j->cb != NULL)
		j->cb(j->arg, job->rc);
}

static const struct gan_job_ops settle_ops = { GAN_JOB_SETTLE, settle_run, settle_done, NULL,
	NULL };

static const struct gan_attempt *
attempt_pack(struct gan_pack *p, const struct gan_attempt *a, struct gan_attempt *ret_attempt)
{
	if (a == NULL)
		return NULL;
	*ret_attempt = *a;
	ret_attempt->request = gan_pack_str(p, a->request);
	ret_attempt->verdict = gan_pack_str(p, a->verdict);
	ret_attempt->error = gan_pack_str(p, a->error);
	ret_attempt->response_head = gan_pack_str(p, a->response_head);
	ret_attempt->response =
	    a->response == NULL ? NULL : gan_pack_mem(p, a->response, a->response_len);
	return ret_attempt;
}

static void
settle_pack(struct gan_pack *p, const struct gan_settle *from, struct gan_settle *ret,
    struct gan_attempt *ret_looked, struct gan_attempt *ret_attempt)
{
	*ret = *from;
	ret->reason = gan_pack_str(p, from->reason);
	ret->response = gan_pack_str(p, from->response);
	ret->looked = attempt_pack(p, from->looked, ret_looked);
	ret->attempt = attempt_pack(p, from->attempt, ret_attempt);
}

int
gan_store_settle(struct gan_store *s, const struct gan_settle *st, gan_done_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_attempt no_look, no_attempt;
	struct gan_settle ignored;
	struct settle_job *j;

	if (st->state != GAN_DLV_WAITING && st->state != GAN_DLV_DELIVERED &&
	    st->state != GAN_DLV_UNKNOWN && st->state != GAN_DLV_DEAD)
		return GAN_EINVAL;
	settle_pack(&p, st, &ignored, &no_look, &no_attempt);
	j = gan_store_job_new(sizeof(*j) + p.size, &settle_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p.at = (char *)(j + 1);
	settle_pack(&p, st, &j->st, &j->looked, &j->attempt);
	j->cb = cb;
	j->arg = arg;
	j->job.bytes = p.size;
	return gan_store_job_send(s, &j->job);
}

/* ---- nobody settles it any more ---------------------------------------------------- */

int
gan_lease_lost(struct gan_store *s, int64_t delivery, const char *reason, int64_t now_ms)
{
	struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };
	struct gan_attempt a = {
		.started_ms = now_ms, .ended_ms = now_ms, .verdict = "unknown", .error = reason
	};
	struct gan_settle st = { .delivery_id = delivery,
		.state = GAN_DLV_UNKNOWN,
		.maybe_sent = true,
		.reason = reason,
		.attempt = &a,
		.now_ms = now_ms };
	int rc = gan_dlv_load(s, delivery, &d);

	/* Whoever claims it next sees that it may have been sent, and looks first. */
	if (rc == GAN_OK && d.on_unknown == GAN_ON_UNKNOWN_PROBE) {
		st.state = GAN_DLV_WAITING;
		st.next_ms = now_ms + s->keep.probe_after_ms;
	}
	if (rc == GAN_OK)
		rc = gan_attempt_put(s, delivery, &a);
	return rc < 0 ? rc : settle_it(s, &st, &d);
}
