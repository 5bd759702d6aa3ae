/* SPDX-License-Identifier: MIT */
/* pack.c - the arguments of a call, copied into one block of memory. */
#include <string.h>

#include "store/store_priv.h"

void *
gan_pack_mem(struct gan_pack *p, const void *mem, size_t n)
{
	char *at = p->at;
	size_t room = (n + 1 + 7) & ~(size_t)7;

	p->size += room;
	if (at == NULL)
		return NULL;
	if (n > 0)
		memcpy(at, mem, n);
	at[n] = '\0';
	p->at += room;
	return at;
}

const char *
gan_pack_str(struct gan_pack *p, const char *s)
{
	return s == NULL ? NULL : gan_pack_mem(p, s, strlen(s));
}
