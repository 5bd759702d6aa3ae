/* SPDX-License-Identifier: MIT */
/* test_conf_http.c - connectors of kind http and declared operations in gantry.yaml. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/config.h"
#include "conf/yaml.h"
#include "outbound/connector.h"

static char dir[64];
static char file[96];
static struct gan_config *conf;
static struct gan_diags diags;

static void
write_file(const char *name, const char *text, mode_t mode)
{
	char *path GAN_AUTO(gan_str_free) = gan_asprintf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void
run(const char *fmt)
{
	char *cmd GAN_AUTO(gan_str_free) = gan_asprintf("cd '%s' && %s", dir, fmt);

	ck_assert_msg(system(cmd) == 0, "%s", cmd);
}

static void
setup(void)
{
	static const char *const names[] = { "pass", "tok", "chan", "client" };
	char path[96];

	(void)snprintf(dir, sizeof(dir), "/tmp/gantry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/gantry.yaml", dir);
	(void)snprintf(path, sizeof(path), "%s/secrets", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	for (size_t i = 0; i < GAN_COUNT(names); i++) {
		char name[32], value[64];

		(void)snprintf(name, sizeof(name), "secrets/%s", names[i]);
		(void)snprintf(value, sizeof(value), "value-of-%s\n", names[i]);
		write_file(name, value, 0600);
	}
	(void)unsetenv("CREDENTIALS_DIRECTORY");
}

static void
teardown(void)
{
	gan_config_unref(&conf);
	gan_diags_fini(&diags);
	run("rm -rf \"$PWD\"");
}

static int
load(const char *text)
{
	gan_config_unref(&conf);
	gan_diags_fini(&diags);
	write_file("gantry.yaml", text, 0600);
	return gan_config_load(file, true, &conf, &diags);
}

static const struct gan_conf_connector *
good(const char *text)
{
	ck_assert_msg(load(text) == GAN_OK, "%s", diags.text.data);
	ck_assert_msg(diags.warnings == 0, "%s", diags.text.data);
	return &conf->connectors[0];
}

#define ERP "version: 1\nconnectors:\n  erp:\n    kind: http\n    base_url: \"https://erp/api\"\n"
#define MV                                                                                         \
	"version: 1\nconnectors:\n  mv:\n    kind: movilitas\n    base_url: \"https://mv\"\n"      \
	"    channel_key: secret:chan\n    token: secret:tok\n"

/* ---- auth and headers ---------------------------------------------------------- */

START_TEST(each_way_to_log_in_lands_in_its_place)
{
	const struct gan_conf_connector *c = good(ERP);

	ck_assert_ptr_null(c->auth.user);
	c = good(ERP "    auth: {basic: {user: gantry, password: secret:pass}}\n");
	ck_assert_str_eq(c->auth.user, "gantry");
	ck_assert_str_eq(c->auth.password.bytes, "value-of-pass");
	c = good(ERP "    auth: {bearer: secret:tok}\n");
	ck_assert_str_eq(c->auth.bearer.bytes, "value-of-tok");
	c = good(ERP "    auth:\n      oauth2: {token_url: \"https://id/t?x=1\", client_id: a, "
		     "client_secret: secret:client, scope: \"a b\"}\n");
	ck_assert_str_eq(c->auth.token_url, "https://id/t?x=1");
	ck_assert_str_eq(c->auth.client_id, "a");
	ck_assert_str_eq(c->auth.client_secret.bytes, "value-of-client");
	ck_assert_str_eq(c->auth.scope, "a b");
	ck_assert(!c->auth.client_post);
	c = good(
	    ERP "    auth: {oauth2: {token_url: \"https://id/t\", client_id: a, client_secret: "
		"secret:client, client_auth: post}}\n    headers: {X-Plant: porto-1, x-b: ''}\n");
	ck_assert(c->auth.client_post);
	ck_assert_uint_eq(c->nheaders, 2);
	ck_assert_str_eq(c->headers[0].name, "X-Plant");
	ck_assert_str_eq(c->headers[0].value, "porto-1");
	ck_assert_str_eq(c->headers[1].value, "");
}
END_TEST

