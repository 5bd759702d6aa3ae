/* SPDX-License-Identifier: MIT */
/* app.c - see app.h: start, run, drain, stop. */
#include "app.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_priv.h"
#include "ask.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loader.h"
#include "remap.h"

enum {
	DRAIN_IN_MS = 3000,  /* requests that wait for their commit, answers under way */
	DRAIN_OUT_MS = 6000, /* transfers in flight; then they are cut and judged */
	FATAL_MS = 1000,     /* time for the 503s to leave after the store broke */
	EXIT_SOFTWARE = 70,
	EXIT_OSERR = 71,
	EXIT_CANTCREAT = 73,
	EXIT_IO = 74,
	EXIT_BAD_CONFIG = 78,
	EXIT_DATA = 65,
};

void
gan_app_tell_status(struct gan_app *app)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "generation %" PRIu64 ", %zu rules%s", app->generation,
	    app->rules == NULL ? 0 : app->rules->nrules,
	    app->red != NULL     ? " (the folder's rules are red)"
	    : app->reload_rc < 0 ? " (the last reload was refused)"
				 : "");
	if (app->stopping)
		return;
	gan_service_ready(text);
}

/* ---- what admin asks ---------------------------------------------------------- */

static struct gan_config *
ops_conf(void *arg)
{
	return ((struct gan_app *)arg)->conf;
}

static struct gan_rules *
ops_rules(void *arg)
{
	return ((struct gan_app *)arg)->rules;
}

static struct gan_pool *
ops_pool(void *arg)
{
	return ((struct gan_app *)arg)->pool;
}

static const char *
ops_red(void *arg, int64_t *ret_since_ms)
{
	struct gan_app *app = arg;

	if (app->red != NULL)
		*ret_since_ms = app->red_since_ms;
	return app->red;
}

static const char *
app_not_ready(void *arg)
{
	struct gan_app *app = arg;

	return app->stopping ? "the gateway is stopping" : NULL;
}

static void
ops_last_reload(void *arg, int64_t *ret_ms, int *ret_rc, const char **ret_text)
{
	struct gan_app *app = arg;

	*ret_ms = app->reload_ms;
	*ret_rc = app->reload_rc;
	*ret_text = app->reload_text;
}

static int64_t
ops_started(void *arg)
{
	return ((struct gan_app *)arg)->started_ms;
}

static void
ops_reload(void *arg, gan_reload_fn cb, void *cb_arg)
{
	gan_reload(arg, cb, cb_arg);
}

static void
ops_remap(void *arg, int64_t event_id, gan_remap_fn cb, void *cb_arg)
{
	struct gan_app *app = arg;

	if (app->rules == NULL)
		cb(cb_arg, GAN_ESTATE, "there are no rules in force: mend the folder and reload");
	else
		gan_remap(app->store, app->pool, app->conf, app->rules, event_id, cb, cb_arg);
}

static void
ops_replay(void *arg)
{
	struct gan_app *app = arg;

	if (app->replayer != NULL)
		gan_replayer_poke(app->replayer);
}

/* ---- the store speaks ----------------------------------------------------------- */

static void
on_events(void *arg, struct gan_event *e)
{
	gan_pipeline_feed(((struct gan_app *)arg)->pipeline, e);
}

static uint64_t
ignored_by(void *arg, const char *source, const char *topic)
{
	return gan_pipeline_ignored_by(((struct gan_app *)arg)->pipeline, source, topic);
}

static int64_t
due_ms(void *arg)
{
	return gan_outbound_due_ms(((struct gan_app *)arg)->outbound);
}

static void
on_due(void *arg, const char *connector)
{
	struct gan_app *app = arg;

	gan_outbound_poke(app->outbound, connector);
	if (app->inbound != NULL)
		gan_inbound_due(app->inbound, connector);
}

static void
on_paused(void *arg, const char *connector, const char *reason, int64_t since_ms)
{
	gan_outbound_pause(((struct gan_app *)arg)->outbound, connector, reason, since_ms);
}

