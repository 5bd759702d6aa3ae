/* SPDX-License-Identifier: MIT */
/* transfer_easy.c - one request as a curl easy handle: options, limits, verdict. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "outbound/transfer_priv.h"

static void
url_free(CURLU **up)
{
	curl_url_cleanup(gan_steal(up));
}

static void
curl_text_free(char **sp)
{
	curl_free(gan_steal(sp));
}

/* Does the URL have this part? */
static bool
url_has(CURLU *u, CURLUPart what)
{
	char *text GAN_AUTO(curl_text_free) = NULL;

	return curl_url_get(u, what, &text, 0) == CURLUE_OK && text != NULL;
}

int
gan_wire_url(struct gan_wire *req, const char *base, const char *path, struct gan_err *err)
{
	CURLU *u GAN_AUTO(url_free) = curl_url();
	char *prefix GAN_AUTO(curl_text_free) = NULL, *whole GAN_AUTO(curl_text_free) = NULL;
	char *joined GAN_AUTO(gan_str_free) = NULL;
	CURLUcode uc;
	size_t n;

	if (u == NULL)
		return gan_err_set(err, GAN_ENOMEM, "URL");
	uc = curl_url_set(u, CURLUPART_URL, base, CURLU_DISALLOW_USER);
	if (uc != CURLUE_OK)
		return gan_err_set(
		    err, GAN_EINVAL, "base_url \"%s\": %s", base, curl_url_strerror(uc));
	if (url_has(u, CURLUPART_QUERY) || url_has(u, CURLUPART_FRAGMENT))
		return gan_err_set(err, GAN_EINVAL,
		    "base_url \"%s\" has a query or a fragment: it must end with the path", base);
	if (curl_url_get(u, CURLUPART_PATH, &prefix, 0) != CURLUE_OK)
		return gan_err_set(err, GAN_ENOMEM, "URL");
	n = strlen(prefix);
	while (n > 0 && prefix[n - 1] == '/')
		n--;
	joined = gan_asprintf("%.*s%s", (int)n, prefix, path);
	if (joined == NULL)
		return gan_err_set(err, GAN_ENOMEM, "URL");
	uc = curl_url_set(u, CURLUPART_PATH, joined, 0);
	if (uc == CURLUE_OK)
		uc = curl_url_get(u, CURLUPART_URL, &whole, 0);
	if (uc != CURLUE_OK)
		return gan_err_set(
		    err, GAN_EINVAL, "path \"%s\": %s", joined, curl_url_strerror(uc));
	free(req->url);
	free(req->shown_url);
	req->url = strdup(whole);
	req->shown_url = strdup(whole);
	if (req->url == NULL || req->shown_url == NULL)
		return gan_err_set(err, GAN_ENOMEM, "URL");
	return GAN_OK;
}

static struct gan_transfer *
transfer_of(void *p)
{
	struct gan_transfer *t = p;

	gan_must(t != NULL && t->magic == GAN_TRANSFER_MAGIC);
	return t;
}

static bool
is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

		return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
	}
	if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a =
		    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

		return IN6_IS_ADDR_LOOPBACK(a) ||
		       (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
	}
	return false;
}

/* curl 7.88 never sets CLOEXEC; and http without TLS must not leave this machine. */
static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct gan_transfer *t = transfer_of(arg);

	(void)purpose;
	if (t->plain && !is_loopback(&a->addr))
		return CURL_SOCKET_BAD;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* The connection (with TLS) stands; from here on bytes of the request leave. */
static int
on_ready(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct gan_transfer *t = transfer_of(arg);

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	t->began = true;
	return CURL_PREREQFUNC_OK;
}

static bool
header_is(const char *line, size_t n, const char *name)
{
	size_t len = strlen(name);

	return n > len && line[len] == ':' && strncasecmp(line, name, len) == 0;
}

static void
keep_retry_after(struct gan_transfer *t, const char *line, size_t n)
{
	size_t from = sizeof("Retry-After:") - 1;

	while (from < n && (line[from] == ' ' || line[from] == '\t'))
		from++;
	while (n > from && strchr(" \t\r\n", line[n - 1]) != NULL)
		n--;
	if (t->retry_after == NULL)
		t->retry_after = gan_memdup(line + from, n - from);
}

