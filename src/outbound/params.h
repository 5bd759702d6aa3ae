/* SPDX-License-Identifier: MIT */
/*
 * params.h - $path and $query of a rule's output: what an operation's path
 * template and query table ask for, checked and put into the URL.  Pure.
 *
 * A value goes out as it is written in the output: a number digit by digit, a
 * text with everything but letters, digits and "-._~" percent-encoded, so that
 * a code such as "V23076 - Week 33/34" stays one part of the path.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "outbound/parts.h"
#include "outbound/transfer.h"

struct gan_conf_connector;
struct gan_operation;

/* No path with its query gets longer than this: a third of it may be written, each byte becomes
 * %xx. */
#define GAN_PARAMS_MAX ((size_t)8000)

/*
 * GAN_EINVAL names what is missing, mistyped or not known: "$path.id is
 * missing", "$query.page must be a number".
 */
GAN_MUST_CHECK int gan_params_check(
    const struct gan_operation *op, const struct gan_parts *parts, struct gan_err *err);

/* The path, filled in. */
GAN_MUST_CHECK int gan_params_path(const struct gan_operation *op, const struct gan_span *path,
    struct gan_buf *out, struct gan_err *err);

/* Add the query to a request whose URL is set, with the names that c has for it (c may be NULL). */
GAN_MUST_CHECK int gan_params_query(const struct gan_conf_connector *c,
    const struct gan_operation *op, const struct gan_span *query, struct gan_wire *req,
    struct gan_err *err);
