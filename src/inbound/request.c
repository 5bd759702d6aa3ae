/* SPDX-License-Identifier: MIT */
/*
 * request.c - a request's way through libmicrohttpd's access handler:
 *
 *	gan_request_begin   the request line was read
 *	gan_request_step    1st call: headers complete, checked; then one call per
 *	                    piece of the body; then one at its end, and again after
 *	                    a resume, until there is an answer to queue
 *	gan_request_end     over, in whatever way
 */
#include "inbound/request.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "inbound/server_priv.h"

enum {
	SMALL_ANSWER = 64 << 10,
	DRAIN_FACTOR = 4, /* a body this many times too large is cut instead of read */

	/* In a query, in a Cookie: libmicrohttpd makes a record of each, and runs out of room. */
	WORDS_MAX = 16,
	COOKIE_MAX = 1024,
};

void *
gan_request_begin(struct gan_conn *conn, const char *uri, struct MHD_Connection *mhd)
{
	struct gan_request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->uri = strdup(uri);
	if (r->uri == NULL) {
		free(r);
		return NULL;
	}
	r->conn = conn;
	r->mhd = mhd;
	r->max_body = conn->server->opt.max_body;
	r->keep_alive = conn->server->opt.keep_alive;
	conn->request = r;
	return r;
}

void
gan_request_end(struct gan_request *r)
{
	struct gan_conn *conn = r->conn;

	if (r->on_end != NULL)
		r->on_end(r->user);
	conn->request = NULL;
	conn->used = true;
	conn->since_ms = gan_mono_ms();
	conn->server->buffered -= r->body.len;
	conn->server->unsent -= r->answer_len;
	gan_buf_fini(&r->body);
	if (r->response != NULL)
		MHD_destroy_response(r->response);
	free(r->uri);
	free(r);
}

static enum MHD_Result
on_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct gan_request *r = arg;

	(void)kind;
	if (r->nheaders < GAN_HEADERS_MAX)
		r->headers[r->nheaders] = (struct gan_header){ .name = name, .value = value };
	r->nheaders++;
	return MHD_YES;
}

/*
 * Libmicrohttpd before 1.0 glues a continuation line to the header's NAME
 * (moved to other memory), ends a line at a lone CR or LF, cuts at NUL, and
 * takes a line that begins with a colon for the end of the header; nothing in
 * its interface tells.  But it parses in place: in a plain request the method,
 * target and version, then each name, colon, white space and value, and the empty line lie side by
 * side, with each CR LF turned into two NULs.  What looks otherwise is tangled.
 */
static bool
is_tangled(const struct gan_request *r)
{
	const char *at = r->version, *end;

	if (MHD_get_version()[0] != '0' || r->nheaders > GAN_HEADERS_MAX)
		return false;
	end = r->method +
	      MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	/* Between method and version is the target, without a NUL in it. */
	if (at >= end || at != r->method + strlen(r->method) + 1 + strlen(r->uri) + 1)
		return true;
	at += strlen(at) + 2;
	for (size_t i = 0; i < r->nheaders; i++) {
		const struct gan_header *h = &r->headers[i];

		if (h->name != at || h->value == NULL || h->value <= at || h->value >= end)
			return true;
		at += strlen(at) + 1;
		if (at > h->value || strspn(at, " \t") < (size_t)(h->value - at) || at[-1] != '\0')
			return true;
		at = h->value + strlen(h->value) + 2;
		if (at > end || at[-1] != '\0')
			return true;
	}
	return at + 2 != end || at[0] != '\0';
}

static void
refuse(struct gan_request *r, enum gan_problem p, const char *detail)
{
	r->keep_alive = false;
	(void)gan_request_problem(r, p, 0, "%s", detail);
}

static int
queue(struct gan_request *r)
{
	r->phase = GAN_PHASE_ANSWER;
	r->queued_ms = gan_mono_ms();
	if (r->response == NULL)
		return MHD_NO; /* no memory for an answer: only closing is left */
	return (int)MHD_queue_response(r->mhd, (unsigned)r->status, r->response);
}

/* Headers are complete. */
static int
step_head(struct gan_request *r, const char *method, const char *version)
{
	struct gan_server *s = r->conn->server;
	struct gan_framing f;
	struct gan_framing_in in = { .method = method,
		.uri = r->uri,
		.version = version,
		.headers = r->headers,
		.max_body = r->max_body };
	char *query;

	s->stats.requests++;
	r->phase = GAN_PHASE_BODY;
	r->head_done_ms = gan_mono_ms();
	r->method = method;
	r->version = version;
	(void)MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, on_header, r);
	in.nheaders = r->nheaders;
	in.tangled = is_tangled(r);
	gan_framing_check(&in, &f);
	if (f.status != 0) {
		if (r->nheaders > GAN_HEADERS_MAX)
			r->nheaders = 0;
		refuse(r, gan_problem_of_status(f.status), f.detail);
		return queue(r);
	}
	query = strchr(r->uri, '?');
	if (query != NULL) {
		*query = '\0';
		r->query = query + 1;
	}
	/* Libmicrohttpd lets lines of chunks end in a bare LF: nothing may follow them. */
	if (f.chunked)
		r->keep_alive = false;
	r->body.max = (size_t)r->max_body;
	r->continues = gan_request_header(r, "expect") != NULL;
	if (s->opt.on_head != NULL)
		s->opt.on_head(s->opt.arg, r);
	/* Who asked first gets the answer before the body; else read on, so that it arrives. */
	return r->answered && r->continues ? queue(r) : MHD_YES;
}

