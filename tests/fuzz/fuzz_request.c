/* SPDX-License-Identifier: MIT */
/*
 * fuzz_request.c - raw bytes of a client, through the real listener.
 *
 * The first byte of the input says how: bit 0 keep_alive, bits 1 to 3 in how
 * many pieces the rest arrives.  A second, simple reader takes the same bytes
 * apart: whatever reaches the handler must be what that one sees, request by
 * request.  What comes back must be whole answers, at most one for each
 * request and one refusal, and of a client that has gone nothing may be left.
 */
#include <microhttpd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "fuzz.h"
#include "inbound/server_priv.h"

enum { MAX_BODY = 1000, OUT_MAX = 1 << 16, TURNS = 64 };

/* The second reader: what is left to read, and the request it has just read. */
struct reader {
	const char *p, *end;
	const char *method, *target;
	size_t method_len, target_len, nheaders;
	char body[MAX_BODY + 1];
	size_t body_len;
	bool chunked, last, blurred;
};

static uv_loop_t loop;
static struct gan_server *server;
static struct reader reader;
static struct gan_request *waiting;
static unsigned handled, open_requests;

/* A line up to CR LF; false: none, or one that a program could end elsewhere. */
static bool
plain_line(struct reader *r, const char **ret, size_t *ret_len)
{
	const char *lf = memchr(r->p, '\n', (size_t)(r->end - r->p));

	if (lf == NULL || lf == r->p || lf[-1] != '\r')
		return false;
	*ret = r->p;
	*ret_len = (size_t)(lf - 1 - r->p);
	r->p = lf + 1;
	return memchr(*ret, '\r', *ret_len) == NULL;
}

static void
skip_empty_lines(struct reader *r)
{
	while (r->p < r->end) {
		const char *lf = memchr(r->p, '\n', (size_t)(r->end - r->p));

		if (lf == NULL || (lf != r->p && (lf != r->p + 1 || *r->p != '\r')))
			return;
		r->p = lf + 1;
	}
}

static bool
read_first_line(struct reader *r)
{
	const char *line, *sp, *sp2;
	size_t n;

	skip_empty_lines(r);
	if (!plain_line(r, &line, &n))
		return false;
	sp = memchr(line, ' ', n);
	sp2 = sp == NULL ? NULL : memchr(sp + 1, ' ', (size_t)(line + n - sp - 1));
	if (sp2 == NULL || sp == line || line + n - sp2 != 9 || memcmp(sp2, " HTTP/1.", 8) != 0)
		return false;
	r->method = line;
	r->method_len = (size_t)(sp - line);
	r->target = sp + 1;
	r->target_len = (size_t)(sp2 - sp - 1);
	return r->target_len > 0 && *r->target == '/';
}

static bool
is_named(const char *line, const char *colon, const char *name)
{
	return (size_t)(colon - line) == strlen(name) && strncasecmp(line, name, strlen(name)) == 0;
}

static bool
read_headers(struct reader *r, size_t *ret_length)
{
	const char *line, *colon;
	bool length = false;
	size_t n;

	for (r->nheaders = 0; plain_line(r, &line, &n); r->nheaders++) {
		if (n == 0)
			return !(length && r->chunked);
		colon = memchr(line, ':', n);
		if (colon == NULL || colon == line || strcspn(line, " \t") < (size_t)(colon - line))
			return false;
		if (is_named(line, colon, "transfer-encoding")) {
			if (r->chunked)
				return false;
			r->chunked = true;
		} else if (is_named(line, colon, "content-length")) {
			char *behind;

			if (length)
				return false;
			length = true;
			*ret_length = strtoul(colon + 1, &behind, 10);
			if (*behind != '\r' && *behind != ' ' && *behind != '\t')
				return false;
		}
	}
	return false;
}

/* Lines of chunks may end in a lone LF; nothing is read behind the last chunk. */
static bool
read_chunks(struct reader *r)
{
	for (;;) {
		const char *lf = memchr(r->p, '\n', (size_t)(r->end - r->p));
		char *behind;
		size_t n;

		if (lf == NULL || strspn(r->p, "0123456789abcdefABCDEF") == 0)
			return false;
		n = strtoul(r->p, &behind, 16);
		if (*behind != ';' && *behind != '\r' && *behind != '\n')
			return false;
		r->p = lf + 1;
		if (n == 0)
			return true;
		if (n > MAX_BODY - r->body_len || n >= (size_t)(r->end - r->p))
			return false;
		memcpy(r->body + r->body_len, r->p, n);
		r->body_len += n;
		r->p += n;
		r->p += *r->p == '\r';
		if (r->p >= r->end || *r->p++ != '\n')
			return false;
	}
}

/*
 * Libmicrohttpd has written NULs over CR LF when we see a head.  It does so over
 * NUL LF as well, and over a line that is nothing but ":", which it takes for
 * the empty one: nobody can tell these apart any more, so nothing is said of them.
 */
static bool
is_blurred(const struct reader *r)
{
	size_t n = (size_t)(r->end - r->p);

	return memchr(r->p, '\0', n) != NULL || memmem(r->p, n, ":\n", 2) != NULL ||
	       memmem(r->p, n, "\n:\r\n", 4) != NULL;
}

/* The next whole request. */
static bool
read_request(struct reader *r)
{
	size_t n = 0;

	r->chunked = false;
	r->body_len = 0;
	if (r->last || !read_first_line(r) || !read_headers(r, &n))
		return false;
	r->last = r->chunked;
	if (r->chunked)
		return read_chunks(r);
	if (n > MAX_BODY || n > (size_t)(r->end - r->p))
		return false;
	memcpy(r->body, r->p, n);
	r->body_len = n;
	r->p += n;
	return true;
}

