/* SPDX-License-Identifier: MIT */
/* put.c - small pieces of JSON; apart, so that gantryctl need not link the daemon's doors. */
#include <stdio.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "base/clock.h"

void
gan_put_str(struct gan_buf *b, const char *s)
{
	if (s == NULL)
		gan_buf_puts(b, "null");
	else
		gan_buf_json(b, s, strlen(s));
}

void
gan_put_time(struct gan_buf *b, int64_t ms)
{
	char text[GAN_TIME_LEN];

	if (ms <= 0)
		gan_buf_puts(b, "null");
	else
		gan_buf_printf(b, "\"%s\"", gan_time_format(ms, text));
}

void
gan_put_address(struct gan_buf *b, const char *host, unsigned port)
{
	char text[80];

	(void)snprintf(
	    text, sizeof(text), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
	gan_put_str(b, text);
}

void
gan_counts_free(struct gan_store_counts **cp)
{
	free(gan_steal(cp));
}
