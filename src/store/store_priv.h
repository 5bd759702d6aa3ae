/* SPDX-License-Identifier: MIT */
/*
 * store_priv.h - what the files of store/ share: the store, its jobs, and the
 * effects of a group of jobs on memory.
 *
 * A job is made on the loop thread, run on the store thread inside a
 * transaction that it shares with others, and finished on the loop thread
 * after the COMMIT.  run() may be called again after a rollback, so it starts
 * by forgetting what an earlier run left in the job.  Whatever it wants to
 * change in memory goes into s->txn and takes effect only after the COMMIT.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/dedupe.h"
#include "store/rescue.h"
#include "store/spool.h"
#include "store/store.h"
#include "json/compact.h"

enum gan_job_class {
	GAN_JOB_INGEST,
	GAN_JOB_SETTLE,
	GAN_JOB_MAP,
	GAN_JOB_CLAIM,
	GAN_JOB_FEED,    /* unmapped and single events */
	GAN_JOB_COMMAND, /* people, and small writes of the program itself */
	GAN_JOB_RING,    /* quarantine: may be refused soon */
	GAN_JOB_QUERY,   /* reads in slices, outside of any transaction */
	GAN_JOB_WATCH,   /* likewise; waits for what others do */
	GAN_JOB_NCLASS,
};

struct gan_job;

struct gan_job_ops {
	enum gan_job_class class;
	/*
	 * Returns 0 with the verdict in job->rc; negative when the database failed: then
	 * everything of the group is rolled back and the jobs run again one by one.  Of a query:
	 * 1 when it wants another slice.
	 */
	int (*run)(struct gan_store *s, struct gan_job *job);
	void (*done)(struct gan_job *job); /* on the loop; may be NULL */
	void (*fini)(struct gan_job *job); /* release what the job owns; may be NULL */
	/* On the store thread: the store ends, let go of its connection; may be NULL. */
	void (*cancel)(struct gan_job *job);
};

struct gan_job {
	struct gan_job *next;
	const struct gan_job_ops *ops;
	size_t bytes; /* counted against the limit of its queue */
	int rc;
	bool sync; /* a blocking call waits for it */
	bool finished;
	enum gan_job_spool {
		GAN_JOB_UNSPOOLED, /* never goes to the spool */
		GAN_JOB_MAY_SPOOL,
		GAN_JOB_SPOOLING, /* in the group that is about to be synced */
	} spool;
};

#define GAN_GROUP_INGEST 1024 /* ingest jobs in one COMMIT */
#define GAN_GROUP_MAP 128
#define GAN_GROUP_DUE 16

/* What a group does to memory, applied after its COMMIT, forgotten at a rollback. */
struct gan_txn {
	int64_t events[GAN_EVENT_NSTATES];
	int64_t deliveries[GAN_DLV_NSTATES];
	int64_t duplicates, attention, quarantined;
	int64_t last_event, last_delivery, last_attempt, last_quarantine, last_audit;
	int64_t map_cursor, quarantine_bytes;
	int64_t made;
	bool new_events; /* others than those that ingest hands over itself */
	int64_t last_received;
	size_t nseen;
	struct gan_dedupe_entry seen[GAN_GROUP_INGEST];
	int64_t seen_ms;
	bool digested;
	size_t ntopics;
	struct gan_topic_count topics[GAN_TOPIC_COUNTS_MAX + 1];
	size_t ndue; /* more than GAN_GROUP_DUE: any */
	char due[GAN_GROUP_DUE][64];
};

struct gan_spool_note {
	bool told;
	int64_t records;
	char text[sizeof(((struct gan_err *)0)->msg)];
};

/* The part of the key index for the delivery that is made after so many others. */
#define GAN_PART_SIZE 65536
static inline int64_t
gan_key_part(int64_t made)
{
	return made / GAN_PART_SIZE + 1;
}

struct gan_queue {
	struct gan_job *head, **tail;
};

static inline void
gan_queue_push(struct gan_queue *q, struct gan_job *job)
{
	job->next = NULL;
	*q->tail = job;
	q->tail = &job->next;
}

