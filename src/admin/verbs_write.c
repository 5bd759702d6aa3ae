/* SPDX-License-Identifier: MIT */
/*
 * verbs_write.c - verbs that change something.
 *
 * A change of the store and its audit row are one COMMIT.  What happens
 * outside of it (a reload, a backup, mapping again) begins only when its audit
 * row is committed, so that nothing was ever done without a trace.
 */
#include <stdio.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "inbound/inbound.h"
#include "outbound/outbound.h"

void
gan_call_command(struct gan_call *c, const struct gan_command *cmd, gan_json_fn done)
{
	struct gan_command full = *cmd;
	int rc;

	full.who = c->who;
	full.reason = c->reason;
	full.now_ms = gan_wall_ms();
	rc = gan_store_command(c->admin->ops.store, &full, done, c);
	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
}

static void
run_command(struct gan_call *c, enum gan_command_kind kind, const char *id, const char *verb,
    gan_json_fn done)
{
	gan_call_command(c, &(struct gan_command){ .kind = kind, .id = id, .verb = verb }, done);
}

/* The store tells outbound what has become due; this makes it sure. */
void
gan_call_changed(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;

	if (rc >= 0 && !c->admin->closing && c->admin->ops.outbound != NULL)
		gan_outbound_poke(c->admin->ops.outbound, NULL);
	gan_call_store_done(c, rc, json, len);
}

/* ---- retry ---- */

static void
remapped(void *arg, int rc, const char *text)
{
	struct gan_call *c = arg;
	struct gan_query q = { .kind = GAN_QUERY_EVENT, .text = gan_call_str(c, "id") };

	if (rc < 0) {
		gan_call_store_failed(c, rc, text);
		return;
	}
	if (gan_call_cancelled(c))
		return;
	rc = gan_store_query(c->admin->ops.store, &q, gan_call_store_done, c);
	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
}

static void
remap_noted(struct gan_call *c)
{
	int64_t id;

	gan_must(gan_id_parse(GAN_ID_EVENT, gan_call_str(c, "id"), &id));
	c->admin->ops.remap(c->admin->ops.arg, id, remapped, c);
}

void
gan_verb_retry(struct gan_call *c)
{
	const char *id;
	int64_t n;

	if (!gan_call_need(c, "id", &id))
		return;
	if (gan_call_flag(c, "without_after")) {
		if (gan_id_parse(GAN_ID_DELIVERY, id, &n))
			run_command(c, GAN_CMD_FREE, id, "retry --without-after", gan_call_changed);
		else
			gan_call_fail(c, GAN_EXIT_USAGE,
			    "retry --without-after takes the id of a delivery (d…)");
	} else if (gan_id_parse(GAN_ID_EVENT, id, &n))
		gan_call_note(c, id, remap_noted);
	else if (gan_id_parse(GAN_ID_DELIVERY, id, &n))
		run_command(c, GAN_CMD_RETRY, id, "retry", gan_call_changed);
	else
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "retry takes the id of a delivery (d…) or of an event (e…), as the lists show "
		    "them");
}

/* ---- resolve, skip ---- */

void
gan_verb_resolve(struct gan_call *c)
{
	const char *id, *as;
	int64_t n;

	if (!gan_call_need(c, "id", &id) || !gan_call_need(c, "as", &as))
		return;
	if (!gan_id_parse(GAN_ID_DELIVERY, id, &n))
		gan_call_fail(c, GAN_EXIT_USAGE, "resolve takes the id of a delivery (d…)");
	else if (strcmp(as, "sent") == 0)
		run_command(c, GAN_CMD_SENT, id, "resolve --as sent", gan_call_changed);
	else if (strcmp(as, "not-sent") == 0)
		run_command(c, GAN_CMD_NOT_SENT, id, "resolve --as not-sent", gan_call_changed);
	else
		gan_call_fail(c, GAN_EXIT_USAGE, "--as is 'sent' or 'not-sent'");
}

void
gan_verb_skip(struct gan_call *c)
{
	const char *id;
	int64_t n;

	if (!gan_call_need(c, "id", &id))
		return;
	if (gan_id_parse(GAN_ID_DELIVERY, id, &n) || gan_id_parse(GAN_ID_EVENT, id, &n))
		run_command(c, GAN_CMD_SKIP, id, "skip", gan_call_changed);
	else
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "skip takes the id of a delivery (d…) or of a rejected event (e…)");
}

/* ---- pause, resume ---- */

static void
connector_reply(struct gan_call *c, int rc, const char *json)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	if (rc < 0)
		gan_call_store_failed(c, rc, json);
	else if (gan_status_connector(c->admin, gan_call_str(c, "connector"), &out) && !out.failed)
		gan_call_reply(c, GAN_EXIT_OK, out.data, out.len, NULL);
	else
		gan_call_reply(c, GAN_EXIT_OK, json, json != NULL ? strlen(json) : 0, NULL);
}

