/* SPDX-License-Identifier: MIT */
/* test_signature.c - every form that a sender may mean, and no other. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/signature.h"
#include "json/cj.h"

#define SHA256_NAME "x-prodsmart-hmac-sha256"
#define SHA1_NAME "x-prodsmart-hmac-sha1"
#define KEY "igw-test-secret"
#define BODY "{\"id\":111}"
/* HMAC of BODY with KEY, in every spelling of the bytes. */
#define S1_HEX "9fa4246350412dda705c24cb38078a82756177f0"
#define S1_B64 "n6QkY1BBLdpwXCTLOAeKgnVhd/A="
#define S1_URL "n6QkY1BBLdpwXCTLOAeKgnVhd_A"
#define S1_B64HEX "OWZhNDI0NjM1MDQxMmRkYTcwNWMyNGNiMzgwNzhhODI3NTYxNzdmMA=="
#define S2_HEX "ea9daa56655b5c29a17384a1bd42c5cbdcffac9989d927887bd387f3abff7c36"
#define S2_B64 "6p2qVmVbXCmhc4ShvULFy9z/rJmJ2SeIe9OH86v/fDY="
#define S2_URL "6p2qVmVbXCmhc4ShvULFy9z_rJmJ2SeIe9OH86v_fDY"
#define S2_B64HEX                                                                                  \
	"ZWE5ZGFhNTY2NTViNWMyOWExNzM4NGExYmQ0MmM1Y2JkY2ZmYWM5OTg5ZDkyNzg4N2JkMzg3ZjNhYmZmN2MzNg=="

static struct gan_conf_source conf;
static struct gan_signer *signer;
static struct gan_signature sig;
static struct gan_err err;

static void
open_with(const char *first, size_t len, const char *second)
{
	static char name[] = "prodsmart", one[] = "one", two[] = "two";
	static char bytes[2][8192];

	gan_signer_free(&signer);
	memcpy(bytes[0], first, len);
	conf.name = name;
	conf.kind = GAN_SOURCE_WEBHOOK;
	conf.secrets[0] = (struct gan_secret){ one, bytes[0], len };
	conf.nsecrets = 1;
	if (second != NULL) {
		(void)snprintf(bytes[1], sizeof(bytes[1]), "%s", second);
		conf.secrets[1] = (struct gan_secret){ two, bytes[1], strlen(second) };
		conf.nsecrets = 2;
	}
	ck_assert_msg(gan_signer_new(&conf, &signer, &err) == GAN_OK, "%s", err.msg);
}

static void
setup(void)
{
	memset(&conf, 0, sizeof(conf));
	open_with(KEY, strlen(KEY), NULL);
}

static void
teardown(void)
{
	gan_signer_free(&signer);
}

static int
verify(const char *name, const char *value, const void *body, size_t len)
{
	struct gan_header h[] = { { .name = "Host", .value = "a" },
		{ .name = name, .value = value } };

	return gan_signature_verify(signer, h, 2, body, len, &sig, &err);
}

static int
verify_body(const char *value)
{
	return verify(SHA256_NAME, value, BODY, strlen(BODY));
}

