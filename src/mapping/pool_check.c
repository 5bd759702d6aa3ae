/* SPDX-License-Identifier: MIT */
/*
 * pool_check.c - a rule set before it is in force: compiled and tested rule by
 * rule on a worker of its own, while the others go on with the set in force.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "mapping/pool_priv.h"
#include "mapping/rules_priv.h"

enum {
	STARTS_MAX = 5, /* processes that did not even greet */
	START_AGAIN_MS = 200,
	PROGRAM = 1, /* the id of the one program at a time */
};

enum stage {
	NEXT_RULE,
	COMPILING,
	NEXT_TEST,
	TESTING,
};

struct gan_check {
	struct gan_check *next;
	struct gan_pool *pool;
	struct gan_rules *set;
	char *only;
	gan_check_fn cb;
	void *arg;
	uv_timer_t timer;
	struct gan_mapper *mapper;
	enum stage stage;
	size_t rule, test;
	bool compiled, again;      /* this worker knows the program; it did once already */
	bool red;                  /* the rule at hand had a finding */
	unsigned char subject[32]; /* of the verdict on it */
	uint32_t *requests;        /* that its tests made */
	uint32_t seq;
	unsigned bad_starts;
	bool told;
	struct gan_diags d;
	struct gan_buf lines, json;
	struct gan_check_report report;
};

static void step(struct gan_check *c);

