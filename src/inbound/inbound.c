/* SPDX-License-Identifier: MIT */
/* inbound.c - the life of an exchange, reload and drain. */
#include "inbound/inbound.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/inbound_priv.h"
#include "json/cj.h"

enum { STORM_MS = 10000, SPARE_FDS = 64 };

/* ---- what webhooks and posts share ------------------------------------------ */

static void
inbound_unref(struct gan_inbound *in)
{
	if (--in->refs > 0)
		return;
	gan_snapshot_unref(&in->snap);
	free(in);
}

struct gan_exchange *
gan_exchange_ref(struct gan_exchange *x)
{
	x->refs++;
	return x;
}

void
gan_exchange_unref(struct gan_exchange **xp)
{
	struct gan_exchange *x = gan_steal(xp);

	if (x == NULL || --x->refs > 0)
		return;
	gan_snapshot_unref(&x->snap);
	inbound_unref(x->in);
	free(x->lookup);
	free(x->pull);
	free(x);
}

static void
on_end(void *user)
{
	struct gan_exchange *x = user;

	(void)gan_wait_leave(x);
	x->req = NULL;
	gan_exchange_unref(&x);
}

struct gan_exchange *
gan_exchange_begin(struct gan_inbound *in, struct gan_request *r)
{
	struct gan_exchange *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->refs = 1;
	x->in = in;
	in->refs++;
	x->req = r;
	x->snap = gan_snapshot_ref(in->snap);
	gan_request_set_user(r, x, on_end);
	return x;
}

const char *
gan_inbound_value(const char *v, char out[GAN_INBOUND_VALUE_MAX + 1])
{
	size_t n;

	if (v == NULL)
		return NULL;
	v += strspn(v, " \t");
	n = strlen(v);
	while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
		n--;
	/* The vendor's page prints values in quotes; some programs send what they see. */
	if (n >= 2 && v[0] == '"' && v[n - 1] == '"') {
		v++;
		n -= 2;
	}
	return n == 0 ? NULL : gan_printable(v, n, out, GAN_INBOUND_VALUE_MAX + 1);
}

const char *
gan_exchange_value(const struct gan_exchange *x, const char *name, char out[GAN_VALUE_MAX + 1])
{
	return gan_inbound_value(gan_request_header(x->req, name), out);
}

uint64_t
gan_exchange_ignored_by(const struct gan_exchange *x)
{
	const struct gan_inbound_options *o = &x->in->opt;

	return o->ignored_by == NULL ? 0 : o->ignored_by(o->arg, x->src->conf->name, x->topic);
}

int
gan_exchange_hash(const struct gan_bytes *parts, size_t nparts, unsigned char out[16])
{
	unsigned char digest[GAN_SHA256_LEN];
	struct gan_bytes all[12];
	size_t n = 0;

	gan_must(nparts * 2 <= GAN_COUNT(all));
	/* A NUL behind each part but the last: no header or name can hold one. */
	for (size_t i = 0; i < nparts; i++) {
		all[n++] = parts[i];
		if (i + 1 < nparts)
			all[n++] = (struct gan_bytes){ "", 1 };
	}
	if (gan_sha256(all, n, digest) < 0)
		return GAN_ENOMEM;
	memcpy(out, digest, 16);
	return GAN_OK;
}

int
gan_inbound_webhook_hash(const struct gan_webhook_name *w, unsigned char out[16])
{
	const struct gan_bytes parts[] = {
		{ w->source, strlen(w->source) },
		{ w->topic, strlen(w->topic) },
		{ w->uuid, strlen(w->uuid) },
		{ w->triggered_at, strlen(w->triggered_at) },
		{ w->body, w->body_len },
	};

	return gan_exchange_hash(parts, GAN_COUNT(parts), out);
}

