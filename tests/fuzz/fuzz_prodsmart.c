/* SPDX-License-Identifier: MIT */
/* fuzz_prodsmart.c - outputs of rules for, and answers of, every operation of Prodsmart; see
 * answer.h. */
#include "answer.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "prodsmart", base[] = "https://api.example.com", key[] = "the-key";
	struct gan_conf_connector c = { .name = name,
		.kind = GAN_CONNECTOR_PRODSMART,
		.base_url = base,
		.api_key = { name, key, strlen(key) },
		.api_secret = { name, key, strlen(key) },
		.prodsmart_basic = size % 2 == 0 };
	struct fuzz_answer a;

	if (fuzz_answer_read(&a, data, size)) {
		for (size_t i = 0; i < gan_kind_prodsmart.noperations; i++) {
			(void)fuzz_judge(&gan_kind_prodsmart, i, &a);
			fuzz_request(&c, &gan_kind_prodsmart, i, &a);
		}
		fuzz_token(&gan_kind_prodsmart, &a);
	}
	fuzz_answer_fini(&a);
	return 0;
}
