/* SPDX-License-Identifier: MIT */
/* test_pool.c - real worker processes: what rules make, and what they cannot do. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mapping/pool.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { DEADLINE_MS = 60000 };

static char dir[64];
static uv_loop_t loop;
static struct gan_pool *pool;
static struct gan_config conf;
static struct gan_conf_source source;
static struct gan_conf_connector connector;
static struct gan_pool_options opt;

/* What came back of one event, as text: "name: outputs" lines. */
struct answer {
	bool called;
	int rc;
	struct gan_buf text;
};

static int
knows(const struct gan_conf_connector *c, const char *operation, bool set, enum gan_on_unknown how,
    struct gan_err *err)
{
	(void)c;
	(void)set;
	(void)how;
	if (strcmp(operation, "op") == 0)
		return GAN_OK;
	return gan_err_set(err, GAN_ENOENT, "no operation '%s'", operation);
}

static const struct gan_rule_checks checks = { .knows = knows };

static void
write_file(const char *name, const char *text)
{
	char *path GAN_AUTO(gan_str_free) = gan_asprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void
setup(void)
{
	char path[96];
	struct gan_err err;

	(void)snprintf(dir, sizeof(dir), "/tmp/gantry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/rules.d", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	source = (struct gan_conf_source){ .name = (char *)"erp", .kind = GAN_SOURCE_HTTP };
	connector = (struct gan_conf_connector){ .name = (char *)"wms" };
	conf = (struct gan_config){ .dir = dir,
		.sources = &source,
		.nsources = 1,
		.connectors = &connector,
		.nconnectors = 1 };
	conf.mapping.rules = gan_memdup(path, strlen(path));
	opt = (struct gan_pool_options){
		.workers = 2, .timeout_ms = 1000, .memory = 256 << 20, .time_zone = "Europe/Lisbon"
	};
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(gan_pool_open(&loop, &opt, &pool, &err), GAN_OK);
}

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

static void
teardown(void)
{
	char *cmd GAN_AUTO(gan_str_free) = gan_asprintf("rm -rf '%s'", dir);
	bool closed = false;

	if (pool != NULL) {
		gan_pool_close(pool, on_closed, &closed);
		(void)uv_run(&loop, UV_RUN_DEFAULT);
		ck_assert(closed);
	}
	pool = NULL;
	ck_assert_int_eq(uv_loop_close(&loop), 0); /* no handle is left */
	free(conf.mapping.rules);
	ck_assert_int_eq(system(cmd), 0);
}

/* One rule: its map as a block, and whatever other keys. */
static void
put_rule(const char *name, const char *more, const char *map)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };
	char file[64];

	gan_buf_printf(&b, "rule: %s\nfrom: erp/*\nto: wms/op\n%smap: |\n  ", name, more);
	for (; *map != '\0'; map++) {
		gan_buf_putc(&b, *map);
		if (*map == '\n')
			gan_buf_puts(&b, "  ");
	}
	(void)snprintf(file, sizeof(file), "rules.d/%s.yaml", name);
	write_file(file, b.data);
}

static struct gan_rules *
load(void)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *set = NULL;
	int rc = gan_rules_load(&conf, &checks, &set, &d);

	ck_assert_msg(rc == GAN_OK, "%s", d.text.data);
	return set;
}

static void
on_mapped(void *arg, int rc, const struct gan_map_result *results, size_t n)
{
	struct answer *a = arg;

	a->called = true;
	a->rc = rc;
	for (size_t i = 0; i < n; i++) {
		const struct gan_map_result *r = &results[i];

		gan_buf_printf(&a->text, "%s:", r->rule->name);
		if (r->reject != NULL)
			gan_buf_printf(&a->text, " reject %s", r->reject);
		for (size_t k = 0; k < r->noutputs; k++) {
			const struct gan_map_output *o = &r->outputs[k];

			ck_assert_uint_eq(strlen(o->body), o->body_len);
			gan_buf_printf(&a->text, " %.400s", o->body);
			if (o->key != NULL)
				gan_buf_printf(&a->text, " key=%s", o->key);
			if (o->effect != NULL)
				gan_buf_printf(&a->text, " effect=%s", o->effect);
			for (size_t m = 0; m < o->nafter; m++)
				gan_buf_printf(&a->text, " after=%s", o->after[m]);
			if (o->newest != NULL)
				gan_buf_printf(&a->text, " newest=%s", o->newest);
		}
		gan_buf_putc(&a->text, '\n');
	}
}

