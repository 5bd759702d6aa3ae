/* SPDX-License-Identifier: MIT */
/* replay.c - stored events once more: the plan, the question, the replay. */
#include <string.h>

#include "ctl/ctl.h"

static const struct gan_ctl_column plan_cols[] = {
	{ "RULE", "rule", GAN_COL_PLAIN },
	{ "CONNECTOR", "connector", GAN_COL_PLAIN },
	{ "OPERATION", "operation", GAN_COL_PLAIN },
	{ "DELIVERIES", "deliveries", GAN_COL_RIGHT },
	{ "REJECTED", "rejected", GAN_COL_RIGHT },
	{ "FIRST REJECTION", "reject", GAN_COL_LONG },
	{ 0 },
};

/* The request; upto: only as far as the plan looked. */
static int
request(struct gan_ctl *ctl, struct gan_buf *b, bool plan, const char *upto, struct gan_err *err)
{
	int rc;

	gan_ctl_request_begin(b, ctl->cmd->name);
	gan_ctl_request_ids(ctl, b);
	rc = gan_ctl_request_options(ctl, b, err);
	if (plan)
		gan_ctl_request_flag(b, "plan");
	if (upto != NULL)
		gan_ctl_request_str(b, "upto", upto);
	gan_ctl_request_end(b, ctl->reason);
	return rc;
}

static void
put_examples(struct gan_span rules, struct gan_buf *out)
{
	struct gan_span_iter it = { 0 };
	struct gan_span rule, ex;

	while (gan_span_next(rules, &it, NULL, &rule)) {
		struct gan_span_iter of = { 0 };

		while (gan_span_next(gan_span_get(rule, "examples"), &of, NULL, &ex)) {
			struct gan_buf line GAN_AUTO(gan_buf_fini) = { 0 };

			gan_buf_puts(&line, "  for example ");
			gan_span_text(gan_span_get(ex, "event"), &line);
			gan_buf_puts(&line, " by ");
			gan_span_text(gan_span_get(rule, "rule"), &line);
			gan_buf_puts(&line, ", key ");
			gan_span_text(gan_span_get(ex, "key"), &line);
			gan_buf_puts(&line, ": ");
			gan_span_text(gan_span_get(ex, "body"), &line);
			if (line.data != NULL)
				gan_ctl_put_safe(
				    out, line.data, line.len > 400 ? 400 : line.len, false);
			gan_buf_puts(out, line.len > 400 ? " ...\n" : "\n");
		}
	}
}

static void
show_plan(struct gan_ctl *ctl, const struct gan_ctl_reply *r)
{
	struct gan_span rules = gan_span_get(r->result, "rules");
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	long long events = (long long)gan_span_int(gan_span_get(r->result, "events"), 0);
	long long made = (long long)gan_span_int(gan_span_get(r->result, "deliveries"), 0);

	if (gan_span_count(rules) > 0)
		gan_ctl_print_list(ctl, rules, plan_cols);
	put_examples(rules, &out);
	gan_buf_printf(&out, "plan: %lld deliver%s from %lld event%s%s\n", made,
	    made == 1 ? "y" : "ies", events, events == 1 ? "" : "s",
	    gan_span_kind(gan_span_get(r->result, "complete")) == 't'
		? ""
		: ", the first ones; there are more");
	if (out.data != NULL)
		(void)fputs(out.data, stdout);
	(void)fflush(stdout);
}

/* Ask for the plan and show it; *ret_upto: how far it looked, when it saw all. */
static int
plan(struct gan_ctl *ctl, bool show, int64_t *ret_made, char **ret_upto)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	struct gan_err err = { 0 };
	bool complete;

	if (request(ctl, &b, true, NULL, &err) < 0 ||
	    gan_ctl_call(ctl, &b, ctl->cmd->deadline_s, &r, &err) < 0)
		return gan_ctl_fail(&err);
	if (r.exit != GAN_CTL_OK) {
		gan_ctl_show(ctl, &r);
		return r.exit;
	}
	complete = gan_span_kind(gan_span_get(r.result, "complete")) == 't';
	*ret_made = gan_span_int(gan_span_get(r.result, "deliveries"), 0) + (complete ? 0 : 1);
	*ret_upto = complete ? gan_span_dup(gan_span_get(r.result, "upto")) : NULL;
	if (ctl->output == GAN_CTL_TABLE)
		show_plan(ctl, &r);
	else if (show)
		gan_ctl_show(ctl, &r);
	return GAN_CTL_OK;
}

int
gan_ctl_run_replay(struct gan_ctl *ctl)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	char *upto GAN_AUTO(gan_str_free) = NULL;
	struct gan_err err = { 0 };
	bool only_plan = ctl->opt[GAN_CTL_OPT_PLAN] != NULL;
	/* A program that says --yes does not wait for a plan that nobody reads. */
	bool at_once = !only_plan && ctl->yes && ctl->output != GAN_CTL_TABLE;
	int64_t made = 1;
	int rc = at_once ? GAN_CTL_OK : plan(ctl, only_plan, &made, &upto);

	if (rc != GAN_CTL_OK || only_plan)
		return rc;
	if (made == 0)
		return gan_ctl_fail_text(
		    GAN_CTL_NEGATIVE, "nothing was done: these events make no delivery");
	if (!gan_ctl_confirmed(ctl, "make", (size_t)made))
		return GAN_CTL_USAGE;
	if (request(ctl, &b, false, upto, &err) < 0)
		return gan_ctl_fail(&err);
	return gan_ctl_exchange(ctl, &b);
}
