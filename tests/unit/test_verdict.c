/* SPDX-License-Identifier: MIT */
/* test_verdict.c - the table of verdicts, back-off, breaker, Retry-After, GS1, parts: all pure. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "outbound/backoff.h"
#include "outbound/breaker.h"
#include "outbound/gs1.h"
#include "outbound/parts.h"
#include "outbound/retry_after.h"
#include "outbound/verdict.h"

static struct gan_err err;

/* ---- what plain HTTP says ------------------------------------------------ */

static const struct {
	enum gan_sent sent;
	int status;
	enum gan_outcome outcome;
} outcomes[] = {
	{ GAN_NOT_SENT, 0, GAN_OUTCOME_NOT_SENT },
	{ GAN_MAYBE_SENT, 0, GAN_OUTCOME_AMBIGUOUS },
	{ GAN_COMPLETE, 200, GAN_OUTCOME_OK },
	{ GAN_COMPLETE, 204, GAN_OUTCOME_OK },
	{ GAN_UNREADABLE, 200, GAN_OUTCOME_AMBIGUOUS },
	{ GAN_UNREADABLE, 429, GAN_OUTCOME_BUSY },
	{ GAN_UNREADABLE, 400, GAN_OUTCOME_REFUSED },
	{ GAN_COMPLETE, 301, GAN_OUTCOME_REDIRECT },
	{ GAN_COMPLETE, 304, GAN_OUTCOME_REDIRECT },
	{ GAN_COMPLETE, 307, GAN_OUTCOME_REDIRECT },
	{ GAN_COMPLETE, 400, GAN_OUTCOME_REFUSED },
	{ GAN_COMPLETE, 401, GAN_OUTCOME_TOKEN },
	{ GAN_COMPLETE, 403, GAN_OUTCOME_TOKEN },
	{ GAN_COMPLETE, 404, GAN_OUTCOME_REFUSED },
	{ GAN_COMPLETE, 422, GAN_OUTCOME_REFUSED },
	{ GAN_COMPLETE, 429, GAN_OUTCOME_BUSY },
	{ GAN_COMPLETE, 500, GAN_OUTCOME_AMBIGUOUS },
	{ GAN_COMPLETE, 502, GAN_OUTCOME_AMBIGUOUS },
	{ GAN_COMPLETE, 503, GAN_OUTCOME_BUSY },
	{ GAN_COMPLETE, 504, GAN_OUTCOME_AMBIGUOUS },
	{ GAN_COMPLETE, 600, GAN_OUTCOME_AMBIGUOUS },
};

START_TEST(status_gives_the_outcome)
{
	static char body[] = "{\"why\":\"because\"}";
	struct gan_response r = { .sent = outcomes[_i].sent,
		.status = outcomes[_i].status,
		.body = body,
		.body_len = sizeof(body) - 1,
		.error = "the answer was cut off" };
	struct gan_judged j = { 0 };

	gan_outcome_of(&r, &j);
	ck_assert_int_eq(j.outcome, outcomes[_i].outcome);
	if (j.outcome == GAN_OUTCOME_REDIRECT)
		ck_assert_ptr_nonnull(strstr(j.text, "redirect refused"));
	if (j.outcome == GAN_OUTCOME_REFUSED && r.sent == GAN_COMPLETE)
		ck_assert_ptr_nonnull(strstr(j.text, "because"));
	if (j.outcome != GAN_OUTCOME_OK)
		ck_assert_str_ne(j.text, "");
}
END_TEST

/* ---- what the outcome means ----------------------------------------------- */

#define HOLD GAN_ON_UNKNOWN_HOLD
#define RESEND GAN_ON_UNKNOWN_RESEND
#define PROBE GAN_ON_UNKNOWN_PROBE

