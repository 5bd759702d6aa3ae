/* SPDX-License-Identifier: MIT */
/* test_store_watch.c - who waits for the outcome of an event, and who asks by a business key. */
#include "store_help.h"

static struct got waiter;

static void
watch(int64_t event, const char *source, int64_t until_ms)
{
	waiter = (struct got){ .done = false };
	ck_assert_int_eq(gan_store_watch(st, event, source, until_ms, got_json, &waiter), GAN_OK);
}

static int64_t
soon(void)
{
	return gan_mono_ms() + 600000;
}

/* The state of the event that it was told, and of its deliveries: "mapped delivered dead". */
static const char *
outcome(void)
{
	static char text[128];
	cJSON *t, *d;

	wait_for(&waiter.done);
	ck_assert_int_eq(waiter.rc, GAN_OK);
	t = cJSON_Parse(waiter.json);
	ck_assert_ptr_nonnull(t);
	snprintf(text, sizeof(text), "%s", cJSON_GetObjectItem(t, "state")->valuestring);
	cJSON_ArrayForEach(d, cJSON_GetObjectItem(t, "deliveries")) snprintf(text + strlen(text),
	    sizeof(text) - strlen(text), " %s", cJSON_GetObjectItem(d, "state")->valuestring);
	cJSON_Delete(t);
	free(waiter.json);
	return text;
}

/* Whatever the store had to say has been said. */
static bool
told(void)
{
	struct got g = ask_raw((struct gan_query){ .kind = GAN_QUERY_LANES });

	free(g.json);
	return waiter.done;
}

START_TEST(the_last_delivery_ends_the_wait)
{
	struct gan_new_delivery two[] = {
		{ .rule = "a", .connector = "c", .operation = "o", .body = "{}", .body_len = 2 },
		{ .rule = "b", .connector = "c", .operation = "o", .body = "{}", .body_len = 2 },
	};
	int64_t event = put("{}");
	struct got g;

	watch(event, "erp", soon());
	ck_assert(!told());
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = event,
			     .state = GAN_EVENT_MAPPED,
			     .deliveries = two,
			     .ndeliveries = 2 }),
	    GAN_OK);
	ck_assert(!told());
	g = claim(8, T0);
	ck_assert_uint_eq(g.n, 2);
	ck_assert_int_eq(settle(g.rows[0]->id, GAN_DLV_DELIVERED, 0), GAN_OK);
	ck_assert_int_eq(settle(g.rows[1]->id, GAN_DLV_WAITING, T0 + 5), GAN_OK);
	ck_assert(!told());
	drop_rows(&g);
	/* What needs a person is an outcome. */
	ck_assert_int_eq(settle(claim_one(T0 + 9), GAN_DLV_UNKNOWN, 0), GAN_OK);
	ck_assert_str_eq(outcome(), "mapped delivered unknown");
	/* And it is so for whoever asks later. */
	watch(event, NULL, soon());
	ck_assert_str_eq(outcome(), "mapped delivered unknown");
}
END_TEST

START_TEST(what_makes_no_delivery_is_over_when_it_is_mapped)
{
	const struct gan_rejection why = { "r", "no" };
	int64_t event = put("{}");

	watch(event, "erp", soon());
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = event, .state = GAN_EVENT_IGNORED }), GAN_OK);
	ck_assert_str_eq(outcome(), "ignored");
	event = put("{}");
	watch(event, "erp", soon());
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = event,
			     .state = GAN_EVENT_REJECTED,
			     .rejections = &why,
			     .nrejections = 1 }),
	    GAN_OK);
	ck_assert_str_eq(outcome(), "rejected");
}
END_TEST

START_TEST(nobody_waits_for_ever_or_for_others)
{
	int64_t event = put("{}");

	watch(event, "lab", soon());
	wait_for(&waiter.done);
	ck_assert_int_eq(waiter.rc, GAN_ENOENT);
	free(waiter.json);
	watch(event + 1, NULL, soon());
	wait_for(&waiter.done);
	ck_assert_int_eq(waiter.rc, GAN_ENOENT);
	free(waiter.json);
	watch(event, "erp", gan_mono_ms() - 1);
	wait_for(&waiter.done);
	ck_assert_int_eq(waiter.rc, GAN_EBUSY);
	free(waiter.json);
	/* One that is parked, too, although nothing else happens. */
	watch(event, "erp", gan_mono_ms() + 1);
	wait_for(&waiter.done);
	ck_assert_int_eq(waiter.rc, GAN_EBUSY);
	free(waiter.json);
}
END_TEST

