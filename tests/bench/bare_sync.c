/* SPDX-License-Identifier: MIT */
/*
 * bare_sync.c - the ceiling of the disk: append 4 KiB, fdatasync, again.
 *
 *	bare_sync FOLDER SECONDS	prints one JSON object
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { MOST = 1 << 20 };

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int
main(int argc, char **argv)
{
	static char page[4096];
	int64_t *took = calloc(MOST, sizeof(*took)), start, end;
	char *path;
	size_t n = 0;
	int fd;

	if (argc < 3 || took == NULL)
		return 64;
	path = gan_asprintf("%s/sync", argv[1]);
	fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	gan_must(fd >= 0);
	start = gan_mono_us();
	end = start + strtol(argv[2], NULL, 10) * 1000000;
	while (n < MOST && gan_mono_us() < end) {
		int64_t before = gan_mono_us();

		gan_must(write(fd, page, sizeof(page)) == (ssize_t)sizeof(page));
		gan_must(fdatasync(fd) == 0);
		took[n++] = gan_mono_us() - before;
	}
	end = gan_mono_us();
	(void)unlink(path);
	qsort(took, n, sizeof(*took), compare);
	(void)printf("{\"ok\":%zu,\"rate\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", n,
	    (double)n * 1e6 / (double)(end - start), (double)took[n / 2] / 1000,
	    (double)took[n * 99 / 100] / 1000);
	return 0;
}
