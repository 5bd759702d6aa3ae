/* SPDX-License-Identifier: MIT */
/* verbs_correct.c - an edited copy of a delivery, and its approval by a second pair of eyes. */
#include <string.h>

#include "admin/admin_priv.h"
#include "base/id.h"
#include "json/check.h"

static bool
need_delivery(struct gan_call *c, const char **ret_id)
{
	int64_t n;

	if (!gan_call_need(c, "id", ret_id))
		return false;
	if (gan_id_parse(GAN_ID_DELIVERY, *ret_id, &n))
		return true;
	gan_call_fail(c, GAN_EXIT_USAGE, "%s takes the id of a delivery (d…)", c->verb->name);
	return false;
}

static bool
four_eyes(const struct gan_call *c)
{
	return c->admin->ops.conf(c->admin->ops.arg)->require_approval;
}

void
gan_verb_correct(struct gan_call *c)
{
	struct gan_command cmd = { .kind = GAN_CMD_CORRECT, .verb = "correct" };
	struct gan_err why = { 0 };

	if (!need_delivery(c, &cmd.id) || !gan_call_need(c, "body", &cmd.body))
		return;
	/* Who reads the story later sees two bodies: it must say why, whatever the configuration.
	 */
	if (c->reason == NULL) {
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "'correct' always needs --reason TEXT: it stands beside the new body for ever");
		return;
	}
	cmd.body_len = strlen(cmd.body);
	if (gan_json_check(cmd.body, cmd.body_len, GAN_JSON_DEPTH, NULL, &why) < 0) {
		gan_call_fail(c, GAN_EXIT_NEGATIVE,
		    "nothing was changed, the new body is no JSON: %s", why.msg);
		return;
	}
	cmd.four_eyes = four_eyes(c);
	gan_call_command(c, &cmd, gan_call_changed);
}

void
gan_verb_approve(struct gan_call *c)
{
	struct gan_command cmd = { .kind = GAN_CMD_APPROVE, .verb = "approve" };

	if (!need_delivery(c, &cmd.id))
		return;
	cmd.four_eyes = four_eyes(c);
	gan_call_command(c, &cmd, gan_call_changed);
}
