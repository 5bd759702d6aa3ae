/* SPDX-License-Identifier: MIT */
/* frame.c - reading and writing the frames between pool and workers. */
#include "mapping/frame.h"

#include <string.h>

#include "base/err.h"

#define NO_TEXT UINT32_MAX

size_t
gan_frame_begin(struct gan_buf *b, enum gan_frame_kind kind)
{
	size_t start = b->len;

	gan_buf_u32(b, 0);
	gan_buf_putc(b, (char)kind);
	return start;
}

void
gan_frame_end(struct gan_buf *b, size_t start)
{
	if (b->failed)
		return;
	uint32_t n = (uint32_t)(b->len - start - 4);
	for (int i = 0; i < 4; i++)
		b->data[start + (size_t)i] = (char)(n >> (8 * i));
}

void
gan_frame_bytes(struct gan_buf *b, const void *p, size_t n)
{
	gan_buf_u32(b, (uint32_t)n);
	gan_buf_put(b, p, n);
	gan_buf_putc(b, '\0');
}

void
gan_frame_text(struct gan_buf *b, const char *s)
{
	if (s == NULL)
		gan_buf_u32(b, NO_TEXT);
	else
		gan_frame_bytes(b, s, strlen(s));
}

static uint32_t
load_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

uint32_t
gan_frame_u32(struct gan_frame_in *in)
{
	if (in->bad || in->left < 4) {
		in->bad = true;
		return 0;
	}
	uint32_t v = load_u32(in->p);
	in->p += 4;
	in->left -= 4;
	return v;
}

int64_t
gan_frame_i64(struct gan_frame_in *in)
{
	uint64_t low = gan_frame_u32(in);

	return (int64_t)(low | (uint64_t)gan_frame_u32(in) << 32);
}

const char *
gan_frame_str(struct gan_frame_in *in, size_t *ret_len)
{
	uint32_t n = gan_frame_u32(in);

	if (ret_len != NULL)
		*ret_len = 0;
	if (in->bad || n == NO_TEXT)
		return NULL;
	if (in->left <= n || in->p[n] != '\0' || (ret_len == NULL && strlen(in->p) != n)) {
		in->bad = true;
		return NULL;
	}
	const char *s = in->p;
	in->p += (size_t)n + 1;
	in->left -= (size_t)n + 1;
	if (ret_len != NULL)
		*ret_len = n;
	return s;
}

long
gan_frame_next(const char *p, size_t n, int *ret_kind, struct gan_frame_in *in)
{
	if (n < GAN_FRAME_HEAD)
		return 0;
	uint32_t len = load_u32(p);
	if (len < 1 || len > GAN_FRAME_MAX)
		return GAN_EPARSE;
	if (n - 4 < len)
		return 0;
	*ret_kind = (unsigned char)p[4];
	*in = (struct gan_frame_in){ .p = p + GAN_FRAME_HEAD, .left = len - 1 };
	return (long)len + 4;
}