START_TEST(only_so_many_wait_and_all_hear_of_the_end)
{
	int64_t event = put("{}");
	struct got *all = calloc(GAN_WATCH_MAX, sizeof(*all)), one = { .done = false };

	for (int i = 0; i < GAN_WATCH_MAX; i++)
		ck_assert_int_eq(
		    gan_store_watch(st, event, NULL, soon(), got_json, &all[i]), GAN_OK);
	ck_assert_int_eq(gan_store_watch(st, event, NULL, soon(), got_json, &one), GAN_EBUSY);
	waiter = (struct got){ .done = false };
	ck_assert(!told()); /* questions go on meanwhile */
	shut();
	for (int i = 0; i < GAN_WATCH_MAX; i++) {
		ck_assert(all[i].done);
		ck_assert_int_eq(all[i].rc, GAN_EGONE);
		free(all[i].json);
	}
	ck_assert(!one.done);
	free(all);
}
END_TEST

/* Those who wait for one large event, and a sender who comes when the first of them is told. */
static struct {
	int told, told_before_sender;
	bool all, sender;
} crowd;

static void
crowd_sender(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	(void)arg;
	(void)id;
	ck_assert_int_eq(rc, GAN_OK);
	ck_assert_int_eq(verdict, GAN_INGEST_STORED);
	crowd.told_before_sender = crowd.told;
	crowd.sender = true;
}

static void
crowd_told(void *arg, int rc, const char *json, size_t len)
{
	const struct gan_ingest in = { .source = "erp",
		.topic = "t",
		.topic_raw = "t",
		.meta = "{}",
		.body = strdup("{}"),
		.body_len = 2,
		.received_ms = T0 };

	(void)arg;
	ck_assert_int_eq(rc, GAN_OK);
	ck_assert_uint_eq(strlen(json), len);
	if (crowd.told++ == 0)
		ck_assert_int_eq(gan_store_ingest(st, &in, crowd_sender, NULL), GAN_OK);
	else
		free(in.body);
	crowd.all = crowd.told == GAN_WATCH_MAX;
}

START_TEST(a_crowd_that_waits_keeps_no_sender_waiting)
{
	struct gan_new_delivery *d = calloc(1000, sizeof(*d));
	int64_t event = put("{}");

	for (unsigned i = 0; i < 1000; i++)
		d[i] = (struct gan_new_delivery){ .rule = "a",
			.output_no = i,
			.connector = "c",
			.operation = "o",
			.body = "{}",
			.body_len = 2,
			.valid_until_ms = T0 + 1 };
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = event,
			     .state = GAN_EVENT_MAPPED,
			     .deliveries = d,
			     .ndeliveries = 1000 }),
	    GAN_OK);
	free(d);
	memset(&crowd, 0, sizeof(crowd));
	for (int i = 0; i < GAN_WATCH_MAX; i++)
		ck_assert_int_eq(
		    gan_store_watch(st, event, "erp", soon(), crowd_told, NULL), GAN_OK);
	for (int i = 0; i < 100 && !crowd.all; i++) /* all of them expire */
		ck_assert_uint_eq(claim_none(gan_wall_ms() + 60000), 0);
	wait_for(&crowd.all);
	wait_for(&crowd.sender);
	ck_assert_int_lt(crowd.told_before_sender, GAN_WATCH_MAX);
}
END_TEST

/* "e1 e2 ...|next": what a page of the key tells. */
static cJSON *
page(const char *key, const char *source, unsigned limit, const char *before)
{
	return ask((struct gan_query){ .kind = GAN_QUERY_OBJECT,
	    .text = key,
	    .source = source,
	    .limit = limit,
	    .before = before });
}

/* An order of a thousand lines that all have its key. */
static int64_t
put_large(const char *source, const char *key)
{
	struct got g = put_full(source, "t", "{}", T0, GAN_DEDUPE_NONE, NULL, NULL);
	struct gan_new_delivery *d = calloc(1000, sizeof(*d));

	for (unsigned i = 0; i < 1000; i++)
		d[i] = (struct gan_new_delivery){ .rule = "a",
			.output_no = i,
			.connector = "c",
			.operation = "o",
			.key = key,
			.body = "{}",
			.body_len = 2 };
	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = g.id,
			     .source = source,
			     .topic = "t",
			     .state = GAN_EVENT_MAPPED,
			     .deliveries = d,
			     .ndeliveries = 1000 }),
	    GAN_OK);
	free(d);
	return g.id;
}

