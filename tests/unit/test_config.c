/* SPDX-License-Identifier: MIT */
/* test_config.c - gantry.yaml: what is taken, what is refused and with which words. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "conf/config.h"
#include "conf/schema.h"
#include "conf/secrets.h"
#include "conf/yaml.h"

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
setup(void)
{
	static const char *const names[] = { "hook", "hook2", "erp", "chan", "tok", "user",
		"pass" };
	char path[96];

	(void)snprintf(dir, sizeof(dir), "/tmp/gantry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/gantry.yaml", dir);
	(void)snprintf(path, sizeof(path), "%s/secrets", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/cred", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	for (size_t i = 0; i < GAN_COUNT(names); i++) {
		char name[32], value[64];

		(void)snprintf(name, sizeof(name), "secrets/%s", names[i]);
		(void)snprintf(value, sizeof(value), "0123456789-value-of-%s\n", names[i]);
		write_file(name, value, 0600);
	}
	(void)unsetenv("CREDENTIALS_DIRECTORY");
}

static void
teardown(void)
{
	char *cmd GAN_AUTO(gan_str_free) = gan_asprintf("rm -rf '%s'", dir);

	gan_config_unref(&conf);
	gan_diags_fini(&diags);
	ck_assert_int_eq(system(cmd), 0);
}

static int
load(const char *text)
{
	gan_config_unref(&conf);
	gan_diags_fini(&diags);
	write_file("gantry.yaml", text, 0600);
	return gan_config_load(file, true, &conf, &diags);
}

static void
good(const char *text)
{
	ck_assert_msg(load(text) == GAN_OK, "%s", diags.text.data);
	ck_assert_ptr_nonnull(conf);
}

/* The text of all findings, with the folder of this test taken out. */
static const char *
findings(void)
{
	static char out[8192];
	const char *p = diags.text.data != NULL ? diags.text.data : "";
	size_t n = 0, len = strlen(dir);

	while (*p != '\0' && n + 1 < sizeof(out)) {
		if (strncmp(p, dir, len) == 0) {
			p += len;
			out[n++] = '~';
		} else {
			out[n++] = *p++;
		}
	}
	out[n] = '\0';
	return out;
}

#define V "version: 1\n"
#define WEBHOOK "sources:\n  ps: {kind: prodsmart-webhook, secret: secret:hook}\n"
#define MOVILITAS                                                                                  \
	"connectors:\n  mv: {kind: movilitas, base_url: \"https://api.movilitas.cloud/\", "        \
	"channel_key: secret:chan, token: secret:tok"
#define FLEX2B                                                                                     \
	"connectors:\n  f2b: {kind: flex2b, base_url: \"http://127.0.0.1:9/x/\", "                 \
	"user: secret:user, password: secret:pass"

START_TEST(defaults_fill_what_is_not_written)
{
	char *path GAN_AUTO(gan_str_free) = gan_asprintf("%s/rules.d", dir);

	good(V);
	ck_assert_str_eq(conf->site, "gantry");
	ck_assert_str_eq(conf->time_zone, "UTC");
	ck_assert_str_eq(conf->public.address.host, "127.0.0.1");
	ck_assert_uint_eq(conf->public.address.port, 8480);
	ck_assert_int_eq(conf->public.max_body, 1 << 20);
	ck_assert_uint_eq(conf->public.max_connections, 512);
	ck_assert(!conf->public.keep_alive);
	ck_assert_uint_eq(conf->public.ntrusted_proxies, 0);
	ck_assert_ptr_null(conf->admin.host);
	ck_assert_str_eq(conf->control_socket, "/run/gantry/control.sock");
	ck_assert(!conf->store.postgresql);
	ck_assert_str_eq(conf->store.path, "/var/lib/gantry/gantry.db");
	ck_assert_int_eq(conf->store.min_free, INT64_C(256) << 20);
	ck_assert_int_eq(conf->store.spool, INT64_C(64) << 20);
	ck_assert_int_eq(conf->store.keep_audit_ms, INT64_C(315360000000));
	ck_assert_str_eq(conf->mapping.rules, path);
	ck_assert_uint_eq(conf->mapping.workers, 2);
	ck_assert_int_eq(conf->mapping.timeout_ms, 2000);
	ck_assert_int_eq(conf->mapping.numbers, GAN_NUMBERS_EXACT);
	ck_assert_int_eq(conf->deliver.total_ms, 30000);
	ck_assert_double_eq(conf->deliver.retry.factor, 2.0);
	ck_assert_uint_eq(conf->deliver.retry.jitter_pct, 20);
	ck_assert_int_eq(conf->deliver.retry.give_up_ms, INT64_C(72) * 3600000);
	ck_assert_int_eq(conf->deliver.on_dead, GAN_ON_DEAD_BLOCK);
	ck_assert_int_eq(conf->log_level, GAN_LOG_INFO);
	ck_assert(!conf->require_reason);
	ck_assert_uint_eq(diags.warnings, 0);
}
END_TEST