static const struct {
	enum gan_outcome outcome;
	enum gan_repeat repeat;
	enum gan_on_unknown on_unknown;
	bool before; /* an earlier attempt may have been carried out */
	enum gan_verdict_kind kind;
	enum gan_health health;
	bool wait_all, maybe;
} rows[] = {
	{ GAN_OUTCOME_OK, GAN_REPEAT_HOLD, HOLD, false, GAN_VERDICT_DELIVERED, GAN_HEALTH_OK, false,
	    true },
	{ GAN_OUTCOME_ALREADY, GAN_REPEAT_HOLD, HOLD, true, GAN_VERDICT_DELIVERED, GAN_HEALTH_OK,
	    false, true },
	{ GAN_OUTCOME_NOT_SENT, GAN_REPEAT_HOLD, HOLD, false, GAN_VERDICT_RETRY, GAN_HEALTH_FAILED,
	    false, false },
	{ GAN_OUTCOME_NOT_SENT, GAN_REPEAT_HOLD, HOLD, true, GAN_VERDICT_RETRY, GAN_HEALTH_FAILED,
	    false, true },
	{ GAN_OUTCOME_BUSY, GAN_REPEAT_HOLD, HOLD, false, GAN_VERDICT_RETRY, GAN_HEALTH_SILENT,
	    true, false },
	{ GAN_OUTCOME_TURN, GAN_REPEAT_HOLD, HOLD, false, GAN_VERDICT_RETRY, GAN_HEALTH_SILENT,
	    false, false },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_SAFE, HOLD, false, GAN_VERDICT_RETRY, GAN_HEALTH_FAILED,
	    false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_SET, HOLD, false, GAN_VERDICT_UNKNOWN,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_SET, RESEND, true, GAN_VERDICT_RETRY, GAN_HEALTH_FAILED,
	    false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_KEYED, HOLD, false, GAN_VERDICT_UNKNOWN,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_KEYED, PROBE, false, GAN_VERDICT_PROBE,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_KEYED, RESEND, false, GAN_VERDICT_RETRY,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_KEYED, RESEND, true, GAN_VERDICT_RETRY,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_ONCE, HOLD, false, GAN_VERDICT_UNKNOWN,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_ONCE, RESEND, false, GAN_VERDICT_RETRY,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_ONCE, RESEND, true, GAN_VERDICT_UNKNOWN,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_SAFE, PROBE, false, GAN_VERDICT_RETRY,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_PROBE, PROBE, false, GAN_VERDICT_PROBE,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_PROBE, RESEND, false, GAN_VERDICT_UNKNOWN,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_HOLD, HOLD, false, GAN_VERDICT_UNKNOWN,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_AMBIGUOUS, GAN_REPEAT_HOLD, RESEND, false, GAN_VERDICT_UNKNOWN,
	    GAN_HEALTH_FAILED, false, true },
	{ GAN_OUTCOME_PARTIAL, GAN_REPEAT_SAFE, RESEND, false, GAN_VERDICT_UNKNOWN, GAN_HEALTH_OK,
	    false, true },
	{ GAN_OUTCOME_TOKEN, GAN_REPEAT_HOLD, HOLD, false, GAN_VERDICT_TOKEN, GAN_HEALTH_SILENT,
	    false, false },
	{ GAN_OUTCOME_CONFIG, GAN_REPEAT_HOLD, HOLD, false, GAN_VERDICT_CONFIG, GAN_HEALTH_SILENT,
	    false, false },
	{ GAN_OUTCOME_REFUSED, GAN_REPEAT_SAFE, RESEND, false, GAN_VERDICT_DEAD, GAN_HEALTH_OK,
	    false, false },
	{ GAN_OUTCOME_REDIRECT, GAN_REPEAT_SAFE, RESEND, false, GAN_VERDICT_DEAD, GAN_HEALTH_OK,
	    false, false },
};

START_TEST(table_of_verdicts)
{
	struct gan_verdict v =
	    gan_verdict_of(rows[_i].outcome, rows[_i].repeat, rows[_i].on_unknown, rows[_i].before);

	ck_assert_int_eq(v.kind, rows[_i].kind);
	ck_assert_int_eq(v.health, rows[_i].health);
	ck_assert_int_eq(v.wait_all, rows[_i].wait_all);
	ck_assert_int_eq(v.maybe_sent, rows[_i].maybe);
}
END_TEST

/* ---- back-off, breaker, Retry-After --------------------------------------- */