static const struct {
	const char *value;
	enum gan_digest alg;
	enum gan_sig_encoding enc;
} forms[] = {
	{ S1_HEX, GAN_SHA1, GAN_SIG_HEX },
	{ "9FA4246350412DDA705C24CB38078A82756177F0", GAN_SHA1, GAN_SIG_HEX },
	{ S1_B64, GAN_SHA1, GAN_SIG_BASE64 },
	{ S1_URL, GAN_SHA1, GAN_SIG_BASE64 },
	{ S1_URL "=", GAN_SHA1, GAN_SIG_BASE64 },
	{ S1_B64HEX, GAN_SHA1, GAN_SIG_BASE64HEX },
	{ "OWZhNDI0NjM1MDQxMmRkYTcwNWMyNGNiMzgwNzhhODI3NTYxNzdmMA", GAN_SHA1, GAN_SIG_BASE64HEX },
	{ S2_HEX, GAN_SHA256, GAN_SIG_HEX },
	{ S2_B64, GAN_SHA256, GAN_SIG_BASE64 },
	{ S2_URL, GAN_SHA256, GAN_SIG_BASE64 },
	{ S2_B64HEX, GAN_SHA256, GAN_SIG_BASE64HEX },
	{ " " S1_HEX "\t", GAN_SHA1, GAN_SIG_HEX },
	{ "\"" S1_HEX "\"", GAN_SHA1, GAN_SIG_HEX },
	{ " \" " S2_B64 " \" ", GAN_SHA256, GAN_SIG_BASE64 },
	{ "sha1=" S1_HEX, GAN_SHA1, GAN_SIG_HEX },
	{ "sha1hash=" S1_HEX, GAN_SHA1, GAN_SIG_HEX },
	{ "SHA256=" S2_HEX, GAN_SHA256, GAN_SIG_HEX },
	{ "\"sha256=" S2_B64 "\"", GAN_SHA256, GAN_SIG_BASE64 },
};

START_TEST(every_form_is_understood)
{
	for (size_t i = 0; i < GAN_COUNT(forms); i++) {
		ck_assert_msg(verify_body(forms[i].value) == GAN_OK, "%zu: %s", i, err.msg);
		ck_assert_int_eq(sig.algorithm, forms[i].alg);
		ck_assert_int_eq(sig.encoding, forms[i].enc);
		ck_assert_uint_eq(sig.secret, 1);
		ck_assert_str_eq(sig.header, SHA256_NAME);
		/* The name does not choose the algorithm, nor does its case matter. */
		ck_assert_int_eq(
		    verify("X-Prodsmart-HMAC-SHA1", forms[i].value, BODY, strlen(BODY)), GAN_OK);
		ck_assert_str_eq(sig.header, SHA1_NAME);
	}
}
END_TEST

START_TEST(bodies_are_raw_bytes)
{
	static const struct {
		const char *body;
		const char *values[4];
	} cases[] = {
		{ "{  \"id\": 111}",
		    { "c5628f1a5f81153b1b46d3d7e0a5b72c12559b58", "xWKPGl+BFTsbRtPX4KW3LBJVm1g=",
			"67614369872bdd4284bd2e9202fb8ff084ed2285ec00c3420da49c23007a59dd",
			"Z2FDaYcr3UKEvS6SAvuP8ITtIoXsAMNCDaScIwB6Wd0=" } },
		{ "", { "3a59bd9bf4490ac6ae9a8adf8675d9baeb09d32e", "Olm9m/RJCsaumorfhnXZuusJ0y4=",
			  "59cb8f22fbff0b7effc77608c0ea64af27806e403f7a47b4fd9b483d189f4e81",
			  "WcuPIvv/C37/x3YIwOpkryeAbkA/eke0/ZtIPRifToE=" } },
		{ "{\"code\":\"Gr\xc3\xb6\xc3\x9f\x65 \xe2\x80\x93 1\"}",
		    { "fa340b66e959bcba2874631965ee201385e80b89", "+jQLZulZvLoodGMZZe4gE4XoC4k=",
			"67bfaecd33cce3c0fc96d8ce133ceba5dde0aa452ed2458bc01ae4dd03e4c6b2",
			"Z7+uzTPM48D8ltjOEzzrpd3gqkUu0kWLwBrk3QPkxrI=" } },
	};
	char k100[100];

	for (size_t i = 0; i < GAN_COUNT(cases); i++)
		for (size_t j = 0; j < 4; j++)
			ck_assert_int_eq(verify(SHA1_NAME, cases[i].values[j], cases[i].body,
					     strlen(cases[i].body)),
			    GAN_OK);
	memset(k100, 'k', sizeof(k100));
	open_with(k100, sizeof(k100), NULL);
	ck_assert_int_eq(verify(SHA1_NAME, "3257a0eb9f1e821003854c2f9f172625d63685ab", "[]", 2), 0);
	ck_assert_int_eq(verify(SHA1_NAME, "Mleg658eghADhUwvnxcmJdY2has=", "[]", 2), 0);
	ck_assert_int_eq(
	    verify(SHA1_NAME, "u+L5Xn8gxU1gDcjPpXFk/88iDb3SW8303HFPiRPWFBY=", "[]", 2), 0);
}
END_TEST

