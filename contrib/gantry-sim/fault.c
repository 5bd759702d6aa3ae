/* SPDX-License-Identifier: MIT */
/* fault.c - misbehaviour on demand: which request is spoilt, and how. */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "sim.h"

const char *const gan_sim_fault_names[GAN_SIM_FAULT_NKINDS] = {
#define X(name, text, acts) text,
	GAN_SIM_FAULT_MAP(X)
#undef X
};

static const bool acts_by_default[GAN_SIM_FAULT_NKINDS] = {
#define X(name, text, acts) acts,
	GAN_SIM_FAULT_MAP(X)
#undef X
};

static void
fault_free(struct gan_sim_fault **fp)
{
	struct gan_sim_fault *f = gan_steal(fp);

	if (f == NULL)
		return;
	free(f->method);
	free(f->path);
	free(f->match);
	free(f->retry_after);
	free(f->body);
	free(f->location);
	free(f);
}

static int
read_kind(struct gan_sim_fault *f, const cJSON *spec, struct gan_err *err)
{
	const char *system = gan_cj_str(spec, "system"), *kind = gan_cj_str(spec, "kind");

	f->system = gan_sim_system_find(system == NULL ? "" : system);
	if (f->system >= GAN_SIM_CONTROL)
		return gan_err_set(
		    err, GAN_EINVAL, "\"system\" must be prodsmart, movilitas, flex2b or erp");
	for (int k = 0; k < GAN_SIM_FAULT_NKINDS; k++) {
		if (kind != NULL && strcmp(kind, gan_sim_fault_names[k]) == 0) {
			f->kind = (enum gan_sim_fault_kind)k;
			return GAN_OK;
		}
	}
	return gan_err_set(err, GAN_EINVAL,
	    "\"kind\" must be status, redirect, drop-before, drop-after, hang, hang-after, late, "
	    "garbage, raw, half or huge");
}

static char *
copy_text(const cJSON *spec, const char *name)
{
	const char *s = gan_cj_str(spec, name);

	return s == NULL ? NULL : gan_memdup(s, strlen(s));
}

int
gan_sim_fault_add(
    struct gan_sim_faults *faults, const cJSON *spec, int64_t *ret_id, struct gan_err *err)
{
	struct gan_sim_fault *f GAN_AUTO(fault_free) = calloc(1, sizeof(*f));
	struct gan_sim_fault **tail = &faults->head;
	const cJSON *act = gan_cj_get(spec, "act");

	if (f == NULL)
		return gan_err_set(err, GAN_ENOMEM, "fault");
	if (read_kind(f, spec, err) < 0)
		return err == NULL ? GAN_EINVAL : err->code;
	f->act = act == NULL ? acts_by_default[f->kind] : cJSON_IsTrue(act);
	f->token = gan_cj_true(spec, "token");
	f->method = copy_text(spec, "method");
	f->path = copy_text(spec, "path");
	f->match = copy_text(spec, "match");
	f->probability = gan_cj_num(spec, "probability", 1);
	f->left = (int64_t)gan_cj_num(spec, "times", gan_cj_get(spec, "probability") ? -1 : 1);
	f->status = (int)gan_cj_num(spec, "status", f->kind == GAN_SIM_FAULT_REDIRECT ? 302 : 500);
	f->retry_after = copy_text(spec, "retry_after");
	f->body = copy_text(spec, "body");
	f->location = copy_text(spec, "location");
	f->ms = (int64_t)gan_cj_num(spec, "ms", f->kind == GAN_SIM_FAULT_LATE ? 1000 : 0);
	f->size = (int64_t)gan_cj_num(spec, "size", 8 * 1024 * 1024);
	f->rng = (uint64_t)gan_cj_num(spec, "seed", 1) * UINT64_C(0x9E3779B97F4A7C15) + 1;
	if (f->status < 200 || f->status > 599)
		return gan_err_set(err, GAN_EINVAL, "\"status\" must be 200 to 599");
	if (f->size < 0 || f->size > 256 * 1024 * 1024)
		return gan_err_set(err, GAN_EINVAL, "\"size\" must be 0 to 256 MiB");
	f->id = ++faults->last_id;
	while (*tail != NULL)
		tail = &(*tail)->next;
	*ret_id = f->id;
	*tail = gan_steal(&f);
	return GAN_OK;
}

/* xorshift64*: the same seed spoils the same requests. */
static double
next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (double)((x * UINT64_C(0x2545F4914F6CDD1D)) >> 11) / 9007199254740992.0;
}

const struct gan_sim_fault *
gan_sim_fault_pick(struct gan_sim_faults *faults, const struct gan_sim_request *req, bool token)
{
	for (struct gan_sim_fault *f = faults->head; f != NULL; f = f->next) {
		if (f->system != req->system || f->left == 0 || f->token != token)
			continue;
		if (f->method != NULL && strcmp(req->method, f->method) != 0)
			continue;
		if (f->path != NULL && strstr(req->path, f->path) == NULL)
			continue;
		if (f->match != NULL &&
		    memmem(req->body, req->body_len, f->match, strlen(f->match)) == NULL)
			continue;
		if (f->probability < 1 && next_random(&f->rng) >= f->probability)
			continue;
		if (f->left > 0)
			f->left--;
		f->hits++;
		return f;
	}
	return NULL;
}

void
gan_sim_fault_list(const struct gan_sim_faults *faults, struct gan_buf *out)
{
	gan_buf_putc(out, '[');
	for (const struct gan_sim_fault *f = faults->head; f != NULL; f = f->next) {
		gan_buf_printf(out,
		    "%s{\"id\":%lld,\"system\":\"%s\",\"kind\":\"%s\",\"left\":%lld,\"hits\":%lld}",
		    f == faults->head ? "" : ",", (long long)f->id, gan_sim_names[f->system],
		    gan_sim_fault_names[f->kind], (long long)f->left, (long long)f->hits);
	}
	gan_buf_putc(out, ']');
}

bool
gan_sim_fault_remove(struct gan_sim_faults *faults, int64_t id)
{
	struct gan_sim_fault **at = &faults->head;
	bool found = id == 0;

	while (*at != NULL) {
		struct gan_sim_fault *f = *at;

		if (id != 0 && f->id != id) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		fault_free(&f);
		found = true;
	}
	return found;
}
