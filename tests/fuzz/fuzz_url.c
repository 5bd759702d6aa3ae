/* SPDX-License-Identifier: MIT */
/*
 * fuzz_url.c - a base_url on the first line, an operation's path on the second.
 * What the configuration lets through must become a URL of just that server:
 * scheme, host and port as they were written, no user, no query, no fragment,
 * plain http for loopback only, and the operation's path at its end.
 */
#include <strings.h>

#include "conf/conf_priv.h"
#include "fuzz.h"
#include "outbound/transfer.h"

/* Curl writes 127.1 or 0x7f.1 as four numbers: such a host is not compared. */
static bool
is_numbers(const char *host, size_t n)
{
	return strspn(host, "0123456789abcdefABCDEFxX.") >= n;
}

static void
same_server(const char *base, const char *url)
{
	const char *host = strstr(base, "://") + 3, *made = strstr(url, "://") + 3;
	size_t scheme = (size_t)(host - base);
	size_t m = strcspn(made, "/");

	gan_must((size_t)(made - url) == scheme && strncmp(base, url, scheme) == 0);
	gan_must(memchr(made, '@', m) == NULL && m > 0 && made[m] == '/');
	/* Nor an IPv6 address, which is written in its shortest form. */
	if (*host == '[' || is_numbers(host, strcspn(host, ":/")))
		return;
	gan_must(strncasecmp(host, made, strcspn(host, ":/")) == 0);
	gan_must(strcspn(made, ":/") == strcspn(host, ":/"));
}

/* The port: as a number, since 0443 is 443. */
static unsigned long
port_of(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	const char *colon = host + (*host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/"));

	return *colon == ':' && colon[1] != '/' ? strtoul(colon + 1, NULL, 10) : 0;
}

static void
build(const char *base, const char *path)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { .method = "POST" };
	struct gan_err err = { 0 };
	size_t n;

	gan_must(gan_wire_url(&req, base, path, &err) == GAN_OK);
	same_server(base, req.url);
	gan_must(port_of(req.url) == port_of(base));
	n = strlen(req.url);
	gan_must(strpbrk(req.url, "?#") == NULL || strpbrk(path, "?#") != NULL);
	for (size_t i = 0; i < n; i++)
		gan_must((unsigned char)req.url[i] > ' ' && (unsigned char)req.url[i] < 0x7f);
	if (strcmp(path, "/v1/x") != 0)
		return;
	gan_must(n >= 5 && strcmp(req.url + n - 5, path) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { (const char *)data, size };
	char *base GAN_AUTO(gan_str_free) = fuzz_line(&in);
	char *path GAN_AUTO(gan_str_free) = fuzz_line(&in);
	char *host GAN_AUTO(gan_str_free) = NULL;
	uint16_t port = 0;

	if (base == NULL)
		return 0;
	if (gan_address_parse(base, &host, &port))
		gan_must(host != NULL && strlen(host) < strlen(base) &&
			 (strchr(host, ':') != NULL) == (base[0] == '['));
	(void)gan_url_wrong(base, true);
	if (gan_url_wrong(base, false) != NULL)
		return 0;
	gan_must(strncmp(base, "https://", 8) == 0 || strncmp(base, "http://127.", 11) == 0 ||
		 strncasecmp(base, "http://localhost", 16) == 0 ||
		 strncmp(base, "http://[", 8) == 0);
	gan_must(strpbrk(base, " \t\r\n?#\\\"<>^`{|}") == NULL);
	build(base, "/v1/x");
	if (path != NULL && path[0] == '/' && strpbrk(path, "?#%") == NULL) {
		struct gan_wire req GAN_AUTO(gan_wire_fini) = { .method = "POST" };
		struct gan_err err = { 0 };

		/* A path from elsewhere may be refused, but never leads to another server. */
		if (gan_wire_url(&req, base, path, &err) == GAN_OK)
			same_server(base, req.url);
	}
	return 0;
}
