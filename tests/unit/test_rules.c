/* SPDX-License-Identifier: MIT */
/*
 * test_rules.c - rule files: each bad one of tests/data/rules/bad is refused
 * with the words in the file beside it, each good one is loaded and green, and
 * so are the samples in etc/.
 *
 * With GANTRY_WRITE_EXPECTED set, the words are written instead of compared.
 */
#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "mapping/pool.h"
#include "mapping/rules.h"

#define DATA "tests/data/rules"

enum { DEADLINE_MS = 60000 };

static char dir[64];
static char *data_dir;
static uv_loop_t loop;
static struct gan_pool *pool;
static struct gan_config conf;
static struct gan_conf_source sources[2];
static struct gan_conf_connector connectors[2];

static int
knows(const struct gan_conf_connector *c, const char *operation, bool set, enum gan_on_unknown how,
    struct gan_err *err)
{
	(void)set;
	(void)how;
	if (strcmp(operation, "op") == 0)
		return GAN_OK;
	return gan_err_set(
	    err, GAN_ENOENT, "the connector '%s' has no operation '%s'", c->name, operation);
}

static const struct gan_rule_checks checks = { .knows = knows };

static int
knows_all(const struct gan_conf_connector *c, const char *operation, bool set,
    enum gan_on_unknown how, struct gan_err *err)
{
	(void)c;
	(void)operation;
	(void)set;
	(void)how;
	(void)err;
	return GAN_OK;
}

static const struct gan_rule_checks checks_all = { .knows = knows_all };

