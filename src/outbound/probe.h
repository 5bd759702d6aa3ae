/* SPDX-License-Identifier: MIT */
/*
 * probe.h - was it carried out?  How an operation with `on_unknown: probe` is
 * looked for, as a row of data; and the reading of what the look brought.
 * Pure but for memory; look.c does the asking.
 *
 *	what was sent --gan_probe_ask()--> what to ask (page by page)
 *	answer --gan_probe_read()--> equal | different | not on this page
 *
 * Where an entry cannot be recognised by a code of its own, our mark
 * "gantry:<delivery id>" stands in a free text of it: gan_probe_mark() puts it
 * there before the request is sent the first time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define GAN_PROBE_PAGE 25                      /* entries of a whole page: fewer are the last one */
#define GAN_PROBE_PAGES_MAX 20                 /* then it is for a person */
#define GAN_PROBE_TOLERANCE_MS INT64_C(120000) /* between our clock and the peer's */

/* One value of the question. */
struct gan_probe_arg {
	const char *to; /* "$query.code" or "$path.id" of the operation that is asked */
	/*
	 * Where it is in what was sent: "code" of the body, "products[].product" of the first item
	 * of a list there, "$path.id", "$query.workers"; "@sent": when the first request left, a
	 * little earlier, as a date with zone.  One that is not there, null or "" is left out.
	 */
	const char *from;
};

/* Two values that must be equal: texts as they are, numbers as numbers, also where one side is a
 * text; a member that was not sent, or sent as null or "", is not compared. */
struct gan_probe_pair {
	const char
	    *sent; /* "quantity", "client.code", "products[].code": all of them, in any order */
	const char *seen; /* in the entry; NULL: the same */
};

struct gan_probe {
	const char *ask; /* the operation: "suppliers.list" */
	const struct gan_probe_arg *args;
	size_t nargs;
	bool paged; /* $query.page from 1 until fewer than GAN_PROBE_PAGE entries come */
	/* The member of the answer that holds the list; NULL: the answer is it, or is one entry. */
	const char *list;
	/*
	 * The answer is one entry, no list, and holds this member.  NULL: a list is expected, or
	 * one entry that holds the key.  Anything else says nothing about what is not there.
	 */
	const char *one;
	bool absent_404; /* a 404 means that it is not there */

	/* Look for each item of this list in the body; NULL: for the body itself. */
	const char *each;
	/* The member that names it, of the body (or item) and of the entry.  NULL: by the mark. */
	const char *key, *key_seen;
	/*
	 * The free text of the body that takes our mark, and where the entry shows it.  With a key
	 * beside it, an entry of that key without the mark is somebody else's: different.
	 */
	const char *mark, *mark_seen;
	const struct gan_probe_pair *equal;
	size_t nequal;
};

#define GAN_PROBE_MARK_LEN 48

/* "gantry:dlv_…" */
char *gan_probe_mark_of(int64_t delivery_id, char out[GAN_PROBE_MARK_LEN]);

/*
 * The output with the mark at the end of its free text, or as a new member;
 * all other bytes stay.  Without p->mark, or when the mark stands there
 * already, a copy.
 */
GAN_MUST_CHECK int gan_probe_mark(const struct gan_probe *p, const char *output, size_t len,
    const char *mark, struct gan_buf *out, struct gan_err *err);

/* What to ask, as a rule would write it. sent_ms: of the first request; page: from 1. */
GAN_MUST_CHECK int gan_probe_ask(const struct gan_probe *p, const char *output, size_t len,
    int64_t sent_ms, unsigned page, struct gan_buf *out, struct gan_err *err);

enum gan_probe_seen {
	GAN_PROBE_ABSENT,    /* not on the pages so far */
	GAN_PROBE_EQUAL,     /* there, and equal */
	GAN_PROBE_DIFFERENT, /* there, but not what was sent */
};

/* What the pages said so far. Zero it first. */
struct gan_probe_sight {
	enum gan_probe_seen seen;
	unsigned pages;
	size_t entries; /* looked at */
	size_t last;    /* of these, on the last page */
	size_t alike;   /* of these, those of our key or mark, compared in full */
	size_t found;   /* items of `each` found equal */
	char *entry;    /* JSON of what was found, to free(); an array with `each` */
	char text[400]; /* DIFFERENT: what differs */
	uint64_t items; /* of `each`: bit set of those found */
};
void gan_probe_sight_fini(struct gan_probe_sight *s);

/* One more page. GAN_EPARSE: the answer cannot be read, err says why. */
GAN_MUST_CHECK int gan_probe_read(const struct gan_probe *p, const char *output, size_t len,
    const char *mark, const char *answer, size_t answer_len, struct gan_probe_sight *s,
    struct gan_err *err);

/* Is there another page to look at? */
bool gan_probe_more(const struct gan_probe *p, const struct gan_probe_sight *s);
