/* SPDX-License-Identifier: MIT */
/*
 * bulk.c - one act on several things: a plan first, then a question, then one
 * request for each, so that what happens is what was shown.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define PAGE 1000

/* The ids to act on, each a text of its own. */
struct ids {
	char **v;
	size_t n, cap;
};

static void
ids_fini(struct ids *ids)
{
	for (size_t i = 0; i < ids->n; i++)
		free(ids->v[i]);
	free(ids->v);
}

static bool
ids_add(struct ids *ids, char *id)
{
	char **v;

	if (id == NULL)
		return false;
	if (ids->n == ids->cap) {
		v = realloc(ids->v, (ids->cap + 64) * sizeof(*v));
		if (v == NULL) {
			free(id);
			return false;
		}
		ids->v = v;
		ids->cap += 64;
	}
	ids->v[ids->n++] = id;
	return true;
}

bool
gan_ctl_confirmed(const struct gan_ctl *ctl, const char *verb, size_t n)
{
	char answer[16];

	if (ctl->yes)
		return true;
	if (isatty(STDIN_FILENO) != 1) {
		(void)gan_ctl_fail_text(
		    GAN_CTL_USAGE, "nothing was done: look at the plan above, then add --yes");
		return false;
	}
	(void)fprintf(stderr, "%s %zu of them? [y/N] ", verb, n);
	(void)fflush(stderr);
	return fgets(answer, sizeof(answer), stdin) != NULL && (*answer == 'y' || *answer == 'Y');
}

/* A command that is in the table. */
static const struct gan_ctl_command *
command_named(const char *name)
{
	size_t i = 0;

	while (i < gan_ctl_ncommands && strcmp(gan_ctl_commands[i].name, name) != 0)
		i++;
	gan_must(i < gan_ctl_ncommands);
	return &gan_ctl_commands[i];
}

/* ---- retry, skip ---- */

/* One page of deliveries that the filters match; returns how many, or an exit code below 0. */
static int
list_page(struct gan_ctl *ctl, struct ids *ids, bool print)
{
	const struct gan_ctl_command *list = command_named("deliveries list");
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_err err = { 0 };
	struct gan_span_iter it = { 0 };
	struct gan_span row;
	int rc;

	gan_ctl_request_begin(&b, list->name);
	rc = gan_ctl_request_options(ctl, &b, &err);
	gan_ctl_request_int(&b, "limit", PAGE);
	if (ids->n > 0)
		gan_ctl_request_str(&b, "before", ids->v[ids->n - 1]);
	gan_ctl_request_end(&b, NULL);
	if (rc < 0 || gan_ctl_call(ctl, &b, list->deadline_s, &r, &err) < 0)
		return -gan_ctl_fail(&err);
	if (r.exit != GAN_CTL_OK) {
		gan_ctl_show(ctl, &r);
		return -r.exit;
	}
	while (gan_span_next(r.result, &it, NULL, &row)) {
		if (!ids_add(ids, gan_span_dup(gan_span_get(row, "id"))))
			return -gan_ctl_fail_text(GAN_CTL_NEGATIVE, "out of memory");
	}
	if (print && gan_span_count(r.result) > 0)
		gan_ctl_print_list(ctl, r.result, list->columns);
	return (int)gan_span_count(r.result);
}

/* Collect and show what the filters match. */
static int
plan(struct gan_ctl *ctl, struct ids *ids)
{
	int n;

	if (ctl->opt[GAN_CTL_OPT_STATE] == NULL)
		return gan_ctl_fail_text(GAN_CTL_USAGE,
		    "say which: ids, or filters with at least --state (for example --state dead "
		    "--connector NAME)");
	do {
		n = list_page(ctl, ids, ctl->output == GAN_CTL_TABLE);
	} while (n == PAGE);
	if (n < 0)
		return -n;
	if (ids->n == 0)
		(void)gan_ctl_fail_text(0, "nothing matches");
	else if (ctl->output == GAN_CTL_TABLE)
		(void)printf("plan: %s %zu deliver%s, oldest first\n", ctl->cmd->name, ids->n,
		    ids->n == 1 ? "y" : "ies");
	(void)fflush(stdout);
	return GAN_CTL_OK;
}

/* Act on one; its object goes to out, or is told in a line. Returns its exit code. */
static int
act(struct gan_ctl *ctl, const char *id, bool several, struct gan_buf *out)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_err err = { 0 };
	char *state GAN_AUTO(gan_str_free) = NULL;

	gan_ctl_request_begin(&b, ctl->cmd->name);
	gan_ctl_request_str(&b, "id", id);
	if (ctl->opt[GAN_CTL_OPT_WITHOUT_AFTER] != NULL)
		gan_ctl_request_flag(&b, "without_after");
	gan_ctl_request_end(&b, ctl->reason);
	if (gan_ctl_call(ctl, &b, ctl->cmd->deadline_s, &r, &err) < 0)
		return gan_ctl_fail(&err);
	if (r.result.n == 0 || (!several && ctl->output == GAN_CTL_TABLE)) {
		gan_ctl_show(ctl, &r);
		return r.exit;
	}
	if (ctl->output == GAN_CTL_TABLE) {
		state = gan_span_dup(gan_span_get(r.result, "state"));
		(void)printf("%s: %s\n", id, state != NULL ? state : "done");
		return r.exit;
	}
	if (several && ctl->output == GAN_CTL_JSON)
		gan_buf_putc(out, out->len > 0 ? ',' : '[');
	gan_buf_put(out, r.result.p, r.result.n);
	if (ctl->output == GAN_CTL_JSONL || !several)
		gan_buf_putc(out, '\n');
	return r.exit;
}

