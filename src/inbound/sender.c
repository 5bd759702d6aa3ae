/* SPDX-License-Identifier: MIT */
/* sender.c - whose request is it?  For everything under /v1/ that belongs to a source. */
#include <stdio.h>

#include "base/log.h"
#include "inbound/inbound_priv.h"

/* The first source that they open; all are looked at. */
static struct gan_inbound_source *
owner_of(struct gan_exchange *x, const struct gan_credential *c)
{
	struct gan_inbound_source *owner = NULL;

	for (size_t i = 0; i < x->snap->conf->nsources; i++) {
		unsigned way = gan_auth_opens(&x->snap->sources[i].auth, c);

		if (way != 0 && owner == NULL) {
			owner = &x->snap->sources[i];
			x->way = way;
		}
	}
	return owner;
}

/* The schemes that some source takes; where none does, the one that should be set up. */
static const char *
challenge(const struct gan_snapshot *snap)
{
	bool basic = false, bearer = false;

	for (size_t i = 0; i < snap->conf->nsources; i++) {
		const struct gan_auth *a = &snap->sources[i].auth;

		for (size_t k = 0; k < a->n; k++) {
			basic = basic || a->ways[k].basic;
			bearer = bearer || !a->ways[k].basic;
		}
	}
	if (basic && bearer)
		return "Bearer realm=\"gantry\", Basic realm=\"gantry\", charset=\"UTF-8\"";
	return basic ? "Basic realm=\"gantry\", charset=\"UTF-8\"" : "Bearer realm=\"gantry\"";
}

static void
refuse(struct gan_exchange *x)
{
	char client[GAN_CLIENT_LEN];

	x->in->stats.bad_signature++;
	(void)gan_snapshot_client(x->snap, x->req, client);
	if (gan_storm_due(&x->in->refused))
		gan_log(GAN_LOG_WARNING, NULL,
		    "request from %s refused: bearer token or password missing or unknown%s",
		    client, x->in->refused.more);
	(void)gan_request_problem_with(x->req, GAN_PROBLEM_TOKEN, "WWW-Authenticate",
	    challenge(x->snap),
	    "Send 'Authorization: Bearer' with a token of the source, or 'Authorization: Basic' "
	    "with its user and password, whichever it is configured for.");
}

bool
gan_sender_any(struct gan_exchange *x)
{
	struct gan_credential c;

	x->src = gan_auth_read(x->req, &c) ? owner_of(x, &c) : NULL;
	if (x->src == NULL)
		refuse(x);
	return x->src != NULL;
}

bool
gan_sender_of(struct gan_exchange *x, const char *source)
{
	struct gan_credential c;

	if (!gan_auth_read(x->req, &c) || owner_of(x, &c) == NULL) {
		refuse(x);
		return false;
	}
	x->src = gan_snapshot_source(x->snap, source);
	if (x->src == NULL || x->src->conf->kind != GAN_SOURCE_HTTP) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_FOUND, 0,
		    "No source of this name takes events here. Check the path: "
		    "/v1/events/{source}/{topic}.");
		return false;
	}
	x->way = gan_auth_opens(&x->src->auth, &c);
	if (x->way == 0)
		(void)gan_request_problem(x->req, GAN_PROBLEM_FORBIDDEN, 0,
		    "Use the credentials of the source that stands in the path.");
	return x->way != 0;
}
