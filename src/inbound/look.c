/* SPDX-License-Identifier: MIT */
/*
 * look.c - what became of it?  GET /v1/events/{id} and GET /v1/objects?key=.  A
 * sender sees the events of its own source, whoever else used the same key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "inbound/inbound_priv.h"
#include "inbound/params.h"

enum { RETRY_AFTER_S = 5, KEY_MAX = 200, PAGE_MAX = 100, PAGE_DEFAULT = 20 };

struct gan_lookup {
	char key[KEY_MAX + 1], limit[8], before[GAN_ID_LEN + 1];
	int64_t n;
};

static void
on_found(void *arg, int rc, const char *json, size_t len)
{
	struct gan_exchange *x GAN_AUTO(gan_exchange_unref) = arg;
	char applied[GAN_WAIT_TEXT];
	const char *waited = gan_wait_applied(x, applied);
	const struct gan_header header = { .name = "Preference-Applied", .value = waited };

	if (x->req == NULL)
		return;
	if (rc == GAN_OK && !gan_request_has_room(x->req, len))
		(void)gan_request_problem(
		    x->req, GAN_PROBLEM_UNAVAILABLE, RETRY_AFTER_S, GAN_ANSWERS_UNREAD);
	else if (rc == GAN_OK)
		(void)gan_request_answer(x->req, &(struct gan_answer){ .status = 200,
						     .type = "application/json",
						     .body = json,
						     .len = len,
						     .headers = &header,
						     .nheaders = waited != NULL });
	else if (rc == GAN_ENOENT || rc == GAN_EINVAL)
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_FOUND, 0,
		    "This source sent no event of this id, or it is no longer kept. Look for it by "
		    "its business key: GET /v1/objects?key=KEY.");
	else
		(void)gan_request_problem(x->req, GAN_PROBLEM_UNAVAILABLE, RETRY_AFTER_S,
		    "The store cannot be asked at the moment. Ask again later.");
}

static void
ask(struct gan_exchange *x, const struct gan_query *q)
{
	struct gan_exchange *held GAN_AUTO(gan_exchange_unref) = gan_exchange_ref(x);

	if (gan_store_query(x->in->store, q, on_found, x) < 0) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_UNAVAILABLE, RETRY_AFTER_S,
		    "Too many questions wait for the store. Ask again later.");
		return;
	}
	(void)gan_steal(&held); /* on_found()'s now */
}

/* ---- one event ----------------------------------------------------------------------- */

static void
ask_event(struct gan_exchange *x)
{
	char id[GAN_ID_LEN];

	ask(x, &(struct gan_query){ .kind = GAN_QUERY_EVENT,
		   .text = gan_id_format(GAN_ID_EVENT, x->event, id),
		   .source = x->src->conf->name });
}

static void
run_event(struct gan_exchange *x)
{
	gan_wait_begin(x, gan_wait_wanted(x->req), ask_event);
}

void
gan_look_head_event(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	struct gan_err err = { 0 };

	if (!gan_sender_any(x))
		return;
	if (gan_params_read(gan_request_query(x->req), NULL, 0, &err) < 0)
		(void)gan_request_problem(x->req, GAN_PROBLEM_PARAMETER, 0, "%s", err.msg);
	else if (!gan_id_parse(GAN_ID_EVENT, part[0], &x->event))
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_FOUND, 0,
		    "This is not the id of an event: send the one that the POST was answered "
		    "with.");
	else
		x->run = run_event;
}

/* ---- by business key ------------------------------------------------------------------- */

static void
run_objects(struct gan_exchange *x)
{
	const struct gan_lookup *l = x->lookup;

	ask(x, &(struct gan_query){ .kind = GAN_QUERY_OBJECT,
		   .text = l->key,
		   .source = x->src->conf->name,
		   .before = l->before[0] != '\0' ? l->before : NULL,
		   .limit = (unsigned)l->n });
}

void
gan_look_head_objects(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	struct gan_lookup *l;
	struct gan_err err = { 0 };
	int64_t id;

	(void)part;
	if (!gan_sender_any(x))
		return;
	x->lookup = l = calloc(1, sizeof(*l));
	if (l == NULL) {
		gan_exchange_unstored(x, GAN_ENOMEM, RETRY_AFTER_S);
		return;
	}
	l->n = PAGE_DEFAULT;

	struct gan_param params[] = { { "key", l->key, sizeof(l->key), false },
		{ "limit", l->limit, sizeof(l->limit), false },
		{ "before", l->before, sizeof(l->before), false } };

	if (gan_params_read(gan_request_query(x->req), params, GAN_COUNT(params), &err) == GAN_OK) {
		if (l->key[0] == '\0')
			(void)gan_err_set(&err, GAN_EINVAL,
			    "Send ?key=KEY: the business key that a rule gave to the deliveries.");
		else if (params[1].given && !gan_param_number(l->limit, 1, PAGE_MAX, &l->n))
			(void)gan_err_set(&err, GAN_EINVAL,
			    "Parameter 'limit' must be a number from 1 to %d.", PAGE_MAX);
		else if (params[2].given && !gan_id_parse(GAN_ID_DELIVERY, l->before, &id))
			(void)gan_err_set(&err, GAN_EINVAL,
			    "Parameter 'before' must be what the page before told as 'next'.");
	}
	if (err.code != GAN_OK)
		(void)gan_request_problem(x->req, GAN_PROBLEM_PARAMETER, 0, "%s", err.msg);
	else
		x->run = run_objects;
}
