/* SPDX-License-Identifier: MIT */
/* test_yaml.c - the YAML fence: types, positions, refusals, excerpts. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/yaml.h"

static struct gan_yaml *doc;
static struct gan_err err;

static void
teardown(void)
{
	gan_yaml_free(&doc);
}

static const struct gan_yaml_node *
parse(const char *text)
{
	gan_yaml_free(&doc);
	ck_assert_msg(
	    gan_yaml_parse("t.yaml", text, strlen(text), &doc, &err) == GAN_OK, "%s", err.msg);
	return gan_yaml_root(doc);
}

static void
refused(const char *text, size_t len, int code, const char *msg)
{
	gan_yaml_free(&doc);
	ck_assert_int_eq(gan_yaml_parse("t.yaml", text, len, &doc, &err), code);
	ck_assert_str_eq(err.msg, msg);
	ck_assert_ptr_null(doc);
}

static const struct {
	const char *text;
	enum gan_yaml_kind kind;
	const char *json;
} scalars[] = {
	{ "~", GAN_YAML_NULL, "null" },
	{ "Null", GAN_YAML_NULL, "null" },
	{ "nULL", GAN_YAML_STR, "\"nULL\"" },
	{ "true", GAN_YAML_BOOL, "true" },
	{ "FALSE", GAN_YAML_BOOL, "false" },
	{ "no", GAN_YAML_STR, "\"no\"" },
	{ "on", GAN_YAML_STR, "\"on\"" },
	{ "y", GAN_YAML_STR, "\"y\"" },
	{ "0", GAN_YAML_INT, "0" },
	{ "+12", GAN_YAML_INT, "12" },
	{ "-007", GAN_YAML_INT, "-7" },
	{ "0o17", GAN_YAML_INT, "15" },
	{ "0x1F", GAN_YAML_INT, "31" },
	{ "0xffffffffffffffff", GAN_YAML_INT, "18446744073709551615" },
	{ "0x1ffffffffffffffff", GAN_YAML_INT, "\"0x1ffffffffffffffff\"" },
	{ "0o1777777777777777777777", GAN_YAML_INT, "18446744073709551615" },
	{ "0o2000000000000000000000", GAN_YAML_INT, "\"0o2000000000000000000000\"" },
	{ "0o8", GAN_YAML_STR, "\"0o8\"" },
	{ "123456789012345678901234567890", GAN_YAML_INT, "123456789012345678901234567890" },
	{ "12.50", GAN_YAML_FLOAT, "12.50" },
	{ "-.5", GAN_YAML_FLOAT, "-0.5" },
	{ "1.", GAN_YAML_FLOAT, "1" },
	{ "01.e+5", GAN_YAML_FLOAT, "1e+5" },
	{ "1e3", GAN_YAML_FLOAT, "1e3" },
	{ ".", GAN_YAML_STR, "\".\"" },
	{ "1e", GAN_YAML_STR, "\"1e\"" },
	{ "-.inf", GAN_YAML_FLOAT, "\"-.inf\"" },
	{ ".NaN", GAN_YAML_FLOAT, "\".NaN\"" },
	{ "1_000", GAN_YAML_STR, "\"1_000\"" },
	{ "12:30:45", GAN_YAML_STR, "\"12:30:45\"" },
	{ "2026-11-21", GAN_YAML_STR, "\"2026-11-21\"" },
	{ "\"12\"", GAN_YAML_STR, "\"12\"" },
	{ "'true'", GAN_YAML_STR, "\"true\"" },
	{ "\"a\\u00e9\\n\\0b\"", GAN_YAML_STR, "\"a\xc3\xa9\\n\\u0000b\"" },
};

START_TEST(plain_scalars_follow_the_core_schema)
{
	struct gan_buf json GAN_AUTO(gan_buf_fini) = { 0 };
	char *text GAN_AUTO(gan_str_free) = gan_asprintf("k: %s\n", scalars[_i].text);
	const struct gan_yaml_node *n = gan_yaml_get(parse(text), "k");

	ck_assert_int_eq(n->kind, scalars[_i].kind);
	gan_yaml_json(n, &json);
	ck_assert_str_eq(json.data, scalars[_i].json);
}
END_TEST

START_TEST(keys_are_texts_whatever_they_look_like)
{
	struct gan_buf json GAN_AUTO(gan_buf_fini) = { 0 };

	gan_yaml_json(parse("no: 1\n1: [a, {true: ~}]\n'': x\n"), &json);
	ck_assert_str_eq(json.data, "{\"no\":1,\"1\":[\"a\",{\"true\":null}],\"\":\"x\"}");
}
END_TEST

START_TEST(positions_are_those_of_the_values)
{
	const struct gan_yaml_node *root = parse("\xef\xbb\xbf"
						 "a: 1\r\n"
						 "\xc3\xa9\t: {b: \"x\\ty\",\r\n  c: [1, 2]}\r\n"
						 "n:\n");
	const struct gan_yaml_node *e = gan_yaml_get(root, "\xc3\xa9");
	const struct gan_yaml_node *c = gan_yaml_get(e, "c");

	ck_assert_int_eq(e->line, 2);
	ck_assert_int_eq(e->col, 5);
	ck_assert_int_eq(e->end_line, 3);
	ck_assert_int_eq(gan_yaml_get(e, "b")->col, 9);
	ck_assert_int_eq(c->key->line, 3);
	ck_assert_int_eq(c->key->col, 3);
	ck_assert_int_eq(c->child->next->col, 10);
	ck_assert_uint_eq(c->nchild, 2);
	/* an empty value has no place of its own */
	ck_assert_int_eq(gan_yaml_get(root, "n")->line, 4);
	ck_assert_int_eq(gan_yaml_get(root, "n")->col, 1);
}
END_TEST

