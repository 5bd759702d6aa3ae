/* SPDX-License-Identifier: MIT */
/* commit.c - see commit.h. */
#include "commit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "outbound/outbound.h"

struct gan_outcome {
	enum gan_event_state state;
	uint64_t generation;
	struct gan_new_delivery *deliveries; /* strings owned, see delivery_fini() */
	size_t ndeliveries;
	struct gan_rejection *rejections;
	size_t nrejections;
	const char **retried; /* rule names, owned */
	size_t nretried;
};

struct gan_map_event
gan_outcome_subject(const struct gan_event *e)
{
	return (struct gan_map_event){ .id = e->id,
		.received_ms = e->received_ms,
		.source = e->source,
		.topic = e->topic,
		.topic_raw = e->topic_raw,
		.meta = e->meta,
		.body = e->body,
		.body_len = e->body_len };
}

static void
delivery_fini(struct gan_new_delivery *d)
{
	free((void *)d->rule);
	free((void *)d->connector);
	free((void *)d->operation);
	free((void *)d->key);
	free((void *)d->effect);
	free((void *)d->newest);
	for (size_t i = 0; i < d->nafter; i++)
		free((void *)d->after[i]);
	free((void *)d->after);
	free((void *)d->body);
}

void
gan_outcome_free(struct gan_outcome **op)
{
	struct gan_outcome *o = gan_steal(op);

	if (o == NULL)
		return;
	for (size_t i = 0; i < o->ndeliveries; i++)
		delivery_fini(&o->deliveries[i]);
	for (size_t i = 0; i < o->nrejections; i++) {
		free((void *)o->rejections[i].rule);
		free((void *)o->rejections[i].reason);
	}
	for (size_t i = 0; i < o->nretried; i++)
		free((void *)o->retried[i]);
	free(o->deliveries);
	free(o->rejections);
	free(o->retried);
	free(o);
}

/* Copy *text unless it is NULL; false without memory. */
static bool
copy_text(const char **ret, const char *text)
{
	*ret = text == NULL ? NULL : strdup(text);
	return text == NULL || *ret != NULL;
}

static bool
copy_after(struct gan_new_delivery *d, const struct gan_map_output *out)
{
	const char **after;

	if (out->nafter == 0)
		return true;
	after = calloc(out->nafter, sizeof(*after));
	if (after == NULL)
		return false;
	d->after = after;
	for (size_t i = 0; i < out->nafter; i++) {
		if (!copy_text(&after[i], out->after[i]))
			return false;
		d->nafter++;
	}
	return true;
}

static void
policy_of(struct gan_new_delivery *d, const struct gan_config *conf, const struct gan_rule *rule)
{
	const struct gan_conf_connector *c = gan_config_connector(conf, rule->connector);
	const struct gan_conf_deliver *deliver = c == NULL ? &conf->deliver : &c->deliver;
	enum gan_on_unknown how;

	how = rule->on_unknown_set ? rule->on_unknown : deliver->on_unknown;
	/* The store looks at this when nobody settles: it must not promise what cannot be done. */
	d->on_unknown = (int)(c == NULL ? how : gan_outbound_on_unknown(c, rule->operation, how));
	d->on_dead = (int)deliver->on_dead;
	d->pull = c != NULL && c->kind == GAN_CONNECTOR_PULL;
}

static bool
copy_output(struct gan_new_delivery *d, const struct gan_rule *rule, unsigned no,
    const struct gan_map_output *out, int64_t received_ms)
{
	d->output_no = no;
	d->body_len = out->body_len;
	d->valid_until_ms = rule->valid_for_ms == 0 ? 0 : received_ms + rule->valid_for_ms;
	d->body = gan_memdup(out->body, out->body_len);
	return d->body != NULL && copy_text(&d->rule, rule->name) &&
	       copy_text(&d->connector, rule->connector) &&
	       copy_text(&d->operation, rule->operation) && copy_text(&d->key, out->key) &&
	       copy_text(&d->effect, out->effect) && copy_text(&d->newest, out->newest) &&
	       copy_after(d, out);
}

