/* SPDX-License-Identifier: MIT */
/* connector.c - what all kinds share; see connector.h. */
#include "outbound/connector.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "outbound/fields.h"
#include "outbound/gs1_fields.h"
#include "outbound/outbound.h"
#include "outbound/params.h"
#include "outbound/parts.h"
#include "json/cj.h"

#define RESPONSE_KEPT_MAX ((size_t)16 << 10)
#define OPERATION_NAME_MAX 64

const struct gan_kind *
gan_kind_of(enum gan_connector_kind kind)
{
	switch (kind) {
	case GAN_CONNECTOR_MOVILITAS:
		return &gan_kind_movilitas;
	case GAN_CONNECTOR_FLEX2B:
		return &gan_kind_flex2b;
	case GAN_CONNECTOR_PRODSMART:
		return &gan_kind_prodsmart;
	case GAN_CONNECTOR_HTTP:
		return &gan_kind_http;
	case GAN_CONNECTOR_PULL:
		break;
	}
	return NULL;
}

const char *
gan_kind_name(enum gan_connector_kind kind)
{
	static const char *const names[] = { "movilitas", "flex2b", "prodsmart", "http", "pull" };

	return names[kind];
}

const struct gan_operation *
gan_connector_operation(const struct gan_conf_connector *c, const char *name)
{
	const struct gan_kind *kind = gan_kind_of(c->kind);

	/* Declared ones first: they may stand for one of ours that the vendor has changed. */
	for (size_t i = 0; kind != NULL && i < c->noperations; i++)
		if (strcmp(c->operations[i].op.name, name) == 0)
			return &c->operations[i].op;
	for (size_t i = 0; kind != NULL && i < kind->noperations; i++)
		if (strcmp(kind->operations[i].name, name) == 0)
			return &kind->operations[i];
	return NULL;
}

/* "suppliers" of "suppliers.create". */
static bool
same_family(const char *a, const char *b)
{
	size_t n = strcspn(a, ".");

	return strncmp(a, b, n) == 0 && b[n] == '.';
}

static int
no_operation(const struct gan_conf_connector *c, const struct gan_kind *kind, const char *name,
    struct gan_err *err)
{
	size_t n = kind->noperations + c->noperations;
	bool many = n > 8;
	char all[320] = "";
	const char *near = NULL;
	size_t best = 4; /* further away is another word */

	for (size_t i = 0; i < n; i++) {
		const char *known = i < kind->noperations
					? kind->operations[i].name
					: c->operations[i - kind->noperations].op.name;
		size_t d = gan_distance(name, known), used = strlen(all);

		if (d < best) {
			best = d;
			near = known;
		}
		if (!many || same_family(name, known))
			snprintf(
			    all + used, sizeof(all) - used, "%s%s", used > 0 ? ", " : "", known);
	}
	if (near != NULL)
		return gan_err_set(err, GAN_ENOENT,
		    "connector %s has no operation %s, did you mean %s?", c->name, name, near);
	if (n == 0)
		return gan_err_set(err, GAN_ENOENT,
		    "connector %s has no operation %s: declare it under 'operations' of the "
		    "connector in gantry.yaml",
		    c->name, name);
	return gan_err_set(err, GAN_ENOENT, "connector %s has no operation %s; %s%s", c->name, name,
	    all[0] != '\0' ? "it has: " : "gantry-rules(5) lists them under OPERATIONS", all);
}

/* Its operations are names that the reader tells its messages apart by. */
static int
knows_pull(const struct gan_conf_connector *c, const char *operation, bool on_unknown_set,
    enum gan_on_unknown on_unknown, struct gan_err *err)
{
	size_t n = strlen(operation);

	if (n > OPERATION_NAME_MAX ||
	    strspn(operation, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != n)
		return gan_err_set(err, GAN_EINVAL,
		    "'%s' cannot be an operation of connector %s: use 1 to %d characters of a-z, "
		    "0-9, '.', '-' and '_'",
		    operation, c->name, OPERATION_NAME_MAX);
	if (on_unknown_set && on_unknown != GAN_ON_UNKNOWN_HOLD)
		return gan_err_set(err, GAN_ECONFIG,
		    "connector %s is read by its receiver, who acknowledges: leave on_unknown out",
		    c->name);
	return GAN_OK;
}

int
gan_outbound_knows(const struct gan_conf_connector *c, const char *operation, bool on_unknown_set,
    enum gan_on_unknown on_unknown, struct gan_err *err)
{
	const struct gan_kind *kind = gan_kind_of(c->kind);
	const struct gan_operation *op;