/* A block's line is its first line of content, its col that of the content's margin. */
static const struct {
	const char *text, *content;
	int line, col;
} blocks[] = {
	{ "m: |\n  a\n   b\n", "a\n b\n", 2, 3 },
	{ "m: |\n\n   a\n", "\na\n", 2, 4 },
	{ "m: |2 # note\n   a\n  b\n", " a\nb\n", 2, 3 },
	{ "m: >-\n    a\n    b\n", "a b", 2, 5 },
	{ "x:\n  m: |\n      a\n", "a\n", 3, 7 },
	{ "m: |\r\n  a\r\n", "a\n", 2, 3 },
	{ "m: |+\n\n\nz: 1\n", "\n\n", 2, 1 },
	{ "m: |\n  # jq comment\n  .\n", "# jq comment\n.\n", 2, 3 },
};

START_TEST(blocks_start_at_their_content)
{
	const struct gan_yaml_node *n = parse(blocks[_i].text);

	if (gan_yaml_get(n, "x") != NULL)
		n = gan_yaml_get(n, "x");
	n = gan_yaml_get(n, "m");
	ck_assert(n->block);
	ck_assert_str_eq(n->text, blocks[_i].content);
	ck_assert_int_eq(n->line, blocks[_i].line);
	ck_assert_int_eq(n->col, blocks[_i].col);
}
END_TEST

static const struct {
	const char *text, *msg;
} refusals[] = {
	{ "a: 1\nb: 2\na: 3\n", "t.yaml:3:1: error: duplicate key 'a', first set on line 1\n"
				"    3 | a: 3\n      | ^" },
	{ "x: {k: 1, \"k\": 2}\n", "t.yaml:1:11: error: duplicate key 'k', first set on line 1\n"
				   "    1 | x: {k: 1, \"k\": 2}\n      |           ^" },
	{ "a: &x 1\n", "t.yaml:1:4: error: anchors (&name) are not allowed\n"
		       "    1 | a: &x 1\n      |    ^" },
	{ "a: *x\n", "t.yaml:1:4: error: aliases (*name) are not allowed, write the value out\n"
		     "    1 | a: *x\n      |    ^" },
	{ "a: !!str 1\n",
	    "t.yaml:1:4: error: tags (!name) are not allowed, put a text into quotes\n"
	    "    1 | a: !!str 1\n      |    ^" },
	{ "a: 1\n---\nb: 2\n", "t.yaml:2:1: error: a second document: one file holds one document\n"
			       "    2 | ---\n      | ^" },
	{ "? [a]\n: b\n", "t.yaml:1:3: error: a key must be a text on one line\n"
			  "    1 | ? [a]\n      |   ^" },
	{ "a:\n\tb: 1\n", "t.yaml:2:1: error: tab character may not be used as indentation\n"
			  "    2 |  b: 1\n      | ^" },
	{ "a: b: c\n", "t.yaml:1:5: error: invalid nested block mapping on the same line; put the "
		       "text into quotes, or behind '|' on its own lines\n"
		       "    1 | a: b: c\n      |     ^" },
	{ "a: b\n  c: d\n",
	    "t.yaml:1:4: error: invalid multiline plain key; a line below is indented too far, or "
	    "with a tab\n    1 | a: b\n      |    ^" },
	{ "a: \"b\" + c\n",
	    "t.yaml:1:8: error: invalid trailing content after double-quoted scalar; put the whole "
	    "into quotes, or behind '|' on its own lines\n    1 | a: \"b\" + c\n      |        ^" },
	{ "a: \"\xff\"\n", "t.yaml:1:5: error: byte 0xff is not UTF-8, save the file as UTF-8\n"
			   "    1 | a: \"?\"\n      |     ^" },
	{ "a: \"\\ud800\"\n", NULL },
	{ "\x1b[0m: 1\n", "t.yaml:1:1: error: control character 0x1b is not allowed\n"
			  "    1 | ?[0m: 1\n      | ^" },
	{ "a: \"x\n", NULL },
	{ "{a: 1}}\n", NULL },
	{ "%YAML 3.0\n---\na: 1\n", NULL },
};