static const struct {
	const char *text, *error;
} wrong[] = {
	{ ERP "    auth: {basic: {user: a, password: secret:pass}, bearer: secret:tok}\n",
	    "6:53: error: 'bearer' does not go with 'basic': keep one way to log in" },
	{ ERP "    auth: {bearer: secret:tok, oauth2: {token_url: \"https://x\", client_id: a, "
	      "client_secret: secret:tok}}\n",
	    "'oauth2' does not go with 'bearer'" },
	{ ERP "    auth: {basic: {user: \"a:b\", password: secret:pass}}\n",
	    "6:26: error: 'user' must not hold a colon" },
	{ ERP "    auth: {oauth2: {token_url: \"http://id/t\", client_id: a, client_secret: "
	      "secret:tok}}\n",
	    "'token_url' must begin with https://; http is for loopback addresses only" },
	{ ERP "    auth: {oauth2: {client_id: a, client_secret: secret:tok}}\n",
	    "missing key 'token_url'" },
	{ ERP "    auth: {mtls: {cert: secrets/tok}}\n", "missing key 'key'" },
	{ ERP "    headers: {content-type: text/plain}\n",
	    "6:15: error: 'content-type' is set by Gantry itself, or belongs to the connection" },
	{ ERP "    headers: {Transfer-Encoding: chunked}\n", "belongs to the connection" },
	{ ERP "    headers: {Authorization: Bearer hunter2}\n",
	    "'Authorization' carries credentials, and gantry.yaml holds none: use 'auth'" },
	{ ERP "    headers: {X-Api-Key: hunter2}\n", "'X-Api-Key' carries credentials" },
	{ ERP "    headers: {Cookie: hunter2}\n", "'Cookie' carries credentials" },
	{ ERP "    headers: {\"a b\": x}\n", "'a b' is not the name of a header" },
	{ ERP "    headers: {X-A: \"a\\r\\nX-B: c\"}\n",
	    "'X-A' must not hold control characters or more than one line" },
	{ ERP "    headers: {X-A: a, x-a: b}\n", "6:23: error: 'x-a' stands here twice" },
	/* operations */
	{ ERP "    operations: {A: {path: /x}}\n", "'A' cannot be the name of an operation" },
	{ ERP "    operations: {a: /x}\n", "'a' must be a mapping of keys" },
	{ ERP "    operations: {a: {method: POST}}\n", "missing key 'path'" },
	{ ERP "    operations: {a: {path: x}}\n", "6:28: error: 'path' must begin with /" },
	{ ERP "    operations: {a: {path: /x?a=b}}\n", "'path' must not hold ? or #" },
	{ ERP "    operations: {a: {path: /x y}}\n", "write it as %XX" },
	{ ERP "    operations: {a: {path: /x/../y}}\n", "'path' must not hold . or .. as a part" },
	{ ERP "    operations: {a: {path: /x/.}}\n", "'path' must not hold . or .. as a part" },
	{ ERP "    operations: {a: {path: \"/{id\"}}\n", "a brace without its partner" },
	{ ERP "    operations: {a: {path: \"/id}\"}}\n", "a brace without its partner" },
	{ ERP "    operations: {a: {path: \"/{}\"}}\n", "has a {name} that is none" },
	{ ERP "    operations: {a: {path: \"/{a.b}\"}}\n", "has a {name} that is none" },
	{ ERP "    operations: {a: {path: \"/{id}/{id}\"}}\n", "the same {name} twice" },
	{ ERP "    operations: {a: {path: \"/{a}{b}{c}{d}{e}{f}{g}{h}{i}\"}}\n",
	    "more than 8 {names}" },
	{ ERP "    operations: {a: {path: /x, method: HEAD}}\n",
	    "'method' must be one of GET, POST, PUT, PATCH, DELETE, found 'HEAD'" },
	{ ERP "    operations: {a: {path: /x, repeat: save}}\n", "did you mean 'safe'?" },
	{ ERP "    operations: {a: {path: /x, required: {n: integer}}}\n",
	    "'n' must be one of string, bool, number" },
	{ ERP "    operations: {a: {path: /x, method: GET, required: {n: number}}}\n",
	    "a GET has no body" },
	{ ERP "    operations: {a: {path: /x, success: {status: [500]}}}\n",
	    "6:51: error: '500' cannot mean success" },
	{ ERP "    operations: {a: {path: /x, success: {status: [2xx, 401]}}}\n",
	    "'401' cannot mean success" },
	{ ERP "    operations: {a: {path: /x, success: {status: [3xx]}}}\n",
	    "'3xx' cannot mean success" },
	{ ERP "    operations: {a: {path: /x, success: {status: [409]}}}\n",
	    "'status' has no 2xx: nothing could succeed the first time" },
	{ ERP "    operations: {a: {path: /x, success: {status: 200}}}\n",
	    "'status' must be a list" },
	{ ERP "    operations: {a: {path: /x, success: {field: a..b}}}\n",
	    "'field' must be names with single dots between them" },
	{ ERP "    operations: {a: {path: /x, success: {equals: [0]}}}\n",
	    "'equals' goes with 'field'" },
	{ ERP "    operations: {a: {path: /x, success: {field: a, equals: [null]}}}\n",
	    "an item of 'equals' must be a text, a number, true or false, found nothing" },
	{ ERP "    operations: {a: {path: /x, success: {field: a, equals: [[1]]}}}\n",
	    "must be a text, a number, true or false, found a list" },
	{ ERP "    operations: {a: {path: /x, success: {field: a, equals: [0x10]}}}\n",
	    "write the number as JSON does" },
	{ MV "    operations: {ssccs.release: {path: /x}}\n",
	    "8:18: error: 'ssccs.release' is a built-in operation, which cannot be declared anew" },
	{ MV "    headers: {X-A: b}\n", "'headers' does not belong to this kind, only to http" },
};

