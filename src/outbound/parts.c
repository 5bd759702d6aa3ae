/* SPDX-License-Identifier: MIT */
/* parts.c - see parts.h. */
#include "outbound/parts.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

static size_t
skip_space(const char *s, size_t n, size_t i)
{
	while (i < n && strchr(" \t\r\n", s[i]) != NULL && s[i] != '\0')
		i++;
	return i;
}

/* i at the opening quote; the index behind the closing one. */
static size_t
skip_string(const char *s, size_t n, size_t i)
{
	for (i++; i < n && s[i] != '"'; i++)
		if (s[i] == '\\')
			i++;
	return i < n ? i + 1 : n;
}

static size_t
skip_value(const char *s, size_t n, size_t i)
{
	size_t depth = 0;

	while (i < n) {
		if (s[i] == '"') {
			i = skip_string(s, n, i);
		} else if (s[i] == '{' || s[i] == '[') {
			depth++;
			i++;
		} else if (s[i] == '}' || s[i] == ']') {
			if (depth == 0)
				return i;
			depth--;
			i++;
		} else if (depth == 0 && s[i] == ',') {
			return i;
		} else {
			i++;
			continue;
		}
		if (depth == 0)
			return i;
	}
	return n;
}

static struct gan_span *
part_of(struct gan_parts *parts, const char *key, size_t n)
{
	if (n == 5 && memcmp(key, "$path", n) == 0)
		return &parts->path;
	if (n == 6 && memcmp(key, "$query", n) == 0)
		return &parts->query;
	if (n == 5 && memcmp(key, "$body", n) == 0)
		return &parts->body;
	return NULL;
}

static int
complain(struct gan_err *err, const char *key, size_t n, bool twice)
{
	char shown[48];

	return gan_err_set(err, GAN_EINVAL,
	    twice ? "\"%s\" occurs twice"
		  : "\"%s\" stands beside $path, $query or $body: put the whole body into $body",
	    gan_printable(key, n, shown, sizeof(shown)));
}

int
gan_parts_split(const char *text, size_t len, struct gan_parts *ret_parts, struct gan_err *err)
{
	struct gan_parts parts = { 0 };
	struct gan_span other = { 0 };
	bool special = false;
	size_t i = skip_space(text, len, 0);

	if (i >= len || text[i] != '{') {
		*ret_parts = (struct gan_parts){ .body = { text, len } };
		return GAN_OK;
	}
	i = skip_space(text, len, i + 1);
	while (i < len && text[i] == '"') {
		size_t key = i + 1, key_end = skip_string(text, len, i) - 1, at, end;
		struct gan_span *part;

		i = skip_space(text, len, key_end + 1);
		if (i >= len || text[i] != ':')
			return gan_err_set(err, GAN_EINVAL, "the output is no JSON");
		at = skip_space(text, len, i + 1);
		end = skip_value(text, len, at);
		part = part_of(&parts, text + key, key_end - key);
		if (part == NULL) {
			other = (struct gan_span){ text + key, key_end - key };
		} else if (part->p != NULL) {
			return complain(err, text + key, key_end - key, true);
		} else {
			special = true;
			while (end > at && strchr(" \t\r\n", text[end - 1]) != NULL)
				end--;
			*part = (struct gan_span){ text + at, end - at };
		}
		i = skip_space(text, len, end);
		if (i < len && text[i] == ',')
			i = skip_space(text, len, i + 1);
	}
	if (special && other.p != NULL)
		return complain(err, other.p, other.len, false);
	if (!special)
		parts.body = (struct gan_span){ text, len };
	*ret_parts = parts;
	return GAN_OK;
}

int
gan_span_empty(const struct gan_span *s)
{
	size_t i;

	if (s->p == NULL || (s->len == 4 && memcmp(s->p, "null", 4) == 0))
		return 1;
	if (s->len < 2 || s->p[0] != '{')
		return 0;
	i = skip_space(s->p, s->len, 1);
	return i < s->len && s->p[i] == '}';
}
