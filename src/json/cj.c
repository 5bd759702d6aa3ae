/* SPDX-License-Identifier: MIT */
/* cj.c - see cj.h. */
#include "json/cj.h"

#include <stdlib.h>

#include "base/mem.h"
#include "json/check.h"

int
gan_cj_parse(const char *text, size_t len, cJSON **ret_tree, struct gan_err *err)
{
	cJSON *tree;
	int rc = gan_json_check(text, len, GAN_JSON_DEPTH, NULL, err);

	if (rc < 0)
		return rc;
	tree = cJSON_ParseWithLength(text, len);
	if (tree == NULL)
		return gan_err_set(err, GAN_ENOMEM, "JSON of %zu bytes", len);
	*ret_tree = tree;
	return GAN_OK;
}

void
gan_cj_free(cJSON **treep)
{
	cJSON_Delete(gan_steal(treep));
}

const cJSON *
gan_cj_get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *
gan_cj_str(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(gan_cj_get(object, name));
}

double
gan_cj_num(const cJSON *object, const char *name, double otherwise)
{
	const cJSON *item = gan_cj_get(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

bool
gan_cj_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(gan_cj_get(object, name));
}

char *
gan_cj_print(const cJSON *tree)
{
	return cJSON_PrintUnformatted(tree);
}
