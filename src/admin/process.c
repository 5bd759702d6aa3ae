/* SPDX-License-Identifier: MIT */
/* process.c - what this process uses; the part of metrics.h that looks. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/metrics.h"
#include "base/mem.h"

static int64_t
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int64_t n = 0;

	if (d == NULL)
		return 0;
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n - 1; /* the one of the folder itself */
}

/* /proc/self/statm counts pages; files of /proc have no size, so no gan_file_read(). */
static void
read_memory(struct gan_metrics_process *ret)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long total = 0, resident = 0;
	long page = sysconf(_SC_PAGESIZE);
	char line[128], *end;

	if (f == NULL)
		return;
	if (fgets(line, sizeof(line), f) != NULL) {
		total = strtoll(line, &end, 10);
		resident = strtoll(end, NULL, 10);
	}
	(void)fclose(f);
	ret->virtual_bytes = total * page;
	ret->resident_bytes = resident * page;
}

void
gan_metrics_process(struct gan_metrics_process *ret)
{
	struct rusage ru;
	struct rlimit rl;

	memset(ret, 0, sizeof(*ret));
	if (getrusage(RUSAGE_SELF, &ru) == 0)
		ret->cpu_s = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
			     (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0)
		ret->max_fds = (int64_t)rl.rlim_cur;
	ret->open_fds = count_fds();
	read_memory(ret);
}
