/* SPDX-License-Identifier: MIT */
/*
 * load_operations.c - `operations:` of a connector.  The rows of the table
 * check each value; here is what they cannot say, and the operation is made
 * of it as outbound wants it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_priv.h"

#define NAME_MAX_LEN 64
#define PARTS_MAX 8
#define ROW "connectors.*.operations.*"

/* Names of outbound's own tables; tests/unit/test_conf_http.c compares. */
static const char *const built_in_movilitas[] = { "serials.decommission", "ssccs.release" };

static bool
is_built_in(unsigned kinds, const char *name)
{
	for (size_t i = 0; kinds == GAN_K_MOVILITAS && i < GAN_COUNT(built_in_movilitas); i++) {
		if (strcmp(name, built_in_movilitas[i]) == 0)
			return true;
	}
	return false;
}

static bool
name_ok(struct gan_loader *l, unsigned kinds, const struct gan_yaml_node *key)
{
	char shown[80];

	gan_printable(key->text, key->len, shown, sizeof(shown));
	if (key->len == 0 || key->len > NAME_MAX_LEN ||
	    strspn(key->text, "abcdefghijklmnopqrstuvwxyz0123456789-.") != key->len)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, key,
		    "'%s' cannot be the name of an operation: use 1 to %d characters of a-z, 0-9, "
		    ". and -",
		    shown, NAME_MAX_LEN);
	else if (is_built_in(kinds, key->text))
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, key,
		    "'%s' is a built-in operation, which cannot be declared anew: take another "
		    "name",
		    shown);
	else
		return true;
	return false;
}

/* ---- the path -------------------------------------------------------------- */

static bool
is_part_name(const char *p, size_t n)
{
	return n > 0 && n <= NAME_MAX_LEN &&
	       strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") >= n;
}

/* NULL when {names} are fine. */
static const char *
parts_wrong(const char *path)
{
	const char *names[PARTS_MAX];
	size_t lens[PARTS_MAX], n = 0;

	for (const char *p = path; (p = strpbrk(p, "{}")) != NULL;) {
		size_t len = strcspn(p + 1, "{}/");

		if (*p == '}' || p[1 + len] != '}')
			return "has a brace without its partner";
		if (!is_part_name(p + 1, len))
			return "has a {name} that is none: use letters, digits, _ and -";
		if (n == PARTS_MAX)
			return "has more than 8 {names}";
		for (size_t i = 0; i < n; i++) {
			if (lens[i] == len && strncmp(names[i], p + 1, len) == 0)
				return "has the same {name} twice";
		}
		names[n] = p + 1;
		lens[n++] = len;
		p += len + 2;
	}
	return NULL;
}

/* "." and "..": a URL's reader takes them out, and the request goes elsewhere. */
static bool
has_dot_segment(const char *path)
{
	for (const char *p = path; *p == '/'; p += 1 + strcspn(p + 1, "/")) {
		size_t len = strcspn(p + 1, "/");

		if ((len == 1 || len == 2) && strspn(p + 1, ".") >= len)
			return true;
	}
	return false;
}

static const char *
path_wrong(const char *path)
{
	if (path[0] != '/')
		return "must begin with /";
	if (strpbrk(path, "?#") != NULL)
		return "must not hold ? or #: parameters come from the rule's $query";
	for (const char *p = path; *p != '\0'; p++) {
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f ||
		    strchr("\\\"<>^`|", *p) != NULL)
			return "holds a character that a URL must not hold: write it as %XX";
	}
	if (has_dot_segment(path))
		return "must not hold . or .. as a part";
	return parts_wrong(path);
}

static void
check_path(struct gan_loader *l, const struct gan_conf_operation *o, const struct gan_yaml_node *n)
{
	const char *wrong = o->path != NULL && n != NULL ? path_wrong(o->path) : NULL;

	if (wrong != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "'path' %s", wrong);
}

/* ---- required --------------------------------------------------------------- */

