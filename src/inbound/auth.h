/* SPDX-License-Identifier: MIT */
/*
 * auth.h - who sends?  Bearer tokens (RFC 6750) and HTTP Basic (RFC 7617).
 *
 * Only digests are kept and compared, all of them and each in the same time, so
 * that neither a token's content nor its length shows.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/hmac.h"
#include "conf/config.h"
#include "inbound/request.h"

#define GAN_AUTH_MAX (2 * GAN_SECRETS_MAX)

/* What opens one source or consumer. */
struct gan_auth {
	struct {
		unsigned char digest[GAN_SHA256_LEN];
		bool basic;
		unsigned number; /* from 1: the first or the second token or password */
	} ways[GAN_AUTH_MAX];
	size_t n;
};

/* Add those of the list that are set; GAN_EINVAL when one is empty or was not read. what: of whom,
 * for the text of the error. */
GAN_MUST_CHECK int gan_auth_add_tokens(struct gan_auth *a, const char *what,
    const struct gan_secret list[GAN_SECRETS_MAX], struct gan_err *err);
GAN_MUST_CHECK int gan_auth_add_basic(struct gan_auth *a, const char *what, const char *user,
    const struct gan_secret list[GAN_SECRETS_MAX], struct gan_err *err);

/* What a request brought along. */
struct gan_credential {
	unsigned char digest[GAN_SHA256_LEN];
};

/* False when its Authorization is missing or of no form that is known here. */
bool gan_auth_read(const struct gan_request *r, struct gan_credential *ret);

/* The way that it opens, counted from 1; 0: none. */
unsigned gan_auth_opens(const struct gan_auth *a, const struct gan_credential *c);
