/* SPDX-License-Identifier: MIT */
/*
 * rule_files.c - the files that a rule set is made of: found in the rules
 * folder, named by rules, packed into one blob and taken out of it again.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "mapping/frame.h"
#include "mapping/rules_priv.h"

enum { SCANS = 5 }; /* of a folder that changes while it is read */

static const char magic[] = "gantry-rules-1";

static void
file_free(struct gan_rule_file **fp)
{
	struct gan_rule_file *f = gan_steal(fp);

	if (f == NULL)
		return;
	free(f->name);
	free(f->data);
	free(f->table);
	free(f);
}

void
gan_rule_files_fini(struct gan_rule_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		file_free(&f->items[i]);
	free(f->items);
	memset(f, 0, sizeof(*f));
}

/* Takes data over, also on failure. */
static struct gan_rule_file *
add(struct gan_rule_files *f, const char *name, size_t name_len, char *data, size_t len, bool rule)
{
	GAN_AUTO(file_free) struct gan_rule_file *file = calloc(1, sizeof(*file));

	if (file == NULL) {
		free(data);
		return NULL;
	}
	file->data = data;
	file->len = len;
	file->rule = rule;
	file->name = gan_memdup(name, name_len);
	if (f->n == f->cap) {
		size_t cap = f->cap == 0 ? 16 : f->cap * 2;
		struct gan_rule_file **items = realloc(f->items, cap * sizeof(*items));

		if (items == NULL)
			return NULL;
		f->items = items;
		f->cap = cap;
	}
	if (file->name == NULL || data == NULL)
		return NULL;
	f->items[f->n++] = gan_steal(&file);
	return f->items[f->n - 1];
}

