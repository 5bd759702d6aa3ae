/* SPDX-License-Identifier: MIT */
/*
 * schema_json.c - the table as JSON Schema (draft 2020-12), for editors that
 * check while one types.  It knows types, bounds and choices; secrets, units
 * out of range and rules between keys are the daemon's own work.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/schema.h"

#define SECRET_PATTERN "^secret:[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$"

static void put_section(struct gan_buf *out, const char *parent, unsigned kinds);
static void put_list(struct gan_buf *out, const struct gan_schema_row *row);

static void
put_text(struct gan_buf *out, const char *s)
{
	gan_buf_json(out, s, strlen(s));
}

static const char *
leaf_of(const struct gan_schema_row *row)
{
	const char *dot = strrchr(row->path, '.');

	return dot != NULL ? dot + 1 : row->path;
}

static void
put_choices(struct gan_buf *out, const char *choices)
{
	char name[64];

	gan_buf_putc(out, '[');
	for (unsigned i = 0; gan_schema_choice(choices, i, name, sizeof(name)) != NULL; i++) {
		if (i > 0)
			gan_buf_putc(out, ',');
		put_text(out, name);
	}
	gan_buf_putc(out, ']');
}

static void
put_bounds(struct gan_buf *out, const struct gan_schema_row *row, const char *type, const char *min,
    const char *max)
{
	gan_buf_printf(out, "\"type\":\"%s\",\"%s\":%" PRId64 ",\"%s\":%" PRId64, type, min,
	    row->min, max, row->max);
}

/* A pattern; a bare 0 has no unit to be missing. */
static void
put_pattern(struct gan_buf *out, const char *pattern, bool zero)
{
	if (zero)
		gan_buf_puts(out, "\"type\":[\"string\",\"integer\"],\"minimum\":0,\"maximum\":0,");
	else
		gan_buf_puts(out, "\"type\":\"string\",");
	gan_buf_puts(out, "\"pattern\":");
	put_text(out, pattern);
}

static void put_list(struct gan_buf *out, const struct gan_schema_row *row);

static const char *const patterns[] = {
	[GAN_T_PERCENT] = "^[0-9]{1,3}%$",
	[GAN_T_DURATION] = "^([0-9]+(ms|s|m|h|d|w|y)|0)$",
	[GAN_T_SIZE] = "^([0-9]+(B|KiB|MiB|GiB|TiB)|0)$",
	[GAN_T_ZONE] = "^[A-Z][A-Za-z0-9_+/-]*$",
	[GAN_T_PATH] = "^.{1,1023}$",
	[GAN_T_URL] = "^https?://[^\\s@]+$",
	[GAN_T_ADDRESS] = "^([0-9.]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$",
	[GAN_T_IP] = "^[0-9a-fA-F:.]+$",
	[GAN_T_HEADER] = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$",
	[GAN_T_SECRET] = SECRET_PATTERN,
};

static void
put_enum(struct gan_buf *out, const struct gan_schema_row *row, unsigned kinds)
{
	bool or_map = (row->flags & GAN_F_OR_MAP) != 0;

	gan_buf_puts(out, or_map ? "\"anyOf\":[{\"enum\":" : "\"enum\":");
	put_choices(out, row->choices);
	if (!or_map)
		return;
	gan_buf_puts(out, "},{");
	put_section(out, row->path, kinds);
	gan_buf_puts(out, "}]");
}

static void
put_type(struct gan_buf *out, const struct gan_schema_row *row, unsigned kinds)
{
	bool unit = row->type == GAN_T_DURATION || row->type == GAN_T_SIZE;

	switch (row->type) {
	case GAN_T_BOOL:
		gan_buf_puts(out, "\"type\":\"boolean\"");
		return;
	case GAN_T_INT:
		put_bounds(out, row, "integer", "minimum", "maximum");
		return;
	case GAN_T_FLOAT:
		put_bounds(out, row, "number", "minimum", "maximum");
		return;
	case GAN_T_TEXT:
		put_bounds(out, row, "string", "minLength", "maxLength");
		return;
	case GAN_T_ENUM:
		put_enum(out, row, kinds);
		return;
	case GAN_T_SECRETS:
		gan_buf_puts(out, "\"anyOf\":[{");
		put_pattern(out, SECRET_PATTERN, false);
		gan_buf_puts(
		    out, "},{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{");
		put_pattern(out, SECRET_PATTERN, false);
		gan_buf_puts(out, "}}]");
		return;
	case GAN_T_SCALAR:
		gan_buf_puts(out, "\"type\":[\"string\",\"number\",\"boolean\"]");
		return;
	case GAN_T_MAP:
	case GAN_T_NAMED:
		put_section(out, row->path, kinds);
		return;
	case GAN_T_LIST:
		put_list(out, row);
		return;
	default:
		put_pattern(out, patterns[row->type], unit && row->min == 0);
		return;
	}
}

