/* SPDX-License-Identifier: MIT */
/*
 * journal.c - every request and what became of it, as lines of JSON.
 *
 * A line is made once, when the request was judged, and kept as text: reading
 * the journal is then a matter of copying.  Memory is bounded in bytes; the
 * oldest lines leave first, the counters stay.  Credentials appear only as
 * the beginning of their SHA-256, so that a journal can be shown around and
 * still tells whether two requests bore the same token.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim.h"

struct entry {
	char *line;
	size_t len;
	int64_t n;
	enum gan_sim_system system;
	size_t path_at; /* of the JSON text of the path, quotes excluded */
	size_t path_len;
};

struct counters {
	int64_t requests, acted, repeats, faults; /* token calls excluded */
	int64_t tokens;
};

struct gan_sim_journal {
	FILE *file;
	struct entry *ring;
	size_t cap, first, count;
	size_t bytes, max_bytes;
	int64_t last_n;
	int64_t dropped;
	struct counters per[GAN_SIM_NSYSTEMS];
	struct gan_buf work;
};

int
gan_sim_journal_open(
    const char *file, size_t max_bytes, struct gan_sim_journal **ret_journal, struct gan_err *err)
{
	struct gan_sim_journal *j GAN_AUTO(gan_sim_journal_free) = calloc(1, sizeof(*j));

	if (j == NULL)
		return gan_err_set(err, GAN_ENOMEM, "journal");
	j->max_bytes = max_bytes;
	if (file != NULL) {
		j->file = fopen(file, "ae");
		if (j->file == NULL)
			return gan_err_errno(err, GAN_EIO, "journal %s", file);
	}
	*ret_journal = gan_steal(&j);
	return GAN_OK;
}

static void
drop_oldest(struct gan_sim_journal *j)
{
	struct entry *e = &j->ring[j->first];

	j->bytes -= e->len;
	free(e->line);
	j->first = (j->first + 1) % j->cap;
	j->count--;
}

void
gan_sim_journal_reset(struct gan_sim_journal *j)
{
	while (j->count > 0)
		drop_oldest(j);
	memset(j->per, 0, sizeof(j->per));
	j->dropped = 0;
}

void
gan_sim_journal_free(struct gan_sim_journal **jp)
{
	struct gan_sim_journal *j = gan_steal(jp);

	if (j == NULL)
		return;
	gan_sim_journal_reset(j);
	if (j->file != NULL)
		(void)fclose(j->file);
	gan_buf_fini(&j->work);
	free(j->ring);
	free(j);
}

static bool
is_credential(const char *name)
{
	return strcmp(name, "authorization") == 0 || strcmp(name, "x-access-token") == 0 ||
	       strcmp(name, "x-channel-key") == 0;
}

/* "sha256:0123456789abcdef" of what follows the scheme, which stays.  Returns out. */
static const char *
digest(const char *value, int scheme, char *out, size_t n)
{
	struct gan_bytes part = { value + scheme, strlen(value + scheme) };
	char hex[2 * GAN_SHA256_LEN + 1];
	unsigned char sum[GAN_SHA256_LEN];

	gan_must(gan_sha256(&part, 1, sum) == 0);
	gan_hex(sum, sizeof(sum), hex);
	(void)snprintf(out, n, "%.*ssha256:%.16s", scheme, value, hex);
	return out;
}

/* "Bearer sha256:0123456789abcdef": the scheme stays readable. */
static void
put_credential(struct gan_buf *out, const char *value)
{
	const char *rest = strchr(value, ' ');
	char text[64];
	int scheme = 0;

	if (strncasecmp(value, "bearer ", 7) == 0 || strncasecmp(value, "basic ", 6) == 0)
		scheme = (int)(rest + 1 - value);
	(void)digest(value, scheme, text, sizeof(text));
	gan_buf_json(out, text, strlen(text));
}

static void
put_headers(struct gan_buf *out, const struct gan_sim_request *req)
{
	for (size_t i = 0; i < req->nheaders; i++) {
		const struct gan_sim_header *h = &req->headers[i];

		if (i > 0)
			gan_buf_putc(out, ',');
		gan_buf_json(out, h->name, strlen(h->name));
		gan_buf_putc(out, ':');
		if (is_credential(h->name))
			put_credential(out, h->value);
		else
			gan_buf_json(out, h->value, strlen(h->value));
	}
}

/* The query, with the token in it hidden as in a header. */
static void
put_query(struct gan_buf *out, const char *query)
{
	struct gan_buf shown GAN_AUTO(gan_buf_fini) = { 0 };

	for (const char *p = query; *p != '\0'; p += *p == '&') {
		int n = (int)strcspn(p, "&");

		if (p != query)
			gan_buf_putc(&shown, '&');
		if (strncmp(p, "access_token=", 13) == 0) {
			char *token GAN_AUTO(gan_str_free) = gan_memdup(p + 13, (size_t)n - 13);
			char sum[64];

			gan_must(token != NULL);
			gan_buf_printf(
			    &shown, "access_token=%s", digest(token, 0, sum, sizeof(sum)));
		} else {
			gan_buf_printf(&shown, "%.*s", n, p);
		}
		p += n;
	}
	gan_buf_json(out, shown.len == 0 ? "" : shown.data, shown.len);
}