static inline struct gan_job *
gan_queue_pop(struct gan_queue *q)
{
	struct gan_job *job = q->head;

	if (job == NULL)
		return NULL;
	q->head = job->next;
	if (q->head == NULL)
		q->tail = &q->head;
	return job;
}

static inline void
gan_queue_append(struct gan_queue *to, struct gan_queue *from)
{
	if (from->head == NULL)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	from->head = NULL;
	from->tail = &from->head;
}

/* Texts, each with its NUL. */
struct gan_globs {
	char *list;
	size_t len;
};

struct gan_store {
	/* Set at open. */
	uv_loop_t *loop;
	uv_async_t async;
	pthread_t thread;
	void (*on_fatal)(void *arg, const struct gan_err *err);
	void *fatal_arg;
	void (*on_spool)(void *arg, enum gan_spool_news what, int64_t records, const char *text);
	int64_t due_floor_ms;

	/* The loop's own. */
	void (*on_events)(void *arg, struct gan_event *e);
	void *events_arg;
	void (*on_due)(void *arg, const char *connector);
	void *due_arg;
	void (*on_closed)(void *arg);
	void *closed_arg;
	bool closing, joined, fatal_told;
	unsigned works; /* in libuv's thread pool */

	/* Shared, under lock. */
	pthread_mutex_t lock;
	pthread_cond_t wake, synced;
	struct gan_queue in[GAN_JOB_NCLASS];
	size_t depth[GAN_JOB_NCLASS]; /* accepted and not finished */
	size_t bytes[GAN_JOB_NCLASS];
	struct gan_queue out;
	bool tell_events, stop, ended, fatal, tuned;
	size_t ntell_due;
	char tell_due[GAN_GROUP_DUE][64];
	struct gan_store_options opt; /* path and callbacks are not used */
	struct gan_store_counts counts;
	struct gan_globs listen_next; /* what gan_store_listen() said last */
	bool listen_new;

	/* The store thread's own. */
	struct gan_db *db;
	struct gan_queue mine[GAN_JOB_NCLASS];
	struct gan_queue ran;
	struct gan_queue watching; /* for outcomes that are still to come */
	struct {
		int class;
		unsigned used;
	} turn;               /* of the classes that share what ingest leaves */
	int64_t commit_us;    /* of a COMMIT, smoothed */
	int64_t committed_us; /* when the last one was over */
	int64_t opened_us;
	struct gan_txn txn;
	struct gan_store_counts now; /* published as counts after each COMMIT */
	bool topics_changed;
	struct gan_window *window;
	struct gan_seen *seen;
	int64_t last_event, last_delivery, last_attempt, last_quarantine, last_audit, last_log;
	int64_t due_ahead_ms;  /* of the wall clock, after that went back; see clock.h */
	int64_t due_kept_ms;   /* the mark "due" */
	int64_t map_cursor;    /* everything up to here is mapped */
	int64_t made;          /* deliveries, ever */
	int64_t last_received; /* the newest event that has to be mapped */
	int64_t quarantine_bytes;
	int64_t space_checked_ms, due_looked_ms, min_free;
	bool leases_stand; /* of the process before: see gan_recover() */
	int64_t recover_ms;
	bool low_space;          /* refuse ingest without trying */
	struct gan_spool *spool; /* NULL: none, or none yet */
	struct {
		/* Shared, under lock. */
		struct gan_spool_note notes[GAN_SPOOL_NNEWS];
		bool open; /* takes webhooks, even after on_fatal */
		/* The store thread's own. */
		char *path;
		int64_t size, make_ms, retry_ms;
		int64_t episode; /* records imported since it was empty */
		size_t batch;    /* records of the next import; halved when one fails; 0: all */
		struct gan_spool_cursor cursor;
		bool unreadable;
	} rescue;
	struct gan_store_options keep;
	struct gan_globs listen; /* to which answers rules listen */
	struct {
		unsigned step; /* which walk */
		int64_t next_ms;
		int64_t last_slice_ms;
		int64_t later_from;
		int64_t unmapped; /* the first event that is not mapped */
		bool active;
	} retain;
};

