/* SPDX-License-Identifier: MIT */
/* spool.c - the file of the emergency spool; see spool.h. */
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"

#define VERSION 1
#define SLOT 512 /* bytes: torn alone */
#define SLOT_USED 40
#define CHUNK 65536     /* bytes read at once in search of a record */
#define FIRST_READ 4096 /* most records are no larger */
#define FLUSH (1 << 20)

static const char magic[8] = { 'G', 'A', 'N', 'S', 'P', 'O', 'O', 'L' };

struct gan_spool {
	char *path;
	int fd;
	bool broken;
	uint64_t file;         /* its random number */
	uint64_t count;        /* of the header slot in force */
	uint64_t floor;        /* up to this record they are in the database */
	uint64_t last;         /* newest record */
	int64_t size, allowed; /* of the file; of what may be used */
	int64_t at, end;       /* oldest record that waits; where the next one goes */
	int64_t records, lost;
	struct gan_buf in; /* the record that was read last */
	struct {
		struct gan_buf buf;
		int64_t end;
		uint64_t last;
		int64_t records;
		int rc;
	} group;
};

/* ---- bytes ----------------------------------------------------------------------- */

static int
write_at(struct gan_spool *sp, const void *p, size_t n, int64_t at, struct gan_err *err)
{
	const char *s = p;

	while (n > 0) {
		ssize_t put = pwrite(sp->fd, s, n, at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			sp->broken = true;
			return gan_err_errno(err, GAN_EIO, "writing %s", sp->path);
		}
		s += put;
		n -= (size_t)put;
		at += put;
	}
	return GAN_OK;
}

static int
sync_file(struct gan_spool *sp, struct gan_err *err)
{
	if (fdatasync(sp->fd) == 0)
		return GAN_OK;
	/* What was written may be lost although a second sync would say it is not. */
	sp->broken = true;
	return gan_err_errno(err, GAN_EIO, "syncing %s", sp->path);
}

/* Up to n bytes behind those that buf has; less at the end of the file only. */
static int
read_more(struct gan_spool *sp, struct gan_buf *buf, size_t n, int64_t at, struct gan_err *err)
{
	while (n > 0) {
		char part[CHUNK];
		ssize_t got = pread(sp->fd, part, n < sizeof(part) ? n : sizeof(part), at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return gan_err_errno(err, GAN_EIO, "reading %s", sp->path);
		if (got == 0)
			break;
		gan_buf_put(buf, part, (size_t)got);
		n -= (size_t)got;
		at += got;
	}
	return buf->failed ? gan_err_set(err, GAN_ENOMEM, "reading %s", sp->path) : GAN_OK;
}

/* ---- header ------------------------------------------------------------------------ */

/* The slots take turns, so that a torn one leaves the other. */
static int
put_header(struct gan_spool *sp, struct gan_err *err)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_buf tail GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_i64(&tail, (int64_t)sp->file);
	gan_buf_i64(&tail, (int64_t)(sp->count + 1));
	gan_buf_i64(&tail, (int64_t)sp->floor);
	gan_buf_put(&b, magic, sizeof(magic));
	gan_buf_u32(&b, VERSION);
	gan_buf_u32(&b, tail.failed ? 0 : gan_crc32c(0, tail.data, tail.len));
	gan_buf_put(&b, tail.data, tail.len);
	if (b.failed || tail.failed)
		return gan_err_set(err, GAN_ENOMEM, "%s", sp->path);
	sp->count++;
	return write_at(sp, b.data, b.len, (int64_t)(sp->count % 2) * SLOT, err);
}

static bool
slot_good(struct gan_spool *sp, const char *s)
{
	uint64_t count = gan_spool_number(s + 24, 8);

	if (memcmp(s, magic, sizeof(magic)) != 0 || gan_spool_number(s + 8, 4) != VERSION ||
	    gan_spool_number(s + 12, 4) != gan_crc32c(0, s + 16, SLOT_USED - 16))
		return false;
	if (count > sp->count) {
		sp->count = count;
		sp->file = gan_spool_number(s + 16, 8);
		sp->floor = gan_spool_number(s + 32, 8);
	}
	return true;
}

/* A crash while the file was made leaves nothing but zeros. */
static bool
is_half_made(const struct gan_buf *b)
{
	for (size_t i = 0; i < b->len; i++) {
		if (b->data[i] != '\0')
			return false;
	}
	return true;
}

