/* SPDX-License-Identifier: MIT */
/* status.c - the status object, and the attention items that the store cannot know of. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "base/mem.h"
#include "base/units.h"
#include "inbound/inbound.h"
#include "outbound/outbound.h"

#define CONNECTORS_MAX 256

static const char *const pause_names[] = {
	[GAN_PAUSE_NONE] = NULL,
	[GAN_PAUSE_PERSON] = "person",
	[GAN_PAUSE_TOKEN] = "token",
};

static void
put_bool(struct gan_buf *b, const char *name, bool v)
{
	gan_buf_printf(b, "\"%s\":%s", name, v ? "true" : "false");
}

static void
put_quota(struct gan_buf *b, const struct gan_connector_status *c)
{
	char span[32];

	if (c->quota_allowed == 0) {
		gan_buf_puts(b, ",\"quota\":null");
		return;
	}
	gan_buf_printf(b,
	    ",\"quota\":{\"limit\":%u,\"allowed\":%u,\"used\":%u,\"window\":\"%s\",\"room_at\":",
	    c->quota_limit, c->quota_allowed, c->quota_used,
	    gan_duration_format(c->quota_window_ms, span, sizeof(span)));
	gan_put_time(b, c->quota_room_ms);
	gan_buf_puts(b, ",\"short_since\":");
	gan_put_time(b, c->quota_short_ms);
	gan_buf_puts(b, "}");
}

static void
put_connector(struct gan_buf *b, const struct gan_connector_status *c)
{
	gan_buf_puts(b, "{\"name\":");
	gan_put_str(b, c->name);
	gan_buf_puts(b, ",\"kind\":");
	gan_put_str(b, c->kind);
	gan_buf_puts(b, ",\"paused\":");
	gan_put_str(b, pause_names[c->paused]);
	gan_buf_puts(b, ",\"pause_reason\":");
	gan_put_str(b, c->paused != GAN_PAUSE_NONE ? c->pause_reason : NULL);
	gan_buf_puts(b, ",\"paused_since\":");
	gan_put_time(b, c->paused != GAN_PAUSE_NONE ? c->paused_since_ms : 0);
	gan_buf_puts(b, ",");
	put_bool(b, "breaker_open", c->breaker_open);
	gan_buf_puts(b, ",\"breaker_until\":");
	gan_put_time(b, c->breaker_open ? c->breaker_until_ms : 0);
	gan_buf_puts(b, ",\"wait_until\":");
	gan_put_time(b, c->wait_until_ms);
	gan_buf_printf(b,
	    ",\"in_flight\":%u,\"asks\":%u,\"concurrency\":%u,\"consecutive_failures\":%u",
	    c->in_flight, c->asks, c->concurrency, c->consecutive_failures);
	put_quota(b, c);
	gan_buf_printf(b, ",\"probes\":{\"found\":%llu,\"different\":%llu,\"absent\":%llu}",
	    (unsigned long long)c->found, (unsigned long long)c->different,
	    (unsigned long long)c->absent);
	gan_buf_puts(b, ",\"last_error\":");
	gan_put_str(b, c->last_error);
	gan_buf_puts(b, ",\"last_ok\":");
	gan_put_time(b, c->last_ok_ms);
	gan_buf_printf(b, ",\"delivered\":%llu,\"retried\":%llu,\"dead\":%llu,\"unknown\":%llu}",
	    (unsigned long long)c->delivered, (unsigned long long)c->retried,
	    (unsigned long long)c->dead, (unsigned long long)c->unknown);
}

size_t
gan_status_connectors(struct gan_admin *a, struct gan_connector_status **ret_rows)
{
	struct gan_connector_status *rows;
	size_t n;

	*ret_rows = NULL;
	if (a->ops.outbound == NULL)
		return 0;
	rows = calloc(CONNECTORS_MAX, sizeof(*rows));
	if (rows == NULL)
		return 0;
	n = gan_outbound_status(a->ops.outbound, rows, CONNECTORS_MAX);
	*ret_rows = rows;
	return n < CONNECTORS_MAX ? n : CONNECTORS_MAX;
}

bool
gan_status_connector(struct gan_admin *a, const char *name, struct gan_buf *out)
{
	struct gan_connector_status *rows;
	size_t n = gan_status_connectors(a, &rows);
	bool found = false;

	for (size_t i = 0; i < n && !found; i++) {
		found = strcmp(rows[i].name, name) == 0;
		if (found)
			put_connector(out, &rows[i]);
	}
	free(rows);
	return found;
}

static void
put_paused_item(struct gan_buf *out, const struct gan_connector_status *c)
{
	gan_buf_puts(out, "{\"kind\":\"connector-paused\",\"id\":null,\"key\":null,\"source\":null,"
			  "\"connector\":");
	gan_put_str(out, c->name);
	gan_buf_puts(out, ",\"operation\":null,\"rule\":null,\"reason\":");
	gan_put_str(out, c->pause_reason != NULL ? c->pause_reason : "paused");
	gan_buf_puts(out, ",\"since\":");
	gan_put_time(out, c->paused_since_ms);
	gan_buf_puts(out, ",\"actions\":[\"resume\"]},");
}

static void
put_lost(struct gan_buf *out, const char *connector)
{
	char reason[200];

	(void)snprintf(reason, sizeof(reason),
	    "deliveries wait for the connector %s, which is no longer in the "
	    "configuration: put it back, or skip them",
	    connector);
	gan_buf_puts(out, "{\"kind\":\"config\",\"id\":null,\"key\":null,\"source\":null,"
			  "\"connector\":");
	gan_put_str(out, connector);
	gan_buf_puts(out, ",\"operation\":null,\"rule\":null,\"reason\":");
	gan_put_str(out, reason);
	gan_buf_puts(out, ",\"since\":null,\"actions\":[\"reload\",\"skip\"]},");
}

/* Deliveries that nobody would ever send, or fetch: they are no less accounted for than dead ones.
 */
