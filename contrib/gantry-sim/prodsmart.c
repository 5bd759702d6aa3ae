/* SPDX-License-Identifier: MIT */
/* prodsmart.c - the way of a request: limit, route, credentials, type, query, body, handler. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "prodsmart.h"

void
gan_ps_fail(struct gan_ps_call *c, int status, const char *fmt, ...)
{
	char why[400];
	va_list ap;

	if (c->failed)
		return;
	c->failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	c->ans->status = status;
	gan_buf_clear(&c->ans->body);
	gan_buf_puts(&c->ans->body, "{\"message\":");
	gan_buf_json(&c->ans->body, why, strlen(why));
	gan_buf_putc(&c->ans->body, '}');
}

void
gan_ps_note(struct gan_ps_call *c, const char *word, const char *where)
{
	char text[300];

	(void)snprintf(text, sizeof(text), "%s %s", word, where);
	if (c->ans->notes.len > 0)
		gan_buf_putc(&c->ans->notes, ',');
	gan_buf_json(&c->ans->notes, text, strlen(text));
}

static void
strip(cJSON *tree)
{
	cJSON *next;

	for (cJSON *m = tree->child; m != NULL; m = next) {
		next = m->next;
		if (m->string != NULL && m->string[0] == '$')
			cJSON_Delete(cJSON_DetachItemViaPointer(tree, m));
		else
			strip(m);
	}
}

void
gan_ps_answer(struct gan_ps_call *c, int status, cJSON *tree)
{
	char *text GAN_AUTO(gan_str_free) = NULL;

	strip(tree);
	text = gan_cj_print(tree);
	gan_must(text != NULL);
	cJSON_Delete(tree);
	c->ans->status = status;
	gan_buf_puts(&c->ans->body, text);
}

const char *
gan_ps_arg(const struct gan_ps_call *c, const char *name)
{
	for (size_t i = 0; i < c->npairs; i++) {
		if (strcmp(c->pairs[i].name, name) == 0)
			return c->pairs[i].value;
	}
	return NULL;
}

bool
gan_ps_flag(const struct gan_ps_call *c, const char *name)
{
	return gan_streq(gan_ps_arg(c, name), "true");
}

/* Undo percent-encoding in place; `plus` makes a space of '+', as in a query. */
static bool
decode(char *s, bool plus)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		if (*s == '+' && plus) {
			*out++ = ' ';
		} else if (*s != '%') {
			*out++ = *s;
		} else {
			unsigned char byte;

			if (s[1] == '\0' || s[2] == '\0' || !gan_unhex(s + 1, 2, &byte) ||
			    byte == '\0')
				return false;
			*out++ = (char)byte;
			s += 2;
		}
	}
	*out = '\0';
	return true;
}

/* Does the path fit the template?  What stands for {…} goes to param as it is. */
static bool
fits(const char *template, const char *path, char *param, size_t n)
{
	param[0] = '\0';
	while (*template != '\0') {
		if (*template == '{') {
			size_t len = strcspn(path, "/");

			if (len == 0 || len >= n)
				return false;
			memcpy(param, path, len);
			param[len] = '\0';
			path += len;
			template = strchr(template, '}') + 1;
		} else if (*template ++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

static bool
route(struct gan_ps_call *c)
{
	for (size_t i = 0; i < gan_ps_nops; i++) {
		const struct gan_ps_op *op = &gan_ps_ops[i];

		if (strcmp(op->method, c->req->method) != 0 ||
		    !fits(op->path, c->req->path, c->param, sizeof(c->param)))
			continue;
		c->op = op;
		c->ans->op = op->name;
		if (!decode(c->param, false)) {
			gan_ps_fail(c, 400, "the path has a bad percent-encoding");
			return false;
		}
		return true;
	}
	gan_ps_fail(c, 404, "no operation has this method and path");
	return false;
}

static bool
split_query(struct gan_ps_call *c)
{
	char *save = NULL;

	c->query = gan_memdup(c->req->query, strlen(c->req->query));
	gan_must(c->query != NULL);
	for (char *p = strtok_r(c->query, "&", &save); p != NULL; p = strtok_r(NULL, "&", &save)) {
		char *value = strchr(p, '=');

		if (value == NULL || c->npairs == GAN_PS_PARAMS) {
			gan_ps_fail(c, 400, "the query must be name=value pairs");
			return false;
		}
		*value++ = '\0';
		if (!decode(p, true) || !decode(value, true)) {
			gan_ps_fail(c, 400, "the query has a bad percent-encoding");
			return false;
		}
		c->pairs[c->npairs].name = p;
		c->pairs[c->npairs++].value = value;
	}
	return true;
}

/* The page lists the type for every request, those without a body too. */
static bool
typed(struct gan_ps_call *c)
{
	const char *type = gan_sim_header(c->req, "content-type");

	if (type != NULL && strncasecmp(type, "application/json", 16) == 0 &&
	    (type[16] == '\0' || type[16] == ';'))
		return true;
	gan_ps_fail(c, 400, "Content-Type must be application/json");
	return false;
}

static bool
read_body(struct gan_ps_call *c)
{
	struct gan_err err;

	if (c->op->fields == NULL) {
		if (c->req->body_len > 0)
			gan_ps_fail(c, 400, "this operation takes no body");
		return !c->failed;
	}
	if (c->req->body_len == 0 && (c->op->flags & GAN_PS_BODY_OPTIONAL) != 0)
		return true;
	if (gan_cj_parse(c->req->body, c->req->body_len, &c->body, &err) < 0) {
		gan_ps_fail(c, 400, "Invalid JSON: %s", err.msg);
		return false;
	}
	return gan_ps_check_body(c, c->op->fields);
}

void
gan_sim_prodsmart(
    struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	struct gan_ps_call c = {
		.p = &sim->prodsmart, .ps = sim->prodsmart.ps, .req = req, .ans = ans
	};

	if (gan_ps_within_limit(&c) && route(&c) && split_query(&c) && gan_ps_admitted(&c) &&
	    typed(&c) && gan_ps_check_query(&c) && read_body(&c))
		c.op->run(&c);
	if (ans->body.len > 0 && ans->status == 204)
		gan_buf_clear(&ans->body); /* HTTP has none there, whatever the page shows */
	free(c.query);
	cJSON_Delete(c.body);
}
