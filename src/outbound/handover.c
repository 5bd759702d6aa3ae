/* SPDX-License-Identifier: MIT */
/*
 * handover.c - what was used of each quota, from one process to the next.
 *
 *	{"boot": "…", "accounts": [{"names": ["prodsmart"], "closed": 0, "ends": [ … ]}]}
 *
 * Times are of the monotonic clock, which all processes of one boot share and
 * nobody sets.  After a reboot all that is known is that it was before.  An
 * account is found by the names of its connectors: nothing of its secrets is
 * written down.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "outbound/account.h"
#include "outbound/dispatch.h"
#include "json/cj.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define BOOT_LEN 64

static void
boot_id(char out[BOOT_LEN])
{
	FILE *f = fopen(BOOT_ID, "re");

	out[0] = '\0';
	if (f == NULL)
		return;
	if (fgets(out, BOOT_LEN, f) == NULL)
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	(void)fclose(f);
}

static void
tell_one(const struct gan_outbound *out, struct gan_account *a, int64_t mono, struct gan_buf *b)
{
	const struct gan_quota *q = &a->quota;
	const char *comma = "";
	unsigned used;

	gan_buf_puts(b, "{\"names\":[");
	for (const struct gan_conn *c = out->conns; c != NULL; c = c->next)
		if (c->account == a) {
			gan_buf_puts(b, comma);
			gan_buf_json(b, c->name, strlen(c->name));
			comma = ",";
		}
	gan_buf_printf(b, "],\"closed\":%lld,\"ends\":[", (long long)q->closed_ms);
	/* What is still under way is cut off soon, and counts from then. */
	used = gan_quota_used(&a->quota, mono);
	for (unsigned i = 0; i < used; i++)
		gan_buf_printf(b, "%s%lld", i > 0 ? "," : "",
		    (long long)(i < q->n ? q->ends[(q->first + i) % q->cap] : mono));
	gan_buf_puts(b, "]}");
}

void
gan_accounts_tell(const struct gan_outbound *out, struct gan_buf *text)
{
	char boot[BOOT_LEN];
	int64_t mono = gan_mono_ms();
	bool first = true;

	boot_id(boot);
	gan_buf_puts(text, "{\"boot\":");
	gan_buf_json(text, boot, strlen(boot));
	gan_buf_puts(text, ",\"accounts\":[");
	for (struct gan_account *a = out->accounts; a != NULL; a = a->next) {
		if (a->quota.allowed == 0)
			continue;
		if (!first)
			gan_buf_putc(text, ',');
		first = false;
		tell_one(out, a, mono, text);
	}
	gan_buf_puts(text, "]}");
}

static bool
is_of(const struct gan_outbound *out, const struct gan_account *a, const cJSON *names)
{
	const cJSON *name;

	cJSON_ArrayForEach(name, names)
	{
		for (const struct gan_conn *c = out->conns; c != NULL; c = c->next)
			if (c->account == a && cJSON_IsString(name) &&
			    strcmp(name->valuestring, c->name) == 0)
				return true;
	}
	return false;
}

/* Returns whether the numbers make sense. */
static bool
take_past(struct gan_account *a, const cJSON *told, bool same_boot, int64_t mono)
{
	const cJSON *ends = gan_cj_get(told, "ends"), *end;
	double closed = gan_cj_num(told, "closed", 0);
	int64_t last = 0;

	cJSON_ArrayForEach(end, ends)
	{
		/* Of the boot before: no later than the beginning of this one. */
		double at = same_boot ? cJSON_GetNumberValue(end) : 0;

		if (!isfinite(at) || at < (double)last || at > (double)mono)
			return false;
		last = (int64_t)at;
		gan_quota_past(&a->quota, last);
	}
	if (same_boot && isfinite(closed) && closed > 0 &&
	    closed <= (double)(mono + a->quota.window_ms + 1))
		a->quota.closed_ms = (int64_t)closed;
	return true;
}

static bool
recall_one(struct gan_outbound *out, struct gan_account *a, const cJSON *all, bool same_boot)
{
	const cJSON *one;
	unsigned found = 0;

	cJSON_ArrayForEach(one, all)
	{
		if (!is_of(out, a, gan_cj_get(one, "names")))
			continue;
		/* Two that are one account now: their times would have to be merged. */
		if (++found > 1 || !take_past(a, one, same_boot, gan_mono_ms()))
			return false;
	}
	return found == 1;
}

void
gan_accounts_recall(struct gan_outbound *out, const char *told)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_err err;
	char boot[BOOT_LEN];
	const char *then;
	bool same;

	if (told == NULL)
		return;
	boot_id(boot);
	if (gan_cj_parse(told, strlen(told), &tree, &err) < 0)
		tree = NULL;
	then = gan_cj_str(tree, "boot");
	same = then != NULL && boot[0] != '\0' && strcmp(then, boot) == 0;
	for (struct gan_account *a = out->accounts; a != NULL; a = a->next)
		if (!recall_one(out, a, gan_cj_get(tree, "accounts"), same))
			gan_quota_close(&a->quota, gan_mono_ms());
}
