/* SPDX-License-Identifier: MIT */
/* server_listen.c - the listening socket: our own, or one that was handed to us. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inbound/server_priv.h"

enum { BACKLOG = 512 };

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t
parse_address(const char *host, uint16_t port, union address *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return sizeof(a->v4);
	}
	if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		return sizeof(a->v6);
	}
	return 0;
}

static const char *
way_out(int code)
{
	switch (code) {
	case EADDRINUSE:
		return " (is another gantryd running?)";
	case EACCES:
		return " (ports below 1024 are root's: let gantry.socket open it, or take a higher "
		       "one)";
	case EADDRNOTAVAIL:
		return " (no interface of this machine has that address)";
	default:
		return "";
	}
}

int
gan_listen_open(const char *host, uint16_t port, int *ret_fd, struct gan_err *err)
{
	union address a;
	socklen_t len = parse_address(host, port, &a);
	int fd, on = 1, off = 0;

	if (len == 0)
		return gan_err_set(err, GAN_ECONFIG,
		    "listen address '%s' is not a numeric IPv4 or IPv6 address", host);
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gan_err_errno(err, GAN_EIO, "socket for %s port %u", host, port);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* "::" means every address, of both families. */
	if (a.sa.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &a.sa, len) < 0 || listen(fd, BACKLOG) < 0) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
		return gan_err_errno(
		    err, GAN_EIO, "cannot listen on %s port %u%s", host, port, way_out(saved));
	}
	*ret_fd = fd;
	return GAN_OK;
}

int
gan_listen_adopt(int fd, struct gan_err *err)
{
	int listening = 0, flags;
	socklen_t len = sizeof(listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
		return gan_err_set(
		    err, GAN_EINVAL, "inherited descriptor %d is not a listening socket", fd);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return gan_err_errno(err, GAN_EIO, "inherited descriptor %d", fd);
	return GAN_OK;
}

unsigned
gan_listen_port(int fd)
{
	union address a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.sa, &len) < 0)
		return 0;
	return ntohs(a.sa.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}
