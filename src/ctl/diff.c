/* SPDX-License-Identifier: MIT */
/*
 * diff.c - how two bodies differ, member by member, and the view of `rules
 * diff` that is made of it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/ctl.h"

#define DEPTH 64
#define VALUE 200 /* bytes shown of one */
#define LINES 40  /* of one difference */

struct differ {
	struct gan_buf *out;
	struct gan_buf path; /* "repLines[0].nodes" */
	unsigned lines, hidden;
};

/* A value, cut; absent: a dash. */
static void
put_value(struct gan_buf *out, struct gan_span s)
{
	if (s.n == 0) {
		gan_buf_puts(out, "-");
		return;
	}
	gan_ctl_put_safe(out, s.p, s.n > VALUE ? VALUE : s.n, false);
	gan_buf_puts(out, s.n > VALUE ? " ..." : "");
}

static void
put_line(struct differ *d, struct gan_span a, struct gan_span b)
{
	if (d->lines++ >= LINES) {
		d->hidden++;
		return;
	}
	gan_buf_puts(d->out, "    ");
	if (d->path.len > 0)
		gan_ctl_put_safe(d->out, d->path.data, d->path.len, false);
	else
		gan_buf_puts(d->out, "body");
	gan_buf_puts(d->out, ": ");
	put_value(d->out, a);
	gan_buf_puts(d->out, " -> ");
	put_value(d->out, b);
	gan_buf_putc(d->out, '\n');
}

static void compare(struct differ *d, struct gan_span a, struct gan_span b, unsigned depth);

/* Compare one member or element, named in the path for the time. */
static void
compare_at(struct differ *d, const char *sep, const char *name, size_t n, struct gan_span a,
    struct gan_span b, unsigned depth)
{
	size_t len = d->path.len;

	gan_buf_puts(&d->path, len > 0 || *sep == '[' ? sep : "");
	gan_buf_put(&d->path, name, n);
	gan_buf_puts(&d->path, *sep == '[' ? "]" : "");
	compare(d, a, b, depth);
	d->path.len = len;
}

/* The member of an object whose name, in its quotes, is this one. */
static struct gan_span
member(struct gan_span object, struct gan_span name)
{
	struct gan_span_iter it = { 0 };
	struct gan_span n, v;

	while (gan_span_next(object, &it, &n, &v)) {
		if (n.n == name.n && memcmp(n.p, name.p, n.n) == 0)
			return v;
	}
	return (struct gan_span){ NULL, 0 };
}

static void
compare_objects(struct differ *d, struct gan_span a, struct gan_span b, unsigned depth)
{
	struct gan_span_iter it = { 0 };
	struct gan_span name, v;

	while (gan_span_next(a, &it, &name, &v))
		compare_at(d, ".", name.p + 1, name.n - 2, v, member(b, name), depth);
	it = (struct gan_span_iter){ 0 };
	while (gan_span_next(b, &it, &name, &v)) {
		if (member(a, name).n == 0)
			compare_at(
			    d, ".", name.p + 1, name.n - 2, (struct gan_span){ NULL, 0 }, v, depth);
	}
}

static void
compare_arrays(struct differ *d, struct gan_span a, struct gan_span b, unsigned depth)
{
	struct gan_span_iter ia = { 0 }, ib = { 0 };
	bool more_a = true, more_b = true;

	for (unsigned i = 0; more_a || more_b; i++) {
		struct gan_span x = { NULL, 0 }, y = { NULL, 0 };
		char no[16];

		more_a = more_a && gan_span_next(a, &ia, NULL, &x);
		more_b = more_b && gan_span_next(b, &ib, NULL, &y);
		if (!more_a && !more_b)
			return;
		(void)snprintf(no, sizeof(no), "%u", i);
		compare_at(d, "[", no, strlen(no), more_a ? x : (struct gan_span){ NULL, 0 },
		    more_b ? y : (struct gan_span){ NULL, 0 }, depth);
	}
}

static void
compare(struct differ *d, struct gan_span a, struct gan_span b, unsigned depth)
{
	char kind = gan_span_kind(a);

	if (a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0))
		return;
	if (depth < DEPTH && kind == gan_span_kind(b) && kind == '{')
		compare_objects(d, a, b, depth + 1);
	else if (depth < DEPTH && kind == gan_span_kind(b) && kind == '[')
		compare_arrays(d, a, b, depth + 1);
	else
		put_line(d, a, b);
}

void
gan_ctl_put_diff(struct gan_span before, struct gan_span after, struct gan_buf *out)
{
	struct differ d = { .out = out };

	compare(&d, before, after, 0);
	if (d.hidden > 0)
		gan_buf_printf(out, "    ... and %u more (all with --output json)\n", d.hidden);
	gan_buf_fini(&d.path);
}

/* ---- rules diff ---------------------------------------------------------------------- */

static void
put_text(struct gan_buf *out, struct gan_span s, const char *otherwise)
{
	char *text GAN_AUTO(gan_str_free) = gan_span_dup(s);

	if (text == NULL)
		gan_buf_puts(out, otherwise);
	else
		gan_ctl_put_safe(out, text, strlen(text), false);
}

