/* SPDX-License-Identifier: MIT */
/* value.c - one scalar of gantry.yaml: is it what its row says, and into the struct. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "conf/conf_priv.h"
#include "conf/secrets.h"

struct value {
	int64_t i;
	double f;
	char *s;
	uint16_t port;
};

static void
value_fini(struct value *v)
{
	free(v->s);
}

void *
gan_row_place(const struct gan_schema_row *row, const struct gan_bases *at)
{
	bool deliver = strncmp(row->path, "deliver.", 8) == 0;
	char *base = deliver ? (char *)at->deliver : (char *)at->own;

	return base == NULL || row->size == 0 ? NULL : base + row->offset;
}

char *
gan_row_label(
    const struct gan_schema_row *row, const struct gan_yaml_node *n, char *out, size_t outsz)
{
	const char *dot = strrchr(row->path, '.');
	const char *leaf = dot != NULL ? dot + 1 : row->path;
	char shown[48];

	if (n != NULL && n->key != NULL)
		(void)snprintf(out, outsz, "'%s'",
		    gan_printable(n->key->text, n->key->len, shown, sizeof(shown)));
	else if (row->type == GAN_T_SECRETS)
		(void)snprintf(out, outsz, "an item of '%s'", leaf);
	else
		(void)snprintf(out, outsz, "an item of '%.*s'", (int)strcspn(leaf, "["), leaf);
	return out;
}

static void
list_choices(const char *choices, char *out, size_t outsz)
{
	char name[64];
	size_t n = 0;

	(void)snprintf(out, outsz, "%s", strchr(choices, '|') != NULL ? "one of " : "");
	for (unsigned i = 0; gan_schema_choice(choices, i, name, sizeof(name)) != NULL; i++) {
		n = strlen(out);
		(void)snprintf(out + n, outsz - n, "%s%s", i > 0 ? ", " : "", name);
	}
}

void
gan_value_wanted(const struct gan_schema_row *row, char *out, size_t outsz)
{
	static const char *const wanted[] = {
		[GAN_T_MAP] = "a mapping of keys",
		[GAN_T_NAMED] = "a mapping of names",
		[GAN_T_LIST] = "a list",
		[GAN_T_BOOL] = "true or false",
		[GAN_T_INT] = "a whole number",
		[GAN_T_FLOAT] = "a number",
		[GAN_T_PERCENT] = "a percentage such as 20%",
		[GAN_T_DURATION] = "a duration such as 500ms, 30s or 15m",
		[GAN_T_SIZE] = "a size such as 256KiB or 1MiB",
		[GAN_T_TEXT] = "a text",
		[GAN_T_ZONE] = "a time zone such as Europe/Lisbon",
		[GAN_T_PATH] = "a path",
		[GAN_T_URL] = "a URL such as https://host.example.com",
		[GAN_T_ADDRESS] = "a numeric address and a port, such as \"127.0.0.1:8480\" or "
				  "\"[::1]:8480\"",
		[GAN_T_IP] = "a numeric address such as 127.0.0.1",
		[GAN_T_HEADER] = "the name of a header",
		[GAN_T_SECRET] = "secret:NAME",
		[GAN_T_SECRETS] = "secret:NAME or a list of two",
		[GAN_T_SCALAR] = "a text, a number, true or false",
	};

	if (row->type == GAN_T_ENUM)
		list_choices(row->choices, out, outsz);
	else
		(void)snprintf(out, outsz, "%s", wanted[row->type]);
}

/* Two letters in the wrong order, the commonest slip, count as one change. */
static bool
is_swapped(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return a[0] != '\0' && b[0] != '\0' && a[0] == b[1] && a[1] == b[0] &&
	       strcmp(a + 2, b + 2) == 0;
}

bool
gan_nearer(const char *wanted, const char *name, size_t *best)
{
	size_t len = strlen(name);
	size_t far = is_swapped(wanted, name) ? 1 : gan_distance(wanted, name);

	if (far > 1 + len / 4 || far >= len || far >= *best)
		return false;
	*best = far;
	return true;
}

