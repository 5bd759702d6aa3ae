/* SPDX-License-Identifier: MIT */
/* reconcile_priv.h - shared by reconcile.c (sources, times) and reconcile_*.c (a round) only. */
#pragma once

#include "inbound/identity.h"
#include "inbound/reconcile.h"
#include "json/span.h"

enum { GAN_RECON_PAGE = 25 };

/* How a kind of entity is listed. */
struct gan_recon_list {
	enum gan_entity type;
	const char *operation, *one; /* one: asks for a single entity; NULL: there is none */
	const char *query;           /* members, each with a comma behind it */
	const char *since;           /* the parameter that says from when on; NULL: all of them */
	bool webhook;                /* webhooks tell of it */
};
extern const struct gan_recon_list gan_recon_lists[];
extern const size_t gan_recon_nlists;

#define GAN_RECON_KINDS 5 /* the lists, and movements */

struct gan_recon_kind {
	const struct gan_recon_list *list; /* NULL: movements are counted */
	bool on, due;
	int64_t at_ms, missed;
	int64_t listed, known, waiting;
	int64_t moves_listed, moves_told;
	char error[200];
	int64_t told;          /* missed, in the last round */
	unsigned last_page[2]; /* movements: where each direction ended */
	/* Of the round that runs. */
	struct gan_recon_seen seen;
	int64_t n;
};

struct gan_recon_waiter {
	struct gan_recon_waiter *next;
	char *source; /* NULL: all */
	gan_reconcile_fn cb;
	void *arg;
};

struct gan_recon_source {
	struct gan_recon_source *next;
	char *name, *connector;
	bool feed, gone;
	int64_t every_ms, overlap_ms, grace_ms;
	int64_t next_ms; /* of the next regular round; by the wall clock */
	int64_t soon_ms; /* some kinds are due before it, from then on; 0: none */
	struct gan_recon_kind kinds[GAN_RECON_KINDS];
};

/* The round that runs: one source, one kind after the other. */
struct gan_recon_round {
	struct gan_recon_source *source; /* NULL: none runs */
	struct gan_recon_kind *kind;
	int64_t begun_ms;
	unsigned page;
	unsigned low, high, step; /* movements: the last full page, the first empty one */
	unsigned asked;           /* entities that were asked for alone */
	bool baseline;
	bool afresh; /* no kind has states to compare with: what was told before does not matter */
	bool last;   /* this page was the last one */
	char first[GAN_IDENTITY_ID_MAX + 1];   /* id of the first entity of the page before */
	char one[GAN_IDENTITY_ID_MAX + 1];     /* asked for alone: it is listed no more */
	struct gan_buf body;                   /* of the answer */
	unsigned type_no;                      /* movements: which direction */
	int64_t moves;                         /* listed so far */
	int64_t moves_told;                    /* by the events that are being folded */
	void (*then)(struct gan_reconcile *r); /* when what was told is known */
};

struct gan_reconcile {
	uv_loop_t *loop;
	struct gan_reconcile_options opt;
	struct gan_config *conf;
	struct gan_recon_source *sources;
	struct gan_recon_source *past; /* not reconciled now: where they stood, if they come back */
	struct gan_recon_waiter *waiters;
	uv_timer_t timer;
	struct gan_recon_round round;
	bool busy; /* an answer or a COMMIT is waited for */
	bool draining;
	void (*drain_cb)(void *arg);
	void *drain_arg;
};

/* ---- reconcile_round.c ---- */

/* Begin with the kinds that are due; gan_recon_over() follows. */
void gan_recon_begin(struct gan_reconcile *r, struct gan_recon_source *s);

/* ---- reconcile_told.c ---- */

/* Read what the events that were stored meanwhile told; then round.then, or gan_recon_failed(). */
void gan_recon_fold(struct gan_reconcile *r);

/* ---- reconcile_status.c ---- */

/* "production-order", as marks and status call it. */
const char *gan_recon_name(const struct gan_recon_kind *k);

/* ---- between them ---- */

void gan_recon_next_kind(struct gan_reconcile *r);
void gan_recon_failed(struct gan_reconcile *r, const char *fmt, ...) GAN_PRINTF(2, 3);
/* reconcile.c: the round of this source is over. */
void gan_recon_over(struct gan_reconcile *r);
/* reconcile.c: something ended.  False when the process stops: go no further. */
bool gan_recon_goes_on(struct gan_reconcile *r);
