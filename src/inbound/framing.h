/* SPDX-License-Identifier: MIT */
/*
 * framing.h - is there exactly one way to read this request?
 *
 * libmicrohttpd 0.9.75 lets through requests that two programs would cut into
 * messages in two ways (both Content-Length and Transfer-Encoding, two Hosts,
 * folded headers ...).  Each of those is refused here, before the body is
 * read, and the connection is closed after the answer.  Pure: works on a list
 * of headers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GAN_HEADERS_MAX = 64 };

struct gan_header {
	const char *name;
	const char *value; /* surrounding white space may still be there; NULL: none */
};

struct gan_framing_in {
	const char *method, *uri, *version;
	const struct gan_header *headers;
	size_t nheaders;
	uint64_t max_body;
	bool tangled; /* the bytes are not one plain line after the other */
};

struct gan_framing {
	int status;       /* 0: unambiguous; else the HTTP status to refuse it with */
	char detail[160]; /* why, for the sender; no data of the request in it but header names */
	bool chunked;
	bool has_length;
	uint64_t length; /* of the body, when has_length */
};

void gan_framing_check(const struct gan_framing_in *in, struct gan_framing *ret);

/* Compare header names: ASCII letters without regard to case. */
bool gan_header_is(const char *name, const char *wanted);
