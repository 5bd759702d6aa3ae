/* SPDX-License-Identifier: MIT */
/*
 * fields.h - does a body have what an operation's table asks for?  Pure.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "json/cj.h"

struct gan_field;

/*
 * GAN_EINVAL names the field with its place ("products[2].quantity is
 * missing") and what is wrong.  Members that the table does not name may hold
 * anything; of those it names, and of the object itself, none may stand twice.
 */
GAN_MUST_CHECK int gan_fields_check(
    const struct gan_field *fields, size_t n, const cJSON *object, struct gan_err *err);

/* One value that is there; where is how it is called in the error. */
GAN_MUST_CHECK int gan_field_check(
    const struct gan_field *f, const cJSON *value, const char *where, struct gan_err *err);