static const char *const forgeries[] = {
	/* nothing, or not a digest */
	"",
	" ",
	"\"\"",
	"sha1=",
	"sha256=",
	"=",
	"0",
	"null",
	"true",
	"sha1",
	/* cut and extended */
	"9fa4246350412dda705c24cb38078a82756177f",
	"9fa4246350412dda705c24cb38078a82756177",
	"9fa42463",
	S1_HEX "0",
	S1_HEX "00",
	S1_HEX "\n",
	S1_HEX " 0",
	S1_HEX "," S1_HEX,
	"ea9daa56655b5c29a17384a1bd42c5cbdcffac9989d927887bd387f3abff7c3",
	S2_HEX "00",
	"ea9daa56655b5c29a17384a1bd42c5cb",
	"n6QkY1BBLdpwXCTLOAeKgnVhd/",
	"n6QkY1BBLdpwXCTLOAeKgnVh",
	S1_B64 "=",
	"n6QkY1BBLdpwXCTLOAeKgnVhd/A==",
	"6p2qVmVbXCmhc4ShvULFy9z/rJmJ2SeIe9OH86v/",
	/* one bit off, at either end and in the middle */
	"8fa4246350412dda705c24cb38078a82756177f0",
	"9fa4246350412dda705c24cb38078a82756177f1",
	"9fa4246350412dda705c24cb38078a83756177f0",
	"n6QkY1BBLdpwXCTLOAeKgnVhd/E=",
	"n6QkY1BBLdpwXCTLOAeKgnVhd/B=",
	"m6QkY1BBLdpwXCTLOAeKgnVhd/A=",
	"ea9daa56655b5c29a17384a1bd42c5cbdcffac9989d927887bd387f3abff7c37",
	/* of another body, of another key, of nothing, plain digest of the body */
	"c5628f1a5f81153b1b46d3d7e0a5b72c12559b58",
	"3a59bd9bf4490ac6ae9a8adf8675d9baeb09d32e",
	"67614369872bdd4284bd2e9202fb8ff084ed2285ec00c3420da49c23007a59dd",
	"3257a0eb9f1e821003854c2f9f172625d63685ab",
	"c938fe31379c0d89b37468e1cae9e3aab2d56834",
	"0000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	/* halves, sums and other encodings */
	S1_HEX "000000000000000000000000",
	"9fa4246350412dda705c24cb38078a82756177g0",
	"0x9fa4246350412dda705c24cb38078a82756177f0",
	"md5=" S1_HEX,
	"sha512=" S2_HEX,
	"sha1=sha1=" S1_HEX,
	"sha1= " S1_HEX,
	"'" S1_HEX "'",
	"\"\"" S1_HEX "\"\"",
	"\"" S1_HEX,
	"9f:a4:24:63:50:41:2d:da:70:5c:24:cb:38:07:8a:82:75:61:77:f0",
	"n6QkY1BB LdpwXCTLOAeKgnVhd/A=",
	"n6QkY1BBLdpwXCTLOAeKgnVhd/A=\r\n",
	"v1," S2_B64,
	"t=1," S1_HEX,
	"%39" S1_HEX,
	"n6QkY1BBLdpwXCTLOAeKgnVhd%2FA=",
	"c82c7c1c82c7c1c8",
	"OWZhNDI0NjM1MDQxMmRkYTcwNWMyNGNi",
};

