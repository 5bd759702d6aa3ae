/* SPDX-License-Identifier: MIT */
/* rules_priv.h - what the files that make a rule set share. */
#pragma once

#include "mapping/rules.h"

#define GAN_RULE_FILE_MAX ((size_t)1 << 20)
#define GAN_RULE_FILES_MAX 1000
#define GAN_RULES_MAX ((size_t)16 << 20) /* all rule files together */
#define GAN_TABLE_FILE_MAX ((size_t)64 << 20)
#define GAN_TABLES_MAX ((size_t)64 << 20) /* all tables of a set together */
#define GAN_RULE_TESTS_MAX 1000
#define GAN_RULE_AFTER_MAX 16

/* One file that was read, as it goes into the packed copy. */
struct gan_rule_file {
	char *name; /* relative to the folder of gantry.yaml */
	char *data; /* NUL behind it */
	size_t len;
	bool rule;
	char *table; /* its JSON, once somebody asked for it as a table */
};

struct gan_rule_files {
	const char *dir;                /* NULL: packed, nothing is read from disk */
	const char *secrets, *database; /* what no rule may read */
	struct gan_rule_file **items;
	size_t n, cap;
	size_t rule_bytes, table_bytes;
};

void gan_rule_files_fini(struct gan_rule_files *f);

/*
 * Find every rule file of conf->mapping.rules, in name order: the folder as it
 * was at one moment, so that a file that is renamed meanwhile is not missed.
 */
GAN_MUST_CHECK int gan_rule_files_scan(
    struct gan_rule_files *f, const struct gan_config *conf, struct gan_diags *d);

/* A file that a rule names; read once. */
GAN_MUST_CHECK int gan_rule_files_get(struct gan_rule_files *f, const char *name, size_t max,
    struct gan_rule_file **ret_file, struct gan_err *err);

GAN_MUST_CHECK int gan_rule_files_pack(const struct gan_rule_files *f, struct gan_buf *out);
GAN_MUST_CHECK int gan_rule_files_unpack(
    struct gan_rule_files *f, const void *blob, size_t len, struct gan_err *err);

/* The set as it is kept: what callers see, and the files it was made of. */
struct gan_rule_set {
	struct gan_rules pub; /* first: callers hold a pointer to it */
	struct gan_rule_files files;
};

/* While a set is being made. */
struct gan_rule_loader {
	const struct gan_config *conf;
	const struct gan_rule_checks *checks;
	struct gan_rule_set *set;
	struct gan_diags *d;
};

/* One file's rule into *rule (zeroed, freed by the caller also after a failure). */
GAN_MUST_CHECK int gan_rule_parse(
    struct gan_rule_loader *l, const struct gan_rule_file *file, struct gan_rule *rule);
void gan_rule_fini(struct gan_rule *rule);

/* Parts of gan_rule_parse; findings go to l->d, only GAN_ENOMEM is returned. */
GAN_MUST_CHECK int gan_rule_parse_tests(
    struct gan_rule_loader *l, struct gan_rule *rule, const struct gan_yaml_node *node);
GAN_MUST_CHECK int gan_rule_parse_tables(
    struct gan_rule_loader *l, struct gan_rule *rule, const struct gan_yaml_node *node);
/* What its tests expect, held against the target: refusals into the tests, warnings to l->d. */
GAN_MUST_CHECK int gan_rule_check_expected(struct gan_rule_loader *l, struct gan_rule *rule);
GAN_MUST_CHECK int gan_rule_code(struct gan_rule_loader *l, struct gan_rule *rule,
    const struct gan_rule_file *file, const struct gan_yaml_node *node, const char *key,
    struct gan_rule_code *ret_code);

/* A text that listens to answers: do the connector and the operation exist?  Findings go to l->d.
 */
GAN_MUST_CHECK int gan_rule_check_answers(
    struct gan_rule_loader *l, const struct gan_rule *rule, const struct gan_yaml_node *node);
bool gan_rule_names_answers(const char *glob);

/* JSON of a node that is a constant of the rule; a finding when a double would change it. */
GAN_MUST_CHECK int gan_rule_json(struct gan_rule_loader *l, const struct gan_rule *rule,
    const struct gan_yaml_node *node, const char *what, char **ret_json);

/* The word among n (struct at p with a char * first, every stride bytes) closest to s, or NULL. */
const char *gan_rule_nearest(const char *s, const void *p, size_t n, size_t stride);

/*
 * Look through a piece of jq for what compiles but must not be used: closed
 * functions, import, $ENV, numbers that a double would change, brackets that
 * do not match, and `try` or `?` where jq 1.6 would also swallow what goes
 * wrong later.  Returns the number of findings.
 */
unsigned gan_rule_scan(
    const struct gan_rule *rule, const struct gan_rule_code *code, struct gan_diags *d);

/* Where line and column (1-based, in characters) of a piece of code stand in its file. */
void gan_rule_code_at(
    const struct gan_rule_code *code, int line, int col, int *ret_line, int *ret_col);
