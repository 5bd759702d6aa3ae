/* SPDX-License-Identifier: MIT */
/* look.c - see look.h: the asking, page by page, and what follows from it. */
#include "outbound/look.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "outbound/ask_priv.h"
#include "outbound/backoff.h"

struct gan_look {
	struct gan_ask_handle *ask;
	struct gan_probe_sight sight;
	char mark[GAN_PROBE_MARK_LEN];
	int64_t until_ms; /* monotonic: no page is asked for later */
	int64_t started_ms, ended_ms;
	int status;
};

static void next_page(struct gan_send *s);
static void look_later(struct gan_send *s, struct gan_look *l, const char *why);

enum gan_on_unknown
gan_send_on_unknown(const struct gan_send *s)
{
	enum gan_on_unknown how = (enum gan_on_unknown)s->row->on_unknown;

	return how == GAN_ON_UNKNOWN_PROBE && s->op->probe == NULL ? GAN_ON_UNKNOWN_HOLD : how;
}

void
gan_look_end(struct gan_send *s)
{
	struct gan_look *l = gan_steal(&s->look);

	if (l == NULL)
		return;
	gan_outbound_ask_cancel(&l->ask);
	gan_probe_sight_fini(&l->sight);
	free(l);
}

/* ---- how it ends --------------------------------------------------------- */

/* The story tells what was asked and what was seen. */
static void
keep_attempt(struct gan_send *s, const struct gan_look *l, const char *verdict, const char *text)
{
	free(gan_steal(&s->seen));
	s->seen = l->sight.entry != NULL ? strdup(l->sight.entry) : NULL;
	snprintf(s->looked_text, sizeof(s->looked_text), "%s", text);
	s->looked = (struct gan_attempt){ .started_ms = l->started_ms,
		.ended_ms = l->ended_ms,
		.request = s->look_request.data != NULL ? s->look_request.data : "(no request)",
		.status = l->status,
		.verdict = verdict,
		.error = s->looked_text,
		.response = s->seen,
		.response_len = s->seen != NULL ? strlen(s->seen) : 0 };
	s->settle.looked = &s->looked;
}

static void
say(const struct gan_send *s, enum gan_log_level level, const char *what)
{
	char id[GAN_ID_LEN];

	gan_id_format(GAN_ID_DELIVERY, s->row->id, id);
	gan_log(level,
	    &(struct gan_log_about){ .delivery = id,
		.connector = s->conn->name,
		.rule = s->row->rule,
		.key = s->row->key },
	    "%s %s", what, s->reason);
}

static void
settle(struct gan_send *s, enum gan_delivery_state state)
{
	s->settle.state = state;
	s->settle.uncounted = true; /* a look is no attempt */
	s->settle.maybe_sent = true;
	s->settle.reason = s->reason;
	gan_send_settle(s);
}

static void
for_a_person(struct gan_send *s, struct gan_look *l, const char *verdict, const char *text)
{
	keep_attempt(s, l, verdict, text);
	snprintf(s->reason, sizeof(s->reason), "%s", text);
	snprintf(s->conn->last_error, sizeof(s->conn->last_error), "%.399s", text);
	gan_look_end(s);
	s->conn->unknown++;
	say(s, GAN_LOG_WARNING, "delivery is unknown, a person must resolve it:");
	settle(s, GAN_DLV_UNKNOWN);
}

static void
found_equal(struct gan_send *s, struct gan_look *l)
{
	s->response = gan_steal(&l->sight.entry);
	if (s->response != NULL && s->response[0] == '{')
		s->settle.response = s->response;
	l->sight.entry = s->response != NULL ? strdup(s->response) : NULL;
	snprintf(
	    s->reason, sizeof(s->reason), "found by probe: an earlier attempt was carried out");
	keep_attempt(s, l, "found", s->reason);
	gan_look_end(s);
	s->conn->found++;
	s->conn->delivered++;
	s->conn->last_ok_ms = gan_wall_ms();
	say(s, GAN_LOG_NOTICE, "delivered,");
	settle(s, GAN_DLV_DELIVERED);
}

