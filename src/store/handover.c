/* SPDX-License-Identifier: MIT */
/*
 * handover.c - a text from one process to the next: taken at the start, left
 * at the end.  Taking it leaves the empty text behind, so that a process that
 * died told nothing instead of something old.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_priv.h"

struct handover_job {
	struct gan_job job;
	char *text; /* NULL: there never was one */
	size_t len;
};

static int
put_run(struct gan_store *s, struct gan_job *job)
{
	const struct handover_job *j = (const struct handover_job *)job;

	return gan_run(s->db, GAN_SQL_KEEP_PUT, GAN_T("quota"), GAN_B(j->text, j->len));
}

static int
take_run(struct gan_store *s, struct gan_job *job)
{
	struct handover_job *j = (struct handover_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	const void *data;
	int rc;

	free(gan_steal(&j->text));
	job->rc = GAN_OK;
	st = gan_bind(s->db, GAN_SQL_KEEP_GET, GAN_T("quota"));
	rc = gan_db_step(s->db, st);
	if (rc < 0)
		return rc;
	if (rc > 0) {
		data = sqlite3_column_blob(st, 0);
		j->text = gan_memdup(data == NULL ? "" : data, (size_t)sqlite3_column_bytes(st, 0));
		if (j->text == NULL)
			return gan_err_set(&s->db->why, GAN_ENOMEM, "quota");
	}
	gan_db_rewind(&st);
	return gan_run(s->db, GAN_SQL_KEEP_PUT, GAN_T("quota"), GAN_B("", 0));
}

static void
handover_fini(struct gan_job *job)
{
	free(((struct handover_job *)job)->text);
}

static const struct gan_job_ops put_ops = { GAN_JOB_COMMAND, put_run, NULL, handover_fini, NULL };
static const struct gan_job_ops take_ops = { GAN_JOB_COMMAND, take_run, NULL, handover_fini, NULL };

int
gan_store_quota_put(struct gan_store *s, const char *text)
{
	struct handover_job *j = gan_store_job_new(sizeof(*j), &put_ops);
	struct gan_job *job;
	int rc = GAN_ENOMEM;

	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	j->len = strlen(text);
	j->text = gan_memdup(text, j->len);
	if (j->text != NULL)
		rc = gan_store_job_post(s, job);
	if (rc < 0)
		gan_store_job_free(&job);
	return rc;
}

int
gan_store_quota_take(struct gan_store *s, char **ret_text, struct gan_err *err)
{
	struct handover_job *j = gan_store_job_new(sizeof(*j), &take_ops);
	struct gan_job *job;
	int rc;

	if (j == NULL)
		return gan_err_set(err, GAN_ENOMEM, "quota");
	job = &j->job;
	rc = gan_store_job_wait(s, job);
	if (rc == GAN_OK)
		rc = job->rc;
	if (rc == GAN_OK)
		*ret_text = gan_steal(&j->text);
	gan_store_job_free(&job);
	/* No room to say that it was taken: then it is as good as not told. */
	if (rc == GAN_EFULL) {
		*ret_text = strdup("");
		rc = *ret_text != NULL ? GAN_OK : GAN_ENOMEM;
	}
	return rc < 0 ? gan_err_set(err, rc, "reading what was used of the quotas") : GAN_OK;
}
