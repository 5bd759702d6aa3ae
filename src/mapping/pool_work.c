/* SPDX-License-Identifier: MIT */
/*
 * pool_work.c - workers at work: which programs each one has, so many events in
 * the pipe of each that none waits for the loop, and what is owed to an event
 * whose worker died.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mapping/pool_priv.h"

enum {
	IN_PIPE_US = 4000, /* work given to one worker at a time, */
	IN_PIPE_MIN = 2,   /* and in events */
	IN_PIPE_MAX = 32,
	COPY_MAX = 16 << 10, /* longer bodies go into the socket as they lie */
	SEND_AT = 128 << 10, /* do not wait for the end of the turn with more than this */
	STRIKES = 2,         /* workers that one rule may cost with one event */
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 5000,
};

/* ---- programs of a worker ----------------------------------------------------- */

void
gan_pool_put_program(struct gan_buf *b, uint32_t id, const struct gan_rule *rule)
{
	size_t at = gan_frame_begin(b, GAN_FRAME_PROGRAM);

	gan_buf_u32(b, id);
	gan_frame_text(b, rule->when.text);
	gan_frame_text(b, rule->map.text);
	gan_frame_text(b, rule->key.text);
	gan_frame_text(b, rule->effect.text);
	gan_buf_u32(b, (uint32_t)rule->nafter + (rule->newest.text != NULL));
	for (size_t i = 0; i < rule->nafter; i++)
		gan_frame_text(b, rule->after[i].text);
	if (rule->newest.text != NULL)
		gan_frame_text(b, rule->newest.text);
	gan_buf_u32(b, rule->newest.text != NULL);
	gan_frame_text(b, rule->settings);
	gan_frame_text(b, rule->tables);
	gan_frame_end(b, at);
}

/* Programs that the set in force does not need, once no event needs another set. */
static void
drop_programs(struct gan_mapper *m, struct gan_buf *b)
{
	const struct gan_rules *set = m->pool->set;

	if (!m->stale || m->pool->nold > 0 || m->serial != m->pool->serial)
		return;
	for (uint32_t id = 1; id < m->nprograms; id++) {
		bool needed = false;

		for (size_t i = 0; i < set->nrules && !needed; i++)
			needed = m->ids[i] == id;
		if (needed || !m->programs[id].used)
			continue;
		m->programs[id].used = false;
		size_t at = gan_frame_begin(b, GAN_FRAME_DROP);
		gan_buf_u32(b, id);
		gan_frame_end(b, at);
	}
	m->stale = false;
}

/* What of this set the worker has already, from older sets too: equal hashes, equal programs. */
static void
learn_set(struct gan_mapper *m, const struct gan_job *j)
{
	free(m->ids);
	m->ids = calloc(j->set->nrules + 1, sizeof(*m->ids));
	gan_must(m->ids != NULL);
	m->serial = j->serial;
	m->stale = m->nprograms > 0;
	for (size_t i = 0; i < j->set->nrules; i++)
		for (uint32_t id = 1; id < m->nprograms && m->ids[i] == 0; id++)
			if (m->programs[id].used &&
			    memcmp(m->programs[id].hash, j->set->rules[i].hash,
				sizeof(m->programs[id].hash)) == 0)
				m->ids[i] = id;
}

static uint32_t
new_program(struct gan_mapper *m, const struct gan_rule *rule)
{
	uint32_t id = 1;

	while (id < m->nprograms && m->programs[id].used)
		id++;
	if (id >= m->nprograms) {
		size_t n = (size_t)id + 32;
		struct gan_mapper_program *all = realloc(m->programs, n * sizeof(*all));

		gan_must(all != NULL);
		memset(all + m->nprograms, 0, (n - m->nprograms) * sizeof(*all));
		m->programs = all;
		m->nprograms = n;
	}
	m->programs[id].used = true;
	memcpy(m->programs[id].hash, rule->hash, sizeof(rule->hash));
	return id;
}

/* ---- giving events to workers ------------------------------------------------- */

static void
arm(struct gan_mapper *m)
{
	int64_t ms = m->pool->opt.timeout_ms;

	if (!m->greeted)
		return; /* the deadline of the start runs */
	if (m->first == NULL)
		ms = 0;
	else if (m->first->compiles > 0 && ms < GAN_COMPILE_MS)
		ms = GAN_COMPILE_MS;
	gan_mapper_deadline(m, ms);
}

/* Frames up to here, and the body of the last one if it was not copied. */
static void
send_now(struct gan_mapper *m, const char *body, size_t len)
{
	const uv_buf_t bufs[] = {
		{ .base = m->out.data, .len = m->out.len },
		{ .base = (char *)(uintptr_t)body, .len = len },
	};

	gan_must(!m->out.failed);
	gan_mapper_send(m, bufs, len > 0 ? 2 : 1);
	gan_buf_clear(&m->out);
}

