/* SPDX-License-Identifier: MIT */
/* config.c - see config.h: the snapshot's life, and loading it as a whole. */
#include "conf/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_priv.h"
#include "conf/schema.h"
#include "conf/secrets.h"

#define FILE_MAX (1u << 20)

static void
free_section(const char *parent, const struct gan_bases *at)
{
	const struct gan_schema_row *row;

	for (size_t pos = 0; (row = gan_schema_next(parent, 0, &pos)) != NULL;) {
		if (row->type == GAN_T_MAP || (row->flags & GAN_F_OR_MAP) != 0)
			free_section(row->path, at);
		else
			gan_value_free(row, at);
	}
}

static void
config_free(struct gan_config **cp)
{
	struct gan_config *c = gan_steal(cp);

	if (c == NULL)
		return;
	for (size_t i = 0; i < c->nsources; i++) {
		free_section("sources.*", &(const struct gan_bases){ .own = &c->sources[i] });
		for (size_t k = 0; k < c->sources[i].nchannels; k++)
			free(c->sources[i].channels[k].name);
		free(c->sources[i].name);
	}
	for (size_t i = 0; i < c->nconnectors; i++) {
		free_section("connectors.*", &(const struct gan_bases){ .own = &c->connectors[i] });
		gan_headers_free(&c->connectors[i]);
		gan_query_names_free(&c->connectors[i]);
		gan_operations_free(&c->connectors[i]);
		free(c->connectors[i].name);
	}
	free_section("", &(const struct gan_bases){ .own = c });
	for (size_t i = 0; i < c->public.ntrusted_proxies; i++)
		free(c->public.trusted_proxies[i]);
	free(c->public.trusted_proxies);
	free(c->sources);
	free(c->connectors);
	free(c->path);
	free(c->dir);
	free(c);
}

struct gan_config *
gan_config_ref(struct gan_config *c)
{
	c->refs++;
	return c;
}

void
gan_config_unref(struct gan_config **cp)
{
	struct gan_config *c = gan_steal(cp);

	if (c == NULL)
		return;
	gan_must(c->refs > 0);
	if (--c->refs == 0)
		config_free(&c);
}

const struct gan_conf_source *
gan_config_source(const struct gan_config *c, const char *name)
{
	for (size_t i = 0; i < c->nsources; i++) {
		if (strcmp(c->sources[i].name, name) == 0)
			return &c->sources[i];
	}
	return NULL;
}

const struct gan_conf_connector *
gan_config_connector(const struct gan_config *c, const char *name)
{
	for (size_t i = 0; i < c->nconnectors; i++) {
		if (strcmp(c->connectors[i].name, name) == 0)
			return &c->connectors[i];
	}
	return NULL;
}

static const struct gan_yaml_node *
find(const struct gan_yaml_node *n, const char *a, const char *b, const char *c)
{
	n = gan_yaml_get(n, a);
	if (b != NULL)
		n = gan_yaml_get(n, b);
	return c != NULL ? gan_yaml_get(n, c) : n;
}

/* What a single row cannot say. */
static void
check_whole(struct gan_loader *l, const struct gan_yaml_node *root)
{
	const struct gan_config *c = l->conf;
	const struct gan_yaml_node *n;

	n = find(root, "store", "engine", NULL);
	if (c->store.postgresql && n != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "engine postgresql is not built yet, use sqlite");
	n = find(root, "listen", "admin", "address");
	if (c->admin.host != NULL && n != NULL && !gan_is_loopback(c->admin.host))
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "the admin listener has no password: it must stay on a loopback address "
		    "such as 127.0.0.1");
	n = find(root, "listen", "control", "socket");
	if (c->control_socket != NULL && n != NULL &&
	    strlen(c->control_socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n,
		    "%s is too long for a socket, the most is %zu bytes", c->control_socket,
		    sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	n = find(root, "deliver", "retry", NULL);
	if (c->deliver.retry.first_ms > c->deliver.retry.max_ms && n != NULL)
		gan_diag_node(l->d, GAN_DIAG_ERROR, l->doc, n->key,
		    "'retry.first' must not be longer than 'retry.max'");
}

static void
load_all(struct gan_loader *l)
{
	const struct gan_yaml_node *root = gan_yaml_root(l->doc);
	const struct gan_bases at = { .own = l->conf, .deliver = &l->conf->deliver };

	gan_load_hide(l->doc);
	gan_load_defaults(l, "", 0, &at);
	if (root == NULL || root->kind != GAN_YAML_MAP) {
		gan_diag_file(l->d, GAN_DIAG_ERROR, l->conf->path,
		    root == NULL ? "the file is empty" : "this is not a mapping of keys");
		return;
	}
	gan_load_section(l, "", 0, root, &at);
	check_whole(l, root);
	gan_load_sources(l, gan_yaml_get(root, "sources"));
	gan_load_connectors(l, gan_yaml_get(root, "connectors"));
	gan_load_links(l, gan_yaml_get(root, "sources"));
}

static int
start(struct gan_config *c, const char *path)
{
	char *dir GAN_AUTO(gan_str_free) = gan_path_dir(path);

	c->refs = 1;
	c->path = gan_asprintf("%s", path);
	c->dir = dir != NULL ? realpath(dir, NULL) : NULL;
	return c->path != NULL && c->dir != NULL ? GAN_OK : GAN_ENOMEM;
}

int
gan_config_load(
    const char *path, bool read_secrets, struct gan_config **ret_config, struct gan_diags *d)
{
	struct gan_yaml *doc GAN_AUTO(gan_yaml_free) = NULL;
	struct gan_config *c GAN_AUTO(gan_config_unref) = NULL;
	char *text GAN_AUTO(gan_str_free) = NULL;
	struct gan_loader l = { .d = d, .read_secrets = read_secrets };
	struct gan_err err = { 0 };
	unsigned before = d->errors;
	size_t len = 0;
	int rc;

	rc = gan_file_read(path, FILE_MAX, &text, &len, &err);
	if (rc < 0 && rc != GAN_ENOMEM) {
		gan_diag_file(d, GAN_DIAG_ERROR, path, "cannot be read: %s",
		    err.msg[0] != '\0' && strlen(err.msg) > strlen(path) + 2
			? err.msg + strlen(path) + 2
			: gan_strerror(rc));
		return GAN_ECONFIG;
	}
	if (rc == GAN_OK)
		rc = gan_yaml_parse(path, text, len, &doc, &err);
	if (rc < 0 && rc != GAN_ENOMEM) {
		gan_diag_err(d, &err);
		return GAN_ECONFIG;
	}
	c = rc == GAN_OK ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL || start(c, path) < 0)
		return GAN_ENOMEM;
	l.conf = c;
	l.doc = doc;
	load_all(&l);
	if (l.no_memory || d->text.failed)
		return GAN_ENOMEM;
	if (d->errors > before)
		return GAN_ECONFIG;
	*ret_config = gan_steal(&c);
	return GAN_OK;
}

unsigned
gan_conf_quota_limit(const struct gan_conf_quota *q)
{
	return (unsigned)((uint64_t)q->per_minute * q->share_pct / 100);
}
