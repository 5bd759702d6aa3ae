/* SPDX-License-Identifier: MIT */
/*
 * test_store_model.c - random work against the store, beside a model that
 * knows only the promise: nothing is lost, order per key, never two at a time
 * in a lane, an effect at most once, and in the end everything moves.
 *
 * GANTRY_SEED=n repeats a run.
 */
#include <inttypes.h>
#include <time.h>

#include "store_help.h"

#define DLV_MAX 700 /* deliveries of one run: one listing shows them all */
#define NKEYS 4
#define STEPS 500

struct model {
	int64_t id, event;
	int64_t place; /* in its lane: its id, or that of the one that it corrects */
	int key, effect, after, body, on_dead; /* key, effect, after: -1 is none */
	int state;
	bool maybe; /* an attempt may have arrived, and nobody denied it */
	bool sent;  /* delivered by a request of its own, or a person said so */
	int64_t valid_until, lease_until;
};

static struct model all[DLV_MAX];
static size_t n;
static int64_t now_ms, nevents;
static uint64_t seed, rnd;

static unsigned
dice(unsigned sides)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return (unsigned)((rnd >> 16) % sides);
}

static bool
is_open(const struct model *d)
{
	return d->state != GAN_DLV_DELIVERED && d->state != GAN_DLV_SKIPPED &&
	       !(d->state == GAN_DLV_DEAD && d->on_dead == 1);
}

static struct model *
by_id(int64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].id == id)
			return &all[i];
	ck_abort_msg("seed %" PRIu64 ": an invented delivery %s", seed, dlv_text(id));
	return NULL;
}

#define SURE(what, d)                                                                              \
	ck_assert_msg(what, "seed %" PRIu64 ": %s of %s, key %d, effect %d, state %s: " #what,     \
	    seed, __func__, dlv_text((d)->id), (d)->key, (d)->effect,                              \
	    gan_delivery_state_name((d)->state))

static bool
effect_done(int effect)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].effect == effect && all[i].state == GAN_DLV_DELIVERED && all[i].sent)
			return true;
	return false;
}

/* What the store did on its own account while it claimed. */
static void
learn_one(struct model *d, int state)
{
	if (state == d->state)
		return;
	switch (state) {
	case GAN_DLV_DELIVERED:
		SURE(d->state == GAN_DLV_WAITING && d->effect >= 0 && effect_done(d->effect), d);
		break;
	case GAN_DLV_DEAD: /* another body, or an `after` that does not come */
		SURE(d->state == GAN_DLV_WAITING && (d->effect >= 0 || d->after >= 0), d);
		break;
	case GAN_DLV_EXPIRED:
		SURE(d->state == GAN_DLV_WAITING && d->valid_until != 0 && now_ms > d->valid_until,
		    d);
		break;
	case GAN_DLV_UNKNOWN:
		SURE(d->state == GAN_DLV_SENDING && now_ms >= d->lease_until, d);
		d->maybe = true;
		break;
	default:
		SURE(state == d->state, d);
	}
	d->state = state;
}

static int
state_number(const char *name)
{
	for (int i = 0; i < GAN_DLV_NSTATES; i++)
		if (strcmp(gan_delivery_state_name(i), name) == 0)
			return i;
	ck_abort_msg("state %s", name);
	return -1;
}

/* Nothing is lost and nothing is invented. */
static void
learn(const int64_t *claimed, size_t nclaimed)
{
	cJSON *t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .limit = 1000 }), *it;
	int64_t id;

	ck_assert_int_eq(cJSON_GetArraySize(t), (int)n);
	cJSON_ArrayForEach(it, t)
	{
		bool mine = false;

		ck_assert(
		    gan_id_parse(GAN_ID_DELIVERY, cJSON_GetObjectItem(it, "id")->valuestring, &id));
		for (size_t i = 0; i < nclaimed; i++)
			mine = mine || claimed[i] == id;
		if (!mine)
			learn_one(
			    by_id(id), state_number(cJSON_GetObjectItem(it, "state")->valuestring));
	}
	cJSON_Delete(t);
}

/* It is `sending` now: was that allowed? */
static void
check_claim(struct model *d)
{
	SURE(d->state == GAN_DLV_WAITING, d);
	SURE(d->after < 0 || effect_done(d->after), d);
	for (size_t i = 0; i < n; i++) {
		const struct model *o = &all[i];

		if (o == d)
			continue;
		if (d->key >= 0 && o->key == d->key) {
			SURE(o->state != GAN_DLV_SENDING, d);
			SURE(o->place > d->place || !is_open(o), d);
		}
		if (d->effect >= 0 && o->effect == d->effect) {
			SURE(o->state != GAN_DLV_SENDING && o->state != GAN_DLV_UNKNOWN, d);
			SURE(!(o->state == GAN_DLV_DELIVERED && o->sent), d);
			SURE(!o->maybe || o->state == GAN_DLV_DELIVERED ||
				 o->state == GAN_DLV_SKIPPED,
			    d);
		}
	}
	d->state = GAN_DLV_SENDING;
}

