/* SPDX-License-Identifier: MIT */
/*
 * args.c - the command line.
 *
 * Two passes of getopt_long: "+" up to the command, then the rest with the
 * options that the command has.  Options for all commands may stand in either.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "ctl/ctl.h"

#define GLOBAL 1000 /* getopt values: options of commands from 0, those for all from here */

enum {
	G_SOCKET,
	G_CONFIG,
	G_OUTPUT,
	G_REASON,
	G_YES,
	G_COLOR,
	G_HELP,
	G_VERSION,
};

struct parse {
	struct gan_ctl *ctl;
	bool version;
	const char *color;
	struct option longs[GAN_CTL_NOPTIONS + 16];
};

static void
fill_longs(struct parse *p, uint32_t bits)
{
	size_t n = 0;

	for (int i = 0; i < GAN_CTL_NOPTIONS; i++) {
		const struct gan_ctl_option *o = &gan_ctl_options[i];

		if ((bits >> i & 1) != 0)
			p->longs[n++] = (struct option){ o->name,
				o->arg != NULL ? required_argument : no_argument, NULL, i };
	}
	for (size_t i = 0; i < gan_ctl_nglobals; i++)
		p->longs[n++] = (struct option){ gan_ctl_globals[i].name,
			gan_ctl_globals[i].arg != NULL ? required_argument : no_argument, NULL,
			GLOBAL + (int)i };
	p->longs[n] = (struct option){ 0 };
}

static int
set_output(struct gan_ctl *ctl, const char *v, struct gan_err *err)
{
	static const char *const names[] = { "table", "json", "jsonl" };

	for (int i = 0; i < (int)GAN_COUNT(names); i++) {
		if (strcmp(v, names[i]) == 0) {
			ctl->output = (enum gan_ctl_output)i;
			return GAN_OK;
		}
	}
	return gan_err_set(err, GAN_EINVAL, "--output is table, json or jsonl, not '%s'", v);
}

static int
set_global(struct parse *p, int which, char *v, struct gan_err *err)
{
	struct gan_ctl *ctl = p->ctl;

	switch (which) {
	case G_SOCKET:
		ctl->socket = v;
		ctl->socket_given = true;
		return GAN_OK;
	case G_CONFIG:
		ctl->config = v;
		ctl->config_given = true;
		return GAN_OK;
	case G_OUTPUT:
		return set_output(ctl, v, err);
	case G_REASON:
		ctl->reason = v;
		return GAN_OK;
	case G_YES:
		ctl->yes = true;
		return GAN_OK;
	case G_COLOR:
		if (strcmp(v, "auto") != 0 && strcmp(v, "always") != 0 && strcmp(v, "never") != 0)
			return gan_err_set(
			    err, GAN_EINVAL, "--color is auto, always or never, not '%s'", v);
		p->color = v;
		return GAN_OK;
	case G_HELP:
		ctl->help = true;
		return GAN_OK;
	default:
		p->version = true;
		return GAN_OK;
	}
}

/* What was the word that getopt did not like? */
static int
bad_option(char **argv, int c, struct gan_err *err)
{
	const char *word = optind > 0 && argv[optind - 1] != NULL ? argv[optind - 1] : "";
	bool taken_apart = optopt > 0 && optopt < GLOBAL && word[0] == '-' && word[1] != '-';

	if (c == ':')
		return gan_err_set(err, GAN_EINVAL, "%s needs a value", word);
	if (taken_apart)
		return gan_err_set(
		    err, GAN_EINVAL, "there are no short options but -h and -V: '%s'", word);
	return gan_err_set(err, GAN_EINVAL, "unknown option or missing value: '%s'", word);
}

static int
run_getopt(struct parse *p, int argc, char **argv, const char *form, struct gan_err *err)
{
	int c, rc = GAN_OK;

	opterr = 0;
	optind = 0; /* glibc: begin anew, with the new form */
	while (rc == GAN_OK && (c = getopt_long(argc, argv, form, p->longs, NULL)) != -1) {
		if (c == 'h')
			p->ctl->help = true;
		else if (c == 'V')
			p->version = true;
		else if (c == '?' || c == ':')
			rc = bad_option(argv, c, err);
		else if (c >= GLOBAL)
			rc = set_global(p, c - GLOBAL, optarg, err);
		else
			p->ctl->opt[c] = optarg != NULL ? optarg : "";
	}
	return rc;
}

const struct gan_ctl_command *
gan_ctl_find(const char *first, const char *second, int *ret_words)
{
	size_t n = strlen(first);

	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		const struct gan_ctl_command *c = &gan_ctl_commands[i];

		if (strcmp(c->name, first) == 0) {
			*ret_words = 1;
			return c;
		}
		if (second != NULL && strncmp(c->name, first, n) == 0 && c->name[n] == ' ' &&
		    strcmp(c->name + n + 1, second) == 0) {
			*ret_words = 2;
			return c;
		}
	}
	return NULL;
}

