/* SPDX-License-Identifier: MIT */
/* fields.c - see fields.h. */
#include "outbound/fields.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "outbound/connector.h"

#define WHERE_MAX 192
#define MEMBERS_MAX 256

static int check_object(const struct gan_field *fields, size_t n, const cJSON *object,
    const char *where, struct gan_err *err);

/* One of the words in a list with a space behind each? */
static bool
listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	if (n == 0 || strchr(word, ' ') != NULL)
		return false;
	for (const char *p = list; *p != '\0'; p = strchr(p, ' ') + 1)
		if (strncmp(p, word, n) == 0 && p[n] == ' ')
			return true;
	return false;
}

static int
check_allowed(const struct gan_field *f, const char *text, const char *where, struct gan_err *err)
{
	char shown[64];

	if (f->allowed == NULL || listed(f->allowed, text))
		return GAN_OK;
	return gan_err_set(err, GAN_EINVAL, "%s is \"%s\", allowed: %.*s", where,
	    gan_printable(text, strlen(text), shown, sizeof(shown)), (int)strlen(f->allowed) - 1,
	    f->allowed);
}

static size_t
characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static int
check_text(const struct gan_field *f, const char *text, const char *where, struct gan_err *err)
{
	if (text[0] == '\0')
		return f->blank && !f->required
			   ? GAN_OK
			   : gan_err_set(err, GAN_EINVAL, "%s is empty", where);
	if (f->max_chars != 0 && characters(text) > f->max_chars)
		return gan_err_set(err, GAN_EINVAL, "%s has %zu characters, at most %zu are taken",
		    where, characters(text), f->max_chars);
	return check_allowed(f, text, where, err);
}

/* JSON's number, and nothing else. */
static bool
is_number(const char *s)
{
	s += *s == '-';
	if (!isdigit((unsigned char)*s) || (*s == '0' && isdigit((unsigned char)s[1])))
		return false;
	s += strspn(s, "0123456789");
	if (*s == '.') {
		size_t n = strspn(s + 1, "0123456789");

		if (n == 0)
			return false;
		s += 1 + n;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		if (!isdigit((unsigned char)*s))
			return false;
		s += strspn(s, "0123456789");
	}
	return *s == '\0';
}

static int
check_number(const struct gan_field *f, const cJSON *v, const char *where, struct gan_err *err)
{
	bool as_text = f->type == GAN_FIELD_NUMERIC && cJSON_IsString(v);
	char text[32];
	double n;

	if (as_text ? !is_number(v->valuestring) : !cJSON_IsNumber(v))
		return gan_err_set(err, GAN_EINVAL, "%s must be a number%s", where,
		    f->type == GAN_FIELD_NUMERIC ? ", or a text that is one" : ", without quotes");
	n = as_text ? strtod(v->valuestring, NULL) : v->valuedouble;
	if (f->positive && !(n > 0))
		return gan_err_set(
		    err, GAN_EINVAL, "%s is %g, it must be more than zero", where, n);
	if (f->allowed == NULL)
		return GAN_OK;
	snprintf(text, sizeof(text), "%.15g", n);
	return check_allowed(f, text, where, err);
}

static int
check_date(const struct gan_field *f, const char *text, const char *where, struct gan_err *err)
{
	char shown[64];
	int64_t ms;
	size_t n = strlen(text);

	if (n == 0)
		return check_text(f, text, where, err);
	if (gan_time_parse(text, &ms) == GAN_OK && text[10] == 'T')
		return GAN_OK;
	gan_printable(text, n, shown, sizeof(shown));
	if (n >= 19 && text[10] == 'T' && strcspn(text + 11, "Z+-") == n - 11)
		return gan_err_set(err, GAN_EINVAL,
		    "%s is \"%s\", without a zone: the receiver would read it in its own; pass it "
		    "through utc",
		    where, shown);
	return gan_err_set(err, GAN_EINVAL,
	    "%s is \"%s\", expected date, time and zone as in 2026-11-21T19:02:11Z", where, shown);
}

/* One object's value of the member that must differ. */
struct place {
	const char *text;
	size_t i;
};

static int
by_text(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c = strcmp(x->text, y->text);

	return c != 0 ? c : (x->i > y->i) - (x->i < y->i);
}

/* Does the member, a text, differ in all objects of the list?  Sorted: a list may be long. */
static int
check_unique(
    const struct gan_field *f, const cJSON *list, size_t n, const char *where, struct gan_err *err)
{
	struct place *all = calloc(n + 1, sizeof(*all)), *twice = NULL;
	size_t k = 0, i = 0;
	int rc = GAN_OK;

	if (all == NULL)
		return gan_err_set(err, GAN_ENOMEM, "%s", where);
	for (const cJSON *item = list->child; item != NULL; item = item->next, i++) {
		const char *text = gan_cj_str(item, f->unique);

		if (text != NULL)
			all[k++] = (struct place){ text, i };
	}
	qsort(all, k, sizeof(*all), by_text);
	for (i = 1; i < k && twice == NULL; i++)
		if (strcmp(all[i - 1].text, all[i].text) == 0)
			twice = &all[i];
	if (twice != NULL)
		rc = gan_err_set(err, GAN_EINVAL,
		    "%s[%zu].%s is the same as in %s[%zu]: each may stand once", where, twice->i,
		    f->unique, where, twice[-1].i);
	free(all);
	return rc;
}

