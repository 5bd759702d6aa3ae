/* SPDX-License-Identifier: MIT */
/*
 * config_json.c - the configuration in force, written along the schema table:
 * the result is a gantry.yaml again (JSON is YAML) that says the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_priv.h"

static void put_section(
    struct gan_buf *out, const char *parent, unsigned kinds, const struct gan_bases *at);

static void
put_text(struct gan_buf *out, const char *s)
{
	gan_buf_json(out, s, strlen(s));
}

static void
put_secret(struct gan_buf *out, const struct gan_secret *s)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "secret:%s", s->name);
	put_text(out, text);
}

static void
put_address(struct gan_buf *out, const struct gan_address *a)
{
	bool v6 = strchr(a->host, ':') != NULL;

	gan_buf_printf(out, "\"%s%s%s:%u\"", v6 ? "[" : "", a->host, v6 ? "]" : "", a->port);
}

static unsigned
stored_number(const struct gan_schema_row *row, const void *place)
{
	return row->size == sizeof(bool) ? *(const bool *)place : *(const unsigned *)place;
}

static void
put_choice(struct gan_buf *out, const struct gan_schema_row *row, const void *place)
{
	char name[64];
	unsigned i = stored_number(row, place) - (unsigned)row->min;

	if (gan_schema_choice(row->choices, i, name, sizeof(name)) != NULL)
		put_text(out, name);
	else
		gan_buf_puts(out, "null");
}

static void
put_scalar(struct gan_buf *out, const struct gan_schema_row *row, const void *place)
{
	char text[32];

	switch (row->type) {
	case GAN_T_BOOL:
		gan_buf_puts(out, *(const bool *)place ? "true" : "false");
		return;
	case GAN_T_INT:
		gan_buf_printf(out, "%u", stored_number(row, place));
		return;
	case GAN_T_PERCENT:
		gan_buf_printf(out, "\"%u%%\"", stored_number(row, place));
		return;
	case GAN_T_FLOAT:
		gan_buf_printf(out, "%.15g", *(const double *)place);
		return;
	case GAN_T_DURATION:
	case GAN_T_SIZE:
		put_text(out, gan_schema_bound(row, *(const int64_t *)place, text, sizeof(text)));
		return;
	case GAN_T_ENUM:
		put_choice(out, row, place);
		return;
	case GAN_T_ADDRESS:
		put_address(out, place);
		return;
	case GAN_T_SECRET:
		put_secret(out, place);
		return;
	default:
		put_text(out, *(char *const *)place);
		return;
	}
}

/* Is there anything to write? */
static bool
is_set(const struct gan_schema_row *row, const void *place)
{
	switch (row->type) {
	case GAN_T_TEXT:
	case GAN_T_ZONE:
	case GAN_T_PATH:
	case GAN_T_URL:
	case GAN_T_HEADER:
		return *(char *const *)place != NULL;
	case GAN_T_ADDRESS:
		return ((const struct gan_address *)place)->host != NULL;
	case GAN_T_SECRET:
	case GAN_T_SECRETS:
		return ((const struct gan_secret *)place)->name != NULL;
	default:
		return true;
	}
}

static void
put_secrets(struct gan_buf *out, const struct gan_secret *list)
{
	gan_buf_putc(out, '[');
	for (size_t i = 0; i < GAN_SECRETS_MAX && list[i].name != NULL; i++) {
		if (i > 0)
			gan_buf_putc(out, ',');
		put_secret(out, &list[i]);
	}
	gan_buf_putc(out, ']');
}

/* "auto", or what is pinned; the rows of algorithm and encoding say nothing without `pinned`. */
static void
put_signature(struct gan_buf *out, const struct gan_conf_source *s)
{
	static const char *const encodings[] = { "hex", "base64", "base64hex" };
	const struct gan_conf_signature *g = &s->signature;

	if (!g->pinned && g->header == NULL) {
		gan_buf_puts(out, "\"auto\"");
		return;
	}
	gan_buf_putc(out, '{');
	if (g->header != NULL) {
		gan_buf_puts(out, "\"header\":");
		put_text(out, g->header);
	}
	if (g->pinned)
		gan_buf_printf(out, "%s\"algorithm\":\"%s\",\"encoding\":\"%s\"",
		    g->header != NULL ? "," : "", g->algorithm == GAN_SHA1 ? "sha1" : "sha256",
		    encodings[g->encoding]);
	gan_buf_putc(out, '}');
}