static size_t
do_claim(size_t want, int64_t lease_ms)
{
	struct got g = claim(want, now_ms);
	int64_t ids[64] = { 0 };
	size_t got = g.n;

	ck_assert_uint_le(g.n, want);
	for (size_t i = 0; i < g.n; i++)
		ids[i] = g.rows[i]->id;
	learn(ids, g.n);
	for (size_t i = 0; i < g.n; i++) {
		struct model *d = by_id(ids[i]);

		SURE(g.rows[i]->maybe_sent == d->maybe, d);
		check_claim(d);
		d->lease_until = now_ms + lease_ms;
	}
	drop_rows(&g);
	return got;
}

/* ---- events ------------------------------------------------------------------------------- */

static void
name_of(char out[16], const char *what, int no)
{
	snprintf(out, 16, "%s/%d", what, no);
}

static int64_t
deliveries_of(int64_t event, int64_t *ids, size_t most)
{
	cJSON *t = ask((struct gan_query){ .kind = GAN_QUERY_EVENT, .text = event_text(event) });
	cJSON *list = cJSON_GetObjectItem(t, "deliveries");
	int got = cJSON_GetArraySize(list);

	ck_assert_int_le(got, (int)most);
	for (int i = 0; i < got; i++) {
		cJSON *d = cJSON_GetArrayItem(list, i);

		ck_assert(gan_id_parse(
		    GAN_ID_DELIVERY, cJSON_GetObjectItem(d, "id")->valuestring, &ids[i]));
	}
	cJSON_Delete(t);
	return got;
}

static void
do_event(void)
{
	static const char *const rules[] = { "r0", "r1", "r2" };
	char keys[3][16], effects[3][16], afters[3][16], bodies[3][32];
	const char *after[3];
	struct gan_new_delivery ds[3] = { { .rule = NULL } };
	struct gan_rejection bad = { "bad", "no" };
	struct gan_map_commit m = { .now_ms = now_ms, .state = GAN_EVENT_MAPPED, .deliveries = ds };
	struct got g = put_full("s", "t", "{}", now_ms, GAN_DEDUPE_NONE, NULL, NULL);
	int64_t ids[3];
	int fresh = (int)(nevents / 12);

	ck_assert_int_eq(g.rc, GAN_OK);
	nevents++;
	m.event_id = g.id;
	m.source = "s";
	m.topic = "t";
	m.ndeliveries = n + 3 > DLV_MAX ? 0 : dice(4);
	if (dice(10) == 0) {
		m.rejections = &bad;
		m.nrejections = 1;
	} else if (m.ndeliveries == 0 && dice(2) == 0) {
		m.state = GAN_EVENT_IGNORED;
	}
	for (size_t i = 0; i < m.ndeliveries; i++) {
		struct model *d = &all[n + i];

		/* Effects are fought for while they are new; some of `after` never come. */
		*d = (struct model){ .event = g.id,
			.key = (int)dice(NKEYS + 1) - 1,
			.effect = dice(4) > 0 ? fresh + (int)dice(2) : -1,
			.after = dice(8) == 0 ? fresh + (int)dice(4) - 2 : -1,
			.body = dice(12) == 0,
			.on_dead = (int)dice(3) != 0,
			.valid_until = dice(10) == 0 ? now_ms + dice(100000) : 0 };
		if (d->effect >= 0 && dice(3) > 0)
			d->key = d->effect % NKEYS;
		if (i > 0 && dice(2) == 0) { /* a twin: only one of the two may go */
			d->key = d[-1].key;
			d->effect = d[-1].effect;
			d->body = d[-1].body;
			d->on_dead = 1;
		}
		name_of(keys[i], "k", d->key);
		name_of(effects[i], "e", d->effect);
		name_of(afters[i], "e", d->after);
		after[i] = afters[i];
		snprintf(bodies[i], sizeof(bodies[i]), "{\"b\":%d}", d->body);
		ds[i] = (struct gan_new_delivery){ .rule = rules[i],
			.connector = "c",
			.operation = "op",
			.key = d->key < 0 ? NULL : keys[i],
			.effect = d->effect < 0 ? NULL : effects[i],
			.after = &after[i],
			.nafter = d->after >= 0,
			.body = bodies[i],
			.body_len = strlen(bodies[i]),
			.valid_until_ms = d->valid_until,
			.on_dead = d->on_dead };
	}
	ck_assert_int_eq(map(m), GAN_OK);
	ck_assert_int_eq(map(m), GAN_ESTATE); /* the same again changes nothing */
	ck_assert_int_eq(deliveries_of(g.id, ids, 3), (int64_t)m.ndeliveries);
	for (size_t i = 0; i < m.ndeliveries; i++, n++)
		all[n].id = all[n].place = ids[i];
}

