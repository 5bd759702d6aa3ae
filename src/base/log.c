/* SPDX-License-Identifier: MIT */
/* log.c - see log.h. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

enum { LINE_MAX_BYTES = 2048, NFIELDS = 7 };

static _Atomic int log_level = GAN_LOG_INFO;
static bool to_journal;

static const struct {
	const char *label, *field;
} fields[NFIELDS] = {
	{ "event", "GANTRY_EVENT" },
	{ "delivery", "GANTRY_DELIVERY" },
	{ "source", "GANTRY_SOURCE" },
	{ "topic", "GANTRY_TOPIC" },
	{ "key", "GANTRY_KEY" },
	{ "rule", "GANTRY_RULE" },
	{ "connector", "GANTRY_CONNECTOR" },
};

/* Is stderr the very stream that systemd says it gave us? */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) != 2)
		return false;
	return fstat(2, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void
gan_log_init(enum gan_log_level level)
{
	to_journal = stderr_is_journal();
	gan_log_level_set(level);
}

void
gan_log_level_set(enum gan_log_level level)
{
	atomic_store(&log_level, (int)level);
}

enum gan_log_level
gan_log_level_get(void)
{
	return (enum gan_log_level)atomic_load(&log_level);
}

int
gan_log_level_parse(const char *name, enum gan_log_level *ret_level)
{
	static const char *const names[] = { "error", "warning", "notice", "info", "debug" };

	for (size_t i = 0; i < GAN_COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret_level = (enum gan_log_level)(GAN_LOG_ERR + (int)i);
			return true;
		}
	}
	return false;
}

static void
send_journal(enum gan_log_level level, const char *const value[NFIELDS], const char *line)
{
	char text[NFIELDS + 2][LINE_MAX_BYTES];
	struct iovec iov[NFIELDS + 2];
	int n = 0;

	(void)snprintf(text[n], sizeof(text[n]), "MESSAGE=%.2000s", line);
	n++;
	(void)snprintf(text[n], sizeof(text[n]), "PRIORITY=%d", (int)level);
	n++;
	for (size_t i = 0; i < NFIELDS; i++) {
		if (value[i] == NULL)
			continue;
		(void)snprintf(text[n], sizeof(text[n]), "%s=%.400s", fields[i].field, value[i]);
		n++;
	}
	for (int i = 0; i < n; i++)
		iov[i] = (struct iovec){ text[i], strlen(text[i]) };
	(void)sd_journal_sendv(iov, n);
}

void
gan_log(enum gan_log_level level, const struct gan_log_about *about, const char *fmt, ...)
{
	static const struct gan_log_about nothing;
	const struct gan_log_about *a = about == NULL ? &nothing : about;
	const char *const value[NFIELDS] = { a->event, a->delivery, a->source, a->topic, a->key,
		a->rule, a->connector };
	char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
	va_list ap;
	size_t n;

	if ((int)level > atomic_load(&log_level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	n = strlen(raw);
	for (size_t i = 0; i < NFIELDS; i++) {
		if (value[i] == NULL || n + 8 >= sizeof(raw))
			continue;
		(void)snprintf(raw + n, sizeof(raw) - n, " %s=%.200s", fields[i].label, value[i]);
		n = strlen(raw);
	}
	(void)gan_printable(raw, n, line, sizeof(line));
	if (to_journal)
		send_journal(level, value, line);
	else
		(void)fprintf(stderr, "<%d>gantryd: %s\n", (int)level, line);
}

int
gan_log_due(int64_t *last_ms, int64_t period_ms)
{
	int64_t now = gan_mono_ms();

	if (*last_ms != 0 && now - *last_ms < period_ms)
		return false;
	*last_ms = now;
	return true;
}
