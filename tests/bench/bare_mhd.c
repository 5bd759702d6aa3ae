/* SPDX-License-Identifier: MIT */
/*
 * bare_mhd.c - the ceiling of the listener: libmicrohttpd in external epoll
 * mode that takes a body and answers 200, and nothing else.
 *
 *	bare_mhd [--keep-alive]		prints {"port":N}; ends with its parent
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"

static bool keep_alive;
static struct MHD_Response *answer;

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_len, void **ctx)
{
	static char seen;

	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	if (*ctx == NULL) {
		*ctx = &seen;
		return MHD_YES;
	}
	if (*upload_len > 0) {
		*upload_len = 0;
		return MHD_YES;
	}
	return MHD_queue_response(c, 200, answer);
}

static void
turn(struct MHD_Daemon *d, int set)
{
	MHD_UNSIGNED_LONG_LONG ms;
	struct epoll_event ev;
	int wait = 250;

	gan_must(MHD_run(d) == MHD_YES);
	if (MHD_get_timeout(d, &ms) == MHD_YES && ms < 250)
		wait = (int)ms;
	(void)epoll_wait(set, &ev, 1, wait);
}

int
main(int argc, char **argv)
{
	static char body[] = "{\"status\":\"stored\"}";
	const union MHD_DaemonInfo *info;
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN };
	struct MHD_Daemon *d;
	int set;

	keep_alive = argc > 1 && strcmp(argv[1], "--keep-alive") == 0;
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return 1;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	answer = MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
	gan_must(answer != NULL);
	gan_must(MHD_add_response_header(answer, "Content-Type", "application/json") == MHD_YES);
	if (!keep_alive)
		gan_must(MHD_add_response_header(answer, "Connection", "close") == MHD_YES);
	d = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR,
	    &addr, MHD_OPTION_CONNECTION_LIMIT, 1024u, MHD_OPTION_END);
	gan_must(d != NULL);
	info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	(void)printf("{\"port\":%u}\n", (unsigned)info->port);
	(void)fflush(stdout);
	info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD);
	set = epoll_create1(EPOLL_CLOEXEC);
	gan_must(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, info->epoll_fd, &ev) == 0);
	for (;;)
		turn(d, set);
}