/* ---- jobs: store.c ------------------------------------------------------- */

/* size bytes, zeroed, beginning with a struct gan_job. NULL without memory. */
void *gan_store_job_new(size_t size, const struct gan_job_ops *ops);
void gan_store_job_free(struct gan_job **jp);

/* Take the job over; GAN_EBUSY, GAN_EGONE or GAN_EIO: it is the caller's still. */
GAN_MUST_CHECK int gan_store_job_post(struct gan_store *s, struct gan_job *job);

/* The same, and a job that is not taken over is freed. */
GAN_MUST_CHECK int gan_store_job_send(struct gan_store *s, struct gan_job *job);

/* Post and wait on the loop thread; the job stays the caller's. */
GAN_MUST_CHECK int gan_store_job_wait(struct gan_store *s, struct gan_job *job);

/* Wait for what a start reads, and free the job. what: for the error, "the paused connectors". */
GAN_MUST_CHECK int gan_store_job_read(
    struct gan_store *s, struct gan_job *job, const char *what, struct gan_err *err);

/* ---- packing arguments into one block: pack.c ------------------------------ */

/*
 * Used twice by the same function: first with at NULL to count, then with
 * memory of that size to copy.  Every piece is aligned for pointers.
 */
struct gan_pack {
	char *at;
	size_t size;
};
const char *gan_pack_str(struct gan_pack *p, const char *s);
void *gan_pack_mem(struct gan_pack *p, const void *mem, size_t n);

/* ---- thread parts ---------------------------------------------------------- */

void *gan_group_thread(void *arg);           /* group.c */
int gan_counters_load(struct gan_store *s);  /* counters.c */
int gan_counters_flush(struct gan_store *s); /* into the transaction */
void gan_txn_begin(struct gan_store *s);
void gan_txn_apply(struct gan_store *s);
void gan_txn_due(struct gan_store *s, const char *connector);
void gan_txn_ignored(struct gan_store *s, const char *source, const char *topic);
int gan_mark_get(struct gan_store *s, const char *name, int64_t *ret);
int gan_mark_set(struct gan_store *s, const char *name, int64_t value);
void gan_space_check(struct gan_store *s, bool force); /* counters.c */
int gan_space_tune(struct gan_store *s);

/* Ingest jobs and the spool: ingest.c.  maybe_id: as in struct gan_spool_record. */
void gan_ingest_get(const struct gan_job *job, struct gan_ingest *ret_in, int64_t *ret_maybe_id);
void gan_ingest_was_spooled(struct gan_job *job);
/* The event with this id is in its table and nobody is to map it: to the attention list. */
GAN_MUST_CHECK int gan_event_put_rejected(
    struct gan_store *s, int64_t id, const char *why, int64_t now_ms);
/* An event in the COMMIT of another job; its body stays the caller's. GAN_EFULL: not stored. */
GAN_MUST_CHECK int gan_ingest_within(struct gan_store *s, const struct gan_ingest *in);

int gan_lease_lost(
    struct gan_store *s, int64_t delivery, const char *reason, int64_t now_ms); /* settle.c */
int gan_retain_slice(struct gan_store *s, int64_t now_ms, int64_t end_us);      /* retention.c */

/*
 * An event with copies of what like's texts say, all in one block, and with
 * its body, which is taken over.  NULL without memory: the body is still the caller's.
 */
struct gan_event *gan_event_new(const struct gan_event *like); /* feed.c */
/* An event from a row of GAN_EVENT_COLS, state and body; NULL without memory. */
struct gan_event *gan_event_read(sqlite3_stmt *st); /* feed.c */

/* ---- what a start has to write: recover.c ------------------------------------- */

/*
 * The process before left deliveries `sending`: they become `unknown`; and
 * digests that are due are made.  GAN_EFULL: nothing or a part was done.  The
 * store opens all the same, since the spool takes webhooks, and the store
 * thread calls it again each second.  Until the leases are void nothing is
 * claimed: neither one of those deliveries nor any other is sent.
 */
