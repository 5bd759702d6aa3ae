/* SPDX-License-Identifier: MIT */
/* pool_job.c - one event on its way: what it carries, its place in the queue, its results. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "mapping/pool_priv.h"

static void
result_clear(struct gan_job *j, size_t i)
{
	struct gan_map_result *r = &j->results[i];

	for (size_t k = 0; k < r->noutputs; k++)
		free(r->outputs[k].after);
	free(gan_steal(&r->outputs));
	free(gan_steal(&r->reject));
	free(gan_steal(&j->texts[i]));
	r->noutputs = 0;
}

void
gan_job_free(struct gan_job **jp)
{
	struct gan_job *j = gan_steal(jp);

	if (j == NULL)
		return;
	for (size_t i = 0; i < j->n; i++)
		result_clear(j, i);
	gan_rules_unref(&j->set);
	free(j);
}

/* What rules know as $meta: what the source told, and over it what we know ourselves. */
static void
put_meta(struct gan_buf *b, const struct gan_map_event *ev)
{
	const char *more = ev->meta != NULL ? strchr(ev->meta, '{') : NULL;
	const char *end = more != NULL ? strrchr(more, '}') : NULL;
	char id[GAN_ID_LEN], at[GAN_TIME_LEN];
	const struct {
		const char *name, *value;
	} ours[] = {
		{ "\"id\":", gan_id_format(GAN_ID_EVENT, ev->id, id) },
		{ ",\"source\":", ev->source },
		{ ",\"topic\":", ev->topic },
		{ ",\"topic_raw\":", ev->topic_raw != NULL ? ev->topic_raw : ev->topic },
		{ ",\"received_at\":", gan_time_format(ev->received_ms, at) },
	};

	gan_buf_putc(b, '{');
	if (end != NULL) {
		more++;
		while (more < end && strchr(" \t\r\n", *more) != NULL)
			more++;
		gan_buf_put(b, more, (size_t)(end - more));
		if (more < end)
			gan_buf_putc(b, ','); /* of two equal keys jq takes the last */
	}
	for (size_t i = 0; i < GAN_COUNT(ours); i++) {
		gan_buf_puts(b, ours[i].name);
		gan_buf_json(b, ours[i].value, strlen(ours[i].value));
	}
	gan_buf_putc(b, '}');
}

/* The job and everything that has its length, in one piece. */
static struct gan_job *
job_alloc(size_t n, const struct gan_buf *meta)
{
	struct gan_job *j;
	const size_t each = sizeof(*j->results) + sizeof(*j->texts) + sizeof(*j->rules) +
			    sizeof(*j->sent) + sizeof(*j->strikes) + sizeof(*j->done);

	j = calloc(1, sizeof(*j) + n * each + meta->len + 1);
	if (j == NULL)
		return NULL;
	j->results = (struct gan_map_result *)(j + 1);
	j->texts = (char **)(j->results + n);
	j->rules = (size_t *)(j->texts + n);
	j->sent = (uint32_t *)(j->rules + n);
	j->strikes = (unsigned char *)(j->sent + n);
	j->done = (bool *)(j->strikes + n);
	j->meta = (char *)(j->done + n);
	memcpy(j->meta, meta->data, meta->len);
	j->n = j->left = n;
	return j;
}

struct gan_job *
gan_job_new(struct gan_pool *p, struct gan_rules *set, const size_t *rules, size_t n,
    const struct gan_map_event *ev)
{
	gan_buf_clear(&p->scratch);
	put_meta(&p->scratch, ev);
	struct gan_job *j = p->scratch.failed ? NULL : job_alloc(n, &p->scratch);
	if (j == NULL)
		return NULL;
	memcpy(j->rules, rules, n * sizeof(*rules));
	for (size_t i = 0; i < n; i++)
		j->results[i].rule = &set->rules[rules[i]];
	j->body = ev->body;
	j->len = ev->body_len;
	j->seq = ++p->last_seq == 0 ? ++p->last_seq : p->last_seq;
	j->set = gan_rules_ref(set);
	return j;
}

