/* SPDX-License-Identifier: MIT */
/*
 * reload.c - a new generation, whole or not at all.
 *
 * Order matters: whatever can say no is asked before anything is changed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app_priv.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loader.h"

static void
red_set(struct gan_app *app, const char *why)
{
	if (why == NULL) {
		gan_str_free(&app->red);
		return;
	}
	if (app->red == NULL)
		app->red_since_ms = gan_wall_ms();
	gan_str_free(&app->red);
	app->red = strdup(why[0] == '\0' ? "the rules are red" : why);
}

/* Answers become events from now on when this set listens to them. */
static void
listen_to_answers(struct gan_app *app)
{
	struct gan_buf globs GAN_AUTO(gan_buf_fini) = { 0 };

	if (gan_rules_answers(app->rules, &globs) < 0 ||
	    gan_store_listen(app->store, globs.data, globs.len) < 0)
		gan_log(GAN_LOG_WARNING, NULL,
		    "which answers the rules listen to could not be kept for the next start; "
		    "a reload tries again");
}

/* Put a proven set in force and keep it for a start with a red folder. */
static void
rules_adopt(struct gan_app *app, struct gan_rules *rules)
{
	struct gan_buf blob GAN_AUTO(gan_buf_fini) = { 0 };

	rules->generation = app->generation;
	gan_rules_unref(&app->rules);
	app->rules = gan_rules_ref(rules);
	listen_to_answers(app);
	gan_pipeline_rules(app->pipeline, app->conf, app->rules);
	if (gan_rules_pack(rules, &blob) < 0 ||
	    gan_store_rules_put(app->store, blob.data, blob.len) < 0)
		gan_log(GAN_LOG_WARNING, NULL,
		    "the rules are in force but could not be kept as the last green set; "
		    "a reload tries again");
}

/* The callback may come, and begin another proof, before the first call is back. */
static void
prove(struct gan_app *app, struct gan_config *conf, char **blobp, size_t len, gan_proof_fn cb)
{
	struct gan_loader *l =
	    gan_loader_prove(&app->loop, conf, &app->verdicts, blobp, len, cb, app);

	if (l != NULL)
		app->proving = l;
}

/* A reload that was asked for meanwhile has its turn. */
static void
turn_over(struct gan_app *app)
{
	app->reloading = false;
	if (app->reload_again && !app->stopping) {
		app->reload_again = false;
		gan_reload(app, NULL, NULL);
	}
}

/* ---- at start ---------------------------------------------------------------- */

static void
on_kept_proof(void *arg, const struct gan_proof *proof)
{
	struct gan_app *app = arg;

	app->proving = NULL;
	if (app->stopping)
		return;
	if (proof->green) {
		rules_adopt(app, proof->rules);
		gan_log(GAN_LOG_WARNING, NULL,
		    "running the last green rules (%u): mend the folder and reload", proof->nrules);
		gan_app_tell_status(app);
	} else {
		gan_log(GAN_LOG_ERR, NULL,
		    "the last green rules do not fit this configuration either (%s): events are "
		    "stored and wait until a reload brings good rules",
		    proof->first);
	}
	turn_over(app);
}

/* False when there are none to try. */
static bool
use_kept_rules(struct gan_app *app)
{
	char *blob GAN_AUTO(gan_str_free) = NULL;
	struct gan_err err;
	size_t len = 0;

	if (gan_store_rules_get(app->store, &blob, &len, &err) < 0) {
		gan_log(GAN_LOG_ERR, NULL, "last green rules: %s", err.msg);
		return false;
	}
	if (blob == NULL) {
		gan_log(GAN_LOG_ERR, NULL,
		    "no green rules were ever kept: events are stored and wait until a reload brings "
		    "good rules");
		return false;
	}
	prove(app, app->conf, &blob, len, on_kept_proof);
	return true;
}

static void
on_first_proof(void *arg, const struct gan_proof *proof)
{
	struct gan_app *app = arg;

	app->proving = NULL;
	if (app->stopping)
		return;
	if (proof->green) {
		rules_adopt(app, proof->rules);
		gan_log(GAN_LOG_INFO, NULL, "%u rule%s in force, %u test%s passed", proof->nrules,
		    proof->nrules == 1 ? "" : "s", proof->passed, proof->passed == 1 ? "" : "s");
		gan_app_tell_status(app);
		turn_over(app);
		return;
	}
	red_set(app, proof->first);
	gan_log(GAN_LOG_ERR, NULL,
	    "the rules are red: %s (%u of %u tests failed; `gantryctl rules check` shows all)",
	    proof->first, proof->failed, proof->failed + proof->passed);
	if (!use_kept_rules(app))
		turn_over(app);
}

void
gan_reload_first(struct gan_app *app)
{
	app->reloading = true;
	prove(app, app->conf, NULL, 0, on_first_proof);
}

/* ---- reload ------------------------------------------------------------------ */

static void
finish(struct gan_app *app, int rc, const char *text)
{
	gan_reload_fn cb = app->reload_cb;
	void *cb_arg = app->reload_cb_arg;

	app->reload_ms = gan_wall_ms();
	app->reload_rc = rc;
	gan_str_free(&app->reload_text);
	app->reload_text = strdup(text);
	gan_config_unref(&app->candidate);
	app->reload_cb = NULL;
	gan_app_tell_status(app);
	if (cb != NULL)
		cb(cb_arg, rc, text);
	gan_buf_fini(&app->reload_findings);
	turn_over(app);
}

