/* SPDX-License-Identifier: MIT */
/*
 * test_pipeline.c - events through real workers and back into a real store:
 * in order, all of them, none twice, whatever happens meanwhile.
 */
#include <sys/stat.h>

#include "base/buf.h"
#include "mapping/pool.h"
#include "mapping/rules.h"
#include "pipeline.h"
#include "remap.h"
#include "unit/store_help.h"

static struct gan_pool *pool;
static struct gan_pipeline *pipe_;
static struct gan_config conf;
static struct gan_conf_source source;
static struct gan_conf_connector connector;

static int
knows(const struct gan_conf_connector *c, const char *operation, bool set, enum gan_on_unknown how,
    struct gan_err *e)
{
	(void)c;
	(void)operation;
	(void)set;
	(void)how;
	(void)e;
	return GAN_OK;
}

static const struct gan_rule_checks checks = { .knows = knows };

static unsigned handed, kept_back; /* every nth event is only told of, as if by another way in */
static bool untold;                /* or not yet told of at all */

static void
on_events(void *arg, struct gan_event *e)
{
	(void)arg;
	handed++;
	if (untold) {
		gan_event_free(&e);
		return;
	}
	if (pipe_ == NULL || (kept_back > 0 && handed % kept_back == 0))
		gan_event_free(&e);
	if (pipe_ != NULL)
		gan_pipeline_feed(pipe_, e);
}

static void
open_pipeline(void)
{
	ck_assert_int_eq(gan_pipeline_open(&loop, st, pool, &pipe_, &err), GAN_OK);
}

static void
pipeline_setup(void)
{
	const struct gan_pool_options po = {
		.workers = 2, .timeout_ms = 2000, .memory = 256 << 20, .time_zone = "UTC"
	};
	char folder[96];

	setup();
	(void)snprintf(folder, sizeof(folder), "%s/rules.d", dir);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	source = (struct gan_conf_source){ .name = (char *)"erp", .kind = GAN_SOURCE_HTTP };
	connector = (struct gan_conf_connector){ .name = (char *)"c" };
	/* One reference is never given back: it is not on the heap. */
	conf = (struct gan_config){ .refs = 1,
		.dir = dir,
		.sources = &source,
		.nsources = 1,
		.connectors = &connector,
		.nconnectors = 1 };
	conf.mapping.rules = strdup(folder);
	ck_assert_int_eq(gan_pool_open(&loop, &po, &pool, &err), GAN_OK);
	gan_store_on_events(st, on_events, NULL);
	open_pipeline();
}

static void
stop_pipeline(void)
{
	bool done = false;

	gan_pipeline_stop(pipe_, set_flag, &done);
	wait_for(&done);
}

static void
close_pool(void)
{
	bool done = false;

	gan_pool_close(pool, set_flag, &done);
	wait_for(&done);
	pool = NULL;
	gan_pipeline_close(&pipe_);
}

static void
pipeline_teardown(void)
{
	if (pool != NULL) {
		stop_pipeline();
		close_pool();
	}
	free(conf.mapping.rules);
	teardown();
	ck_assert_uint_eq(conf.refs, 1);
}

static void
put_rule(const char *name, const char *more, const char *code)
{
	char file[160];
	FILE *f;

	(void)snprintf(file, sizeof(file), "%s/rules.d/%s.yaml", dir, name);
	f = fopen(file, "w");
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f, "rule: %s\nfrom: erp/order.*\nto: c/op\n%smap: '%s'\n", name, more, code);
	ck_assert_int_eq(fclose(f), 0);
}

/* Put what lies in the folder in force. */
static void
use_rules(uint64_t generation)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;

	ck_assert_msg(gan_rules_load(&conf, &checks, &set, &d) == GAN_OK, "%s", d.text.data);
	set->generation = generation;
	gan_pipeline_rules(pipe_, &conf, set);
}

static void
put_n(int n, const char *topic)
{
	char body[32];
	struct got g;

	(void)snprintf(body, sizeof(body), "{\"n\":%d}", n);
	g = put_full("erp", topic, body, T0, GAN_DEDUPE_NONE, NULL, NULL);
	ck_assert_int_eq(g.rc, GAN_OK);
}

