/* SPDX-License-Identifier: MIT */
/*
 * prodsmart_records.c - what the shop floor reported: production records, punch
 * clocks, the report on labor time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "prodsmart.h"

/* Text of a number -> number, as the answers show a worker's. */
static void
as_number(cJSON *item, const char *name)
{
	const char *text = gan_cj_str(item, name);

	if (text != NULL)
		gan_ps_set(item, name, cJSON_CreateNumber(strtod(text, NULL)));
}

static void
work_time(cJSON *item)
{
	const char *from = gan_cj_str(item, "start-time"), *to = gan_cj_str(item, "end-time");
	int64_t begin, end;
	char text[48];
	long s = 0;

	if (gan_ps_member(item, "work-time") != NULL)
		return;
	if (from != NULL && to != NULL && gan_time_parse(from, &begin) == 0 &&
	    gan_time_parse(to, &end) == 0)
		s = (long)((end - begin) / 1000);
	(void)snprintf(text, sizeof(text), "%02ldH%02ldm%02lds", s / 3600, s / 60 % 60, s % 60);
	gan_ps_set(item, "work-time", cJSON_CreateString(text));
}

void
gan_ps_production_tidy(struct gan_ps *ps, cJSON *item)
{
	cJSON *order = gan_ps_member(item, "production-order"), *worker;
	const cJSON *known;

	worker = gan_ps_member(item, "worker");
	if (cJSON_IsObject(worker))
		as_number(worker, "number");
	known = gan_ps_find_code(ps, GAN_PS_PRODUCTION_ORDERS, gan_cj_str(order, "code"));
	if (known != NULL)
		gan_ps_set(order, "id", gan_ps_copy(gan_ps_member(known, "id")));
	if (gan_ps_member(item, "checked-out") == NULL)
		gan_ps_set(item, "checked-out", cJSON_CreateFalse());
	work_time(item);
}

/* [{"name":"n","value":v}] -> [{"n":v}], if it is not that already */
static cJSON *
short_parameters(const cJSON *parameters)
{
	cJSON *list = cJSON_CreateArray();
	const cJSON *p;

	cJSON_ArrayForEach(p, parameters)
	{
		const char *name = gan_cj_str(p, "name");
		const cJSON *value = gan_cj_get(p, "value");
		cJSON *one = name == NULL ? gan_ps_copy(p) : cJSON_CreateObject();

		if (name != NULL)
			gan_ps_set(
			    one, name, value == NULL ? cJSON_CreateNull() : gan_ps_copy(value));
		(void)cJSON_AddItemToArray(list, one);
	}
	return list;
}

static void
listed(const struct gan_ps_call *c, cJSON *v)
{
	cJSON *operation = gan_ps_member(v, "operation"), *worker = gan_ps_member(v, "worker");
	const char *product = gan_cj_str(operation, "product-code");

	if (product != NULL) {
		gan_ps_set(operation, "product", cJSON_CreateString(product));
		gan_ps_drop(operation, "product-code");
		gan_ps_drop(operation, "id");
	}
	if (worker != NULL && !gan_ps_flag(c, "worker-name"))
		gan_ps_drop(worker, "name");
	if (gan_ps_member(v, "parameters") != NULL)
		gan_ps_set(v, "parameters", short_parameters(gan_ps_member(v, "parameters")));
	gan_ps_drop(v, "shipping");
	gan_ps_drop(v, "lot-number");
	gan_ps_drop(v, "finished");
}

static void
in_utc(cJSON *v, const char *name)
{
	const char *text = gan_cj_str(v, name);
	char utc[GAN_TIME_LEN];
	int64_t ms;

	if (text != NULL && gan_time_parse(text, &ms) == 0)
		gan_ps_set(v, name, cJSON_CreateString(gan_time_format(ms, utc)));
}

/* The list and the answers to a change show a record in two ways, as in the samples. */
cJSON *
gan_ps_production_view(const struct gan_ps_call *c, const cJSON *item)
{
	cJSON *v = gan_ps_copy(item);

	if (strcmp(c->op->method, "GET") == 0) {
		listed(c, v);
		return v;
	}
	in_utc(v, "start-time");
	in_utc(v, "end-time");
	gan_ps_drop(v, "work-time");
	gan_ps_drop(v, "checked-out");
	return v;
}

void
gan_ps_production_list(struct gan_ps_call *c)
{
	if (gan_ps_arg(c, "start-time") != NULL && (gan_ps_arg(c, "start-time-before") != NULL ||
						       gan_ps_arg(c, "start-time-after") != NULL))
		gan_ps_fail(c, 400, "start-time does not go with start-time-before or -after");
	else
		gan_ps_list(c);
}

/* Feed and webhook call it `entry`, the list `type`. */
void
gan_ps_punchclock_tidy(struct gan_ps *ps, cJSON *item)
{
	const cJSON *entry = gan_ps_member(item, "entry");

	(void)ps;
	if (entry == NULL)
		return;
	gan_ps_set(item, "type", gan_ps_copy(entry));
	gan_ps_drop(item, "entry");
}

/* One run at a time; this 429 brings no Retry-After, as the page promises none. */
void
gan_ps_report(struct gan_ps_call *c)
{
	int64_t now = gan_mono_ms();

	if (now < c->ps->report_until_ms) {
		gan_ps_fail(c, 429, "another run of this report is in progress");
		return;
	}
	c->ps->report_until_ms = now + c->p->report_ms;
	gan_ps_list(c);
}
