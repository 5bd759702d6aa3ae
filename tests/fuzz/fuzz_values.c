/* SPDX-License-Identifier: MIT */
/*
 * fuzz_values.c - checked JSON as jq's values and back, beside libjq's own
 * parser and printer: the same values, the same bytes; half a surrogate pair is
 * refused whatever libjq does with it.
 */
#include <math.h>

#include "base/str.h"
#include "fuzz.h"
#include "mapping/worker_priv.h"

static void
compare(const char *text, size_t len, jv ours)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_json_info info;
	const char *bad = gan_jv_write(&out, ours, false);
	jv theirs = jv_parse_sized(text, (int)len);

	gan_must(jv_is_valid(theirs));
	gan_must(jv_equal(jv_copy(ours), jv_copy(theirs)));
	jv dump = jv_dump_string(theirs, 0);
	if (bad == NULL) {
		gan_must(strcmp(out.data, jv_string_value(dump)) == 0);
		gan_must(gan_json_check(out.data, out.len, GAN_JSON_DEPTH, &info, NULL) == GAN_OK);
	} else {
		gan_must(strstr(bad, "not finite") != NULL); /* deeper than 64 it cannot be */
	}
	jv_free(dump);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text GAN_AUTO(gan_str_free) = fuzz_text(data, size);

	if (gan_jq_marker[0] == '\0')
		gan_jq_init();
	/* What stands behind a NUL is not part of a text that a frame carries. */
	if (strlen(text) != size ||
	    gan_json_check(text, size, GAN_JSON_DEPTH, NULL, NULL) != GAN_OK)
		return 0;
	jv v = gan_jv_read(text);
	if (jv_is_valid(v))
		compare(text, size, v);
	else
		gan_must(strstr(text, "\\u") != NULL);
	jv_free(v);
	return 0;
}
