/* SPDX-License-Identifier: MIT */
/* probe.c - see probe.h: making the question, and recognising the entry. */
#include "outbound/probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "outbound/parts.h"
#include "json/check.h"
#include "json/cj.h"

#define VALUES_MAX 1000
#define ITEMS_MAX 64
/* Beyond these somebody plays with us, at the cost of the loop's time. */
#define ENTRIES_MAX 10000
#define ALIKE_MAX 32
#define ENTRY_KEPT_MAX ((size_t)16 << 10)

/* ---- values behind a path -------------------------------------------------- */

struct values {
	const cJSON *v[VALUES_MAX];
	size_t n;
};

static bool
is_blank(const cJSON *v)
{
	return v == NULL || cJSON_IsNull(v) || (cJSON_IsString(v) && v->valuestring[0] == '\0');
}

/* path: "code", "client.code", "products[].code". */
static void
collect(const cJSON *node, const char *path, struct values *out)
{
	size_t n = strcspn(path, ".[");
	const char *rest = path + n;
	char name[64];
	const cJSON *item;

	snprintf(name, sizeof(name), "%.*s", (int)n, path);
	node = gan_cj_get(node, name);
	if (strncmp(rest, "[]", 2) == 0) {
		rest += rest[2] == '.' ? 3 : 2;
		cJSON_ArrayForEach(item, node)
		{
			if (rest[0] != '\0')
				collect(item, rest, out);
			else if (!is_blank(item) && out->n < VALUES_MAX)
				out->v[out->n++] = item;
		}
		return;
	}
	if (rest[0] == '.') {
		collect(node, rest + 1, out);
		return;
	}
	/* What was sent as a code often comes back as the thing that has it. */
	if (cJSON_IsObject(node) && gan_cj_get(node, "code") != NULL)
		node = gan_cj_get(node, "code");
	if (!is_blank(node) && out->n < VALUES_MAX)
		out->v[out->n++] = node;
}

static bool
as_number(const cJSON *v, double *ret)
{
	char *end;

	if (cJSON_IsNumber(v)) {
		*ret = v->valuedouble;
		return true;
	}
	if (!cJSON_IsString(v) || v->valuestring[0] == '\0' ||
	    strspn(v->valuestring, "+-.0123456789eE") != strlen(v->valuestring))
		return false;
	*ret = strtod(v->valuestring, &end);
	return *end == '\0' && isfinite(*ret);
}

static bool
same_value(const cJSON *a, const cJSON *b)
{
	double x, y;

	if (cJSON_IsString(a) && cJSON_IsString(b))
		return strcmp(a->valuestring, b->valuestring) == 0;
	if (cJSON_IsBool(a) || cJSON_IsBool(b))
		return cJSON_IsBool(a) && cJSON_IsBool(b) && cJSON_IsTrue(a) == cJSON_IsTrue(b);
	if (as_number(a, &x) && as_number(b, &y))
		return x == y;
	return cJSON_Compare(a, b, true);
}

/* The same values, in any order. */
static bool
same_values(const struct values *a, const struct values *b)
{
	bool used[VALUES_MAX] = { false };

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		size_t k = i, left = b->n; /* mostly they come in the order that was sent */

		while (left > 0 && (used[k] || !same_value(a->v[i], b->v[k]))) {
			k = k + 1 < b->n ? k + 1 : 0;
			left--;
		}
		if (left == 0)
			return false;
		used[k] = true;
	}
	return true;
}

static void
show(const struct values *v, char *out, size_t outsz)
{
	size_t used = 0;

	out[0] = '\0';
	if (v->n == 0)
		snprintf(out, outsz, "nothing");
	for (size_t i = 0; i < v->n && used + 8 < outsz; i++) {
		char *text = cJSON_PrintUnformatted(v->v[i]);
		char shown[64];

		if (text == NULL)
			return;
		gan_printable(text, strlen(text), shown, sizeof(shown));
		used +=
		    (size_t)snprintf(out + used, outsz - used, "%s%s", i > 0 ? ", " : "", shown);
		free(text);
	}
}

