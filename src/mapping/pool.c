/* SPDX-License-Identifier: MIT */
/* pool.c - the pool as others see it; see pool.h. */
#include "mapping/pool.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "mapping/pool_priv.h"

enum { WAITING_MAX = 4096 };

static int
copy_options(struct gan_pool *p, const struct gan_pool_options *opt, struct gan_err *err)
{
	const char *tz =
	    opt->time_zone != NULL && opt->time_zone[0] != '\0' ? opt->time_zone : "UTC";
	char *zone = gan_memdup(tz, strlen(tz));

	if (zone == NULL)
		return gan_err_set(err, GAN_ENOMEM, "out of memory");
	free(p->time_zone);
	p->time_zone = zone;
	p->opt = *opt;
	p->opt.time_zone = zone;
	if (p->opt.workers == 0)
		p->opt.workers = 1;
	return GAN_OK;
}

int
gan_pool_open(uv_loop_t *loop, const struct gan_pool_options *opt, struct gan_pool **ret_pool,
    struct gan_err *err)
{
	struct gan_pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return gan_err_set(err, GAN_ENOMEM, "out of memory");
	p->loop = loop;
	if (copy_options(p, opt, err) < 0) {
		free(p);
		return GAN_ENOMEM;
	}
	/* A worker may die while it is written to; libuv writes without MSG_NOSIGNAL. */
	(void)signal(SIGPIPE, SIG_IGN);
	gan_must(uv_timer_init(loop, &p->again) == 0 && uv_prepare_init(loop, &p->sender) == 0);
	p->again.data = p->sender.data = p;
	p->handles = 2;
	*ret_pool = p;
	return GAN_OK;
}

static void
retire(struct gan_mapper *m)
{
	m->retire = true;
	if (m->first == NULL)
		gan_mapper_close(m);
}

int
gan_pool_tune(struct gan_pool *p, const struct gan_pool_options *opt, struct gan_err *err)
{
	const struct gan_pool_options old = p->opt;
	GAN_AUTO(gan_str_free) char *zone = gan_memdup(p->time_zone, strlen(p->time_zone));
	unsigned n = 0;

	if (zone == NULL || copy_options(p, opt, err) < 0)
		return gan_err_set(err, GAN_ENOMEM, "out of memory");
	bool other = old.memory != p->opt.memory || old.numbers != p->opt.numbers ||
		     old.timeout_ms != p->opt.timeout_ms || !gan_streq(zone, p->time_zone);
	for (struct gan_mapper *m = p->mappers; m != NULL; m = m->next) {
		if (m->check != NULL || m->closing || m->retire)
			continue;
		if (other || ++n > p->opt.workers)
			retire(m);
	}
	gan_pool_dispatch(p);
	return GAN_OK;
}

/* Forget the set before when another one comes: from now on its programs are old. */
static void
meet_set(struct gan_pool *p, struct gan_rules *set)
{
	size_t jobs = p->nwaiting;

	if (p->set == set)
		return;
	for (struct gan_mapper *m = p->mappers; m != NULL; m = m->next)
		jobs += m->njobs;
	gan_rules_unref(&p->set);
	p->set = gan_rules_ref(set);
	p->serial++;
	p->nold = jobs;
}

int
gan_pool_map(struct gan_pool *p, struct gan_rules *set, const size_t *rules, size_t nrules,
    const struct gan_map_event *ev, gan_map_fn cb, void *arg)
{
	if (p->closing)
		return GAN_EGONE;
	if (nrules == 0 || ev->body_len > GAN_FRAME_MAX / 2)
		return GAN_EINVAL;
	if (p->nwaiting >= WAITING_MAX)
		return GAN_EBUSY;
	struct gan_job *j = gan_job_new(p, set, rules, nrules, ev);
	if (j == NULL)
		return GAN_ENOMEM;
	meet_set(p, set);
	j->serial = p->serial;
	j->cb = cb;
	j->arg = arg;
	gan_queue_back(p, j);
	gan_pool_dispatch(p);
	return GAN_OK;
}

void
gan_pool_stats(const struct gan_pool *p, struct gan_pool_stats *ret)
{
	*ret = p->stats;
	for (const struct gan_mapper *m = p->mappers; m != NULL; m = m->next)
		ret->workers_running += m->check == NULL && m->greeted && !m->exited && !m->closing;
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct gan_pool *p = handle->data;

	p->handles--;
	gan_pool_closed_one(p);
}

void
gan_pool_close(struct gan_pool *p, void (*cb)(void *arg), void *arg)
{
	if (p->closing)
		return;
	p->closing = true;
	p->close_cb = cb;
	p->close_arg = arg;
	for (struct gan_mapper *m = p->mappers; m != NULL; m = m->next) {
		while (m->first != NULL)
			gan_queue_back(p, gan_mapper_take(m));
		if (!m->closing)
			gan_mapper_close(m);
	}
	for (struct gan_check *c = p->checks; c != NULL;) {
		struct gan_check *next = gan_check_next(c);

		gan_check_stop(c);
		c = next;
	}
	uv_close((uv_handle_t *)&p->again, on_handle_closed);
	uv_close((uv_handle_t *)&p->sender, on_handle_closed);
}

void
gan_pool_closed_one(struct gan_pool *p)
{
	struct gan_job *j;

	if (!p->closing || p->handles > 0 || p->mappers != NULL || p->checks != NULL ||
	    p->nreads > 0)
		return;
	while ((j = gan_queue_pop(p)) != NULL) {
		j->cb(j->arg, GAN_EGONE, NULL, 0);
		gan_job_free(&j);
	}
	gan_rules_unref(&p->set);
	if (p->close_cb != NULL)
		p->close_cb(p->close_arg);
	gan_buf_fini(&p->scratch);
	free(p->time_zone);
	free(p);
}