static unsigned
put_lost_connectors(struct gan_admin *a, struct gan_buf *out)
{
	const struct gan_config *conf = a->ops.conf(a->ops.arg);
	struct gan_store_counts *n GAN_AUTO(gan_counts_free) = calloc(1, sizeof(*n));
	unsigned items = 0;

	if (n == NULL)
		return 0;
	gan_store_counts(a->ops.store, n);
	for (size_t i = 0; i < n->ndue; i++) {
		if (gan_config_connector(conf, n->due[i]) != NULL)
			continue;
		items++;
		put_lost(out, n->due[i]);
	}
	for (size_t i = 0; i < n->noutboxes; i++) {
		if (n->outboxes[i].backlog == 0 ||
		    gan_config_connector(conf, n->outboxes[i].connector) != NULL)
			continue;
		items++;
		put_lost(out, n->outboxes[i].connector);
	}
	return items;
}

unsigned
gan_status_attention(struct gan_admin *a, struct gan_buf *out)
{
	struct gan_connector_status *rows;
	size_t n = gan_status_connectors(a, &rows);
	unsigned items = 0;
	int64_t since_ms = 0;
	const char *red = a->ops.rules_red(a->ops.arg, &since_ms);

	for (size_t i = 0; i < n; i++) {
		if (rows[i].paused == GAN_PAUSE_NONE)
			continue;
		items++;
		put_paused_item(out, &rows[i]);
	}
	free(rows);
	if (red != NULL) {
		items++;
		gan_buf_puts(out,
		    "{\"kind\":\"config\",\"id\":null,\"key\":null,\"source\":null,\"connector\":"
		    "null,\"operation\":null,\"rule\":null,\"reason\":");
		gan_put_str(out, red);
		gan_buf_puts(out, ",\"since\":");
		gan_put_time(out, since_ms);
		gan_buf_puts(out, ",\"actions\":[\"rules check\",\"reload\"]},");
	}
	return items + put_lost_connectors(a, out) + gan_changes_attention(a, out);
}