static void
say_wrong_type(struct gan_loader *l, const struct gan_schema_row *row,
    const struct gan_yaml_node *n, const char *label)
{
	char wanted[200], shown[48], guess[64] = "", name[64];
	size_t best = SIZE_MAX;

	gan_value_wanted(row, wanted, sizeof(wanted));
	if (n->kind == GAN_YAML_MAP || n->kind == GAN_YAML_SEQ) {
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "%s must be %s, found a %s", label,
		    wanted, n->kind == GAN_YAML_MAP ? "mapping" : "list");
		return;
	}
	if (n->kind == GAN_YAML_NULL) {
		gan_diag_node(
		    l->d, GAN_DIAG_ERROR, l->doc, n, "%s must be %s, found nothing", label, wanted);
		return;
	}
	for (unsigned i = 0; row->type == GAN_T_ENUM &&
			     gan_schema_choice(row->choices, i, name, sizeof(name)) != NULL;
	     i++) {
		if (gan_nearer(n->text, name, &best))
			(void)snprintf(guess, sizeof(guess), "%s", name);
	}
	gan_printable(n->text, n->len, shown, sizeof(shown));
	gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "%s must be %s, found '%s'%s%s%s", label,
	    wanted, shown, guess[0] != '\0' ? ", did you mean '" : "", guess,
	    guess[0] != '\0'                                     ? "'?"
	    : row->type == GAN_T_TEXT && n->kind != GAN_YAML_STR ? ": put it into quotes"
								 : "");
}

/* A number, a duration or a size within the row's bounds? */
static bool
in_range(struct gan_loader *l, const struct gan_schema_row *row, const struct gan_yaml_node *n,
    const char *label, double v)
{
	char min[32], max[32], shown[48];

	if (v >= (double)row->min && v <= (double)row->max)
		return true;
	gan_schema_bound(row, row->min, min, sizeof(min));
	gan_schema_bound(row, row->max, max, sizeof(max));
	gan_printable(n->text, n->len, shown, sizeof(shown));
	if (row->min == row->max)
		gan_diag_node(
		    l->d, GAN_DIAG_ERROR, l->doc, n, "%s must be %s, found %s", label, min, shown);
	else
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "%s must be %s to %s, found %s",
		    label, min, max, shown);
	return false;
}

/* True when n is a well-formed number for its row; the bounds come later. */
static bool
number_parse(const struct gan_schema_row *row, const struct gan_yaml_node *n, struct value *v)
{
	char *end;

	switch (row->type) {
	case GAN_T_INT:
		if (n->kind != GAN_YAML_INT)
			return false;
		v->i = strtoll(n->text, &end, 10); /* decimal only; too large saturates */
		v->f = (double)v->i;
		return *end == '\0';
	case GAN_T_FLOAT:
		if (n->kind != GAN_YAML_INT && n->kind != GAN_YAML_FLOAT)
			return false;
		v->f = strtod(n->text, &end);
		return *end == '\0';
	case GAN_T_PERCENT:
		v->i = strtoll(n->text, &end, 10);
		v->f = (double)v->i;
		return n->len > 0 && n->len < 6 && n->text[0] >= '0' && n->text[0] <= '9' &&
		       strcmp(end, "%") == 0;
	case GAN_T_DURATION:
	case GAN_T_SIZE:
		if (row->type == GAN_T_DURATION ? !gan_duration_parse(n->text, &v->i)
						: !gan_size_parse(n->text, &v->i))
			return false;
		v->f = (double)v->i;
		return true;
	default:
		return false;
	}
}

static bool
number_load(struct gan_loader *l, const struct gan_schema_row *row, const struct gan_yaml_node *n,
    const char *label, struct value *v)
{
	bool scalar = n->kind != GAN_YAML_MAP && n->kind != GAN_YAML_SEQ;

	if (scalar && number_parse(row, n, v))
		return in_range(l, row, n, label, v->f);
	if (n->kind == GAN_YAML_INT && n->len < 20 && row->type == GAN_T_DURATION)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "%s needs a unit: %sms, %ss, %sm, %sh or %sd", label, n->text, n->text, n->text,
		    n->text, n->text);
	else if (n->kind == GAN_YAML_INT && n->len < 20 && row->type == GAN_T_SIZE)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "%s needs a unit: %sB, %sKiB, %sMiB or %sGiB", label, n->text, n->text, n->text,
		    n->text);
	else
		say_wrong_type(l, row, n, label);
	return false;
}