START_TEST(backoff_grows_to_its_cap)
{
	struct gan_conf_retry r = { .first_ms = 5000, .factor = 2, .max_ms = 900000 };

	ck_assert_int_eq(gan_backoff_ms(&r, 1, 0), 5000);
	ck_assert_int_eq(gan_backoff_ms(&r, 2, UINT32_MAX), 10000);
	ck_assert_int_eq(gan_backoff_ms(&r, 8, 1), 640000);
	ck_assert_int_eq(gan_backoff_ms(&r, 9, 1), 900000);
	ck_assert_int_eq(gan_backoff_ms(&r, UINT32_MAX, 1), 900000);
	r.factor = 1; /* ends at once all the same */
	ck_assert_int_eq(gan_backoff_ms(&r, UINT32_MAX, 1), 5000);
	r.first_ms = 0;
	ck_assert_int_eq(gan_backoff_ms(&r, 3, 1), 1);
}
END_TEST

START_TEST(jitter_stays_within_bounds)
{
	struct gan_conf_retry r = {
		.first_ms = 1000, .factor = 2, .max_ms = 900000, .jitter_pct = 20
	};
	int64_t low = INT64_MAX, high = 0;

	ck_assert_int_eq(gan_backoff_ms(&r, 1, 0), 800);
	ck_assert_int_eq(gan_backoff_ms(&r, 1, UINT32_MAX), 1200);
	for (uint64_t x = 0; x <= UINT32_MAX; x += UINT32_MAX / 1000) {
		int64_t w = gan_backoff_ms(&r, 3, (uint32_t)x);

		low = w < low ? w : low;
		high = w > high ? w : high;
	}
	ck_assert_int_eq(low, 3200);
	ck_assert_int_ge(high, 4790);
	ck_assert_int_le(high, 4800);
}
END_TEST

START_TEST(breaker_opens_probes_and_closes)
{
	struct gan_breaker b = { 0 };

	for (int i = 0; i < 4; i++)
		ck_assert(!gan_breaker_failed(&b, 100, 5, 1000));
	ck_assert_uint_eq(gan_breaker_allows(&b, 100), SIZE_MAX);
	ck_assert(!gan_breaker_ok(&b)); /* in a row is what counts */
	for (int i = 0; i < 4; i++)
		ck_assert(!gan_breaker_failed(&b, 100, 5, 1000));
	ck_assert(gan_breaker_failed(&b, 100, 5, 1000));
	ck_assert_uint_eq(gan_breaker_allows(&b, 1099), 0);
	ck_assert(!gan_breaker_failed(&b, 900, 5, 1000)); /* left before it opened */
	ck_assert_int_eq(b.until_ms, 1100);
	ck_assert_uint_eq(gan_breaker_allows(&b, 1100), 1);
	gan_breaker_probe(&b);
	ck_assert_uint_eq(gan_breaker_allows(&b, 1100), 0); /* one at a time */
	gan_breaker_void(&b);
	ck_assert_uint_eq(gan_breaker_allows(&b, 1100), 1);
	gan_breaker_probe(&b);
	ck_assert(!gan_breaker_failed(&b, 1200, 5, 1000)); /* stays open, for longer */
	ck_assert_uint_eq(gan_breaker_allows(&b, 2199), 0);
	gan_breaker_probe(&b);
	ck_assert(gan_breaker_ok(&b));
	ck_assert_uint_eq(gan_breaker_allows(&b, 0), SIZE_MAX);
	ck_assert_uint_eq(b.failures, 0);
}
END_TEST

