/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line per thing that an operator should know.
 *
 * To the journal with structured fields when stderr is the journal's stream,
 * else to stderr with a "<N>" priority prefix.  Control characters of data
 * are replaced, a line is at most 2 KiB.  Bodies and secrets are never
 * logged.  Any thread may log.
 *
 * Layers base to store never log above debug: they return errors.  Whoever
 * decides what to do next logs, once.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum gan_log_level {
	GAN_LOG_ERR = 3,
	GAN_LOG_WARNING = 4,
	GAN_LOG_NOTICE = 5,
	GAN_LOG_INFO = 6,
	GAN_LOG_DEBUG = 7,
};

/* What a line is about; any member may be NULL.  Written behind the text and as journal fields. */
struct gan_log_about {
	const char *event;
	const char *delivery;
	const char *source;
	const char *topic;
	const char *key;
	const char *rule;
	const char *connector;
};

/* Call once at start, from the main thread. */
void gan_log_init(enum gan_log_level level);
void gan_log_level_set(enum gan_log_level level);
enum gan_log_level gan_log_level_get(void);

/* "error", "warning", "notice", "info" or "debug"; false if it is none. */
int gan_log_level_parse(const char *name, enum gan_log_level *ret_level);

void gan_log(enum gan_log_level level, const struct gan_log_about *about, const char *fmt, ...)
    GAN_PRINTF(3, 4);

/*
 * True at most once in each period_ms for one static *last_ms: keeps a storm
 * of equal events from becoming a storm of lines.
 */
int gan_log_due(int64_t *last_ms, int64_t period_ms);
