/* SPDX-License-Identifier: MIT */
/* ask.c - see ask.h: questions of the inbound side as asks of the outbound side. */
#include "ask.h"

#include <stdlib.h>

#include "app_priv.h"
#include "outbound/ask.h"

struct question {
	gan_reply_fn cb;
	void *arg;
};

static void
on_answer(void *arg, const struct gan_answer *a)
{
	struct question *q = arg;
	const struct gan_reply r = { .rc = a->rc,
		.maybe_sent = a->maybe_sent,
		.status = a->status,
		.complete = a->complete,
		.body = a->body,
		.body_len = a->body_len,
		.text = a->text,
		.wait_ms = a->wait_ms > 0 ? a->wait_ms : 0 };

	q->cb(q->arg, &r);
	free(q);
}

static int
ask(void *arg, const struct gan_question *want, gan_reply_fn cb, void *cb_arg, struct gan_err *err)
{
	struct gan_outbound **outp = arg;
	const struct gan_ask a = { .connector = want->connector,
		.operation = want->operation,
		.output = want->output,
		.output_len = want->output_len,
		.prio = want->prio == GAN_QUESTION_FEED ? GAN_ASK_FEED : GAN_ASK_RECONCILE };
	struct question *q;
	struct gan_ask_handle *handle;
	int rc;

	if (*outp == NULL)
		return gan_err_set(err, GAN_EGONE, "gantryd is stopping");
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return gan_err_set(err, GAN_ENOMEM, "question");
	*q = (struct question){ cb, cb_arg };
	rc = gan_outbound_ask(*outp, &a, on_answer, q, &handle, err);
	if (rc < 0)
		free(q);
	return rc;
}

static uint64_t
ignored_by(void *arg, const char *source, const char *topic)
{
	return gan_pipeline_ignored_by(((struct gan_app *)arg)->pipeline, source, topic);
}

static bool
on_lost(void *arg, const char *source, enum gan_entity type)
{
	return gan_reconcile_lost(((struct gan_app *)arg)->reconcile, source, type);
}

int
gan_questions_open(struct gan_app *app, struct gan_err *err)
{
	const struct gan_asker asker = { .arg = &app->outbound, .ask = ask };
	const struct gan_reconcile_options rec = { .conf = app->conf,
		.store = app->store,
		.asker = asker,
		.ignored_by = ignored_by,
		.arg = app };
	const struct gan_feeds_options feeds = { .conf = app->conf,
		.store = app->store,
		.asker = asker,
		.ignored_by = ignored_by,
		.on_lost = on_lost,
		.arg = app };
	int rc = gan_reconcile_open(&app->loop, &rec, &app->reconcile, err);

	return rc < 0 ? rc : gan_feeds_open(&app->loop, &feeds, &app->feeds, err);
}
