/* SPDX-License-Identifier: MIT */
/* others.c - tokens and credentials. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "base/mem.h"
#include "sim.h"

const char *const gan_sim_names[GAN_SIM_NSYSTEMS] = { "prodsmart", "movilitas", "flex2b", "erp",
	"control" };

enum gan_sim_system
gan_sim_system_find(const char *name)
{
	int i = 0;

	while (i < GAN_SIM_NSYSTEMS && strcmp(gan_sim_names[i], name) != 0)
		i++;
	return (enum gan_sim_system)i;
}

bool
gan_sim_is_token(const struct gan_sim_request *req)
{
	return (req->system == GAN_SIM_ERP && strcmp(req->path, GAN_SIM_OAUTH_PATH) == 0) ||
	       strcmp(req->path, "/v1/api_auth") == 0 ||
	       strcmp(req->path, "/v1/generatetoken") == 0 ||
	       strcmp(req->path, "/api/authorization") == 0;
}

void
gan_sim_token_add(struct gan_sim_tokens *t, const char *text, int64_t life_ms)
{
	size_t i = t->n++ % GAN_SIM_TOKENS;

	(void)snprintf(t->t[i].text, sizeof(t->t[i].text), "%s", text);
	t->t[i].until_ms = gan_mono_ms() + life_ms;
}

enum gan_sim_token_state
gan_sim_token_check(const struct gan_sim_tokens *t, const char *text)
{
	size_t kept = t->n < GAN_SIM_TOKENS ? t->n : GAN_SIM_TOKENS;

	/* The newest first: it is nearly always the one in use. */
	for (size_t back = 1; back <= kept; back++) {
		size_t i = (t->n - back) % GAN_SIM_TOKENS;

		if (strcmp(t->t[i].text, text) == 0)
			return gan_mono_ms() < t->t[i].until_ms ? GAN_SIM_TOKEN_GOOD
								: GAN_SIM_TOKEN_EXPIRED;
	}
	return GAN_SIM_TOKEN_UNKNOWN;
}

int
gan_sim_basic(const struct gan_sim_request *req, const char *user, const char *password)
{
	const char *auth = gan_sim_header(req, "authorization");
	unsigned char plain[512];
	char want[512];
	int n;

	if (auth == NULL || strncasecmp(auth, "Basic ", 6) != 0)
		return 0;
	n = gan_base64_decode(auth + 6, strlen(auth + 6), plain, sizeof(plain) - 1);
	if (n < 0)
		return -1;
	plain[n] = '\0';
	(void)snprintf(want, sizeof(want), "%s:%s", user, password);
	return strcmp((char *)plain, want) == 0 ? 1 : -1;
}
