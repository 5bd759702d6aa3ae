/* SPDX-License-Identifier: MIT */
/*
 * worker_jq.c - one compiled program per rule.
 *
 * The program is the prelude, then
 *
 *	{} as $ENV | .[1] as $meta | .[0] as $event | $event |
 *	if ([WHEN] | one value?) then (MAP) | [., [KEY], [EFFECT], [[AFTER], ...]] else empty end
 *
 * With something in front of it import and include are syntax errors, and
 * $ENV is empty.  KEY and its like stand in brackets so that two values, or
 * none, are seen here and not multiplied by jq.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "mapping/worker_priv.h"

extern const char gan_prelude[];

enum {
	PIECES_MAX = GAN_PIECE_AFTER + 17, /* 16 of `after`, and `newest` */
	FINDINGS_MAX = 5,                  /* of one piece: jq's later ones follow from the first */
};

static const char header[] = "{} as $ENV | .[1] as $meta | .[0] as $event | $event |\n";

char gan_jq_marker[32];

static void
no_memory(void *arg)
{
	(void)arg;
	_exit(GAN_EXIT_NOMEM);
}

void
gan_jq_init(void)
{
	unsigned char r[12];
	char hex[2 * sizeof(r) + 1];

	gan_random(r, sizeof(r));
	gan_hex(r, sizeof(r), hex);
	(void)snprintf(gan_jq_marker, sizeof(gan_jq_marker), "uuid5:%s", hex);
	jv_nomem_handler(no_memory, NULL);
}

/* Compile errors of one attempt. */
struct complaint {
	struct gan_buf *out;
	uint32_t n, piece;
	int64_t skip; /* lines in front of the piece */
	bool whole;   /* of the whole program: no position means anything */
	unsigned here;
};

static int64_t
count_lines(const char *s)
{
	int64_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

/*
 * libjq prints the faulty line, followed by as many blanks as the fault's
 * offset in it: the only sign of the column that 1.6 gives.
 */
static int64_t
column_of(const char *excerpt)
{
	size_t n = strcspn(excerpt, "\n"), blanks = 0;

	while (blanks < n && excerpt[n - 1 - blanks] == ' ')
		blanks++;
	return (int64_t)blanks + 1;
}

static void
on_complaint(void *arg, jv message)
{
	static const char at[] = " at <top-level>, line ",
			  noise[] = " (Unix shell quoting issues?)";
	struct complaint *c = arg;
	jv text = jq_format_error(message);
	const char *s = jv_string_value(text), *p = strstr(s, at);
	int64_t line = 0, col = 0;

	if (strncmp(s, "jq: error: ", 11) == 0)
		s += 11;
	if (p != NULL && c->here++ < FINDINGS_MAX) {
		size_t n = (size_t)(p - s);
		const char *nl = strchr(p, '\n'), *cut = strstr(s, noise);

		if (cut != NULL && cut < p)
			n = (size_t)(cut - s);
		line = strtol(p + sizeof(at) - 1, NULL, 10) - c->skip;
		col = nl != NULL ? column_of(nl + 1) : 1;
		gan_buf_u32(c->out, c->piece);
		gan_buf_i64(c->out, c->whole || line < 1 ? 1 : line);
		gan_buf_i64(c->out, c->whole || line < 1 ? 1 : col);
		gan_frame_bytes(c->out, s, n);
		c->n++;
	}
	jv_free(text);
}

static jv
constants(jv settings, jv tables)
{
	jv args = jv_object();

	args = jv_object_set(args, jv_string("settings"), settings);
	args = jv_object_set(args, jv_string("tables"), tables);
	return jv_object_set(args, jv_string("gantry_uuid5"), jv_string(gan_jq_marker));
}

/* NULL when it does not compile; args is consumed. */
static jq_state *
compile_text(const char *text, jv args, struct complaint *c)
{
	jq_state *jq = jq_init();

	if (jq == NULL)
		_exit(GAN_EXIT_NOMEM);
	jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_error_cb(jq, on_complaint, c);
	if (jq_compile_args(jq, text, args))
		jq_set_error_cb(jq, NULL, NULL);
	else
		jq_teardown(&jq);
	return jq;
}

struct pieces {
	const char *text[PIECES_MAX]; /* NULL: absent */
	size_t n;                     /* GAN_PIECE_AFTER + number of afters */
	jv settings, tables;
};

static void
put_group(struct gan_buf *b, const char *open, const char *text, const char *close)
{
	gan_buf_puts(b, open);
	gan_buf_puts(b, text != NULL ? text : "empty");
	gan_buf_puts(b, close); /* starts with a newline: text may end with a comment */
}

static void
put_program(struct gan_buf *b, const struct pieces *p)
{
	gan_buf_puts(b, gan_prelude);
	gan_buf_puts(b, header);
	if (p->text[GAN_PIECE_WHEN] != NULL)
		put_group(b, "if ([(", p->text[GAN_PIECE_WHEN],
		    "\n)] | if length == 1 then .[0] else reject(\"'when' must give one value, "
		    "not \\(length)\") end) then ");
	put_group(b, "(", p->text[GAN_PIECE_MAP], "\n) | [.");
	put_group(b, ", [", p->text[GAN_PIECE_KEY], "\n]");
	put_group(b, ", [", p->text[GAN_PIECE_EFFECT], "\n]");
	for (size_t i = GAN_PIECE_AFTER; i < p->n; i++)
		put_group(b, ", [", p->text[i], "\n]");
	gan_buf_puts(b, "]");
	if (p->text[GAN_PIECE_WHEN] != NULL)
		gan_buf_puts(b, " else empty end");
}

/* Which piece is it, and where?  Each is compiled apart; slow, but only for broken rules. */
static void
find_faults(const struct pieces *p, struct complaint *c)
{
	for (uint32_t i = 0; i < p->n; i++) {
		GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };

		if (p->text[i] == NULL)
			continue;
		gan_buf_puts(&b, gan_prelude);
		gan_buf_puts(&b, header);
		c->skip = count_lines(b.data);
		c->piece = i;
		c->here = 0;
		c->whole = false;
		gan_buf_puts(&b, p->text[i]);
		gan_buf_putc(&b, '\n');
		jq_state *jq =
		    compile_text(b.data, constants(jv_copy(p->settings), jv_copy(p->tables)), c);
		if (jq != NULL)
			jq_teardown(&jq);
	}
}

