/* SPDX-License-Identifier: MIT */
/*
 * movilitas.c - Movilitas.Cloud, Manufacturer V2 API: tokens, decommissioning
 * of serials, release of SSCCs.
 *
 * The vendor's pages show error words in two styles and no HTTP statuses: the
 * page on releases has codes, the one on decommissioning has names.  Each
 * operation answers in the style of its page; 401 for tokens and 400 for the
 * rest are this simulator's choice.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "sim.h"

#define BASE "/v1/manufacturer/v2/api"
#define SERIALS_MAX 10000

/* An error as both pages would write it; "" where a page has no word of its own. */
struct fault_word {
	int status;
	const char *code, *name, *message;
};

static const struct fault_word no_token = { 401, "ERR0001", "NoTokenError", "No token provided" };
static const struct fault_word bad_token = { 401, "ERR0000", "InvalidTokenError",
	"Failed to authenticate token" };
static const struct fault_word no_channel = { 400, "", "",
	"Channel ID is missing or does not match the required format" };
static const struct fault_word no_json = { 400, "", "ValidationError",
	"Request body could not be parsed" };
static const struct fault_word invalid = { 400, "", "ValidationError", "Validation error" };
static const struct fault_word no_product = { 400, "", "ProductError",
	"Product is not registered" };

struct call {
	struct gan_sim_movilitas *m;
	const struct gan_sim_request *req;
	struct gan_sim_answer *ans;
	bool names; /* the style of the decommissioning page */
};

static void
put_error(struct call *c, const struct fault_word *w, const char *details)
{
	struct gan_buf *b = &c->ans->body;
	const char *word = c->names ? w->name : w->code;

	c->ans->status = w->status;
	gan_buf_puts(b, "{\"success\":false");
	if (word[0] != '\0')
		gan_buf_printf(b, ",\"%s\":\"%s\"", c->names ? "name" : "code", word);
	gan_buf_printf(b, ",\"message\":\"%s\"", w->message);
	if (details != NULL) {
		gan_buf_puts(b, ",\"details\":");
		gan_buf_json(b, details, strlen(details));
	}
	gan_buf_putc(b, '}');
}

static const char *
token_of(const struct call *c, bool *ret_twice)
{
	const char *x = gan_sim_header(c->req, "x-access-token");
	const char *a = gan_sim_header(c->req, "authorization");

	*ret_twice = x != NULL && a != NULL;
	if (x != NULL || c->names || a == NULL)
		return x;
	return strncasecmp(a, "Bearer ", 7) == 0 ? a + 7 : NULL;
}

static bool
is_json_type(const char *type)
{
	return type != NULL && strncasecmp(type, "application/json", 16) == 0 &&
	       (type[16] == '\0' || type[16] == ';');
}

/* Token, channel key, content type: what every call needs. */
static bool
admitted(struct call *c)
{
	const char *key = gan_sim_header(c->req, "x-channel-key");
	bool twice;
	const char *token = token_of(c, &twice);

	if (token == NULL || token[0] == '\0') {
		put_error(c, &no_token, NULL);
		return false;
	}
	if (twice) {
		put_error(c, &invalid, "x-access-token and Authorization in one request");
		return false;
	}
	if (strcmp(token, c->m->static_token) != 0 &&
	    gan_sim_token_check(&c->m->tokens, token) != GAN_SIM_TOKEN_GOOD) {
		put_error(c, &bad_token, NULL);
		return false;
	}
	if (key == NULL || strcmp(key, c->m->channel_key) != 0) {
		put_error(c, &no_channel, NULL);
		return false;
	}
	if (!is_json_type(gan_sim_header(c->req, "content-type"))) {
		put_error(c, &no_json, "Content-Type must be application/json");
		return false;
	}
	return true;
}

static bool
digits(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789") == n;
}

static bool
one_of(const char *s, const char *const *words)
{
	for (; s != NULL && *words != NULL; words++) {
		if (strcmp(s, *words) == 0)
			return true;
	}
	return false;
}

/* A non-empty array of distinct texts; NULL and the answer made when it is not. */
static const cJSON *
text_list(struct call *c, const cJSON *body, const char *name)
{
	const cJSON *list = gan_cj_get(body, name), *item;
	struct gan_sim_table seen = { 0 };
	bool ok = cJSON_IsArray(list) && list->child != NULL;

	if (ok && cJSON_GetArraySize(list) > SERIALS_MAX)
		ok = false;
	if (ok) {
		cJSON_ArrayForEach(item, list)
		{
			ok = ok && cJSON_IsString(item) && item->valuestring[0] != '\0' &&
			     gan_sim_table_put(&seen, item->valuestring, 1);
		}
	}
	gan_sim_table_fini(&seen);
	if (ok)
		return list;
	put_error(c, &invalid,
	    strcmp(name, "ssccs") == 0
		? "\"ssccs\" must be an array of distinct strings, not empty"
		: "\"serials\" must be an array of distinct strings, not empty");
	return NULL;
}