START_TEST(forgeries_are_refused)
{
	ck_assert_uint_ge(GAN_COUNT(forgeries), 40);
	for (size_t i = 0; i < GAN_COUNT(forgeries); i++) {
		int rc = verify_body(forgeries[i]);

		ck_assert_msg(rc == GAN_EAUTH, "%zu: '%s' gave %d", i, forgeries[i], rc);
		/* The reason says what is wrong without repeating the value. */
		if (strlen(forgeries[i]) > 8)
			ck_assert_ptr_null(strstr(err.msg, forgeries[i]));
	}
	ck_assert_int_eq(verify(SHA256_NAME, S1_HEX, BODY " ", strlen(BODY) + 1), GAN_EAUTH);
	ck_assert_int_eq(verify(SHA256_NAME, S1_HEX, BODY, strlen(BODY) - 1), GAN_EAUTH);
	ck_assert_int_eq(verify(SHA256_NAME, S1_HEX, "", 0), GAN_EAUTH);
	ck_assert_int_eq(verify(SHA256_NAME, NULL, BODY, strlen(BODY)), GAN_EAUTH);
	ck_assert_int_eq(verify("xx-prodsmart-hmac-sha256", S1_HEX, BODY, strlen(BODY)), GAN_EAUTH);
	ck_assert_int_eq(verify("x-prodsmart-hmac", S1_HEX, BODY, strlen(BODY)), GAN_EAUTH);
	ck_assert_ptr_nonnull(strstr(err.msg, "x-prodsmart-hmac-sha256"));
}
END_TEST

START_TEST(every_bit_counts)
{
	for (size_t i = 0; i < 160; i++) {
		unsigned char raw[20];
		char hex[41];

		ck_assert(gan_unhex(S1_HEX, 40, raw));
		raw[i / 8] ^= (unsigned char)(1 << i % 8);
		gan_hex(raw, 20, hex);
		ck_assert_int_eq(verify_body(hex), GAN_EAUTH);
	}
}
END_TEST

START_TEST(all_headers_present_must_verify)
{
	struct gan_header h[] = { { .name = SHA1_NAME, .value = S1_B64 },
		{ .name = SHA256_NAME, .value = S2_HEX } };

	ck_assert_int_eq(gan_signature_verify(signer, h, 2, BODY, 10, &sig, &err), GAN_OK);
	ck_assert_str_eq(sig.header, SHA256_NAME);
	ck_assert_int_eq(sig.algorithm, GAN_SHA256);
	h[0].value = "n6QkY1BBLdpwXCTLOAeKgnVhd/E=";
	ck_assert_int_eq(gan_signature_verify(signer, h, 2, BODY, 10, &sig, &err), GAN_EAUTH);
	h[0].value = S1_B64;
	h[1].value = "";
	ck_assert_int_eq(gan_signature_verify(signer, h, 2, BODY, 10, &sig, &err), GAN_EAUTH);
	/* The same name twice, even with the same good value. */
	h[1] = h[0];
	ck_assert_int_eq(gan_signature_verify(signer, h, 2, BODY, 10, &sig, &err), GAN_EAUTH);
	ck_assert_int_eq(gan_signature_verify(signer, h, 0, BODY, 10, &sig, &err), GAN_EAUTH);
}
END_TEST

START_TEST(two_secrets_rotate_without_a_gap)
{
	open_with("the new one", 11, KEY);
	ck_assert_int_eq(verify_body(S1_HEX), GAN_OK);
	ck_assert_uint_eq(sig.secret, 2);
	open_with(KEY, strlen(KEY), "the old one");
	ck_assert_int_eq(verify_body(S2_B64), GAN_OK);
	ck_assert_uint_eq(sig.secret, 1);
	open_with("tiger", 5, "lion");
	ck_assert_int_eq(verify_body(S1_HEX), GAN_EAUTH);
	ck_assert_ptr_nonnull(strstr(err.msg, "fits neither secret"));
	ck_assert_ptr_null(strstr(err.msg, "tiger"));
}
END_TEST

START_TEST(a_pinned_source_takes_one_form)
{
	conf.signature.pinned = true;
	conf.signature.algorithm = GAN_SHA256;
	conf.signature.encoding = GAN_SIG_HEX;
	open_with(KEY, strlen(KEY), NULL);
	ck_assert_int_eq(verify_body(S2_HEX), GAN_OK);
	for (size_t i = 0; i < GAN_COUNT(forms); i++)
		ck_assert_int_eq(verify_body(forms[i].value),
		    forms[i].alg == GAN_SHA256 && forms[i].enc == GAN_SIG_HEX ? GAN_OK : GAN_EAUTH);
	ck_assert_int_eq(verify_body(S1_HEX), GAN_EAUTH);
	ck_assert_str_eq(err.msg,
	    "header " SHA256_NAME " is sha1 in hex, but this source is pinned "
	    "to sha256 in hex");
}
END_TEST

