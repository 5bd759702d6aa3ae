/* SPDX-License-Identifier: MIT */
/* worker_run.c - one program on one event, and what may come out of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "mapping/worker_priv.h"

enum { REASON_MAX = 1000 };

static jv
parse_event(const char *body, size_t len, enum gan_numbers numbers, struct gan_buf *why)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf quoted = { 0 };
	struct gan_json_info info = { 0 };
	struct gan_err err = { 0 };

	if (len > INT32_MAX / 2 || gan_json_check(body, len, GAN_JSON_DEPTH, &info, &err) < 0) {
		gan_buf_printf(why, "the event is not JSON: %s", err.msg);
		return jv_invalid();
	}
	if (info.inexact && numbers == GAN_NUMBERS_EXACT) {
		gan_buf_printf(why,
		    "the number %s at %s would change (mapping.numbers: exact); let the sender "
		    "write it as a text, or set mapping.numbers: text",
		    info.inexact_text,
		    info.inexact_path[0] != '\0' ? info.inexact_path : "the top");
		return jv_invalid();
	}
	if (info.inexact && numbers == GAN_NUMBERS_TEXT) {
		if (gan_json_quote_inexact(body, len, &quoted) < 0)
			_exit(GAN_EXIT_NOMEM);
		body = quoted.data;
		len = quoted.len;
	}
	jv v = gan_jv_read(body);
	if (!jv_is_valid(v))
		gan_buf_puts(why, "jq cannot read the event: half of a surrogate pair");
	return v;
}

struct gan_jq_event *
gan_jq_event_new(const char *body, size_t len, const char *meta, size_t meta_len,
    enum gan_numbers numbers, struct gan_buf *why)
{
	jv event = parse_event(body, len, numbers, why);

	if (!jv_is_valid(event))
		return NULL;
	struct gan_jq_event *ev = malloc(sizeof(*ev));
	if (ev == NULL)
		_exit(GAN_EXIT_NOMEM);
	*ev = (struct gan_jq_event){
		.body = event, .meta = jv_invalid(), .meta_text = meta, .meta_len = meta_len
	};
	return ev;
}

void
gan_jq_event_free(struct gan_jq_event **ep)
{
	struct gan_jq_event *ev = gan_steal(ep);

	if (ev == NULL)
		return;
	jv_free(ev->body);
	jv_free(ev->meta);
	free(ev);
}

/* [event, meta] for a program; meta is read when the first one wants it.  False: not JSON. */
static bool
make_input(struct gan_jq_event *ev, bool meta, jv *ret_in)
{
	if (meta && !jv_is_valid(ev->meta)) {
		if (gan_json_check(ev->meta_text, ev->meta_len, GAN_JSON_DEPTH, NULL, NULL) < 0)
			return false;
		ev->meta = gan_jv_read(ev->meta_text);
		if (!jv_is_valid(ev->meta))
			return false;
	}
	*ret_in = jv_array_append(jv_array_append(jv_array_sized(2), jv_copy(ev->body)),
	    meta ? jv_copy(ev->meta) : jv_null());
	return true;
}

/* How much of the marker stands here: jq cuts the values that it complains of. */
static size_t
marker_at(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && gan_jq_marker[n] != '\0' && s[n] == gan_jq_marker[n])
		n++;
	return n >= sizeof("uuid5:") - 1 ? n : 0;
}

void
gan_jq_put_reject(struct gan_buf *out, const char *why, size_t len)
{
	char text[REASON_MAX + 16];
	size_t n = 0;

	/* The marker is nobody's business, and a reason is one line. */
	while (len > 0 && n < REASON_MAX) {
		size_t step = gan_utf8_next(why, len);

		size_t secret = marker_at(why, len);

		if (secret > 0) {
			memcpy(text + n, "uuid5", 5);
			n += 5;
			step = secret;
		} else if (step == 0 || (unsigned char)*why < 0x20 || *why == 0x7f) {
			text[n++] = step == 0 ? '?' : ' ';
			step = 1;
		} else if (n + step > REASON_MAX) {
			break;
		} else {
			memcpy(text + n, why, step);
			n += step;
		}
		why += step;
		len -= step;
	}
	if (len > 0) {
		memcpy(text + n, "...", 3);
		n += 3;
	}
	gan_buf_u32(out, GAN_RESULT_REJECTED);
	gan_frame_bytes(out, n > 0 ? text : "?", n > 0 ? n : 1);
}

