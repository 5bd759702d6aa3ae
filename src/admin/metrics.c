/* SPDX-License-Identifier: MIT */
/* metrics.c - see metrics.h. */
#include "admin/metrics.h"

#include <string.h>

#include "base/mem.h"

static void
head(struct gan_buf *b, const char *name, const char *type, const char *help)
{
	gan_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put_label(struct gan_buf *b, const char *name, const char *value)
{
	gan_buf_printf(b, "%s=\"", name);
	for (const char *s = value != NULL ? value : ""; *s != '\0'; s++) {
		if (*s == '\n')
			gan_buf_puts(b, "\\n");
		else if (*s == '"' || *s == '\\')
			gan_buf_printf(b, "\\%c", *s);
		else
			gan_buf_putc(b, *s);
	}
	gan_buf_putc(b, '"');
}

/* One family with one sample and no label. */
static void
plain(struct gan_buf *b, const char *name, const char *type, const char *help, int64_t v)
{
	head(b, name, type, help);
	gan_buf_printf(b, "%s %lld\n", name, (long long)v);
}

/* Milliseconds as seconds, exactly. */
static void
seconds(struct gan_buf *b, const char *name, const char *help, int64_t ms)
{
	head(b, name, "gauge", help);
	gan_buf_printf(b, "%s %lld.%03d\n", name, (long long)(ms / 1000), (int)(ms % 1000));
}

static void
sample(struct gan_buf *b, const char *name, const char *label, const char *value, int64_t v)
{
	gan_buf_printf(b, "%s{", name);
	put_label(b, label, value);
	gan_buf_printf(b, "} %lld\n", (long long)v);
}

static void
put_gateway(const struct gan_metrics *m, struct gan_buf *b)
{
	head(b, "gantry_build_info", "gauge", "What runs; always 1.");
	gan_buf_puts(b, "gantry_build_info{");
	put_label(b, "version", m->version);
	gan_buf_puts(b, ",");
	put_label(b, "site", m->site);
	gan_buf_puts(b, "} 1\n");
	plain(
	    b, "gantry_ready", "gauge", "1 when new events are taken, as /readyz says.", m->ready);
	plain(b, "gantry_config_generation", "gauge", "Generation of the configuration in force.",
	    (int64_t)m->generation);
	plain(b, "gantry_config_last_reload_successful", "gauge",
	    "0 when the last reload was refused.", m->reload_ms == 0 || m->reload_ok);
	if (m->reload_ms != 0 && m->reload_ok)
		seconds(b, "gantry_config_last_reload_success_timestamp_seconds",
		    "When a reload was accepted last.", m->reload_ms);
	plain(b, "gantry_rules_red", "gauge",
	    "1 when the rules of the folder are not the ones in force.", m->rules_red);
}

static void
put_inbound(const struct gan_inbound_stats *st, struct gan_buf *b)
{
	static const char name[] = "gantry_events_received_total";

	plain(b, "gantry_http_requests_total", "counter", "Requests to the public listener.",
	    (int64_t)st->requests);
	plain(b, "gantry_http_connections", "gauge", "Open connections of the public listener.",
	    st->connections);
	head(b, name, "counter", "Posts to the public listener by what became of them.");
	sample(b, name, "result", "stored", (int64_t)st->accepted);
	sample(b, name, "result", "duplicate", (int64_t)st->duplicates);
	sample(b, name, "result", "bad_signature", (int64_t)st->bad_signature);
	sample(b, name, "result", "bad_request", (int64_t)st->bad_request);
	sample(b, name, "result", "unavailable", (int64_t)st->unavailable);
	sample(b, name, "result", "timed_out", (int64_t)st->timed_out);
}

static void
put_states(struct gan_buf *b, const char *name, const char *help,
    const struct gan_state_table *states, const int64_t *n)
{
	head(b, name, "gauge", help);
	for (int i = 0; i < states->n; i++)
		sample(b, name, "state", states->states[i].name, n[i]);
}

/* "prodsmart/lot.created" as two labels; the row that collects the rest has no slash. */
static void
put_topic(struct gan_buf *b, const struct gan_topic_count *t)
{
	char source[sizeof(t->source_topic)];
	const char *slash = strchr(t->source_topic, '/');
	size_t n = slash != NULL ? (size_t)(slash - t->source_topic) : 0;

	memcpy(source, t->source_topic, n);
	source[n] = '\0';
	gan_buf_puts(b, "gantry_events_ignored{");
	put_label(b, "source", source);
	gan_buf_puts(b, ",");
	put_label(b, "topic", slash != NULL ? slash + 1 : t->source_topic);
	gan_buf_printf(b, "} %lld\n", (long long)t->ignored);
}

static void
put_store(const struct gan_store_counts *n, struct gan_buf *b)
{
	put_states(
	    b, "gantry_events", "Events in the store by state.", &gan_event_states, n->events);
	put_states(b, "gantry_queue_deliveries", "Deliveries in the store by state.",
	    &gan_delivery_states, n->deliveries);
	plain(
	    b, "gantry_events_duplicates", "gauge", "Events that had come before.", n->duplicates);
	head(b, "gantry_events_ignored", "gauge", "Events that no rule listens to.");
	for (size_t i = 0; i < n->ntopics && i < GAN_TOPIC_COUNTS_MAX; i++)
		put_topic(b, &n->topics[i]);
	plain(b, "gantry_quarantined_requests", "gauge", "Requests with a wrong signature, kept.",
	    n->quarantined);
	plain(b, "gantry_store_commits_total", "counter", "Commits since start.", n->commits);
	seconds(b, "gantry_store_last_commit_timestamp_seconds", "When the last commit was synced.",
	    n->last_commit_ms);
	plain(b, "gantry_store_size_bytes", "gauge", "Size of the database file.", n->file_bytes);
	plain(b, "gantry_store_wal_bytes", "gauge", "Size of its write-ahead log.", n->wal_bytes);
	plain(b, "gantry_store_free_bytes", "gauge", "Free space on its disk.", n->free_bytes);
	plain(b, "gantry_store_full", "gauge", "1 when the database takes no new events.", n->full);
	plain(b, "gantry_spool_records", "gauge", "Webhooks that wait in the emergency spool.",
	    n->spool_records);
	plain(b, "gantry_spool_bytes", "gauge", "How much of the spool is used.", n->spool_bytes);
	plain(b, "gantry_spool_size_bytes", "gauge", "Size of the spool; 0: there is none.",
	    n->spool_size);
	plain(b, "gantry_spool_broken", "gauge", "1 when the spool takes nothing more.",
	    n->spool_broken);
	plain(b, "gantry_spool_stuck", "gauge",
	    "1 when its import fails, for another reason than a full disk.", n->spool_stuck);
	plain(b, "gantry_spool_lost", "gauge", "Records of the spool that cannot be read.",
	    n->spool_lost);
	plain(b, "gantry_spool_taken_total", "counter", "Webhooks put into the spool since start.",
	    n->spool_taken);
	plain(b, "gantry_spool_imported_total", "counter",
	    "Webhooks imported from the spool since start.", n->spool_imported);
}

static void
put_outboxes(const struct gan_store_counts *n, struct gan_buf *b)
{
	head(b, "gantry_outbox_messages", "gauge", "Messages that wait to be fetched.");
	for (size_t i = 0; i < n->noutboxes; i++)
		sample(b, "gantry_outbox_messages", "connector", n->outboxes[i].connector,
		    n->outboxes[i].backlog);
	head(b, "gantry_outbox_oldest_timestamp_seconds", "gauge",
	    "When the oldest of them was made; 0: there is none.");
	for (size_t i = 0; i < n->noutboxes; i++)
		sample(b, "gantry_outbox_oldest_timestamp_seconds", "connector",
		    n->outboxes[i].connector, n->outboxes[i].oldest_ms / 1000);
}

static void
put_attention(const struct gan_metrics *m, struct gan_buf *b)
{
	int64_t paused = 0;

	for (size_t i = 0; i < m->nconnectors; i++)
		paused += m->connectors[i].paused != GAN_PAUSE_NONE;
	head(b, "gantry_attention_items", "gauge", "What waits for a person.");
	sample(b, "gantry_attention_items", "kind", "stored", m->store->attention);
	sample(b, "gantry_attention_items", "kind", "connector-paused", paused);
	sample(b, "gantry_attention_items", "kind", "config", m->rules_red);
}

static void
put_outcome(struct gan_buf *b, const char *connector, const char *outcome, uint64_t v)
{
	gan_buf_puts(b, "gantry_deliveries_total{");
	put_label(b, "connector", connector);
	gan_buf_puts(b, ",");
	put_label(b, "outcome", outcome);
	gan_buf_printf(b, "} %llu\n", (unsigned long long)v);
}

static void
put_connectors(const struct gan_metrics *m, struct gan_buf *b)
{
	const struct gan_connector_status *c = m->connectors;
	size_t n = m->nconnectors;

	head(b, "gantry_deliveries_total", "counter", "Attempts by connector and outcome.");
	for (size_t i = 0; i < n; i++) {
		put_outcome(b, c[i].name, "delivered", c[i].delivered);
		put_outcome(b, c[i].name, "retry", c[i].retried);
		put_outcome(b, c[i].name, "dead", c[i].dead);
		put_outcome(b, c[i].name, "unknown", c[i].unknown);
	}
	head(b, "gantry_connector_up", "gauge", "1 unless paused or its breaker is open.");
	for (size_t i = 0; i < n; i++)
		sample(b, "gantry_connector_up", "connector", c[i].name,
		    c[i].paused == GAN_PAUSE_NONE && !c[i].breaker_open);
	head(b, "gantry_connector_paused", "gauge", "1 when paused by a person or for its token.");
	for (size_t i = 0; i < n; i++)
		sample(b, "gantry_connector_paused", "connector", c[i].name,
		    c[i].paused != GAN_PAUSE_NONE);
	head(b, "gantry_breaker_open", "gauge", "1 when too many requests in a row failed.");
	for (size_t i = 0; i < n; i++)
		sample(b, "gantry_breaker_open", "connector", c[i].name, c[i].breaker_open);
	head(b, "gantry_connector_in_flight", "gauge", "Requests under way.");
	for (size_t i = 0; i < n; i++)
		sample(b, "gantry_connector_in_flight", "connector", c[i].name, c[i].in_flight);
	head(b, "gantry_connector_last_success_timestamp_seconds", "gauge",
	    "When the last delivery succeeded; 0: not since start.");
	for (size_t i = 0; i < n; i++)
		sample(b, "gantry_connector_last_success_timestamp_seconds", "connector", c[i].name,
		    c[i].last_ok_ms / 1000);
}

static void
put_probes(struct gan_buf *b, const char *connector, const char *result, uint64_t v)
{
	gan_buf_puts(b, "gantry_probes_total{");
	put_label(b, "connector", connector);
	gan_buf_puts(b, ",");
	put_label(b, "result", result);
	gan_buf_printf(b, "} %llu\n", (unsigned long long)v);
}

static void
put_quotas(const struct gan_metrics *m, struct gan_buf *b)
{
	static const char waited[] = "gantry_connector_quota_wait_seconds_total";
	const struct gan_connector_status *c = m->connectors;
	size_t n = m->nconnectors;

	head(b, "gantry_connector_quota_limit", "gauge",
	    "Requests of its account that may start in a window, less after a 429; 0: no quota.");
	for (size_t i = 0; i < n; i++)
		sample(b, "gantry_connector_quota_limit", "connector", c[i].name, c[i].quota_limit);
	head(b, "gantry_connector_quota_used", "gauge", "Of these, so many are used.");
	for (size_t i = 0; i < n; i++)
		sample(b, "gantry_connector_quota_used", "connector", c[i].name, c[i].quota_used);
	head(b, waited, "counter", "Time since start in which something waited for the quota.");
	for (size_t i = 0; i < n; i++) {
		gan_buf_printf(b, "%s{", waited);
		put_label(b, "connector", c[i].name);
		gan_buf_printf(b, "} %llu.%03u\n",
		    (unsigned long long)(c[i].quota_waited_ms / 1000),
		    (unsigned)(c[i].quota_waited_ms % 1000));
	}
	head(b, "gantry_probes_total", "counter",
	    "Looks for what may have been carried out, by what they saw.");
	for (size_t i = 0; i < n; i++) {
		put_probes(b, c[i].name, "found", c[i].found);
		put_probes(b, c[i].name, "different", c[i].different);
		put_probes(b, c[i].name, "absent", c[i].absent);
	}
}

static void
put_lag(const struct gan_lag *lag, struct gan_buf *b)
{
	static const char name[] = "gantry_loop_lag_seconds";
	uint64_t n = 0;

	head(b, name, "histogram",
	    "Turns of the event loop by their length: what arrives meanwhile waits as long.");
	for (size_t i = 0; i < GAN_LAG_BUCKETS; i++) {
		n += lag->counts[i];
		gan_buf_printf(b, "%s_bucket{le=\"%g\"} %llu\n", name, gan_lag_bounds_us[i] / 1e6,
		    (unsigned long long)n);
	}
	n += lag->counts[GAN_LAG_BUCKETS];
	gan_buf_printf(b, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name,
	    (unsigned long long)n, name, (double)lag->sum_us / 1e6, name, (unsigned long long)n);
	head(b, "gantry_loop_lag_max_seconds", "gauge", "The longest turn since start.");
	gan_buf_printf(b, "gantry_loop_lag_max_seconds %.6f\n", (double)lag->max_us / 1e6);
}

static void
put_process(const struct gan_metrics_process *p, struct gan_buf *b)
{
	head(b, "process_cpu_seconds_total", "counter", "Time on a processor.");
	gan_buf_printf(b, "process_cpu_seconds_total %.2f\n", p->cpu_s);
	plain(b, "process_resident_memory_bytes", "gauge", "Resident memory.", p->resident_bytes);
	plain(b, "process_virtual_memory_bytes", "gauge", "Virtual memory.", p->virtual_bytes);
	plain(b, "process_open_fds", "gauge", "Open file descriptors.", p->open_fds);
	plain(b, "process_max_fds", "gauge", "Most file descriptors allowed.", p->max_fds);
	seconds(b, "process_start_time_seconds", "Start of the process.", p->start_ms);
}

void
gan_metrics_put(const struct gan_metrics *m, struct gan_buf *out)
{
	put_gateway(m, out);
	put_inbound(m->inbound, out);
	put_store(m->store, out);
	put_outboxes(m->store, out);
	plain(out, "gantry_mapping_workers", "gauge", "Mapping workers that run.",
	    m->pool->workers_running);
	plain(out, "gantry_events_mapped_total", "counter", "Events mapped since start.",
	    (int64_t)m->pool->mapped);
	plain(out, "gantry_mapping_worker_restarts_total", "counter",
	    "Workers killed or crashed since start.", (int64_t)m->pool->restarts);
	put_attention(m, out);
	put_connectors(m, out);
	put_quotas(m, out);
	if (m->lag != NULL)
		put_lag(m->lag, out);
	put_process(&m->process, out);
}