static const char *
decommission_complaint(const cJSON *body)
{
	static const char *const reasons[] = { "destroy", "sample", "free_sample", "check_out",
		"lock", "export", NULL };
	static const char *const known[] = { "product_code", "product_code_schema", "reason",
		"send_to_market", "market_id", "serials", NULL };
	const char *code = gan_cj_str(body, "product_code");
	const char *schema = gan_cj_str(body, "product_code_schema");
	const cJSON *market = gan_cj_get(body, "market_id"), *item;

	if (code == NULL || !digits(code, 14))
		return "\"product_code\" must be a string of 14 digits";
	if (schema == NULL || strcmp(schema, "GTIN") != 0)
		return "\"product_code_schema\" must be GTIN";
	if (!one_of(gan_cj_str(body, "reason"), reasons))
		return "\"reason\" must be destroy, sample, free_sample, check_out, lock or export";
	if (!cJSON_IsBool(gan_cj_get(body, "send_to_market")))
		return "\"send_to_market\" must be true or false";
	if (market != NULL && (!cJSON_IsString(market) || market->valuestring[0] == '\0'))
		return "\"market_id\" must be a string";
	cJSON_ArrayForEach(item, body)
	{
		if (!one_of(item->string, known))
			return "a field is not known";
	}
	return NULL;
}

static void
serial_key(char *out, size_t n, const char *gtin, const char *serial)
{
	(void)snprintf(out, n, "%s/%s", gtin, serial);
}

/* Serials that are decommissioned already refuse the whole request. */
static bool
serials_refused(struct call *c, const char *gtin, const cJSON *serials)
{
	struct gan_buf *b = &c->ans->body;
	const cJSON *item;
	bool any = false;
	char key[256];

	cJSON_ArrayForEach(item, serials)
	{
		serial_key(key, sizeof(key), gtin, item->valuestring);
		if (gan_sim_table_get(&c->m->serials, key) == NULL)
			continue;
		gan_buf_puts(b,
		    any ? ","
			: "{\"success\":false,\"name\":\"ValidationError\",\"message\":\"Serials "
			  "cannot be decommissioned\",\"data\":[");
		gan_buf_puts(b, "{\"serial_number\":");
		gan_buf_json(b, item->valuestring, strlen(item->valuestring));
		gan_buf_puts(b, ",\"status\":\"Decommissioned\",\"message\":\"Serial is already "
				"decommissioned\"}");
		any = true;
	}
	if (any) {
		gan_buf_puts(b, "]}");
		c->ans->status = 400;
	}
	return any;
}

static void
decommission(struct call *c, const cJSON *body)
{
	const char *why = decommission_complaint(body), *gtin;
	struct gan_buf *b = &c->ans->body;
	const cJSON *serials;
	char key[256];

	if (why != NULL) {
		put_error(c, &invalid, why);
		return;
	}
	serials = text_list(c, body, "serials");
	if (serials == NULL)
		return;
	gtin = gan_cj_str(body, "product_code");
	(void)snprintf(key, sizeof(key), ",%s,", gtin);
	if (c->m->products[0] != '\0' && strstr(c->m->products, key) == NULL) {
		put_error(c, &no_product, gtin);
		return;
	}
	if (serials_refused(c, gtin, serials)) {
		c->ans->repeats = 1;
		return;
	}
	gan_buf_puts(b, "{\"success\":true,\"message\":\"Serials decommissioned\",\"data\":[");
	/* Last first: as in the vendor's sample, the order is not that of the request. */
	for (const cJSON *s = serials->child->prev;; s = s->prev) {
		serial_key(key, sizeof(key), gtin, s->valuestring);
		(void)gan_sim_table_put(&c->m->serials, key, 1);
		gan_buf_puts(b, "{\"serial_number\":");
		gan_buf_json(b, s->valuestring, strlen(s->valuestring));
		gan_buf_puts(b, ",\"status\":\"Decommissioned\"}");
		if (s == serials->child)
			break;
		gan_buf_putc(b, ',');
	}
	gan_buf_puts(b, "]}");
	c->ans->status = 200;
	c->ans->acted = true;
}

static const char *const sscc_states[] = { "Available", "Assigned" };

int
gan_sim_sscc_state(const char *name)
{
	for (int i = 0; i < (int)GAN_COUNT(sscc_states); i++) {
		if (strcmp(sscc_states[i], name) == 0)
			return i;
	}
	return -1;
}

const char *
gan_sim_sscc_name(int64_t state)
{
	return state < 0 ? "Unknown" : sscc_states[state];
}

