/* SPDX-License-Identifier: MIT */
/*
 * slow_sync.c - a preload: a disk that takes $SLOW_SYNC_US longer for every sync.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int
slowly(long call, int fd)
{
	const char *us = getenv("SLOW_SYNC_US");
	long wait = us == NULL ? 0 : strtol(us, NULL, 10);
	struct timespec left = { wait / 1000000, wait % 1000000 * 1000 };
	int rc = (int)syscall(call, fd);

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
	return rc;
}

int
fdatasync(int fd)
{
	return slowly(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return slowly(SYS_fsync, fd);
}
