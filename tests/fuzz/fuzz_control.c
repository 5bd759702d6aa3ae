/* SPDX-License-Identifier: MIT */
/*
 * fuzz_control.c - one line of the control socket, as far as the store answers
 * it: every line gets exactly one answer, one line of JSON.  Left out: verbs
 * that need mapping workers or write files where the line says.
 */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

#include "admin/admin_priv.h"
#include "base/clock.h"
#include "fuzz.h"
#include "json/check.h"

static uv_loop_t loop;
static char dir[64], dbpath[96], site[] = "site", where[] = "/nonexistent/x", name[] = "movilitas";
static struct gan_conf_connector connector = { .name = name };
static struct gan_config conf = { .site = site,
	.path = where,
	.control_socket = where,
	.secrets_dir = dir,
	.store = { .path = dbpath },
	.mapping = { .rules = dir },
	.connectors = &connector,
	.nconnectors = 1 };
static struct gan_admin admin;

static struct gan_config *
op_conf(void *arg)
{
	(void)arg;
	return &conf;
}

static struct gan_rules *
op_rules(void *arg)
{
	(void)arg;
	return NULL;
}

static struct gan_pool *
op_pool(void *arg)
{
	(void)arg;
	return NULL;
}

static const char *
op_red(void *arg, int64_t *ret_since_ms)
{
	(void)arg;
	*ret_since_ms = 1750000000000;
	return "red";
}

static const char *
op_not_ready(void *arg)
{
	(void)arg;
	return NULL;
}

static void
op_last_reload(void *arg, int64_t *ret_ms, int *ret_rc, const char **ret_text)
{
	(void)arg;
	*ret_ms = 1750000000000;
	*ret_rc = GAN_OK;
	*ret_text = NULL;
}

static int64_t
op_started(void *arg)
{
	(void)arg;
	return 1750000000000;
}

static void
op_reload(void *arg, gan_reload_fn cb, void *cb_arg)
{
	(void)arg;
	cb(cb_arg, GAN_OK, NULL);
}

static void
op_remap(void *arg, int64_t event_id, gan_remap_fn cb, void *cb_arg)
{
	(void)arg;
	(void)event_id;
	cb(cb_arg, GAN_OK, NULL);
}

static void
on_fatal(void *arg, const struct gan_err *why)
{
	(void)arg;
	gan_must(why == NULL);
}

static void
remove_all(void)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-journal", ".lock" };
	char path[112];

	for (size_t i = 0; i < GAN_COUNT(tails); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", dbpath, tails[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static void
open_all(void)
{
	const int64_t keep = INT64_C(1) << 40;
	struct gan_store_options opt = { .path = dbpath,
		.on_fatal = on_fatal,
		.keep_delivered_ms = keep,
		.keep_ignored_ms = keep,
		.keep_rejected_ms = keep,
		.keep_audit_ms = keep };
	struct gan_err err = { 0 };

	(void)snprintf(dir, sizeof(dir), "%s/gantry-fuzz-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	gan_must(mkdtemp(dir) != NULL);
	(void)snprintf(dbpath, sizeof(dbpath), "%s/gantry.db", dir);
	(void)atexit(remove_all);
	gan_must(uv_loop_init(&loop) == 0);
	admin.loop = &loop;
	admin.refs = 1;
	admin.ops = (struct gan_admin_ops){ .conf = op_conf,
		.rules = op_rules,
		.pool = op_pool,
		.rules_red = op_red,
		.not_ready = op_not_ready,
		.last_reload = op_last_reload,
		.started_ms = op_started,
		.reload = op_reload,
		.remap = op_remap };
	gan_must(gan_store_open(&loop, &opt, &admin.ops.store, &err) == GAN_OK);
}

static bool
left_out(const char *line, size_t len)
{
	static const char *const verbs[] = { "backup", "doctor", "rules check", "rules test",
		"rules try", "config check" };
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	const char *verb;

	if (gan_cj_parse(line, len, &tree, NULL) < 0 || (verb = gan_cj_str(tree, "verb")) == NULL)
		return false;
	for (size_t i = 0; i < GAN_COUNT(verbs); i++)
		if (strcmp(verb, verbs[i]) == 0)
			return true;
	return false;
}

static void
done(void *owner, char *line, size_t len)
{
	unsigned *answers = owner;

	gan_must(line != NULL && len > 1 && line[len - 1] == '\n' &&
		 memchr(line, '\n', len) == line + len - 1);
	gan_must(gan_json_check(line, len, 2 * GAN_JSON_DEPTH, NULL, NULL) == GAN_OK);
	free(line);
	(*answers)++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line GAN_AUTO(gan_str_free) = fuzz_copy(data, size);
	struct gan_call *call;
	unsigned answers = 0;

	if (admin.loop == NULL)
		open_all();
	if (left_out(line, size))
		return 0;
	gan_call_start(&admin, line, size, "a user", done, &answers, &call);
	while (answers == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	gan_must(answers == 1 && admin.refs == 1);
	return 0;
}