static int
check_item(const struct gan_field *f, const cJSON *item, const char *where, struct gan_err *err)
{
	if (f->type != GAN_FIELD_OBJECTS)
		return cJSON_IsString(item)
			   ? check_allowed(f, item->valuestring, where, err)
			   : gan_err_set(err, GAN_EINVAL, "%s must be a text", where);
	return check_object(f->fields, f->nfields, item, where, err);
}

static int
check_list(const struct gan_field *f, const cJSON *list, const char *where, struct gan_err *err)
{
	const cJSON *item;
	char at[WHERE_MAX];
	size_t n = 0;

	if (!cJSON_IsArray(list))
		return gan_err_set(err, GAN_EINVAL, "%s must be a list", where);
	cJSON_ArrayForEach(item, list)
	{
		int rc;

		snprintf(at, sizeof(at), "%s[%zu]", where, n);
		rc = check_item(f, item, at, err);
		if (rc < 0)
			return rc;
		n++;
	}
	if (n == 0 && !f->blank)
		return gan_err_set(err, GAN_EINVAL, "%s is empty", where);
	if (f->max_items != 0 && n > f->max_items)
		return gan_err_set(err, GAN_EINVAL,
		    "%s has %zu items, at most %zu are sent in one request", where, n,
		    f->max_items);
	return f->unique != NULL ? check_unique(f, list, n, where, err) : GAN_OK;
}

int
gan_field_check(const struct gan_field *f, const cJSON *v, const char *where, struct gan_err *err)
{
	if (cJSON_IsNull(v) && f->blank && !f->required)
		return GAN_OK;
	switch (f->type) {
	case GAN_FIELD_ANY:
		return GAN_OK;
	case GAN_FIELD_STRING:
	case GAN_FIELD_GTIN:
	case GAN_FIELD_SSCC:
	case GAN_FIELD_SERIAL:
	case GAN_FIELD_LOT:
	case GAN_FIELD_ELEMENTS:
		if (!cJSON_IsString(v))
			return gan_err_set(err, GAN_EINVAL, "%s must be a text", where);
		return check_text(f, v->valuestring, where, err);
	case GAN_FIELD_CODE:
		if (cJSON_IsNumber(v))
			return GAN_OK;
		if (!cJSON_IsString(v))
			return gan_err_set(err, GAN_EINVAL, "%s must be a text or a number", where);
		return check_text(f, v->valuestring, where, err);
	case GAN_FIELD_BOOL:
		if (!cJSON_IsBool(v))
			return gan_err_set(
			    err, GAN_EINVAL, "%s must be true or false, without quotes", where);
		return GAN_OK;
	case GAN_FIELD_NUMBER:
	case GAN_FIELD_NUMERIC:
		return check_number(f, v, where, err);
	case GAN_FIELD_DATE:
		if (!cJSON_IsString(v))
			return gan_err_set(err, GAN_EINVAL, "%s must be a date as a text", where);
		return check_date(f, v->valuestring, where, err);
	case GAN_FIELD_OBJECT:
		return check_object(f->fields, f->nfields, v, where, err);
	case GAN_FIELD_STRINGS:
	case GAN_FIELD_OBJECTS:
	case GAN_FIELD_SSCCS:
	case GAN_FIELD_SERIALS:
		return check_list(f, v, where, err);
	}
	return GAN_OK;
}

/* Readers disagree which of two equal keys counts: what we checked may not be what they read. */
static int
check_keys(const cJSON *object, const char *where, struct gan_err *err)
{
	size_t n = 0;

	for (const cJSON *a = object->child; a != NULL; a = a->next) {
		if (++n > MEMBERS_MAX)
			return gan_err_set(err, GAN_EINVAL, "%s has more than %d members",
			    where[0] != '\0' ? where : "the body", MEMBERS_MAX);
		for (const cJSON *b = object->child; b != a; b = b->next)
			if (strcmp(a->string, b->string) == 0)
				return gan_err_set(err, GAN_EINVAL, "%.64s stands twice in %s",
				    a->string, where[0] != '\0' ? where : "the body");
	}
	return GAN_OK;
}

static int
check_object(const struct gan_field *fields, size_t n, const cJSON *object, const char *where,
    struct gan_err *err)
{
	char at[WHERE_MAX];
	int rc;

	if (!cJSON_IsObject(object))
		return gan_err_set(err, GAN_EINVAL, "%s must be an object", where);
	rc = check_keys(object, where, err);
	for (size_t i = 0; rc == GAN_OK && i < n; i++) {
		const struct gan_field *f = &fields[i];
		const cJSON *v = gan_cj_get(object, f->name);

		snprintf(at, sizeof(at), "%s%s%s", where, where[0] != '\0' ? "." : "", f->name);
		if (v != NULL)
			rc = gan_field_check(f, v, at, err);
		else if (f->instead != NULL && gan_cj_get(object, f->instead) == NULL)
			rc = gan_err_set(
			    err, GAN_EINVAL, "%s is missing, and so is %s", at, f->instead);
		else if (f->required)
			rc = gan_err_set(err, GAN_EINVAL, "%s is missing", at);
	}
	return rc;
}

int
gan_fields_check(const struct gan_field *fields, size_t n, const cJSON *object, struct gan_err *err)
{
	return check_object(fields, n, object, "", err);
}