static int
read_header(struct gan_spool *sp, struct gan_err *err)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	int rc = read_more(sp, &b, GAN_SPOOL_START + GAN_SPOOL_FRONT, 0, err);
	bool good = false;

	if (rc < 0)
		return rc;
	if (is_half_made(&b))
		return GAN_ENOENT;
	if (b.len < GAN_SPOOL_START || (memcmp(b.data, magic, sizeof(magic)) != 0 &&
					   memcmp(b.data + SLOT, magic, sizeof(magic)) != 0))
		return gan_err_set(err, GAN_ECONFIG,
		    "%s is no spool of Gantry: move it away, or correct store.path", sp->path);
	for (int i = 0; i < 2; i++)
		good = slot_good(sp, b.data + i * SLOT) || good;
	if (!good)
		return gan_err_set(err, GAN_ESTORE,
		    "%s is damaged, or of a newer version: webhooks may be in it; keep a copy and "
		    "move it away",
		    sp->path);
	return GAN_OK;
}

/* ---- reading ------------------------------------------------------------------------- */

/* The record at one place, into sp->in: as gan_spool_decode(). */
static int
record_at(struct gan_spool *sp, int64_t at, struct gan_spool_record *ret, struct gan_err *err)
{
	size_t size;
	int rc;

	gan_buf_clear(&sp->in);
	rc = read_more(sp, &sp->in, FIRST_READ, at, err);
	if (rc < 0)
		return rc;
	size = sp->in.len < 4 ? 0 : (size_t)gan_spool_number(sp->in.data, 4);
	if (size > GAN_SPOOL_RECORD_MAX)
		return GAN_EPARSE;
	if (size > sp->in.len)
		rc = read_more(sp, &sp->in, size - sp->in.len, at + (int64_t)sp->in.len, err);
	return rc < 0 ? rc : gan_spool_decode(sp->in.data, sp->in.len, sp->file, ret);
}

/*
 * The first record from at on that is newer than number: where records of earlier times lie behind
 * a torn or damaged one.  Its place, 0: none, or a failure.
 */
static int64_t
search(struct gan_spool *sp, int64_t at, uint64_t number, struct gan_err *err)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_spool_record rec;
	int rc;

	for (; at + GAN_SPOOL_FRONT <= sp->size; at += (int64_t)b.len - 16) {
		gan_buf_clear(&b);
		rc = read_more(sp, &b, CHUNK, at, err);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i + 24 <= b.len; i += 8) {
			if (gan_spool_number(b.data + i + 8, 8) != sp->file ||
			    gan_spool_number(b.data + i + 16, 8) <= number)
				continue;
			rc = record_at(sp, at + (int64_t)i, &rec, err);
			if (rc == GAN_EIO || rc == GAN_ENOMEM)
				return rc;
			if (rc > 0)
				return at + (int64_t)i;
		}
		if (b.len < CHUNK)
			break;
	}
	return 0;
}

void
gan_spool_first(const struct gan_spool *sp, struct gan_spool_cursor *ret_cur)
{
	*ret_cur = (struct gan_spool_cursor){ .at = sp->at, .number = sp->floor };
}

/* The next record that is newer than the cursor's; counts what is missing between. */
static int
next_record(struct gan_spool *sp, struct gan_spool_cursor *cur, struct gan_spool_record *ret,
    struct gan_err *err)
{
	int rc = record_at(sp, cur->at, ret, err);

	if (rc == 0 || rc == GAN_EIO || rc == GAN_ENOMEM)
		return rc;
	if (rc < 0 || ret->number <= cur->number) {
		int64_t at = search(sp, cur->at + 8, cur->number, err);

		if (at <= 0)
			return (int)at;
		cur->at = at;
		rc = record_at(sp, at, ret, err);
		if (rc <= 0)
			return rc;
	}
	cur->at += rc;
	cur->number = ret->number;
	cur->records++;
	return 1;
}

int
gan_spool_next(struct gan_spool *sp, struct gan_spool_cursor *cur, struct gan_spool_record *ret_rec,
    struct gan_err *err)
{
	int rc = cur->at >= sp->end ? 0 : next_record(sp, cur, ret_rec, err);

	/* Nothing good is left, even if there should be something. */
	if (rc == 0)
		cur->at = sp->end;
	return rc;
}

/* ---- emptied ----------------------------------------------------------------------------- */

/* Begin again at the start of the file; it says itself that nothing waits. */
static void
start_over(struct gan_spool *sp, struct gan_err *err)
{
	static const char end[8];
	int rc;

	gan_buf_fini(&sp->in);
	sp->floor = sp->last;
	sp->at = sp->end = GAN_SPOOL_START;
	sp->records = 0;
	rc = put_header(sp, err);
	if (rc == GAN_OK)
		rc = write_at(sp, end, sizeof(end), GAN_SPOOL_START, err);
	if (rc == GAN_OK)
		rc = sync_file(sp, err);
	/* The database knows better than the file: only other databases would read them again. */
	if (rc < 0)
		sp->broken = true;
}

