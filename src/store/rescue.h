/* SPDX-License-Identifier: MIT */
/*
 * rescue.h - what the store does with the emergency spool (spool.h): in when
 * the database takes nothing, back as soon as it does.
 *
 * The promise: a webhook is refused only when the database and the spool both
 * fail.  Its parts:
 *
 * - Full (SQLite says so, or less than min_free is left): a webhook that was
 *   refused is put into the spool, and answered 200 after its sync.  The ERP
 *   repeats by itself and gets its 503.
 * - An I/O error or damage: the database is not touched any more and the
 *   process is about to end.  Webhooks that waited for the failed COMMIT, and
 *   those that still arrive until the end, go to the spool.  Whether that COMMIT
 *   is on the disk nobody knows until the next start: the record keeps the id
 *   that the event had in it, and an event that is there is not stored again.
 * - A start with a database that is damaged, foreign, locked or of a newer version stays a
 *   failed start.  A gateway that took webhooks without one could not tell duplicates, and
 *   would hide from its operator that it does nothing; the spool stays untouched beside it and
 *   is imported into the database that is restored.  There is never a new database by itself.
 * - A start with a full disk is none of those: what it has to write waits for room, see
 *   gan_recover(), and webhooks go to the spool from the first one on.  Until then nothing is
 *   claimed, and what was being sent when the process before ended is shown as `sending`.  A
 *   database of an older version needs room to be brought to this one.
 * - Order: while records wait, no event is stored past them.  Newer webhooks
 *   go to the spool while the database takes nothing; while it is imported all new events
 *   wait behind it, which takes a moment.
 * - Once: number of file and record are noted in the COMMIT that holds the
 *   events, so a crash between that and the end of the file's use changes
 *   nothing.  Duplicates are recognised when they are imported.
 * - Only when the spool itself cannot be read any more are events stored past
 *   what is left in it, and the operator is told.
 *
 * Store thread only.  Private to store/.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct gan_store;

/* After the database was opened and its counters were loaded. */
GAN_MUST_CHECK int gan_rescue_open(struct gan_store *s, const char *db_path, struct gan_err *err);
void gan_rescue_free(struct gan_store *s);

/* Records wait: nothing may be stored before them. */
bool gan_rescue_waits(const struct gan_store *s);

/* And the database may take them now. */
bool gan_rescue_due(const struct gan_store *s);

/* Inside a transaction: store the oldest ones; after its COMMIT, or its failure. */
GAN_MUST_CHECK int gan_rescue_import(struct gan_store *s);
void gan_rescue_imported(struct gan_store *s);
void gan_rescue_failed(struct gan_store *s, int rc);

/* Before results are handed out: webhooks that the database did not take go to the spool. */
void gan_rescue_ran(struct gan_store *s);

/* Now and then: a spool that could not be made at open is tried again. */
void gan_rescue_check(struct gan_store *s);
