/* SPDX-License-Identifier: MIT */
/* success.c - see success.h. */
#include "outbound/success.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "outbound/connector.h"

static bool
status_fits(const struct gan_success *s, int status)
{
	if (s->any_2xx && status >= 200 && status < 300)
		return true;
	for (size_t i = 0; i < s->ncodes; i++)
		if (s->codes[i] == (unsigned)status)
			return true;
	return false;
}

/* The member at a path of names, or NULL. */
static const cJSON *
member_at(const cJSON *tree, const char *path)
{
	while (tree != NULL) {
		size_t n = strcspn(path, ".");
		const cJSON *m = cJSON_IsObject(tree) ? tree->child : NULL;

		while (m != NULL && (strncmp(m->string, path, n) != 0 || m->string[n] != '\0'))
			m = m->next;
		if (path[n] == '\0')
			return m;
		tree = m;
		path += n + 1;
	}
	return NULL;
}

static bool
equals(const struct gan_scalar *s, const cJSON *v)
{
	switch (s->kind) {
	case GAN_SCALAR_TEXT:
		return cJSON_IsString(v) && strcmp(v->valuestring, s->text) == 0;
	case GAN_SCALAR_NUMBER:
		return cJSON_IsNumber(v) && !(v->valuedouble < s->number) &&
		       !(v->valuedouble > s->number);
	case GAN_SCALAR_BOOL:
		return cJSON_IsBool(v) && cJSON_IsTrue(v) == (s->truth ? 1 : 0);
	}
	return false;
}

static bool
fits_one(const struct gan_success *s, const cJSON *v)
{
	if (s->nequals == 0)
		return v != NULL && !cJSON_IsNull(v);
	for (size_t i = 0; v != NULL && i < s->nequals; i++)
		if (equals(&s->equals[i], v))
			return true;
	return false;
}

static void
show_wanted(const struct gan_success *s, char *out, size_t outsz)
{
	size_t used = 0;

	snprintf(out, outsz, "a value");
	for (size_t i = 0; i < s->nequals && used + 16 < outsz; i++) {
		const char *quote = s->equals[i].kind == GAN_SCALAR_TEXT ? "\"" : "";

		used += (size_t)snprintf(out + used, outsz - used, "%s%s%.40s%s",
		    i == 0 ? "" : " or ", quote, s->equals[i].text, quote);
	}
}

/* why first, then what the peer said about it. */
static void
refuse(const char *why, const struct gan_response *resp, const cJSON *answer, struct gan_judged *j)
{
	char said[360], body[160];

	said[0] = '\0';
	gan_connector_vendor_text(answer, resp->status, said, sizeof(said));
	if (said[0] == '\0')
		snprintf(said, sizeof(said), "HTTP %d: %s", resp->status,
		    gan_printable(resp->body, resp->body_len, body, sizeof(body)));
	snprintf(j->text, sizeof(j->text), "%s; %s", why, said);
	j->outcome = GAN_OUTCOME_REFUSED;
}

static void
judge_body(const struct gan_success *s, const struct gan_response *resp, const cJSON *answer,
    struct gan_judged *j)
{
	const cJSON *v = member_at(answer, s->field);
	char *printed, found[64], wanted[160], why[360];

	if (answer == NULL) {
		j->outcome = GAN_OUTCOME_AMBIGUOUS;
		snprintf(j->text, sizeof(j->text),
		    "HTTP %d, but the answer is no JSON, so %s cannot be looked at: %s",
		    resp->status, s->field, gan_printable(resp->body, resp->body_len, why, 160));
		return;
	}
	if (fits_one(s, v))
		return;
	printed = v != NULL ? gan_cj_print(v) : NULL;
	if (printed != NULL)
		gan_printable(printed, strlen(printed), found, sizeof(found));
	else
		snprintf(found, sizeof(found), "missing");
	free(printed);
	show_wanted(s, wanted, sizeof(wanted));
	snprintf(why, sizeof(why), "no success: %.80s is %s, expected %s", s->field, found, wanted);
	refuse(why, resp, answer, j);
}

void
gan_success_judge(const struct gan_success *s, const struct gan_response *resp, const cJSON *answer,
    struct gan_judged *j)
{
	bool good = j->outcome == GAN_OUTCOME_OK,
	     fits = s == NULL ? good : status_fits(s, resp->status);
	char why[80];

	if (good && s == NULL && resp->body_len > 0 && answer == NULL) {
		j->outcome = GAN_OUTCOME_AMBIGUOUS;
		snprintf(j->text, sizeof(j->text), "HTTP %d, but the answer is no JSON: %s",
		    resp->status, gan_printable(resp->body, resp->body_len, why, sizeof(why)));
	} else if (good && !fits) {
		snprintf(why, sizeof(why), "no success: the status is %d", resp->status);
		refuse(why, resp, answer, j);
	} else if (good && s != NULL && s->field != NULL) {
		judge_body(s, resp, answer, j);
	} else if (!good && fits) {
		j->outcome = GAN_OUTCOME_ALREADY;
		snprintf(j->text, sizeof(j->text), "done before: HTTP %d counts as success",
		    resp->status);
	} else if (!good) {
		gan_connector_vendor_text(answer, resp->status, j->text, sizeof(j->text));
	}
	if (j->outcome == GAN_OUTCOME_OK || j->outcome == GAN_OUTCOME_ALREADY)
		j->response = gan_connector_keep(answer, resp);
}