START_TEST(a_configured_header_is_another_name)
{
	static char own[] = "x-adsk-signature";
	struct gan_header h[] = { { .name = "X-Adsk-Signature", .value = "sha1hash=" S1_HEX },
		{ .name = SHA1_NAME, .value = S1_B64 } };

	conf.signature.header = own;
	open_with(KEY, strlen(KEY), NULL);
	ck_assert_int_eq(gan_signature_verify(signer, h, 1, BODY, 10, &sig, &err), GAN_OK);
	ck_assert_str_eq(sig.header, "x-adsk-signature");
	ck_assert_int_eq(gan_signature_verify(signer, h, 2, BODY, 10, &sig, &err), GAN_OK);
	ck_assert_str_eq(sig.header, SHA1_NAME);
	h[1].value = S2_HEX "0";
	ck_assert_int_eq(gan_signature_verify(signer, h, 2, BODY, 10, &sig, &err), GAN_EAUTH);
	/* Pinned to it, the others say nothing. */
	conf.signature.pinned = true;
	open_with(KEY, strlen(KEY), NULL);
	ck_assert_int_eq(gan_signature_verify(signer, h, 2, BODY, 10, &sig, &err), GAN_OK);
	h[1].value = S1_HEX;
	ck_assert_int_eq(gan_signature_verify(signer, h + 1, 1, BODY, 10, &sig, &err), GAN_EAUTH);
	ck_assert_str_eq(gan_signer_header(signer, 0), "x-adsk-signature");
	ck_assert_ptr_null(gan_signer_header(signer, 1));
}
END_TEST

START_TEST(an_empty_secret_is_impossible)
{
	gan_signer_free(&signer);
	conf.secrets[0].len = 0;
	ck_assert_int_eq(gan_signer_new(&conf, &signer, &err), GAN_EINVAL);
	conf.secrets[0].bytes = NULL;
	ck_assert_int_eq(gan_signer_new(&conf, &signer, &err), GAN_EINVAL);
	conf.nsecrets = 0;
	ck_assert_int_eq(gan_signer_new(&conf, &signer, &err), GAN_EINVAL);
	ck_assert_ptr_null(signer);
}
END_TEST

/* RFC 2202 (SHA-1) and RFC 4231 (SHA-256), the cases that both have. */
START_TEST(rfc_vectors)
{
	static const struct {
		unsigned char key, nkey;
		const char *text_key, *data;
		unsigned char fill, nfill;
		const char *sha1, *sha256;
	} v[] = {
		{ 0x0b, 20, NULL, "Hi There", 0, 0, "b617318655057264e28bc0b6fb378c8ef146be00",
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ 0, 0, "Jefe", "what do ya want for nothing?", 0, 0,
		    "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ 0xaa, 20, NULL, NULL, 0xdd, 50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
		    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ 0xaa, 131, NULL, "Test Using Larger Than Block-Size Key - Hash Key First", 0, 0,
		    NULL, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ 0xaa, 80, NULL, "Test Using Larger Than Block-Size Key - Hash Key First", 0, 0,
		    "aa4ae5e15272d00e95705637ce8a3b55ed402112", NULL },
		{ 0x0c, 20, NULL, "Test With Truncation", 0, 0,
		    "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04", NULL },
	};

	for (size_t i = 0; i < GAN_COUNT(v); i++) {
		char key[200], data[200];
		size_t n = v[i].nfill;

		memset(key, v[i].key, v[i].nkey);
		memset(data, v[i].fill, v[i].nfill);
		if (v[i].data != NULL) {
			n = strlen(v[i].data);
			memcpy(data, v[i].data, n);
		}
		if (v[i].text_key != NULL)
			open_with(v[i].text_key, strlen(v[i].text_key), NULL);
		else
			open_with(key, v[i].nkey, NULL);
		if (v[i].sha1 != NULL)
			ck_assert_int_eq(verify(SHA1_NAME, v[i].sha1, data, n), GAN_OK);
		if (v[i].sha256 != NULL)
			ck_assert_int_eq(verify(SHA1_NAME, v[i].sha256, data, n), GAN_OK);
	}
	/* RFC 2202 test 5 and RFC 4231 test 5 cut the digest: refused here. */
	open_with(
	    "\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c", 20,
	    NULL);
	ck_assert_int_eq(
	    verify(SHA1_NAME, "4c1a03424b55e07fe7f27be1", "Test With Truncation", 20), GAN_EAUTH);
	ck_assert_int_eq(
	    verify(SHA1_NAME, "a3b6167473100ee06e0c796c2955552b", "Test With Truncation", 20),
	    GAN_EAUTH);
}
END_TEST