/* Run the loop until nothing is unmapped. */
static void
until_mapped(void)
{
	struct gan_store_counts n;

	gan_store_counts(st, &n);
	while (n.events[GAN_EVENT_RECEIVED] > 0) {
		cJSON_Delete(ask((struct gan_query){ .kind = GAN_QUERY_LANES, .limit = 1 }));
		gan_store_counts(st, &n);
	}
}

/* Deliveries of key k, the bodies of their requests, oldest first: "1 2 3". */
static const char *
bodies_of(const char *key)
{
	static char text[4096];
	cJSON *story =
	    ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = key, .bodies = true });
	const cJSON *event, *d;

	text[0] = '\0';
	cJSON_ArrayForEach(event, cJSON_GetObjectItem(story, "events"))
	{
		cJSON_ArrayForEach(d, cJSON_GetObjectItem(event, "deliveries"))
		{
			char *body = cJSON_PrintUnformatted(cJSON_GetObjectItem(d, "request"));

			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			    text[0] == '\0' ? "" : " ", body);
			free(body);
		}
	}
	cJSON_Delete(story);
	return text;
}

static const char *
numbers(int from, int to)
{
	static char text[4096];

	text[0] = '\0';
	for (int i = from; i <= to; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d",
		    i == from ? "" : " ", i);
	return text;
}

/* The story of a key goes by events; what counts for a lane is the order of its deliveries. */
static void
check_lane(const char *key, int n)
{
	cJSON *rows =
	    ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .key = key, .limit = 1000 });
	const char *last = "f"; /* newest first; text order of ids is time order */
	const cJSON *d;

	ck_assert_int_eq(cJSON_GetArraySize(rows), n);
	cJSON_ArrayForEach(d, rows)
	{
		const char *event = cJSON_GetStringValue(cJSON_GetObjectItem(d, "event"));

		ck_assert_msg(strcmp(event, last) < 0, "%s queued before %s", event, last);
		last = event;
	}
	cJSON_Delete(rows);
}

START_TEST(slow_events_are_overtaken_by_nobody)
{
	/* Every fifth takes much longer than the others, on two workers. */
	put_rule("r", "key: \"\\\"k\\\"\"\n",
	    "(if .n % 5 == 0 then reduce range(150000) as $i (0; . + $i) else 0 end) as $x | .n");
	use_rules(1);
	for (int i = 1; i <= 60; i++)
		put_n(i, "order.created");
	until_mapped();
	ck_assert_str_eq(bodies_of("k"), numbers(1, 60));
	check_lane("k", 60);
}
END_TEST

static void
count_stored(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	unsigned *left = arg;

	(void)verdict;
	(void)id;
	ck_assert_int_eq(rc, GAN_OK);
	--*left;
}

/* An answer that became an event is told of after the webhooks stored behind it. */
START_TEST(nobody_overtakes_one_that_is_told_of_late)
{
	struct gan_store_counts n = { 0 };

	put_rule("r", "key: \"\\\"k\\\"\"\n", ".n");
	use_rules(1);
	put_n(1, "order.created");
	until_mapped();
	untold = true;
	put_n(2, "order.created");
	untold = false;
	put_n(3, "order.created");
	while (n.events[GAN_EVENT_MAPPED] < 2) {
		(void)uv_run(&loop, UV_RUN_ONCE);
		gan_store_counts(st, &n);
	}
	ck_assert_int_eq(strncmp(bodies_of("k"), "1 2", 3), 0);
	until_mapped();
	check_lane("k", 3);
}
END_TEST

/*
 * Many at once, some of which are only told of: those that are handed over
 * must not be taken before those that have to be fetched.
 */
