/* SPDX-License-Identifier: MIT */
/* state.c - what the simulated systems know, to be set and looked at by tests. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim.h"

#define HOUR_MS (INT64_C(3600) * 1000)

/* A setting that is a text or a number, by system. */
struct setting {
	enum gan_sim_system system;
	const char *name;
	size_t offset;
	bool number;
	const char *text; /* default */
	int64_t value;
};

#define TEXT(sys, part, name, otherwise)                                                           \
	{                                                                                          \
		sys, #name, offsetof(struct gan_sim, part.name), false, otherwise, 0               \
	}
#define NUMBER(sys, part, name, otherwise)                                                         \
	{                                                                                          \
		sys, #name, offsetof(struct gan_sim, part.name), true, NULL, otherwise             \
	}

static const struct setting settings[] = {
	TEXT(GAN_SIM_PRODSMART, prodsmart, api_key, "sim-ps-key"),
	TEXT(GAN_SIM_PRODSMART, prodsmart, api_secret, "sim-ps-secret"),
	NUMBER(GAN_SIM_PRODSMART, prodsmart, token_life_ms, 2 * HOUR_MS),
	NUMBER(GAN_SIM_PRODSMART, prodsmart, one_token, 0),
	NUMBER(GAN_SIM_PRODSMART, prodsmart, limit_per_minute, 120),
	NUMBER(GAN_SIM_PRODSMART, prodsmart, limit_window_ms, 60000),
	NUMBER(GAN_SIM_PRODSMART, prodsmart, zone_minutes, 60),
	NUMBER(GAN_SIM_PRODSMART, prodsmart, list_delay_ms, 0),
	NUMBER(GAN_SIM_PRODSMART, prodsmart, report_ms, 0),
	NUMBER(GAN_SIM_PRODSMART, prodsmart, single_object, 0),
	TEXT(GAN_SIM_MOVILITAS, movilitas, api_key, "sim-mv-key"),
	TEXT(GAN_SIM_MOVILITAS, movilitas, api_secret, "sim-mv-secret"),
	TEXT(GAN_SIM_MOVILITAS, movilitas, static_token, "sim-mv-token"),
	TEXT(GAN_SIM_MOVILITAS, movilitas, channel_key, "sim-mv-channel"),
	TEXT(GAN_SIM_MOVILITAS, movilitas, sscc_default, ""),
	NUMBER(GAN_SIM_MOVILITAS, movilitas, token_life_ms, 24 * HOUR_MS),
	TEXT(GAN_SIM_FLEX2B, flex2b, user, "sim-3pl"),
	TEXT(GAN_SIM_FLEX2B, flex2b, password, "sim-3pl-password"),
	NUMBER(GAN_SIM_FLEX2B, flex2b, token_life_ms, 30000),
	TEXT(GAN_SIM_ERP, erp, auth, "none"),
	TEXT(GAN_SIM_ERP, erp, user, "sim-erp"),
	TEXT(GAN_SIM_ERP, erp, password, "sim-erp-password"),
	TEXT(GAN_SIM_ERP, erp, token, "sim-erp-token"),
	TEXT(GAN_SIM_ERP, erp, client_id, "sim-erp-client"),
	TEXT(GAN_SIM_ERP, erp, client_secret, "sim-erp-client-secret"),
	TEXT(GAN_SIM_ERP, erp, scope, ""),
	TEXT(GAN_SIM_ERP, erp, expires_in, "number"),
	TEXT(GAN_SIM_ERP, erp, client_auth, ""),
	NUMBER(GAN_SIM_ERP, erp, token_life_ms, HOUR_MS),
};

static char **
text_of(struct gan_sim *sim, const struct setting *s)
{
	return (char **)(void *)((char *)sim + s->offset);
}

static int64_t *
number_of(struct gan_sim *sim, const struct setting *s)
{
	return (int64_t *)(void *)((char *)sim + s->offset);
}

static int
replace_text(char **at, const char *text)
{
	char *copy = gan_memdup(text, strlen(text));

	if (copy == NULL)
		return GAN_ENOMEM;
	free(*at);
	*at = copy;
	return GAN_OK;
}

