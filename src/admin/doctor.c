/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - what is likely to hurt soon, and what to do about it.
 *
 * Every finding is {check, level, finding, action}.  A "problem" or a
 * "warning" makes gantryctl exit with 1; a "note" does not.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "admin/admin_priv.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/units.h"
#include "outbound/outbound.h"

#define SHORT_SECRET 16
#define QUOTA_WINDOWS 10
#define OUTBOX_OLD_MS INT64_C(3600000)
/* No clock that is right shows an earlier time than this release: 2025-01-01. */
#define CLOCK_FLOOR_MS INT64_C(1735689600000)

struct visit {
	struct gan_admin *a;
	const struct gan_config *conf;
	struct gan_buf out;
	unsigned items;
	bool bad;
};

static void found(struct visit *v, const char *check, const char *level, const char *action,
    const char *fmt, ...) GAN_PRINTF(5, 6);

static void
found(
    struct visit *v, const char *check, const char *level, const char *action, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gan_buf_puts(&v->out, v->items++ > 0 ? ",{\"check\":" : "{\"check\":");
	gan_put_str(&v->out, check);
	gan_buf_puts(&v->out, ",\"level\":");
	gan_put_str(&v->out, level);
	gan_buf_puts(&v->out, ",\"finding\":");
	gan_put_str(&v->out, text);
	gan_buf_puts(&v->out, ",\"action\":");
	gan_put_str(&v->out, action);
	gan_buf_puts(&v->out, "}");
	if (strcmp(level, "note") != 0)
		v->bad = true;
}

static void
found_plain(
    void *arg, const char *check, const char *level, const char *action, const char *finding)
{
	found(arg, check, level, action, "%s", finding);
}

/* ---- files ---- */

static void
look_at_secret(struct visit *v, const struct gan_secret *s)
{
	char *path GAN_AUTO(gan_str_free) = NULL;
	struct stat st;

	if (s->name == NULL)
		return;
	path = gan_path_join(v->conf->secrets_dir, s->name);
	/* Not there: a credential of systemd, which has modes of its own. */
	if (path == NULL || stat(path, &st) < 0)
		return;
	if ((st.st_mode & S_IRWXO) != 0)
		found(v, "secrets", "problem", "chmod o= on the file, then change the secret",
		    "%s can be read by every user (mode %04o)", path, st.st_mode & 07777);
	else if ((st.st_mode & S_IWGRP) != 0)
		found(v, "secrets", "warning", "chmod 0640 on the file",
		    "%s can be changed by its group (mode %04o)", path, st.st_mode & 07777);
}

static void
look_at_source_secrets(struct visit *v, const char *source, const struct gan_secret *list)
{
	for (size_t k = 0; k < GAN_SECRETS_MAX && list[k].name != NULL; k++) {
		look_at_secret(v, &list[k]);
		if (list[k].bytes != NULL && list[k].len < SHORT_SECRET)
			found(v, "secrets", "warning",
			    "agree on a random secret of 32 bytes; two may stand side by "
			    "side meanwhile",
			    "secret:%s of source %s has only %zu bytes: it can be guessed",
			    list[k].name, source, list[k].len);
	}
}

static void
look_at_secrets(struct visit *v)
{
	for (size_t i = 0; i < v->conf->nsources; i++) {
		const struct gan_conf_source *s = &v->conf->sources[i];

		look_at_source_secrets(v, s->name, s->secrets);
		look_at_source_secrets(v, s->name, s->basic_passwords);
	}
	for (size_t i = 0; i < v->conf->nconnectors; i++) {
		const struct gan_conf_connector *c = &v->conf->connectors[i];
		const struct gan_secret *all[] = { &c->channel_key, &c->token, &c->api_key,
			&c->api_secret, &c->user, &c->password, &c->tokens[0], &c->tokens[1] };

		for (size_t k = 0; k < GAN_COUNT(all); k++)
			look_at_secret(v, all[k]);
	}
}

