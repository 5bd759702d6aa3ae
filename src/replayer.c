/* SPDX-License-Identifier: MIT */
/* replayer.c - see replayer.h. */
#include "replayer.h"

#include <stdlib.h>
#include <string.h>

#include "admin/scope.h"
#include "admin/walk.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "commit.h"

enum {
	WINDOW = 32,    /* commits outstanding */
	LATER_MS = 500, /* after the store had no room, or while there are no rules */
};

struct gan_replayer {
	struct gan_replayer_options opt;
	uv_timer_t later;
	/* Of the replay at work; no 0: none. */
	int64_t no, at, upto;
	cJSON *filter;
	struct gan_scope scope;
	struct gan_walk *walk;
	struct gan_config *conf; /* of the event at hand */
	struct gan_rules *rules;
	struct gan_event *event;
	size_t committing;
	bool stepping; /* a callback of the walk or of the store's question is to come */
	bool asked, ended, failed, again;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void pump(struct gan_replayer *r);

static void
on_later(uv_timer_t *t)
{
	gan_replayer_poke(t->data);
}

static void
look_later(struct gan_replayer *r)
{
	if (r->closed == NULL)
		(void)uv_timer_start(&r->later, on_later, LATER_MS, 0);
}

/* Forget the one at hand; the store knows where it stands. */
static void
drop(struct gan_replayer *r)
{
	gan_walk_close(&r->walk);
	gan_scope_fini(&r->scope);
	gan_cj_free(&r->filter);
	gan_config_unref(&r->conf);
	gan_rules_unref(&r->rules);
	r->no = 0;
	r->ended = r->failed = false;
}

/* ---- one event --------------------------------------------------------------------- */

static void
on_committed(void *arg, int rc)
{
	struct gan_replayer *r = arg;

	r->committing--;
	if (rc == GAN_OK) {
		pump(r);
		return;
	}
	/* GAN_ESTATE: a person stopped it. */
	if (rc != GAN_ESTATE && rc != GAN_EINVAL && !r->failed && rc != GAN_EGONE && rc != GAN_EIO)
		gan_log(GAN_LOG_WARNING, NULL,
		    "a step of replay %lld was not stored (%s): it is done again", (long long)r->no,
		    gan_strerror(rc));
	r->failed = true;
	pump(r);
}

static void
on_mapped(void *arg, int rc, const struct gan_map_result *results, size_t n)
{
	struct gan_replayer *r = arg;
	struct gan_outcome *o GAN_AUTO(gan_outcome_free) = NULL;

	r->stepping = false;
	/* Asked for now, so what its rules say of its age counts from now. */
	if (rc == GAN_OK)
		rc = gan_outcome_of_results(r->conf, r->rules, results, n, gan_wall_ms(), &o);
	if (rc == GAN_OK)
		rc = gan_outcome_commit_replay(
		    o, r->opt.store, r->event, r->no, r->at, r->scope.key, on_committed, r);
	if (rc == GAN_OK) {
		r->committing++;
		r->at = r->event->id;
	} else {
		r->failed = true;
	}
	pump(r);
}

static void
on_event(void *arg, int rc, struct gan_event *e)
{
	struct gan_replayer *r = arg;

	if (rc < 0 || e == NULL) {
		r->stepping = false;
		r->failed = r->failed || rc < 0;
		r->ended = !r->failed;
		pump(r);
		return;
	}
	gan_config_unref(&r->conf);
	gan_rules_unref(&r->rules);
	r->conf = gan_config_ref(r->opt.conf(r->opt.arg));
	r->rules = gan_rules_ref(r->opt.rules(r->opt.arg));
	r->event = e;
	gan_walk_map(r->walk, 0, r->rules, r->scope.rule, r->scope.connector, e, on_mapped, r);
}

/* ---- from the store's word to its end -------------------------------------------------- */

static void
on_ended(void *arg, int rc, const char *json, size_t len)
{
	struct gan_replayer *r = arg;

	(void)json;
	(void)len;
	r->stepping = false;
	if (rc == GAN_OK)
		gan_log(GAN_LOG_NOTICE, NULL, "replay %lld is done", (long long)r->no);
	else if (rc != GAN_ESTATE)
		r->again = true;
	drop(r);
	pump(r);
}

static void
end(struct gan_replayer *r)
{
	const struct gan_replay_end e = { .no = r->no, .now_ms = gan_wall_ms() };

	r->stepping = true;
	if (gan_store_replay_end(r->opt.store, &e, on_ended, r) < 0)
		on_ended(r, GAN_EBUSY, "", 0);
}

/* It could not even be begun: that does not get better by itself. */
static void
give_up(struct gan_replayer *r, int64_t no, const char *why)
{
	const struct gan_replay_end e = {
		.no = no, .who = "gantryd", .reason = why, .now_ms = gan_wall_ms()
	};

	gan_log(GAN_LOG_ERR, NULL, "replay %lld is stopped: %s", (long long)no, why);
	if (gan_store_replay_end(r->opt.store, &e, NULL, NULL) < 0)
		r->again = true;
}

static void
begin(struct gan_replayer *r, const struct gan_replay *want)
{
	struct gan_err err = { 0 };
	int rc = gan_cj_parse(want->filter, strlen(want->filter), &r->filter, &err);

	if (rc == GAN_OK)
		rc = gan_scope_read(r->filter, &r->scope, &err);
	if (rc == GAN_OK)
		rc = gan_walk_open(r->opt.loop, r->opt.store, r->opt.conf(r->opt.arg),
		    &r->scope.events, want->at, want->upto, &r->walk, &err);
	if (rc < 0) {
		give_up(r, want->no, err.msg);
		drop(r);
		return;
	}
	r->no = want->no;
	r->at = want->at;
	r->upto = want->upto;
}

static void
on_running(void *arg, int rc, const struct gan_replay *want)
{
	struct gan_replayer *r = arg;

	r->stepping = false;
	if (rc == GAN_OK && want->no != 0 && r->closed == NULL)
		begin(r, want);
	else if (rc < 0 && rc != GAN_EGONE && rc != GAN_EIO)
		r->again = true;
	pump(r);
}

static void
ask(struct gan_replayer *r)
{
	r->asked = false;
	if (r->opt.rules(r->opt.arg) == NULL) {
		look_later(r);
		return;
	}
	r->stepping = true;
	if (gan_store_replay_running(r->opt.store, on_running, r) < 0) {
		r->stepping = false;
		look_later(r);
	}
}

static void
on_timer_closed(uv_handle_t *h)
{
	struct gan_replayer *r = h->data;

	r->closed(r->closed_arg);
	free(r);
}

static void
pump(struct gan_replayer *r)
{
	if (r->stepping)
		return;
	if (r->closed != NULL || r->failed) {
		if (r->committing > 0)
			return;
		r->again = r->failed;
		drop(r);
	}
	if (r->closed != NULL) {
		if (!uv_is_closing((uv_handle_t *)&r->later))
			uv_close((uv_handle_t *)&r->later, on_timer_closed);
		return;
	}
	if (r->again) {
		r->again = false;
		look_later(r);
	} else if (r->no == 0) {
		if (r->asked)
			ask(r);
	} else if (r->ended && r->committing == 0) {
		end(r);
	} else if (!r->ended && r->committing < WINDOW) {
		r->stepping = true;
		gan_walk_next(r->walk, on_event, r);
	}
}

void
gan_replayer_poke(struct gan_replayer *r)
{
	r->asked = true;
	pump(r);
}

int
gan_replayer_open(
    const struct gan_replayer_options *opt, struct gan_replayer **ret_replayer, struct gan_err *err)
{
	struct gan_replayer *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return gan_err_set(err, GAN_ENOMEM, "replays");
	r->opt = *opt;
	gan_must(uv_timer_init(opt->loop, &r->later) == 0);
	r->later.data = r;
	*ret_replayer = r;
	gan_replayer_poke(r);
	return GAN_OK;
}

void
gan_replayer_close(struct gan_replayer **rp, void (*cb)(void *arg), void *arg)
{
	struct gan_replayer *r = gan_steal(rp);

	r->closed = cb;
	r->closed_arg = arg;
	if (r->walk != NULL)
		gan_walk_cancel(r->walk);
	pump(r);
}