START_TEST(what_cannot_be_is_an_error)
{
	ck_assert_int_eq(load(wrong[_i].text), GAN_ECONFIG);
	ck_assert_msg(strstr(diags.text.data, wrong[_i].error) != NULL, "%s\nnot in:\n%s",
	    wrong[_i].error, diags.text.data);
	ck_assert_msg(diags.errors == 1, "%s", diags.text.data);
	/* A credential that somebody wrote into the file is not repeated. */
	ck_assert_ptr_null(strstr(diags.text.data, "hunter2"));
}
END_TEST

/* ---- a client certificate -------------------------------------------------------- */

#define MTLS ERP "    auth: {bearer: secret:tok, mtls: {cert: client.pem, key: client.key}}\n"

/* NAME.pem and NAME.key */
static void
make_pair(const char *name)
{
	char *cmd GAN_AUTO(gan_str_free) = gan_asprintf(
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
	    "/CN=gantry -keyout %s.key -out %s.pem 2>/dev/null && chmod 600 %s.key",
	    name, name, name);

	run(cmd);
}

static void
refused(const char *text)
{
	ck_assert_int_eq(load(MTLS), GAN_ECONFIG);
	ck_assert_msg(
	    strstr(diags.text.data, text) != NULL, "%s\nnot in:\n%s", text, diags.text.data);
	ck_assert_ptr_null(strstr(diags.text.data, "PRIVATE KEY-----"));
}

START_TEST(a_client_certificate_is_looked_at)
{
	const struct gan_conf_connector *c;
	struct gan_buf json GAN_AUTO(gan_buf_fini) = { 0 };

	refused("/client.pem");
	make_pair("client");
	make_pair("other");
	c = good(MTLS);
	ck_assert_ptr_nonnull(strstr(c->auth.cert_pem.bytes, "BEGIN CERTIFICATE"));
	ck_assert_ptr_nonnull(strstr(c->auth.key_pem.bytes, "PRIVATE KEY"));
	ck_assert_str_eq(c->auth.bearer.bytes, "value-of-tok");
	ck_assert_int_eq(gan_config_json(conf, &json), GAN_OK);
	ck_assert_ptr_null(strstr(json.data, "PRIVATE"));
	ck_assert_ptr_nonnull(strstr(json.data, "/client.key\""));
	run("chmod 644 client.key");
	refused("client.key can be read by every user of this machine, run: chmod o-rwx");
	run("cp other.key client.key; chmod 600 client.key");
	refused("the key is not the one of the certificate");
	run("cp other.pem client.key");
	refused("the key is no PEM private key");
	run("openssl pkey -in other.key -aes128 -passout pass:xyzzy -out client.key && "
	    "chmod 600 client.key");
	refused("protected by a passphrase");
	write_file("client.pem", "hello\n", 0644);
	refused("the certificate is no PEM certificate");
	write_file("client.key", "", 0600);
	refused("client.key is empty");
	run("head -c 70000 /dev/zero >client.key");
	refused("client.key is larger than 65536 bytes");
}
END_TEST

START_TEST(an_expired_certificate_is_warned_of)
{
	run("faketime 2020-01-01 openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
	    "-nodes -days 1 -subj "
	    "/CN=gantry -keyout client.key -out client.pem 2>/dev/null && chmod 600 client.key");
	ck_assert_msg(load(MTLS) == GAN_OK, "%s", diags.text.data);
	ck_assert_uint_eq(diags.warnings, 1);
	ck_assert_ptr_nonnull(strstr(diags.text.data, "the certificate has expired"));
}
END_TEST

