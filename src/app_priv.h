/* SPDX-License-Identifier: MIT */
/* app_priv.h - what app.c (start and stop) and reload.c share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "admin/admin.h"
#include "base/buf.h"
#include "base/lag.h"
#include "conf/config.h"
#include "inbound/feed.h"
#include "inbound/inbound.h"
#include "inbound/reconcile.h"
#include "mapping/pool.h"
#include "mapping/rules.h"
#include "outbound/outbound.h"
#include "pipeline.h"
#include "replayer.h"
#include "service.h"
#include "store/store.h"

struct gan_app {
	uv_loop_t loop;
	const char *config_path;
	struct gan_config *conf; /* in force */
	struct gan_rules *rules; /* in force; NULL: events wait unmapped */
	uint64_t generation;
	struct gan_store *store;
	struct gan_pool *pool;
	struct gan_pipeline *pipeline;
	struct gan_replayer *replayer;
	struct gan_inbound *inbound;
	struct gan_outbound *outbound;
	struct gan_feeds *feeds;
	struct gan_reconcile *reconcile;
	struct gan_admin *admin;
	struct gan_service_fds fds;
	int64_t started_ms;
	int exit_code;
	bool stopping;

	/* Red: the folder's rules are not those in force. */
	char *red; /* first finding; NULL: green */
	int64_t red_since_ms;

	/* The last reload, for status. */
	int64_t reload_ms;
	int reload_rc;
	char *reload_text;

	/* One reload at a time; a signal that comes meanwhile asks for another. */
	bool reloading, reload_again;
	struct gan_loader *proving;   /* NULL: no proof under way */
	struct gan_verdicts verdicts; /* of the proofs so far */
	struct gan_config *candidate;
	struct gan_buf reload_findings;
	gan_reload_fn reload_cb;
	void *reload_cb_arg;

	uv_signal_t sig_hup, sig_term, sig_int, sig_usr1, sig_usr2;
	uv_timer_t watchdog;
	struct gan_lag lag;
	unsigned draining; /* parts that have not said they are done */
};

/* Prove the rules at start: the folder's, else the last green ones kept in the store. */
void gan_reload_first(struct gan_app *app);

/* All or nothing; cb may be NULL (a signal asked): the verdict is logged in any case. */
void gan_reload(struct gan_app *app, gan_reload_fn cb, void *cb_arg);

/* One line for the service manager. */
void gan_app_tell_status(struct gan_app *app);
int64_t gan_app_probe_after_ms(const struct gan_config *conf);
