/* SPDX-License-Identifier: MIT */
/* mem.c - see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

_Noreturn void
gan_must_fail(const char *what, const char *file, int line, const char *func)
{
	(void)fprintf(
	    stderr, "<2>gantry: %s:%d: %s: assertion failed: %s\n", file, line, func, what);
	abort();
}

char *
gan_memdup(const void *p, size_t n)
{
	char *copy = malloc(n + 1);

	if (copy == NULL)
		return NULL;
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *
gan_asprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

void
gan_secret_free(void *p, size_t n)
{
	if (p == NULL)
		return;
	explicit_bzero(p, n);
	free(p);
}