static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
	struct gan_transfer *t = transfer_of(arg);
	size_t n = size * count;

	t->head_bytes += n;
	if (t->head_bytes > GAN_RESPONSE_HEAD_MAX) {
		t->head_flood = true;
		return 0;
	}
	if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) { /* an interim answer went before */
		gan_buf_clear(&t->head);
		gan_str_free(&t->retry_after);
		t->head_whole = false;
	}
	if (n <= 2 && line[n - 1] == '\n')
		t->head_whole = true;
	if (header_is(line, n, "Retry-After"))
		keep_retry_after(t, line, n);
	if (header_is(line, n, "Set-Cookie"))
		gan_buf_puts(&t->head, "Set-Cookie: (masked)\n");
	else
		for (size_t i = 0; i < n; i++)
			if (line[i] != '\r' && line[i] != '\0')
				gan_buf_putc(&t->head, line[i]);
	return n;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	struct gan_transfer *t = transfer_of(arg);
	size_t n = size * count, room = t->answer.max - t->answer.len;

	gan_buf_put(&t->answer, data, n < room ? n : room);
	if (n <= room)
		return n;
	t->body_flood = true;
	return 0;
}

static bool
has_header(const struct gan_wire *req, const char *name)
{
	for (size_t i = 0; i < req->nheaders; i++)
		if (strcasecmp(req->headers[i].name, name) == 0)
			return true;
	return false;
}

static int
copy_headers(struct gan_transfer *t, const struct gan_wire *req)
{
	/* No Expect: it would cost a round trip, and some servers do not know it. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	if (list == NULL)
		return GAN_ENOMEM;
	t->headers = list;
	/* Left alone, curl would say that no body at all is a form. */
	if (!has_header(req, "Content-Type")) {
		list = curl_slist_append(t->headers, "Content-Type:");
		if (list == NULL)
			return GAN_ENOMEM;
	}
	for (size_t i = 0; i < req->nheaders; i++) {
		const struct gan_header *h = &req->headers[i];
		char *line = gan_asprintf("%s: %s", h->name, h->value);

		list = line != NULL ? curl_slist_append(t->headers, line) : NULL;
		gan_secret_free(line, line != NULL ? strlen(line) : 0);
		if (list == NULL)
			return GAN_ENOMEM;
	}
	return GAN_OK;
}

static int
copy_request(struct gan_transfer *t, const struct gan_wire *req)
{
	for (size_t i = 0; i < req->nsecrets; i++) {
		t->secrets[i] = strdup(req->secrets[i]);
		if (t->secrets[i] == NULL)
			return GAN_ENOMEM;
		t->nsecrets++;
	}
	if (req->client_cert != NULL && req->client_key != NULL) {
		t->client_cert = strdup(req->client_cert);
		t->client_key = strdup(req->client_key);
		if (t->client_cert == NULL || t->client_key == NULL)
			return GAN_ENOMEM;
	}
	if (req->body != NULL) {
		t->body = gan_memdup(req->body, req->body_len);
		if (t->body == NULL)
			return GAN_ENOMEM;
		t->body_len = req->body_len;
	}
	return copy_headers(t, req);
}

#define SET(opt, val)                                                                              \
	do {                                                                                       \
		if (curl_easy_setopt(t->easy, opt, val) != CURLE_OK)                               \
			return GAN_ENOMEM;                                                         \
	} while (0)

/* What is the same for every request. */
static int
set_policy(struct gan_transfer *t)
{
	SET(CURLOPT_PROTOCOLS_STR, t->plain ? "http" : "https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_MAXREDIRS, 0L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_ACCEPT_ENCODING, NULL);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->answer.max);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
	SET(CURLOPT_USERAGENT, "gantry/" GAN_VERSION);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_OPENSOCKETDATA, t);
	SET(CURLOPT_PREREQFUNCTION, on_ready);
	SET(CURLOPT_PREREQDATA, t);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, t);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_ERRORBUFFER, t->error);
	SET(CURLOPT_PRIVATE, t);
	return GAN_OK;
}