static void
paused(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;
	const char *why = c->reason != NULL ? c->reason : "paused by a person";

	(void)len;
	if (rc >= 0 && gan_call_cancelled(c))
		return;
	if (rc >= 0 && c->admin->ops.outbound != NULL)
		gan_outbound_pause(
		    c->admin->ops.outbound, gan_call_str(c, "connector"), why, gan_wall_ms());
	connector_reply(c, rc, json);
}

static void
resumed(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;

	(void)len;
	if (rc >= 0 && gan_call_cancelled(c))
		return;
	if (rc >= 0 && c->admin->ops.outbound != NULL)
		gan_outbound_resume(c->admin->ops.outbound, gan_call_str(c, "connector"));
	connector_reply(c, rc, json);
}

static bool
known_connector(struct gan_call *c, const char **ret_name)
{
	const struct gan_config *conf = c->admin->ops.conf(c->admin->ops.arg);
	struct gan_buf names GAN_AUTO(gan_buf_fini) = { 0 };

	if (!gan_call_need(c, "connector", ret_name))
		return false;
	if (gan_config_connector(conf, *ret_name) != NULL)
		return true;
	gan_buf_puts(&names, "");
	for (size_t i = 0; i < conf->nconnectors; i++)
		gan_buf_printf(&names, "%s%s", i > 0 ? ", " : "", conf->connectors[i].name);
	gan_call_fail(c, GAN_EXIT_NEGATIVE, "no connector of the name '%.80s'; there are: %.600s",
	    *ret_name, names.failed || names.len == 0 ? "none" : names.data);
	return false;
}

void
gan_verb_pause(struct gan_call *c)
{
	const char *name;

	if (known_connector(c, &name))
		run_command(c, GAN_CMD_PAUSE, name, "pause", paused);
}

void
gan_verb_resume(struct gan_call *c)
{
	const char *name;

	if (known_connector(c, &name))
		run_command(c, GAN_CMD_RESUME, name, "resume", resumed);
}

/* ---- reload ---- */

/* That somebody asked stands in the audit log before it is done; so the verdict has a row of its
 * own. */
static void
note_verdict(struct gan_call *c, bool ok, unsigned long long generation)
{
	char outcome[64];
	const struct gan_command cmd = {
		.kind = GAN_CMD_NOTE,
		.id = "config",
		.verb = ok ? "reload accepted" : "reload refused",
		.who = c->who,
		.outcome = outcome,
		.now_ms = gan_wall_ms(),
	};

	(void)snprintf(outcome, sizeof(outcome), "generation %llu in force", generation);
	if (gan_store_command(c->admin->ops.store, &cmd, NULL, NULL) < 0)
		gan_log(GAN_LOG_WARNING, NULL, "the verdict of a reload is not in the audit log");
}

static void
reloaded(void *arg, int rc, const char *text)
{
	struct gan_call *c = arg;
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	unsigned long long generation;

	if (rc == GAN_EBUSY || rc == GAN_EGONE) {
		gan_call_fail(c, rc == GAN_EGONE ? GAN_EXIT_UNAVAILABLE : GAN_EXIT_NEGATIVE, "%s",
		    rc == GAN_EGONE ? "gantryd is shutting down" : "another reload is under way");
		return;
	}
	/* The app outlives its own callback, closing or not. */
	generation = c->admin->ops.conf(c->admin->ops.arg)->generation;
	note_verdict(c, rc >= 0, generation);
	gan_buf_printf(&out, "{\"ok\":%s,\"generation\":%llu,\"text\":", rc >= 0 ? "true" : "false",
	    generation);
	gan_put_str(&out, text);
	gan_buf_puts(&out, "}");
	if (out.failed)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(
		    c, rc >= 0 ? GAN_EXIT_OK : GAN_EXIT_NEGATIVE, out.data, out.len, text);
}

static void
reload_noted(struct gan_call *c)
{
	c->admin->ops.reload(c->admin->ops.arg, reloaded, c);
}

void
gan_verb_reload(struct gan_call *c)
{
	gan_call_note(c, "config", reload_noted);
}

/* ---- backup ---- */

static void
backup_done(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;

	if (rc < 0 && json != NULL && *json != '\0')
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "%s", json);
	else if (rc < 0)
		gan_call_fail(c, GAN_EXIT_NEGATIVE,
		    "%s: %s. The file must not exist, its folder must, and gantryd must be allowed "
		    "to write there",
		    gan_call_str(c, "path"), gan_strerror(rc));
	else
		gan_call_store_done(c, rc, json, len);
}

static void
backup_noted(struct gan_call *c)
{
	int rc = gan_store_backup(c->admin->ops.store, gan_call_str(c, "path"), backup_done, c);

	if (rc < 0)
		gan_call_store_failed(c, rc, NULL);
}

void
gan_verb_backup(struct gan_call *c)
{
	const char *path;

	if (!gan_call_need(c, "path", &path))
		return;
	if (path[0] != '/')
		gan_call_fail(c, GAN_EXIT_USAGE, "backup takes an absolute path");
	else
		gan_call_note(c, path, backup_noted);
}
