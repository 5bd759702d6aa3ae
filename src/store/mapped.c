/* SPDX-License-Identifier: MIT */
/*
 * mapped.c - what the rules made of an event becomes deliveries.
 *
 * How far mapping has come is one number, because results come in the order
 * of acceptance.  A result that would skip an event is refused: after a crash
 * that event would be lost.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_priv.h"

struct map_job {
	struct gan_job job;
	struct gan_map_commit m;
	gan_done_fn cb;
	void *arg;
};

/* Is this the event whose turn it is? */
static int
in_order(struct gan_store *s, struct map_job *j)
{
	int64_t next = 0;
	int rc =
	    gan_db_int(s->db, gan_bind(s->db, GAN_SQL_EVENT_NEXT, GAN_I(s->txn.map_cursor)), &next);

	if (rc < 0 && rc != GAN_ENOENT)
		return rc;
	if (rc == GAN_ENOENT || next != j->m.event_id)
		j->job.rc = GAN_ESTATE;
	return GAN_OK;
}

/* The effects of `after`, each with its NUL. */
static int
put_payload(struct gan_store *s, int64_t id, const struct gan_new_delivery *d)
{
	struct gan_buf after GAN_AUTO(gan_buf_fini) = { .max = 1 << 20 };

	for (size_t i = 0; i < d->nafter; i++)
		gan_buf_put(&after, d->after[i], strlen(d->after[i]) + 1);
	if (after.failed)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "after");
	return gan_run(s->db, GAN_SQL_PAYLOAD_PUT, GAN_I(id), GAN_B(d->body, d->body_len),
	    after.len == 0 ? GAN_NULL : GAN_B(after.data, after.len), GAN_T(d->newest));
}

int
gan_delivery_put(struct gan_store *s, int64_t event_id, int64_t replay_no,
    const struct gan_new_delivery *d, int64_t now_ms)
{
	int64_t id = gan_id_next(s->txn.last_delivery, now_ms), lane = 0;
	int rc;

	s->txn.last_delivery = id;
	rc = gan_lane_join(s, d->connector, d->key, id, replay_no > 0, now_ms, &lane);
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_DLV_PUT, GAN_I(id), GAN_I(event_id), GAN_T(d->rule),
		    GAN_I(d->output_no), GAN_T(d->connector), GAN_T(d->operation), GAN_I(lane),
		    GAN_T(d->key), GAN_T(d->effect), GAN_I(now_ms), GAN_I0(d->valid_until_ms),
		    GAN_I(d->on_unknown), GAN_I(d->on_dead), GAN_I(gan_key_part(s->txn.made)),
		    GAN_I(replay_no));
	if (rc == GAN_OK)
		rc = put_payload(s, id, d);
	s->txn.deliveries[GAN_DLV_WAITING]++;
	s->txn.made++;
	/* Its turn has come when nothing of its key stands before it. */
	if (rc == GAN_OK && d->pull && lane == id)
		rc = gan_claim_turn(s, id,
		    &(struct gan_claim_at){
			.wall_ms = now_ms, .due_ms = now_ms + s->due_ahead_ms });
	return rc;
}

static int
put_delivery(struct gan_store *s, const struct gan_map_commit *m, const struct gan_new_delivery *d)
{
	int64_t one;
	int rc;

	if (m->again) {
		rc = gan_db_int(s->db,
		    gan_bind(s->db, GAN_SQL_DLV_HAS, GAN_I(m->event_id), GAN_T(d->rule),
			GAN_I(d->output_no)),
		    &one);
		if (rc != GAN_ENOENT)
			return rc; /* made before: never twice */
	}
	return gan_delivery_put(s, m->event_id, 0, d, m->now_ms);
}

