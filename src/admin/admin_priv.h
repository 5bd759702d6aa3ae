/* SPDX-License-Identifier: MIT */
/*
 * admin_priv.h - what the files of admin/ share: the object behind
 * gan_admin_open(), one call of a verb, and the parts that verbs ask.
 *
 * Life of a call: gan_call_start() makes it from one line; its verb's handler
 * runs at once and answers now or later, exactly once, by gan_call_reply() or
 * one of its sisters, which free it.  When the connection goes away first the
 * call finishes all the same (a write must not stop half-way) and its answer
 * is dropped.  When gan_admin_close() comes first, steps that have not begun
 * see gan_call_cancelled() and end.
 */
#pragma once

#include <stdbool.h>

#include "admin/admin.h"
#include "base/mem.h"
#include "json/cj.h"

#define GAN_EXIT_OK 0
#define GAN_EXIT_NEGATIVE 1
#define GAN_EXIT_USAGE 64
#define GAN_EXIT_UNAVAILABLE 69
#define GAN_EXIT_NOPERM 77

#define GAN_CONTROL_MAX_REQUEST (2u << 20)
#define GAN_CONTROL_MAX_REPLY (32u << 20)

struct gan_control;
struct gan_admin_http;
struct gan_walk;

struct gan_admin {
	uv_loop_t *loop;
	struct gan_admin_ops ops;
	struct gan_control *control;
	struct gan_admin_http *http; /* NULL: no admin listener */
	unsigned refs;               /* the owner and every call */
	struct gan_walk *walk;       /* of the call that walks through events: one at a time */
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- calls (verbs.c) ---- */

struct gan_call;

/* The whole reply line, with its "\n"; the memory is the receiver's to free. */
typedef void (*gan_call_done_fn)(void *owner, char *line, size_t len);

struct gan_verb {
	const char *name;
	const char *args; /* names it knows, each followed by a blank */
	bool writes;      /* audited; needs a reason under require_reason */
	void (*run)(struct gan_call *c);
};

struct gan_call {
	struct gan_admin *admin;
	const struct gan_verb *verb;
	cJSON *request;
	const cJSON *args; /* an object, never NULL */
	const char *reason;
	char who[80];
	gan_call_done_fn done;
	void *owner; /* NULL: the connection has gone */
	/* Whatever the handler keeps between its steps. */
	void *state;
	void (*state_free)(void *state);
};

/* Exactly one done() follows, perhaps before this returns; *ret_call is NULL then. */
void gan_call_start(struct gan_admin *a, const char *line, size_t len, const char *who,
    gan_call_done_fn done, void *owner, struct gan_call **ret_call);

/* The connection has gone: drop the answer. */
void gan_call_orphan(struct gan_call *c);

/* Each ends the call.  result NULL is null; text may be NULL. */
void gan_call_reply(
    struct gan_call *c, int exit_code, const char *result, size_t len, const char *text);
void gan_call_fail(struct gan_call *c, int exit_code, const char *fmt, ...) GAN_PRINTF(3, 4);

/* A store's verdict that is not success, as an exit code and a sentence. json may be NULL. */
void gan_call_store_failed(struct gan_call *c, int rc, const char *json);

/* The store's answer as it is. Fits gan_json_fn; arg is the call. */
void gan_call_store_done(void *arg, int rc, const char *json, size_t len);

/* True when the daemon stops: the call has been answered and is gone. */
bool gan_call_cancelled(struct gan_call *c);

/* One command of the store on its way; done fits gan_json_fn, its arg is the call. */
void gan_call_command(struct gan_call *c, const struct gan_command *cmd, gan_json_fn done);
/* Its end where something may have become due: outbound looks, the answer goes out. */
void gan_call_changed(void *arg, int rc, const char *json, size_t len);

/* Write an audit row and nothing else; next runs when it is committed. */
void gan_call_note(struct gan_call *c, const char *id, void (*next)(struct gan_call *c));

/* ---- arguments ---- */

const char *gan_call_str(const struct gan_call *c, const char *name);
bool gan_call_flag(const struct gan_call *c, const char *name);
/* Returns false, and has ended the call, when the argument is missing. */
bool gan_call_need(struct gan_call *c, const char *name, const char **ret_value);

/* ---- what several verbs show (status.c) ---- */

void gan_status_json(struct gan_admin *a, struct gan_buf *out);
/* One object of status.connectors; false when there is no such connector. */
bool gan_status_connector(struct gan_admin *a, const char *name, struct gan_buf *out);
/* The items that the store does not know of, each followed by a comma. Returns how many. */
unsigned gan_status_attention(struct gan_admin *a, struct gan_buf *out);

/* What the outbound part says of every connector; to free(). */
struct gan_connector_status;
size_t gan_status_connectors(struct gan_admin *a, struct gan_connector_status **ret_rows);

/* changes.c: change channels and reconciliation.  The items of attention as above. */
void gan_changes_status(struct gan_admin *a, struct gan_buf *out);
unsigned gan_changes_attention(struct gan_admin *a, struct gan_buf *out);
void gan_changes_metrics(struct gan_admin *a, struct gan_buf *out);
typedef void (*gan_doctor_fn)(
    void *arg, const char *check, const char *level, const char *action, const char *finding);
void gan_changes_doctor(struct gan_admin *a, gan_doctor_fn found, void *arg);

void gan_counts_free(struct gan_store_counts **cp); /* they are too large for the stack */

/* "[::1]:8481" */
void gan_put_address(struct gan_buf *b, const char *host, unsigned port);
/* A JSON string or null; a time or null when it is 0. */
void gan_put_str(struct gan_buf *b, const char *s);
void gan_put_time(struct gan_buf *b, int64_t ms);

/* ---- verbs, by file ---- */

void gan_verb_status(struct gan_call *c);
void gan_verb_show(struct gan_call *c);
void gan_verb_events(struct gan_call *c);
void gan_verb_deliveries(struct gan_call *c);
void gan_verb_attention(struct gan_call *c);
void gan_verb_lanes(struct gan_call *c);
void gan_verb_audit(struct gan_call *c);
void gan_verb_store_check(struct gan_call *c);
void gan_verb_quarantine_list(struct gan_call *c);

void gan_verb_retry(struct gan_call *c);
void gan_verb_resolve(struct gan_call *c);
void gan_verb_skip(struct gan_call *c);
void gan_verb_correct(struct gan_call *c);
void gan_verb_approve(struct gan_call *c);
void gan_verb_pause(struct gan_call *c);
void gan_verb_resume(struct gan_call *c);
void gan_verb_reload(struct gan_call *c);
void gan_verb_backup(struct gan_call *c);

void gan_verb_rules_list(struct gan_call *c);
void gan_verb_rules_check(struct gan_call *c);
void gan_verb_rules_test(struct gan_call *c);
void gan_verb_rules_try(struct gan_call *c);
void gan_verb_rules_diff(struct gan_call *c);
void gan_verb_config_show(struct gan_call *c);
void gan_verb_config_check(struct gan_call *c);

void gan_verb_replay(struct gan_call *c);
void gan_verb_replay_list(struct gan_call *c);
void gan_verb_replay_stop(struct gan_call *c);

void gan_verb_quarantine_accept(struct gan_call *c);
void gan_verb_doctor(struct gan_call *c);
void gan_verb_reconcile(struct gan_call *c);

/* ---- control.c, http.c ---- */

GAN_MUST_CHECK int gan_control_open(struct gan_admin *a, const char *path, int fd,
    struct gan_control **ret_control, struct gan_err *err);
void gan_control_close(struct gan_control **cp, void (*cb)(void *arg), void *arg);

GAN_MUST_CHECK int gan_admin_http_open(struct gan_admin *a, const struct gan_address *address,
    struct gan_admin_http **ret_http, struct gan_err *err);
void gan_admin_http_close(struct gan_admin_http **hp);
unsigned gan_admin_http_port(const struct gan_admin_http *h);

void gan_admin_unref(struct gan_admin *a);