START_TEST(what_is_refused_says_where)
{
	const char *text = refusals[_i].text;

	ck_assert_int_eq(gan_yaml_parse("t.yaml", text, strlen(text), &doc, &err), GAN_EPARSE);
	if (refusals[_i].msg != NULL)
		ck_assert_str_eq(err.msg, refusals[_i].msg);
	else
		ck_assert_ptr_nonnull(strstr(err.msg, ": error: "));
	ck_assert_ptr_null(doc);
}
END_TEST

START_TEST(a_nul_byte_does_not_end_the_file)
{
	refused("a: 1\0b: 2\n", 10, GAN_EPARSE,
	    "t.yaml:1:5: error: control character 0x00 is not allowed\n"
	    "    1 | a: 1?b: 2\n      |     ^");
}
END_TEST

START_TEST(an_empty_document_has_no_root)
{
	ck_assert_ptr_null(parse(""));
	ck_assert_ptr_null(parse("# only a comment\n"));
}
END_TEST

START_TEST(depth_and_size_are_bounded)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	for (int i = 0; i < GAN_YAML_DEPTH; i++)
		gan_buf_putc(&b, '[');
	for (int i = 0; i < GAN_YAML_DEPTH; i++)
		gan_buf_putc(&b, ']');
	(void)parse(b.data);
	gan_buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		gan_buf_putc(&b, '[');
	gan_yaml_free(&doc);
	ck_assert_int_eq(gan_yaml_parse("t.yaml", b.data, b.len, &doc, &err), GAN_ELIMIT);
	ck_assert_ptr_nonnull(strstr(err.msg, "t.yaml:1:65: error: nested deeper than 64 levels"));
	gan_buf_clear(&b);
	for (int i = 0; i <= GAN_YAML_NODES; i++)
		gan_buf_puts(&b, "- 1\n");
	gan_yaml_free(&doc);
	ck_assert_int_eq(gan_yaml_parse("t.yaml", b.data, b.len, &doc, &err), GAN_ELIMIT);
	ck_assert_ptr_nonnull(strstr(err.msg, "t.yaml:100000:3: error: more than 100000 values"));
}
END_TEST

/* Read on the loop: a large file must not take longer than a small one for each of its values. */
START_TEST(many_values_are_read_in_linear_time)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	clock_t start;

	for (int i = 0; i < 45000; i++)
		gan_buf_printf(&b, "key-%d: a text of some length\n", i);
	gan_yaml_free(&doc);
	start = clock();
	ck_assert_int_eq(gan_yaml_parse("t.yaml", b.data, b.len, &doc, &err), GAN_OK);
	ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 10);
	ck_assert_int_eq(gan_yaml_get(gan_yaml_root(doc), "key-44999")->line, 45000);
}
END_TEST

START_TEST(long_lines_are_cut_around_the_caret)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "%0200d: *x %0200d", 0, 0);
	ck_assert_int_eq(gan_yaml_parse("t.yaml", text, strlen(text), &doc, &err), GAN_EPARSE);
	ck_assert_ptr_nonnull(strstr(err.msg, "t.yaml:1:203: error: aliases"));
	ck_assert_ptr_nonnull(strstr(err.msg, "\n    1 | ...00000"));
	ck_assert_ptr_nonnull(strstr(err.msg, "000: *x 000"));
	/* the caret stands under the star */
	{
		const char *line = strstr(err.msg, "    1 | "), *next = strchr(line, '\n') + 1;

		ck_assert_int_eq(strchr(line, '*') - line, strchr(next, '^') - next);
	}
}
END_TEST

START_TEST(a_syntax_error_does_not_show_a_password)
{
	const char *text = "password: \"hunter2\\q\"\n";

	ck_assert_int_eq(gan_yaml_parse("t.yaml", text, strlen(text), &doc, &err), GAN_EPARSE);
	ck_assert_ptr_null(strstr(err.msg, "hunter2"));
	ck_assert_ptr_nonnull(strstr(err.msg, "(not shown: this line may hold a secret)"));
	text = "x: {token: secret:mv-token, y: *a}\n";
	ck_assert_int_eq(gan_yaml_parse("t.yaml", text, strlen(text), &doc, &err), GAN_EPARSE);
	ck_assert_ptr_nonnull(strstr(err.msg, "x: {token: secret:mv-token, y: *a}"));
}
END_TEST

