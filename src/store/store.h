/* SPDX-License-Identifier: MIT */
/*
 * store.h - the only place where inbound and outbound meet: jobs in, results
 * out.
 *
 * One store thread owns the database.  Every call below is made on the loop
 * thread, copies or takes what it needs and returns at once; the callback
 * comes later, on the loop thread, exactly once per accepted job, in the order
 * of commits, and only after the COMMIT that holds the job's changes has been
 * synced to disk.  All jobs that wait share one COMMIT; ingest goes before
 * settling, settling before claims, claims before queries.
 *
 * A call returns GAN_EBUSY when its queue is full (nothing was accepted, no
 * callback comes), GAN_EGONE after gan_store_close() and GAN_EIO after
 * on_fatal.  In callbacks rc is
 * GAN_OK, GAN_EFULL (disk or quota full: nothing was changed, try later),
 * GAN_ESTORE/GAN_EIO (the store is broken: see on_fatal), or what the
 * job's comment says.
 *
 * Webhooks need not end like that: while the database takes nothing, those that
 * say so (gan_ingest.spool) are kept in the emergency spool and imported later,
 * also between on_fatal and the end of the process.
 *
 * Times are wall-clock milliseconds and are handed in, so that tests own the
 * clock.  No SQL outside store/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "store/delivery_state.h"

struct gan_store;

enum gan_spool_news {
	GAN_SPOOL_USED,    /* webhooks go there; text: why the database takes none */
	GAN_SPOOL_EMPTIED, /* so many are in the database now; text: the file */
	GAN_SPOOL_LOST,    /* so many were damaged, or torn before they were acknowledged */
	GAN_SPOOL_FAILED,  /* it takes nothing (more); text: why */
	GAN_SPOOL_STUCK,   /* so many wait, and the database could take them but for: text */
	GAN_SPOOL_NNEWS,
};

struct gan_store_options {
	const char *path;    /* ":memory:" is for tests */
	int64_t min_free;    /* bytes free below which ingest is refused with GAN_EFULL */
	int64_t max_bytes;   /* test hook for a full disk; 0: none */
	int64_t spool_bytes; /* size of the emergency spool beside the database; 0: none */
	/* on_unknown: probe: one that was being sent when its lease ended is looked for after this
	 */
	int64_t probe_after_ms;
	int64_t keep_delivered_ms, keep_ignored_ms, keep_rejected_ms, keep_audit_ms;
	size_t dedupe_max; /* entries in memory; 0: the default of one million */
	/* An I/O error or damage: every pending job has failed, nothing more is accepted. The
	 * process must end without closing the database (gan_store_close is not called). */
	void (*on_fatal)(void *arg, const struct gan_err *err);
	/* On the loop, may be NULL: what became of the spool, for the log. */
	void (*on_spool)(void *arg, enum gan_spool_news what, int64_t records, const char *text);
	void *arg;
};

/* Did the open find an older format, and bring it to this one?  Both are its numbers. */
bool gan_store_upgraded(const struct gan_store *s, int *ret_from, int *ret_to);

/*
 * Open or create, migrate, recover: leases are void, deliveries found
 * `sending` become `unknown`; those with `on_unknown: probe` wait to be looked
 * for.  Blocking; called once at start.  GAN_ECONFIG:
 * the file is no Gantry database, of a newer version, or locked by another
 * gantryd; GAN_ESTORE: damaged.
 */
GAN_MUST_CHECK int gan_store_open(uv_loop_t *loop, const struct gan_store_options *opt,
    struct gan_store **ret_store, struct gan_err *err);

/*
 * Finish what is queued, checkpoint, close; cb is called on the loop when the
 * thread has ended, then the store is gone.
 */
void gan_store_close(struct gan_store *s, void (*cb)(void *arg), void *arg);

/* New retention and min_free after a reload. */
void gan_store_tune(struct gan_store *s, const struct gan_store_options *opt);

/* ---- inbound: events ---------------------------------------------------- */

enum gan_ingest_verdict {
	GAN_INGEST_STORED,
	GAN_INGEST_DUPLICATE, /* seen before: id is the first one's; nothing stored, counted */
	GAN_INGEST_CONFLICT,  /* same idempotency key, other body */
	GAN_INGEST_SPOOLED,   /* in the emergency spool: as durable, stored later, no id yet */
};

enum gan_dedupe {
	GAN_DEDUPE_NONE,
	GAN_DEDUPE_WEBHOOK,     /* equal hash: a duplicate */
	GAN_DEDUPE_IDEMPOTENCY, /* equal hash: compare topic and body with the first one's */
};