static void
put_proxies(struct gan_buf *out, const struct gan_conf_public *p)
{
	gan_buf_putc(out, '[');
	for (size_t i = 0; i < p->ntrusted_proxies; i++) {
		if (i > 0)
			gan_buf_putc(out, ',');
		put_text(out, p->trusted_proxies[i]);
	}
	gan_buf_putc(out, ']');
}

static void
put_sources(struct gan_buf *out, const struct gan_config *c)
{
	gan_buf_putc(out, '{');
	for (size_t i = 0; i < c->nsources; i++) {
		if (i > 0)
			gan_buf_putc(out, ',');
		put_text(out, c->sources[i].name);
		gan_buf_putc(out, ':');
		put_section(out, "sources.*", GAN_K_SOURCE(c->sources[i].kind),
		    &(const struct gan_bases){ .own = &c->sources[i] });
	}
	gan_buf_putc(out, '}');
}

static void
put_connectors(struct gan_buf *out, const struct gan_config *c)
{
	gan_buf_putc(out, '{');
	for (size_t i = 0; i < c->nconnectors; i++) {
		struct gan_conf_connector *k = &c->connectors[i];

		if (i > 0)
			gan_buf_putc(out, ',');
		put_text(out, k->name);
		gan_buf_putc(out, ':');
		put_section(out, "connectors.*", GAN_K_CONNECTOR(k->kind),
		    &(const struct gan_bases){ .own = k, .deliver = &k->deliver });
	}
	gan_buf_putc(out, '}');
}

static void
put_channels(struct gan_buf *out, const struct gan_conf_source *s)
{
	gan_buf_putc(out, '{');
	for (size_t i = 0; i < s->nchannels; i++) {
		if (i > 0)
			gan_buf_putc(out, ',');
		put_text(out, s->channels[i].name);
		gan_buf_putc(out, ':');
		put_text(out, gan_entity_names[s->channels[i].type]);
	}
	gan_buf_putc(out, '}');
}

static void
put_pairs(struct gan_buf *out, const struct gan_conf_header *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		gan_buf_putc(out, i == 0 ? '{' : ',');
		put_text(out, pairs[i].name);
		gan_buf_putc(out, ':');
		put_text(out, pairs[i].value);
	}
	if (n > 0)
		gan_buf_putc(out, '}');
}

static void
put_operations(struct gan_buf *out, const struct gan_conf_connector *k)
{
	for (size_t i = 0; i < k->noperations; i++) {
		gan_buf_putc(out, i == 0 ? '{' : ',');
		put_text(out, k->operations[i].name);
		gan_buf_putc(out, ':');
		put_section(out, "connectors.*.operations.*", GAN_K_CONNECTOR(k->kind),
		    &(const struct gan_bases){ .own = &k->operations[i] });
	}
	if (k->noperations > 0)
		gan_buf_putc(out, '}');
}

static void
put_required(struct gan_buf *out, const struct gan_conf_operation *o)
{
	const struct gan_schema_row *row =
	    gan_schema_find("connectors.*.operations.*.required", "*", 0);
	char type[32];

	for (size_t i = 0; i < o->op.nfields; i++) {
		gan_buf_putc(out, i == 0 ? '{' : ',');
		put_text(out, o->fields[i].name);
		gan_buf_putc(out, ':');
		put_text(
		    out, gan_schema_choice(row->choices, o->fields[i].type, type, sizeof(type)));
	}
	if (o->op.nfields > 0)
		gan_buf_putc(out, '}');
}

static void
put_statuses(struct gan_buf *out, const struct gan_success *s)
{
	const char *comma = "";

	if (s->ncodes == 0)
		return; /* any 2xx: as without the key */
	gan_buf_putc(out, '[');
	if (s->any_2xx) {
		gan_buf_puts(out, "\"2xx\"");
		comma = ",";
	}
	for (size_t i = 0; i < s->ncodes; i++, comma = ",")
		gan_buf_printf(out, "%s%u", comma, s->codes[i]);
	gan_buf_putc(out, ']');
}

