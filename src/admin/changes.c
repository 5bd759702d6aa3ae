/* SPDX-License-Identifier: MIT */
/*
 * changes.c - change channels and reconciliation, as status, metrics, attention
 * and doctor show them; and the verb `reconcile`.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "base/mem.h"
#include "inbound/feed.h"
#include "inbound/reconcile.h"

/* Both are NULL without memory, or when there are none. */
struct rows {
	struct gan_feed_status *feeds;
	struct gan_reconcile_status *kinds;
	size_t nfeeds, nkinds;
};

static void
rows_fini(struct rows *r)
{
	free(r->feeds);
	free(r->kinds);
}

static void
rows_get(const struct gan_admin *a, struct rows *r)
{
	*r = (struct rows){ 0 };
	if (a->ops.feeds != NULL && (r->feeds = calloc(GAN_FEEDS_MAX, sizeof(*r->feeds))) != NULL)
		r->nfeeds = gan_feeds_status(a->ops.feeds, r->feeds, GAN_FEEDS_MAX);
	if (a->ops.reconcile != NULL &&
	    (r->kinds = calloc(GAN_RECONCILE_MAX, sizeof(*r->kinds))) != NULL)
		r->nkinds = gan_reconcile_status(a->ops.reconcile, r->kinds, GAN_RECONCILE_MAX);
}

/* ---- status ----------------------------------------------------------------------- */

static void
put_feed(struct gan_buf *b, const struct gan_feed_status *f)
{
	gan_buf_puts(b, "{\"source\":");
	gan_put_str(b, f->source);
	gan_buf_puts(b, ",\"channel\":");
	gan_put_str(b, f->channel);
	gan_buf_printf(b, ",\"type\":\"%s\",\"connector\":", f->type);
	gan_put_str(b, f->connector);
	gan_buf_puts(b, ",\"last_read_at\":");
	gan_put_time(b, f->read_ms);
	gan_buf_puts(b, ",\"next_read_at\":");
	gan_put_time(b, f->next_ms);
	gan_buf_printf(b,
	    ",\"events\":%lld,\"lost\":%lld,\"locked_out\":%s,\"error\":", (long long)f->events,
	    (long long)f->lost, f->locked_out ? "true" : "false");
	gan_put_str(b, f->error);
	gan_buf_puts(b, ",\"error_since\":");
	gan_put_time(b, f->error_since_ms);
	gan_buf_putc(b, '}');
}

void
gan_changes_status(struct gan_admin *a, struct gan_buf *out)
{
	struct rows r GAN_AUTO(rows_fini) = { 0 };
	size_t before;

	rows_get(a, &r);
	gan_buf_puts(out, ",\"feeds\":[");
	for (size_t i = 0; i < r.nfeeds; i++) {
		if (i > 0)
			gan_buf_putc(out, ',');
		put_feed(out, &r.feeds[i]);
	}
	gan_buf_puts(out, "],\"reconcile\":[");
	before = out->len;
	if (a->ops.reconcile != NULL)
		gan_reconcile_put(a->ops.reconcile, NULL, out);
	if (out->len > before)
		out->len--; /* the comma behind the last row */
	gan_buf_putc(out, ']');
}

/* ---- attention, doctor --------------------------------------------------------------- */

unsigned
gan_changes_attention(struct gan_admin *a, struct gan_buf *out)
{
	struct rows r GAN_AUTO(rows_fini) = { 0 };
	unsigned items = 0;

	rows_get(a, &r);
	for (size_t i = 0; i < r.nfeeds; i++) {
		char reason[400];

		if (!r.feeds[i].locked_out)
			continue;
		items++;
		(void)snprintf(reason, sizeof(reason), "channel %s is not read here: %s",
		    r.feeds[i].channel, r.feeds[i].error != NULL ? r.feeds[i].error : "");
		gan_buf_puts(out, "{\"kind\":\"config\",\"id\":null,\"key\":null,\"source\":");
		gan_put_str(out, r.feeds[i].source);
		gan_buf_puts(out, ",\"connector\":");
		gan_put_str(out, r.feeds[i].connector);
		gan_buf_puts(out, ",\"operation\":null,\"rule\":null,\"reason\":");
		gan_put_str(out, reason);
		gan_buf_puts(out, ",\"since\":");
		gan_put_time(out, r.feeds[i].error_since_ms);
		gan_buf_puts(out, ",\"actions\":[\"reload\"]},");
	}
	return items;
}

void
gan_changes_doctor(struct gan_admin *a, gan_doctor_fn found, void *arg)
{
	struct rows r GAN_AUTO(rows_fini) = { 0 };
	char text[500];

	rows_get(a, &r);
	for (size_t i = 0; i < r.nfeeds; i++) {
		const struct gan_feed_status *f = &r.feeds[i];

		if (f->error == NULL)
			continue;
		(void)snprintf(text, sizeof(text), "channel %s of source %s is not read: %s",
		    f->channel, f->source, f->error);
		found(arg, "feeds", f->locked_out ? "problem" : "warning",
		    f->locked_out
			? "let one gantryd alone read it: take it out of the other configuration"
			: "its changes are kept for a day by the vendor; mend what is said here",
		    text);
	}
	for (size_t i = 0; i < r.nkinds; i++) {
		const struct gan_reconcile_status *k = &r.kinds[i];

		if (k->error == NULL)
			continue;
		(void)snprintf(text, sizeof(text), "reconciliation of %s for source %s fails: %s",
		    k->type, k->source, k->error);
		found(arg, "reconcile", "warning",
		    "it is tried again by itself; `gantryctl reconcile` does it now", text);
	}
}

