/* SPDX-License-Identifier: MIT */
/* fuzz_http.c - outputs for declared operations, answers to them, OAuth tokens; see answer.h. */
#include "answer.h"
#include "conf/operation.h"

static char field[] = "result.code", ok[] = "OK", zero[] = "0";
static const struct gan_success rule = { .any_2xx = true,
	.codes = { 409 },
	.ncodes = 1,
	.field = field,
	.equals = { { .kind = GAN_SCALAR_NUMBER, .text = zero, .number = 0 },
	    { .kind = GAN_SCALAR_TEXT, .text = ok } },
	.nequals = 2 };
static const struct gan_field required[] = {
	{ .name = "quantity", .type = GAN_FIELD_NUMBER, .required = true },
	{ .name = "items", .type = GAN_FIELD_OBJECTS, .required = true },
};
static const struct gan_operation operations[] = {
	{ .name = "judged",
	    .method = "PATCH",
	    .path = "/orders/{order}/lines('{line}')",
	    .body = GAN_BODY_OBJECT,
	    .any_query = true,
	    .fields = required,
	    .nfields = 2,
	    .success = &rule },
	{ .name = "plain",
	    .method = "DELETE",
	    .path = "/orders/{order}",
	    .body = GAN_BODY_ANY,
	    .any_query = true },
};

/* Only what the rule names is a success. */
static void
rule_holds(const struct fuzz_answer *a)
{
	cJSON *answer GAN_AUTO(gan_cj_free) = NULL;
	const cJSON *code;

	gan_must(gan_cj_parse(a->body, a->resp.body_len, &answer, NULL) == GAN_OK);
	code = gan_cj_get(gan_cj_get(answer, "result"), "code");
	gan_must(cJSON_IsString(code) ? strcmp(code->valuestring, "OK") == 0
				      : cJSON_IsNumber(code) && code->valueint == 0);
}

/* What is no token says why, or leaves it to the status. */
static void
refusal(const struct fuzz_answer *a)
{
	char text[512] = "";
	int rc = gan_kind_http.token_refused(&a->resp, text, sizeof(text));

	gan_must(rc == GAN_OK || rc == GAN_EAUTH || rc == GAN_ENET);
	gan_must(strlen(text) < sizeof(text) && (rc == GAN_OK || text[0] != '\0'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "erp", base[] = "https://erp.example.com/api", user[] = "gantry",
		    password[] = "hunter2";
	struct gan_conf_connector c = { .name = name,
		.kind = GAN_CONNECTOR_HTTP,
		.base_url = base,
		.auth = { .user = user, .password = { name, password, strlen(password) } } };
	struct fuzz_answer a;

	if (fuzz_answer_read(&a, data, size)) {
		if (fuzz_judge_op(&gan_kind_http, &operations[0], &a) == GAN_OUTCOME_OK)
			rule_holds(&a);
		(void)fuzz_judge_op(&gan_kind_http, &operations[1], &a);
		(void)fuzz_judge_op(&gan_kind_movilitas, &operations[0], &a);
		(void)fuzz_judge_op(&gan_kind_movilitas, &operations[1], &a);
		fuzz_token(&gan_kind_http, &a);
		refusal(&a);
		fuzz_request_op(&c, &operations[0], &a);
		fuzz_request_op(&c, &operations[1], &a);
	}
	fuzz_answer_fini(&a);
	return 0;
}