void
gan_meta_put(struct gan_buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	if (b->len > 0 && b->data[b->len - 1] != '{')
		gan_buf_putc(b, ',');
	gan_buf_json(b, name, strlen(name));
	gan_buf_putc(b, ':');
	gan_buf_json(b, value, strlen(value));
}

bool
gan_storm_due(struct gan_storm *storm)
{
	if (!gan_log_due(&storm->last_ms, STORM_MS)) {
		storm->left_out++;
		return false;
	}
	storm->more[0] = '\0';
	if (storm->left_out > 0)
		(void)snprintf(storm->more, sizeof(storm->more), " (%llu more since the last line)",
		    (unsigned long long)storm->left_out);
	storm->left_out = 0;
	return true;
}

void
gan_exchange_tell_unstored(struct gan_exchange *x, int rc)
{

	x->in->stats.unavailable++;
	if (gan_storm_due(&x->in->unstored))
		gan_log(GAN_LOG_ERR,
		    &(struct gan_log_about){
			.source = x->src == NULL ? NULL : x->src->conf->name, .topic = x->topic },
		    "request answered 503, not stored: %s%s%s", gan_strerror(rc),
		    rc == GAN_EFULL ? "; make room on the disk or raise the store's limit" : "",
		    x->in->unstored.more);
}

void
gan_exchange_unstored(struct gan_exchange *x, int rc, int retry_after_s)
{
	gan_exchange_tell_unstored(x, rc);
	if (x->req != NULL)
		(void)gan_request_problem(x->req,
		    rc == GAN_EGONE ? GAN_PROBLEM_DRAINING : GAN_PROBLEM_UNAVAILABLE, retry_after_s,
		    "Nothing was stored. Send the request again later.");
}

/* ---- life --------------------------------------------------------------------- */

static void
on_request(void *arg, struct gan_request *r)
{
	struct gan_exchange *x = gan_request_user(r);

	(void)arg;
	gan_must(x != NULL && x->run != NULL);
	x->received_ms = gan_wall_ms();
	x->run(x);
}

/* Everything else needs some too: the store, workers, connectors. */
static void
warn_of_few_descriptors(unsigned max_connections)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < max_connections + SPARE_FDS)
		gan_log(GAN_LOG_WARNING, NULL,
		    "the limit of open files is %llu, too low for listen.public.max_connections %u: "
		    "raise LimitNOFILE to at least %u",
		    (unsigned long long)lim.rlim_cur, max_connections, max_connections + SPARE_FDS);
}

int
gan_inbound_open(uv_loop_t *loop, const struct gan_inbound_options *opt,
    struct gan_inbound **ret_in, struct gan_err *err)
{
	struct gan_inbound *in GAN_AUTO(gan_inbound_close) = calloc(1, sizeof(*in));
	const struct gan_conf_public *p = &opt->conf->public;
	struct gan_server_options so = { .name = "public",
		.host = p->address.host,
		.port = p->address.port,
		.listen_fd = opt->listen_fd,
		.max_body = (uint64_t)p->max_body,
		.max_connections = p->max_connections,
		.keep_alive = p->keep_alive,
		.on_head = gan_routes_head,
		.on_request = on_request,
		.arg = in };
	int rc;

	if (in == NULL)
		return gan_err_set(err, GAN_ENOMEM, "public listener");
	in->refs = 3; /* the owner's, and the timers' */
	gan_must(uv_timer_init(loop, &in->timer) == 0);
	gan_must(uv_timer_init(loop, &in->outbox_timer) == 0);
	in->timer.data = in->outbox_timer.data = in;
	in->opt = *opt;
	in->store = opt->store;
	in->wait_max = (p->max_connections + 1) / 2;
	rc = gan_snapshot_new(opt->conf, &in->snap, err);
	if (rc < 0)
		return rc;
	rc = gan_server_open(loop, &so, &in->server, err);
	if (rc < 0)
		return rc;
	warn_of_few_descriptors(p->max_connections);
	gan_must(uv_timer_start(&in->outbox_timer, gan_outbox_on_timer, GAN_OUTBOX_TICK_MS,
		     GAN_OUTBOX_TICK_MS) == 0);
	*ret_in = gan_steal(&in);
	return GAN_OK;
}

