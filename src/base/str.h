/* SPDX-License-Identifier: MIT */
/* str.h - text helpers without a better home. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Equal, both may be NULL (NULL equals only NULL). */
bool gan_streq(const char *a, const char *b);

/*
 * Shell-like match of a whole text: '*' is any run of characters ('/' and '.'
 * too), '?' one character.  Linear in the text for one star, bounded by
 * len(pattern) * len(text) always.
 */
bool gan_glob(const char *pattern, const char *text);

/* Edit distance of two short texts (64 characters looked at). */
size_t gan_distance(const char *a, const char *b);

/*
 * How many bytes from s on are plain text: printable ASCII other than '"' and
 * '\\', which nothing quotes, escapes or steers.
 */
size_t gan_plain_run(const char *s, size_t n);

/* Length in bytes of the well-formed UTF-8 character at s, 0 if there is none. */
size_t gan_utf8_next(const char *s, size_t n);
bool gan_utf8_valid(const char *s, size_t n);

/*
 * The character at s (n bytes, as gan_utf8_next() found) that steers a terminal
 * instead of being seen: C0, DEL, C1, line separators, turns of direction.
 * Returns its code point plus 1, or 0 for any other character.
 */
unsigned gan_steering(const char *s, size_t n);

/* RFC 9110 token; used for header names. */
bool gan_is_token(const char *s);

/* lower hex of n bytes into out[2n+1]. */
void gan_hex(const unsigned char *p, size_t n, char *out);

/* Decode 2n hex digits (any case) into out; false if one is not a digit. */
bool gan_unhex(const char *s, size_t digits, unsigned char *out);

/*
 * Copy for a one-line message: control characters and bad UTF-8 become '?',
 * cut at the size of out with "..." at the end.  Returns out.
 */
char *gan_printable(const char *s, size_t n, char *out, size_t outsz);
