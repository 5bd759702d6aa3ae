/* SPDX-License-Identifier: MIT */
/*
 * pool_process.c - one worker process as libuv sees it: spawned from our own
 * binary, spoken to over a socket pair, watched by one timer, killed without
 * asking and reaped.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "mapping/pool_priv.h"

enum {
	CHUNK = 64 << 10,
	STDIO = 4, /* in, out, nothing for stderr, progress */
};

struct write {
	uv_write_t req;
	size_t len;
	char data[];
};

static void
unlink_mapper(struct gan_mapper *m)
{
	for (struct gan_mapper **p = &m->pool->mappers; *p != NULL; p = &(*p)->next) {
		if (*p == m) {
			*p = m->next;
			return;
		}
	}
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct gan_mapper *m = handle->data;
	struct gan_pool *p = m->pool;

	if (--m->handles > 0)
		return;
	unlink_mapper(m);
	if (m->progress != NULL)
		(void)munmap(m->progress, sizeof(*m->progress));
	gan_buf_fini(&m->in);
	gan_buf_fini(&m->out);
	free(m->programs);
	free(m->ids);
	free(m);
	gan_pool_closed_one(p);
}

static void
close_handle(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, on_handle_closed);
}

void
gan_mapper_close(struct gan_mapper *m)
{
	m->closing = true;
	close_handle((uv_handle_t *)&m->pipe);
	close_handle((uv_handle_t *)&m->deadline);
	if (m->process.type != UV_PROCESS)
		return; /* it came to nothing before uv_spawn() */
	if (m->exited)  /* else after it was reaped */
		close_handle((uv_handle_t *)&m->process);
	else
		(void)uv_process_kill(&m->process, SIGKILL);
}

static enum gan_mapper_end
how_it_ended(const struct gan_mapper *m)
{
	if (!m->greeted)
		return GAN_END_START;
	if (m->late)
		return GAN_END_LATE;
	if (m->nonsense)
		return GAN_END_BROKEN;
	return m->signal == 0 && m->exit_code == GAN_EXIT_NOMEM ? GAN_END_NOMEM : GAN_END_CRASH;
}

/* Dead once it was reaped and everything it wrote was read. */
static void
look_whether_dead(struct gan_mapper *m)
{
	if (!m->exited || !m->eof || m->closing)
		return;
	(void)uv_timer_stop(&m->deadline);
	m->on_death(m, how_it_ended(m));
	gan_mapper_close(m);
}

static void
on_reaped(uv_process_t *process, int64_t exit_code, int sig)
{
	struct gan_mapper *m = process->data;

	m->exited = true;
	m->exit_code = exit_code;
	m->signal = sig;
	if (sig != 0)
		(void)snprintf(m->end_text, sizeof(m->end_text), "signal %d", sig);
	else
		(void)snprintf(m->end_text, sizeof(m->end_text), "exit %d", (int)exit_code);
	if (m->closing)
		close_handle((uv_handle_t *)&m->process);
	else
		look_whether_dead(m);
}

static void
on_deadline(uv_timer_t *timer)
{
	struct gan_mapper *m = timer->data;

	/*
	 * When our own loop was held up, the answer may lie in the socket
	 * unread, since timers go first: look once before killing.
	 */
	if (!m->warned) {
		m->warned = true;
		(void)uv_timer_start(timer, on_deadline, 1, 0);
		return;
	}
	m->late = true;
	if (!m->exited)
		(void)uv_process_kill(&m->process, SIGKILL);
}

void
gan_mapper_deadline(struct gan_mapper *m, int64_t ms)
{
	if (m->closing || m->exited)
		return;
	m->warned = false;
	uv_update_time(m->pool->loop);
	if (ms > 0)
		(void)uv_timer_start(&m->deadline, on_deadline, (uint64_t)ms, 0);
	else
		(void)uv_timer_stop(&m->deadline);
}

void
gan_mapper_distrust(struct gan_mapper *m)
{
	m->nonsense = true;
	if (!m->exited)
		(void)uv_process_kill(&m->process, SIGKILL);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char chunk[CHUNK]; /* one loop, one thread: emptied before the next read */

	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(chunk, sizeof(chunk));
}

/* Frames at the front of p; returns how many bytes were used. */
static size_t
take_frames(struct gan_mapper *m, const char *p, size_t n)
{
	struct gan_frame_in in;
	size_t done = 0;
	int kind;

	while (!m->closing && !m->nonsense) {
		long size = gan_frame_next(p + done, n - done, &kind, &in);

		if (size == 0)
			break;
		if (size < 0) {
			gan_mapper_distrust(m);
			break;
		}
		m->on_frame(m, kind, &in);
		done += (size_t)size;
	}
	return done;
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct gan_mapper *m = stream->data;

	if (n == 0)
		return;
	if (n < 0) {
		m->eof = true;
		(void)uv_read_stop(stream);
		if (!m->exited)
			(void)uv_process_kill(&m->process, SIGKILL);
		look_whether_dead(m);
		return;
	}
	if (m->in.len == 0) { /* the usual case: whole frames, nothing to copy */
		size_t used = take_frames(m, buf->base, (size_t)n);

		gan_buf_put(&m->in, buf->base + used, (size_t)n - used);
	} else {
		gan_buf_put(&m->in, buf->base, (size_t)n);
		if (!m->in.failed)
			gan_buf_shift(&m->in, take_frames(m, m->in.data, m->in.len));
	}
	if (m->in.failed)
		gan_mapper_distrust(m);
}

static void
on_written(uv_write_t *req, int status)
{
	(void)status; /* a worker that is gone is seen by its end */
	free(req->data);
}

