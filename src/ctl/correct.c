/* SPDX-License-Identifier: MIT */
/*
 * correct.c - a new body for a delivery: from a file, or from an editor that
 * starts with the present one.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/ctl.h"
#include "json/check.h"

#define BODY_MAX (1u << 20)

static int
send_body(struct gan_ctl *ctl, const char *body, size_t len)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err err = { 0 };

	/* gantryd checks it too; here it costs no question. */
	if (gan_json_check(body, len, GAN_JSON_DEPTH, NULL, &err) < 0) {
		(void)gan_err_wrap(
		    &err, GAN_EPARSE, "nothing was changed, the new body is no JSON");
		return gan_ctl_fail_text(GAN_CTL_NEGATIVE, err.msg);
	}
	gan_ctl_request_begin(&b, ctl->cmd->name);
	gan_ctl_request_str(&b, "id", ctl->operands[0]);
	gan_ctl_request_str(&b, "body", body);
	gan_ctl_request_end(&b, ctl->reason);
	return gan_ctl_exchange(ctl, &b);
}

static int
read_stdin(struct gan_buf *b)
{
	char chunk[65536];
	size_t n;

	b->max = BODY_MAX;
	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		gan_buf_put(b, chunk, n);
	return b->failed || ferror(stdin) != 0 ? GAN_ELIMIT : GAN_OK;
}

static int
from_file(struct gan_ctl *ctl, const char *path)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	char *body GAN_AUTO(gan_str_free) = NULL;
	struct gan_err err = { 0 };
	size_t len = 0;

	if (strcmp(path, "-") != 0) {
		if (gan_file_read(path, BODY_MAX, &body, &len, &err) < 0)
			return gan_ctl_fail_text(GAN_CTL_NEGATIVE, err.msg);
		return send_body(ctl, body, len);
	}
	if (read_stdin(&b) < 0)
		return gan_ctl_fail_text(
		    GAN_CTL_NEGATIVE, "standard input: more than 1 MiB, or not readable");
	return send_body(ctl, b.data != NULL ? b.data : "", b.len);
}

/* ---- --edit ------------------------------------------------------------------------ */

/* The delivery's body as it is now, indented. */
static int
fetch(struct gan_ctl *ctl, struct gan_buf *ret_body)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_span_iter it = { 0 };
	struct gan_err err = { 0 };
	struct gan_span d, body = { NULL, 0 };

	gan_ctl_request_begin(&b, "show");
	gan_ctl_request_str(&b, "text", ctl->operands[0]);
	gan_ctl_request_flag(&b, "bodies");
	gan_ctl_request_end(&b, NULL);
	if (gan_ctl_call(ctl, &b, ctl->cmd->deadline_s, &r, &err) < 0)
		return gan_ctl_fail(&err);
	if (r.exit != GAN_CTL_OK) {
		gan_ctl_show(ctl, &r);
		return r.exit;
	}
	it = (struct gan_span_iter){ 0 };
	if (gan_span_next(gan_span_get(r.result, "events"), &it, NULL, &d)) {
		struct gan_span_iter of = { 0 };

		while (gan_span_next(gan_span_get(d, "deliveries"), &of, NULL, &body)) {
			if (gan_span_is(gan_span_get(body, "id"), ctl->operands[0]))
				break;
			body = (struct gan_span){ NULL, 0 };
		}
	}
	body = gan_span_get(body, "request");
	if (body.n == 0)
		return gan_ctl_fail_text(
		    GAN_CTL_USAGE, "correct takes the id of a delivery (d...)");
	gan_span_pretty(body, 0, ret_body);
	gan_buf_putc(ret_body, '\n');
	return ret_body->failed ? gan_ctl_fail_text(GAN_CTL_NEGATIVE, "out of memory") : GAN_OK;
}

/* Run the editor on a file; false when it failed. */
static bool
run_editor(const char *path)
{
	static const char script[] = "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"";
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-c", script, "sh", path, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static bool
write_all(int fd, const struct gan_buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(fd, b->data + at, b->len - at);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* What the editor left of it, into *ret_body; 0, or an exit code. */
static int
edit(const struct gan_buf *before, char **ret_body, size_t *ret_len)
{
	const char *folder = getenv("TMPDIR");
	char *path GAN_AUTO(gan_str_free) =
	    gan_path_join(folder != NULL && *folder == '/' ? folder : "/tmp", "gantry-XXXXXX.json");
	struct gan_err err = { 0 };
	int fd = path != NULL ? mkstemps(path, 5) : -1, rc = GAN_CTL_OK;
	bool ok;

	if (fd < 0)
		return gan_ctl_fail_text(
		    GAN_CTL_NEGATIVE, "no temporary file can be made (see TMPDIR)");
	ok = write_all(fd, before);
	(void)close(fd);
	if (!ok || !run_editor(path))
		rc = gan_ctl_fail_text(GAN_CTL_NEGATIVE,
		    "nothing was changed: the editor ($VISUAL, $EDITOR, else vi) failed");
	else if (gan_file_read(path, BODY_MAX, ret_body, ret_len, &err) < 0)
		rc = gan_ctl_fail_text(GAN_CTL_NEGATIVE, err.msg);
	(void)unlink(path);
	return rc;
}

static int
from_editor(struct gan_ctl *ctl)
{
	struct gan_buf before GAN_AUTO(gan_buf_fini) = { 0 };
	char *body GAN_AUTO(gan_str_free) = NULL;
	size_t len = 0;
	int rc = fetch(ctl, &before);

	if (rc == GAN_CTL_OK)
		rc = edit(&before, &body, &len);
	if (rc != GAN_CTL_OK)
		return rc;
	if (body != NULL && len == before.len && memcmp(body, before.data, len) == 0)
		return gan_ctl_fail_text(
		    GAN_CTL_NEGATIVE, "the body is as it was: nothing was changed");
	return send_body(ctl, body, len);
}

int
gan_ctl_run_correct(struct gan_ctl *ctl)
{
	const char *file = ctl->opt[GAN_CTL_OPT_BODY];

	if ((file == NULL) == (ctl->opt[GAN_CTL_OPT_EDIT] == NULL))
		return gan_ctl_fail_text(
		    GAN_CTL_USAGE, "say where the new body is: --body FILE, or --edit");
	if (ctl->reason == NULL || *ctl->reason == '\0')
		return gan_ctl_fail_text(GAN_CTL_USAGE,
		    "correct always needs --reason TEXT: it stands beside the new body for ever");
	return file != NULL ? from_file(ctl, file) : from_editor(ctl);
}