void
gan_pool_send(uv_prepare_t *sender)
{
	struct gan_pool *p = sender->data;

	(void)uv_prepare_stop(sender);
	for (struct gan_mapper *m = p->mappers; m != NULL; m = m->next)
		if (m->out.len > 0)
			send_now(m, NULL, 0);
}

static void
put_event(struct gan_mapper *m, struct gan_job *j)
{
	struct gan_buf *b = &m->out;
	size_t at = gan_frame_begin(b, GAN_FRAME_EVENT), apart = 0;

	gan_buf_u32(b, j->seq);
	gan_frame_text(b, j->meta);
	gan_buf_u32(b, (uint32_t)j->len);
	if (j->len <= COPY_MAX) {
		gan_buf_put(b, j->body, j->len);
	} else {
		/* The length of the frame comes first: it must be known by now. */
		apart = j->len;
		gan_must(!b->failed);
		uint32_t size = (uint32_t)(b->len - at - 4 + j->len + 1 + 4 + 4 * j->nsent);
		for (int i = 0; i < 4; i++)
			b->data[at + (size_t)i] = (char)(size >> (8 * i));
		send_now(m, j->body, j->len);
	}
	gan_buf_putc(b, '\0');
	gan_buf_u32(b, j->nsent);
	for (uint32_t k = 0; k < j->nsent; k++)
		gan_buf_u32(b, m->ids[j->rules[j->sent[k]]]);
	if (apart == 0)
		gan_frame_end(b, at);
	if (b->len > SEND_AT)
		send_now(m, NULL, 0);
	else
		(void)uv_prepare_start(&m->pool->sender, gan_pool_send);
}

static void
give(struct gan_mapper *m, struct gan_job *j)
{
	if (m->serial != j->serial)
		learn_set(m, j);
	drop_programs(m, &m->out);
	j->nsent = 0;
	j->compiles = 0;
	for (size_t i = 0; i < j->n; i++) {
		const struct gan_rule *rule = j->results[i].rule;

		if (j->done[i])
			continue;
		j->sent[j->nsent++] = (uint32_t)i;
		if (m->ids[j->rules[i]] != 0)
			continue;
		m->ids[j->rules[i]] = new_program(m, rule);
		gan_pool_put_program(&m->out, m->ids[j->rules[i]], rule);
		j->compiles++;
		m->pool->stats.compiled++;
	}
	j->next = NULL;
	if (m->last != NULL)
		m->last->next = j;
	else
		m->first = j;
	m->last = j;
	m->njobs++;
	put_event(m, j);
	if (m->njobs == 1) {
		m->since_us = gan_mono_us();
		arm(m);
	}
}

static void
on_again(uv_timer_t *timer)
{
	gan_pool_dispatch(timer->data);
}

static void
back_off(struct gan_pool *p)
{
	p->backoff_ms = p->backoff_ms == 0 ? BACKOFF_FIRST_MS : p->backoff_ms * 2;
	if (p->backoff_ms > BACKOFF_MAX_MS)
		p->backoff_ms = BACKOFF_MAX_MS;
	if (!p->closing)
		(void)uv_timer_start(&p->again, on_again, (uint64_t)p->backoff_ms, 0);
}

static void on_frame(struct gan_mapper *m, int kind, struct gan_frame_in *in);
static void on_death(struct gan_mapper *m, enum gan_mapper_end end);

/* As many events as keep it at work while the loop does something else, and no more. */
static bool
has_room(const struct gan_mapper *m)
{
	int64_t room = m->mean_us > 0 ? IN_PIPE_US / m->mean_us : IN_PIPE_MIN;

	room = room < IN_PIPE_MIN ? IN_PIPE_MIN : room;
	return m->njobs < (room < IN_PIPE_MAX ? room : IN_PIPE_MAX);
}

/* An idle worker, else a new one, else the one with the least to do. */
static struct gan_mapper *
choose(struct gan_pool *p)
{
	struct gan_mapper *best = NULL;
	unsigned n = 0;

	for (struct gan_mapper *m = p->mappers; m != NULL; m = m->next) {
		if (m->check != NULL || m->closing || m->retire)
			continue;
		n++;
		if (!m->exited && !m->eof && !m->nonsense && !m->late &&
		    (best == NULL || m->njobs < best->njobs))
			best = m;
	}
	if (best != NULL && best->njobs == 0)
		return best;
	if (n < p->opt.workers && !uv_is_active((uv_handle_t *)&p->again)) {
		struct gan_mapper *fresh;

		if (gan_mapper_spawn(p, on_frame, on_death, &fresh) == GAN_OK)
			return fresh;
		back_off(p);
	}
	return best != NULL && has_room(best) ? best : NULL;
}

void
gan_pool_dispatch(struct gan_pool *p)
{
	struct gan_mapper *m;

	while (!p->closing && p->first != NULL && (m = choose(p)) != NULL)
		give(m, gan_queue_pop(p));
}

