/* SPDX-License-Identifier: MIT */
/*
 * fuzz_parts.c - $path, $query and $body of an output.  On checked JSON the
 * parts are what cJSON sees; on other bytes (a damaged row) they stay inside.
 */
#include "fuzz.h"
#include "outbound/parts.h"
#include "json/check.h"
#include "json/cj.h"

static void
inside(const struct gan_span *s, const char *text, size_t len)
{
	if (s->p == NULL)
		return;
	gan_must(s->p >= text && s->p <= text + len && s->len <= (size_t)(text + len - s->p));
	(void)gan_span_empty(s);
}

static void
same(const struct gan_span *s, const cJSON *object, const char *name)
{
	const cJSON *seen = gan_cj_get(object, name);
	cJSON *part GAN_AUTO(gan_cj_free) = NULL;

	gan_must((s->p != NULL) == (seen != NULL));
	if (s->p == NULL)
		return;
	gan_must(gan_cj_parse(s->p, s->len, &part, NULL) == GAN_OK);
	gan_must(cJSON_Compare(part, seen, 1) || cJSON_IsObject(seen) || cJSON_IsArray(seen) ||
		 cJSON_IsNumber(seen));
	gan_must(part->type == (seen->type & 0xff));
	gan_must(!gan_span_empty(s) || cJSON_IsNull(seen) ||
		 (cJSON_IsObject(seen) && seen->child == NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text GAN_AUTO(gan_str_free) = fuzz_copy(data, size);
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_parts parts = { 0 };
	struct gan_err err = { 0 };
	int rc = gan_parts_split(text, size, &parts, &err);

	gan_must(rc == GAN_OK || (rc == GAN_EINVAL && err.msg[0] != '\0'));
	inside(&parts.path, text, size);
	inside(&parts.query, text, size);
	inside(&parts.body, text, size);
	/* With escapes cJSON may see a $ where we do not. */
	if (rc < 0 || memchr(text, '\\', size) != NULL || gan_cj_parse(text, size, &tree, NULL) < 0)
		return 0;
	if (parts.body.p == text && parts.body.len == size) {
		gan_must(gan_cj_get(tree, "$path") == NULL && gan_cj_get(tree, "$query") == NULL &&
			 gan_cj_get(tree, "$body") == NULL);
		return 0;
	}
	same(&parts.path, tree, "$path");
	same(&parts.query, tree, "$query");
	same(&parts.body, tree, "$body");
	return 0;
}
