/* SPDX-License-Identifier: MIT */
/*
 * wait.c - a sender that wants the outcome with its answer: Prefer: wait=N.
 *
 * The store tells when the event is over (gan_store_watch()); the clock here
 * tells when the sender has waited enough.  Whichever comes first answers, the
 * other then finds that nothing waits any more.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "inbound/inbound_priv.h"

enum { GRACE_MS = 2000 }; /* for what answers in our stead to be behind us */

/* ---- the header ---------------------------------------------------------------------- */

/* The number of a preference "wait = 10" of n bytes; -1: it is another one, or no number. */
static int64_t
wait_of(const char *s, size_t n)
{
	size_t i = 4, digits;
	int64_t v = 0;

	if (n < 6 || strncasecmp(s, "wait", 4) != 0)
		return -1;
	i += strspn(s + i, " \t");
	if (s[i] != '=')
		return -1;
	i += 1 + strspn(s + i + 1, " \t");
	digits = strspn(s + i, "0123456789");
	for (size_t k = 0; k < digits; k++)
		v = v > GAN_WAIT_MAX_S ? v : v * 10 + (s[i + k] - '0');
	i += digits + strspn(s + i + digits, " \t");
	return digits > 0 && i == n ? v : -1;
}

/* The first preference of a name counts; one that makes no sense is as if it was not there. */
int64_t
gan_wait_wanted(const struct gan_request *r)
{
	const char *v = gan_request_header(r, "prefer");

	while (v != NULL && *v != '\0') {
		size_t n;
		int64_t s;

		v += strspn(v, " \t,;");
		n = strcspn(v, ",;");
		s = wait_of(v, n);
		if (s >= 0)
			return s < GAN_WAIT_MAX_S ? s : GAN_WAIT_MAX_S;
		v += n;
	}
	return 0;
}

const char *
gan_wait_applied(const struct gan_exchange *x, char out[GAN_WAIT_TEXT])
{
	if (x->wait_s == 0)
		return NULL;
	(void)snprintf(out, GAN_WAIT_TEXT, "wait=%d", (int)x->wait_s);
	return out;
}

/* ---- those that wait ------------------------------------------------------------------- */

static void
arm(struct gan_inbound *in)
{
	int64_t now_ms = gan_mono_ms(), first_ms = INT64_MAX;

	for (struct gan_exchange *x = in->waiting; x != NULL; x = x->next_waiting)
		first_ms = x->wait_until_ms < first_ms ? x->wait_until_ms : first_ms;
	if (in->waiting == NULL)
		(void)uv_timer_stop(&in->timer);
	else
		(void)uv_timer_start(&in->timer, gan_wait_on_timer,
		    first_ms > now_ms ? (uint64_t)(first_ms - now_ms) : 0, 0);
}

bool
gan_wait_has_room(const struct gan_inbound *in)
{
	unsigned n = 0;

	for (const struct gan_exchange *x = in->waiting; x != NULL; x = x->next_waiting)
		n += x->pull == NULL;
	return n < in->wait_max;
}

bool
gan_wait_leave(struct gan_exchange *x)
{
	struct gan_exchange **xp = &x->in->waiting;

	if (!x->waits)
		return false;
	while (*xp != x)
		xp = &(*xp)->next_waiting;
	*xp = x->next_waiting;
	x->waits = false;
	return true;
}

void
gan_wait_join(struct gan_exchange *x, int64_t until_ms, void (*when_over)(struct gan_exchange *x))
{
	x->wait_until_ms = until_ms;
	x->wait_over = when_over;
	x->waits = true;
	x->next_waiting = x->in->waiting;
	x->in->waiting = x;
	gan_request_wait(x->req, until_ms + GRACE_MS);
	arm(x->in);
}

static void
over(struct gan_exchange *x)
{
	if (gan_wait_leave(x) && x->req != NULL)
		x->wait_over(x);
}

void
gan_wait_on_timer(uv_timer_t *t)
{
	struct gan_inbound *in = t->data;
	int64_t now_ms = gan_mono_ms();
	struct gan_exchange *next;

	for (struct gan_exchange *x = in->waiting; x != NULL; x = next) {
		next = x->next_waiting;
		if (now_ms >= x->wait_until_ms)
			over(x);
	}
	arm(in);
}

void
gan_wait_end_all(struct gan_inbound *in)
{
	while (in->waiting != NULL)
		over(in->waiting);
	arm(in);
}

static void
on_outcome(void *arg, int rc, const char *json, size_t len)
{
	struct gan_exchange *x GAN_AUTO(gan_exchange_unref) = arg;
	char id[GAN_ID_LEN], where[40], applied[GAN_WAIT_TEXT];
	struct gan_header headers[3] = { { .name = "Preference-Applied",
	    .value = gan_wait_applied(x, applied) } };
	size_t n = 1;

	if (rc != GAN_OK || (x->req != NULL && !gan_request_has_room(x->req, len))) {
		over(x);
		return;
	}
	if (!gan_wait_leave(x) || x->req == NULL)
		return;
	(void)snprintf(
	    where, sizeof(where), "/v1/events/%s", gan_id_format(GAN_ID_EVENT, x->event, id));
	if (strcmp(gan_request_method(x->req), "POST") == 0)
		headers[n++] = (struct gan_header){ .name = "Location", .value = where };
	if (x->replayed)
		headers[n++] =
		    (struct gan_header){ .name = "Idempotent-Replayed", .value = "true" };
	(void)gan_request_answer(x->req, &(struct gan_answer){ .status = 200,
					     .type = "application/json",
					     .body = json,
					     .len = len,
					     .headers = headers,
					     .nheaders = n });
}

void
gan_wait_begin(struct gan_exchange *x, int64_t seconds, void (*when_over)(struct gan_exchange *x))
{
	struct gan_exchange *held GAN_AUTO(gan_exchange_unref) = NULL;
	int64_t now_ms = gan_mono_ms();

	if (x->req == NULL)
		return;
	if (seconds <= 0 || x->in->draining || !gan_wait_has_room(x->in)) {
		when_over(x);
		return;
	}
	x->wait_until_ms = now_ms + seconds * 1000;
	held = gan_exchange_ref(x);
	if (gan_store_watch(
		x->in->store, x->event, x->src->conf->name, x->wait_until_ms, on_outcome, x) < 0) {
		when_over(x);
		return;
	}
	(void)gan_steal(&held); /* on_outcome()'s now */
	x->wait_s = seconds;
	gan_wait_join(x, x->wait_until_ms, when_over);
}