static void
on_spool(void *arg, enum gan_spool_news what, int64_t records, const char *text)
{
	(void)arg;
	switch (what) {
	case GAN_SPOOL_USED:
		gan_log(GAN_LOG_WARNING, NULL,
		    "the database takes no new events (%s): webhooks go to the emergency spool",
		    text);
		break;
	case GAN_SPOOL_EMPTIED:
		gan_log(GAN_LOG_NOTICE, NULL,
		    "the emergency spool is empty again: %" PRId64 " webhooks were imported",
		    records);
		break;
	case GAN_SPOOL_LOST:
		gan_log(GAN_LOG_ERR, NULL,
		    "%" PRId64 " records of %s cannot be read: torn before they were acknowledged, "
		    "or damaged since",
		    records, text);
		break;
	case GAN_SPOOL_STUCK:
		gan_log(GAN_LOG_ERR, NULL,
		    "%" PRId64 " webhooks wait in the emergency spool, and the database does not "
		    "take the oldest, tried again each second: %s",
		    records, text);
		break;
	default:
		gan_log(GAN_LOG_ERR, NULL,
		    "the emergency spool cannot be used, webhooks depend on the database alone: "
		    "%s",
		    text);
	}
}

/*
 * The database is broken: the pending requests get their answer, then we go
 * without closing it (a close would write) and systemd starts us again.
 */
static void
leave_broken(void *arg)
{
	(void)arg;
	_exit(EXIT_IO);
}

static void
on_fatal(void *arg, const struct gan_err *err)
{
	struct gan_app *app = arg;

	gan_log(GAN_LOG_ERR, NULL, "the store failed, stopping so that a restart can recover: %s",
	    err->msg);
	app->exit_code = EXIT_IO;
	if (app->stopping) /* what drains already goes on; the store is then left as it is */
		return;
	app->stopping = true;
	if (app->inbound != NULL)
		gan_inbound_drain(app->inbound, FATAL_MS, leave_broken, app);
	else
		leave_broken(app);
}

/* ---- stop -------------------------------------------------------------------------- */

static void
close_handle(uv_handle_t *h)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static void
on_store_closed(void *arg)
{
	struct gan_app *app = arg;

	app->store = NULL;
	gan_log(GAN_LOG_NOTICE, NULL, "stopped");
}

static void
on_pool_closed(void *arg)
{
	struct gan_app *app = arg;

	gan_pipeline_close(&app->pipeline);
	gan_store_close(app->store, on_store_closed, app);
}

/* Untold, the next process waits for one window: no harm but that. */
static void
leave_quotas(struct gan_app *app)
{
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { .max = 16 << 20 };

	gan_outbound_quotas(app->outbound, &text);
	if (!text.failed)
		(void)!gan_store_quota_put(app->store, text.data);
}

static void
on_admin_closed(void *arg)
{
	struct gan_app *app = arg;

	gan_inbound_close(&app->inbound);
	leave_quotas(app);
	gan_feeds_close(&app->feeds);
	gan_reconcile_close(&app->reconcile);
	gan_outbound_close(&app->outbound);
	gan_pool_close(app->pool, on_pool_closed, app);
}

static void
on_drained(void *arg)
{
	struct gan_app *app = arg;

	if (--app->draining > 0)
		return;
	gan_admin_close(app->admin, on_admin_closed, app);
}

