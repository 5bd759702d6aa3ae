/* SPDX-License-Identifier: MIT */
/* framing.c - see framing.h; the list of checks is pitfalls 3.2. */
#include "inbound/framing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

enum { URI_MAX = 2048, NAME_MAX_LEN = 128 };

/* A second one of these could be the one that somebody else believes. */
static const char *const singletons[] = { "host", "content-length", "transfer-encoding",
	"content-type", "content-encoding", "authorization", "idempotency-key", "expect" };

bool
gan_header_is(const char *name, const char *wanted)
{
	/* Most differ in their first letter; 0x20 is what tells its two cases apart. */
	return ((name[0] ^ wanted[0]) & ~0x20) == 0 && strcasecmp(name, wanted) == 0;
}

static bool __attribute__((format(printf, 3, 4)))
refuse(struct gan_framing *f, int status, const char *fmt, ...)
{
	va_list ap;

	f->status = status;
	va_start(ap, fmt);
	(void)vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	return false;
}

static bool
is_singleton(const char *name)
{
	/* The vendor's headers: signature, topic, uuid, time. */
	if ((name[0] | 0x20) == 'x')
		return strncasecmp(name, "x-prodsmart-", 12) == 0;
	for (size_t i = 0; i < GAN_COUNT(singletons); i++)
		if (gan_header_is(name, singletons[i]))
			return true;
	return false;
}

static const char *
find(const struct gan_framing_in *in, const char *name)
{
	for (size_t i = 0; i < in->nheaders; i++)
		if (gan_header_is(in->headers[i].name, name))
			return in->headers[i].value == NULL ? "" : in->headers[i].value;
	return NULL;
}

static bool
value_is_clean(const char *v)
{
	for (; v != NULL && *v != '\0'; v++)
		if (((unsigned char)*v < 0x20 && *v != '\t') || *v == 0x7f)
			return false;
	return true;
}

static bool
check_header(const struct gan_framing_in *in, size_t i, struct gan_framing *f)
{
	const struct gan_header *h = &in->headers[i];

	if (!gan_is_token(h->name) || strlen(h->name) > NAME_MAX_LEN)
		return refuse(
		    f, 400, "A header name is not a valid token: send letters, digits and '-'.");
	if (!value_is_clean(h->value))
		return refuse(
		    f, 400, "Header %s has a control character in it: send it without.", h->name);
	if (!is_singleton(h->name))
		return true;
	for (size_t j = 0; j < i; j++)
		if (gan_header_is(h->name, in->headers[j].name))
			return refuse(
			    f, 400, "Header %s was sent more than once: send it once.", h->name);
	return true;
}

/* Origin form, unescaped: routes are plain words, so nothing needs a '%'. */
static bool
check_target(const struct gan_framing_in *in, struct gan_framing *f)
{
	const char *query = strchr(in->uri, '?');
	size_t path = query == NULL ? strlen(in->uri) : (size_t)(query - in->uri);

	if (in->tangled)
		return refuse(f, 400,
		    "The header has a continued line, an empty name, a NUL, or a lone CR or LF: send each "
		    "header on a line of its own.");
	if (!gan_is_token(in->method))
		return refuse(f, 400, "The method is not a valid token: send GET or POST.");
	if (strcmp(in->version, "HTTP/1.1") != 0 && strcmp(in->version, "HTTP/1.0") != 0)
		return refuse(
		    f, 400, "Only HTTP/1.1 and HTTP/1.0 are spoken here: send one of them.");
	if (in->uri[0] != '/')
		return refuse(f, 400, "The request target must be a path that begins with '/'.");
	if (strlen(in->uri) > URI_MAX)
		return refuse(f, 414,
		    "The request target is longer than %d bytes: send a shorter one.", URI_MAX);
	if (memchr(in->uri, '%', path) != NULL)
		return refuse(f, 400, "Escapes (%%xx) are not allowed in the path: send it plain.");
	for (const char *p = in->uri; *p != '\0'; p++)
		if (*p <= 0x20 || *p >= 0x7f || *p == '#' || *p == '\\')
			return refuse(f, 400,
			    "The request target has a character that is not allowed: send it as %%xx.");
	return true;
}

static bool
check_host(const struct gan_framing_in *in, struct gan_framing *f)
{
	const char *host = find(in, "host");

	if (host == NULL) {
		if (strcmp(in->version, "HTTP/1.0") == 0)
			return true;
		return refuse(f, 400, "HTTP/1.1 needs exactly one Host header.");
	}
	host += strspn(host, " \t");
	if (*host == '\0' || strpbrk(host, " \t,/?#@\\\"<>") != NULL)
		return refuse(f, 400,
		    "The Host header is not a host name or address: send the one of the URL.");
	return true;
}

static bool
parse_length(const char *v, uint64_t *ret)
{
	uint64_t n = 0;
	size_t digits = 0;

	v += strspn(v, " \t");
	for (; *v >= '0' && *v <= '9'; v++, digits++) {
		if (n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(*v - '0');
	}
	v += strspn(v, " \t");
	if (digits == 0 || *v != '\0')
		return false;
	*ret = n;
	return true;
}

static bool
check_transfer(const struct gan_framing_in *in, const char *te, struct gan_framing *f)
{
	if (find(in, "content-length") != NULL)
		return refuse(
		    f, 400, "Content-Length and Transfer-Encoding must not be sent together.");
	if (strcmp(in->version, "HTTP/1.0") == 0)
		return refuse(f, 400, "HTTP/1.0 has no Transfer-Encoding: send a Content-Length.");
	te += strspn(te, " \t");
	/* With a blank behind it libmicrohttpd would read until the connection ends. */
	if (strcasecmp(te, "chunked") != 0)
		return refuse(
		    f, 501, "The only Transfer-Encoding supported is chunked: send that, or none.");
	f->chunked = true;
	return true;
}

static bool
check_body(const struct gan_framing_in *in, struct gan_framing *f)
{
	const char *length = find(in, "content-length");
	const char *te = find(in, "transfer-encoding");

	if (te != NULL) {
		if (!check_transfer(in, te, f))
			return false;
	} else if (length != NULL) {
		if (!parse_length(length, &f->length))
			return refuse(f, 400,
			    "Content-Length is not one plain number: send the length in digits.");
		f->has_length = true;
		if (f->length > in->max_body)
			return refuse(f, 413,
			    "The body is larger than the %llu bytes allowed here: send less at once.",
			    (unsigned long long)in->max_body);
	}
	if (find(in, "content-encoding") != NULL)
		return refuse(f, 415, "Send the body without a Content-Encoding.");
	return true;
}

static bool
check_expect(const struct gan_framing_in *in, struct gan_framing *f)
{
	const char *expect = find(in, "expect");

	if (expect != NULL && strcasecmp(expect + strspn(expect, " \t"), "100-continue") != 0)
		return refuse(
		    f, 417, "The only expectation supported is 100-continue: send that, or none.");
	return true;
}

void
gan_framing_check(const struct gan_framing_in *in, struct gan_framing *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!check_target(in, ret))
		return;
	if (in->nheaders > GAN_HEADERS_MAX) {
		(void)refuse(ret, 431, "More than %d headers: send fewer.", GAN_HEADERS_MAX);
		return;
	}
	for (size_t i = 0; i < in->nheaders; i++)
		if (!check_header(in, i, ret))
			return;
	if (check_host(in, ret) && check_body(in, ret))
		(void)check_expect(in, ret);
}