struct gan_ingest {
	const char *source;
	const char *topic;     /* canonical */
	const char *topic_raw; /* as received; may equal topic */
	const char *meta;   /* JSON object: what else the request said (uuid, triggered_at, …) */
	const char *reject; /* not NULL: store as rejected with this reason (signed, but no JSON) */
	/* Not 0: no rule of this generation listens; stored as ignored, in the same COMMIT. */
	uint64_t ignored_by;
	void *body; /* malloc'ed, a NUL behind it; taken over when the call returns 0 */
	size_t body_len;
	int64_t received_ms;
	enum gan_dedupe dedupe;
	unsigned char hash[16]; /* first half of a SHA-256 that includes the source */
	/* Its sender never repeats it: it may go to the emergency spool. */
	bool spool;
};

typedef void (*gan_ingest_fn)(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t event_id);

GAN_MUST_CHECK int gan_store_ingest(
    struct gan_store *s, const struct gan_ingest *in, gan_ingest_fn cb, void *arg);

/*
 * A request with a bad signature, kept in a bounded ring (1,000 rows, 64 MiB;
 * the oldest leave first) and never processed.  Best effort: refused with
 * GAN_EBUSY when 256 wait: a burst of a misconfigured sender is kept, a flood costs little.
 */
struct gan_quarantine {
	const char *source;
	const char *topic; /* canonical */
	const char
	    *headers; /* JSON object of the headers that count: signature, topic, uuid, time */
	const char *why;
	const char *remote;
	const void *body; /* copied */
	size_t body_len;
	int64_t received_ms;
};
GAN_MUST_CHECK int gan_store_quarantine(struct gan_store *s, const struct gan_quarantine *q);

/* One row of the ring, for checking it again. cb(rc=GAN_ENOENT) when it is gone. */
struct gan_quarantined {
	int64_t id;
	int64_t received_ms;
	const char *source, *topic, *headers;
	const void *body;
	size_t body_len;
};
typedef void (*gan_quarantined_fn)(void *arg, int rc, const struct gan_quarantined *row);
GAN_MUST_CHECK int gan_store_quarantine_get(
    struct gan_store *s, int64_t id, gan_quarantined_fn cb, void *arg);

/* Remove a row after it was accepted as an event (audited by whoever asks). */
GAN_MUST_CHECK int gan_store_quarantine_drop(struct gan_store *s, int64_t id);

/* ---- mapping ------------------------------------------------------------ */

struct gan_event {
	int64_t id;
	int64_t received_ms;
	int64_t after_id; /* the one to be mapped before it; 0: not known */
	const char *source, *topic, *topic_raw, *meta; /* in the event's own memory */
	char *body;                                    /* malloc'ed; NUL behind it */
	size_t body_len;
	/* gan_store_event() only: where its mapping stands, and the rules that rejected it. */
	enum gan_event_state state;
	char **rejected;
	size_t nrejected;
};
void gan_event_free(struct gan_event **ep);

/*
 * Called on the loop when an event was committed that has to be mapped: e is
 * it, and fn's to free.  NULL: there are some that only a fetch can bring.
 */
void gan_store_on_events(
    struct gan_store *s, void (*fn)(void *arg, struct gan_event *e), void *arg);

/*
 * The next events to be mapped, in the order of acceptance: those after
 * after_id (0 at start: the store continues where mapping stopped), at most n
 * and about max_bytes.  The array and its events are the callback's.
 */
typedef void (*gan_events_fn)(void *arg, int rc, struct gan_event **events, size_t n);
GAN_MUST_CHECK int gan_store_unmapped(
    struct gan_store *s, int64_t after_id, size_t n, size_t max_bytes, gan_events_fn cb, void *arg);

/* One event, mapped or not: for `retry EVENT`. n is 0 when there is none. */
GAN_MUST_CHECK int gan_store_event(struct gan_store *s, int64_t id, gan_events_fn cb, void *arg);

struct gan_new_delivery {
	const char *rule;
	unsigned output_no; /* 0-based, of that rule */
	const char *connector, *operation;
	const char *key;          /* NULL: unordered, a lane of its own */
	const char *effect;       /* may be NULL */
	const char *const *after; /* effects that must be delivered first */
	size_t nafter;
	/*
	 * Of its key's requests for this operation the newest wins: once one went, those whose
	 * value is less (byte by byte) are skipped when their turn comes.  NULL: each is sent.
	 */
	const char *newest;
	const char *body;
	size_t body_len;
	int64_t valid_until_ms;  /* 0: for ever */
	int on_unknown, on_dead; /* enum gan_on_unknown, gan_on_dead */
	bool pull;               /* nobody is called: it goes to the connector's outbox */
};