static void
look_at_mode(struct visit *v, const char *what, const char *path, mode_t wrong, const char *who)
{
	struct stat st;

	if (path == NULL || stat(path, &st) < 0 || (st.st_mode & wrong) == 0)
		return;
	found(v, "permissions", "problem", "take that right away with chmod",
	    "%s %s is open to %s (mode %04o)", what, path, who, st.st_mode & 07777);
}

static void
look_at_files(struct visit *v)
{
	char *dir GAN_AUTO(gan_str_free) = gan_path_dir(v->conf->store.path);

	look_at_mode(v, "the data folder", dir, S_IRWXO, "every user");
	look_at_mode(v, "the database", v->conf->store.path, S_IRWXO, "every user");
	look_at_mode(v, "the control socket", v->conf->control_socket, S_IRWXO, "every user");
	look_at_mode(v, "the configuration", v->conf->path, S_IWOTH, "writing by every user");
	look_at_mode(
	    v, "the rules folder", v->conf->mapping.rules, S_IWOTH, "writing by every user");
}

static void
look_at_space(struct visit *v, const struct gan_store_counts *n)
{
	char *dir GAN_AUTO(gan_str_free) = gan_path_dir(v->conf->store.path);
	struct statvfs fs;
	char have[32], need[32];
	int64_t free_bytes;

	if (n->full)
		found(v, "store", "problem",
		    "make room on its disk; gantryd takes events again by itself",
		    "the store is full: %s",
		    n->spool_size > 0 && !n->spool_broken
			? "webhooks go to the emergency spool, other events are answered with 503"
			: "new events are answered with 503");
	if (dir == NULL || statvfs(dir, &fs) < 0)
		return;
	free_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
	if (free_bytes >= 2 * v->conf->store.min_free)
		return;
	found(v, "disk", "warning", "make room, or give the data folder a larger disk",
	    "only %s are free in %s; below %s new events are refused",
	    gan_size_format(free_bytes >> 20 << 20, have, sizeof(have)), dir,
	    gan_size_format(v->conf->store.min_free, need, sizeof(need)));
}

static void
look_at_spool(struct visit *v, const struct gan_store_counts *n)
{
	char used[32], size[32], since[GAN_TIME_LEN];

	if (n->spool_broken)
		found(v, "spool", "problem",
		    "look for its reason in the log; mend the disk, restart",
		    "the emergency spool failed: webhooks depend on the database alone");
	else if (n->spool_size == 0 && v->conf->store.spool > 0)
		found(v, "spool", "warning", "make room on the disk of the database",
		    "there was no room to make the emergency spool");
	if (n->spool_lost > 0)
		found(v, "spool", "problem", "ask the senders what they sent in that time",
		    "%lld records of the emergency spool could not be read",
		    (long long)n->spool_lost);
	if (n->spool_records > 0)
		found(v, "spool", "problem",
		    n->spool_stuck ? "look for the reason in the log; mend it, or restart"
				   : "make room on the disk; they are imported by themselves",
		    "%lld webhooks wait in the emergency spool since %s (%s of %s used)",
		    (long long)n->spool_records, gan_time_format(n->spool_since_ms, since),
		    gan_size_format(n->spool_bytes, used, sizeof(used)),
		    gan_size_format(n->spool_size, size, sizeof(size)));
}

/* ---- what runs ---- */

static void
look_at_clock(struct visit *v, const struct gan_store_counts *n)
{
	struct timex tx = { 0 };
	int64_t now_ms = gan_wall_ms();

	if (now_ms < CLOCK_FLOOR_MS)
		found(v, "clock", "problem", "set the clock and keep it by NTP",
		    "the clock of this machine is years behind");
	else if (n->last_commit_ms > now_ms + 60000)
		found(v, "clock", "warning", "find out who sets the clock back; keep it by NTP",
		    "the clock is more than a minute behind the last commit");
	if (adjtimex(&tx) >= 0 && (tx.status & STA_UNSYNC) != 0)
		found(v, "clock", "note", "enable systemd-timesyncd, chrony or the host's own",
		    "the kernel does not know of any time server");
}

