/* SPDX-License-Identifier: MIT */
/*
 * ask.h - what is not told to us but asked for: change channels and
 * reconciliation, with the outbound side to ask through (inbound/ask.h).
 */
#pragma once

#include "base/err.h"

struct gan_app;

/* When store, mapping and outbound are open: fills app->feeds and app->reconcile. */
GAN_MUST_CHECK int gan_questions_open(struct gan_app *app, struct gan_err *err);