static struct entry *
new_entry(struct gan_sim_journal *j)
{
	if (j->count == j->cap) {
		size_t cap = j->cap == 0 ? 1024 : j->cap * 2;
		struct entry *ring = calloc(cap, sizeof(*ring));

		gan_must(ring != NULL);
		for (size_t i = 0; i < j->count; i++)
			ring[i] = j->ring[(j->first + i) % j->cap];
		free(j->ring);
		j->ring = ring;
		j->cap = cap;
		j->first = 0;
	}
	return &j->ring[(j->first + j->count++) % j->cap];
}

void
gan_sim_journal_add(struct gan_sim_journal *j, const struct gan_sim_request *req, int status,
    const struct gan_sim_answer *ans, const char *fault, int lost)
{
	struct counters *c = &j->per[req->system];
	struct gan_buf *b = &j->work;
	char when[GAN_TIME_LEN];
	struct entry *e;

	if (gan_sim_is_token(req)) {
		c->tokens++;
	} else {
		c->requests++;
		c->acted += ans->acted;
	}
	c->repeats += ans->repeats;
	c->faults += fault != NULL;
	if (j->max_bytes == 0 && j->file == NULL) { /* the benchmark only counts */
		j->last_n++;
		return;
	}
	gan_buf_clear(b);
	gan_buf_printf(b,
	    "{\"n\":%lld,\"time\":\"%s\",\"system\":\"%s\",\"method\":", (long long)++j->last_n,
	    gan_time_format(gan_wall_ms(), when), gan_sim_names[req->system]);
	gan_buf_json(b, req->method, strlen(req->method));
	gan_buf_puts(b, ",\"path\":");
	e = new_entry(j);
	e->path_at = b->len + 1;
	gan_buf_json(b, req->path, strlen(req->path));
	e->path_len = b->len - 1 - e->path_at;
	gan_buf_printf(b, ",\"status\":%d,\"acted\":%s,\"repeats\":%u,\"fault\":", status,
	    ans->acted ? "true" : "false", ans->repeats);
	if (fault != NULL)
		gan_buf_json(b, fault, strlen(fault));
	else
		gan_buf_puts(b, "null");
	gan_buf_puts(b, ",\"query\":");
	put_query(b, req->query);
	if (ans->op != NULL)
		gan_buf_printf(b, ",\"op\":\"%s\",\"notes\":[%s]", ans->op,
		    ans->notes.len == 0 ? "" : ans->notes.data);
	if (ans->handed > 0)
		gan_buf_printf(b, ",\"handed\":%d,\"lost\":%d", ans->handed, lost);
	gan_buf_puts(b, ",\"headers\":{");
	put_headers(b, req);
	gan_buf_puts(b, "},\"body\":");
	if (gan_sim_is_token(req))
		gan_buf_puts(b, "null"); /* may hold an API secret */
	else
		gan_buf_json(b, req->body, req->body_len);
	gan_buf_puts(b, "}\n");
	gan_must(!b->failed);
	e->n = j->last_n;
	e->system = req->system;
	e->len = b->len;
	e->line = gan_memdup(b->data, b->len);
	gan_must(e->line != NULL);
	j->bytes += e->len;
	if (j->file != NULL) {
		(void)fwrite(e->line, 1, e->len, j->file);
		(void)fflush(j->file);
	}
	for (; j->bytes > j->max_bytes && j->count > 1; j->dropped++)
		drop_oldest(j);
}

void
gan_sim_journal_list(struct gan_sim_journal *j, const char *system, const char *path, int64_t after,
    size_t limit, struct gan_buf *out)
{
	size_t taken = 0;

	gan_buf_putc(out, '[');
	for (size_t i = 0; i < j->count && taken < limit; i++) {
		const struct entry *e = &j->ring[(j->first + i) % j->cap];

		if (e->n <= after)
			continue;
		if (system != NULL && strcmp(gan_sim_names[e->system], system) != 0)
			continue;
		if (path != NULL &&
		    memmem(e->line + e->path_at, e->path_len, path, strlen(path)) == NULL)
			continue;
		if (taken++ > 0)
			gan_buf_putc(out, ',');
		gan_buf_put(out, e->line, e->len - 1);
	}
	gan_buf_putc(out, ']');
}

void
gan_sim_journal_count(struct gan_sim_journal *j, struct gan_buf *out)
{
	gan_buf_printf(out, "{\"last\":%lld,\"kept\":%zu,\"dropped\":%lld", (long long)j->last_n,
	    j->count, (long long)j->dropped);
	for (size_t i = 0; i < GAN_SIM_CONTROL; i++) {
		gan_buf_printf(out,
		    ",\"%s\":{\"requests\":%lld,\"acted\":%lld,\"repeats\":%lld,\"faults\":%lld,"
		    "\"tokens\":%lld}",
		    gan_sim_names[i], (long long)j->per[i].requests, (long long)j->per[i].acted,
		    (long long)j->per[i].repeats, (long long)j->per[i].faults,
		    (long long)j->per[i].tokens);
	}
	gan_buf_putc(out, '}');
}
