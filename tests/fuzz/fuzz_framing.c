/* SPDX-License-Identifier: MIT */
/* fuzz_framing.c - "METHOD TARGET VERSION" and header lines, as a server would hand them over. */
#include "fuzz.h"
#include "inbound/framing.h"

enum { LINES_MAX = GAN_HEADERS_MAX + 2, MAX_BODY = 1000 };

static size_t
count(const struct gan_framing_in *in, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < in->nheaders; i++)
		n += gan_header_is(in->headers[i].name, name);
	return n;
}

static void
check(const struct gan_framing_in *in)
{
	struct gan_framing f;

	gan_framing_check(in, &f);
	gan_must(f.status == 0 || (f.status >= 400 && f.status < 600));
	gan_must((f.status == 0) == (f.detail[0] == '\0'));
	if (f.status != 0)
		return;
	gan_must(!in->tangled && in->uri[0] == '/' && strchr(in->uri, ' ') == NULL);
	gan_must(count(in, "host") <= 1 && count(in, "content-length") <= 1);
	gan_must(count(in, "host") == 1 || strcmp(in->version, "HTTP/1.0") == 0);
	gan_must(!(f.chunked && f.has_length) && (!f.has_length || f.length <= MAX_BODY));
	gan_must(f.chunked == (count(in, "transfer-encoding") == 1));
	gan_must(f.has_length == (count(in, "content-length") == 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in input = { (const char *)data, size };
	struct gan_header headers[LINES_MAX];
	char *first = fuzz_line(&input), *line, *lines[LINES_MAX], *rest = first;
	struct gan_framing_in in = { .headers = headers, .max_body = MAX_BODY };
	size_t n = 0;

	if (first == NULL)
		return 0;
	in.method = strsep(&rest, " ");
	in.uri = rest != NULL ? strsep(&rest, " ") : "";
	in.version = rest != NULL ? rest : "";
	in.tangled = size % 16 == 15;
	while (n < LINES_MAX && (line = fuzz_line(&input)) != NULL) {
		char *colon = strchr(line, ':');

		if (colon != NULL)
			*colon = '\0';
		headers[n] = (struct gan_header){ line, colon != NULL ? colon + 1 : NULL };
		lines[n++] = line;
	}
	in.nheaders = n;
	check(&in);
	for (size_t i = 0; i < n; i++)
		free(lines[i]);
	free(first);
	return 0;
}
