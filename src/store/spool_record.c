/* SPDX-License-Identifier: MIT */
/* spool_record.c - one record of the spool, there and back; see spool.h. */
#include <string.h>

#include "base/crc.h"
#include "base/mem.h"
#include "store/spool.h"

#define NONE UINT32_MAX

uint64_t
gan_spool_number(const void *at, size_t bytes)
{
	const unsigned char *p = at;
	uint64_t v = 0;

	for (size_t i = bytes; i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

static void
set_u32(char *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (char)(unsigned char)(v >> (8 * i));
}

/* Of a record but the four bytes that hold it. */
static uint32_t
crc_of(const void *p, size_t size)
{
	const char *s = p;

	return gan_crc32c(gan_crc32c(0, s, 4), s + 8, size - 8);
}

static void
put_bytes(struct gan_buf *out, const void *p, size_t n)
{
	if (p == NULL) {
		gan_buf_u32(out, NONE);
		return;
	}
	gan_buf_u32(out, (uint32_t)n);
	gan_buf_put(out, p, n);
	gan_buf_putc(out, '\0');
}

static void
put_text(struct gan_buf *out, const char *s)
{
	put_bytes(out, s, s == NULL ? 0 : strlen(s));
}

void
gan_spool_encode(struct gan_buf *out, uint64_t file, const struct gan_spool_record *rec)
{
	static const char zeros[8];
	const struct gan_ingest *in = &rec->in;
	size_t start = out->len, size;

	gan_buf_u32(out, 0);
	gan_buf_u32(out, 0);
	gan_buf_i64(out, (int64_t)file);
	gan_buf_i64(out, (int64_t)rec->number);
	gan_buf_i64(out, rec->maybe_id);
	gan_buf_i64(out, in->received_ms);
	gan_buf_u32(out, (uint32_t)in->dedupe);
	gan_buf_put(out, in->hash, sizeof(in->hash));
	put_text(out, in->source);
	put_text(out, in->topic);
	put_text(out, in->topic_raw);
	put_text(out, in->meta);
	put_text(out, in->reject);
	put_bytes(out, in->body == NULL ? "" : in->body, in->body_len);
	size = out->len - start;
	gan_buf_put(out, zeros, (8 - size % 8) % 8);
	size = out->len - start;
	if (out->failed)
		return;
	set_u32(out->data + start, (uint32_t)size);
	set_u32(out->data + start + 4, crc_of(out->data + start, size));
}

/* What is left of a record. */
struct reader {
	const unsigned char *p;
	size_t left;
	bool bad;
};

static const void *
get_bytes(struct reader *r, size_t *ret_n)
{
	const unsigned char *p;
	uint64_t n = r->left < 4 ? NONE - 1 : gan_spool_number(r->p, 4);

	*ret_n = 0;
	if (r->left >= 4 && n == NONE) {
		r->p += 4;
		r->left -= 4;
		return NULL;
	}
	if (r->bad || r->left < 5 || n > r->left - 5 || r->p[4 + n] != '\0') {
		r->bad = true;
		return NULL;
	}
	p = r->p + 4;
	r->p += n + 5;
	r->left -= (size_t)n + 5;
	*ret_n = (size_t)n;
	return p;
}

static const char *
get_text(struct reader *r)
{
	size_t n;
	const char *s = get_bytes(r, &n);

	if (s != NULL && memchr(s, '\0', n) != NULL)
		r->bad = true;
	return s;
}

int
gan_spool_decode(const void *p, size_t n, uint64_t file, struct gan_spool_record *ret_rec)
{
	const unsigned char *s = p;
	struct gan_spool_record rec = { .number = 0 };
	struct reader r = { .left = 0 };
	const void *body;
	size_t size = n < 4 ? 0 : (size_t)gan_spool_number(s, 4);

	if (size == 0)
		return 0;
	if (size > n || size < GAN_SPOOL_FRONT || size % 8 != 0 || size > GAN_SPOOL_RECORD_MAX ||
	    gan_spool_number(s + 8, 8) != file || gan_spool_number(s + 4, 4) != crc_of(s, size))
		return GAN_EPARSE;
	rec.number = gan_spool_number(s + 16, 8);
	rec.maybe_id = (int64_t)gan_spool_number(s + 24, 8);
	rec.in.received_ms = (int64_t)gan_spool_number(s + 32, 8);
	rec.in.dedupe = (enum gan_dedupe)gan_spool_number(s + 40, 4);
	memcpy(rec.in.hash, s + 44, sizeof(rec.in.hash));
	r.p = s + GAN_SPOOL_FRONT;
	r.left = size - GAN_SPOOL_FRONT;
	rec.in.source = get_text(&r);
	rec.in.topic = get_text(&r);
	rec.in.topic_raw = get_text(&r);
	rec.in.meta = get_text(&r);
	rec.in.reject = get_text(&r);
	body = get_bytes(&r, &rec.in.body_len);
	/* Of a version that nobody has written yet, or made up. */
	if (r.bad || r.left > 7 || rec.number == 0 || rec.in.source == NULL ||
	    rec.in.topic == NULL || body == NULL ||
	    (unsigned)rec.in.dedupe > GAN_DEDUPE_IDEMPOTENCY)
		return GAN_EPARSE;
	/* Not const, since a sender's body is taken over; this one is only read. */
	memcpy(&rec.in.body, &body, sizeof(body));
	*ret_rec = rec;
	return (int)size;
}