/* The nearest name, when it is near; NULL else. */
static const char *
nearest(const char *typed)
{
	const char *best = NULL;
	size_t least = 3;

	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		size_t d = gan_distance(typed, gan_ctl_commands[i].name);

		if (d < least) {
			least = d;
			best = gan_ctl_commands[i].name;
		}
	}
	return best;
}

/* The first of two words: "rules" of "rules list". */
static bool
is_family(const char *first)
{
	size_t n = strlen(first);

	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		const char *name = gan_ctl_commands[i].name;

		if (strncmp(name, first, n) == 0 && name[n] == ' ')
			return true;
	}
	return false;
}

static int
no_command(const char *first, const char *second, struct gan_err *err)
{
	char typed[80], list[200] = "";
	const char *near;
	size_t n = strlen(first), used = 0;

	/* A family's name alone, or with a word that it does not have. */
	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		const char *name = gan_ctl_commands[i].name;

		if (strncmp(name, first, n) == 0 && name[n] == ' ' && used < sizeof(list) - 40)
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
			    used > 0 ? ", " : "", name + n + 1);
	}
	if (used > 0)
		return gan_err_set(err, GAN_EINVAL, "'%s' is followed by one of: %s", first, list);
	(void)snprintf(typed, sizeof(typed), "%s%s%s", first, second != NULL ? " " : "",
	    second != NULL ? second : "");
	near = nearest(typed);
	if (near == NULL)
		near = nearest(first);
	return gan_err_set(err, GAN_EINVAL, "unknown command '%s'%s%s%s", first,
	    near != NULL ? ", did you mean '" : "; see gantryctl --help", near != NULL ? near : "",
	    near != NULL ? "'?" : "");
}

/* NO_COLOR, a dumb terminal and a pipe mean no colours, unless they are asked for. */
static bool
want_color(const char *when)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	if (when != NULL && strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return isatty(STDOUT_FILENO) == 1 && (no == NULL || *no == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static int
check_operands(const struct gan_ctl *ctl, struct gan_err *err)
{
	const struct gan_ctl_command *c = ctl->cmd;
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	if (ctl->help || (ctl->noperands >= c->min && (c->max < 0 || ctl->noperands <= c->max)))
		return GAN_OK;
	gan_ctl_put_synopsis(c, &b);
	if (ctl->noperands < c->min)
		return gan_err_set(err, GAN_EINVAL, "%s needs %s\nusage: gantryctl %s", c->name,
		    c->operands, b.data != NULL ? b.data : c->name);
	return gan_err_set(err, GAN_EINVAL, "'%s' is too much for %s\nusage: gantryctl %s",
	    ctl->operands[c->max], c->name, b.data != NULL ? b.data : c->name);
}

int
gan_ctl_parse(int argc, char **argv, struct gan_ctl *ctl, bool *ret_version, struct gan_err *err)
{
	struct parse p = { .ctl = ctl };
	const char *env = getenv("GANTRY_SOCKET");
	int rc, words = 0, at;

	*ctl = (struct gan_ctl){ .config = GAN_CTL_CONFIG_FILE, .fd = -1 };
	ctl->socket_given = env != NULL && *env != '\0';
	ctl->socket = ctl->socket_given ? env : GAN_CTL_SOCKET;
	fill_longs(&p, 0);
	rc = run_getopt(&p, argc, argv, "+:hV", err);
	if (rc < 0)
		return rc;
	at = optind;
	if (at < argc) {
		ctl->cmd = gan_ctl_find(argv[at], argv[at + 1], &words);
		/* "rules --help": there is no command yet to help with. */
		if (ctl->cmd == NULL && argv[at + 1] != NULL &&
		    (strcmp(argv[at + 1], "--help") == 0 || strcmp(argv[at + 1], "-h") == 0) &&
		    is_family(argv[at])) {
			ctl->help = true;
			return GAN_OK;
		}
		if (ctl->cmd == NULL)
			return no_command(argv[at], argv[at + 1], err);
		/* The command's last word stands where a program's name stands. */
		argv += at + words - 1;
		argc -= at + words - 1;
		fill_longs(&p, ctl->cmd->options);
		rc = run_getopt(&p, argc, argv, ":hV", err);
		if (rc < 0)
			return rc;
		ctl->operands = argv + optind;
		ctl->noperands = argc - optind;
		rc = check_operands(ctl, err);
		if (rc < 0)
			return rc;
	} else if (!ctl->help && !p.version) {
		return gan_err_set(err, GAN_EINVAL, "a command is missing; see gantryctl --help");
	}
	ctl->color = want_color(p.color);
	*ret_version = p.version;
	return GAN_OK;
}

bool
gan_ctl_time(const char *s, int64_t now_ms, int64_t *ret_ms)
{
	int64_t ago_ms;

	if (gan_duration_parse(s, &ago_ms)) {
		*ret_ms = ago_ms < now_ms ? now_ms - ago_ms : 1;
		return true;
	}
	return gan_time_parse(s, ret_ms) == GAN_OK;
}
