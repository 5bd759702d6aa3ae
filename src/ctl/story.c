/* SPDX-License-Identifier: MIT */
/*
 * story.c - what became of a key, told in order: what came in, what was made
 * of it, every try with what was asked and answered, and what a person can do.
 *
 * Flex2B's 200 means received; the words here say "delivered" and nothing
 * beyond that.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

#define EXCERPT 400

struct teller {
	struct gan_buf *out;
	const struct gan_ctl_telling *how;
};

static void
put_text(struct teller *t, struct gan_span s, const char *otherwise)
{
	char *text GAN_AUTO(gan_str_free) = gan_span_dup(s);

	if (text == NULL || *text == '\0')
		gan_buf_puts(t->out, otherwise);
	else
		gan_ctl_put_safe(t->out, text, strlen(text), false);
}

static bool
is_set(struct gan_span s)
{
	char kind = gan_span_kind(s);

	return kind != 0 && kind != 'n' && !(kind == '"' && s.n == 2);
}

/* A line of the story: "  label: text", left out when there is no text. */
static void
put_line(struct teller *t, unsigned indent, const char *label, struct gan_span s)
{
	if (!is_set(s))
		return;
	gan_buf_printf(t->out, "%*s%s ", (int)indent, "", label);
	put_text(t, s, "-");
	gan_buf_putc(t->out, '\n');
}

static void
put_state(struct teller *t, struct gan_span state)
{
	static const struct {
		const char *name, *sgr;
	} colors[] = {
		{ "delivered", "\033[32m" },
		{ "waiting", "\033[33m" },
		{ "sending", "\033[36m" },
		{ "unknown", "\033[31m" },
		{ "dead", "\033[31m" },
		{ "expired", "\033[31m" },
		{ "rejected", "\033[31m" },
	};
	const char *sgr = NULL;

	for (size_t i = 0; t->how->color && i < GAN_COUNT(colors); i++) {
		if (gan_span_is(state, colors[i].name))
			sgr = colors[i].sgr;
	}
	gan_buf_puts(t->out, sgr != NULL ? sgr : "");
	put_text(t, state, "?");
	gan_buf_puts(t->out, sgr != NULL ? "\033[0m" : "");
}

const char *
gan_ctl_advice(const char *kind)
{
	static const struct {
		const char *kind, *advice;
	} table[] = {
		{ "unknown",
		    "look in the target's own screens whether it arrived, then `gantryctl resolve "
		    "%s --as sent` or `--as not-sent`" },
		{ "dead",
		    "mend the cause, then `gantryctl retry %s`; `gantryctl correct %s --edit` if its "
		    "body is what is wrong; or `gantryctl skip %s` if it must not be sent" },
		{ "expired",
		    "it is older than its rule allows: `gantryctl retry %s` sends it all the same, "
		    "`gantryctl skip %s` drops it" },
		{ "rejected",
		    "mend the rule or its table, `gantryctl reload`, then `gantryctl retry %s`; or "
		    "`gantryctl skip %s`" },
	};

	for (size_t i = 0; i < GAN_COUNT(table); i++) {
		if (strcmp(table[i].kind, kind) == 0)
			return table[i].advice;
	}
	return NULL;
}

/* The advice with the id in place of each %s. */
static void
put_advice(struct teller *t, unsigned indent, struct gan_span state, struct gan_span id)
{
	char *kind GAN_AUTO(gan_str_free) = gan_span_dup(state);
	const char *advice = kind != NULL ? gan_ctl_advice(kind) : NULL;

	if (advice == NULL)
		return;
	gan_buf_printf(t->out, "%*swhat to do: ", (int)indent, "");
	for (const char *s = advice; *s != '\0'; s++) {
		if (s[0] == '%' && s[1] == 's') {
			put_text(t, id, "ID");
			s++;
		} else {
			gan_buf_putc(t->out, *s);
		}
	}
	gan_buf_putc(t->out, '\n');
}

/* The first line of a text of several. */
static void
put_first_line(struct teller *t, struct gan_span s)
{
	char *text GAN_AUTO(gan_str_free) = gan_span_dup(s);

	if (text != NULL)
		gan_ctl_put_safe(t->out, text, strcspn(text, "\r\n"), false);
}

