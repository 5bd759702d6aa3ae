/* SPDX-License-Identifier: MIT */
/* test_metrics.c - figures in, Prometheus text out. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "admin/metrics.h"
#include "base/mem.h"

static struct gan_store_counts counts;
static struct gan_inbound_stats in;
static struct gan_pool_stats pool;
static struct gan_connector_status connectors[2];
static struct gan_metrics m;
static struct gan_buf out;

static void
setup(void)
{
	memset(&counts, 0, sizeof(counts));
	memset(&in, 0, sizeof(in));
	memset(&pool, 0, sizeof(pool));
	memset(connectors, 0, sizeof(connectors));
	connectors[0].name = "movilitas";
	connectors[1].name = "flex2b";
	m = (struct gan_metrics){
		.version = "1.2.3",
		.site = "porto-1",
		.store = &counts,
		.inbound = &in,
		.pool = &pool,
		.connectors = connectors,
		.nconnectors = 2,
	};
	memset(&out, 0, sizeof(out));
}

static void
teardown(void)
{
	gan_buf_fini(&out);
}

static void
expect_line(const char *line)
{
	char *want GAN_AUTO(gan_str_free) = gan_asprintf("\n%s\n", line);

	ck_assert_msg(strstr(out.data, want) != NULL, "no line '%s' in\n%s", line, out.data);
}

START_TEST(figures_arrive_under_their_names)
{
	in.accepted = 7;
	in.bad_signature = 3;
	counts.deliveries[GAN_DLV_UNKNOWN] = 2;
	counts.attention = 5;
	counts.full = true;
	counts.spool_records = 3;
	counts.spool_bytes = 1200;
	counts.spool_size = 65536;
	counts.spool_taken = 7;
	counts.spool_imported = 4;
	pool.restarts = 4;
	connectors[0].delivered = 11;
	connectors[0].quota_limit = 90;
	connectors[0].quota_used = 12;
	connectors[0].quota_waited_ms = 61005;
	connectors[0].absent = 2;
	connectors[1].breaker_open = true;
	connectors[0].paused = GAN_PAUSE_TOKEN;
	m.generation = 9;
	gan_metrics_put(&m, &out);
	expect_line("gantry_build_info{version=\"1.2.3\",site=\"porto-1\"} 1");
	expect_line("gantry_ready 0");
	expect_line("gantry_config_generation 9");
	expect_line("gantry_events_received_total{result=\"stored\"} 7");
	expect_line("gantry_events_received_total{result=\"bad_signature\"} 3");
	expect_line("gantry_queue_deliveries{state=\"unknown\"} 2");
	expect_line("gantry_attention_items{kind=\"stored\"} 5");
	expect_line("gantry_attention_items{kind=\"connector-paused\"} 1");
	expect_line("gantry_store_full 1");
	expect_line("gantry_spool_records 3");
	expect_line("gantry_spool_bytes 1200");
	expect_line("gantry_spool_size_bytes 65536");
	expect_line("gantry_spool_broken 0");
	expect_line("gantry_spool_taken_total 7");
	expect_line("gantry_spool_imported_total 4");
	expect_line("gantry_mapping_worker_restarts_total 4");
	expect_line("gantry_deliveries_total{connector=\"movilitas\",outcome=\"delivered\"} 11");
	expect_line("gantry_connector_up{connector=\"movilitas\"} 0");
	expect_line("gantry_connector_up{connector=\"flex2b\"} 0");
	expect_line("gantry_connector_quota_limit{connector=\"movilitas\"} 90");
	expect_line("gantry_connector_quota_limit{connector=\"flex2b\"} 0");
	expect_line("gantry_connector_quota_used{connector=\"movilitas\"} 12");
	expect_line("gantry_connector_quota_wait_seconds_total{connector=\"movilitas\"} 61.005");
	expect_line("gantry_probes_total{connector=\"movilitas\",result=\"absent\"} 2");
	expect_line("gantry_breaker_open{connector=\"flex2b\"} 1");
	expect_line("gantry_connector_paused{connector=\"flex2b\"} 0");
}
END_TEST

START_TEST(turns_of_the_loop_are_a_histogram)
{
	struct gan_lag lag = { .max_us = 0 };

	gan_metrics_put(&m, &out);
	ck_assert_ptr_null(strstr(out.data, "gantry_loop_lag"));
	gan_buf_clear(&out);
	gan_lag_add(&lag, 500); /* a bound is part of its bucket */
	gan_lag_add(&lag, 501);
	gan_lag_add(&lag, 9000);
	gan_lag_add(&lag, 2500000);
	m.lag = &lag;
	gan_metrics_put(&m, &out);
	expect_line("gantry_loop_lag_seconds_bucket{le=\"0.0005\"} 1");
	expect_line("gantry_loop_lag_seconds_bucket{le=\"0.001\"} 2");
	expect_line("gantry_loop_lag_seconds_bucket{le=\"0.005\"} 2");
	expect_line("gantry_loop_lag_seconds_bucket{le=\"0.01\"} 3");
	expect_line("gantry_loop_lag_seconds_bucket{le=\"1\"} 3");
	expect_line("gantry_loop_lag_seconds_bucket{le=\"+Inf\"} 4");
	expect_line("gantry_loop_lag_seconds_count 4");
	expect_line("gantry_loop_lag_seconds_sum 2.510001");
	expect_line("gantry_loop_lag_max_seconds 2.500000");
}
END_TEST

