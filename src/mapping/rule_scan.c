/* SPDX-License-Identifier: MIT */
/*
 * rule_scan.c - a look at the words of a piece of jq, without jq.
 *
 * Not a parser: it knows strings (with what they interpolate), comments,
 * fields, variables, words, numbers and brackets, which is enough to tell a
 * call of `now` from a field `.now` and a key `{now: 1}`.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "mapping/rules_priv.h"
#include "json/check.h"

enum { DEPTH = 200 };

enum token {
	TOK_NONE,
	TOK_OP,    /* a value must follow */
	TOK_TERM,  /* a value has ended */
	TOK_PATH,  /* a value has ended with .a, ."a" or .[...]: jq keeps a ? behind it to itself */
	TOK_DOT,   /* "." alone: a value, and what may be followed by a string or [ */
	TOK_OPEN,  /* a bracket was opened */
	TOK_COMMA, /* in an object: a key follows */
};

enum bracket {
	PAREN,
	COLLECT,       /* [ ... ] that makes an array */
	INDEX,         /* value[ ... ] */
	BRACE,         /* { ... } */
	INTERPOLATION, /* "\( ... )" */
};

struct open {
	enum bracket kind;
	size_t at;
	bool format_term; /* INTERPOLATION: the string hung on a dot */
	bool has_try;
	size_t try_at;
};

struct scan {
	const struct gan_rule *rule;
	const struct gan_rule_code *code;
	struct gan_diags *d;
	const char *s;
	size_t i, n;
	enum token prev;
	struct open stack[DEPTH];
	size_t depth;
	unsigned findings;
	bool stop;
};

void
gan_rule_code_at(const struct gan_rule_code *code, int line, int col, int *ret_line, int *ret_col)
{
	if (code->block) {
		*ret_line = code->line + line - 1;
		*ret_col = code->col + col - 1;
	} else {
		*ret_line = code->line;
		*ret_col =
		    line == 1 && strchr(code->text, '\n') == NULL ? code->col + col - 1 : code->col;
	}
}

static void GAN_PRINTF(3, 4) find(struct scan *s, size_t at, const char *fmt, ...)
{
	char text[400];
	int line = 1, col = 1;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < at; i++) {
		if (s->s[i] == '\n') {
			line++;
			col = 1;
		} else if (((unsigned char)s->s[i] & 0xc0) != 0x80) {
			col++;
		}
	}
	gan_rule_code_at(s->code, line, col, &line, &col);
	gan_diag_at(s->d, GAN_DIAG_ERROR, s->rule->doc, line, col, "%s", text);
	s->findings++;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t
skip_space(const struct scan *s, size_t i)
{
	while (i < s->n && isspace((unsigned char)s->s[i]))
		i++;
	return i;
}

/* To jq the name of a variable may stand apart from its $, even behind a comment. */
static size_t
skip_blank(const struct scan *s, size_t i)
{
	for (i = skip_space(s, i); i < s->n && s->s[i] == '#'; i = skip_space(s, i))
		while (i < s->n && s->s[i] != '\n')
			i++;
	return i;
}

static void
push(struct scan *s, enum bracket kind)
{
	if (s->depth == DEPTH) {
		find(s, s->i, "brackets are nested deeper than %d", DEPTH);
		s->stop = true;
		return;
	}
	s->stack[s->depth++] =
	    (struct open){ .kind = kind, .at = s->i, .format_term = s->prev == TOK_DOT };
	s->prev = TOK_OPEN;
}

/* From the quote (or from behind an interpolation) to the end of the string or the next \(. */
static void
scan_string(struct scan *s, bool on_dot)
{
	for (s->i++; s->i < s->n; s->i++) {
		if (s->s[s->i] == '"') {
			s->i++;
			s->prev = on_dot ? TOK_PATH : TOK_TERM;
			return;
		}
		if (s->s[s->i] != '\\')
			continue;
		s->i++;
		if (s->i < s->n && s->s[s->i] == '(') {
			s->prev = on_dot ? TOK_DOT : TOK_OP;
			push(s, INTERPOLATION);
			s->i++;
			return;
		}
	}
	s->stop = true; /* not closed: jq says so better */
}

