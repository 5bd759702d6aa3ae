/* SPDX-License-Identifier: MIT */
/*
 * compact.h - JSON on one line, and in one canonical order: texts of equal
 * meaning become equal bytes, and nothing becomes equal by rounding.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * JSON without white space, numbers as they are written; with sort, members in
 * byte order of their names.  GAN_EPARSE when it is none.
 */
GAN_MUST_CHECK int gan_json_compact(const char *text, size_t len, bool sort, struct gan_buf *out);
