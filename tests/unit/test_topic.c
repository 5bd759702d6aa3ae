/* SPDX-License-Identifier: MIT */
/* test_topic.c - one spelling for what an event is about. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "inbound/topic.h"

static const struct {
	const char *raw, *canonical;
} cases[] = {
	{ "productionOrder/create", "production-order.created" },
	{ "productionOrder/update", "production-order.updated" },
	{ "productionOrder/delete", "production-order.deleted" },
	{ "\"productionOrder/create\"", "production-order.created" },
	{ "  productionOrder/create\t", "production-order.created" },
	{ "production_order_updated", "production-order.updated" },
	{ "production/update", "production.updated" },
	{ "production/create", "production.created" },
	{ "punchClock_created", "punch-clock.created" },
	{ "punchClock_updated", "punch-clock.updated" },
	{ "punchClock_deleted", "punch-clock.deleted" },
	{ "downTime_created", "downtime.created" },
	{ "downTime_updated", "downtime.updated" },
	{ "downTime_deleted", "downtime.deleted" },
	{ "downtime_deleted", "downtime.deleted" },
	{ "shipping_inventory_movement_created", "shipping-movement.created" },
	{ "shipping_inventory_movement_updated", "shipping-movement.updated" },
	{ "shipping_inventory_movement_deleted", "shipping-movement.deleted" },
	{ "receiving_inventory_movement_created", "receiving-movement.created" },
	{ "receiving_inventory_movement_deleted", "receiving-movement.deleted" },
	{ "internal_inventory_movement_updated", "internal-movement.updated" },
	{ "internal_inventory_movement_deleted", "internal-movement.deleted" },
	{ "material_staging_created", "material-staging.created" },
	{ "material_staging_deleted", "material-staging.deleted" },
	{ "lot_created", "lot.created" },
	{ "lot_updated", "lot.updated" },
	{ "lot_deleted", "lot.deleted" },
	{ "product/update", "product.updated" },
	{ "purchaseOrder/create", "purchase-order.created" },
	{ "salesOrder/delete", "sales-order.deleted" },
	{ "clientOrder_updated", "client-order.updated" },
	/* canonical already, or unknown: as it is */
	{ "production-order.created", "production-order.created" },
	{ "lot.created", "lot.created" },
	{ "workOrder/finished", "workOrder/finished" },
	{ "created", "created" },
	{ "/create", "/create" },
	{ "_created", "_created" },
	{ "a//create", "a//create" },
	{ "a.b/create", "a.b/create" },
	/* nothing that could stand in a log line */
	{ "", "unknown" },
	{ "\"\"", "unknown" },
	{ "   ", "unknown" },
	{ "two words", "unknown" },
	{ "caf\xc3\xa9/create", "unknown" },
	{ "lot\x01_created", "unknown" },
};

START_TEST(topics_have_one_spelling)
{
	char out[GAN_TOPIC_MAX + 1], again[GAN_TOPIC_MAX + 1];

	for (size_t i = 0; i < GAN_COUNT(cases); i++) {
		gan_topic_canonical(cases[i].raw, out);
		ck_assert_str_eq(out, cases[i].canonical);
		gan_topic_canonical(out, again);
		ck_assert_str_eq(out, again);
	}
}
END_TEST

START_TEST(topics_have_a_limit)
{
	char raw[GAN_TOPIC_MAX + 20], out[GAN_TOPIC_MAX + 1];

	memset(raw, 'x', sizeof(raw));
	raw[GAN_TOPIC_MAX] = '\0';
	gan_topic_canonical(raw, out);
	ck_assert_str_eq(out, raw);
	memcpy(raw + GAN_TOPIC_MAX, "x", 2);
	gan_topic_canonical(raw, out);
	ck_assert_str_eq(out, "unknown");
	/* Longer in kebab case than as written. */
	for (size_t i = 0; i + 8 < GAN_TOPIC_MAX; i += 2)
		memcpy(raw + i, "aB", 2);
	memcpy(raw + 92, "/create", 8);
	gan_topic_canonical(raw, out);
	ck_assert_str_eq(out, raw);
}
END_TEST

START_TEST(posted_topics_are_checked)
{
	ck_assert(gan_topic_valid("pallet.cancelled"));
	ck_assert(gan_topic_valid("a"));
	ck_assert(!gan_topic_valid(""));
	ck_assert(!gan_topic_valid("Pallet"));
	ck_assert(!gan_topic_valid("a/b"));
	ck_assert(!gan_topic_valid("a_b"));
	ck_assert(!gan_topic_valid("a b"));
}
END_TEST

static bool
from_body(const char *json, const char *member, char *out)
{
	/* In memory of its own, so that a sanitizer sees every read behind the end. */
	size_t n = strlen(json);
	char *copy = malloc(n);
	bool found;

	memcpy(copy, json, n);
	found = gan_topic_from_body(copy, n, member, out, GAN_TOPIC_MAX + 1);
	free(copy);
	return found;
}

START_TEST(topic_stands_in_the_root_object_only)
{
	char out[GAN_TOPIC_MAX + 1];

	ck_assert(
	    from_body("{\"id\":1,\"notification\" : \"punchClock_created\"}", "notification", out));
	ck_assert_str_eq(out, "punchClock_created");
	ck_assert(from_body(" {\"event-type\":\"downTime_deleted\"}", "event-type", out));
	ck_assert_str_eq(out, "downTime_deleted");
	ck_assert(!from_body("{\"a\":{\"notification\":\"x\"}}", "notification", out));
	ck_assert(!from_body("{\"a\":[\"notification\",\"x\"]}", "notification", out));
	ck_assert(!from_body("[{\"notification\":\"x\"}]", "notification", out));
	ck_assert(!from_body("{\"a\":\"notification\",\"b\":\"x\"}", "notification", out));
	ck_assert(!from_body("{\"notification\":7}", "notification", out));
	ck_assert(!from_body("{\"notification\":\"\\u0061\"}", "notification", out));
	ck_assert(!from_body("{\"x\\\"notification\":\"a\"}", "notification", out));
	ck_assert(!from_body("\"notification\"", "notification", out));
	ck_assert(!from_body("{}", "notification", out));
	ck_assert(from_body(
	    "{\"a\":[{},[]],\"b\":{\"c\":1},\"notification\":\"x\"}", "notification", out));
	ck_assert_str_eq(out, "x");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("topic");
	TCase *tc = tcase_create("topic");

	tcase_add_test(tc, topics_have_one_spelling);
	tcase_add_test(tc, topics_have_a_limit);
	tcase_add_test(tc, posted_topics_are_checked);
	tcase_add_test(tc, topic_stands_in_the_root_object_only);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