/* An answer or body, on one line and not longer than an excerpt, unless all was asked for. */
static void
put_excerpt(struct teller *t, unsigned indent, const char *label, struct gan_span s)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	bool cut;

	if (!is_set(s))
		return;
	gan_span_text(s, &b);
	gan_buf_printf(t->out, "%*s%s ", (int)indent, "", label);
	cut = !t->how->full && b.len > EXCERPT;
	if (b.data != NULL)
		gan_ctl_put_safe(t->out, b.data, cut ? EXCERPT : b.len, false);
	gan_buf_puts(t->out, cut ? " ... (whole with --bodies)\n" : "\n");
}

/* A head, a line of it a line. */
static void
put_head(struct teller *t, const char *label, struct gan_span s)
{
	char *text GAN_AUTO(gan_str_free) = t->how->full ? gan_span_dup(s) : NULL;

	for (const char *p = text; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, "\r\n");

		if (n > 0) {
			gan_buf_printf(t->out, "      %s ", label);
			gan_ctl_put_safe(t->out, p, n, false);
			gan_buf_putc(t->out, '\n');
		}
		p += n + strspn(p + n, "\r\n");
	}
}

/* What is then said beside the answer is no error. */
static bool
went_well(struct gan_span verdict)
{
	return gan_span_is(verdict, "delivered") || gan_span_is(verdict, "found") ||
	       gan_span_is(verdict, "absent");
}

static void
put_attempt(struct teller *t, struct gan_span a, size_t no)
{
	struct gan_span status = gan_span_get(a, "status");

	gan_buf_printf(t->out, "    try %zu, ", no);
	put_text(t, gan_span_get(a, "at"), "-");
	gan_buf_puts(t->out, ": ");
	put_first_line(t, gan_span_get(a, "request"));
	gan_buf_puts(t->out, " -> ");
	if (gan_span_int(status, 0) > 0)
		put_text(t, status, "-");
	else
		gan_buf_puts(t->out, "no answer");
	if (is_set(gan_span_get(a, "verdict"))) {
		gan_buf_puts(t->out, " (");
		put_text(t, gan_span_get(a, "verdict"), "");
		gan_buf_puts(t->out, ")");
	}
	gan_buf_putc(t->out, '\n');
	put_head(t, ">", gan_span_get(a, "request"));
	put_line(t, 6,
	    went_well(gan_span_get(a, "verdict")) ? "note:" : "error:", gan_span_get(a, "error"));
	put_head(t, "<", gan_span_get(a, "response_head"));
	put_excerpt(t, 6, "answer:", gan_span_get(a, "response"));
}

/* "by root(0), 2026-…: skip, waiting -> skipped: goes by hand" */
static void
put_deed(struct teller *t, unsigned indent, struct gan_span a)
{
	gan_buf_printf(t->out, "%*sby ", (int)indent, "");
	put_text(t, gan_span_get(a, "who"), "-");
	gan_buf_puts(t->out, ", ");
	put_text(t, gan_span_get(a, "at"), "-");
	gan_buf_puts(t->out, ": ");
	put_text(t, gan_span_get(a, "verb"), "-");
	if (is_set(gan_span_get(a, "before")) && is_set(gan_span_get(a, "after"))) {
		gan_buf_puts(t->out, ", ");
		put_text(t, gan_span_get(a, "before"), "-");
		gan_buf_puts(t->out, " -> ");
		put_text(t, gan_span_get(a, "after"), "-");
	}
	if (is_set(gan_span_get(a, "reason"))) {
		gan_buf_puts(t->out, ": ");
		put_text(t, gan_span_get(a, "reason"), "-");
	}
	gan_buf_putc(t->out, '\n');
}

/*
 * Times are in one form, so their texts compare as they do.  What a person did
 * in the millisecond of a try made it due, so it comes first.
 */
static bool
deed_is_first(struct gan_span a, struct gan_span b)
{
	char *x GAN_AUTO(gan_str_free) = gan_span_dup(gan_span_get(a, "at"));
	char *y GAN_AUTO(gan_str_free) = gan_span_dup(gan_span_get(b, "at"));

	return x != NULL && y != NULL && strcmp(x, y) <= 0;
}