static void
on_end(void *user)
{
	gan_must(open_requests > 0);
	open_requests--;
	if (user == waiting)
		waiting = NULL;
}

static void
answer(struct gan_request *r)
{
	(void)gan_request_answer(
	    r, &(struct gan_answer){ .status = 200, .type = "text/plain", .body = "ok", .len = 2 });
}

static void
compare(const struct gan_request *r)
{
	const char *query = gan_request_query(r), *path = gan_request_path(r), *body;
	size_t n, path_len = strlen(path);

	gan_must(read_request(&reader));
	gan_must(strlen(gan_request_method(r)) == reader.method_len &&
		 memcmp(gan_request_method(r), reader.method, reader.method_len) == 0);
	gan_must(path_len <= reader.target_len && memcmp(path, reader.target, path_len) == 0);
	gan_must((query == NULL && path_len == reader.target_len) ||
		 (query != NULL && path_len + 1 + strlen(query) == reader.target_len &&
		     memcmp(query, reader.target + path_len + 1, strlen(query)) == 0));
	(void)gan_request_headers(r, &n);
	gan_must(n == reader.nheaders);
	body = gan_request_body(r, &n);
	gan_must(n == reader.body_len && memcmp(body, reader.body, n) == 0);
}

static void
on_request(void *arg, struct gan_request *r)
{
	(void)arg;
	handled++;
	reader.blurred = reader.blurred || is_blurred(&reader);
	if (!reader.blurred)
		compare(r);
	open_requests++;
	gan_request_set_user(r, r, on_end);
	if (strncmp(gan_request_path(r), "/wait", 5) == 0 && waiting == NULL)
		waiting = r;
	else
		answer(r);
}

static void
start(void)
{
	struct gan_server_options opt = { .name = "fuzz",
		.host = "127.0.0.1",
		.listen_fd = -1,
		.max_body = MAX_BODY,
		.max_connections = 4,
		.on_request = on_request };
	struct gan_err err = { 0 };

	(void)signal(SIGPIPE, SIG_IGN);
	gan_must(uv_loop_init(&loop) == 0);
	gan_must(gan_server_open(&loop, &opt, &server, &err) == GAN_OK);
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
}

/* Whole answers; the last may be one to a HEAD, or to what is no request at all. */
static void
check_answers(const char *p, size_t n)
{
	unsigned answers = 0;

	while (n > 0) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		const char *head = memmem(p, n, "\r\n\r\n", 4);
		const char *length;
		size_t size;

		gan_must(n > 12 && memcmp(p, "HTTP/1.1 ", 9) == 0 && head != NULL);
		size = (size_t)(head + 4 - p);
		if (size == sizeof(go_on) - 1 && memcmp(p, go_on, size) == 0) {
			p += size;
			n -= size;
			continue;
		}
		answers++;
		length = memmem(p, size, "Content-Length: ", 16);
		gan_must(length != NULL);
		p += size;
		n -= size;
		if (n >= 9 && memcmp(p, "HTTP/1.1 ", 9) == 0)
			continue; /* to a HEAD: checked by the one behind it */
		size = strtoul(length + 16, NULL, 10);
		gan_must(n == 0 || size <= n);
		p += n == 0 ? 0 : size;
		n -= n == 0 ? 0 : size;
	}
	gan_must(answers <= handled + 1);
}

static size_t
hear(int fd, char *out, size_t n)
{
	ssize_t got;

	while (n < OUT_MAX && (got = recv(fd, out + n, OUT_MAX - n, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	return n;
}

static void
send_all(int fd, const char *data, size_t size, size_t pieces)
{
	size_t step = size / pieces + 1;

	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		if (send(fd, data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
			return;
		turn();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[OUT_MAX];
	struct sockaddr_un peer = { .sun_family = AF_UNIX };
	char *text GAN_AUTO(gan_str_free) = NULL;
	size_t said;
	int fd[2];

	if (size < 2)
		return 0;
	if (server == NULL)
		start();
	gan_server_tune(server, MAX_BODY, data[0] & 1);
	handled = 0;
	text = fuzz_text(data + 1, size - 1);
	reader = (struct reader){ .p = text, .end = text + size - 1 };
	gan_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0);
	gan_must(MHD_add_connection(server->daemon, fd[1], (struct sockaddr *)&peer,
		     sizeof(peer.sun_family)) == MHD_YES);
	send_all(fd[0], text, size - 1, 1 + (data[0] >> 1 & 7));
	if (waiting != NULL)
		answer(waiting);
	turn();
	said = hear(fd[0], out, 0);
	(void)shutdown(fd[0], SHUT_WR);
	turn();
	said = hear(fd[0], out, said);
	(void)close(fd[0]);
	for (int i = 0; i < TURNS && gan_server_connections(server) > 0; i++) {
		if (waiting != NULL)
			answer(waiting);
		turn();
	}
	gan_must(open_requests == 0 && server->buffered == 0);
	/* One that we cut may be left for a second (see gan_server_hurry). */
	if (gan_server_connections(server) > 0) {
		gan_must(server->conns.next->cut && server->conns.next == server->conns.prev);
		gan_server_close(&server);
		turn();
		gan_must(uv_loop_close(&loop) == 0);
	}
	check_answers(out, said);
	return 0;
}
