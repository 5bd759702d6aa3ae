/* SPDX-License-Identifier: MIT */
/*
 * feed_read.c - one read of a change channel, from its note to the COMMIT that
 * keeps its answer.
 *
 * A step that the store does not take is tried again until it does, or until
 * the process ends: the note of the read is in the database, so the next start
 * tells what is not known.  An answer that the database cannot keep goes to the
 * emergency spool as it is, for a person.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "inbound/feed_lock.h"
#include "inbound/feed_priv.h"

enum {
	AGAIN_MS = 1000,          /* the store had no room, or too much waiting */
	LOCK_MAX_MS = 30000,      /* to look whether the other reader has gone */
	BACK_OFF_MAX_MS = 900000, /* the vendor drops what is not read within a day */
	RECEIVED_MAX = 65536,     /* of a cut answer, in the event that tells of it */
};

static struct gan_feed_read
read_of(const struct gan_channel *c)
{
	return (struct gan_feed_read){ .source = c->source,
		.channel = c->name,
		.type = gan_entity_names[c->type],
		.at_ms = c->begun_ms };
}

/* After a read that brought nothing by a fault: every, and longer each time. */
static int64_t
pause_of(const struct gan_channel *c)
{
	int64_t ms = c->every_ms;

	for (unsigned i = 1; i < c->failures && ms < BACK_OFF_MAX_MS; i++)
		ms *= 2;
	if (ms > BACK_OFF_MAX_MS)
		ms = c->every_ms > BACK_OFF_MAX_MS ? c->every_ms : BACK_OFF_MAX_MS;
	return c->wait_ms > ms ? c->wait_ms : ms;
}

static void
again_later(struct gan_channel *c)
{
	gan_must(uv_timer_start(&c->timer, c->timer.timer_cb, AGAIN_MS, 0) == 0);
}

/* ---- its end ------------------------------------------------------------------------ */

static void end(struct gan_channel *c);

static void
on_ended(void *arg, int rc)
{
	struct gan_channel *c = arg;

	if (rc < 0 && !c->feeds->draining) {
		again_later(c);
		return;
	}
	/* At the end of the process the note stays, and the next start tells of it. */
	if (rc == GAN_OK && c->lost)
		c->nlost++;
	c->lost = false;
	gan_buf_fini(&c->answer);
	c->failures++;
	gan_channel_rest(c, pause_of(c));
}

static void
end(struct gan_channel *c)
{
	struct gan_feeds *f = c->feeds;
	const struct gan_feed_read r = read_of(c);
	char topic[64];
	struct gan_ingest tell = { .source = c->source,
		.topic = topic,
		.reject = c->why,
		.received_ms = gan_wall_ms(),
		.body = c->answer.data,
		.body_len = c->answer.len };
	int rc;

	c->state = GAN_CHANNEL_ENDING;
	(void)snprintf(topic, sizeof(topic), "%s.lost", r.type);
	rc = c->lost ? gan_store_feed_lost(f->opt.store, &r, &tell, on_ended, c)
		     : gan_store_feed_nothing(f->opt.store, &r, on_ended, c);
	if (rc < 0)
		on_ended(c, rc);
}

void
gan_feed_tell_lost(const struct gan_feed_read *r, const char *why, const struct gan_reply *reply,
    struct gan_buf *out)
{
	char at[GAN_TIME_LEN];

	gan_buf_clear(out);
	gan_buf_puts(out, "{\"channel\":");
	gan_buf_json(out, r->channel, strlen(r->channel));
	gan_buf_printf(out, ",\"type\":\"%s\",\"read_at\":\"%s\",\"why\":", r->type,
	    gan_time_format(r->at_ms, at));
	gan_buf_json(out, why, strlen(why));
	if (reply != NULL && reply->status != 0)
		gan_buf_printf(out, ",\"status\":%d", reply->status);
	if (reply != NULL && reply->body_len > 0) {
		gan_buf_puts(out, ",\"received\":");
		gan_buf_json(out, reply->body,
		    reply->body_len < RECEIVED_MAX ? reply->body_len : RECEIVED_MAX);
	}
	gan_buf_putc(out, '}');
}