static bool
copy_result(struct gan_outcome *o, const struct gan_config *conf, const struct gan_map_result *r,
    int64_t received_ms)
{
	if (r->reject != NULL) {
		struct gan_rejection *rej = &o->rejections[o->nrejections++];

		return copy_text(&rej->rule, r->rule->name) && copy_text(&rej->reason, r->reject);
	}
	for (size_t i = 0; i < r->noutputs; i++) {
		struct gan_new_delivery *d = &o->deliveries[o->ndeliveries++];

		policy_of(d, conf, r->rule);
		if (!copy_output(d, r->rule, (unsigned)i, &r->outputs[i], received_ms))
			return false;
	}
	return true;
}

int
gan_outcome_of_results(const struct gan_config *conf, const struct gan_rules *rules,
    const struct gan_map_result *results, size_t n, int64_t received_ms,
    struct gan_outcome **ret_outcome)
{
	struct gan_outcome *o GAN_AUTO(gan_outcome_free) = calloc(1, sizeof(*o));
	size_t outputs = 0;

	for (size_t i = 0; i < n; i++)
		outputs += results[i].noutputs;
	if (o == NULL)
		return GAN_ENOMEM;
	o->generation = rules->generation;
	o->deliveries = calloc(outputs + 1, sizeof(*o->deliveries));
	o->rejections = calloc(n + 1, sizeof(*o->rejections));
	if (o->deliveries == NULL || o->rejections == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!copy_result(o, conf, &results[i], received_ms))
			return GAN_ENOMEM;
	}
	o->state = n == 0               ? GAN_EVENT_IGNORED
		   : o->nrejections > 0 ? GAN_EVENT_REJECTED
					: GAN_EVENT_MAPPED;
	*ret_outcome = gan_steal(&o);
	return GAN_OK;
}

int
gan_outcome_retried(struct gan_outcome *o, char *const *rules, size_t n)
{
	if (o->state == GAN_EVENT_IGNORED)
		o->state = GAN_EVENT_MAPPED;
	o->retried = calloc(n + 1, sizeof(*o->retried));
	if (o->retried == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!copy_text(&o->retried[i], rules[i]))
			return GAN_ENOMEM;
		o->nretried++;
	}
	return GAN_OK;
}

size_t
gan_outcome_deliveries(const struct gan_outcome *o)
{
	return o->ndeliveries;
}

size_t
gan_outcome_rejections(const struct gan_outcome *o)
{
	return o->nrejections;
}

static struct gan_map_commit
commit_of(const struct gan_outcome *o, const struct gan_event *event)
{
	return (struct gan_map_commit){ .event_id = event->id,
		.source = event->source,
		.topic = event->topic,
		.state = o->state,
		.generation = o->generation,
		.deliveries = o->deliveries,
		.ndeliveries = o->ndeliveries,
		.rejections = o->rejections,
		.nrejections = o->nrejections,
		.now_ms = gan_wall_ms() };
}

int
gan_outcome_commit(const struct gan_outcome *o, struct gan_store *store,
    const struct gan_event *event, gan_done_fn cb, void *arg)
{
	struct gan_map_commit m = commit_of(o, event);

	return gan_store_map_commit(store, &m, cb, arg);
}

int
gan_outcome_commit_again(const struct gan_outcome *o, struct gan_store *store,
    const struct gan_event *event, gan_done_fn cb, void *arg)
{
	struct gan_map_commit m = commit_of(o, event);

	m.again = true;
	m.retried = o->retried;
	m.nretried = o->nretried;
	return gan_store_map_commit(store, &m, cb, arg);
}

int
gan_outcome_commit_replay(const struct gan_outcome *o, struct gan_store *store,
    const struct gan_event *event, int64_t no, int64_t before_id, const char *key, gan_done_fn cb,
    void *arg)
{
	struct gan_new_delivery *some = calloc(o->ndeliveries + 1, sizeof(*some));
	struct gan_replay_commit c = { .no = no,
		.event_id = event->id,
		.before_id = before_id,
		.deliveries = some,
		.rejections = o->rejections,
		.nrejections = o->nrejections,
		.now_ms = gan_wall_ms() };
	int rc;

	if (some == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < o->ndeliveries; i++) {
		if (key == NULL || gan_streq(key, o->deliveries[i].key))
			some[c.ndeliveries++] = o->deliveries[i];
	}
	rc = gan_store_replay_commit(store, &c, cb, arg);
	free(some);
	return rc;
}
