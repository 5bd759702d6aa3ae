/* SPDX-License-Identifier: MIT */
/*
 * control.c - the Unix socket of gantryctl: who may connect, frames, limits.
 *
 * The socket file gets its mode between bind() and listen(), when nobody can
 * connect yet.  A connection is asked for its user (SO_PEERCRED) and the name
 * is looked up on a thread of libuv's pool, because a directory service may
 * take its time.  A connection runs one request at a time; the next line is
 * looked at when the answer to the last one has been written, so that neither
 * side can fill the memory of this one.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/admin_priv.h"
#include "base/log.h"
#include "base/mem.h"

#define MAX_CONNECTIONS 32
#define IDLE_MS 60000
#define CONN_MAGIC 0x436f6e6eu
#define TOO_MANY                                                                                   \
	"{\"exit\":69,\"result\":null,\"text\":\"too many control connections (32): end one and "  \
	"try again\"}\n"

struct conn {
	unsigned magic;
	struct gan_control *control;
	struct conn *prev, *next;
	uv_pipe_t pipe;
	uv_timer_t idle;
	uv_work_t lookup;
	uv_write_t write;
	char *reply; /* being written */
	struct gan_buf in;
	struct gan_call *call; /* running */
	uid_t uid;
	char who[80];
	unsigned handles; /* not closed yet, and the look-up while it runs */
	bool closing, looking_up, last;
};

struct gan_control {
	struct gan_admin *admin;
	uv_pipe_t listener;
	struct conn *conns;
	unsigned nconns;
	char *path; /* NULL: the socket is not ours to remove */
	dev_t dev;
	ino_t ino;
	bool closing, listener_closed;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void conn_next(struct conn *c);

/* ---- end of a connection, end of all ---- */

static void
control_maybe_gone(struct gan_control *ctl)
{
	if (!ctl->closing || !ctl->listener_closed || ctl->conns != NULL)
		return;
	if (ctl->closed != NULL)
		ctl->closed(ctl->closed_arg);
	free(ctl->path);
	free(ctl);
}

static void
conn_release(struct conn *c)
{
	struct gan_control *ctl = c->control;

	if (--c->handles > 0)
		return;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		ctl->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	ctl->nconns--;
	gan_buf_fini(&c->in);
	free(c->reply);
	c->magic = 0;
	free(c);
	control_maybe_gone(ctl);
}

static struct conn *
conn_of(void *p)
{
	struct conn *c = p;

	gan_must(c != NULL && c->magic == CONN_MAGIC);
	return c;
}

static void
handle_closed(uv_handle_t *h)
{
	conn_release(conn_of(h->data));
}

static void
conn_close(struct conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	if (c->call != NULL)
		gan_call_orphan(gan_steal(&c->call));
	uv_close((uv_handle_t *)&c->pipe, handle_closed);
	uv_close((uv_handle_t *)&c->idle, handle_closed);
}

/* ---- requests and answers ---- */

static void
idle_over(uv_timer_t *t)
{
	conn_close(conn_of(t->data));
}

static void
written(uv_write_t *req, int status)
{
	struct conn *c = conn_of(req->data);

	free(gan_steal(&c->reply));
	if (status < 0 || c->last)
		conn_close(c);
	if (!c->closing)
		conn_next(c);
}

static void
call_done(void *owner, char *line, size_t len)
{
	struct conn *c = conn_of(owner);
	uv_buf_t buf;

	c->call = NULL;
	if (line == NULL) {
		conn_close(c);
		return;
	}
	c->reply = line;
	c->write.data = c;
	buf = uv_buf_init(line, (unsigned)len);
	/* A peer that does not read its answer is idle, too. */
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, written) < 0 ||
	    uv_timer_start(&c->idle, idle_over, IDLE_MS, 0) < 0)
		conn_close(c);
}

static void
on_alloc(uv_handle_t *h, size_t want, uv_buf_t *ret_buf)
{
	static char chunk[65536]; /* one loop thread, emptied in on_read */

	(void)h;
	(void)want;
	*ret_buf = uv_buf_init(chunk, sizeof(chunk));
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = conn_of(s->data);

	if (n == 0)
		return;
	if (n < 0) {
		conn_close(c);
		return;
	}
	gan_buf_put(&c->in, buf->base, (size_t)n);
	(void)uv_read_stop(s);
	conn_next(c);
}

static void
refuse_large(struct conn *c)
{
	static const char text[] = "{\"exit\":64,\"result\":null,\"text\":\"the request is larger "
				   "than 2 MiB\"}\n";

	c->last = true;
	call_done(c, gan_memdup(text, sizeof(text) - 1), sizeof(text) - 1);
}