static void
put_states(struct gan_buf *b, const char *name, const struct gan_state_table *t, const int64_t *n)
{
	gan_buf_printf(b, ",\"%s\":{", name);
	for (int i = 0; i < t->n; i++)
		gan_buf_printf(
		    b, "%s\"%s\":%lld", i > 0 ? "," : "", t->states[i].name, (long long)n[i]);
	gan_buf_puts(b, "}");
}

/* Connectors whose messages are fetched, and were ever. */
static void
put_outboxes(struct gan_buf *b, const struct gan_store_counts *n)
{
	gan_buf_puts(b, ",\"outboxes\":[");
	for (size_t i = 0; i < n->noutboxes; i++) {
		gan_buf_puts(b, i > 0 ? ",{\"connector\":" : "{\"connector\":");
		gan_put_str(b, n->outboxes[i].connector);
		gan_buf_printf(
		    b, ",\"backlog\":%lld,\"oldest_at\":", (long long)n->outboxes[i].backlog);
		gan_put_time(b, n->outboxes[i].oldest_ms);
		gan_buf_puts(b, "}");
	}
	gan_buf_puts(b, "]");
}

static void
put_store(struct gan_buf *b, const struct gan_store_counts *n)
{
	put_states(b, "events", &gan_event_states, n->events);
	put_states(b, "deliveries", &gan_delivery_states, n->deliveries);
	gan_buf_printf(b, ",\"duplicates\":%lld,\"quarantined\":%lld", (long long)n->duplicates,
	    (long long)n->quarantined);
	gan_buf_puts(b, ",\"ignored_topics\":{");
	for (size_t i = 0; i < n->ntopics; i++) {
		if (i > 0)
			gan_buf_puts(b, ",");
		gan_put_str(b, n->topics[i].source_topic);
		gan_buf_printf(b, ":%lld", (long long)n->topics[i].ignored);
	}
	gan_buf_puts(b, "}");
	put_outboxes(b, n);
	gan_buf_puts(b, ",\"store\":{");
	put_bool(b, "full", n->full);
	gan_buf_printf(b,
	    ",\"commits\":%lld,\"file_bytes\":%lld,\"wal_bytes\":%lld,"
	    "\"free_bytes\":%lld,\"last_commit\":",
	    (long long)n->commits, (long long)n->file_bytes, (long long)n->wal_bytes,
	    (long long)n->free_bytes);
	gan_put_time(b, n->last_commit_ms);
	gan_buf_printf(b,
	    ",\"spool\":{\"records\":%lld,\"bytes\":%lld,\"size\":%lld,\"taken\":%lld,"
	    "\"imported\":%lld,\"lost\":%lld,",
	    (long long)n->spool_records, (long long)n->spool_bytes, (long long)n->spool_size,
	    (long long)n->spool_taken, (long long)n->spool_imported, (long long)n->spool_lost);
	put_bool(b, "broken", n->spool_broken);
	gan_buf_puts(b, ",");
	put_bool(b, "stuck", n->spool_stuck);
	gan_buf_puts(b, ",\"since\":");
	gan_put_time(b, n->spool_since_ms);
	gan_buf_puts(b, "}}");
}

static void
put_mapping(struct gan_admin *a, struct gan_buf *b)
{
	struct gan_pool *pool = a->ops.pool(a->ops.arg);
	struct gan_pool_stats st = { 0 };

	if (pool != NULL)
		gan_pool_stats(pool, &st);
	gan_buf_printf(b,
	    ",\"mapping\":{\"workers\":%u,\"restarts\":%llu,\"mapped\":%llu,\"compiled\":%llu}",
	    st.workers_running, (unsigned long long)st.restarts, (unsigned long long)st.mapped,
	    (unsigned long long)st.compiled);
}