static void
scan_close(struct scan *s, char c)
{
	static const char opener[] = {
		[PAREN] = ')', [COLLECT] = ']', [INDEX] = ']', [BRACE] = '}', [INTERPOLATION] = ')'
	};

	if (s->depth == 0 || opener[s->stack[s->depth - 1].kind] != c) {
		find(s, s->i, "this '%c' closes nothing", c);
		s->stop = true;
		return;
	}
	const struct open o = s->stack[--s->depth];
	if (o.kind == INTERPOLATION) {
		scan_string(s, o.format_term);
		return;
	}
	s->prev = o.kind == INDEX ? TOK_PATH : TOK_TERM;
	s->i++;
}

static void
scan_question(struct scan *s)
{
	if (strncmp(s->s + s->i, "?//", 3) == 0) {
		s->i += 3;
		s->prev = TOK_OP;
		return;
	}
	size_t next = skip_space(s, s->i + 1);
	bool collected = s->depth > 0 && s->stack[s->depth - 1].kind == COLLECT && next < s->n &&
			 s->s[next] == ']';
	if (s->prev != TOK_PATH && !collected)
		find(s, s->i,
		    "in jq 1.6 this ? would also swallow every error and reject behind it; write "
		    "[...?][] around the value");
	s->i++;
	s->prev = TOK_PATH;
}

static void
check_number(struct scan *s, size_t from)
{
	struct gan_json_info info;

	if (gan_json_check(s->s + from, s->i - from, 1, &info, NULL) == GAN_OK && info.inexact)
		find(s, from, "the number %s would change in jq; write it as a text",
		    info.inexact_text);
}

static void
scan_number(struct scan *s)
{
	size_t from = s->i;

	while (s->i < s->n && (isdigit((unsigned char)s->s[s->i]) || s->s[s->i] == '.' ||
				  ((s->s[s->i] == 'e' || s->s[s->i] == 'E') && s->i + 1 < s->n &&
				      strchr("+-0123456789", s->s[s->i + 1]) != NULL) ||
				  ((s->s[s->i] == '+' || s->s[s->i] == '-') && s->i > from &&
				      (s->s[s->i - 1] == 'e' || s->s[s->i - 1] == 'E'))))
		s->i++;
	check_number(s, from);
	s->prev = TOK_TERM;
}

static const char *
closed_word(const char *w)
{
	static const struct {
		const char *word, *hint;
	} closed[] = {
		{ "env", "" },
		{ "input", "" },
		{ "inputs", "" },
		{ "input_filename", "" },
		{ "halt", ": use reject(\"why\")" },
		{ "halt_error", ": use reject(\"why\")" },
		{ "debug", "" },
		{ "stderr", "" },
		{ "now", ": use $meta.received_at" },
		{ "modulemeta", "" },
		{ "get_search_list", "" },
		{ "get_prog_origin", "" },
		{ "get_jq_origin", "" },
		{ "import", "" },
		{ "include", "" },
	};
	for (size_t i = 0; i < GAN_COUNT(closed); i++)
		if (strcmp(closed[i].word, w) == 0)
			return closed[i].hint;
	return NULL;
}

static void
check_try(struct scan *s, size_t from)
{
	struct open *o = s->depth > 0 ? &s->stack[s->depth - 1] : NULL;

	if (o != NULL && o->kind == COLLECT && s->prev == TOK_OPEN) {
		o->has_try = true;
		o->try_at = from;
		return;
	}
	find(s, from,
	    "in jq 1.6 this try would also catch every error and reject behind it; write "
	    "[try f catch g][]");
}