/* Run the next whole line, or wait for more of it. */
static void
conn_next(struct conn *c)
{
	char *end = c->in.len > 0 ? memchr(c->in.data, '\n', c->in.len) : NULL;
	char *line GAN_AUTO(gan_str_free) = NULL;
	size_t len;

	if (c->in.failed || (end == NULL && c->in.len > GAN_CONTROL_MAX_REQUEST) ||
	    (end != NULL && (size_t)(end - c->in.data) > GAN_CONTROL_MAX_REQUEST)) {
		refuse_large(c);
		return;
	}
	if (end == NULL) {
		if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) < 0 ||
		    uv_timer_start(&c->idle, idle_over, IDLE_MS, 0) < 0)
			conn_close(c);
		return;
	}
	len = (size_t)(end - c->in.data);
	line = gan_memdup(c->in.data, len);
	gan_buf_shift(&c->in, len + 1);
	if (line == NULL) {
		conn_close(c);
		return;
	}
	(void)uv_timer_stop(&c->idle);
	gan_call_start(c->control->admin, line, len, c->who, call_done, c, &c->call);
}

/* ---- who is it ---- */

static void
look_up(uv_work_t *w)
{
	struct conn *c = conn_of(w->data);
	struct passwd pw, *found = NULL;
	char mem[16384];

	if (getpwuid_r(c->uid, &pw, mem, sizeof(mem), &found) == 0 && found != NULL)
		(void)snprintf(
		    c->who, sizeof(c->who), "%.60s(%u)", found->pw_name, (unsigned)c->uid);
	else
		(void)snprintf(c->who, sizeof(c->who), "(%u)", (unsigned)c->uid);
}

static void
looked_up(uv_work_t *w, int status)
{
	struct conn *c = conn_of(w->data);

	(void)status;
	c->looking_up = false;
	if (!c->closing)
		conn_next(c);
	conn_release(c);
}

static int
conn_identify(struct conn *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&c->pipe, &fd) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return GAN_EIO;
	c->uid = cred.uid;
	c->lookup.data = c;
	c->handles++;
	c->looking_up = true;
	if (uv_queue_work(c->control->admin->loop, &c->lookup, look_up, looked_up) < 0) {
		c->looking_up = false;
		c->handles--;
		return GAN_EIO;
	}
	return GAN_OK;
}

static void
refuse_many(struct conn *c)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)TOO_MANY, sizeof(TOO_MANY) - 1);

	(void)uv_try_write((uv_stream_t *)&c->pipe, &buf, 1);
	conn_close(c);
}

static void
on_connect(uv_stream_t *server, int status)
{
	struct gan_control *ctl = server->data;
	struct conn *c;

	if (status < 0 || ctl->closing)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return;
	c->magic = CONN_MAGIC;
	c->control = ctl;
	c->in.max = GAN_CONTROL_MAX_REQUEST + 65536 + 1;
	c->pipe.data = c->idle.data = c;
	/* Neither can fail: they only set up memory. */
	gan_must(uv_pipe_init(ctl->admin->loop, &c->pipe, 0) == 0);
	gan_must(uv_timer_init(ctl->admin->loop, &c->idle) == 0);
	c->pipe.data = c->idle.data = c;
	c->handles = 2;
	c->next = ctl->conns;
	if (c->next != NULL)
		c->next->prev = c;
	ctl->conns = c;
	ctl->nconns++;
	if (uv_accept(server, (uv_stream_t *)&c->pipe) < 0)
		conn_close(c);
	else if (ctl->nconns > MAX_CONNECTIONS)
		refuse_many(c);
	else if (conn_identify(c) < 0)
		conn_close(c);
}

/* ---- the socket ---- */

/* Someone answers there?  EAGAIN is a full backlog: alive as well. */
static bool
socket_alive(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return true;
	alive = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
		(errno != ECONNREFUSED && errno != ENOENT);
	(void)close(fd);
	return alive;
}