static void
refuse(struct gan_app *app, const char *first)
{
	const char *text = app->reload_findings.data;

	gan_log(GAN_LOG_ERR, NULL, "reload refused, generation %" PRIu64 " stays in force: %s",
	    app->generation, first);
	finish(app, GAN_ECONFIG, text == NULL || text[0] == '\0' ? first : text);
}

/* What cannot change while we run. */
static const char *
needs_restart(const struct gan_config *a, const struct gan_config *b)
{
	if (!gan_streq(a->store.path, b->store.path) || a->store.postgresql != b->store.postgresql)
		return "store.path or store.engine";
	if (a->store.spool != b->store.spool)
		return "store.spool";
	if (!gan_streq(a->control_socket, b->control_socket))
		return "listen.control.socket";
	if (!gan_streq(a->admin.host, b->admin.host) || a->admin.port != b->admin.port)
		return "listen.admin.address";
	if (!gan_streq(a->public.address.host, b->public.address.host) ||
	    a->public.address.port != b->public.address.port ||
	    a->public.max_connections != b->public.max_connections)
		return "listen.public.address or max_connections";
	return NULL;
}

static void
store_tune(struct gan_app *app, const struct gan_config *conf)
{
	const struct gan_store_options opt = { .path = conf->store.path,
		.min_free = conf->store.min_free,
		.probe_after_ms = gan_app_probe_after_ms(conf),
		.keep_delivered_ms = conf->store.keep_delivered_ms,
		.keep_ignored_ms = conf->store.keep_ignored_ms,
		.keep_rejected_ms = conf->store.keep_rejected_ms,
		.keep_audit_ms = conf->store.keep_audit_ms };

	gan_store_tune(app->store, &opt);
}

/* Everything was proven: what can still fail is memory, and is asked first. */
static int
adopt(struct gan_app *app, struct gan_rules *rules, struct gan_err *err)
{
	const struct gan_pool_options opt = gan_loader_pool_options(app->candidate);
	int rc = gan_inbound_reload(app->inbound, app->candidate, err);

	if (rc < 0)
		return rc;
	rc = gan_outbound_reload(app->outbound, app->candidate, err);
	if (rc == GAN_OK)
		rc = gan_pool_tune(app->pool, &opt, err);
	if (rc < 0) {
		(void)!gan_inbound_reload(app->inbound, app->conf, NULL);
		(void)!gan_outbound_reload(app->outbound, app->conf, NULL);
		return rc;
	}
	app->candidate->generation = ++app->generation;
	gan_config_unref(&app->conf);
	app->conf = gan_steal(&app->candidate);
	store_tune(app, app->conf);
	gan_feeds_reload(app->feeds, app->conf);
	gan_reconcile_reload(app->reconcile, app->conf);
	gan_log_level_set(app->conf->log_level);
	rules_adopt(app, rules);
	red_set(app, NULL);
	return GAN_OK;
}

static void
on_proof(void *arg, const struct gan_proof *proof)
{
	struct gan_app *app = arg;
	struct gan_err err;
	char text[160];

	app->proving = NULL;
	gan_buf_puts(&app->reload_findings, proof->text);
	if (app->stopping) {
		finish(app, GAN_EGONE, "the gateway is stopping");
		return;
	}
	if (!proof->green) {
		red_set(app, proof->first);
		refuse(app, proof->first);
		return;
	}
	if (adopt(app, proof->rules, &err) < 0) {
		gan_buf_printf(&app->reload_findings, "%s\n", err.msg);
		refuse(app, err.msg);
		return;
	}
	(void)snprintf(text, sizeof(text),
	    "generation %" PRIu64 " in force: %u rule%s (%u unchanged), %u test%s passed",
	    app->generation, proof->nrules, proof->nrules == 1 ? "" : "s", proof->unchanged,
	    proof->passed, proof->passed == 1 ? "" : "s");
	gan_log(GAN_LOG_NOTICE, NULL, "%s", text);
	gan_buf_printf(&app->reload_findings, "%s\n", text);
	finish(app, GAN_OK, app->reload_findings.data == NULL ? text : app->reload_findings.data);
}

static void
on_config(void *arg, int rc, struct gan_config *conf, struct gan_diags *d)
{
	struct gan_app *app = arg;
	const char *what;

	gan_buf_puts(&app->reload_findings, d->text.data == NULL ? "" : d->text.data);
	if (app->stopping) {
		finish(app, GAN_EGONE, "the gateway is stopping");
		return;
	}
	if (rc < 0) {
		refuse(app, d->first[0] != '\0' ? d->first : gan_strerror(rc));
		return;
	}
	what = needs_restart(app->conf, conf);
	if (what != NULL) {
		gan_buf_printf(&app->reload_findings,
		    "%s changed: that needs a restart (systemctl restart gantry)\n", what);
		refuse(app, what);
		return;
	}
	app->candidate = gan_config_ref(conf);
	prove(app, app->candidate, NULL, 0, on_proof);
}

void
gan_reload(struct gan_app *app, gan_reload_fn cb, void *cb_arg)
{
	int rc;

	if (app->stopping || (app->reloading && cb != NULL)) {
		if (cb == NULL)
			return;
		cb(cb_arg, GAN_EBUSY,
		    app->stopping ? "the gateway is stopping"
				  : "another reload is running: try again");
		return;
	}
	if (app->reloading) {
		app->reload_again = true;
		return;
	}
	app->reloading = true;
	app->reload_cb = cb;
	app->reload_cb_arg = cb_arg;
	gan_service_reloading();
	rc = gan_pool_read_config(app->pool, app->config_path, on_config, app);
	if (rc < 0)
		refuse(app, gan_strerror(rc));
}
