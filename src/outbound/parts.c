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

/* The value at i, without the white space behind it; *ret_next is where the next one begins. */
static struct gan_span
value_at(const char *s, size_t n, size_t i, size_t *ret_next)
{
	size_t end = skip_value(s, n, i), next = skip_space(s, n, end);

	while (end > i && strchr(" \t\r\n", s[end - 1]) != NULL)
		end--;
	if (next < n && s[next] == ',')
		next = skip_space(s, n, next + 1);
	*ret_next = next;
	return (struct gan_span){ s + i, end - i };
}

/* 1: there is one; 0: there is none; GAN_EINVAL: no JSON. */
static int
next_member(const char *s, size_t n, size_t *at, struct gan_span *key, struct gan_span *value)
{
	size_t i = *at == 0 ? skip_space(s, n, 0) : *at, end;

	if (*at == 0)
		i = i < n && s[i] == '{' ? skip_space(s, n, i + 1) : n;
	if (i >= n || s[i] != '"')
		return 0;
	end = skip_string(s, n, i) - 1;
	*key = (struct gan_span){ s + i + 1, end - i - 1 };
	i = skip_space(s, n, end + 1);
	if (i >= n || s[i] != ':')
		return GAN_EINVAL;
	*value = value_at(s, n, skip_space(s, n, i + 1), at);
	return 1;
}

bool
gan_parts_next(
    const struct gan_span *object, size_t *at, struct gan_span *ret_key, struct gan_span *ret_value)
{
	return next_member(object->p, object->len, at, ret_key, ret_value) == 1;
}

bool
gan_parts_item(const struct gan_span *array, size_t *at, struct gan_span *ret_value)
{
	const char *s = array->p;
	size_t i = *at, n = array->len;

	if (i == 0) {
		i = skip_space(s, n, 0);
		i = i < n && s[i] == '[' ? skip_space(s, n, i + 1) : n;
	}
	if (i >= n || s[i] == ']')
		return false;
	*ret_value = value_at(s, n, i, at);
	return true;
}

int
gan_parts_split(const char *text, size_t len, struct gan_parts *ret_parts, struct gan_err *err)
{
	struct gan_parts parts = { 0 };
	struct gan_span other = { 0 }, key, value;
	bool special = false;
	size_t at = 0;
	int rc;

	while ((rc = next_member(text, len, &at, &key, &value)) == 1) {
		struct gan_span *part = part_of(&parts, key.p, key.len);

		if (part == NULL) {
			other = key;
			continue;
		}
		if (part->p != NULL)
			return complain(err, key.p, key.len, true);
		special = true;
		*part = value;
	}
	if (rc < 0)
		return gan_err_set(err, rc, "the output is no JSON");
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
