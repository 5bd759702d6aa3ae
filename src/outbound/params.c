/* SPDX-License-Identifier: MIT */
/* params.c - see params.h. */
#include "outbound/params.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "outbound/connector.h"
#include "outbound/fields.h"
#include "json/cj.h"

#define NAME_MAX_LEN 64
#define VALUES_MAX 100 /* of one name in the query */

/* A part of the output both ways: parsed, and as it is written. */
struct part {
	cJSON *tree; /* an object; NULL: the part is empty */
	struct gan_span span;
};

static void
part_fini(struct part *p)
{
	gan_cj_free(&p->tree);
}

static int
part_open(const struct gan_span *span, const char *what, struct part *ret, struct gan_err *err)
{
	int rc;

	ret->span = *span;
	if (gan_span_empty(span))
		return GAN_OK;
	rc = gan_cj_parse(span->p, span->len, &ret->tree, err);
	if (rc < 0)
		return gan_err_wrap(err, rc == GAN_EPARSE ? GAN_EINVAL : rc, "%s", what);
	if (!cJSON_IsObject(ret->tree))
		return gan_err_set(err, GAN_EINVAL, "%s must be an object", what);
	return GAN_OK;
}

/* The member's value and how it is written: members stand in the same order in both. */
static const cJSON *
member(const struct part *p, const char *name, struct gan_span *ret_raw)
{
	const cJSON *v = p->tree != NULL ? p->tree->child : NULL;
	struct gan_span key;
	size_t at = 0;

	for (; v != NULL && gan_parts_next(&p->span, &at, &key, ret_raw); v = v->next)
		if (strcmp(v->string, name) == 0)
			return v;
	return NULL;
}

/* The next {name} of a template: *from is moved behind it. False: no more. */
static bool
next_name(const char **from, char name[NAME_MAX_LEN + 1], size_t *ret_before)
{
	const char *open = strchr(*from, '{'), *close = open != NULL ? strchr(open, '}') : NULL;
	size_t n;

	if (close == NULL)
		return false;
	n = (size_t)(close - open - 1);
	gan_must(n > 0 && n <= NAME_MAX_LEN);
	memcpy(name, open + 1, n);
	name[n] = '\0';
	*ret_before = (size_t)(open - *from);
	*from = close + 1;
	return true;
}

static bool
in_path(const char *template, const char *name)
{
	char found[NAME_MAX_LEN + 1];
	size_t before;

	while (next_name(&template, found, &before))
		if (strcmp(found, name) == 0)
			return true;
	return false;
}

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static bool
is_whole(const struct gan_span *raw)
{
	size_t i = raw->len > 0 && raw->p[0] == '-';

	if (i == raw->len)
		return false;
	for (; i < raw->len; i++)
		if (raw->p[i] < '0' || raw->p[i] > '9')
			return false;
	return true;
}

static int
check_path_value(const char *name, const cJSON *v, const struct gan_span *raw, struct gan_err *err)
{
	if (v == NULL || cJSON_IsNull(v))
		return gan_err_set(err, GAN_EINVAL, "$path.%s is missing", name);
	if (cJSON_IsNumber(v) && is_whole(raw))
		return GAN_OK;
	if (!cJSON_IsString(v))
		return gan_err_set(
		    err, GAN_EINVAL, "$path.%s must be a text or a whole number", name);
	if (v->valuestring[0] == '\0')
		return gan_err_set(err, GAN_EINVAL, "$path.%s is empty", name);
	/* Encoded or not, servers take these as steps in the path. */
	if (strcmp(v->valuestring, ".") == 0 || strcmp(v->valuestring, "..") == 0)
		return gan_err_set(err, GAN_EINVAL, "$path.%s is \"%s\", which a path cannot hold",
		    name, v->valuestring);
	if (has_control(v->valuestring))
		return gan_err_set(err, GAN_EINVAL, "$path.%s holds a control character", name);
	return GAN_OK;
}

static int
not_known(const struct gan_operation *op, const char *part, const char *name, struct gan_err *err)
{
	char shown[64];

	return gan_err_set(err, GAN_EINVAL, "%s.%s is nothing that %s takes", part,
	    gan_printable(name, strlen(name), shown, sizeof(shown)), op->name);
}

static int
check_twice(const struct part *p, const char *what, struct gan_err *err)
{
	for (const cJSON *a = p->tree != NULL ? p->tree->child : NULL; a != NULL; a = a->next)
		for (const cJSON *b = p->tree->child; b != a; b = b->next)
			if (strcmp(a->string, b->string) == 0)
				return gan_err_set(
				    err, GAN_EINVAL, "%.64s stands twice in %s", a->string, what);
	return GAN_OK;
}

