/* SPDX-License-Identifier: MIT */
/* output.c - an answer as JSON, as JSON lines, or as a table. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

#define COLUMNS_MAX 16

/* A raw C1 control in a text is JSON, but a terminal obeys it: escaped, the text is the same. */
static void
put_escaped(struct gan_buf *out, struct gan_span s)
{
	for (size_t i = 0, from = 0; i <= s.n;) {
		size_t step = i < s.n ? gan_utf8_next(s.p + i, s.n - i) : 0;
		unsigned code = step > 0 ? gan_steering(s.p + i, step) : 0;

		if (i == s.n || code > 0x20) {
			gan_buf_put(out, s.p + from, i - from);
			from = i + step;
		}
		if (code > 0x20)
			gan_buf_printf(out, "\\u%04x", code - 1);
		i += step > 0 ? step : 1;
	}
}

void
gan_ctl_put_json(enum gan_ctl_output how, struct gan_span s, struct gan_buf *out)
{
	struct gan_span_iter it = { 0 };
	struct gan_span item;

	if (how == GAN_CTL_JSONL && gan_span_kind(s) == '[') {
		while (gan_span_next(s, &it, NULL, &item)) {
			put_escaped(out, item);
			gan_buf_putc(out, '\n');
		}
		return;
	}
	put_escaped(out, s);
	gan_buf_putc(out, '\n');
}

static const char *
state_color(const char *s)
{
	static const struct {
		const char *state, *color;
	} colors[] = {
		{ "dead", "red" },
		{ "unknown", "red" },
		{ "expired", "red" },
		{ "rejected", "red" },
		{ "conflict", "red" },
		{ "config", "red" },
		{ "problem", "red" },
		{ "connector-paused", "yellow" },
		{ "waiting", "yellow" },
		{ "warning", "yellow" },
		{ "sending", "cyan" },
		{ "delivered", "green" },
	};

	for (size_t i = 0; s != NULL && i < GAN_COUNT(colors); i++) {
		if (strcmp(colors[i].state, s) == 0)
			return colors[i].color;
	}
	return NULL;
}

/* "2026-11-21T19:02:11.123Z" -> "2026-11-21 19:02:11" */
static void
put_time(const char *s, struct gan_buf *out)
{
	size_t n = strlen(s);

	if (n < 20 || s[10] != 'T') {
		gan_ctl_put_safe(out, s, n, false);
		return;
	}
	gan_buf_printf(out, "%.10s %.8s", s, s + 11);
}

/* A cell's text, NULL when there is nothing to show. */
static char *
cell(struct gan_span row, const struct gan_ctl_column *col)
{
	struct gan_span v = gan_span_path(row, col->path), item;
	struct gan_span_iter it = { 0 };
	char *text GAN_AUTO(gan_str_free) = NULL;
	struct gan_buf b = { 0 };

	if (gan_span_kind(v) == '[') { /* texts of a list, side by side */
		while (gan_span_next(v, &it, NULL, &item)) {
			char *one GAN_AUTO(gan_str_free) = gan_span_dup(item);

			if (one != NULL && b.len > 0)
				gan_buf_putc(&b, ' ');
			if (one != NULL)
				gan_ctl_put_safe(&b, one, strlen(one), false);
		}
		return gan_buf_steal(&b, NULL);
	}
	text = gan_span_dup(v);
	if (text == NULL || *text == '\0')
		return NULL;
	if (col->kind == GAN_COL_TIME)
		put_time(text, &b);
	else
		gan_ctl_put_safe(&b, text, strlen(text), false);
	return gan_buf_steal(&b, NULL);
}

/* A listing: its cells, and how it is laid out on the terminal. */
struct listing {
	const struct gan_ctl_column *columns;
	size_t ncolumns, nrows;
	char **cells;   /* row after row; NULL is "-" */
	size_t width;   /* of the terminal; 0: none */
	size_t in_rows; /* so many columns stand in the rows, the others in notes below them */
};

static void
listing_fini(struct listing *l)
{
	for (size_t i = 0; l->cells != NULL && i < l->nrows * l->ncolumns; i++)
		free(l->cells[i]);
	free(l->cells);
}

static const char *
text_of(const struct listing *l, size_t row, size_t col)
{
	const char *text = l->cells[row * l->ncolumns + col];

	return text != NULL ? text : "-";
}