static void
on_deadline(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

static void
run_until(const bool *flag)
{
	bool late = false;
	uv_timer_t timer = { .data = &late };

	ck_assert_int_eq(uv_timer_init(&loop, &timer), 0);
	ck_assert_int_eq(uv_timer_start(&timer, on_deadline, DEADLINE_MS, 0), 0);
	while (!*flag && !late)
		(void)uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_msg(*flag, "nothing came within the deadline");
}

static void
start(struct gan_rules *set, const char *body, struct answer *a)
{
	const struct gan_map_event ev = { .id = 1,
		.received_ms = 1750000000000,
		.source = "erp",
		.topic = "a.b",
		.topic_raw = "A/B",
		.meta = " { \"triggered_at\": \"2026-01-02T00:00:00Z\", \"source\": \"forged\" } ",
		.body = body,
		.body_len = strlen(body) };
	size_t rules[64];

	for (size_t i = 0; i < set->nrules; i++)
		rules[i] = i;
	ck_assert_int_eq(gan_pool_map(pool, set, rules, set->nrules, &ev, on_mapped, a), GAN_OK);
	ck_assert(!a->called);
}

static void
maps(struct gan_rules *set, const char *body, const char *expected)
{
	struct answer a = { 0 };

	start(set, body, &a);
	run_until(&a.called);
	ck_assert_int_eq(a.rc, GAN_OK);
	ck_assert_str_eq(a.text.data, expected);
	gan_buf_fini(&a.text);
}

/* For runaways, whose end nobody wants to wait for. */
static void
hurry(void)
{
	struct gan_err err;

	opt.timeout_ms = 1000;
	ck_assert_int_eq(gan_pool_tune(pool, &opt, &err), GAN_OK);
}

static void
clear_rules(void)
{
	char *cmd GAN_AUTO(gan_str_free) = gan_asprintf("rm -f '%s'/rules.d/*", dir);

	ck_assert_int_eq(system(cmd), 0);
}

/* One rule of this map gives that; the rule is called r. */
static void
gives(const char *map, const char *body, const char *expected)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };

	clear_rules();
	put_rule("r", "", map);
	set = load();
	gan_buf_printf(&b, "r:%s\n", expected);
	maps(set, body, b.data);
}

START_TEST(rules_make_requests)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;

	write_file("t.csv", "k,v\nDMG,destroy\n");
	put_rule("a",
	    "when: .go == true\nkey: '\"k/\" + .n'\neffect: '\"e/\" + $event.x'\n"
	    "after: ['\"a/\" + .n', '\"b\"']\nsettings: {m: EU}\ntables: {t: t.csv}\n",
	    ".list[] | {n: ., m: $settings.m, t: lookup(\"t\"; \"DMG\")} # comment");
	put_rule("b", "", "{meta: $meta, same: (. == $event)}");
	put_rule("c", "", "reject(\"no \\(.x)\"), 1");
	put_rule("d", "", "empty");
	set = load();
	maps(set, "{\"go\":true,\"x\":\"X\",\"list\":[\"1\",\"2\"]}",
	    "a: {\"n\":\"1\",\"m\":\"EU\",\"t\":\"destroy\"} key=k/1 effect=e/X after=a/1 after=b"
	    " {\"n\":\"2\",\"m\":\"EU\",\"t\":\"destroy\"} key=k/2 effect=e/X after=a/2 after=b\n"
	    "b: {\"meta\":{\"triggered_at\":\"2026-01-02T00:00:00Z\",\"source\":\"erp\","
	    "\"id\":\"e0000000000001\",\"topic\":\"a.b\",\"topic_raw\":\"A/B\","
	    "\"received_at\":\"2025-06-15T15:06:40.000Z\"},\"same\":true}\n"
	    "c: reject no X\n"
	    "d:\n");
	maps(set, "{\"go\":1,\"x\":\"Y\"}",
	    "a:\n"
	    "b: {\"meta\":{\"triggered_at\":\"2026-01-02T00:00:00Z\",\"source\":\"erp\","
	    "\"id\":\"e0000000000001\",\"topic\":\"a.b\",\"topic_raw\":\"A/B\","
	    "\"received_at\":\"2025-06-15T15:06:40.000Z\"},\"same\":true}\n"
	    "c: reject no Y\n"
	    "d:\n");
}
END_TEST