struct gan_check *
gan_check_next(const struct gan_check *c)
{
	return c->next;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct gan_check *c = handle->data;
	struct gan_pool *p = c->pool;

	for (struct gan_check **at = &p->checks; *at != NULL; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	if (!c->told)
		c->cb(c->arg, GAN_EGONE, NULL);
	gan_rules_unref(&c->set);
	gan_diags_fini(&c->d);
	gan_buf_fini(&c->lines);
	gan_buf_fini(&c->json);
	free(c->only);
	free(c->requests);
	free(c);
	gan_pool_closed_one(p);
}

void
gan_check_stop(struct gan_check *c)
{
	struct gan_mapper *m = gan_steal(&c->mapper);

	if (m != NULL)
		gan_mapper_close(m);
	if (!uv_is_closing((uv_handle_t *)&c->timer))
		uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void
finish(struct gan_check *c)
{
	gan_buf_putc(&c->json, ']');
	gan_buf_puts(&c->lines, "");
	c->report.d = &c->d;
	c->report.lines = c->lines.data != NULL ? c->lines.data : "";
	c->report.json = c->json.data;
	c->report.green = c->d.errors == 0 && c->report.failed == 0;
	if (c->pool->opt.verdicts != NULL)
		gan_verdicts_sweep(c->pool->opt.verdicts);
	c->told = true;
	c->cb(c->arg, c->json.failed || c->lines.failed ? GAN_ENOMEM : GAN_OK, &c->report);
	gan_check_stop(c);
}

/* ---- the report ------------------------------------------------------------------ */

static const struct gan_rule *
rule_of(const struct gan_check *c)
{
	return &c->set->rules[c->rule];
}

static void
put_json(struct gan_check *c, const char *test, int line, bool ok, const char *detail)
{
	const struct gan_rule *r = rule_of(c);

	gan_buf_puts(&c->json, c->json.len > 1 ? ",{\"rule\":" : "{\"rule\":");
	gan_buf_json(&c->json, r->name, strlen(r->name));
	gan_buf_puts(&c->json, ",\"test\":");
	if (test != NULL)
		gan_buf_json(&c->json, test, strlen(test));
	else
		gan_buf_puts(&c->json, "null");
	gan_buf_puts(&c->json, ",\"file\":");
	gan_buf_json(&c->json, r->file, strlen(r->file));
	gan_buf_printf(&c->json, ",\"line\":%d,\"ok\":%s,\"detail\":", line, ok ? "true" : "false");
	if (detail != NULL)
		gan_buf_json(&c->json, detail, strlen(detail));
	else
		gan_buf_puts(&c->json, "null");
	gan_buf_putc(&c->json, '}');
}

/* "FAIL  rule: what" and the detail, each of its lines set in. */
static void
put_fail(struct gan_check *c, const char *what, const char *detail)
{
	gan_buf_printf(&c->lines, "FAIL  %s: %s\n", rule_of(c)->name, what);
	while (*detail != '\0') {
		size_t n = strcspn(detail, "\n");

		gan_buf_printf(&c->lines, "      %.*s\n", (int)n, detail);
		detail += n + (detail[n] == '\n');
	}
}

static const struct gan_yaml_node *
test_node(const struct gan_rule *r, size_t i)
{
	const struct gan_yaml_node *n = gan_yaml_get(gan_yaml_root(r->doc), "tests")->child;

	while (i-- > 0)
		n = n->next;
	return n;
}

/* The item of `expect` that the target would refuse. */
static const struct gan_yaml_node *
refused_node(const struct gan_rule *r, size_t test)
{
	const struct gan_yaml_node *n = gan_yaml_get(test_node(r, test), "expect")->child;

	for (size_t i = r->tests[test].refused_item; i > 0; i--)
		n = n->next;
	return n;
}

static void
test_ended(struct gan_check *c, bool green, uint32_t requests, const char *detail)
{
	const struct gan_rule *r = rule_of(c);
	const struct gan_rule_test *t = &r->tests[c->test];
	const struct gan_yaml_node *node = test_node(r, c->test);

	if (green && t->refused != NULL) { /* as wanted, and it would never be sent */
		green = false;
		detail = t->refused;
		node = refused_node(r, c->test);
	}
	size_t n = strcspn(detail, "\n");
	put_json(c, t->name, node->line, green, green ? NULL : detail);
	c->red = c->red || !green;
	if (c->requests != NULL)
		c->requests[c->test] = requests;
	if (green) {
		c->report.passed++;
		gan_buf_printf(&c->lines, "ok    %s: %s (%u request%s)\n", r->name, t->name,
		    requests, requests == 1 ? "" : "s");
		return;
	}
	c->report.failed++;
	put_fail(c, t->name, detail);
	gan_diag_node(&c->d, GAN_DIAG_ERROR, r->doc, node, "the test '%s' is red: %.*s%s", t->name,
	    (int)n, detail, detail[n] != '\0' && detail[n + 1] != '\0' ? " ..." : "");
}

static const struct gan_rule_code *
piece_of(const struct gan_rule *r, uint32_t piece)
{
	switch (piece) {
	case GAN_PIECE_WHEN:
		return &r->when;
	case GAN_PIECE_KEY:
		return &r->key;
	case GAN_PIECE_EFFECT:
		return &r->effect;
	case GAN_PIECE_MAP:
		return &r->map;
	default:
		if (piece == GAN_PIECE_AFTER + r->nafter)
			return &r->newest;
		return piece - GAN_PIECE_AFTER < r->nafter ? &r->after[piece - GAN_PIECE_AFTER]
							   : &r->map;
	}
}

static void
compile_error(struct gan_check *c, uint32_t piece, int64_t line, int64_t col, const char *text)
{
	const struct gan_rule *r = rule_of(c);
	const struct gan_rule_code *code = piece_of(r, piece);
	char detail[400];
	int at_line, at_col;

	c->red = true;
	if (code->text == NULL)
		code = &r->map;
	gan_rule_code_at(code, (int)line, (int)col, &at_line, &at_col);
	gan_diag_at(&c->d, GAN_DIAG_ERROR, r->doc, at_line, at_col, "%s", text);
	(void)snprintf(detail, sizeof(detail), "%s:%d:%d: %s", r->file, at_line, at_col, text);
	put_json(c, NULL, at_line, false, detail);
	put_fail(c, "does not compile", detail);
}

/* ---- the conversation ---------------------------------------------------------------- */

static void
next_rule(struct gan_check *c)
{
	if (!c->red && c->requests != NULL)
		gan_verdicts_add(
		    c->pool->opt.verdicts, c->subject, c->requests, rule_of(c)->ntests);
	free(gan_steal(&c->requests));
	c->report.rules++;
	c->rule++;
	c->test = 0;
	c->compiled = c->again = c->red = false;
	c->stage = NEXT_RULE;
	step(c);
}

static void
warn_of_no_tests(struct gan_check *c)
{
	const struct gan_rule *r = rule_of(c);

	if (r->ntests == 0)
		gan_diag_node(&c->d, GAN_DIAG_WARNING, r->doc,
		    gan_yaml_get(gan_yaml_root(r->doc), "rule"), "the rule '%s' has no tests",
		    r->name);
}

/* Without a `when` it answers each answer to its own request, until the chain is cut. */
static void
warn_of_circle(struct gan_check *c)
{
	const struct gan_rule *r = rule_of(c);
	char topic[160];

	if (!r->enabled || r->when.text != NULL)
		return;
	(void)snprintf(topic, sizeof(topic), "%s/%s.delivered", r->connector, r->operation);
	if (gan_rule_listens(r, "answers", topic))
		gan_diag_node(&c->d, GAN_DIAG_WARNING, r->doc,
		    gan_yaml_get(gan_yaml_root(r->doc), "from"),
		    "the rule '%s' listens to the answers to its own requests, which goes round in a "
		    "circle: leave out answers/%s, or add a `when`",
		    r->name, topic);
}

/* Report the rule at hand as an earlier check found it; false: it must be run. */
static bool
was_green(struct gan_check *c)
{
	struct gan_verdicts *known = c->pool->opt.verdicts;
	const struct gan_rule *r = rule_of(c);
	const struct gan_verdict *v;

	if (known == NULL || gan_verdict_subject(r, &c->pool->opt, c->subject) < 0)
		return false;
	v = gan_verdicts_find(known, c->subject);
	if (v == NULL) { /* what its tests do now is the verdict to keep */
		c->requests = calloc(r->ntests + 1, sizeof(*c->requests));
		return false;
	}
	warn_of_no_tests(c);
	warn_of_circle(c);
	for (; c->test < r->ntests; c->test++)
		test_ended(c, true, v->requests[c->test], "");
	c->red = false; /* what the target says is asked anew each time */
	c->report.unchanged++;
	c->report.rules++;
	c->rule++;
	c->test = 0;
	return true;
}

static bool
on_compiled(struct gan_check *c, struct gan_frame_in *in)
{
	uint32_t id = gan_frame_u32(in), n = gan_frame_u32(in);

	if (c->stage != COMPILING || id != PROGRAM)
		return false;
	for (uint32_t i = 0; i < n && !in->bad; i++) {
		uint32_t piece = gan_frame_u32(in);
		int64_t line = gan_frame_i64(in), col = gan_frame_i64(in);
		const char *text = gan_frame_str(in, NULL);

		if (text != NULL)
			compile_error(c, piece, line, col, text);
	}
	if (in->bad)
		return false;
	if (n > 0) {
		next_rule(c);
		return true;
	}
	warn_of_no_tests(c);
	warn_of_circle(c);
	c->compiled = true;
	c->stage = NEXT_TEST;
	step(c);
	return true;
}

static bool
on_tested(struct gan_check *c, struct gan_frame_in *in)
{
	uint32_t seq = gan_frame_u32(in), green = gan_frame_u32(in), requests = gan_frame_u32(in);
	const char *detail = gan_frame_str(in, NULL);

	if (c->stage != TESTING || seq != c->seq || detail == NULL)
		return false;
	test_ended(c, green != 0, requests, detail);
	c->test++;
	c->stage = NEXT_TEST;
	step(c);
	return true;
}

static void
arm(struct gan_check *c)
{
	if (!c->mapper->greeted)
		return;
	if (c->stage == COMPILING)
		gan_mapper_deadline(c->mapper, c->pool->opt.timeout_ms > GAN_COMPILE_MS
						   ? c->pool->opt.timeout_ms
						   : GAN_COMPILE_MS);
	else
		gan_mapper_deadline(c->mapper, c->stage == TESTING ? c->pool->opt.timeout_ms : 0);
}

static void
on_frame(struct gan_mapper *m, int kind, struct gan_frame_in *in)
{
	struct gan_check *c = m->check;
	bool good = false;

	if (kind == GAN_FRAME_HELLO) {
		good = !m->greeted;
		m->greeted = true;
		c->bad_starts = 0;
		arm(c);
	} else if (kind == GAN_FRAME_COMPILED) {
		good = on_compiled(c, in);
	} else if (kind == GAN_FRAME_TESTED) {
		good = on_tested(c, in);
	}
	if (!good)
		gan_mapper_distrust(m);
}

static void
on_timer(uv_timer_t *timer)
{
	step(timer->data);
}

static void
start_failed(struct gan_check *c)
{
	if (++c->bad_starts >= STARTS_MAX) {
		gan_diag_file(&c->d, GAN_DIAG_ERROR, "mapping",
		    "worker processes cannot be started (%s --mapper): are there limits on "
		    "processes or memory?",
		    "/proc/self/exe");
		finish(c);
		return;
	}
	(void)uv_timer_start(&c->timer, on_timer, START_AGAIN_MS, 0);
}

static void
on_death(struct gan_mapper *m, enum gan_mapper_end end)
{
	struct gan_check *c = m->check;
	const struct gan_rule *r = rule_of(c);
	char did[128], text[256];

	c->mapper = NULL;
	c->compiled = false;
	c->pool->stats.restarts++;
	if (end == GAN_END_START) {
		c->stage = c->stage == COMPILING && !c->again ? NEXT_RULE : NEXT_TEST;
		start_failed(c);
		return;
	}
	gan_mapper_reason(m, end, did, sizeof(did));
	if (c->stage == TESTING) {
		(void)snprintf(text, sizeof(text), "rejected: rule %s %s\n", r->name, did);
		test_ended(c, false, 0, text);
		c->test++;
		c->stage = NEXT_TEST;
		step(c);
		return;
	}
	(void)snprintf(text, sizeof(text), "compiling it %s",
	    end == GAN_END_LATE ? "took longer than 10s" : did);
	compile_error(c, GAN_PIECE_MAP, 1, 1, text);
	next_rule(c);
}

static void
send_frame(struct gan_check *c, struct gan_buf *b)
{
	const uv_buf_t buf = uv_buf_init(b->data, (unsigned)b->len);

	gan_must(!b->failed);
	gan_mapper_send(c->mapper, &buf, 1);
	arm(c);
}

static void
send_program(struct gan_check *c)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };

	gan_pool_put_program(&b, PROGRAM, rule_of(c));
	c->stage = COMPILING;
	send_frame(c, &b);
}