/* Bytes that begin a character: near enough to columns. */
static size_t
width_of(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* All columns in the rows when all fit; else the first ones, without the long texts. */
static void
lay_out(struct listing *l)
{
	size_t total = 0, fit = 0;
	bool whole = true;

	for (size_t c = 0; c < l->ncolumns; c++) {
		size_t most = width_of(l->columns[c].heading);

		for (size_t r = 0; r < l->nrows; r++) {
			size_t n = width_of(text_of(l, r, c));

			most = n > most ? n : most;
		}
		total += most + (c > 0);
		whole =
		    whole && (total <= l->width || c == 0) && l->columns[c].kind != GAN_COL_LONG;
		fit += whole;
	}
	l->in_rows = l->width == 0 || total <= l->width ? l->ncolumns : fit;
}

/* Words of text behind an indentation, on lines of the terminal's width. */
static void
put_wrapped(struct gan_buf *out, const char *label, const char *text, size_t width)
{
	size_t at = 0, n;

	gan_buf_printf(out, "    %s", label);
	at = 4 + width_of(label);
	for (; *text != '\0'; text += n) {
		size_t columns;

		n = strcspn(text + 1, " ") + 1;
		columns = width_of(text) - width_of(text + n);
		if (at + columns > width && at > 6 && *text == ' ') {
			gan_buf_puts(out, "\n     ");
			at = 5;
		}
		gan_buf_put(out, text, n);
		at += columns;
	}
	gan_buf_putc(out, '\n');
}

/* Short ones share a line, a long text has its own. */
static void
put_note(const struct listing *l, size_t row, struct gan_buf *out)
{
	struct gan_buf shorts GAN_AUTO(gan_buf_fini) = { 0 };
	char label[64];

	for (size_t c = l->in_rows; c < l->ncolumns; c++) {
		const char *text = l->cells[row * l->ncolumns + c];

		if (text != NULL && l->columns[c].kind != GAN_COL_LONG)
			gan_buf_printf(&shorts, "%s%s: %s", shorts.len > 0 ? ", " : "",
			    l->columns[c].heading, text);
	}
	if (shorts.len > 0)
		put_wrapped(out, "", shorts.data, l->width);
	for (size_t c = l->in_rows; c < l->ncolumns; c++) {
		const char *text = l->cells[row * l->ncolumns + c];

		if (text == NULL || l->columns[c].kind != GAN_COL_LONG)
			continue;
		(void)snprintf(label, sizeof(label), "%s: ", l->columns[c].heading);
		put_wrapped(out, label, text, l->width);
	}
}

static int
listing_fill(struct listing *l, struct gan_span array)
{
	struct gan_span_iter it = { 0 };
	struct gan_span row;

	while (l->ncolumns < COLUMNS_MAX && l->columns[l->ncolumns].heading != NULL)
		l->ncolumns++;
	l->cells = calloc(gan_span_count(array) * l->ncolumns, sizeof(*l->cells));
	if (l->cells == NULL)
		return -1;
	while (gan_span_next(array, &it, NULL, &row)) {
		for (size_t c = 0; c < l->ncolumns; c++)
			l->cells[l->nrows * l->ncolumns + c] = cell(row, &l->columns[c]);
		l->nrows++;
	}
	return 0;
}

static void
add_row(const struct listing *l, struct gan_table *t, size_t row)
{
	struct gan_buf note GAN_AUTO(gan_buf_fini) = { 0 };
	const char *const *cells = (const char *const *)&l->cells[row * l->ncolumns];
	const char *color = NULL;

	for (size_t c = 0; c < l->ncolumns; c++) {
		if (l->columns[c].kind == GAN_COL_STATE)
			color = state_color(cells[c]);
	}
	gan_table_row(t, cells, l->in_rows, color);
	put_note(l, row, &note);
	if (note.len > 0)
		gan_table_note(t, note.data);
}

void
gan_ctl_print_list(
    const struct gan_ctl *ctl, struct gan_span array, const struct gan_ctl_column *columns)
{
	struct listing l GAN_AUTO(
	    listing_fini) = { .columns = columns, .width = gan_table_width() };
	struct gan_table *t GAN_AUTO(gan_table_free) = NULL;

	if (gan_span_count(array) == 0) {
		(void)puts("nothing");
		return;
	}
	t = gan_table_new(ctl->color);
	if (t == NULL || listing_fill(&l, array) < 0) {
		(void)fputs("gantryctl: out of memory\n", stderr);
		return;
	}
	lay_out(&l);
	for (size_t c = 0; c < l.in_rows; c++)
		gan_table_column(t, columns[c].heading, columns[c].kind == GAN_COL_RIGHT);
	for (size_t r = 0; r < l.nrows; r++)
		add_row(&l, t, r);
	if (gan_table_print(t) < 0)
		(void)fputs("gantryctl: the table could not be printed\n", stderr);
}

/* What no view of its own has: members one a line, deeper ones indented. */
void
gan_ctl_put_object(struct gan_span object, unsigned indent, struct gan_buf *out)
{
	struct gan_span_iter it = { 0 };
	struct gan_span name, value;
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	while (gan_span_next(object, &it, &name, &value)) {
		char kind = gan_span_kind(value);

		gan_buf_clear(&b);
		gan_buf_printf(out, "%*s", (int)indent, "");
		if (name.n > 0) {
			gan_span_text(name, &b);
			gan_buf_printf(&b, ":");
		} else {
			gan_buf_puts(&b, "-");
		}
		gan_ctl_put_safe(out, b.data != NULL ? b.data : "", b.len, false);
		if ((kind == '{' || kind == '[') && gan_span_count(value) > 0) {
			gan_buf_putc(out, '\n');
			gan_ctl_put_object(value, indent + 2, out);
			continue;
		}
		gan_buf_clear(&b);
		if (kind == '{' || kind == '[' || kind == 'n')
			gan_buf_puts(&b, "-");
		else
			gan_span_text(value, &b);
		gan_buf_putc(out, ' ');
		gan_ctl_put_safe(out, b.data != NULL ? b.data : "", b.len, false);
		gan_buf_putc(out, '\n');
	}
}

void
gan_ctl_show(struct gan_ctl *ctl, const struct gan_ctl_reply *r)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	if (r->result.n == 0) {
		if (r->text != NULL && r->exit == GAN_CTL_OK)
			(void)printf("%s\n", r->text);
		else if (r->text != NULL)
			(void)gan_ctl_fail_text(r->exit, r->text);
		return;
	}
	if (ctl->output != GAN_CTL_TABLE) {
		gan_ctl_put_json(ctl->output, r->result, &out);
	} else if (ctl->cmd->columns != NULL && gan_span_kind(r->result) == '[') {
		gan_ctl_print_list(ctl, r->result, ctl->cmd->columns);
		return;
	} else if (r->text != NULL) {
		gan_ctl_put_safe(&out, r->text, strlen(r->text), true);
	} else {
		gan_ctl_put_object(r->result, 0, &out);
	}
	if (out.len > 0)
		(void)fwrite(out.data, 1, out.len, stdout);
	if (out.len > 0 && out.data[out.len - 1] != '\n')
		(void)putchar('\n');
}
