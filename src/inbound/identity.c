/* SPDX-License-Identifier: MIT */
/*
 * identity.c - see identity.h: one table of fields per kind of entity, written
 * into one canonical text, which is hashed.
 */
#include "inbound/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "base/mem.h"
#include "inbound/feed_items.h"

/* Ends from here on are open: 2099-01-01. */
#define OPEN_END_MS INT64_C(4070908800000)
#define DIGITS_MAX 64

enum form {
	END,
	TEXT,
	NUMBER,
	TIME,
	FLAG,
	CODE,   /* a text, or an object with `code` or `name` */
	WORKER, /* a number, or an object with `number` */
	OBJECT, /* with fields of its own */
	CODES,  /* lists, in any order */
	WORKERS,
	OBJECTS,
};

struct field {
	enum form form;
	bool webhook_only; /* change channels do not have it */
	const char *name, *other;
	const struct field *fields;
};

static const struct field order_product[] = {
	{ CODE, false, "product", "product-code", NULL },
	{ NUMBER, false, "quantity-ordered", NULL, NULL },
	{ TEXT, false, "observations", NULL, NULL },
	{ END, false, NULL, NULL, NULL },
};
static const struct field production_order[] = {
	{ TEXT, false, "code", NULL, NULL },
	{ TEXT, false, "description", NULL, NULL },
	{ CODE, false, "shipping", NULL, NULL },
	{ TIME, false, "start-date", NULL, NULL },
	{ TIME, false, "due-date", NULL, NULL },
	{ FLAG, false, "ended", NULL, NULL },
	{ TEXT, false, "running-status", NULL, NULL },
	{ TEXT, false, "notes", "note", NULL },
	{ CODES, false, "machines", NULL, NULL },
	{ OBJECTS, false, "products", NULL, order_product },
	{ TEXT, true, "serial-number", NULL, NULL },
	{ NUMBER, true, "pieces-by-box", NULL, NULL },
	{ WORKERS, true, "workers-assigned", NULL, NULL },
	{ END, false, NULL, NULL, NULL },
};
static const struct field punch_clock[] = {
	{ TIME, false, "date", NULL, NULL },
	{ WORKER, false, "worker", NULL, NULL },
	{ NUMBER, false, "entry", "type", NULL },
	{ END, false, NULL, NULL, NULL },
};
static const struct field downtime[] = {
	{ TIME, false, "start-time", NULL, NULL },
	{ TIME, false, "end-time", NULL, NULL },
	{ WORKER, false, "started-by", NULL, NULL },
	{ WORKER, false, "closed-by", NULL, NULL },
	{ WORKERS, false, "workers", NULL, NULL },
	{ CODES, false, "machines", NULL, NULL },
	{ CODE, false, "product", NULL, NULL },
	{ CODE, false, "production-order", NULL, NULL },
	{ FLAG, false, "checked-out", NULL, NULL },
	{ CODE, false, "downtime-type", NULL, NULL },
	{ END, false, NULL, NULL, NULL },
};
static const struct field operation[] = {
	{ CODE, false, "code", NULL, NULL },
	{ CODE, false, "product", "product-code", NULL },
	{ END, false, NULL, NULL, NULL },
};
static const struct field waste[] = {
	{ NUMBER, false, "quantity", NULL, NULL },
	{ CODE, false, "waste", NULL, NULL },
	{ END, false, NULL, NULL, NULL },
};
static const struct field production[] = {
	{ CODE, false, "production-order", NULL, NULL },
	{ OBJECT, false, "operation", NULL, operation },
	{ WORKER, false, "worker", NULL, NULL },
	{ CODE, false, "machine", NULL, NULL },
	{ NUMBER, false, "quantity", NULL, NULL },
	{ FLAG, false, "checked-out", NULL, NULL },
	{ TIME, false, "start-time", NULL, NULL },
	{ TIME, false, "end-time", NULL, NULL },
	{ OBJECTS, false, "produced-waste", NULL, waste },
	{ END, false, NULL, NULL, NULL },
};

