/* SPDX-License-Identifier: MIT */
/* fuzz_batch.c - a body with many events in it, as an array and as lines. */
#include "base/buf.h"
#include "fuzz.h"
#include "inbound/batch.h"
#include "json/check.h"
#include "json/cj.h"

/* Items lie in the body in order, apart from each other, without blanks around them. */
static void
in_order(const struct gan_batch *b, const char *body, size_t len)
{
	const char *p = body;

	for (size_t i = 0; i < b->n; i++) {
		const struct gan_batch_item *it = &b->items[i];

		gan_must(it->len > 0 && it->text >= p && it->text + it->len <= body + len);
		gan_must(strchr(" \t\r\n", it->text[0]) == NULL || it->text[0] == '\0');
		p = it->text + it->len;
	}
}

/* An array that is split and put together again is the same value; each item is one by itself. */
static void
array(const char *body, size_t len, struct gan_batch *b)
{
	cJSON *was GAN_AUTO(gan_cj_free) = NULL, *is GAN_AUTO(gan_cj_free) = NULL;
	struct gan_buf again GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err err = { 0 };

	if (gan_batch_split(body, len, false, b, &err) < 0) {
		gan_must(err.msg[0] != '\0');
		return;
	}
	in_order(b, body, len);
	for (size_t i = 0; i < b->n; i++) {
		gan_must(gan_batch_check(&b->items[i], NULL, &err) == GAN_OK);
		gan_buf_putc(&again, i == 0 ? '[' : ',');
		gan_buf_put(&again, b->items[i].text, b->items[i].len);
	}
	gan_buf_putc(&again, ']');
	if (gan_cj_parse(body, len, &was, NULL) < 0)
		return;
	gan_must(gan_cj_parse(again.data, again.len, &is, NULL) == GAN_OK);
	gan_must((size_t)cJSON_GetArraySize(was) == b->n && cJSON_Compare(was, is, true));
}

/* No byte but blanks is left out of lines. */
static void
lines(const char *body, size_t len, struct gan_batch *b)
{
	struct gan_err err = { 0 };
	size_t blank = 0, kept = 0;
	const char *p = body;

	if (gan_batch_split(body, len, true, b, &err) < 0) {
		gan_must(err.msg[0] != '\0');
		return;
	}
	in_order(b, body, len);
	for (size_t i = 0; i < b->n; i++) {
		for (; p < b->items[i].text; p++)
			blank += *p == ' ' || *p == '\t' || *p == '\r' || *p == '\n';
		p += b->items[i].len;
		kept += b->items[i].len;
		gan_must(memchr(b->items[i].text, '\n', b->items[i].len) == NULL);
		if (gan_batch_check(&b->items[i], NULL, &err) < 0)
			gan_must(strncmp(err.msg, "line ", 5) == 0);
	}
	for (; p < body + len; p++)
		blank += *p == ' ' || *p == '\t' || *p == '\r' || *p == '\n';
	gan_must(kept + blank == len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* As a request's body: a NUL behind it. */
	char *body GAN_AUTO(gan_str_free) = fuzz_text(data, size);
	static struct gan_batch b;

	array(body, size, &b);
	lines(body, size, &b);
	return 0;
}
