/* SPDX-License-Identifier: MIT */
/* test_ctl_args.c - command lines, help and requests of gantryctl. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "json/check.h"

#define MAX_ARGS 16

static struct gan_ctl ctl;
static struct gan_err err;
static bool version;
static char *words[MAX_ARGS + 1];
static char line[512];
static struct gan_buf out;

static void
setup(void)
{
	(void)unsetenv("GANTRY_SOCKET");
	memset(&out, 0, sizeof(out));
	memset(&err, 0, sizeof(err));
	version = false;
}

static void
teardown(void)
{
	gan_buf_fini(&out);
}

static int
parse(const char *text)
{
	char *save = NULL;
	int n = 0;

	(void)snprintf(line, sizeof(line), "gantryctl %s", text);
	for (char *w = strtok_r(line, " ", &save); w != NULL && n < MAX_ARGS;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	words[n] = NULL;
	return gan_ctl_parse(n, words, &ctl, &version, &err);
}

START_TEST(defaults_are_those_of_the_manual)
{
	ck_assert_int_eq(parse("status"), GAN_OK);
	ck_assert_str_eq(ctl.socket, "/run/gantry/control.sock");
	ck_assert_str_eq(ctl.config, "/etc/gantry/gantry.yaml");
	ck_assert(!ctl.socket_given && !ctl.config_given && !ctl.yes);
	ck_assert_int_eq(ctl.output, GAN_CTL_TABLE);
	ck_assert_str_eq(ctl.cmd->name, "status");
	(void)setenv("GANTRY_SOCKET", "/run/other.sock", 1);
	ck_assert_int_eq(parse("status"), GAN_OK);
	ck_assert_str_eq(ctl.socket, "/run/other.sock");
	ck_assert_int_eq(parse("--socket /x status"), GAN_OK);
	ck_assert_str_eq(ctl.socket, "/x");
}
END_TEST

START_TEST(options_stand_before_and_behind)
{
	ck_assert_int_eq(
	    parse("--output json deliveries list --state dead --limit=5 --socket /s"), GAN_OK);
	ck_assert_str_eq(ctl.cmd->name, "deliveries list");
	ck_assert_int_eq(ctl.output, GAN_CTL_JSON);
	ck_assert_str_eq(ctl.opt[GAN_CTL_OPT_STATE], "dead");
	ck_assert_str_eq(ctl.opt[GAN_CTL_OPT_LIMIT], "5");
	ck_assert_str_eq(ctl.socket, "/s");
	ck_assert_int_eq(parse("resolve d01 --as sent --output jsonl"), GAN_OK);
	ck_assert_int_eq(ctl.noperands, 1);
	ck_assert_str_eq(ctl.operands[0], "d01");
	ck_assert_str_eq(ctl.opt[GAN_CTL_OPT_AS], "sent");
	ck_assert_int_eq(ctl.output, GAN_CTL_JSONL);
	ck_assert_int_eq(parse("rules try waste e01"), GAN_OK);
	ck_assert_int_eq(ctl.noperands, 2);
	ck_assert_int_eq(parse("show -- --odd-key"), GAN_OK);
	ck_assert_str_eq(ctl.operands[0], "--odd-key");
}
END_TEST

static void
refused(const char *text, const char *part)
{
	memset(&err, 0, sizeof(err));
	ck_assert_msg(parse(text) == GAN_EINVAL, "'%s' was taken", text);
	ck_assert_msg(strstr(err.msg, part) != NULL, "'%s': %s", text, err.msg);
}

START_TEST(mistakes_are_named)
{
	refused("", "a command is missing");
	refused("stauts", "did you mean 'status'?");
	refused("frobnicate", "unknown command 'frobnicate'; see gantryctl --help");
	refused("events", "'events' is followed by one of: list");
	refused("rules chek", "followed by one of: list, check, test, try");
	refused("status --limit 3", "--limit");
	refused("--frob status", "--frob");
	refused("status -x", "-x");
	refused("events list --limit", "--limit needs a value");
	refused("--output xml status", "table, json or jsonl");
	refused("--color sometimes status", "auto, always or never");
	refused("show", "show needs KEY|ID\nusage: gantryctl show KEY|ID");
	refused("pause a b", "'b' is too much for pause");
}
END_TEST

START_TEST(help_and_version_need_no_command)
{
	ck_assert_int_eq(parse("--help"), GAN_OK);
	ck_assert(ctl.help && ctl.cmd == NULL);
	ck_assert_int_eq(parse("--version"), GAN_OK);
	ck_assert(version);
	ck_assert_int_eq(parse("show --help"), GAN_OK);
	ck_assert(ctl.help);
	ck_assert_str_eq(ctl.cmd->name, "show");
	ck_assert_int_eq(parse("rules --help"), GAN_OK);
	ck_assert(ctl.help && ctl.cmd == NULL);
	refused("frob --help", "unknown command 'frob'");
}
END_TEST

START_TEST(help_names_every_command_and_option)
{
	char want[64];

	gan_ctl_put_help(&out);
	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		(void)snprintf(want, sizeof(want), "\n  %s", gan_ctl_commands[i].name);
		ck_assert_msg(strstr(out.data, want) != NULL, "no %s", want);
	}
	for (int i = 0; i < GAN_CTL_NOPTIONS; i++) {
		(void)snprintf(want, sizeof(want), "\n  --%s", gan_ctl_options[i].name);
		ck_assert_msg(strstr(out.data, want) != NULL, "no %s", want);
	}
	ck_assert_ptr_nonnull(
	    strstr(out.data, "  resolve ID [--as OUTCOME]\n      say what became"));
	for (size_t i = 0; i < gan_ctl_ncommands; i++) {
		gan_buf_clear(&out);
		gan_ctl_put_command_help(&gan_ctl_commands[i], &out);
		ck_assert_ptr_nonnull(strstr(out.data, gan_ctl_commands[i].help));
	}
}
END_TEST

START_TEST(requests_carry_what_was_typed)
{
	ck_assert_int_eq(
	    parse("events list --topic prod* --limit 20 --since 2026-01-01T00:00:00Z"), GAN_OK);
	gan_ctl_request_begin(&out, ctl.cmd->name);
	ck_assert_int_eq(gan_ctl_request_options(&ctl, &out, &err), GAN_OK);
	gan_ctl_request_str(&out, "x", "a\"b");
	gan_ctl_request_end(&out, "why \xc3\xa9");
	ck_assert_str_eq(out.data,
	    "{\"verb\":\"events list\",\"args\":{\"topic\":\"prod*\",\"since_ms\":1767225600000,"
	    "\"limit\":20,\"x\":\"a\\\"b\"},\"reason\":\"why \xc3\xa9\"}\n");
	ck_assert_int_eq(gan_json_check(out.data, out.len, 64, NULL, &err), GAN_OK);
}
END_TEST

START_TEST(values_that_make_no_sense_are_refused)
{
	static const char *const bad[] = { "events list --limit 0", "events list --limit 1001",
		"events list --limit x", "events list --limit -1", "events list --since yesterday",
		"events list --until 2026-01-01" };

	for (size_t i = 0; i < GAN_COUNT(bad); i++) {
		ck_assert_int_eq(parse(bad[i]), GAN_OK);
		gan_buf_clear(&out);
		gan_ctl_request_begin(&out, ctl.cmd->name);
		ck_assert_msg(
		    gan_ctl_request_options(&ctl, &out, &err) == GAN_EINVAL, "%s", bad[i]);
	}
}
END_TEST

START_TEST(times_are_dates_or_ages)
{
	int64_t ms;

	ck_assert(gan_ctl_time("2h", 10000000, &ms));
	ck_assert_int_eq(ms, 2800000);
	ck_assert(gan_ctl_time("2026-01-01T01:00:00+01:00", 0, &ms));
	ck_assert_int_eq(ms, INT64_C(1767225600000));
	ck_assert(!gan_ctl_time("noon", 0, &ms));
}
END_TEST

START_TEST(nobody_at_the_socket_is_69)
{
	struct gan_err e = { 0 };

	ck_assert_int_eq(parse("--socket /nonexistent/gantry.sock status"), GAN_OK);
	ck_assert_int_eq(gan_ctl_connect(&ctl, &e), GAN_ENET);
	ck_assert_ptr_nonnull(strstr(e.msg, "/nonexistent/gantry.sock"));
	ck_assert_int_eq(ctl.cmd->run(&ctl), GAN_CTL_UNAVAILABLE);
}
END_TEST

START_TEST(completion_is_a_script)
{
	FILE *f = popen("bash -n", "w");

	gan_ctl_put_completion(&out);
	ck_assert_ptr_nonnull(strstr(out.data, "\tquarantine) words=\"list accept \""));
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(out.data, 1, out.len, f), out.len);
	ck_assert_int_eq(pclose(f), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ctl_args");
	TCase *tc = tcase_create("args");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, defaults_are_those_of_the_manual);
	tcase_add_test(tc, options_stand_before_and_behind);
	tcase_add_test(tc, mistakes_are_named);
	tcase_add_test(tc, help_and_version_need_no_command);
	tcase_add_test(tc, help_names_every_command_and_option);
	tcase_add_test(tc, requests_carry_what_was_typed);
	tcase_add_test(tc, values_that_make_no_sense_are_refused);
	tcase_add_test(tc, times_are_dates_or_ages);
	tcase_add_test(tc, nobody_at_the_socket_is_69);
	tcase_add_test(tc, completion_is_a_script);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