static void
setup(void)
{
	const struct gan_pool_options opt = {
		.workers = 1, .timeout_ms = 500, .memory = 256 << 20, .time_zone = "Europe/Lisbon"
	};
	struct gan_err err;

	(void)snprintf(dir, sizeof(dir), "/tmp/gantry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	data_dir = realpath(DATA, NULL);
	ck_assert_msg(data_dir != NULL, "run this from the top of the source tree");
	sources[0] = (struct gan_conf_source){ .name = (char *)"erp" };
	sources[1] = (struct gan_conf_source){ .name = (char *)"feed" };
	connectors[0] = (struct gan_conf_connector){ .name = (char *)"wms" };
	connectors[1] = (struct gan_conf_connector){ .name = (char *)"later" };
	conf = (struct gan_config){ .dir = data_dir,
		.sources = sources,
		.nsources = 2,
		.connectors = connectors,
		.nconnectors = 2 };
	conf.mapping.rules = gan_asprintf("%s/rules.d", dir);
	ck_assert_int_eq(mkdir(conf.mapping.rules, 0700), 0);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(gan_pool_open(&loop, &opt, &pool, &err), GAN_OK);
}

static void
teardown(void)
{
	char *cmd GAN_AUTO(gan_str_free) = gan_asprintf("rm -rf '%s'", dir);

	gan_pool_close(pool, NULL, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	free(conf.mapping.rules);
	free(data_dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void
put(const char *name, const char *text)
{
	char *path GAN_AUTO(gan_str_free) = gan_path_join(conf.mapping.rules, name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static char *
slurp(const char *path)
{
	char *data = NULL;
	size_t len;

	ck_assert_int_eq(gan_file_read(path, 1 << 20, &data, &len, NULL), GAN_OK);
	return data;
}

struct outcome {
	bool called, green;
	unsigned passed;
	struct gan_buf text;
};

static void
on_checked(void *arg, int rc, const struct gan_check_report *r)
{
	struct outcome *o = arg;

	o->called = true;
	if (rc != GAN_OK)
		return;
	o->green = r->green;
	o->passed = r->passed;
	gan_buf_puts(&o->text, r->d->text.data != NULL ? r->d->text.data : "");
}

static void
on_deadline(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

/* Load and check; the findings of both. */
static void
prove(const struct gan_rule_checks *how, struct outcome *o)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	bool late = false;
	uv_timer_t timer = { .data = &late };
	int rc = gan_rules_load(&conf, how, &set, &d);

	ck_assert(rc == GAN_OK || rc == GAN_ECONFIG);
	ck_assert_int_eq(rc == GAN_OK, d.errors == 0);
	gan_buf_puts(&o->text, d.text.data != NULL ? d.text.data : "");
	if (rc < 0)
		return;
	ck_assert_int_eq(gan_pool_check(pool, set, NULL, on_checked, o), GAN_OK);
	ck_assert_int_eq(uv_timer_init(&loop, &timer), 0);
	ck_assert_int_eq(uv_timer_start(&timer, on_deadline, DEADLINE_MS, 0), 0);
	while (!o->called && !late)
		(void)uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert(o->called);
}

static int
is_yaml(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

static void
check_bad(const char *name)
{
	char *path GAN_AUTO(gan_str_free) = gan_asprintf(DATA "/bad/%s", name);
	char *beside GAN_AUTO(gan_str_free) =
	    gan_asprintf(DATA "/bad/%.*s.txt", (int)strlen(name) - 5, name);
	char *text GAN_AUTO(gan_str_free) = slurp(path);
	struct outcome o = { 0 };

	put("r.yaml", text);
	prove(&checks, &o);
	ck_assert_msg(!o.green, "%s is green", name);
	if (getenv("GANTRY_WRITE_EXPECTED") != NULL) {
		FILE *f = fopen(beside, "w");

		ck_assert_ptr_nonnull(f);
		ck_assert_int_ge(fputs(o.text.data, f), 0);
		ck_assert_int_eq(fclose(f), 0);
	} else {
		char *expected GAN_AUTO(gan_str_free) = slurp(beside);

		ck_assert_msg(strcmp(o.text.data, expected) == 0, "%s: expected\n%s\ngot\n%s", name,
		    expected, o.text.data);
	}
	gan_buf_fini(&o.text);
}

START_TEST(bad_rules_are_refused_with_the_words_beside_them)
{
	struct dirent **names = NULL;
	int n = scandir(DATA "/bad", &names, is_yaml, alphasort);

	ck_assert_int_gt(n, 50);
	for (int i = 0; i < n; i++) {
		check_bad(names[i]->d_name);
		free(names[i]);
	}
	free(names);
}
END_TEST

START_TEST(good_rules_are_green)
{
	struct outcome o = { 0 };

	free(conf.mapping.rules);
	conf.mapping.rules = gan_path_join(data_dir, "good");
	prove(&checks, &o);
	ck_assert_str_eq(o.text.data, "");
	ck_assert(o.green);
	ck_assert_uint_ge(o.passed, 40);
	gan_buf_fini(&o.text);
}
END_TEST

START_TEST(the_samples_work_as_they_stand)
{
	struct gan_conf_source two[] = { { .name = (char *)"prodsmart" },
		{ .name = (char *)"erp", .kind = GAN_SOURCE_HTTP } };
	struct gan_conf_connector three[] = { { .name = (char *)"movilitas" },
		{ .name = (char *)"flex2b" } };
	struct outcome o = { 0 };

	free(conf.mapping.rules);
	free(data_dir);
	data_dir = realpath("etc", NULL);
	ck_assert_ptr_nonnull(data_dir);
	conf.dir = data_dir;
	conf.mapping.rules = gan_path_join(data_dir, "rules.d");
	conf.sources = two;
	conf.connectors = three;
	prove(&checks_all, &o);
	ck_assert_str_eq(o.text.data, "");
	ck_assert(o.green);
	ck_assert_uint_ge(o.passed, 15);
	gan_buf_fini(&o.text);
}
END_TEST

static const char plain[] = "rule: %s\nfrom: erp/a.*\nto: wms/op\nmap: .\n";

START_TEST(names_are_unique_and_both_files_named)
{
	struct outcome o = { 0 };
	char text[128];

	(void)snprintf(text, sizeof(text), plain, "same");
	put("10-a.yaml", text);
	put("20-b.yaml", text);
	prove(&checks, &o);
	ck_assert_str_eq(o.text.data,
	    "rules.d/20-b.yaml:1:7: error: the rule 'same' is already in rules.d/10-a.yaml; names "
	    "are unique\n    1 | rule: same\n      |       ^\n");
	gan_buf_fini(&o.text);
}
END_TEST

START_TEST(only_plain_yaml_files_are_rules_in_name_order)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	char *path GAN_AUTO(gan_str_free) = gan_asprintf("%s/40-dir.yaml", conf.mapping.rules);
	struct gan_buf json = { 0 };
	char text[128];

	ck_assert_int_eq(mkdir(path, 0700), 0);
	(void)snprintf(text, sizeof(text), plain, "b");
	put("20-b.yaml", text);
	(void)snprintf(text, sizeof(text), plain, "a");
	put("30-a.yaml", text);
	put(".hidden.yaml", "no rule");
	put("10.yaml~", "no rule");
	put("notes.txt", "no rule");
	put("50-c.yml", "no rule");
	ck_assert_int_eq(gan_rules_load(&conf, &checks, &set, &d), GAN_OK);
	ck_assert_str_eq(d.text.data,
	    "rules.d/40-dir.yaml: warning: not read: this is no regular file\n"
	    "rules.d/50-c.yml: warning: not read: the names of rule files end in .yaml\n");
	ck_assert_int_eq(gan_rules_json(set, &json), GAN_OK);
	ck_assert_str_eq(json.data,
	    "[{\"name\":\"b\",\"file\":\"rules.d/20-b.yaml\",\"from\":[\"erp/a.*\"],"
	    "\"to\":\"wms/op\",\"enabled\":true,\"tests\":0,\"description\":null},"
	    "{\"name\":\"a\",\"file\":\"rules.d/30-a.yaml\",\"from\":[\"erp/a.*\"],"
	    "\"to\":\"wms/op\",\"enabled\":true,\"tests\":0,\"description\":null}]");
	ck_assert(gan_rules_listen(set, "erp", "a.b"));
	ck_assert(!gan_rules_listen(set, "erp", "b"));
	ck_assert(!gan_rules_listen(set, "er", "p/a.b"));
	ck_assert_ptr_nonnull(gan_rules_find(set, "a"));
	ck_assert_ptr_null(gan_rules_find(set, "c"));
	gan_buf_fini(&json);
}
END_TEST

START_TEST(globs_match_across_the_slash)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;

	put("a.yaml", "rule: a\nfrom: '*'\nto: wms/op\nmap: .\n");
	put("b.yaml", "rule: b\nfrom: [e*/x, 'erp/y?']\nto: wms/op\nmap: .\n");
	put("c.yaml", "rule: c\nenabled: false\nfrom: '*/*'\nto: wms/op\nmap: .\n");
	put("d.yaml", "rule: d\nfrom: [answers/wms/op.delivered, feed/x]\nto: wms/op\nmap: .\n");
	ck_assert_int_eq(gan_rules_load(&conf, &checks, &set, &d), GAN_OK);
	ck_assert_uint_eq(d.warnings, 0);
	ck_assert(gan_rule_listens(&set->rules[0], "any", "thing/at.all"));
	ck_assert(gan_rule_listens(&set->rules[1], "erp", "x"));
	ck_assert(gan_rule_listens(&set->rules[1], "erp", "y1"));
	ck_assert(!gan_rule_listens(&set->rules[1], "erp", "y"));
	ck_assert(!gan_rule_listens(&set->rules[2], "erp", "y"));
	/* Gantry's own source has to be named. */
	ck_assert(!gan_rule_listens(&set->rules[0], "answers", "wms/op.delivered"));
	ck_assert(gan_rule_listens(&set->rules[3], "answers", "wms/op.delivered"));
	ck_assert(!gan_rule_listens(&set->rules[3], "answers", "wms/op.dead"));
}
END_TEST

static const struct {
	const char *from, *error; /* NULL: good */
} answers_from[] = {
	{ "answers/wms/op.delivered", NULL },
	{ "answers/wms/op.dead", NULL },
	{ "answers/*", NULL },
	{ "answers/*.dead", NULL },
	{ "answers/wms/*", NULL },
	{ "answers/wm?/op.d*", NULL },
	{ "answers/wms/op.deliver??", NULL },
	{ "answers/wms/op",
	    "'from' of answers is answers/connector/operation.delivered, or .dead" },
	{ "answers/op.delivered", "'from' of answers is answers/connector/operation" },
	{ "answers/wms/op.sent", "'from' of answers is answers/connector/operation" },
	{ "answers/*.deliverd", "'from' of answers is answers/connector/operation" },
	{ "answers/wmx/op.dead",
	    "there is no connector 'wmx' that could answer, did you mean 'wms'?" },
	{ "answers/what/op.dead", "there is no connector 'what' that could answer in gantry.yaml" },
	{ "answers/q?/op.dead", "there is no connector 'q?' that could answer" },
	{ "answers/wms/opp.dead", "the connector 'wms' has no operation 'opp'" },
};

START_TEST(what_answers_come_from_exists)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	const char *error = answers_from[_i].error;
	char text[160];

	(void)snprintf(
	    text, sizeof(text), "rule: a\nfrom: '%s'\nto: wms/op\nmap: .\n", answers_from[_i].from);
	put("a.yaml", text);
	ck_assert_int_eq(
	    gan_rules_load(&conf, &checks, &set, &d), error == NULL ? GAN_OK : GAN_ECONFIG);
	ck_assert_msg(error == NULL || strstr(d.text.data, error) != NULL, "%s", d.text.data);
	ck_assert_msg(error == NULL || strstr(d.text.data, "rules.d/a.yaml:2:7: error") != NULL,
	    "%s", d.text.data);
}
END_TEST

START_TEST(a_packed_set_is_the_same_set)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL,
			      *again GAN_AUTO(gan_rules_unref) = NULL;
	GAN_AUTO(gan_buf_fini) struct gan_buf blob = { 0 }, blob2 = { 0 };
	char *good = gan_path_join(data_dir, "good"), *none = gan_path_join(data_dir, "none");

	free(conf.mapping.rules);
	conf.mapping.rules = good;
	ck_assert_int_eq(gan_rules_load(&conf, &checks, &set, &d), GAN_OK);
	ck_assert_int_eq(gan_rules_pack(set, &blob), GAN_OK);
	conf.mapping.rules = none; /* the folder is not needed any more */
	conf.dir = none;
	ck_assert_int_eq(gan_rules_unpack(&conf, &checks, blob.data, blob.len, &again, &d), GAN_OK);
	ck_assert_uint_eq(again->nrules, set->nrules);
	for (size_t i = 0; i < set->nrules; i++) {
		ck_assert_str_eq(again->rules[i].name, set->rules[i].name);
		ck_assert_str_eq(again->rules[i].file, set->rules[i].file);
		ck_assert_mem_eq(again->rules[i].hash, set->rules[i].hash, 32);
	}
	ck_assert_int_eq(gan_rules_pack(again, &blob2), GAN_OK);
	ck_assert_uint_eq(blob.len, blob2.len);
	ck_assert_mem_eq(blob.data, blob2.data, blob.len);
	for (size_t n = 0; n < blob.len; n += 97) {
		struct gan_rules *cut = NULL;

		ck_assert_int_eq(
		    gan_rules_unpack(&conf, &checks, blob.data, n, &cut, &d), GAN_ECONFIG);
		ck_assert_ptr_null(cut);
	}
	free(good);
}
END_TEST

START_TEST(the_hash_is_of_what_the_program_depends_on)
{
	static const char *const variants[] = {
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .a\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\nkey: .a\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\neffect: .a\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\nwhen: .a\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\nafter: .a\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\nkey: .a\nnewest: .a\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\nkey: .a\nafter: .a\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\nsettings: {a: 1}\n",
		"rule: r\nfrom: erp/a\nto: wms/op\nmap: .\ntables: {t: lookups/two.csv}\n",
		/* the same program as the first */
		"rule: other\nfrom: erp/b\nto: wms/op\ndescription: d\nmap: .\n",
	};
	unsigned char hashes[GAN_COUNT(variants)][32];

	for (size_t i = 0; i < GAN_COUNT(variants); i++) {
		struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
		struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;

		put("r.yaml", variants[i]);
		ck_assert_int_eq(gan_rules_load(&conf, &checks, &set, &d), GAN_OK);
		memcpy(hashes[i], set->rules[0].hash, 32);
		for (size_t k = 0; k < i; k++)
			ck_assert_int_eq(memcmp(hashes[k], hashes[i], 32) == 0,
			    k == 0 && i == GAN_COUNT(variants) - 1);
	}
}
END_TEST

START_TEST(links_may_not_lead_out)
{
	char *link GAN_AUTO(gan_str_free) = gan_asprintf("%s/lookups", dir);
	struct outcome o = { 0 };

	conf.dir = dir;
	ck_assert_int_eq(symlink("/etc", link), 0);
	put("r.yaml", "rule: r\nfrom: erp/a\nto: wms/op\nmap: .\ntables: {t: lookups/passwd}\n");
	prove(&checks, &o);
	ck_assert_msg(
	    strstr(o.text.data, "'lookups/passwd' leads out of the folder of gantry.yaml") != NULL,
	    "%s", o.text.data);
	gan_buf_fini(&o.text);
}
END_TEST

/* Neither named, nor by a link that poses as a rule: its text would be in the excerpt. */
START_TEST(no_rule_reads_secrets_or_the_database)
{
	char *secrets GAN_AUTO(gan_str_free) = gan_asprintf("%s/secrets", dir);
	char *database GAN_AUTO(gan_str_free) = gan_asprintf("%s/gantry.db", dir);
	char *link GAN_AUTO(gan_str_free) = gan_asprintf("%s/rules.d/link.yaml", dir);
	struct outcome o = { 0 };

	conf.dir = dir;
	conf.secrets_dir = secrets;
	conf.store.path = database;
	ck_assert_int_eq(mkdir(secrets, 0700), 0);
	put("../secrets/token", "user,password\nerp,hunter2\n");
	put("../gantry.db", "a,b\n1,2\n");
	ck_assert_int_eq(symlink("../secrets/token", link), 0);
	put("r.yaml",
	    "rule: r\nfrom: erp/a\nto: wms/op\nmap: .\ntables: {t: secrets/token, u: gantry.db}\n"
	    "tests: [{name: t, event_file: secrets/token}]\n");
	prove(&checks, &o);
	ck_assert_msg(strstr(o.text.data,
			  "rules.d/link.yaml: error: 'rules.d/link.yaml' lies in the folder of "
			  "secrets: no rule may read it") != NULL,
	    "%s", o.text.data);
	ck_assert_msg(
	    strstr(o.text.data, "error: 'secrets/token' lies in the folder") != NULL &&
		strstr(o.text.data, "error: 'gantry.db' is the database of gantryd") != NULL,
	    "%s", o.text.data);
	ck_assert_msg(strstr(o.text.data, "hunter2") == NULL, "%s", o.text.data);
	gan_buf_fini(&o.text);
}
END_TEST

START_TEST(a_missing_folder_is_told)
{
	struct outcome o = { 0 };

	ck_assert_int_eq(rmdir(conf.mapping.rules), 0);
	prove(&checks, &o);
	ck_assert_ptr_nonnull(strstr(o.text.data, "create it or change mapping.rules"));
	gan_buf_fini(&o.text);
}
END_TEST

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--mapper") == 0)
		return gan_worker_main(argc, argv);
	Suite *s = suite_create("rules");
	TCase *tc = tcase_create("rules");

	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bad_rules_are_refused_with_the_words_beside_them);
	tcase_add_test(tc, good_rules_are_green);
	tcase_add_test(tc, the_samples_work_as_they_stand);
	tcase_add_test(tc, names_are_unique_and_both_files_named);
	tcase_add_test(tc, only_plain_yaml_files_are_rules_in_name_order);
	tcase_add_test(tc, globs_match_across_the_slash);
	tcase_add_loop_test(tc, what_answers_come_from_exists, 0, (int)GAN_COUNT(answers_from));
	tcase_add_test(tc, a_packed_set_is_the_same_set);
	tcase_add_test(tc, the_hash_is_of_what_the_program_depends_on);
	tcase_add_test(tc, links_may_not_lead_out);
	tcase_add_test(tc, no_rule_reads_secrets_or_the_database);
	tcase_add_test(tc, a_missing_folder_is_told);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
