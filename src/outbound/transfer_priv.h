/* SPDX-License-Identifier: MIT */
/* transfer_priv.h - shared by transfer.c (the loop) and transfer_easy.c (one request). */
#pragma once

#include <curl/curl.h>

#include "outbound/transfer.h"

#define GAN_TRANSFER_MAGIC UINT32_C(0x7452614e)

struct gan_transfer {
	uint32_t magic; /* travels through curl's void pointers */
	struct gan_transfers *all;
	struct gan_transfer *prev, *next; /* in all->active or all->over */
	CURL *easy;
	struct curl_slist *headers;
	char *body; /* own copy; curl reads from it */
	size_t body_len;
	char *client_cert, *client_key; /* own copies: curl reads them when it connects */
	char *secrets[GAN_REQUEST_SECRETS];
	size_t nsecrets;
	struct gan_scrub scrub; /* made of them when the answer is there */
	gan_transfer_fn cb;
	void *arg;
	bool plain;      /* http: only to this machine */
	bool unscrubbed; /* head and body come as they are */
	bool began;      /* the connection was handed to the request */
	bool head_flood; /* more header bytes than allowed */
	bool body_flood; /* more body bytes than allowed */
	bool cancelled;
	bool head_whole;   /* the empty line behind the headers came */
	size_t head_bytes; /* of all answers, interim ones too */
	struct gan_buf head, answer;
	char *retry_after;
	int64_t started_ms;
	int64_t total_ms;
	char error[CURL_ERROR_SIZE];
};

/* Everything of one request: options, buffers, headers. */
GAN_MUST_CHECK int gan_transfer_setup(
    struct gan_transfer *t, const struct gan_wire *req, struct gan_err *err);

/* What became of it. Owned members are moved out of t. Returns 0 or GAN_ENOMEM. */
GAN_MUST_CHECK int gan_transfer_conclude(
    struct gan_transfer *t, CURLcode code, struct gan_response *ret_resp);

/* Free everything but the easy handle. */
void gan_transfer_clear(struct gan_transfer *t);
