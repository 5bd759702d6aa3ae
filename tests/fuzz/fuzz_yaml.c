/* SPDX-License-Identifier: MIT */
/* fuzz_yaml.c - the YAML fence: positions inside the file, and a tree that is JSON as well. */
#include "base/str.h"
#include "conf/yaml.h"
#include "fuzz.h"
#include "json/check.h"

FUZZ_LIBFYAML_LEAKS

static size_t
walk(const struct gan_yaml_node *n, int lines)
{
	size_t children = 0;

	gan_must(n->line >= 1 && n->col >= 1 && n->line <= lines + 1);
	gan_must(n->end_line >= n->line || n->block);
	gan_must(n->end_line <= lines + 1);
	if (n->kind != GAN_YAML_SEQ && n->kind != GAN_YAML_MAP)
		gan_must(n->text != NULL && n->text[n->len] == '\0');
	for (const struct gan_yaml_node *c = n->child; c != NULL; c = c->next) {
		gan_must((c->key != NULL) == (n->kind == GAN_YAML_MAP));
		if (c->key != NULL)
			(void)walk(c->key, lines);
		(void)walk(c, lines);
		children++;
	}
	gan_must(children == n->nchild);
	return children;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text GAN_AUTO(gan_str_free) = fuzz_copy(data, size);
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_buf json GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_yaml *doc GAN_AUTO(gan_yaml_free) = NULL;
	const struct gan_yaml_node *root;
	struct gan_err err = { 0 };
	int lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n' || text[i] == '\r';
	if (gan_yaml_parse("f.yaml", text, size, &doc, &err) < 0) {
		gan_must(err.code != GAN_ENOMEM && strncmp(err.msg, "f.yaml:", 7) == 0);
		gan_diag_err(&d, &err);
		gan_must(d.errors == 1);
		return 0;
	}
	gan_must(gan_utf8_valid(text, size));
	root = gan_yaml_root(doc);
	if (root == NULL)
		return 0;
	(void)walk(root, lines);
	gan_yaml_json(root, &json);
	gan_must(gan_json_check(json.data, json.len, 2 * GAN_YAML_DEPTH, NULL, NULL) == GAN_OK);
	gan_diag_node(&d, GAN_DIAG_WARNING, doc, root, "look here");
	gan_must(d.warnings == 1);
	return 0;
}
