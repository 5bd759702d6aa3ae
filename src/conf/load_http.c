/* SPDX-License-Identifier: MIT */
/* load_http.c - connectors of kind http: headers of their own, and a client certificate. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/pem.h"
#include "base/str.h"
#include "conf/conf_priv.h"
#include "conf/secrets.h"

#define PEM_MAX ((size_t)64 << 10)
#define HEADER_NAME_MAX 64

/* Ours, or of the connection: a second one would be read by one server and not by another. */
static bool
is_reserved(const char *name)
{
	static const char *const all[] = { "accept", "accept-encoding", "connection",
		"content-encoding", "content-length", "content-type", "expect", "host",
		"keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent" };

	for (size_t i = 0; i < GAN_COUNT(all); i++) {
		if (strcasecmp(name, all[i]) == 0)
			return true;
	}
	return false;
}

bool
gan_header_is_secret(const char *name)
{
	static const char *const words[] = { "auth", "cookie", "token", "secret", "passw",
		"api-key", "apikey", "api_key", "credential", "access-key", "subscription-key" };

	for (size_t i = 0; i < GAN_COUNT(words); i++) {
		if (strcasestr(name, words[i]) != NULL)
			return true;
	}
	return false;
}

/* NULL when the name is fine, else what is wrong with it. */
static const char *
name_wrong(const struct gan_conf_connector *c, const struct gan_yaml_node *key)
{
	if (strlen(key->text) != key->len || key->len > HEADER_NAME_MAX || !gan_is_token(key->text))
		return "is not the name of a header";
	if (is_reserved(key->text))
		return "is set by Gantry itself, or belongs to the connection: leave it out";
	if (gan_header_is_secret(key->text))
		return "carries credentials, and gantry.yaml holds none: use 'auth'";
	for (size_t i = 0; i < c->nheaders; i++) {
		if (strcasecmp(c->headers[i].name, key->text) == 0)
			return "stands here twice: names of headers do not tell case";
	}
	return NULL;
}

void
gan_load_headers(
    struct gan_loader *l, struct gan_conf_connector *c, const struct gan_yaml_node *map)
{
	for (const struct gan_yaml_node *n = map->child; n != NULL; n = n->next) {
		struct gan_conf_header *h = &c->headers[c->nheaders];
		const char *wrong = name_wrong(c, n->key);
		char shown[80];

		if (wrong != NULL) {
			gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key, "'%s' %s",
			    gan_printable(n->key->text, n->key->len, shown, sizeof(shown)), wrong);
			continue;
		}
		if (n->kind != GAN_YAML_STR || c->nheaders == GAN_CONF_HEADERS_MAX)
			continue; /* said with the row */
		c->nheaders++;
		h->name = gan_memdup(n->key->text, n->key->len);
		h->value = gan_memdup(n->text, n->len);
		if (h->name == NULL || h->value == NULL)
			l->no_memory = true;
	}
}

void
gan_headers_free(struct gan_conf_connector *c)
{
	for (size_t i = 0; i < c->nheaders; i++) {
		free(c->headers[i].name);
		free(c->headers[i].value);
	}
	gan_secret_fini(&c->auth.cert_pem);
	gan_secret_fini(&c->auth.key_pem);
}

static bool
read_pem(struct gan_loader *l, const char *path, bool secret, const struct gan_yaml_node *n,
    struct gan_secret *ret)
{
	struct gan_err err = { 0 };

	if (path == NULL || n == NULL)
		return false; /* said with the row */
	if (gan_secret_file(path, secret, PEM_MAX, ret, &err) == GAN_OK)
		return true;
	gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n, "%s", err.msg);
	return false;
}

void
gan_load_mtls(struct gan_loader *l, struct gan_conf_connector *c, const struct gan_yaml_node *mtls)
{
	struct gan_conf_auth *a = &c->auth;
	struct gan_err err = { 0 };
	bool expired = false, cert, key;

	if (mtls == NULL || !l->read_secrets)
		return;
	cert = read_pem(l, a->cert, false, gan_yaml_get(mtls, "cert"), &a->cert_pem);
	key = read_pem(l, a->key, true, gan_yaml_get(mtls, "key"), &a->key_pem);
	if (!cert || !key)
		return;
	if (gan_pem_check(&(const struct gan_pem){ a->cert_pem.bytes, a->cert_pem.len },
		&(const struct gan_pem){ a->key_pem.bytes, a->key_pem.len }, &expired, &err) < 0)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, mtls->key, "%s", err.msg);
	else if (expired)
		gan_diag_node(l->d, GAN_DIAG_WARNING, l->doc, gan_yaml_get(mtls, "cert"),
		    "the certificate has expired: the peer will refuse it");
}