/* ---- the mark ---------------------------------------------------------------- */

char *
gan_probe_mark_of(int64_t delivery_id, char out[GAN_PROBE_MARK_LEN])
{
	char id[GAN_ID_LEN];

	gan_id_format(GAN_ID_DELIVERY, delivery_id, id);
	snprintf(out, GAN_PROBE_MARK_LEN, "gantry:%s", id);
	return out;
}

/* Not as the beginning of a longer one. */
static bool
holds_mark(const char *text, size_t len, const char *mark)
{
	size_t n = strlen(mark);
	const char *at = text, *end = text + len;

	while ((at = memmem(at, (size_t)(end - at), mark, n)) != NULL) {
		const char *next = at + n;

		if (next == end || ((*next < '0' || *next > '9') && (*next < 'a' || *next > 'z')))
			return true;
		at = next;
	}
	return false;
}

static void
put_around(struct gan_buf *out, const char *text, size_t len, const char *from, const char *until,
    const char *between)
{
	gan_buf_put(out, text, (size_t)(from - text));
	gan_buf_puts(out, between);
	gan_buf_put(out, until, (size_t)(text + len - until));
}

static void
add_member(struct gan_buf *out, const char *text, size_t len, const struct gan_span *body,
    const char *name, const char *mark, bool first)
{
	const char *end = body->p + body->len;
	char member[128];

	while (end > body->p && end[-1] != '}')
		end--;
	snprintf(member, sizeof(member), "%s\"%s\":\"%s\"", first ? "" : ",", name, mark);
	put_around(out, text, len, end - 1, end - 1, member);
}

int
gan_probe_mark(const struct gan_probe *p, const char *output, size_t len, const char *mark,
    struct gan_buf *out, struct gan_err *err)
{
	struct gan_parts parts;
	struct gan_span key, value;
	char quoted[GAN_PROBE_MARK_LEN + 4];
	size_t at = 0;
	bool first = true;
	int rc = gan_parts_split(output, len, &parts, err);

	if (rc < 0)
		return rc;
	if (p->mark == NULL) {
		gan_buf_put(out, output, len);
		return out->failed ? GAN_ENOMEM : GAN_OK;
	}
	while (parts.body.p != NULL && gan_parts_next(&parts.body, &at, &key, &value)) {
		const char *last = value.p + value.len - 1; /* its closing quote */

		first = false;
		if (key.len != strlen(p->mark) || memcmp(key.p, p->mark, key.len) != 0)
			continue;
		if (value.len == 4 && memcmp(value.p, "null", 4) == 0) {
			snprintf(quoted, sizeof(quoted), "\"%s\"", mark);
			put_around(out, output, len, value.p, value.p + value.len, quoted);
		} else if (value.p[0] != '"') {
			return gan_err_set(err, GAN_EINVAL, "%s must be a text", p->mark);
		} else if (holds_mark(value.p, value.len, mark)) {
			gan_buf_put(out, output, len);
		} else {
			snprintf(quoted, sizeof(quoted), "%s%s", value.len > 2 ? " " : "", mark);
			put_around(out, output, len, last, last, quoted);
		}
		return out->failed ? GAN_ENOMEM : GAN_OK;
	}
	if (parts.body.p == NULL || parts.body.p[0] != '{')
		return gan_err_set(err, GAN_EINVAL, "the body must be a JSON object");
	add_member(out, output, len, &parts.body, p->mark, mark, first);
	return out->failed ? GAN_ENOMEM : GAN_OK;
}

/* ---- the question ------------------------------------------------------------ */

/* What was sent, to look into. */
struct sent {
	struct gan_parts parts;
	cJSON *path, *query, *body;
};

static void
sent_fini(struct sent *s)
{
	gan_cj_free(&s->path);
	gan_cj_free(&s->query);
	gan_cj_free(&s->body);
}