/* What the socket does not take at once is copied and waits. */
void
gan_mapper_send(struct gan_mapper *m, const uv_buf_t *bufs, unsigned n)
{
	size_t total = 0, at = 0;

	if (m->closing || m->eof || m->exited)
		return; /* its end is being dealt with */
	int sent = uv_try_write((uv_stream_t *)&m->pipe, bufs, n);
	size_t skip = sent > 0 ? (size_t)sent : 0;
	for (unsigned i = 0; i < n; i++)
		total += bufs[i].len;
	if (skip == total)
		return;
	struct write *w = malloc(sizeof(*w) + total - skip);
	if (w == NULL) {
		gan_mapper_distrust(m); /* a frame cut in two is of no use */
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		size_t less = skip < bufs[i].len ? skip : bufs[i].len;

		memcpy(w->data + at, bufs[i].base + less, bufs[i].len - less);
		at += bufs[i].len - less;
		skip -= less;
	}
	w->len = at;
	w->req.data = w;
	const uv_buf_t rest = uv_buf_init(w->data, (unsigned)w->len);
	if (uv_write(&w->req, (uv_stream_t *)&m->pipe, &rest, 1, on_written) < 0)
		free(w);
}

static int
open_progress(struct gan_mapper *m)
{
	int fd = memfd_create("gantry-mapper", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(*m->progress)) < 0) {
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	void *p = mmap(NULL, sizeof(*m->progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		(void)close(fd);
		return -1;
	}
	m->progress = p;
	return fd;
}

static int
spawn(struct gan_mapper *m, int sock, int progress)
{
	GAN_AUTO(gan_str_free) char *zone = gan_asprintf("TZ=%s", m->pool->time_zone);
	char self[] = "/proc/self/exe", name[] = "gantry-mapper", flag[] = "--mapper";
	char locale[] = "LC_ALL=C.UTF-8";
	char *args[] = { name, flag, NULL }, *env[] = { locale, zone, NULL };
	uv_stdio_container_t stdio[STDIO] = {
		{ .flags = UV_INHERIT_FD, .data.fd = sock },
		{ .flags = UV_INHERIT_FD, .data.fd = sock },
		{ .flags = UV_IGNORE }, /* libjq complains at length before it aborts */
		{ .flags = UV_INHERIT_FD, .data.fd = progress },
	};
	const uv_process_options_t opt = { .file = self,
		.args = args,
		.env = env,
		.stdio = stdio,
		.stdio_count = STDIO,
		.exit_cb = on_reaped };

	if (zone == NULL)
		return UV_ENOMEM;
	return uv_spawn(m->pool->loop, &m->process, &opt);
}

static int
start(struct gan_mapper *m)
{
	int sv[2], progress = open_progress(m), rc;

	if (progress < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0) {
		(void)close(progress);
		return -1;
	}
	rc = uv_pipe_open(&m->pipe, sv[0]);
	if (rc < 0)
		(void)close(sv[0]);
	else
		rc = spawn(m, sv[1], progress);
	(void)close(sv[1]);
	(void)close(progress);
	m->exited = rc < 0; /* there is nothing to reap */
	m->handles += m->process.type == UV_PROCESS;
	return rc < 0 ? rc : uv_read_start((uv_stream_t *)&m->pipe, on_alloc, on_read);
}

static void
send_options(struct gan_mapper *m)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };
	size_t at = gan_frame_begin(&b, GAN_FRAME_OPTIONS);

	gan_buf_i64(&b, m->pool->opt.memory);
	gan_buf_i64(&b, m->pool->opt.timeout_ms);
	gan_buf_u32(&b, (uint32_t)m->pool->opt.numbers);
	gan_frame_end(&b, at);
	const uv_buf_t buf = uv_buf_init(b.data, (unsigned)b.len);
	if (b.failed)
		gan_mapper_distrust(m);
	else
		gan_mapper_send(m, &buf, 1);
}

int
gan_mapper_spawn(struct gan_pool *p, gan_mapper_frame_fn on_frame, gan_mapper_death_fn on_death,
    struct gan_mapper **ret_mapper)
{
	struct gan_mapper *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return GAN_ENOMEM;
	m->pool = p;
	m->on_frame = on_frame;
	m->on_death = on_death;
	m->process.data = m->pipe.data = m->deadline.data = m;
	gan_must(uv_pipe_init(p->loop, &m->pipe, 0) == 0);
	gan_must(uv_timer_init(p->loop, &m->deadline) == 0);
	m->handles = 2;
	m->next = p->mappers;
	p->mappers = m;
	m->exited = true;
	if (start(m) < 0) {
		gan_mapper_close(m);
		return GAN_EIO;
	}
	send_options(m);
	gan_mapper_deadline(m, GAN_START_MS);
	*ret_mapper = m;
	return GAN_OK;
}

void
gan_mapper_reason(const struct gan_mapper *m, enum gan_mapper_end end, char *out, size_t outsz)
{
	char limit[32];

	switch (end) {
	case GAN_END_LATE:
		(void)snprintf(out, outsz, "exceeded %s",
		    gan_duration_format(m->pool->opt.timeout_ms, limit, sizeof(limit)));
		return;
	case GAN_END_NOMEM:
		(void)snprintf(out, outsz, "needed more than %s",
		    gan_size_format(m->pool->opt.memory, limit, sizeof(limit)));
		return;
	case GAN_END_START:
	case GAN_END_CRASH:
	case GAN_END_BROKEN:
		break;
	}
	(void)snprintf(out, outsz, "needed more than %s or crashed (%s)",
	    gan_size_format(m->pool->opt.memory, limit, sizeof(limit)), m->end_text);
}