/* From memory: files that change meanwhile count from the next reload on, as a whole. */
static int
set_certificate(struct gan_transfer *t)
{
	struct curl_blob cert = { .data = t->client_cert, .flags = CURL_BLOB_NOCOPY },
			 key = { .data = t->client_key, .flags = CURL_BLOB_NOCOPY };

	if (t->client_cert == NULL)
		return GAN_OK;
	cert.len = strlen(t->client_cert);
	key.len = strlen(t->client_key);
	SET(CURLOPT_SSLCERTTYPE, "PEM");
	SET(CURLOPT_SSLKEYTYPE, "PEM");
	SET(CURLOPT_SSLCERT_BLOB, &cert);
	SET(CURLOPT_SSLKEY_BLOB, &key);
	return GAN_OK;
}

static int
set_request(struct gan_transfer *t, const struct gan_wire *req)
{
	SET(CURLOPT_URL, req->url);
	SET(CURLOPT_HTTPHEADER, t->headers);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)req->total_ms);
	/* Without this a POST on a kept connection that dies is sent again by curl itself. */
	SET(CURLOPT_FRESH_CONNECT, req->repeatable ? 0L : 1L);
	SET(CURLOPT_FORBID_REUSE, req->repeatable ? 0L : 1L);
	SET(CURLOPT_MAXAGE_CONN, 30L);
	SET(CURLOPT_MAXLIFETIME_CONN, 300L);
	if (req->ca_file != NULL)
		SET(CURLOPT_CAINFO, req->ca_file);
	if (t->body != NULL) {
		SET(CURLOPT_POSTFIELDS, t->body);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_len);
	}
	/* One that may have a body and has none says so: "Content-Length: 0". */
	if (t->body == NULL && req->method[0] == 'P') {
		SET(CURLOPT_POSTFIELDS, "");
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
	}
	if (strcmp(req->method, t->body != NULL || req->method[0] == 'P' ? "POST" : "GET") != 0)
		SET(CURLOPT_CUSTOMREQUEST, req->method);
	return GAN_OK;
}

int
gan_transfer_setup(struct gan_transfer *t, const struct gan_wire *req, struct gan_err *err)
{
	int rc;

	t->plain = strncasecmp(req->url, "http://", 7) == 0;
	t->total_ms = req->total_ms;
	t->unscrubbed = req->answer_is_secret;
	t->answer.max = req->answer_max > 0 ? req->answer_max : GAN_RESPONSE_BODY_MAX;
	rc = copy_request(t, req);
	if (rc == GAN_OK)
		rc = set_policy(t);
	if (rc == GAN_OK)
		rc = set_certificate(t);
	if (rc == GAN_OK)
		rc = set_request(t, req);
	return rc == GAN_OK ? rc : gan_err_set(err, rc, "request to %s", req->shown_url);
}

/* A peer that repeats our secret must not put it into logs and the database. */
static int
scrub(struct gan_transfer *t, struct gan_response *r)
{
	for (size_t i = 0; i < t->nsecrets; i++)
		if (gan_scrub_add(&t->scrub, t->secrets[i], strlen(t->secrets[i])) < 0)
			return GAN_ENOMEM;
	if (!t->unscrubbed) {
		gan_scrub_text(&t->scrub, r->head, strlen(r->head));
		gan_scrub_text(&t->scrub, r->body, r->body_len);
	}
	r->scrub = &t->scrub;
	return GAN_OK;
}

static enum gan_sent
how_far(const struct gan_transfer *t, CURLcode code, int status)
{
	/* curl calls it a success when the peer closes in the middle of the headers. */
	if (code == CURLE_OK && !t->cancelled && status != 0 && t->head_whole)
		return GAN_COMPLETE;
	if (!t->began)
		return GAN_NOT_SENT;
	return status != 0 ? GAN_UNREADABLE : GAN_MAYBE_SENT;
}

