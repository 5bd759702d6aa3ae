/* SPDX-License-Identifier: MIT */
/*
 * fuzz_json.c - the JSON check beside cJSON: what we accept it parses (but for
 * what gan_cj_parse() says), and what it prints we accept.  Inexact numbers in
 * quotes leave JSON of the same shape without any inexact number.
 */
#include "base/str.h"
#include "fuzz.h"
#include "json/check.h"
#include "json/cj.h"

static void
accepted(const char *text, size_t len, const struct gan_json_info *info)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_json_info again;
	struct gan_err err = { 0 };
	int rc;

	gan_must(gan_utf8_valid(text, len));
	gan_must(info->inexact == (info->inexact_text[0] != '\0'));
	gan_must(gan_json_quote_inexact(text, len, &out) == GAN_OK);
	gan_must(gan_json_check(out.data, out.len, GAN_JSON_DEPTH, &again, NULL) == GAN_OK);
	gan_must(!again.inexact && again.depth == info->depth);
	gan_must(info->inexact ? out.len >= len + 2
			       : out.len == len && memcmp(out.data, text, len) == 0);
	rc = gan_cj_parse(text, len, &tree, &err);
	gan_must(rc == GAN_OK || (rc == GAN_EPARSE && err.msg[0] != '\0'));
	/* Without surrogates and long numbers there is nothing that cJSON may not like. */
	if (memmem(text, len, "\\u", 2) == NULL && len < 63)
		gan_must(rc == GAN_OK);
}

static void
printed(const char *text)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = cJSON_ParseWithOpts(text, NULL, 1);
	char *out GAN_AUTO(gan_str_free) = tree != NULL ? gan_cj_print(tree) : NULL;
	struct gan_err err = { 0 };

	if (out == NULL || !gan_utf8_valid(out, strlen(out)))
		return;
	int rc = gan_json_check(out, strlen(out), GAN_JSON_DEPTH, NULL, &err);

	gan_must(rc == GAN_OK || rc == GAN_ELIMIT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text GAN_AUTO(gan_str_free) = fuzz_copy(data, size);
	char *whole GAN_AUTO(gan_str_free) = fuzz_text(data, size);
	struct gan_json_info info;
	struct gan_err err = { 0 };
	int rc = gan_json_check(text, size, GAN_JSON_DEPTH, &info, &err);

	gan_must(rc == gan_json_check(text, size, GAN_JSON_DEPTH, NULL, NULL));
	gan_must(info.depth <= GAN_JSON_DEPTH);
	if (rc == GAN_OK)
		accepted(text, size, &info);
	else
		gan_must((rc == GAN_EPARSE || rc == GAN_ELIMIT) && err.msg[0] != '\0');
	printed(whole);
	return 0;
}