unsigned
gan_inbound_port(const struct gan_inbound *in)
{
	return gan_server_port(in->server);
}

int
gan_inbound_reload(struct gan_inbound *in, struct gan_config *conf, struct gan_err *err)
{
	const struct gan_conf_public *old = &in->snap->conf->public, *new = &conf->public;
	struct gan_snapshot *snap = NULL;
	int rc;

	if (!gan_streq(old->address.host, new->address.host) ||
	    old->address.port != new->address.port)
		return gan_err_set(err, GAN_ECONFIG,
		    "listen.public.address cannot change while gantryd runs; restart it");
	rc = gan_snapshot_new(conf, &snap, err);
	if (rc < 0)
		return rc;
	if (old->max_connections != new->max_connections)
		gan_log(GAN_LOG_NOTICE, NULL,
		    "listen.public.max_connections stays %u until gantryd is restarted",
		    old->max_connections);
	gan_snapshot_unref(&in->snap);
	in->snap = snap;
	gan_outbox_reloaded(in);
	gan_server_tune(in->server, (uint64_t) new->max_body, new->keep_alive);
	return GAN_OK;
}

static void
on_drained(void *arg)
{
	struct gan_inbound *in = arg;

	in->drain_cb(in->drain_arg);
}

void
gan_inbound_drain(struct gan_inbound *in, int64_t grace_ms, void (*cb)(void *arg), void *arg)
{
	in->draining = true;
	in->drain_cb = cb;
	in->drain_arg = arg;
	gan_wait_end_all(in);
	gan_server_drain(in->server, grace_ms, on_drained, in);
}

void
gan_inbound_due(struct gan_inbound *in, const char *connector)
{
	gan_outbox_wake(in, connector);
}

static void
on_timer_closed(uv_handle_t *h)
{
	inbound_unref(h->data);
}

void
gan_inbound_close(struct gan_inbound **inp)
{
	struct gan_inbound *in = gan_steal(inp);

	if (in == NULL)
		return;
	gan_wait_end_all(in);
	gan_server_close(&in->server);
	uv_close((uv_handle_t *)&in->timer, on_timer_closed);
	uv_close((uv_handle_t *)&in->outbox_timer, on_timer_closed);
	inbound_unref(in);
}

int
gan_inbound_verify_again(struct gan_inbound *in, const char *source, const char *headers,
    const void *body, size_t body_len, struct gan_err *err)
{
	struct gan_inbound_source *src = gan_snapshot_source(in->snap, source);
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_header list[GAN_HEADERS_MAX] = { 0 };
	struct gan_signature sig;
	const cJSON *item;
	size_t n = 0;
	int rc;

	if (src == NULL || src->signer == NULL)
		return gan_err_set(
		    err, GAN_EAUTH, "source '%s' is not a webhook source any more", source);
	rc = gan_cj_parse(headers, strlen(headers), &tree, err);
	if (rc < 0)
		return gan_err_wrap(err, rc, "headers of the quarantined request");
	cJSON_ArrayForEach(item, tree) if (n < GAN_HEADERS_MAX && cJSON_IsString(item)) list[n++] =
	    (struct gan_header){ .name = item->string, .value = item->valuestring };
	return gan_signature_verify(src->signer, list, n, body, body_len, &sig, err);
}

void
gan_inbound_stats(const struct gan_inbound *in, struct gan_inbound_stats *ret)
{
	struct gan_server_stats s;

	gan_server_stats(in->server, &s);
	*ret = in->stats;
	ret->requests = s.requests;
	ret->bad_request = s.refused;
	ret->timed_out = s.timed_out;
	ret->connections = s.connections;
}
