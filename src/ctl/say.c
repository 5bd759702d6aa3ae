/* SPDX-License-Identifier: MIT */
/* say.c - errors for people, and data of others made fit for a terminal. */
#include <string.h>

#include "base/str.h"
#include "ctl/ctl.h"

void
gan_ctl_put_safe(struct gan_buf *out, const char *s, size_t n, bool lines)
{
	while (n > 0) {
		size_t k = gan_utf8_next(s, n);
		bool control = k == 0 || gan_steering(s, k) != 0;

		if (control && !(lines && (*s == '\n' || *s == '\t')))
			gan_buf_putc(out, '?');
		else
			gan_buf_put(out, s, k);
		s += k > 0 ? k : 1;
		n -= k > 0 ? k : 1;
	}
}

int
gan_ctl_fail_text(int exit_code, const char *text)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	gan_ctl_put_safe(&b, text, strlen(text), true);
	(void)fflush(stdout);
	(void)fprintf(stderr, "gantryctl: %s\n", b.data != NULL ? b.data : "");
	return exit_code;
}

int
gan_ctl_fail(const struct gan_err *err)
{
	int exit_code = GAN_CTL_NEGATIVE;

	if (err->code == GAN_EINVAL)
		exit_code = GAN_CTL_USAGE;
	else if (err->code == GAN_ENET)
		exit_code = GAN_CTL_UNAVAILABLE;
	else if (err->code == GAN_EPERM)
		exit_code = GAN_CTL_NOPERM;
	else if (err->code == GAN_ECONFIG)
		exit_code = GAN_CTL_CONFIG;
	return gan_ctl_fail_text(exit_code, err->msg);
}

void
gan_ctl_say_lines(FILE *to, const char *text)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	gan_ctl_put_safe(&b, text, strlen(text), true);
	if (b.len > 0 && b.data[b.len - 1] != '\n')
		gan_buf_putc(&b, '\n');
	(void)fflush(stdout);
	if (b.data != NULL)
		(void)fputs(b.data, to);
}