static void
put_change(struct gan_buf *out, struct gan_span c)
{
	struct gan_span before = gan_span_get(c, "before"), after = gan_span_get(c, "after");
	struct gan_span reject = gan_span_get(c, "reject");
	static const char *const members[] = { "to", "effect" };

	put_text(out, gan_span_get(c, "event"), "-");
	gan_buf_puts(out, " ");
	put_text(out, gan_span_get(c, "source"), "-");
	gan_buf_puts(out, "/");
	put_text(out, gan_span_get(c, "topic"), "-");
	gan_buf_puts(out, ", rule ");
	put_text(out, gan_span_get(c, "rule"), "-");
	gan_buf_puts(out, ", key ");
	put_text(out, gan_span_get(c, "key"), "-");
	gan_buf_puts(out, ": ");
	put_text(out, gan_span_get(c, "change"), "-");
	gan_buf_putc(out, '\n');
	if (gan_span_kind(reject) == '"') {
		gan_buf_puts(out, "    ");
		put_text(out, reject, "");
		gan_buf_putc(out, '\n');
	}
	if (gan_span_kind(before) == '{' && gan_span_kind(after) == '{') {
		for (size_t i = 0; i < GAN_COUNT(members); i++) {
			struct gan_span x = gan_span_get(before, members[i]);
			struct gan_span y = gan_span_get(after, members[i]);

			if (x.n == y.n && memcmp(x.p, y.p, x.n) == 0)
				continue;
			gan_buf_printf(out, "    (%s): ", members[i]);
			put_value(out, x);
			gan_buf_puts(out, " -> ");
			put_value(out, y);
			gan_buf_putc(out, '\n');
		}
		gan_ctl_put_diff(gan_span_get(before, "body"), gan_span_get(after, "body"), out);
	} else if (gan_span_kind(before) == '{' || gan_span_kind(after) == '{') {
		bool gone = gan_span_kind(before) == '{';

		gan_buf_puts(out, gone ? "    - " : "    + ");
		put_value(out, gan_span_get(gone ? before : after, "body"));
		gan_buf_putc(out, '\n');
	}
}

static void
put_summary(struct gan_buf *out, struct gan_span r)
{
	static const char *const counts[] = { "same", "changed", "added", "removed", "rejects",
		"accepts" };
	const char *sep = ": ";

	gan_buf_printf(out, "%lld events", (long long)gan_span_int(gan_span_get(r, "events"), 0));
	for (size_t i = 0; i < GAN_COUNT(counts); i++) {
		long long n = (long long)gan_span_int(gan_span_get(r, counts[i]), 0);

		if (n == 0)
			continue;
		gan_buf_printf(out, "%s%lld %s", sep, n, counts[i]);
		sep = ", ";
	}
	gan_buf_putc(out, '\n');
	if (gan_span_kind(gan_span_get(r, "next")) != '"')
		return;
	gan_buf_puts(out, "not all events were looked at; go on with --after ");
	put_text(out, gan_span_get(r, "next"), "");
	gan_buf_putc(out, '\n');
}

static void
show_diff(struct gan_span r)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	char *findings GAN_AUTO(gan_str_free) = gan_span_dup(gan_span_get(r, "findings"));
	struct gan_span_iter it = { 0 };
	struct gan_span c;

	if (findings != NULL && *findings != '\0')
		gan_ctl_say_lines(stderr, findings);
	while (gan_span_next(gan_span_get(r, "differences"), &it, NULL, &c))
		put_change(&out, c);
	put_summary(&out, r);
	if (out.data != NULL)
		(void)fwrite(out.data, 1, out.len, stdout);
}

int
gan_ctl_run_diff(struct gan_ctl *ctl)
{
	const char *folder = ctl->opt[GAN_CTL_OPT_RULES];
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ctl_reply r GAN_AUTO(gan_ctl_reply_fini) = { 0 };
	char *path GAN_AUTO(gan_str_free) = NULL;
	struct gan_err err = { 0 };
	char cwd[4096];
	int rc;

	/* gantryd has another working folder than we. */
	if (folder != NULL) {
		path = getcwd(cwd, sizeof(cwd)) != NULL ? gan_path_join(cwd, folder) : NULL;
		if (path == NULL)
			return gan_ctl_fail_text(GAN_CTL_USAGE, "give an absolute path");
	}
	gan_ctl_request_begin(&b, ctl->cmd->name);
	gan_ctl_request_ids(ctl, &b);
	if (path != NULL)
		gan_ctl_request_str(&b, "rules", path);
	rc = gan_ctl_request_options(ctl, &b, &err);
	gan_ctl_request_end(&b, NULL);
	if (rc < 0 || gan_ctl_call(ctl, &b, ctl->cmd->deadline_s, &r, &err) < 0)
		return gan_ctl_fail(&err);
	if (ctl->output != GAN_CTL_TABLE || gan_span_kind(r.result) != '{')
		gan_ctl_show(ctl, &r);
	else
		show_diff(r.result);
	return r.exit;
}
