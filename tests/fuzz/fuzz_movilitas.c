/* SPDX-License-Identifier: MIT */
/* fuzz_movilitas.c - bodies for, and answers of, Movilitas.Cloud; see answer.h. */
#include "answer.h"

/* A success names every serial that was asked for. */
static void
all_named(const struct fuzz_answer *a)
{
	cJSON *asked GAN_AUTO(gan_cj_free) = NULL, *answer GAN_AUTO(gan_cj_free) = NULL;
	const cJSON *s;

	gan_must(gan_cj_parse(a->body, a->resp.body_len, &answer, NULL) == GAN_OK);
	gan_must(cJSON_IsTrue(gan_cj_get(answer, "success")));
	if (gan_cj_parse(a->ask, strlen(a->ask), &asked, NULL) < 0)
		return;
	cJSON_ArrayForEach(s, gan_cj_get(asked, "serials"))
	{
		const cJSON *d;
		bool named = false;

		cJSON_ArrayForEach(d, gan_cj_get(answer, "data"))
		{
			const char *serial = gan_cj_str(d, "serial_number");

			named |= cJSON_IsString(s) && serial != NULL &&
				 strcmp(serial, s->valuestring) == 0;
		}
		gan_must(named);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "movilitas", base[] = "https://api.example.com/x/", key[] = "channel";
	struct gan_conf_connector c = { .name = name,
		.kind = GAN_CONNECTOR_MOVILITAS,
		.base_url = base,
		.channel_key = { name, key, strlen(key) },
		.gs1 = (enum gan_gs1_mode)(size % 3) };
	struct fuzz_answer a;

	if (fuzz_answer_read(&a, data, size)) {
		if (fuzz_judge(&gan_kind_movilitas, 0, &a) == GAN_OUTCOME_OK)
			all_named(&a);
		(void)fuzz_judge(&gan_kind_movilitas, 1, &a);
		fuzz_token(&gan_kind_movilitas, &a);
		fuzz_request(&c, &gan_kind_movilitas, 0, &a);
		fuzz_request(&c, &gan_kind_movilitas, 1, &a);
	}
	fuzz_answer_fini(&a);
	return 0;
}