static int
parse_part(const struct gan_span *part, cJSON **ret, struct gan_err *err)
{
	return part->p == NULL ? GAN_OK : gan_cj_parse(part->p, part->len, ret, err);
}

static int
sent_parse(const char *output, size_t len, struct sent *ret, struct gan_err *err)
{
	int rc = gan_parts_split(output, len, &ret->parts, err);

	if (rc == GAN_OK)
		rc = parse_part(&ret->parts.path, &ret->path, err);
	if (rc == GAN_OK)
		rc = parse_part(&ret->parts.query, &ret->query, err);
	return rc == GAN_OK ? parse_part(&ret->parts.body, &ret->body, err) : rc;
}

/* JSON of one value of the question, or nothing. */
static void
put_value(const struct sent *s, const char *from, int64_t sent_ms, struct gan_buf *out)
{
	static struct values v;
	char *text;

	if (strcmp(from, "@sent") == 0) {
		char at[GAN_TIME_LEN];

		gan_time_format(sent_ms - GAN_PROBE_TOLERANCE_MS, at);
		gan_buf_json(out, at, strlen(at));
		return;
	}
	v.n = 0;
	if (strncmp(from, "$path.", 6) == 0)
		collect(s->path, from + 6, &v);
	else if (strncmp(from, "$query.", 7) == 0)
		collect(s->query, from + 7, &v);
	else
		collect(s->body, from, &v);
	if (v.n == 0)
		return;
	text = cJSON_PrintUnformatted(v.v[0]);
	gan_buf_puts(out, text != NULL ? text : "null");
	out->failed |= text == NULL;
	free(text);
}

static void
put_part(const struct gan_probe *p, const char *part, const struct sent *s, int64_t sent_ms,
    unsigned page, struct gan_buf *out)
{
	size_t n = strlen(part);
	const char *comma = "";

	gan_buf_printf(out, "\"%s\":{", part);
	for (size_t i = 0; i < p->nargs; i++) {
		struct gan_buf value GAN_AUTO(gan_buf_fini) = { 0 };
		const struct gan_probe_arg *a = &p->args[i];

		if (strncmp(a->to, part, n) != 0 || a->to[n] != '.')
			continue;
		put_value(s, a->from, sent_ms, &value);
		out->failed |= value.failed;
		if (value.len == 0)
			continue;
		gan_buf_printf(out, "%s\"%s\":%s", comma, a->to + n + 1, value.data);
		comma = ",";
	}
	if (page > 0)
		gan_buf_printf(out, "%s\"page\":%u", comma, page);
	gan_buf_putc(out, '}');
}

int
gan_probe_ask(const struct gan_probe *p, const char *output, size_t len, int64_t sent_ms,
    unsigned page, struct gan_buf *out, struct gan_err *err)
{
	struct sent s GAN_AUTO(sent_fini) = { 0 };
	int rc = sent_parse(output, len, &s, err);

	if (rc < 0)
		return rc;
	gan_buf_putc(out, '{');
	put_part(p, "$path", &s, sent_ms, 0, out);
	gan_buf_putc(out, ',');
	put_part(p, "$query", &s, sent_ms, p->paged ? page : 0, out);
	gan_buf_putc(out, '}');
	return out->failed ? gan_err_set(err, GAN_ENOMEM, "look") : GAN_OK;
}

/* ---- the answer -------------------------------------------------------------- */

void
gan_probe_sight_fini(struct gan_probe_sight *s)
{
	free(s->entry);
	*s = (struct gan_probe_sight){ 0 };
}

static bool
marked(const struct gan_probe *p, const cJSON *entry, const char *mark)
{
	const char *name = p->mark_seen != NULL ? p->mark_seen : p->mark;
	static struct values v;

	v.n = 0;
	collect(entry, name, &v);
	for (size_t i = 0; i < v.n; i++)
		if (cJSON_IsString(v.v[i]) &&
		    holds_mark(v.v[i]->valuestring, strlen(v.v[i]->valuestring), mark))
			return true;
	return false;
}

