/* SPDX-License-Identifier: MIT */
/*
 * fuzz_wire.c - a request under construction: base URL, path, then headers
 * ("name: value", with a "!" in front a secret one), one a line.  What the
 * configuration lets through as a base_url must make a URL of that server.
 */
#include <strings.h>

#include "conf/conf_priv.h"
#include "fuzz.h"
#include "outbound/transfer.h"

static void
url(struct gan_wire *req, const char *base, const char *path)
{
	const char *wrong = gan_url_wrong(base, false);
	size_t host = strcspn(base, ":") + 3; /* behind "://" */
	struct gan_err err = { 0 };
	int rc = gan_wire_url(req, base, path, &err);

	if (wrong != NULL || strcmp(path, "/v1/x") != 0)
		return;
	gan_must(rc == GAN_OK);
	host += strcspn(base + host, "/");
	gan_must(strlen(req->url) > strlen(path));
	gan_must(strcmp(req->url + strlen(req->url) - strlen(path), path) == 0);
	for (const char *p = req->url; *p != '\0'; p++)
		gan_must((unsigned char)*p > ' ' && (unsigned char)*p < 0x7f);
}

static void
header(struct gan_wire *req, char *line)
{
	char *colon = strchr(line, ':');
	struct gan_err err = { 0 };
	bool secret = line[0] == '!';

	if (colon == NULL) {
		(void)!gan_wire_hide(req, line, strlen(line), &err);
		return;
	}
	*colon = '\0';
	if (secret)
		(void)!gan_wire_secret(
		    req, line + 1, "Bearer ", colon + 1, strlen(colon + 1), &err);
	else
		(void)!gan_wire_header(req, line, colon + 1, &err);
	/* The error never repeats a secret. */
	gan_must(!secret || strlen(colon + 1) < 24 || strstr(err.msg, colon + 1) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { (const char *)data, size };
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { .method = "POST" };
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };
	char *base GAN_AUTO(gan_str_free) = fuzz_line(&in);
	char *path GAN_AUTO(gan_str_free) = fuzz_line(&in);
	char *line, *host = NULL;
	uint16_t port;

	if (base == NULL)
		return 0;
	if (gan_address_parse(base, &host, &port))
		free(host);
	(void)gan_is_loopback(base);
	url(&req, base, path != NULL ? path : "/v1/x");
	while ((line = fuzz_line(&in)) != NULL) {
		header(&req, line);
		free(line);
	}
	for (size_t i = 0; i < req.nheaders; i++)
		gan_must(strpbrk(req.headers[i].value, "\r\n") == NULL);
	if (req.url != NULL)
		gan_wire_describe(&req, &text);
	return 0;
}
