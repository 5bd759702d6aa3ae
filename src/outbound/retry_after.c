/* SPDX-License-Identifier: MIT */
/* retry_after.c - see retry_after.h. */
#include "outbound/retry_after.h"

#include <string.h>

#include "base/clock.h"

int64_t
gan_retry_after_ms(const char *value, int64_t now_ms, int64_t otherwise_ms)
{
	int64_t wait = 0, at;
	size_t digits;

	if (value == NULL)
		return otherwise_ms;
	digits = strspn(value, "0123456789");
	if (digits > 0 && value[digits] == '\0') {
		for (size_t i = 0; i < digits && wait < GAN_RETRY_AFTER_MAX_MS; i++)
			wait = wait * 10 + (value[i] - '0');
		wait *= 1000;
	} else if (gan_http_date_parse(value, &at) == 0) {
		wait = at > now_ms ? at - now_ms : 0;
	} else {
		return otherwise_ms;
	}
	return wait < GAN_RETRY_AFTER_MAX_MS ? wait : GAN_RETRY_AFTER_MAX_MS;
}