START_TEST(all_outputs_or_none)
{
	gives("1, 2, error(\"late\")", "{}", " reject late");
	gives("1, reject({a: 1})", "{}", " reject {\"a\":1}");
	gives("1, .a.b.c", "{\"a\":[]}", " reject Cannot index array with string \"b\"");
	gives("error({gantry: \"reject\"})", "{}", " reject no reason was given");
	gives("1, error(null)", "{}", " reject error(null)");
	gives("null | error", "{}", " reject error(null)");
	gives("range(1000)|select(. == 999)", "{}", " 999");
	gives("range(1001)", "{}", " reject more than 1000 outputs");
	gives("\"0123456789\" * 1000 | range(500) as $i | .", "{}",
	    " reject more than 4 MiB of output");
	gives("[., nan]", "{}", " reject a number in the output is not finite");
	gives("reduce range(70) as $i (0; [.])", "{}",
	    " reject the output is nested deeper than 64 levels");
}
END_TEST

START_TEST(newest_is_one_text_beside_what_it_comes_after)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;

	put_rule("a", "key: .k\nnewest: .at\n", "{k: \"k\", at}");
	put_rule("b", "key: .k\nafter: [.k, '\"b\"']\nnewest: '.at'\n", "{k: \"k\", at}");
	set = load();
	maps(set, "{\"at\":\"2026\"}",
	    "a: {\"k\":\"k\",\"at\":\"2026\"} key=k newest=2026\n"
	    "b: {\"k\":\"k\",\"at\":\"2026\"} key=k after=k after=b newest=2026\n");
	maps(set, "{\"at\":7}",
	    "a: reject 'newest' must give a text, not number\n"
	    "b: reject 'newest' must give a text, not number\n");
}
END_TEST

START_TEST(keys_are_short_single_texts)
{
	static const struct {
		const char *key, *event, *expected;
	} cases[] = {
		{ ".a", "{\"a\":\"k\"}", "r: {} key=k\n" },
		{ ".a", "{\"a\":1}", "r: reject 'key' must give a text, not number\n" },
		{ ".a", "{}", "r: reject 'key' must give a text, not null\n" },
		{ ".a", "{\"a\":\"\"}", "r: reject 'key' is empty\n" },
		{ ".a", "{\"a\":\"x\\ny\"}", "r: reject 'key' holds a control character\n" },
		{ ".a", "{\"a\":\"x\\u0000\"}", "r: reject 'key' holds a control character\n" },
		{ ".a,.a", "{\"a\":\"k\"}", "r: reject 'key' must give one value, not 2\n" },
		{ "empty", "{}", "r: reject 'key' must give one value, not 0\n" },
		{ "\"k\" * 201", "{}", "r: reject 'key' is too long (at most 200 bytes)\n" },
	};
	for (size_t i = 0; i < GAN_COUNT(cases); i++) {
		struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
		char more[128];

		(void)snprintf(more, sizeof(more), "key: '$event | %s'\n", cases[i].key);
		put_rule("r", more, "{}");
		set = load();
		maps(set, cases[i].event, cases[i].expected);
	}
}
END_TEST