GAN_MUST_CHECK int gan_recover(struct gan_store *s);
bool gan_recover_due(const struct gan_store *s);

/* ---- who waits for an outcome: watch.c ---------------------------------------- */

/* Inside a transaction: something about this event changed, it has to be looked at after it. */
void gan_watch_touch(struct gan_store *s, int64_t event_id);

/* Outside of any: those whose wait is over go to s->ran; true when there are some. */
bool gan_watch_run(struct gan_store *s);

/* ---- which events were seen: seen.c ------------------------------------------ */

/* As gan_window_find(); what this group stored is not in it yet. */
int64_t gan_seen_find(struct gan_store *s, const unsigned char hash[16], int64_t now_ms);
GAN_MUST_CHECK int gan_seen_write(struct gan_store *s); /* into the transaction */
void gan_seen_apply(struct gan_store *s);               /* after its COMMIT */
GAN_MUST_CHECK int gan_seen_load(struct gan_store *s);  /* writes nothing */

/*
 * The log has grown past a digest that was never made: by an upgrade, or since
 * there was no room.  Only the next start takes longer by it.
 */
bool gan_seen_is_behind(const struct gan_store *s);

/* Outside of any transaction: make the oldest one that is missing. 1: there are more. */
GAN_MUST_CHECK int gan_seen_digest(struct gan_store *s);

/* ---- one delivery, loaded: dlv.c ------------------------------------------- */

/* May an attempt have reached the peer?  Stored: never renumber. */
enum gan_sent {
	GAN_SENT_NO,
	GAN_SENT_MAYBE,
	GAN_SENT_DENIED, /* it might have, but a person said it did not */
};

struct gan_dlv {
	int64_t id, event_id, lane_id; /* lane_id 0: closed */
	int64_t next_ms, created_ms, first_sent_ms, valid_until_ms;
	int64_t attempts;
	int state, on_unknown, on_dead;
	enum gan_sent maybe_sent;
	bool held, replay;
	bool copy; /* a corrected copy of another one: correct.c knows its place */
	char *rule, *connector, *operation, *key, *effect;
};

/* GAN_OK, GAN_ENOENT, or a failure. */
GAN_MUST_CHECK int gan_dlv_load(struct gan_store *s, int64_t id, struct gan_dlv *ret);
void gan_dlv_fini(struct gan_dlv *d); /* also a GAN_AUTO handler */

/*
 * The one way to another state: checks the move, writes the row, keeps
 * counters and attention, wakes those who wait for the effect.  d carries the
 * new values of next_ms, attempts, maybe_sent and the like.  The lane is the
 * caller's: gan_lane_arm() afterwards.  kind: of the attention item, or NULL.
 */
GAN_MUST_CHECK int gan_dlv_move(struct gan_store *s, struct gan_dlv *d, int to, const char *reason,
    const char *kind, int64_t now_ms);

/* Does a delivery in this state keep its place in the lane? */
bool gan_dlv_is_open(const struct gan_dlv *d, int state);

/* ---- mapped.c ----------------------------------------------------------------- */

/* A new delivery of an event; replay_no 0: of the mapping itself. */
GAN_MUST_CHECK int gan_delivery_put(struct gan_store *s, int64_t event_id, int64_t replay_no,
    const struct gan_new_delivery *d, int64_t now_ms);
const struct gan_new_delivery *gan_pack_deliveries(
    struct gan_pack *p, const struct gan_new_delivery *from, size_t n);
const struct gan_rejection *gan_pack_rejections(
    struct gan_pack *p, const struct gan_rejection *from, size_t n);

/* ---- lanes.c ----------------------------------------------------------------- */

/* Join the lane of (connector, key), or open one; *ret_lane is its id. */
GAN_MUST_CHECK int gan_lane_join(struct gan_store *s, const char *connector, const char *key,
    int64_t delivery_id, bool replay, int64_t next_ms, int64_t *ret_lane);

