/* SPDX-License-Identifier: MIT */
/*
 * fuzz_probe.c - output and answer, with a NUL between them: what a probe reads.
 * The mark added to an output that takes it leaves JSON, is found in its
 * own body, and is added once.
 */
#include "fuzz.h"
#include "outbound/probe.h"
#include "json/check.h"

#define MARK "gantry:d0123456789ab"

static const struct gan_probe_arg args[] = { { "$query.code", "a[].b" },
	{ "$path.id", "$path.id" } };
static const struct gan_probe_pair equal[] = { { .sent = "q" },
	{ .sent = "a[].b", .seen = "a.b" } };
static const struct gan_probe probes[] = {
	{ .ask = "x", .args = args, .nargs = 2, .key = "k", .equal = equal, .nequal = 2 },
	{ .ask = "x",
	    .args = args,
	    .nargs = 2,
	    .paged = true,
	    .mark = "m",
	    .equal = equal,
	    .nequal = 2 },
	{ .ask = "x", .list = "l", .each = "a", .key = "k", .key_seen = "b" },
};

static void
look(const struct gan_probe *p, const char *output, size_t len, const char *answer, size_t n)
{
	struct gan_probe_sight s GAN_AUTO(gan_probe_sight_fini) = { 0 };
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { .max = 1 << 20 };
	struct gan_err err = { 0 };

	if (gan_probe_ask(p, output, len, 1767225600000, 1, &b, &err) == GAN_OK)
		gan_must(gan_json_check(b.data, b.len, GAN_JSON_DEPTH, NULL, NULL) == GAN_OK);
	if (gan_probe_read(p, output, len, MARK, answer, n, &s, &err) < 0)
		gan_must(err.msg[0] != '\0');
	gan_must(s.seen == GAN_PROBE_ABSENT || s.entries > 0);
	gan_must(s.seen != GAN_PROBE_DIFFERENT || s.text[0] != '\0');
}

static void
marking(const char *output, size_t len)
{
	struct gan_buf once GAN_AUTO(gan_buf_fini) = { .max = 1 << 20 };
	struct gan_buf twice GAN_AUTO(gan_buf_fini) = { .max = 1 << 20 };
	struct gan_err err = { 0 };

	if (gan_probe_mark(&probes[1], output, len, MARK, &once, &err) < 0) {
		gan_must(err.msg[0] != '\0');
		return;
	}
	if (gan_json_check(output, len, GAN_JSON_DEPTH, NULL, NULL) < 0)
		return;
	gan_must(gan_json_check(once.data, once.len, GAN_JSON_DEPTH, NULL, NULL) == GAN_OK);
	gan_must(memmem(once.data, once.len, MARK, sizeof(MARK) - 1) != NULL);
	gan_must(gan_probe_mark(&probes[1], once.data, once.len, MARK, &twice, &err) == GAN_OK);
	gan_must(twice.len == once.len && memcmp(twice.data, once.data, once.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text GAN_AUTO(gan_str_free) = fuzz_copy(data, size);
	const char *end = memchr(text, '\0', size);
	size_t len = end != NULL ? (size_t)(end - text) : size;
	const char *answer = text + len + (end != NULL);
	size_t n = size - len - (end != NULL);

	for (size_t i = 0; i < GAN_COUNT(probes); i++)
		look(&probes[i], text, len, answer, n);
	marking(text, len);
	return 0;
}
