/* SPDX-License-Identifier: MIT */
/* gs1_fields.c - see gs1_fields.h. */
#include "outbound/gs1_fields.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "outbound/gs1.h"

typedef int (*code_fn)(const char *s, struct gan_err *err);

/* NULL: not a code. */
static code_fn
check_of(const struct gan_conf_connector *c, enum gan_field_type type)
{
	switch (type) {
	case GAN_FIELD_GTIN:
		return gan_gs1_gtin;
	case GAN_FIELD_SSCC:
	case GAN_FIELD_SSCCS:
		return gan_gs1_sscc;
	case GAN_FIELD_SERIAL:
	case GAN_FIELD_SERIALS:
		return c->serials_plain ? gan_gs1_serial_plain : gan_gs1_serial;
	case GAN_FIELD_LOT:
		return gan_gs1_lot;
	case GAN_FIELD_ELEMENTS:
		return gan_gs1_elements;
	default:
		return NULL;
	}
}

static int
check_distinct(const cJSON *list, struct gan_err *err)
{
	size_t n = 0, size = (size_t)cJSON_GetArraySize(list);
	const char **codes = calloc(size + 1, sizeof(*codes));
	const cJSON *item;
	int rc;

	if (codes == NULL)
		return gan_err_set(err, GAN_ENOMEM, "list of %zu codes", size);
	cJSON_ArrayForEach(item, list)
	{
		codes[n++] = item->valuestring;
	}
	rc = gan_gs1_distinct(codes, n, err);
	free(codes);
	return rc;
}

static int
check_codes(code_fn check, const char *name, const cJSON *v, struct gan_err *err)
{
	const cJSON *item;
	size_t i = 0;
	int rc;

	if (!cJSON_IsArray(v)) {
		rc = check(v->valuestring, err);
		return rc < 0 ? gan_err_wrap(err, rc, "%s", name) : rc;
	}
	cJSON_ArrayForEach(item, v)
	{
		rc = check(item->valuestring, err);
		if (rc < 0)
			return gan_err_wrap(err, rc, "%s[%zu]", name, i);
		i++;
	}
	return GAN_OK;
}

static int
check_field(const struct gan_conf_connector *c, const struct gan_field *f, const cJSON *v,
    char warning[256], struct gan_err *err)
{
	code_fn check = check_of(c, f->type);
	struct gan_err found = { 0 };
	int rc = GAN_OK;

	if (check == NULL || v == NULL || (!cJSON_IsArray(v) && !cJSON_IsString(v)))
		return GAN_OK;
	if (cJSON_IsArray(v))
		rc = check_distinct(v, err);
	if (rc < 0 || c->gs1 == GAN_GS1_OFF)
		return rc;
	rc = check_codes(check, f->name, v, &found);
	if (rc == GAN_OK)
		return rc;
	if (c->gs1 != GAN_GS1_WARN)
		return gan_err_set(err, rc, "%s", found.msg);
	if (warning[0] == '\0')
		(void)snprintf(warning, 256, "%.255s", found.msg);
	return GAN_OK;
}

int
gan_gs1_fields(const struct gan_conf_connector *c, const struct gan_operation *op,
    const cJSON *body, char warning[256], struct gan_err *err)
{
	int rc = GAN_OK;

	for (size_t i = 0; i < op->nfields && rc == GAN_OK && body != NULL; i++)
		rc = check_field(
		    c, &op->fields[i], gan_cj_get(body, op->fields[i].name), warning, err);
	return rc;
}