struct gan_rejection {
	const char *rule; /* "" when it concerns the event as a whole */
	const char *reason;
};

/*
 * The outcome of one event.  Everything is copied.  Commits must be asked for
 * in the order of acceptance; the store keeps how far mapping has come.  One
 * that would skip an event, or comes twice, changes nothing: rc GAN_ESTATE.
 * After any other rc than GAN_OK the same commit must be asked for again.
 * With again, the event was mapped before and only the rules in retried are
 * meant: their rejections are replaced, the rest stays.  Output numbers of a
 * rule that already made deliveries from this event (same event, rule, output,
 * replay 0) are skipped, so that a repeat can never double.
 */
struct gan_map_commit {
	int64_t event_id;
	const char *source, *topic; /* for the counters per topic */
	enum gan_event_state state; /* MAPPED, IGNORED or REJECTED */
	uint64_t generation;        /* of the rule set */
	const struct gan_new_delivery *deliveries;
	size_t ndeliveries;
	const struct gan_rejection *rejections;
	size_t nrejections;
	bool again;
	const char *const *retried;
	size_t nretried;
	int64_t now_ms;
};
typedef void (*gan_done_fn)(void *arg, int rc);
GAN_MUST_CHECK int gan_store_map_commit(
    struct gan_store *s, const struct gan_map_commit *m, gan_done_fn cb, void *arg);

/*
 * Which results become events of the source `answers`: those whose
 * "answers/<connector>/<operation>.delivered" or ".dead" one of the globs
 * matches (each with its NUL; len 0: none).  In force for every COMMIT that
 * begins after the call, and kept for the next start, whose rules take a
 * moment.  Such an event is stored in the COMMIT of the result (answers.c).
 */
GAN_MUST_CHECK int gan_store_listen(struct gan_store *s, const char *globs, size_t len);

/* The last green rule set, as the mapping side packs it. */
GAN_MUST_CHECK int gan_store_rules_put(struct gan_store *s, const void *blob, size_t len);
/* Blocking, right after open. *ret_blob NULL when there is none yet; to free(). */
GAN_MUST_CHECK int gan_store_rules_get(
    struct gan_store *s, char **ret_blob, size_t *ret_len, struct gan_err *err);

/* ---- outbound: deliveries ------------------------------------------------ */

struct gan_claimed {
	int64_t id;
	int64_t event_id;
	int64_t created_ms;    /* when it was queued */
	int64_t first_sent_ms; /* of the first attempt, 0 when this is it */
	unsigned attempt;      /* 1 on the first try; counted attempts only */
	char *connector, *operation, *rule;
	char *key;    /* NULL: unordered */
	char *effect; /* or NULL */
	char *body;
	size_t body_len;
	int on_unknown, on_dead;
	bool maybe_sent; /* an earlier attempt may have reached the peer */
	bool denied;     /* one might have, but a person said it did not */
};
void gan_claimed_free(struct gan_claimed **cp);

/*
 * Called when a connector may have deliveries due earlier than it knew. On
 * the loop.  connector NULL: any.
 */
void gan_store_on_due(struct gan_store *s, void (*fn)(void *arg, const char *connector), void *arg);

/*
 * Take the heads of at most n due lanes of a connector: they are `sending`
 * when the callback comes.  Live ones before retries before replays.  A head
 * past valid_until becomes `expired`; one whose effect is already delivered
 * with an equal body becomes `delivered` without a call; one whose effect is
 * someone else's waits; a lane whose lease ran out unsettled is `unknown`.
 * next_due_ms: when to ask again if nothing else happens (INT64_MAX: not by
 * itself; by the clock of due times).  Array and rows are the callback's.
 */
struct gan_claim_at {
	int64_t wall_ms;
	int64_t due_ms;  /* by which next_ms of deliveries and next_due_ms are meant */
	int64_t mono_ms; /* by which leases end: they do not outlive the process */
	int64_t lease_ms;
	int64_t give_up_ms; /* a head that waits longer for its `after` is dead; 0: it waits on */
};
typedef void (*gan_claim_fn)(
    void *arg, int rc, struct gan_claimed **rows, size_t n, int64_t next_due_ms);
