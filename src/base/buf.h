/* SPDX-License-Identifier: MIT */
/*
 * buf.h - a growing byte buffer that remembers its first failure.
 *
 * Callers append as they like and look at `failed` once at the end: it is set
 * when memory ran out or the limit was passed, and nothing is added after
 * that.  data is always followed by a NUL once anything was appended, so it
 * can be printed.  A zeroed struct is a valid empty buffer without a limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gan_buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; /* 0: no limit; else appending past it fails */
	bool failed;
};

void gan_buf_fini(struct gan_buf *b);  /* also a GAN_AUTO handler */
void gan_buf_clear(struct gan_buf *b); /* keeps the memory, forgets content and failure */
void gan_buf_put(struct gan_buf *b, const void *p, size_t n);
void gan_buf_puts(struct gan_buf *b, const char *s);
void gan_buf_putc(struct gan_buf *b, char c);
void gan_buf_printf(struct gan_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Append s as a JSON string, quotes included; bad UTF-8 becomes U+FFFD. */
void gan_buf_json(struct gan_buf *b, const char *s, size_t n);

/* Little-endian numbers for our own frames. */
void gan_buf_u32(struct gan_buf *b, uint32_t v);
void gan_buf_i64(struct gan_buf *b, int64_t v);

/* Drop n bytes from the front. */
void gan_buf_shift(struct gan_buf *b, size_t n);

/* Hand the memory (NUL-terminated, never NULL unless failed) to the caller. */
char *gan_buf_steal(struct gan_buf *b, size_t *ret_len);
