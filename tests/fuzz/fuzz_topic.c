/* SPDX-License-Identifier: MIT */
/* fuzz_topic.c - a topic header; and, when the input is JSON, a topic in the body. */
#include "fuzz.h"
#include "inbound/topic.h"
#include "json/check.h"
#include "json/cj.h"

static void
canonical(const uint8_t *data, size_t size)
{
	char *raw GAN_AUTO(gan_str_free) = fuzz_text(data, size);
	char out[GAN_TOPIC_MAX + 1], again[GAN_TOPIC_MAX + 1];

	gan_topic_canonical(raw, out);
	gan_must(out[0] != '\0' && strlen(out) <= GAN_TOPIC_MAX);
	for (const char *p = out; *p != '\0'; p++)
		gan_must(*p > ' ' && *p < 0x7f);
	gan_must(!gan_topic_valid(raw) || strcmp(raw, out) == 0);
	if (gan_topic_valid(out)) {
		gan_topic_canonical(out, again);
		gan_must(strcmp(out, again) == 0);
	}
}

/* cJSON must see the same text; with escapes it may see more. */
static void
from_body(const char *json, size_t len)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	char out[128];
	const char *seen;
	bool found = gan_topic_from_body(json, len, "notification", out, sizeof(out));

	if (memchr(json, '\\', len) != NULL || gan_cj_parse(json, len, &tree, NULL) < 0)
		return;
	seen = cJSON_IsObject(tree) ? gan_cj_str(tree, "notification") : NULL;
	if (found)
		gan_must(seen != NULL && strcmp(seen, out) == 0);
	else
		gan_must(seen == NULL || strlen(seen) >= sizeof(out));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *json GAN_AUTO(gan_str_free) = fuzz_copy(data, size);

	canonical(data, size);
	if (gan_json_check(json, size, GAN_JSON_DEPTH, NULL, NULL) == GAN_OK)
		from_body(json, size);
	return 0;
}