START_TEST(retry_after_forms)
{
	int64_t at;

	ck_assert_int_eq(gan_http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT", &at), 0);
	ck_assert_int_eq(gan_retry_after_ms("7", 0, 1), 7000);
	ck_assert_int_eq(gan_retry_after_ms("0", 0, 1), 0);
	ck_assert_int_eq(gan_retry_after_ms("3601", 0, 1), 3600000);
	ck_assert_int_eq(gan_retry_after_ms("99999999999999999999999", 0, 1), 3600000);
	ck_assert_int_eq(gan_retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", at - 9000, 1), 9000);
	ck_assert_int_eq(gan_retry_after_ms("Sunday, 06-Nov-94 08:49:37 GMT", at - 9000, 1), 9000);
	ck_assert_int_eq(gan_retry_after_ms("Sun Nov  6 08:49:37 1994", at - 9000, 1), 9000);
	ck_assert_int_eq(gan_retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", at + 1, 1), 0);
	ck_assert_int_eq(gan_retry_after_ms("Sun, 06 Nov 2094 08:49:37 GMT", at, 1), 3600000);
	ck_assert_int_eq(gan_retry_after_ms(NULL, 0, 77), 77);
	ck_assert_int_eq(gan_retry_after_ms("", 0, 77), 77);
	ck_assert_int_eq(gan_retry_after_ms("-5", 0, 77), 77);
	ck_assert_int_eq(gan_retry_after_ms("1.5", 0, 77), 77);
	ck_assert_int_eq(gan_retry_after_ms("soon", 0, 77), 77);
}
END_TEST

/* ---- GS1 ------------------------------------------------------------------ */

static const struct {
	const char *code;
	bool sscc, good;
	int digit;
} codes[] = {
	{ "01234567891234", false, false, 1 },
	{ "01234567891231", false, true, 1 },
	{ "337370000000000003", true, true, 3 },
	{ "337370000000000010", true, true, 0 },
	{ "337370000000000011", true, false, 0 },
	{ "337370000000000027", true, true, 7 },
	{ "4006381333931", false, true, 1 },
	{ "04006381333931", false, true, 1 },
	{ "036000291452", false, true, 2 },
	{ "96385074", false, true, 4 },
	{ "00000096385074", false, true, 4 },
	{ "09506000134352", false, true, 2 },
	{ "09506000134325", false, false, 1 },
	{ "09056000134352", false, true, 2 }, /* a swap that mod 10 cannot see */
	{ "80614141123458", false, true, 8 },
	{ "05410013111009", false, true, 9 },
	{ "106141412345678908", true, true, 8 },
	{ "003456789012345675", true, false, 0 },
	{ "000000000000000000", true, false, 0 }, /* mod 10 passes, the rule refuses */
	{ "999999999999999995", true, true, 5 },
};

START_TEST(gs1_vectors)
{
	const char *code = codes[_i].code;
	int rc = codes[_i].sscc ? gan_gs1_sscc(code, &err) : gan_gs1_gtin(code, &err);
	char want[32];

	ck_assert_int_eq(gan_gs1_check_digit(code, strlen(code) - 1), codes[_i].digit);
	ck_assert_int_eq(rc, codes[_i].good ? 0 : GAN_EINVAL);
	if (rc == 0)
		return;
	snprintf(want, sizeof(want), "expected %d", codes[_i].digit);
	ck_assert_msg(
	    strstr(err.msg, want) != NULL || strstr(err.msg, "all zeros") != NULL, "%s", err.msg);
}
END_TEST

START_TEST(gs1_forms_that_are_refused)
{
	static const char *const gtins[] = { "", "1", "123456789012345", "0123456789123A",
		" 1234567891231", "+1234567891231", "1.23456789e13\n",
		"0123456789123\xef\xbc\x91" };
	static const char *const ssccs[] = { "00337370000000000003", "33737000000000003",
		"33737000000000000x" };

	for (size_t i = 0; i < GAN_COUNT(gtins); i++)
		ck_assert_msg(gan_gs1_gtin(gtins[i], &err) == GAN_EINVAL, "%s", gtins[i]);
	for (size_t i = 0; i < GAN_COUNT(ssccs); i++)
		ck_assert_msg(gan_gs1_sscc(ssccs[i], &err) == GAN_EINVAL, "%s", ssccs[i]);
	ck_assert_int_eq(gan_gs1_gtin("01234567891234", &err), GAN_EINVAL);
	ck_assert_str_eq(err.msg, "GTIN \"01234567891234\" has the check digit 4, expected 1");
}
END_TEST

START_TEST(gs1_serials)
{
	static const char set82[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "!\"%&'()*+,-./:;<=>?_";
	unsigned good = 0;

	ck_assert_int_eq(gan_gs1_serial("SV902P05IYI4ARW5WWHJ", &err), 0);
	ck_assert_int_eq(gan_gs1_serial("", &err), GAN_EINVAL);
	ck_assert_int_eq(gan_gs1_serial("123456789012345678901", &err), GAN_EINVAL);
	ck_assert_int_eq(gan_gs1_serial("caf\xc3\xa9", &err), GAN_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "\"\xc3\xa9\" at position 4"));
	for (int c = 1; c < 256; c++) {
		char s[3] = { 'A', (char)c, '\0' };
		bool ok = gan_gs1_serial(s, &err) == 0;

		ck_assert_msg(ok == (strchr(set82, c) != NULL), "%d", c);
		good += ok;
	}
	ck_assert_uint_eq(good, 82);
}
END_TEST

START_TEST(gs1_lots_and_plain_serials)
{
	ck_assert_int_eq(gan_gs1_lot("L-2024/07.a", &err), 0);
	ck_assert_int_eq(gan_gs1_lot("lot with spaces", &err), GAN_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "lot \"lot with spaces\" has the character \" \""));
	ck_assert_int_eq(gan_gs1_lot("123456789012345678901", &err), GAN_EINVAL);
	ck_assert_str_eq(
	    err.msg, "lot \"123456789012345678901\" has 21 characters, at most 20 are allowed");
	ck_assert_int_eq(gan_gs1_serial_plain("DI8U86IYQI9KS4G87WGI", &err), 0);
	ck_assert_int_eq(gan_gs1_serial_plain("AB-1", &err), GAN_EINVAL);
	ck_assert_str_eq(err.msg,
	    "serial \"AB-1\" has the character \"-\" at position 3, which is "
	    "neither letter nor digit (serials: alphanumeric in gantry.yaml)");
}
END_TEST

/* Codes as in the vectors above; error NULL: good. */
static const struct {
	const char *text, *error;
} elements[] = {
	{ "00337370000000000003", NULL },
	{ "0109506000134352", NULL },
	{ "]d201095060001343521724053110LOT\03521SV902P05IYI4ARW5WWHJ", NULL },
	{ "]C1\035010950600013435221SERIAL\03510LOT\03517240200", NULL },
	{ "]Q30109506000134352\03511000229", NULL },
	{ "10(01)\03521)", NULL }, /* brackets are characters */
	{ "1021", NULL },          /* a lot 21 */
	{ "", "the element string is empty" },
	{ "]d2", "the element string is empty" },
	{ "0109506000134325",
	    "element string: AI 01: GTIN \"09506000134325\" has the check digit 5, expected 1" },
	{ "00337370000000000011", "AI 00: SSCC \"337370000000000011\" has the check digit 1" },
	{ "003373700000000000", "AI 00 has less than 18 characters" },
	{ "01095060001343", "AI 01 has less than 14 characters" },
	{ "010950600013435201", "AI 01 occurs twice" },
	{ "010950600013435299X", "\"99X\" begins with no AI" },
	{ "17240230", "AI 17: not a date: month 02 has no day 30" },
	{ "11230229", "AI 11: not a date: month 02 has no day 29" },
	{ "17241301", "not a date: there is no month 13" },
	{ "1724 101", "not a date: it is not made of digits" },
	{ "10\03521S", "AI 10: a lot is empty" },
	{ "21", "AI 21: a serial is empty" },
	{ "10LOT\035\03521S", "begins with no AI" },
	{ "10123456789012345678901", "AI 10: lot \"123456789012345678901\" has 21 characters" },
	{ "10123456789012345678901234567890123", "AI 10 has 33 characters, at most 20" },
	{ "21A B", "AI 21: serial \"A B\" has the character \" \" at position 2" },
};

START_TEST(gs1_element_strings)
{
	int rc = gan_gs1_elements(elements[_i].text, &err);

	ck_assert_msg(
	    rc == (elements[_i].error == NULL ? GAN_OK : GAN_EINVAL), "%s", elements[_i].text);
	ck_assert_msg(rc == GAN_OK || strstr(err.msg, elements[_i].error) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(gs1_duplicates)
{
	const char *a[] = { "007", "7", "abc", "ABC" }, *b[] = { "x", "y", "x" };

	ck_assert_int_eq(gan_gs1_distinct(a, 4, &err), 0);
	ck_assert_int_eq(gan_gs1_distinct(b, 3, &err), GAN_EINVAL);
	ck_assert_str_eq(err.msg, "\"x\" occurs twice in one request");
	ck_assert_int_eq(gan_gs1_distinct(NULL, 0, &err), 0);
}
END_TEST

/* ---- $path, $query, $body -------------------------------------------------- */

static void
expect(const struct gan_span *s, const char *text)
{
	if (text == NULL) {
		ck_assert_ptr_null(s->p);
		return;
	}
	ck_assert_ptr_nonnull(s->p);
	ck_assert_msg(s->len == strlen(text) && memcmp(s->p, text, s->len) == 0, "%.*s is not %s",
	    (int)s->len, s->p, text);
}

static void
split(const char *text, const char *path, const char *query, const char *body)
{
	struct gan_parts p;

	ck_assert_msg(gan_parts_split(text, strlen(text), &p, &err) == 0, "%s", err.msg);
	expect(&p.path, path);
	expect(&p.query, query);
	expect(&p.body, body);
}

START_TEST(parts_keep_the_bytes)
{
	static const char *const wrong[] = { "{\"$body\":1,\"a\":2}", "{\"$body\":1,\"$body\":2}" };
	struct gan_parts p;

	split("{\"a\":1}", NULL, NULL, "{\"a\":1}");
	split("[1,2]", NULL, NULL, "[1,2]");
	split("{}", NULL, NULL, "{}");
	split("{\"a\":{\"$body\":1}}", NULL, NULL, "{\"a\":{\"$body\":1}}");
	split("{\"$body\":{\"n\":12345678901234567890.10}}", NULL, NULL,
	    "{\"n\":12345678901234567890.10}");
	split(" { \"$path\" : {\"id\":\"}\\\"\"} , \"$body\" : [ 1 , {\"x\":\"],\"} ] } ",
	    "{\"id\":\"}\\\"\"}", NULL, "[ 1 , {\"x\":\"],\"} ]");
	split("{\"$query\":null,\"$body\":17 }", NULL, "null", "17");
	for (size_t i = 0; i < GAN_COUNT(wrong); i++)
		ck_assert_int_eq(gan_parts_split(wrong[i], strlen(wrong[i]), &p, &err), GAN_EINVAL);
	ck_assert_int_eq(gan_span_empty(&(struct gan_span){ "{ }", 3 }), 1);
	ck_assert_int_eq(gan_span_empty(&(struct gan_span){ "null", 4 }), 1);
	ck_assert_int_eq(gan_span_empty(&(struct gan_span){ "{\"a\":1}", 7 }), 0);
	ck_assert_int_eq(gan_span_empty(&(struct gan_span){ NULL, 0 }), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("verdict");
	TCase *c = tcase_create("pure");
	SRunner *r;
	int failed;

	tcase_add_loop_test(c, status_gives_the_outcome, 0, (int)GAN_COUNT(outcomes));
	tcase_add_loop_test(c, table_of_verdicts, 0, (int)GAN_COUNT(rows));
	tcase_add_test(c, backoff_grows_to_its_cap);
	tcase_add_test(c, jitter_stays_within_bounds);
	tcase_add_test(c, breaker_opens_probes_and_closes);
	tcase_add_test(c, retry_after_forms);
	tcase_add_loop_test(c, gs1_vectors, 0, (int)GAN_COUNT(codes));
	tcase_add_test(c, gs1_forms_that_are_refused);
	tcase_add_test(c, gs1_serials);
	tcase_add_test(c, gs1_lots_and_plain_serials);
	tcase_add_loop_test(c, gs1_element_strings, 0, (int)GAN_COUNT(elements));
	tcase_add_test(c, gs1_duplicates);
	tcase_add_test(c, parts_keep_the_bytes);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
