/* SPDX-License-Identifier: MIT */
/*
 * verbs.c - the table of verbs, and the life of one call: parse, look up,
 * check, run, answer.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "admin/scope.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define PAGE "before since_ms until_ms limit "

static const struct gan_verb verbs[] = {
	{ "status", "", false, gan_verb_status },
	{ "show", "text bodies ", false, gan_verb_show },
	{ "events list", "source topic state " PAGE, false, gan_verb_events },
	{ "deliveries list", "state connector rule key " PAGE, false, gan_verb_deliveries },
	{ "attention", "source connector rule key " PAGE, false, gan_verb_attention },
	{ "lanes", "connector key " PAGE, false, gan_verb_lanes },
	{ "audit", PAGE, false, gan_verb_audit },
	{ "store check", "", false, gan_verb_store_check },
	{ "retry", "id without_after ", true, gan_verb_retry },
	{ "resolve", "id as ", true, gan_verb_resolve },
	{ "skip", "id ", true, gan_verb_skip },
	{ "correct", "id body ", true, gan_verb_correct },
	{ "approve", "id ", true, gan_verb_approve },
	{ "pause", "connector ", true, gan_verb_pause },
	{ "resume", "connector ", true, gan_verb_resume },
	{ "reload", "", true, gan_verb_reload },
	{ "backup", "path ", true, gan_verb_backup },
	{ "replay list", "limit ", false, gan_verb_replay_list },
	{ "replay stop", "replay ", true, gan_verb_replay_stop },
	{ "replay", GAN_SCOPE_ARGS "plan ", true, gan_verb_replay },
	{ "rules list", "", false, gan_verb_rules_list },
	{ "rules check", "rule ", false, gan_verb_rules_check },
	{ "rules test", "rule ", false, gan_verb_rules_test },
	{ "rules try", "rule id event source topic ", false, gan_verb_rules_try },
	{ "rules diff", GAN_SCOPE_ARGS "rules after limit ", false, gan_verb_rules_diff },
	{ "config show", "", false, gan_verb_config_show },
	{ "config check", "", false, gan_verb_config_check },
	{ "quarantine list", "source " PAGE, false, gan_verb_quarantine_list },
	{ "quarantine accept", "ids all source plan ", true, gan_verb_quarantine_accept },
	{ "doctor", "", false, gan_verb_doctor },
	{ "reconcile", "source ", true, gan_verb_reconcile },
};

static void
call_free(struct gan_call *c)
{
	struct gan_admin *a = c->admin;

	if (c->state != NULL && c->state_free != NULL)
		c->state_free(c->state);
	gan_cj_free(&c->request);
	free(c);
	gan_admin_unref(a);
}

void
gan_call_orphan(struct gan_call *c)
{
	c->owner = NULL;
}

/* A raw line break can only stand between tokens, where a blank does as well. */
static void
put_on_one_line(struct gan_buf *b, const char *json, size_t len)
{
	size_t from = b->len;

	gan_buf_put(b, json, len);
	if (b->failed)
		return;
	for (size_t i = from; i < b->len; i++) {
		if (b->data[i] == '\n' || b->data[i] == '\r')
			b->data[i] = ' ';
	}
}

static void
reply_line(struct gan_buf *b, int exit_code, const char *result, size_t len, const char *text)
{
	b->max = GAN_CONTROL_MAX_REPLY;
	gan_buf_printf(b, "{\"exit\":%d,\"result\":", exit_code);
	if (result == NULL)
		gan_buf_puts(b, "null");
	else
		put_on_one_line(b, result, len);
	gan_buf_puts(b, ",\"text\":");
	gan_put_str(b, text);
	gan_buf_puts(b, "}\n");
}

