/* SPDX-License-Identifier: MIT */
/*
 * pool_read.c - gantry.yaml, rule files and lookup tables are read and parsed on
 * a thread of libuv's pool: the disk may be slow and a table may have a million
 * rows, while senders wait for the loop.  The thread has everything for itself:
 * a set that nobody else knows yet, findings of its own, a configuration that is
 * new or never changes.  Counts of references are touched on the loop only.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "mapping/pool_priv.h"

struct read {
	uv_work_t work;
	struct gan_pool *pool;
	char *path; /* of gantry.yaml, when that is what is read */
	struct gan_config *conf;
	const struct gan_rule_checks *checks;
	char *blob; /* NULL: the folder */
	size_t len;
	gan_read_fn cb;
	gan_config_read_fn config_cb;
	void *arg;
	int rc;
	struct gan_rules *set;
	struct gan_diags d;
};

static void
read_free(struct read *r)
{
	gan_rules_unref(&r->set);
	gan_config_unref(&r->conf);
	gan_diags_fini(&r->d);
	free(r->blob);
	free(r->path);
	free(r);
}

static void
on_thread(uv_work_t *work)
{
	struct read *r = work->data;

	if (r->path != NULL)
		r->rc = gan_config_load(r->path, true, &r->conf, &r->d);
	else if (r->blob != NULL)
		r->rc = gan_rules_unpack(r->conf, r->checks, r->blob, r->len, &r->set, &r->d);
	else
		r->rc = gan_rules_load(r->conf, r->checks, &r->set, &r->d);
}

static void
on_loop(uv_work_t *work, int status)
{
	struct read *r = work->data;
	struct gan_pool *p = r->pool;
	int rc = p->closing ? GAN_EGONE : r->rc;

	(void)status; /* never cancelled */
	p->nreads--;
	if (r->path != NULL)
		r->config_cb(r->arg, rc, r->conf, &r->d);
	else
		r->cb(r->arg, rc, r->set, &r->d);
	read_free(r);
	gan_pool_closed_one(p);
}

static int
start(struct gan_pool *p, struct read *r)
{
	r->work.data = r;
	r->pool = p;
	if (uv_queue_work(p->loop, &r->work, on_thread, on_loop) != 0)
		return GAN_ENOMEM;
	p->nreads++;
	return GAN_OK;
}

int
gan_pool_read(struct gan_pool *p, struct gan_config *conf, const struct gan_rule_checks *checks,
    char **blobp, size_t len, gan_read_fn cb, void *arg)
{
	struct read *r;

	if (p->closing)
		return GAN_EGONE;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return GAN_ENOMEM;
	r->conf = gan_config_ref(conf);
	r->checks = checks;
	r->cb = cb;
	r->arg = arg;
	r->blob = blobp != NULL ? *blobp : NULL;
	r->len = len;
	if (start(p, r) < 0) {
		r->blob = NULL; /* still the caller's */
		read_free(r);
		return GAN_ENOMEM;
	}
	if (blobp != NULL)
		*blobp = NULL;
	return GAN_OK;
}

int
gan_pool_read_config(struct gan_pool *p, const char *path, gan_config_read_fn cb, void *arg)
{
	struct read *r;

	if (p->closing)
		return GAN_EGONE;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return GAN_ENOMEM;
	r->path = gan_asprintf("%s", path);
	r->config_cb = cb;
	r->arg = arg;
	if (r->path == NULL || start(p, r) < 0) {
		read_free(r);
		return GAN_ENOMEM;
	}
	return GAN_OK;
}
