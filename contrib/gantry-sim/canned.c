/* SPDX-License-Identifier: MIT */
/* canned.c - answers that a test has put in, by method and path. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim.h"

struct gan_sim_canned {
	struct gan_sim_canned *next;
	char *method; /* NULL: any */
	char *path;   /* a part of it, as for faults */
	char *body;
	int status;
	int64_t left; /* -1: no end */
};

void
gan_sim_canned_free(struct gan_sim_canned **list)
{
	struct gan_sim_canned *c = gan_steal(list);

	while (c != NULL) {
		struct gan_sim_canned *next = c->next;

		free(c->method);
		free(c->path);
		free(c->body);
		free(c);
		c = next;
	}
}

static char *
copy_text(const cJSON *spec, const char *name)
{
	const char *s = gan_cj_str(spec, name);

	return s == NULL ? NULL : gan_memdup(s, strlen(s));
}

/* A text as it is, anything else as JSON; "" when there is none. */
static char *
body_of(const cJSON *spec)
{
	const cJSON *body = gan_cj_get(spec, "body");

	if (body == NULL || cJSON_IsString(body))
		return gan_asprintf("%s", body == NULL ? "" : body->valuestring);
	return gan_cj_print(body);
}

int
gan_sim_canned_set(struct gan_sim_canned **list, const cJSON *spec, struct gan_err *err)
{
	struct gan_sim_canned *made GAN_AUTO(gan_sim_canned_free) = NULL, **end = &made;
	const cJSON *item;

	cJSON_ArrayForEach(item, spec)
	{
		struct gan_sim_canned *c = calloc(1, sizeof(*c));

		if (c == NULL)
			return gan_err_set(err, GAN_ENOMEM, "answers");
		*end = c;
		end = &c->next;
		c->method = copy_text(item, "method");
		c->path = copy_text(item, "path");
		c->body = body_of(item);
		c->status = (int)gan_cj_num(item, "status", 200);
		c->left = (int64_t)gan_cj_num(item, "times", -1);
		if (c->path == NULL || c->body == NULL || c->status < 200 || c->status > 599)
			return gan_err_set(err, GAN_EINVAL,
			    "an answer needs a \"path\", and a \"status\" of 200 to 599");
	}
	gan_sim_canned_free(list);
	*list = gan_steal(&made);
	return GAN_OK;
}

bool
gan_sim_canned_answer(
    struct gan_sim_canned *c, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	for (; c != NULL; c = c->next) {
		if (c->left == 0 || strstr(req->path, c->path) == NULL ||
		    (c->method != NULL && strcmp(c->method, req->method) != 0))
			continue;
		if (c->left > 0)
			c->left--;
		ans->status = c->status;
		ans->acted = c->status < 300;
		gan_buf_puts(&ans->body, c->body);
		return true;
	}
	return false;
}