/* Tries, and what people did, in the order of time; *ret_answer: of the last try. */
static size_t
put_course(struct teller *t, struct gan_span d, struct gan_span *ret_answer)
{
	struct gan_span tries = gan_span_get(d, "tries"), deeds = gan_span_get(d, "audit"), a, b;
	struct gan_span_iter ita = { 0 }, itb = { 0 };
	bool has_try = gan_span_next(tries, &ita, NULL, &a);
	bool has_deed = gan_span_next(deeds, &itb, NULL, &b);
	size_t no = 0;

	while (has_try || has_deed) {
		if (has_deed && (!has_try || deed_is_first(b, a))) {
			put_deed(t, 4, b);
			has_deed = gan_span_next(deeds, &itb, NULL, &b);
		} else {
			put_attempt(t, a, ++no);
			*ret_answer = gan_span_get(a, "response");
			has_try = gan_span_next(tries, &ita, NULL, &a);
		}
	}
	return no;
}

/*
 * How it stands: without the tries themselves the last one, and in any case
 * what keeps it from being delivered.
 */
static void
put_last(struct teller *t, struct gan_span d, bool with_try)
{
	struct gan_span last = gan_span_get(d, "last");

	if (!is_set(last))
		return;
	if (with_try && is_set(gan_span_get(last, "at"))) {
		gan_buf_puts(t->out, "    last try, ");
		put_text(t, gan_span_get(last, "at"), "-");
		gan_buf_puts(t->out, ": ");
		if (gan_span_kind(gan_span_get(d, "tries")) == '[') /* all are known: none left */
			gan_buf_puts(t->out, "not sent");
		else if (gan_span_int(gan_span_get(last, "status"), 0) > 0)
			put_text(t, gan_span_get(last, "status"), "-");
		else
			gan_buf_puts(t->out, "no answer");
		gan_buf_putc(t->out, '\n');
	}
	/* Why it was skipped stands with the name of who did it. */
	if (gan_span_is(gan_span_get(d, "state"), "skipped") &&
	    gan_span_count(gan_span_get(d, "audit")) > 0)
		return;
	if (!gan_span_is(gan_span_get(d, "state"), "delivered"))
		put_line(t, 4, "reason:", gan_span_get(last, "error"));
}

static struct gan_span
connector_of(const struct teller *t, struct gan_span d)
{
	struct gan_span all = gan_span_get(t->how->status, "connectors"), c;
	char *name GAN_AUTO(gan_str_free) = gan_span_dup(gan_span_get(d, "connector"));
	struct gan_span_iter it = { 0 };

	while (name != NULL && gan_span_next(all, &it, NULL, &c)) {
		if (gan_span_is(gan_span_get(c, "name"), name))
			return c;
	}
	return (struct gan_span){ NULL, 0 };
}

/* A waiting delivery: what it waits for. */
static void
put_wait(struct teller *t, struct gan_span d)
{
	struct gan_span c = connector_of(t, d), paused = gan_span_get(c, "paused");

	if (is_set(paused)) {
		gan_buf_puts(t->out, "    waits: ");
		put_text(t, gan_span_get(c, "name"), "-");
		gan_buf_puts(t->out, gan_span_is(paused, "token")
					 ? " is paused, its credentials are refused: "
					 : " is paused by a person: ");
		put_text(t, gan_span_get(c, "pause_reason"), "no reason given");
		gan_buf_puts(t->out, " (`gantryctl resume ");
		put_text(t, gan_span_get(c, "name"), "NAME");
		gan_buf_puts(t->out, "` when it may go on)\n");
		return;
	}
	if (is_set(gan_span_get(d, "outbox"))) {
		gan_buf_puts(t->out,
		    gan_span_kind(gan_span_path(d, "outbox.told")) == 't'
			? "    waits in the outbox: it was fetched, and is not acknowledged\n"
			: "    waits in the outbox until it is fetched\n");
		return;
	}
	if (is_set(gan_span_get(d, "behind"))) {
		put_line(t, 4, "waits behind another of its key:", gan_span_get(d, "behind"));
		return;
	}
	if (gan_span_kind(gan_span_get(c, "breaker_open")) == 't')
		put_line(t, 4, "waits: the connector keeps failing, it is tried again at",
		    gan_span_get(c, "breaker_until"));
	else if (is_set(gan_span_get(c, "wait_until")))
		put_line(t, 4, "waits: the connector asked to wait until",
		    gan_span_get(c, "wait_until"));
	else if (is_set(gan_span_path(c, "quota.short_since")))
		put_line(t, 4, "waits: the quota of the account is used up, there is room again at",
		    gan_span_path(c, "quota.room_at"));
	put_line(t, 4, "next try:", gan_span_get(d, "next_at"));
}

