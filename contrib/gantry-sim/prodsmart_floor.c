/* SPDX-License-Identifier: MIT */
/* prodsmart_floor.c - machines, and the downtimes that they begin. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "prodsmart.h"

/*
 * The machine of the path.  Any is there, until POST /state has named some:
 * then all others are unknown.
 */
static cJSON *
machine_of(struct gan_ps_call *c)
{
	cJSON *machine = gan_ps_find(c->ps, GAN_PS_MACHINES, c->param);

	if (machine == NULL && c->ps->pools[GAN_PS_MACHINES].closed)
		gan_ps_fail(c, c->op->missing, "there is no machine %s", c->param);
	else if (machine == NULL)
		machine = gan_ps_put(c->ps, GAN_PS_MACHINES, gan_ps_wrap("code", c->param));
	return machine;
}

static cJSON *
member_object(cJSON *object, const char *name)
{
	if (!cJSON_IsObject(gan_ps_member(object, name)))
		gan_ps_set(object, name, cJSON_CreateObject());
	return gan_ps_member(object, name);
}

/* Count and waste are sums since the beginning: they may only grow. */
static bool
grows(struct gan_ps_call *c, const cJSON *machine)
{
	double count = gan_cj_num(c->body, "count", 0), was = gan_cj_num(machine, "counter", 0);
	const cJSON *sums = gan_cj_get(machine, "waste"), *w;

	if (count <= was && gan_cj_get(machine, "counter") != NULL) {
		c->ans->repeats = count == was;
		gan_ps_fail(c, 400, "count must be above %.15g", was);
	}
	cJSON_ArrayForEach(w, gan_cj_get(c->body, "waste"))
	{
		const char *code = gan_cj_str(w, "code");

		if (gan_cj_num(w, "quantity", 0) < gan_cj_num(sums, code, 0))
			gan_ps_fail(c, 400, "waste of %s must not be below %.15g", code,
			    gan_cj_num(sums, code, 0));
	}
	return !c->failed;
}

void
gan_ps_machine_counter(struct gan_ps_call *c)
{
	cJSON *machine = machine_of(c);
	const cJSON *w;

	if (machine == NULL || !grows(c, machine))
		return;
	gan_ps_set(machine, "counter", gan_ps_copy(gan_ps_member(c->body, "count")));
	cJSON_ArrayForEach(w, gan_cj_get(c->body, "waste"))
	    gan_ps_set(member_object(machine, "waste"), gan_cj_str(w, "code"),
		gan_ps_copy(gan_ps_member(w, "quantity")));
	cJSON_ArrayForEach(w, gan_cj_get(c->body, "parameters"))
	{
		if (gan_cj_get(w, "value") != NULL)
			gan_ps_set(member_object(machine, "parameters"), gan_cj_str(w, "name"),
			    gan_ps_copy(gan_cj_get(w, "value")));
	}
	c->ans->acted = true;
	gan_ps_answer(c, c->op->ok, gan_ps_copy(gan_ps_member(machine, "counter")));
}

void
gan_ps_machine_parameters(struct gan_ps_call *c)
{
	cJSON *machine = machine_of(c);
	const cJSON *p;

	if (machine == NULL)
		return;
	cJSON_ArrayForEach(p, gan_cj_get(c->body, "parameters"))
	    gan_ps_set(member_object(machine, "parameters"), gan_cj_str(p, "code"),
		gan_ps_copy(gan_cj_get(p, "value")));
	c->ans->acted = true;
	c->ans->status = c->op->ok;
}

/* The newest downtime of the machine that has no end yet. */
static cJSON *
open_downtime(const struct gan_ps *ps, const char *machine)
{
	const struct gan_ps_pool *pl = &ps->pools[GAN_PS_DOWNTIMES];

	for (size_t i = pl->len; i-- > 0;) {
		const cJSON *first = gan_cj_get(pl->items[i], "machines");

		first = first == NULL ? NULL : first->child;
		if (pl->items[i] != NULL && gan_cj_true(pl->items[i], "$open") &&
		    gan_streq(gan_cj_str(first, "code"), machine))
			return pl->items[i];
	}
	return NULL;
}

static void
start_downtime(struct gan_ps_call *c, const char *now)
{
	cJSON *d = cJSON_CreateObject(), *machines = cJSON_CreateArray();
	cJSON *machine = gan_ps_wrap("code", c->param);

	gan_ps_set(d, "start-time", cJSON_CreateString(now));
	gan_ps_set(d, "end-time", cJSON_CreateString("2099-12-31T23:59:59.999+01:00"));
	gan_ps_set(d, "started-by", cJSON_CreateObject());
	gan_ps_set(d, "closed-by", cJSON_CreateObject());
	gan_ps_set(d, "workers", cJSON_CreateArray());
	gan_ps_set(machine, "name", cJSON_CreateString(c->param));
	(void)cJSON_AddItemToArray(machines, machine);
	gan_ps_set(d, "machines", machines);
	gan_ps_set(d, "product", cJSON_CreateString(""));
	gan_ps_set(d, "production-order", cJSON_CreateString(""));
	gan_ps_set(d, "checked-out", cJSON_CreateFalse());
	gan_ps_set(d, "downtime-type", gan_ps_copy(gan_ps_member(c->body, "type")));
	gan_ps_set(d, "time-spent", cJSON_CreateString("00H00m00s"));
	gan_ps_set(d, "$open", cJSON_CreateTrue());
	(void)gan_ps_put(c->ps, GAN_PS_DOWNTIMES, d);
}

static void
end_downtime(cJSON *d, const char *now)
{
	const char *start = gan_cj_str(d, "start-time");
	int64_t from, to;
	char text[48];
	long s = 0;

	if (start != NULL && gan_time_parse(start, &from) == 0 && gan_time_parse(now, &to) == 0)
		s = (long)((to - from) / 1000);
	(void)snprintf(text, sizeof(text), "%02ldH%02ldm%02lds", s / 3600, s / 60 % 60, s % 60);
	gan_ps_set(d, "end-time", cJSON_CreateString(now));
	gan_ps_set(d, "checked-out", cJSON_CreateTrue());
	gan_ps_set(d, "time-spent", cJSON_CreateString(text));
	gan_ps_drop(d, "$open");
}

/* A stop begins a downtime, even if there is one: that is what a repeat does. */
void
gan_ps_machine_startstop(struct gan_ps_call *c)
{
	double running = gan_cj_num(c->body, "running", 0);
	const char *type = gan_cj_str(c->body, "type");
	cJSON *machine = machine_of(c), *open;
	char now[GAN_TIME_LEN];
	const cJSON *t;
	bool assigned;

	if (machine == NULL)
		return;
	assigned = gan_cj_get(machine, "types") == NULL;
	cJSON_ArrayForEach(t, gan_cj_get(machine, "types")) assigned =
	    assigned || gan_streq(cJSON_GetStringValue(t), type);
	if (running != 0 && running != 1)
		gan_ps_fail(c, 400, "running must be 0 or 1");
	else if (!assigned)
		gan_ps_fail(c, 400, "downtime type %s is not assigned to the machine", type);
	if (c->failed)
		return;
	(void)gan_time_format(gan_wall_ms(), now);
	open = open_downtime(c->ps, c->param);
	c->ans->repeats = (open != NULL) == (running == 0);
	if (running == 0)
		start_downtime(c, now);
	else if (open != NULL)
		end_downtime(open, now);
	gan_ps_set(machine, "running", cJSON_CreateNumber(running));
	c->ans->acted = true;
	c->ans->status = c->op->ok;
}
