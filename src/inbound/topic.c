/* SPDX-License-Identifier: MIT */
/* topic.c - see topic.h. */
#include "inbound/topic.h"

#include <string.h>

#include "base/mem.h"

/* Families whose canonical name is not just their own in kebab case. */
static const struct {
	const char *kebab, *canonical;
} families[] = {
	{ "shipping-inventory-movement", "shipping-movement" },
	{ "receiving-inventory-movement", "receiving-movement" },
	{ "internal-inventory-movement", "internal-movement" },
	{ "down-time", "downtime" },
	{ "punchclock", "punch-clock" },
	{ "productionorder", "production-order" },
};

static const struct {
	const char *raw, *canonical;
} verbs[] = {
	{ "create", ".created" },
	{ "created", ".created" },
	{ "update", ".updated" },
	{ "updated", ".updated" },
	{ "delete", ".deleted" },
	{ "deleted", ".deleted" },
};

/* Without surrounding white space and one pair of quotes. */
static const char *
trimmed(const char *s, size_t *ret_n)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (n >= 2 && s[0] == '"' && s[n - 1] == '"') {
		s++;
		n -= 2;
	}
	*ret_n = n;
	return s;
}

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* camelCase and snake_case to kebab-case; false when a character fits neither. */
static bool
to_kebab(const char *s, size_t n, char *out, size_t outsz)
{
	size_t o = 0;

	for (size_t i = 0; i < n; i++) {
		if (o + 2 >= outsz)
			return false;
		if (is_upper(s[i])) {
			if (i > 0 && is_lower_or_digit(s[i - 1]))
				out[o++] = '-';
			out[o++] = (char)(s[i] - 'A' + 'a');
		} else if (s[i] == '_' || s[i] == '-') {
			out[o++] = '-';
		} else if (is_lower_or_digit(s[i])) {
			out[o++] = s[i];
		} else {
			return false;
		}
	}
	out[o] = '\0';
	return o > 0 && out[0] != '-' && out[o - 1] != '-' && strstr(out, "--") == NULL;
}

static const char *
find_verb(const char *s, size_t n)
{
	for (size_t i = 0; i < GAN_COUNT(verbs); i++)
		if (strlen(verbs[i].raw) == n && memcmp(verbs[i].raw, s, n) == 0)
			return verbs[i].canonical;
	return NULL;
}

/* "<family>/<verb>" or "<family>_<verb>"; false when it is nothing of the kind. */
static bool
translate(const char *s, size_t n, char out[GAN_TOPIC_MAX + 1])
{
	char family[GAN_TOPIC_MAX];
	const char *verb, *name = family;
	size_t cut = n;

	while (cut > 0 && s[cut - 1] != '/' && s[cut - 1] != '_')
		cut--;
	if (cut < 2)
		return false;
	verb = find_verb(s + cut, n - cut);
	if (verb == NULL || !to_kebab(s, cut - 1, family, sizeof(family)))
		return false;
	for (size_t i = 0; i < GAN_COUNT(families); i++)
		if (strcmp(families[i].kebab, family) == 0)
			name = families[i].canonical;
	if (strlen(name) + strlen(verb) > GAN_TOPIC_MAX)
		return false;
	memcpy(out, name, strlen(name));
	memcpy(out + strlen(name), verb, strlen(verb) + 1);
	return true;
}

void
gan_topic_canonical(const char *raw, char out[GAN_TOPIC_MAX + 1])
{
	size_t n;
	const char *s = trimmed(raw, &n);
	bool printable = n > 0 && n <= GAN_TOPIC_MAX;

	for (size_t i = 0; printable && i < n; i++)
		printable = s[i] > ' ' && s[i] < 0x7f;
	if (!printable) {
		memcpy(out, GAN_TOPIC_UNKNOWN, sizeof(GAN_TOPIC_UNKNOWN));
		return;
	}
	if (translate(s, n, out))
		return;
	memcpy(out, s, n);
	out[n] = '\0';
}

bool
gan_topic_valid(const char *topic)
{
	size_t n = strlen(topic);

	return n >= 1 && n <= GAN_TOPIC_MAX &&
	       strspn(topic, "abcdefghijklmnopqrstuvwxyz0123456789.-") == n;
}

/* At an opening quote: the end of the text; behind it is the closing quote. */
static const char *
text_end(const char *p)
{
	for (p++; *p != '"'; p++)
		p += *p == '\\';
	return p;
}

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* The text that stands behind a key at p, which is just behind the key. */
static bool
take_text(const char *p, const char *end, char *out, size_t outsz)
{
	const char *from;
	size_t n;

	p = skip_space(p, end) + 1; /* the colon */
	p = skip_space(p, end);
	if (*p != '"')
		return false;
	from = p + 1;
	n = (size_t)(text_end(p) - from);
	if (n >= outsz || memchr(from, '\\', n) != NULL)
		return false;
	memcpy(out, from, n);
	out[n] = '\0';
	return true;
}

bool
gan_topic_from_body(const char *json, size_t len, const char *member, char *out, size_t outsz)
{
	const char *end = json + len, *p = skip_space(json, end);
	size_t depth = 0, want = strlen(member);
	bool at_key = false;

	if (p >= end || *p != '{')
		return false;
	for (; p < end; p++) {
		if (*p == '"') {
			const char *close = text_end(p);

			if (depth == 1 && at_key && (size_t)(close - p - 1) == want &&
			    memcmp(p + 1, member, want) == 0)
				return take_text(close + 1, end, out, outsz);
			p = close;
			at_key = false;
		} else if (*p == '{' || *p == '[') {
			depth++;
			at_key = *p == '{';
		} else if (*p == '}' || *p == ']') {
			depth--;
		} else if (*p == ',') {
			at_key = depth == 1;
		}
	}
	return false;
}
