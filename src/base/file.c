/* SPDX-License-Identifier: MIT */
/* file.c - see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

static int
code_of_errno(void)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return GAN_ENOENT;
	return errno == EACCES || errno == EPERM ? GAN_EPERM : GAN_EIO;
}

static int
read_all(int fd, const char *path, size_t max, struct gan_buf *b, struct gan_err *err)
{
	char chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gan_err_errno(err, GAN_EIO, "%s", path);
		if (b->len + (size_t)n > max)
			return gan_err_set(err, GAN_ELIMIT, "%s: larger than %zu bytes", path, max);
		gan_buf_put(b, chunk, (size_t)n);
	}
	gan_buf_put(b, "", 0);
	return b->failed ? gan_err_set(err, GAN_ENOMEM, "%s", path) : GAN_OK;
}

/* Somebody wrote while we read: what we have may be half of the old and half of the new. */
static bool
has_changed(int fd, const struct stat *before, size_t len)
{
	struct stat now;

	return fstat(fd, &now) != 0 || now.st_size != before->st_size ||
	       now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != before->st_mtim.tv_nsec || (size_t)now.st_size != len;
}

int
gan_file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, struct gan_err *err)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct stat st;
	int fd, rc;

	/* NONBLOCK: a FIFO in a configuration folder must not hang us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return gan_err_errno(err, (enum gan_code)code_of_errno(), "%s", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		rc = gan_err_set(err, GAN_EINVAL, "%s: not a regular file", path);
	else
		rc = read_all(fd, path, max, &b, err);
	if (rc == GAN_OK && has_changed(fd, &st, b.len))
		rc = gan_err_set(err, GAN_EBUSY, "%s: changed while it was read, try again", path);
	(void)close(fd);
	if (rc < 0)
		return rc;
	*ret_data = gan_buf_steal(&b, ret_len);
	return GAN_OK;
}

char *
gan_path_join(const char *dir, const char *name)
{
	return name[0] == '/' ? gan_asprintf("%s", name) : gan_asprintf("%s/%s", dir, name);
}

char *
gan_path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return gan_asprintf(".");
	return slash == path ? gan_asprintf("/") : gan_memdup(path, (size_t)(slash - path));
}

int
gan_folder_sync(const char *path, struct gan_err *err)
{
	char *dir GAN_AUTO(gan_str_free) = gan_path_dir(path);
	int fd, rc = GAN_OK;

	if (dir == NULL)
		return gan_err_set(err, GAN_ENOMEM, "syncing the folder of %s", path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = gan_err_errno(err, GAN_EIO, "syncing the folder of %s", path);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}