/* A word of the first glob when it has no wildcard; "test" else. */
static void
put_word(struct gan_buf *b, const char *name, const char *s, size_t n)
{
	bool plain = n > 0 && memchr(s, '*', n) == NULL && memchr(s, '?', n) == NULL;

	gan_buf_printf(b, ",\"%s\":", name);
	gan_buf_json(b, plain ? s : "test", plain ? n : 4);
}

/* Fixed defaults, so that a test gives the same today and tomorrow; the test's meta wins. */
static void
put_meta(struct gan_buf *b, const struct gan_rule *r, const struct gan_rule_test *t)
{
	const char *from = r->from[0], *slash = strchr(from, '/');
	const char *topic = slash != NULL ? slash + 1 : "*";
	GAN_AUTO(gan_buf_fini) struct gan_buf m = { 0 };

	gan_buf_puts(&m, "{\"id\":\"e0000000000000\",\"received_at\":\"2026-01-01T00:00:00Z\","
			 "\"triggered_at\":\"2026-01-01T00:00:00Z\"");
	put_word(&m, "source", from, slash != NULL ? (size_t)(slash - from) : 0);
	put_word(&m, "topic", topic, strlen(topic));
	put_word(&m, "topic_raw", topic, strlen(topic));
	if (t->meta != NULL && t->meta[0] == '{' && t->meta[1] != '}') {
		gan_buf_putc(&m, ',');
		gan_buf_put(&m, t->meta + 1, strlen(t->meta) - 2);
	}
	gan_buf_putc(&m, '}');
	gan_must(!m.failed);
	gan_frame_bytes(b, m.data, m.len);
}

