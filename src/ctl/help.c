/* SPDX-License-Identifier: MIT */
/* help.c - everything that is told about the table of commands. */
#include <string.h>

#include "ctl/ctl.h"

void
gan_ctl_put_synopsis(const struct gan_ctl_command *c, struct gan_buf *out)
{
	gan_buf_puts(out, c->name);
	if (*c->operands != '\0')
		gan_buf_printf(out, " %s", c->operands);
	for (int i = 0; i < GAN_CTL_NOPTIONS; i++) {
		const struct gan_ctl_option *o = &gan_ctl_options[i];

		if ((c->options >> i & 1) != 0)
			gan_buf_printf(out, " [--%s%s%s]", o->name, o->arg != NULL ? " " : "",
			    o->arg != NULL ? o->arg : "");
	}
}

static void
put_option(const struct gan_ctl_option *o, struct gan_buf *out)
{
	char left[64];

	(void)snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg != NULL ? " " : "",
	    o->arg != NULL ? o->arg : "");
	gan_buf_printf(out, "  %-22s %s\n", left, o->help);
}

static void
put_globals(struct gan_buf *out)
{
	gan_buf_puts(out, "\nOptions for all commands:\n");
	for (size_t i = 0; i < gan_ctl_nglobals; i++)
		put_option(&gan_ctl_globals[i], out);
}

void
gan_ctl_put_help(struct gan_buf *out)
{
	gan_buf_puts(out, "usage: gantryctl [OPTION...] COMMAND ...\n"
			  "Look at and steer gantryd, the integration gateway.\n\nCommands:\n");
	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		gan_buf_puts(out, "  ");
		gan_ctl_put_synopsis(&gan_ctl_commands[i], out);
		gan_buf_printf(out, "\n      %s\n", gan_ctl_commands[i].help);
	}
	gan_buf_puts(out, "\nOptions of commands:\n");
	for (int i = 0; i < GAN_CTL_NOPTIONS; i++)
		put_option(&gan_ctl_options[i], out);
	put_globals(out);
	gan_buf_puts(out,
	    "\nExit codes: 0 done; 1 a negative answer; 64 usage; 69 gantryd is not reachable;\n"
	    "77 not allowed; 78 configuration error found without gantryd.  See gantryctl(1).\n");
}

void
gan_ctl_put_command_help(const struct gan_ctl_command *c, struct gan_buf *out)
{
	gan_buf_puts(out, "usage: gantryctl [OPTION...] ");
	gan_ctl_put_synopsis(c, out);
	gan_buf_printf(out, "\n\n%s\n", c->help);
	if (c->options != 0)
		gan_buf_puts(out, "\nOptions:\n");
	for (int i = 0; i < GAN_CTL_NOPTIONS; i++) {
		if ((c->options >> i & 1) != 0)
			put_option(&gan_ctl_options[i], out);
	}
	put_globals(out);
}

/* The words that may follow a word, for the shell's case statement. */
static void
put_case(struct gan_buf *out, const char *family, size_t n)
{
	gan_buf_printf(out, "\t%.*s) words=\"", (int)n, family);
	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		const char *name = gan_ctl_commands[i].name;

		if (strncmp(name, family, n) == 0 && name[n] == ' ')
			gan_buf_printf(out, "%s ", name + n + 1);
	}
	gan_buf_puts(out, "\" ;;\n");
}

void
gan_ctl_put_completion(struct gan_buf *out)
{
	gan_buf_puts(out,
	    "# bash completion for gantryctl; made by `gantryctl completion bash`\n"
	    "_gantryctl()\n{\n"
	    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
	    "words=\n"
	    "\tcase $prev in\n"
	    "\t--socket|--config|--event-file|--body|--rules) COMPREPLY=($(compgen -f -- \"$cur\")); "
	    "return ;;\n"
	    "\t--output) words=\"table json jsonl\" ;;\n"
	    "\t--color) words=\"auto always never\" ;;\n"
	    "\t--as) words=\"sent not-sent\" ;;\n");
	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		const char *name = gan_ctl_commands[i].name;
		size_t n = strcspn(name, " ");

		if (name[n] == ' ' &&
		    (i == 0 || strncmp(gan_ctl_commands[i - 1].name, name, n + 1) != 0))
			put_case(out, name, n);
	}
	gan_buf_puts(out, "\tgantryctl) words=\"");
	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		const char *name = gan_ctl_commands[i].name;
		size_t n = strcspn(name, " ");

		if (i == 0 || strcspn(gan_ctl_commands[i - 1].name, " ") != n ||
		    strncmp(gan_ctl_commands[i - 1].name, name, n) != 0)
			gan_buf_printf(out, "%.*s ", (int)n, name);
	}
	gan_buf_puts(out, "\" ;;\n\tesac\n\tif [[ $cur == -* ]]; then\n\t\twords=\"");
	for (size_t i = 0; i < gan_ctl_nglobals; i++)
		gan_buf_printf(out, "--%s ", gan_ctl_globals[i].name);
	for (int i = 0; i < GAN_CTL_NOPTIONS; i++)
		gan_buf_printf(out, "--%s ", gan_ctl_options[i].name);
	gan_buf_puts(out, "\"\n\tfi\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
			  "complete -F _gantryctl gantryctl\n");
}
