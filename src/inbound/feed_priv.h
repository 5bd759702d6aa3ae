/* SPDX-License-Identifier: MIT */
/* feed_priv.h - shared by feed.c (channels and their life) and feed_read.c (one read) only. */
#pragma once

#include "base/buf.h"
#include "inbound/feed.h"
#include "inbound/feed_items.h"

enum gan_channel_state {
	GAN_CHANNEL_IDLE,    /* its timer runs */
	GAN_CHANNEL_NOTING,  /* the read is being noted */
	GAN_CHANNEL_ASKING,  /* it is under way */
	GAN_CHANNEL_KEEPING, /* its answer is being committed */
	GAN_CHANNEL_ENDING,  /* that it brought nothing, or may be lost, is being committed */
	GAN_CHANNEL_APART,   /* its answer waits to become events */
};

struct gan_channel {
	struct gan_channel *next;
	struct gan_feeds *feeds;
	/* Its own copies: a reload takes the snapshot away. */
	char *source, *name, *connector;
	enum gan_entity type;
	int64_t every_ms;
	uv_timer_t timer;
	enum gan_channel_state state;
	int lock;          /* file descriptor, or -1 */
	bool relock;       /* it may be of another account */
	bool gone;         /* not in the configuration any more */
	bool closing;      /* its timer is */
	bool more;         /* the last read was full: go on at once */
	uint32_t last_crc; /* of what it brought */
	bool lost;         /* ENDING: something may be lost */
	unsigned failures;
	int64_t begun_ms, wait_ms;
	struct gan_buf answer; /* KEEPING: not committed yet; ENDING: the event of the loss */
	char why[300];         /* ENDING: of the loss */

	int64_t read_ms, next_ms, events, nlost;
	char error[300];
	int64_t error_since_ms;
	bool locked_out;
};

/* A read of the process before whose end is not known. */
struct gan_read_left {
	struct gan_read_left *next;
	char *source, *channel, *type;
	int64_t at_ms;
};

struct gan_feeds {
	uv_loop_t *loop;
	struct gan_feeds_options opt;
	struct gan_config *conf;
	struct gan_channel *channels;
	struct gan_read_left *left;
	unsigned handles; /* that are not closed */
	uv_timer_t apart_timer;
	bool apart_busy;
	bool ready; /* what the process before left is events */
	bool draining, closing;
	void (*drain_cb)(void *arg);
	void *drain_arg;
};

/* ---- feed.c ---- */

struct gan_channel *gan_feeds_find(struct gan_feeds *f, const char *source, const char *name);
/* Idle; the next read in so long. */
void gan_channel_rest(struct gan_channel *c, int64_t ms);
/* What keeps it from reading; NULL: nothing any more.  Logged when it is news. */
void gan_channel_says(struct gan_channel *c, const char *fmt, ...) GAN_PRINTF(2, 3);
/* Something ended: tell whoever waits for the end of all. */
void gan_feeds_ended(struct gan_feeds *f);

/* ---- feed_read.c: one read ---- */

/* Its timer came. */
void gan_channel_on_timer(struct gan_channel *c);

/* The event that tells of a loss; out is its body. */
void gan_feed_tell_lost(const struct gan_feed_read *r, const char *why,
    const struct gan_reply *reply, struct gan_buf *out);
/* Its reason on the attention list. */
void gan_feed_lost_reason(
    const struct gan_feed_read *r, const char *why, bool reconciled, char *out, size_t outsz);

/* ---- feed_apart.c: what is kept becomes events ---- */

/* Go through what is kept, then let the channels that wait go on. */
void gan_feeds_apart(struct gan_feeds *f);
void gan_read_left_free(struct gan_read_left **lp);