static bool
zone_exists(const char *name)
{
	char *path GAN_AUTO(gan_str_free) = gan_asprintf("/usr/share/zoneinfo/%s", name);
	struct stat st;

	if (strcmp(name, "UTC") == 0)
		return true;
	return name[0] >= 'A' && name[0] <= 'Z' && strstr(name, "..") == NULL && path != NULL &&
	       stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* NULL when the text is fine, else what is wrong with it. */
static const char *
text_wrong(const struct gan_schema_row *row, const char *text, size_t len, char *why, size_t whysz)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return "must not hold control characters or more than one line";
	}
	switch (row->type) {
	case GAN_T_TEXT:
		if ((int64_t)len >= row->min && (int64_t)len <= row->max)
			return NULL;
		(void)snprintf(why, whysz,
		    "must be %" PRId64 " to %" PRId64 " bytes long, it has %zu", row->min, row->max,
		    len);
		return why;
	case GAN_T_ZONE:
		return zone_exists(text) ? NULL
					 : "is no time zone of this machine: look in "
					   "/usr/share/zoneinfo, or install tzdata";
	case GAN_T_PATH:
		return len > 0 && len < 1024 ? NULL : "must be a path of 1 to 1023 bytes";
	case GAN_T_URL:
		return gan_url_wrong(text, (row->flags & GAN_F_QUERY) != 0);
	case GAN_T_HEADER:
		return gan_is_token(text) && len <= 64 ? NULL : "is not the name of a header";
	default:
		return NULL;
	}
}

/* Turn a checked text into the form in which it is stored. */
static bool
text_make(struct gan_loader *l, const struct gan_schema_row *row, const char *text, struct value *v)
{
	if (row->type == GAN_T_ADDRESS)
		return gan_address_parse(text, &v->s, &v->port);
	v->s =
	    row->type == GAN_T_PATH ? gan_path_join(l->conf->dir, text) : gan_asprintf("%s", text);
	if (v->s == NULL) {
		l->no_memory = true;
		return false;
	}
	for (char *p = v->s; row->type == GAN_T_HEADER && *p != '\0'; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	for (size_t n = strlen(v->s); row->type == GAN_T_URL && n > 0 && v->s[n - 1] == '/';)
		v->s[--n] = '\0';
	return true;
}

static bool
text_load(struct gan_loader *l, const struct gan_schema_row *row, const struct gan_yaml_node *n,
    const char *label, struct value *v)
{
	unsigned char any[sizeof(struct in6_addr)];
	const char *wrong;
	char why[96];

	if (n->kind != GAN_YAML_STR) {
		say_wrong_type(l, row, n, label);
		return false;
	}
	wrong = text_wrong(row, n->text, n->len, why, sizeof(why));
	if (wrong != NULL) {
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "%s %s", label, wrong);
		return false;
	}
	if (row->type == GAN_T_IP && inet_pton(AF_INET, n->text, any) != 1 &&
	    inet_pton(AF_INET6, n->text, any) != 1) {
		say_wrong_type(l, row, n, label);
		return false;
	}
	if (text_make(l, row, n->text, v))
		return true;
	if (row->type == GAN_T_ADDRESS && !l->no_memory)
		say_wrong_type(l, row, n, label);
	return false;
}

static bool
choice_load(struct gan_loader *l, const struct gan_schema_row *row, const struct gan_yaml_node *n,
    const char *label, struct value *v)
{
	int i = -1;

	if (row->type == GAN_T_ENUM && n->kind == GAN_YAML_STR)
		i = gan_schema_choice_find(row->choices, n->text);
	if (row->type == GAN_T_BOOL && n->kind == GAN_YAML_BOOL)
		i = n->text[0] == 't' || n->text[0] == 'T';
	if (i < 0)
		say_wrong_type(l, row, n, label);
	v->i = i + (row->type == GAN_T_ENUM ? row->min : 0);
	return i >= 0;
}

