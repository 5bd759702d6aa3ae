/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_query.c - the filters of the lists: all of them have to agree.
 *
 * "before" and "after" leave out the moment itself: the page does not tell, and
 * a client that asks for windows without an overlap shall notice.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "prodsmart.h"

static bool
scalar_matches(
    const struct gan_ps_call *c, const struct gan_ps_arg *a, const char *want, const cJSON *v)
{
	int64_t mine, asked;
	bool naive;

	if (a->type == GAN_PS_DATE) {
		if (!cJSON_IsString(v) || !gan_ps_date(c->p, v->valuestring, &mine, &naive) ||
		    !gan_ps_date(c->p, want, &asked, &naive))
			return false;
		if (a->filter == GAN_PS_EQUAL)
			return mine == asked;
		return a->filter == GAN_PS_BEFORE ? mine < asked : mine > asked;
	}
	if (cJSON_IsBool(v))
		return cJSON_IsTrue(v) == (strcmp(want, "true") == 0);
	if (cJSON_IsNumber(v))
		return v->valuedouble == strtod(want, NULL);
	return cJSON_IsString(v) && strcmp(v->valuestring, want) == 0;
}

/* Is there a value at the path that matches? */
static bool
any_matches(const struct gan_ps_call *c, const struct gan_ps_arg *a, const char *want,
    const cJSON *at, const char *path)
{
	size_t n = strcspn(path, ".[");
	const cJSON *v, *item;
	char name[64];

	(void)snprintf(name, sizeof(name), "%.*s", (int)n, path);
	v = gan_cj_get(at, name);
	if (v == NULL)
		return false;
	path += n;
	if (*path == '\0')
		return scalar_matches(c, a, want, v);
	if (*path == '.')
		return any_matches(c, a, want, v, path + 1);
	cJSON_ArrayForEach(item, v)
	{
		if (any_matches(c, a, want, item, path + 3)) /* behind "[]." */
			return true;
	}
	return false;
}

bool
gan_ps_matches(const struct gan_ps_call *c, const cJSON *item)
{
	for (const struct gan_ps_arg *a = c->op->args; a != NULL && a->name != NULL; a++) {
		bool asked = false, found = false;

		for (size_t i = 0; a->filter != GAN_PS_NOFILTER && i < c->npairs; i++) {
			if (strcmp(c->pairs[i].name, a->name) != 0)
				continue;
			asked = true;
			found = found || any_matches(c, a, c->pairs[i].value, item, a->path);
		}
		if (asked && !found)
			return false;
	}
	return true;
}
