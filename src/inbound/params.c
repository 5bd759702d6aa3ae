/* SPDX-License-Identifier: MIT */
/* params.c - see params.h. */
#include "inbound/params.h"

#include <string.h>

#include "base/str.h"

/* Decoded into out, with a NUL behind it; its length, or -1 when an escape is broken. */
static long
decode(const char *s, size_t n, char *out, size_t outsz)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '%') {
			if (n - i < 3 || !gan_unhex(s + i + 1, 2, &c))
				return -1;
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (len + 1 >= outsz)
			return (long)outsz;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return (long)len;
}

static int
take_value(struct gan_param *p, const char *s, size_t n, struct gan_err *err)
{
	long len;

	if (p->given)
		return gan_err_set(
		    err, GAN_EINVAL, "Parameter '%s' was sent twice: send it once.", p->name);
	p->given = true;
	len = decode(s, n, p->out, p->outsz);
	if (len < 0)
		return gan_err_set(err, GAN_EINVAL,
		    "Parameter '%s' has a '%%' without two hex digits: write %%25 for a '%%'.",
		    p->name);
	if ((size_t)len >= p->outsz)
		return gan_err_set(err, GAN_EINVAL,
		    "Parameter '%s' must not be longer than %zu bytes.", p->name, p->outsz - 1);
	for (long i = 0; i < len; i++)
		if ((unsigned char)p->out[i] < ' ' || p->out[i] == 0x7f)
			len = -1;
	if (len < 0 || !gan_utf8_valid(p->out, (size_t)len))
		return gan_err_set(err, GAN_EINVAL,
		    "Parameter '%s' must be UTF-8 without control characters.", p->name);
	return GAN_OK;
}

static int
take(const char *s, size_t n, struct gan_param *params, size_t nparams, struct gan_err *err)
{
	const char *eq = memchr(s, '=', n);
	size_t name = eq == NULL ? n : (size_t)(eq - s);
	char shown[40];

	for (size_t i = 0; i < nparams; i++) {
		if (strlen(params[i].name) != name || memcmp(params[i].name, s, name) != 0)
			continue;
		return eq == NULL ? gan_err_set(err, GAN_EINVAL,
					"Parameter '%s' has no value: write %s=VALUE.",
					params[i].name, params[i].name)
				  : take_value(&params[i], eq + 1, n - name - 1, err);
	}
	return gan_err_set(err, GAN_EINVAL,
	    "Parameter '%s' is not known here: GET /openapi.json tells which are.",
	    gan_printable(s, name, shown, sizeof(shown)));
}

int
gan_params_read(const char *query, struct gan_param *params, size_t n, struct gan_err *err)
{
	for (size_t i = 0; i < n; i++) {
		params[i].given = false;
		params[i].out[0] = '\0';
	}
	while (query != NULL && *query != '\0') {
		size_t len = strcspn(query, "&");
		int rc = len == 0 ? GAN_OK : take(query, len, params, n, err);

		if (rc < 0)
			return rc;
		query += len + (query[len] == '&');
	}
	return GAN_OK;
}

bool
gan_param_number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	int64_t v = 0;
	size_t n = strlen(text);

	if (n < 1 || n > 18 || strspn(text, "0123456789") != n)
		return false;
	for (; *text != '\0'; text++)
		v = v * 10 + (*text - '0');
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}