static const struct field *const tables[GAN_ENTITY_N] = {
	[GAN_ENTITY_PRODUCTION] = production,
	[GAN_ENTITY_PRODUCTION_ORDER] = production_order,
	[GAN_ENTITY_PUNCH_CLOCK] = punch_clock,
	[GAN_ENTITY_DOWNTIME] = downtime,
};

bool
gan_identity_known(enum gan_entity type)
{
	return tables[type] != NULL;
}

/* ---- single values --------------------------------------------------------------- */

static bool
is_empty(struct gan_span v)
{
	switch (gan_span_kind(v)) {
	case 0:
	case 'n':
	case 'f':
		return true;
	case '"':
		return v.n == 2;
	case '{':
	case '[':
		return gan_span_count(v) == 0;
	default:
		return false;
	}
}

/* 0.DIGITS * 10^EXPONENT, without zeros at either end; false when it is no number. */
static bool
put_decimal(const char *s, size_t n, struct gan_buf *out)
{
	char digits[DIGITS_MAX], *end = NULL, text[DIGITS_MAX + 16];
	const char *p = s, *stop = s + n;
	size_t len = 0, first = 0;
	long point = 0, exponent = 0;
	bool negative = p < stop && *p == '-', fraction = false;

	for (p += negative; p < stop && ((*p >= '0' && *p <= '9') || *p == '.'); p++) {
		if (*p == '.' && fraction)
			return false;
		if (*p == '.') {
			fraction = true;
			continue;
		}
		if (len == sizeof(digits))
			return false;
		digits[len++] = *p;
		point += !fraction;
	}
	if (len == 0 || (size_t)(stop - p) >= sizeof(text))
		return false;
	if (p < stop) {
		memcpy(text, p, (size_t)(stop - p));
		text[stop - p] = '\0';
		if ((text[0] != 'e' && text[0] != 'E') || text[1] == '\0')
			return false;
		exponent = strtol(text + 1, &end, 10);
		if (*end != '\0' || exponent > 1000000 || exponent < -1000000)
			return false;
	}
	while (first < len && digits[first] == '0') {
		first++;
		point--;
	}
	while (len > first && digits[len - 1] == '0')
		len--;
	if (first == len)
		gan_buf_puts(out, "0");
	else
		gan_buf_printf(out, "%s%.*se%ld", negative ? "-" : "", (int)(len - first),
		    digits + first, point + exponent);
	return true;
}

static void
put_string(struct gan_span v, struct gan_buf *out)
{
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_puts(&text, "");
	gan_span_text(v, &text);
	if (text.failed)
		out->failed = true;
	else
		gan_buf_json(out, text.data, text.len);
}

static void
put_number(struct gan_span v, struct gan_buf *out)
{
	char kind = gan_span_kind(v);
	bool done = false;

	if (kind == 't' || kind == 'f')
		done = put_decimal(kind == 't' ? "1" : "0", 1, out);
	else if (kind == '"' && v.n > 2)
		done = put_decimal(v.p + 1, v.n - 2, out);
	else if (kind == '0')
		done = put_decimal(v.p, v.n, out);
	if (!done)
		put_string(v, out);
}

static void
put_time(struct gan_span v, struct gan_buf *out)
{
	char *text = gan_span_kind(v) == '"' ? gan_span_dup(v) : NULL;
	int64_t ms;

	if (text == NULL || gan_time_parse(text, &ms) < 0)
		put_string(v, out);
	else if (ms < OPEN_END_MS)
		gan_buf_printf(out, "%lld", (long long)(ms / 1000));
	free(text);
}

/* A member of an object, or what stands in its place. */
static struct gan_span
member_of(struct gan_span v, const char *name, const char *other)
{
	struct gan_span m;

	if (gan_span_kind(v) != '{')
		return v;
	m = gan_span_get(v, name);
	return is_empty(m) && other != NULL ? gan_span_get(v, other) : m;
}

/* ---- fields, objects, lists -------------------------------------------------------- */

static void put_object(
    const struct field *fields, bool feed, struct gan_span object, struct gan_buf *out);