static int
remove_stale(const struct sockaddr_un *sun, struct gan_err *err)
{
	struct stat st;

	if (lstat(sun->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return gan_err_set(err, GAN_ECONFIG,
		    "%s exists and is no socket: name another path, or move the file away",
		    sun->sun_path);
	if (socket_alive(sun))
		return gan_err_set(err, GAN_ECONFIG,
		    "another gantryd answers at %s: stop it first, or name another path",
		    sun->sun_path);
	if (unlink(sun->sun_path) < 0 && errno != ENOENT)
		return gan_err_errno(
		    err, GAN_EIO, "the old socket %s cannot be removed", sun->sun_path);
	return GAN_OK;
}

static int
bind_fresh(int fd, const struct sockaddr_un *sun, struct gan_err *err)
{
	const struct sockaddr *sa = (const struct sockaddr *)sun;
	int rc;

	if (bind(fd, sa, sizeof(*sun)) == 0)
		return GAN_OK;
	if (errno == ENOENT)
		return gan_err_errno(err, GAN_ECONFIG,
		    "the folder of %s is missing: create it, or set listen.control.socket",
		    sun->sun_path);
	if (errno != EADDRINUSE)
		return gan_err_errno(err, GAN_EIO, "%s cannot be made", sun->sun_path);
	rc = remove_stale(sun, err);
	if (rc < 0)
		return rc;
	if (bind(fd, sa, sizeof(*sun)) < 0)
		return gan_err_errno(err, GAN_EIO, "%s cannot be made", sun->sun_path);
	return GAN_OK;
}

static int
make_socket(const char *path, struct gan_control *ctl, int *ret_fd, struct gan_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, rc;

	if (strlen(path) >= sizeof(sun.sun_path))
		return gan_err_set(err, GAN_ECONFIG,
		    "the path %s is longer than %zu bytes: a socket cannot have it", path,
		    sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gan_err_errno(err, GAN_EIO, "no socket for %s", path);
	rc = bind_fresh(fd, &sun, err);
	if (rc == GAN_OK && (chmod(path, 0660) < 0 || lstat(path, &st) < 0))
		rc = gan_err_errno(err, GAN_EIO, "%s cannot be given its mode", path);
	if (rc < 0) {
		(void)close(fd);
		return rc;
	}
	ctl->dev = st.st_dev;
	ctl->ino = st.st_ino;
	*ret_fd = fd;
	return GAN_OK;
}

static void
listener_closed(uv_handle_t *h)
{
	struct gan_control *ctl = h->data;

	ctl->listener_closed = true;
	control_maybe_gone(ctl);
}

static int
listen_on(struct gan_control *ctl, int fd, struct gan_err *err)
{
	int rc = uv_pipe_open(&ctl->listener, fd);

	if (rc < 0) {
		(void)close(fd);
		return gan_err_set(err, GAN_EIO, "control socket: %s", uv_strerror(rc));
	}
	rc = uv_listen((uv_stream_t *)&ctl->listener, MAX_CONNECTIONS, on_connect);
	if (rc < 0)
		return gan_err_set(err, GAN_EIO, "control socket: %s", uv_strerror(rc));
	return GAN_OK;
}

int
gan_control_open(struct gan_admin *a, const char *path, int fd, struct gan_control **ret_control,
    struct gan_err *err)
{
	struct gan_control *ctl = calloc(1, sizeof(*ctl));
	int rc;

	if (ctl == NULL)
		return gan_err_set(err, GAN_ENOMEM, "control socket");
	ctl->admin = a;
	if (fd < 0) {
		ctl->path = gan_memdup(path, strlen(path));
		rc = ctl->path == NULL ? gan_err_set(err, GAN_ENOMEM, "control socket")
				       : make_socket(path, ctl, &fd, err);
		if (rc < 0) {
			free(ctl->path);
			free(ctl);
			return rc;
		}
	}
	gan_must(uv_pipe_init(a->loop, &ctl->listener, 0) == 0);
	ctl->listener.data = ctl;
	rc = listen_on(ctl, fd, err);
	if (rc < 0) {
		gan_control_close(&ctl, NULL, NULL);
		return rc;
	}
	*ret_control = ctl;
	return GAN_OK;
}

/* Only our own file: a successor may have put another in its place. */
static void
remove_socket(const struct gan_control *ctl)
{
	struct stat st;

	if (ctl->path != NULL && lstat(ctl->path, &st) == 0 && st.st_dev == ctl->dev &&
	    st.st_ino == ctl->ino)
		(void)unlink(ctl->path);
}

void
gan_control_close(struct gan_control **cp, void (*cb)(void *arg), void *arg)
{
	struct gan_control *ctl = gan_steal(cp);

	ctl->closing = true;
	ctl->closed = cb;
	ctl->closed_arg = arg;
	remove_socket(ctl);
	for (struct conn *c = ctl->conns; c != NULL; c = c->next)
		conn_close(c);
	uv_close((uv_handle_t *)&ctl->listener, listener_closed);
}
