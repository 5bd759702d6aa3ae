/* SPDX-License-Identifier: MIT */
/*
 * clock.h - time.  Wall-clock times are milliseconds since 1970 UTC in an
 * int64_t whose name ends in _ms; durations likewise.  Decisions take now_ms
 * as an argument; only the edges of the program call these.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int64_t gan_wall_ms(void);
int64_t gan_mono_ms(void); /* never jumps; only differences mean anything */
int64_t gan_mono_us(void);

/*
 * The clock of due times: a wall clock that does not go back.  It follows the
 * wall clock forward; where that jumps back, it goes on at the pace of the
 * monotonic one.  So it is never behind the wall clock, and whatever was due in
 * ten seconds still is.
 */
struct gan_due_clock {
	int64_t due_ms, mono_ms;
};

/* floor_ms: where an earlier run of it was, or 0. */
void gan_due_clock_init(struct gan_due_clock *c, int64_t floor_ms, int64_t mono_ms);
int64_t gan_due_clock_ms(struct gan_due_clock *c, int64_t wall_ms, int64_t mono_ms);

#define GAN_TIME_LEN 25 /* "2026-11-21T19:02:11.123Z" and its NUL */

/* RFC 3339 in UTC with milliseconds, the one form in every public output. Returns out. */
char *gan_time_format(int64_t ms, char out[GAN_TIME_LEN]);

/*
 * RFC 3339 with a zone ("Z", "+01:00", "+0100", "+01").  Returns 0 or GAN_EPARSE.
 */
int gan_time_parse(const char *s, int64_t *ret_ms);

/* An HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT"), all three forms of RFC 9110. */
int gan_http_date_parse(const char *s, int64_t *ret_ms);
