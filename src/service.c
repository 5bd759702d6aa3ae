/* SPDX-License-Identifier: MIT */
/* service.c - see service.h. */
#include "service.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/mem.h"

static int
socket_take(struct gan_service_fds *fds, int fd, const char *name, int n, struct gan_err *err)
{
	int *slot = &fds->public_fd;

	if (strcmp(name, "control") == 0)
		slot = &fds->control_fd;
	else if (strcmp(name, "public") != 0 && n > 1)
		return gan_err_set(err, GAN_EINVAL,
		    "the service manager passed a socket named '%s': only 'public' and 'control' are "
		    "known (FileDescriptorName= in gantry.socket)",
		    name);
	if (*slot >= 0)
		return gan_err_set(
		    err, GAN_EINVAL, "the service manager passed two sockets named '%s'", name);
	*slot = fd;
	return GAN_OK;
}

int
gan_service_sockets(struct gan_service_fds *ret_fds, struct gan_err *err)
{
	struct gan_service_fds fds = { -1, -1 };
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), rc = GAN_OK;

	if (n < 0)
		return gan_err_set(err, GAN_EIO, "socket activation: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		if (rc == GAN_OK)
			rc = socket_take(&fds, SD_LISTEN_FDS_START + i, names[i], n, err);
		free(names[i]);
	}
	free(names);
	if (rc == GAN_OK)
		*ret_fds = fds;
	return rc;
}

void
gan_service_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void
gan_service_reloading(void)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, gan_mono_us());
}

void
gan_service_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=stopping: finishing what is in flight");
}

void
gan_service_status(const char *status)
{
	(void)sd_notifyf(0, "STATUS=%s", status);
}

int64_t
gan_service_watchdog_ms(void)
{
	uint64_t usec = 0;

	return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 1000) : 0;
}

void
gan_service_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}