START_TEST(every_key_lands_in_its_place)
{
	good(V
	    "site: porto-1\ntime_zone: Europe/Lisbon\nrequire_reason: true\nlog: {level: debug}\n"
	    "listen:\n  public: {address: \"[::1]:0\", max_body: 2KiB, max_connections: 7, "
	    "keep_alive: true, trusted_proxies: [10.0.0.1, \"::1\"]}\n"
	    "  admin: {address: \"127.0.0.2:81\"}\n  control: {socket: run/c.sock}\n"
	    "store: {path: x.db, min_free: 0, spool: 128KiB, retention: {delivered: 1d, ignored: 2d, rejected: "
	    "3d, audit: 4d}}\n"
	    "mapping: {rules: r, workers: 3, timeout: 250ms, memory: 64MiB, numbers: text}\n"
	    "deliver: {timeout: {connect: 1s, total: 2s}, retry: {first: 3s, factor: 1.5, max: "
	    "4s, jitter: 0%, give_up: 5s}, breaker: {failures: 6, open: 7s}, concurrency: 8, "
	    "on_unknown: resend, on_dead: skip}\n"
	    "sources:\n"
	    "  a: {kind: prodsmart-webhook, secret: [secret:hook, secret:hook2], signature: "
	    "{header: X-Sig, algorithm: sha1, encoding: base64hex}}\n"
	    "  b: {kind: prodsmart-webhook, secret: secret:hook, signature: {header: X-B}}\n"
	    "  e: {kind: http, tokens: secret:erp}\n"
	    "  s: {kind: http, basic: {user: sap, password: [secret:hook, secret:hook2]}}\n");
	ck_assert_str_eq(conf->public.address.host, "::1");
	ck_assert_uint_eq(conf->public.address.port, 0);
	ck_assert_int_eq(conf->public.max_body, 2048);
	ck_assert_uint_eq(conf->public.ntrusted_proxies, 2);
	ck_assert_str_eq(conf->public.trusted_proxies[1], "::1");
	ck_assert_str_eq(conf->admin.host, "127.0.0.2");
	ck_assert_int_eq(conf->store.keep_rejected_ms, 3 * 86400000);
	ck_assert_int_eq(conf->store.spool, 128 << 10);
	ck_assert_int_eq(conf->mapping.memory, 64 << 20);
	ck_assert_int_eq(conf->mapping.numbers, GAN_NUMBERS_TEXT);
	ck_assert_double_eq(conf->deliver.retry.factor, 1.5);
	ck_assert_uint_eq(conf->deliver.breaker_failures, 6);
	ck_assert_int_eq(conf->deliver.on_unknown, GAN_ON_UNKNOWN_RESEND);
	ck_assert_int_eq(conf->log_level, GAN_LOG_DEBUG);
	ck_assert(conf->require_reason);

	const struct gan_conf_source *a = gan_config_source(conf, "a");

	ck_assert_uint_eq(a->nsecrets, 2);
	ck_assert_str_eq(a->secrets[1].name, "hook2");
	ck_assert_str_eq(a->secrets[1].bytes, "0123456789-value-of-hook2");
	ck_assert(a->signature.pinned);
	ck_assert_str_eq(a->signature.header, "x-sig");
	ck_assert_int_eq(a->signature.algorithm, GAN_SHA1);
	ck_assert_int_eq(a->signature.encoding, GAN_SIG_BASE64HEX);
	ck_assert(!gan_config_source(conf, "b")->signature.pinned);
	ck_assert_str_eq(gan_config_source(conf, "b")->signature.header, "x-b");
	ck_assert_int_eq(gan_config_source(conf, "e")->kind, GAN_SOURCE_HTTP);
	ck_assert_uint_eq(gan_config_source(conf, "e")->nsecrets, 1);
	ck_assert_ptr_null(gan_config_source(conf, "e")->basic_user);
	ck_assert_str_eq(gan_config_source(conf, "s")->basic_user, "sap");
	ck_assert_str_eq(gan_config_source(conf, "s")->basic_passwords[1].name, "hook2");
	ck_assert_uint_eq(gan_config_source(conf, "s")->nsecrets, 0);
	ck_assert_ptr_null(gan_config_source(conf, "z"));
}
END_TEST

START_TEST(relative_paths_start_at_the_folder_of_the_file)
{
	char here[4096], want[160];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	write_file("gantry.yaml", V "store: {path: data/g.db}\n", 0600);
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(gan_config_load("gantry.yaml", true, &conf, &diags), GAN_OK);
	ck_assert_int_eq(chdir(here), 0);
	ck_assert_str_eq(conf->dir, dir);
	ck_assert_str_eq(conf->path, "gantry.yaml");
	(void)snprintf(want, sizeof(want), "%s/data/g.db", dir);
	ck_assert_str_eq(conf->store.path, want);
	(void)snprintf(want, sizeof(want), "%s/secrets", dir);
	ck_assert_str_eq(conf->secrets_dir, want);
}
END_TEST

START_TEST(connector_keys_win_over_deliver)
{
	good(V
	    "connectors:\n  mv: {kind: movilitas, base_url: \"https://a.example//\", channel_key: "
	    "secret:chan, api_key: secret:user, api_secret: secret:pass, concurrency: 9, "
	    "retry: {first: 1s}, gs1: warn, serials: alphanumeric, token_header: bearer, ca_file: ca.pem}\n"
	    "deliver: {concurrency: 3, on_dead: skip, retry: {max: 1h}}\n");
	const struct gan_conf_connector *c = gan_config_connector(conf, "mv");

	ck_assert_uint_eq(c->deliver.concurrency, 9);
	ck_assert_int_eq(c->deliver.on_dead, GAN_ON_DEAD_SKIP);
	ck_assert_int_eq(c->deliver.retry.first_ms, 1000);
	ck_assert_int_eq(c->deliver.retry.max_ms, 3600000);
	ck_assert_int_eq(c->deliver.total_ms, 30000);
	ck_assert_uint_eq(conf->deliver.concurrency, 3);
	ck_assert_str_eq(c->base_url, "https://a.example");
	ck_assert_int_eq(c->gs1, GAN_GS1_WARN);
	ck_assert(c->serials_plain);
	ck_assert(c->movilitas_bearer);
	ck_assert_ptr_null(c->token.bytes);
	ck_assert_str_eq(c->api_secret.bytes, "0123456789-value-of-pass");
	ck_assert_str_eq(c->ca_file + strlen(dir), "/ca.pem");
}
END_TEST

START_TEST(flex2b_gives_up_after_10_s_unless_told_otherwise)
{
	good(V FLEX2B "}\n");
	ck_assert_int_eq(conf->connectors[0].deliver.total_ms, 10000);
	ck_assert(!conf->connectors[0].flex2b_raw);
	ck_assert_str_eq(conf->connectors[0].base_url, "http://127.0.0.1:9/x");
	good(V FLEX2B "}\ndeliver: {timeout: {connect: 1s}}\n");
	ck_assert_int_eq(conf->connectors[0].deliver.total_ms, 10000);
	good(V FLEX2B "}\ndeliver: {timeout: {total: 20s}}\n");
	ck_assert_int_eq(conf->connectors[0].deliver.total_ms, 20000);
	good(V FLEX2B
	    ", timeout: {total: 40s}, token_header: raw}\ndeliver: {timeout: {total: 20s}}\n");
	ck_assert_int_eq(conf->connectors[0].deliver.total_ms, 40000);
	ck_assert(conf->connectors[0].flex2b_raw);
}
END_TEST

