/* SPDX-License-Identifier: MIT */
/* main.c - gantry-sim: Prodsmart, Movilitas, Flex2B and an ERP on loopback ports. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "sim.h"

static const char usage[] =
    "usage: gantry-sim [OPTION...]            serve until SIGTERM\n"
    "       gantry-sim send OPTION...         send signed webhooks (send --help)\n"
    "\n"
    "Simulates Prodsmart, Movilitas.Cloud, Flex2B and an ERP.  Prints one line of\n"
    "JSON with its ports when it is ready.\n"
    "\n"
    "  --listen ADDRESS        loopback address (127.0.0.1)\n"
    "  --prodsmart, --movilitas, --flex2b, --erp, --control PORT\n"
    "                          ports; 0, the default, takes any\n"
    "  --state FILE            JSON as for POST /state, read at start\n"
    "  --journal FILE          append every request as a line of JSON\n"
    "  --journal-memory SIZE   how much of the journal is kept (256MiB);\n"
    "                          0: only counters\n"
    "\n"
    "On the control port:\n"
    "  GET  /journal?system=S&path=P&after=N&limit=N     GET /journal/count\n"
    "  GET  /state   POST /state {\"movilitas\":{\"ssccs\":{\"SSCC\":\"Assigned\"},…}}\n"
    "  POST /fault {\"system\":S,\"kind\":K,…}   GET /fault   DELETE /fault?id=N\n"
    "  POST /reset\n"
    "Kinds of faults: status redirect drop-before drop-after hang hang-after late\n"
    "garbage raw half huge.  See contrib/gantry-sim/README.md.\n";

struct options {
	const char *host, *state, *journal;
	int64_t journal_bytes;
	int ports[GAN_SIM_NSYSTEMS];
};

static void
on_signal(uv_signal_t *h, int signum)
{
	(void)signum;
	gan_sim_stop(h->data);
}

static void
on_sweep(uv_timer_t *t)
{
	gan_sim_sweep(t->data);
}

static int
load_state(struct gan_sim *sim, const char *path, struct gan_err *err)
{
	char *text GAN_AUTO(gan_str_free) = NULL;
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	size_t len;
	int rc = gan_file_read(path, 16 * 1024 * 1024, &text, &len, err);

	if (rc == 0)
		rc = gan_cj_parse(text, len, &tree, err);
	if (rc == 0)
		rc = gan_sim_state_set(sim, tree, err);
	return rc < 0 ? gan_err_wrap(err, rc, "%s", path) : rc;
}

static void
say_ready(const struct gan_sim *sim)
{
	(void)printf("{");
	for (int i = 0; i < GAN_SIM_NSYSTEMS; i++)
		(void)printf(
		    "\"%s\":%d,", gan_sim_names[i], gan_sim_port(sim, (enum gan_sim_system)i));
	(void)printf("\"pid\":%ld}\n", (long)getpid());
	(void)fflush(stdout);
}

static int
start(struct gan_sim *sim, const struct options *o, struct gan_err *err)
{
	int rc = gan_sim_state_init(sim);

	if (rc == 0)
		rc = gan_sim_journal_open(o->journal, (size_t)o->journal_bytes, &sim->journal, err);
	for (int i = 0; rc == 0 && i < GAN_SIM_NSYSTEMS; i++)
		rc = gan_sim_listen(sim, (enum gan_sim_system)i, o->host, o->ports[i], err);
	if (rc == 0 && o->state != NULL)
		rc = load_state(sim, o->state, err);
	if (rc < 0)
		return rc;
	gan_must(uv_signal_init(&sim->loop, &sim->on_term) == 0);
	gan_must(uv_signal_init(&sim->loop, &sim->on_int) == 0);
	gan_must(uv_timer_init(&sim->loop, &sim->sweep) == 0);
	sim->on_term.data = sim->on_int.data = sim->sweep.data = sim;
	gan_must(uv_signal_start(&sim->on_term, on_signal, SIGTERM) == 0);
	gan_must(uv_signal_start(&sim->on_int, on_signal, SIGINT) == 0);
	gan_must(uv_timer_start(&sim->sweep, on_sweep, 5000, 5000) == 0);
	return GAN_OK;
}

static int
serve(const struct options *o)
{
	struct gan_sim *sim = calloc(1, sizeof(*sim));
	struct gan_err err = { 0 };
	int rc;

	gan_must(sim != NULL && uv_loop_init(&sim->loop) == 0);
	rc = start(sim, o, &err);
	if (rc == 0) {
		say_ready(sim);
	} else {
		(void)fprintf(stderr, "gantry-sim: %s\n", err.msg);
		gan_sim_stop(sim);
	}
	(void)uv_run(&sim->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&sim->loop);
	for (int i = 0; i < GAN_SIM_NSYSTEMS; i++)
		free(sim->listeners[i]);
	gan_sim_state_fini(sim);
	free(sim);
	return rc == 0 ? 0 : 1;
}

static bool
parse_port(const char *text, int *ret_port)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*end != '\0' || end == text || v < 0 || v > 65535)
		return false;
	*ret_port = (int)v;
	return true;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = { { "prodsmart", 1, NULL, GAN_SIM_PRODSMART },
		{ "movilitas", 1, NULL, GAN_SIM_MOVILITAS }, { "flex2b", 1, NULL, GAN_SIM_FLEX2B },
		{ "erp", 1, NULL, GAN_SIM_ERP }, { "control", 1, NULL, GAN_SIM_CONTROL },
		{ "listen", 1, NULL, 'l' }, { "state", 1, NULL, 's' }, { "journal", 1, NULL, 'j' },
		{ "journal-memory", 1, NULL, 'm' }, { "help", 0, NULL, 'h' }, { 0 } };
	struct options o = { .host = "127.0.0.1", .journal_bytes = INT64_C(256) << 20 };
	int c;

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return 1;
	if (argc > 1 && strcmp(argv[1], "send") == 0)
		return gan_sim_send(argc - 1, argv + 1);
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		bool ok = true;

		switch (c) {
		case 'l':
			o.host = optarg;
			break;
		case 's':
			o.state = optarg;
			break;
		case 'j':
			o.journal = optarg;
			break;
		case 'm':
			ok = gan_size_parse(optarg, &o.journal_bytes);
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		default:
			ok = c >= 0 && c < GAN_SIM_NSYSTEMS && parse_port(optarg, &o.ports[c]);
		}
		if (!ok) {
			(void)fputs(usage, stderr);
			return 64;
		}
	}
	if (optind < argc) {
		(void)fputs(usage, stderr);
		return 64;
	}
	return serve(&o);
}
