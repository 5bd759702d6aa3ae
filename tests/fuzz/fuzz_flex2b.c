/* SPDX-License-Identifier: MIT */
/* fuzz_flex2b.c - bodies for, and answers of, Flex²B; see answer.h. */
#include "answer.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "flex2b", base[] = "http://127.0.0.1:8080";
	struct gan_conf_connector c = { .name = name,
		.kind = GAN_CONNECTOR_FLEX2B,
		.base_url = base,
		.flex2b_raw = size % 2 == 0 };
	struct fuzz_answer a;

	if (fuzz_answer_read(&a, data, size)) {
		if (fuzz_judge(&gan_kind_flex2b, 0, &a) == GAN_OUTCOME_OK)
			gan_must(a.resp.status == 200 && strstr(a.body, "ResponseCode") != NULL);
		fuzz_token(&gan_kind_flex2b, &a);
		fuzz_request(&c, &gan_kind_flex2b, 0, &a);
	}
	fuzz_answer_fini(&a);
	return 0;
}
