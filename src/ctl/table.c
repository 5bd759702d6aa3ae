/* SPDX-License-Identifier: MIT */
/* table.c - see table.h. */
#include "ctl/table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

struct gan_table {
	struct libscols_table *t;
	bool failed;
};

struct gan_table *
gan_table_new(bool color)
{
	struct gan_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	scols_init_debug(0);
	t->t = scols_new_table();
	if (t->t == NULL) {
		free(t);
		return NULL;
	}
	(void)scols_table_enable_colors(t->t, color);
	if (isatty(STDOUT_FILENO) != 1) {
		/* Into a file or a pipe every text goes whole, and lines do not end in blanks. */
		(void)scols_table_set_termforce(t->t, SCOLS_TERMFORCE_NEVER);
		(void)scols_table_enable_minout(t->t, 1);
	}
	return t;
}

void
gan_table_free(struct gan_table **tp)
{
	struct gan_table *t = gan_steal(tp);

	if (t == NULL)
		return;
	scols_unref_table(t->t);
	free(t);
}

void
gan_table_column(struct gan_table *t, const char *heading, bool right, bool flexible)
{
	int flags = (right ? SCOLS_FL_RIGHT : 0) |
		    (flexible && isatty(STDOUT_FILENO) == 1 ? SCOLS_FL_TRUNC : 0);

	if (t != NULL && scols_table_new_column(t->t, heading, flexible ? 0.5 : 1, flags) == NULL)
		t->failed = true;
}

void
gan_table_row(struct gan_table *t, const char *const *cells, size_t n, const char *color)
{
	struct libscols_line *line;

	if (t == NULL)
		return;
	line = scols_table_new_line(t->t, NULL);
	if (line == NULL) {
		t->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (scols_line_set_data(line, i, cells[i] != NULL ? cells[i] : "-") < 0)
			t->failed = true;
	}
	if (color != NULL)
		(void)scols_line_set_color(line, color);
}

int
gan_table_print(struct gan_table *t)
{
	if (t == NULL || t->failed)
		return -1;
	return scols_print_table(t->t);
}
