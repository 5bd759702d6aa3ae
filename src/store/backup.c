/* SPDX-License-Identifier: MIT */
/*
 * backup.c - a copy of the living database.
 *
 * The pages go over in slices between commits; what is committed meanwhile
 * goes into the copy too, because both are done by the one connection.  Then
 * the copy is made self-contained (no WAL), checked and synced in libuv's
 * thread pool, and gets its name only at the end: a file of that name is a
 * whole and sound backup.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/store_priv.h"

#define SLICE_US 12000
#define PAGES 64

struct backup {
	struct gan_store *s;
	char *path, *part;
	sqlite3 *to;
	sqlite3_backup *run;
	struct gan_err err;
	int verdict;
	bool created; /* the .part file is ours */
	int64_t bytes;
	uv_work_t work;
	gan_json_fn cb;
	void *arg;
};

struct backup_job {
	struct gan_job job;
	struct backup *b; /* NULL once the thread pool has it */
};

static void
backup_close(struct backup *b)
{
	if (b->run != NULL)
		(void)sqlite3_backup_finish(b->run);
	b->run = NULL;
	(void)sqlite3_close(b->to);
	b->to = NULL;
}

static int
backup_fail(struct backup *b, int code, const char *why)
{
	b->verdict = gan_err_set(&b->err, code, "backup to %s: %s", b->path, why);
	return GAN_OK;
}

static const char *
open_trouble(int code)
{
	switch (code) {
	case EEXIST:
		return "an unfinished backup is there: remove its .part file";
	case ENOENT:
		return "there is no such folder: create it for the user that runs gantryd, which "
		       "writes the file";
	case EACCES:
	case EROFS: /* what the unit has not opened */
		return "gantryd may not write into this folder: name one that belongs to the user "
		       "that runs it, such as /var/lib/gantry/backup";
	default:
		return strerror(code);
	}
}

static int
backup_open(struct gan_store *s, struct backup *b)
{
	int fd;

	if (access(b->path, F_OK) == 0)
		return backup_fail(b, GAN_EINVAL, "there is a file of that name already");
	/* Nobody else reads what is in it. */
	fd = open(b->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return backup_fail(b, errno == ENOENT ? GAN_ENOENT : GAN_EIO, open_trouble(errno));
	(void)close(fd);
	b->created = true;
	if (sqlite3_open_v2(b->part, &b->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK ||
	    sqlite3_exec(b->to, "PRAGMA synchronous=OFF; PRAGMA cache_size=-1024", NULL, NULL,
		NULL) != SQLITE_OK)
		return backup_fail(b, GAN_EIO, b->to == NULL ? "no memory" : sqlite3_errmsg(b->to));
	b->run = sqlite3_backup_init(b->to, "main", s->db->h, "main");
	return b->run == NULL ? backup_fail(b, GAN_EIO, sqlite3_errmsg(b->to)) : GAN_OK;
}

static int
copy_slice(struct backup *b)
{
	int64_t end = gan_mono_us() + SLICE_US;
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && gan_mono_us() < end)
		rc = sqlite3_backup_step(b->run, PAGES);
	if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return 1;
	if (rc != SQLITE_DONE)
		return backup_fail(b, gan_db_code(rc), sqlite3_errstr(rc));
	return GAN_OK;
}

/* ---- in the thread pool -------------------------------------------------------------- */

static int
sound(void *arg, int n, char **cols, char **names)
{
	struct backup *b = arg;

	(void)names;
	if (n > 0 && cols[0] != NULL && strcmp(cols[0], "ok") != 0 && b->verdict == GAN_OK)
		(void)backup_fail(b, GAN_ESTORE, cols[0]);
	return 0;
}

static int
sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	(void)close(fd);
	return rc;
}

static void
name_it(struct backup *b)
{
	char *dir GAN_AUTO(gan_str_free) = gan_path_dir(b->path);
	struct stat sb;

	/* link() and not rename(): it never replaces a file. */
	if (sync_path(b->part, O_RDONLY) != 0 || link(b->part, b->path) != 0) {
		(void)backup_fail(b, GAN_EIO, strerror(errno));
		return;
	}
	(void)unlink(b->part);
	b->created = false;
	if (dir == NULL || sync_path(dir, O_RDONLY | O_DIRECTORY) != 0)
		(void)backup_fail(b, GAN_EIO, "the folder cannot be synced");
	b->bytes = stat(b->path, &sb) == 0 ? (int64_t)sb.st_size : 0;
}