	if (c->kind == GAN_CONNECTOR_PULL)
		return knows_pull(c, operation, on_unknown_set, on_unknown, err);
	if (kind == NULL)
		return gan_err_set(err, GAN_ECONFIG,
		    "connector %s is of kind %s, which this version cannot send to yet", c->name,
		    gan_kind_name(c->kind));
	op = gan_connector_operation(c, operation);
	if (op == NULL)
		return no_operation(c, kind, operation, err);
	if (on_unknown_set && on_unknown == GAN_ON_UNKNOWN_RESEND &&
	    (op->repeat == GAN_REPEAT_HOLD || op->repeat == GAN_REPEAT_PROBE))
		return gan_err_set(err, GAN_ECONFIG,
		    "on_unknown: resend is not possible for %s/%s: repeating it can do harm; use hold%s",
		    c->name, operation, op->probe != NULL ? " or probe" : "");
	if (on_unknown_set && on_unknown == GAN_ON_UNKNOWN_PROBE && op->probe == NULL &&
	    op->repeat != GAN_REPEAT_SAFE)
		return gan_err_set(err, GAN_ECONFIG,
		    "on_unknown: probe is not possible for %s/%s: there is nothing to look with; "
		    "use hold",
		    c->name, operation);
	return GAN_OK;
}

enum gan_on_unknown
gan_outbound_on_unknown(
    const struct gan_conf_connector *c, const char *operation, enum gan_on_unknown wanted)
{
	const struct gan_operation *op = gan_connector_operation(c, operation);

	if (wanted == GAN_ON_UNKNOWN_PROBE && (op == NULL || op->probe == NULL))
		return GAN_ON_UNKNOWN_HOLD;
	return wanted;
}

/* Does the span hold what a rule may write for "no body": nothing, null or {}? */
static int
check_no_body(const struct gan_operation *op, const struct gan_span *body, struct gan_err *err)
{
	if (gan_span_empty(body))
		return GAN_OK;
	return gan_err_set(err, GAN_EINVAL, "%s takes no body: %s", op->name,
	    strchr(op->path, '{') != NULL ? "what it is about stands in $path"
					  : "what it is asked stands in $query");
}

/* Where nothing but a body is possible, say so in these words. */
static int
check_only_body(const struct gan_operation *op, const struct gan_parts *parts, struct gan_err *err)
{
	if (strchr(op->path, '{') != NULL || op->nquery > 0 || op->any_query)
		return GAN_OK;
	if (gan_span_empty(&parts->path) && gan_span_empty(&parts->query))
		return GAN_OK;
	return gan_err_set(err, GAN_EINVAL,
	    "$path and $query have no meaning here: %s always goes to %s", op->name, op->path);
}

static int
check_body(const struct gan_operation *op, const struct gan_span *span, cJSON **ret_tree,
    struct gan_err *err)
{
	cJSON *tree;
	int rc;

