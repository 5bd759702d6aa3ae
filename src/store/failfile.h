/* SPDX-License-Identifier: MIT */
/*
 * failfile.h - failpoints inside SQLite, where the database file is written.
 *
 * With a write-ahead log nothing but a checkpoint writes to the database file
 * itself: `checkpoint-write` is reached before each page, `checkpoint-sync`
 * before the sync after the last.  Nothing in a build without failpoints.
 */
#pragma once

#include <sqlite3.h>

#ifdef GAN_FAILPOINTS
/* For one connection in a process; the file is open already. */
void gan_failfile_watch(sqlite3 *h);
#else
#define gan_failfile_watch(h) ((void)0)
#endif