static void
check_work(uv_work_t *work)
{
	struct backup *b = work->data;
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(b->part, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK ||
	    sqlite3_exec(db,
		"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE; PRAGMA cache_size=-2048",
		NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA integrity_check(1)", sound, b, NULL) != SQLITE_OK)
		(void)backup_fail(b, GAN_ESTORE, db == NULL ? "no memory" : sqlite3_errmsg(db));
	(void)sqlite3_close(db);
	if (b->verdict == GAN_OK)
		name_it(b);
}

static void
backup_free(struct backup **bp)
{
	struct backup *b = gan_steal(bp);

	if (b == NULL)
		return;
	backup_close(b);
	/* Ours, and no use to anybody when it did not become a backup. */
	if (b->created)
		(void)unlink(b->part);
	free(b->path);
	free(b->part);
	free(b);
}

/* ---- the end, on the loop ---------------------------------------------------------------- */

static void
backup_tell(struct backup *b, int rc)
{
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { .max = 64 << 10 };

	if (rc != GAN_OK) {
		const char *why = b->verdict == GAN_OK ? gan_strerror(rc) : b->err.msg;

		b->cb(b->arg, rc, why, strlen(why));
		return;
	}
	gan_buf_putc(&text, '{');
	gan_json_str(&text, "path", b->path);
	gan_buf_printf(&text, ",\"bytes\":%lld,\"checked\":true}", (long long)b->bytes);
	b->cb(b->arg, GAN_OK, text.data, text.len);
}

static void
check_end(uv_work_t *work, int status)
{
	struct backup *b = work->data;
	struct gan_store *s = b->s;

	backup_tell(b, status == 0 ? b->verdict : GAN_EGONE);
	backup_free(&b);
	s->works--;
	/* A close may wait for this. */
	(void)uv_async_send(&s->async);
}

static int
backup_run(struct gan_store *s, struct gan_job *job)
{
	struct backup *b = ((struct backup_job *)job)->b;
	int rc = b->run == NULL ? backup_open(s, b) : GAN_OK;

	if (b->run != NULL)
		rc = copy_slice(b);
	if (rc > 0)
		return 1;
	backup_close(b);
	return GAN_OK;
}

static void
backup_done(struct gan_job *job)
{
	struct backup_job *j = (struct backup_job *)job;
	struct backup *b = j->b;
	int rc = job->rc != GAN_OK ? job->rc : b->verdict;

	if (rc == GAN_OK) {
		b->work.data = b;
		rc = uv_queue_work(b->s->loop, &b->work, check_work, check_end) == 0 ? GAN_OK
										     : GAN_EIO;
	}
	if (rc != GAN_OK) {
		backup_tell(b, rc);
		return;
	}
	j->b = NULL;
	b->s->works++;
}

static void
backup_fini(struct gan_job *job)
{
	backup_free(&((struct backup_job *)job)->b);
}

static void
backup_cancel(struct gan_job *job)
{
	backup_close(((struct backup_job *)job)->b);
}

static const struct gan_job_ops backup_ops = { GAN_JOB_QUERY, backup_run, backup_done, backup_fini,
	backup_cancel };

int
gan_store_backup(struct gan_store *s, const char *path, gan_json_fn cb, void *arg)
{
	struct backup_job *j = gan_store_job_new(sizeof(*j), &backup_ops);
	struct gan_job *job;
	int rc = GAN_ENOMEM;

	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	j->b = calloc(1, sizeof(*j->b));
	if (j->b != NULL) {
		j->b->s = s;
		j->b->path = strdup(path);
		j->b->part = gan_asprintf("%s.part", path);
		j->b->cb = cb;
		j->b->arg = arg;
		if (j->b->path != NULL && j->b->part != NULL)
			rc = gan_store_job_post(s, job);
	}
	if (rc < 0)
		gan_store_job_free(&job);
	return rc;
}
