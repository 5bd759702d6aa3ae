/* SPDX-License-Identifier: MIT */
/* yaml_priv.h - what yaml.c, yaml_scalar.c and diag.c share. */
#pragma once

#include "conf/yaml.h"

struct gan_yaml {
	char *name;
	char *src; /* without a byte order mark; NUL behind it */
	size_t len;
	struct gan_yaml_node *root;
	bool parsed;           /* to its end: a schema can say what is a secret */
	unsigned char *hidden; /* one byte per line, or NULL: no line is hidden */
	int nlines;
	bool hide_all; /* no memory for the list: show nothing rather than too much */
};

/* Append "name:line:col: level: text", the excerpt and the caret. */
void gan_diag_render(struct gan_buf *out, enum gan_diag_level level, const struct gan_yaml *doc,
    int line, int col, const char *text);

/* The bytes of a line, without its end; false when there is no such line. */
bool gan_yaml_line(const struct gan_yaml *doc, int line, const char **ret_p, size_t *ret_n);

/* What a plain scalar is in the core schema. */
enum gan_yaml_kind gan_yaml_plain_kind(const char *text, size_t len);
