/* SPDX-License-Identifier: MIT */
/* loader.c - see loader.h. */
#include "loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/rulework.h"
#include "base/mem.h"

struct gan_loader {
	struct gan_pool *pool;  /* NULL: nothing was run */
	struct gan_diags diags; /* of the form */
	struct gan_rules *rules;
	struct gan_proof proof;
	gan_proof_fn cb;
	void *arg;
};

struct gan_pool_options
gan_loader_pool_options(const struct gan_config *conf)
{
	return (struct gan_pool_options){ .workers = conf->mapping.workers,
		.timeout_ms = conf->mapping.timeout_ms,
		.memory = conf->mapping.memory,
		.numbers = conf->mapping.numbers,
		.time_zone = conf->time_zone };
}

static void
loader_free(void *arg)
{
	struct gan_loader *l = arg;

	gan_rules_unref(&l->rules);
	gan_diags_fini(&l->diags);
	free(l);
}

/* Tell the caller; the memory goes when the workers have gone. */
static void
conclude(struct gan_loader *l)
{
	l->proof.text = l->diags.text.data == NULL ? "" : l->diags.text.data;
	l->cb(l->arg, &l->proof);
	if (l->pool != NULL)
		gan_pool_close(l->pool, loader_free, l);
	else
		loader_free(l);
}

/* The findings of the form checks alone: nothing was run to its end. */
static void
conclude_red(struct gan_loader *l, const char *why)
{
	if (l->diags.errors == 0)
		gan_diag_file(&l->diags, GAN_DIAG_ERROR, "rules", "%s", why);
	l->proof.green = false;
	l->proof.first = l->diags.first;
	l->proof.lines = "";
	conclude(l);
}

static void
on_checked(void *arg, int rc, const struct gan_check_report *report)
{
	struct gan_loader *l = arg;

	if (rc != GAN_OK) {
		/* Only at a close: ours that is under way, so it must not be asked for again. */
		l->pool = NULL;
		l->proof.text = l->proof.lines = "";
		l->proof.first = "given up";
		l->cb(l->arg, &l->proof);
		return;
	}
	gan_buf_puts(&l->diags.text, report->d->text.data == NULL ? "" : report->d->text.data);
	l->proof.rules = l->rules;
	l->proof.green = report->green;
	l->proof.nrules = report->rules;
	l->proof.passed = report->passed;
	l->proof.failed = report->failed;
	l->proof.unchanged = report->unchanged;
	l->proof.lines = report->lines;
	l->proof.first = report->d->first;
	conclude(l);
}

static void
on_read(void *arg, int rc, struct gan_rules *set, struct gan_diags *d)
{
	struct gan_loader *l = arg;

	if (rc == GAN_EGONE) {
		on_checked(l, rc, NULL);
		return;
	}
	l->diags = *d; /* moved */
	memset(d, 0, sizeof(*d));
	if (rc == GAN_OK) {
		l->rules = gan_rules_ref(set);
		rc = gan_pool_check(l->pool, l->rules, NULL, on_checked, l);
	}
	if (rc < 0)
		conclude_red(l, gan_strerror(rc));
}

static int
start(struct gan_loader *l, uv_loop_t *loop, struct gan_config *conf, struct gan_verdicts *verdicts,
    char **blobp, size_t len)
{
	struct gan_pool_options opt = gan_loader_pool_options(conf);
	struct gan_err err;
	int rc;

	opt.verdicts = verdicts;
	rc = gan_pool_open(loop, &opt, &l->pool, &err);
	if (rc < 0) {
		gan_diag_file(&l->diags, GAN_DIAG_ERROR, "mapping workers", "%s", err.msg);
		return rc;
	}
	return gan_pool_read(l->pool, conf, &gan_rulework_checks, blobp, len, on_read, l);
}

struct gan_loader *
gan_loader_prove(uv_loop_t *loop, struct gan_config *conf, struct gan_verdicts *verdicts,
    char **blobp, size_t len, gan_proof_fn cb, void *arg)
{
	struct gan_loader *l = calloc(1, sizeof(*l));
	int rc;

	gan_must(l != NULL); /* start and reload only; systemd starts us again */
	l->cb = cb;
	l->arg = arg;
	rc = start(l, loop, conf, verdicts, blobp, len);
	if (rc == GAN_OK)
		return l;
	conclude_red(l, gan_strerror(rc));
	return NULL;
}

void
gan_loader_cancel(struct gan_loader *l)
{
	gan_pool_close(l->pool, loader_free, l);
}

/* ---- gantryd -t ------------------------------------------------------------ */

struct offline {
	bool quiet;
	int exit_code;
};

static void
on_proof(void *arg, const struct gan_proof *proof)
{
	struct offline *o = arg;

	(void)fputs(proof->text, stderr);
	if (!proof->green)
		return;
	o->exit_code = EXIT_SUCCESS;
	if (!o->quiet)
		(void)printf("configuration is good: %u rule%s, %u test%s passed\n", proof->nrules,
		    proof->nrules == 1 ? "" : "s", proof->passed, proof->passed == 1 ? "" : "s");
}

int
gan_loader_check(const char *path, bool quiet)
{
	struct gan_config *conf GAN_AUTO(gan_config_unref) = NULL;
	struct gan_diags diags GAN_AUTO(gan_diags_fini) = { 0 };
	struct offline o = { .quiet = quiet, .exit_code = 78 };
	uv_loop_t loop;
	int rc;

	rc = gan_config_load(path, true, &conf, &diags);
	(void)fputs(diags.text.data == NULL ? "" : diags.text.data, stderr);
	if (rc < 0)
		return 78;
	gan_must(uv_loop_init(&loop) == 0);
	(void)gan_loader_prove(&loop, conf, NULL, NULL, 0, on_proof, &o);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&loop);
	return o.exit_code;
}
