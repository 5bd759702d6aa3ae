/* SPDX-License-Identifier: MIT */
/*
 * client.c - the other end of the control socket: blocking, with a deadline.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "json/check.h"

#define MAX_REPLY (64u << 20)

void
gan_ctl_reply_fini(struct gan_ctl_reply *r)
{
	free(r->line);
	free(r->text);
	memset(r, 0, sizeof(*r));
}

static int
connect_failed(const struct gan_ctl *ctl, struct gan_err *err)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		return gan_err_set(err, GAN_EPERM,
		    "you may not open %s: ask to be put into the group that owns it (ls -l shows "
		    "it), or use sudo",
		    ctl->socket);
	case ENOENT:
	case ECONNREFUSED:
		return gan_err_set(err, GAN_ENET,
		    "nobody answers at %s: is gantryd running (systemctl status gantry), and is "
		    "this its socket (--socket)?",
		    ctl->socket);
	default:
		return gan_err_errno(err, GAN_ENET, "%s", ctl->socket);
	}
}

int
gan_ctl_connect(struct gan_ctl *ctl, struct gan_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (ctl->fd >= 0)
		return GAN_OK;
	if (strlen(ctl->socket) >= sizeof(sun.sun_path))
		return gan_err_set(
		    err, GAN_ENET, "the path %s is too long for a socket", ctl->socket);
	memcpy(sun.sun_path, ctl->socket, strlen(ctl->socket));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gan_err_errno(err, GAN_ENET, "no socket");
	/* At once or never: a full backlog is EAGAIN. */
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int rc = connect_failed(ctl, err);

		(void)close(fd);
		return rc;
	}
	ctl->fd = fd;
	ctl->in.max = MAX_REPLY;
	return GAN_OK;
}

static int
wait_for(int fd, short events, int64_t until_ms, struct gan_err *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left_ms;
	int n;

	do {
		left_ms = until_ms - gan_mono_ms();
		n = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return gan_err_set(err, GAN_ENET,
		    "gantryd took too long to answer; what was asked may still happen: look "
		    "before you say it again");
	return n < 0 ? gan_err_errno(err, GAN_ENET, "control socket") : GAN_OK;
}

static int
send_all(int fd, const char *p, size_t n, int64_t until_ms, struct gan_err *err)
{
	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
		int rc;

		if (done > 0) {
			p += done;
			n -= (size_t)done;
			continue;
		}
		/* It hung up while we talk: there may be an answer that says why. */
		if (errno == EPIPE || errno == ECONNRESET)
			return GAN_OK;
		if (errno != EAGAIN && errno != EINTR)
			return gan_err_errno(err, GAN_ENET, "control socket");
		rc = wait_for(fd, POLLOUT, until_ms, err);
		if (rc < 0)
			return rc;
	}
	return GAN_OK;
}

static int
read_line(
    struct gan_ctl *ctl, int64_t until_ms, char **ret_line, size_t *ret_len, struct gan_err *err)
{
	char chunk[65536], *end;
	size_t seen = 0;

	for (;;) {
		ssize_t n;
		int rc;

		end = ctl->in.len > seen ? memchr(ctl->in.data + seen, '\n', ctl->in.len - seen)
					 : NULL;
		if (end != NULL)
			break;
		seen = ctl->in.len;
		rc = wait_for(ctl->fd, POLLIN, until_ms, err);
		if (rc < 0)
			return rc;
		n = recv(ctl->fd, chunk, sizeof(chunk), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return gan_err_set(
			    err, GAN_ENET, "gantryd ended the connection before it answered");
		gan_buf_put(&ctl->in, chunk, (size_t)n);
		if (ctl->in.failed)
			return gan_err_set(err, GAN_ELIMIT, "the answer is too large");
	}
	*ret_len = (size_t)(end - ctl->in.data);
	*ret_line = gan_memdup(ctl->in.data, *ret_len);
	gan_buf_shift(&ctl->in, *ret_len + 1);
	return *ret_line != NULL ? GAN_OK : gan_err_set(err, GAN_ENOMEM, "answer");
}

int
gan_ctl_call(struct gan_ctl *ctl, const struct gan_buf *request, unsigned deadline_s,
    struct gan_ctl_reply *ret_reply, struct gan_err *err)
{
	int64_t until_ms = gan_mono_ms() + (int64_t)deadline_s * 1000;
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_span whole;
	size_t len = 0;
	int rc;

	if (request->failed)
		return gan_err_set(err, GAN_ENOMEM, "request");
	rc = gan_ctl_connect(ctl, err);
	if (rc == GAN_OK)
		rc = send_all(ctl->fd, request->data, request->len, until_ms, err);
	if (rc == GAN_OK)
		rc = read_line(ctl, until_ms, &r.line, &len, err);
	if (rc < 0)
		return rc;
	/* Payloads of depth 64 lie a few levels down. */
	rc = gan_json_check(r.line, len, 2 * GAN_JSON_DEPTH, NULL, err);
	if (rc < 0)
		return gan_err_wrap(err, rc, "gantryd's answer");
	whole = gan_span_of(r.line, len);
	r.exit = (int)gan_span_int(gan_span_get(whole, "exit"), GAN_CTL_NEGATIVE);
	r.result = gan_span_get(whole, "result");
	if (gan_span_kind(r.result) == 'n')
		r.result.n = 0;
	r.text = gan_span_dup(gan_span_get(whole, "text"));
	*ret_reply = r;
	memset(&r, 0, sizeof(r));
	return GAN_OK;
}
