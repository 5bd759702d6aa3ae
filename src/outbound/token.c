/* SPDX-License-Identifier: MIT */
/* token.c - see token.h. */
#include "outbound/token.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "outbound/account.h"
#include "outbound/retry_after.h"

struct waiter {
	struct waiter *next;
	gan_token_fn cb;
	void *arg;
};

struct gan_token {
	struct gan_transfers *ts;    /* borrowed */
	struct gan_account *account; /* NULL: nobody counts */
	struct gan_config *conf;
	const struct gan_conf_connector *c;
	const struct gan_kind *kind;
	char *text; /* the token, NULL: none */
	uint64_t serial;
	int64_t until_ms; /* monotonic: no request starts with it afterwards */
	int64_t asked_ms; /* monotonic, before the fetch */
	struct gan_transfer *fetch;
	struct gan_buf request; /* of the fetch under way, masked */
	struct waiter *waiters;
};

static void
forget(struct gan_token *t)
{
	gan_secret_free(t->text, t->text != NULL ? strlen(t->text) : 0);
	t->text = NULL;
}

bool
gan_token_is_static(const struct gan_token *t)
{
	return t->kind->token_mode(t->c) == GAN_TOKEN_STATIC;
}

int
gan_token_open(struct gan_transfers *ts, struct gan_config *conf,
    const struct gan_conf_connector *c, struct gan_token **ret_token, struct gan_err *err)
{
	struct gan_token *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return gan_err_set(err, GAN_ENOMEM, "token of %s", c->name);
	t->ts = ts;
	t->conf = gan_config_ref(conf);
	t->c = c;
	t->kind = gan_kind_of(c->kind);
	*ret_token = t;
	return GAN_OK;
}

void
gan_token_count(struct gan_token *t, struct gan_account *account)
{
	t->account = gan_account_ref(account);
}

bool
gan_token_is_idle(const struct gan_token *t)
{
	return t->fetch == NULL;
}

/* The list is taken first: those told may wait again at once, for the next fetch. */
static void
tell_all(struct gan_token *t, const struct gan_token_result *r)
{
	struct waiter **list = &t->waiters;
	unsigned n = 0;

	for (struct waiter *w = t->waiters; w != NULL; w = w->next)
		n++;
	while (n-- > 0 && *list != NULL) { /* new ones stand at the end */
		struct waiter *w = *list;

		*list = w->next;
		w->cb(w->arg, r);
		free(w);
	}
}

void
gan_token_free(struct gan_token **tp)
{
	struct gan_token *t = gan_steal(tp);
	struct gan_token_result r = {
		.rc = GAN_EGONE, .text = "the configuration of the connector changed", .wait_ms = -1
	};

	if (t == NULL)
		return;
	if (t->fetch != NULL && t->account != NULL)
		gan_account_end(t->account);
	gan_transfer_drop(&t->fetch);
	tell_all(t, &r);
	gan_must(t->waiters == NULL);
	forget(t);
	gan_buf_fini(&t->request);
	gan_account_unref(&t->account);
	gan_config_unref(&t->conf);
	free(t);
}

const char *
gan_token_use(struct gan_token *t, int64_t mono_ms, uint64_t *ret_serial)
{
	if (gan_token_is_static(t)) {
		*ret_serial = 0;
		return t->c->token.bytes != NULL ? t->c->token.bytes : "";
	}
	if (t->text != NULL && mono_ms >= t->until_ms)
		forget(t);
	if (t->text != NULL)
		*ret_serial = t->serial;
	return t->text;
}

void
gan_token_drop(struct gan_token *t, uint64_t serial)
{
	if (t->serial == serial)
		forget(t);
}

/* It will stand in a header; one that cannot would be refused there again and again, as ours. */
static bool
fits_header(const char *token)
{
	for (; *token != '\0'; token++)
		if ((unsigned char)*token <= 0x20 || (unsigned char)*token >= 0x7f)
			return false;
	return true;
}

/* What a token answer means. Fills r and, when it is one, takes the token. */
static void
read_answer(
    struct gan_token *t, const struct gan_response *resp, struct gan_token_result *r, char *text)
{
	static uint64_t serials; /* one count for all: a replaced connector must not repeat one */
	struct gan_judged j = { 0 };
	struct gan_token_life life = { 0 };
	struct gan_err err = { 0 };
	int rc;

