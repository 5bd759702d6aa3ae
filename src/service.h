/* SPDX-License-Identifier: MIT */
/*
 * service.h - what the service manager and the gateway tell each other:
 * readiness, watchdog, sockets handed over at start.  All of it does nothing
 * when there is no service manager.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Sockets from socket activation, -1 where none was given. Marked CLOEXEC. */
struct gan_service_fds {
	int public_fd;
	int control_fd;
};

/*
 * Take the sockets named "public" and "control" (FileDescriptorName= of
 * gantry.socket); a single socket of any other name is the public one.  An
 * unknown further socket is an error: nobody would ever accept from it.
 */
GAN_MUST_CHECK int gan_service_sockets(struct gan_service_fds *ret_fds, struct gan_err *err);

/* READY=1 or, after a reload, the end of RELOADING; status is one line for `systemctl status`. */
void gan_service_ready(const char *status);
void gan_service_reloading(void);
void gan_service_stopping(void);
void gan_service_status(const char *status);

/* How often to prove that we live, in milliseconds; 0: nobody asks. */
int64_t gan_service_watchdog_ms(void);
void gan_service_alive(void);
