/* SPDX-License-Identifier: MIT */
/*
 * yaml.c - see yaml.h.  libfyaml is used as a stream of events, never as a
 * document: so depth and size are bounded while it reads, nothing is resolved
 * or merged, and its recursive parts are not reached.
 */
#include "conf/yaml.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/yaml_priv.h"

struct level {
	struct gan_yaml_node *node;
	struct gan_yaml_node **tail; /* where the next child hangs */
	struct gan_yaml_node *key;   /* waiting for its value */
};

struct build {
	struct gan_yaml *doc;
	struct gan_err *err;
	struct level stack[GAN_YAML_DEPTH];
	size_t depth;
	size_t nodes;
	bool seen_document;
	/* Where the last position was: they come in order, so finding a line is linear in all. */
	size_t pos;
	int line, col;
};

static void
node_free(struct gan_yaml_node **np)
{
	struct gan_yaml_node *n = gan_steal(np);

	while (n != NULL) {
		struct gan_yaml_node *next = n->next;

		node_free(&n->child); /* as deep as GAN_YAML_DEPTH */
		node_free(&n->key);
		free(n->text);
		free(n);
		n = next;
	}
}

void
gan_yaml_free(struct gan_yaml **docp)
{
	struct gan_yaml *doc = gan_steal(docp);

	if (doc == NULL)
		return;
	node_free(&doc->root);
	free(doc->name);
	free(doc->src);
	free(doc->hidden);
	free(doc);
}

static int GAN_PRINTF(5, 6)
    refuse(struct build *b, enum gan_code code, int line, int col, const char *fmt, ...)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gan_diag_render(&out, GAN_DIAG_ERROR, b->doc, line, col, text);
	while (out.len > 0 && out.data[out.len - 1] == '\n')
		out.len--;
	if (out.failed || out.data == NULL)
		return gan_err_set(
		    b->err, code, "%s:%d:%d: error: %s", b->doc->name, line, col, text);
	return gan_err_set(b->err, code, "%.*s", (int)out.len, out.data);
}

static int
no_memory(struct build *b)
{
	return gan_err_set(b->err, GAN_ENOMEM, "%s: error: out of memory", b->doc->name);
}

/* Length of the line end at p, 0 when there is none. */
static size_t
line_end(const char *p, const char *end)
{
	if (p < end && *p == '\r')
		return p + 1 < end && p[1] == '\n' ? 2 : 1;
	return p < end && *p == '\n' ? 1 : 0;
}

/* Set b->line and b->col, 1-based and in characters, for a byte of the source. */
static void
locate(struct build *b, size_t pos)
{
	const char *src = b->doc->src, *end = src + b->doc->len;

	if (pos > b->doc->len)
		pos = b->doc->len;
	if (pos < b->pos || b->line == 0) {
		b->pos = 0;
		b->line = b->col = 1;
	}
	while (b->pos < pos) {
		size_t eol = line_end(src + b->pos, end);
		size_t step = gan_utf8_next(src + b->pos, b->doc->len - b->pos);

		if (eol > 0 && b->pos + eol > pos)
			break;
		if (eol > 0) {
			b->line++;
			b->col = 1;
		} else {
			b->col++;
		}
		b->pos += eol > 0 ? eol : (step > 0 ? step : 1);
	}
}

/* The text itself: UTF-8, and no control characters, which an editor would not show. */
static int
check_bytes(struct build *b)
{
	const char *src = b->doc->src;
	size_t len = b->doc->len;

	for (size_t i = 0; i < len;) {
		size_t step = gan_utf8_next(src + i, len - i);
		unsigned char c = (unsigned char)src[i];

		if (step == 0) {
			locate(b, i);
			return refuse(b, GAN_EPARSE, b->line, b->col,
			    "byte 0x%02x is not UTF-8, save the file as UTF-8", c);
		}
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
			locate(b, i);
			return refuse(b, GAN_EPARSE, b->line, b->col,
			    "control character 0x%02x is not allowed", c);
		}
		i += step;
	}
	return GAN_OK;
}

/* Columns before the first character of a block scalar: what its lines share. */
static int
block_indent(const struct gan_yaml *doc, size_t pos, const char *text, size_t len)
{
	const char *p = doc->src + pos, *end = doc->src + doc->len;
	const char *t = text, *tend = text + len;
	int file = 0, own = 0;

	for (size_t n; (n = line_end(p, end)) > 0 || (p < end && *p == ' ');) {
		if (n > 0)
			file = 0;
		else
			file++;
		p += n > 0 ? n : 1;
	}
	for (; t < tend && (*t == '\n' || *t == ' '); t++)
		own = *t == ' ' ? own + 1 : 0;
	return t == tend || file < own ? 0 : file - own;
}