static void
one_vector(const cJSON *test, double tag_bits, size_t full, unsigned counts[2])
{
	static unsigned char key[4096], msg[65536];
	const char *hex_key = gan_cj_str(test, "key"), *hex_msg = gan_cj_str(test, "msg");
	const char *result = gan_cj_str(test, "result");
	bool want = strcmp(result, "valid") == 0 && (size_t)tag_bits == 8 * full;
	int rc;

	ck_assert(gan_unhex(hex_key, strlen(hex_key), key));
	ck_assert(gan_unhex(hex_msg, strlen(hex_msg), msg));
	open_with((const char *)key, strlen(hex_key) / 2, NULL);
	rc = verify(SHA256_NAME, gan_cj_str(test, "tag"), msg, strlen(hex_msg) / 2);
	ck_assert_msg(rc == (want ? GAN_OK : GAN_EAUTH), "%s, %g bits, tcId %g: %d",
	    gan_cj_str(test, "comment"), tag_bits, gan_cj_num(test, "tcId", -1), rc);
	counts[want]++;
}

START_TEST(wycheproof)
{
	static const struct {
		const char *file;
		size_t full;
	} files[] = { { "hmac_sha1_test.json", GAN_SHA1_LEN },
		{ "hmac_sha256_test.json", GAN_SHA256_LEN } };
	const char *data = getenv("GANTRY_DATA");

	for (size_t i = 0; i < GAN_COUNT(files); i++) {
		char *text GAN_AUTO(gan_str_free) = NULL;
		cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
		unsigned counts[2] = { 0 };
		const cJSON *group, *test;
		char path[512];
		size_t len;

		(void)snprintf(path, sizeof(path), "%s/wycheproof/%s",
		    data != NULL ? data : "../shared/data", files[i].file);
		if (gan_file_read(path, 8 << 20, &text, &len, &err) < 0) {
			printf("skipped: HMAC vectors (no file %s; set GANTRY_DATA)\n", path);
			continue;
		}
		ck_assert_int_eq(gan_cj_parse(text, len, &tree, &err), GAN_OK);
		cJSON_ArrayForEach(group, gan_cj_get(tree, "testGroups"))
		    cJSON_ArrayForEach(test, gan_cj_get(group, "tests"))
			one_vector(test, gan_cj_num(group, "tagSize", 0), files[i].full, counts);
		ck_assert_uint_gt(counts[1], 20);
		ck_assert_uint_gt(counts[0], 60);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("signature");
	TCase *tc = tcase_create("signature");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_form_is_understood);
	tcase_add_test(tc, bodies_are_raw_bytes);
	tcase_add_test(tc, forgeries_are_refused);
	tcase_add_test(tc, every_bit_counts);
	tcase_add_test(tc, all_headers_present_must_verify);
	tcase_add_test(tc, two_secrets_rotate_without_a_gap);
	tcase_add_test(tc, a_pinned_source_takes_one_form);
	tcase_add_test(tc, a_configured_header_is_another_name);
	tcase_add_test(tc, an_empty_secret_is_impossible);
	tcase_add_test(tc, rfc_vectors);
	tcase_add_test(tc, wycheproof);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
