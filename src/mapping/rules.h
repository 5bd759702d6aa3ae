/* SPDX-License-Identifier: MIT */
/*
 * rules.h - rule files and lookup tables as one immutable, counted set.
 *
 * A set is loaded from a folder (or from the packed copy that the store keeps
 * of the last green one), checked for form here, and compiled and tested by
 * mapping workers (pool.h): jq never runs in this process.  References are
 * touched by the loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"
#include "conf/yaml.h"

/* A piece of jq and where it stands in its file, to translate jq's positions. */
struct gan_rule_code {
	char *text;    /* NULL: the key is absent */
	int line, col; /* 1-based, of the first character of the code */
	bool block;    /* one line of code per line of the file, all indented by col - 1 */
};

struct gan_rule_test {
	char *name;
	int line;            /* of the test in its file */
	char *event;         /* JSON text */
	char *meta;          /* JSON object merged over the defaults, or NULL */
	char *expect;        /* JSON array, or NULL */
	char *expect_key;    /* JSON (string or array), or NULL */
	char *expect_effect; /* likewise */
	char *expect_reject; /* plain text, or NULL */
	/* Why the target would refuse an item of expect, and which; or NULL. */
	char *refused;
	size_t refused_item;
};

struct gan_rule {
	char *name;
	char *file; /* "rules.d/10-waste.yaml", as shown to people */
	char *description;
	bool enabled;
	char **from; /* globs over source/topic */
	size_t nfrom;
	char *connector, *operation; /* of `to` */
	struct gan_rule_code when, map, key, effect;
	struct gan_rule_code *after;
	size_t nafter;
	struct gan_rule_code newest; /* to workers it is one more of `after` */
	int64_t valid_for_ms;        /* 0: for ever */
	bool on_unknown_set;
	enum gan_on_unknown on_unknown;
	char *settings; /* JSON object */
	char *tables;   /* JSON object: name -> {key: value} */
	struct gan_rule_test *tests;
	size_t ntests;
	struct gan_yaml *doc;   /* for excerpts */
	unsigned char hash[32]; /* of everything that its program depends on */
};

struct gan_rules {
	unsigned refs;
	struct gan_rule
	    *rules; /* in the order of their files; enabled ones only count for matching */
	size_t nrules;
	uint64_t generation; /* set by whoever puts it in force */
};

/*
 * What only the side that sends knows of a rule's target.  Each is 0 when all is
 * fine, else a negative code with the reason in err; NULL is not asked.  Both are
 * called on any thread.
 */
struct gan_rule_checks {
	int (*knows)(const struct gan_conf_connector *c, const char *operation, bool on_unknown_set,
	    enum gan_on_unknown on_unknown, struct gan_err *err);
	/* Would this output be sent?  An operation that is not there takes everything. */
	int (*takes)(const struct gan_conf_connector *c, const char *operation, const char *output,
	    size_t len, char warning[256], struct gan_err *err);
};

/*
 * Read conf->mapping.rules/<name>.yaml in name order with the tables and event
 * files they name, and check everything that needs no jq: form, names, globs,
 * sources and connectors that exist (a typo gets a "did you mean"), operations
 * (asked through checks), on_unknown that the operation does not allow.  What
 * tests expect is held against the operation, too: a body that would be refused
 * is kept in the test and makes it red, a warning is told.  All findings go to d.
 * Returns 0, GAN_ECONFIG or GAN_ENOMEM.
 */
GAN_MUST_CHECK int gan_rules_load(const struct gan_config *conf,
    const struct gan_rule_checks *checks, struct gan_rules **ret_rules, struct gan_diags *d);

/* The same from a packed copy, and the packing (file names and bytes, nothing else). */
GAN_MUST_CHECK int gan_rules_unpack(const struct gan_config *conf,
    const struct gan_rule_checks *checks, const void *blob, size_t len,
    struct gan_rules **ret_rules, struct gan_diags *d);
GAN_MUST_CHECK int gan_rules_pack(const struct gan_rules *r, struct gan_buf *out);

struct gan_rules *gan_rules_ref(struct gan_rules *r);
void gan_rules_unref(struct gan_rules **rp); /* also a GAN_AUTO handler */

const struct gan_rule *gan_rules_find(const struct gan_rules *r, const char *name);

/* Does an enabled rule listen to this source and topic?  To answers only when it names them. */
bool gan_rule_listens(const struct gan_rule *rule, const char *source, const char *topic);
bool gan_rules_listen(const struct gan_rules *r, const char *source, const char *topic);

/* The globs of enabled rules that listen to answers, each with its NUL. */
GAN_MUST_CHECK int gan_rules_answers(const struct gan_rules *r, struct gan_buf *out);

/* JSON array for `rules list`: name, file, from, to, enabled, tests, description. */
GAN_MUST_CHECK int gan_rules_json(const struct gan_rules *r, struct gan_buf *out);