void
gan_call_reply(struct gan_call *c, int exit_code, const char *result, size_t len, const char *text)
{
	struct gan_buf line GAN_AUTO(gan_buf_fini) = { 0 };
	char *data;
	size_t n;

	if (c->owner == NULL) {
		call_free(c);
		return;
	}
	reply_line(&line, exit_code, result, len, text);
	if (line.failed) {
		gan_buf_fini(&line);
		line = (struct gan_buf){ 0 };
		reply_line(&line, GAN_EXIT_NEGATIVE, NULL, 0,
		    "the answer is larger than 32 MiB: ask for less with --limit or a filter");
	}
	data = gan_buf_steal(&line, &n);
	c->done(c->owner, data, n);
	call_free(c);
}

void
gan_call_fail(struct gan_call *c, int exit_code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gan_call_reply(c, exit_code, NULL, 0, text);
}

void
gan_call_store_failed(struct gan_call *c, int rc, const char *json)
{
	switch (rc) {
	case GAN_ENOENT:
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "%s",
		    json != NULL && *json != '\0' ? json : "nothing of that name is in the store");
		return;
	case GAN_EINVAL:
		gan_call_fail(c, GAN_EXIT_USAGE, "%s",
		    json != NULL && *json != '\0' ? json : "the query makes no sense");
		return;
	case GAN_ESTATE:
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "%s",
		    json != NULL && *json != '\0' ? json : "not possible in its state");
		return;
	case GAN_EPERM:
		gan_call_fail(
		    c, GAN_EXIT_NOPERM, "%s", json != NULL && *json != '\0' ? json : "not allowed");
		return;
	case GAN_EFULL:
		gan_call_fail(c, GAN_EXIT_NEGATIVE,
		    "the store is full, nothing was changed: free some space (see `gantryctl "
		    "doctor`) and say it again");
		return;
	case GAN_EBUSY:
		gan_call_fail(c, GAN_EXIT_NEGATIVE,
		    "the store has too much waiting, nothing was changed: say it again in a moment");
		return;
	case GAN_EGONE:
		gan_call_fail(c, GAN_EXIT_UNAVAILABLE, "gantryd is shutting down");
		return;
	default:
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "%s%s%s", gan_strerror(rc),
		    json != NULL && *json != '\0' ? ": " : "", json != NULL ? json : "");
	}
}

void
gan_call_store_done(void *arg, int rc, const char *json, size_t len)
{
	struct gan_call *c = arg;

	if (rc < 0)
		gan_call_store_failed(c, rc, json);
	else
		gan_call_reply(c, GAN_EXIT_OK, json, len, NULL);
}

bool
gan_call_cancelled(struct gan_call *c)
{
	if (!c->admin->closing)
		return false;
	gan_call_fail(c, GAN_EXIT_UNAVAILABLE, "gantryd is shutting down");
	return true;
}

/* What waits for a note: gan_call_note() may be used by calls that have a state of their own. */
struct note {
	struct gan_call *call;
	void (*next)(struct gan_call *c);
};

static void
noted(void *arg, int rc, const char *json, size_t len)
{
	struct note *n = arg;
	struct gan_call *c = n->call;
	void (*next)(struct gan_call *) = n->next;

	(void)len;
	free(n);
	if (rc < 0)
		gan_call_store_failed(c, rc, json);
	else if (!gan_call_cancelled(c))
		next(c);
}

void
gan_call_note(struct gan_call *c, const char *id, void (*next)(struct gan_call *c))
{
	struct gan_command cmd = {
		.kind = GAN_CMD_NOTE,
		.id = id,
		.verb = c->verb->name,
		.who = c->who,
		.reason = c->reason,
		.now_ms = gan_wall_ms(),
	};
	struct note *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL) {
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
		return;
	}
	*n = (struct note){ c, next };
	rc = gan_store_command(c->admin->ops.store, &cmd, noted, n);
	if (rc < 0) {
		free(n);
		gan_call_store_failed(c, rc, NULL);
	}
}

const char *
gan_call_str(const struct gan_call *c, const char *name)
{
	return gan_cj_str(c->args, name);
}

