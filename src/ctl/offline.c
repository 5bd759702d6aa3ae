/* SPDX-License-Identifier: MIT */
/*
 * offline.c - rules and config commands without gantryd: the same files, the
 * same checks, the same workers, in a loop of our own.  Secrets are not read:
 * whoever writes rules need not be able to.
 */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "admin/rulework.h"
#include "base/clock.h"
#include "conf/config.h"
#include "conf/yaml.h"
#include "ctl/ctl.h"
#include "mapping/pool.h"

struct offline {
	struct gan_ctl *ctl;
	uv_loop_t loop;
	struct gan_pool *pool;
	int exit;
};

static void
show_json(struct gan_ctl *ctl, const char *json, size_t len)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	gan_ctl_put_json(ctl->output, gan_span_of(json, len), &out);
	(void)fwrite(out.data, 1, out.len, stdout);
}

static int
exit_of(enum gan_rulework_verdict v)
{
	switch (v) {
	case GAN_RULEWORK_GREEN:
		return GAN_CTL_OK;
	case GAN_RULEWORK_BROKEN:
		return GAN_CTL_CONFIG;
	default:
		return GAN_CTL_NEGATIVE;
	}
}

static void
pool_closed(void *arg)
{
	(void)arg;
}

static void
done(void *arg, enum gan_rulework_verdict v, const char *json, size_t len, const char *text)
{
	struct offline *o = arg;
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_span result = json != NULL ? gan_span_of(json, len) : (struct gan_span){ 0 };

	o->exit = exit_of(v);
	if (json == NULL) {
		(void)gan_ctl_fail_text(o->exit, text != NULL ? text : "failed");
	} else if (o->ctl->output != GAN_CTL_TABLE) {
		show_json(o->ctl, json, len);
	} else if (gan_span_kind(gan_span_get(result, "outputs")) == '[') {
		gan_ctl_put_try(result, &out);
		(void)fwrite(out.data, 1, out.len, stdout);
	} else if (text != NULL) {
		gan_ctl_put_safe(&out, text, strlen(text), true);
		(void)fwrite(out.data != NULL ? out.data : "", 1, out.len, stdout);
	}
	gan_pool_close(o->pool, pool_closed, o);
}

/* Findings of gantry.yaml alone. */
static int
broken(struct gan_ctl *ctl, const struct gan_diags *d)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	const char *text = d->text.data != NULL ? d->text.data : "";

	if (ctl->output == GAN_CTL_TABLE) {
		gan_ctl_put_safe(&b, text, strlen(text), true);
		(void)fputs(b.data != NULL ? b.data : "", stderr);
		return GAN_CTL_CONFIG;
	}
	gan_buf_puts(&b, "{\"ok\":false,\"rules\":0,\"passed\":0,\"failed\":0,\"findings\":");
	gan_buf_json(&b, text, strlen(text));
	gan_buf_puts(&b, ",\"tests\":[]}");
	show_json(ctl, b.data, b.len);
	return GAN_CTL_CONFIG;
}

static int
show_config(struct gan_ctl *ctl, const struct gan_config *conf)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	if (gan_config_json(conf, &b) < 0 || b.failed)
		return gan_ctl_fail_text(GAN_CTL_NEGATIVE, "out of memory");
	if (ctl->output != GAN_CTL_TABLE) {
		show_json(ctl, b.data, b.len);
		return GAN_CTL_OK;
	}
	gan_ctl_put_object(gan_span_of(b.data, b.len), 0, &out);
	(void)fwrite(out.data, 1, out.len, stdout);
	return GAN_CTL_OK;
}

static int
show_rules(struct gan_ctl *ctl, const struct gan_config *conf)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_rules *rules GAN_AUTO(gan_rules_unref) = NULL;
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	if (gan_rules_load(conf, &gan_rulework_checks, &rules, &d) < 0)
		return broken(ctl, &d);
	if (gan_rules_json(rules, &b) < 0 || b.failed)
		return gan_ctl_fail_text(GAN_CTL_NEGATIVE, "out of memory");
	if (ctl->output != GAN_CTL_TABLE)
		show_json(ctl, b.data, b.len);
	else
		gan_ctl_print_list(ctl, gan_span_of(b.data, b.len), ctl->cmd->columns);
	return GAN_CTL_OK;
}

static void
begin(struct offline *o, struct gan_config *conf, const char *before, const char *event,
    size_t event_len)
{
	struct gan_ctl *ctl = o->ctl;
	const char *name = ctl->cmd->name;
	struct gan_map_event ev = {
		.received_ms = gan_wall_ms(),
		.source = ctl->opt[GAN_CTL_OPT_SOURCE],
		.topic = ctl->opt[GAN_CTL_OPT_TOPIC],
		.body = event,
		.body_len = event_len,
	};
	const char *rule = ctl->noperands > 0 ? ctl->operands[0] : NULL;

	if (event != NULL)
		gan_rulework_try(o->pool, conf, rule, &ev, done, o);
	else
		gan_rulework_check(
		    o->pool, conf, rule, before, strcmp(name, "rules test") == 0, done, o);
}

static int
with_workers(struct gan_ctl *ctl, struct gan_config *conf, const char *before, const char *event,
    size_t event_len)
{
	struct offline o = { .ctl = ctl, .exit = GAN_CTL_NEGATIVE };
	struct gan_pool_options opt = {
		.workers = 1,
		.timeout_ms = conf->mapping.timeout_ms,
		.memory = conf->mapping.memory,
		.numbers = conf->mapping.numbers,
		.time_zone = conf->time_zone,
	};
	struct gan_err err = { 0 };

	if (uv_loop_init(&o.loop) < 0)
		return gan_ctl_fail_text(GAN_CTL_NEGATIVE, "no event loop");
	if (gan_pool_open(&o.loop, &opt, &o.pool, &err) < 0) {
		(void)uv_loop_close(&o.loop);
		return gan_ctl_fail_text(GAN_CTL_NEGATIVE, err.msg);
	}
	begin(&o, conf, before, event, event_len);
	(void)uv_run(&o.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&o.loop);
	return o.exit;
}

int
gan_ctl_offline(struct gan_ctl *ctl, const char *event, size_t event_len)
{
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_config *conf GAN_AUTO(gan_config_unref) = NULL;
	const char *name = ctl->cmd->name;

	if (gan_config_load(ctl->config, false, &conf, &d) < 0)
		return broken(ctl, &d);
	if (strcmp(name, "config show") == 0)
		return show_config(ctl, conf);
	if (strcmp(name, "rules list") == 0)
		return show_rules(ctl, conf);
	return with_workers(
	    ctl, conf, strcmp(name, "config check") == 0 ? d.text.data : NULL, event, event_len);
}
