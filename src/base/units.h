/* SPDX-License-Identifier: MIT */
/*
 * units.h - durations and sizes as people write them: "30s", "15m", "72h",
 * "90d", "10y", "250ms"; "1MiB", "256KiB", "2GiB", "512B".  A bare number is
 * refused (except 0), so that nobody has to guess the unit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool gan_duration_parse(const char *s, int64_t *ret_ms);
bool gan_size_parse(const char *s, int64_t *ret_bytes);

/* The shortest exact way to write it: 5400000 -> "90m".  Returns out. */
char *gan_duration_format(int64_t ms, char *out, size_t outsz);
char *gan_size_format(int64_t bytes, char *out, size_t outsz);