bool
gan_call_flag(const struct gan_call *c, const char *name)
{
	return gan_cj_true(c->args, name);
}

bool
gan_call_need(struct gan_call *c, const char *name, const char **ret_value)
{
	const char *v = gan_call_str(c, name);

	if (v == NULL || *v == '\0') {
		gan_call_fail(
		    c, GAN_EXIT_USAGE, "%s: the argument '%s' is missing", c->verb->name, name);
		return false;
	}
	*ret_value = v;
	return true;
}

static const struct gan_verb *
find_verb(const char *name)
{
	for (size_t i = 0; name != NULL && i < GAN_COUNT(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

/* The first argument that the verb does not know, or NULL. */
static const char *
strange_arg(const struct gan_verb *v, const cJSON *args)
{
	const cJSON *item;
	char want[64];

	cJSON_ArrayForEach(item, args)
	{
		(void)snprintf(want, sizeof(want), "%s ", item->string);
		const char *at = strstr(v->args, want);

		if (at == NULL || (at != v->args && at[-1] != ' '))
			return item->string;
	}
	return NULL;
}

/* Everything that can be wrong with a request before its verb runs. */
static bool
call_accept(struct gan_call *c, const char *line, size_t len)
{
	struct gan_err err = { 0 };
	const cJSON *args;
	const char *name, *strange;

	if (gan_cj_parse(line, len, &c->request, &err) < 0 || !cJSON_IsObject(c->request)) {
		gan_call_fail(c, GAN_EXIT_USAGE, "the request is no JSON object%s%s",
		    err.msg[0] != '\0' ? ": " : "", err.msg);
		return false;
	}
	name = gan_cj_str(c->request, "verb");
	c->verb = find_verb(name);
	if (c->verb == NULL) {
		char shown[64];

		gan_printable(name != NULL ? name : "", name != NULL ? strlen(name) : 0, shown,
		    sizeof(shown));
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "this gantryd (%s) does not know the verb '%s': gantryctl and gantryd should "
		    "be of one version",
		    GAN_VERSION, shown);
		return false;
	}
	args = gan_cj_get(c->request, "args");
	if (args == NULL)
		args = cJSON_AddObjectToObject(c->request, "args");
	if (!cJSON_IsObject(args)) {
		gan_call_fail(c, GAN_EXIT_USAGE, "args must be a JSON object");
		return false;
	}
	c->args = args;
	strange = strange_arg(c->verb, args);
	if (strange != NULL) {
		char shown[64];

		gan_printable(strange, strlen(strange), shown, sizeof(shown));
		gan_call_fail(
		    c, GAN_EXIT_USAGE, "%s does not take the argument '%s'", c->verb->name, shown);
		return false;
	}
	c->reason = gan_cj_str(c->request, "reason");
	if (c->reason != NULL && *c->reason == '\0')
		c->reason = NULL;
	if (c->verb->writes && c->reason == NULL && !gan_call_flag(c, "plan") &&
	    c->admin->ops.conf(c->admin->ops.arg)->require_reason) {
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "'%s' needs --reason TEXT here (require_reason is set): say why, it goes into "
		    "the audit log",
		    c->verb->name);
		return false;
	}
	return true;
}

void
gan_call_start(struct gan_admin *a, const char *line, size_t len, const char *who,
    gan_call_done_fn done, void *owner, struct gan_call **ret_call)
{
	struct gan_call *c = calloc(1, sizeof(*c));

	*ret_call = NULL;
	if (c == NULL) {
		done(owner, NULL, 0);
		return;
	}
	a->refs++;
	c->admin = a;
	c->done = done;
	c->owner = owner;
	(void)snprintf(c->who, sizeof(c->who), "%s", who);
	*ret_call = c;
	/* From here on *ret_call is cleared by done(), should the call end at once. */
	if (call_accept(c, line, len))
		c->verb->run(c);
}