static void
look_at_rules(struct visit *v)
{
	struct gan_rules *rules = v->a->ops.rules(v->a->ops.arg);
	int64_t since_ms = 0;
	const char *red = v->a->ops.rules_red(v->a->ops.arg, &since_ms);

	if (red != NULL)
		found(v, "rules", "problem",
		    "see `gantryctl rules check`, mend the file, then `gantryctl reload`",
		    "the rules in the folder are not in force: %s", red);
	if (rules == NULL && red == NULL) { /* the first proof is under way */
		found(v, "rules", "note", "ask again in a few seconds",
		    "the rules are being tested: until they are in force events are stored and wait");
		return;
	}
	if (rules == NULL) {
		found(v, "rules", "problem", "mend the rules, then `gantryctl reload`",
		    "no rule set is in force: events are stored and wait");
		return;
	}
	if (rules->nrules == 0)
		found(v, "rules", "note", "write a rule: gantry-rules(5)",
		    "there is no rule: every event is ignored");
	for (size_t i = 0; i < rules->nrules; i++) {
		if (rules->rules[i].enabled && rules->rules[i].ntests == 0)
			found(v, "rules", "warning",
			    "add a test with an event that really came: gantry-rules(5)",
			    "rule %s (%s) has no test", rules->rules[i].name, rules->rules[i].file);
	}
}

/* Used up now and then is what it is for; all the time means that the work grows faster. */
static void
look_at_quota(struct visit *v, const struct gan_connector_status *c)
{
	int64_t short_ms = c->quota_short_ms != 0 ? gan_wall_ms() - c->quota_short_ms : 0;
	char span[32];

	if (c->quota_allowed > 0 && short_ms >= QUOTA_WINDOWS * c->quota_window_ms)
		found(v, "quota", "warning",
		    "send less, poll less often, raise quota.share, or ask the vendor for more",
		    "the quota of %s has been used up for %s without a pause: %u requests in a "
		    "window, and more wait",
		    c->name, gan_duration_format(short_ms / 1000 * 1000, span, sizeof(span)),
		    c->quota_limit);
	if (c->quota_limit < c->quota_allowed)
		found(v, "quota", "note",
		    "look who else uses the account, and lower quota.share by that",
		    "%s answered 429 although the quota was kept: %u instead of %u requests are "
		    "sent in a window for now",
		    c->name, c->quota_limit, c->quota_allowed);
}

static void
look_at_connectors(struct visit *v)
{
	struct gan_connector_status *rows;
	size_t n = gan_status_connectors(v->a, &rows);

	for (size_t i = 0; i < n; i++) {
		const char *why = rows[i].pause_reason != NULL ? rows[i].pause_reason : "no reason";

		if (rows[i].paused == GAN_PAUSE_PERSON)
			found(v, "connectors", "warning",
			    "`gantryctl resume NAME` when it may go on", "%s is paused: %s",
			    rows[i].name, why);
		else if (rows[i].paused == GAN_PAUSE_TOKEN)
			found(v, "connectors", "problem",
			    "put the right secret into its file, then `gantryctl reload`",
			    "%s is paused, its credentials are refused: %s", rows[i].name, why);
		else if (rows[i].breaker_open)
			found(v, "connectors", "warning",
			    "ask who runs it; deliveries wait and go on by themselves",
			    "%s keeps failing (%u times): %s", rows[i].name,
			    rows[i].consecutive_failures,
			    rows[i].last_error != NULL ? rows[i].last_error : "no error text");
		look_at_quota(v, &rows[i]);
	}
	free(rows);
}

static void
look_at_store(struct visit *v, const struct gan_store_counts *n)
{
	if (n->quarantined > 0)
		found(v, "quarantine", "warning",
		    "`gantryctl quarantine list`; after mending our secret `gantryctl quarantine "
		    "accept --all-matching`",
		    "%lld requests with a wrong signature are in quarantine",
		    (long long)n->quarantined);
	if (n->attention > 0)
		found(v, "attention", "note", "`gantryctl attention` says what each waits for",
		    "%lld items wait for a person", (long long)n->attention);
}

