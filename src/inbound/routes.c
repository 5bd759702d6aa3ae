/* SPDX-License-Identifier: MIT */
/*
 * routes.c - what the public listener knows.  One row is one path, as it stands
 * in doc/openapi.yaml; tests/docs/test_openapi.py compares the two.
 */
#include <string.h>

#include "base/mem.h"
#include "inbound/inbound_priv.h"

struct route {
	const char *path;    /* {name} stands for one part of it */
	const char *methods; /* as in Allow */
	gan_head_fn head;
	const char *use; /* what is told to who comes with another method */
};

/* ---- health ---------------------------------------------------------------------- */

static void
answer_ok(struct gan_exchange *x)
{
	static const char ok[] = "{\"status\":\"ok\"}\n";

	(void)gan_request_answer(x->req,
	    &(struct gan_answer){
		.status = 200, .type = "application/json", .body = ok, .len = sizeof(ok) - 1 });
}

static void
head_healthz(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	(void)part;
	answer_ok(x);
}

static void
head_readyz(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	const struct gan_inbound_options *o = &x->in->opt;
	const char *why = NULL;

	(void)part;
	if (x->in->draining)
		why = "it is shutting down";
	else if (o->not_ready != NULL)
		why = o->not_ready(o->arg);
	if (why != NULL)
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_READY, 5,
		    "Gantry is not ready: %s. Ask again later.", why);
	else
		answer_ok(x);
}

/* ---- what there is ----------------------------------------------------------------- */

/* openapi.S: doc/openapi.yaml as JSON. */
extern const char gan_openapi[], gan_openapi_end[];

static void
head_openapi(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	(void)part;
	(void)gan_request_answer(x->req, &(struct gan_answer){ .status = 200,
					     .type = "application/json",
					     .body = gan_openapi,
					     .len = (size_t)(gan_openapi_end - gan_openapi) });
}

/* ---- the table --------------------------------------------------------------------- */

static const struct route routes[] = {
	{ "/hooks/{source}", "POST", gan_webhook_head, "Webhooks are sent with POST." },
	{ "/v1/events/{id}", "GET, HEAD", gan_look_head_event,
	    "An event is read with GET; to send one, POST to /v1/events/{source}/{topic}." },
	{ "/v1/events/{source}/{topic}", "POST", gan_erp_head_post,
	    "Events are sent with POST; to read one, GET /v1/events/{id}." },
	{ "/v1/events/{source}/{topic}/batch", "POST", gan_erp_head_batch,
	    "Batches are sent with POST." },
	{ "/v1/objects", "GET, HEAD", gan_look_head_objects, "Objects are read with GET." },
	{ "/v1/outbox/{consumer}", "GET", gan_outbox_head_read,
	    "Messages are read with GET; POST to /v1/outbox/{consumer}/ack acknowledges them." },
	{ "/v1/outbox/{consumer}/ack", "POST", gan_outbox_head_ack,
	    "Messages are acknowledged with POST; to read them, GET /v1/outbox/{consumer}." },
	{ "/healthz", "GET, HEAD", head_healthz, "Health is read with GET." },
	{ "/readyz", "GET, HEAD", head_readyz, "Health is read with GET." },
	{ "/openapi.json", "GET, HEAD", head_openapi, "The description is read with GET." },
};

/* Does the path fit?  What stands for {...} goes to part. */
static bool
fits(const char *pattern, const char *path, char part[GAN_ROUTE_PARTS][GAN_ROUTE_PART_MAX + 1])
{
	size_t nparts = 0;

	while (*pattern != '\0') {
		size_t n = strcspn(path, "/");

		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		if (n == 0 || n > GAN_ROUTE_PART_MAX)
			return false;
		gan_must(nparts < GAN_ROUTE_PARTS);
		memcpy(part[nparts], path, n);
		part[nparts++][n] = '\0';
		path += n;
		pattern += strcspn(pattern, "}") + 1;
	}
	return *path == '\0';
}

static bool
allows(const char *methods, const char *method)
{
	size_t n = strlen(method);

	for (const char *m = methods; *m != '\0'; m += strspn(m, ", ")) {
		size_t len = strcspn(m, ",");

		if (len == n && memcmp(m, method, n) == 0)
			return true;
		m += len;
	}
	return false;
}

static void
begin(struct gan_inbound *in, struct gan_request *r, const struct route *route,
    const char *const part[GAN_ROUTE_PARTS])
{
	struct gan_exchange *x;

	if (!allows(route->methods, gan_request_method(r))) {
		(void)gan_request_problem_with(
		    r, GAN_PROBLEM_METHOD, "Allow", route->methods, "%s", route->use);
		return;
	}
	x = gan_exchange_begin(in, r);
	if (x == NULL)
		(void)gan_request_problem(
		    r, GAN_PROBLEM_UNAVAILABLE, 5, "Send the request again later.");
	else
		route->head(x, part);
}

void
gan_routes_head(void *arg, struct gan_request *r)
{
	char part[GAN_ROUTE_PARTS][GAN_ROUTE_PART_MAX + 1] = { "", "" };
	const char *const parts[GAN_ROUTE_PARTS] = { part[0], part[1] };

	for (size_t i = 0; i < GAN_COUNT(routes); i++) {
		if (fits(routes[i].path, gan_request_path(r), part)) {
			begin(arg, r, &routes[i], parts);
			return;
		}
	}
	(void)gan_request_problem(r, GAN_PROBLEM_NOT_FOUND, 0,
	    "Senders use /hooks/{source}, /v1/events/{source}/{topic} or /v1/events/{id}; GET "
	    "/openapi.json tells all.");
}