int
gan_sim_state_init(struct gan_sim *sim)
{
	for (size_t i = 0; i < GAN_COUNT(settings); i++) {
		const struct setting *s = &settings[i];

		if (s->number)
			*number_of(sim, s) = s->value;
		else if (replace_text(text_of(sim, s), s->text) < 0)
			return GAN_ENOMEM;
	}
	if (gan_sim_prodsmart_init(&sim->prodsmart) < 0)
		return GAN_ENOMEM;
	return replace_text(&sim->movilitas.products, "");
}

void
gan_sim_state_fini(struct gan_sim *sim)
{
	for (size_t i = 0; i < GAN_COUNT(settings); i++) {
		if (!settings[i].number)
			gan_str_free(text_of(sim, &settings[i]));
	}
	gan_str_free(&sim->movilitas.products);
	gan_sim_prodsmart_fini(&sim->prodsmart);
	gan_sim_table_fini(&sim->movilitas.ssccs);
	gan_sim_table_fini(&sim->movilitas.serials);
	gan_sim_table_fini(&sim->flex2b.uuids);
	for (int i = 0; i < GAN_SIM_NSYSTEMS; i++)
		gan_sim_canned_free(&sim->canned[i]);
	(void)gan_sim_fault_remove(&sim->faults, 0);
	gan_sim_journal_free(&sim->journal);
}

static void
forget_tokens(struct gan_sim *sim, enum gan_sim_system system)
{
	if (system == GAN_SIM_PRODSMART)
		sim->prodsmart.tokens.n = 0;
	else if (system == GAN_SIM_MOVILITAS)
		sim->movilitas.tokens.n = 0;
	else if (system == GAN_SIM_FLEX2B)
		sim->flex2b.tokens.n = 0;
	else if (system == GAN_SIM_ERP)
		sim->erp.tokens.n = 0;
}

void
gan_sim_state_reset(struct gan_sim *sim)
{
	gan_sim_prodsmart_reset(&sim->prodsmart);
	gan_sim_table_fini(&sim->movilitas.ssccs);
	gan_sim_table_fini(&sim->movilitas.serials);
	gan_sim_table_fini(&sim->flex2b.uuids);
	for (int i = 0; i < GAN_SIM_NSYSTEMS; i++) {
		forget_tokens(sim, (enum gan_sim_system)i);
		gan_sim_canned_free(&sim->canned[i]);
	}
	(void)gan_sim_fault_remove(&sim->faults, 0);
	gan_sim_journal_reset(sim->journal);
}

static int
set_ssccs(struct gan_sim *sim, const cJSON *pool, struct gan_err *err)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, pool)
	{
		int state = cJSON_IsString(item) ? gan_sim_sscc_state(item->valuestring) : -1;

		if (state < 0)
			return gan_err_set(err, GAN_EINVAL,
			    "SSCC %s: the state must be Assigned or Available", item->string);
		(void)gan_sim_table_put(&sim->movilitas.ssccs, item->string, state);
	}
	return GAN_OK;
}

static int
set_products(struct gan_sim *sim, const cJSON *list, struct gan_err *err)
{
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsString(item))
			return gan_err_set(err, GAN_EINVAL, "products: GTINs, as strings");
		gan_buf_printf(&text, "%s%s,", text.len == 0 ? "," : "", item->valuestring);
	}
	return replace_text(&sim->movilitas.products, text.len == 0 ? "" : text.data);
}