static bool
on_result(struct gan_mapper *m, struct gan_frame_in *in)
{
	struct gan_job *j = m->first;
	uint32_t seq = gan_frame_u32(in), k = gan_frame_u32(in);

	if (in->bad || j == NULL || j->seq != seq || k >= j->nsent || j->done[j->sent[k]])
		return false;
	return gan_job_read(j, j->sent[k], in);
}

struct gan_job *
gan_mapper_take(struct gan_mapper *m)
{
	struct gan_job *j = m->first;

	m->first = j->next;
	if (m->first == NULL)
		m->last = NULL;
	m->njobs--;
	j->next = NULL;
	return j;
}

/* Results come several at a time: the first of them took it all, the mean is right. */
static void
learn_time(struct gan_mapper *m)
{
	int64_t now_us = gan_mono_us();

	m->mean_us += (now_us - m->since_us - m->mean_us) / 16;
	m->since_us = now_us;
}

static bool
on_done(struct gan_mapper *m, struct gan_frame_in *in)
{
	struct gan_pool *p = m->pool;

	if (m->first == NULL || m->first->seq != gan_frame_u32(in) || m->first->left > 0)
		return false;
	struct gan_job *j = gan_mapper_take(m);
	learn_time(m);
	arm(m);
	if (m->retire && m->first == NULL)
		gan_mapper_close(m);
	gan_job_finish(p, j);
	gan_pool_dispatch(p);
	return true;
}

static bool
on_compiled(struct gan_mapper *m)
{
	for (struct gan_job *j = m->first; j != NULL; j = j->next) {
		if (j->compiles == 0)
			continue;
		j->compiles--;
		arm(m);
		return true;
	}
	return false;
}

static void
on_frame(struct gan_mapper *m, int kind, struct gan_frame_in *in)
{
	bool good = true;

	switch (kind) {
	case GAN_FRAME_HELLO:
		good = !m->greeted;
		m->greeted = true;
		m->pool->backoff_ms = 0;
		arm(m);
		break;
	case GAN_FRAME_COMPILED:
		good = on_compiled(m);
		break;
	case GAN_FRAME_RESULT:
		good = on_result(m, in);
		break;
	case GAN_FRAME_DONE:
		good = on_done(m, in);
		break;
	default:
		good = false;
	}
	if (!good)
		gan_mapper_distrust(m);
}

/* ---- the end of a worker ---------------------------------------------------------- */

/* Was this program at work?  By its hash: m->ids may speak of a newer set than the job's. */
static bool
is_program(const struct gan_mapper *m, uint32_t id, const struct gan_rule *rule)
{
	return id != 0 && id < m->nprograms &&
	       memcmp(m->programs[id].hash, rule->hash, sizeof(rule->hash)) == 0;
}

/* Which of the job's rules was at work?  The worker's word is taken only if it can be true. */
static size_t
at_fault(const struct gan_mapper *m, const struct gan_job *j)
{
	uint32_t program = m->progress->program, index = m->progress->index;

	for (uint32_t k = 0; k < j->nsent; k++)
		if (!j->done[j->sent[k]] && is_program(m, program, j->results[j->sent[k]].rule))
			return j->sent[k];
	if (m->progress->seq == j->seq && index < j->nsent && !j->done[j->sent[index]])
		return j->sent[index];
	for (size_t i = 0; i < j->n; i++)
		if (!j->done[i])
			return i;
	return 0;
}

/* The results of those before it may have died with the worker: they cost nothing but time. */
static struct gan_job *
at_work(const struct gan_mapper *m)
{
	uint32_t seq = m->progress->seq;

	for (struct gan_job *j = m->first; j != NULL; j = j->next)
		if (j->seq == seq)
			return j;
	return m->first;
}

static void
charge(struct gan_mapper *m, struct gan_job *j, enum gan_mapper_end end)
{
	char did[128];
	size_t k;

	if (j->left == 0)
		return; /* it died between the last result and the end */
	k = at_fault(m, j);
	if (++j->strikes[k] < STRIKES)
		return;
	gan_mapper_reason(m, end, did, sizeof(did));
	gan_job_reject(j, k, "rule %s %s", j->results[k].rule->name, did);
}

static void
on_death(struct gan_mapper *m, enum gan_mapper_end end)
{
	struct gan_pool *p = m->pool;
	struct gan_job *finished = NULL, *next, *jobs[IN_PIPE_MAX];
	size_t n = 0;

	p->stats.restarts++;
	if (end == GAN_END_START)
		back_off(p);
	else if (m->first != NULL)
		charge(m, at_work(m), end);
	while (m->first != NULL)
		jobs[n++] = gan_mapper_take(m);
	/* Finished may be the one charged, and one before it whose end was not written yet. */
	while (n > 0) {
		struct gan_job *j = jobs[--n];

		if (j->left > 0) {
			gan_queue_front(p, j);
			continue;
		}
		j->next = finished;
		finished = j;
	}
	m->retire = true; /* it closes itself when we return */
	for (; finished != NULL; finished = next) {
		next = finished->next;
		gan_job_finish(p, finished);
	}
	gan_pool_dispatch(p);
}
