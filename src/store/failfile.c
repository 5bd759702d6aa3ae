/* SPDX-License-Identifier: MIT */
/* failfile.c - the methods of SQLite's open file, with ours in front of two of them. */
#include "store/failfile.h"

#include <stddef.h>

#include "base/failpoint.h"

#ifdef GAN_FAILPOINTS

static const sqlite3_io_methods *real;
static sqlite3_io_methods ours;

static int
on_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	if (GAN_FAILPOINT_FAILS("checkpoint-write"))
		return SQLITE_IOERR_WRITE;
	return real->xWrite(f, data, n, at);
}

static int
on_sync(sqlite3_file *f, int flags)
{
	if (GAN_FAILPOINT_FAILS("checkpoint-sync"))
		return SQLITE_IOERR_FSYNC;
	return real->xSync(f, flags);
}

void
gan_failfile_watch(sqlite3 *h)
{
	sqlite3_file *f = NULL;

	(void)sqlite3_file_control(h, "main", SQLITE_FCNTL_FILE_POINTER, &f);
	if (f == NULL || f->pMethods == NULL) /* a database in memory */
		return;
	real = f->pMethods;
	ours = *real;
	ours.xWrite = on_write;
	ours.xSync = on_sync;
	f->pMethods = &ours;
}

#endif
