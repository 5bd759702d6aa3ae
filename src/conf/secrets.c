/* SPDX-License-Identifier: MIT */
/* secrets.c - see secrets.h.  Bytes live in one buffer that is overwritten on every way out. */
#include "conf/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct bytes {
	char data[GAN_SECRET_MAX + 2]; /* one newline, and one byte to see that it is too much */
	size_t len;
};

static void
bytes_wipe(struct bytes *b)
{
	explicit_bzero(b->data, sizeof(b->data));
}

const char *
gan_secret_name(const char *text, size_t len)
{
	static const char prefix[] = "secret:";
	const char *name = text + sizeof(prefix) - 1;

	if (len < sizeof(prefix) || len > sizeof(prefix) - 1 + GAN_SECRET_NAME_MAX ||
	    strncmp(text, prefix, sizeof(prefix) - 1) != 0 || *name == '.')
		return NULL;
	if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
	    len - (sizeof(prefix) - 1))
		return NULL;
	return name;
}

void
gan_secret_fini(struct gan_secret *s)
{
	free(s->name);
	gan_secret_free(s->bytes, s->len);
	memset(s, 0, sizeof(*s));
}

static int
read_fd(int fd, const char *path, struct bytes *b, struct gan_err *err)
{
	ssize_t n;

	for (b->len = 0; b->len < sizeof(b->data); b->len += (size_t)n) {
		n = read(fd, b->data + b->len, sizeof(b->data) - b->len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return gan_err_errno(err, GAN_EIO, "%s", path);
		else if (n == 0)
			break;
	}
	if (b->len > 0 && b->data[b->len - 1] == '\n')
		b->len--;
	if (b->len > GAN_SECRET_MAX)
		return gan_err_set(
		    err, GAN_ELIMIT, "%s is larger than %d bytes", path, GAN_SECRET_MAX);
	return GAN_OK;
}

/* Who may touch the file.  A credential is guarded by systemd, whatever its mode. */
static int
check_file(int fd, const char *path, bool credential, struct gan_err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return gan_err_errno(err, GAN_EIO, "%s", path);
	if (!S_ISREG(st.st_mode))
		return gan_err_set(err, GAN_EINVAL, "%s is not a regular file", path);
	if (!credential && (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		return gan_err_set(err, GAN_EPERM,
		    "%s can be %s by every user of this machine, run: chmod o-rwx %s", path,
		    (st.st_mode & S_IROTH) != 0 ? "read" : "written", path);
	return GAN_OK;
}

static int
check_bytes(const struct bytes *b, const char *path, struct gan_err *err)
{
	if (b->len == 0)
		return gan_err_set(err, GAN_EINVAL, "%s is empty", path);
	for (size_t i = 0; i < b->len; i++) {
		unsigned char c = (unsigned char)b->data[i];

		if (c >= 0x20 && c != 0x7f)
			continue;
		if (c == '\n' || c == '\r')
			return gan_err_set(err, GAN_EINVAL,
			    "%s holds more than one line, or a carriage return: write the bare "
			    "value, printf %%s VALUE > FILE",
			    path);
		return gan_err_set(err, GAN_EINVAL,
		    "%s holds a control character (0x%02x) at byte %zu", path, c, i + 1);
	}
	return GAN_OK;
}

/* GAN_ENOENT is for the caller to try the next place. */
static int
read_file(const char *path, bool credential, struct gan_secret *ret, struct gan_err *err)
{
	struct bytes b GAN_AUTO(bytes_wipe) = { .len = 0 };
	int fd, rc;

	/* NONBLOCK: a FIFO must not hang us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return GAN_ENOENT;
	if (fd < 0)
		return gan_err_errno(err, errno == EACCES || errno == EPERM ? GAN_EPERM : GAN_EIO,
		    "%s cannot be read", path);
	rc = check_file(fd, path, credential, err);
	if (rc == GAN_OK)
		rc = read_fd(fd, path, &b, err);
	(void)close(fd);
	if (rc == GAN_OK)
		rc = check_bytes(&b, path, err);
	if (rc < 0)
		return rc;
	ret->bytes = gan_memdup(b.data, b.len);
	if (ret->bytes == NULL)
		return gan_err_set(err, GAN_ENOMEM, "%s: out of memory", path);
	ret->len = b.len;
	return GAN_OK;
}

/* One byte more than allowed is read, to see that it is too much. */
static int
read_whole(int fd, const char *path, size_t max, struct gan_secret *ret, struct gan_err *err)
{
	char *data = malloc(max + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (data == NULL)
		return gan_err_set(err, GAN_ENOMEM, "%s: out of memory", path);
	while (len <= max && n != 0) {
		n = read(fd, data + len, max + 1 - len);
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	if (n >= 0 && len > 0 && len <= max)
		ret->bytes = gan_memdup(data, len);
	gan_secret_free(data, max + 1);
	if (n < 0)
		return gan_err_errno(err, GAN_EIO, "%s", path);
	if (len == 0)
		return gan_err_set(err, GAN_EINVAL, "%s is empty", path);
	if (len > max)
		return gan_err_set(err, GAN_ELIMIT, "%s is larger than %zu bytes", path, max);
	if (ret->bytes == NULL)
		return gan_err_set(err, GAN_ENOMEM, "%s: out of memory", path);
	ret->len = len;
	return GAN_OK;
}

int
gan_secret_file(
    const char *path, bool secret, size_t max, struct gan_secret *ret, struct gan_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return gan_err_set(err, GAN_ENOENT, "there is no file %s", path);
	if (fd < 0)
		return gan_err_errno(err, errno == EACCES || errno == EPERM ? GAN_EPERM : GAN_EIO,
		    "%s cannot be read", path);
	rc = check_file(fd, path, !secret, err);
	if (rc == GAN_OK)
		rc = read_whole(fd, path, max, ret, err);
	(void)close(fd);
	return rc;
}

int
gan_secret_read(const char *name, const char *dir, struct gan_secret *ret, struct gan_err *err)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	char *path GAN_AUTO(gan_str_free) = NULL;
	int rc;

	for (size_t i = 0; credentials != NULL && i < 2; i++) {
		gan_str_free(&path);
		path = gan_asprintf("%s/%s%s", credentials, i == 0 ? "" : "gantry_", name);
		if (path == NULL)
			return gan_err_set(err, GAN_ENOMEM, "out of memory");
		rc = read_file(path, true, ret, err);
		if (rc != GAN_ENOENT)
			return rc;
	}
	gan_str_free(&path);
	path = gan_asprintf("%s/%s", dir, name);
	if (path == NULL)
		return gan_err_set(err, GAN_ENOMEM, "out of memory");
	rc = read_file(path, false, ret, err);
	if (rc == GAN_ENOENT)
		return gan_err_set(err, rc, "there is no file %s: write the secret into it", path);
	return rc;
}