/*
 * Find the head again, make the lane due, block it, or end it.  left: how many
 * of its deliveries closed; ended: its lease is over.  A lane whose lease runs
 * on keeps its head.
 */
GAN_MUST_CHECK int gan_lane_arm(
    struct gan_store *s, int64_t lane_id, int left, bool ended, int64_t now_ms);

/* ---- effects.c --------------------------------------------------------------- */

/* after: the effects to wait for, each with its NUL. */
enum gan_effect_verdict {
	GAN_EFFECT_GO,       /* it is this delivery's, or nobody's business */
	GAN_EFFECT_DONE,     /* delivered already with an equal body */
	GAN_EFFECT_WAIT,     /* someone else's */
	GAN_EFFECT_AFTER,    /* `after` is not fulfilled */
	GAN_EFFECT_CONFLICT, /* another body */
	GAN_EFFECT_OLDER,    /* a newer one of its key went before */
};
GAN_MUST_CHECK int gan_effect_ask(struct gan_store *s, const struct gan_dlv *d, const char *body,
    size_t body_len, const struct gan_bytes *after, int64_t now_ms, struct gan_buf *why);
/* newest.c: GO or OLDER; and that this one goes now. */
GAN_MUST_CHECK int gan_newest_ask(
    struct gan_store *s, const struct gan_dlv *d, const char *value, struct gan_buf *why);
GAN_MUST_CHECK int gan_newest_put(struct gan_store *s, const struct gan_dlv *d, const char *value);
GAN_MUST_CHECK int gan_effect_done(struct gan_store *s, const struct gan_dlv *d, int64_t now_ms);
GAN_MUST_CHECK int gan_effect_wake(struct gan_store *s, const char *effect, int64_t now_ms);
GAN_MUST_CHECK int gan_effect_unwait(
    struct gan_store *s, const struct gan_dlv *d, const struct gan_bytes *after);

/* The effects it waits for, told in out, and not waited for any longer. GAN_ENOENT: none. */
GAN_MUST_CHECK int gan_effect_free(
    struct gan_store *s, const struct gan_dlv *d, struct gan_buf *out);

/* The effect that from owns, if it does, is to's from now on, with this body. */
GAN_MUST_CHECK int gan_effect_hand(struct gan_store *s, const struct gan_dlv *from, int64_t to,
    const char *body, size_t body_len, int64_t now_ms);

/* ---- command.c, correct.c ------------------------------------------------------ */

struct command_job {
	struct gan_job job;
	struct gan_command c;
	gan_json_fn cb;
	void *arg;
	struct gan_buf out;
};

GAN_MUST_CHECK int gan_command_audit(
    struct gan_store *s, const struct gan_command *c, const char *before, const char *after);
/* Not possible in its state: says what is. */
int gan_command_refuse(struct gan_store *s, struct command_job *j, const struct gan_dlv *d);

/* CORRECT and APPROVE. */
GAN_MUST_CHECK int gan_correct(struct gan_store *s, struct command_job *j, struct gan_dlv *d);

/* A copy that has joined a lane stands where its original stood. */
GAN_MUST_CHECK int gan_correct_place(struct gan_store *s, const struct gan_dlv *d, int64_t lane);

/*
 * The members of a delivery that tell of corrections.  people: also that one waits, and
 * whose: nothing for a sender's eyes.
 */
GAN_MUST_CHECK int gan_correct_shape(struct gan_store *s, int64_t id, int state, bool copy,
    bool bodies, bool people, struct gan_buf *out);

/* Does a correction of it wait for an approval? 1 or 0. */
GAN_MUST_CHECK int gan_correct_waits(struct gan_store *s, int64_t id);

/* ---- answers.c --------------------------------------------------------------- */

/*
 * d has just become delivered or dead (its row says so): make the event that
 * tells it, when a rule listens.  Nothing for any other state.
 */