static void
keep_required(struct gan_loader *l, struct gan_conf_operation *o, const struct gan_yaml_node *map)
{
	const struct gan_schema_row *row = gan_schema_find(ROW ".required", "*", 0);
	size_t size = 1, at = 0;

	if (map == NULL || map->kind != GAN_YAML_MAP || map->nchild == 0)
		return;
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		if (n->key->len == 0 || strlen(n->key->text) != n->key->len ||
		    n->key->len > NAME_MAX_LEN) {
			gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
			    "the name of a member has 1 to %d bytes", NAME_MAX_LEN);
			return;
		}
		size += n->key->len + 1;
	}
	o->fields = calloc(map->nchild, sizeof(*o->fields));
	o->field_names = malloc(size);
	if (o->fields == NULL || o->field_names == NULL) {
		l->no_memory = true;
		return;
	}
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		struct gan_field *f = &o->fields[o->op.nfields];
		int type =
		    n->kind == GAN_YAML_STR ? gan_schema_choice_find(row->choices, n->text) : -1;

		if (type < 0)
			continue; /* said with the row */
		memcpy(o->field_names + at, n->key->text, n->key->len + 1);
		f->name = o->field_names + at;
		f->type = (enum gan_field_type)type;
		f->required = true;
		at += n->key->len + 1;
		o->op.nfields++;
	}
	if (o->method == 0)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, map->key,
		    "a GET has no body, so it can have no required members");
}

/* ---- success ----------------------------------------------------------------- */

/* The number of a status that can mean success, or 0. */
static unsigned
status_of(const struct gan_yaml_node *n)
{
	unsigned v = 0;

	if (n->kind != GAN_YAML_INT || n->len != 3)
		return 0;
	for (const char *p = n->text; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (unsigned)(*p - '0');
	if (v >= 200 && v <= 299)
		return v;
	return v >= 400 && v <= 499 && v != 401 && v != 403 && v != 407 && v != 408 && v != 429 ? v
												: 0;
}

static void
keep_statuses(struct gan_loader *l, struct gan_success *s, const struct gan_yaml_node *list)
{
	bool ok_2xx = false;

	if (list == NULL || list->kind != GAN_YAML_SEQ || list->nchild > GAN_SUCCESS_MAX)
		return;
	for (const struct gan_yaml_node *n = list->child; n != NULL; n = n->next) {
		unsigned code = status_of(n);
		char shown[48];

		if (n->kind == GAN_YAML_STR && strcmp(n->text, "2xx") == 0) {
			s->any_2xx = true;
		} else if (code != 0) {
			s->codes[s->ncodes++] = code;
			ok_2xx = ok_2xx || code < 300;
		} else if (n->text != NULL) {
			gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
			    "'%s' cannot mean success: write 2xx, a status of 200 to 299, or one "
			    "of 400 to 499 that means \"done before\" (not 401, 403, 407, 408, "
			    "429)",
			    gan_printable(n->text, n->len, shown, sizeof(shown)));
			return;
		}
	}
	if (list->nchild > 0 && !s->any_2xx && !ok_2xx)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, list,
		    "'status' has no 2xx: nothing could succeed the first time");
	if (list->nchild == 0)
		s->any_2xx = true;
}

static bool
keep_scalar(struct gan_loader *l, struct gan_scalar *s, const struct gan_yaml_node *n)
{
	char *end;

	if (n->text == NULL || n->kind == GAN_YAML_NULL || strlen(n->text) != n->len)
		return true; /* said with the row */
	s->kind = n->kind == GAN_YAML_STR    ? GAN_SCALAR_TEXT
		  : n->kind == GAN_YAML_BOOL ? GAN_SCALAR_BOOL
					     : GAN_SCALAR_NUMBER;
	s->truth = n->text[0] == 't' || n->text[0] == 'T';
	if (s->kind == GAN_SCALAR_NUMBER) {
		s->number = strtod(n->text, &end);
		if (*end != '\0' || strspn(n->text, "-0123456789.eE") != n->len) {
			gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
			    "write the number as JSON does, or put it into quotes");
			return false;
		}
	}
	s->text = s->kind == GAN_SCALAR_BOOL ? gan_asprintf("%s", s->truth ? "true" : "false")
					     : gan_memdup(n->text, n->len);
	if (s->text == NULL)
		l->no_memory = true;
	return true;
}