START_TEST(handed_over_or_fetched_the_order_stays)
{
	unsigned left = 0;
	bool done;

	kept_back = (unsigned[]){ 0, 1, 2, 3, 11 }[_i];
	put_rule("r", "key: \"\\\"k\\\"\"\n", ".n");
	use_rules(1);
	for (int i = 1; i <= 100; i++) {
		struct gan_ingest in = { .source = "erp",
			.topic = "order.created",
			.body = gan_asprintf("{\"n\":%d}", i),
			.received_ms = T0 };

		in.body_len = strlen(in.body);
		left++;
		ck_assert_int_eq(gan_store_ingest(st, &in, count_stored, &left), GAN_OK);
		done = i % 20 != 0;
		while (!done) {
			(void)uv_run(&loop, UV_RUN_ONCE);
			done = left == 0;
		}
	}
	until_mapped();
	ck_assert_str_eq(bodies_of("k"), numbers(1, 100));
	check_lane("k", 100);
}
END_TEST

START_TEST(every_event_is_counted_as_what_became_of_it)
{
	struct gan_store_counts n;

	put_rule("r", "", "if .n == 1 then reject(\"no\") elif .n == 2 then empty else ., . end");
	use_rules(1);
	put_n(1, "order.created");
	put_n(2, "order.created");
	put_n(3, "order.created");
	put_n(4, "nobody.listens");
	until_mapped();
	gan_store_counts(st, &n);
	ck_assert_int_eq(n.events[GAN_EVENT_REJECTED], 1);
	ck_assert_int_eq(n.events[GAN_EVENT_MAPPED], 2);
	ck_assert_int_eq(n.events[GAN_EVENT_IGNORED], 1);
	ck_assert_int_eq(n.deliveries[GAN_DLV_WAITING], 2);
	ck_assert_int_eq(n.attention, 1);
}
END_TEST

START_TEST(without_rules_events_wait)
{
	struct gan_store_counts n;

	for (int i = 1; i <= 5; i++)
		put_n(i, "order.created");
	gan_store_counts(st, &n);
	ck_assert_int_eq(n.events[GAN_EVENT_RECEIVED], 5);
	put_rule("r", "key: \"\\\"k\\\"\"\n", ".n");
	use_rules(1);
	until_mapped();
	ck_assert_str_eq(bodies_of("k"), "1 2 3 4 5");
}
END_TEST

START_TEST(one_rejects_and_holds_nobody)
{
	put_rule("a", "key: \"\\\"k\\\"\"\n", "if .n == 2 then until(false; .) else .n end");
	put_rule("b", "key: \"\\\"other\\\"\"\n", ".n");
	use_rules(1);
	for (int i = 1; i <= 4; i++)
		put_n(i, "order.created");
	until_mapped();
	ck_assert_str_eq(bodies_of("k"), "1 3 4");
	ck_assert_str_eq(bodies_of("other"), "1 2 3 4");
}
END_TEST

/* Each event belongs to one set, and the old one to the earlier events. */
START_TEST(rules_change_between_two_events)
{
	char *text;
	size_t old = 0, new = 0;

	put_rule("r", "key: \"\\\"k\\\"\"\n", "\"old\"");
	use_rules(1);
	for (int i = 1; i <= 100; i++) {
		put_n(i, "order.created");
		if (i == 50) {
			put_rule("r", "key: \"\\\"k\\\"\"\n", "\"new\"");
			use_rules(2);
		}
	}
	until_mapped();
	text = strdup(bodies_of("k"));
	for (char *p = strtok(text, " "); p != NULL; p = strtok(NULL, " ")) {
		bool is_new = strcmp(p, "\"new\"") == 0;

		ck_assert_msg(is_new || new == 0, "an old one after a new one");
		old += !is_new;
		new += is_new;
	}
	free(text);
	ck_assert_uint_eq(old + new, 100);
	ck_assert_uint_ge(new, 50);
}
END_TEST

