/* SPDX-License-Identifier: MIT */
/* db.c - see db.h. */
#include "store/db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/failfile.h"

#define QUICK_CHECK_MAX (INT64_C(32) << 20) /* bytes; more would delay the start */
#define BUSY_MS 2000                        /* a dying instance may still hold the lock */

static const char *const sql_text[GAN_SQL_COUNT] = {
#define X(name, text) [GAN_SQL_##name] = (text),
	GAN_SQL_MAP(X)
#undef X
};

int
gan_db_code(int sqlite_rc)
{
	switch (sqlite_rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return GAN_OK;
	case SQLITE_NOMEM:
		return GAN_ENOMEM;
	case SQLITE_FULL:
		return GAN_EFULL;
	case SQLITE_TOOBIG:
		return GAN_ELIMIT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return GAN_EBUSY;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
		return GAN_EINVAL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return GAN_ESTORE;
	default:
		return GAN_EIO;
	}
}

/* What the system said last of the file or its log: SQLite's own copy may be gone by now. */
static int
last_errno(struct gan_db *db)
{
	static const int files[] = { SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER };
	int no = sqlite3_system_errno(db->h);

	for (size_t i = 0; no == 0 && i < GAN_COUNT(files); i++) {
		sqlite3_file *f = NULL;

		(void)sqlite3_file_control(db->h, "main", files[i], &f);
		if (f != NULL && f->pMethods != NULL)
			(void)f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &no);
	}
	return no;
}

int
gan_db_fail(struct gan_db *db, const char *what)
{
	int ext = sqlite3_extended_errcode(db->h), code = gan_db_code(ext);
	int no = last_errno(db);
	char head[64];

	if (code == GAN_OK)
		code = GAN_EIO;
	/* SQLite knows a full disk, and takes a used-up quota for a broken one. */
	if (code == GAN_EIO && no == EDQUOT)
		code = GAN_EFULL;
	if (code == GAN_ESTORE || code == GAN_EIO)
		db->broken = true;
	(void)snprintf(head, sizeof(head), "%.60s", what);
	return gan_err_set(&db->why, code, "%s: %s (SQLite code %d, errno %d)", head,
	    sqlite3_errmsg(db->h), ext, no);
}

static int
bind_one(sqlite3_stmt *st, int at, const struct gan_val *v)
{
	switch (v->kind) {
	case GAN_VAL_INT:
		return sqlite3_bind_int64(st, at, v->i);
	case GAN_VAL_TEXT:
		return v->p == NULL ? sqlite3_bind_null(st, at)
				    : sqlite3_bind_text(st, at, v->p, -1, SQLITE_STATIC);
	case GAN_VAL_BLOB:
		return sqlite3_bind_blob64(st, at, v->p == NULL ? "" : v->p, v->n, SQLITE_STATIC);
	case GAN_VAL_NULL:
		break;
	}
	return sqlite3_bind_null(st, at);
}

sqlite3_stmt *
gan_db_bind(struct gan_db *db, enum gan_sql sql, const struct gan_val *vals, size_t nvals)
{
	sqlite3_stmt *st = db->st[sql];

	gan_must(sqlite3_bind_parameter_count(st) == (int)nvals && !sqlite3_stmt_busy(st));
	for (size_t i = 0; i < nvals; i++) {
		if (bind_one(st, (int)i + 1, &vals[i]) != SQLITE_OK) {
			(void)gan_db_fail(db, "bind");
			gan_db_rewind(&st);
			return NULL;
		}
	}
	return st;
}

void
gan_db_rewind(sqlite3_stmt **stp)
{
	if (*stp == NULL)
		return;
	(void)sqlite3_reset(*stp);
	(void)sqlite3_clear_bindings(*stp);
	*stp = NULL;
}

int
gan_db_step(struct gan_db *db, sqlite3_stmt *st)
{
	int rc;

	if (st == NULL)
		return db->why.code;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : gan_db_fail(db, sqlite3_sql(st));
}

int
gan_db_run_vals(struct gan_db *db, enum gan_sql sql, const struct gan_val *vals, size_t nvals)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_db_bind(db, sql, vals, nvals);
	int rc = gan_db_step(db, st);

	return rc < 0 ? rc : GAN_OK;
}

