/* SPDX-License-Identifier: MIT */
/*
 * inbound.h - the public listener: webhooks and ERP posts in, nothing out but
 * honest answers.  It knows HTTP, sources and signatures and the store; it
 * never knows connectors.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "conf/config.h"
#include "store/store.h"

struct gan_inbound;

struct gan_inbound_options {
	struct gan_config *conf; /* a reference is taken */
	struct gan_store *store; /* borrowed, must outlive */
	int listen_fd;           /* from socket activation, or -1: bind conf->public.address */
	/* Asked by /readyz: NULL when ready, else the reason. */
	const char *(*not_ready)(void *arg);
	/*
	 * Asked for each event: the generation of the rules in force when none of them
	 * listens to it, else 0.  NULL: not known, everything has to be mapped.
	 */
	uint64_t (*ignored_by)(void *arg, const char *source, const char *topic);
	/* The clock of due times (store.h); NULL: the wall clock. */
	int64_t (*due_ms)(void *arg);
	void *arg;
};

GAN_MUST_CHECK int gan_inbound_open(uv_loop_t *loop, const struct gan_inbound_options *opt,
    struct gan_inbound **ret_in, struct gan_err *err);

/* The port really bound (address may ask for port 0). */
unsigned gan_inbound_port(const struct gan_inbound *in);

/* Take a new configuration for requests that begin from now on. A changed listen address is
 * refused. */
GAN_MUST_CHECK int gan_inbound_reload(
    struct gan_inbound *in, struct gan_config *conf, struct gan_err *err);

/* gan_store_on_due(): readers of this connector's outbox who wait look again; NULL: of any. */
void gan_inbound_due(struct gan_inbound *in, const char *connector);

/* Drain: take no new connection, answer what is in flight, then cb (at the latest after grace_ms).
 */
void gan_inbound_drain(struct gan_inbound *in, int64_t grace_ms, void (*cb)(void *arg), void *arg);

/* After drain: release everything. */
void gan_inbound_close(struct gan_inbound **inp);

/* Verify a quarantined request again with the secrets of now: GAN_OK, or GAN_EAUTH with the reason.
 */
GAN_MUST_CHECK int gan_inbound_verify_again(struct gan_inbound *in, const char *source,
    const char *headers, const void *body, size_t body_len, struct gan_err *err);

/*
 * For a quarantined request that is taken in after all: a header's value as a
 * webhook's is read (no blanks or quotes around it; NULL when nothing is
 * left), and the hash that finds a second sending of the same webhook.
 */
#define GAN_INBOUND_VALUE_MAX 255
const char *gan_inbound_value(const char *text, char out[GAN_INBOUND_VALUE_MAX + 1]);

struct gan_webhook_name {
	const char *source, *topic, *uuid, *triggered_at; /* topic: canonical */
	const void *body;
	size_t body_len;
};
GAN_MUST_CHECK int gan_inbound_webhook_hash(
    const struct gan_webhook_name *w, unsigned char out[16]);

/* Figures for status and metrics, since start. */
struct gan_inbound_stats {
	uint64_t requests, accepted, duplicates, bad_signature, bad_request, unavailable, timed_out;
	unsigned connections;
};
void gan_inbound_stats(const struct gan_inbound *in, struct gan_inbound_stats *ret);