static void
release(struct call *c, const cJSON *body)
{
	const cJSON *ssccs = text_list(c, body, "ssccs"), *item;
	struct gan_buf *b = &c->ans->body;
	bool refused = false;

	if (ssccs == NULL)
		return;
	cJSON_ArrayForEach(item, ssccs)
	{
		const char *sscc = item->valuestring;
		int64_t *known = gan_sim_table_get(&c->m->ssccs, sscc);
		int64_t state = known ? *known : gan_sim_sscc_state(c->m->sscc_default);

		if (!digits(sscc, 18)) {
			gan_buf_clear(b);
			put_error(c, &invalid, "an SSCC has 18 digits");
			return;
		}
		if (state == 1)
			continue;
		gan_buf_puts(b,
		    refused
			? ","
			: "{\"success\":false,\"message\":\"SSCCs cannot be released because 1 or "
			  "more SSCCs are not in Assigned status.\",\"data\":[");
		gan_buf_printf(b,
		    "{\"sscc\":\"%s\",\"status\":\"%s\",\"message\":\"SSCC is not in Assigned "
		    "status\"}",
		    sscc, gan_sim_sscc_name(state));
		c->ans->repeats += state == 0;
		refused = true;
	}
	if (refused) {
		gan_buf_puts(b, "]}");
		c->ans->status = 400;
		return;
	}
	cJSON_ArrayForEach(item, ssccs)(void) gan_sim_table_put(&c->m->ssccs, item->valuestring, 0);
	gan_buf_puts(b, "{\"success\":true,\"message\":\"SSCCs released\"}");
	c->ans->status = 200;
	c->ans->acted = true;
}

/* base64url without padding, of which no byte may be lost: the parts of a JWT. */
static void
put_part(struct gan_buf *out, const void *p, size_t n)
{
	char *text GAN_AUTO(gan_str_free) = gan_base64_encode(p, n);

	gan_must(text != NULL);
	for (char *s = text; *s != '\0' && *s != '='; s++)
		gan_buf_putc(out, *s == '+' ? '-' : *s == '/' ? '_' : *s);
}

static void
give_token(struct call *c, const cJSON *body)
{
	const char *key = gan_cj_str(body, "api_key"), *secret = gan_cj_str(body, "api_secret");
	struct gan_buf jwt GAN_AUTO(gan_buf_fini) = { 0 };
	unsigned char sign[32];
	long long now_s = gan_wall_ms() / 1000;
	char claims[160];

	if (key == NULL || secret == NULL || strcmp(key, c->m->api_key) != 0 ||
	    strcmp(secret, c->m->api_secret) != 0) {
		c->ans->status = 401;
		gan_buf_puts(
		    &c->ans->body, "{\"success\":false,\"message\":\"Authentication failed\"}");
		return;
	}
	(void)snprintf(claims, sizeof(claims), "{\"iat\":%lld,\"exp\":%lld}", now_s,
	    now_s + (long long)c->m->token_life_ms / 1000);
	gan_random(sign, sizeof(sign));
	put_part(&jwt, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", 27);
	gan_buf_putc(&jwt, '.');
	put_part(&jwt, claims, strlen(claims));
	gan_buf_putc(&jwt, '.');
	put_part(&jwt, sign, sizeof(sign));
	gan_must(!jwt.failed);
	gan_sim_token_add(&c->m->tokens, jwt.data, c->m->token_life_ms);
	c->ans->status = 200;
	c->ans->acted = true;
	gan_buf_printf(&c->ans->body,
	    "{\"success\":true,\"message\":\"Authenticated\",\"token\":\"%s\"}", jwt.data);
}

void
gan_sim_movilitas(
    struct gan_sim *sim, const struct gan_sim_request *req, struct gan_sim_answer *ans)
{
	struct call c = { &sim->movilitas, req, ans, false };
	bool auth = strcmp(req->path, "/v1/api_auth") == 0;
	bool serials = strcmp(req->path, BASE "/serials/decommission") == 0;
	bool ssccs = strcmp(req->path, BASE "/ssccs/release") == 0;
	cJSON *body GAN_AUTO(gan_cj_free) = NULL;
	struct gan_err err;

	if (!auth && !serials && !ssccs) {
		/* Calls whose bodies only a tenant knows: a test says what is answered. */
		if (!admitted(&c))
			return;
		if (req->body_len > 0 && gan_cj_parse(req->body, req->body_len, &body, &err) < 0) {
			put_error(&c, &no_json, err.msg);
			return;
		}
		if (gan_sim_canned_answer(sim->canned[GAN_SIM_MOVILITAS], req, ans))
			return;
		ans->status = 404;
		gan_buf_puts(&ans->body, "{\"success\":false,\"message\":\"Not found\"}");
		return;
	}
	if (strcmp(req->method, "POST") != 0) {
		ans->status = 405;
		gan_buf_puts(&ans->body, "{\"success\":false,\"message\":\"Method not allowed\"}");
		return;
	}
	c.names = serials;
	if (!auth && !admitted(&c))
		return;
	if (gan_cj_parse(req->body, req->body_len, &body, &err) < 0 || !cJSON_IsObject(body)) {
		put_error(&c, &no_json, body == NULL ? err.msg : "the body must be an object");
		return;
	}
	if (auth)
		give_token(&c, body);
	else if (serials)
		decommission(&c, body);
	else
		release(&c, body);
}
