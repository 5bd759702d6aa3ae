/* SPDX-License-Identifier: MIT */
/* fuzz_identity.c - what a read of a change channel brought, and the identity of each item. */
#include "fuzz.h"
#include "inbound/feed_items.h"
#include "inbound/identity.h"
#include "json/check.h"

/* All bytes of the answer are in one event or another, or between them. */
static void
apart(const char *text, size_t len)
{
	const struct gan_feed_kept kept = { .id = 1,
		.read = { .source = "feed", .channel = "C", .type = "stock", .at_ms = 1 },
		.body = text,
		.len = len };
	struct gan_feed_events e GAN_AUTO(gan_feed_events_fini) = { 0 };

	gan_must(gan_feed_take_apart(&kept, NULL, NULL, &e) == GAN_OK);
	gan_must((e.n == 0) == gan_feed_is_empty(text, len));
	for (size_t i = 0; i < e.n; i++) {
		const struct gan_ingest *in = &e.v[i];
		const char *body = in->body;

		gan_must(body >= text && body + in->body_len <= text + len);
		gan_must(gan_json_check(in->meta, strlen(in->meta), 8, NULL, NULL) == GAN_OK);
		gan_must(in->reject != NULL ||
			 gan_json_check(body, in->body_len, GAN_JSON_DEPTH, NULL, NULL) == GAN_OK);
	}
}

/* The same for equal texts, whatever stands around them. */
static void
identity(const char *text, size_t len)
{
	struct gan_span s = gan_span_of(text, len);

	for (int type = 0; type < GAN_ENTITY_N; type++) {
		struct gan_identity a, b;
		int rc = gan_identity_of((enum gan_entity)type, false, s, &a);

		gan_must(rc == GAN_OK || rc == GAN_EINVAL);
		if (rc < 0)
			continue;
		gan_must(gan_identity_known((enum gan_entity)type) && a.id[0] != '\0');
		gan_must(gan_identity_of((enum gan_entity)type, false, gan_span_of(s.p, s.n), &b) ==
			 GAN_OK);
		gan_must(memcmp(a.hash, b.hash, sizeof(a.hash)) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text GAN_AUTO(gan_str_free) = fuzz_text(data, size);

	apart(text, size);
	if (gan_json_check(text, size, GAN_JSON_DEPTH, NULL, NULL) == GAN_OK)
		identity(text, size);
	return 0;
}