GAN_MUST_CHECK int gan_answer_make(struct gan_store *s, const struct gan_dlv *d, int64_t now_ms);
void gan_answers_take(struct gan_store *s); /* before a transaction: what is listened to now */
GAN_MUST_CHECK int gan_answers_load(struct gan_store *s);

/* ,"answer":{delivery, origin, depth} of an event; ,"answers":[event...] of a delivery if any. */
GAN_MUST_CHECK int gan_answer_shape(struct gan_store *s, int64_t event, struct gan_buf *b);
GAN_MUST_CHECK int gan_answers_shape(struct gan_store *s, int64_t delivery, struct gan_buf *b);

/* ---- outbox.c ---------------------------------------------------------------- */

/* A waiting delivery that is in no lane is in the outbox. */
static inline bool
gan_outbox_has(const struct gan_dlv *d)
{
	return d->state == GAN_DLV_WAITING && d->lane_id == 0;
}

/* The head of a lane whose turn has come: out of the lane, into the outbox. */
GAN_MUST_CHECK int gan_outbox_enter(struct gan_store *s, struct gan_dlv *d, int64_t now_ms);
/* Not acknowledged, but told: maybe_sent is set. */
GAN_MUST_CHECK int gan_outbox_leave(struct gan_store *s, struct gan_dlv *d, bool acknowledged);
/* The connector is none that is pulled any more: they go back into their lanes. 1: there are more.
 */
GAN_MUST_CHECK int gan_outbox_return(struct gan_store *s, const char *connector, int64_t now_ms);
/* ,"outbox":{cursor, told} when it is there. */
GAN_MUST_CHECK int gan_outbox_shape(struct gan_store *s, int64_t delivery, struct gan_buf *b);
void gan_outbox_look(struct gan_store *s); /* for the figures */

/* claim.c: held, dead, expired or done by its effect; else it enters the outbox. */
GAN_MUST_CHECK int gan_claim_turn(struct gan_store *s, int64_t head, const struct gan_claim_at *at);

/* settle.c */
GAN_MUST_CHECK int gan_attempt_put(
    struct gan_store *s, int64_t delivery, const struct gan_attempt *a);

/* ---- shape.c: the objects of design section 11 ---------------------------------- */

GAN_MUST_CHECK int gan_shape_event(struct gan_store *s, sqlite3_stmt *row, bool bodies,
    int64_t only_delivery, const char *only_key, const char *only_effect, struct gan_buf *out);
/* 1: there is such an event, of this source when one is given; 0: there is none. */
GAN_MUST_CHECK int gan_event_is_of(struct gan_store *s, int64_t id, const char *source);
GAN_MUST_CHECK int gan_shape_event_id(struct gan_store *s, int64_t id, const char *source,
    bool bodies, int64_t only_delivery, const char *only_key, const char *only_effect,
    struct gan_buf *out);
GAN_MUST_CHECK int gan_shape_delivery(
    struct gan_store *s, sqlite3_stmt *row, bool bodies, bool with_event, struct gan_buf *out);
GAN_MUST_CHECK int gan_shape_delivery_id(struct gan_store *s, int64_t id, struct gan_buf *out);
void gan_shape_audit(sqlite3_stmt *row, struct gan_buf *b);
GAN_MUST_CHECK int gan_shape_attention(struct gan_store *s, int64_t id, const char *what,
    const char *kind, int64_t since_ms, const struct gan_query *filter, struct gan_buf *out);
GAN_MUST_CHECK int gan_shape_lane(struct gan_store *s, sqlite3_stmt *row, struct gan_buf *out);

void gan_json_name(struct gan_buf *b, const char *name); /* "name": */
/* Stored bytes: as JSON on one line if they are JSON, else as a string. */
void gan_json_bytes(struct gan_buf *b, const char *name, sqlite3_stmt *row, int col);
void gan_json_str(
    struct gan_buf *b, const char *name, const char *text);          /* "name":"text", or null */
void gan_json_time(struct gan_buf *b, const char *name, int64_t ms); /* 0: null */
void gan_json_id(struct gan_buf *b, const char *name, enum gan_id_kind kind, int64_t id);