/* An ERP that fetches comes often: an hour is long. */
static void
look_at_outboxes(struct visit *v, const struct gan_store_counts *n)
{
	for (size_t i = 0; i < n->noutboxes; i++) {
		const struct gan_outbox_count *o = &n->outboxes[i];
		int64_t age_ms = o->backlog == 0 ? 0 : gan_wall_ms() - o->oldest_ms;
		char span[32];

		if (age_ms < OUTBOX_OLD_MS)
			continue;
		found(v, "outboxes", "warning",
		    "look whether the system that fetches them runs and acknowledges: "
		    "GET /v1/outbox/{consumer}, POST /v1/outbox/{consumer}/ack",
		    "%lld messages wait in the outbox of %s, the oldest for %s",
		    (long long)o->backlog, o->connector,
		    gan_duration_format(age_ms / 60000 * 60000, span, sizeof(span)));
	}
}

/* ---- listeners and sources ---- */

static bool
is_loopback(const char *host)
{
	return host == NULL || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static void
look_at_listeners(struct visit *v)
{
	const struct gan_conf_public *p = &v->conf->public;
	bool behind_proxy = false;

	for (size_t i = 0; i < p->ntrusted_proxies; i++)
		behind_proxy = behind_proxy || !is_loopback(p->trusted_proxies[i]);
	if (!is_loopback(p->address.host) && !behind_proxy)
		found(v, "listeners", "warning",
		    "listen on 127.0.0.1 behind a proxy that ends TLS, or name the proxy in "
		    "listen.public.trusted_proxies",
		    "the public listener is open on %s without TLS and without a known proxy",
		    p->address.host);
	if (!is_loopback(v->conf->admin.host))
		found(v, "listeners", "warning", "set listen.admin.address to 127.0.0.1:8481",
		    "the admin listener is open on %s: it knows no passwords", v->conf->admin.host);
}

static void
look_at_sources(struct visit *v)
{
	for (size_t i = 0; i < v->conf->nsources; i++) {
		const struct gan_conf_source *s = &v->conf->sources[i];

		if (s->kind == GAN_SOURCE_WEBHOOK && !s->signature.pinned)
			found(v, "sources", "note",
			    "pin the form that your webhooks really have: `gantryctl show EVENT` "
			    "names it, gantry.yaml(5) says how",
			    "source %s accepts every form of signature (auto)", s->name);
	}
}

void
gan_verb_doctor(struct gan_call *c)
{
	struct visit v = { .a = c->admin, .conf = c->admin->ops.conf(c->admin->ops.arg) };
	struct gan_store_counts *n GAN_AUTO(gan_counts_free) = calloc(1, sizeof(*n));
	const char *not_ready = c->admin->ops.not_ready(c->admin->ops.arg);

	if (n == NULL) {
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
		return;
	}
	gan_store_counts(c->admin->ops.store, n);
	gan_buf_puts(&v.out, "[");
	if (not_ready != NULL)
		found(&v, "ready", "problem", "the journal of gantryd says more",
		    "gantryd is not ready: %s", not_ready);
	look_at_secrets(&v);
	look_at_files(&v);
	look_at_space(&v, n);
	look_at_spool(&v, n);
	look_at_clock(&v, n);
	look_at_rules(&v);
	look_at_connectors(&v);
	look_at_store(&v, n);
	look_at_outboxes(&v, n);
	look_at_listeners(&v);
	look_at_sources(&v);
	gan_changes_doctor(v.a, found_plain, &v);
	gan_buf_puts(&v.out, "]");
	if (v.out.failed)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(
		    c, v.bad ? GAN_EXIT_NEGATIVE : GAN_EXIT_OK, v.out.data, v.out.len, NULL);
	gan_buf_fini(&v.out);
}
