/* SPDX-License-Identifier: MIT */
/* feed_lock.c - see feed_lock.h. */
#include "inbound/feed_lock.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/str.h"

/* The account's key is part of it: who can list the names learns nothing, nor can he make them. */
static int
name_of(const struct gan_conf_connector *account, const char *channel, struct sockaddr_un *ret,
    socklen_t *ret_len)
{
	const struct gan_bytes parts[] = {
		{ account->base_url, strlen(account->base_url) + 1 },
		{ account->api_key.bytes, account->api_key.len },
		{ "", 1 },
		{ channel, strlen(channel) },
	};
	unsigned char digest[GAN_SHA256_LEN];
	char hex[2 * 16 + 1];
	int n;

	if (gan_sha256(parts, sizeof(parts) / sizeof(parts[0]), digest) < 0)
		return GAN_ENOMEM;
	gan_hex(digest, 16, hex);
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "gantry/feed/%s", hex);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	return GAN_OK;
}

int
gan_feed_lock(
    const struct gan_conf_connector *account, const char *channel, int *ret_fd, struct gan_err *err)
{
	struct sockaddr_un name;
	socklen_t len;
	int fd, rc;

	if (name_of(account, channel, &name, &len) < 0)
		return gan_err_set(err, GAN_ENOMEM, "lock of a change channel");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return gan_err_errno(err, GAN_EIO, "lock of a change channel");
	if (bind(fd, (const struct sockaddr *)&name, len) == 0) {
		*ret_fd = fd;
		return GAN_OK;
	}
	rc = errno == EADDRINUSE
		 ? gan_err_set(err, GAN_EBUSY, "another gantryd on this host reads it")
		 : gan_err_errno(err, GAN_EIO, "lock of a change channel");
	(void)close(fd);
	return rc;
}