/* ---- results and people ------------------------------------------------------------------- */

static void
do_settle(struct model *d, int state, bool maybe)
{
	struct gan_attempt a = { .started_ms = now_ms, .ended_ms = now_ms, .verdict = "v" };
	struct gan_settle s = { .delivery_id = d->id,
		.state = (enum gan_delivery_state)state,
		.next_ms = now_ms + dice(30000),
		.uncounted = !maybe && dice(4) == 0,
		.maybe_sent = maybe || state == GAN_DLV_UNKNOWN,
		.reason = state == GAN_DLV_DELIVERED ? NULL : "why",
		.attempt = dice(3) == 0 ? NULL : &a,
		.now_ms = now_ms };
	struct got g = { .done = false };
	bool holds = d->state == GAN_DLV_SENDING;

	ck_assert_int_eq(gan_store_settle(st, &s, got_done, &g), GAN_OK);
	wait_for(&g.done);
	SURE(g.rc == (holds ? GAN_OK : GAN_ESTATE), d);
	if (!holds)
		return;
	d->state = state;
	d->sent = state == GAN_DLV_DELIVERED;
	d->maybe = d->maybe || s.maybe_sent;
}

static void
do_command(struct model *d, enum gan_command_kind kind)
{
	struct got g = { .done = false };
	struct gan_command c = { .kind = kind, .id = dlv_text(d->id), .now_ms = now_ms };
	int was = d->state;
	bool may =
	    kind == GAN_CMD_SENT || kind == GAN_CMD_NOT_SENT ? was == GAN_DLV_UNKNOWN
	    : kind == GAN_CMD_RETRY || kind == GAN_CMD_FREE
		? (was == GAN_DLV_DEAD || was == GAN_DLV_EXPIRED || was == GAN_DLV_WAITING) &&
		      (kind == GAN_CMD_RETRY || d->after >= 0)
		: was != GAN_DLV_SENDING && was != GAN_DLV_DELIVERED && was != GAN_DLV_SKIPPED;

	ck_assert_int_eq(gan_store_command(st, &c, got_json, &g), GAN_OK);
	wait_for(&g.done);
	free(g.json);
	SURE(g.rc == (may ? GAN_OK : GAN_ESTATE), d);
	if (!may)
		return;
	d->state = kind == GAN_CMD_SENT   ? GAN_DLV_DELIVERED
		   : kind == GAN_CMD_SKIP ? GAN_DLV_SKIPPED
					  : GAN_DLV_WAITING;
	d->sent = d->sent || kind == GAN_CMD_SENT;
	if (kind == GAN_CMD_NOT_SENT)
		d->maybe = false;
	if (kind == GAN_CMD_FREE)
		d->after = -1;
	if (was != GAN_DLV_WAITING && d->state == GAN_DLV_WAITING)
		d->valid_until = 0;
}

/* The copy stands where d stood, and has all of it but its body and its past. */
static void
do_correct(struct model *d)
{
	struct got g = { .done = false };
	struct model copy = *d;
	char body[32];
	struct gan_command c = { .kind = GAN_CMD_CORRECT,
		.id = dlv_text(d->id),
		.reason = "r",
		.body = body,
		.now_ms = now_ms };
	bool may =
	    d->state == GAN_DLV_DEAD || d->state == GAN_DLV_UNKNOWN || d->state == GAN_DLV_EXPIRED;
	cJSON *t;

	if (n == DLV_MAX)
		return;
	copy.body = (int)dice(2);
	snprintf(body, sizeof(body), "{\"b\":%d}", copy.body);
	c.body_len = strlen(body);
	ck_assert_int_eq(gan_store_command(st, &c, got_json, &g), GAN_OK);
	wait_for(&g.done);
	SURE(g.rc == (may ? GAN_OK : GAN_ESTATE), d);
	if (may) {
		t = cJSON_Parse(g.json);
		ck_assert(gan_id_parse(
		    GAN_ID_DELIVERY, cJSON_GetObjectItem(t, "id")->valuestring, &copy.id));
		cJSON_Delete(t);
		copy.state = GAN_DLV_WAITING;
		copy.maybe = copy.sent = false;
		copy.valid_until = 0;
		d->state = GAN_DLV_SKIPPED;
		all[n++] = copy;
	}
	free(g.json);
}