START_TEST(when_gives_one_value)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;

	put_rule("r", "when: .[]\n", "{}");
	set = load();
	maps(set, "[true]", "r: {}\n");
	maps(set, "[null]", "r:\n");
	maps(set, "[1,2]", "r: reject 'when' must give one value, not 2\n");
	maps(set, "[]", "r: reject 'when' must give one value, not 0\n");
}
END_TEST

START_TEST(closed_functions_stay_closed)
{
	/* The text is looked through at load; what gets past it is closed in the worker, too. */
	gives(".a[.b]", "{\"a\":{\"env\":1},\"b\":\"env\"}", " 1");
	gives("{now: .now, env: 1, input}|.now", "{\"now\":2}", " 2");
	gives("builtins | length > 0", "{}", " true");
}
END_TEST

START_TEST(uuids_cannot_be_forged)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;

	/* of "S1/12345678/PH/0" */
	gives("{id: uuid5(.n), same: .}", "{\"n\":\"S1/12345678/PH/0\"}",
	    " {\"id\":\"1fa6f960-96e0-53a4-b78f-52f8bbc57c5b\","
	    "\"same\":{\"n\":\"S1/12345678/PH/0\"}}");
	gives("uuid5(\"x\") | keys_unsorted[0] | length > 20", "{}", " true");
	gives("[., (uuid5(\"x\") | type)]", "{\"$gantry:uuid5\":\"x\"}",
	    " [{\"$gantry:uuid5\":\"x\"},\"object\"]");
	gives("\"a\" + uuid5(\"x\")", "{}",
	    " reject string (\"a\") and object ({\"uuid5...) cannot be added");
	gives("uuid5(\"x\") | tojson", "{}",
	    " reject uuid5(...) must stand as a whole value, not inside a text or beside other "
	    "keys");
	gives("uuid5(\"x\") + {a: 1}", "{}",
	    " reject uuid5(...) must stand as a whole value, not inside a text or beside other "
	    "keys");
	gives("uuid5(1)", "{}", " reject uuid5 needs a text, not 1");
	put_rule("r", "key: uuid5(\"S1/12345678/PH/0\")\n", "{}");
	set = load();
	maps(set, "{}", "r: {} key=1fa6f960-96e0-53a4-b78f-52f8bbc57c5b\n");
}
END_TEST

START_TEST(numbers_do_not_change_silently)
{
	static const char big[] = "{\"a\":[1.50,337370000000000003]}";
	struct gan_err err;

	gives(".a", big,
	    " reject the number 337370000000000003 at /a/1 would change (mapping.numbers: exact); "
	    "let the sender write it as a text, or set mapping.numbers: text");
	opt.numbers = GAN_NUMBERS_TEXT;
	ck_assert_int_eq(gan_pool_tune(pool, &opt, &err), GAN_OK);
	gives(".a", big, " [1.5,\"337370000000000003\"]");
	opt.numbers = GAN_NUMBERS_DOUBLE;
	ck_assert_int_eq(gan_pool_tune(pool, &opt, &err), GAN_OK);
	gives(".a[0]", big, " 1.5");
}
END_TEST

START_TEST(plant_time_is_the_zone_of_the_site)
{
	gives("\"20240601\" | date8 | utc", "{}", " \"2024-05-31T23:00:00Z\"");
	gives("\"2024-12-01T08:00:00\" | utc", "{}", " \"2024-12-01T08:00:00Z\"");
	gives("\"2024-06-01T08:00:00.500+0200\" | utc", "{}", " \"2024-06-01T06:00:00Z\"");
	gives("\"2024-03-31T01:30:00\" | utc", "{}",
	    " reject local time 2024-03-31T01:30:00 does not exist here");
	gives("\"2024-02-30T01:30:00Z\" | utc", "{}",
	    " reject there is no such date and time: 2024-02-30T01:30:00Z");
}
END_TEST

