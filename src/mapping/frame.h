/* SPDX-License-Identifier: MIT */
/*
 * frame.h - what the pool and its worker processes say to each other.
 *
 * A frame is a 32-bit little-endian length, one byte of kind and the payload;
 * the length counts the kind.  Numbers are 32 or 64 bits; a text is its
 * length, its bytes and a NUL, so that a reader can point into the frame; the
 * length 2^32 - 1 stands for "no text".  Both ends are the same binary, so
 * there are no versions.
 *
 *   to the worker
 *     OPTIONS   i64 memory, i64 timeout_ms, u32 numbers      first, once
 *     PROGRAM   u32 id, rule (pool_program.c writes it)        answered by COMPILED
 *     DROP      u32 id
 *     EVENT     u32 seq, text meta, text body, u32 n, n * u32 program
 *     TEST      u32 seq, u32 program, texts meta, event, expect, expect_key,
 *               expect_effect, expect_reject                 answered by TESTED
 *   from the worker
 *     HELLO     limits are set, waiting
 *     COMPILED  u32 id, u32 n, n * (u32 piece, i64 line, i64 col, text)
 *     RESULT    u32 seq, u32 index, result                   one per program
 *     DONE      u32 seq
 *     TESTED    u32 seq, u32 green, u32 requests, text detail
 *
 *   result: u32 0, text reason                               rejected
 *           u32 1, u32 n, n * (text body, text key, text effect, u32 m, m * text after);
 *           the last one of a rule with `newest` is that
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum gan_frame_kind {
	GAN_FRAME_OPTIONS = 'O',
	GAN_FRAME_PROGRAM = 'P',
	GAN_FRAME_DROP = 'X',
	GAN_FRAME_EVENT = 'E',
	GAN_FRAME_TEST = 'T',
	GAN_FRAME_HELLO = 'h',
	GAN_FRAME_COMPILED = 'c',
	GAN_FRAME_RESULT = 'r',
	GAN_FRAME_DONE = 'd',
	GAN_FRAME_TESTED = 't',
};

#define GAN_FRAME_HEAD 5
#define GAN_FRAME_MAX (256U << 20) /* a rule may carry 64 MiB of tables as JSON */
#define GAN_RESULT_REJECTED 0
#define GAN_RESULT_OUTPUTS 1

/* Limits of what one rule may make of one event. */
#define GAN_OUTPUTS_MAX 1000
#define GAN_OUTPUT_BYTES_MAX (4U << 20)
#define GAN_KEY_MAX 200
#define GAN_EFFECT_MAX 1000

/* How a worker leaves when jq runs out of memory. */
#define GAN_EXIT_NOMEM 77

/*
 * Shared by pool and worker (one page, descriptor 3): what the worker is at,
 * so that the pool can name the rule when the worker dies.  Written by the
 * worker only; the pool believes nothing of it without a look.
 */
struct gan_progress {
	volatile uint32_t seq;     /* of the event or test; 0: none */
	volatile uint32_t index;   /* of the program within the event */
	volatile uint32_t program; /* id that is being compiled; 0: none */
};

/* Pieces of a rule, as numbered in COMPILED; after[i] is GAN_PIECE_AFTER + i. */
enum gan_piece {
	GAN_PIECE_WHEN,
	GAN_PIECE_MAP,
	GAN_PIECE_KEY,
	GAN_PIECE_EFFECT,
	GAN_PIECE_AFTER,
};

/* Start a frame; returns where it starts.  gan_frame_end() puts its length in. */
size_t gan_frame_begin(struct gan_buf *b, enum gan_frame_kind kind);
void gan_frame_end(struct gan_buf *b, size_t start);

void gan_frame_text(struct gan_buf *b, const char *s); /* s may be NULL */
void gan_frame_bytes(struct gan_buf *b, const void *p, size_t n);

/* Reading: after the first short read everything is 0 and bad is set. */
struct gan_frame_in {
	const char *p;
	size_t left;
	bool bad;
};

uint32_t gan_frame_u32(struct gan_frame_in *in);
int64_t gan_frame_i64(struct gan_frame_in *in);
/*
 * Points into the frame, NUL-terminated; NULL for "no text" (ret_len 0).  Who
 * does not ask for its length gets no text with a NUL inside.
 */
const char *gan_frame_str(struct gan_frame_in *in, size_t *ret_len);

/*
 * Is there a whole frame at p?  Returns its size with the head (then *ret_kind
 * and *in are set), 0 when bytes are missing, or GAN_EPARSE.
 */
long gan_frame_next(const char *p, size_t n, int *ret_kind, struct gan_frame_in *in);