/* ---- operations --------------------------------------------------------------------- */

#define OPERATIONS                                                                                 \
	"    operations:\n"                                                                        \
	"      orders.confirm:\n"                                                                  \
	"        method: PATCH\n"                                                                  \
	"        path: \"/orders/{order}('{line-no}')/x\"\n"                                       \
	"        required: {order_id: string, quantity: number, items: objects, when: date}\n"     \
	"        repeat: keyed\n"                                                                  \
	"        success: {status: [2xx, 409], field: result.code, equals: [0, \"OK\", -1.5, "     \
	"true]}\n"                                                                                 \
	"      orders.list: {method: GET, path: /orders, repeat: safe}\n"                          \
	"      orders.drop: {method: DELETE, path: \"/orders/{id}\", success: {field: id}}\n"      \
	"      plain: {path: /plain, repeat: probe, success: {status: [200, 201]}}\n"

START_TEST(operations_become_what_outbound_wants)
{
	const struct gan_conf_connector *c = good(ERP OPERATIONS);
	const struct gan_operation *op = gan_connector_operation(c, "orders.confirm");
	const struct gan_success *s = op->success;

	ck_assert_str_eq(op->name, "orders.confirm");
	ck_assert_str_eq(op->method, "PATCH");
	ck_assert_str_eq(op->path, "/orders/{order}('{line-no}')/x");
	ck_assert_int_eq(op->repeat, GAN_REPEAT_KEYED);
	ck_assert_int_eq(op->body, GAN_BODY_OBJECT);
	ck_assert(op->any_query);
	ck_assert_uint_eq(op->nfields, 4);
	ck_assert_str_eq(op->fields[0].name, "order_id");
	ck_assert_int_eq(op->fields[0].type, GAN_FIELD_STRING);
	ck_assert_int_eq(op->fields[1].type, GAN_FIELD_NUMBER);
	ck_assert_int_eq(op->fields[2].type, GAN_FIELD_OBJECTS);
	ck_assert_str_eq(op->fields[3].name, "when");
	ck_assert_int_eq(op->fields[3].type, GAN_FIELD_DATE);
	ck_assert(op->fields[3].required);
	ck_assert(s->any_2xx);
	ck_assert_uint_eq(s->ncodes, 1);
	ck_assert_uint_eq(s->codes[0], 409);
	ck_assert_str_eq(s->field, "result.code");
	ck_assert_uint_eq(s->nequals, 4);
	ck_assert_int_eq(s->equals[0].kind, GAN_SCALAR_NUMBER);
	ck_assert_int_eq(s->equals[1].kind, GAN_SCALAR_TEXT);
	ck_assert_double_eq(s->equals[2].number, -1.5);
	ck_assert_int_eq(s->equals[3].kind, GAN_SCALAR_BOOL);

	op = gan_connector_operation(c, "orders.list");
	ck_assert_int_eq(op->body, GAN_BODY_NONE);
	ck_assert_int_eq(op->repeat, GAN_REPEAT_SAFE);
	ck_assert_ptr_null(op->success);
	op = gan_connector_operation(c, "orders.drop");
	ck_assert_str_eq(op->method, "DELETE");
	ck_assert_int_eq(op->body, GAN_BODY_ANY);
	ck_assert_int_eq(op->repeat, GAN_REPEAT_HOLD);
	ck_assert(op->success->any_2xx);
	ck_assert_uint_eq(op->success->nequals, 0);
	op = gan_connector_operation(c, "plain");
	ck_assert_str_eq(op->method, "POST");
	ck_assert(!op->success->any_2xx);
	ck_assert_uint_eq(op->success->ncodes, 2);
	ck_assert_ptr_null(gan_connector_operation(c, "orders"));
}
END_TEST

START_TEST(as_json_it_loads_again)
{
	struct gan_buf one GAN_AUTO(gan_buf_fini) = { 0 }, two GAN_AUTO(gan_buf_fini) = { 0 };

	(void)good(ERP OPERATIONS
	    "    headers: {X-Plant: \"porto \\\"1\\\"\"}\n"
	    "    auth: {oauth2: {token_url: \"https://id/t\", client_id: a, client_secret: "
	    "secret:client, client_auth: post}}\n");
	ck_assert_int_eq(gan_config_json(conf, &one), GAN_OK);
	(void)good(one.data);
	ck_assert_int_eq(gan_config_json(conf, &two), GAN_OK);
	ck_assert_str_eq(one.data, two.data);
	ck_assert_ptr_null(strstr(one.data, "value-of-"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"client_secret\":\"secret:client\""));
	ck_assert_ptr_nonnull(strstr(one.data, "\"client_auth\":\"post\""));
	ck_assert_ptr_nonnull(strstr(one.data, "\"status\":[\"2xx\",409]"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"equals\":[0,\"OK\",-1.5,true]"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"required\":{\"order_id\":\"string\""));
	ck_assert_uint_eq(conf->connectors[0].noperations, 4);
}
END_TEST

