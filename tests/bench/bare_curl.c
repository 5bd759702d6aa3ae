/* SPDX-License-Identifier: MIT */
/*
 * bare_curl.c - the ceiling of delivering: libcurl's multi interface posts the
 * same body again and again, N at a time, with nothing around it.
 *
 *	bare_curl URL SECONDS N [fresh]		prints one JSON object
 *
 * fresh: a connection for each request, as for every request that must not be
 * repeated by libcurl itself.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"

static char body[700];
static long done, failed;

static size_t
swallow(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static CURL *
request(const char *url, bool fresh, struct curl_slist *headers)
{
	CURL *h = curl_easy_init();

	gan_must(h != NULL);
	(void)curl_easy_setopt(h, CURLOPT_URL, url);
	(void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	(void)curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, (long)sizeof(body));
	(void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, swallow);
	(void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(h, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, 10000L);
	(void)curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
	(void)curl_easy_setopt(h, CURLOPT_FORBID_REUSE, fresh ? 1L : 0L);
	return h;
}

static void
again(CURLM *m)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(m, &left)) != NULL) {
		CURL *h = msg->easy_handle;
		long status = 0;

		(void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
		if (msg->data.result == CURLE_OK && status == 200)
			done++;
		else
			failed++;
		gan_must(curl_multi_remove_handle(m, h) == CURLM_OK);
		gan_must(curl_multi_add_handle(m, h) == CURLM_OK);
	}
}

int
main(int argc, char **argv)
{
	bool fresh = argc > 4 && strcmp(argv[4], "fresh") == 0;
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	int64_t start, end;
	struct rusage u;
	double took, cpu;
	int running;
	CURLM *m;

	if (argc < 4 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return 64;
	headers = curl_slist_append(headers, "Expect:");
	memset(body, ' ', sizeof(body));
	memcpy(body, "{}", 2);
	m = curl_multi_init();
	gan_must(m != NULL && headers != NULL);
	for (long i = 0; i < strtol(argv[3], NULL, 10); i++)
		gan_must(curl_multi_add_handle(m, request(argv[1], fresh, headers)) == CURLM_OK);
	start = gan_mono_us();
	end = start + strtol(argv[2], NULL, 10) * 1000000;
	while (gan_mono_us() < end) {
		gan_must(curl_multi_perform(m, &running) == CURLM_OK);
		again(m);
		gan_must(curl_multi_poll(m, NULL, 0, 100, NULL) == CURLM_OK);
	}
	took = (double)(gan_mono_us() - start) / 1e6;
	(void)getrusage(RUSAGE_SELF, &u);
	cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	      (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	(void)printf("{\"fresh\":%s,\"ok\":%ld,\"failed\":%ld,\"rate\":%.0f,\"cpu_us\":%.1f}\n",
	    fresh ? "true" : "false", done, failed, (double)done / took,
	    done == 0 ? 0 : cpu / (double)done);
	return done > 0 && failed == 0 ? 0 : 1;
}