/* curl says that it could not connect; the system said why. */
static void
explain_unsent(const struct gan_transfer *t, CURLcode code, const char *why, struct gan_response *r)
{
	long os = 0;

	if (code == CURLE_COULDNT_CONNECT && t->error[0] != '\0')
		(void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
	if (os != 0)
		snprintf(r->error, sizeof(r->error), "no connection: %s: %.*s", strerror((int)os),
		    (int)(strstr(why, ": ") != NULL ? strstr(why, ": ") - why : (int)strlen(why)),
		    why);
	else
		snprintf(r->error, sizeof(r->error), "no connection: %s", why);
}

static void
explain(const struct gan_transfer *t, CURLcode code, struct gan_response *r)
{
	const char *why = t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
	char took[32];

	if (r->sent == GAN_COMPLETE)
		return;
	/* curl's words for a reset that it did not see itself, but was told of by the loop. */
	if (strncmp(why, "select/poll", strlen("select/poll")) == 0)
		why = "the connection was reset";
	if (t->cancelled)
		snprintf(r->error, sizeof(r->error), "cut off because the gateway stops");
	else if (t->head_flood)
		snprintf(r->error, sizeof(r->error), "more than 64 KiB of headers in the answer");
	else if (t->body_flood || code == CURLE_FILESIZE_EXCEEDED)
		snprintf(r->error, sizeof(r->error), "the answer is larger than %zu MiB",
		    t->answer.max >> 20);
	else if (r->timed_out && t->began)
		snprintf(r->error, sizeof(r->error), "no complete answer within %s",
		    gan_duration_format(t->total_ms, took, sizeof(took)));
	else if (r->sent == GAN_NOT_SENT)
		explain_unsent(t, code, why, r);
	else if (r->sent == GAN_UNREADABLE && !t->head_whole)
		snprintf(r->error, sizeof(r->error), "the answer was cut off in its headers");
	else if (r->sent == GAN_UNREADABLE)
		snprintf(r->error, sizeof(r->error), "the answer was cut off: %s", why);
	else
		snprintf(r->error, sizeof(r->error), "no answer: %s", why);
}

static void
read_info(const struct gan_transfer *t, struct gan_response *r)
{
	long status = 0, port = 0, head = 0;
	curl_off_t up = 0;
	const char *ip = NULL;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_PORT, &port);
	(void)curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &head);
	(void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	if (curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK && ip != NULL &&
	    ip[0] != '\0')
		snprintf(r->remote, sizeof(r->remote),
		    strchr(ip, ':') != NULL ? "[%s]:%ld" : "%s:%ld", ip, port);
	r->status = status >= 200 && status <= 999 ? (int)status : 0;
	/* REQUEST_SIZE counts head and the body bytes that went with it. */
	r->bytes_sent = (uint64_t)head > (uint64_t)up ? (uint64_t)head : (uint64_t)up;
}

int
gan_transfer_conclude(struct gan_transfer *t, CURLcode code, struct gan_response *ret_resp)
{
	struct gan_response r = { 0 };

	read_info(t, &r);
	r.sent = how_far(t, code, r.status);
	r.started_ms = t->started_ms;
	r.ended_ms = gan_wall_ms();
	r.timed_out = code == CURLE_OPERATION_TIMEDOUT;
	r.cancelled = t->cancelled;
	r.cut = t->body_flood || t->head_flood || code == CURLE_FILESIZE_EXCEEDED;
	explain(t, code, &r);
	r.head = gan_buf_steal(&t->head, NULL);
	r.body = gan_buf_steal(&t->answer, &r.body_len);
	if (r.head == NULL || r.body == NULL || scrub(t, &r) < 0) {
		free(r.head);
		free(r.body);
		return GAN_ENOMEM;
	}
	r.retry_after = gan_steal(&t->retry_after);
	*ret_resp = r;
	return GAN_OK;
}

void
gan_transfer_clear(struct gan_transfer *t)
{
	for (struct curl_slist *h = t->headers; h != NULL; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(t->headers);
	t->headers = NULL;
	gan_secret_free(gan_steal(&t->body), t->body_len);
	gan_str_free(&t->client_cert);
	if (t->client_key != NULL)
		gan_secret_free(gan_steal(&t->client_key), strlen(t->client_key));
	for (size_t i = 0; i < t->nsecrets; i++)
		gan_secret_free(t->secrets[i], strlen(t->secrets[i]));
	t->nsecrets = 0;
	gan_scrub_fini(&t->scrub);
	gan_buf_fini(&t->head);
	gan_buf_fini(&t->answer);
	gan_str_free(&t->retry_after);
}
