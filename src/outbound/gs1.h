/* SPDX-License-Identifier: MIT */
/*
 * gs1.h - checks of GS1 identification (General Specifications: mod-10 check
 * digit, figure 7.11-1 for character set 82).  Pure; codes are texts, always:
 * 18 digits do not fit into a double.  Messages name the expected digit;
 * nothing is ever repaired.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

/* The check digit that belongs behind n digits; the caller has checked that they are digits. */
int gan_gs1_check_digit(const char *digits, size_t n);

/* 8, 12, 13 or 14 digits / exactly 18.  GAN_EINVAL with the reason. */
GAN_MUST_CHECK int gan_gs1_gtin(const char *s, struct gan_err *err);
GAN_MUST_CHECK int gan_gs1_sscc(const char *s, struct gan_err *err);

/* AI 21 and AI 10: 1 to 20 characters of set 82; nothing is trimmed, case counts. */
GAN_MUST_CHECK int gan_gs1_serial(const char *s, struct gan_err *err);
GAN_MUST_CHECK int gan_gs1_lot(const char *s, struct gan_err *err);

/* The stricter alphabet that some markets want of serials: letters and digits. */
GAN_MUST_CHECK int gan_gs1_serial_plain(const char *s, struct gan_err *err);

/*
 * An element string as a scanner reads it, with or without a symbology prefix
 * (]d2, ]C1, ]Q3) or FNC1 (GS, 0x1d) in front: AIs 00, 01, 10, 11, 17 and 21, each
 * at most once; lot and serial end at GS or with the string.  The century of a
 * date is not asked.
 */
GAN_MUST_CHECK int gan_gs1_elements(const char *s, struct gan_err *err);

/* GAN_EINVAL naming the first text that occurs twice, GAN_ENOMEM. */
GAN_MUST_CHECK int gan_gs1_distinct(const char *const *codes, size_t n, struct gan_err *err);
