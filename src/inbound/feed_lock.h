/* SPDX-License-Identifier: MIT */
/*
 * feed_lock.h - one reader for each change channel of an account, on this
 * host: two would share its changes between them.
 *
 * The lock is the name of an abstract Unix socket, so it ends with the process,
 * however that ends, and leaves no file.  It holds within one network namespace.
 */
#pragma once

#include "base/err.h"
#include "conf/config.h"

/*
 * GAN_OK with *ret_fd to close(); GAN_EBUSY: another process has it; GAN_EIO.
 * The name tells nobody the account.
 */
GAN_MUST_CHECK int gan_feed_lock(const struct gan_conf_connector *account, const char *channel,
    int *ret_fd, struct gan_err *err);