static void
put_row(struct gan_buf *out, const struct gan_schema_row *row, unsigned kinds)
{
	bool bare = row->type == GAN_T_INT || row->type == GAN_T_FLOAT || row->type == GAN_T_BOOL;
	char help[300];

	gan_buf_putc(out, '{');
	put_type(out, row, kinds);
	gan_buf_puts(out, ",\"description\":");
	put_text(out, gan_schema_help(row, help, sizeof(help)));
	if (row->dflt != NULL && bare)
		gan_buf_printf(out, ",\"default\":%s", row->dflt);
	else if (row->dflt != NULL) {
		gan_buf_puts(out, ",\"default\":");
		put_text(out, row->dflt);
	}
	if ((row->flags & GAN_F_LATER) != 0)
		gan_buf_puts(out, ",\"$comment\":\"not built yet\"");
	gan_buf_putc(out, '}');
}

static void
put_list(struct gan_buf *out, const struct gan_schema_row *row)
{
	const struct gan_schema_row *each;
	size_t pos = 0;

	gan_buf_printf(
	    out, "\"type\":[\"array\",\"null\"],\"maxItems\":%" PRId64 ",\"items\":", row->max);
	each = gan_schema_next(row->path, 0, &pos);
	gan_must(each != NULL);
	put_row(out, each, 0);
}

/* "properties", "required" and an end to everything else. */
static void
put_keys(struct gan_buf *out, const char *parent, unsigned kinds)
{
	const struct gan_schema_row *row;
	bool first = true;

	gan_buf_puts(out, "\"additionalProperties\":false,\"properties\":{");
	for (size_t pos = 0; (row = gan_schema_next(parent, kinds, &pos)) != NULL;) {
		gan_buf_puts(out, first ? "" : ",");
		first = false;
		put_text(out, leaf_of(row));
		gan_buf_putc(out, ':');
		put_row(out, row, kinds);
	}
	gan_buf_puts(out, "},\"required\":[");
	first = true;
	for (size_t pos = 0; (row = gan_schema_next(parent, kinds, &pos)) != NULL;) {
		if ((row->flags & GAN_F_REQUIRED) == 0)
			continue;
		gan_buf_puts(out, first ? "" : ",");
		first = false;
		put_text(out, leaf_of(row));
	}
	gan_buf_putc(out, ']');
}

/* A section whose keys depend on its kind: one "then" for each. */
static void
put_kinds(struct gan_buf *out, const char *parent, const struct gan_schema_row *kind)
{
	unsigned shift = strcmp(parent, "sources.*") == 0 ? 0 : 8;
	char name[64];

	gan_buf_puts(out, "\"type\":\"object\",\"required\":[\"kind\"],"
			  "\"properties\":{\"kind\":");
	put_row(out, kind, 0);
	gan_buf_puts(out, "},\"allOf\":[");
	for (unsigned i = 0; gan_schema_choice(kind->choices, i, name, sizeof(name)) != NULL; i++) {
		gan_buf_puts(out, i > 0 ? "," : "");
		gan_buf_printf(out,
		    "{\"if\":{\"properties\":{\"kind\":{\"const\":\"%s\"}},"
		    "\"required\":[\"kind\"]},\"then\":{",
		    name);
		put_keys(out, parent, 1u << (shift + i));
		gan_buf_puts(out, "}}");
	}
	gan_buf_putc(out, ']');
}

static void
put_section(struct gan_buf *out, const char *parent, unsigned kinds)
{
	const struct gan_schema_row *each = gan_schema_find(parent, "*", kinds);
	const struct gan_schema_row *kind = gan_schema_find(parent, "kind", 0);

	if (kind != NULL) {
		put_kinds(out, parent, kind);
		return;
	}
	gan_buf_printf(
	    out, "\"type\":%s,", *parent == '\0' ? "\"object\"" : "[\"object\",\"null\"]");
	if (each == NULL) {
		put_keys(out, parent, kinds);
		return;
	}
	if (strchr(parent, '.') == NULL)
		gan_buf_puts(out, "\"propertyNames\":{\"pattern\":\"^[a-z0-9-]{1,64}$\"},");
	gan_buf_puts(out, "\"additionalProperties\":");
	put_row(out, each, kinds);
}

int
gan_schema_json(struct gan_buf *out)
{
	gan_buf_puts(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
			  "\"title\":\"gantry.yaml\",");
	put_section(out, "", 0);
	gan_buf_puts(out, "}\n");
	return out->failed ? GAN_ENOMEM : GAN_OK;
}
