/* SPDX-License-Identifier: MIT */
/* table.c - see table.h. */
#include "ctl/table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

struct gan_table {
	struct libscols_table *t;
	struct gan_buf notes; /* one after the other, each ends in NUL: as many as rows */
	size_t rows, noted;
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
	/* Every text goes whole, and lines do not end in blanks: the caller knows the width. */
	(void)scols_table_set_termforce(t->t, SCOLS_TERMFORCE_NEVER);
	(void)scols_table_enable_minout(t->t, 1);
	return t;
}

void
gan_table_free(struct gan_table **tp)
{
	struct gan_table *t = gan_steal(tp);

	if (t == NULL)
		return;
	scols_unref_table(t->t);
	gan_buf_fini(&t->notes);
	free(t);
}

void
gan_table_column(struct gan_table *t, const char *heading, bool right)
{
	if (t != NULL &&
	    scols_table_new_column(t->t, heading, 1, right ? SCOLS_FL_RIGHT : 0) == NULL)
		t->failed = true;
}

void
gan_table_row(struct gan_table *t, const char *const *cells, size_t n, const char *color)
{
	struct libscols_line *line;

	if (t == NULL)
		return;
	t->rows++;
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

void
gan_table_note(struct gan_table *t, const char *text)
{
	if (t == NULL)
		return;
	for (; t->noted + 1 < t->rows; t->noted++)
		gan_buf_putc(&t->notes, '\0');
	gan_buf_put(&t->notes, text, strlen(text) + 1);
	t->noted++;
}

/* The rows with their notes between them: the heading is the first line, no row has two. */
static void
print_noted(const struct gan_table *t, const char *text)
{
	const char *note = t->notes.data;
	bool heading = true;

	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		(void)printf("%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
		if (!heading && note < t->notes.data + t->notes.len) {
			(void)fputs(note, stdout);
			note += strlen(note) + 1;
		}
		heading = false;
	}
}

int
gan_table_print(struct gan_table *t)
{
	char *text GAN_AUTO(gan_str_free) = NULL;

	if (t == NULL || t->failed || t->notes.failed)
		return -1;
	if (t->noted == 0)
		return scols_print_table(t->t);
	if (scols_print_table_to_string(t->t, &text) != 0 || text == NULL)
		return -1;
	print_noted(t, text);
	return 0;
}

size_t
gan_table_width(void)
{
	struct winsize w = { .ws_col = 0 };

	if (isatty(STDOUT_FILENO) != 1)
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}