/* Who changed the body, and which delivery is the other one. */
static void
put_corrections(struct teller *t, struct gan_span d)
{
	struct gan_span made = gan_span_get(d, "correction"), waits = gan_span_get(d, "to_approve");

	put_line(t, 4, "of replay:", gan_span_get(d, "replay"));
	put_line(t, 4, "corrected copy of:", gan_span_get(d, "corrects"));
	put_line(t, 4, "corrected by:", gan_span_get(made, "who"));
	put_line(t, 4, "correction:", gan_span_get(made, "reason"));
	put_line(t, 4, "approved by:", gan_span_get(made, "approved_by"));
	put_line(t, 4, "replaced by:", gan_span_get(d, "replaced_by"));
	if (!is_set(waits))
		return;
	put_line(t, 4, "a correction waits for an approval, by:", gan_span_get(waits, "who"));
	put_line(t, 4, "correction:", gan_span_get(waits, "reason"));
	put_excerpt(t, 4, "new body:", gan_span_get(waits, "request"));
	gan_buf_puts(t->out, "    what to do: another user looks at it, then `gantryctl approve ");
	put_text(t, gan_span_get(d, "id"), "ID");
	gan_buf_puts(t->out, "`\n");
}

/* What it comes after, and that a person may let it go: while that is what holds it. */
static void
put_after(struct teller *t, struct gan_span d)
{
	static const char held[] = "waits until delivered: effect";
	char *why GAN_AUTO(gan_str_free) = gan_span_dup(gan_span_path(d, "last.error"));

	put_line(t, 4, "comes after:", gan_span_get(d, "after"));
	if (!is_set(gan_span_get(d, "after")) || why == NULL ||
	    strncmp(why, held, strlen(held)) != 0)
		return;
	gan_buf_puts(t->out, "    if it need not come first: `gantryctl retry ");
	put_text(t, gan_span_get(d, "id"), "ID");
	gan_buf_puts(t->out, " --without-after --reason TEXT`\n");
}

/* Which delivery an event of source `answers` tells of, and where it all began. */
static void
put_answer(struct teller *t, struct gan_span e)
{
	struct gan_span a = gan_span_get(e, "answer");

	if (!is_set(a))
		return;
	gan_buf_puts(t->out, "  answer of delivery ");
	put_text(t, gan_span_get(a, "delivery"), "-");
	gan_buf_puts(t->out, "; it began with event ");
	put_text(t, gan_span_get(a, "origin"), "-");
	gan_buf_printf(t->out, ", answer %lld of at most 8\n",
	    (long long)gan_span_int(gan_span_get(a, "depth"), 1));
}

static void
put_delivery(struct teller *t, struct gan_span d)
{
	struct gan_span_iter it = { 0 };
	struct gan_span event, state = gan_span_get(d, "state"), gave = gan_span_get(d, "response");
	struct gan_span answer = { NULL, 0 };
	size_t no;

	gan_buf_puts(t->out, "  delivery ");
	put_text(t, gan_span_get(d, "id"), "-");
	gan_buf_puts(t->out, " to ");
	put_text(t, gan_span_get(d, "connector"), "-");
	gan_buf_putc(t->out, '/');
	put_text(t, gan_span_get(d, "operation"), "-");
	gan_buf_puts(t->out, " by rule ");
	put_text(t, gan_span_get(d, "rule"), "-");
	gan_buf_puts(t->out, ": ");
	put_state(t, state);
	if (gan_span_int(gan_span_get(d, "attempts"), 0) > 1) {
		gan_buf_puts(t->out, " after ");
		put_text(t, gan_span_get(d, "attempts"), "-");
		gan_buf_puts(t->out, " tries");
	}
	gan_buf_putc(t->out, '\n');
	put_line(t, 4, "key:", gan_span_get(d, "key"));
	put_line(t, 4, "effect:", gan_span_get(d, "effect"));
	put_excerpt(t, 4, "body:", gan_span_get(d, "request"));
	put_corrections(t, d);
	no = put_course(t, d, &answer);
	put_last(t, d, no == 0);
	if (answer.n != gave.n || answer.n == 0 || memcmp(answer.p, gave.p, gave.n) != 0)
		put_excerpt(t, 4, "the target gave:", gave);
	if (gan_span_is(state, "waiting"))
		put_wait(t, d);
	if (!gan_span_is(state, "delivered") && !gan_span_is(state, "skipped"))
		put_after(t, d);
	while (gan_span_next(gan_span_get(d, "answers"), &it, NULL, &event))
		put_line(t, 4, "answered by event:", event);
	put_advice(t, 4, state, gan_span_get(d, "id"));
}