/* ---- metrics ---------------------------------------------------------------------------- */

static void
head(struct gan_buf *b, const char *name, const char *type, const char *help)
{
	gan_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A channel's name is whatever the vendor's menu says. */
static void
feed_sample(struct gan_buf *b, const char *name, const struct gan_feed_status *f, int64_t v)
{
	gan_buf_printf(b, "%s{source=\"%s\",channel=\"", name, f->source);
	for (const char *s = f->channel; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			gan_buf_putc(b, '\\');
		if (*s == '\n')
			gan_buf_puts(b, "\\n");
		else
			gan_buf_putc(b, *s);
	}
	gan_buf_printf(b, "\"} %lld\n", (long long)v);
}

static void
put_feeds(const struct rows *r, struct gan_buf *b)
{
	head(b, "gantry_feed_last_read_timestamp_seconds", "gauge",
	    "When a change channel was read last; 0: never.");
	for (size_t i = 0; i < r->nfeeds; i++)
		feed_sample(b, "gantry_feed_last_read_timestamp_seconds", &r->feeds[i],
		    r->feeds[i].read_ms / 1000);
	head(b, "gantry_feed_events_total", "counter", "Events that a change channel brought.");
	for (size_t i = 0; i < r->nfeeds; i++)
		feed_sample(b, "gantry_feed_events_total", &r->feeds[i], r->feeds[i].events);
	head(b, "gantry_feed_lost_total", "counter", "Reads of a change channel that may be lost.");
	for (size_t i = 0; i < r->nfeeds; i++)
		feed_sample(b, "gantry_feed_lost_total", &r->feeds[i], r->feeds[i].lost);
	head(b, "gantry_feed_up", "gauge", "1 when the last read of a change channel went well.");
	for (size_t i = 0; i < r->nfeeds; i++)
		feed_sample(b, "gantry_feed_up", &r->feeds[i], r->feeds[i].error == NULL);
}

static void
kind_sample(struct gan_buf *b, const char *name, const struct gan_reconcile_status *k, int64_t v)
{
	gan_buf_printf(
	    b, "%s{source=\"%s\",type=\"%s\"} %lld\n", name, k->source, k->type, (long long)v);
}

static void
put_kinds(const struct rows *r, struct gan_buf *b)
{
	head(b, "gantry_reconcile_missed_total", "counter",
	    "Changes that nobody told and reconciliation found.");
	for (size_t i = 0; i < r->nkinds; i++) {
		if (!r->kinds[i].counted)
			kind_sample(
			    b, "gantry_reconcile_missed_total", &r->kinds[i], r->kinds[i].missed);
	}
	head(b, "gantry_reconcile_last_timestamp_seconds", "gauge",
	    "When the last complete round began; 0: there was none.");
	for (size_t i = 0; i < r->nkinds; i++)
		kind_sample(b, "gantry_reconcile_last_timestamp_seconds", &r->kinds[i],
		    r->kinds[i].at_ms / 1000);
	head(b, "gantry_reconcile_movements_difference", "gauge",
	    "Inventory movements that are listed, less those that webhooks told.");
	for (size_t i = 0; i < r->nkinds; i++) {
		if (r->kinds[i].counted)
			kind_sample(b, "gantry_reconcile_movements_difference", &r->kinds[i],
			    r->kinds[i].difference);
	}
}

void
gan_changes_metrics(struct gan_admin *a, struct gan_buf *out)
{
	struct rows r GAN_AUTO(rows_fini) = { 0 };

	rows_get(a, &r);
	if (r.nfeeds > 0)
		put_feeds(&r, out);
	if (r.nkinds > 0)
		put_kinds(&r, out);
}

/* ---- the verb --------------------------------------------------------------------------- */

static void
reconciled(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;

	switch (rc) {
	case GAN_OK:
		gan_call_reply(c, GAN_EXIT_OK, json, len, NULL);
		return;
	case GAN_ESTATE:
		gan_call_reply(c, GAN_EXIT_NEGATIVE, json, len, "not all of it could be asked");
		return;
	case GAN_ENOENT:
		gan_call_fail(c, GAN_EXIT_NEGATIVE,
		    gan_call_str(c, "source") != NULL
			? "there is no source of this name with a `reconcile` section"
			: "no source has a `reconcile` section");
		return;
	default:
		gan_call_store_failed(c, rc, NULL);
	}
}

static void
reconcile_noted(struct gan_call *c)
{
	gan_reconcile_now(c->admin->ops.reconcile, gan_call_str(c, "source"), reconciled, c);
}

void
gan_verb_reconcile(struct gan_call *c)
{
	if (c->admin->ops.reconcile == NULL)
		reconciled(c, GAN_ENOENT, "", 0);
	else
		gan_call_note(c, gan_call_str(c, "source"), reconcile_noted);
}