/* The marks of quoted texts, anchors, aliases and tags stand behind the sign that opens them. */
static size_t
mark_pos(const struct build *b, const struct fy_mark *m, const char *signs)
{
	size_t pos = m != NULL ? m->input_pos : b->pos;

	if (pos > 0 && pos <= b->doc->len && strchr(signs, b->doc->src[pos - 1]) != NULL)
		pos--;
	return pos;
}

static struct gan_yaml_node *
node_new(struct build *b, enum gan_yaml_kind kind, struct fy_event *e)
{
	const struct fy_mark *start = fy_event_start_mark(e), *end = fy_event_end_mark(e);
	bool quoted = fy_event_get_node_style(e) == FYNS_SINGLE_QUOTED ||
		      fy_event_get_node_style(e) == FYNS_DOUBLE_QUOTED;
	struct gan_yaml_node *n = calloc(1, sizeof(*n));
	size_t at = mark_pos(b, start, quoted ? "'\"" : "");

	if (n == NULL)
		return NULL;
	n->kind = kind;
	locate(b, at); /* the start first: a step back would read the text from its beginning */
	n->line = n->end_line = b->line;
	n->col = b->col;
	if (end != NULL && end->input_pos > at) {
		locate(b, end->input_pos - 1);
		n->end_line = b->line;
	}
	return n;
}

static int
scalar_new(struct build *b, struct fy_event *e, struct gan_yaml_node **ret_node)
{
	enum fy_scalar_style style = fy_token_scalar_style(e->scalar.value);
	const struct fy_mark *start = fy_event_start_mark(e);
	struct gan_yaml_node *n GAN_AUTO(node_free) = node_new(b, GAN_YAML_STR, e);
	size_t len = 0;
	const char *text = e->scalar.value == NULL ? "" : fy_token_get_text(e->scalar.value, &len);

	if (n == NULL || text == NULL)
		return no_memory(b);
	n->text = gan_memdup(text, len);
	n->len = len;
	if (n->text == NULL)
		return no_memory(b);
	if (!gan_utf8_valid(text, len))
		return refuse(b, GAN_EPARSE, n->line, n->col,
		    "an escape in this text is no Unicode character");
	n->block = style == FYSS_LITERAL || style == FYSS_FOLDED;
	n->quoted = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	if (n->block && start != NULL)
		n->col = 1 + block_indent(b->doc, start->input_pos, text, len);
	if (!n->block && !n->quoted)
		n->kind = gan_yaml_plain_kind(text, len);
	*ret_node = gan_steal(&n);
	return GAN_OK;
}

static bool
waits_for_key(const struct build *b)
{
	const struct level *top = &b->stack[b->depth > 0 ? b->depth - 1 : 0];

	return b->depth > 0 && top->node->kind == GAN_YAML_MAP && top->key == NULL;
}

/* Anchors, aliases and tags could make a small file large, or a text something else. */
static int
check_properties(struct build *b, struct fy_event *e)
{
	struct fy_token *anchor = NULL, *tag = NULL;

	if (e->type == FYET_ALIAS) {
		locate(b, mark_pos(b, fy_event_start_mark(e), "*"));
		return refuse(b, GAN_EPARSE, b->line, b->col,
		    "aliases (*name) are not allowed, write the value out");
	}
	if (e->type == FYET_SCALAR || e->type == FYET_SEQUENCE_START ||
	    e->type == FYET_MAPPING_START) {
		anchor = fy_event_get_anchor_token(e);
		tag = fy_event_get_tag_token(e);
	}
	if (anchor == NULL && tag == NULL)
		return GAN_OK;
	locate(b, mark_pos(b, fy_token_start_mark(anchor != NULL ? anchor : tag), "&"));
	return refuse(b, GAN_EPARSE, b->line, b->col, "%s",
	    anchor != NULL ? "anchors (&name) are not allowed"
			   : "tags (!name) are not allowed, put a text into quotes");
}

static int
take_key(struct build *b, struct gan_yaml_node **np)
{
	const struct gan_yaml_node *n = *np;

	if (n->kind == GAN_YAML_SEQ || n->kind == GAN_YAML_MAP || n->block ||
	    (n->len == 0 && !n->quoted) || memchr(n->text, '\0', n->len) != NULL)
		return refuse(b, GAN_EPARSE, n->line, n->col, "a key must be a text on one line");
	b->stack[b->depth - 1].key = gan_steal(np);
	b->stack[b->depth - 1].key->kind = GAN_YAML_STR; /* `no` or `1` as a key is a text */
	return GAN_OK;
}

