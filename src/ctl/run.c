/* SPDX-License-Identifier: MIT */
/* run.c - main of gantryctl, and the commands that are one question and one answer. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/ctl.h"
#include "mapping/pool.h"

#define EVENT_MAX (1u << 20)

int
gan_ctl_exchange(struct gan_ctl *ctl, const struct gan_buf *request)
{
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_err err = { 0 };

	if (gan_ctl_call(ctl, request, ctl->cmd->deadline_s, &r, &err) < 0)
		return gan_ctl_fail(&err);
	gan_ctl_show(ctl, &r);
	return r.exit;
}

/* The command's verb with its first operand and its options. */
static int
build(struct gan_ctl *ctl, struct gan_buf *b, struct gan_err *err)
{
	int rc;

	gan_ctl_request_begin(b, ctl->cmd->name);
	if (ctl->noperands > 0 && ctl->cmd->key != NULL)
		gan_ctl_request_str(b, ctl->cmd->key, ctl->operands[0]);
	rc = gan_ctl_request_options(ctl, b, err);
	gan_ctl_request_end(b, ctl->reason);
	return rc;
}

int
gan_ctl_run_plain(struct gan_ctl *ctl)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err err = { 0 };

	if ((ctl->cmd->options >> GAN_CTL_OPT_AS & 1) != 0 && ctl->opt[GAN_CTL_OPT_AS] == NULL)
		return gan_ctl_fail_text(GAN_CTL_USAGE,
		    "say what became of it: --as sent (it arrived) or --as not-sent (send it "
		    "again)");
	if (build(ctl, &b, &err) < 0)
		return gan_ctl_fail(&err);
	return gan_ctl_exchange(ctl, &b);
}

/* Ask, and print text made by put when a person reads. */
static int
ask(struct gan_ctl *ctl, struct gan_ctl_reply *r)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err err = { 0 };

	if (build(ctl, &b, &err) < 0 || gan_ctl_call(ctl, &b, ctl->cmd->deadline_s, r, &err) < 0)
		return gan_ctl_fail(&err);
	return GAN_OK;
}

int
gan_ctl_run_status(struct gan_ctl *ctl)
{
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_buf why GAN_AUTO(gan_buf_fini) = { 0 };
	unsigned n;
	int rc = ask(ctl, &r);

	if (rc != GAN_OK)
		return rc;
	if (r.exit != GAN_CTL_OK || ctl->output != GAN_CTL_TABLE) {
		gan_ctl_show(ctl, &r);
	} else if (ctl->opt[GAN_CTL_OPT_CHECK] == NULL) {
		gan_ctl_put_status(r.result, &out);
		(void)fwrite(out.data, 1, out.len, stdout);
	}
	if (r.exit != GAN_CTL_OK || ctl->opt[GAN_CTL_OPT_CHECK] == NULL)
		return r.exit;
	n = gan_ctl_unhealthy(r.result, &why);
	(void)fflush(stdout);
	if (n > 0)
		(void)fputs(why.data, ctl->output == GAN_CTL_TABLE ? stdout : stderr);
	else if (ctl->output == GAN_CTL_TABLE)
		(void)puts("healthy");
	return n > 0 ? GAN_CTL_NEGATIVE : GAN_CTL_OK;
}

/* How the connectors are: a delivery that waits may wait for one of them. */
static void
ask_status(struct gan_ctl *ctl, struct gan_ctl_reply *ret_reply)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err err = { 0 };

	gan_ctl_request_begin(&b, "status");
	gan_ctl_request_end(&b, NULL);
	if (gan_ctl_call(ctl, &b, ctl->cmd->deadline_s, ret_reply, &err) < 0)
		*ret_reply = (struct gan_ctl_reply){ 0 }; /* the story is told without it */
}

