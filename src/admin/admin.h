/* SPDX-License-Identifier: MIT */
/*
 * admin.h - the control socket (gantryctl) and the read-only admin listener
 * (/metrics, /admin/v1/status).  Loop thread only.
 *
 * Control protocol: a Unix stream socket, mode 0660, that only its owner and
 * group can open.  One JSON object per line each way, at most 2 MiB in:
 *
 *	{"verb":"events list","args":{"limit":20},"reason":"…"}
 *	{"exit":0,"result":<JSON>,"text":"for a terminal, or null"}
 *
 * exit is gantryctl's exit code (design.md section 12).  A connection may send
 * several requests, one after the other.  Who asks is read from SO_PEERCRED.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/lag.h"
#include "conf/config.h"
#include "mapping/pool.h"
#include "mapping/rules.h"
#include "store/store.h"

struct gan_admin;
struct gan_inbound;
struct gan_outbound;
struct gan_feeds;
struct gan_reconcile;

/* The verdict of a reload: rc 0 and what is in force now, or the findings. */
typedef void (*gan_reload_fn)(void *arg, int rc, const char *text);

/* The verdict of mapping an event's rejected rules again. */
typedef void (*gan_remap_fn)(void *arg, int rc, const char *text);

/* What the parts of the running program are; the app fills it, admin asks. */
struct gan_admin_ops {
	void *arg;
	struct gan_config *(*conf)(void *arg); /* in force; borrowed */
	struct gan_rules *(*rules)(void *arg); /* in force; NULL when there is none; borrowed */
	struct gan_pool *(*pool)(void *arg);
	struct gan_store *store;
	struct gan_inbound *inbound;
	struct gan_outbound *outbound;
	struct gan_feeds *feeds;         /* or NULL */
	struct gan_reconcile *reconcile; /* or NULL */
	const struct gan_lag *lag;       /* of the loop, or NULL */

	/* NULL: the rules in force are those of the folder; else what is wrong ("red since …"). */
	const char *(*rules_red)(void *arg, int64_t *ret_since_ms);
	const char *(*not_ready)(void *arg); /* NULL: ready */
	void (*last_reload)(void *arg, int64_t *ret_ms, int *ret_rc, const char **ret_text);
	int64_t (*started_ms)(void *arg);

	/* Each answers exactly once, later, on the loop. */
	void (*reload)(void *arg, gan_reload_fn cb, void *cb_arg);
	/* A replay was begun. */
	void (*replay)(void *arg);
	void (*remap)(void *arg, int64_t event_id, gan_remap_fn cb, void *cb_arg);
};

/* ops is copied. control_fd: from socket activation, or -1. */
GAN_MUST_CHECK int gan_admin_open(uv_loop_t *loop, const struct gan_admin_ops *ops, int control_fd,
    struct gan_admin **ret_admin, struct gan_err *err);
void gan_admin_close(struct gan_admin *a, void (*cb)(void *arg), void *arg);