void
gan_queue_front(struct gan_pool *p, struct gan_job *j)
{
	j->next = p->first;
	p->first = j;
	if (p->last == NULL)
		p->last = j;
	p->nwaiting++;
}

void
gan_queue_back(struct gan_pool *p, struct gan_job *j)
{
	j->next = NULL;
	if (p->last != NULL)
		p->last->next = j;
	else
		p->first = j;
	p->last = j;
	p->nwaiting++;
}

struct gan_job *
gan_queue_pop(struct gan_pool *p)
{
	struct gan_job *j = p->first;

	if (j == NULL)
		return NULL;
	p->first = j->next;
	if (p->first == NULL)
		p->last = NULL;
	p->nwaiting--;
	return j;
}

void
gan_job_finish(struct gan_pool *p, struct gan_job *j)
{
	if (j->serial != p->serial)
		p->nold--;
	p->stats.mapped++;
	j->cb(j->arg, GAN_OK, j->results, j->n);
	gan_job_free(&j);
}

void
gan_job_reject(struct gan_job *j, size_t k, const char *fmt, ...)
{
	va_list ap;
	char text[400];

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->results[k].reject = gan_memdup(text, strlen(text));
	gan_must(j->results[k].reject != NULL);
	j->done[k] = true;
	j->left--;
}

static char *
take_text(struct gan_frame_in *in, size_t *ret_len)
{
	return (char *)(uintptr_t)gan_frame_str(in, ret_len);
}

static bool
read_output(struct gan_map_output *o, const struct gan_rule *rule, struct gan_frame_in *in)
{
	bool newest = rule->newest.text != NULL;

	o->body = take_text(in, &o->body_len);
	o->key = take_text(in, NULL);
	o->effect = take_text(in, NULL);
	if (gan_frame_u32(in) != rule->nafter + newest || in->bad || o->body == NULL)
		return false;
	o->after = calloc(rule->nafter + 1, sizeof(*o->after));
	gan_must(o->after != NULL);
	for (o->nafter = 0; o->nafter < rule->nafter; o->nafter++) {
		o->after[o->nafter] = take_text(in, NULL);
		if (o->after[o->nafter] == NULL)
			return false;
	}
	o->newest = newest ? take_text(in, NULL) : NULL;
	return !newest || o->newest != NULL;
}

static bool
read_outputs(struct gan_job *j, size_t i, struct gan_frame_in *in)
{
	struct gan_map_result *r = &j->results[i];
	uint32_t n = gan_frame_u32(in);

	if (in->bad || n > GAN_OUTPUTS_MAX)
		return false;
	if (n == 0)
		return true;
	j->texts[i] = gan_memdup(in->p, in->left);
	r->outputs = calloc(n, sizeof(*r->outputs));
	gan_must(j->texts[i] != NULL && r->outputs != NULL);
	struct gan_frame_in at = { .p = j->texts[i], .left = in->left };
	while (r->noutputs < n)
		if (!read_output(&r->outputs[r->noutputs++], r->rule, &at))
			return false;
	return true;
}

static bool
read_reject(struct gan_job *j, size_t i, struct gan_frame_in *in)
{
	const char *why = gan_frame_str(in, NULL);

	if (why == NULL)
		return false;
	j->results[i].reject = gan_memdup(why, strlen(why));
	gan_must(j->results[i].reject != NULL);
	return true;
}

bool
gan_job_read(struct gan_job *j, size_t i, struct gan_frame_in *in)
{
	bool outputs = gan_frame_u32(in) == GAN_RESULT_OUTPUTS;

	if (outputs ? !read_outputs(j, i, in) : !read_reject(j, i, in)) {
		result_clear(j, i);
		return false;
	}
	j->done[i] = true;
	j->left--;
	return true;
}
