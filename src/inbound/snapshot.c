/* SPDX-License-Identifier: MIT */
/* snapshot.c - a configuration made ready for requests: keys, digests, proxies. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "inbound/inbound_priv.h"

static int
prepare_auth(struct gan_inbound_source *src, struct gan_err *err)
{
	const struct gan_conf_source *conf = src->conf;
	char what[80];
	int rc;

	(void)snprintf(what, sizeof(what), "source %s", conf->name);
	rc = gan_auth_add_tokens(&src->auth, what, conf->secrets, err);
	if (rc == GAN_OK)
		rc = gan_auth_add_basic(
		    &src->auth, what, conf->basic_user, conf->basic_passwords, err);
	return rc;
}

/* Those who read an outbox. */
static int
prepare_consumers(struct gan_snapshot *snap, struct gan_err *err)
{
	const struct gan_config *conf = snap->conf;
	char what[80];
	int rc = GAN_OK;

	snap->consumers = calloc(conf->nconnectors + 1, sizeof(*snap->consumers));
	if (snap->consumers == NULL)
		return gan_err_set(err, GAN_ENOMEM, "outboxes");
	for (size_t i = 0; rc == GAN_OK && i < conf->nconnectors; i++) {
		const struct gan_conf_connector *c = &conf->connectors[i];

		(void)snprintf(what, sizeof(what), "connector %s", c->name);
		if (c->kind == GAN_CONNECTOR_PULL)
			rc = gan_auth_add_tokens(&snap->consumers[i], what, c->tokens, err);
	}
	return rc;
}

int
gan_snapshot_new(struct gan_config *conf, struct gan_snapshot **ret_snap, struct gan_err *err)
{
	struct gan_snapshot *snap GAN_AUTO(gan_snapshot_unref) = calloc(1, sizeof(*snap));
	int rc = GAN_OK;

	if (snap == NULL)
		return gan_err_set(err, GAN_ENOMEM, "sources");
	snap->refs = 1;
	snap->conf = gan_config_ref(conf);
	snap->sources = calloc(conf->nsources + 1, sizeof(*snap->sources));
	if (snap->sources == NULL)
		return gan_err_set(err, GAN_ENOMEM, "sources");
	for (size_t i = 0; rc == GAN_OK && i < conf->nsources; i++) {
		struct gan_inbound_source *src = &snap->sources[i];

		src->conf = &conf->sources[i];
		if (src->conf->kind == GAN_SOURCE_WEBHOOK)
			rc = gan_signer_new(src->conf, &src->signer, err);
		else if (src->conf->kind == GAN_SOURCE_HTTP)
			rc = prepare_auth(src, err);
	}
	if (rc == GAN_OK)
		rc = prepare_consumers(snap, err);
	if (rc < 0)
		return rc;
	*ret_snap = gan_steal(&snap);
	return GAN_OK;
}

struct gan_snapshot *
gan_snapshot_ref(struct gan_snapshot *snap)
{
	snap->refs++;
	return snap;
}

void
gan_snapshot_unref(struct gan_snapshot **sp)
{
	struct gan_snapshot *snap = gan_steal(sp);

	if (snap == NULL || --snap->refs > 0)
		return;
	for (size_t i = 0; snap->sources != NULL && i < snap->conf->nsources; i++)
		gan_signer_free(&snap->sources[i].signer);
	free(snap->sources);
	free(snap->consumers);
	gan_config_unref(&snap->conf);
	free(snap);
}

struct gan_inbound_source *
gan_snapshot_source(struct gan_snapshot *snap, const char *name)
{
	for (size_t i = 0; i < snap->conf->nsources; i++)
		if (strcmp(snap->sources[i].conf->name, name) == 0)
			return &snap->sources[i];
	return NULL;
}

/* Numeric address in one spelling (IPv4 in IPv6 form); false when s is none. */
static bool
parse_ip(const char *s, struct in6_addr *out)
{
	struct in_addr v4;

	if (inet_pton(AF_INET6, s, out) == 1)
		return true;
	if (inet_pton(AF_INET, s, &v4) != 1)
		return false;
	memset(out, 0, sizeof(*out));
	out->s6_addr[10] = out->s6_addr[11] = 0xff;
	memcpy(&out->s6_addr[12], &v4, sizeof(v4));
	return true;
}

static bool
is_trusted(const struct gan_snapshot *snap, const char *ip)
{
	const struct gan_conf_public *p = &snap->conf->public;
	struct in6_addr a, b;

	if (!parse_ip(ip, &a))
		return false;
	for (size_t i = 0; i < p->ntrusted_proxies; i++)
		if (parse_ip(p->trusted_proxies[i], &b) && memcmp(&a, &b, sizeof(a)) == 0)
			return true;
	return false;
}

/*
 * Take the last entry off a list "a, b, c" of n bytes: into out, without a
 * port.  Returns what is left of the list, or -1 when the entry is no address.
 */
static long
last_entry(const char *list, size_t n, char out[GAN_CLIENT_LEN])
{
	size_t start, len;
	struct in6_addr ip;
	char *close;

	while (n > 0 && strchr(" \t,", list[n - 1]) != NULL)
		n--;
	for (start = n; start > 0 && list[start - 1] != ',';)
		start--;
	len = start;
	while (start < n && (list[start] == ' ' || list[start] == '\t'))
		start++;
	if (n - start == 0 || n - start >= GAN_CLIENT_LEN)
		return -1;
	memcpy(out, list + start, n - start);
	out[n - start] = '\0';
	close = strchr(out, ']');
	if (out[0] == '[' && close != NULL) {
		*close = '\0';
		memmove(out, out + 1, strlen(out));
	} else if (strchr(out, '.') != NULL && !parse_ip(out, &ip)) {
		out[strcspn(out, ":")] = '\0';
	}
	return parse_ip(out, &ip) ? (long)len : -1;
}

/* Walk the proxies' own entries from the right; stop at the first stranger. */
char *
gan_snapshot_client(
    const struct gan_snapshot *snap, const struct gan_request *r, char out[GAN_CLIENT_LEN])
{
	size_t nheaders;
	const struct gan_header *h = gan_request_headers(r, &nheaders);
	char entry[GAN_CLIENT_LEN];

	(void)snprintf(out, GAN_CLIENT_LEN, "%s", gan_request_remote(r));
	while (nheaders-- > 0) {
		long n;

		if (h[nheaders].value == NULL ||
		    !gan_header_is(h[nheaders].name, "x-forwarded-for"))
			continue;
		n = (long)strlen(h[nheaders].value);
		while (n > 0 && is_trusted(snap, out)) {
			n = last_entry(h[nheaders].value, (size_t)n, entry);
			if (n >= 0)
				memcpy(out, entry, sizeof(entry));
		}
		if (n < 0)
			break;
	}
	return out;
}