static int
step_body(struct gan_request *r, const char *data, size_t *size)
{
	struct gan_server *s = r->conn->server;
	size_t n = *size;

	*size = 0;
	if (!r->answered && !r->too_large && !r->no_room) {
		if (r->body.len + n > r->max_body) {
			r->too_large = true;
		} else if (s->buffered + n > s->opt.max_buffered) {
			r->no_room = true;
		} else {
			gan_buf_put(&r->body, data, n);
			if (!r->body.failed) {
				s->buffered += n;
				return MHD_YES;
			}
			r->no_room = true;
		}
		/* What was kept is of no use any more. */
		s->buffered -= r->body.len;
		gan_buf_fini(&r->body);
	}
	r->dropped += n;
	return r->dropped > DRAIN_FACTOR * r->max_body ? MHD_NO : MHD_YES;
}

/* The body is complete, or the request was resumed. */
static int
step_end(struct gan_request *r)
{
	struct gan_server *s = r->conn->server;

	if (!r->answered && r->phase == GAN_PHASE_BODY) {
		r->phase = GAN_PHASE_WAIT;
		GAN_FAILPOINT("after-read");
		r->wait_since_ms = gan_mono_ms();
		if (r->too_large)
			refuse(r, GAN_PROBLEM_TOO_LARGE,
			    "The body is larger than allowed here: send less at once.");
		else if (r->no_room)
			(void)gan_request_problem(r, GAN_PROBLEM_UNAVAILABLE, 2,
			    "Too many large requests at the same time. Send it again later.");
		else if (s->opt.on_request != NULL)
			s->opt.on_request(s->opt.arg, r);
	}
	if (r->answered)
		return queue(r);
	r->suspended = true;
	/* gan_request_answer() will resume it; nothing else does. */
	MHD_suspend_connection(r->mhd);
	return MHD_YES;
}

int
gan_request_step(
    struct gan_request *r, const char *method, const char *version, const char *data, size_t *size)
{
	if (r->phase == GAN_PHASE_HEAD)
		return step_head(r, method, version);
	if (*size > 0)
		return step_body(r, data, size);
	return step_end(r);
}

static bool
add_headers(struct MHD_Response *m, const struct gan_request *r, const struct gan_answer *a)
{
	bool ok = true;

	if (a->type != NULL)
		ok = MHD_add_response_header(m, "Content-Type", a->type) == MHD_YES;
	if (a->close || !r->keep_alive || r->conn->server->draining)
		ok = ok && MHD_add_response_header(m, "Connection", "close") == MHD_YES;
	for (size_t i = 0; i < a->nheaders; i++)
		ok = ok &&
		     MHD_add_response_header(m, a->headers[i].name, a->headers[i].value) == MHD_YES;
	return ok;
}

bool
gan_request_has_room(const struct gan_request *r, size_t len)
{
	const struct gan_server *s = r->conn->server;

	return len <= SMALL_ANSWER || s->unsent + len <= s->opt.max_buffered;
}

bool
gan_request_answer(struct gan_request *r, const struct gan_answer *a)
{
	struct gan_server *s = r->conn->server;
	void *body = (void *)(uintptr_t)(a->len == 0 ? "" : a->body);
	struct MHD_Response *m;

	if (r->answered)
		return false;
	r->answered = true;
	m = MHD_create_response_from_buffer(a->len, body, MHD_RESPMEM_MUST_COPY);
	if (m != NULL && !add_headers(m, r, a)) {
		MHD_destroy_response(m);
		m = NULL;
	}
	r->response = m;
	r->status = a->status;
	r->answer_len = a->len;
	s->unsent += a->len;
	if (r->suspended) {
		r->suspended = false;
		r->waited_ms = gan_mono_ms() - r->wait_since_ms;
		MHD_resume_connection(r->mhd);
		s->resumed = true;
		gan_server_schedule(s);
	}
	return true;
}

static bool answer_problem(struct gan_request *r, enum gan_problem p,
    const struct gan_header *extra, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));

static bool
answer_problem(struct gan_request *r, enum gan_problem p, const struct gan_header *extra,
    const char *fmt, va_list ap)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	char detail[512];

	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	gan_problem_write(&b, p, detail);
	if (!r->answered && gan_problem_status(p) < 500 && gan_problem_status(p) != 401)
		r->conn->server->stats.refused++;
	return gan_request_answer(
	    r, &(struct gan_answer){ .status = gan_problem_status(p),
		   .type = GAN_PROBLEM_TYPE,
		   .body = b.data,
		   .len = b.len,
		   .headers = extra,
		   .nheaders = extra == NULL ? 0 : 1,
		   /* An error may leave the two sides of a connection with different ideas. */
		   .close = true });
}