int
gan_db_int(struct gan_db *db, sqlite3_stmt *st, int64_t *ret)
{
	int rc = gan_db_step(db, st);

	if (rc > 0)
		*ret = sqlite3_column_int64(st, 0);
	gan_db_rewind(&st);
	return rc > 0 ? GAN_OK : rc == 0 ? GAN_ENOENT : rc;
}

int
gan_db_exec(struct gan_db *db, const char *text)
{
	return sqlite3_exec(db->h, text, NULL, NULL, NULL) == SQLITE_OK ? GAN_OK
									: gan_db_fail(db, text);
}

int
gan_db_pragma(struct gan_db *db, const char *text, int64_t *ret)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (sqlite3_prepare_v2(db->h, text, -1, &st, NULL) != SQLITE_OK)
		return gan_db_fail(db, text);
	rc = gan_db_step(db, st);
	if (rc > 0 && ret != NULL)
		*ret = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return rc < 0 ? rc : GAN_OK;
}

void
gan_db_rollback(struct gan_db *db)
{
	/* Some failures have rolled back already. */
	if (sqlite3_get_autocommit(db->h) == 0)
		(void)sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
}

static int
on_wal(void *arg, sqlite3 *h, const char *name, int frames)
{
	struct gan_db *db = arg;

	(void)h;
	(void)name;
	db->wal_frames = frames;
	db->wal_uncut = true;
	/*
	 * The first COMMIT made the log, and its name in the folder must survive as well.  SQLite
	 * syncs the folder, but does not look whether that worked.
	 */
	if (!db->folder_synced && gan_folder_sync(db->path, NULL) < 0)
		return SQLITE_IOERR_DIR_FSYNC; /* of the COMMIT, as its caller sees it */
	db->folder_synced = true;
	return SQLITE_OK;
}