/* Hang a node into the tree, as a key, a value, an item or the root. */
static int
attach(struct build *b, struct gan_yaml_node **np)
{
	struct gan_yaml_node *n = *np;
	struct level *top;

	if (++b->nodes > GAN_YAML_NODES)
		return refuse(b, GAN_ELIMIT, n->line, n->col, "more than %d values in one file",
		    GAN_YAML_NODES);
	if (b->depth == 0) {
		b->doc->root = gan_steal(np);
		return GAN_OK;
	}
	if (waits_for_key(b))
		return take_key(b, np);
	top = &b->stack[b->depth - 1];
	if (top->key != NULL && n->kind == GAN_YAML_NULL && n->len == 0) {
		n->line = n->end_line = top->key->line; /* nothing is nowhere: show the key */
		n->col = top->key->col;
	}
	n->key = gan_steal(&top->key);
	*top->tail = gan_steal(np);
	top->tail = &n->next;
	top->node->nchild++;
	return GAN_OK;
}

static int
open_level(struct build *b, struct fy_event *e)
{
	enum gan_yaml_kind kind = e->type == FYET_MAPPING_START ? GAN_YAML_MAP : GAN_YAML_SEQ;
	struct gan_yaml_node *n GAN_AUTO(node_free) = node_new(b, kind, e), *open = n;
	int rc;

	if (n == NULL)
		return no_memory(b);
	if (waits_for_key(b))
		return take_key(b, &n);
	if (b->depth == GAN_YAML_DEPTH)
		return refuse(
		    b, GAN_ELIMIT, n->line, n->col, "nested deeper than %d levels", GAN_YAML_DEPTH);
	rc = attach(b, &n);
	if (rc < 0)
		return rc;
	b->stack[b->depth++] = (struct level){ .node = open, .tail = &open->child };
	return GAN_OK;
}

static int
by_key(const void *a, const void *b)
{
	const struct gan_yaml_node *x = *(const struct gan_yaml_node *const *)a;
	const struct gan_yaml_node *y = *(const struct gan_yaml_node *const *)b;
	int order = strcmp(x->key->text, y->key->text);

	if (order != 0)
		return order;
	if (x->key->line != y->key->line)
		return x->key->line < y->key->line ? -1 : 1;
	return x->key->col < y->key->col ? -1 : 1;
}

static void
free_list(const struct gan_yaml_node ***vp)
{
	free(gan_steal(vp));
}

/* Sorted, not compared pairwise: a mapping may have 100,000 keys. */
static int
check_duplicates(struct build *b, const struct gan_yaml_node *map)
{
	const struct gan_yaml_node **v GAN_AUTO(free_list) = NULL, *bad = NULL, *first = NULL;
	char shown[64];
	size_t i = 0;

	if (map->nchild < 2)
		return GAN_OK;
	v = calloc(map->nchild, sizeof(*v));
	if (v == NULL)
		return no_memory(b);
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next)
		v[i++] = n;
	qsort(v, i, sizeof(*v), by_key);
	for (i = 1; i < map->nchild; i++) {
		if (strcmp(v[i - 1]->key->text, v[i]->key->text) != 0)
			continue;
		if (bad == NULL || v[i]->key->line < bad->key->line) {
			bad = v[i];
			first = v[i - 1];
		}
	}
	if (bad == NULL)
		return GAN_OK;
	return refuse(b, GAN_EPARSE, bad->key->line, bad->key->col,
	    "duplicate key '%s', first set on line %d",
	    gan_printable(bad->key->text, bad->key->len, shown, sizeof(shown)), first->key->line);
}

static int
close_level(struct build *b, struct fy_event *e)
{
	struct gan_yaml_node *n = b->stack[b->depth - 1].node;
	const struct fy_mark *end = e->type == FYET_MAPPING_END || e->type == FYET_SEQUENCE_END
					? fy_event_end_mark(e)
					: NULL;

	/* A flow collection ends at its bracket, a block one where its last value does. */
	if (end != NULL && end->input_pos > 0 && end->input_pos <= b->doc->len &&
	    strchr("]}", b->doc->src[end->input_pos - 1]) != NULL) {
		locate(b, end->input_pos - 1);
		if (b->line > n->end_line)
			n->end_line = b->line;
	}
	for (const struct gan_yaml_node *c = n->child; c != NULL; c = c->next) {
		if (c->end_line > n->end_line)
			n->end_line = c->end_line;
	}
	b->depth--;
	return n->kind == GAN_YAML_MAP ? check_duplicates(b, n) : GAN_OK;
}

static int
on_event(struct build *b, struct fy_event *e)
{
	struct gan_yaml_node *n GAN_AUTO(node_free) = NULL;
	const struct fy_mark *at = fy_event_start_mark(e);
	int rc = check_properties(b, e);

	if (rc < 0)
		return rc;
	switch (e->type) {
	case FYET_SCALAR:
		rc = scalar_new(b, e, &n);
		return rc < 0 ? rc : attach(b, &n);
	case FYET_MAPPING_START:
	case FYET_SEQUENCE_START:
		return open_level(b, e);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return b->depth > 0 ? close_level(b, e) : GAN_OK;
	case FYET_DOCUMENT_START:
		if (b->seen_document) {
			locate(b, at != NULL ? at->input_pos : b->pos);
			return refuse(b, GAN_EPARSE, b->line, b->col,
			    "a second document: one file holds one document");
		}
		b->seen_document = true;
		return GAN_OK;
	default:
		return GAN_OK;
	}
}

