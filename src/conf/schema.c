/* SPDX-License-Identifier: MIT */
/* schema.c - look-up in the table; its two renderings are in schema_json.c and schema_doc.c. */
#include "conf/schema.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#include "base/units.h"

bool
gan_schema_below(const char *parent, const struct gan_schema_row *row, const char **ret_leaf)
{
	size_t n = strlen(parent);
	const char *leaf = row->path;

	if (strncmp(leaf, parent, n) != 0)
		return false;
	leaf += n;
	if (n > 0 && *leaf == '.')
		leaf++;
	else if (n > 0 && strcmp(leaf, "[]") != 0)
		return false;
	if (*leaf == '\0' || strchr(leaf, '.') != NULL)
		return false;
	if (strcmp(leaf, "[]") != 0 && strchr(leaf, '[') != NULL)
		return false;
	if (ret_leaf != NULL)
		*ret_leaf = leaf;
	return true;
}

static bool
applies(const struct gan_schema_row *row, unsigned kinds)
{
	return row->kinds == 0 || kinds == 0 || (row->kinds & kinds) != 0;
}

const struct gan_schema_row *
gan_schema_next(const char *parent, unsigned kinds, size_t *pos)
{
	/* A connector's own keys first, then those that it shares with `deliver`. */
	size_t rounds = strcmp(parent, "connectors.*") == 0 ? 2 : 1;

	for (; *pos < gan_schema_nrows * rounds; (*pos)++) {
		const struct gan_schema_row *row = &gan_schema_rows[*pos % gan_schema_nrows];

		if (applies(row, kinds) &&
		    gan_schema_below(*pos < gan_schema_nrows ? parent : "deliver", row, NULL)) {
			(*pos)++;
			return row;
		}
	}
	return NULL;
}

const struct gan_schema_row *
gan_schema_find(const char *parent, const char *key, unsigned kinds)
{
	const struct gan_schema_row *row;

	for (size_t pos = 0; (row = gan_schema_next(parent, kinds, &pos)) != NULL;) {
		const char *dot = strrchr(row->path, '.');
		const char *leaf = dot != NULL ? dot + 1 : row->path;

		if (strcmp(leaf, key) == 0)
			return row;
	}
	return NULL;
}

const char *
gan_schema_choice(const char *choices, unsigned i, char *out, size_t outsz)
{
	for (; i > 0; i--) {
		choices = strchr(choices, '|');
		if (choices == NULL)
			return NULL;
		choices++;
	}
	(void)snprintf(out, outsz, "%.*s", (int)strcspn(choices, "|"), choices);
	return out;
}

int
gan_schema_choice_find(const char *choices, const char *text)
{
	char name[64];

	for (unsigned i = 0; gan_schema_choice(choices, i, name, sizeof(name)) != NULL; i++) {
		if (strcmp(name, text) == 0)
			return (int)i;
	}
	return -1;
}

static void
append_kinds(unsigned kinds, const char *parent, unsigned shift, char *out, size_t outsz)
{
	const struct gan_schema_row *row = gan_schema_find(parent, "kind", 0);
	char name[64];
	size_t n;

	gan_must(row != NULL);
	for (unsigned i = 0; gan_schema_choice(row->choices, i, name, sizeof(name)) != NULL; i++) {
		n = strlen(out);
		if ((kinds & (1u << (shift + i))) != 0)
			(void)snprintf(out + n, outsz - n, "%s%s", n > 0 ? ", " : "", name);
	}
}

char *
gan_schema_kind_names(unsigned kinds, char *out, size_t outsz)
{
	out[0] = '\0';
	append_kinds(kinds, "sources.*", 0, out, outsz);
	append_kinds(kinds, "connectors.*", 8, out, outsz);
	return out;
}

char *
gan_schema_help(const struct gan_schema_row *row, char *out, size_t outsz)
{
	size_t n = 0;

	for (const char *p = row->help; *p != '\0' && n + 1 < outsz; p++) {
		bool inside = p > row->help && isalnum((unsigned char)p[-1]) != 0 &&
			      isalnum((unsigned char)p[1]) != 0;

		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '*' || (*p == '_' && !inside))
			continue;
		out[n++] = *p;
	}
	out[n] = '\0';
	return out;
}

char *
gan_schema_bound(const struct gan_schema_row *row, int64_t v, char *out, size_t outsz)
{
	if (v == 0 && row->type != GAN_T_PERCENT)
		(void)snprintf(out, outsz, "0");
	else if (row->type == GAN_T_DURATION)
		return gan_duration_format(v, out, outsz);
	else if (row->type == GAN_T_SIZE)
		return gan_size_format(v, out, outsz);
	else
		(void)snprintf(
		    out, outsz, "%" PRId64 "%s", v, row->type == GAN_T_PERCENT ? "%" : "");
	return out;
}
