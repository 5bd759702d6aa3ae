/* SPDX-License-Identifier: MIT */
/* reference.c - the table of operations as gantry-rules(5) has it. */
#include <string.h>

#include "base/mem.h"
#include "outbound/connector.h"

static const char *const repeats[] = {
	[GAN_REPEAT_SAFE] = "safe",
	[GAN_REPEAT_SET] = "set",
	[GAN_REPEAT_KEYED] = "keyed",
	[GAN_REPEAT_ONCE] = "once",
	[GAN_REPEAT_PROBE] = "probe",
	[GAN_REPEAT_HOLD] = "hold",
};

static const char *const types[] = {
	[GAN_FIELD_STRING] = NULL, /* goes without saying */
	[GAN_FIELD_BOOL] = "true or false",
	[GAN_FIELD_NUMBER] = "number",
	[GAN_FIELD_NUMERIC] = "number, also as a text",
	[GAN_FIELD_CODE] = "text or number",
	[GAN_FIELD_ANY] = "any type",
	[GAN_FIELD_DATE] = "date",
	[GAN_FIELD_OBJECT] = "object",
	[GAN_FIELD_STRINGS] = "texts",
	[GAN_FIELD_OBJECTS] = "list",
	[GAN_FIELD_GTIN] = "GTIN",
	[GAN_FIELD_SSCC] = "SSCC",
	[GAN_FIELD_SERIAL] = "serial",
	[GAN_FIELD_LOT] = "lot",
	[GAN_FIELD_ELEMENTS] = "element string",
	[GAN_FIELD_SSCCS] = "SSCCs",
	[GAN_FIELD_SERIALS] = "serials",
};

/* What would be markup in scdoc's language is escaped. */
static void
put_plain(struct gan_buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (strchr("*_\\", *s) != NULL)
			gan_buf_putc(out, '\\');
		gan_buf_putc(out, *s);
	}
}

static void
put_name(struct gan_buf *out, const char *name, bool required)
{
	gan_buf_puts(out, required ? "_" : "[_");
	put_plain(out, name);
	gan_buf_putc(out, '_');
}

/* "a, b or c" of a list with a space behind each. */
static void
put_words(struct gan_buf *out, const char *list)
{
	for (const char *p = list; *p != '\0';) {
		size_t n = strcspn(p, " ");

		if (p != list)
			gan_buf_puts(out, p[n + 1] != '\0' ? ", " : " or ");
		gan_buf_put(out, p, n);
		p += n + 1;
	}
}

static void
put_more(struct gan_buf *out, bool *open, const char *text)
{
	gan_buf_puts(out, *open ? ", " : " (");
	gan_buf_puts(out, text);
	*open = true;
}

static void put_fields(
    struct gan_buf *out, const struct gan_field *fields, size_t n, unsigned depth);

static void
put_field(struct gan_buf *out, const struct gan_field *f, unsigned depth)
{
	bool open = false;

	put_name(out, f->name, f->required || f->instead != NULL);
	if (types[f->type] != NULL)
		put_more(out, &open, types[f->type]);
	if (f->positive)
		put_more(out, &open, "more than zero");
	if (f->allowed != NULL) {
		put_more(out, &open, "");
		put_words(out, f->allowed);
	}
	if (f->max_chars != 0) {
		put_more(out, &open, "");
		gan_buf_printf(out, "at most %zu characters", f->max_chars);
	}
	if (f->max_items != 0) {
		put_more(out, &open, "");
		gan_buf_printf(out, "at most %zu", f->max_items);
	}
	if (f->instead != NULL) {
		put_more(out, &open, "or _");
		put_plain(out, f->instead);
		gan_buf_putc(out, '_');
	}
	if (f->unique != NULL) {
		put_more(out, &open, "no _");
		put_plain(out, f->unique);
		gan_buf_puts(out, "_ twice");
	}
	if (f->nfields > 0) {
		gan_buf_puts(out, open ? ": " : " (");
		put_fields(out, f->fields, f->nfields, depth + 1);
		open = true;
	}
	if (open)
		gan_buf_putc(out, ')');
	if (!f->required && f->instead == NULL)
		gan_buf_putc(out, ']');
}

static void
put_fields(struct gan_buf *out, const struct gan_field *fields, size_t n, unsigned depth)
{
	gan_must(depth < 8);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			gan_buf_puts(out, ", ");
		put_field(out, &fields[i], depth);
	}
}

static void
put_query(struct gan_buf *out, const struct gan_param *q, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool open = false;

		if (i > 0)
			gan_buf_puts(out, ", ");
		put_name(out, q[i].name, q[i].required);
		if (q[i].type == GAN_FIELD_STRINGS)
			put_more(out, &open, "one or more");
		else if (types[q[i].type] != NULL)
			put_more(out, &open, types[q[i].type]);
		if (q[i].without != NULL) {
			put_more(out, &open, "not with ");
			put_words(out, q[i].without);
		}
		if (open)
			gan_buf_putc(out, ')');
		if (!q[i].required)
			gan_buf_putc(out, ']');
	}
}

static void
put_operation(struct gan_buf *out, const struct gan_operation *op)
{
	gan_buf_printf(out, "*%s*: %s ", op->name, op->method);
	put_plain(out, op->path);
	gan_buf_printf(out, "; %s\n", repeats[op->repeat]);
	if (op->nfields > 0) {
		gan_buf_puts(out, "\tBody: ");
		put_fields(out, op->fields, op->nfields, 0);
		gan_buf_puts(out, ".\n");
	}
	if (op->nquery > 0) {
		gan_buf_puts(out, "\tQuery: ");
		put_query(out, op->query, op->nquery);
		gan_buf_puts(out, ".\n");
	}
	gan_buf_putc(out, '\n');
}

int
gan_kind_reference(const struct gan_kind *kind, struct gan_buf *out)
{
	for (size_t i = 0; i < kind->noperations; i++)
		put_operation(out, &kind->operations[i]);
	return out->failed ? GAN_ENOMEM : GAN_OK;
}
