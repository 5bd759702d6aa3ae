/* SPDX-License-Identifier: MIT */
/* fuzz_tables.c - a lookup table: what is accepted becomes a JSON object without equal keys. */
#include "fuzz.h"
#include "mapping/tables.h"
#include "json/check.h"
#include "json/cj.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text GAN_AUTO(gan_str_free) = fuzz_copy(data, size);
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_err err = { 0 };
	size_t rows = 0;

	if (gan_table_json("t.csv", text, size, &out, &rows, &err) < 0) {
		gan_must(err.code == GAN_EPARSE || err.code == GAN_ELIMIT);
		gan_must(strncmp(err.msg, "t.csv:", 6) == 0);
		return 0;
	}
	gan_must(gan_cj_parse(out.data, out.len, &tree, NULL) == GAN_OK);
	gan_must(cJSON_IsObject(tree) && (size_t)cJSON_GetArraySize(tree) == rows);
	for (const cJSON *item = tree->child; item != NULL; item = item->next)
		gan_must(gan_cj_get(tree, item->string) == item);
	return 0;
}
