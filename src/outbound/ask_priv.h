/* SPDX-License-Identifier: MIT */
/* ask_priv.h - inside outbound only: asks as their account and their connector see them. */
#pragma once

#include "outbound/account.h"
#include "outbound/ask.h"

struct gan_ask_handle {
	struct gan_ask_handle *prev, *next; /* in account->asks[prio], or in conn->asks */
	struct gan_conn *conn;
	struct gan_account *account;
	struct gan_config *conf; /* what it was made with; c and op live in it */
	const struct gan_conf_connector *c;
	const struct gan_operation *op;
	enum gan_ask_prio prio;
	gan_answer_fn cb; /* NULL: nobody wants to know any more */
	void *arg;
	char *output;
	size_t output_len;
	int64_t until_ms; /* monotonic: its turn must have come */
	bool queued;
	bool over; /* its callback runs */
	bool place, waits_place, waits_token, fresh_token;
	bool probe; /* of a half-open breaker */
	uint64_t serial;
	struct gan_place_wait wait;
	struct gan_transfer *transfer;
	struct gan_buf request;
};

/* As gan_outbound_ask(), by the connector. */
GAN_MUST_CHECK int gan_ask_start(struct gan_conn *c, const struct gan_ask *a, gan_answer_fn cb,
    void *arg, struct gan_ask_handle **ret, struct gan_err *err);

/* Start at most so many of this priority, and answer those that cannot be sent. */
void gan_asks_serve(struct gan_account *a, enum gan_ask_prio prio, size_t most);

/* When the first of those that wait has waited long enough; monotonic. */
int64_t gan_asks_next_ms(const struct gan_account *a);

/* The gateway stops, or the connector is gone: those not sent are answered. */
void gan_asks_end(struct gan_conn *c, const char *why);
/* The grace time is over: cut those in flight. */
void gan_asks_cut(struct gan_conn *c);
/* All of them, without callbacks. */
void gan_asks_free(struct gan_conn *c);