int
gan_ctl_run_show(struct gan_ctl *ctl)
{
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_ctl_reply status GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ctl_telling how = { ctl->color, ctl->opt[GAN_CTL_OPT_BODIES] != NULL,
		{ NULL, 0 } };
	int rc;

	/* The story tells of every attempt. */
	if (ctl->output == GAN_CTL_TABLE)
		ctl->opt[GAN_CTL_OPT_BODIES] = "";
	rc = ask(ctl, &r);
	if (rc != GAN_OK)
		return rc;
	if (r.exit != GAN_CTL_OK || ctl->output != GAN_CTL_TABLE) {
		gan_ctl_show(ctl, &r);
		return r.exit;
	}
	ask_status(ctl, &status);
	how.status = status.result;
	gan_ctl_put_story(r.result, &how, &out);
	(void)fwrite(out.data, 1, out.len, stdout);
	return r.exit;
}

int
gan_ctl_run_reload(struct gan_ctl *ctl)
{
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	int rc = ask(ctl, &r);

	if (rc != GAN_OK)
		return rc;
	if (ctl->output != GAN_CTL_TABLE || r.result.n == 0) {
		gan_ctl_show(ctl, &r);
		return r.exit;
	}
	if (r.exit == GAN_CTL_OK) {
		if (r.text != NULL && *r.text != '\0')
			gan_ctl_say_lines(stdout, r.text);
		else
			(void)printf("generation %lld is in force\n",
			    (long long)gan_span_int(gan_span_get(r.result, "generation"), 0));
		return r.exit;
	}
	(void)gan_ctl_fail_text(
	    r.exit, "the reload was refused, the old generation stays in force");
	if (r.text != NULL)
		gan_ctl_say_lines(stderr, r.text);
	return r.exit;
}

int
gan_ctl_run_backup(struct gan_ctl *ctl)
{
	char cwd[4096];
	char *path GAN_AUTO(gan_str_free) = NULL;
	char *operand = ctl->operands[0];
	int rc;

	/* gandryd has another working folder than we. */
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return gan_ctl_fail_text(GAN_CTL_USAGE, "give an absolute path");
	path = gan_path_join(cwd, operand);
	if (path == NULL)
		return gan_ctl_fail_text(GAN_CTL_NEGATIVE, "out of memory");
	ctl->operands[0] = path;
	rc = gan_ctl_run_plain(ctl);
	ctl->operands[0] = operand;
	return rc;
}

/* ---- commands about files: by gantryd when it answers, else here ---- */

/* Returns true when gantryd answers; else *ret_exit is what to do: 0 go offline. */
static bool
daemon_answers(struct gan_ctl *ctl, int *ret_exit)
{
	struct gan_err err = { 0 };
	int rc;

	*ret_exit = 0;
	if (ctl->config_given && !ctl->socket_given)
		return false;
	rc = gan_ctl_connect(ctl, &err);
	if (rc == GAN_OK)
		return true;
	if (rc == GAN_EPERM && !ctl->config_given) {
		(void)gan_ctl_fail(&err);
		(void)fputs("           (--config FILE checks files without gantryd)\n", stderr);
		*ret_exit = GAN_CTL_NOPERM;
	}
	return false;
}

int
gan_ctl_run_files(struct gan_ctl *ctl)
{
	int exit_code;

	if (daemon_answers(ctl, &exit_code))
		return gan_ctl_run_plain(ctl);
	return exit_code != 0 ? exit_code : gan_ctl_offline(ctl, NULL, 0);
}

static int
try_request(struct gan_ctl *ctl, const char *event)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err err = { 0 };
	int rc;

	gan_ctl_request_begin(&b, ctl->cmd->name);
	gan_ctl_request_str(&b, "rule", ctl->operands[0]);
	if (event != NULL)
		gan_ctl_request_str(&b, "event", event);
	else
		gan_ctl_request_str(&b, "id", ctl->operands[1]);
	rc = gan_ctl_request_options(ctl, &b, &err);
	gan_ctl_request_end(&b, NULL);
	if (rc < 0 || gan_ctl_call(ctl, &b, ctl->cmd->deadline_s, &r, &err) < 0)
		return gan_ctl_fail(&err);
	if (ctl->output != GAN_CTL_TABLE || gan_span_kind(gan_span_get(r.result, "outputs")) == 0) {
		gan_ctl_show(ctl, &r);
		return r.exit;
	}
	gan_ctl_put_try(r.result, &out);
	(void)fwrite(out.data, 1, out.len, stdout);
	return r.exit;
}