static void
scan_word(struct scan *s)
{
	static const char *const keywords[] = { "def", "if", "then", "elif", "else", "and", "or",
		"reduce", "foreach", "try", "catch", "label", "import", "include", "as" };
	size_t from = s->i, len;
	char word[32] = "";

	while (s->i < s->n && (is_word(s->s[s->i]) || strncmp(s->s + s->i, "::", 2) == 0))
		s->i += s->s[s->i] == ':' ? 2 : 1;
	len = s->i - from;
	if (len < sizeof(word))
		memcpy(word, s->s + from, len);
	size_t next = skip_space(s, s->i);
	bool in_object = s->depth > 0 && s->stack[s->depth - 1].kind == BRACE;
	bool key = (next < s->n && s->s[next] == ':') ||
		   (in_object && (s->prev == TOK_OPEN || s->prev == TOK_COMMA));
	const char *hint = closed_word(word);

	if (hint != NULL && !key)
		find(s, from, "'%s' is not available in rules%s", word, hint);
	if (!key && strcmp(word, "try") == 0)
		check_try(s, from);
	s->prev = TOK_TERM;
	for (size_t i = 0; i < GAN_COUNT(keywords) && !key; i++)
		if (strcmp(keywords[i], word) == 0)
			s->prev = TOK_OP;
}

static void
scan_variable(struct scan *s)
{
	static const char *const closed[] = { "ENV", "__loc__", "__prog_args", "gantry_uuid5" };
	size_t from = s->i, name = skip_blank(s, s->i + 1);

	for (s->i = name; s->i < s->n && is_word(s->s[s->i]); s->i++)
		;
	for (size_t i = 0; i < GAN_COUNT(closed); i++)
		if (s->i - name == strlen(closed[i]) &&
		    memcmp(s->s + name, closed[i], strlen(closed[i])) == 0)
			find(s, from, "'$%s' is not available in rules", closed[i]);
	s->prev = TOK_TERM;
}

static void
scan_dot(struct scan *s)
{
	s->i++;
	if (s->i < s->n && s->s[s->i] == '.') {
		s->i++;
		s->prev = TOK_TERM;
	} else if (s->i < s->n && isdigit((unsigned char)s->s[s->i])) {
		scan_number(s);
	} else if (s->i < s->n && is_word(s->s[s->i])) {
		while (s->i < s->n && is_word(s->s[s->i]))
			s->i++;
		s->prev = TOK_PATH;
	} else {
		s->prev = TOK_DOT;
	}
}

static void
scan_operator(struct scan *s, char c)
{
	struct open *o = s->depth > 0 ? &s->stack[s->depth - 1] : NULL;

	if (c == '|' && o != NULL && o->has_try) {
		find(s, o->try_at,
		    "in jq 1.6 this try would also catch what goes wrong behind the | in these "
		    "brackets; close them first: [try f catch g][] | ...");
		o->has_try = false;
	}
	s->prev = c == ',' && o != NULL && o->kind == BRACE ? TOK_COMMA : TOK_OP;
	s->i++;
}

static void
scan_token(struct scan *s)
{
	char c = s->s[s->i];

	if (isspace((unsigned char)c)) {
		s->i++;
	} else if (c == '#') {
		while (s->i < s->n && s->s[s->i] != '\n')
			s->i++;
	} else if (c == '"') {
		scan_string(s, s->prev == TOK_DOT);
	} else if (c == '(' || c == '{') {
		push(s, c == '(' ? PAREN : BRACE);
		s->i++;
	} else if (c == '[') {
		push(s, s->prev == TOK_TERM || s->prev == TOK_PATH || s->prev == TOK_DOT ? INDEX
											 : COLLECT);
		s->i++;
	} else if (c == ')' || c == ']' || c == '}') {
		scan_close(s, c);
	} else if (c == '?') {
		scan_question(s);
	} else if (c == '$') {
		scan_variable(s);
	} else if (c == '.') {
		scan_dot(s);
	} else if (c == '@') {
		for (s->i++; s->i < s->n && is_word(s->s[s->i]); s->i++)
			;
		s->prev = TOK_TERM;
	} else if (isdigit((unsigned char)c)) {
		scan_number(s);
	} else if (is_word(c)) {
		scan_word(s);
	} else {
		scan_operator(s, c);
	}
}

unsigned
gan_rule_scan(const struct gan_rule *rule, const struct gan_rule_code *code, struct gan_diags *d)
{
	struct scan s = {
		.rule = rule, .code = code, .d = d, .s = code->text, .n = strlen(code->text)
	};

	while (s.i < s.n && !s.stop)
		scan_token(&s);
	if (!s.stop && s.depth > 0)
		find(&s, s.stack[s.depth - 1].at, "this bracket is never closed");
	return s.findings;
}
