/* SPDX-License-Identifier: MIT */
/* outbox_priv.h - shared by outbox.c and outbox_read.c only. */
#pragma once

#include "store/store_priv.h"

/* A cursor is a place and whose outbox it is of: that of another reader must not do. */
#define GAN_CURSOR_LEN (GAN_ID_LEN + 65)
const char *gan_cursor_write(int64_t pos, const char *connector, char out[GAN_CURSOR_LEN]);
bool gan_cursor_read(const char *text, const char *connector, int64_t *ret_pos);

/* The last place given, and how far it was told and acknowledged; all 0 before the first. */
struct gan_reader {
	int64_t last, shown, acked;
};
GAN_MUST_CHECK int gan_reader_get(
    struct gan_store *s, const char *connector, struct gan_reader *ret);

/* Out of the outbox: expired, or waiting, in its old place among those of its key. */
GAN_MUST_CHECK int gan_outbox_expire(struct gan_store *s, struct gan_dlv *d, int64_t now_ms);
GAN_MUST_CHECK int gan_outbox_back(struct gan_store *s, struct gan_dlv *d, int64_t now_ms);