START_TEST(a_stop_in_the_middle_loses_and_doubles_nothing)
{
	put_rule("r", "key: \"\\\"k\\\"\"\n", "(reduce range(20000) as $i (0; . + $i)) as $x | .n");
	use_rules(1);
	for (int i = 1; i <= 30; i++)
		put_n(i, "order.created");
	stop_pipeline();
	close_pool();
	shut();
	reopen();
	gan_store_on_events(st, on_events, NULL);
	ck_assert_int_eq(
	    gan_pool_open(&loop,
		&(struct gan_pool_options){
		    .workers = 2, .timeout_ms = 2000, .memory = 256 << 20, .time_zone = "UTC" },
		&pool, &err),
	    GAN_OK);
	open_pipeline();
	use_rules(1);
	until_mapped();
	ck_assert_str_eq(bodies_of("k"), numbers(1, 30));
}
END_TEST

/* A commit that fails is asked for again, and what came behind it waits for it. */
START_TEST(a_full_disk_delays_mapping)
{
	char *big = malloc(100001);
	struct gan_store_counts n;
	int stored = 0;
	struct got g;

	memset(big, ' ', 100000);
	big[0] = '1';
	big[100000] = '\0';
	opt.max_bytes = 2 << 20;
	gan_store_tune(st, &opt);
	do {
		g = put_full("erp", "order.created", big, T0, GAN_DEDUPE_NONE, NULL, NULL);
		stored += g.rc == GAN_OK;
	} while (g.rc == GAN_OK && stored < 100);
	ck_assert_int_eq(g.rc, GAN_EFULL);
	put_rule("r", "key: \"\\\"k\\\"\"\n", "\"\\(.)\" * 90000");
	use_rules(1);
	/* Some room was left for what is under way; wait until it is used up. */
	do {
		cJSON_Delete(ask((struct gan_query){ .kind = GAN_QUERY_LANES, .limit = 1 }));
		gan_store_counts(st, &n);
	} while (!n.full && n.events[GAN_EVENT_RECEIVED] > 0);
	ck_assert_int_gt(n.events[GAN_EVENT_RECEIVED], 0);
	opt.max_bytes = 0;
	gan_store_tune(st, &opt);
	until_mapped();
	gan_store_counts(st, &n);
	ck_assert_int_eq(n.events[GAN_EVENT_MAPPED], stored);
	ck_assert_int_eq(n.deliveries[GAN_DLV_WAITING], stored);
	free(big);
}
END_TEST

static struct got
claim_all(void)
{
	struct got g = claim(64, gan_wall_ms() + 1000);

	ck_assert_uint_eq(g.n, 1);
	return g;
}

/* on_unknown: rule beats connector beats `deliver`; on_dead is the connector's. */
START_TEST(policies_come_from_the_nearest)
{
	struct got g;

	conf.deliver.on_unknown = GAN_ON_UNKNOWN_PROBE;
	connector.deliver.on_unknown = GAN_ON_UNKNOWN_RESEND;
	connector.deliver.on_dead = GAN_ON_DEAD_SKIP;
	put_rule("r", "", ".n");
	use_rules(1);
	put_n(1, "order.created");
	until_mapped();
	g = claim_all();
	ck_assert_int_eq(g.rows[0]->on_unknown, GAN_ON_UNKNOWN_RESEND);
	ck_assert_int_eq(g.rows[0]->on_dead, GAN_ON_DEAD_SKIP);
	drop_rows(&g);
	put_rule("r", "on_unknown: hold\n", ".n");
	use_rules(2);
	put_n(2, "order.created");
	until_mapped();
	g = claim_all();
	ck_assert_int_eq(g.rows[0]->on_unknown, GAN_ON_UNKNOWN_HOLD);
	drop_rows(&g);
}
END_TEST

START_TEST(valid_for_counts_from_the_receipt)
{
	put_rule("r", "key: \"\\\"k\\\"\"\nvalid_for: 1h\n", ".n");
	use_rules(1);
	put_n(1, "order.created");
	until_mapped();
	ck_assert_uint_eq(claim_none(gan_wall_ms() + 1000), 0);
	cJSON *items = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });

	ck_assert_int_eq(cJSON_GetArraySize(items), 1);
	ck_assert_str_eq(
	    cJSON_GetObjectItem(cJSON_GetArrayItem(items, 0), "kind")->valuestring, "expired");
	cJSON_Delete(items);
}
END_TEST

/* ---- retry EVENT -------------------------------------------------------------------- */