/* Is this entry about what was sent (item: the body, or one of `each`)? */
static bool
is_it(const struct gan_probe *p, const cJSON *item, const cJSON *entry, const char *mark)
{
	static struct values a, b;

	if (p->key == NULL)
		return marked(p, entry, mark);
	a.n = b.n = 0;
	collect(item, p->key, &a);
	collect(entry, p->key_seen != NULL ? p->key_seen : p->key, &b);
	return a.n > 0 && same_values(&a, &b);
}

static bool
is_equal(const struct gan_probe *p, const cJSON *item, const cJSON *entry, const char *mark,
    char text[400])
{
	static struct values a, b;
	char was[120], is[120];

	if (p->key != NULL && p->mark != NULL && !marked(p, entry, mark)) {
		snprintf(text, 400, "%s does not hold our mark %s: somebody else's, it seems",
		    p->mark_seen != NULL ? p->mark_seen : p->mark, mark);
		return false;
	}
	for (size_t i = 0; i < p->nequal; i++) {
		const char *seen = p->equal[i].seen != NULL ? p->equal[i].seen : p->equal[i].sent;

		a.n = b.n = 0;
		collect(item, p->equal[i].sent, &a);
		if (a.n == 0)
			continue;
		collect(entry, seen, &b);
		if (same_values(&a, &b))
			continue;
		show(&a, was, sizeof(was));
		show(&b, is, sizeof(is));
		snprintf(text, 400, "%s is %s there, %s was sent", seen, is, was);
		return false;
	}
	return true;
}

static int
keep_entry(struct gan_probe_sight *s, const struct gan_span *entry)
{
	free(gan_steal(&s->entry));
	if (entry->len > ENTRY_KEPT_MAX)
		return GAN_OK;
	s->entry = gan_memdup(entry->p, entry->len);
	return s->entry != NULL ? GAN_OK : GAN_ENOMEM;
}

static int
compare(const struct gan_probe *p, const cJSON *item, unsigned no, const cJSON *entry,
    const struct gan_span *raw, const char *mark, struct gan_probe_sight *s, struct gan_err *err)
{
	char text[400];
	int rc;

	if (!is_it(p, item, entry, mark))
		return GAN_OK;
	if (p->each == NULL && ++s->alike > ALIKE_MAX)
		return gan_err_set(err, GAN_ELIMIT, "more than %d entries look like it", ALIKE_MAX);
	if (is_equal(p, item, entry, mark, text)) {
		if ((s->items & (UINT64_C(1) << no)) == 0)
			s->found++;
		s->items |= UINT64_C(1) << no;
		return keep_entry(s, raw);
	}
	if (s->seen != GAN_PROBE_ABSENT || (s->items & (UINT64_C(1) << no)) != 0)
		return GAN_OK;
	rc = keep_entry(s, raw);
	s->seen = GAN_PROBE_DIFFERENT;
	memcpy(s->text, text, sizeof(s->text));
	return rc;
}

/* What is no entry at all (an error in a 200, a list of nulls) must not pass as "not there". */
static int
check_entry(const struct gan_probe *p, const cJSON *entry, struct gan_err *err)
{
	const char *name = p->key_seen != NULL ? p->key_seen : p->key;
	static struct values v;

	if (p->one != NULL)
		name = p->one;
	if (!cJSON_IsObject(entry))
		return gan_err_set(err, GAN_EPARSE, "the answer holds an entry that is no object");
	if (name == NULL)
		return GAN_OK;
	v.n = 0;
	collect(entry, name, &v);
	return v.n > 0 ? GAN_OK
		       : gan_err_set(err, GAN_EPARSE, "the answer holds an entry without %s", name);
}

