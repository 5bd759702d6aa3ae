/* SPDX-License-Identifier: MIT */
/* cj.c - see cj.h. */
#include "json/cj.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/check.h"

/* cJSON 1.7.15 copies a number into so much room (with its NUL), and drops the rest. */
#define NUMBER_ROOM 64

static unsigned
utf16_unit(const char *p)
{
	unsigned char code[2];

	return p[0] == '\\' && p[1] == 'u' && gan_unhex(p + 2, 4, code)
		   ? (unsigned)code[0] << 8 | code[1]
		   : 0;
}

/* At the backslash of checked text: the end of its escape, or NULL for half a surrogate pair. */
static const char *
skip_escape(const char *p)
{
	unsigned unit = utf16_unit(p);

	if (p[1] != 'u')
		return p + 2;
	if (unit < 0xd800 || unit > 0xdfff)
		return p + 6;
	if (unit >= 0xdc00 || p[6] != '\\' || (utf16_unit(p + 6) & 0xfc00) != 0xdc00)
		return NULL;
	return p + 12;
}

/* What is JSON, and still nothing for cJSON; NULL: it has no excuse. */
static const char *
beyond_cjson(const char *p, const char *end)
{
	bool text = false;
	size_t run = 0;

	while (p < end) {
		run = !text && memchr("+-.eE0123456789", *p, 15) != NULL ? run + 1 : 0;
		if (run >= NUMBER_ROOM)
			return "a number is longer than 63 characters";
		text ^= *p == '"';
		p = *p == '\\' ? skip_escape(p) : p + 1;
		if (p == NULL)
			return "a \\u escape is half a surrogate pair";
	}
	return NULL;
}

int
gan_cj_parse(const char *text, size_t len, cJSON **ret_tree, struct gan_err *err)
{
	const char *why;
	cJSON *tree;
	int rc = gan_json_check(text, len, GAN_JSON_DEPTH, NULL, err);

	if (rc < 0)
		return rc;
	tree = cJSON_ParseWithLength(text, len);
	why = tree == NULL ? beyond_cjson(text, text + len) : NULL;
	if (why != NULL)
		return gan_err_set(err, GAN_EPARSE, "%s", why);
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