static void
send_test(struct gan_check *c)
{
	const struct gan_rule_test *t = &rule_of(c)->tests[c->test];
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };
	size_t at = gan_frame_begin(&b, GAN_FRAME_TEST);

	gan_buf_u32(&b, ++c->seq);
	gan_buf_u32(&b, PROGRAM);
	put_meta(&b, rule_of(c), t);
	gan_frame_text(&b, t->event);
	gan_frame_text(&b, t->expect);
	gan_frame_text(&b, t->expect_key);
	gan_frame_text(&b, t->expect_effect);
	gan_frame_text(&b, t->expect_reject);
	gan_frame_end(&b, at);
	c->stage = TESTING;
	send_frame(c, &b);
}

static bool
have_mapper(struct gan_check *c)
{
	if (c->mapper != NULL)
		return true;
	if (gan_mapper_spawn(c->pool, on_frame, on_death, &c->mapper) < 0) {
		start_failed(c);
		return false;
	}
	c->mapper->check = c;
	c->compiled = false;
	return true;
}

/* Nothing to run for the rule at hand: then it is behind us. */
static bool
passed_over(struct gan_check *c)
{
	if (c->only != NULL && strcmp(c->only, rule_of(c)->name) != 0) {
		c->rule++;
		return true;
	}
	return c->stage == NEXT_RULE && c->requests == NULL && was_green(c);
}

