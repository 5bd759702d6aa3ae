/* SPDX-License-Identifier: MIT */
/* yaml_scalar.c - the core schema's types, look-up in a tree, and the tree as JSON. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "conf/yaml_priv.h"

static size_t
digits(const char *p, const char *set)
{
	return strspn(p, set);
}

static bool
one_of(const char *text, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, names[i]) == 0)
			return true;
	}
	return false;
}

static bool
is_int(const char *p)
{
	if (p[0] == '0' && p[1] == 'o')
		return p[2] != '\0' && p[2 + digits(p + 2, "01234567")] == '\0';
	if (p[0] == '0' && p[1] == 'x')
		return p[2] != '\0' && p[2 + digits(p + 2, "0123456789abcdefABCDEF")] == '\0';
	if (*p == '-' || *p == '+')
		p++;
	return *p != '\0' && p[digits(p, "0123456789")] == '\0';
}

static bool
is_float(const char *p)
{
	static const char *const inf[] = { ".inf", ".Inf", ".INF" };
	static const char *const nan[] = { ".nan", ".NaN", ".NAN" };
	size_t whole, fraction = 0;

	if (one_of(p, nan, GAN_COUNT(nan)))
		return true;
	if (*p == '-' || *p == '+')
		p++;
	if (one_of(p, inf, GAN_COUNT(inf)))
		return true;
	whole = digits(p, "0123456789");
	p += whole;
	if (*p == '.') {
		fraction = digits(p + 1, "0123456789");
		p += 1 + fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '-' || *p == '+')
			p++;
		if (digits(p, "0123456789") == 0)
			return false;
		p += digits(p, "0123456789");
	}
	return *p == '\0';
}

enum gan_yaml_kind
gan_yaml_plain_kind(const char *text, size_t len)
{
	static const char *const null[] = { "", "~", "null", "Null", "NULL" };
	static const char *const boolean[] = { "true", "True", "TRUE", "false", "False", "FALSE" };

	if (len != 0 && memchr(text, '\0', len) != NULL)
		return GAN_YAML_STR;
	/* text of libfyaml is not terminated; a long one is no keyword, but may be a number */
	char small[16];
	char *copy GAN_AUTO(gan_str_free) = NULL;
	const char *t = small;

	if (len < sizeof(small)) {
		memcpy(small, text, len);
		small[len] = '\0';
	} else if (strchr("+-.0123456789", text[0]) == NULL) {
		return GAN_YAML_STR;
	} else {
		t = copy = gan_memdup(text, len);
		if (copy == NULL)
			return GAN_YAML_STR;
	}
	if (one_of(t, null, GAN_COUNT(null)))
		return GAN_YAML_NULL;
	if (one_of(t, boolean, GAN_COUNT(boolean)))
		return GAN_YAML_BOOL;
	if (is_int(t))
		return GAN_YAML_INT;
	return is_float(t) ? GAN_YAML_FLOAT : GAN_YAML_STR;
}

const struct gan_yaml_node *
gan_yaml_root(const struct gan_yaml *doc)
{
	return doc->root;
}

const struct gan_yaml_node *
gan_yaml_get(const struct gan_yaml_node *map, const char *key)
{
	if (map == NULL || map->kind != GAN_YAML_MAP)
		return NULL;
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		if (strcmp(n->key->text, key) == 0)
			return n;
	}
	return NULL;
}

static void
json_int(const struct gan_yaml_node *n, struct gan_buf *out)
{
	const char *p = n->text;
	unsigned long long v;

	if (p[0] == '0' && (p[1] == 'o' || p[1] == 'x')) {
		errno = 0;
		v = strtoull(p + 2, NULL, p[1] == 'o' ? 8 : 16);
		if (errno == ERANGE)
			gan_buf_json(out, n->text, n->len);
		else
			gan_buf_printf(out, "%llu", v);
		return;
	}
	if (*p == '-')
		gan_buf_putc(out, '-');
	if (*p == '-' || *p == '+')
		p++;
	while (*p == '0' && p[1] != '\0')
		p++;
	gan_buf_puts(out, p);
}

static void
json_float(const struct gan_yaml_node *n, struct gan_buf *out)
{
	const char *p = n->text;
	size_t whole, fraction;

	if (strpbrk(p, "nNiI") != NULL) { /* .inf and .nan */
		gan_buf_json(out, n->text, n->len);
		return;
	}
	if (*p == '-')
		gan_buf_putc(out, '-');
	if (*p == '-' || *p == '+')
		p++;
	while (*p == '0' && p[1] >= '0' && p[1] <= '9')
		p++;
	whole = digits(p, "0123456789");
	gan_buf_put(out, whole > 0 ? p : "0", whole > 0 ? whole : 1);
	p += whole;
	if (*p == '.') {
		fraction = digits(p + 1, "0123456789");
		if (fraction > 0)
			gan_buf_put(out, p, 1 + fraction);
		p += 1 + fraction;
	}
	gan_buf_puts(out, p);
}

void
gan_yaml_json(const struct gan_yaml_node *node, struct gan_buf *out)
{
	const struct gan_yaml_node *n;

	switch (node->kind) {
	case GAN_YAML_NULL:
		gan_buf_puts(out, "null");
		return;
	case GAN_YAML_BOOL:
		gan_buf_puts(out, node->text[0] == 't' || node->text[0] == 'T' ? "true" : "false");
		return;
	case GAN_YAML_INT:
		json_int(node, out);
		return;
	case GAN_YAML_FLOAT:
		json_float(node, out);
		return;
	case GAN_YAML_STR:
		gan_buf_json(out, node->text, node->len);
		return;
	case GAN_YAML_SEQ:
	case GAN_YAML_MAP:
		break;
	}
	gan_buf_putc(out, node->kind == GAN_YAML_MAP ? '{' : '[');
	for (n = node->child; n != NULL; n = n->next) { /* as deep as GAN_YAML_DEPTH */
		if (n != node->child)
			gan_buf_putc(out, ',');
		if (node->kind == GAN_YAML_MAP) {
			gan_buf_json(out, n->key->text, n->key->len);
			gan_buf_putc(out, ':');
		}
		gan_yaml_json(n, out);
	}
	gan_buf_putc(out, node->kind == GAN_YAML_MAP ? '}' : ']');
}