static void
put_value(const struct field *f, enum form form, bool feed, struct gan_span v, struct gan_buf *out)
{
	/* false is a number where 0 and 1 are meant. */
	if (is_empty(v) && !(form == NUMBER && gan_span_kind(v) == 'f'))
		return;
	switch (form) {
	case NUMBER:
		put_number(v, out);
		return;
	case TIME:
		put_time(v, out);
		return;
	case FLAG:
		if (!gan_span_is(v, "false") && !(v.n == 1 && *v.p == '0'))
			gan_buf_putc(out, '1');
		return;
	case CODE:
		v = member_of(v, "code", "name");
		if (!is_empty(v))
			put_string(v, out);
		return;
	case WORKER:
		v = member_of(v, "number", NULL);
		if (!is_empty(v))
			put_number(v, out);
		return;
	case OBJECT:
		put_object(f->fields, feed, v, out);
		return;
	default:
		put_string(v, out);
	}
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
put_list(const struct field *f, bool feed, struct gan_span list, struct gan_buf *out)
{
	static const enum form of[] = { [CODES] = CODE, [WORKERS] = WORKER, [OBJECTS] = OBJECT };
	size_t n = 0, count = gan_span_kind(list) == '[' ? gan_span_count(list) : 0;
	char **texts = calloc(count + 1, sizeof(*texts));
	struct gan_span_iter it = { 0 };
	struct gan_span v;

	if (texts == NULL) {
		out->failed = true;
		return;
	}
	while (n < count && gan_span_next(list, &it, NULL, &v)) {
		struct gan_buf one = { 0 };

		gan_buf_puts(&one, "");
		put_value(f, of[f->form], feed, v, &one);
		texts[n] = gan_buf_steal(&one, NULL);
		if (texts[n++] == NULL)
			out->failed = true;
	}
	if (!out->failed)
		qsort(texts, n, sizeof(*texts), by_text);
	for (size_t i = 0; i < n; i++) {
		if (!out->failed) {
			gan_buf_puts(out, texts[i]);
			gan_buf_putc(out, ',');
		}
		free(texts[i]);
	}
	free(texts);
}

static void
put_object(const struct field *fields, bool feed, struct gan_span object, struct gan_buf *out)
{
	for (const struct field *f = fields; f->form != END; f++) {
		struct gan_span v = gan_span_get(object, f->name);

		if (f->webhook_only && feed)
			continue;
		if (is_empty(v) && gan_span_kind(v) != 'f' && f->other != NULL)
			v = gan_span_get(object, f->other);
		if (f->form >= CODES)
			put_list(f, feed, v, out);
		else
			put_value(f, f->form, feed, v, out);
		gan_buf_putc(out, '\n');
	}
}

/* ---- the whole ------------------------------------------------------------------------ */

void
gan_identity_deleted(struct gan_identity *id)
{
	memset(id->hash, 0, sizeof(id->hash));
}

static int
put_id(struct gan_span v, char out[GAN_IDENTITY_ID_MAX + 1])
{
	char *text = gan_span_dup(v);
	size_t n = text == NULL ? 0 : strlen(text);
	bool fits = (gan_span_kind(v) == '0' || gan_span_kind(v) == '"') && n > 0 &&
		    n <= GAN_IDENTITY_ID_MAX;

	if (fits)
		memcpy(out, text, n + 1);
	free(text);
	return fits ? GAN_OK : GAN_EINVAL;
}

int
gan_identity_of(enum gan_entity type, bool feed, struct gan_span object, struct gan_identity *ret)
{
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };
	unsigned char digest[GAN_SHA256_LEN];
	struct gan_bytes part;

	if (tables[type] == NULL || gan_span_kind(object) != '{' ||
	    put_id(gan_span_get(object, "id"), ret->id) < 0)
		return GAN_EINVAL;
	if (gan_feed_deletion(object)) {
		gan_identity_deleted(ret);
		return GAN_OK;
	}
	put_object(tables[type], feed, object, &text);
	part = (struct gan_bytes){ text.data, text.len };
	if (text.failed || gan_sha256(&part, 1, digest) < 0)
		return GAN_ENOMEM;
	memcpy(ret->hash, digest, sizeof(ret->hash));
	return GAN_OK;
}
