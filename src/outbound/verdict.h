/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - what an answer means for a delivery: the table of design section
 * 9, in one place.
 *
 * Two steps.  A connector reads the answer and names the outcome (for plain
 * HTTP gan_outcome_of() does it, and connectors override rows of it); then
 * gan_verdict_of() decides by the operation's repeat class and on_unknown.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/config.h"
#include "conf/operation.h"
#include "outbound/transfer.h"

enum gan_outcome {
	GAN_OUTCOME_OK,        /* carried out */
	GAN_OUTCOME_ALREADY,   /* was carried out before, and equal */
	GAN_OUTCOME_NOT_SENT,  /* nothing reached the peer */
	GAN_OUTCOME_BUSY,      /* 429, 503: refused, not carried out, come back later */
	GAN_OUTCOME_TURN,      /* likewise, but only this operation has to wait */
	GAN_OUTCOME_AMBIGUOUS, /* perhaps carried out */
	GAN_OUTCOME_PARTIAL,   /* some of it carried out, or it cannot be told which */
	GAN_OUTCOME_TOKEN,     /* the token was refused */
	GAN_OUTCOME_CONFIG,    /* our settings for this connector were refused */
	GAN_OUTCOME_REFUSED,   /* refused for good */
	GAN_OUTCOME_REDIRECT,
	GAN_OUTCOME_N,
};

/* How an answer was read. */
struct gan_judged {
	enum gan_outcome outcome;
	char text[400]; /* for a person; "" when plainly delivered */
	char *response; /* JSON that the peer gave back, to free(); or NULL */
};

enum gan_verdict_kind {
	GAN_VERDICT_DELIVERED,
	GAN_VERDICT_RETRY,
	GAN_VERDICT_UNKNOWN,
	GAN_VERDICT_PROBE, /* unknown as well; it will be looked for */
	GAN_VERDICT_DEAD,
	GAN_VERDICT_TOKEN,  /* a fresh token and one more try, uncounted */
	GAN_VERDICT_CONFIG, /* the connector pauses, uncounted */
};

/* What the answer says about the health of the peer, for the breaker. */
enum gan_health {
	GAN_HEALTH_OK,
	GAN_HEALTH_FAILED,
	GAN_HEALTH_SILENT, /* nothing either way */
};

struct gan_verdict {
	enum gan_verdict_kind kind;
	enum gan_health health;
	bool wait_all;   /* the whole connector waits, for Retry-After or the back-off */
	bool maybe_sent; /* the peer may have carried it out */
};

/* Plain HTTP: status and completeness alone. Fills outcome and text. */
void gan_outcome_of(const struct gan_response *resp, struct gan_judged *ret);

/*
 * The class in a delivery's place.  With a key the lane sends one at a time, in
 * the order of acceptance: nothing newer is under way while a state is set
 * again, so it is SAFE.  Without a key a repeat could undo a newer one: KEYED,
 * so a person decides, or `on_unknown: resend` does.
 */
enum gan_repeat gan_repeat_in_lane(enum gan_repeat repeat, bool has_key);

/* on_unknown probe only where there is a probe.  maybe_sent: an earlier attempt of this delivery
 * may have reached the peer. */
struct gan_verdict gan_verdict_of(enum gan_outcome outcome, enum gan_repeat repeat,
    enum gan_on_unknown on_unknown, bool maybe_sent);

/* "delivered", "retry", … as it is kept with the attempt. */
const char *gan_verdict_name(enum gan_verdict_kind kind);
