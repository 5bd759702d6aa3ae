/* SPDX-License-Identifier: MIT */
/*
 * control.c - the port where a test arms faults and reads what happened:
 *
 *	GET  /journal?system=&path=&after=&limit=	GET  /journal/count
 *	POST /reset					GET, POST /state
 *	POST /fault   GET /fault   DELETE /fault[?id=]
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim.h"

/* A copy of one query parameter, not unescaped: names and numbers only. */
static char *
query_get(const char *query, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = query; *p != '\0'; p += strcspn(p, "&"), p += *p == '&') {
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return gan_memdup(p + n + 1, strcspn(p + n + 1, "&"));
	}
	return NULL;
}

static int64_t
query_number(const char *query, const char *name, int64_t otherwise)
{
	char *text GAN_AUTO(gan_str_free) = query_get(query, name);

	return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

static void
fail(struct gan_sim_answer *ans, int status, const char *why)
{
	ans->status = status;
	gan_buf_clear(&ans->body);
	gan_buf_puts(&ans->body, "{\"error\":");
	gan_buf_json(&ans->body, why, strlen(why));
	gan_buf_putc(&ans->body, '}');
}

static void
get_journal(struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	char *system GAN_AUTO(gan_str_free) = query_get(req->query, "system");
	char *path GAN_AUTO(gan_str_free) = query_get(req->query, "path");

	gan_sim_journal_list(sim->journal, system, path, query_number(req->query, "after", 0),
	    (size_t)query_number(req->query, "limit", 1000000), &ans->body);
}

static void
post_fault(struct gan_sim *sim, const cJSON *spec, struct gan_sim_answer *ans)
{
	struct gan_err err;
	int64_t id;

	if (gan_sim_fault_add(&sim->faults, spec, &id, &err) < 0)
		fail(ans, 400, err.msg);
	else
		gan_buf_printf(&ans->body, "{\"id\":%lld}", (long long)id);
}

static void
get(struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	if (strcmp(req->path, "/journal") == 0)
		get_journal(sim, req, ans);
	else if (strcmp(req->path, "/journal/count") == 0)
		gan_sim_journal_count(sim->journal, &ans->body);
	else if (strcmp(req->path, "/fault") == 0)
		gan_sim_fault_list(&sim->faults, &ans->body);
	else if (strcmp(req->path, "/state") == 0)
		gan_sim_state_show(sim, &ans->body);
	else
		fail(ans, 404, "see gantry-sim --help for what can be asked here");
}

static void
post(struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	cJSON *body GAN_AUTO(gan_cj_free) = NULL;
	struct gan_err err;

	if (strcmp(req->path, "/reset") == 0) {
		gan_sim_state_reset(sim);
		gan_buf_puts(&ans->body, "{}");
		return;
	}
	if (gan_cj_parse(req->body, req->body_len, &body, &err) < 0) {
		fail(ans, 400, err.msg);
		return;
	}
	if (strcmp(req->path, "/fault") == 0)
		post_fault(sim, body, ans);
	else if (strcmp(req->path, "/state") != 0)
		fail(ans, 404, "see gantry-sim --help for what can be asked here");
	else if (gan_sim_state_set(sim, body, &err) < 0)
		fail(ans, 400, err.msg);
	else
		gan_buf_puts(&ans->body, "{}");
}

void
gan_sim_control(struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	ans->status = 200;
	if (strcmp(req->method, "GET") == 0) {
		get(sim, req, ans);
	} else if (strcmp(req->method, "POST") == 0) {
		post(sim, req, ans);
	} else if (strcmp(req->method, "DELETE") == 0 && strcmp(req->path, "/fault") == 0) {
		if (gan_sim_fault_remove(&sim->faults, query_number(req->query, "id", 0)))
			gan_buf_puts(&ans->body, "{}");
		else
			fail(ans, 404, "no such fault");
	} else {
		fail(ans, 405, "GET, POST or DELETE");
	}
}
