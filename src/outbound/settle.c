/* SPDX-License-Identifier: MIT */
/*
 * settle.c - an outcome is never dropped: when the store is busy or full it
 * stays here, holds its slot, and is offered again until it is stored.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "outbound/dispatch.h"
#include "outbound/look.h"

#define AGAIN_FIRST_MS 100
#define AGAIN_MAX_MS 5000

void
gan_send_free(struct gan_send *s)
{
	struct gan_conn *c = s->conn;

	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		c->sends = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	c->in_flight--;
	gan_transfer_drop(&s->transfer);
	if (s->waits_token)
		gan_token_unwait(c->token, s);
	if (s->waits_place)
		gan_account_unwait(s->account, &s->wait);
	if (s->place)
		gan_account_give(s->account);
	gan_account_unref(&s->account);
	gan_claimed_free(&s->row);
	gan_config_unref(&s->conf);
	gan_buf_fini(&s->request);
	gan_look_end(s);
	gan_buf_fini(&s->look_request);
	free(s->seen);
	free(s->response);
	free(s->head);
	free(s->body);
	free(s);
}

static void
keep_trying(struct gan_send *s)
{
	struct gan_outbound *out = s->conn->out;

	s->unsettled = true;
	if (!uv_is_active((uv_handle_t *)&out->settle_timer))
		(void)uv_timer_start(
		    &out->settle_timer, gan_settle_again, (uint64_t)out->settle_wait_ms, 0);
}

static void
on_settled(void *arg, int rc)
{
	static int64_t last_full_ms;
	struct gan_send *s = arg;
	struct gan_conn *c = s->conn;
	struct gan_outbound *out = c->out;

	s->settling = false;
	c->settling--;
	if (out->closing) {
		gan_send_free(s);
		gan_outbound_idle(out);
		return;
	}
	if (rc == GAN_EFULL || rc == GAN_EBUSY || rc == GAN_ENOMEM) {
		if (gan_log_due(&last_full_ms, 10000))
			gan_log(GAN_LOG_WARNING, NULL,
			    "the outcome of a delivery cannot be stored (%s): it is kept in memory "
			    "and offered again",
			    gan_strerror(rc));
		keep_trying(s);
		return;
	}
	if (rc == GAN_ESTATE)
		gan_log(GAN_LOG_WARNING,
		    &(struct gan_log_about){ .connector = c->name, .key = s->row->key },
		    "a delivery outlived its lease and was recorded as unknown; its answer was: %s",
		    s->reason[0] != '\0' ? s->reason : "delivered");
	else if (rc < 0)
		gan_log(GAN_LOG_ERR,
		    &(struct gan_log_about){ .connector = c->name, .key = s->row->key },
		    "the outcome of a delivery could not be stored: %s", gan_strerror(rc));
	else
		out->settle_wait_ms = AGAIN_FIRST_MS;
	c->due = true; /* itself, or the next of its lane */
	gan_send_free(s);
	gan_conn_pump(c);
	gan_outbound_idle(out);
}

void
gan_send_settle(struct gan_send *s)
{
	struct gan_outbound *out = s->conn->out;
	int rc;

	s->decided = true;
	if (s->place) /* nothing was sent */
		gan_account_give(s->account);
	s->place = false;
	s->unsettled = false;
	s->settle.delivery_id = s->row->id;
	s->settle.claim = s->row->attempt;
	s->settle.now_ms = gan_wall_ms();
	s->settling = true;
	s->conn->settling++;
	rc = gan_store_settle(out->store, &s->settle, on_settled, s);
	if (rc == GAN_OK) {
		s->conn->due = true; /* the next of its lane, in the same COMMIT */
		gan_conn_pump(s->conn);
		return;
	}
	s->settling = false;
	s->conn->settling--;
	/* Also when the store is closing: at the next start the delivery is `unknown`, honestly. */
	keep_trying(s);
}

void
gan_settle_again(uv_timer_t *timer)
{
	struct gan_outbound *out = timer->data;

	out->settle_wait_ms *= 2;
	if (out->settle_wait_ms > AGAIN_MAX_MS)
		out->settle_wait_ms = AGAIN_MAX_MS;
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		for (struct gan_send *s = c->sends; s != NULL; s = s->next)
			if (s->unsettled)
				gan_send_settle(s);
}