GAN_MUST_CHECK int gan_store_claim(struct gan_store *s, const char *connector, size_t n,
    const struct gan_claim_at *at, gan_claim_fn cb, void *arg);

/* Where the clock of due times was when this store was used last. */
int64_t gan_store_due_floor(const struct gan_store *s);

/*
 * What the process before used of its quotas (outbound.h).  take: blocking,
 * right after open; NULL when no process ever used this store, "" when the last one
 * left nothing.
 */
GAN_MUST_CHECK int gan_store_quota_take(struct gan_store *s, char **ret_text, struct gan_err *err);
GAN_MUST_CHECK int gan_store_quota_put(struct gan_store *s, const char *text);

/* One try, as it is kept: the request with secrets masked, the answer as received. */
struct gan_attempt {
	int64_t started_ms, ended_ms;
	const char *request; /* "POST https://host/path" and masked headers, one per line */
	int status;          /* HTTP status; 0: none came */
	/* "delivered", "retry", "unknown", "dead", "token"; of probes "found", "different",
	 * "absent", "unknown", "retry" */
	const char *verdict;
	const char *error;         /* what went wrong, or NULL */
	const char *response_head; /* status line and headers as received, or NULL */
	const void *response;
	size_t response_len;
	bool response_cut;
};

struct gan_settle {
	int64_t delivery_id;
	unsigned claim;                /* gan_claimed.attempt of the claim that ends; 0: any */
	enum gan_delivery_state state; /* WAITING (again), DELIVERED, UNKNOWN, DEAD */
	int64_t next_ms;               /* WAITING: when it is due again */
	bool uncounted;       /* the attempt does not count (token, paused, never sent, a look) */
	bool maybe_sent;      /* bytes of a non-idempotent request may have arrived */
	const char *reason;   /* for a person; NULL when delivered plainly */
	const char *response; /* DELIVERED: JSON object with what the target gave back, or NULL */
	const struct gan_attempt *looked;  /* a probe before it; NULL: none */
	const struct gan_attempt *attempt; /* NULL: nothing was tried */
	int64_t now_ms;
};

/*
 * End a claim.  Copies everything.  rc GAN_ESTATE: the lease was lost, the
 * outcome was recorded as unknown; perhaps it is claimed again by now, which
 * such a late end must not touch.
 */
GAN_MUST_CHECK int gan_store_settle(
    struct gan_store *s, const struct gan_settle *st, gan_done_fn cb, void *arg);

/* ---- outboxes: deliveries that their receiver fetches itself ------------------- */

/*
 * A delivery whose turn has come (nothing of its key before it, `after`
 * fulfilled, the effect its own) gets the next place in the outbox of its
 * connector, and keeps it, waiting, until its receiver acknowledges it.  Reading
 * costs the same however many wait.  Its key's followers come behind it; one
 * that was held comes when it is let go, behind those that came meanwhile.
 *
 * The answer is {messages: [{id, cursor, key, operation, rule, event,
 * created_at, body}], next}, body with the bytes that the rule made; next is
 * the cursor of the last one, or `after` when there is none.  n: how many.
 * rc GAN_EINVAL: this outbox never gave out the cursor; GAN_ESTATE: a person
 * paused the connector, json is the reason; GAN_EFULL: see gan_store_claim().
 * After valid_until a message that was never told becomes `expired`; once told,
 * it waits for its acknowledgement however long that takes.
 */
struct gan_outbox_read {
	const char *connector;
	const char *after; /* a cursor; NULL or "": all that is not acknowledged */
	unsigned limit;    /* at most 1,000; about 4 MiB of bodies in any case */
	struct gan_claim_at at;
};
typedef void (*gan_outbox_fn)(void *arg, int rc, const char *json, size_t len, size_t n);
GAN_MUST_CHECK int gan_store_outbox_read(
    struct gan_store *s, const struct gan_outbox_read *r, gan_outbox_fn cb, void *arg);

/*
 * All up to the cursor becomes `delivered`, with an attempt that tells who said
 * so; n: how many.  A cursor that was acknowledged before changes nothing and is
 * GAN_OK, one that this outbox never gave out is GAN_EINVAL.  Many are done in
 * several COMMITs, in their order; the callback comes after the last one.
 */
GAN_MUST_CHECK int gan_store_outbox_ack(struct gan_store *s, const char *connector,
    const char *cursor, const char *who, int64_t now_ms, gan_outbox_fn cb, void *arg);