static int
check_path(const struct gan_operation *op, const struct part *p, struct gan_err *err)
{
	const char *from = op->path;
	char name[NAME_MAX_LEN + 1];
	size_t before;
	int rc = GAN_OK;

	while (rc == GAN_OK && next_name(&from, name, &before)) {
		struct gan_span raw;
		const cJSON *v = member(p, name, &raw);

		rc = check_path_value(name, v, &raw, err);
	}
	for (const cJSON *v = p->tree != NULL ? p->tree->child : NULL; rc == GAN_OK && v != NULL;
	     v = v->next)
		if (!in_path(op->path, v->string))
			rc = not_known(op, "$path", v->string, err);
	return rc;
}

static const struct gan_param *
param(const struct gan_operation *op, const char *name)
{
	for (size_t i = 0; i < op->nquery; i++)
		if (strcmp(op->query[i].name, name) == 0)
			return &op->query[i];
	return NULL;
}

/* Is a member there whose name stands in the list? */
static const char *
first_of(const char *list, const cJSON *tree)
{
	for (const cJSON *v = tree->child; v != NULL; v = v->next) {
		size_t n = strlen(v->string);

		for (const char *p = list; *p != '\0'; p = strchr(p, ' ') + 1)
			if (strncmp(p, v->string, n) == 0 && p[n] == ' ')
				return v->string;
	}
	return NULL;
}

static int
check_query_value(const struct gan_param *q, const cJSON *v, struct gan_err *err)
{
	/* In a URL all is text: a code that looks like a number may come as one. */
	struct gan_field one = { .name = q->name,
		.type = q->type == GAN_FIELD_STRING || q->type == GAN_FIELD_STRINGS ? GAN_FIELD_CODE
			: q->type == GAN_FIELD_NUMBER ? GAN_FIELD_NUMERIC
						      : q->type };
	char where[NAME_MAX_LEN + 32];
	const cJSON *item;
	size_t n = 0;
	int rc;

	snprintf(where, sizeof(where), "$query.%s", q->name);
	if (q->type != GAN_FIELD_STRINGS || !cJSON_IsArray(v)) {
		if (cJSON_IsString(v) && has_control(v->valuestring))
			return gan_err_set(err, GAN_EINVAL, "%s holds a control character", where);
		return gan_field_check(&one, v, where, err);
	}
	cJSON_ArrayForEach(item, v)
	{
		snprintf(where, sizeof(where), "$query.%s[%zu]", q->name, n++);
		rc = gan_field_check(&one, item, where, err);
		if (rc < 0)
			return rc;
	}
	return n > 0 && n <= VALUES_MAX
		   ? GAN_OK
		   : gan_err_set(err, GAN_EINVAL, "$query.%s has %zu values, 1 to %d are taken",
			 q->name, n, VALUES_MAX);
}

/* A parameter that no table knows: anything that a URL can hold. */
static int
check_free_value(const char *name, const cJSON *v, struct gan_err *err)
{
	const cJSON *item = cJSON_IsArray(v) ? v->child : v;
	size_t n = 0;
	char shown[64];

	gan_printable(name, strlen(name), shown, sizeof(shown));
	if (name[0] == '\0' || strlen(name) > NAME_MAX_LEN || has_control(name))
		return gan_err_set(err, GAN_EINVAL,
		    "$query: \"%s\" cannot be a parameter: its name has 1 to %d characters", shown,
		    NAME_MAX_LEN);
	for (; item != NULL; item = cJSON_IsArray(v) ? item->next : NULL, n++) {
		if (cJSON_IsString(item) && has_control(item->valuestring))
			return gan_err_set(
			    err, GAN_EINVAL, "$query.%s holds a control character", shown);
		if (!cJSON_IsString(item) && !cJSON_IsNumber(item) && !cJSON_IsBool(item))
			return gan_err_set(err, GAN_EINVAL,
			    "$query.%s must be a text, a number, true or false, or a list of these",
			    shown);
	}
	return n > 0 && n <= VALUES_MAX
		   ? GAN_OK
		   : gan_err_set(err, GAN_EINVAL, "$query.%s has %zu values, 1 to %d are taken",
			 shown, n, VALUES_MAX);
}

static int
check_query(const struct gan_operation *op, const struct part *p, struct gan_err *err)
{
	int rc = GAN_OK;

	for (const cJSON *v = p->tree != NULL ? p->tree->child : NULL; rc == GAN_OK && v != NULL;
	     v = v->next) {
		const struct gan_param *q = param(op, v->string);
		const char *other;

		if (q == NULL && !op->any_query)
			return not_known(op, "$query", v->string, err);
		if (q == NULL) {
			if (!cJSON_IsNull(v))
				rc = check_free_value(v->string, v, err);
			continue;
		}
		other = q->without != NULL ? first_of(q->without, p->tree) : NULL;
		if (other != NULL)
			return gan_err_set(err, GAN_EINVAL, "$query.%s does not go with $query.%s",
			    q->name, other);
		if (!cJSON_IsNull(v))
			rc = check_query_value(q, v, err);
	}
	for (size_t i = 0; rc == GAN_OK && i < op->nquery; i++) {
		const cJSON *v = gan_cj_get(p->tree, op->query[i].name);

		if (op->query[i].required && (v == NULL || cJSON_IsNull(v)))
			rc =
			    gan_err_set(err, GAN_EINVAL, "$query.%s is missing", op->query[i].name);
	}
	return rc;
}