void
gan_spool_imported(struct gan_spool *sp, const struct gan_spool_cursor *cur)
{
	if (cur->at >= sp->end || cur->number >= sp->last) {
		sp->lost += sp->records - cur->records;
		start_over(sp, NULL);
		return;
	}
	sp->records -= cur->records;
	sp->floor = cur->number;
	sp->at = cur->at;
}

/* ---- appending ----------------------------------------------------------------------------- */

static void
group_begin(struct gan_spool *sp)
{
	/* A large body is rare: its memory is not kept. */
	if (sp->group.buf.cap > 2 * FLUSH)
		gan_buf_fini(&sp->group.buf);
	gan_buf_clear(&sp->group.buf);
	sp->group.end = sp->end;
	sp->group.last = sp->last;
	sp->group.records = 0;
	sp->group.rc = GAN_OK;
}

static int
group_flush(struct gan_spool *sp, int64_t behind, struct gan_err *err)
{
	struct gan_buf *b = &sp->group.buf;
	int rc = write_at(sp, b->data, b->len, sp->group.end + behind - (int64_t)b->len, err);

	gan_buf_clear(b);
	return rc;
}

int
gan_spool_put(
    struct gan_spool *sp, const struct gan_ingest *in, int64_t maybe_id, struct gan_err *err)
{
	struct gan_spool_record rec = { .maybe_id = maybe_id, .in = *in };
	struct gan_buf *b = &sp->group.buf;
	size_t before = b->len;

	if (sp->broken)
		return gan_err_set(err, GAN_EIO, "%s failed before", sp->path);
	if (sp->group.records == 0)
		group_begin(sp);
	rec.number = sp->group.last + 1;
	gan_spool_encode(b, sp->file, &rec);
	if (b->failed) {
		/* A group is all or nothing. */
		sp->group.rc = gan_err_set(err, GAN_ENOMEM, "%s", sp->path);
		return GAN_ENOMEM;
	}
	/* Behind the last one there must be room to say so. */
	if (sp->group.end + (int64_t)(b->len - before) + 8 > sp->allowed ||
	    b->len - before > (size_t)GAN_SPOOL_RECORD_MAX) {
		b->len = before;
		b->data[before] = '\0';
		return gan_err_set(err, GAN_EFULL, "%s is full", sp->path);
	}
	sp->group.end += (int64_t)(b->len - before);
	sp->group.last++;
	sp->group.records++;
	if (b->len > FLUSH && group_flush(sp, 0, err) < 0)
		sp->group.rc = GAN_EIO;
	return sp->group.rc;
}

int
gan_spool_commit(struct gan_spool *sp, struct gan_err *err)
{
	static const char end[8];
	int rc = sp->group.rc;

	if (rc == GAN_OK && sp->group.records > 0) {
		gan_buf_put(&sp->group.buf, end, sizeof(end));
		rc = sp->group.buf.failed ? GAN_ENOMEM : group_flush(sp, (int64_t)sizeof(end), err);
		if (rc == GAN_OK)
			rc = sync_file(sp, err);
	}
	if (rc == GAN_OK) {
		sp->end = sp->group.end;
		sp->last = sp->group.last;
		sp->records += sp->group.records;
	} else if (sp->group.records > 0) {
		/* Its senders hear a refusal: let the next start find nothing, if that still works.
		 */
		(void)!pwrite(sp->fd, end, sizeof(end), sp->end);
	}
	group_begin(sp);
	return rc;
}

/* ---- open -------------------------------------------------------------------------------- */

static int
make(struct gan_spool *sp, int64_t size, struct gan_err *err)
{
	int rc = posix_fallocate(sp->fd, 0, size);

	if (rc != 0) {
		errno = rc;
		return gan_err_errno(err, rc == ENOSPC || rc == EDQUOT ? GAN_EFULL : GAN_EIO,
		    "no room for %s", sp->path);
	}
	gan_random(&sp->file, sizeof(sp->file));
	sp->size = size;
	rc = put_header(sp, err);
	if (rc == GAN_OK && fsync(sp->fd) != 0)
		rc = gan_err_errno(err, GAN_EIO, "syncing %s", sp->path);
	return rc < 0 ? rc : gan_folder_sync(sp->path, err);
}

