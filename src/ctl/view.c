/* SPDX-License-Identifier: MIT */
/* view.c - status, its verdict, and `rules try`, as a person reads them. */
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

/* A member's text, made safe; "-" when there is none. */
static void
put_member(struct gan_span object, const char *path, struct gan_buf *out)
{
	char *text GAN_AUTO(gan_str_free) = gan_span_dup(gan_span_path(object, path));

	if (text == NULL || *text == '\0')
		gan_buf_putc(out, '-');
	else
		gan_ctl_put_safe(out, text, strlen(text), false);
}

static bool
is_true(struct gan_span object, const char *path)
{
	return gan_span_kind(gan_span_path(object, path)) == 't';
}

static bool
is_set(struct gan_span object, const char *path)
{
	char kind = gan_span_kind(gan_span_path(object, path));

	return kind != 0 && kind != 'n' && kind != 'f';
}

/* "received 0, mapped 12": numbers of an object in one line. */
static void
put_counts(struct gan_span object, struct gan_buf *out)
{
	struct gan_span_iter it = { 0 };
	struct gan_span name, value;
	bool first = true;

	while (gan_span_next(object, &it, &name, &value)) {
		gan_buf_puts(out, first ? "" : ", ");
		first = false;
		gan_ctl_put_safe(out, name.p + 1, name.n - 2, false);
		gan_buf_putc(out, ' ');
		gan_buf_put(out, value.p, value.n);
	}
	if (first)
		gan_buf_puts(out, "-");
	gan_buf_putc(out, '\n');
}

static void
put_quota(struct gan_span quota, struct gan_buf *out)
{
	if (gan_span_kind(quota) != '{')
		return;
	gan_buf_puts(out, "; quota ");
	put_member(quota, "used", out);
	gan_buf_puts(out, " of ");
	put_member(quota, "limit", out);
	gan_buf_puts(out, " in ");
	put_member(quota, "window", out);
	if (is_set(quota, "short_since") && is_set(quota, "room_at")) {
		gan_buf_puts(out, ", WAITING until ");
		put_member(quota, "room_at", out);
	}
}

static void
put_connector(struct gan_span c, struct gan_buf *out)
{
	gan_buf_puts(out, "  ");
	put_member(c, "name", out);
	gan_buf_puts(out, " (");
	put_member(c, "kind", out);
	gan_buf_puts(out, "): ");
	if (is_set(c, "paused")) {
		gan_buf_puts(out, gan_span_is(gan_span_get(c, "paused"), "token")
				      ? "PAUSED, its credentials are refused: "
				      : "PAUSED by a person: ");
		put_member(c, "pause_reason", out);
	} else if (is_true(c, "breaker_open")) {
		gan_buf_puts(out, "BREAKER OPEN: ");
		put_member(c, "last_error", out);
	} else if (is_set(c, "wait_until")) {
		gan_buf_puts(out, "asked to wait until ");
		put_member(c, "wait_until", out);
	} else {
		gan_buf_puts(out, "ok");
	}
	put_quota(gan_span_get(c, "quota"), out);
	gan_buf_puts(out, "; in flight ");
	put_member(c, "in_flight", out);
	gan_buf_puts(out, "; since start delivered ");
	put_member(c, "delivered", out);
	gan_buf_puts(out, ", retried ");
	put_member(c, "retried", out);
	gan_buf_puts(out, ", dead ");
	put_member(c, "dead", out);
	gan_buf_puts(out, ", unknown ");
	put_member(c, "unknown", out);
	gan_buf_putc(out, '\n');
}

/* Of several findings, line by line, the first that is an error. */
static void
put_first_error(struct gan_span findings, struct gan_buf *out)
{
	char *text GAN_AUTO(gan_str_free) = gan_span_dup(findings);
	const char *at = text != NULL ? strstr(text, ": error: ") : NULL;

	if (text == NULL)
		return;
	while (at != NULL && at > text && at[-1] != '\n')
		at--;
	at = at != NULL ? at : text;
	gan_ctl_put_safe(out, at, strcspn(at, "\n"), false);
}

static void
put_reload(struct gan_span s, struct gan_buf *out)
{
	gan_buf_puts(out, "last reload  ");
	put_member(s, "last_reload.at", out);
	if (is_set(s, "last_reload")) {
		gan_buf_puts(out, is_true(s, "last_reload.ok") ? " accepted" : " REFUSED: ");
		if (!is_true(s, "last_reload.ok"))
			put_first_error(gan_span_path(s, "last_reload.error"), out);
	}
	gan_buf_putc(out, '\n');
}

