/* SPDX-License-Identifier: MIT */
/* table.h - a table on the terminal; the only door to libsmartcols. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct gan_table;

/* NULL without memory; everything below is then a no-op, and printing says so. */
struct gan_table *gan_table_new(bool color);
void gan_table_free(struct gan_table **tp);

/* right: numbers. */
void gan_table_column(struct gan_table *t, const char *heading, bool right);

/* One text per column, copied; NULL is "-".  color: "red", "yellow", … or NULL. */
void gan_table_row(struct gan_table *t, const char *const *cells, size_t n, const char *color);

/* Lines that stand below the last row, copied; each with its line break. */
void gan_table_note(struct gan_table *t, const char *text);

/* On stdout; nothing is cut. */
int gan_table_print(struct gan_table *t);

/* Columns of the terminal on stdout; 0 when it is none. */
size_t gan_table_width(void);
