/* SPDX-License-Identifier: MIT */
/*
 * scrub.h - secrets that a peer repeats are replaced by '*' before anything is
 * kept: as they are, in base64 (wherever in the encoded text, either
 * alphabet), in hex, percent-encoded, and as a JSON text.
 *
 * The length stays, so JSON stays JSON.  What is written in two ways at once
 * is not found.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define GAN_SCRUB_FORMS 16 /* of one secret, at most */

struct gan_scrub {
	struct gan_scrub_form {
		char *text;
		size_t len;
	} * forms;
	size_t n, cap;
};

/* Zero the struct first. */
GAN_MUST_CHECK int gan_scrub_add(struct gan_scrub *s, const char *secret, size_t len);
void gan_scrub_text(const struct gan_scrub *s, char *text, size_t len);
void gan_scrub_fini(struct gan_scrub *s); /* overwrites them; also a GAN_AUTO handler */
