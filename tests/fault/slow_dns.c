/* SPDX-License-Identifier: MIT */
/*
 * slow_dns.c - a preload: one name server that takes its time.
 *
 * getaddrinfo() of $SLOW_DNS_HOST sleeps $SLOW_DNS_MS and then answers 127.0.0.1,
 * so that no test ever asks a real name server.  One line on stderr for each.
 */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int resolve_fn(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret);

int
getaddrinfo(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	/* POSIX lets a function come as an object pointer; ISO C has no cast for it. */
	union {
		void *object;
		resolve_fn *call;
	} real = { dlsym(RTLD_NEXT, "getaddrinfo") };
	const char *slow = getenv("SLOW_DNS_HOST"), *ms = getenv("SLOW_DNS_MS");
	struct timespec left = { 0, 0 };

	if (node == NULL || slow == NULL || ms == NULL || strcmp(node, slow) != 0)
		return real.call(node, service, hints, ret);
	(void)fprintf(stderr, "slow_dns: %s\n", node);
	left.tv_sec = strtol(ms, NULL, 10) / 1000;
	left.tv_nsec = strtol(ms, NULL, 10) % 1000 * 1000000;
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
	return real.call("127.0.0.1", service, hints, ret);
}