static int
set_special(struct gan_sim *sim, enum gan_sim_system system, const cJSON *v, struct gan_err *err)
{
	if (strcmp(v->string, "down") == 0)
		return gan_sim_set_down(sim, system, cJSON_IsTrue(v), err);
	if (strcmp(v->string, "forget_tokens") == 0) {
		forget_tokens(sim, system);
		return GAN_OK;
	}
	if ((system == GAN_SIM_MOVILITAS || system == GAN_SIM_ERP) &&
	    strcmp(v->string, "answers") == 0)
		return gan_sim_canned_set(&sim->canned[system], v, err);
	if (system == GAN_SIM_MOVILITAS && strcmp(v->string, "ssccs") == 0)
		return set_ssccs(sim, v, err);
	if (system == GAN_SIM_MOVILITAS && strcmp(v->string, "products") == 0)
		return set_products(sim, v, err);
	if (system == GAN_SIM_FLEX2B && strcmp(v->string, "token_header") == 0) {
		sim->flex2b.raw = cJSON_IsString(v) && strcmp(v->valuestring, "raw") == 0;
		return GAN_OK;
	}
	if (system == GAN_SIM_PRODSMART)
		return gan_sim_prodsmart_set(&sim->prodsmart, v, err);
	return gan_err_set(
	    err, GAN_EINVAL, "%s has no setting \"%s\"", gan_sim_names[system], v->string);
}

static int
set_one(struct gan_sim *sim, enum gan_sim_system system, const cJSON *v, struct gan_err *err)
{
	for (size_t i = 0; i < GAN_COUNT(settings); i++) {
		const struct setting *s = &settings[i];

		if (s->system != system || strcmp(s->name, v->string) != 0)
			continue;
		if (s->number ? !cJSON_IsNumber(v) : !cJSON_IsString(v))
			return gan_err_set(err, GAN_EINVAL, "%s.%s must be a %s",
			    gan_sim_names[system], s->name, s->number ? "number" : "string");
		if (!s->number)
			return replace_text(text_of(sim, s), v->valuestring);
		*number_of(sim, s) = (int64_t)v->valuedouble;
		return GAN_OK;
	}
	return set_special(sim, system, v, err);
}

int
gan_sim_state_set(struct gan_sim *sim, const cJSON *state, struct gan_err *err)
{
	const cJSON *part, *v;

	cJSON_ArrayForEach(part, state)
	{
		enum gan_sim_system system =
		    gan_sim_system_find(part->string == NULL ? "" : part->string);

		if (system >= GAN_SIM_CONTROL || !cJSON_IsObject(part))
			return gan_err_set(err, GAN_EINVAL,
			    "the state is an object of systems: prodsmart, movilitas, flex2b, erp");
		cJSON_ArrayForEach(v, part)
		{
			int rc = set_one(sim, system, v, err);

			if (rc < 0)
				return rc;
		}
	}
	return GAN_OK;
}

void
gan_sim_state_show(const struct gan_sim *sim, struct gan_buf *out)
{
	const struct gan_sim_table *pool = &sim->movilitas.ssccs, *done = &sim->movilitas.serials;
	bool any = false;

	gan_buf_puts(out, "{\"down\":{");
	for (int i = 0; i < GAN_SIM_CONTROL; i++) {
		gan_buf_printf(out, "%s\"%s\":%s", i == 0 ? "" : ",", gan_sim_names[i],
		    gan_sim_is_down(sim, (enum gan_sim_system)i) ? "true" : "false");
	}
	gan_buf_printf(
	    out, "},\"flex2b\":{\"uuids\":%zu},\"movilitas\":{\"ssccs\":{", sim->flex2b.uuids.len);
	for (size_t i = 0; i < pool->cap; i++) {
		if (pool->keys[i] == NULL)
			continue;
		gan_buf_puts(out, any ? "," : "");
		gan_buf_json(out, pool->keys[i], strlen(pool->keys[i]));
		gan_buf_printf(out, ":\"%s\"", gan_sim_sscc_name(pool->values[i]));
		any = true;
	}
	gan_buf_puts(out, "},\"decommissioned\":[");
	any = false;
	for (size_t i = 0; i < done->cap; i++) {
		if (done->keys[i] == NULL)
			continue;
		gan_buf_puts(out, any ? "," : "");
		gan_buf_json(out, done->keys[i], strlen(done->keys[i]));
		any = true;
	}
	gan_buf_puts(out, "]},\"prodsmart\":");
	gan_sim_prodsmart_show(&sim->prodsmart, out);
	gan_buf_putc(out, '}');
}