struct verdict {
	bool done;
	int rc;
	char text[256];
};

static void
on_remapped(void *arg, int rc, const char *text)
{
	struct verdict *v = arg;

	v->rc = rc;
	(void)snprintf(v->text, sizeof(v->text), "%s", text);
	v->done = true;
}

static struct verdict
remap(int64_t event)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *set GAN_AUTO(gan_rules_unref) = NULL;
	struct verdict v = { .done = false };

	ck_assert_int_eq(gan_rules_load(&conf, &checks, &set, &d), GAN_OK);
	gan_remap(st, pool, &conf, set, event, on_remapped, &v);
	wait_for(&v.done);
	return v;
}

static void
says(int64_t event, int rc, const char *text)
{
	struct verdict v = remap(event);

	ck_assert_msg(strstr(v.text, text) != NULL, "%s", v.text);
	ck_assert_int_eq(v.rc, rc);
}

START_TEST(only_the_rules_that_rejected_run_again)
{
	struct gan_store_counts n;
	int64_t event;

	put_rule("good", "key: \"\\\"good\\\"\"\n", "\"first\"");
	put_rule("bad", "key: \"\\\"bad\\\"\"\n", "reject(\"not yet\")");
	use_rules(1);
	event = put("{}");
	until_mapped();
	says(event, GAN_ESTATE, "still rejected by 1 rule");
	ck_assert_str_eq(bodies_of("good"), "\"first\"");
	put_rule("good", "key: \"\\\"good\\\"\"\n", "\"second\"");
	put_rule("bad", "key: \"\\\"bad\\\"\"\n", "\"mended\"");
	says(event, GAN_OK, "mapped, 1 delivery queued");
	ck_assert_str_eq(bodies_of("good"), "\"first\"");
	ck_assert_str_eq(bodies_of("bad"), "\"mended\"");
	says(event, GAN_ESTATE, "is mapped: only rejected events are mapped again");
	gan_store_counts(st, &n);
	ck_assert_int_eq(n.attention, 0);
	says(event + (1 << 20), GAN_ENOENT, "there is no event");
}
END_TEST

START_TEST(a_rule_that_is_gone_rejects_no_more)
{
	char file[160];
	struct got g;
	int64_t event;

	put_rule("keep", "", "empty");
	put_rule("bad", "", "reject(\"no\")");
	use_rules(1);
	event = put("{}");
	until_mapped();
	(void)snprintf(file, sizeof(file), "%s/rules.d/bad.yaml", dir);
	ck_assert_int_eq(unlink(file), 0);
	says(event, GAN_OK, "mapped, 0 deliveries queued");
	g = put_full("erp", "order.created", "no json", T0, GAN_DEDUPE_NONE, NULL, "no JSON");
	says(g.id, GAN_ESTATE, "was rejected as it came: no rule can map it");
}
END_TEST

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--mapper") == 0)
		return gan_worker_main(argc, argv);
	Suite *s = suite_create("pipeline");
	TCase *tc = tcase_create("pipeline");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, pipeline_setup, pipeline_teardown);
	tcase_add_test(tc, slow_events_are_overtaken_by_nobody);
	tcase_add_test(tc, nobody_overtakes_one_that_is_told_of_late);
	tcase_add_loop_test(tc, handed_over_or_fetched_the_order_stays, 0, 5);
	tcase_add_test(tc, every_event_is_counted_as_what_became_of_it);
	tcase_add_test(tc, without_rules_events_wait);
	tcase_add_test(tc, one_rejects_and_holds_nobody);
	tcase_add_test(tc, rules_change_between_two_events);
	tcase_add_test(tc, a_stop_in_the_middle_loses_and_doubles_nothing);
	tcase_add_test(tc, a_full_disk_delays_mapping);
	tcase_add_test(tc, policies_come_from_the_nearest);
	tcase_add_test(tc, valid_for_counts_from_the_receipt);
	tcase_add_test(tc, only_the_rules_that_rejected_run_again);
	tcase_add_test(tc, a_rule_that_is_gone_rejects_no_more);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
