/* SPDX-License-Identifier: MIT */
/*
 * admin.c - opens and closes the two doors for people.
 *
 * The object is counted: calls that wait for the store, a reload or a mapping
 * worker may outlive gan_admin_close(); they end by themselves and touch
 * nothing but the object.
 */
#include "admin/admin_priv.h"

#include <stdlib.h>

#include "admin/walk.h"
#include "base/log.h"
#include "base/mem.h"

void
gan_admin_unref(struct gan_admin *a)
{
	gan_must(a->refs > 0);
	if (--a->refs == 0)
		free(a);
}

int
gan_admin_open(uv_loop_t *loop, const struct gan_admin_ops *ops, int control_fd,
    struct gan_admin **ret_admin, struct gan_err *err)
{
	struct gan_config *conf = ops->conf(ops->arg);
	struct gan_admin *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return gan_err_set(err, GAN_ENOMEM, "control socket");
	a->loop = loop;
	a->ops = *ops;
	a->refs = 1;
	/* The listener first: it is released at once, the socket only by the loop. */
	if (conf->admin.host != NULL) {
		rc = gan_admin_http_open(a, &conf->admin, &a->http, err);
		if (rc < 0) {
			free(a);
			return gan_err_wrap(err, rc, "listen.admin");
		}
	}
	rc = gan_control_open(a, conf->control_socket, control_fd, &a->control, err);
	if (rc < 0) {
		gan_admin_http_close(&a->http);
		free(a);
		return gan_err_wrap(err, rc, "listen.control");
	}
	*ret_admin = a;
	return GAN_OK;
}

static void
control_closed(void *arg)
{
	struct gan_admin *a = arg;

	if (a->closed != NULL)
		a->closed(a->closed_arg);
	gan_admin_unref(a);
}

void
gan_admin_close(struct gan_admin *a, void (*cb)(void *arg), void *arg)
{
	a->closing = true;
	if (a->walk != NULL)
		gan_walk_cancel(a->walk);
	a->closed = cb;
	a->closed_arg = arg;
	gan_admin_http_close(&a->http);
	gan_control_close(&a->control, control_closed, a);
}
