/* SPDX-License-Identifier: MIT */
/*
 * tables.h - lookup tables: CSV files (RFC 4180) as JSON objects.
 *
 * A header line is required; the first column is the key.  With two columns
 * the value is the second as a text, with more it is the whole row as an
 * object by column name.  A byte order mark is dropped; ';' separates when the
 * header has more of them than commas.  Refused, with the line: duplicate
 * keys, empty keys, rows of another width, bytes that are not UTF-8, stray
 * quotes.  Lines without any character are skipped.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define GAN_TABLE_COLUMNS 64

/*
 * Append the table as a JSON object to out.  name is the file in messages:
 * "lookups/a.csv:7: duplicate key 'X', first on line 3".  *ret_rows may be
 * NULL.  GAN_EPARSE, GAN_ELIMIT or GAN_ENOMEM.
 */
GAN_MUST_CHECK int gan_table_json(const char *name, const char *text, size_t len,
    struct gan_buf *out, size_t *ret_rows, struct gan_err *err);
