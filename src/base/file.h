/* SPDX-License-Identifier: MIT */
/* file.h - small files, read whole and with a limit. */
#pragma once

#include <stddef.h>

#include "base/err.h"

/*
 * Read a regular file of at most max bytes; a larger one is GAN_ELIMIT, a
 * missing one GAN_ENOENT, no permission GAN_EPERM, one that is written to
 * meanwhile GAN_EBUSY.  *ret_data has a NUL behind it and is the caller's to
 * free().
 */
GAN_MUST_CHECK int gan_file_read(
    const char *path, size_t max, char **ret_data, size_t *ret_len, struct gan_err *err);

/* "dir/name", or a copy of name when it is absolute; NULL without memory. */
char *gan_path_join(const char *dir, const char *name);

/* The folder of a path, "." when it has none; NULL without memory. */
char *gan_path_dir(const char *path);

/* Sync the folder of a path, so that a new file in it is found after a power cut: GAN_EIO. */
GAN_MUST_CHECK int gan_folder_sync(const char *path, struct gan_err *err);
