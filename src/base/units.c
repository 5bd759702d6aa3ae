/* SPDX-License-Identifier: MIT */
/* units.c - see units.h. */
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{ "y", INT64_C(31536000000) },
	{ "w", INT64_C(604800000) },
	{ "d", INT64_C(86400000) },
	{ "h", INT64_C(3600000) },
	{ "m", INT64_C(60000) },
	{ "s", INT64_C(1000) },
	{ "ms", INT64_C(1) },
};

static const struct unit sizes[] = {
	{ "TiB", INT64_C(1) << 40 },
	{ "GiB", INT64_C(1) << 30 },
	{ "MiB", INT64_C(1) << 20 },
	{ "KiB", INT64_C(1) << 10 },
	{ "B", INT64_C(1) },
};

static bool
unit_parse(const char *s, const struct unit *units, size_t n, int64_t *ret)
{
	int64_t v = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (v > (INT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (*p - '0');
	}
	if (p == s)
		return false;
	if (v == 0 && *p == '\0') {
		*ret = 0;
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(p, units[i].name) != 0)
			continue;
		if (v > INT64_MAX / units[i].factor)
			return false;
		*ret = v * units[i].factor;
		return true;
	}
	return false;
}

static char *
unit_format(int64_t v, const struct unit *units, size_t n, char *out, size_t outsz)
{
	for (size_t i = 0; i < n; i++) {
		if ((v != 0 && v % units[i].factor == 0) || i + 1 == n) {
			(void)snprintf(
			    out, outsz, "%" PRId64 "%s", v / units[i].factor, units[i].name);
			break;
		}
	}
	return out;
}

bool
gan_duration_parse(const char *s, int64_t *ret_ms)
{
	return unit_parse(s, durations, GAN_COUNT(durations), ret_ms);
}

bool
gan_size_parse(const char *s, int64_t *ret_bytes)
{
	return unit_parse(s, sizes, GAN_COUNT(sizes), ret_bytes);
}

char *
gan_duration_format(int64_t ms, char *out, size_t outsz)
{
	return unit_format(ms, durations, GAN_COUNT(durations), out, outsz);
}

char *
gan_size_format(int64_t bytes, char *out, size_t outsz)
{
	return unit_format(bytes, sizes, GAN_COUNT(sizes), out, outsz);
}