START_TEST(runaways_cost_one_event)
{
	static const char *const maps_of[] = { "until(false;.)", "[range(1e9)]|length",
		"\"x\" * 300000000 | length", "1e300|todate", "def f: 1 + f; f",
		"reduce range(1e6) as $i (0; [.]) | tojson", "[recurse([.,.])]|length" };
	struct gan_pool_stats before, after;

	hurry();
	for (size_t i = 0; i < GAN_COUNT(maps_of); i++) {
		struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
		struct answer a = { 0 };
		char *reject, *end;

		gan_pool_stats(pool, &before);
		put_rule("a", "", "1");
		put_rule("bad", "", maps_of[i]);
		put_rule("c", "", "3");
		set = load();
		start(set, "{}", &a);
		run_until(&a.called);
		ck_assert_msg(strncmp(a.text.data, "a: 1\nbad: reject ", 17) == 0, "%s: %s",
		    maps_of[i], a.text.data);
		reject = a.text.data + 17;
		end = strchr(reject, '\n');
		ck_assert_str_eq(end, "\nc: 3\n");
		if (strncmp(reject, "rule bad ", 9) == 0) {
			gan_pool_stats(pool, &after);
			ck_assert_uint_eq(after.restarts, before.restarts + 2);
			ck_assert_msg(strncmp(reject + 9, "exceeded 1s\n", 12) == 0 ||
					  strncmp(reject + 9, "needed more than 256MiB", 23) == 0,
			    "%s: %s", maps_of[i], a.text.data);
		} else {
#ifndef SANITIZED
			ck_abort_msg("%s: %s", maps_of[i], a.text.data);
#endif
		}
		gan_buf_fini(&a.text);
	}
	gives("1", "{}", " 1");
}
END_TEST

START_TEST(many_events_are_in_flight_and_none_is_lost)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	static struct answer answers[200];
	static char bodies[200][64];
	struct gan_pool_stats stats;

	hurry();
	memset(answers, 0, sizeof(answers));
	put_rule("r", "", "if .n == 77 then until(false; .) else .n end");
	put_rule("s", "", ".n + 1000");
	set = load();
	for (size_t i = 0; i < GAN_COUNT(answers); i++) {
		(void)snprintf(bodies[i], sizeof(bodies[i]), "{\"n\":%zu}", i);
		start(set, bodies[i], &answers[i]);
	}
	for (size_t i = 0; i < GAN_COUNT(answers); i++) {
		char expected[80];

		run_until(&answers[i].called);
		(void)snprintf(expected, sizeof(expected), "r: %zu\ns: %zu\n", i, i + 1000);
		ck_assert_str_eq(answers[i].text.data,
		    i == 77 ? "r: reject rule r exceeded 1s\ns: 1077\n" : expected);
		gan_buf_fini(&answers[i].text);
	}
	/* Charged to the right event: no other one cost a worker. */
	gan_pool_stats(pool, &stats);
	ck_assert_uint_eq(stats.restarts, 2);
}
END_TEST

START_TEST(sets_change_under_load)
{
	struct answer old_answer = { 0 }, new_answer = { 0 };
	struct gan_rules *old_set = NULL, *new_set = NULL;

	put_rule("r", "", "1");
	put_rule("s", "", "10");
	old_set = load();
	put_rule("r", "", "2");
	new_set = load();
	ck_assert_int_ne(memcmp(old_set->rules[0].hash, new_set->rules[0].hash, 32), 0);
	ck_assert_int_eq(memcmp(old_set->rules[1].hash, new_set->rules[1].hash, 32), 0);
	for (int i = 0; i < 20; i++) {
		memset(&old_answer, 0, sizeof(old_answer));
		memset(&new_answer, 0, sizeof(new_answer));
		start(old_set, "{}", &old_answer);
		start(new_set, "{}", &new_answer);
		run_until(&old_answer.called);
		run_until(&new_answer.called);
		ck_assert_str_eq(old_answer.text.data, "r: 1\ns: 10\n");
		ck_assert_str_eq(new_answer.text.data, "r: 2\ns: 10\n");
		gan_buf_fini(&old_answer.text);
		gan_buf_fini(&new_answer.text);
	}
	gan_rules_unref(&old_set);
	maps(new_set, "{}", "r: 2\ns: 10\n");
	maps(new_set, "{}", "r: 2\ns: 10\n");
	gan_rules_unref(&new_set);
	ck_assert_ptr_null(new_set);
}
END_TEST

