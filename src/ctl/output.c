/* SPDX-License-Identifier: MIT */
/* output.c - an answer as JSON, as JSON lines, or as a table. */
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/table.h"

#define COLUMNS_MAX 16

void
gan_ctl_put_json(enum gan_ctl_output how, struct gan_span s, struct gan_buf *out)
{
	struct gan_span_iter it = { 0 };
	struct gan_span item;

	if (how == GAN_CTL_JSONL && gan_span_kind(s) == '[') {
		while (gan_span_next(s, &it, NULL, &item)) {
			gan_buf_put(out, item.p, item.n);
			gan_buf_putc(out, '\n');
		}
		return;
	}
	gan_buf_put(out, s.p, s.n);
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

			if (one != NULL)
				gan_buf_printf(&b, "%s%s", b.len > 0 ? " " : "", one);
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

static void
add_row(struct gan_table *t, struct gan_span row, const struct gan_ctl_column *columns)
{
	char *cells[COLUMNS_MAX] = { NULL };
	const char *color = NULL;
	size_t n;

	for (n = 0; n < COLUMNS_MAX && columns[n].heading != NULL; n++) {
		cells[n] = cell(row, &columns[n]);
		if (columns[n].kind == GAN_COL_STATE)
			color = state_color(cells[n]);
	}
	gan_table_row(t, (const char *const *)cells, n, color);
	for (size_t i = 0; i < n; i++)
		free(cells[i]);
}

void
gan_ctl_print_list(
    const struct gan_ctl *ctl, struct gan_span array, const struct gan_ctl_column *columns)
{
	struct gan_table *t GAN_AUTO(gan_table_free) = NULL;
	struct gan_span_iter it = { 0 };
	struct gan_span row;

	if (gan_span_count(array) == 0) {
		(void)puts("nothing");
		return;
	}
	t = gan_table_new(ctl->color);
	for (size_t i = 0; columns[i].heading != NULL; i++)
		gan_table_column(t, columns[i].heading, columns[i].kind == GAN_COL_RIGHT,
		    columns[i].kind == GAN_COL_LONG);
	while (gan_span_next(array, &it, NULL, &row))
		add_row(t, row, columns);
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
