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
	bool color;
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

	for (size_t i = 0; t->color && i < GAN_COUNT(colors); i++) {
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
		    "mend the cause, then `gantryctl retry %s`; or `gantryctl skip %s` if it must "
		    "not be sent" },
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

/* An answer or body, on one line and not longer than an excerpt. */
static void
put_excerpt(struct teller *t, unsigned indent, const char *label, struct gan_span s)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	if (!is_set(s))
		return;
	gan_span_text(s, &b);
	gan_buf_printf(t->out, "%*s%s ", (int)indent, "", label);
	if (b.data != NULL)
		gan_ctl_put_safe(t->out, b.data, b.len < EXCERPT ? b.len : EXCERPT, false);
	gan_buf_puts(t->out, b.len > EXCERPT ? " ...\n" : "\n");
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
	put_line(t, 6, "error:", gan_span_get(a, "error"));
	put_excerpt(t, 6, "answer:", gan_span_get(a, "response"));
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
		if (gan_span_int(gan_span_get(last, "status"), 0) > 0)
			put_text(t, gan_span_get(last, "status"), "-");
		else
			gan_buf_puts(t->out, "no answer");
		gan_buf_putc(t->out, '\n');
	}
	if (!gan_span_is(gan_span_get(d, "state"), "delivered"))
		put_line(t, 4, "reason:", gan_span_get(last, "error"));
}

static void
put_delivery(struct teller *t, struct gan_span d)
{
	struct gan_span tries = gan_span_get(d, "tries"), a;
	struct gan_span state = gan_span_get(d, "state");
	struct gan_span_iter it = { 0 };
	size_t no = 0;

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
	while (gan_span_next(tries, &it, NULL, &a))
		put_attempt(t, a, ++no);
	put_last(t, d, no == 0);
	put_excerpt(t, 4, "the target gave:", gan_span_get(d, "response"));
	if (gan_span_is(state, "waiting"))
		put_line(t, 4, "next try:", gan_span_get(d, "next_at"));
	put_advice(t, 4, state, gan_span_get(d, "id"));
}

/* meta says how the sender was proven: which header, algorithm, encoding and secret. */
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
	put_line(t, 2, "triggered at:", gan_span_get(meta, "triggered_at"));
	put_line(t, 2, "sent by:", gan_span_get(meta, "remote"));
	put_line(t, 2, "from quarantine:", gan_span_get(meta, "quarantine"));
}

static void
put_event(struct teller *t, struct gan_span e)
{
	struct gan_span deliveries = gan_span_get(e, "deliveries"), d;
	struct gan_span state = gan_span_get(e, "state");
	struct gan_span_iter it = { 0 };
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
	put_line(t, 2, "reason:", gan_span_get(e, "reason"));
	put_excerpt(t, 2, "body:", gan_span_get(e, "body"));
	if (gan_span_is(state, "rejected"))
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
gan_ctl_put_story(struct gan_span story, bool color, struct gan_buf *out)
{
	struct teller t = { out, color };
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
