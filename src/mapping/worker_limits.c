/* SPDX-License-Identifier: MIT */
/* worker_limits.c - what a worker process may not do, and what it need not hold. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "mapping/worker.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { OOM_SCORE = 500 };

static void
limit(int what, rlim_t value)
{
	const struct rlimit l = { .rlim_cur = value, .rlim_max = value };

	(void)setrlimit((__rlimit_resource_t)what, &l);
}

/*
 * The code of our libraries was touched when they were loaded; a worker uses
 * a small part of it.  Let go of all, what is needed comes back by itself.
 * Only code: it is never written to, while read-only data may be.
 */
static void
forget_libraries(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *end, *mode;
		uintptr_t from = strtoul(line, &end, 16);
		uintptr_t to = *end == '-' ? strtoul(end + 1, &mode, 16) : from;

		if (to > from && strncmp(mode, " r-xp ", 6) == 0 && strchr(mode, '/') != NULL)
			(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}
	if (f != NULL)
		(void)fclose(f);
}

/* Best effort: as root, or in a container, some of these are refused or without effect. */
void
gan_worker_limit(int64_t memory)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];

	if (fd >= 0) {
		int n = snprintf(text, sizeof(text), "%d", OOM_SCORE);

		if (write(fd, text, (size_t)n) < 0)
			errno = 0;
		(void)close(fd);
	}
	forget_libraries();
	tzset(); /* reads the zone while files can still be opened */
	(void)close_range(GAN_PROGRESS_FD, ~0U, 0);
#ifndef SANITIZED
	limit(RLIMIT_AS, (rlim_t)memory);
#else
	(void)memory;
#endif
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_NOFILE, GAN_PROGRESS_FD);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