static void
work_for(uv_timer_t *t)
{
	uint64_t end = uv_hrtime() + *(uint64_t *)t->data;

	while (uv_hrtime() < end)
		continue;
}

/* Waiting is no turn, work in a callback is. */
START_TEST(only_work_makes_a_turn_long)
{
	uint64_t none = 0, work = 30000000, begin = uv_hrtime();
	struct gan_lag lag;
	uv_timer_t first, second, last;
	uv_loop_t loop;

	ck_assert_int_eq(uv_loop_init(&loop), 0);
	gan_lag_start(&lag, &loop);
	uv_timer_init(&loop, &first);
	uv_timer_init(&loop, &second);
	uv_timer_init(&loop, &last);
	first.data = last.data = &none;
	second.data = &work;
	uv_timer_start(&first, work_for, 1, 0);
	uv_timer_start(&second, work_for, 40, 0);
	uv_timer_start(&last, work_for, 120, 0); /* a turn ends where the next begins to wait */
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_uint_ge(lag.max_us, 30000);
	ck_assert_uint_eq(lag.counts[GAN_LAG_BUCKETS], 0);
	ck_assert_uint_ge(lag.sum_us, 30000);
	ck_assert_uint_le(
	    lag.sum_us, (uv_hrtime() - begin - uv_metrics_idle_time(&loop)) / 1000 + 1000);
	gan_lag_stop(&lag);
	uv_close((uv_handle_t *)&first, NULL);
	uv_close((uv_handle_t *)&second, NULL);
	uv_close((uv_handle_t *)&last, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

START_TEST(a_refused_reload_shows)
{
	m.reload_ms = 1750000000123;
	m.reload_ok = false;
	gan_metrics_put(&m, &out);
	expect_line("gantry_config_last_reload_successful 0");
	ck_assert_ptr_null(strstr(out.data, "reload_success_timestamp"));
	gan_buf_clear(&out);
	m.reload_ok = true;
	gan_metrics_put(&m, &out);
	expect_line("gantry_config_last_reload_successful 1");
	expect_line("gantry_config_last_reload_success_timestamp_seconds 1750000000.123");
}
END_TEST

START_TEST(labels_are_escaped)
{
	counts.ntopics = 2;
	(void)snprintf(counts.topics[0].source_topic, sizeof(counts.topics[0].source_topic),
	    "erp/a\"b\\c\nd/e");
	counts.topics[0].ignored = 6;
	(void)snprintf(
	    counts.topics[1].source_topic, sizeof(counts.topics[1].source_topic), "rest");
	counts.topics[1].ignored = 1;
	gan_metrics_put(&m, &out);
	expect_line("gantry_events_ignored{source=\"erp\",topic=\"a\\\"b\\\\c\\nd/e\"} 6");
	expect_line("gantry_events_ignored{source=\"\",topic=\"rest\"} 1");
}
END_TEST

/* Each sample belongs to the family announced last, and each family is announced once. */
START_TEST(the_text_is_well_formed)
{
	char *copy, *save = NULL, family[128] = "", seen[16384] = "";

	gan_metrics_put(&m, &out);
	ck_assert(out.data[out.len - 1] == '\n');
	copy = gan_memdup(out.data, out.len);
	for (char *l = strtok_r(copy, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		size_t n = strcspn(l, "{ ");

		if (strncmp(l, "# HELP ", 7) == 0) {
			n = strcspn(l + 7, " ");
			(void)snprintf(family, sizeof(family), " %.*s ", (int)n, l + 7);
			ck_assert_msg(strstr(seen, family) == NULL, "twice:%s", family);
			ck_assert_uint_lt(strlen(seen) + strlen(family), sizeof(seen));
			memcpy(seen + strlen(seen), family, strlen(family) + 1);
			continue;
		}
		if (*l == '#')
			continue;
		ck_assert_msg(strlen(family) == n + 2 && strncmp(family + 1, l, n) == 0,
		    "'%s' stands under%s", l, family);
		ck_assert_ptr_nonnull(strchr(l, ' '));
	}
	free(copy);
}
END_TEST

START_TEST(this_process_has_figures)
{
	struct gan_metrics_process p;

	gan_metrics_process(&p);
	ck_assert_int_gt(p.resident_bytes, 0);
	ck_assert_int_ge(p.open_fds, 3);
	ck_assert_int_ge(p.max_fds, p.open_fds);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("metrics");
	TCase *tc = tcase_create("metrics");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, figures_arrive_under_their_names);
	tcase_add_test(tc, turns_of_the_loop_are_a_histogram);
	tcase_add_test(tc, only_work_makes_a_turn_long);
	tcase_add_test(tc, a_refused_reload_shows);
	tcase_add_test(tc, labels_are_escaped);
	tcase_add_test(tc, the_text_is_well_formed);
	tcase_add_test(tc, this_process_has_figures);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
