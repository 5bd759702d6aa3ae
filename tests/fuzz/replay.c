/* SPDX-License-Identifier: MIT */
/*
 * replay.c - run one entry point over stored inputs, with any compiler:
 * `fuzz_json FILE...`.  Each file has a process of its own and 30 seconds, so
 * that one that crashes or hangs is named and the others still run.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"

enum { INPUT_MAX = 1 << 20, SECONDS = 30 };

static int
replay(const char *path)
{
	struct gan_err err = { 0 };
	char *data;
	size_t len;

	if (gan_file_read(path, INPUT_MAX, &data, &len, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	(void)alarm(SECONDS);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)data, len);
	free(data);
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		pid_t pid = fork();
		int status = -1;

		if (pid == 0)
			exit(replay(argv[i]));
		if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
			passed++;
		} else {
			fprintf(stderr, "%s: failed on %s\n", argv[0], argv[i]);
			failed++;
		}
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