/* meta says how the sender was proven: which header, algorithm, encoding and secret, or token. */
static void
put_meta(struct teller *t, struct gan_span meta)
{
	struct gan_span sig = gan_span_get(meta, "signature");

	if (gan_span_kind(sig) == '{') {
		gan_buf_puts(t->out, "  signature: ");
		put_text(t, gan_span_get(sig, "form"), "-");
		gan_buf_puts(t->out, " in header ");
		put_text(t, gan_span_get(sig, "header"), "-");
		gan_buf_puts(t->out, ", secret ");
		put_text(t, gan_span_get(sig, "secret"), "-");
		gan_buf_putc(t->out, '\n');
	}
	put_line(t, 2, "bearer token:", gan_span_get(meta, "token"));
	put_line(t, 2, "triggered at:", gan_span_get(meta, "triggered_at"));
	put_line(t, 2, "sent by:", gan_span_get(meta, "remote"));
	put_line(t, 2, "from quarantine:", gan_span_get(meta, "quarantine"));
}

static void
put_event(struct teller *t, struct gan_span e)
{
	struct gan_span deliveries = gan_span_get(e, "deliveries"), d;
	struct gan_span state = gan_span_get(e, "state");
	struct gan_span deeds = gan_span_get(e, "audit"), deed;
	struct gan_span_iter it = { 0 }, itd = { 0 };
	bool closed = false;
	size_t n = 0;

	gan_buf_puts(t->out, "event ");
	put_text(t, gan_span_get(e, "id"), "-");
	gan_buf_puts(t->out, " from ");
	put_text(t, gan_span_get(e, "source"), "-");
	gan_buf_puts(t->out, ", ");
	put_text(t, gan_span_get(e, "topic"), "-");
	gan_buf_puts(t->out, ", received ");
	put_text(t, gan_span_get(e, "received_at"), "-");
	gan_buf_puts(t->out, ": ");
	put_state(t, state);
	gan_buf_putc(t->out, '\n');
	put_meta(t, gan_span_get(e, "meta"));
	put_answer(t, e);
	put_line(t, 2, "reason:", gan_span_get(e, "reason"));
	put_excerpt(t, 2, "body:", gan_span_get(e, "body"));
	while (gan_span_next(deeds, &itd, NULL, &deed)) {
		put_deed(t, 2, deed);
		closed = gan_span_is(gan_span_get(deed, "after"), "rejected, closed");
	}
	if (gan_span_is(state, "rejected") && !closed)
		put_advice(t, 2, state, gan_span_get(e, "id"));
	while (gan_span_next(deliveries, &it, NULL, &d)) {
		put_delivery(t, d);
		n++;
	}
	if (n > 0)
		return;
	if (gan_span_is(state, "received"))
		gan_buf_puts(t->out, "  waits to be mapped\n");
	else if (gan_span_is(state, "mapped"))
		gan_buf_puts(t->out, "  mapped, nothing to send\n");
	else if (gan_span_is(state, "ignored"))
		gan_buf_puts(t->out, "  no rule listens to it\n");
}

void
gan_ctl_put_story(struct gan_span story, const struct gan_ctl_telling *how, struct gan_buf *out)
{
	struct teller t = { out, how };
	struct gan_span events = gan_span_get(story, "events"), e;
	struct gan_span_iter it = { 0 };
	size_t n = 0;

	if (gan_span_kind(events) != '[') { /* one event by itself */
		put_event(&t, story);
		return;
	}
	if (is_set(gan_span_get(story, "key"))) {
		put_text(&t, gan_span_get(story, "key"), "-");
		gan_buf_printf(out, ": %zu event%s\n", gan_span_count(events),
		    gan_span_count(events) == 1 ? "" : "s");
	}
	while (gan_span_next(events, &it, NULL, &e)) {
		if (n++ > 0 || out->len > 0)
			gan_buf_putc(out, '\n');
		put_event(&t, e);
	}
}
