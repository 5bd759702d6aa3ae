/* SPDX-License-Identifier: MIT */
/*
 * reconcile.h - changes that nobody told: asks the MES for the entities whose
 * webhooks (or change channel) a source takes, and makes an event of each state
 * that never arrived (design.md section 8).
 *
 * What counts as told are the stored events of the source and what earlier
 * rounds told, so a change is told once, whichever comes first; a webhook that
 * comes later is an event like any other, and nothing is missed by it.  The
 * first round of a kind only takes note of what there is.
 *
 * One request at a time, behind all other requests of the account.  Loop
 * thread only.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/buf.h"
#include "conf/config.h"
#include "inbound/ask.h"
#include "store/changes.h"
#include "store/store.h"

struct gan_reconcile;

struct gan_reconcile_options {
	struct gan_config *conf; /* a reference is taken */
	struct gan_store *store; /* borrowed, must outlive */
	struct gan_asker asker;
	uint64_t (*ignored_by)(void *arg, const char *source, const char *topic); /* or NULL */
	void *arg;
};

/* Right after the store was opened: it waits for the store. */
GAN_MUST_CHECK int gan_reconcile_open(uv_loop_t *loop, const struct gan_reconcile_options *opt,
    struct gan_reconcile **ret_rec, struct gan_err *err);
void gan_reconcile_reload(struct gan_reconcile *r, struct gan_config *conf);

/* Begin nothing more; cb when the request under way has ended. */
void gan_reconcile_drain(struct gan_reconcile *r, void (*cb)(void *arg), void *arg);
/* After drain. */
void gan_reconcile_close(struct gan_reconcile **rp);

/*
 * A round now, of one source (NULL: of all).  cb gets one JSON array, a row for
 * each kind of entity as in gan_reconcile_put(); rc GAN_ENOENT: no source of that name
 * reconciles; GAN_ESTATE: some kind could not be asked.
 */
typedef void (*gan_reconcile_fn)(void *arg, int rc, const char *json, size_t len);
void gan_reconcile_now(struct gan_reconcile *r, const char *source, gan_reconcile_fn cb, void *arg);

/*
 * What a change channel brought may be lost: look for its entities soon.  True
 * when some source that asks the same account knows this kind.
 */
bool gan_reconcile_lost(struct gan_reconcile *r, const char *feed_source, enum gan_entity type);

/* One kind of entity of one source. */
struct gan_reconcile_status {
	const char *source, *type;
	int64_t at_ms, next_ms;         /* last complete round, next one; 0: none, it runs */
	int64_t listed, known, waiting; /* of the last round */
	int64_t missed;                 /* ever: what only reconciliation told */
	/* Movements of the stock are only counted: what the list has more than was told. */
	bool counted;
	int64_t difference;
	const char *error; /* of the last round, or NULL */
};
size_t gan_reconcile_status(
    const struct gan_reconcile *r, struct gan_reconcile_status *rows, size_t max);
#define GAN_RECONCILE_MAX (64 * 4)

/* The rows as JSON objects, each followed by a comma; source NULL: all. */
void gan_reconcile_put(const struct gan_reconcile *r, const char *source, struct gan_buf *out);