static int64_t
put_from(const char *source, const char *key)
{
	struct got g = put_full(source, "t", "{}", T0, GAN_DEDUPE_NONE, NULL, NULL);
	struct gan_new_delivery d[] = {
		{ .rule = "a",
		    .connector = "c",
		    .operation = "o",
		    .key = key,
		    .body = "{}",
		    .body_len = 2 },
		{ .rule = "b",
		    .connector = "c",
		    .operation = "o",
		    .key = key,
		    .body = "{}",
		    .body_len = 2 },
		{ .rule = "z",
		    .connector = "c",
		    .operation = "o",
		    .key = "other",
		    .body = "{}",
		    .body_len = 2 },
	};

	ck_assert_int_eq(map((struct gan_map_commit){ .event_id = g.id,
			     .source = source,
			     .topic = "t",
			     .state = GAN_EVENT_MAPPED,
			     .deliveries = d,
			     .ndeliveries = 3 }),
	    GAN_OK);
	return g.id;
}

START_TEST(a_sender_sees_its_own_events_of_a_key_in_pages)
{
	int64_t own[5];
	char before[GAN_ID_LEN] = "";
	unsigned pages = 0, n = 0;
	cJSON *t, *e, *next;

	for (int i = 0; i < 5; i++) {
		own[i] = put_from("erp", "po/1");
		put_from("lab", "po/1");
	}
	put_from("erp", "po/2");
	do {
		t = page("po/1", "erp", 2, before[0] == '\0' ? NULL : before);
		ck_assert_str_eq(keys_of(t), "key,events,next");
		ck_assert_str_eq(cJSON_GetObjectItem(t, "key")->valuestring, "po/1");
		cJSON_ArrayForEach(e, cJSON_GetObjectItem(t, "events"))
		{
			ck_assert_str_eq(
			    cJSON_GetObjectItem(e, "id")->valuestring, event_text(own[4 - n]));
			ck_assert_int_eq(
			    cJSON_GetArraySize(cJSON_GetObjectItem(e, "deliveries")), 2);
			n++;
		}
		next = cJSON_GetObjectItem(t, "next");
		ck_assert_uint_lt(pages++, 3);
		snprintf(
		    before, sizeof(before), "%s", cJSON_IsString(next) ? next->valuestring : "");
		cJSON_Delete(t);
	} while (before[0] != '\0');
	ck_assert_uint_eq(pages, 3);
	ck_assert_uint_eq(n, 5);
	/* A full last page has none behind it. */
	t = page("po/1", "erp", 5, NULL);
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(t, "events")), 5);
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(t, "next")));
	cJSON_Delete(t);
	t = page("po/3", "erp", 5, NULL);
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(t, "events")), 0);
	cJSON_Delete(t);
	struct got g = ask_raw((struct gan_query){
	    .kind = GAN_QUERY_OBJECT, .text = "po/1", .before = event_text(own[0]) });

	ck_assert_int_eq(g.rc, GAN_EINVAL);
	free(g.json);
}
END_TEST

START_TEST(large_events_of_a_key_are_told_in_pages_of_a_size)
{
	enum { N = 24 };
	int64_t own[N];
	char before[GAN_ID_LEN] = "";
	unsigned pages = 0, n = 0;
	cJSON *t, *e, *next;

	for (int i = 0; i < N; i++)
		own[i] = put_large("erp", "po/1");
	put_large("lab", "po/1");
	do {
		t = page("po/1", "erp", 100, before[0] == '\0' ? NULL : before);
		cJSON_ArrayForEach(e, cJSON_GetObjectItem(t, "events"))
		{
			ck_assert_uint_lt(n, N);
			ck_assert_str_eq(
			    cJSON_GetObjectItem(e, "id")->valuestring, event_text(own[N - 1 - n]));
			ck_assert_int_eq(
			    cJSON_GetArraySize(cJSON_GetObjectItem(e, "deliveries")), 1000);
			n++;
		}
		next = cJSON_GetObjectItem(t, "next");
		snprintf(
		    before, sizeof(before), "%s", cJSON_IsString(next) ? next->valuestring : "");
		cJSON_Delete(t);
	} while (++pages < 10 && before[0] != '\0');
	ck_assert_uint_eq(n, N);
	ck_assert_uint_eq(pages, 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("watch");
	TCase *tc = tcase_create("watch");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_last_delivery_ends_the_wait);
	tcase_add_test(tc, what_makes_no_delivery_is_over_when_it_is_mapped);
	tcase_add_test(tc, nobody_waits_for_ever_or_for_others);
	tcase_add_test(tc, only_so_many_wait_and_all_hear_of_the_end);
	tcase_add_test(tc, a_crowd_that_waits_keeps_no_sender_waiting);
	tcase_add_test(tc, a_sender_sees_its_own_events_of_a_key_in_pages);
	tcase_add_test(tc, large_events_of_a_key_are_told_in_pages_of_a_size);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
