/* SPDX-License-Identifier: MIT */
/* tables.c - see tables.h. */
#include "mapping/tables.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct field {
	size_t at, len; /* in csv.row */
};

/* Keys seen, by open addressing; grows, since a table may have millions of rows. */
struct seen {
	uint32_t *slots; /* 1-based index into keys, 0: free */
	size_t nslots;
	struct {
		size_t at, len;
		unsigned line;
	} * keys;
	size_t nkeys, cap;
	struct gan_buf text;
};

struct csv {
	const char *name, *p, *end;
	char sep;
	unsigned line; /* of the row being read */
	unsigned next_line;
	struct gan_buf row; /* the row's fields, unquoted, one behind the other */
	struct field fields[GAN_TABLE_COLUMNS];
	size_t nfields;
	struct gan_err *err;
};

static uint64_t
hash_bytes(const char *p, size_t n)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * UINT64_C(1099511628211);
	return h;
}

static bool
seen_grow(struct seen *s)
{
	size_t n = s->nslots == 0 ? 256 : s->nslots * 2;
	uint32_t *slots = calloc(n, sizeof(*slots));
	void *keys = realloc(s->keys, n / 2 * sizeof(*s->keys));

	if (keys != NULL)
		s->keys = keys;
	if (slots == NULL || keys == NULL) {
		free(slots);
		return false;
	}
	s->cap = n / 2;
	for (size_t i = 0; i < s->nkeys; i++) {
		size_t at = hash_bytes(s->text.data + s->keys[i].at, s->keys[i].len) & (n - 1);

		while (slots[at] != 0)
			at = (at + 1) & (n - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(s->slots);
	s->slots = slots;
	s->nslots = n;
	return true;
}

/* 0: new and kept; a line number: where it stands already; UINT_MAX: no memory. */
static unsigned
seen_add(struct seen *s, const char *key, size_t len, unsigned line)
{
	if (s->nkeys == s->cap && !seen_grow(s))
		return UINT32_MAX;
	size_t at = hash_bytes(key, len) & (s->nslots - 1);
	for (; s->slots[at] != 0; at = (at + 1) & (s->nslots - 1)) {
		size_t i = s->slots[at] - 1;

		if (s->keys[i].len == len && memcmp(s->text.data + s->keys[i].at, key, len) == 0)
			return s->keys[i].line;
	}
	s->keys[s->nkeys].at = s->text.len;
	s->keys[s->nkeys].len = len;
	s->keys[s->nkeys].line = line;
	gan_buf_put(&s->text, key, len);
	if (s->text.failed)
		return UINT32_MAX;
	s->slots[at] = (uint32_t)++s->nkeys;
	return 0;
}

static void
seen_fini(struct seen *s)
{
	free(s->slots);
	free(s->keys);
	gan_buf_fini(&s->text);
}

static void
csv_fini(struct csv *c)
{
	gan_buf_fini(&c->row);
}

static bool
at_newline(const struct csv *c)
{
	return *c->p == '\n' || (*c->p == '\r' && c->p + 1 < c->end && c->p[1] == '\n');
}

static void
skip_newline(struct csv *c)
{
	c->p += *c->p == '\r' ? 2 : 1;
	c->next_line++;
}

static int
read_quoted(struct csv *c)
{
	for (c->p++; c->p < c->end; c->p++) {
		if (*c->p == '"' && (c->p + 1 == c->end || c->p[1] != '"')) {
			c->p++;
			if (c->p < c->end && *c->p != c->sep && !at_newline(c))
				return gan_err_set(c->err, GAN_EPARSE,
				    "%s:%u: text behind a closing quote; write a quote inside a "
				    "quoted field twice",
				    c->name, c->next_line);
			return GAN_OK;
		}
		if (*c->p == '"')
			c->p++;
		else if (*c->p == '\n')
			c->next_line++;
		gan_buf_putc(&c->row, *c->p);
	}
	return gan_err_set(
	    c->err, GAN_EPARSE, "%s:%u: a quoted field is not closed", c->name, c->line);
}

static int
read_field(struct csv *c)
{
	if (c->nfields == GAN_TABLE_COLUMNS)
		return gan_err_set(c->err, GAN_ELIMIT, "%s:%u: more than %d columns", c->name,
		    c->line, GAN_TABLE_COLUMNS);
	struct field *f = &c->fields[c->nfields++];
	f->at = c->row.len;
	if (c->p < c->end && *c->p == '"') {
		int rc = read_quoted(c);

		if (rc < 0)
			return rc;
	} else {
		const char *start = c->p;

		while (c->p < c->end && *c->p != c->sep && !at_newline(c)) {
			if (*c->p == '"')
				return gan_err_set(c->err, GAN_EPARSE,
				    "%s:%u: a quote inside a field that is not quoted", c->name,
				    c->line);
			c->p++;
		}
		gan_buf_put(&c->row, start, (size_t)(c->p - start));
	}
	f->len = c->row.len - f->at;
	return GAN_OK;
}

/* The next row that is not empty: 1, or 0 at the end. */
static int
read_row(struct csv *c)
{
	while (c->p < c->end && at_newline(c))
		skip_newline(c);
	if (c->p == c->end)
		return 0;
	gan_buf_clear(&c->row);
	c->nfields = 0;
	c->line = c->next_line;
	for (;;) {
		int rc = read_field(c);

		if (rc < 0)
			return rc;
		if (c->p == c->end)
			break;
		if (at_newline(c)) {
			skip_newline(c);
			break;
		}
		c->p++;
	}
	return c->row.failed ? gan_err_set(c->err, GAN_ENOMEM, "%s: out of memory", c->name) : 1;
}

static int
check_bytes(const char *name, const char *text, size_t len, struct gan_err *err)
{
	unsigned line = 1;

	for (size_t i = 0; i < len;) {
		size_t n = gan_utf8_next(text + i, len - i);

		if (text[i] == '\0' || n == 0)
			return gan_err_set(err, GAN_EPARSE,
			    "%s:%u: this byte (0x%02x) is not UTF-8 text; save the file as CSV UTF-8",
			    name, line, (unsigned char)text[i]);
		if (text[i] == '\n')
			line++;
		i += n;
	}
	return GAN_OK;
}

static char
find_separator(const char *p, const char *end)
{
	size_t commas = 0, semicolons = 0;
	bool quoted = false;

	for (; p < end && (quoted || *p != '\n'); p++) {
		if (*p == '"')
			quoted = !quoted;
		commas += !quoted && *p == ',';
		semicolons += !quoted && *p == ';';
	}
	return semicolons > commas ? ';' : ',';
}

/* The header as JSON texts ready to be put before values; names[i] owned by the caller. */
static int
read_header(struct csv *c, struct gan_buf *names, size_t at[GAN_TABLE_COLUMNS + 1])
{
	int rc = read_row(c);

	if (rc < 0)
		return rc;
	if (rc == 0 || c->nfields < 2)
		return gan_err_set(c->err, GAN_EPARSE,
		    "%s:%u: a table needs a header line with at least two columns, such as "
		    "\"key,value\"",
		    c->name, rc == 0 ? 1 : c->line);
	for (size_t i = 0; i < c->nfields; i++) {
		const struct field *f = &c->fields[i];

		if (f->len == 0)
			return gan_err_set(c->err, GAN_EPARSE,
			    "%s:%u: column %zu has no name in the header", c->name, c->line, i + 1);
		for (size_t k = 0; k < i; k++)
			if (c->fields[k].len == f->len &&
			    memcmp(c->row.data + c->fields[k].at, c->row.data + f->at, f->len) == 0)
				return gan_err_set(c->err, GAN_EPARSE,
				    "%s:%u: two columns are named '%.*s'", c->name, c->line,
				    (int)f->len, c->row.data + f->at);
		at[i] = names->len;
		gan_buf_json(names, c->row.data + f->at, f->len);
		gan_buf_putc(names, ':');
	}
	at[c->nfields] = names->len;
	return GAN_OK;
}

static void
put_value(struct csv *c, const struct gan_buf *names, const size_t *at, struct gan_buf *out)
{
	if (c->nfields == 2) {
		gan_buf_json(out, c->row.data + c->fields[1].at, c->fields[1].len);
		return;
	}
	for (size_t i = 0; i < c->nfields; i++) {
		gan_buf_putc(out, i == 0 ? '{' : ',');
		gan_buf_put(out, names->data + at[i], at[i + 1] - at[i]);
		gan_buf_json(out, c->row.data + c->fields[i].at, c->fields[i].len);
	}
	gan_buf_putc(out, '}');
}

static int
put_row(struct csv *c, struct seen *seen, size_t columns, struct gan_buf *out)
{
	const char *key = c->row.data + c->fields[0].at;
	char shown[64];

	if (c->nfields != columns)
		return gan_err_set(c->err, GAN_EPARSE, "%s:%u: %zu columns, the header has %zu",
		    c->name, c->line, c->nfields, columns);
	if (c->fields[0].len == 0)
		return gan_err_set(c->err, GAN_EPARSE, "%s:%u: the key is empty", c->name, c->line);
	unsigned first = seen_add(seen, key, c->fields[0].len, c->line);
	if (first == UINT32_MAX)
		return gan_err_set(c->err, GAN_ENOMEM, "%s: out of memory", c->name);
	if (first != 0)
		return gan_err_set(c->err, GAN_EPARSE,
		    "%s:%u: duplicate key '%s', first on line %u", c->name, c->line,
		    gan_printable(key, c->fields[0].len, shown, sizeof(shown)), first);
	gan_buf_json(out, key, c->fields[0].len);
	gan_buf_putc(out, ':');
	return GAN_OK;
}

int
gan_table_json(const char *name, const char *text, size_t len, struct gan_buf *out,
    size_t *ret_rows, struct gan_err *err)
{
	GAN_AUTO(csv_fini)
	struct csv c = { .name = name, .end = text + len, .next_line = 1, .err = err };
	GAN_AUTO(gan_buf_fini) struct gan_buf names = { 0 };
	GAN_AUTO(seen_fini) struct seen seen = { 0 };
	size_t at[GAN_TABLE_COLUMNS + 1], columns;
	int rc = check_bytes(name, text, len, err);

	if (rc < 0)
		return rc;
	c.p = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
	c.sep = find_separator(c.p, c.end);
	rc = read_header(&c, &names, at);
	if (rc < 0)
		return rc;
	columns = c.nfields;
	gan_buf_putc(out, '{');
	while ((rc = read_row(&c)) > 0) {
		if (seen.nkeys > 0)
			gan_buf_putc(out, ',');
		rc = put_row(&c, &seen, columns, out);
		if (rc < 0)
			return rc;
		put_value(&c, &names, at, out);
	}
	if (rc < 0)
		return rc;
	gan_buf_putc(out, '}');
	if (out->failed || names.failed)
		return gan_err_set(err, GAN_ENOMEM, "%s: out of memory", name);
	if (ret_rows != NULL)
		*ret_rows = seen.nkeys;
	return GAN_OK;
}
