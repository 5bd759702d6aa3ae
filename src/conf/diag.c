/* SPDX-License-Identifier: MIT */
/* diag.c - findings with excerpt and caret; see yaml.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/yaml_priv.h"

enum {
	WIDTH = 80,      /* columns of an excerpt */
	BEFORE = 60,     /* of these in front of the caret, when the line must be cut */
	MAX_SHOWN = 100, /* findings; a broken file must not fill the journal */
};

static const char *const level_names[] = { "error", "warning" };

void
gan_diags_fini(struct gan_diags *d)
{
	gan_buf_fini(&d->text);
	memset(d, 0, sizeof(*d));
}

void
gan_diags_add(struct gan_diags *d, const struct gan_diags *more)
{
	if (more->text.len > 0)
		gan_buf_put(&d->text, more->text.data, more->text.len);
	if (d->errors == 0 && more->errors > 0)
		memcpy(d->first, more->first, sizeof(d->first));
	d->errors += more->errors;
	d->warnings += more->warnings;
	d->text.failed |= more->text.failed;
}

bool
gan_yaml_line(const struct gan_yaml *doc, int line, const char **ret_p, size_t *ret_n)
{
	const char *p = doc->src, *end = doc->src + doc->len;

	for (int i = 1; i < line; i++) {
		while (p < end && *p != '\n' && *p != '\r')
			p++;
		if (p == end)
			return false;
		p += *p == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
	}
	*ret_p = p;
	while (p < end && *p != '\n' && *p != '\r')
		p++;
	*ret_n = (size_t)(p - *ret_p);
	return line >= 1;
}

static int
count_lines(const struct gan_yaml *doc)
{
	const char *p, *end = doc->src + doc->len;
	int n = 1;

	for (p = doc->src; p < end; p++)
		n += *p == '\n' || (*p == '\r' && (p + 1 == end || p[1] != '\n'));
	return n;
}

void
gan_yaml_hide(struct gan_yaml *doc, const struct gan_yaml_node *node)
{
	int from = node->key != NULL ? node->key->line : node->line;

	if (node->block && node->key == NULL)
		from--; /* the line of the | itself */
	if (doc->hidden == NULL) {
		doc->nlines = count_lines(doc);
		doc->hidden = calloc((size_t)doc->nlines + 1, 1);
	}
	if (doc->hidden == NULL) {
		doc->hide_all = true;
		return;
	}
	for (int i = from < 1 ? 1 : from; i <= node->end_line && i <= doc->nlines; i++)
		doc->hidden[i] = 1;
}

/* Does a key in p[0..i) end like one for a secret? */
static bool
ends_secret(const char *p, size_t i)
{
	static const char *const words[] = { "password", "secret", "token", "_key", "-key" };

	while (i > 0 && strchr(" \"'", p[i - 1]) != NULL)
		i--;
	if (i > 0 && p[i - 1] == 's')
		i--;
	for (size_t w = 0; w < GAN_COUNT(words); w++) {
		size_t len = strlen(words[w]);

		if (i >= len && strncasecmp(p + i - len, words[w], len) == 0)
			return true;
	}
	return false;
}

/*
 * Before the schema could be asked (a syntax error), a line that sets
 * something called password, secret, token or key to anything but
 * secret:NAME is better not shown.  open: count an empty value, too, whose
 * text stands on the lines that follow.
 */
static bool
looks_secret(const char *p, size_t n, bool open)
{
	for (size_t i = 0; i < n; i++) {
		size_t v = i + 1;

		if (p[i] != ':' || (v < n && strchr(" \t\"'", p[v]) == NULL) || !ends_secret(p, i))
			continue;
		while (v < n && strchr(" \t[\"'", p[v]) != NULL)
			v++;
		if (v == n ? open : n - v < 7 || strncmp(p + v, "secret:", 7) != 0)
			return true;
	}
	return false;
}

/* Is a line that could not be parsed part of a secret, by its own words or those just above? */
static bool
guess_secret(const struct gan_yaml *doc, int line, const char *p, size_t n)
{
	enum { ABOVE = 4 };

	if (looks_secret(p, n, false))
		return true;
	for (int i = line - 1; i >= 1 && i >= line - ABOVE; i--) {
		if (gan_yaml_line(doc, i, &p, &n) && looks_secret(p, n, true))
			return true;
	}
	return false;
}

static bool
is_hidden(const struct gan_yaml *doc, int line, const char *p, size_t n)
{
	if (doc->hide_all)
		return true;
	if (!doc->parsed)
		return guess_secret(doc, line, p, n);
	return doc->hidden != NULL && line >= 1 && line <= doc->nlines && doc->hidden[line];
}