/* Each text and all that is said about it; ~ is the folder. */
static const struct {
	const char *text, *findings;
} bad[] = {
	{ "site: x\n", "~/gantry.yaml:1:1: error: missing key 'version': Format of this file.\n"
		       "    1 | site: x\n      | ^\n" },
	{ "version: 2\n", "~/gantry.yaml:1:10: error: 'version' must be 1, found 2\n"
			  "    1 | version: 2\n      |          ^\n" },
	{ "", "~/gantry.yaml: error: the file is empty\n" },
	{ "- a\n", "~/gantry.yaml: error: this is not a mapping of keys\n" },
	{ V "listen:\n  public:\n    max_bdy: 1MiB\n",
	    "~/gantry.yaml:4:5: error: unknown key 'max_bdy', did you mean 'max_body'?\n"
	    "    4 |     max_bdy: 1MiB\n      |     ^\n" },
	{ V "log: {colour: red}\n",
	    "~/gantry.yaml:2:7: error: unknown key 'colour'; known here: level\n"
	    "    2 | log: {colour: red}\n      |       ^\n" },
	{ V "mapping: {workers: two}\n",
	    "~/gantry.yaml:2:20: error: 'workers' must be a whole number, found 'two'\n"
	    "    2 | mapping: {workers: two}\n      |                    ^\n" },
	{ V "mapping: {workers: 65}\n",
	    "~/gantry.yaml:2:20: error: 'workers' must be 1 to 64, found 65\n"
	    "    2 | mapping: {workers: 65}\n      |                    ^\n" },
	{ V "mapping: {workers: 999999999999999999999}\n",
	    "~/gantry.yaml:2:20: error: 'workers' must be 1 to 64, found 999999999999999999999\n"
	    "    2 | mapping: {workers: 999999999999999999999}\n      |                    ^\n" },
	{ V "mapping: {timeout: 2}\n",
	    "~/gantry.yaml:2:20: error: 'timeout' needs a unit: 2ms, 2s, 2m, 2h or 2d\n"
	    "    2 | mapping: {timeout: 2}\n      |                    ^\n" },
	{ V "mapping: {timeout: 0}\n",
	    "~/gantry.yaml:2:20: error: 'timeout' must be 10ms to 1m, found 0\n"
	    "    2 | mapping: {timeout: 0}\n      |                    ^\n" },
	{ V "store: {min_free: 1GB}\n",
	    "~/gantry.yaml:2:19: error: 'min_free' must be a size such as 256KiB or 1MiB, found "
	    "'1GB'\n    2 | store: {min_free: 1GB}\n      |                   ^\n" },
	{ V "listen: {public: {max_body: 1024}}\n",
	    "~/gantry.yaml:2:29: error: 'max_body' needs a unit: 1024B, 1024KiB, 1024MiB or "
	    "1024GiB\n    2 | listen: {public: {max_body: 1024}}\n"
	    "      |                             ^\n" },
	{ V "listen: {public: {keep_alive: no}}\n",
	    "~/gantry.yaml:2:31: error: 'keep_alive' must be true or false, found 'no'\n"
	    "    2 | listen: {public: {keep_alive: no}}\n"
	    "      |                               ^\n" },
	{ V "listen: {public: {address: 8480}}\n",
	    "~/gantry.yaml:2:28: error: 'address' must be a numeric address and a port, such as "
	    "\"127.0.0.1:8480\" or \"[::1]:8480\", found '8480'\n"
	    "    2 | listen: {public: {address: 8480}}\n      |                            ^\n" },
	{ V "listen: {public: {address: \"localhost:8480\"}}\n",
	    "~/gantry.yaml:2:28: error: 'address' must be a numeric address and a port, such as "
	    "\"127.0.0.1:8480\" or \"[::1]:8480\", found 'localhost:8480'\n"
	    "    2 | listen: {public: {address: \"localhost:8480\"}}\n"
	    "      |                            ^\n" },
	{ V "listen: {admin: {address: \"0.0.0.0:81\"}}\n",
	    "~/gantry.yaml:2:27: error: the admin listener has no password: it must stay on a "
	    "loopback address such as 127.0.0.1\n"
	    "    2 | listen: {admin: {address: \"0.0.0.0:81\"}}\n"
	    "      |                           ^\n" },
	{ V "listen: {public: {trusted_proxies: [10.0.0.1, proxy]}}\n",
	    "~/gantry.yaml:2:47: error: an item of 'trusted_proxies' must be a numeric address "
	    "such as 127.0.0.1, found 'proxy'\n"
	    "    2 | listen: {public: {trusted_proxies: [10.0.0.1, proxy]}}\n"
	    "      |                                               ^\n" },
	{ V "deliver: {on_dead: blok}\n",
	    "~/gantry.yaml:2:20: error: 'on_dead' must be one of block, skip, found 'blok', did you "
	    "mean 'block'?\n    2 | deliver: {on_dead: blok}\n      |                    ^\n" },
	{ V "deliver: {retry: {jitter: 20}}\n",
	    "~/gantry.yaml:2:27: error: 'jitter' must be a percentage such as 20%, found '20'\n"
	    "    2 | deliver: {retry: {jitter: 20}}\n      |                           ^\n" },
	{ V "deliver: {retry: {first: 1h}}\n",
	    "~/gantry.yaml:2:11: error: 'retry.first' must not be longer than 'retry.max'\n"
	    "    2 | deliver: {retry: {first: 1h}}\n      |           ^\n" },
	{ V "site: 12\n",
	    "~/gantry.yaml:2:7: error: 'site' must be a text, found '12': put it into quotes\n"
	    "    2 | site: 12\n      |       ^\n" },
	{ V "site:\n", "~/gantry.yaml:2:1: error: 'site' must be a text, found nothing\n"
		       "    2 | site:\n      | ^\n" },
	{ V "time_zone: Europe/Lisboa\n",
	    "~/gantry.yaml:2:12: error: 'time_zone' is no time zone of this machine: look in "
	    "/usr/share/zoneinfo, or install tzdata\n"
	    "    2 | time_zone: Europe/Lisboa\n      |            ^\n" },
	{ V "time_zone: Europe\n",
	    "~/gantry.yaml:2:12: error: 'time_zone' is no time zone of this machine: look in "
	    "/usr/share/zoneinfo, or install tzdata\n"
	    "    2 | time_zone: Europe\n      |            ^\n" },
	{ V "store: x\n", "~/gantry.yaml:2:8: error: 'store' must be a mapping of keys\n"
			  "    2 | store: x\n      |        ^\n" },
	{ V "store: {engine: postgresql}\n",
	    "~/gantry.yaml:2:17: error: engine postgresql is not built yet, use sqlite\n"
	    "    2 | store: {engine: postgresql}\n      |                 ^\n" },
	{ V "site: a\nsite: b\n", "~/gantry.yaml:3:1: error: duplicate key 'site', first set on "
				  "line 2\n    3 | site: b\n      | ^\n" },
	{ V "sources:\n  answers: {kind: http, tokens: secret:erp}\n",
	    "~/gantry.yaml:3:3: error: 'answers' is the name of Gantry's own source of answers, "
	    "take another one\n    3 |   answers: {kind: http, tokens: secret:erp}\n      |   ^\n" },
	{ V "sources:\n  My_ERP: {kind: http, tokens: secret:erp}\n",
	    "~/gantry.yaml:3:3: error: 'My_ERP' cannot be the name of a source: use 1 to 64 "
	    "characters of a-z, 0-9 and -\n"
	    "    3 |   My_ERP: {kind: http, tokens: secret:erp}\n      |   ^\n" },
	{ V "sources:\n  a: {}\n",
	    "~/gantry.yaml:3:3: error: missing key 'kind': one of prodsmart-webhook, "
	    "prodsmart-feed, http\n    3 |   a: {}\n      |   ^\n" },
	{ V "sources:\n  a: {kind: webhook}\n",
	    "~/gantry.yaml:3:13: error: 'kind' must be one of prodsmart-webhook, prodsmart-feed, "
	    "http, found 'webhook'\n    3 |   a: {kind: webhook}\n      |             ^\n" },
	{ V "sources:\n  a: {kind: prodsmart-webhook}\n",
	    "~/gantry.yaml:3:3: error: missing key 'secret': Keys of the webhook's signature; two "
	    "while one replaces the other.\n"
	    "    3 |   a: {kind: prodsmart-webhook}\n      |   ^\n" },
	{ V "sources:\n  a: {kind: http, tokens: secret:erp, signature: auto}\n",
	    "~/gantry.yaml:3:39: error: 'signature' does not belong to this kind, only to "
	    "prodsmart-webhook\n    3 |   a: {kind: http, tokens: secret:erp, signature: auto}\n"
	    "      |                                       ^\n" },
	{ V "sources:\n  a: {kind: http}\n",
	    "~/gantry.yaml:3:3: error: missing key 'tokens', or 'basic' with 'user' and 'password': "
	    "the sender has to prove who it is\n    3 |   a: {kind: http}\n      |   ^\n" },
	{ V "sources:\n  a: {kind: http, basic: {user: \"a:b\", password: secret:erp}}\n",
	    "~/gantry.yaml:3:33: error: 'user' must not hold a colon: HTTP Basic ends the user's "
	    "name there\n    3 |   a: {kind: http, basic: {user: \"a:b\", password: secret:erp}}\n"
	    "      |                                 ^\n" },
	{ V "sources:\n  a: {kind: http, tokens: [secret:erp, secret:tok, secret:hook]}\n",
	    "~/gantry.yaml:3:27: error: 'tokens' must be secret:NAME or a list of two\n"
	    "    3 |   a: {kind: http, tokens: [secret:erp, secret:tok, secret:hook]}\n"
	    "      |                           ^\n" },
	{ V "sources:\n  a: {kind: http, tokens: [secret:erp, secret:erp]}\n",
	    "~/gantry.yaml:3:40: error: secret:erp stands here twice\n"
	    "    3 |   a: {kind: http, tokens: [secret:erp, secret:erp]}\n"
	    "      |                                        ^\n" },
	{ V "sources:\n  a:\n    kind: prodsmart-webhook\n    secret: secret:hook\n    signature: "
	    "{algorithm: sha1}\n",
	    "~/gantry.yaml:6:17: error: 'algorithm' and 'encoding' go together: write both, or "
	    "neither (auto)\n    6 |     signature: {algorithm: sha1}\n      |                 ^\n" },
	{ V MOVILITAS ", api_key: secret:user}\n",
	    "~/gantry.yaml:3:93: error: 'token' does not go with 'api_key' and 'api_secret': keep "
	    "one of the two ways to log in\n"
	    "    3 | ... \"https://api.movilitas.cloud/\", channel_key: secret:chan, token: "
	    "secret:tok, ap...\n"
	    "      |                                                               ^\n" },
	{ V "connectors:\n  mv: {kind: movilitas, base_url: \"https://x\", channel_key: secret:chan, "
	    "api_key: secret:tok}\n",
	    "~/gantry.yaml:3:3: error: missing key 'api_secret': it goes with 'api_key'\n"
	    "    3 |   mv: {kind: movilitas, base_url: \"https://x\", channel_key: secret:chan, "
	    "api_key...\n      |   ^\n" },
	{ V "connectors:\n  mv: {kind: movilitas, base_url: \"https://x\", channel_key: secret:chan}\n",
	    "~/gantry.yaml:3:3: error: missing key 'token', or 'api_key' and 'api_secret'\n"
	    "    3 |   mv: {kind: movilitas, base_url: \"https://x\", channel_key: "
	    "secret:chan}\n      |   ^\n" },
	{ V "sources:\n  f: {kind: prodsmart-feed, connector: prodsmar, channels: {A: stock}}\n"
	    "connectors:\n  prodsmart: {kind: prodsmart, base_url: \"https://x\", api_key: secret:user, "
	    "api_secret: secret:pass}\n",
	    "~/gantry.yaml:3:40: error: there is no connector of that name, did you mean "
	    "'prodsmart'?\n"
	    "    3 |   f: {kind: prodsmart-feed, connector: prodsmar, channels: {A: stock}}\n"
	    "      |                                        ^\n" },
	{ V "connectors:\n  p: {kind: prodsmart, base_url: \"https://x\", api_key: secret:user, "
	    "api_secret: secret:pass,\n    query_names: {workr: a, page: \"p&q\"}}\n",
	    "~/gantry.yaml:4:19: error: 'workr' is no name that can be replaced, did you mean "
	    "'worker'?\n"
	    "    4 |     query_names: {workr: a, page: \"p&q\"}}\n"
	    "      |                   ^\n"
	    "~/gantry.yaml:4:35: error: the name of a parameter has letters, digits, '-', '.', "
	    "'_' and '~'\n"
	    "    4 |     query_names: {workr: a, page: \"p&q\"}}\n"
	    "      |                                   ^\n" },
};

