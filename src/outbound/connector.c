/* SPDX-License-Identifier: MIT */
/* connector.c - what all kinds share; see connector.h. */
#include "outbound/connector.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "outbound/outbound.h"
#include "outbound/parts.h"
#include "json/cj.h"

#define RESPONSE_KEPT_MAX ((size_t)16 << 10)

const struct gan_kind *
gan_kind_of(enum gan_connector_kind kind)
{
	switch (kind) {
	case GAN_CONNECTOR_MOVILITAS:
		return &gan_kind_movilitas;
	case GAN_CONNECTOR_FLEX2B:
		return &gan_kind_flex2b;
	case GAN_CONNECTOR_PRODSMART:
	case GAN_CONNECTOR_HTTP:
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
gan_kind_operation(const struct gan_kind *kind, const char *name)
{
	for (size_t i = 0; kind != NULL && i < kind->noperations; i++)
		if (strcmp(kind->operations[i].name, name) == 0)
			return &kind->operations[i];
	return NULL;
}

static int
no_operation(const struct gan_conf_connector *c, const struct gan_kind *kind, const char *name,
    struct gan_err *err)
{
	char all[256] = "";
	const char *near = NULL;
	size_t best = 4; /* further away is another word */

	for (size_t i = 0; i < kind->noperations; i++) {
		const char *known = kind->operations[i].name;
		size_t d = gan_distance(name, known), used = strlen(all);

		if (d < best) {
			best = d;
			near = known;
		}
		snprintf(all + used, sizeof(all) - used, "%s%s", used > 0 ? ", " : "", known);
	}
	if (near != NULL)
		return gan_err_set(err, GAN_ENOENT,
		    "connector %s has no operation %s, did you mean %s?", c->name, name, near);
	return gan_err_set(
	    err, GAN_ENOENT, "connector %s has no operation %s; it has: %s", c->name, name, all);
}

int
gan_outbound_knows(const struct gan_conf_connector *c, const char *operation, bool on_unknown_set,
    enum gan_on_unknown on_unknown, struct gan_err *err)
{
	const struct gan_kind *kind = gan_kind_of(c->kind);
	const struct gan_operation *op;

	if (kind == NULL)
		return gan_err_set(err, GAN_ECONFIG,
		    "connector %s is of kind %s, which this version cannot send to yet", c->name,
		    gan_kind_name(c->kind));
	op = gan_kind_operation(kind, operation);
	if (op == NULL)
		return no_operation(c, kind, operation, err);
	if (on_unknown_set && on_unknown == GAN_ON_UNKNOWN_RESEND &&
	    (op->repeat == GAN_REPEAT_HOLD || op->repeat == GAN_REPEAT_PROBE))
		return gan_err_set(err, GAN_ECONFIG,
		    "on_unknown: resend is not possible for %s/%s: repeating it can do harm; use hold",
		    c->name, operation);
	return GAN_OK;
}

static int
check_items(const struct gan_field *f, const cJSON *list, struct gan_err *err)
{
	const cJSON *item;
	size_t n = 0;

	cJSON_ArrayForEach(item, list)
	{
		bool fits =
		    f->type == GAN_FIELD_STRINGS ? cJSON_IsString(item) : cJSON_IsObject(item);

		if (!fits)
			return gan_err_set(err, GAN_EINVAL, "%s[%zu] must be %s", f->name, n,
			    f->type == GAN_FIELD_STRINGS ? "a text" : "an object");
		n++;
	}
	if (n == 0)
		return gan_err_set(err, GAN_EINVAL, "%s is empty", f->name);
	if (f->max_items != 0 && n > f->max_items)
		return gan_err_set(err, GAN_EINVAL,
		    "%s has %zu items, at most %zu are sent in one request", f->name, n,
		    f->max_items);
	return GAN_OK;
}

static int
check_text(const struct gan_field *f, const char *text, struct gan_err *err)
{
	size_t n = strlen(text);
	char shown[64];

	if (n == 0)
		return gan_err_set(err, GAN_EINVAL, "%s is empty", f->name);
	if (f->allowed == NULL)
		return GAN_OK;
	for (const char *p = f->allowed; *p != '\0'; p = strchr(p, ' ') + 1)
		if (strncmp(p, text, n) == 0 && p[n] == ' ')
			return GAN_OK;
	return gan_err_set(err, GAN_EINVAL, "%s is \"%s\", allowed: %s", f->name,
	    gan_printable(text, n, shown, sizeof(shown)), f->allowed);
}

static int
check_field(const struct gan_field *f, const cJSON *body, struct gan_err *err)
{
	const cJSON *v = gan_cj_get(body, f->name);

	if (v == NULL)
		return f->required ? gan_err_set(err, GAN_EINVAL, "%s is missing", f->name)
				   : GAN_OK;
	switch (f->type) {
	case GAN_FIELD_STRING:
		if (!cJSON_IsString(v))
			return gan_err_set(err, GAN_EINVAL, "%s must be a text", f->name);
		return check_text(f, v->valuestring, err);
	case GAN_FIELD_BOOL:
		if (!cJSON_IsBool(v))
			return gan_err_set(
			    err, GAN_EINVAL, "%s must be true or false, without quotes", f->name);
		return GAN_OK;
	case GAN_FIELD_STRINGS:
	case GAN_FIELD_OBJECTS:
		if (!cJSON_IsArray(v))
			return gan_err_set(err, GAN_EINVAL, "%s must be a list", f->name);
		return check_items(f, v, err);
	}
	return GAN_OK;
}

/* Readers disagree which of two equal keys counts: what we checked may not be what they read. */
static int
check_keys(const cJSON *object, struct gan_err *err)
{
	size_t n = 0;

	gan_must(object != NULL);
	for (const cJSON *a = object->child; a != NULL; a = a->next) {
		if (++n > 256)
			return gan_err_set(err, GAN_EINVAL, "the body has more than 256 members");
		for (const cJSON *b = object->child; b != a; b = b->next)
			if (strcmp(a->string, b->string) == 0)
				return gan_err_set(
				    err, GAN_EINVAL, "%.64s stands twice in the body", a->string);
	}
	return GAN_OK;
}

static int
body_of(const struct gan_operation *op, const char *text, size_t len, struct gan_span *ret_body,
    struct gan_err *err)
{
	struct gan_parts parts;
	int rc = gan_parts_split(text, len, &parts, err);

	if (rc < 0)
		return rc;
	if (!gan_span_empty(&parts.path) || !gan_span_empty(&parts.query))
		return gan_err_set(err, GAN_EINVAL,
		    "$path and $query have no meaning here: %s always goes to %s", op->name,
		    op->path);
	if (parts.body.p == NULL)
		return gan_err_set(err, GAN_EINVAL, "$body is missing");
	*ret_body = parts.body;
	return GAN_OK;
}

int
gan_connector_check(const struct gan_conf_connector *c, const struct gan_operation *op,
    const char *body, size_t len, char warning[256], struct gan_err *err)
{
	const struct gan_kind *kind = gan_kind_of(c->kind);
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_span span;
	int rc = body_of(op, body, len, &span, err);

	gan_must(kind != NULL); /* it has an operation */
	warning[0] = '\0';
	if (rc == GAN_OK)
		rc = gan_cj_parse(span.p, span.len, &tree, err);
	if (rc < 0)
		return gan_err_wrap(err, rc == GAN_EPARSE ? GAN_EINVAL : rc, "body");
	/* cJSON ends a text there, so the rest would go out unchecked. */
	if (memmem(span.p, span.len, "\\u0000", 6) != NULL)
		return gan_err_set(err, GAN_EINVAL, "the body holds the character \\u0000");
	if (!cJSON_IsObject(tree))
		return gan_err_set(err, GAN_EINVAL, "the body must be a JSON object%s%s%s",
		    op->nfields > 0 ? " with the member " : "",
		    op->nfields > 0 ? op->fields[0].name : "",
		    op->nfields > 1 ? " and others" : "");
	rc = check_keys(tree, err);
	for (size_t i = 0; rc == GAN_OK && i < op->nfields; i++)
		rc = check_field(&op->fields[i], tree, err);
	if (rc == GAN_OK)
		rc = kind->check(c, op, tree, warning, err);
	return rc;
}

int
gan_connector_build(const struct gan_conf_connector *c, const struct gan_operation *op,
    const char *body, size_t len, const char *token, struct gan_wire *req, struct gan_err *err)
{
	struct gan_span span;
	int rc = body_of(op, body, len, &span, err);

	if (rc < 0)
		return rc;
	req->method = op->method;
	req->body = span.p;
	req->body_len = span.len;
	req->connect_ms = c->deliver.connect_ms;
	req->total_ms = c->deliver.total_ms;
	req->repeatable = op->repeat == GAN_REPEAT_SAFE;
	req->ca_file = c->ca_file;
	rc = gan_wire_url(req, c->base_url, op->path, err);
	if (rc < 0)
		return rc;
	gan_must(gan_kind_of(c->kind) != NULL); /* it knew the operation */
	rc = gan_kind_of(c->kind)->dress(c, token, req, err);
	return rc == GAN_OK ? gan_connector_hide(c, req, err) : rc;
}

/* The name of the user is no secret; in answers it may help. */
int
gan_connector_hide(const struct gan_conf_connector *c, struct gan_wire *req, struct gan_err *err)
{
	const struct gan_secret *const all[] = { &c->channel_key, &c->token, &c->api_key,
		&c->api_secret, &c->password };
	int rc = GAN_OK;

	for (size_t i = 0; i < GAN_COUNT(all) && rc == GAN_OK; i++)
		if (all[i]->bytes != NULL)
			rc = gan_wire_hide(req, all[i]->bytes, all[i]->len, err);
	return rc;
}

static const char *
first_text(const cJSON *tree, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *s = gan_cj_str(tree, names[i]);

		if (s != NULL && s[0] != '\0')
			return s;
	}
	return NULL;
}

void
gan_connector_vendor_text(const cJSON *tree, int status, char *out, size_t outsz)
{
	static const char *const texts[] = { "message", "ResponseMessage", "error", "detail" };
	static const char *const codes[] = { "code", "error_code", "name", "type" };
	const char *text = first_text(tree, texts, GAN_COUNT(texts));
	const char *code = first_text(tree, codes, GAN_COUNT(codes));
	char shown[300], named[64];

	if (text == NULL)
		return; /* what stands there already shows the body */
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
	if (!cJSON_IsObject(tree) || resp->body_len > RESPONSE_KEPT_MAX)
		return NULL;
	return gan_memdup(resp->body, resp->body_len);
}
