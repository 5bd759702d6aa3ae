/* SPDX-License-Identifier: MIT */
/* table.h - a table on the terminal; the only door to libsmartcols. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct gan_table;

/* NULL without memory; everything below is then a no-op, and printing says so. */
struct gan_table *gan_table_new(bool color);
void gan_table_free(struct gan_table **tp);

/* right: numbers.  flexible: takes what is left of a line and is cut when it is too long. */
void gan_table_column(struct gan_table *t, const char *heading, bool right, bool flexible);

/* One text per column, copied; NULL is "-".  color: "red", "yellow", … or NULL. */
void gan_table_row(struct gan_table *t, const char *const *cells, size_t n, const char *color);

/* On stdout; as wide as the terminal, not cut at all when it is none. */
int gan_table_print(struct gan_table *t);