START_TEST(errors_say_what_where_and_what_to_do)
{
	ck_assert_int_eq(load(bad[_i].text), GAN_ECONFIG);
	ck_assert_ptr_null(conf);
	ck_assert_str_eq(findings(), bad[_i].findings);
	ck_assert_uint_gt(diags.errors, 0);
}
END_TEST

START_TEST(a_file_that_is_not_there)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/none.yaml", dir);
	ck_assert_int_eq(gan_config_load(path, true, &conf, &diags), GAN_ECONFIG);
	ck_assert_str_eq(
	    findings(), "~/none.yaml: error: cannot be read: No such file or directory\n");
}
END_TEST

static const struct {
	const char *url, *wrong; /* NULL: fine */
} urls[] = {
	{ "https://api.example.com/v1", NULL },
	{ "http://localhost:80", NULL },
	{ "http://127.9.9.9:1/a", NULL },
	{ "http://[::1]:9001", NULL },
	{ "https://[2001:db8::1]/", NULL },
	{ "http://api.example.com",
	    "must begin with https://; http is for loopback addresses only" },
	{ "http://127.0.0.1.example.com", "must begin with https://; http is for loopback" },
	{ "http://localhost.example.com", "must begin with https://; http is for loopback" },
	{ "http://127.0.0.1:80@evil.example", "must not hold a user name or password" },
	{ "http://[::2]", "must begin with https://; http is for loopback" },
	{ "ftp://x", "must begin with https://" },
	{ "HTTPS://x", "must begin with https://" },
	{ "https://", "has no proper host name" },
	{ "https://:443", "has no proper host name" },
	{ "https://a..b", "has no proper host name" },
	{ "https://a:0", "has a bad port" },
	{ "https://a:65536", "has a bad port" },
	{ "https://a:", "has a bad port" },
	{ "https://[::1", "has an address without its ]" },
	{ "https://[::1]x", "has a bad port" },
	{ "https://a/b?c=d", "must not hold a ? part" },
	{ "https://a/b#c", "must not hold a # part" },
	{ "https://a/b c", "holds a character that a URL must not hold" },
	{ "https://a\\\\@b", "holds a character that a URL must not hold" },
};