static void
stop(struct gan_app *app)
{
	uv_handle_t *const handles[] = { (uv_handle_t *)&app->sig_hup,
		(uv_handle_t *)&app->sig_usr1, (uv_handle_t *)&app->sig_usr2,
		(uv_handle_t *)&app->watchdog };

	app->stopping = true;
	gan_service_stopping();
	gan_log(GAN_LOG_NOTICE, NULL, "stopping: finishing what is in flight");
	for (size_t i = 0; i < GAN_COUNT(handles); i++)
		close_handle(handles[i]);
	/* TERM and INT stay: a second one ends at once. They must not keep the loop alive. */
	uv_unref((uv_handle_t *)&app->sig_term);
	uv_unref((uv_handle_t *)&app->sig_int);
	if (app->proving != NULL)
		gan_loader_cancel(app->proving);
	app->draining = 6;
	gan_replayer_close(&app->replayer, on_drained, app);
	gan_inbound_drain(app->inbound, DRAIN_IN_MS, on_drained, app);
	/* A read of a change channel is waited for, too: what it brings is gone there. */
	gan_feeds_drain(app->feeds, on_drained, app);
	gan_reconcile_drain(app->reconcile, on_drained, app);
	gan_outbound_drain(app->outbound, DRAIN_OUT_MS, on_drained, app);
	gan_pipeline_stop(app->pipeline, on_drained, app);
}

/* ---- signals and watchdog ------------------------------------------------------------ */

static void
log_summary(struct gan_app *app)
{
	struct gan_store_counts *c = malloc(sizeof(*c));
	struct gan_pool_stats pool;

	if (c == NULL)
		return;
	gan_store_counts(app->store, c);
	gan_pool_stats(app->pool, &pool);
	gan_log(GAN_LOG_NOTICE, NULL,
	    "events: %" PRId64 " received %" PRId64 " mapped %" PRId64 " ignored %" PRId64
	    " rejected; deliveries: %" PRId64 " waiting %" PRId64 " sending %" PRId64
	    " delivered %" PRId64 " unknown %" PRId64 " dead; attention %" PRId64
	    "; workers %u, restarts %" PRIu64,
	    c->events[GAN_EVENT_RECEIVED], c->events[GAN_EVENT_MAPPED],
	    c->events[GAN_EVENT_IGNORED], c->events[GAN_EVENT_REJECTED],
	    c->deliveries[GAN_DLV_WAITING], c->deliveries[GAN_DLV_SENDING],
	    c->deliveries[GAN_DLV_DELIVERED], c->deliveries[GAN_DLV_UNKNOWN],
	    c->deliveries[GAN_DLV_DEAD], c->attention, pool.workers_running, pool.restarts);
	free(c);
}

static void
on_signal(uv_signal_t *h, int signum)
{
	struct gan_app *app = h->data;

	switch (signum) {
	case SIGHUP:
		gan_reload(app, NULL, NULL);
		break;
	case SIGUSR1:
		log_summary(app);
		break;
	case SIGUSR2:
		gan_log_level_set(
		    gan_log_level_get() == GAN_LOG_DEBUG ? app->conf->log_level : GAN_LOG_DEBUG);
		break;
	default:
		if (app->stopping)
			_exit(EXIT_FAILURE);
		stop(app);
	}
}

static void
signal_start(struct gan_app *app, uv_signal_t *h, int signum)
{
	gan_must(uv_signal_init(&app->loop, h) == 0);
	h->data = app;
	gan_must(uv_signal_start(h, on_signal, signum) == 0);
}

/* The store thread answered and the loop took the answer: both live. */
static void
on_store_alive(void *arg, int rc, struct gan_event **events, size_t n)
{
	(void)arg;
	(void)n;
	if (rc == GAN_OK) {
		free(events);
		gan_service_alive();
	}
}

static void
on_watchdog(uv_timer_t *t)
{
	struct gan_app *app = t->data;

	/* Event 1 never exists: the answer is empty and proves that both threads turn. */
	(void)!gan_store_event(app->store, 1, on_store_alive, app);
}

static void
watchdog_start(struct gan_app *app)
{
	int64_t ms = gan_service_watchdog_ms();

	gan_must(uv_timer_init(&app->loop, &app->watchdog) == 0);
	app->watchdog.data = app;
	if (ms > 0)
		gan_must(uv_timer_start(
			     &app->watchdog, on_watchdog, (uint64_t)ms / 4, (uint64_t)ms / 3) == 0);
}