START_TEST(every_type_of_a_member)
{
	static const struct {
		const char *word;
		enum gan_field_type type;
	} types[] = {
		{ "string", GAN_FIELD_STRING },
		{ "bool", GAN_FIELD_BOOL },
		{ "number", GAN_FIELD_NUMBER },
		{ "numeric", GAN_FIELD_NUMERIC },
		{ "code", GAN_FIELD_CODE },
		{ "any", GAN_FIELD_ANY },
		{ "date", GAN_FIELD_DATE },
		{ "object", GAN_FIELD_OBJECT },
		{ "strings", GAN_FIELD_STRINGS },
		{ "objects", GAN_FIELD_OBJECTS },
		{ "gtin", GAN_FIELD_GTIN },
		{ "sscc", GAN_FIELD_SSCC },
		{ "serial", GAN_FIELD_SERIAL },
		{ "lot", GAN_FIELD_LOT },
		{ "element-string", GAN_FIELD_ELEMENTS },
		{ "ssccs", GAN_FIELD_SSCCS },
		{ "serials", GAN_FIELD_SERIALS },
	};
	char text[512];
	const struct gan_operation *op;

	snprintf(text, sizeof(text), ERP "    operations: {a: {path: /x, required: {m: %s}}}\n",
	    types[_i].word);
	op = gan_connector_operation(good(text), "a");
	ck_assert_uint_eq(op->nfields, 1);
	ck_assert_int_eq(op->fields[0].type, types[_i].type);
}
END_TEST

/* The names that load_operations.c refuses are those of outbound's table. */
START_TEST(no_built_in_operation_can_be_declared)
{
	const struct gan_kind *k = &gan_kind_movilitas;

	for (size_t i = 0; i < k->noperations; i++) {
		char *text GAN_AUTO(gan_str_free) =
		    gan_asprintf(MV "    operations: {%s: {path: /x}}\n", k->operations[i].name);

		ck_assert_int_eq(load(text), GAN_ECONFIG);
		ck_assert_ptr_nonnull(strstr(diags.text.data, "is a built-in operation"));
	}
	ck_assert_uint_eq(gan_kind_http.noperations, 0);
	(void)good(MV "    operations: {serials.commission: {path: /x}}\n");
	ck_assert_ptr_nonnull(gan_connector_operation(&conf->connectors[0], "serials.commission"));
	ck_assert_ptr_nonnull(gan_connector_operation(&conf->connectors[0], "ssccs.release"));
}
END_TEST

/* Half a file, or one with a character changed: an answer each time, and nothing leaks. */
START_TEST(damage_never_crashes)
{
	static const char text[] =
	    ERP OPERATIONS "    headers: {X-Plant: a, X-B: b}\n"
			   "    auth: {basic: {user: a, password: secret:pass}}\n";
	char copy[sizeof(text)];
	unsigned rnd = 11;

	for (size_t i = 0; i < 3000; i++) {
		memcpy(copy, text, sizeof(text));
		rnd = rnd * 1103515245u + 12345u;
		if (i < sizeof(text))
			copy[i] = '\0';
		else
			copy[(rnd >> 8) % (sizeof(text) - 1)] = "{}[]:,-\" x0|"[(rnd >> 20) % 12];
		if (load(copy) != GAN_OK)
			ck_assert_uint_gt(diags.errors, 0);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conf_http");
	TCase *tc = tcase_create("conf_http");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_way_to_log_in_lands_in_its_place);
	tcase_add_loop_test(tc, what_cannot_be_is_an_error, 0, (int)GAN_COUNT(wrong));
	tcase_add_test(tc, a_client_certificate_is_looked_at);
	tcase_add_test(tc, an_expired_certificate_is_warned_of);
	tcase_add_test(tc, operations_become_what_outbound_wants);
	tcase_add_loop_test(tc, every_type_of_a_member, 0, 17);
	tcase_add_test(tc, as_json_it_loads_again);
	tcase_add_test(tc, no_built_in_operation_can_be_declared);
	tcase_add_test(tc, damage_never_crashes);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