static void
step(struct gan_check *c)
{
	while (c->rule < c->set->nrules && passed_over(c))
		;
	if (c->rule == c->set->nrules) {
		finish(c);
		return;
	}
	if (c->stage == NEXT_TEST && c->test == rule_of(c)->ntests) {
		next_rule(c);
		return;
	}
	if (!have_mapper(c))
		return;
	if (c->compiled) {
		send_test(c);
	} else {
		c->again = c->stage == NEXT_TEST;
		send_program(c);
	}
}

int
gan_pool_check(
    struct gan_pool *p, struct gan_rules *set, const char *only, gan_check_fn cb, void *arg)
{
	if (p->closing)
		return GAN_EGONE;
	struct gan_check *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return GAN_ENOMEM;
	if (only != NULL && (c->only = gan_memdup(only, strlen(only))) == NULL) {
		free(c);
		return GAN_ENOMEM;
	}
	if (only != NULL && gan_rules_find(set, only) == NULL) {
		const char *near = set->nrules == 0 ? NULL
						    : gan_rule_nearest(only, &set->rules[0].name,
							  set->nrules, sizeof(set->rules[0]));

		gan_diag_file(&c->d, GAN_DIAG_ERROR, "rules", "there is no rule '%s'%s%s%s", only,
		    near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
		    near != NULL ? "'?" : "");
	}
	c->pool = p;
	c->set = gan_rules_ref(set);
	c->cb = cb;
	c->arg = arg;
	c->next = p->checks;
	p->checks = c;
	gan_buf_putc(&c->json, '[');
	gan_must(uv_timer_init(p->loop, &c->timer) == 0);
	c->timer.data = c;
	(void)uv_timer_start(&c->timer, on_timer, 0, 0);
	return GAN_OK;
}