#ifndef SANITIZED
/* A worker that dies over a program had events of a newer set behind it: the program's rule pays.
 */
START_TEST(a_newer_set_blames_no_other_rule)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf csv = { 0 };
	struct gan_rules *old_set GAN_AUTO(gan_rules_unref) = NULL;
	struct gan_rules *new_set GAN_AUTO(gan_rules_unref) = NULL;
	struct answer a = { 0 }, b = { 0 };
	struct gan_err err;

	opt.workers = 1;
	opt.memory = 128 << 20;
	ck_assert_int_eq(gan_pool_tune(pool, &opt, &err), GAN_OK);
	gan_buf_puts(&csv, "key,value\n");
	for (int i = 0; i < 1000000; i++)
		gan_buf_printf(&csv, "%d,x%d\n", i, i);
	write_file("big.csv", csv.data);
	put_rule("good", "", "1");
	put_rule("large", "tables: {t: big.csv}\n", "2");
	old_set = load();
	clear_rules();
	put_rule("new", "", "3");
	new_set = load();
	start(old_set, "{}", &a);
	start(new_set, "{}", &b);
	run_until(&a.called);
	run_until(&b.called);
	ck_assert_ptr_eq(
	    strstr(a.text.data, "good: 1\nlarge: reject rule large needed "), a.text.data);
	ck_assert_str_eq(b.text.data, "new: 3\n");
	gan_buf_fini(&a.text);
	gan_buf_fini(&b.text);
}
END_TEST
#endif

START_TEST(the_queue_is_bounded)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	const struct gan_map_event ev = {
		.id = 1, .source = "erp", .topic = "a", .body = "{}", .body_len = 2
	};
	struct answer a = { 0 };
	bool closed = false;
	size_t rule = 0;
	int rc = GAN_OK;

	put_rule("r", "", "1");
	set = load();
	for (int i = 0; i < 5000 && rc == GAN_OK; i++)
		rc = gan_pool_map(pool, set, &rule, 1, &ev, on_mapped, &a);
	ck_assert_int_eq(rc, GAN_EBUSY);
	gan_pool_close(pool, on_closed, &closed);
	ck_assert_int_eq(gan_pool_map(pool, set, &rule, 1, &ev, on_mapped, &a), GAN_EGONE);
	run_until(&closed);
	ck_assert(a.called);
	ck_assert_int_eq(a.rc, GAN_EGONE);
	pool = NULL;
	gan_buf_fini(&a.text);
}
END_TEST

/* ---- checking a set ---------------------------------------------------------------- */

struct report {
	bool called;
	int rc;
	struct gan_check_report r;
	char *lines, *json, *diags;
};

static void
on_checked(void *arg, int rc, const struct gan_check_report *report)
{
	struct report *r = arg;

	r->called = true;
	r->rc = rc;
	if (report == NULL)
		return;
	r->r = *report;
	r->lines = gan_memdup(report->lines, strlen(report->lines));
	r->json = gan_memdup(report->json, strlen(report->json));
	r->diags = report->d->text.data != NULL
		       ? gan_memdup(report->d->text.data, report->d->text.len)
		       : gan_memdup("", 0);
}

static void
report_fini(struct report *r)
{
	free(r->lines);
	free(r->json);
	free(r->diags);
}

static void
check(struct gan_rules *set, const char *only, struct report *r)
{
	ck_assert_int_eq(gan_pool_check(pool, set, only, on_checked, r), GAN_OK);
	run_until(&r->called);
	ck_assert_int_eq(r->rc, GAN_OK);
}