/* ---- start ------------------------------------------------------------------------------ */

static int
complain(const char *what, const struct gan_err *err, int exit_code)
{
	gan_log(GAN_LOG_ERR, NULL, "%s: %s", what, err->msg);
	return exit_code;
}

/* The store does not know connectors: the most patient one counts. */
int64_t
gan_app_probe_after_ms(const struct gan_config *conf)
{
	int64_t ms = conf->deliver.probe_after_ms;

	for (size_t i = 0; i < conf->nconnectors; i++)
		if (conf->connectors[i].deliver.probe_after_ms > ms)
			ms = conf->connectors[i].deliver.probe_after_ms;
	return ms;
}

static int
open_store(struct gan_app *app)
{
	const struct gan_config *conf = app->conf;
	const struct gan_store_options opt = { .path = conf->store.path,
		.min_free = conf->store.min_free,
		.spool_bytes = conf->store.spool,
		.probe_after_ms = gan_app_probe_after_ms(conf),
		.keep_delivered_ms = conf->store.keep_delivered_ms,
		.keep_ignored_ms = conf->store.keep_ignored_ms,
		.keep_rejected_ms = conf->store.keep_rejected_ms,
		.keep_audit_ms = conf->store.keep_audit_ms,
		.on_fatal = on_fatal,
		.on_spool = on_spool,
		.arg = app };
	struct gan_err err;
	int from, to, rc = gan_store_open(&app->loop, &opt, &app->store, &err);

	if (rc == GAN_OK && gan_store_upgraded(app->store, &from, &to))
		gan_log(GAN_LOG_NOTICE, NULL,
		    "the database was brought from format %d to %d: an older gantryd refuses it",
		    from, to);
	if (rc == GAN_OK)
		return 0;
	if (rc == GAN_EIO)
		return complain("store", &err, EXIT_IO);
	return complain("store", &err, rc == GAN_ESTORE ? EXIT_DATA : EXIT_CANTCREAT);
}

/* The mapping side and the outbound side; the doors open last. */
static int
open_parts(struct gan_app *app)
{
	const struct gan_pool_options pool = gan_loader_pool_options(app->conf);
	char *quotas GAN_AUTO(gan_str_free) = NULL;
	struct gan_err err;
	int rc;

	if (gan_pool_open(&app->loop, &pool, &app->pool, &err) < 0)
		return complain("mapping workers", &err, EXIT_OSERR);
	if (gan_pipeline_open(&app->loop, app->store, app->pool, &app->pipeline, &err) < 0)
		return complain("mapping", &err, EXIT_SOFTWARE);
	rc = gan_store_quota_take(app->store, &quotas, &err);
	if (rc < 0)
		return complain("store", &err, rc == GAN_EIO ? EXIT_IO : EXIT_DATA);
	if (gan_outbound_open(&app->loop, app->conf, app->store, quotas, &app->outbound, &err) < 0)
		return complain("connectors", &err, EXIT_SOFTWARE);
	rc = gan_store_paused(app->store, on_paused, app, &err);
	if (rc < 0)
		return complain("store", &err, rc == GAN_EIO ? EXIT_IO : EXIT_DATA);
	if (gan_replayer_open(&(struct gan_replayer_options){ .loop = &app->loop,
				  .store = app->store,
				  .conf = ops_conf,
				  .rules = ops_rules,
				  .arg = app },
		&app->replayer, &err) < 0)
		return complain("replays", &err, EXIT_SOFTWARE);
	gan_store_on_events(app->store, on_events, app);
	gan_store_on_due(app->store, on_due, app);
	return 0;
}