static int
wanted(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 5 &&
	       (strcmp(e->d_name + n - 5, ".yaml") == 0 || strcmp(e->d_name + n - 4, ".yml") == 0);
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
names_free(struct dirent **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* "rules.d" for people: what the folder is called inside the folder of gantry.yaml. */
static const char *
folder_name(const struct gan_config *conf)
{
	size_t n = strlen(conf->dir);
	const char *rules = conf->mapping.rules, *slash = strrchr(rules, '/');

	if (strncmp(rules, conf->dir, n) == 0 && rules[n] == '/')
		return rules + n + 1;
	return slash != NULL ? slash + 1 : rules;
}

static bool
is_folder(const char *real, const char *path)
{
	GAN_AUTO(gan_str_free) char *other = path != NULL ? realpath(path, NULL) : NULL;

	return other != NULL && strcmp(real, other) == 0;
}

/*
 * Rules are kept in the database and sent about: no secret may get into them.
 * The database itself must not even be opened: closing it again would take its
 * locks away.
 */
static int
check_private(
    const struct gan_rule_files *f, const char *path, const char *name, struct gan_err *err)
{
	GAN_AUTO(gan_str_free) char *real = realpath(path, NULL);
	GAN_AUTO(gan_str_free) char *folder = real != NULL ? gan_path_dir(real) : NULL;
	struct stat st, db;

	if (folder != NULL &&
	    (is_folder(folder, f->secrets) || is_folder(folder, getenv("CREDENTIALS_DIRECTORY"))))
		return gan_err_set(err, GAN_EPERM,
		    "'%s' lies in the folder of secrets: no rule may read it", name);
	if (f->database != NULL && stat(path, &st) == 0 && stat(f->database, &db) == 0 &&
	    st.st_dev == db.st_dev && st.st_ino == db.st_ino)
		return gan_err_set(
		    err, GAN_EPERM, "'%s' is the database of gantryd: no rule may read it", name);
	return GAN_OK;
}

/* Does real lie in the folder dir, at whatever depth? */
static bool
lies_in(const char *real, const char *dir)
{
	GAN_AUTO(gan_str_free) char *top = realpath(dir, NULL);
	size_t n = top != NULL ? strlen(top) : 0;

	if (n == 1)
		n = 0; /* "/" */
	return top != NULL && strncmp(real, top, n) == 0 && real[n] == '/';
}

/* Symbolic links may lead about, but not out; also: where they may lead to as well, or NULL. */
static int
stays_inside(
    const char *dir, const char *also, const char *path, const char *name, struct gan_err *err)
{
	GAN_AUTO(gan_str_free) char *real = realpath(path, NULL);

	if (real == NULL)
		return errno == ENOENT ? gan_err_set(err, GAN_ENOENT, "there is no file '%s'", name)
				       : gan_err_errno(err, GAN_EIO, "'%s' cannot be read", name);
	if (!lies_in(real, dir) && (also == NULL || !lies_in(real, also)))
		return gan_err_set(
		    err, GAN_EPERM, "'%s' leads out of the folder of gantry.yaml", name);
	return GAN_OK;
}

static int
read_rule(
    struct gan_rule_files *f, const struct gan_config *conf, const char *name, struct gan_diags *d)
{
	GAN_AUTO(gan_str_free) char *path = gan_path_join(conf->mapping.rules, name);
	GAN_AUTO(gan_str_free) char *shown = gan_asprintf("%s/%s", folder_name(conf), name);
	struct gan_err err = { 0 };
	struct stat st;
	char *data = NULL;
	size_t len = 0;

	if (path == NULL || shown == NULL)
		return GAN_ENOMEM;
	if (stat(path, &st) < 0) {
		gan_diag_file(d, GAN_DIAG_ERROR, shown, "cannot be read: %s", strerror(errno));
		return GAN_OK;
	}
	if (!S_ISREG(st.st_mode)) {
		gan_diag_file(d, GAN_DIAG_WARNING, shown, "not read: this is no regular file");
		return GAN_OK;
	}
	if (strcmp(name + strlen(name) - 4, ".yml") == 0) {
		gan_diag_file(
		    d, GAN_DIAG_WARNING, shown, "not read: the names of rule files end in .yaml");
		return GAN_OK;
	}
	int rc = stays_inside(conf->dir, conf->mapping.rules, path, shown, &err);
	if (rc == GAN_OK)
		rc = check_private(f, path, shown, &err);
	if (rc == GAN_OK)
		rc = gan_file_read(path, GAN_RULE_FILE_MAX, &data, &len, &err);
	if (rc == GAN_ENOMEM)
		return rc;
	if (rc == GAN_ELIMIT)
		gan_diag_file(d, GAN_DIAG_ERROR, shown, "larger than 1MiB");
	else if (rc < 0)
		gan_diag_file(d, GAN_DIAG_ERROR, shown, "%s", err.msg);
	if (rc < 0)
		return GAN_OK;
	f->rule_bytes += len;
	return add(f, shown, strlen(shown), data, len, true) != NULL ? GAN_OK : GAN_ENOMEM;
}

/* -1: told why not. */
static int
list(const struct gan_config *conf, struct dirent ***ret_names, struct gan_diags *d)
{
	int n = scandir(conf->mapping.rules, ret_names, wanted, by_bytes);

	if (n < 0)
		gan_diag_file(d, GAN_DIAG_ERROR, conf->mapping.rules,
		    "the rules folder cannot be read: %s; create it or change mapping.rules",
		    strerror(errno));
	if (n <= GAN_RULE_FILES_MAX)
		return n;
	gan_diag_file(
	    d, GAN_DIAG_ERROR, folder_name(conf), "more than %d rule files", GAN_RULE_FILES_MAX);
	names_free(*ret_names, n);
	return -1;
}

static int
read_rules(struct gan_rule_files *f, const struct gan_config *conf, struct dirent **names, int n,
    struct gan_diags *d)
{
	for (int i = 0; i < n; i++) {
		if (read_rule(f, conf, names[i]->d_name, d) < 0)
			return GAN_ENOMEM;
		if (f->rule_bytes <= GAN_RULES_MAX)
			continue;
		gan_diag_file(d, GAN_DIAG_ERROR, folder_name(conf),
		    "the rule files together are larger than %zuMiB", GAN_RULES_MAX >> 20);
		break;
	}
	return GAN_OK;
}

static bool
same_names(struct dirent **a, int na, struct dirent **b, int nb)
{
	if (na != nb)
		return false;
	for (int i = 0; i < na; i++)
		if (strcmp(a[i]->d_name, b[i]->d_name) != 0)
			return false;
	return true;
}

/* The folder itself; all zero when there is none. */
static struct stat
look(const struct gan_config *conf)
{
	struct stat st;

	if (stat(conf->mapping.rules, &st) != 0)
		memset(&st, 0, sizeof(st));
	return st;
}

/*
 * One look at the folder.  *ret_still: nobody added, renamed or removed a file
 * meanwhile.  Its time may be a tick of the clock late, so the names are
 * compared too.
 */
static int
scan(struct gan_rule_files *f, const struct gan_config *conf, struct gan_diags *d, bool *ret_still)
{
	struct stat before = look(conf), now;
	struct dirent **names = NULL, **after = NULL;
	int n = list(conf, &names, d), nafter, rc;

	*ret_still = true;
	if (n < 0)
		return GAN_OK;
	rc = read_rules(f, conf, names, n, d);
	nafter = scandir(conf->mapping.rules, &after, wanted, by_bytes);
	now = look(conf);
	*ret_still = nafter >= 0 && same_names(names, n, after, nafter) &&
		     now.st_ino == before.st_ino && now.st_mtim.tv_sec == before.st_mtim.tv_sec &&
		     now.st_mtim.tv_nsec == before.st_mtim.tv_nsec;
	names_free(names, n);
	if (nafter >= 0)
		names_free(after, nafter);
	return rc;
}

int
gan_rule_files_scan(struct gan_rule_files *f, const struct gan_config *conf, struct gan_diags *d)
{
	for (int i = 0; i < SCANS; i++) {
		GAN_AUTO(gan_diags_fini) struct gan_diags found = { 0 };
		bool still;

		gan_rule_files_fini(f);
		f->dir = conf->dir;
		f->secrets = conf->secrets_dir;
		f->database = conf->store.path;
		int rc = scan(f, conf, &found, &still);
		if (rc < 0)
			return rc;
		if (!still)
			continue;
		gan_diags_add(d, &found);
		return GAN_OK;
	}
	gan_diag_file(d, GAN_DIAG_ERROR, folder_name(conf),
	    "files come and go while the folder is read: reload again when it is still");
	return GAN_OK;
}

/* A relative path without "..": where it leads to is looked at by stays_inside(). */
static int
check_name(const char *name, struct gan_err *err)
{
	if (name[0] == '/')
		return gan_err_set(err, GAN_EINVAL,
		    "'%s' is absolute; paths in a rule start at the folder of gantry.yaml", name);
	for (const char *p = name; p != NULL; p = strchr(p, '/')) {
		p += *p == '/';
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return gan_err_set(err, GAN_EINVAL,
			    "'%s' is not a plain path inside the folder of gantry.yaml", name);
	}
	return GAN_OK;
}

int
gan_rule_files_get(struct gan_rule_files *f, const char *name, size_t max,
    struct gan_rule_file **ret_file, struct gan_err *err)
{
	char *data = NULL;
	size_t len = 0;
	int rc = check_name(name, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->items[i]->name, name) == 0) {
			*ret_file = f->items[i];
			return GAN_OK;
		}
	}
	if (f->dir == NULL)
		return gan_err_set(err, GAN_ENOENT, "the packed rules hold no file '%s'", name);
	GAN_AUTO(gan_str_free) char *path = gan_path_join(f->dir, name);
	if (path == NULL)
		return gan_err_set(err, GAN_ENOMEM, "out of memory");
	rc = stays_inside(f->dir, NULL, path, name, err);
	if (rc == GAN_OK)
		rc = check_private(f, path, name, err);
	if (rc < 0)
		return rc;
	rc = gan_file_read(path, max, &data, &len, err);
	if (rc == GAN_ELIMIT)
		return gan_err_set(err, rc, "'%s' is larger than %zu MiB", name, max >> 20);
	if (rc < 0)
		return rc;
	struct gan_rule_file *file = add(f, name, strlen(name), data, len, false);
	if (file == NULL)
		return gan_err_set(err, GAN_ENOMEM, "out of memory");
	*ret_file = file;
	return GAN_OK;
}