static void
put_equals(struct gan_buf *out, const struct gan_success *s)
{
	for (size_t i = 0; i < s->nequals; i++) {
		gan_buf_putc(out, i == 0 ? '[' : ',');
		if (s->equals[i].kind == GAN_SCALAR_TEXT)
			put_text(out, s->equals[i].text);
		else
			gan_buf_puts(out, s->equals[i].text);
	}
	if (s->nequals > 0)
		gan_buf_putc(out, ']');
}

/* Collections that only their owner can write.  False: row is none of them. */
static bool
put_collection(struct gan_buf *out, const struct gan_schema_row *row, const void *own)
{
	const struct gan_conf_operation *o = own;
	const struct gan_conf_connector *c = own;

	if (strcmp(row->path, "connectors.*.headers") == 0)
		put_pairs(out, c->headers, c->nheaders);
	else if (strcmp(row->path, "connectors.*.query_names") == 0)
		put_pairs(out, c->query_names, c->nquery_names);
	else if (strcmp(row->path, "sources.*.channels") == 0)
		put_channels(out, own);
	else if (strcmp(row->path, "connectors.*.operations") == 0)
		put_operations(out, own);
	else if (strcmp(row->path, "connectors.*.operations.*.required") == 0)
		put_required(out, o);
	else if (strcmp(row->path, "connectors.*.operations.*.success.status") == 0)
		put_statuses(out, &o->success);
	else if (strcmp(row->path, "connectors.*.operations.*.success.equals") == 0)
		put_equals(out, &o->success);
	else
		return false;
	return true;
}

/* Its defaults alone are no quota. */
static bool
is_no_quota(const struct gan_schema_row *row, const struct gan_bases *at)
{
	return strcmp(row->path, "connectors.*.quota") == 0 &&
	       ((const struct gan_conf_connector *)at->own)->quota.per_minute == 0;
}

/* The value of a row, or nothing when it has none (a key that is only checked). */
static void
put_row(struct gan_buf *out, const struct gan_schema_row *row, unsigned kinds,
    const struct gan_bases *at)
{
	const void *place = gan_row_place(row, at);

	if (put_collection(out, row, at->own) || is_no_quota(row, at))
		return;
	if (strcmp(row->path, "sources.*.reconcile") == 0 &&
	    !((const struct gan_conf_source *)at->own)->reconcile.on)
		return;
	if (row->type == GAN_T_MAP)
		put_section(out, row->path, kinds, at);
	else if (strcmp(row->path, "version") == 0)
		gan_buf_puts(out, "1");
	else if (strcmp(row->path, "sources") == 0)
		put_sources(out, at->own);
	else if (strcmp(row->path, "connectors") == 0)
		put_connectors(out, at->own);
	else if (strcmp(row->path, "listen.public.trusted_proxies") == 0)
		put_proxies(out, &((const struct gan_config *)at->own)->public);
	else if (strcmp(row->path, "sources.*.signature") == 0)
		put_signature(out, at->own);
	else if (row->type == GAN_T_SECRETS && place != NULL && is_set(row, place))
		put_secrets(out, place);
	else if (place != NULL && is_set(row, place))
		put_scalar(out, row, place);
}

static void
put_section(struct gan_buf *out, const char *parent, unsigned kinds, const struct gan_bases *at)
{
	const struct gan_schema_row *row;
	bool first = true;

	gan_buf_putc(out, '{');
	for (size_t pos = 0; (row = gan_schema_next(parent, kinds, &pos)) != NULL;) {
		struct gan_buf value GAN_AUTO(gan_buf_fini) = { 0 };
		const char *dot = strrchr(row->path, '.');

		put_row(&value, row, kinds, at);
		if (value.failed)
			out->failed = true;
		if (value.len == 0 || gan_streq(value.data, "{}"))
			continue;
		gan_buf_puts(out, first ? "" : ",");
		first = false;
		put_text(out, dot != NULL ? dot + 1 : row->path);
		gan_buf_putc(out, ':');
		gan_buf_put(out, value.data, value.len);
	}
	gan_buf_putc(out, '}');
}

int
gan_config_json(const struct gan_config *c, struct gan_buf *out)
{
	/* Bases are writable for the loader; nothing here writes. */
	struct gan_config *own = (struct gan_config *)(uintptr_t)c;

	put_section(out, "", 0, &(const struct gan_bases){ .own = own, .deliver = &own->deliver });
	return out->failed ? GAN_ENOMEM : GAN_OK;
}
