/* SPDX-License-Identifier: MIT */
/* batch.c - see batch.h. */
#include "inbound/batch.h"

#include <stdio.h>
#include <string.h>

#include "json/check.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int
add(struct gan_batch *b, const char *from, const char *to, size_t line, struct gan_err *err)
{
	const char *start = from;

	while (from < to && is_space(*from))
		from++;
	while (to > from && is_space(to[-1]))
		to--;
	if (from == to)
		return GAN_OK;
	if (b->n == GAN_BATCH_MAX)
		return gan_err_set(err, GAN_ELIMIT,
		    "More than %d items: send the rest in further batches.", GAN_BATCH_MAX);
	b->items[b->n++] = (struct gan_batch_item){ .text = from,
		.len = (size_t)(to - from),
		.line = line,
		.lead = line == 0 ? 0 : (size_t)(from - start) };
	return GAN_OK;
}

static int
split_lines(const char *p, const char *end, struct gan_batch *b, struct gan_err *err)
{
	int rc = GAN_OK;

	for (size_t line = 1; rc == GAN_OK && p < end; line++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));

		if (stop == NULL)
			stop = end;
		rc = add(b, p, stop, line, err);
		p = stop + 1;
	}
	return rc;
}

/* Behind a string that is known to be whole; p is at its opening quote. */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '"'; p++)
		p += *p == '\\';
	return p + 1;
}

/* Between the brackets of an array that is known to be good. */
static int
split_array(const char *p, const char *end, struct gan_batch *b, struct gan_err *err)
{
	const char *item = p;
	size_t depth = 0;
	int rc = GAN_OK;

	while (rc == GAN_OK && p < end) {
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		depth += *p == '[' || *p == '{';
		depth -= *p == ']' || *p == '}';
		if (*p == ',' && depth == 0) {
			rc = add(b, item, p, 0, err);
			item = p + 1;
		}
		p++;
	}
	return rc < 0 ? rc : add(b, item, end, 0, err);
}

bool
gan_batch_is_array(const char *body, size_t len)
{
	size_t i = 0;

	while (i < len && is_space(body[i]))
		i++;
	return i < len && body[i] == '[';
}

int
gan_batch_split(
    const char *body, size_t len, bool lines, struct gan_batch *ret, struct gan_err *err)
{
	const char *end = body + len;
	struct gan_err json = { 0 };
	int rc;

	ret->n = 0;
	if (lines) {
		rc = split_lines(body, end, ret, err);
	} else {
		/* One level more than an event may have: the array's own. */
		rc = gan_json_check(body, len, GAN_JSON_DEPTH + 1, NULL, &json);
		if (rc < 0)
			return gan_err_set(err, (enum gan_code)rc,
			    "%s. Mend the array and send it again.", json.msg);
		if (!gan_batch_is_array(body, len))
			return gan_err_set(err, GAN_EPARSE,
			    "The body is no JSON array: send [EVENT, EVENT ...], or one event on "
			    "each line.");
		while (end[-1] != ']')
			end--;
		rc = split_array(strchr(body, '[') + 1, end - 1, ret, err);
	}
	if (rc == GAN_OK && ret->n == 0)
		return gan_err_set(
		    err, GAN_EPARSE, "The batch is empty: send at least one event in it.");
	return rc;
}

int
gan_batch_check(const struct gan_batch_item *item, struct gan_json_info *info, struct gan_err *err)
{
	struct gan_err own = { 0 };
	const char *from = item->text - item->lead, *colon;
	int rc = gan_json_check(from, item->len + item->lead, GAN_JSON_DEPTH, info, &own);

	if (rc == GAN_OK || item->line == 0) {
		if (rc < 0)
			(void)gan_err_set(err, (enum gan_code)rc, "%s", own.msg);
		return rc;
	}
	/* It says line 1, and knows nothing of those before it. */
	colon = strstr(own.msg, " column ");
	return gan_err_set(
	    err, (enum gan_code)rc, "line %zu%s", item->line, colon == NULL ? own.msg : colon);
}
