/* SPDX-License-Identifier: MIT */
/* request.c - one request line from what was typed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/ctl.h"

void
gan_ctl_request_begin(struct gan_buf *b, const char *verb)
{
	gan_buf_puts(b, "{\"verb\":");
	gan_buf_json(b, verb, strlen(verb));
	gan_buf_puts(b, ",\"args\":{");
}

static void
put_key(struct gan_buf *b, const char *key)
{
	if (b->len > 0 && b->data[b->len - 1] != '{')
		gan_buf_puts(b, ",");
	gan_buf_json(b, key, strlen(key));
	gan_buf_puts(b, ":");
}

void
gan_ctl_request_str(struct gan_buf *b, const char *key, const char *value)
{
	put_key(b, key);
	gan_buf_json(b, value, strlen(value));
}

void
gan_ctl_request_int(struct gan_buf *b, const char *key, int64_t value)
{
	put_key(b, key);
	gan_buf_printf(b, "%lld", (long long)value);
}

void
gan_ctl_request_flag(struct gan_buf *b, const char *key)
{
	put_key(b, key);
	gan_buf_puts(b, "true");
}

void
gan_ctl_request_ids(const struct gan_ctl *ctl, struct gan_buf *b)
{
	if (ctl->noperands == 0)
		return;
	put_key(b, "ids");
	for (int i = 0; i < ctl->noperands; i++) {
		gan_buf_puts(b, i == 0 ? "[" : ",");
		gan_buf_json(b, ctl->operands[i], strlen(ctl->operands[i]));
	}
	gan_buf_puts(b, "]");
}

void
gan_ctl_request_end(struct gan_buf *b, const char *reason)
{
	gan_buf_puts(b, "}");
	if (reason != NULL) {
		gan_buf_puts(b, ",\"reason\":");
		gan_buf_json(b, reason, strlen(reason));
	}
	gan_buf_puts(b, "}\n");
}

static int
put_count(struct gan_buf *b, const struct gan_ctl_option *o, const char *v, struct gan_err *err)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(v, &end, 10);
	if (*v < '0' || *v > '9' || *end != '\0' || errno != 0 || n < 1 || n > 1000)
		return gan_err_set(
		    err, GAN_EINVAL, "--%s is a number from 1 to 1000, not '%s'", o->name, v);
	gan_ctl_request_int(b, o->key, (int64_t)n);
	return GAN_OK;
}

int
gan_ctl_request_options(struct gan_ctl *ctl, struct gan_buf *b, struct gan_err *err)
{
	int rc = GAN_OK;
	int64_t ms;

	for (int i = 0; rc == GAN_OK && i < GAN_CTL_NOPTIONS; i++) {
		const struct gan_ctl_option *o = &gan_ctl_options[i];
		const char *v = ctl->opt[i];

		if (v == NULL || o->key == NULL)
			continue;
		if (o->kind == GAN_CTL_FLAG)
			gan_ctl_request_flag(b, o->key);
		else if (o->kind == GAN_CTL_TEXT)
			gan_ctl_request_str(b, o->key, v);
		else if (o->kind == GAN_CTL_COUNT)
			rc = put_count(b, o, v, err);
		else if (gan_ctl_time(v, gan_wall_ms(), &ms))
			gan_ctl_request_int(b, o->key, ms);
		else
			rc = gan_err_set(err, GAN_EINVAL,
			    "--%s is how long ago (30m, 2h, 7d) or a time with its zone "
			    "(2026-11-21T19:00:00Z), not '%s'",
			    o->name, v);
	}
	return rc;
}
