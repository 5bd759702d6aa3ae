/* SPDX-License-Identifier: MIT */
/*
 * db.h - the one SQLite connection: opened with every setting verified, its
 * statements prepared once, its errors in gantry's words.
 *
 * Used by the store thread alone once it runs (by the opening thread before).
 * Private to store/.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/sql.h"

struct gan_db {
	sqlite3 *h;
	sqlite3_stmt *st[GAN_SQL_COUNT];
	char *path;         /* as opened, NULL in memory */
	struct gan_err why; /* of the last failure */
	bool broken;        /* an I/O error or damage was seen: end, do not close */
	bool created;       /* the file was new */
	int from_version;   /* 0, or the older format that opening brought to this one */
	int wal_frames;     /* as of the last COMMIT, 0 after a checkpoint */
	bool wal_uncut;     /* its file is as long as it once was */
	bool folder_synced; /* since the write-ahead log was made in it */
};

/*
 * Open or create, check identity and health, migrate, prepare.  GAN_ECONFIG,
 * GAN_ESTORE, GAN_ENOMEM, GAN_EFULL with the text for the operator.
 */
GAN_MUST_CHECK int gan_db_open(const char *path, struct gan_db **ret_db, struct gan_err *err);

/* Finalise and close; a broken one is left open on purpose (a close would checkpoint). */
void gan_db_free(struct gan_db **dbp);

/* Bring an older file to this version, or fill a new one. schema.c */
#define GAN_DB_APPLICATION 0x47414e54 /* "GANT" */
GAN_MUST_CHECK int gan_db_migrate(struct gan_db *db, struct gan_err *err);
int gan_db_version(void);

/* One bound parameter; text and blobs are borrowed until the statement is rewound. */
struct gan_val {
	enum { GAN_VAL_NULL, GAN_VAL_INT, GAN_VAL_TEXT, GAN_VAL_BLOB } kind;
	int64_t i;
	const void *p;
	size_t n;
};
#define GAN_NULL ((struct gan_val){ .kind = GAN_VAL_NULL })
#define GAN_I(v) ((struct gan_val){ .kind = GAN_VAL_INT, .i = (int64_t)(v) })
/* NULL text is SQL NULL; likewise 0 with GAN_I0. */
#define GAN_T(s) ((struct gan_val){ .kind = GAN_VAL_TEXT, .p = (s) })
#define GAN_I0(v) ((struct gan_val){ .kind = (v) == 0 ? GAN_VAL_NULL : GAN_VAL_INT, .i = (v) })
#define GAN_B(b, len) ((struct gan_val){ .kind = GAN_VAL_BLOB, .p = (b), .n = (len) })

/* Statement sql with its parameters bound, ready to step; NULL on failure (see why). */
sqlite3_stmt *gan_db_bind(
    struct gan_db *db, enum gan_sql sql, const struct gan_val *vals, size_t nvals);
#define gan_bind(db, sql, ...)                                                                     \
	gan_db_bind(db, sql, (const struct gan_val[]){ __VA_ARGS__ },                              \
	    sizeof((const struct gan_val[]){ __VA_ARGS__ }) / sizeof(struct gan_val))

/* 1: a row; 0: no more; negative: failed. NULL counts as failed. */
GAN_MUST_CHECK int gan_db_step(struct gan_db *db, sqlite3_stmt *st);

/* Leave a borrowed statement reusable; a GAN_AUTO handler. */
void gan_db_rewind(sqlite3_stmt **stp);

/* Bind, step to the end, rewind: for statements without rows. */
GAN_MUST_CHECK int gan_db_run_vals(
    struct gan_db *db, enum gan_sql sql, const struct gan_val *vals, size_t nvals);
#define gan_run(db, sql, ...)                                                                      \
	gan_db_run_vals(db, sql, (const struct gan_val[]){ __VA_ARGS__ },                          \
	    sizeof((const struct gan_val[]){ __VA_ARGS__ }) / sizeof(struct gan_val))

/* The first column of the first row; GAN_ENOENT without a row. */
GAN_MUST_CHECK int gan_db_int(struct gan_db *db, sqlite3_stmt *st, int64_t *ret);

/* Text without parameters. */
GAN_MUST_CHECK int gan_db_exec(struct gan_db *db, const char *text);
GAN_MUST_CHECK int gan_db_pragma(struct gan_db *db, const char *text, int64_t *ret);

/* Name the failure that SQLite has just reported: fills why, returns the code. */
int gan_db_fail(struct gan_db *db, const char *what);
int gan_db_code(int sqlite_rc);

/*
 * Copy the WAL into the file, between transactions; truncate: and cut the WAL.  Done by hand so
 * that a failed sync is seen.
 */
void gan_db_checkpoint(struct gan_db *db, bool truncate);

/* Undo whatever is open; never fails in a way that matters. */
void gan_db_rollback(struct gan_db *db);

static inline const char *
gan_col_text(sqlite3_stmt *st, int col)
{
	return (const char *)sqlite3_column_text(st, col);
}
