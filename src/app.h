/* SPDX-License-Identifier: MIT */
/*
 * app.h - the running gateway: wires the parts, starts, reloads, drains,
 * stops.  One per process.
 */
#pragma once

/* Serve until told to stop; returns the exit code (gantryd(8)). */
int gan_app_run(const char *config_path);
