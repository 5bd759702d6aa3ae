/* SPDX-License-Identifier: MIT */
/* gantryd.c - main() of the daemon: options, limits, run. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "app.h"
#include "base/buf.h"
#include "base/mem.h"
#include "conf/schema.h"
#include "loader.h"
#include "mapping/pool.h"

enum { EXIT_USAGE = 64 };

static const char usage[] =
    "Usage: gantryd [-c FILE]            serve, in the foreground, until SIGTERM\n"
    "       gantryd [-c FILE] -t [-q]    check configuration and rules, run their tests\n"
    "       gantryd --print-schema       print the JSON Schema of gantry.yaml\n"
    "\n"
    "  -c, --config FILE     configuration (default: /etc/gantry/gantry.yaml)\n"
    "  -t, --check-config    check and leave: exit 0 when all is good, 78 when not\n"
    "  -q, --quiet           with -t: print findings only\n"
    "      --print-schema    for editors and other checkers\n"
    "  -V, --version         print the version\n"
    "  -h, --help            print this\n"
    "\n"
    "Signals: HUP reload, TERM or INT stop, USR1 log a summary, USR2 toggle debug logging.\n"
    "See gantryd(8), gantry.yaml(5), gantry-rules(5).\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, 't' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "print-schema", no_argument, NULL, 's' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* No core, no tracer of the same user: secrets are in this memory. */
static void
guard_memory(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)umask(0077);
}

static int
print_schema(void)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	if (gan_schema_json(&b) < 0 || puts(b.data) < 0)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	const char *config = "/etc/gantry/gantry.yaml";
	bool check = false, quiet = false;
	int c;

	if (argc > 1 && strcmp(argv[1], "--mapper") == 0)
		return gan_worker_main(argc, argv);
	while ((c = getopt_long(argc, argv, "c:tqVh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case 't':
			check = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 's':
			return print_schema();
		case 'V':
			(void)printf("gantryd %s\n", GAN_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			(void)fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			(void)fputs("Try 'gantryd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "gantryd: unexpected '%s'\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	guard_memory();
	return check ? gan_loader_check(config, quiet) : gan_app_run(config);
}