START_TEST(green_sets_are_green)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	GAN_AUTO(report_fini) struct report r = { 0 };

	put_rule("a",
	    "key: '\"k/\" + .n'\n"
	    "tests:\n"
	    "  - {name: one, event: {n: [\"1\",\"2\"]}, expect: [{n: \"1\"}, {n: \"2\"}],"
	    " expect_key: [k/1, k/2]}\n"
	    "  - {name: none, event: {n: []}, expect: []}\n"
	    "  - {name: no, event: {n: null}, expect_reject: \"Cannot iterate over null (null)\"}\n",
	    ".n[] | {n: .}");
	put_rule("b",
	    "tests: [{name: meta, event: {}, meta: {topic: x}, expect: [[x, erp, "
	    "\"2026-01-01T00:00:00Z\"]]}]\n",
	    "[$meta.topic, \"erp\", $meta.received_at]");
	set = load();
	check(set, NULL, &r);
	ck_assert_str_eq(r.lines, "ok    a: one (2 requests)\n"
				  "ok    a: none (0 requests)\n"
				  "ok    a: no (0 requests)\n"
				  "ok    b: meta (1 request)\n");
	ck_assert_str_eq(r.diags, "");
	ck_assert(r.r.green);
	ck_assert_uint_eq(r.r.rules, 2);
	ck_assert_uint_eq(r.r.passed, 4);
	ck_assert_ptr_nonnull(strstr(r.json,
	    "{\"rule\":\"b\",\"test\":\"meta\",\"file\":\"rules.d/b.yaml\",\"line\":4,\"ok\":true,"
	    "\"detail\":null}]"));
}
END_TEST

START_TEST(red_tests_say_where)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	GAN_AUTO(report_fini) struct report r = { 0 };

	hurry();
	put_rule("a",
	    "key: '\"k\"'\n"
	    "tests:\n"
	    "  - name: differs\n"
	    "    event: {}\n"
	    "    expect: [{serials: [b, x], more: 1}]\n"
	    "    expect_key: z\n"
	    "  - {name: rejects, event: {go: 1}, expect: []}\n"
	    "  - {name: runs, event: {run: 1}, expect: []}\n"
	    "  - {name: dies, event: {die: 1}, expect: []}\n"
	    "  - {name: other, event: {go: 1}, expect_reject: why}\n"
	    "  - {name: none, event: {}, expect_reject: why}\n",
	    "if .go then reject(\"no\") elif .run then until(false; .)\n"
	    "elif .die then 1e300 | todate else {serials: [\"a\", \"x\"], less: 2} end");
	set = load();
	check(set, NULL, &r);
	ck_assert(!r.r.green);
	ck_assert_uint_eq(r.r.failed, 6);
	ck_assert_ptr_nonnull(strstr(r.lines, "FAIL  a: differs\n"
					      "      /0/serials/0: expected \"b\", got \"a\"\n"
					      "      /0/more: missing, expected 1\n"
					      "      /0/less: not expected, got 2\n"
					      "      key/0: expected \"z\", got \"k\"\n"
					      "FAIL  a: rejects\n"
					      "      rejected: no\n"
					      "FAIL  a: runs\n"
					      "      rejected: rule a exceeded 1s\n"
					      "FAIL  a: dies\n"
					      "      rejected: rule a needed more than 256MiB or "
					      "crashed ("));
	ck_assert_ptr_nonnull(strstr(r.lines, "FAIL  a: other\n"
					      "      expected reject \"why\", got \"no\"\n"
					      "FAIL  a: none\n"
					      "      expected reject \"why\", got 1 request\n"));
	ck_assert_ptr_nonnull(
	    strstr(r.diags, "rules.d/a.yaml:6:5: error: the test 'differs' is red: /0/serials/0: "
			    "expected \"b\", got \"a\" ...\n"));
}
END_TEST