static void
store(const struct gan_schema_row *row, void *place, struct value *v)
{
	switch (row->type) {
	case GAN_T_BOOL:
	case GAN_T_ENUM:
	case GAN_T_INT:
	case GAN_T_PERCENT:
		if (row->size == sizeof(bool))
			*(bool *)place = v->i != 0;
		else
			*(unsigned *)place = (unsigned)v->i;
		return;
	case GAN_T_FLOAT:
		*(double *)place = v->f;
		return;
	case GAN_T_DURATION:
	case GAN_T_SIZE:
		*(int64_t *)place = v->i;
		return;
	case GAN_T_ADDRESS:
		free(((struct gan_address *)place)->host);
		*(struct gan_address *)place =
		    (struct gan_address){ .host = gan_steal(&v->s), .port = v->port };
		return;
	default:
		free(*(char **)place);
		*(char **)place = gan_steal(&v->s);
		return;
	}
}

void
gan_value_free(const struct gan_schema_row *row, const struct gan_bases *at)
{
	void *place = gan_row_place(row, at);

	if (place == NULL)
		return;
	switch (row->type) {
	case GAN_T_TEXT:
	case GAN_T_ZONE:
	case GAN_T_PATH:
	case GAN_T_URL:
	case GAN_T_HEADER:
		gan_str_free(place);
		return;
	case GAN_T_ADDRESS:
		gan_str_free(&((struct gan_address *)place)->host);
		return;
	case GAN_T_SECRET:
		gan_secret_fini(place);
		return;
	case GAN_T_SECRETS:
		for (size_t i = 0; i < GAN_SECRETS_MAX; i++)
			gan_secret_fini((struct gan_secret *)place + i);
		return;
	default:
		return;
	}
}

void
gan_value_default(
    struct gan_loader *l, const struct gan_schema_row *row, const struct gan_bases *at)
{
	struct gan_yaml_node n = { .kind = GAN_YAML_STR, .line = 1, .col = 1 };
	char *text GAN_AUTO(gan_str_free) = NULL;

	if (row->dflt == NULL || gan_row_place(row, at) == NULL)
		return;
	n.text = text = gan_asprintf("%s", row->dflt);
	if (text == NULL) {
		l->no_memory = true;
		return;
	}
	n.len = strlen(text);
	if (row->type == GAN_T_INT || row->type == GAN_T_FLOAT)
		n.kind = GAN_YAML_INT;
	else if (row->type == GAN_T_BOOL)
		n.kind = GAN_YAML_BOOL;
	gan_value_load(l, row, &n, at);
}

void
gan_value_load(struct gan_loader *l, const struct gan_schema_row *row,
    const struct gan_yaml_node *n, const struct gan_bases *at)
{
	struct value v GAN_AUTO(value_fini) = { 0 };
	void *place = gan_row_place(row, at);
	char label[80];
	bool good;

	gan_row_label(row, n, label, sizeof(label));
	if (n->text != NULL && strlen(n->text) != n->len) { /* "\0" ends no text here */
		say_wrong_type(l, row, n, label);
		return;
	}
	switch (row->type) {
	case GAN_T_BOOL:
	case GAN_T_ENUM:
		good = choice_load(l, row, n, label, &v);
		break;
	case GAN_T_SCALAR:
		if (n->kind == GAN_YAML_MAP || n->kind == GAN_YAML_SEQ || n->kind == GAN_YAML_NULL)
			say_wrong_type(l, row, n, label);
		return;
	case GAN_T_INT:
	case GAN_T_FLOAT:
	case GAN_T_PERCENT:
	case GAN_T_DURATION:
	case GAN_T_SIZE:
		good = number_load(l, row, n, label, &v);
		break;
	default:
		good = text_load(l, row, n, label, &v);
		break;
	}
	if (good && place != NULL)
		store(row, place, &v);
}