static void
do_person(struct model *d)
{
	static const enum gan_command_kind kinds[] = { GAN_CMD_RETRY, GAN_CMD_SENT,
		GAN_CMD_NOT_SENT, GAN_CMD_SKIP, GAN_CMD_FREE };
	unsigned what = dice(6);

	if (what < GAN_COUNT(kinds))
		do_command(d, kinds[what]);
	else
		do_correct(d);
}

static void
do_reopen(void)
{
	shut();
	reopen();
	for (size_t i = 0; i < n; i++)
		if (all[i].state == GAN_DLV_SENDING) {
			all[i].state = GAN_DLV_UNKNOWN;
			all[i].maybe = true;
		}
	learn(NULL, 0);
}

static void
one_step(void)
{
	static const int results[] = { GAN_DLV_DELIVERED, GAN_DLV_DEAD, GAN_DLV_DEAD,
		GAN_DLV_WAITING, GAN_DLV_WAITING, GAN_DLV_UNKNOWN, GAN_DLV_DEAD };
	struct model *d = n > 0 ? &all[dice((unsigned)n)] : NULL;
	unsigned what = dice(100);

	now_ms += what < 2 ? 70000 : what < 4 ? -1000 : (int64_t)dice(3000);
	if (what < 25) {
		do_event();
	} else if (what < 50) {
		(void)do_claim(1 + dice(6), 60000);
	} else if (what < 80) {
		for (size_t i = 0; i < n; i++)
			if (all[i].state == GAN_DLV_SENDING && dice(3) != 0)
				do_settle(&all[i], results[dice(7)], dice(3) == 0);
	} else if (what < 82 && d != NULL) {
		do_settle(d, results[dice(7)], false);
	} else if (what < 85 && d != NULL) {
		do_person(d);
	} else if (what == 92) {
		do_reopen();
	} else if (what >= 80 && d != NULL) {
		/* A person works at the attention list. */
		for (size_t i = 0, most = n; i < most; i++)
			if (is_open(&all[i]) ? all[i].state > GAN_DLV_DELIVERED && dice(2) == 0
					     : all[i].state == GAN_DLV_DEAD && dice(6) == 0)
				do_person(&all[i]);
	}
	if (what == 99)
		books_are_right();
}

/* With a peer that takes everything and a person who looks after the list, all comes to an end. */
static void
bring_to_an_end(void)
{
	size_t left = 1, rounds = 0;

	while (left > 0) {
		ck_assert_msg(
		    rounds++ < 400, "seed %" PRIu64 ": %zu deliveries never move", seed, left);
		now_ms += 61000;
		while (do_claim(32, 60000) > 0) {
			for (size_t i = 0; i < n; i++)
				if (all[i].state == GAN_DLV_SENDING)
					do_settle(&all[i], GAN_DLV_DELIVERED, false);
		}
		left = 0;
		for (size_t i = 0; i < n; i++) {
			if (all[i].state == GAN_DLV_UNKNOWN)
				do_command(&all[i], GAN_CMD_NOT_SENT);
			else if (all[i].state == GAN_DLV_EXPIRED)
				do_command(&all[i], GAN_CMD_RETRY);
			else if (all[i].state == GAN_DLV_DEAD)
				do_command(&all[i], GAN_CMD_SKIP);
			left +=
			    all[i].state != GAN_DLV_DELIVERED && all[i].state != GAN_DLV_SKIPPED;
		}
	}
}

START_TEST(random_work_keeps_the_promise)
{
	struct gan_store_counts c;

	seed = _i == 0 ? (uint64_t)gan_wall_ms() : (uint64_t)_i * 7919;
	if (getenv("GANTRY_SEED") != NULL)
		seed = strtoull(getenv("GANTRY_SEED"), NULL, 10);
	printf("model seed %" PRIu64 "\n", seed);
	rnd = seed * 2654435761U + 88172645463325252U;
	now_ms = T0;
	n = 0;
	nevents = 0;
	give_up_ms = 3600000;
	for (int i = 0; i < STEPS; i++)
		one_step();
	books_are_right();
	bring_to_an_end();
	books_are_right();
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.deliveries[GAN_DLV_DELIVERED] + c.deliveries[GAN_DLV_SKIPPED], (int)n);
	ck_assert_int_eq(
	    c.events[GAN_EVENT_MAPPED] + c.events[GAN_EVENT_IGNORED] + c.events[GAN_EVENT_REJECTED],
	    nevents);
	ck_assert_int_eq(c.attention, c.events[GAN_EVENT_REJECTED]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store model");
	TCase *tc = tcase_create("model");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, random_work_keeps_the_promise, 0, 4);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