START_TEST(urls_are_https_unless_loopback)
{
	char *text GAN_AUTO(gan_str_free) =
	    gan_asprintf(V "connectors:\n  f:\n    kind: flex2b\n    user: secret:user\n"
			   "    password: secret:pass\n    base_url: \"%s\"\n",
		urls[_i].url);

	if (urls[_i].wrong == NULL) {
		good(text);
		return;
	}
	ck_assert_int_eq(load(text), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(diags.text.data, ":7:15: error: 'base_url' "));
	ck_assert_msg(strstr(diags.text.data, urls[_i].wrong) != NULL, "%s", diags.text.data);
}
END_TEST

/* A value that should have been secret:NAME must not be seen in what is printed, whatever else is
 * wrong on its line. */
static const char *const plain_secrets[] = {
	V "sources:\n  a: {kind: http, tokens: hunter2}\n",
	V "sources:\n  a: {kind: http, tokens: [secret:erp, hunter2]}\n",
	V "sources:\n  a:\n    kind: http\n    tokens:\n      - hunter2\n",
	V "sources:\n  a: {kind: http, tokns: hunter2}\n",
	V "sources:\n  a: {kind: http, tokens: {hunter2: 1}}\n",
	V "sources:\n  a: {kind: http, basic: {user: u, password: hunter2}}\n",
	V "sources:\n  a: {kind: http, basic: {user: 1, password: [secret:erp, hunter2]}}\n",
	V "sources:\n  a: {kind: http, tokens: secret:erp, tokens: hunter2}\n",
	V "sources:\n  a: {kind: http, password: hunter2}\n",
	V "sources:\n  a: {kind: htp, tokens: hunter2}\n",
	V "sources:\n  a: {kind: http, tokens: |\n    hunter2\n    }\n",
	V "sources:\n  a:\n    kind: http\n    tokens: |\n      hunter2\n    coulour: 1\n",
	V FLEX2B ", concurency: 2, api_key: hunter2}\n",
	V "connectors:\n  f: {kind: flex2b, base_url: \"https://u:hunter2@x\", user: secret:user, "
	  "password: secret:pass}\n",
	V "connectors:\n  f: {kind: flex2b, base_url: \"https://x\", user: secret:user, "
	  "password: secret:hunter2/../x, timeout: 7}\n",
	V "api_token: hunter2\n",
	V "connectors:\n  f: {kind: flex2b, passwrod: 'hunter2', base_url: 7}\n",
	V "connectors:\n  f:\n    kind: flex2b\n    password: \"hunter2\\q\"\n",
	V
	"sources:\n  a:\n    kind: http\n    tokens:\n      - secret:erp\n      - \"hunter2\\q\"\n",
	V "sources:\n  a:\n    kind: http\n    tokens: \"x\n      hunter2\\q\"\n",
};

