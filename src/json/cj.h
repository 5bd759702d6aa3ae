/* SPDX-License-Identifier: MIT */
/*
 * cj.h - fence around cJSON, for small bodies that we or a vendor's API write:
 * tokens, verdicts, control messages, status.  Never for payloads: cJSON turns
 * every number into a double, cuts texts at \u0000 and lets much through.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Strict: runs gan_json_check() first, so cJSON only ever sees clean input.
 * Half surrogate pairs and numbers of more than 63 characters, which are JSON
 * and which cJSON does not read, are GAN_EPARSE as well.
 * The tree is the caller's: gan_cj_free().
 */
GAN_MUST_CHECK int gan_cj_parse(
    const char *text, size_t len, cJSON **ret_tree, struct gan_err *err);
void gan_cj_free(cJSON **treep); /* also a GAN_AUTO handler */

/* Case-sensitive member access; NULL (or the given default) when absent or of another type. */
const cJSON *gan_cj_get(const cJSON *object, const char *name);
const char *gan_cj_str(const cJSON *object, const char *name);
double gan_cj_num(const cJSON *object, const char *name, double otherwise);
bool gan_cj_true(const cJSON *object, const char *name);

/* One line, no white space; to free(); NULL without memory. */
char *gan_cj_print(const cJSON *tree);
