/* SPDX-License-Identifier: MIT */
/* err.c - formatting only; never allocates, so it works when memory is gone. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
gan_err_set(struct gan_err *err, enum gan_code code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}

int
gan_err_errno(struct gan_err *err, enum gan_code code, const char *fmt, ...)
{
	int saved = errno;
	char text[128];
	va_list ap;
	size_t n;

	if (err == NULL)
		return code;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	(void)snprintf(
	    err->msg + n, sizeof(err->msg) - n, ": %s", strerror_r(saved, text, sizeof(text)));
	return code;
}

int
gan_err_wrap(struct gan_err *err, int code, const char *fmt, ...)
{
	char head[192], tail[sizeof(err->msg)];
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	memcpy(tail, err->msg, sizeof(tail));
	(void)snprintf(err->msg, sizeof(err->msg), "%s: %.300s", head, tail);
	return code;
}

const char *
gan_strerror(int code)
{
	switch (code) {
	case GAN_OK:
		return "ok";
#define X(name, num, text)                                                                         \
	case num:                                                                                  \
		return text;
		GAN_ERR_MAP(X)
#undef X
	}
	return "unknown error";
}
