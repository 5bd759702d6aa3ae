/* SPDX-License-Identifier: MIT */
/* failpoint.c - see failpoint.h. */
#include "base/failpoint.h"

#ifdef GAN_FAILPOINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	char name[64], action[16];
	unsigned long at; /* 0: no place was named */
} wanted;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_ulong reached;

/* A test that names nothing sensible must not pass for that reason. */
_Noreturn static void
refuse(const char *text)
{
	(void)fprintf(stderr, "<2>gantry: GANTRY_FAILPOINT=%s: name=kill|stop|fail[@n]\n", text);
	abort();
}

static void
read_environment(void)
{
	const char *text = getenv("GANTRY_FAILPOINT");
	int end = 0;

	if (text == NULL)
		return;
	wanted.at = 1;
	if (sscanf(text, "%63[a-z-]=%15[a-z]%n@%lu%n", wanted.name, wanted.action, &end, &wanted.at,
		&end) < 2 ||
	    text[end] != '\0' || wanted.at == 0)
		refuse(text);
	if (strcmp(wanted.action, "kill") != 0 && strcmp(wanted.action, "stop") != 0 &&
	    strcmp(wanted.action, "fail") != 0)
		refuse(text);
}

bool
gan_failpoint(const char *name)
{
	(void)pthread_once(&once, read_environment);
	if (wanted.at == 0 || strcmp(name, wanted.name) != 0 ||
	    atomic_fetch_add(&reached, 1) + 1 != wanted.at)
		return false;
	(void)fprintf(stderr, "<5>gantry: failpoint %s: %s\n", name, wanted.action);
	if (strcmp(wanted.action, "kill") == 0)
		(void)raise(SIGKILL);
	if (strcmp(wanted.action, "stop") == 0)
		(void)raise(SIGSTOP);
	return strcmp(wanted.action, "fail") == 0;
}

#endif