static int
put_rejections(struct gan_store *s, const struct gan_map_commit *m)
{
	int rc = GAN_OK;

	for (size_t i = 0; m->again && rc == GAN_OK && i < m->nretried; i++)
		rc = gan_run(s->db, GAN_SQL_REJECT_DROP, GAN_I(m->event_id), GAN_T(m->retried[i]));
	for (size_t i = 0; rc == GAN_OK && i < m->nrejections; i++)
		rc = gan_run(s->db, GAN_SQL_REJECT_PUT, GAN_I(m->event_id),
		    GAN_T(m->rejections[i].rule), GAN_T(m->rejections[i].reason), GAN_I(m->now_ms));
	return rc;
}

static int
keep_attention(struct gan_store *s, const struct gan_map_commit *m, bool rejected)
{
	int64_t one;
	int rc = gan_db_int(
	    s->db, gan_bind(s->db, GAN_SQL_ATTENTION_HAS, GAN_I(m->event_id), GAN_T("e")), &one);
	bool had = rc == GAN_OK;

	if (rc < 0 && rc != GAN_ENOENT)
		return rc;
	s->txn.attention += (rejected ? 1 : 0) - (had ? 1 : 0);
	if (rejected)
		return gan_run(s->db, GAN_SQL_ATTENTION_PUT, GAN_I(m->event_id), GAN_T("e"),
		    GAN_T("rejected"), GAN_I(m->now_ms));
	return had ? gan_run(s->db, GAN_SQL_ATTENTION_DROP, GAN_I(m->event_id), GAN_T("e"))
		   : GAN_OK;
}

/* The state of an event that was mapped before: rejected as long as any rejection stands. */
static int
state_again(struct gan_store *s, struct map_job *j, int *ret_from, int *ret_to)
{
	const struct gan_map_commit *m = &j->m;
	int64_t from = 0, one;
	int rc = gan_db_int(s->db, gan_bind(s->db, GAN_SQL_MAPPING_GET, GAN_I(m->event_id)), &from);

	if (rc == GAN_ENOENT)
		j->job.rc = GAN_ESTATE; /* not mapped yet: it is not `again` */
	if (rc < 0)
		return rc == GAN_ENOENT ? GAN_OK : rc;
	rc = put_rejections(s, m);
	if (rc == GAN_OK)
		rc = gan_db_int(
		    s->db, gan_bind(s->db, GAN_SQL_REJECT_ANY, GAN_I(m->event_id)), &one);
	if (rc < 0 && rc != GAN_ENOENT)
		return rc;
	*ret_from = (int)from;
	if (rc == GAN_OK)
		*ret_to = GAN_EVENT_REJECTED;
	else
		*ret_to = m->state == GAN_EVENT_REJECTED ? GAN_EVENT_MAPPED : (int)m->state;
	return GAN_OK;
}

static int
map_again(struct gan_store *s, struct map_job *j, int *ret_to)
{
	const struct gan_map_commit *m = &j->m;
	int from = 0, rc = state_again(s, j, &from, ret_to);

	if (rc < 0 || j->job.rc != GAN_OK)
		return rc;
	gan_state_must(&gan_event_states, from, *ret_to);
	s->txn.events[from]--;
	return gan_run(s->db, GAN_SQL_MAPPING_SET, GAN_I(m->event_id), GAN_I(*ret_to),
	    GAN_I(m->now_ms), GAN_I(m->generation));
}

static int
map_first(struct gan_store *s, struct map_job *j, int *ret_to)
{
	const struct gan_map_commit *m = &j->m;
	int rc = in_order(s, j);

	if (rc < 0 || j->job.rc != GAN_OK)
		return rc;
	*ret_to = m->nrejections > 0 ? GAN_EVENT_REJECTED : (int)m->state;
	gan_state_must(&gan_event_states, GAN_EVENT_RECEIVED, *ret_to);
	s->txn.events[GAN_EVENT_RECEIVED]--;
	s->txn.map_cursor = m->event_id;
	rc = gan_run(s->db, GAN_SQL_MAPPING_PUT, GAN_I(m->event_id), GAN_I(*ret_to),
	    GAN_I(m->now_ms), GAN_I(m->generation));
	return rc < 0 ? rc : put_rejections(s, m);
}

