/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what the entry points share.  Each fuzz_<parser>.c has one
 * LLVMFuzzerTestOneInput() that feeds arbitrary bytes to one parser and states
 * by gan_must() what has to hold whatever they are.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * libfyaml 0.7.12 loses 1 KiB for each quoted text with many escapes: not ours,
 * and only when a file is loaded.
 */
const char *__lsan_default_suppressions(void);
#define FUZZ_LIBFYAML_LEAKS                                                                        \
	const char *__lsan_default_suppressions(void)                                              \
	{                                                                                          \
		return "leak:libfyaml.so";                                                         \
	}

/* The input, taken apart from the front. */
struct fuzz_in {
	const char *p;
	size_t left;
};

/* A copy of its own size, so that a read past the end is seen. */
static inline char *
fuzz_copy(const void *p, size_t n)
{
	char *s = malloc(n > 0 ? n : 1);

	gan_must(s != NULL);
	if (n > 0)
		memcpy(s, p, n);
	return s;
}

/* The same with a NUL behind it. */
static inline char *
fuzz_text(const void *p, size_t n)
{
	char *s = malloc(n + 1);

	gan_must(s != NULL);
	if (n > 0)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

/* The next line without its end, to free(); NULL when nothing is left. */
static inline char *
fuzz_line(struct fuzz_in *in)
{
	const char *end;
	size_t n;
	char *s;

	if (in->left == 0)
		return NULL;
	end = memchr(in->p, '\n', in->left);
	n = end != NULL ? (size_t)(end - in->p) : in->left;
	s = fuzz_text(in->p, n);
	n += end != NULL;
	in->p += n;
	in->left -= n;
	return s;
}
