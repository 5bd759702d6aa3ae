/* SPDX-License-Identifier: MIT */
/* fuzz_units.c - ids, times, durations and sizes: what is read can be written and read again. */
#include "base/clock.h"
#include "base/id.h"
#include "base/units.h"
#include "fuzz.h"

static void
times(const char *s)
{
	int64_t ms, again;
	char text[GAN_TIME_LEN];

	if (gan_http_date_parse(s, &ms) == 0)
		(void)gan_time_format(ms, text);
	if (gan_time_parse(s, &ms) < 0)
		return;
	gan_must(gan_time_parse(gan_time_format(ms, text), &again) == 0 && again == ms);
	/* As `gantryctl --since` and a clock that is far off do. */
	int64_t id = gan_id_floor(ms);

	gan_must(id >= 0 && gan_id_next(0, ms) > id);
	gan_must(id == 0 || gan_id_time_ms(id) <= ms);
}

static void
ids(const char *s)
{
	static const enum gan_id_kind kinds[] = { GAN_ID_EVENT, GAN_ID_DELIVERY, GAN_ID_ATTEMPT,
		GAN_ID_QUARANTINE };
	unsigned fits = 0;
	char text[GAN_ID_LEN];
	int64_t id;

	for (size_t i = 0; i < GAN_COUNT(kinds); i++) {
		if (!gan_id_parse(kinds[i], s, &id))
			continue;
		fits++;
		gan_must(id > 0 && strcmp(gan_id_format(kinds[i], id, text), s) == 0);
	}
	gan_must(fits <= 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s GAN_AUTO(gan_str_free) = fuzz_text(data, size);
	int64_t v, again;
	char text[48];

	times(s);
	ids(s);
	if (gan_duration_parse(s, &v))
		gan_must(v >= 0 &&
			 gan_duration_parse(gan_duration_format(v, text, sizeof(text)), &again) &&
			 again == v);
	if (gan_size_parse(s, &v))
		gan_must(v >= 0 && gan_size_parse(gan_size_format(v, text, sizeof(text)), &again) &&
			 again == v);
	return 0;
}