/* Oldest first: listed ones came newest first, typed ones stay as they were typed. */
static int
act_on_all(struct gan_ctl *ctl, const struct ids *ids, bool listed)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	bool several = listed || ids->n > 1;
	int worst = GAN_CTL_OK;

	for (size_t i = 0; i < ids->n; i++) {
		int rc = act(ctl, ids->v[listed ? ids->n - 1 - i : i], several, &out);

		if (rc > worst)
			worst = rc;
		if (rc == GAN_CTL_UNAVAILABLE || rc == GAN_CTL_NOPERM)
			break;
	}
	if (several && ctl->output == GAN_CTL_JSON)
		gan_buf_puts(&out, out.len > 0 ? "]\n" : "[]\n");
	if (out.len > 0)
		(void)fwrite(out.data, 1, out.len, stdout);
	return worst;
}

int
gan_ctl_run_each(struct gan_ctl *ctl)
{
	struct ids ids GAN_AUTO(ids_fini) = { 0 };
	bool listed = ctl->noperands == 0;
	int rc = GAN_CTL_OK;

	for (int i = 0; i < GAN_CTL_NOPTIONS && !listed; i++) {
		if (ctl->opt[i] != NULL && i != GAN_CTL_OPT_WITHOUT_AFTER)
			return gan_ctl_fail_text(GAN_CTL_USAGE, "ids or filters, not both");
	}
	for (int i = 0; i < ctl->noperands; i++) {
		if (!ids_add(&ids, gan_memdup(ctl->operands[i], strlen(ctl->operands[i]))))
			return gan_ctl_fail_text(GAN_CTL_NEGATIVE, "out of memory");
	}
	if (listed)
		rc = plan(ctl, &ids);
	if (rc != GAN_CTL_OK)
		return rc;
	if (listed && ids.n > 0 && !gan_ctl_confirmed(ctl, ctl->cmd->name, ids.n))
		return GAN_CTL_USAGE;
	return act_on_all(ctl, &ids, listed);
}

/* ---- quarantine accept ---- */

static void
accept_request(struct gan_ctl *ctl, struct gan_buf *b, const struct ids *ids)
{
	const char *source = ctl->opt[GAN_CTL_OPT_SOURCE];

	gan_ctl_request_begin(b, ctl->cmd->name);
	if (ids == NULL) {
		gan_ctl_request_flag(b, "all");
		gan_ctl_request_flag(b, "plan");
		if (source != NULL)
			gan_ctl_request_str(b, "source", source);
	} else {
		gan_buf_puts(b, "\"ids\":[");
		for (size_t i = 0; i < ids->n; i++) {
			gan_buf_puts(b, i > 0 ? "," : "");
			gan_buf_json(b, ids->v[i], strlen(ids->v[i]));
		}
		gan_buf_puts(b, "]");
	}
	gan_ctl_request_end(b, ctl->reason);
}

/* Which rows fit now?  Shows the others with the reason. */
static int
accept_plan(struct gan_ctl *ctl, struct ids *ids)
{
	static const struct gan_ctl_column columns[] = {
		{ "ID", "id", GAN_COL_PLAIN },
		{ "RECEIVED (UTC)", "received_at", GAN_COL_TIME },
		{ "SOURCE", "source", GAN_COL_PLAIN },
		{ "TOPIC", "topic", GAN_COL_PLAIN },
		{ "MATCHES", "matches", GAN_COL_PLAIN },
		{ "REASON", "reason", GAN_COL_LONG },
		{ 0 },
	};
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_err err = { 0 };
	struct gan_span_iter it = { 0 };
	struct gan_span row;

	accept_request(ctl, &b, NULL);
	if (gan_ctl_call(ctl, &b, ctl->cmd->deadline_s, &r, &err) < 0)
		return gan_ctl_fail(&err);
	if (r.exit != GAN_CTL_OK) {
		gan_ctl_show(ctl, &r);
		return r.exit;
	}
	while (gan_span_next(r.result, &it, NULL, &row)) {
		if (gan_span_kind(gan_span_get(row, "matches")) == 't' &&
		    !ids_add(ids, gan_span_dup(gan_span_get(row, "id"))))
			return gan_ctl_fail_text(GAN_CTL_NEGATIVE, "out of memory");
	}
	if (ctl->output == GAN_CTL_TABLE) {
		gan_ctl_print_list(ctl, r.result, columns);
		(void)printf(
		    "plan: take in %zu of %zu, oldest first\n", ids->n, gan_span_count(r.result));
		(void)fflush(stdout);
	}
	return GAN_CTL_OK;
}

int
gan_ctl_run_accept(struct gan_ctl *ctl)
{
	struct ids ids GAN_AUTO(ids_fini) = { 0 };
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	bool all = ctl->opt[GAN_CTL_OPT_ALL] != NULL;
	int rc;

	if (all == (ctl->noperands > 0))
		return gan_ctl_fail_text(
		    GAN_CTL_USAGE, "say which: ids (q...), or --all-matching; not both");
	for (int i = 0; i < ctl->noperands; i++) {
		if (!ids_add(&ids, gan_memdup(ctl->operands[i], strlen(ctl->operands[i]))))
			return gan_ctl_fail_text(GAN_CTL_NEGATIVE, "out of memory");
	}
	if (all) {
		rc = accept_plan(ctl, &ids);
		if (rc != GAN_CTL_OK)
			return rc;
		if (ids.n == 0) {
			if (ctl->output == GAN_CTL_JSON)
				(void)puts("[]");
			return GAN_CTL_OK;
		}
		if (!gan_ctl_confirmed(ctl, "take in", ids.n))
			return GAN_CTL_USAGE;
	}
	accept_request(ctl, &b, &ids);
	return gan_ctl_exchange(ctl, &b);
}
