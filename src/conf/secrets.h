/* SPDX-License-Identifier: MIT */
/*
 * secrets.h - `secret:NAME` to bytes.
 *
 * NAME is looked for as a systemd credential ($CREDENTIALS_DIRECTORY/NAME, then
 * gantry_NAME, which is what systemd of Debian 12 calls the files of a credential
 * folder), then as a file in the folder of secrets.  One newline at the end is dropped.
 * Refused: an empty secret, more than 4 KiB, control characters (they would
 * break a header apart), and files that everybody may read or write.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/config.h"

#define GAN_SECRET_MAX 4096
#define GAN_SECRET_NAME_MAX 128
#define GAN_SECRET_SHORT 16 /* bytes; a shorter key is warned of */

/* The NAME of a well-formed "secret:NAME", or NULL. */
const char *gan_secret_name(const char *text, size_t len);

/*
 * Fill ret->bytes and ret->len.  The text in err names files, never content.
 * Returns 0, GAN_ENOENT, GAN_EPERM, GAN_EINVAL, GAN_ELIMIT, GAN_EIO or GAN_ENOMEM.
 */
GAN_MUST_CHECK int gan_secret_read(
    const char *name, const char *dir, struct gan_secret *ret, struct gan_err *err);

/*
 * The content of a file of its own, at most max bytes, as it is (ret->name stays
 * as it was).  With secret set it must not be readable or writable by everybody.
 */
GAN_MUST_CHECK int gan_secret_file(
    const char *path, bool secret, size_t max, struct gan_secret *ret, struct gan_err *err);

/* Overwrite and free what the struct holds. */
void gan_secret_fini(struct gan_secret *s);