static void
found_different(struct gan_send *s, struct gan_look *l)
{
	char text[500];

	snprintf(text, sizeof(text), "found by probe, but different: %s", l->sight.text);
	s->conn->different++;
	for_a_person(s, l, "different", text);
}

static bool
is_late(const struct gan_send *s)
{
	return gan_mono_ms() >= s->until_ms;
}

static void
absent(struct gan_send *s, struct gan_look *l)
{
	const struct gan_probe *p = s->op->probe;
	char text[200];

	if (gan_probe_more(p, &l->sight)) {
		snprintf(text, sizeof(text),
		    "the probe saw %zu entries of %s without finding it, and there are more: look "
		    "for it, then resolve it",
		    l->sight.entries, p->ask);
		for_a_person(s, l, "unknown", text);
		return;
	}
	if (is_late(s)) { /* by the time that it can be sent it may be there */
		look_later(s, l, "it is not there, but the look took too long to send it now");
		return;
	}
	snprintf(text, sizeof(text), "not there: %zu entries of %s on %u page%s", l->sight.entries,
	    p->ask, l->sight.pages, l->sight.pages == 1 ? "" : "s");
	keep_attempt(s, l, "absent", text);
	snprintf(s->reason, sizeof(s->reason), "%s", text);
	gan_look_end(s);
	s->conn->absent++;
	s->is_absent = true;
	say(s, GAN_LOG_NOTICE, "sent again, the probe found that no attempt was carried out:");
	s->reason[0] = '\0';
	gan_send_go(s);
}

/* No verdict: later again, with growing pauses, until it has gone on for too long. */
static void
look_later(struct gan_send *s, struct gan_look *l, const char *why)
{
	int64_t wait =
	    gan_backoff_ms(&s->c->deliver.retry, s->row->attempt, gan_random_below(UINT32_MAX));
	char text[480], span[32];

	if (gan_send_gives_up(s, gan_wall_ms())) {
		snprintf(text, sizeof(text), "gave up looking for it after %s; last: %.360s",
		    gan_duration_format(s->c->deliver.retry.give_up_ms, span, sizeof(span)), why);
		for_a_person(s, l, "unknown", text);
		return;
	}
	snprintf(s->reason, sizeof(s->reason), "the probe failed: %.440s", why);
	keep_attempt(s, l, "retry", s->reason);
	gan_look_end(s);
	s->conn->retried++;
	say(s, GAN_LOG_INFO, "delivery will be looked for again:");
	s->settle.next_ms = gan_send_due_in(s, wait);
	s->settle.state = GAN_DLV_WAITING;
	s->settle.maybe_sent = true;
	s->settle.reason = s->reason; /* counted: the pauses grow by it */
	gan_send_settle(s);
}

/* ---- the asking ---------------------------------------------------------- */

static void
judge(struct gan_send *s, struct gan_look *l)
{
	if (gan_probe_more(s->op->probe, &l->sight) && l->sight.pages < GAN_PROBE_PAGES_MAX) {
		if (gan_mono_ms() < l->until_ms)
			next_page(s);
		else
			look_later(s, l, "the pages of the list came too slowly");
		return;
	}
	switch (l->sight.seen) {
	case GAN_PROBE_EQUAL:
		found_equal(s, l);
		break;
	case GAN_PROBE_DIFFERENT:
		found_different(s, l);
		break;
	case GAN_PROBE_ABSENT:
		absent(s, l);
		break;
	}
}

static void
read_page(struct gan_send *s, struct gan_look *l, const struct gan_answer *ans)
{
	struct gan_err err = { 0 };
	int rc = gan_probe_read(s->op->probe, s->row->body, s->row->body_len, l->mark, ans->body,
	    ans->body_len, &l->sight, &err);

	if (rc == GAN_OK)
		judge(s, l);
	else
		look_later(s, l, err.msg);
}