int
gan_rule_files_pack(const struct gan_rule_files *f, struct gan_buf *out)
{
	gan_frame_text(out, magic);
	gan_buf_u32(out, (uint32_t)f->n);
	for (size_t i = 0; i < f->n; i++) {
		gan_buf_u32(out, f->items[i]->rule);
		gan_frame_text(out, f->items[i]->name);
		gan_frame_bytes(out, f->items[i]->data, f->items[i]->len);
	}
	return out->failed ? GAN_ENOMEM : GAN_OK;
}

int
gan_rule_files_unpack(struct gan_rule_files *f, const void *blob, size_t len, struct gan_err *err)
{
	struct gan_frame_in in = { .p = blob, .left = len };
	const char *head = gan_frame_str(&in, NULL);
	uint32_t n = gan_frame_u32(&in);

	if (in.bad || !gan_streq(head, magic))
		return gan_err_set(err, GAN_EPARSE, "this is no packed rule set");
	for (uint32_t i = 0; i < n && !in.bad; i++) {
		size_t name_len, data_len;
		bool rule = gan_frame_u32(&in) != 0;
		const char *name = gan_frame_str(&in, &name_len);
		const char *data = gan_frame_str(&in, &data_len);

		if (name == NULL || data == NULL || strlen(name) != name_len)
			break;
		if (add(f, name, name_len, gan_memdup(data, data_len), data_len, rule) == NULL)
			return gan_err_set(err, GAN_ENOMEM, "out of memory");
	}
	if (in.bad || f->n != n || in.left != 0)
		return gan_err_set(err, GAN_EPARSE, "the packed rule set is damaged");
	return GAN_OK;
}