static void
keep_equals(struct gan_loader *l, struct gan_success *s, const struct gan_yaml_node *list)
{
	if (list == NULL || list->kind != GAN_YAML_SEQ || list->nchild > GAN_SUCCESS_MAX)
		return;
	for (const struct gan_yaml_node *n = list->child; n != NULL; n = n->next) {
		if (!keep_scalar(l, &s->equals[s->nequals], n))
			return;
		s->nequals++;
	}
	if (s->field == NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, list->key,
		    "'equals' goes with 'field': say which member of the answer is meant");
}

static void
keep_success(struct gan_loader *l, struct gan_conf_operation *o, const struct gan_yaml_node *map)
{
	struct gan_success *s = &o->success;
	const struct gan_yaml_node *field = gan_yaml_get(map, "field");

	if (map == NULL || map->kind != GAN_YAML_MAP)
		return;
	if (gan_yaml_get(map, "status") == NULL)
		s->any_2xx = true;
	keep_statuses(l, s, gan_yaml_get(map, "status"));
	if (s->field != NULL && (s->field[0] == '.' || s->field[strlen(s->field) - 1] == '.' ||
				    strstr(s->field, "..") != NULL))
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, field,
		    "'field' must be names with single dots between them: result.code");
	keep_equals(l, s, gan_yaml_get(map, "equals"));
	if (map->nchild > 0)
		o->op.success = s;
}

/* ---- the whole ----------------------------------------------------------------- */

static void
make(struct gan_conf_operation *o)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
	static const enum gan_repeat repeats[] = { GAN_REPEAT_SAFE, GAN_REPEAT_SET,
		GAN_REPEAT_KEYED, GAN_REPEAT_PROBE, GAN_REPEAT_HOLD };

	o->op.name = o->name;
	o->op.path = o->path;
	o->op.method = methods[o->method];
	o->op.repeat = repeats[o->repeat];
	o->op.any_query = true;
	o->op.fields = o->fields;
	o->op.body = o->method == 0      ? GAN_BODY_NONE
		     : o->op.nfields > 0 ? GAN_BODY_OBJECT
					 : GAN_BODY_ANY;
}

static void
load_one(struct gan_loader *l, struct gan_conf_operation *o, unsigned kinds,
    const struct gan_yaml_node *n)
{
	const struct gan_bases at = { .own = o };
	char shown[80];

	if (n->kind != GAN_YAML_MAP) {
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "'%s' must be a mapping of keys: method, path, repeat and others",
		    gan_printable(n->key->text, n->key->len, shown, sizeof(shown)));
		return;
	}
	gan_load_defaults(l, ROW, kinds, &at);
	gan_load_section(l, ROW, kinds, n, &at);
	check_path(l, o, gan_yaml_get(n, "path"));
	keep_required(l, o, gan_yaml_get(n, "required"));
	keep_success(l, o, gan_yaml_get(n, "success"));
	make(o);
}

void
gan_load_operations(struct gan_loader *l, struct gan_conf_connector *c, unsigned kinds,
    const struct gan_yaml_node *map)
{
	if (map->nchild == 0)
		return;
	c->operations = calloc(map->nchild, sizeof(*c->operations));
	if (c->operations == NULL) {
		l->no_memory = true;
		return;
	}
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		struct gan_conf_operation *o = &c->operations[c->noperations];

		if (!name_ok(l, kinds, n->key))
			continue;
		c->noperations++;
		o->name = gan_memdup(n->key->text, n->key->len);
		if (o->name == NULL)
			l->no_memory = true;
		load_one(l, o, kinds, n);
	}
}

void
gan_operations_free(struct gan_conf_connector *c)
{
	for (size_t i = 0; i < c->noperations; i++) {
		struct gan_conf_operation *o = &c->operations[i];

		for (size_t k = 0; k < o->success.nequals; k++)
			free(o->success.equals[k].text);
		free(o->success.field);
		free(o->fields);
		free(o->field_names);
		free(o->name);
		free(o->path);
	}
	free(c->operations);
}