static int
look_at(const struct gan_probe *p, const struct sent *sent, const struct gan_span *raw,
    const char *mark, struct gan_probe_sight *s, struct gan_err *err)
{
	cJSON *entry GAN_AUTO(gan_cj_free) = NULL;
	const cJSON *item;
	unsigned no = 0;
	int rc = gan_cj_parse(raw->p, raw->len, &entry, err);

	if (rc == GAN_OK)
		rc = check_entry(p, entry, err);
	if (rc < 0)
		return rc;
	s->entries++;
	if (++s->last > ENTRIES_MAX)
		return gan_err_set(
		    err, GAN_ELIMIT, "the answer holds more than %d entries", ENTRIES_MAX);
	if (p->each == NULL)
		return compare(p, sent->body, 0, entry, raw, mark, s, err);
	cJSON_ArrayForEach(item, gan_cj_get(sent->body, p->each))
	{
		if (no == ITEMS_MAX)
			return gan_err_set(
			    err, GAN_ELIMIT, "%s has more than %d items", p->each, ITEMS_MAX);
		rc = compare(p, item, no++, entry, raw, mark, s, err);
		if (rc < 0)
			return rc;
	}
	return GAN_OK;
}

/* The list in the answer: it, a member of it, or nothing: then it is one entry. */
static bool
find_list(const struct gan_probe *p, const struct gan_span *answer, struct gan_span *ret)
{
	struct gan_span key, value;
	size_t at = 0;

	while (p->list != NULL && gan_parts_next(answer, &at, &key, &value))
		if (key.len == strlen(p->list) && memcmp(key.p, p->list, key.len) == 0) {
			*ret = value;
			return true;
		}
	*ret = *answer;
	return answer->p[0] == '[';
}

static void
sum_up(const struct gan_probe *p, const struct sent *sent, struct gan_probe_sight *s)
{
	size_t wanted = 1;

	if (p->each != NULL)
		wanted = (size_t)cJSON_GetArraySize(gan_cj_get(sent->body, p->each));
	if (s->found == wanted && wanted > 0) {
		s->seen = GAN_PROBE_EQUAL;
	} else if (s->found > 0) {
		s->seen = GAN_PROBE_DIFFERENT;
		snprintf(s->text, sizeof(s->text), "%zu of %zu %s are there", s->found, wanted,
		    p->each != NULL ? p->each : "entries");
	}
}

int
gan_probe_read(const struct gan_probe *p, const char *output, size_t len, const char *mark,
    const char *answer, size_t answer_len, struct gan_probe_sight *s, struct gan_err *err)
{
	struct sent sent GAN_AUTO(sent_fini) = { 0 };
	struct gan_span whole = { answer, answer_len }, list, entry;
	size_t at = 0;
	bool is_list;
	int rc;

	while (whole.len > 0 && strchr(" \t\r\n", whole.p[0]) != NULL && whole.p[0] != '\0') {
		whole.p++;
		whole.len--;
	}
	rc = gan_json_check(whole.p, whole.len, GAN_JSON_DEPTH, NULL, err);
	if (rc < 0)
		return gan_err_wrap(err, GAN_EPARSE, "the answer");
	if (whole.p[0] != '[' && whole.p[0] != '{')
		return gan_err_set(err, GAN_EPARSE, "the answer is neither a list nor an object");
	rc = sent_parse(output, len, &sent, err);
	if (rc < 0)
		return rc;
	is_list = find_list(p, &whole, &list);
	if (is_list ? p->one != NULL || list.p[0] != '[' : p->one == NULL && p->key == NULL)
		return gan_err_set(err, GAN_EPARSE, "the answer is %s list",
		    is_list && list.p[0] == '[' ? "a" : "no");
	s->pages++;
	s->last = 0;
	if (is_list) {
		while (rc == GAN_OK && gan_parts_item(&list, &at, &entry))
			rc = look_at(p, &sent, &entry, mark, s, err);
	} else {
		rc = look_at(p, &sent, &whole, mark, s, err);
	}
	if (rc == GAN_OK)
		sum_up(p, &sent, s);
	return rc;
}

bool
gan_probe_more(const struct gan_probe *p, const struct gan_probe_sight *s)
{
	return p->paged && s->seen != GAN_PROBE_EQUAL && s->last >= GAN_PROBE_PAGE;
}