/* ---- people: queries and commands ----------------------------------------- */

enum gan_query_kind {
	GAN_QUERY_SHOW,   /* text: a key, an effect, an event id or a delivery id */
	GAN_QUERY_EVENT,  /* text: event id; source: must match when given */
	GAN_QUERY_OBJECT, /* text: a key; source: whose events; before: a delivery id */
	GAN_QUERY_EVENTS,
	GAN_QUERY_DELIVERIES,
	GAN_QUERY_ATTENTION, /* store part: unknown, dead, expired, conflict, rejected */
	GAN_QUERY_LANES,
	GAN_QUERY_QUARANTINE,
	GAN_QUERY_AUDIT,
	GAN_QUERY_CHECK, /* integrity check, in slices */
};

struct gan_query {
	enum gan_query_kind kind;
	const char *text;           /* see kind */
	const char *source, *topic; /* topic: a glob */
	const char *state, *connector, *rule, *key;
	const char *before;         /* an id: only older ones, for paging */
	int64_t since_ms, until_ms; /* 0: open */
	unsigned limit;             /* 0: 100; at most 1,000 */
	bool bodies;                /* SHOW: with bodies, requests and answers of every attempt */
};

/*
 * The answer is JSON text in the shapes of design.md section 11 (one object
 * for SHOW and EVENT, else an array), newest first, without line breaks.  rc
 * GAN_ENOENT: nothing of that name; GAN_EINVAL: the query makes no sense;
 * GAN_ELIMIT: the answer would pass 32 MiB; GAN_EGONE: the store closed before
 * a long one was done.  With an rc, json is the reason in plain text.
 *
 *	SHOW a key or effect   {key, events:[...]}, oldest event first, each with the deliveries of
 *	                       that key; an effect finds its owner's delivery
 *	SHOW an event id       the event
 *	SHOW a delivery id     its event with that delivery alone
 *	  an answer            events of source `answers`: + answer: {delivery, origin, depth};
 *	                       deliveries that were answered, with bodies: + answers: [event id]
 *	  with bodies          events: + topic_raw, meta, body; deliveries: + request (the body),
 *	                       tries: [{id, at, ended_at, verdict, status, error, request,
 *	                       response_head, response, response_cut}].  What was stored as JSON is
 *	                       embedded as JSON, anything else as a string.
 *	OBJECT                 {key, events:[...], next}: the events of the source that have
 *	                       deliveries of the key, with those alone, the newest first; next is
 *	                       `before` of the page behind, or null
 *	LANES                  {connector, key, waiting, head, state, head_state,
 *	                       blocked_since, next_at, reason}; state is waiting, sending or
 *	                       blocked; waiting counts the head too; blocked ones first, then the
 *	                       oldest; `before` is ignored
 *	QUARANTINE             {id, source, topic, why, remote, received_at, bytes, headers}
 *	AUDIT                  {id, at, who, verb, object, reason, before, after}
 *	CHECK                  {kind: damage | orphan | book | counter, object, problem}; []
 *	                       when all is well
 *
 * last.error of a delivery is the reason it is not delivered, when there is one.
 */
typedef void (*gan_json_fn)(void *arg, int rc, const char *json, size_t len);
GAN_MUST_CHECK int gan_store_query(
    struct gan_store *s, const struct gan_query *q, gan_json_fn cb, void *arg);

/*
 * Wait for the outcome of an event: it is mapped, ignored or rejected, and none
 * of its deliveries is waiting or sending any more (what needs a person is an
 * outcome, too).  cb gets the event as GAN_QUERY_EVENT shows it, at once when it
 * is so already, else right after the COMMIT that brought it.  Nothing is asked
 * meanwhile.  source: must match when given.  rc GAN_ENOENT: no such event;
 * GAN_EBUSY: until_ms (gan_mono_ms(); up to a second later) came first.  Refused
 * with GAN_EBUSY when GAN_WATCH_MAX wait already.
 */
#define GAN_WATCH_MAX 256
GAN_MUST_CHECK int gan_store_watch(struct gan_store *s, int64_t event_id, const char *source,
    int64_t until_ms, gan_json_fn cb, void *arg);