static void
put_inbound(struct gan_admin *a, struct gan_buf *b)
{
	const struct gan_config *conf = a->ops.conf(a->ops.arg);
	struct gan_inbound_stats st = { 0 };

	gan_buf_puts(b, ",\"listen\":{\"public\":");
	if (a->ops.inbound != NULL && conf->public.address.host != NULL)
		gan_put_address(b, conf->public.address.host, gan_inbound_port(a->ops.inbound));
	else
		gan_buf_puts(b, "null");
	gan_buf_puts(b, ",\"admin\":");
	if (a->http != NULL)
		gan_put_address(b, conf->admin.host, gan_admin_http_port(a->http));
	else
		gan_buf_puts(b, "null");
	gan_buf_puts(b, "}");
	if (a->ops.inbound != NULL)
		gan_inbound_stats(a->ops.inbound, &st);
	gan_buf_printf(b,
	    ",\"inbound\":{\"requests\":%llu,\"accepted\":%llu,\"duplicates\":%llu,"
	    "\"bad_signature\":%llu,\"bad_request\":%llu,\"unavailable\":%llu,\"timed_out\":%llu,"
	    "\"connections\":%u}",
	    (unsigned long long)st.requests, (unsigned long long)st.accepted,
	    (unsigned long long)st.duplicates, (unsigned long long)st.bad_signature,
	    (unsigned long long)st.bad_request, (unsigned long long)st.unavailable,
	    (unsigned long long)st.timed_out, st.connections);
}

static void
put_reload(struct gan_admin *a, struct gan_buf *b)
{
	int64_t at_ms = 0;
	int rc = 0;
	const char *text = NULL;

	a->ops.last_reload(a->ops.arg, &at_ms, &rc, &text);
	gan_buf_puts(b, ",\"last_reload\":");
	if (at_ms == 0) {
		gan_buf_puts(b, "null");
		return;
	}
	gan_buf_puts(b, "{\"at\":");
	gan_put_time(b, at_ms);
	gan_buf_puts(b, ",");
	put_bool(b, "ok", rc >= 0);
	gan_buf_puts(b, ",\"error\":");
	gan_put_str(b, rc < 0 ? text : NULL);
	gan_buf_puts(b, "}");
}

static void
put_connectors(struct gan_admin *a, struct gan_buf *b)
{
	struct gan_connector_status *rows;
	size_t n = gan_status_connectors(a, &rows);

	gan_buf_puts(b, ",\"connectors\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			gan_buf_puts(b, ",");
		put_connector(b, &rows[i]);
	}
	gan_buf_puts(b, "]");
	free(rows);
}

void
gan_status_json(struct gan_admin *a, struct gan_buf *out)
{
	const struct gan_config *conf = a->ops.conf(a->ops.arg);
	const char *not_ready = a->ops.not_ready(a->ops.arg);
	struct gan_buf items GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_store_counts *n GAN_AUTO(gan_counts_free) = calloc(1, sizeof(*n));
	int64_t red_since_ms = 0;
	unsigned more;

	if (n == NULL) {
		out->failed = true;
		return;
	}
	gan_store_counts(a->ops.store, n);
	more = gan_status_attention(a, &items);
	gan_buf_printf(out, "{\"version\":\"%s\",\"site\":", GAN_VERSION);
	gan_put_str(out, conf->site);
	gan_buf_printf(out, ",\"generation\":%llu,", (unsigned long long)conf->generation);
	put_bool(out, "ready", not_ready == NULL);
	gan_buf_puts(out, ",\"not_ready\":");
	gan_put_str(out, not_ready);
	gan_buf_puts(out, ",\"started_at\":");
	gan_put_time(out, a->ops.started_ms(a->ops.arg));
	put_store(out, n);
	put_connectors(a, out);
	gan_buf_printf(out, ",\"attention\":%lld", (long long)n->attention + more);
	gan_buf_puts(out, ",\"rules_red\":");
	gan_put_str(out, a->ops.rules_red(a->ops.arg, &red_since_ms));
	put_mapping(a, out);
	put_inbound(a, out);
	gan_changes_status(a, out);
	put_reload(a, out);
	gan_buf_puts(out, "}");
}
