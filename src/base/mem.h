/* SPDX-License-Identifier: MIT */
/*
 * mem.h - scope-bound ownership and the two kinds of assertion.
 *
 * gan_must(x) is for programming errors: always compiled in, prints where and
 * aborts (systemd restarts us, the store survives).  Damage that can be
 * refused is refused with an error code instead.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

/*
 * Run fn(&var) when var leaves scope.  Every gan_*_free() takes a T ** and
 * clears it, so a destructor is its own cleanup handler.
 */
#define GAN_AUTO(fn) __attribute__((cleanup(fn)))

/* Give the value away: yields *(pp) and leaves NULL behind. */
#define gan_steal(pp)                                                                              \
	__extension__({                                                                            \
		__typeof__(*(pp)) v_ = *(pp);                                                      \
		*(pp) = NULL;                                                                      \
		v_;                                                                                \
	})

#define gan_must(x) ((x) ? (void)0 : gan_must_fail(#x, __FILE__, __LINE__, __func__))

#define GAN_COUNT(a) (sizeof(a) / sizeof((a)[0]))

_Noreturn void gan_must_fail(const char *what, const char *file, int line, const char *func);

static inline void
gan_str_free(char **sp)
{
	free(gan_steal(sp));
}

/* A copy of n bytes with a NUL behind it, or NULL. */
char *gan_memdup(const void *p, size_t n);

/* printf into fresh memory, or NULL. */
char *gan_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Overwrite, in a way the compiler keeps, and free; NULL is fine. */
void gan_secret_free(void *p, size_t n);
