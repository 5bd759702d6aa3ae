/* SPDX-License-Identifier: MIT */
/* schema_doc.c - the table as the KEYS section of gantry.yaml(5). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "conf/schema.h"

static const char *const type_names[] = {
	[GAN_T_MAP] = "mapping",
	[GAN_T_NAMED] = "mapping of names",
	[GAN_T_LIST] = "list",
	[GAN_T_BOOL] = "true or false",
	[GAN_T_INT] = "whole number",
	[GAN_T_FLOAT] = "number",
	[GAN_T_PERCENT] = "percentage",
	[GAN_T_DURATION] = "duration",
	[GAN_T_SIZE] = "size",
	[GAN_T_ENUM] = "choice",
	[GAN_T_TEXT] = "text",
	[GAN_T_ZONE] = "time zone",
	[GAN_T_PATH] = "path",
	[GAN_T_URL] = "URL",
	[GAN_T_ADDRESS] = "address and port",
	[GAN_T_IP] = "address",
	[GAN_T_HEADER] = "name of a header",
	[GAN_T_SECRET] = "secret",
	[GAN_T_SECRETS] = "one secret, or a list of one or two",
	[GAN_T_SCALAR] = "text, number, true or false",
};

/* Text in scdoc's language: what would be markup there is escaped. */
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
put_range(struct gan_buf *out, const struct gan_schema_row *row)
{
	char min[32], max[32], name[64];

	switch (row->type) {
	case GAN_T_INT:
	case GAN_T_FLOAT:
	case GAN_T_PERCENT:
	case GAN_T_DURATION:
	case GAN_T_SIZE:
		gan_schema_bound(row, row->min, min, sizeof(min));
		gan_schema_bound(row, row->max, max, sizeof(max));
		if (row->min == row->max)
			gan_buf_printf(out, ", always %s", min);
		else
			gan_buf_printf(out, ", %s to %s", min, max);
		return;
	case GAN_T_TEXT:
		gan_buf_printf(out, " of %" PRId64 " to %" PRId64 " bytes", row->min, row->max);
		return;
	case GAN_T_LIST:
	case GAN_T_NAMED:
		gan_buf_printf(out, " of at most %" PRId64, row->max);
		return;
	case GAN_T_ENUM:
		for (unsigned i = 0; gan_schema_choice(row->choices, i, name, sizeof(name)) != NULL;
		     i++) {
			gan_buf_puts(out, i > 0 ? " | " : ": ");
			put_plain(out, name);
		}
		if ((row->flags & GAN_F_OR_MAP) != 0)
			gan_buf_puts(out, " or a mapping");
		return;
	default:
		return;
	}
}

static void
put_row(struct gan_buf *out, const struct gan_schema_row *row)
{
	char kinds[128];

	gan_buf_putc(out, '*');
	put_plain(out, row->path);
	gan_buf_puts(out, "*: ");
	gan_buf_puts(out, type_names[row->type]);
	put_range(out, row);
	if (row->kinds != 0)
		gan_buf_printf(
		    out, "; kind %s", gan_schema_kind_names(row->kinds, kinds, sizeof(kinds)));
	if ((row->flags & GAN_F_REQUIRED) != 0)
		gan_buf_puts(out, "; required");
	else if (row->dflt != NULL) {
		gan_buf_puts(out, "; default ");
		put_plain(out, row->dflt);
	}
	if ((row->flags & GAN_F_LATER) != 0)
		gan_buf_puts(out, "; not built yet");
	gan_buf_puts(out, "\n\t");
	gan_buf_puts(out, row->help); /* written in scdoc's language */
	gan_buf_puts(out, "\n\n");
}

int
gan_schema_reference(struct gan_buf *out)
{
	for (size_t i = 0; i < gan_schema_nrows; i++)
		put_row(out, &gan_schema_rows[i]);
	return out->failed ? GAN_ENOMEM : GAN_OK;
}
