/* SPDX-License-Identifier: MIT */
/* prodsmart_check.c - is a body, is a query what the page says? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "prodsmart.h"

bool
gan_ps_date(const struct gan_sim_prodsmart *p, const char *text, int64_t *ret_ms, bool *ret_naive)
{
	long zone = (long)p->zone_minutes;
	char whole[64];
	size_t at = 19;

	if (strlen(text) < 19 || strlen(text) > 40 || text[10] != 'T')
		return false;
	if (text[at] == '.')
		at += 1 + strspn(text + at + 1, "0123456789");
	*ret_naive = text[at] == '\0';
	if (*ret_naive)
		(void)snprintf(whole, sizeof(whole), "%s%c%02ld:%02ld", text, zone < 0 ? '-' : '+',
		    labs(zone) / 60, labs(zone) % 60);
	else
		(void)snprintf(whole, sizeof(whole), "%s", text);
	return gan_time_parse(whole, ret_ms) == 0;
}

static bool
is_number_text(const char *s)
{
	char *end;

	if (*s == '\0' || strspn(s, "0123456789.-") != strlen(s))
		return false;
	(void)strtod(s, &end);
	return *end == '\0';
}

static bool
date_good(struct gan_ps_call *c, const char *text, const char *where)
{
	int64_t ms;
	bool naive;

	if (!gan_ps_date(c->p, text, &ms, &naive))
		return false;
	if (naive) {
		gan_ps_note(c, "naive-date", where);
		c->ps->naive_dates++;
	}
	return true;
}

static void check_object(
    struct gan_ps_call *c, const cJSON *object, const struct gan_ps_field *fields, const char *at);

static bool
repeated(const cJSON *first, const cJSON *item, const char *member)
{
	const char *mine = gan_cj_str(item, member);

	for (const cJSON *o = first; mine != NULL && o != item; o = o->next) {
		if (gan_streq(gan_cj_str(o, member), mine))
			return true;
	}
	return false;
}

static bool
check_list(struct gan_ps_call *c, const cJSON *v, const struct gan_ps_field *f, const char *at)
{
	const cJSON *item;
	char where[200];
	unsigned short i = 0;

	if (!cJSON_IsArray(v) || (f->required && v->child == NULL))
		return false;
	cJSON_ArrayForEach(item, v)
	{
		(void)snprintf(where, sizeof(where), "%.180s[%u]", at, i++);
		if (!cJSON_IsObject(item))
			gan_ps_fail(c, 400, "%s must be an object", where);
		if (f->sub != NULL)
			check_object(c, item, f->sub, where);
		if (f->unique != NULL && repeated(v->child, item, f->unique))
			gan_ps_fail(
			    c, 400, "%s.%s: the same %s twice", where, f->unique, f->unique);
	}
	return true;
}

static bool
is_type(struct gan_ps_call *c, const cJSON *v, const struct gan_ps_field *f, const char *at)
{
	switch (f->type) {
	case GAN_PS_STR:
	case GAN_PS_TEXT:
		return cJSON_IsString(v) && (f->type == GAN_PS_STR || v->valuestring[0] != '\0') &&
		       (f->max == 0 || strlen(v->valuestring) <= f->max);
	case GAN_PS_NUM:
		return cJSON_IsNumber(v);
	case GAN_PS_POS:
		return cJSON_IsNumber(v) && v->valuedouble > 0;
	case GAN_PS_INT:
		return cJSON_IsNumber(v) && floor(v->valuedouble) == v->valuedouble;
	case GAN_PS_BOOL:
		return cJSON_IsBool(v);
	case GAN_PS_DATE:
		return cJSON_IsString(v) && date_good(c, v->valuestring, at);
	case GAN_PS_NUMSTR:
		return cJSON_IsNumber(v) || (cJSON_IsString(v) && is_number_text(v->valuestring));
	case GAN_PS_LIST:
		return check_list(c, v, f, at);
	case GAN_PS_CODE_OBJ:
		return cJSON_IsString(v) || cJSON_IsObject(v);
	case GAN_PS_OBJECT:
		if (cJSON_IsObject(v) && f->sub != NULL)
			check_object(c, v, f->sub, at);
		return cJSON_IsObject(v);
	case GAN_PS_ANY:
		break;
	}
	return true;
}

static const char *
type_words(const struct gan_ps_field *f)
{
	static const char *const words[] = { [GAN_PS_STR] = "a string",
		[GAN_PS_TEXT] = "a string, not empty",
		[GAN_PS_NUM] = "a number",
		[GAN_PS_POS] = "a number above 0",
		[GAN_PS_INT] = "a whole number",
		[GAN_PS_BOOL] = "true or false",
		[GAN_PS_DATE] = "a date, YYYY-MM-DDThh:mm:ss and a zone",
		[GAN_PS_NUMSTR] = "a number",
		[GAN_PS_LIST] = "a list of objects",
		[GAN_PS_OBJECT] = "an object",
		[GAN_PS_CODE_OBJ] = "a code, or an object with it",
		[GAN_PS_ANY] = "there" };

	if (f->type == GAN_PS_LIST && f->required)
		return "a list of objects, not empty";
	return f->max > 0 ? "a string of the permitted length" : words[f->type];
}

static void
check_object(
    struct gan_ps_call *c, const cJSON *object, const struct gan_ps_field *fields, const char *at)
{
	const char *dot = at[0] == '\0' ? "" : ".";
	const cJSON *m;
	char where[200];

	for (const struct gan_ps_field *f = fields; f->name != NULL && !c->failed; f++) {
		(void)snprintf(where, sizeof(where), "%s%s%s", at, dot, f->name);
		m = gan_cj_get(object, f->name);
		if (m == NULL || cJSON_IsNull(m)) {
			if (f->required)
				gan_ps_fail(c, 400, "%s is missing", where);
			continue;
		}
		if (!is_type(c, m, f, where))
			gan_ps_fail(c, 400, "%s must be %s", where, type_words(f));
	}
	cJSON_ArrayForEach(m, object)
	{
		const struct gan_ps_field *f = fields;

		while (f->name != NULL && strcmp(f->name, m->string) != 0)
			f++;
		if (f->name == NULL)
			gan_ps_fail(c, 400, "%s%s%s is not known", at, dot, m->string);
	}
}

bool
gan_ps_check_body(struct gan_ps_call *c, const struct gan_ps_field *fields)
{
	if (!cJSON_IsObject(c->body))
		gan_ps_fail(c, 400, "the body must be an object");
	else
		check_object(c, c->body, fields, "");
	return !c->failed;
}

static void
check_arg(struct gan_ps_call *c, const struct gan_ps_arg *a, const char *value)
{
	bool good = value[0] != '\0';

	if (a->type == GAN_PS_BOOL)
		good = strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
	else if (a->type == GAN_PS_INT)
		good = good && strlen(value) < 16 && strspn(value, "0123456789") == strlen(value);
	else if (a->type == GAN_PS_DATE)
		good = date_good(c, value, a->name);
	if (good && strcmp(a->name, "page") == 0)
		good = strtoll(value, NULL, 10) >= 1;
	if (!good)
		gan_ps_fail(c, 400, "the query's %s is not of its type", a->name);
}

bool
gan_ps_check_query(struct gan_ps_call *c)
{
	static const struct gan_ps_arg none = { 0 };
	const struct gan_ps_arg *args = c->op->args == NULL ? &none : c->op->args, *a;

	for (size_t i = 0; i < c->npairs; i++) {
		const char *name = c->pairs[i].name;

		for (size_t k = 0; k < i; k++) {
			if (strcmp(c->pairs[k].name, name) != 0)
				continue;
			for (a = args; a->name != NULL && strcmp(a->name, name) != 0; a++)
				;
			if (a->name == NULL || !a->many)
				gan_ps_fail(c, 400, "the query has %s twice", name);
		}
		if (strcmp(name, "access_token") == 0 && (c->op->flags & GAN_PS_BASIC) == 0)
			continue;
		for (a = args; a->name != NULL && strcmp(a->name, name) != 0; a++)
			;
		if (a->name == NULL)
			gan_ps_fail(c, 400, "the query's name %s is not known", name);
		else
			check_arg(c, a, c->pairs[i].value);
	}
	for (a = args; a->name != NULL; a++) {
		if (a->required && gan_ps_arg(c, a->name) == NULL)
			gan_ps_fail(c, 400, "the query needs %s", a->name);
	}
	return !c->failed;
}