/* The library's words, and what they mean to someone who wrote a line of jq, or moved one. */
static const char *
hint(const char *msg)
{
	static const struct {
		const char *words, *hint;
	} table[] = {
		{ "multiline plain key", "; a line below is indented too far, or with a tab" },
		{ "expected '-' indicator", "; is it indented as its neighbours are?" },
		{ "invalid indentation", "; is it indented as its neighbours are?" },
		{ "on the same line",
		    "; put the text into quotes, or behind '|' on its own lines" },
		{ "trailing content",
		    "; put the whole into quotes, or behind '|' on its own lines" },
		{ "cannot start with",
		    "; put the text into quotes, or behind '|' on its own lines" },
		{ "wrongly indented", "; is its closing quote missing?" },
		{ "missing comma in flow mapping", "; is a '}' missing above?" },
		{ "missing comma in flow sequence", "; is a ']' missing above?" },
	};

	for (size_t i = 0; i < GAN_COUNT(table); i++) {
		if (strstr(msg, table[i].words) != NULL)
			return table[i].hint;
	}
	return "";
}

static int
library_error(struct build *b, struct fy_diag *diag)
{
	void *prev = NULL;
	struct fy_diag_error *e = fy_diag_errors_iterate(diag, &prev);
	char text[200];

	if (e == NULL || e->msg == NULL)
		return refuse(b, GAN_EPARSE, b->line > 0 ? b->line : 1, b->col > 0 ? b->col : 1,
		    "this is not YAML");
	gan_printable(e->msg, strcspn(e->msg, "\n"), text, sizeof(text));
	return refuse(b, GAN_EPARSE, e->line > 0 ? e->line : 1, e->column > 0 ? e->column : 1,
	    "%s%s", text, hint(text));
}

static int
run(struct build *b, struct fy_parser *p, struct fy_diag *diag)
{
	struct fy_event *e;
	int rc = GAN_OK;

	if (fy_parser_set_string(p, b->doc->src, b->doc->len) != 0)
		return no_memory(b);
	while (rc == GAN_OK && (e = fy_parser_parse(p)) != NULL) {
		rc = on_event(b, e);
		fy_parser_event_free(p, e);
	}
	if (rc == GAN_OK && fy_parser_get_stream_error(p))
		rc = library_error(b, diag);
	/* A key that still waits for its value was given up by an error. */
	while (b->depth > 0)
		node_free(&b->stack[--b->depth].key);
	return rc;
}

static int
parse(struct build *b)
{
	struct fy_diag_cfg dcfg;
	struct fy_diag *diag;
	struct fy_parser *p;
	int rc;

	fy_diag_cfg_default(&dcfg);
	dcfg.fp = NULL;
	dcfg.level = FYET_ERROR;
	diag = fy_diag_create(&dcfg);
	if (diag == NULL)
		return no_memory(b);
	fy_diag_set_collect_errors(diag, true);
	p = fy_parser_create(&(const struct fy_parse_cfg){
	    .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
		     FYPCF_DISABLE_RECYCLING | FYPCF_JSON_NONE,
	    .diag = diag,
	});
	rc = p == NULL ? no_memory(b) : run(b, p, diag);
	if (p != NULL)
		fy_parser_destroy(p);
	fy_diag_destroy(diag);
	return rc;
}

int
gan_yaml_parse(
    const char *name, const char *text, size_t len, struct gan_yaml **ret_doc, struct gan_err *err)
{
	struct gan_yaml *doc GAN_AUTO(gan_yaml_free) = calloc(1, sizeof(*doc));
	struct build b = { .doc = doc, .err = err };
	int rc;

	if (doc == NULL)
		return gan_err_set(err, GAN_ENOMEM, "%s: error: out of memory", name);
	if (len > GAN_YAML_MAX)
		return gan_err_set(
		    err, GAN_ELIMIT, "%s: error: larger than %u bytes", name, GAN_YAML_MAX);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	doc->name = gan_asprintf("%s", name);
	doc->src = gan_memdup(text, len);
	doc->len = len;
	if (doc->name == NULL || doc->src == NULL)
		return gan_err_set(err, GAN_ENOMEM, "%s: error: out of memory", name);
	rc = check_bytes(&b);
	if (rc == GAN_OK)
		rc = parse(&b);
	if (rc < 0)
		return rc;
	doc->parsed = true;
	*ret_doc = gan_steal(&doc);
	return GAN_OK;
}