static int
open_doors(struct gan_app *app)
{
	const struct gan_inbound_options in = { .conf = app->conf,
		.store = app->store,
		.listen_fd = app->fds.public_fd,
		.not_ready = app_not_ready,
		.ignored_by = ignored_by,
		.due_ms = due_ms,
		.arg = app };
	struct gan_admin_ops ops = { .arg = app,
		.conf = ops_conf,
		.rules = ops_rules,
		.pool = ops_pool,
		.store = app->store,
		.outbound = app->outbound,
		.feeds = app->feeds,
		.reconcile = app->reconcile,
		.lag = &app->lag,
		.rules_red = ops_red,
		.not_ready = app_not_ready,
		.last_reload = ops_last_reload,
		.started_ms = ops_started,
		.reload = ops_reload,
		.remap = ops_remap,
		.replay = ops_replay };
	struct gan_err err;

	if (gan_inbound_open(&app->loop, &in, &app->inbound, &err) < 0)
		return complain("inbound", &err, EXIT_OSERR);
	ops.inbound = app->inbound;
	if (gan_admin_open(&app->loop, &ops, app->fds.control_fd, &app->admin, &err) < 0)
		return complain("control socket", &err, EXIT_OSERR);
	return 0;
}

static int
load_config(struct gan_app *app)
{
	struct gan_diags diags GAN_AUTO(gan_diags_fini) = { 0 };
	int rc = gan_config_load(app->config_path, true, &app->conf, &diags);

	/* Positions and excerpts are many lines: stderr as they are, not as log lines. */
	(void)fputs(diags.text.data == NULL ? "" : diags.text.data, stderr);
	if (rc < 0)
		return EXIT_BAD_CONFIG;
	app->conf->generation = app->generation = 1;
	gan_log_level_set(app->conf->log_level);
	return 0;
}

static int
start(struct gan_app *app)
{
	struct gan_err err;
	int code = load_config(app);

	if (code == 0 && gan_service_sockets(&app->fds, &err) < 0)
		code = complain("socket activation", &err, EXIT_OSERR);
	if (code == 0)
		code = open_store(app);
	if (code == 0)
		code = open_parts(app);
	if (code == 0 && gan_questions_open(app, &err) < 0)
		code = complain("change channels", &err, EXIT_SOFTWARE);
	if (code == 0)
		code = open_doors(app);
	return code;
}

int
gan_app_run(const char *config_path)
{
	struct gan_app app = { .config_path = config_path, .fds = { -1, -1 } };
	int code;

	app.started_ms = gan_wall_ms();
	gan_log_init(GAN_LOG_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	gan_must(uv_loop_init(&app.loop) == 0);
	gan_lag_start(&app.lag, &app.loop);
	/* Before anything else: a TERM during the start is a clean stop right after it. */
	signal_start(&app, &app.sig_hup, SIGHUP);
	signal_start(&app, &app.sig_term, SIGTERM);
	signal_start(&app, &app.sig_int, SIGINT);
	signal_start(&app, &app.sig_usr1, SIGUSR1);
	signal_start(&app, &app.sig_usr2, SIGUSR2);
	code = start(&app);
	if (code != 0) {
		/* Nothing was accepted yet: what is half open ends with the process. */
		(void)fflush(NULL);
		_exit(code);
	}
	watchdog_start(&app);
	gan_log(GAN_LOG_NOTICE, NULL, "gantryd %s: site %s, listening on %s port %u", GAN_VERSION,
	    app.conf->site, app.conf->public.address.host, gan_inbound_port(app.inbound));
	gan_app_tell_status(&app);
	gan_reload_first(&app);
	(void)uv_run(&app.loop, UV_RUN_DEFAULT);
	close_handle((uv_handle_t *)&app.sig_term);
	close_handle((uv_handle_t *)&app.sig_int);
	gan_lag_stop(&app.lag);
	(void)uv_run(&app.loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&app.loop) != 0)
		gan_log(GAN_LOG_DEBUG, NULL, "handles were left open at the end");
	gan_rules_unref(&app.rules);
	gan_config_unref(&app.conf);
	gan_verdicts_fini(&app.verdicts);
	gan_str_free(&app.red);
	gan_str_free(&app.reload_text);
	return app.exit_code;
}