/* A rule's `key` is no secret. */
START_TEST(a_syntax_error_in_a_rule_is_shown)
{
	const char *text = "from: a\nkey: \"po/\\q\"\n";

	ck_assert_int_eq(gan_yaml_parse("t.yaml", text, strlen(text), &doc, &err), GAN_EPARSE);
	ck_assert_ptr_nonnull(strstr(err.msg, "    2 | key: \"po/\\q\"\n"));
}
END_TEST

START_TEST(findings_are_a_list)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	const struct gan_yaml_node *root = parse("a: 1\nb: plain\n");

	gan_diag_node(&d, GAN_DIAG_WARNING, doc, gan_yaml_get(root, "a"), "so %d", 1);
	gan_diag_at(&d, GAN_DIAG_ERROR, doc, 2, 4, "bad");
	gan_diag_file(&d, GAN_DIAG_ERROR, "x.csv", "gone");
	ck_assert_uint_eq(d.errors, 2);
	ck_assert_uint_eq(d.warnings, 1);
	ck_assert_str_eq(d.first, "t.yaml:2:4: error: bad");
	ck_assert_str_eq(d.text.data, "t.yaml:1:4: warning: so 1\n    1 | a: 1\n      |    ^\n"
				      "t.yaml:2:4: error: bad\n    2 | b: plain\n      |    ^\n"
				      "x.csv: error: gone\n");
	gan_diags_fini(&d);
	gan_yaml_hide(doc, gan_yaml_get(root, "b"));
	gan_diag_at(&d, GAN_DIAG_ERROR, doc, 2, 4, "bad");
	ck_assert_str_eq(d.text.data,
	    "t.yaml:2:4: error: bad\n    2 | (not shown: this line may hold a secret)\n");
	gan_diags_fini(&d);
	for (int i = 0; i < 1000; i++)
		gan_diag_at(&d, GAN_DIAG_ERROR, doc, 1, 1, "again");
	ck_assert_uint_eq(d.errors, 1000);
	ck_assert_uint_lt(d.text.len, 10000);
}
END_TEST

/* Damage of every kind to a real text: an answer each time, and nothing on stderr. */
START_TEST(garbage_never_crashes)
{
	static const char seed_text[] = "a: &x [1, \"t\\u00e9\", {b: |\n  c\n}]\n? k\n: *x\n"
					"--- !t\n'q': >2-\n   z\n# c\n%T x\n\t- @\n...\n";
	char text[sizeof(seed_text)];
	unsigned rnd = 1;
	FILE *quiet = tmpfile();
	int saved = dup(2);

	ck_assert_ptr_nonnull(quiet);
	(void)fflush(stderr);
	(void)dup2(fileno(quiet), 2);
	for (int i = 0; i < 20000; i++) {
		size_t len;

		memcpy(text, seed_text, sizeof(text));
		for (int k = 0; k < 1 + i % 6; k++) {
			rnd = rnd * 1103515245u + 12345u;
			text[(rnd >> 8) % (sizeof(text) - 1)] =
			    seed_text[(rnd >> 18) % (sizeof(text) - 1)];
		}
		len = (size_t)i % sizeof(text);
		err.msg[0] = '\0';
		if (gan_yaml_parse("t.yaml", text, len, &doc, &err) != GAN_OK)
			ck_assert_msg(strncmp(err.msg, "t.yaml:", 7) == 0, "%s", err.msg);
		gan_yaml_free(&doc);
	}
	(void)fflush(stderr);
	(void)dup2(saved, 2);
	(void)close(saved);
	ck_assert_int_eq(lseek(fileno(quiet), 0, SEEK_END), 0);
	(void)fclose(quiet);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("yaml");
	TCase *tc = tcase_create("yaml");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, plain_scalars_follow_the_core_schema, 0, (int)GAN_COUNT(scalars));
	tcase_add_test(tc, keys_are_texts_whatever_they_look_like);
	tcase_add_test(tc, positions_are_those_of_the_values);
	tcase_add_loop_test(tc, blocks_start_at_their_content, 0, (int)GAN_COUNT(blocks));
	tcase_add_loop_test(tc, what_is_refused_says_where, 0, (int)GAN_COUNT(refusals));
	tcase_add_test(tc, a_nul_byte_does_not_end_the_file);
	tcase_add_test(tc, an_empty_document_has_no_root);
	tcase_add_test(tc, depth_and_size_are_bounded);
	tcase_add_test(tc, many_values_are_read_in_linear_time);
	tcase_add_test(tc, long_lines_are_cut_around_the_caret);
	tcase_add_test(tc, a_syntax_error_does_not_show_a_password);
	tcase_add_test(tc, a_syntax_error_in_a_rule_is_shown);
	tcase_add_test(tc, findings_are_a_list);
	tcase_add_test(tc, garbage_never_crashes);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
