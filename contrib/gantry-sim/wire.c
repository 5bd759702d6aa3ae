/* SPDX-License-Identifier: MIT */
/* wire.c - HTTP/1.1 requests out of a buffer: strict, whole, in place. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "sim.h"

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 100, "Continue" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 204, "No Content" },
	{ 302, "Found" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 499, "Invalid Content Type" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

const char *
gan_sim_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Simulated";
}

const char *
gan_sim_header(const struct gan_sim_request *req, const char *name)
{
	for (size_t i = 0; i < req->nheaders; i++) {
		if (strcmp(req->headers[i].name, name) == 0)
			return req->headers[i].value;
	}
	return NULL;
}

/* Value of a header in a head that is still untouched; its length, or -1. */
static long
peek_header(const char *head, size_t n, const char *name, const char **ret_value)
{
	const char *p = head, *end = head + n;
	size_t len = strlen(name);

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		const char *stop;

		p++;
		if ((size_t)(end - p) <= len || strncasecmp(p, name, len) != 0 || p[len] != ':')
			continue;
		p += len + 1;
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		stop = memchr(p, '\r', (size_t)(end - p));
		if (stop == NULL)
			return -1;
		*ret_value = p;
		return stop - p;
	}
	return -1;
}

bool
gan_sim_wants_continue(const struct gan_buf *in)
{
	const char *end = in->len == 0 ? NULL : memmem(in->data, in->len, "\r\n\r\n", 4);
	const char *v;
	long n;

	if (end == NULL)
		return false;
	n = peek_header(in->data, (size_t)(end - in->data) + 2, "expect", &v);
	return n == 12 && strncasecmp(v, "100-continue", 12) == 0;
}

/* Join chunks at the front of the body.  1 done, 0 more is needed, or a negative status. */
static int
unchunk(char *body, size_t have, size_t *ret_len, size_t *ret_used)
{
	size_t at = 0, out = 0;
	int pass;

	/* First pass looks whether all of it is there, the second moves it. */
	for (pass = 0; pass < 2; pass++) {
		for (at = 0, out = 0;;) {
			char *nl = memchr(body + at, '\n', have - at), *end;
			unsigned long n;

			if (nl == NULL)
				return have - at > 64 ? -400 : 0;
			n = strtoul(body + at, &end, 16);
			if (end == body + at || (*end != '\r' && *end != ';'))
				return -400;
			if (n > GAN_SIM_BODY_MAX || out + n > GAN_SIM_BODY_MAX)
				return -413;
			at = (size_t)(nl - body) + 1;
			if (have - at < n + 2)
				return 0;
			if (pass == 1)
				memmove(body + out, body + at, n);
			out += n;
			at += n + 2;
			if (n == 0)
				break;
		}
	}
	*ret_len = out;
	*ret_used = at;
	return 1;
}

static int
split_head(char *head, size_t n, struct gan_sim_request *req)
{
	char *line = head, *end = head + n, *nl, *p;

	nl = memmem(line, n, "\r\n", 2);
	*nl = '\0';
	req->method = line;
	p = strchr(line, ' ');
	if (p == NULL || p[1] != '/')
		return -400;
	*p++ = '\0';
	req->path = p;
	p = strchr(p, ' ');
	if (p == NULL || strncmp(p, " HTTP/1.", 8) != 0)
		return -400;
	*p = '\0';
	p = strchr(req->path, '?');
	req->query = p == NULL ? strchr(req->path, '\0') : p + 1;
	if (p != NULL)
		*p = '\0';
	for (line = nl + 2; line < end; line = nl + 2) {
		char *colon, *v;

		nl = memmem(line, (size_t)(end - line), "\r\n", 2);
		*nl = '\0';
		colon = strchr(line, ':');
		if (colon == NULL || req->nheaders == GAN_SIM_HEADERS_MAX)
			return -431;
		*colon = '\0';
		for (v = line; *v != '\0'; v++)
			*v = (char)tolower((unsigned char)*v);
		if (!gan_is_token(line))
			return -400;
		for (v = colon + 1; *v == ' ' || *v == '\t'; v++)
			;
		for (p = nl; p > v && (p[-1] == ' ' || p[-1] == '\t'); p--)
			p[-1] = '\0';
		req->headers[req->nheaders++] = (struct gan_sim_header){ line, v };
	}
	return 0;
}

/* How long the body is, after the untouched head; -1: chunked; below that a status. */
static long
body_length(const char *head, size_t n)
{
	const char *v;
	long len = peek_header(head, n, "transfer-encoding", &v);
	unsigned long long size;
	char *end;

	if (len >= 0)
		return len == 7 && strncasecmp(v, "chunked", 7) == 0 ? -1 : -501;
	len = peek_header(head, n, "content-length", &v);
	if (len < 0)
		return 0;
	if (len == 0 || !isdigit((unsigned char)*v))
		return -400;
	size = strtoull(v, &end, 10);
	if (end != v + len)
		return -400;
	return size > GAN_SIM_BODY_MAX ? -413 : (long)size;
}

int
gan_sim_parse(struct gan_buf *in, struct gan_sim_request *req, size_t *ret_used)
{
	char *end = in->len == 0 ? NULL : memmem(in->data, in->len, "\r\n\r\n", 4);
	size_t head, have;
	long body;
	int rc;

	if (end == NULL)
		return in->len > GAN_SIM_HEAD_MAX ? -431 : 0;
	head = (size_t)(end - in->data) + 4;
	if (memchr(in->data, '\0', head) != NULL)
		return -400;
	body = body_length(in->data, head - 2);
	if (body < -1)
		return (int)body;
	have = in->len - head;
	if (body == -1) {
		size_t used;

		rc = unchunk(in->data + head, have, &req->body_len, &used);
		if (rc <= 0)
			return rc;
		*ret_used = head + used;
	} else {
		if (have < (size_t)body)
			return 0;
		req->body_len = (size_t)body;
		*ret_used = head + (size_t)body;
	}
	req->body = in->data + head;
	rc = split_head(in->data, head - 2, req);
	return rc < 0 ? rc : 1;
}