int
gan_ctl_run_try(struct gan_ctl *ctl)
{
	const char *file = ctl->opt[GAN_CTL_OPT_EVENT_FILE];
	char *event GAN_AUTO(gan_str_free) = NULL;
	struct gan_err err = { 0 };
	size_t len = 0;
	int exit_code;

	if ((file == NULL) == (ctl->noperands < 2))
		return gan_ctl_fail_text(GAN_CTL_USAGE,
		    "rules try needs an event: the id of a stored one, or --event-file FILE");
	if (file != NULL && gan_file_read(file, EVENT_MAX, &event, &len, &err) < 0)
		return gan_ctl_fail_text(GAN_CTL_NEGATIVE, err.msg);
	if (daemon_answers(ctl, &exit_code))
		return try_request(ctl, event);
	if (exit_code != 0)
		return exit_code;
	if (event == NULL)
		return gan_ctl_fail_text(GAN_CTL_UNAVAILABLE,
		    "stored events are in gantryd, and it does not answer; --event-file FILE works "
		    "without it");
	return gan_ctl_offline(ctl, event, len);
}

/* ---- about gantryctl itself ---- */

int
gan_ctl_run_help(struct gan_ctl *ctl)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	const struct gan_ctl_command *c = NULL;
	int words;

	if (ctl->noperands > 0) {
		c = gan_ctl_find(
		    ctl->operands[0], ctl->noperands > 1 ? ctl->operands[1] : NULL, &words);
		if (c == NULL)
			return gan_ctl_fail_text(
			    GAN_CTL_USAGE, "no such command; see gantryctl --help");
		gan_ctl_put_command_help(c, &out);
	} else {
		gan_ctl_put_help(&out);
	}
	(void)fputs(out.data != NULL ? out.data : "", stdout);
	return GAN_CTL_OK;
}

int
gan_ctl_run_completion(struct gan_ctl *ctl)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	if (strcmp(ctl->operands[0], "bash") != 0)
		return gan_ctl_fail_text(GAN_CTL_USAGE, "there is completion for bash only");
	gan_ctl_put_completion(&out);
	(void)fputs(out.data != NULL ? out.data : "", stdout);
	return GAN_CTL_OK;
}

static int
run(struct gan_ctl *ctl)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	int exit_code;

	if (ctl->cmd == NULL || ctl->help) {
		if (ctl->cmd != NULL)
			gan_ctl_put_command_help(ctl->cmd, &out);
		else
			gan_ctl_put_help(&out);
		(void)fputs(out.data != NULL ? out.data : "", stdout);
		return GAN_CTL_OK;
	}
	exit_code = ctl->cmd->run(ctl);
	if (ctl->fd >= 0)
		(void)close(ctl->fd);
	gan_buf_fini(&ctl->in);
	return exit_code;
}

int
gan_ctl_main(int argc, char **argv)
{
	struct gan_ctl ctl;
	struct gan_err err = { 0 };
	bool version = false;
	int exit_code;

	/* A worker for `rules` and `config` commands without gantryd; not for people. */
	if (argc > 1 && strcmp(argv[1], "--mapper") == 0)
		return gan_worker_main(argc, argv);
	(void)setlocale(LC_CTYPE, "");
	if (gan_ctl_parse(argc, argv, &ctl, &version, &err) < 0)
		return gan_ctl_fail(&err);
	if (version) {
		(void)printf("gantryctl %s\n", GAN_VERSION);
		return GAN_CTL_OK;
	}
	exit_code = run(&ctl);
	if (fflush(stdout) != 0)
		return gan_ctl_fail_text(GAN_CTL_NEGATIVE, "the output could not be written");
	return exit_code;
}
