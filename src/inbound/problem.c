/* SPDX-License-Identifier: MIT */
/* problem.c - see problem.h. */
#include "inbound/problem.h"

#include <string.h>

static const struct {
	int status;
	const char *slug, *title;
} rows[] = {
#define X(name, status, slug, title) { status, slug, title },
	GAN_PROBLEM_MAP(X)
#undef X
};

int
gan_problem_status(enum gan_problem p)
{
	return rows[p].status;
}

enum gan_problem
gan_problem_of_status(int status)
{
	for (int p = 0; p < GAN_PROBLEM_N; p++)
		if (rows[p].status == status)
			return (enum gan_problem)p;
	return GAN_PROBLEM_INTERNAL;
}

void
gan_problem_put(struct gan_buf *out, enum gan_problem p, const char *detail)
{
	gan_buf_printf(out,
	    "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d,\"detail\":", rows[p].slug,
	    rows[p].title, rows[p].status);
	gan_buf_json(out, detail, strlen(detail));
	gan_buf_putc(out, '}');
}

void
gan_problem_write(struct gan_buf *out, enum gan_problem p, const char *detail)
{
	gan_problem_put(out, p, detail);
	gan_buf_putc(out, '\n');
}