int
gan_params_check(const struct gan_operation *op, const struct gan_parts *parts, struct gan_err *err)
{
	struct part path GAN_AUTO(part_fini) = { 0 }, query GAN_AUTO(part_fini) = { 0 };
	int rc;

	if (parts->path.len + parts->query.len > GAN_PARAMS_MAX / 3)
		return gan_err_set(err, GAN_EINVAL, "$path and $query have more than %zu bytes",
		    GAN_PARAMS_MAX / 3);
	rc = part_open(&parts->path, "$path", &path, err);
	if (rc == GAN_OK)
		rc = part_open(&parts->query, "$query", &query, err);
	if (rc == GAN_OK)
		rc = check_twice(&path, "$path", err);
	if (rc == GAN_OK)
		rc = check_twice(&query, "$query", err);
	if (rc == GAN_OK)
		rc = check_path(op, &path, err);
	if (rc == GAN_OK)
		rc = check_query(op, &query, err);
	return rc;
}

int
gan_params_path(const struct gan_operation *op, const struct gan_span *path, struct gan_buf *out,
    struct gan_err *err)
{
	struct part p GAN_AUTO(part_fini) = { 0 };
	const char *from = op->path, *here = from;
	char name[NAME_MAX_LEN + 1];
	size_t before;
	int rc = part_open(path, "$path", &p, err);

	while (rc == GAN_OK && next_name(&from, name, &before)) {
		struct gan_span raw = { 0 };
		const cJSON *v = member(&p, name, &raw);

		rc = check_path_value(name, v, &raw, err);
		if (rc < 0)
			break;
		gan_must(v != NULL);
		gan_buf_put(out, here, before);
		if (cJSON_IsString(v))
			gan_wire_percent(out, v->valuestring, strlen(v->valuestring));
		else
			gan_buf_put(out, raw.p, raw.len);
		here = from;
	}
	gan_buf_puts(out, here);
	if (rc == GAN_OK && out->failed)
		rc = gan_err_set(err, GAN_ENOMEM, "path");
	return rc;
}

static int
put_value(const char *name, const cJSON *v, const struct gan_span *raw, struct gan_wire *req,
    struct gan_err *err)
{
	if (cJSON_IsString(v))
		return gan_wire_query(
		    req, name, v->valuestring, strlen(v->valuestring), false, err);
	return gan_wire_query(req, name, raw->p, raw->len, false, err);
}

static int
put_values(const char *name, const cJSON *list, const struct gan_span *raw, struct gan_wire *req,
    struct gan_err *err)
{
	struct gan_span one;
	size_t at = 0;
	int rc = GAN_OK;

	for (const cJSON *v = list->child; rc == GAN_OK && v != NULL; v = v->next) {
		if (!gan_parts_item(raw, &at, &one))
			break;
		rc = put_value(name, v, &one, req, err);
	}
	return rc;
}

/* What the peer calls it: see query_names in gantry.yaml(5). */
static const char *
name_of(const struct gan_conf_connector *c, const char *name)
{
	for (size_t i = 0; c != NULL && i < c->nquery_names; i++)
		if (strcmp(c->query_names[i].name, name) == 0)
			return c->query_names[i].value;
	return name;
}

int
gan_params_query(const struct gan_conf_connector *c, const struct gan_operation *op,
    const struct gan_span *query, struct gan_wire *req, struct gan_err *err)
{
	struct part p GAN_AUTO(part_fini) = { 0 };
	struct gan_span key, raw;
	size_t at = 0;
	int rc = part_open(query, "$query", &p, err);

	for (const cJSON *v = p.tree != NULL ? p.tree->child : NULL; rc == GAN_OK && v != NULL;
	     v = v->next) {
		const char *name = name_of(c, v->string);

		if (!gan_parts_next(&p.span, &at, &key, &raw))
			break;
		if (param(op, v->string) == NULL && !op->any_query)
			rc = not_known(op, "$query", v->string, err);
		else if (cJSON_IsArray(v))
			rc = put_values(name, v, &raw, req, err);
		else if (!cJSON_IsNull(v))
			rc = put_value(name, v, &raw, req, err);
	}
	return rc;
}