	if (op->body == GAN_BODY_NONE || op->body == GAN_BODY_EMPTY)
		return check_no_body(op, span, err);
	if (span->p == NULL && op->body == GAN_BODY_ANY && op->nfields == 0)
		return GAN_OK;
	if (span->p == NULL)
		return gan_err_set(err, GAN_EINVAL, "$body is missing");
	rc = gan_cj_parse(span->p, span->len, ret_tree, err);
	if (rc < 0)
		return gan_err_wrap(err, rc == GAN_EPARSE ? GAN_EINVAL : rc, "body");
	tree = *ret_tree;
	if (op->body == GAN_BODY_ANY && op->nfields == 0)
		return GAN_OK;
	if (!cJSON_IsObject(tree))
		return gan_err_set(err, GAN_EINVAL, "the body must be a JSON object%s%s%s",
		    op->nfields > 0 ? " with the member " : "",
		    op->nfields > 0 ? op->fields[0].name : "",
		    op->nfields > 1 ? " and others" : "");
	return gan_fields_check(op->fields, op->nfields, tree, err);
}

int
gan_connector_check(const struct gan_conf_connector *c, const struct gan_operation *op,
    const char *output, size_t len, char warning[256], struct gan_err *err)
{
	const struct gan_kind *kind = gan_kind_of(c->kind);
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_parts parts;
	int rc = gan_parts_split(output, len, &parts, err);

	gan_must(kind != NULL); /* it has an operation */
	warning[0] = '\0';
	/* cJSON ends a text there, so the rest would go out unchecked. */
	if (rc == GAN_OK && memmem(output, len, "\\u0000", 6) != NULL)
		return gan_err_set(err, GAN_EINVAL, "the body holds the character \\u0000");
	if (rc == GAN_OK)
		rc = check_only_body(op, &parts, err);
	if (rc == GAN_OK)
		rc = gan_params_check(op, &parts, err);
	if (rc == GAN_OK)
		rc = check_body(op, &parts.body, &tree, err);
	if (rc == GAN_OK)
		rc = gan_gs1_fields(c, op, tree, warning, err);
	if (rc == GAN_OK && kind->check != NULL)
		rc = kind->check(c, op, tree, warning, err);
	return rc;
}

int
gan_outbound_takes(const struct gan_conf_connector *c, const char *operation, const char *output,
    size_t len, char warning[256], struct gan_err *err)
{
	const struct gan_operation *op = gan_connector_operation(c, operation);

	warning[0] = '\0';
	return op == NULL ? GAN_OK : gan_connector_check(c, op, output, len, warning, err);
}

static void
put_body(const struct gan_operation *op, const struct gan_span *body, struct gan_wire *req)
{
	if (op->body == GAN_BODY_NONE)
		return;
	if (op->body == GAN_BODY_EMPTY) {
		req->body = "{}";
		req->body_len = 2;
		return;
	}
	req->body = body->p;
	req->body_len = body->len;
}

bool
gan_connector_no_token(const struct gan_conf_connector *c, const struct gan_operation *op)
{
	const struct gan_kind *kind = gan_kind_of(c->kind);

	return kind != NULL && kind->no_token != NULL && kind->no_token(c, op);
}

int
gan_connector_build(const struct gan_conf_connector *c, const struct gan_operation *op,
    const char *output, size_t len, const char *token, struct gan_wire *req, struct gan_err *err)
{
	struct gan_buf path GAN_AUTO(gan_buf_fini) = { 0 };
	const struct gan_kind *kind = gan_kind_of(c->kind);
	struct gan_parts parts;
	int rc = gan_parts_split(output, len, &parts, err);

	if (rc == GAN_OK)
		rc = gan_params_path(op, &parts.path, &path, err);
	if (rc < 0)
		return rc;
	gan_must(kind != NULL); /* it knew the operation */
	req->method = op->method;
	put_body(op, &parts.body, req);
	req->connect_ms = c->deliver.connect_ms;
	req->total_ms = c->deliver.total_ms;
	/* What a repeat is told apart by, curl must not repeat behind our back. */
	req->repeatable = op->repeat == GAN_REPEAT_SAFE && op->done == NULL;
	gan_connector_tls(c, req);
	rc = gan_wire_url(req, c->base_url, path.data, err);
	if (rc == GAN_OK)
		rc = gan_params_query(c, op, &parts.query, req, err);
	if (rc == GAN_OK)
		rc = kind->dress(c, op, token, req, err);
	return rc == GAN_OK ? gan_connector_hide(c, req, err) : rc;
}

void
gan_connector_tls(const struct gan_conf_connector *c, struct gan_wire *req)
{
	req->ca_file = c->ca_file;
	req->client_cert = c->auth.cert_pem.bytes;
	req->client_key = c->auth.key_pem.bytes;
}

/* The name of the user is no secret; in answers it may help. */
int
gan_connector_hide(const struct gan_conf_connector *c, struct gan_wire *req, struct gan_err *err)
{
	const struct gan_secret *const all[] = { &c->channel_key, &c->token, &c->api_key,
		&c->api_secret, &c->password, &c->auth.password, &c->auth.bearer,
		&c->auth.client_secret };
	int rc = GAN_OK;

	for (size_t i = 0; i < GAN_COUNT(all) && rc == GAN_OK; i++)
		if (all[i]->bytes != NULL)
			rc = gan_wire_hide(req, all[i]->bytes, all[i]->len, err);
	return rc;
}

/* A text, or one that is wrapped with its language, as OData does it. */
static const char *
text_of(const cJSON *tree, const char *name)
{
	const cJSON *v = gan_cj_get(tree, name);
	const char *s = cJSON_IsObject(v) ? gan_cj_str(v, "value") : gan_cj_str(tree, name);

	return s != NULL && s[0] != '\0' ? s : NULL;
}

static const char *
first_text(const cJSON *tree, const char *const *names, size_t n, const char *other_than)
{
	for (size_t i = 0; i < n; i++) {
		const char *s = text_of(tree, names[i]);

		if (s != NULL && s != other_than)
			return s;
	}
	return NULL;
}

void
gan_connector_vendor_text(const cJSON *tree, int status, char *out, size_t outsz)
{
	static const char *const texts[] = { "message", "ResponseMessage", "error_description",
		"error", "detail", "title" };
	static const char *const codes[] = { "code", "error_code", "name", "type", "error" };
	const cJSON *inner = gan_cj_get(tree, "error");
	const char *text, *code;
	char shown[300], named[64];

	if (cJSON_IsObject(inner))
		tree = inner;
	text = first_text(tree, texts, GAN_COUNT(texts), NULL);
	if (text == NULL)
		return; /* what stands there already shows the body */
	code = first_text(tree, codes, GAN_COUNT(codes), text);
	gan_printable(text, strlen(text), shown, sizeof(shown));
	if (code != NULL)
		snprintf(out, outsz, "HTTP %d: %s (%s)", status, shown,
		    gan_printable(code, strlen(code), named, sizeof(named)));
	else
		snprintf(out, outsz, "HTTP %d: %s", status, shown);
}

char *
gan_connector_keep(const cJSON *tree, const struct gan_response *resp)
{
	if ((!cJSON_IsObject(tree) && !cJSON_IsArray(tree)) || resp->body_len > RESPONSE_KEPT_MAX)
		return NULL;
	return gan_memdup(resp->body, resp->body_len);
}
