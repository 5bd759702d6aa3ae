/* SPDX-License-Identifier: MIT */
/*
 * token.h - the access token of one connector: fetched once for everybody who
 * waits, kept in memory only, overwritten when it goes.
 *
 *	none --wait--> fetching --answer--> valid --time, drop--> none
 *
 * Whether a refused token pauses the connector is dispatch's business.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "outbound/connector.h"

struct gan_account;
struct gan_token;

struct gan_token_result {
	int rc; /* GAN_OK: gan_token_use() has one now; GAN_EAUTH: refused; GAN_ENET: not reached;
		   GAN_EGONE: nobody fetches any more */
	const char *text;    /* what went wrong */
	const char *request; /* what was sent for it, secrets masked; may be NULL */
	int status;          /* HTTP status of the fetch, 0: none */
	int64_t wait_ms;     /* the peer asked for patience; -1: it did not */
	int64_t started_ms, ended_ms;
};
typedef void (*gan_token_fn)(void *arg, const struct gan_token_result *r);

/* Keeps a reference to conf, in which c lives. */
GAN_MUST_CHECK int gan_token_open(struct gan_transfers *ts, struct gan_config *conf,
    const struct gan_conf_connector *c, struct gan_token **ret_token, struct gan_err *err);

/* Fetches take over a place of this account, which whoever starts one has; see account.h. */
void gan_token_count(struct gan_token *t, struct gan_account *account);

/* Those who wait are told GAN_EGONE before it returns. */
void gan_token_free(struct gan_token **tp);

/*
 * The token, when a request may start with it now (monotonic clock), else
 * NULL: then wait.  *ret_serial tells one token from the next.  Borrowed until
 * the next call of anything here.  "" where the connector uses none, or has
 * other credentials.
 */
const char *gan_token_use(struct gan_token *t, int64_t mono_ms, uint64_t *ret_serial);

/* Would gan_token_wait() start a fetch? */
bool gan_token_is_idle(const struct gan_token *t);

/*
 * Start a fetch or join the one under way.  The callback never comes from
 * within.  The place of a fetch is gone, also when this fails.
 */
GAN_MUST_CHECK int gan_token_wait(
    struct gan_token *t, gan_token_fn cb, void *arg, struct gan_err *err);

/* Forget everybody who waits with this arg; no callback for them. */
void gan_token_unwait(struct gan_token *t, const void *arg);

/* That token was refused; a newer one is kept. */
void gan_token_drop(struct gan_token *t, uint64_t serial);

bool gan_token_is_static(const struct gan_token *t);
