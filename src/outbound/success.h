/* SPDX-License-Identifier: MIT */
/*
 * success.h - a declared rule of success, applied to an answer.  Pure.
 *
 *	status  listed, or any 2xx      else a 2xx is a refusal; a listed 4xx: done before
 *	field   there and not null      else a refusal; no JSON at all: nobody knows
 *	equals  one of these            else a refusal
 *
 * A refusal carries the peer's own text.
 */
#pragma once

#include "conf/operation.h"
#include "outbound/verdict.h"
#include "json/cj.h"

/*
 * resp is whole; j is what gan_outcome_of() made of it, neither busy nor a
 * redirect; answer is its JSON, or NULL.  s NULL: any 2xx whose body is empty
 * or JSON.
 */
void gan_success_judge(const struct gan_success *s, const struct gan_response *resp,
    const cJSON *answer, struct gan_judged *j);