void
gan_feed_lost_reason(
    const struct gan_feed_read *r, const char *why, bool reconciled, char *out, size_t outsz)
{
	char at[GAN_TIME_LEN];

	(void)snprintf(out, outsz,
	    "a read of channel %.64s at %s may have brought up to 25 changes that nobody got: "
	    "%.120s. %s",
	    r->channel, gan_time_format(r->at_ms, at), why,
	    reconciled ? "Reconciliation looks for them; then skip this"
		       : "Compare with the MES, then skip this");
}

static void
lose(struct gan_channel *c, const struct gan_reply *reply)
{
	struct gan_feeds *f = c->feeds;
	const struct gan_feed_read r = read_of(c);
	const char *why = reply->text != NULL ? reply->text : gan_strerror(reply->rc);
	bool reconciled = f->opt.on_lost != NULL && f->opt.on_lost(f->opt.arg, c->source, c->type);

	gan_log(GAN_LOG_ERR,
	    &(struct gan_log_about){ .source = c->source, .connector = c->connector },
	    "what a read of channel %s brought may be lost: %s", c->name, why);
	gan_feed_tell_lost(&r, why, reply, &c->answer);
	gan_feed_lost_reason(&r, why, reconciled, c->why, sizeof(c->why));
	c->lost = true;
	end(c);
}

/* ---- its answer ---------------------------------------------------------------------- */

static void keep(struct gan_channel *c);

static void
on_salvaged(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t event_id)
{
	struct gan_channel *c = arg;

	(void)verdict;
	(void)event_id;
	gan_log(GAN_LOG_ERR, &(struct gan_log_about){ .source = c->source },
	    rc == GAN_OK
		? "what a read of channel %s brought is kept in the emergency spool: it will be on "
		  "the attention list"
		: "what a read of channel %s brought cannot be kept: it may be lost",
	    c->name);
	gan_buf_fini(&c->answer);
	gan_channel_rest(c, pause_of(c));
}

/* The database fails, or the process ends while it is full. */
static void
salvage(struct gan_channel *c)
{
	char topic[64];
	struct gan_ingest in = { .source = c->source,
		.topic = topic,
		.reject = "the database could not keep what this read of a change channel brought: "
			  "its changes were not taken apart",
		.received_ms = c->begun_ms,
		.spool = true };
	int rc;

	(void)snprintf(topic, sizeof(topic), "%s.unreadable", gan_entity_names[c->type]);
	in.body = gan_memdup(c->answer.data, c->answer.len);
	in.body_len = c->answer.len;
	rc = in.body == NULL ? GAN_ENOMEM
			     : gan_store_ingest(c->feeds->opt.store, &in, on_salvaged, c);
	if (rc < 0) {
		free(in.body);
		on_salvaged(c, rc, GAN_INGEST_STORED, 0);
	}
}

static void
on_kept(void *arg, int rc)
{
	struct gan_channel *c = arg;
	bool empty = c->answer.len == 0;

	if (rc < 0) {
		bool later = rc == GAN_EFULL || rc == GAN_EBUSY || rc == GAN_ENOMEM;

		if (!later || c->feeds->draining) {
			salvage(c);
			return;
		}
		gan_channel_says(c, "what it brought cannot be kept yet: %s", gan_strerror(rc));
		again_later(c);
		return;
	}
	gan_buf_fini(&c->answer);
	c->read_ms = c->begun_ms;
	c->failures = 0;
	c->wait_ms = 0;
	c->more = false;
	gan_channel_says(c, NULL);
	if (empty) {
		gan_channel_rest(c, c->every_ms);
		return;
	}
	c->state = GAN_CHANNEL_APART;
	if (c->feeds->draining)
		gan_feeds_ended(c->feeds);
	else
		gan_feeds_apart(c->feeds);
}

static void
keep(struct gan_channel *c)
{
	const struct gan_feed_read r = read_of(c);
	int rc;

	c->state = GAN_CHANNEL_KEEPING;
	rc = c->answer.failed
		 ? GAN_ENOMEM
		 : gan_store_feed_answer(c->feeds->opt.store, &r,
		       c->answer.len == 0 ? NULL : c->answer.data, c->answer.len, on_kept, c);
	if (rc < 0)
		on_kept(c, rc);
}

/* A whole answer that says no: the vendor did not look into the channel. */
static bool
was_refused(const struct gan_reply *r)
{
	return r->complete && ((r->status >= 300 && r->status < 500) || r->status == 503);
}