static void
on_page(void *arg, const struct gan_answer *ans)
{
	struct gan_send *s = arg;
	struct gan_look *l = s->look;
	int64_t wait = ans->wait_ms >= 0 ? ans->wait_ms : s->c->deliver.retry.first_ms;
	char why[460];

	l->ask = NULL;
	if (ans->started_ms != 0) {
		if (l->started_ms == 0)
			l->started_ms = ans->started_ms;
		l->ended_ms = ans->ended_ms;
		l->status = ans->status;
		gan_buf_clear(&s->look_request);
		gan_buf_puts(&s->look_request, ans->request);
	}
	switch (ans->rc) {
	case GAN_OK:
		read_page(s, l, ans);
		return;
	case GAN_EINVAL:
		if (ans->status == 404 && s->op->probe->absent_404) {
			l->sight.pages++;
			l->sight.last = 0;
			judge(s, l);
			return;
		}
		snprintf(why, sizeof(why), "the probe was refused: %.420s", ans->text);
		for_a_person(s, l, "unknown", why);
		return;
	case GAN_ENET:
		look_later(s, l, ans->text);
		return;
	default: /* not now: paused, the quota, no credentials, the end */
		snprintf(why, sizeof(why), "%.459s", ans->text);
		if (is_late(s)) { /* counted: else it could go on like this for ever */
			look_later(s, l, why);
			return;
		}
		gan_look_end(s);
		gan_send_back(s, gan_send_due_in(s, wait), why);
		return;
	}
}

static void
next_page(struct gan_send *s)
{
	struct gan_look *l = s->look;
	struct gan_buf output GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err err = { 0 };
	char why[480];
	int rc = gan_probe_ask(s->op->probe, s->row->body, s->row->body_len, s->row->first_sent_ms,
	    l->sight.pages + 1, &output, &err);
	struct gan_ask ask = { .connector = s->conn->name,
		.operation = s->op->probe->ask,
		.output = output.data,
		.output_len = output.len,
		.prio = GAN_ASK_PROBE,
		.by_ms = s->until_ms };

	if (rc == GAN_OK)
		rc = gan_ask_start(s->conn, &ask, on_page, s, &l->ask, &err);
	if (rc == GAN_OK)
		return;
	if (rc == GAN_EINVAL || rc == GAN_ENOENT) {
		snprintf(why, sizeof(why), "it cannot be looked for: %.420s", err.msg);
		for_a_person(s, l, "unknown", why);
		return;
	}
	gan_look_end(s);
	gan_send_back(s, gan_send_due_in(s, s->c->deliver.retry.first_ms), err.msg);
}

/* Its row says that it may have been carried out, and there is no way to look (any more). */
static void
cannot_look(struct gan_send *s)
{
	snprintf(s->reason, sizeof(s->reason),
	    "an attempt may have been carried out, and %s of %s has nothing to look with",
	    s->op->name, s->c->name);
	s->conn->unknown++;
	say(s, GAN_LOG_WARNING, "delivery is unknown, a person must resolve it:");
	settle(s, GAN_DLV_UNKNOWN);
}

bool
gan_look(struct gan_send *s)
{
	struct gan_look *l;

	if (!s->row->maybe_sent || s->row->on_unknown != GAN_ON_UNKNOWN_PROBE || s->is_absent ||
	    gan_repeat_in_lane(s->op->repeat, s->row->key != NULL) == GAN_REPEAT_SAFE)
		return false;
	if (s->op->probe == NULL) {
		cannot_look(s);
		return true;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		gan_send_back(s, gan_send_due_in(s, s->c->deliver.retry.first_ms), "out of memory");
		return true;
	}
	s->look = l;
	l->until_ms = gan_mono_ms() + GAN_LOOK_MS;
	/* The look is what shows whether the peer works again. */
	if (s->probe)
		gan_breaker_void(&s->conn->breaker);
	s->probe = false;
	gan_probe_mark_of(s->row->id, l->mark);
	/* The asks take places of their own. */
	if (s->place)
		gan_account_give(s->account);
	s->place = false;
	next_page(s);
	return true;
}
