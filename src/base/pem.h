/* SPDX-License-Identifier: MIT */
/* pem.h - a client certificate and its private key, looked at before they are used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct gan_pem {
	const char *text;
	size_t len;
};

/*
 * Is cert a PEM certificate (others may follow it), key a PEM private key that
 * asks for no passphrase, and do they belong together?  GAN_EINVAL says which
 * of the two is wrong, never what is in it.  *ret_expired: its time is over.
 */
GAN_MUST_CHECK int gan_pem_check(
    const struct gan_pem *cert, const struct gan_pem *key, bool *ret_expired, struct gan_err *err);
