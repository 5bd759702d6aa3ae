/* SPDX-License-Identifier: MIT */
/* url.c - the URLs and addresses that gantry.yaml may hold, checked by hand: few and strict. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_priv.h"

#define HOST_MAX 253

bool
gan_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool
is_numeric(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static bool
port_parse(const char *s, size_t n, uint16_t *ret_port)
{
	unsigned v = 0;

	if (n == 0 || n > 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	*ret_port = (uint16_t)v;
	return v <= UINT16_MAX;
}

bool
gan_address_parse(const char *text, char **ret_host, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	bool v6 = text[0] == '[';
	char *host GAN_AUTO(gan_str_free) = NULL;

	if (colon == NULL || colon - text > HOST_MAX || colon - text < (v6 ? 3 : 1) ||
	    (v6 && colon[-1] != ']') || !port_parse(colon + 1, strlen(colon + 1), ret_port))
		return false;
	host = gan_memdup(text + v6, (size_t)(colon - text) - 2 * v6);
	if (host == NULL || !is_numeric(host) || (strchr(host, ':') != NULL) != v6)
		return false;
	*ret_host = gan_steal(&host);
	return true;
}

/* Letters, digits, dots and hyphens, or a numeric address; what curl would take for it too. */
static bool
host_ok(const char *host, bool v6)
{
	struct in6_addr any;

	if (v6)
		return inet_pton(AF_INET6, host, &any) == 1;
	if (*host == '\0' || *host == '.' || *host == '-')
		return false;
	for (const char *p = host; *p != '\0'; p++) {
		bool alnum = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
			     (*p >= 'A' && *p <= 'Z');

		if (!alnum && *p != '-' && *p != '_' && (*p != '.' || p[1] == '.'))
			return false;
	}
	return true;
}

/* The part behind "://": host, port. */
static const char *
authority_wrong(const char *p, size_t n, bool https)
{
	char host[HOST_MAX + 1];
	const char *end = p + n, *colon;
	bool v6 = n > 0 && *p == '[';
	uint16_t port;
	size_t len;

	if (memchr(p, '@', n) != NULL)
		return "must not hold a user name or password: use this connector's own keys";
	colon = v6 ? memchr(p, ']', n) : memchr(p, ':', n);
	if (v6 && colon == NULL)
		return "has an address without its ]";
	len = colon != NULL ? (size_t)(colon - p) - v6 : n;
	if (colon != NULL && v6)
		colon++;
	if (colon != NULL && colon < end &&
	    (*colon != ':' || !port_parse(colon + 1, (size_t)(end - colon - 1), &port) ||
		port == 0))
		return "has a bad port";
	if (len > HOST_MAX)
		return "has a host name that is too long";
	memcpy(host, p + v6, len);
	host[len] = '\0';
	if (!host_ok(host, v6))
		return "has no proper host name";
	if (!https && !gan_is_loopback(host) && strcasecmp(host, "localhost") != 0)
		return "must begin with https://; http is for loopback addresses only";
	return NULL;
}

const char *
gan_url_wrong(const char *url, bool query_allowed)
{
	bool https = strncmp(url, "https://", 8) == 0;
	const char *p = url + (https ? 8 : 7);
	size_t n;

	if (!https && strncmp(url, "http://", 7) != 0)
		return "must begin with https://";
	for (const char *c = url; *c != '\0'; c++) {
		if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f ||
		    strchr("\\\"<>^`{|}", *c) != NULL)
			return "holds a character that a URL must not hold: write it as %XX";
	}
	if (strchr(url, '#') != NULL)
		return "must not hold a # part";
	if (!query_allowed && strchr(url, '?') != NULL)
		return "must not hold a ? part: operations add their own";
	n = strcspn(p, "/?");
	return authority_wrong(p, n, https);
}
