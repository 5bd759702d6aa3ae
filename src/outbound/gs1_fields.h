/* SPDX-License-Identifier: MIT */
/*
 * gs1_fields.h - the codes of GS1 among the members of a body, by their types in
 * the operation's row: what fields.h has found to be texts and lists of texts.
 */
#pragma once

#include "base/err.h"
#include "conf/config.h"
#include "conf/operation.h"
#include "json/cj.h"

/*
 * GAN_EINVAL names the member, in a list with its number.  A code that stands
 * twice in a list is always refused; the rest as gs1 of the connector says:
 * strict refuses, warn puts the first finding into warning, off looks at nothing.
 */
GAN_MUST_CHECK int gan_gs1_fields(const struct gan_conf_connector *c,
    const struct gan_operation *op, const cJSON *body, char warning[256], struct gan_err *err);