START_TEST(compile_errors_say_where)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	GAN_AUTO(report_fini) struct report r = { 0 };

	put_rule("a", "key: '\"k\" + nokey'\nwhen: .a | | 1\n",
	    "{ a: 1,\n  reason: lookp(\"waste\"; 1),\n  \"\\u00e9\": .b.\n}");
	put_rule("b", "", "1");
	set = load();
	check(set, NULL, &r);
	ck_assert(!r.r.green);
	ck_assert_msg(strstr(r.diags, "rules.d/a.yaml:4:13: error: nokey/0 is not defined\n"
				      "    4 | key: '\"k\" + nokey'\n"
				      "      |             ^\n") != NULL,
	    "%s", r.diags);
	ck_assert_msg(
	    strstr(r.diags, "rules.d/a.yaml:5:12: error: syntax error, unexpected '|'\n") != NULL,
	    "%s", r.diags);
	ck_assert_msg(
	    strstr(r.diags, "rules.d/a.yaml:10:3: error: syntax error") != NULL, "%s", r.diags);
	ck_assert_ptr_nonnull(strstr(r.diags, "rules.d/b.yaml:1:7: warning: the rule 'b' has no "
					      "tests\n"));
	ck_assert_ptr_nonnull(strstr(r.lines, "FAIL  a: does not compile\n"));
	ck_assert_ptr_nonnull(strstr(r.json, "\"test\":null"));

	/* Such a rule, should it ever be run, rejects. */
	struct answer a = { 0 };
	start(set, "{}", &a);
	run_until(&a.called);
	ck_assert_msg(strncmp(a.text.data, "a: reject the rule does not compile: ", 37) == 0, "%s",
	    a.text.data);
	gan_buf_fini(&a.text);
}
END_TEST

START_TEST(one_rule_can_be_checked)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	GAN_AUTO(report_fini) struct report r = { 0 }, none = { 0 };

	put_rule("aaa", "tests: [{name: t, event: 1, expect: [1]}]\n", ".");
	put_rule("bbb", "tests: [{name: t, event: 1, expect: [2]}]\n", ".");
	set = load();
	check(set, "aaa", &r);
	ck_assert(r.r.green);
	ck_assert_str_eq(r.lines, "ok    aaa: t (1 request)\n");
	check(set, "aab", &none);
	ck_assert(!none.r.green);
	ck_assert_str_eq(none.diags, "rules: error: there is no rule 'aab', did you mean 'aaa'?\n");
}
END_TEST

START_TEST(checks_end_at_close)
{
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	GAN_AUTO(report_fini) struct report r = { 0 };
	struct answer a = { 0 };
	bool closed = false;

	put_rule("r", "tests: [{name: t, event: 1, expect: [1]}]\n", "until(false; .)");
	set = load();
	ck_assert_int_eq(gan_pool_check(pool, set, NULL, on_checked, &r), GAN_OK);
	start(set, "{}", &a);
	for (int i = 0; i < 3; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	gan_pool_close(pool, on_closed, &closed);
	run_until(&closed);
	ck_assert_int_eq(r.rc, GAN_EGONE);
	ck_assert(r.called);
	ck_assert_int_eq(a.rc, GAN_EGONE);
	pool = NULL;
	gan_buf_fini(&a.text);
}
END_TEST

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--mapper") == 0)
		return gan_worker_main(argc, argv);
	Suite *s = suite_create("pool");
	TCase *tc = tcase_create("pool");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rules_make_requests);
	tcase_add_test(tc, all_outputs_or_none);
	tcase_add_test(tc, newest_is_one_text_beside_what_it_comes_after);
	tcase_add_test(tc, keys_are_short_single_texts);
	tcase_add_test(tc, when_gives_one_value);
	tcase_add_test(tc, closed_functions_stay_closed);
	tcase_add_test(tc, uuids_cannot_be_forged);
	tcase_add_test(tc, numbers_do_not_change_silently);
	tcase_add_test(tc, plant_time_is_the_zone_of_the_site);
	tcase_add_test(tc, runaways_cost_one_event);
	tcase_add_test(tc, many_events_are_in_flight_and_none_is_lost);
	tcase_add_test(tc, sets_change_under_load);
#ifndef SANITIZED
	tcase_add_test(tc, a_newer_set_blames_no_other_rule);
#endif
	tcase_add_test(tc, the_queue_is_bounded);
	tcase_add_test(tc, green_sets_are_green);
	tcase_add_test(tc, red_tests_say_where);
	tcase_add_test(tc, compile_errors_say_where);
	tcase_add_test(tc, one_rule_can_be_checked);
	tcase_add_test(tc, checks_end_at_close);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