static void
keep_reason(struct gan_jq_program *prog, const struct gan_buf *findings)
{
	struct gan_frame_in in = { .p = findings->data, .left = findings->len };

	(void)gan_frame_u32(&in);
	(void)gan_frame_i64(&in);
	(void)gan_frame_i64(&in);
	const char *s = gan_frame_str(&in, NULL);
	prog->broken = gan_asprintf("the rule does not compile: %s", s != NULL ? s : "?");
}

static void
compile_rule(struct gan_jq_program *prog, const struct pieces *p, struct gan_buf *findings,
    uint32_t *ret_nfindings)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf text = { 0 }, guess = { 0 };
	struct complaint c = { .out = &guess, .whole = true, .piece = GAN_PIECE_MAP };

	put_program(&text, p);
	if (text.failed)
		_exit(GAN_EXIT_NOMEM);
	prog->jq = compile_text(text.data, constants(jv_copy(p->settings), jv_copy(p->tables)), &c);
	if (prog->jq != NULL)
		return;
	uint32_t guesses = c.n;
	c.n = 0;
	c.out = findings;
	find_faults(p, &c);
	if (c.n == 0 && guesses > 0) { /* only wrong when put together */
		gan_buf_put(findings, guess.data, guess.len);
		c.n = guesses;
	}
	if (c.n == 0) {
		gan_buf_u32(findings, GAN_PIECE_MAP);
		gan_buf_i64(findings, 1);
		gan_buf_i64(findings, 1);
		gan_frame_text(findings, "jq cannot compile this");
		c.n = 1;
	}
	*ret_nfindings = c.n;
	keep_reason(prog, findings);
}

static jv
parse_constant(const char *json, size_t len)
{
	return json == NULL ? jv_object() : jv_parse_sized(json, (int)len);
}

static bool
names(const struct pieces *p, const char *word)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->text[i] != NULL && strstr(p->text[i], word) != NULL)
			return true;
	return false;
}

struct gan_jq_program *
gan_jq_compile(struct gan_frame_in *in, struct gan_buf *findings, uint32_t *ret_nfindings)
{
	struct gan_jq_program *prog = calloc(1, sizeof(*prog));
	struct pieces p = { .n = GAN_PIECE_AFTER };
	size_t settings_len, tables_len;

	if (prog == NULL)
		_exit(GAN_EXIT_NOMEM);
	for (size_t i = 0; i < GAN_PIECE_AFTER; i++)
		p.text[i] = gan_frame_str(in, NULL);
	prog->nafter = gan_frame_u32(in);
	for (size_t i = 0; i < prog->nafter && p.n < PIECES_MAX; i++)
		p.text[p.n++] = gan_frame_str(in, NULL);
	prog->newest = gan_frame_u32(in) != 0;
	const char *settings = gan_frame_str(in, &settings_len);
	const char *tables = gan_frame_str(in, &tables_len);
	if (in->bad || p.n != GAN_PIECE_AFTER + prog->nafter || p.text[GAN_PIECE_MAP] == NULL) {
		free(prog);
		return NULL;
	}
	prog->keyed = p.text[GAN_PIECE_KEY] != NULL;
	prog->effect = p.text[GAN_PIECE_EFFECT] != NULL;
	prog->uuids = names(&p, "uuid5");
	prog->meta = names(&p, "meta");
	p.settings = parse_constant(settings, settings_len);
	p.tables = parse_constant(tables, tables_len);
	compile_rule(prog, &p, findings, ret_nfindings);
	jv_free(p.settings);
	jv_free(p.tables);
	return prog;
}

void
gan_jq_program_free(struct gan_jq_program **pp)
{
	struct gan_jq_program *p = gan_steal(pp);

	if (p == NULL)
		return;
	if (p->jq != NULL)
		jq_teardown(&p->jq);
	free(p->broken);
	free(p);
}
