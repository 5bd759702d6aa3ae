/* SPDX-License-Identifier: MIT */
/*
 * http.c - the admin listener: /metrics, /admin/v1/status, /healthz.
 *
 * It only reads: whatever changes something goes over the control socket,
 * which knows who asks.  It is meant for loopback, so Prometheus and a browser
 * on this machine are all that it serves; it still takes nothing on trust.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "admin/metrics.h"
#include "inbound/server.h"

#define MAX_CONNECTIONS 32

struct gan_admin_http {
	struct gan_admin *admin;
	struct gan_server *server;
};

static void
answer(struct gan_request *r, const char *type, const struct gan_buf *b)
{
	struct gan_header no_store = { "Cache-Control", "no-store" };
	struct gan_answer a = {
		.status = 200,
		.type = type,
		.body = b->data,
		.len = b->len,
		.headers = &no_store,
		.nheaders = 1,
	};

	if (b->failed)
		(void)gan_request_problem(r, GAN_PROBLEM_INTERNAL, 0, "Out of memory.");
	else
		(void)gan_request_answer(r, &a);
}

static void
put_metrics(struct gan_admin *a, const struct gan_store_counts *n, struct gan_buf *out)
{
	const struct gan_config *conf = a->ops.conf(a->ops.arg);
	struct gan_pool *pool = a->ops.pool(a->ops.arg);
	struct gan_connector_status *rows;
	struct gan_inbound_stats in = { 0 };
	struct gan_pool_stats ps = { 0 };
	int64_t since_ms = 0;
	int reload_rc = 0;
	const char *text;
	struct gan_metrics m = {
		.version = GAN_VERSION,
		.site = conf->site,
		.generation = conf->generation,
		.ready = a->ops.not_ready(a->ops.arg) == NULL,
		.rules_red = a->ops.rules_red(a->ops.arg, &since_ms) != NULL,
		.store = n,
		.inbound = &in,
		.pool = &ps,
		.lag = a->ops.lag,
	};

	a->ops.last_reload(a->ops.arg, &m.reload_ms, &reload_rc, &text);
	m.reload_ok = reload_rc >= 0;
	if (a->ops.inbound != NULL)
		gan_inbound_stats(a->ops.inbound, &in);
	if (pool != NULL)
		gan_pool_stats(pool, &ps);
	m.nconnectors = gan_status_connectors(a, &rows);
	m.connectors = rows;
	gan_metrics_process(&m.process);
	m.process.start_ms = a->ops.started_ms(a->ops.arg);
	gan_metrics_put(&m, out);
	gan_changes_metrics(a, out);
	free(rows);
}

static void
get_metrics(struct gan_admin *a, struct gan_request *r)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_store_counts *n GAN_AUTO(gan_counts_free) = calloc(1, sizeof(*n));

	if (n == NULL) {
		(void)gan_request_problem(r, GAN_PROBLEM_INTERNAL, 0, "Out of memory.");
		return;
	}
	gan_store_counts(a->ops.store, n);
	put_metrics(a, n, &out);
	answer(r, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static void
get_status(struct gan_admin *a, struct gan_request *r)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	gan_status_json(a, &out);
	gan_buf_putc(&out, '\n');
	answer(r, "application/json", &out);
}

static void
get_health(struct gan_admin *a, struct gan_request *r)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	(void)a;
	gan_buf_puts(&out, "ok\n");
	answer(r, "text/plain; charset=utf-8", &out);
}

static const struct {
	const char *path;
	void (*get)(struct gan_admin *a, struct gan_request *r);
} routes[] = {
	{ "/metrics", get_metrics },
	{ "/admin/v1/status", get_status },
	{ "/healthz", get_health },
};

static void
on_request(void *arg, struct gan_request *r)
{
	struct gan_admin_http *h = arg;
	const char *path = gan_request_path(r), *method = gan_request_method(r);

	for (size_t i = 0; i < GAN_COUNT(routes); i++) {
		if (strcmp(routes[i].path, path) != 0)
			continue;
		if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
			routes[i].get(h->admin, r);
		else
			(void)gan_request_problem_with(r, GAN_PROBLEM_METHOD, "Allow", "GET, HEAD",
			    "The admin listener is read-only.");
		return;
	}
	(void)gan_request_problem(r, GAN_PROBLEM_NOT_FOUND, 0,
	    "The admin listener has /metrics, /admin/v1/status and /healthz.");
}

int
gan_admin_http_open(struct gan_admin *a, const struct gan_address *address,
    struct gan_admin_http **ret_http, struct gan_err *err)
{
	struct gan_admin_http *h = calloc(1, sizeof(*h));
	struct gan_server_options opt = {
		.name = "admin",
		.host = address->host,
		.port = address->port,
		.listen_fd = -1,
		.max_body = 1024,
		.max_connections = MAX_CONNECTIONS,
		.on_request = on_request,
		.arg = h,
	};
	int rc;

	if (h == NULL)
		return gan_err_set(err, GAN_ENOMEM, "admin listener");
	h->admin = a;
	rc = gan_server_open(a->loop, &opt, &h->server, err);
	if (rc < 0) {
		free(h);
		return rc;
	}
	*ret_http = h;
	return GAN_OK;
}

unsigned
gan_admin_http_port(const struct gan_admin_http *h)
{
	return gan_server_port(h->server);
}

void
gan_admin_http_close(struct gan_admin_http **hp)
{
	struct gan_admin_http *h = gan_steal(hp);

	if (h == NULL)
		return;
	gan_server_close(&h->server);
	free(h);
}