/* Put one line, cut to a window around the caret; returns the caret's place in it. */
static int
put_window(struct gan_buf *out, const char *p, size_t n, int col)
{
	int at = 1, shown = 0, skip = col > WIDTH ? col - BEFORE : 0, caret = col - skip;

	if (skip > 0) {
		gan_buf_puts(out, "...");
		caret += 3;
	}
	for (size_t i = 0, step; i < n; i += step, at++) {
		step = gan_utf8_next(p + i, n - i);
		if (at <= skip) {
			step = step > 0 ? step : 1;
			continue;
		}
		if (shown++ == WIDTH) {
			gan_buf_puts(out, "...");
			break;
		}
		if (p[i] == '\t')
			gan_buf_putc(out, ' ');
		else if (step == 0 || (unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			gan_buf_putc(out, '?');
		else
			gan_buf_put(out, p + i, step);
		step = step > 0 ? step : 1;
	}
	return caret;
}

static void
put_excerpt(struct gan_buf *out, const struct gan_yaml *doc, int line, int col)
{
	const char *p = NULL;
	size_t n = 0;

	if (!gan_yaml_line(doc, line, &p, &n) || (n == 0 && col == 1))
		return;
	gan_buf_printf(out, "%5d | ", line);
	if (is_hidden(doc, line, p, n)) {
		gan_buf_puts(out, "(not shown: this line may hold a secret)\n");
		return;
	}
	col = put_window(out, p, n, col);
	gan_buf_printf(out, "\n      | %*s^\n", col > 1 ? col - 1 : 0, "");
}

void
gan_diag_render(struct gan_buf *out, enum gan_diag_level level, const struct gan_yaml *doc,
    int line, int col, const char *text)
{
	gan_buf_printf(out, "%s:%d:%d: %s: %s\n", doc->name, line, col, level_names[level], text);
	put_excerpt(out, doc, line, col);
}

bool
gan_diags_full(const struct gan_diags *d)
{
	return d->errors + d->warnings > MAX_SHOWN;
}

/* Count a finding; false when there are too many to show. */
static bool
count(struct gan_diags *d, enum gan_diag_level level)
{
	unsigned n;

	if (level == GAN_DIAG_ERROR)
		d->errors++;
	else
		d->warnings++;
	n = d->errors + d->warnings;
	if (n == MAX_SHOWN + 1)
		gan_buf_puts(&d->text, "(more findings are not shown)\n");
	return n <= MAX_SHOWN;
}

static void
keep_first(struct gan_diags *d, const char *line, size_t n)
{
	if (d->errors == 1)
		(void)snprintf(d->first, sizeof(d->first), "%.*s", (int)n, line);
}

static void __attribute__((format(printf, 6, 0)))
add(struct gan_diags *d, enum gan_diag_level level, const struct gan_yaml *doc, int line, int col,
    const char *fmt, va_list ap)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	char text[512];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	if (!count(d, level))
		return;
	gan_diag_render(&b, level, doc, line, col, text);
	if (b.failed) {
		d->text.failed = true;
		return;
	}
	if (level == GAN_DIAG_ERROR)
		keep_first(d, b.data, strcspn(b.data, "\n"));
	gan_buf_put(&d->text, b.data, b.len);
}

void
gan_diag_at(struct gan_diags *d, enum gan_diag_level level, const struct gan_yaml *doc, int line,
    int col, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, level, doc, line, col, fmt, ap);
	va_end(ap);
}

void
gan_diag_node(struct gan_diags *d, enum gan_diag_level level, const struct gan_yaml *doc,
    const struct gan_yaml_node *node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, level, doc, node->line, node->col, fmt, ap);
	va_end(ap);
}

void
gan_diag_err(struct gan_diags *d, const struct gan_err *err)
{
	if (!count(d, GAN_DIAG_ERROR))
		return;
	keep_first(d, err->msg, strcspn(err->msg, "\n"));
	gan_buf_printf(&d->text, "%s\n", err->msg);
}

void
gan_diag_file(
    struct gan_diags *d, enum gan_diag_level level, const char *name, const char *fmt, ...)
{
	char text[512];
	size_t start;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!count(d, level))
		return;
	start = d->text.len;
	gan_buf_printf(&d->text, "%s: %s: %s\n", name, level_names[level], text);
	if (level == GAN_DIAG_ERROR && !d->text.failed)
		keep_first(d, d->text.data + start, d->text.len - start - 1);
}