START_TEST(a_plain_secret_is_never_shown)
{
	ck_assert_int_eq(load(plain_secrets[_i]), GAN_ECONFIG);
	ck_assert_msg(strstr(diags.text.data, "hunter2") == NULL, "%s", diags.text.data);
	ck_assert_ptr_null(strstr(diags.first, "hunter2"));
	ck_assert_msg(strstr(diags.text.data, "may hold a secret") != NULL, "%s", diags.text.data);
}
END_TEST

START_TEST(a_plain_secret_gets_told_where_to_go)
{
	ck_assert_int_eq(load(V "sources:\n  a: {kind: http, tokens: hunter2}\n"), GAN_ECONFIG);
	ck_assert_str_eq(findings(),
	    "~/gantry.yaml:3:27: error: 'tokens' must not stand here as plain text: write "
	    "secret:NAME, and put the value into ~/secrets/NAME (a NAME is made of letters, digits "
	    "and . _ -)\n    3 | (not shown: this line may hold a secret)\n");
}
END_TEST

static void
secret_is(const char *content, mode_t mode, const char *want)
{
	write_file("secrets/hook", content, mode);
	ck_assert_int_eq(load(V WEBHOOK), GAN_ECONFIG);
	ck_assert_msg(strstr(findings(), want) != NULL, "%s", findings());
}

START_TEST(secret_files_are_checked)
{
	struct gan_buf big GAN_AUTO(gan_buf_fini) = { 0 };

	secret_is("", 0600, "gantry.yaml:3:41: error: secret:hook: ~/secrets/hook is empty\n");
	secret_is("\n", 0600, "~/secrets/hook is empty");
	secret_is("0123456789abcdef", 0604,
	    "~/secrets/hook can be read by every user of this machine, run: chmod o-rwx "
	    "~/secrets/hook\n");
	secret_is("0123456789abcdef", 0602, "can be written by every user");
	secret_is("0123456789\nabcdef\n", 0600, "holds more than one line");
	secret_is("0123456789abcdef\r\n", 0600, "or a carriage return");
	secret_is("0123456789\tabcdef\n", 0600, "holds a control character (0x09) at byte 11");
	for (int i = 0; i < GAN_SECRET_MAX; i++)
		gan_buf_putc(&big, 'k');
	gan_buf_putc(&big, '\n');
	write_file("secrets/hook", big.data, 0640);
	good(V WEBHOOK);
	ck_assert_uint_eq(conf->sources[0].secrets[0].len, GAN_SECRET_MAX);
	gan_buf_puts(&big, "k");
	secret_is(big.data, 0600, "~/secrets/hook is larger than 4096 bytes");
	ck_assert_int_eq(load(V "sources:\n  a: {kind: http, tokens: secret:none}\n"), GAN_ECONFIG);
	ck_assert_str_eq(findings(),
	    "~/gantry.yaml:3:27: error: secret:none: there is no file ~/secrets/none: write the "
	    "secret into it\n    3 |   a: {kind: http, tokens: secret:none}\n"
	    "      |                           ^\n");
	ck_assert_int_eq(
	    load(V "secrets: .\nsources:\n  a: {kind: http, tokens: secret:secrets}\n"),
	    GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(findings(), "secrets is not a regular file"));
}
END_TEST

START_TEST(secrets_need_not_be_read)
{
	write_file("gantry.yaml", V "sources:\n  a: {kind: http, tokens: secret:none}\n", 0600);
	ck_assert_int_eq(gan_config_load(file, false, &conf, &diags), GAN_OK);
	ck_assert_str_eq(conf->sources[0].secrets[0].name, "none");
	ck_assert_ptr_null(conf->sources[0].secrets[0].bytes);
}
END_TEST

START_TEST(credentials_win)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/cred", dir);
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", path, 1), 0);
	write_file("cred/gantry_hook", "from-the-credential-folder", 0444);
	good(V WEBHOOK);
	ck_assert_str_eq(conf->sources[0].secrets[0].bytes, "from-the-credential-folder");
	write_file("cred/hook", "from-the-one-credential\n", 0444);
	good(V WEBHOOK);
	ck_assert_str_eq(conf->sources[0].secrets[0].bytes, "from-the-one-credential");
	write_file("cred/hook", "", 0444);
	ck_assert_int_eq(load(V WEBHOOK), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(findings(), "~/cred/hook is empty"));
}
END_TEST

START_TEST(names_of_secrets_are_plain)
{
	static const char *const names[] = { "secret:", "secret:.x", "secret:../x", "secret:a/b",
		"secret:a b", "Secret:a", "secret" };

	for (size_t i = 0; i < GAN_COUNT(names); i++)
		ck_assert_ptr_null(gan_secret_name(names[i], strlen(names[i])));
	ck_assert_ptr_null(gan_secret_name("secret:a\0b", 10));
	ck_assert_str_eq(gan_secret_name("secret:A-b_c.9", 14), "A-b_c.9");
}
END_TEST

START_TEST(a_short_key_is_warned_of)
{
	write_file("secrets/hook", "short\n", 0600);
	good(V WEBHOOK);
	ck_assert_str_eq(findings(),
	    "~/gantry.yaml:3:41: warning: secret:hook has only 5 bytes: a key should have 16 or "
	    "more\n    3 |   ps: {kind: prodsmart-webhook, secret: secret:hook}\n"
	    "      |                                         ^\n");
}
END_TEST

