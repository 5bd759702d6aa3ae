/* SPDX-License-Identifier: MIT */
/* clock.c - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

#define FIRST_MS (-INT64_C(62167219200000)) /* 0000-01-01T00:00:00Z */
#define LAST_MS INT64_C(253402300799999)    /* 9999-12-31T23:59:59.999Z */

static int64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
gan_wall_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t
gan_mono_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
gan_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

void
gan_due_clock_init(struct gan_due_clock *c, int64_t floor_ms, int64_t mono_ms)
{
	*c = (struct gan_due_clock){ .due_ms = floor_ms, .mono_ms = mono_ms };
}

int64_t
gan_due_clock_ms(struct gan_due_clock *c, int64_t wall_ms, int64_t mono_ms)
{
	c->due_ms += mono_ms - c->mono_ms;
	c->mono_ms = mono_ms;
	if (wall_ms > c->due_ms)
		c->due_ms = wall_ms;
	return c->due_ms;
}

char *
gan_time_format(int64_t ms, char out[GAN_TIME_LEN])
{
	int64_t frac = ms % 1000;
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[64];

	if (frac < 0) {
		frac += 1000;
		s--;
	}
	memset(&tm, 0, sizeof(tm));
	(void)gmtime_r(&s, &tm);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, (int)frac);
	memcpy(out, text, GAN_TIME_LEN - 1);
	out[GAN_TIME_LEN - 1] = '\0';
	return out;
}

/* "Z", "+01:00", "+0100" or "+01" at s; minutes east of UTC. */
static int
zone_parse(const char *s, int *ret_min)
{
	int h = 0, m = 0, used = 0, sign = *s == '-' ? -1 : 1;

	if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0) {
		*ret_min = 0;
		return GAN_OK;
	}
	if (*s != '+' && *s != '-')
		return GAN_EPARSE;
	s++;
	if (sscanf(s, "%2d:%2d%n", &h, &m, &used) == 2 && used == 5 && s[used] == '\0')
		goto done;
	m = 0;
	if (sscanf(s, "%2d%2d%n", &h, &m, &used) == 2 && used == 4 && s[used] == '\0')
		goto done;
	m = 0;
	if (sscanf(s, "%2d%n", &h, &used) != 1 || used != 2 || s[used] != '\0')
		return GAN_EPARSE;
done:
	if (h > 23 || m > 59 || h < 0 || m < 0)
		return GAN_EPARSE;
	*ret_min = sign * (h * 60 + m);
	return GAN_OK;
}

int
gan_time_parse(const char *s, int64_t *ret_ms)
{
	struct tm tm, again;
	int64_t frac = 0, scale = 100;
	int zone;
	const char *p;
	time_t t;

	memset(&tm, 0, sizeof(tm));
	p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (p == NULL)
		return GAN_EPARSE;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++) {
			frac += (*p - '0') * scale;
			scale /= 10;
		}
	}
	if (zone_parse(p, &zone) < 0)
		return GAN_EPARSE;
	again = tm;
	t = timegm(&again);
	if (again.tm_mday != tm.tm_mday)
		return GAN_EPARSE; /* 31 February and its like */
	*ret_ms = ((int64_t)t - (int64_t)zone * 60) * 1000 + frac;
	/* The zone may lead out of the years that have four digits. */
	return *ret_ms < FIRST_MS || *ret_ms > LAST_MS ? GAN_EPARSE : GAN_OK;
}

int
gan_http_date_parse(const char *s, int64_t *ret_ms)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm;
		const char *end;

		memset(&tm, 0, sizeof(tm));
		end = strptime(s, forms[i], &tm);
		if (end == NULL || *end != '\0')
			continue;
		*ret_ms = (int64_t)timegm(&tm) * 1000;
		return GAN_OK;
	}
	return GAN_EPARSE;
}
