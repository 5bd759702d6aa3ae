/* SPDX-License-Identifier: MIT */
/*
 * yaml.h - YAML 1.2 (core schema) as a tree with positions; the only door to
 * libfyaml.
 *
 * The tree is a copy of the document: plain C structs, immutable, one
 * allocation owner (gan_yaml_free).  Refused, with a position: syntax errors,
 * duplicate keys, keys that are no plain text, anchors and aliases (a short
 * file could expand without end), tags, more than one document, nesting
 * beyond 64, more than 100,000 nodes, bytes that are not UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum gan_yaml_kind {
	GAN_YAML_NULL,
	GAN_YAML_BOOL,
	GAN_YAML_INT,
	GAN_YAML_FLOAT,
	GAN_YAML_STR,
	GAN_YAML_SEQ,
	GAN_YAML_MAP,
};

struct gan_yaml_node {
	enum gan_yaml_kind kind;
	bool quoted; /* 'x' or "x": a text whatever it looks like */
	bool block;  /* | or >: `line` is then the first line of the content */
	int line,
	    col; /* 1-based, of the value; of a block scalar: of its content's first character */
	int end_line; /* the last line that the value touches */
	char *text;   /* scalars: as written (escapes resolved), NUL-terminated */
	size_t len;
	struct gan_yaml_node *key;   /* in a mapping: this value's key */
	struct gan_yaml_node *child; /* first item or value */
	struct gan_yaml_node *next;  /* next sibling */
	size_t nchild;
};

struct gan_yaml; /* a document; keeps the source text for excerpts */

#define GAN_YAML_MAX (16u << 20) /* bytes */
#define GAN_YAML_DEPTH 64
#define GAN_YAML_NODES 100000

/*
 * Parse len bytes; name is used in messages.  On failure the message in err
 * is "name:line:col: error: what" followed by "\n", the excerpt and the caret:
 * a finding as below, for gan_diag_err().  Nothing is ever printed.
 */
GAN_MUST_CHECK int gan_yaml_parse(
    const char *name, const char *text, size_t len, struct gan_yaml **ret_doc, struct gan_err *err);
void gan_yaml_free(struct gan_yaml **docp);

const struct gan_yaml_node *gan_yaml_root(const struct gan_yaml *doc); /* NULL: empty document */

/* Value of a key in a mapping, or NULL. */
const struct gan_yaml_node *gan_yaml_get(const struct gan_yaml_node *map, const char *key);

/*
 * Append a node as JSON: numbers as written, everything else as YAML's core
 * schema says.  What JSON cannot write as a number (.inf, .nan, hexadecimals
 * beyond 64 bits) becomes a text.
 */
void gan_yaml_json(const struct gan_yaml_node *node, struct gan_buf *out);

/*
 * A list of findings, each printed as
 *
 *	gantry.yaml:12:7: error: unknown key 'max_bdy', did you mean 'max_body'?
 *	   12 |       max_bdy: 1MiB
 *	      |       ^
 */
enum gan_diag_level {
	GAN_DIAG_ERROR,
	GAN_DIAG_WARNING,
};

struct gan_diags {
	struct gan_buf text; /* all of them, in order, ready to print */
	char first[512];     /* the first error's first line, for one-line uses */
	unsigned errors;
	unsigned warnings;
};

void gan_diags_fini(struct gan_diags *d); /* also a GAN_AUTO handler */

/* No more are shown, only counted: not worth a search for what was meant. */
bool gan_diags_full(const struct gan_diags *d);

/* Append what was found elsewhere. */
void gan_diags_add(struct gan_diags *d, const struct gan_diags *more);

/* With position and excerpt, at line:col of the document. */
void gan_diag_at(struct gan_diags *d, enum gan_diag_level level, const struct gan_yaml *doc,
    int line, int col, const char *fmt, ...) GAN_PRINTF(6, 7);
void gan_diag_node(struct gan_diags *d, enum gan_diag_level level, const struct gan_yaml *doc,
    const struct gan_yaml_node *node, const char *fmt, ...) GAN_PRINTF(5, 6);

/*
 * Never show the lines of this value (and its key) in an excerpt: it may be a
 * secret that somebody wrote into the file.  Call before the first finding.
 */
void gan_yaml_hide(struct gan_yaml *doc, const struct gan_yaml_node *node);

/* A message that is a finding already: of gan_yaml_parse(). */
void gan_diag_err(struct gan_diags *d, const struct gan_err *err);

/* Without a position: "name: error: ...". */
void gan_diag_file(struct gan_diags *d, enum gan_diag_level level, const char *name,
    const char *fmt, ...) GAN_PRINTF(4, 5);