bool
gan_request_problem(
    struct gan_request *r, enum gan_problem p, int retry_after_s, const char *fmt, ...)
{
	char seconds[12];
	struct gan_header extra = { .name = "Retry-After", .value = seconds };
	va_list ap;
	bool first;

	(void)snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
	va_start(ap, fmt);
	first = answer_problem(r, p, retry_after_s > 0 ? &extra : NULL, fmt, ap);
	va_end(ap);
	return first;
}

bool
gan_request_problem_with(struct gan_request *r, enum gan_problem p, const char *name,
    const char *value, const char *fmt, ...)
{
	struct gan_header extra = { .name = name, .value = value };
	va_list ap;
	bool first;

	va_start(ap, fmt);
	first = answer_problem(r, p, &extra, fmt, ap);
	va_end(ap);
	return first;
}

static bool
is_too_long(const char *digits)
{
	errno = 0;
	return strtoull(digits, NULL, 10) == ULLONG_MAX && errno == ERANGE;
}

static bool
has_more(const char *text, const char *separators, size_t max)
{
	size_t n = 0;

	while (n <= max && (text = strpbrk(text, separators)) != NULL) {
		text++;
		n++;
	}
	return n > max;
}

const char *
gan_request_is_refused(const struct gan_request *r, enum gan_problem *ret_p)
{
	const char *length, *cookie;
	size_t digits;

	if (r->phase != GAN_PHASE_HEAD)
		return NULL;
	length =
	    MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	cookie = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_COOKIE);
	digits = length == NULL ? 0 : strspn(length, "0123456789");
	*ret_p = GAN_PROBLEM_FRAMING;
	if (length != NULL && (digits == 0 || length[digits] != '\0'))
		return "Content-Length is not one plain number: send the length in digits.";
	*ret_p = GAN_PROBLEM_TOO_LARGE;
	if (length != NULL && is_too_long(length))
		return "The body is larger than allowed here: send less at once.";
	*ret_p = GAN_PROBLEM_HEADERS;
	/* A lone quote is read as a value of -1 bytes. */
	if (cookie != NULL && (strlen(cookie) > COOKIE_MAX || strchr(cookie, '"') != NULL ||
				  has_more(cookie, ";,", WORDS_MAX)))
		return "The Cookie header is too large or has a quote: send none, nothing here needs one.";
	*ret_p = GAN_PROBLEM_URI;
	return MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL) > WORDS_MAX
		   ? "The request target has too many parts: send fewer parameters."
		   : NULL;
}

void
gan_request_tell(const struct gan_request *r, enum gan_problem p, const char *detail)
{
	struct gan_buf doc GAN_AUTO(gan_buf_fini) = { 0 }, all GAN_AUTO(gan_buf_fini) = { 0 };
	unsigned status = (unsigned)gan_problem_status(p);

	gan_problem_write(&doc, p, detail);
	gan_buf_printf(&all,
	    "HTTP/1.1 %u %s\r\nContent-Type: " GAN_PROBLEM_TYPE
	    "\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
	    status, MHD_get_reason_phrase_for(status), doc.len);
	gan_buf_put(&all, doc.data, doc.len);
	if (!doc.failed && !all.failed)
		(void)send(r->conn->fd, all.data, all.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
gan_request_wait(struct gan_request *r, int64_t until_ms)
{
	r->wait_until_ms = until_ms;
}

const char *
gan_request_method(const struct gan_request *r)
{
	return r->method;
}

const char *
gan_request_path(const struct gan_request *r)
{
	return r->uri;
}

const char *
gan_request_query(const struct gan_request *r)
{
	return r->query;
}

const struct gan_header *
gan_request_headers(const struct gan_request *r, size_t *ret_n)
{
	*ret_n = r->nheaders;
	return r->headers;
}

const char *
gan_request_header(const struct gan_request *r, const char *name)
{
	for (size_t i = 0; i < r->nheaders; i++) {
		const char *v = r->headers[i].value == NULL ? "" : r->headers[i].value;

		if (gan_header_is(r->headers[i].name, name))
			return v + strspn(v, " \t");
	}
	return NULL;
}

const char *
gan_request_remote(const struct gan_request *r)
{
	return r->conn->remote;
}

const char *
gan_request_body(const struct gan_request *r, size_t *ret_len)
{
	*ret_len = r->body.len;
	return r->body.data == NULL ? "" : r->body.data;
}

char *
gan_request_take_body(struct gan_request *r, size_t *ret_len)
{
	r->conn->server->buffered -= r->body.len;
	r->body.max = 0;
	return gan_buf_steal(&r->body, ret_len);
}

void
gan_request_set_user(struct gan_request *r, void *user, void (*on_end)(void *user))
{
	r->user = user;
	r->on_end = on_end;
}

void *
gan_request_user(const struct gan_request *r)
{
	return r->user;
}
