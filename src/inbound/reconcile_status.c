/* SPDX-License-Identifier: MIT */
/* reconcile_status.c - where reconciliation stands, for status, metrics and the answer of a round.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "inbound/reconcile_priv.h"

const char *
gan_recon_name(const struct gan_recon_kind *k)
{
	return k->list == NULL ? GAN_RECON_MOVES : gan_entity_names[k->list->type];
}

size_t
gan_reconcile_status(const struct gan_reconcile *r, struct gan_reconcile_status *rows, size_t max)
{
	size_t n = 0;

	for (const struct gan_recon_source *s = r->sources; s != NULL; s = s->next) {
		for (size_t i = 0; i < GAN_RECON_KINDS && n < max; i++) {
			const struct gan_recon_kind *k = &s->kinds[i];

			if (!k->on || s->gone)
				continue;
			rows[n++] = (struct gan_reconcile_status){ .source = s->name,
				.type = gan_recon_name(k),
				.at_ms = k->at_ms,
				.next_ms = r->round.source == s ? 0 : s->next_ms,
				.listed = k->list == NULL ? k->moves_listed : k->listed,
				.known = k->known,
				.waiting = k->waiting,
				.missed = k->missed,
				.counted = k->list == NULL,
				.difference = k->moves_listed - k->moves_told,
				.error = k->error[0] != '\0' ? k->error : NULL };
		}
	}
	return n;
}

static void
put_time(struct gan_buf *out, const char *name, int64_t ms)
{
	char text[GAN_TIME_LEN];

	if (ms == 0)
		gan_buf_printf(out, ",\"%s\":null", name);
	else
		gan_buf_printf(out, ",\"%s\":\"%s\"", name, gan_time_format(ms, text));
}

void
gan_reconcile_put(const struct gan_reconcile *r, const char *source, struct gan_buf *out)
{
	struct gan_reconcile_status rows[GAN_RECONCILE_MAX];
	size_t n = gan_reconcile_status(r, rows, GAN_COUNT(rows));

	for (size_t i = 0; i < n; i++) {
		const struct gan_reconcile_status *s = &rows[i];

		if (source != NULL && strcmp(s->source, source) != 0)
			continue;
		gan_buf_printf(out, "{\"source\":\"%s\",\"type\":\"%s\"", s->source, s->type);
		put_time(out, "last_at", s->at_ms);
		put_time(out, "next_at", s->next_ms);
		gan_buf_printf(out, ",\"listed\":%lld", (long long)s->listed);
		if (s->counted)
			gan_buf_printf(out, ",\"difference\":%lld", (long long)s->difference);
		else
			gan_buf_printf(out,
			    ",\"known\":%lld,\"waiting\":%lld,\"missed_total\":%lld",
			    (long long)s->known, (long long)s->waiting, (long long)s->missed);
		gan_buf_puts(out, ",\"error\":");
		if (s->error == NULL)
			gan_buf_puts(out, "null");
		else
			gan_buf_json(out, s->error, strlen(s->error));
		gan_buf_puts(out, "},");
	}
}