static void
put_line(struct gan_span s, const char *label, const char *path, struct gan_buf *out)
{
	gan_buf_printf(out, "%-13s", label);
	put_member(s, path, out);
	gan_buf_putc(out, '\n');
}

static void
put_outboxes(struct gan_span list, struct gan_buf *out)
{
	struct gan_span_iter it = { 0 };
	struct gan_span o;

	while (gan_span_next(list, &it, NULL, &o)) {
		gan_buf_puts(out, "outbox       ");
		put_member(o, "connector", out);
		gan_buf_puts(out, ": ");
		put_member(o, "backlog", out);
		gan_buf_puts(out, " messages wait to be fetched");
		if (is_set(o, "oldest_at")) {
			gan_buf_puts(out, ", the oldest of ");
			put_member(o, "oldest_at", out);
		}
		gan_buf_putc(out, '\n');
	}
}

/* "prodsmart-feed PRODUCTION: read at ..., 12 events"; what is wrong stands behind it. */
static void
put_feed(struct gan_span f, struct gan_buf *out)
{
	gan_buf_puts(out, "  ");
	put_member(f, "source", out);
	gan_buf_putc(out, ' ');
	put_member(f, "channel", out);
	gan_buf_puts(out, ": ");
	put_member(f, "events", out);
	gan_buf_puts(out, " events, ");
	put_member(f, "lost", out);
	gan_buf_puts(out, " reads may be lost; last read ");
	if (is_set(f, "last_read_at"))
		put_member(f, "last_read_at", out);
	else
		gan_buf_puts(out, "never");
	if (is_set(f, "error")) {
		gan_buf_puts(out, "; NOT READ: ");
		put_member(f, "error", out);
	}
	gan_buf_putc(out, '\n');
}

static void
put_reconciled(struct gan_span k, struct gan_buf *out)
{
	gan_buf_puts(out, "  ");
	put_member(k, "source", out);
	gan_buf_putc(out, ' ');
	put_member(k, "type", out);
	gan_buf_puts(out, ": ");
	put_member(k, "listed", out);
	gan_buf_puts(out, " listed, ");
	put_member(k, is_set(k, "difference") ? "difference" : "missed_total", out);
	gan_buf_puts(out, is_set(k, "difference") ? " not told; last " : " missed ever; last ");
	if (is_set(k, "last_at"))
		put_member(k, "last_at", out);
	else
		gan_buf_puts(out, "never");
	if (is_set(k, "error")) {
		gan_buf_puts(out, "; FAILS: ");
		put_member(k, "error", out);
	}
	gan_buf_putc(out, '\n');
}

static void
put_rows(struct gan_span s, const char *name, void (*put)(struct gan_span, struct gan_buf *),
    struct gan_buf *out)
{
	struct gan_span rows = gan_span_get(s, name), row;
	struct gan_span_iter it = { 0 };

	if (gan_span_count(rows) > 0)
		gan_buf_printf(out, "%s\n", name);
	while (gan_span_next(rows, &it, NULL, &row))
		put(row, out);
}

void
gan_ctl_put_status(struct gan_span s, struct gan_buf *out)
{
	struct gan_span connectors = gan_span_get(s, "connectors"), c;
	struct gan_span_iter it = { 0 };

	gan_buf_puts(out, "gantryd ");
	put_member(s, "version", out);
	gan_buf_puts(out, " at ");
	put_member(s, "site", out);
	gan_buf_puts(out, is_true(s, "ready") ? ": ready" : ": NOT READY: ");
	if (!is_true(s, "ready"))
		put_member(s, "not_ready", out);
	gan_buf_putc(out, '\n');
	put_line(s, "started", "started_at", out);
	put_line(s, "generation", "generation", out);
	put_reload(s, out);
	if (is_set(s, "rules_red"))
		put_line(s, "rules", "rules_red", out);
	put_line(s, "attention", "attention", out);
	gan_buf_puts(out, "events       ");
	put_counts(gan_span_get(s, "events"), out);
	gan_buf_puts(out, "deliveries   ");
	put_counts(gan_span_get(s, "deliveries"), out);
	put_line(s, "duplicates", "duplicates", out);
	put_line(s, "quarantined", "quarantined", out);
	put_line(s, "listens on", "listen.public", out);
	if (is_true(s, "store.full"))
		gan_buf_puts(out, "store        FULL: the database takes no new events\n");
	if (gan_span_int(gan_span_path(s, "store.spool.records"), 0) > 0)
		put_line(s, "spooled", "store.spool.records", out);
	if (gan_span_count(gan_span_get(s, "ignored_topics")) > 0) {
		gan_buf_puts(out, "ignored      ");
		put_counts(gan_span_get(s, "ignored_topics"), out);
	}
	put_outboxes(gan_span_get(s, "outboxes"), out);
	gan_buf_puts(out, "connectors\n");
	while (gan_span_next(connectors, &it, NULL, &c))
		put_connector(c, out);
	put_rows(s, "feeds", put_feed, out);
	put_rows(s, "reconcile", put_reconciled, out);
}