static unsigned
times(const char *what)
{
	unsigned n = 0;

	for (const char *p = diags.text.data; p != NULL && (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

START_TEST(what_comes_later_loads_with_one_warning_each)
{
	good(V "alerts:\n  - {when: attention > 0, for: 10m, to: \"https://h/x?y=z\"}\n");
	ck_assert_uint_eq(diags.warnings, 1);
	ck_assert_uint_eq(times("'alerts' is not built yet"), 1);
}
END_TEST

#define PS                                                                                         \
	": {kind: prodsmart, base_url: \"https://x\", api_key: secret:user, api_secret: secret:pass}\n"

START_TEST(channels_and_reconciliation_are_kept_as_written)
{
	struct gan_buf one GAN_AUTO(gan_buf_fini) = { 0 }, two GAN_AUTO(gan_buf_fini) = { 0 };
	const struct gan_conf_source *f, *w;

	good(V "sources:\n"
	       "  f: {kind: prodsmart-feed, connector: ps, channels: {\"My \\\"X\": production, "
	       "D: downtime}, every: 90s, reconcile: {every: 1h, grace: 0}}\n"
	       "  w: {kind: prodsmart-webhook, secret: secret:hook, reconcile: {every: 15m}}\n"
	       "connectors:\n  ps" PS);
	f = gan_config_source(conf, "f");
	w = gan_config_source(conf, "w");
	ck_assert_str_eq(f->connector, "ps");
	ck_assert_int_eq(f->every_ms, 90000);
	ck_assert_uint_eq(f->nchannels, 2);
	ck_assert_str_eq(f->channels[0].name, "My \"X");
	ck_assert_int_eq(f->channels[1].type, GAN_ENTITY_DOWNTIME);
	ck_assert(f->reconcile.on && w->reconcile.on);
	ck_assert_str_eq(f->reconcile.connector, "ps");
	ck_assert_str_eq(w->reconcile.connector, "ps"); /* the only one */
	ck_assert_int_eq(f->reconcile.grace_ms, 0);
	ck_assert_int_eq(w->reconcile.grace_ms, 300000);
	ck_assert_int_eq(w->reconcile.overlap_ms, 1800000);
	ck_assert_int_eq(gan_config_json(conf, &one), GAN_OK);
	ck_assert_ptr_nonnull(strstr(one.data, "\"channels\":{\"My \\\"X\":\"production\","));
	/* A feed asks its own connector: the key is none of its. */
	ck_assert_int_eq(gan_config_json(conf, &two), GAN_OK);
	good(V "sources:\n  w: {kind: prodsmart-webhook, secret: secret:hook}\n");
	ck_assert(!gan_config_source(conf, "w")->reconcile.on);
	gan_buf_clear(&one);
	ck_assert_int_eq(gan_config_json(conf, &one), GAN_OK);
	ck_assert_ptr_null(strstr(one.data, "reconcile"));
	good(two.data);
	gan_buf_clear(&one);
	ck_assert_int_eq(gan_config_json(conf, &one), GAN_OK);
	ck_assert_str_eq(one.data, two.data);
}
END_TEST

START_TEST(nobody_reads_a_channel_twice)
{
	static const char feeds[] =
	    "sources:\n"
	    "  a: {kind: prodsmart-feed, connector: p1, channels: {C: stock}}\n"
	    "  b: {kind: prodsmart-feed, connector: p2, channels: {C: stock}}\n";
	char text[1024];

	snprintf(text, sizeof(text), V "%sconnectors:\n  p1" PS "  p2" PS, feeds);
	ck_assert_int_eq(load(text), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(findings(),
	    ": error: source 'a' reads this channel of the same account: each of "
	    "two readers would get a part of its changes"));
	/* Another account. */
	snprintf(text, sizeof(text),
	    V "%sconnectors:\n  p1" PS "  p2: {kind: prodsmart, base_url: \"https://x\", api_key: "
	      "secret:chan, api_secret: secret:pass}\n",
	    feeds);
	good(text);
}
END_TEST

START_TEST(reconciliation_needs_somebody_to_ask)
{
	static const char source[] = V
	    "sources:\n  w: {kind: prodsmart-webhook, secret: secret:hook, reconcile: {every: 15m";
	char text[1024];

	snprintf(text, sizeof(text), "%s}}\n", source);
	ck_assert_int_eq(load(text), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(findings(), "there is no connector of kind prodsmart"));
	snprintf(text, sizeof(text), "%s}}\nconnectors:\n  p1" PS "  p2" PS, source);
	ck_assert_int_eq(load(text), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(findings(), "'reconcile' needs a 'connector'"));
	snprintf(text, sizeof(text), "%s, connector: p3}}\nconnectors:\n  p1" PS "  p2" PS, source);
	ck_assert_int_eq(load(text), GAN_ECONFIG);
	ck_assert_ptr_nonnull(
	    strstr(findings(), "there is no connector of that name, did you mean 'p1'?"));
	snprintf(text, sizeof(text), "%s, connector: p2}}\nconnectors:\n  p1" PS "  p2" PS, source);
	good(text);
	ck_assert_str_eq(conf->sources[0].reconcile.connector, "p2");
	snprintf(text, sizeof(text),
	    "%s}}\nconnectors:\n  p1" PS "store: {retention: {ignored: 10m}}\n", source);
	ck_assert_int_eq(load(text), GAN_ECONFIG);
	ck_assert_ptr_nonnull(
	    strstr(findings(), "'every' must not be longer than store.retention"));
}
END_TEST

START_TEST(what_comes_later_is_checked_all_the_same)
{
	ck_assert_int_eq(load(V "alerts: [{when: x, fro: 10m}]\n"), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(diags.text.data, "unknown key 'fro', did you mean 'for'?"));
	ck_assert_ptr_nonnull(strstr(diags.text.data, "missing key 'to'"));
}
END_TEST

START_TEST(the_configuration_as_json_loads_again)
{
	struct gan_buf one GAN_AUTO(gan_buf_fini) = { 0 }, two GAN_AUTO(gan_buf_fini) = { 0 };

	good(V "listen: {admin: {address: \"[::1]:81\"}, public: {trusted_proxies: [\"::1\"]}}\n"
	       "store: {min_free: 0}\n"
	       "deliver: {retry: {factor: 1.25}}\n"
	       "sources:\n  ps: {kind: prodsmart-webhook, secret: [secret:hook, secret:hook2], "
	       "signature: {header: X-S, algorithm: sha256, encoding: hex}}\n" MOVILITAS
	       ", concurrency: 2}\n"
	       "  pd: {kind: prodsmart, base_url: \"https://x\", api_key: secret:user, api_secret: "
	       "secret:pass, machines: basic, query_names: {worker: lavoratore}}\n");
	ck_assert(gan_config_connector(conf, "pd")->prodsmart_basic);
	ck_assert_int_eq(gan_config_json(conf, &one), GAN_OK);
	good(one.data);
	ck_assert_int_eq(gan_config_json(conf, &two), GAN_OK);
	ck_assert_str_eq(one.data, two.data);
	ck_assert_ptr_null(strstr(one.data, "-value-of-"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"secret\":[\"secret:hook\",\"secret:hook2\"]"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"factor\":1.25"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"concurrency\":2"));
	ck_assert_ptr_nonnull(strstr(one.data, "\"query_names\":{\"worker\":\"lavoratore\"}"));
}
END_TEST

START_TEST(a_snapshot_lives_as_long_as_it_is_held)
{
	struct gan_config *other;

	good(V);
	other = gan_config_ref(conf);
	gan_config_unref(&conf);
	ck_assert_ptr_null(conf);
	ck_assert_str_eq(other->site, "gantry");
	gan_config_unref(&other);
	gan_config_unref(&other);
}
END_TEST

/* Half a file, or one with a character changed: an answer each time. */
START_TEST(damage_never_crashes)
{
	static const char text[] =
	    V "site: a\nlisten: {public: {address: \"[::1]:0\", trusted_proxies: [10.0.0.1]}}\n"
	      "deliver: {retry: {first: 3s, jitter: 0%}}\nsources:\n"
	      "  a: {kind: prodsmart-webhook, secret: [secret:hook, secret:hook2], signature: "
	      "{algorithm: sha1, encoding: hex}}\n  f: {kind: prodsmart-feed, connector: ps, "
	      "channels: {P: production}}\nconnectors:\n  ps: {kind: pull, tokens: secret:tok}\n"
	      "alerts:\n  - {when: x, to: \"https://h\"}\n";
	char copy[sizeof(text)];
	unsigned rnd = 7;

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

START_TEST(the_json_schema_is_json)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_yaml *doc GAN_AUTO(gan_yaml_free) = NULL;
	struct gan_err err;

	ck_assert_int_eq(gan_schema_json(&b), GAN_OK);
	ck_assert_msg(gan_yaml_parse("schema", b.data, b.len, &doc, &err) == GAN_OK, "%s", err.msg);
	ck_assert_ptr_nonnull(
	    gan_yaml_get(gan_yaml_get(gan_yaml_get(gan_yaml_root(doc), "properties"), "sources"),
		"additionalProperties"));
}
END_TEST

/*
 * KEYS of the manual page is what the table says.  After a change of the table:
 * GANTRY_UPDATE_DOC=1 build/tests/unit/test_config writes it anew.
 */
START_TEST(the_manual_page_lists_the_table)
{
	static const char begin[] = "; begin of the keys, written by tests/unit/test_config.c\n";
	static const char end[] = "; end of the keys\n";
	static const char page[] = "doc/gantry.yaml.5.scd";
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 }, all GAN_AUTO(gan_buf_fini) = { 0 };
	char *text GAN_AUTO(gan_str_free) = NULL, *from, *to;
	size_t len;
	FILE *f;

	if (access(page, R_OK) != 0)
		return; /* not run from the top of the tree */
	ck_assert_int_eq(gan_file_read(page, 1 << 20, &text, &len, NULL), GAN_OK);
	ck_assert_int_eq(gan_schema_reference(&b), GAN_OK);
	from = strstr(text, begin);
	to = strstr(text, end);
	ck_assert(from != NULL && to != NULL && from < to);
	gan_buf_put(&all, text, (size_t)(from - text) + sizeof(begin) - 1);
	gan_buf_printf(&all, "\n%s%s", b.data, to);
	if (getenv("GANTRY_UPDATE_DOC") != NULL) {
		f = fopen(page, "w");
		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(fwrite(all.data, 1, all.len, f), all.len);
		ck_assert_int_eq(fclose(f), 0);
		return;
	}
	ck_assert_msg(strcmp(all.data, text) == 0,
	    "doc/gantry.yaml.5.scd is not what the table says: run GANTRY_UPDATE_DOC=1 "
	    "build/tests/unit/test_config");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("config");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, defaults_fill_what_is_not_written);
	tcase_add_test(tc, every_key_lands_in_its_place);
	tcase_add_test(tc, relative_paths_start_at_the_folder_of_the_file);
	tcase_add_test(tc, connector_keys_win_over_deliver);
	tcase_add_test(tc, flex2b_gives_up_after_10_s_unless_told_otherwise);
	tcase_add_loop_test(tc, errors_say_what_where_and_what_to_do, 0, (int)GAN_COUNT(bad));
	tcase_add_test(tc, a_file_that_is_not_there);
	tcase_add_loop_test(tc, urls_are_https_unless_loopback, 0, (int)GAN_COUNT(urls));
	tcase_add_loop_test(tc, a_plain_secret_is_never_shown, 0, (int)GAN_COUNT(plain_secrets));
	tcase_add_test(tc, a_plain_secret_gets_told_where_to_go);
	tcase_add_test(tc, secret_files_are_checked);
	tcase_add_test(tc, secrets_need_not_be_read);
	tcase_add_test(tc, credentials_win);
	tcase_add_test(tc, names_of_secrets_are_plain);
	tcase_add_test(tc, a_short_key_is_warned_of);
	tcase_add_test(tc, what_comes_later_loads_with_one_warning_each);
	tcase_add_test(tc, channels_and_reconciliation_are_kept_as_written);
	tcase_add_test(tc, nobody_reads_a_channel_twice);
	tcase_add_test(tc, reconciliation_needs_somebody_to_ask);
	tcase_add_test(tc, what_comes_later_is_checked_all_the_same);
	tcase_add_test(tc, the_configuration_as_json_loads_again);
	tcase_add_test(tc, a_snapshot_lives_as_long_as_it_is_held);
	tcase_add_test(tc, damage_never_crashes);
	tcase_add_test(tc, the_json_schema_is_json);
	tcase_add_test(tc, the_manual_page_lists_the_table);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
