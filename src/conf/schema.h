/* SPDX-License-Identifier: MIT */
/*
 * schema.h - the keys of gantry.yaml: one row per key gives its type, default,
 * bounds, help and the place where it is stored.
 *
 * The same table drives loading, defaults, "did you mean", the JSON Schema and
 * the KEYS section of gantry.yaml(5).  A path names a key: "listen.public.max_body";
 * "*" stands for a name that the user chooses, "[]" for the items of a list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gan_buf;

enum gan_schema_type {
	GAN_T_MAP,   /* a mapping with the keys below it */
	GAN_T_NAMED, /* a mapping from names to values of the row "*" */
	GAN_T_LIST,  /* a list of values of the row "[]", max items */
	GAN_T_BOOL,
	GAN_T_INT,
	GAN_T_FLOAT,
	GAN_T_PERCENT,
	GAN_T_DURATION,
	GAN_T_SIZE,
	GAN_T_ENUM,
	GAN_T_TEXT, /* min and max: its length in bytes */
	GAN_T_ZONE,
	GAN_T_PATH,
	GAN_T_URL,
	GAN_T_ADDRESS, /* numeric host and port */
	GAN_T_IP,
	GAN_T_HEADER, /* a header's name, stored in lower case */
	GAN_T_SECRET,
	GAN_T_SECRETS, /* one, or a list of one or two: GAN_SECRETS_MAX of struct gan_secret */
	GAN_T_SCALAR,  /* a text, a number, true or false; stored by whoever owns its list */
};

/* Kinds of sources and connectors, as bits; 0 in a row means all. */
enum gan_schema_kind {
	GAN_K_WEBHOOK = 1 << 0, /* GAN_SOURCE_WEBHOOK and so on, in the order of the enums */
	GAN_K_FEED = 1 << 1,
	GAN_K_ERP = 1 << 2,
	GAN_K_MOVILITAS = 1 << 8,
	GAN_K_FLEX2B = 1 << 9,
	GAN_K_PRODSMART = 1 << 10,
	GAN_K_HTTP = 1 << 11,
	GAN_K_PULL = 1 << 12,
};
#define GAN_K_SOURCE(kind) (1u << (kind))
#define GAN_K_CONNECTOR(kind) (1u << (8 + (kind)))

enum gan_schema_flag {
	GAN_F_REQUIRED = 1 << 0,
	GAN_F_LATER = 1 << 1,   /* checked, warned of, without effect */
	GAN_F_OR_MAP = 1 << 2,  /* may be a mapping with the keys below it instead */
	GAN_F_KIND = 1 << 3,    /* the key that decides which other keys apply */
	GAN_F_QUERY = 1 << 4,   /* a URL that may have a query */
	GAN_F_STRONG = 1 << 5,  /* a secret that is a key: warn when it is short */
	GAN_F_DELIVER = 1 << 6, /* a section whose keys may stand in each connector */
};

struct gan_schema_row {
	const char *path;
	enum gan_schema_type type;
	unsigned kinds;
	unsigned flags;
	const char *dflt; /* as one would write it, or NULL */
	int64_t min, max;
	const char *choices; /* "a|b|c"; an enum stores min + the number of the choice */
	/* Where, in the struct of its section: gan_config, gan_conf_deliver (deliver.…),
	 * gan_conf_source (sources.*.…), gan_conf_connector (connectors.*.…) or
	 * gan_conf_operation (connectors.*.operations.*.…). */
	size_t offset, size; /* size 0: only checked */
	const char *help;    /* in scdoc's language: *literal*, _name_ */
};

extern const struct gan_schema_row gan_schema_rows[];
extern const size_t gan_schema_nrows;

/* Is row directly below the section `parent` ("" for the file)? ret_leaf: its own name. */
bool gan_schema_below(const char *parent, const struct gan_schema_row *row, const char **ret_leaf);

/*
 * The row of a key in a section.  kinds: the kind of the source or connector we
 * are in, as a bit, or 0.  The keys of `deliver` are found in "connectors.*" too.
 * NULL when there is none (for this kind).
 */
const struct gan_schema_row *gan_schema_find(const char *parent, const char *key, unsigned kinds);

/* Walk the rows directly below a section, likewise; start with *pos = 0. */
const struct gan_schema_row *gan_schema_next(const char *parent, unsigned kinds, size_t *pos);

/* Choice number i into out, or NULL; the number of a choice, or -1. */
const char *gan_schema_choice(const char *choices, unsigned i, char *out, size_t outsz);
int gan_schema_choice_find(const char *choices, const char *text);

/* The kinds in a mask, by name: "movilitas, http"; "" for 0.  Returns out. */
char *gan_schema_kind_names(unsigned kinds, char *out, size_t outsz);

/* A row's help without the marks of the manual page's language; returns out. */
char *gan_schema_help(const struct gan_schema_row *row, char *out, size_t outsz);

/* A row's bounds as people write them ("1KiB"); returns out. */
char *gan_schema_bound(const struct gan_schema_row *row, int64_t v, char *out, size_t outsz);

/* JSON Schema (draft 2020-12) of gantry.yaml, for editors: `gantryd --print-schema`. */
GAN_MUST_CHECK int gan_schema_json(struct gan_buf *out);

/* The KEYS section of gantry.yaml(5), in scdoc's language. */
GAN_MUST_CHECK int gan_schema_reference(struct gan_buf *out);