/* The reason in an error of jq, a text or {gantry: "reject", why: ...}; consumes it. */
static void
put_error(struct gan_buf *out, jv error)
{
	if (jv_get_kind(error) == JV_KIND_OBJECT) {
		jv kind = jv_object_get(jv_copy(error), jv_string("gantry"));
		bool ours = jv_get_kind(kind) == JV_KIND_STRING &&
			    strcmp(jv_string_value(kind), "reject") == 0;

		jv_free(kind);
		if (ours)
			error = jv_object_get(error, jv_string("why"));
	}
	if (!jv_is_valid(error)) { /* an object of the rule's own that looks like ours */
		jv_free(error);
		error = jv_string("no reason was given");
	}
	if (jv_get_kind(error) != JV_KIND_STRING)
		error = jv_dump_string(error, 0);
	gan_jq_put_reject(
	    out, jv_string_value(error), (size_t)jv_string_length_bytes(jv_copy(error)));
	jv_free(error);
}

static void
put_why(struct gan_buf *out, const char *why)
{
	gan_jq_put_reject(out, why, strlen(why));
}

/* The one value of [KEY] and its like; consumes list.  An invalid jv: why says what is wrong. */
static jv
take_text(jv list, bool uuids, const char *what, size_t max, char *why, size_t whysz)
{
	int n = jv_array_length(jv_copy(list));
	jv v = n == 1 ? jv_array_get(jv_copy(list), 0) : jv_invalid();
	const char *wrong = NULL;

	jv_free(list);
	if (uuids)
		v = gan_jv_uuid(v);
	if (n != 1) {
		(void)snprintf(why, whysz, "'%s' must give one value, not %d", what, n);
		return v;
	}
	if (jv_get_kind(v) != JV_KIND_STRING) {
		(void)snprintf(why, whysz, "'%s' must give a text, not %s", what,
		    jv_kind_name(jv_get_kind(v)));
		jv_free(v);
		return jv_invalid();
	}
	size_t len = (size_t)jv_string_length_bytes(jv_copy(v));
	const unsigned char *s = (const unsigned char *)jv_string_value(v);
	if (len == 0)
		wrong = "is empty";
	else if (len > max)
		wrong = "is too long";
	for (size_t i = 0; i < len && wrong == NULL; i++)
		if (s[i] < 0x20 || s[i] == 0x7f)
			wrong = "holds a control character";
	if (wrong == NULL)
		return v;
	(void)snprintf(why, whysz, "'%s' %s (at most %zu bytes)", what, wrong, max);
	if (strcmp(wrong, "is too long") != 0)
		(void)snprintf(why, whysz, "'%s' %s", what, wrong);
	jv_free(v);
	return jv_invalid();
}

/* One output while it is written. */
struct writing {
	const struct gan_jq_program *p;
	struct gan_buf *out;
	size_t start; /* of the outputs */
	char why[200];
};

static bool
too_much(const struct writing *w)
{
	return w->out->len - w->start > GAN_OUTPUT_BYTES_MAX;
}

static bool
put_text(struct writing *w, jv tuple, int at, const char *what, size_t max)
{
	jv v = take_text(
	    jv_array_get(jv_copy(tuple), at), w->p->uuids, what, max, w->why, sizeof(w->why));
	bool good = jv_is_valid(v);

	if (good)
		gan_frame_bytes(
		    w->out, jv_string_value(v), (size_t)jv_string_length_bytes(jv_copy(v)));
	jv_free(v);
	return good;
}

static void
set_u32(struct gan_buf *b, size_t at, uint32_t v)
{
	for (size_t i = 0; i < 4 && !b->failed; i++)
		b->data[at + i] = (char)(v >> (8 * i));
}