static int
map_run(struct gan_store *s, struct gan_job *job)
{
	struct map_job *j = (struct map_job *)job;
	const struct gan_map_commit *m = &j->m;
	int to = GAN_EVENT_MAPPED, rc;

	job->rc = GAN_OK;
	rc = m->again ? map_again(s, j, &to) : map_first(s, j, &to);
	if (rc < 0 || job->rc != GAN_OK)
		return rc;
	s->txn.events[to]++;
	gan_watch_touch(s, m->event_id);
	if (to == GAN_EVENT_IGNORED && !m->again)
		gan_txn_ignored(s, m->source, m->topic);
	if (to == GAN_EVENT_REJECTED || m->again)
		rc = keep_attention(s, m, to == GAN_EVENT_REJECTED);
	for (size_t i = 0; rc == GAN_OK && i < m->ndeliveries; i++)
		rc = put_delivery(s, m, &m->deliveries[i]);
	return rc;
}

static void
map_done(struct gan_job *job)
{
	struct map_job *j = (struct map_job *)job;

	if (j->cb != NULL)
		j->cb(j->arg, job->rc);
}

static const struct gan_job_ops map_ops = { GAN_JOB_MAP, map_run, map_done, NULL, NULL };

static const char *const *
pack_list(struct gan_pack *p, const char *const *list, size_t n)
{
	const char **copy = gan_pack_mem(p, list, n * sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		const char *text = gan_pack_str(p, list[i]);

		if (copy != NULL)
			copy[i] = text;
	}
	return copy;
}

static void
pack_delivery(struct gan_pack *p, const struct gan_new_delivery *from, struct gan_new_delivery *ret)
{
	struct gan_new_delivery d = *from;

	d.rule = gan_pack_str(p, from->rule);
	d.connector = gan_pack_str(p, from->connector);
	d.operation = gan_pack_str(p, from->operation);
	d.key = gan_pack_str(p, from->key);
	d.effect = gan_pack_str(p, from->effect);
	d.after = pack_list(p, from->after, from->nafter);
	d.newest = gan_pack_str(p, from->newest);
	d.body = gan_pack_mem(p, from->body, from->body_len);
	if (ret != NULL)
		*ret = d;
}

const struct gan_new_delivery *
gan_pack_deliveries(struct gan_pack *p, const struct gan_new_delivery *from, size_t n)
{
	struct gan_new_delivery *ds = gan_pack_mem(p, from, n * sizeof(*ds));

	for (size_t i = 0; i < n; i++)
		pack_delivery(p, &from[i], ds == NULL ? NULL : &ds[i]);
	return ds;
}

const struct gan_rejection *
gan_pack_rejections(struct gan_pack *p, const struct gan_rejection *from, size_t n)
{
	struct gan_rejection *rs = gan_pack_mem(p, from, n * sizeof(*rs));

	for (size_t i = 0; i < n; i++) {
		const char *rule = gan_pack_str(p, from[i].rule);
		const char *reason = gan_pack_str(p, from[i].reason);

		if (rs != NULL)
			rs[i] = (struct gan_rejection){ rule, reason };
	}
	return rs;
}

static void
map_pack(struct gan_pack *p, const struct gan_map_commit *from, struct gan_map_commit *ret)
{
	*ret = *from;
	ret->source = gan_pack_str(p, from->source);
	ret->topic = gan_pack_str(p, from->topic);
	ret->deliveries = gan_pack_deliveries(p, from->deliveries, from->ndeliveries);
	ret->rejections = gan_pack_rejections(p, from->rejections, from->nrejections);
	ret->retried = pack_list(p, from->retried, from->nretried);
}

int
gan_store_map_commit(struct gan_store *s, const struct gan_map_commit *m, gan_done_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_map_commit ignored;
	struct map_job *j;

	if (m->state == GAN_EVENT_RECEIVED)
		return GAN_EINVAL;
	map_pack(&p, m, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &map_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p.at = (char *)(j + 1);
	map_pack(&p, m, &j->m);
	j->cb = cb;
	j->arg = arg;
	j->job.bytes = p.size;
	return gan_store_job_send(s, &j->job);
}
