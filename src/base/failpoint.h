/* SPDX-License-Identifier: MIT */
/*
 * failpoint.h - named places where a test makes the process die or fail.
 *
 * Only a build configured with --enable-failpoints has them; in every other
 * one the macros are nothing.  The environment of that build says what happens:
 *
 *	GANTRY_FAILPOINT=name=action[@n]
 *
 * action: `kill` (SIGKILL to itself), `stop` (SIGSTOP: all of it waits for
 * SIGCONT), `fail` (the place acts as if what it does had failed; places that
 * cannot fail go on).  n: the n-th time the place is reached, 1 by default; it
 * happens once.  Any thread.
 */
#pragma once

#include <stdbool.h>

#ifdef GAN_FAILPOINTS

/* True when the place must fail. */
bool gan_failpoint(const char *name);

#define GAN_FAILPOINT(name) ((void)gan_failpoint(name))
#define GAN_FAILPOINT_FAILS(name) gan_failpoint(name)

#else

#define GAN_FAILPOINT(name) ((void)0)
#define GAN_FAILPOINT_FAILS(name) false

#endif