/* The text as gan_frame_bytes() would put it; consumes body. */
static bool
put_body(struct writing *w, jv body)
{
	size_t start = w->out->len;

	gan_buf_u32(w->out, 0);
	const char *bad = gan_jv_write(w->out, body, w->p->uuids);
	jv_free(body);
	if (bad != NULL)
		(void)snprintf(w->why, sizeof(w->why), "%s", bad);
	set_u32(w->out, start, (uint32_t)(w->out->len - start - 4));
	gan_buf_putc(w->out, '\0');
	return bad == NULL;
}

/* Write [body, [key], [effect], [after]...]; false: why says what is wrong.  Consumes tuple. */
static bool
put_output(struct writing *w, jv tuple)
{
	size_t from = w->out->len;
	bool good = put_body(w, jv_array_get(jv_copy(tuple), 0));

	if (good && w->p->keyed)
		good = put_text(w, tuple, 1, "key", GAN_KEY_MAX);
	else
		gan_frame_text(w->out, NULL);
	if (good && w->p->effect)
		good = put_text(w, tuple, 2, "effect", GAN_EFFECT_MAX);
	else
		gan_frame_text(w->out, NULL);
	gan_buf_u32(w->out, (uint32_t)w->p->nafter);
	for (size_t i = 0; good && i < w->p->nafter; i++)
		good = put_text(w, tuple, 3 + (int)i,
		    w->p->newest && i + 1 == w->p->nafter ? "newest" : "after", GAN_EFFECT_MAX);
	if (good && w->p->uuids && !w->out->failed &&
	    memmem(w->out->data + from, w->out->len - from, gan_jq_marker, strlen(gan_jq_marker)) !=
		NULL) {
		(void)snprintf(w->why, sizeof(w->why),
		    "uuid5(...) must stand as a whole value, not inside a text or beside other "
		    "keys");
		good = false;
	}
	jv_free(tuple);
	return good;
}

/* Consumes what jq_next() gave last; true when the program ended without an error. */
static bool
ended_well(struct gan_jq_program *p, jv last, struct gan_buf *out, size_t start)
{
	bool error = jv_invalid_has_msg(jv_copy(last));

	if (!error && !jq_halted(p->jq)) {
		jv_free(last);
		return true;
	}
	out->len = start;
	if (error) {
		put_error(out, jv_invalid_get_msg(last));
	} else {
		jv_free(last);
		put_why(out, "the rule stopped jq");
	}
	return false;
}

static void
run_program(struct gan_jq_program *p, jv in, struct gan_buf *out)
{
	struct writing w = { .p = p, .out = out, .start = out->len };
	uint32_t n = 0;
	jv r;

	gan_buf_u32(out, GAN_RESULT_OUTPUTS);
	gan_buf_u32(out, 0);
	jq_start(p->jq, in, 0);
	while (jv_is_valid(r = jq_next(p->jq))) {
		bool good = put_output(&w, r);

		if (good && ++n > GAN_OUTPUTS_MAX) {
			(void)snprintf(
			    w.why, sizeof(w.why), "more than %d outputs", GAN_OUTPUTS_MAX);
			good = false;
		}
		if (good && too_much(&w)) {
			(void)snprintf(w.why, sizeof(w.why), "more than %u MiB of output",
			    GAN_OUTPUT_BYTES_MAX >> 20);
			good = false;
		}
		if (!good) {
			out->len = w.start;
			put_why(out, w.why);
			return;
		}
	}
	if (ended_well(p, r, out, w.start))
		set_u32(out, w.start + 4, n);
}

void
gan_jq_run(struct gan_jq_program *p, struct gan_jq_event *ev, struct gan_buf *out)
{
	jv in;

	if (p->jq == NULL) {
		put_why(out, p->broken != NULL ? p->broken : "the rule does not compile");
		return;
	}
	if (!make_input(ev, p->meta, &in)) {
		put_why(out, "internal: what is known about the event is not JSON");
		return;
	}
	run_program(p, in, out);
	if (out->failed)
		_exit(GAN_EXIT_NOMEM);
}
