/* SPDX-License-Identifier: MIT */
/* fuzz_retry_after.c - the Retry-After header: never negative, never more than an hour. */
#include "fuzz.h"
#include "outbound/retry_after.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t clocks[] = { 0, INT64_C(1795287731123), INT64_C(253402300799999) };
	char *value GAN_AUTO(gan_str_free) = fuzz_text(data, size);

	for (size_t i = 0; i < GAN_COUNT(clocks); i++) {
		int64_t wait = gan_retry_after_ms(value, clocks[i], -1);

		gan_must(wait >= -1 && wait <= GAN_RETRY_AFTER_MAX_MS);
	}
	return 0;
}