	gan_outcome_of(resp, &j);
	snprintf(text, 512, "%s", j.text);
	if (j.outcome == GAN_OUTCOME_OK) {
		rc = t->kind->token_read(resp, gan_wall_ms(), &life, &err);
		if (rc == GAN_OK && !fits_header(life.token)) {
			gan_secret_free(life.token, strlen(life.token));
			rc = gan_err_set(&err, GAN_EPARSE,
			    "the token that the peer gave holds a blank, a control character or "
			    "one beyond ASCII");
		}
		if (rc == GAN_OK) {
			forget(t);
			t->text = life.token;
			t->serial = ++serials;
			t->until_ms = t->asked_ms + life.use_ms;
			r->rc = GAN_OK;
			return;
		}
		snprintf(text, 512, "%s", err.msg);
		r->rc = rc == GAN_ENOMEM ? GAN_ENET : GAN_EAUTH;
		return;
	}
	rc = resp->sent == GAN_COMPLETE && t->kind->token_refused != NULL
		 ? t->kind->token_refused(resp, text, 512)
		 : GAN_OK;
	if (rc < 0) {
		r->rc = rc;
		return;
	}
	if (j.outcome == GAN_OUTCOME_BUSY)
		r->wait_ms = gan_retry_after_ms(resp->retry_after, gan_wall_ms(), -1);
	/* A 4xx or a redirect will not mend itself; all else may. */
	r->rc = j.outcome == GAN_OUTCOME_TOKEN || j.outcome == GAN_OUTCOME_REFUSED ||
			j.outcome == GAN_OUTCOME_REDIRECT
		    ? GAN_EAUTH
		    : GAN_ENET;
}

static void
on_answer(void *arg, struct gan_response *resp)
{
	struct gan_token *t = arg;
	char text[512] = "", whole[600];
	struct gan_token_result r = { .rc = GAN_ENET,
		.wait_ms = -1,
		.status = resp->status,
		.started_ms = resp->started_ms,
		.ended_ms = resp->ended_ms };
	struct gan_buf request GAN_AUTO(gan_buf_fini) = t->request;

	memset(&t->request, 0, sizeof(t->request));
	t->fetch = NULL;
	if (t->account != NULL)
		(resp->sent == GAN_NOT_SENT ? gan_account_give : gan_account_end)(t->account);
	read_answer(t, resp, &r, text);
	if (resp->scrub != NULL)
		gan_scrub_text(resp->scrub, text, strlen(text));
	if (resp->body_len > 0)
		explicit_bzero(resp->body, resp->body_len);
	snprintf(whole, sizeof(whole), "no token: %s", text);
	r.text = whole;
	r.request = request.data;
	tell_all(t, &r);
}

static int
start_fetch(struct gan_token *t, struct gan_err *err)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	char *body = NULL;
	int rc;

	req.connect_ms = t->c->deliver.connect_ms;
	req.total_ms = t->c->deliver.total_ms;
	gan_connector_tls(t->c, &req);
	req.repeatable = true;
	req.answer_is_secret = true;
	rc = t->kind->token_request(t->c, &req, &body, err);
	if (rc == GAN_OK) {
		gan_buf_clear(&t->request);
		gan_wire_describe(&req, &t->request);
		t->asked_ms = gan_mono_ms();
		rc = gan_transfer_start(t->ts, &req, on_answer, t, &t->fetch, err);
	}
	gan_secret_free(body, req.body_len);
	if (rc < 0 && t->account != NULL)
		gan_account_give(t->account);
	return rc < 0 ? gan_err_wrap(err, rc, "token of %s", t->c->name) : rc;
}

int
gan_token_wait(struct gan_token *t, gan_token_fn cb, void *arg, struct gan_err *err)
{
	struct waiter *w = calloc(1, sizeof(*w)), **end = &t->waiters;
	int rc = GAN_OK;

	if (w == NULL) {
		if (t->fetch == NULL && t->account != NULL)
			gan_account_give(t->account);
		return gan_err_set(err, GAN_ENOMEM, "token of %s", t->c->name);
	}
	w->cb = cb;
	w->arg = arg;
	if (t->fetch == NULL)
		rc = start_fetch(t, err);
	if (rc < 0) {
		free(w);
		return rc;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = w;
	return GAN_OK;
}

void
gan_token_unwait(struct gan_token *t, const void *arg)
{
	struct waiter **at = &t->waiters;

	while (*at != NULL) {
		struct waiter *w = *at;

		if (w->arg == arg) {
			*at = w->next;
			free(w);
		} else {
			at = &w->next;
		}
	}
}
