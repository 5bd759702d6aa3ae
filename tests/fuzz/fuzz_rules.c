/* SPDX-License-Identifier: MIT */
/*
 * fuzz_rules.c - a rule file, checked for form (no jq), beside a table and an
 * event; or, when it begins like one, a packed set as the store keeps it.
 */
#include "admin/rulework.h"
#include "fuzz.h"
#include "mapping/frame.h"
#include "mapping/rules.h"
#include "json/check.h"

FUZZ_LIBFYAML_LEAKS

static char movilitas[] = "movilitas", flex2b[] = "flex2b", prodsmart[] = "prodsmart",
	    erp[] = "erp";
static char dir[] = "/nonexistent";
static struct gan_conf_connector connectors[] = {
	{ .name = movilitas, .kind = GAN_CONNECTOR_MOVILITAS },
	{ .name = flex2b, .kind = GAN_CONNECTOR_FLEX2B },
};
static struct gan_conf_source sources[] = { { .name = prodsmart }, { .name = erp } };
static const struct gan_config conf = { .dir = dir,
	.mapping = { .rules = dir, .numbers = GAN_NUMBERS_EXACT },
	.sources = sources,
	.nsources = GAN_COUNT(sources),
	.connectors = connectors,
	.nconnectors = GAN_COUNT(connectors) };

static void
put_file(struct gan_buf *b, const char *name, const void *p, size_t n, bool rule)
{
	gan_buf_u32(b, rule);
	gan_frame_text(b, name);
	gan_frame_bytes(b, p, n);
}

static void
pack(struct gan_buf *b, const uint8_t *data, size_t size)
{
	static const char table[] = "code,name\n7,sample\n8,destroy\n";
	static const char event[] = "{\"id\":1,\"waste\":[\"7\"]}";

	gan_frame_text(b, "gantry-rules-1");
	gan_buf_u32(b, 3);
	put_file(b, "rules.d/10-a.yaml", data, size, true);
	put_file(b, "lookups/a.csv", table, strlen(table), false);
	put_file(b, "events/a.json", event, strlen(event), false);
}

static void
look_at(const struct gan_rules *r, const struct gan_buf *blob)
{
	struct gan_buf json GAN_AUTO(gan_buf_fini) = { 0 }, again GAN_AUTO(gan_buf_fini) = { 0 };

	gan_must(gan_rules_json(r, &json) == GAN_OK);
	gan_must(gan_json_check(json.data, json.len, GAN_JSON_DEPTH, NULL, NULL) == GAN_OK);
	gan_must(gan_rules_pack(r, &again) == GAN_OK);
	gan_must(again.len == blob->len);
	for (size_t i = 0; i < r->nrules; i++) {
		gan_must(gan_rules_find(r, r->rules[i].name) == &r->rules[i]);
		(void)gan_rule_listens(&r->rules[i], "prodsmart", "production.created");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gan_buf blob GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *r GAN_AUTO(gan_rules_unref) = NULL;
	int rc;

	if (size > 18 && memcmp(data + 4, "gantry-rules-1", 14) == 0)
		gan_buf_put(&blob, data, size);
	else
		pack(&blob, data, size);
	rc = gan_rules_unpack(&conf, &gan_rulework_checks, blob.data, blob.len, &r, &d);
	gan_must(rc == GAN_OK || rc == GAN_ECONFIG);
	gan_must((rc == GAN_OK) == (d.errors == 0) && (rc == GAN_OK) == (r != NULL));
	if (rc == GAN_OK)
		look_at(r, &blob);
	return 0;
}