static void
on_reply(void *arg, const struct gan_reply *r)
{
	struct gan_channel *c = arg;

	c->wait_ms = r->wait_ms;
	if (r->rc == GAN_OK) {
		GAN_FAILPOINT("feed-answered");
		gan_buf_clear(&c->answer);
		if (!gan_feed_is_empty(r->body, r->body_len))
			gan_buf_put(&c->answer, r->body_len > 0 ? r->body : "", r->body_len);
		/* An answer without a byte is none of the vendor's: it is shown as it is. */
		if (r->body_len == 0)
			gan_buf_putc(&c->answer, ' ');
		keep(c);
		return;
	}
	if (!c->feeds->draining)
		gan_channel_says(c, "%.250s", r->text != NULL ? r->text : gan_strerror(r->rc));
	if (r->maybe_sent && !was_refused(r))
		lose(c, r);
	else
		end(c);
}

/* ---- its begin ------------------------------------------------------------------------- */

static void
ask(struct gan_channel *c)
{
	struct gan_feeds *f = c->feeds;
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_question q = {
		.connector = c->connector, .operation = "changes.read", .prio = GAN_QUESTION_FEED
	};
	struct gan_err err = { 0 };
	int rc = GAN_ENOMEM;

	gan_buf_puts(&out, "{\"$path\":{\"channel\":");
	gan_buf_json(&out, c->name, strlen(c->name));
	/* Only these have workers, and only when they are asked for. */
	gan_buf_puts(&out,
	    c->type == GAN_ENTITY_PRODUCTION_ORDER ? "},\"$query\":{\"workers\":true}}" : "}}");
	q.output = out.data;
	q.output_len = out.len;
	c->state = GAN_CHANNEL_ASKING;
	if (!out.failed)
		rc = f->opt.asker.ask(f->opt.asker.arg, &q, on_reply, c, &err);
	if (rc == GAN_OK)
		return;
	gan_channel_says(c, "%.250s", err.msg[0] != '\0' ? err.msg : gan_strerror(rc));
	end(c);
}

static void
on_noted(void *arg, int rc)
{
	struct gan_channel *c = arg;

	if (rc == GAN_OK && !c->feeds->draining && !c->gone) {
		ask(c);
		return;
	}
	if (rc == GAN_OK) {
		end(c);
		return;
	}
	gan_channel_says(c, "%s",
	    rc == GAN_EFULL ? "the store has no room for what it would bring" : gan_strerror(rc));
	gan_channel_rest(c, c->every_ms);
}

/* Is it ours to read?  Else says why not. */
static bool
locked(struct gan_channel *c)
{
	const struct gan_conf_connector *account =
	    gan_config_connector(c->feeds->conf, c->connector);
	struct gan_err err = { 0 };
	int rc;

	if (c->lock >= 0 && !c->relock)
		return true;
	if (c->lock >= 0)
		(void)close(c->lock);
	c->lock = -1;
	if (account == NULL || account->api_key.bytes == NULL) {
		gan_channel_says(c, "its connector %s cannot be asked", c->connector);
		return false;
	}
	rc = gan_feed_lock(account, c->name, &c->lock, &err);
	c->locked_out = rc == GAN_EBUSY;
	if (rc < 0) {
		gan_channel_says(c, "%s%s", err.msg,
		    rc == GAN_EBUSY ? ": each of two readers would get a part of its changes; "
				      "take it out of one configuration"
				    : "");
		return false;
	}
	c->relock = false;
	return true;
}

static void
begin(struct gan_channel *c)
{
	struct gan_feed_read r;
	int rc;

	if (c->feeds->draining)
		return;
	if (!locked(c)) {
		gan_channel_rest(c, c->every_ms < LOCK_MAX_MS ? c->every_ms : LOCK_MAX_MS);
		return;
	}
	c->state = GAN_CHANNEL_NOTING;
	c->begun_ms = gan_wall_ms();
	c->wait_ms = 0;
	r = read_of(c);
	rc = gan_store_feed_begin(c->feeds->opt.store, &r, on_noted, c);
	if (rc < 0)
		on_noted(c, rc);
}

void
gan_channel_on_timer(struct gan_channel *c)
{
	switch (c->state) {
	case GAN_CHANNEL_IDLE:
		begin(c);
		return;
	case GAN_CHANNEL_KEEPING:
		keep(c);
		return;
	case GAN_CHANNEL_ENDING:
		end(c);
		return;
	default:
		return;
	}
}
