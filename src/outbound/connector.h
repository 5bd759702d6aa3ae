/* SPDX-License-Identifier: MIT */
/*
 * connector.h - the kinds of remote systems as tables: which operations they
 * have, what a body must look like, how a request is dressed and how an answer
 * is read.  Pure but for memory: nothing here sends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/config.h"
#include "outbound/transfer.h"
#include "outbound/verdict.h"
#include "json/cj.h"

enum gan_field_type {
	GAN_FIELD_STRING,
	GAN_FIELD_BOOL,
	GAN_FIELD_STRINGS, /* array of texts, at least one */
	GAN_FIELD_OBJECTS, /* array of objects, at least one */
};

struct gan_field {
	const char *name;
	enum gan_field_type type;
	bool required;
	const char *allowed; /* texts: the permitted ones, each with a space behind it; or NULL */
	size_t max_items;
};

struct gan_operation {
	const char *name;
	const char *method;
	const char *path; /* behind base_url */
	enum gan_repeat repeat;
	const struct gan_field *fields;
	size_t nfields;
};

/* What was asked, for reading the answer. */
struct gan_asked {
	const char *body;
	size_t body_len;
	bool maybe_sent; /* an earlier attempt may have been carried out, whatever a person said */
};

enum gan_token_mode {
	GAN_TOKEN_STATIC,  /* stands in the configuration */
	GAN_TOKEN_FETCHED, /* asked for, and again when it ends */
};

/* A fetched token. */
struct gan_token_life {
	char *token;
	int64_t use_ms; /* requests may start with it this long, from before the fetch */
};

struct gan_kind {
	const char *name;
	const struct gan_operation *operations;
	size_t noperations;

	/* Beyond the field table. warning: "" or what `warn` settings let pass. */
	int (*check)(const struct gan_conf_connector *c, const struct gan_operation *op,
	    const cJSON *body, char warning[256], struct gan_err *err);
	int (*dress)(const struct gan_conf_connector *c, const char *token, struct gan_wire *req,
	    struct gan_err *err);
	void (*judge)(const struct gan_operation *op, const struct gan_asked *asked,
	    const struct gan_response *resp, struct gan_judged *ret);

	enum gan_token_mode (*token_mode)(const struct gan_conf_connector *c);
	/* May own the body: *ret_body is overwritten and freed by the caller. */
	int (*token_request)(const struct gan_conf_connector *c, struct gan_wire *req,
	    char **ret_body, struct gan_err *err);
	/* A complete 2xx answer. GAN_EAUTH: refused; GAN_EPARSE: it makes no sense. */
	int (*token_read)(const struct gan_response *resp, int64_t now_ms,
	    struct gan_token_life *ret_life, struct gan_err *err);
};

extern const struct gan_kind gan_kind_movilitas;
extern const struct gan_kind gan_kind_flex2b;

/* NULL: not built yet. */
const struct gan_kind *gan_kind_of(enum gan_connector_kind kind);
const char *gan_kind_name(enum gan_connector_kind kind);

const struct gan_operation *gan_kind_operation(const struct gan_kind *kind, const char *name);

/*
 * Is this a body that the operation takes?  GAN_EINVAL names the field and the
 * reason: the request is not worth sending.
 */
GAN_MUST_CHECK int gan_connector_check(const struct gan_conf_connector *c,
    const struct gan_operation *op, const char *body, size_t len, char warning[256],
    struct gan_err *err);

/* The request, ready to start; body must live until then. */
GAN_MUST_CHECK int gan_connector_build(const struct gan_conf_connector *c,
    const struct gan_operation *op, const char *body, size_t len, const char *token,
    struct gan_wire *req, struct gan_err *err);

/* Have all its secrets replaced where an answer repeats them. */
GAN_MUST_CHECK int gan_connector_hide(
    const struct gan_conf_connector *c, struct gan_wire *req, struct gan_err *err);

/* For judges: "HTTP 400: <message> (<code>)" from the usual members of an error object. */
void gan_connector_vendor_text(const cJSON *tree, int status, char *out, size_t outsz);

/* For judges: the answer as the delivery's response when it is a JSON object of modest size. */
char *gan_connector_keep(const cJSON *tree, const struct gan_response *resp);
