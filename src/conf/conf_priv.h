/* SPDX-License-Identifier: MIT */
/* conf_priv.h - what the files that load and write a configuration share. */
#pragma once

#include <stdbool.h>

#include "conf/config.h"
#include "conf/operation.h"
#include "conf/schema.h"
#include "conf/yaml.h"

/* The structs that rows point into; NULL: check only. */
struct gan_bases {
	void *own;                        /* gan_config, gan_conf_source or gan_conf_connector */
	struct gan_conf_deliver *deliver; /* for the rows deliver.* */
};

struct gan_loader {
	struct gan_config *conf;
	struct gan_yaml *doc;
	struct gan_diags *d;
	bool read_secrets;
	bool no_memory;
};

/* Load the keys of one section; kinds as in gan_schema_find(). */
void gan_load_section(struct gan_loader *l, const char *parent, unsigned kinds,
    const struct gan_yaml_node *map, const struct gan_bases *at);

/* Load sources and connectors, when everything else is there. */
void gan_load_sources(struct gan_loader *l, const struct gan_yaml_node *map);
void gan_load_connectors(struct gan_loader *l, const struct gan_yaml_node *map);

/* load_http.c: headers, and the files of a client certificate. */
void gan_load_headers(
    struct gan_loader *l, struct gan_conf_connector *c, const struct gan_yaml_node *map);
void gan_load_mtls(
    struct gan_loader *l, struct gan_conf_connector *c, const struct gan_yaml_node *mtls);
void gan_headers_free(struct gan_conf_connector *c);

/* load_prodsmart.c */
void gan_load_query_names(
    struct gan_loader *l, struct gan_conf_connector *c, const struct gan_yaml_node *map);
void gan_query_names_free(struct gan_conf_connector *c);
/* Does a header of this name carry credentials? */
bool gan_header_is_secret(const char *name);

/* load_operations.c: what `operations:` declares. */
void gan_load_operations(struct gan_loader *l, struct gan_conf_connector *c, unsigned kinds,
    const struct gan_yaml_node *map);
void gan_operations_free(struct gan_conf_connector *c);
/* Channels and reconciliation of a source; and, when connectors are there, whom they ask. */
void gan_load_changes(
    struct gan_loader *l, struct gan_conf_source *s, const struct gan_yaml_node *source);
void gan_load_links(struct gan_loader *l, const struct gan_yaml_node *sources);

/* Fill in the defaults of the rows below a section, recursively. */
void gan_load_defaults(
    struct gan_loader *l, const char *parent, unsigned kinds, const struct gan_bases *at);

/* Hide every line that holds a plain text where a secret is, or may be, meant. */
void gan_load_hide(struct gan_yaml *doc);

/* Where in its section a row's value is; NULL when it is not stored. */
void *gan_row_place(const struct gan_schema_row *row, const struct gan_bases *at);

/* Check one scalar against its row and store it. */
void gan_value_load(struct gan_loader *l, const struct gan_schema_row *row,
    const struct gan_yaml_node *n, const struct gan_bases *at);

/* The same for a row's default. */
void gan_value_default(
    struct gan_loader *l, const struct gan_schema_row *row, const struct gan_bases *at);

/* Free what a row's value owns. */
void gan_value_free(const struct gan_schema_row *row, const struct gan_bases *at);

/* How a value of this type is described in a message: "a duration such as 30s". */
void gan_value_wanted(const struct gan_schema_row *row, char *out, size_t outsz);

/* "'key'", or "an item of 'key'"; returns out. */
char *gan_row_label(
    const struct gan_schema_row *row, const struct gan_yaml_node *n, char *out, size_t outsz);

/* The nearer of two suggestions: true when name is close to wanted, and closer than *best. */
bool gan_nearer(const char *wanted, const char *name, size_t *best);

/* NULL when fine, else what is wrong with a URL: "has a user name in it, …". */
const char *gan_url_wrong(const char *url, bool query_allowed);

/* "127.0.0.1:8480", "[::1]:8480"; host is to free(). */
bool gan_address_parse(const char *text, char **ret_host, uint16_t *ret_port);
bool gan_is_loopback(const char *numeric_host);
