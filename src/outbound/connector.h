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
#include "conf/operation.h"
#include "outbound/transfer.h"
#include "outbound/verdict.h"
#include "json/cj.h"

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

	/*
	 * Beyond the field table; NULL: nothing.  body is NULL where there is none.
	 * warning: "" or what `warn` settings let pass.
	 */
	int (*check)(const struct gan_conf_connector *c, const struct gan_operation *op,
	    const cJSON *body, char warning[256], struct gan_err *err);
	/* token is NULL when gan_connector_no_token(). */
	int (*dress)(const struct gan_conf_connector *c, const struct gan_operation *op,
	    const char *token, struct gan_wire *req, struct gan_err *err);
	void (*judge)(const struct gan_operation *op, const struct gan_asked *asked,
	    const struct gan_response *resp, struct gan_judged *ret);

	enum gan_token_mode (*token_mode)(const struct gan_conf_connector *c);
	/* Is this operation asked without the token? NULL: none is. */
	bool (*no_token)(const struct gan_conf_connector *c, const struct gan_operation *op);
	/* May own the body: *ret_body is overwritten and freed by the caller. */
	int (*token_request)(const struct gan_conf_connector *c, struct gan_wire *req,
	    char **ret_body, struct gan_err *err);
	/* A complete 2xx answer. GAN_EAUTH: refused; GAN_EPARSE: it makes no sense. */
	int (*token_read)(const struct gan_response *resp, int64_t now_ms,
	    struct gan_token_life *ret_life, struct gan_err *err);
	/*
	 * Any other complete answer with a status: GAN_EAUTH or GAN_ENET with its reason
	 * in text, or GAN_OK: the status says it all.  NULL: it always does.
	 */
	int (*token_refused)(const struct gan_response *resp, char *text, size_t textsz);
};

extern const struct gan_kind gan_kind_movilitas;
extern const struct gan_kind gan_kind_flex2b;
extern const struct gan_kind gan_kind_prodsmart;
extern const struct gan_kind gan_kind_http;

/* NULL: nobody is called (pull). */
const struct gan_kind *gan_kind_of(enum gan_connector_kind kind);
const char *gan_kind_name(enum gan_connector_kind kind);

/* By its name, or NULL. Lives as long as the configuration that c is of. */
const struct gan_operation *gan_connector_operation(
    const struct gan_conf_connector *c, const char *name);

bool gan_connector_no_token(const struct gan_conf_connector *c, const struct gan_operation *op);

/*
 * Is this an output of a rule (see parts.h) that the operation takes?
 * GAN_EINVAL names the field ("$path.id", "products[2].quantity") and the
 * reason: the request is not worth sending.
 */
GAN_MUST_CHECK int gan_connector_check(const struct gan_conf_connector *c,
    const struct gan_operation *op, const char *output, size_t len, char warning[256],
    struct gan_err *err);

/*
 * The request, ready to start; output must live until then.  Its body goes out
 * byte by byte as the rule wrote it.  token is NULL when
 * gan_connector_no_token().
 */
GAN_MUST_CHECK int gan_connector_build(const struct gan_conf_connector *c,
    const struct gan_operation *op, const char *output, size_t len, const char *token,
    struct gan_wire *req, struct gan_err *err);

/* Whom to trust, and with which certificate to show up; borrowed from c. */
void gan_connector_tls(const struct gan_conf_connector *c, struct gan_wire *req);

/* Have all its secrets replaced where an answer repeats them. */
GAN_MUST_CHECK int gan_connector_hide(
    const struct gan_conf_connector *c, struct gan_wire *req, struct gan_err *err);

/* For judges: "HTTP 400: <message> (<code>)" from the usual members of an error object. */
void gan_connector_vendor_text(const cJSON *tree, int status, char *out, size_t outsz);

/* For judges: the answer as the delivery's response, a JSON object or array of modest size. */
char *gan_connector_keep(const cJSON *tree, const struct gan_response *resp);

/* All operations of a kind for gantry-rules(5), in scdoc's language. */
GAN_MUST_CHECK int gan_kind_reference(const struct gan_kind *kind, struct gan_buf *out);
