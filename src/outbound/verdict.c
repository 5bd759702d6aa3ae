/* SPDX-License-Identifier: MIT */
/* verdict.c - see verdict.h. */
#include "outbound/verdict.h"

#include <stdio.h>

#include "base/str.h"

static enum gan_outcome
by_status(int status)
{
	if (status >= 200 && status < 300)
		return GAN_OUTCOME_OK;
	if (status >= 300 && status < 400)
		return GAN_OUTCOME_REDIRECT;
	if (status == 429 || status == 503)
		return GAN_OUTCOME_BUSY;
	if (status == 401 || status == 403)
		return GAN_OUTCOME_TOKEN;
	if (status >= 400 && status < 500)
		return GAN_OUTCOME_REFUSED;
	return GAN_OUTCOME_AMBIGUOUS;
}

static void
say(struct gan_judged *j, const struct gan_response *resp)
{
	char body[200];

	if (resp->status == 0) {
		snprintf(j->text, sizeof(j->text), "%s", resp->error);
		return;
	}
	if (j->outcome == GAN_OUTCOME_REDIRECT) {
		snprintf(j->text, sizeof(j->text),
		    "redirect refused: HTTP %d (redirects are never followed; correct base_url)",
		    resp->status);
		return;
	}
	if (resp->sent == GAN_UNREADABLE)
		snprintf(j->text, sizeof(j->text), "HTTP %d, %s", resp->status, resp->error);
	else if (resp->body_len > 0)
		snprintf(j->text, sizeof(j->text), "HTTP %d: %s", resp->status,
		    gan_printable(resp->body, resp->body_len, body, sizeof(body)));
	else
		snprintf(j->text, sizeof(j->text), "HTTP %d", resp->status);
}

void
gan_outcome_of(const struct gan_response *resp, struct gan_judged *ret)
{
	ret->text[0] = '\0';
	if (resp->sent == GAN_NOT_SENT)
		ret->outcome = GAN_OUTCOME_NOT_SENT;
	else if (resp->sent == GAN_MAYBE_SENT)
		ret->outcome = GAN_OUTCOME_AMBIGUOUS;
	else
		ret->outcome = by_status(resp->status);
	/* A success whose text is missing is none. */
	if (ret->outcome == GAN_OUTCOME_OK && resp->sent == GAN_UNREADABLE)
		ret->outcome = GAN_OUTCOME_AMBIGUOUS;
	if (ret->outcome != GAN_OUTCOME_OK)
		say(ret, resp);
}

static enum gan_verdict_kind
when_ambiguous(enum gan_repeat repeat, enum gan_on_unknown on_unknown, bool maybe_sent)
{
	if (repeat != GAN_REPEAT_SAFE && on_unknown == GAN_ON_UNKNOWN_PROBE)
		return GAN_VERDICT_PROBE;
	switch (repeat) {
	case GAN_REPEAT_SAFE:
		return GAN_VERDICT_RETRY;
	case GAN_REPEAT_SET:
	case GAN_REPEAT_KEYED:
		return on_unknown == GAN_ON_UNKNOWN_RESEND ? GAN_VERDICT_RETRY
							   : GAN_VERDICT_UNKNOWN;
	case GAN_REPEAT_ONCE:
		return on_unknown == GAN_ON_UNKNOWN_RESEND && !maybe_sent ? GAN_VERDICT_RETRY
									  : GAN_VERDICT_UNKNOWN;
	case GAN_REPEAT_PROBE:
	case GAN_REPEAT_HOLD:
		break;
	}
	return GAN_VERDICT_UNKNOWN;
}

enum gan_repeat
gan_repeat_in_lane(enum gan_repeat repeat, bool has_key)
{
	if (repeat != GAN_REPEAT_SET)
		return repeat;
	return has_key ? GAN_REPEAT_SAFE : GAN_REPEAT_KEYED;
}

struct gan_verdict
gan_verdict_of(enum gan_outcome outcome, enum gan_repeat repeat, enum gan_on_unknown on_unknown,
    bool maybe_sent)
{
	static const struct gan_verdict table[GAN_OUTCOME_N] = {
		[GAN_OUTCOME_OK] = { GAN_VERDICT_DELIVERED, GAN_HEALTH_OK, false, true },
		[GAN_OUTCOME_ALREADY] = { GAN_VERDICT_DELIVERED, GAN_HEALTH_OK, false, true },
		[GAN_OUTCOME_NOT_SENT] = { GAN_VERDICT_RETRY, GAN_HEALTH_FAILED, false, false },
		[GAN_OUTCOME_BUSY] = { GAN_VERDICT_RETRY, GAN_HEALTH_SILENT, true, false },
		[GAN_OUTCOME_TURN] = { GAN_VERDICT_RETRY, GAN_HEALTH_SILENT, false, false },
		[GAN_OUTCOME_AMBIGUOUS] = { GAN_VERDICT_UNKNOWN, GAN_HEALTH_FAILED, false, true },
		[GAN_OUTCOME_PARTIAL] = { GAN_VERDICT_UNKNOWN, GAN_HEALTH_OK, false, true },
		[GAN_OUTCOME_TOKEN] = { GAN_VERDICT_TOKEN, GAN_HEALTH_SILENT, false, false },
		[GAN_OUTCOME_CONFIG] = { GAN_VERDICT_CONFIG, GAN_HEALTH_SILENT, false, false },
		[GAN_OUTCOME_REFUSED] = { GAN_VERDICT_DEAD, GAN_HEALTH_OK, false, false },
		[GAN_OUTCOME_REDIRECT] = { GAN_VERDICT_DEAD, GAN_HEALTH_OK, false, false },
	};
	struct gan_verdict v = table[outcome];

	if (outcome == GAN_OUTCOME_AMBIGUOUS)
		v.kind = when_ambiguous(repeat, on_unknown, maybe_sent);
	v.maybe_sent |= maybe_sent;
	return v;
}

const char *
gan_verdict_name(enum gan_verdict_kind kind)
{
	/* To a reader of the story both are a matter of credentials. */
	static const char *const names[] = { "delivered", "retry", "unknown", "unknown", "dead",
		"token", "token" };

	return names[kind];
}
