/* SPDX-License-Identifier: MIT */
/* backoff.c - see backoff.h. */
#include "outbound/backoff.h"

int64_t
gan_backoff_ms(const struct gan_conf_retry *retry, unsigned attempt, uint32_t random)
{
	double max = (double)retry->max_ms, wait = (double)retry->first_ms;
	double spread = (double)retry->jitter_pct / 100.0;
	double turn = (double)random / (double)UINT32_MAX * 2.0 - 1.0; /* -1 … 1 */

	/* A factor of 1 or less never reaches the cap: no need to count that far. */
	if (retry->factor > 1.0)
		for (unsigned i = 1; i < attempt && wait < max; i++)
			wait *= retry->factor;
	if (wait > max)
		wait = max;
	wait += wait * spread * turn;
	return wait < 1.0 ? 1 : (int64_t)wait;
}