enum gan_command_kind {
	GAN_CMD_RETRY,    /* delivery: dead, expired or waiting -> waiting, due now */
	GAN_CMD_SENT,     /* delivery: unknown -> delivered */
	GAN_CMD_NOT_SENT, /* delivery: unknown -> waiting, due now */
	GAN_CMD_SKIP,    /* delivery: waiting, unknown, dead, expired -> skipped; event: rejected is
			    closed */
	GAN_CMD_FREE,    /* as RETRY, and it waits no longer for the effects of its `after` */
	GAN_CMD_CORRECT, /* delivery: dead, unknown, expired: an edited copy takes its place */
	GAN_CMD_APPROVE, /* delivery: the same with the correction that waits for it */
	GAN_CMD_PAUSE,   /* connector */
	GAN_CMD_RESUME,  /* connector */
	GAN_CMD_NOTE, /* only an audit row: reload, quarantine accept, retry of an event, backup */
};

struct gan_command {
	enum gan_command_kind kind;
	const char *id;     /* delivery id, event id (SKIP) or connector */
	const char *verb;   /* as typed, for the audit row: "resolve --as sent" */
	const char *who;    /* user name and uid of the caller, or "gantryd" */
	const char *reason; /* may be NULL */
	/* CORRECT: the new body, checked JSON; copied. */
	const char *body;
	size_t body_len;
	bool four_eyes;      /* CORRECT: wait for an approval; APPROVE: not by who corrected it */
	const char *outcome; /* NOTE: what came of it, for the audit row; may be NULL */
	int64_t now_ms;
};

/*
 * Change and audit row in one COMMIT; the answer is the changed object (as in
 * lists; PAUSE and RESUME: {connector, paused, reason, since}; NOTE: {verb,
 * object}).  RESUME of a connector that no person paused is allowed.  GAN_ENOENT: no such object;
 * GAN_ESTATE: not possible in its state, json is then the sentence that says so and what would be
 * possible.  GAN_EPERM: by another user only.  CORRECT answers with the copy, or with the original
 * when it waits for an approval.
 */
GAN_MUST_CHECK int gan_store_command(
    struct gan_store *s, const struct gan_command *c, gan_json_fn cb, void *arg);

/* Paused connectors survive a restart.  Blocking, right after open: fn per row. */
GAN_MUST_CHECK int gan_store_paused(struct gan_store *s,
    void (*fn)(void *arg, const char *connector, const char *reason, int64_t since_ms), void *arg,
    struct gan_err *err);

/*
 * Copy the database to path (must not exist, folder must) with the online
 * backup interface, in slices; checked before the callback.  Answers {path,
 * bytes, checked}, or the reason in plain text.  While it runs the copy is
 * called path.part.
 */
GAN_MUST_CHECK int gan_store_backup(
    struct gan_store *s, const char *path, gan_json_fn cb, void *arg);

/* Figures kept as counters, as of the last COMMIT; cheap, any time. */
struct gan_topic_count {
	char source_topic[160]; /* "prodsmart/lot.created" */
	int64_t ignored;
};

#define GAN_TOPIC_COUNTS_MAX 256
#define GAN_DUE_CONNECTORS_MAX 32

struct gan_store_counts {
	int64_t events[GAN_EVENT_NSTATES];
	int64_t duplicates;
	int64_t deliveries[GAN_DLV_NSTATES];
	int64_t attention; /* open items in the store */
	int64_t quarantined;
	int64_t commits;                           /* since start */
	int64_t last_commit_ms;                    /* wall clock */
	int64_t file_bytes, wal_bytes, free_bytes; /* looked up now and then */
	bool full;                                 /* the database takes no new events */
	/* The emergency spool; taken and imported: records since start. */
	int64_t spool_records, spool_bytes, spool_size, spool_taken, spool_imported, spool_lost;
	int64_t spool_since_ms; /* when it began to be used; 0: it is empty */
	bool spool_broken;      /* it takes nothing more until a restart */
	bool spool_stuck;       /* its import fails, for another reason than a full disk */
	/* Connectors that deliveries wait for, looked up now and then, by name. */
	size_t ndue;
	char due[GAN_DUE_CONNECTORS_MAX][64];
	/* Outboxes that were ever used, likewise. */
	size_t noutboxes;
	struct gan_outbox_count {
		char connector[64];
		int64_t backlog;   /* told or not, not acknowledged */
		int64_t oldest_ms; /* when the first of them was made; 0: none */
	} outboxes[GAN_DUE_CONNECTORS_MAX];
	size_t ntopics;
	struct gan_topic_count topics[GAN_TOPIC_COUNTS_MAX]; /* the last one collects the rest */
};
void gan_store_counts(struct gan_store *s, struct gan_store_counts *ret_counts);