static unsigned
put_reason(struct gan_buf *out, const char *lead, struct gan_span s, const char *path)
{
	gan_buf_puts(out, lead);
	put_member(s, path, out);
	gan_buf_putc(out, '\n');
	return 1;
}

unsigned
gan_ctl_unhealthy(struct gan_span s, struct gan_buf *out)
{
	struct gan_span connectors = gan_span_get(s, "connectors"), c;
	struct gan_span feeds = gan_span_get(s, "feeds");
	struct gan_span_iter it = { 0 };
	unsigned n = 0;

	if (!is_true(s, "ready"))
		n += put_reason(out, "not ready: ", s, "not_ready");
	if (is_true(s, "store.full"))
		n += put_reason(out, "the store is full; free bytes: ", s, "store.free_bytes");
	if (gan_span_int(gan_span_path(s, "store.spool.records"), 0) > 0)
		n += put_reason(
		    out, "webhooks wait in the emergency spool: ", s, "store.spool.records");
	if (is_true(s, "store.spool.broken"))
		n += put_reason(out, "the emergency spool failed; bytes: ", s, "store.spool.size");
	if (is_set(s, "rules_red"))
		n += put_reason(out, "rules are red: ", s, "rules_red");
	while (gan_span_next(connectors, &it, NULL, &c)) {
		if (is_set(c, "paused"))
			n += put_reason(out, "a connector is paused: ", c, "name");
		else if (is_true(c, "breaker_open"))
			n += put_reason(out, "a connector's breaker is open: ", c, "name");
	}
	for (it = (struct gan_span_iter){ 0 }; gan_span_next(feeds, &it, NULL, &c);) {
		if (is_set(c, "error"))
			n += put_reason(out, "a change channel is not read: ", c, "error");
	}
	if (gan_span_int(gan_span_get(s, "attention"), 0) > 0)
		n += put_reason(
		    out, "items that need a person (gantryctl attention): ", s, "attention");
	return n;
}

/* What the connector says of an output. */
static void
put_opinion(struct gan_span output, const char *name, const char *words, struct gan_buf *out)
{
	if (!is_set(output, name))
		return;
	gan_buf_printf(out, "  %s", words);
	put_member(output, name, out);
	gan_buf_putc(out, '\n');
}

static void
put_after(struct gan_span output, struct gan_buf *out)
{
	struct gan_span after = gan_span_get(output, "after"), effect;
	struct gan_span_iter it = { 0 };
	const char *between = ", after ";

	while (gan_span_kind(after) == '[' && gan_span_next(after, &it, NULL, &effect)) {
		char *text GAN_AUTO(gan_str_free) = gan_span_dup(effect);

		gan_buf_puts(out, between);
		if (text != NULL)
			gan_ctl_put_safe(out, text, strlen(text), false);
		between = " and ";
	}
}

void
gan_ctl_put_try(struct gan_span r, struct gan_buf *out)
{
	struct gan_span outputs = gan_span_get(r, "outputs"), o;
	struct gan_span_iter it = { 0 };
	struct gan_buf body GAN_AUTO(gan_buf_fini) = { 0 };
	unsigned n = 0;

	put_member(r, "rule", out);
	gan_buf_puts(out, " -> ");
	put_member(r, "to", out);
	gan_buf_putc(out, '\n');
	if (gan_span_kind(gan_span_get(r, "listens")) == 'f')
		gan_buf_puts(out, "note: by its `from` the rule does not listen to this event\n");
	if (is_set(r, "reject")) {
		gan_buf_puts(out, "rejected: ");
		put_member(r, "reject", out);
		gan_buf_putc(out, '\n');
		return;
	}
	while (gan_span_next(outputs, &it, NULL, &o)) {
		gan_buf_printf(out, "request %u: key ", ++n);
		put_member(o, "key", out);
		gan_buf_puts(out, ", effect ");
		put_member(o, "effect", out);
		put_after(o, out);
		gan_buf_puts(out, "\n  ");
		gan_buf_clear(&body);
		gan_span_pretty(gan_span_get(o, "body"), 2, &body);
		gan_ctl_put_safe(out, body.data != NULL ? body.data : "", body.len, true);
		gan_buf_putc(out, '\n');
		put_opinion(o, "refused", "would not be sent: ", out);
		put_opinion(o, "warning", "warning: ", out);
	}
	if (n == 0)
		gan_buf_puts(out, "nothing to send\n");
}
