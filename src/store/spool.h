/* SPDX-License-Identifier: MIT */
/*
 * spool.h - the emergency spool: a file of a fixed size beside the database
 * that keeps webhooks while the database cannot.
 *
 * Its blocks are allocated when it is made, so that it can be written on a
 * full disk.  Records are appended in groups; a group is durable when
 * gan_spool_commit() returned GAN_OK, and only then may anybody be told.
 * What a crash leaves of a group that was never committed is recognised (each
 * record carries its length, a CRC-32C, the random number of the file and a
 * running number) and left out; a record that went bad later costs itself
 * alone: reading goes on behind it.
 *
 * What was imported is known from both sides.  The database notes number of
 * file and record in the COMMIT that holds the events (struct
 * gan_spool_mark), which is exact.  The file notes it when the last record
 * has left, so that another database at the same place does not take
 * old ones again; then it is written from its beginning once more.
 *
 * After a write or a sync failed nothing more is appended (GAN_EIO), since
 * nobody knows what is on the disk; reading goes on.  Store thread only.
 * Private to store/.
 *
 * Little-endian.  Header: 4096 bytes with two slots of 512, the one with the
 * higher count is in force:
 *	 0 "GANSPOOL"  8 version  12 crc of all behind  16 number of the file
 *	24 count  32 number of the last record imported
 * Record, its length a multiple of 8:
 *	 0 length of all; 0: the end  4 crc of all but itself  8 number of the file
 *	16 number, one more than the record before  24 event id it may have
 *	32 received_ms  40 dedupe kind  44 hash  60 source, topic, topic_raw, meta,
 *	reject, body: each a length (2^32-1: none), the bytes, a NUL
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

#define GAN_SPOOL_FRONT 60                       /* of a record: everything before the texts */
#define GAN_SPOOL_START 4096                     /* where records begin */
#define GAN_SPOOL_RECORD_MAX (INT64_C(32) << 20) /* bytes */

struct gan_spool_record {
	uint64_t number;
	/*
	 * The event may be in the database under this id already: the COMMIT that
	 * should have stored it failed, but may be found whole at the next start.  0: it is not.
	 */
	int64_t maybe_id;
	struct gan_ingest in; /* borrowed; the body is not taken over */
};

/* ---- one record: spool_record.c --------------------------------------------- */

/* A little-endian number of so many bytes. */
uint64_t gan_spool_number(const void *p, size_t bytes);

/* Append it to out. */
void gan_spool_encode(struct gan_buf *out, uint64_t file, const struct gan_spool_record *rec);

/*
 * The record at the front of n bytes: its length, with pointers into p; 0: the
 * records end here; GAN_EPARSE: torn, damaged or of another file.
 */
GAN_MUST_CHECK int gan_spool_decode(
    const void *p, size_t n, uint64_t file, struct gan_spool_record *ret_rec);

/* ---- the file: spool.c -------------------------------------------------------- */

struct gan_spool;

/* Up to which record of which file the database has them. */
struct gan_spool_mark {
	uint64_t file, number;
};

struct gan_spool_figures {
	int64_t records; /* not imported yet */
	int64_t bytes;   /* of the file that cannot be written at the moment */
	int64_t size;    /* of the file; 0: it was there when the spool was switched off */
	int64_t lost;    /* records found damaged */
	bool broken;     /* nothing more is appended */
};

/*
 * Open, or make with size bytes; size 0: only what is there is read, GAN_ENOENT
 * when there is nothing.  The size of an empty one is corrected.  GAN_EFULL:
 * no room to make it; GAN_ECONFIG: it is no spool, or cannot be opened;
 * GAN_ESTORE: its header is damaged.  The database must be locked by us already.
 */
GAN_MUST_CHECK int gan_spool_open(const char *path, int64_t size, const struct gan_spool_mark *mark,
    struct gan_spool **ret_sp, struct gan_err *err);
void gan_spool_free(struct gan_spool **spp);

void gan_spool_figures(const struct gan_spool *sp, struct gan_spool_figures *ret);
const char *gan_spool_path(const struct gan_spool *sp);
uint64_t gan_spool_file(const struct gan_spool *sp);

/*
 * Add to the group that is gathered: GAN_OK, GAN_EFULL (no room; the group
 * stays as it was), GAN_EIO, GAN_ENOMEM.
 */
GAN_MUST_CHECK int gan_spool_put(
    struct gan_spool *sp, const struct gan_ingest *in, int64_t maybe_id, struct gan_err *err);

/* Write and sync the group, or forget it: all or nothing. */
GAN_MUST_CHECK int gan_spool_commit(struct gan_spool *sp, struct gan_err *err);

/* Where a reader stands: gan_spool_first() is before the oldest record that waits. */
struct gan_spool_cursor {
	int64_t at;
	uint64_t number; /* of the last record read; 0: none */
	int64_t records; /* read so far */
};
void gan_spool_first(const struct gan_spool *sp, struct gan_spool_cursor *ret_cur);

/* The next record, valid until the next call: 1; 0: no more; GAN_EIO, GAN_ENOMEM. */
GAN_MUST_CHECK int gan_spool_next(struct gan_spool *sp, struct gan_spool_cursor *cur,
    struct gan_spool_record *ret_rec, struct gan_err *err);

/* All that the cursor has passed is in the database, committed. */
void gan_spool_imported(struct gan_spool *sp, const struct gan_spool_cursor *cur);
