/* SPDX-License-Identifier: MIT */
/* scope.c - see scope.h. */
#include "admin/scope.h"

#include <stdlib.h>

#include "base/id.h"
#include "base/mem.h"

static int
by_id(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static int64_t
time_of(const cJSON *args, const char *name)
{
	double v = gan_cj_num(args, name, 0);

	return v > 0 && v < 9e15 ? (int64_t)v : 0;
}

static int
read_ids(const cJSON *list, struct gan_scope *s, struct gan_err *err)
{
	int n = cJSON_GetArraySize(list), i = 0;
	const cJSON *item;

	if (n > GAN_SCOPE_IDS_MAX)
		return gan_err_set(err, GAN_EINVAL, "at most %d events at once", GAN_SCOPE_IDS_MAX);
	s->ids = calloc((size_t)n + 1, sizeof(*s->ids));
	if (s->ids == NULL)
		return gan_err_set(err, GAN_ENOMEM, "out of memory");
	cJSON_ArrayForEach(item, list)
	{
		if (!gan_id_parse(GAN_ID_EVENT, cJSON_GetStringValue(item), &s->ids[i++]))
			return gan_err_set(err, GAN_EINVAL, "'%.40s' is no event id (e...)",
			    cJSON_IsString(item) ? cJSON_GetStringValue(item) : "?");
	}
	qsort(s->ids, (size_t)n, sizeof(s->ids[0]), by_id);
	s->events.ids = s->ids;
	s->events.nids = (size_t)n;
	return GAN_OK;
}

int
gan_scope_read(const cJSON *args, struct gan_scope *ret_scope, struct gan_err *err)
{
	struct gan_scope s GAN_AUTO(gan_scope_fini) = { .rule = gan_cj_str(args, "rule"),
		.connector = gan_cj_str(args, "connector"),
		.key = gan_cj_str(args, "key"),
		.events = { .source = gan_cj_str(args, "source"),
		    .topic = gan_cj_str(args, "topic"),
		    .since_ms = time_of(args, "since_ms"),
		    .until_ms = time_of(args, "until_ms") } };
	const cJSON *ids = gan_cj_get(args, "ids");
	const char *upto = gan_cj_str(args, "upto");
	int rc =
	    cJSON_IsArray(ids) && cJSON_GetArraySize(ids) > 0 ? read_ids(ids, &s, err) : GAN_OK;

	if (rc < 0)
		return rc;
	if (upto != NULL && !gan_id_parse(GAN_ID_EVENT, upto, &s.upto))
		return gan_err_set(err, GAN_EINVAL, "'%.40s' is no event id (e...)", upto);
	*ret_scope = s;
	s.ids = NULL;
	return GAN_OK;
}

void
gan_scope_fini(struct gan_scope *s)
{
	free(gan_steal(&s->ids));
}

bool
gan_scope_is_some(const struct gan_scope *s)
{
	const struct gan_event_filter *f = &s->events;

	return f->ids != NULL || f->source != NULL || f->topic != NULL || f->since_ms != 0 ||
	       f->until_ms != 0 || s->rule != NULL || s->connector != NULL || s->key != NULL;
}