void
gan_db_checkpoint(struct gan_db *db, bool truncate)
{
	int rc = sqlite3_wal_checkpoint_v2(db->h, NULL,
	    truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	db->wal_frames = 0;
	if (rc != SQLITE_OK)
		(void)gan_db_fail(db, "checkpoint");
	else if (truncate)
		db->wal_uncut = false;
}

/* The first text that a pragma answers, compared with what it must be. */
static int
pragma_is(struct gan_db *db, const char *text, const char *wanted, struct gan_err *err)
{
	sqlite3_stmt *st = NULL;
	char got[128] = "";
	int rc;

	if (sqlite3_prepare_v2(db->h, text, -1, &st, NULL) != SQLITE_OK)
		return gan_db_fail(db, text);
	rc = gan_db_step(db, st);
	if (rc > 0)
		(void)snprintf(got, sizeof(got), "%s", gan_col_text(st, 0));
	(void)sqlite3_finalize(st);
	if (rc < 0)
		return rc;
	if (strcmp(got, wanted) != 0)
		return gan_err_set(err, GAN_ECONFIG,
		    "%s: the database answers \"%s\" to %s, \"%s\" is needed",
		    db->path == NULL ? "memory" : db->path, got, text, wanted);
	return GAN_OK;
}

/* What the operator reads when the connection cannot be used at all. */
static int
explain(struct gan_db *db, struct gan_err *err)
{
	const char *path = db->path == NULL ? "memory" : db->path;
	int ext = sqlite3_extended_errcode(db->h);

	switch (ext & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return gan_err_set(err, GAN_ECONFIG,
		    "%s is locked by another process, most likely another gantryd: stop it first",
		    path);
	case SQLITE_NOTADB:
		return gan_err_set(err, GAN_ECONFIG,
		    "%s is no database: move it away, or correct store.path", path);
	case SQLITE_CORRUPT:
		return gan_err_set(err, GAN_ESTORE,
		    "%s is damaged (%s): stop, keep the file, restore the last backup", path,
		    sqlite3_errmsg(db->h));
	case SQLITE_CANTOPEN:
		return gan_err_set(err, GAN_ECONFIG,
		    "%s cannot be opened (%s): it must be a regular file in a folder that this "
		    "user may write",
		    path, strerror(sqlite3_system_errno(db->h)));
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return gan_err_set(err, GAN_ECONFIG,
		    "%s cannot be written: give the file and its folder to the user that runs "
		    "gantryd",
		    path);
	case SQLITE_FULL:
		return gan_err_set(err, GAN_EFULL, "%s: the disk is full", path);
	case SQLITE_NOMEM:
		return gan_err_set(err, GAN_ENOMEM, "opening %s", path);
	default:
		return gan_err_set(
		    err, GAN_ESTORE, "%s: %s (SQLite code %d)", path, sqlite3_errmsg(db->h), ext);
	}
}

/* Is it ours, or empty?  Looked at before anything is written. */
static int
identify(struct gan_db *db, struct gan_err *err)
{
	int64_t app = 0, version = 0, tables = 0;
	int rc = gan_db_pragma(db, "PRAGMA application_id", &app);

	if (rc == GAN_OK)
		rc = gan_db_pragma(db, "PRAGMA user_version", &version);
	if (rc == GAN_OK)
		rc = gan_db_pragma(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (rc < 0)
		return explain(db, err);
	db->created = app == 0 && version == 0 && tables == 0;
	if (!db->created && app != GAN_DB_APPLICATION)
		return gan_err_set(err, GAN_ECONFIG,
		    "%s is a database of another program: correct store.path", db->path);
	if (version > gan_db_version())
		return gan_err_set(err, GAN_ECONFIG,
		    "%s has format %lld, this gantryd knows up to %d: install the newer version "
		    "again, or restore the backup made before the upgrade",
		    db->path, (long long)version, gan_db_version());
	return GAN_OK;
}

static int
settings(struct gan_db *db, struct gan_err *err)
{
	static const struct {
		int op, value;
	} flags[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
	};
	int rc;

	for (size_t i = 0; i < GAN_COUNT(flags); i++) {
		if (sqlite3_db_config(db->h, flags[i].op, flags[i].value, NULL) != SQLITE_OK)
			return explain(db, err);
	}
	(void)sqlite3_limit(db->h, SQLITE_LIMIT_LENGTH, 32 << 20);
	(void)sqlite3_busy_timeout(db->h, BUSY_MS);
	/*
	 * Before any pragma that reads the file: with it there is no -shm file, which could not be
	 * made on a full disk, and no second opener (the WAL-reset bug needs one).
	 */
	rc = pragma_is(db, "PRAGMA locking_mode=EXCLUSIVE", "exclusive", err);
	if (rc < 0)
		return err->code == GAN_OK ? explain(db, err) : rc;
	if (gan_db_exec(db, "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096;"
			    "PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON") < 0)
		return explain(db, err);
	return GAN_OK;
}

static int
journal(struct gan_db *db, struct gan_err *err)
{
	int64_t sync = 0;
	int rc;

	if (db->created && gan_db_exec(db, "PRAGMA auto_vacuum=INCREMENTAL") < 0)
		return explain(db, err);
	err->code = GAN_OK;
	rc = db->path == NULL ? GAN_OK : pragma_is(db, "PRAGMA journal_mode=WAL", "wal", err);
	if (rc < 0)
		return err->code == GAN_OK ? explain(db, err) : rc;
	if (gan_db_exec(db, "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864;"
			    "PRAGMA secure_delete=FAST") < 0 ||
	    gan_db_pragma(db, "PRAGMA synchronous", &sync) < 0)
		return explain(db, err);
	(void)sqlite3_wal_hook(db->h, on_wal, db);
	if (sync != 2)
		return gan_err_set(err, GAN_ECONFIG, "%s: synchronous is %lld, 2 (FULL) is needed",
		    db->path, (long long)sync);
	return GAN_OK;
}

static int
healthy(struct gan_db *db, struct gan_err *err)
{
	int64_t pages = 0, size = 0;

	if (gan_db_pragma(db, "PRAGMA page_count", &pages) < 0 ||
	    gan_db_pragma(db, "PRAGMA page_size", &size) < 0)
		return explain(db, err);
	if (db->created || pages * size > QUICK_CHECK_MAX)
		return GAN_OK;
	err->code = GAN_OK;
	if (pragma_is(db, "PRAGMA quick_check(1)", "ok", err) == GAN_OK)
		return GAN_OK;
	if (err->code == GAN_OK)
		return explain(db, err);
	return gan_err_set(err, GAN_ESTORE,
	    "%s is damaged (its quick check fails): keep the file, restore the last backup",
	    db->path);
}

/* The real folder with the name behind it: only the file itself must be no link. */
static char *
real_path(const char *path, struct gan_err *err)
{
	char *dir GAN_AUTO(gan_str_free) = gan_path_dir(path);
	char *real GAN_AUTO(gan_str_free) = NULL;
	const char *slash = strrchr(path, '/');
	char *full;

	if (dir != NULL)
		real = realpath(dir, NULL);
	if (real == NULL) {
		(void)gan_err_errno(err, GAN_ECONFIG,
		    "the folder of %s cannot be used (create it for the user that runs gantryd)",
		    path);
		return NULL;
	}
	full = gan_asprintf("%s/%s", real, slash == NULL ? path : slash + 1);
	if (full == NULL)
		(void)gan_err_set(err, GAN_ENOMEM, "store path");
	return full;
}

static int
prepare(struct gan_db *db, struct gan_err *err)
{
	for (size_t i = 0; i < GAN_SQL_COUNT; i++) {
		if (sqlite3_prepare_v3(db->h, sql_text[i], -1, SQLITE_PREPARE_PERSISTENT,
			&db->st[i], NULL) != SQLITE_OK)
			return gan_err_set(err, GAN_ESTORE, "%s: statement %zu: %s (%s)",
			    db->path == NULL ? "memory" : db->path, i, sqlite3_errmsg(db->h),
			    sql_text[i]);
	}
	return GAN_OK;
}

static int
connect_to(struct gan_db *db, const char *path, struct gan_err *err)
{
	mode_t mask;
	int rc;

	mask = umask(077);
	rc = sqlite3_open_v2(db->path == NULL ? ":memory:" : db->path, &db->h,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW,
	    NULL);
	if (db->h == NULL)
		rc = gan_err_set(err, GAN_ENOMEM, "opening %s", path);
	else
		rc = rc != SQLITE_OK ? explain(db, err) : settings(db, err);
	if (rc == GAN_OK)
		rc = identify(db, err);
	if (rc == GAN_OK)
		rc = journal(db, err);
	if (rc == GAN_OK)
		rc = healthy(db, err);
	if (rc == GAN_OK)
		rc = gan_db_migrate(db, err);
	gan_failfile_watch(db->h);
	(void)umask(mask);
	return rc < 0 ? rc : prepare(db, err);
}

int
gan_db_open(const char *path, struct gan_db **ret_db, struct gan_err *err)
{
	struct gan_db *db GAN_AUTO(gan_db_free) = calloc(1, sizeof(*db));
	struct gan_err own = { .code = GAN_OK };
	int rc;

	if (err == NULL)
		err = &own;
	err->code = GAN_OK;
	if (db == NULL)
		return gan_err_set(err, GAN_ENOMEM, "opening %s", path);
	if (strcmp(path, ":memory:") != 0) {
		/* A body, its copy and a query at the same time are far below this. */
		(void)sqlite3_hard_heap_limit64(INT64_C(64) << 20);
		db->path = real_path(path, err);
		if (db->path == NULL)
			return err->code;
	}
	rc = connect_to(db, path, err);
	if (rc < 0) {
		/*
		 * Close it as it is.  A checkpoint would write to a file that is damaged, or not
		 * ours, and then remove a log that may hold all that is left.
		 */
		if (db->h != NULL)
			(void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		db->broken = false;
		return rc;
	}
	db->broken = false;
	*ret_db = gan_steal(&db);
	return GAN_OK;
}

void
gan_db_free(struct gan_db **dbp)
{
	struct gan_db *db = gan_steal(dbp);

	if (db == NULL)
		return;
	if (!db->broken) {
		for (size_t i = 0; i < GAN_SQL_COUNT; i++)
			(void)sqlite3_finalize(db->st[i]);
		(void)sqlite3_close_v2(db->h);
	}
	free(db->path);
	free(db);
}