/* An empty one gets the size that is wanted; nothing depends on it. */
static void
resize(struct gan_spool *sp, int64_t size)
{
	struct stat sb;

	if (sp->records == 0 && size > 0 && size != sp->size &&
	    posix_fallocate(sp->fd, 0, size) == 0 && ftruncate(sp->fd, size) == 0)
		sp->size = size;
	if (fstat(sp->fd, &sb) == 0)
		sp->size = sb.st_size;
	sp->allowed = size < sp->size ? size : sp->size;
}

/* Find what waits, and where the next one goes. */
static int
scan(struct gan_spool *sp, const struct gan_spool_mark *mark, struct gan_err *err)
{
	struct gan_spool_cursor cur = { .at = GAN_SPOOL_START };
	struct gan_spool_record rec;
	uint64_t floor = sp->floor;
	int rc;

	if (mark->file == sp->file && mark->number > floor)
		floor = mark->number;
	sp->floor = floor;
	sp->at = sp->end = GAN_SPOOL_START;
	/* What was imported is passed over, with the numbers in order as well. */
	while ((rc = next_record(sp, &cur, &rec, err)) > 0) {
		if (rec.number <= floor) {
			sp->at = cur.at;
		} else {
			uint64_t before = sp->last > floor ? sp->last : floor;

			sp->lost += (int64_t)(rec.number - before - 1);
			sp->records++;
		}
		sp->last = rec.number;
		sp->end = cur.at;
	}
	if (rc < 0)
		return rc;
	if (sp->last < floor)
		sp->last = floor;
	if (sp->records == 0 && sp->end > GAN_SPOOL_START)
		start_over(sp, NULL);
	return GAN_OK;
}

static int
make_or_read(
    struct gan_spool *sp, int64_t size, const struct gan_spool_mark *mark, struct gan_err *err)
{
	int rc = read_header(sp, err);

	if (rc == GAN_ENOENT && size > 0) {
		rc = make(sp, size, err);
		/* Half made: the next try makes it whole. */
		if (rc < 0)
			(void)!ftruncate(sp->fd, 0);
	}
	return rc < 0 ? rc : scan(sp, mark, err);
}

static int
open_file(
    struct gan_spool *sp, int64_t size, const struct gan_spool_mark *mark, struct gan_err *err)
{
	struct stat sb;
	int rc;

	sp->fd = open(sp->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (size > 0 ? O_CREAT : 0), 0600);
	if (sp->fd < 0 && errno == ENOENT && size == 0)
		return GAN_ENOENT;
	if (sp->fd < 0 || fstat(sp->fd, &sb) != 0)
		return gan_err_errno(err, errno == ENOSPC ? GAN_EFULL : GAN_ECONFIG,
		    "%s cannot be opened, this user must be able to write it", sp->path);
	if (!S_ISREG(sb.st_mode))
		return gan_err_set(err, GAN_ECONFIG, "%s must be a regular file", sp->path);
	sp->size = sb.st_size;
	rc = make_or_read(sp, size, mark, err);
	if (rc < 0)
		return rc;
	if (size == 0 && sp->records == 0) {
		(void)unlink(sp->path);
		return GAN_ENOENT;
	}
	resize(sp, size);
	return GAN_OK;
}

int
gan_spool_open(const char *path, int64_t size, const struct gan_spool_mark *mark,
    struct gan_spool **ret_sp, struct gan_err *err)
{
	struct gan_spool *sp GAN_AUTO(gan_spool_free) = calloc(1, sizeof(*sp));
	int rc;

	if (sp != NULL)
		sp->path = gan_asprintf("%s", path);
	if (sp == NULL || sp->path == NULL)
		return gan_err_set(err, GAN_ENOMEM, "opening %s", path);
	sp->fd = -1;
	rc = open_file(sp, size, mark, err);
	if (rc == GAN_OK)
		*ret_sp = gan_steal(&sp);
	return rc;
}

void
gan_spool_free(struct gan_spool **spp)
{
	struct gan_spool *sp = gan_steal(spp);

	if (sp == NULL)
		return;
	if (sp->fd >= 0)
		(void)close(sp->fd);
	gan_buf_fini(&sp->in);
	gan_buf_fini(&sp->group.buf);
	free(sp->path);
	free(sp);
}

void
gan_spool_figures(const struct gan_spool *sp, struct gan_spool_figures *ret)
{
	*ret = (struct gan_spool_figures){ .records = sp->records,
		.bytes = sp->end - GAN_SPOOL_START,
		.size = sp->allowed,
		.lost = sp->lost,
		.broken = sp->broken };
}

const char *
gan_spool_path(const struct gan_spool *sp)
{
	return sp->path;
}

uint64_t
gan_spool_file(const struct gan_spool *sp)
{
	return sp->file;
}
