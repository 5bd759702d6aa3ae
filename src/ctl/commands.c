/* SPDX-License-Identifier: MIT */
/*
 * commands.c - the table of commands: parsing, help, completion and the
 * synopsis in gantryctl(1) all come from here.
 */
#include "ctl/ctl.h"

#define BIT(o) (UINT32_C(1) << GAN_CTL_OPT_##o)
#define PAGE (BIT(SINCE) | BIT(UNTIL) | BIT(BEFORE) | BIT(LIMIT))
#define FILTER (BIT(STATE) | BIT(CONNECTOR) | BIT(RULE) | BIT(KEY) | BIT(SINCE) | BIT(UNTIL))
#define QUICK 30u
#define SLOW 600u

const struct gan_ctl_option gan_ctl_options[GAN_CTL_NOPTIONS] = {
	[GAN_CTL_OPT_STATE] = { "state", "STATE", "state", GAN_CTL_TEXT,
	    "only those in this state" },
	[GAN_CTL_OPT_SOURCE] = { "source", "NAME", "source", GAN_CTL_TEXT,
	    "only those of this source" },
	[GAN_CTL_OPT_TOPIC] = { "topic", "GLOB", "topic", GAN_CTL_TEXT,
	    "only those with such a topic (* and ?)" },
	[GAN_CTL_OPT_CONNECTOR] = { "connector", "NAME", "connector", GAN_CTL_TEXT,
	    "only those of this connector" },
	[GAN_CTL_OPT_RULE] = { "rule", "NAME", "rule", GAN_CTL_TEXT, "only those of this rule" },
	[GAN_CTL_OPT_KEY] = { "key", "KEY", "key", GAN_CTL_TEXT, "only those with this key" },
	[GAN_CTL_OPT_SINCE] = { "since", "TIME", "since_ms", GAN_CTL_TIME,
	    "from this time on: 2h (ago), or 2026-11-21T19:00:00Z" },
	[GAN_CTL_OPT_UNTIL] = { "until", "TIME", "until_ms", GAN_CTL_TIME, "up to this time" },
	[GAN_CTL_OPT_BEFORE] = { "before", "ID", "before", GAN_CTL_TEXT,
	    "only older ones than this: the next page" },
	[GAN_CTL_OPT_LIMIT] = { "limit", "N", "limit", GAN_CTL_COUNT,
	    "at most so many (100; 1000 at most)" },
	[GAN_CTL_OPT_BODIES] = { "bodies", NULL, "bodies", GAN_CTL_FLAG,
	    "with heads and whole bodies of all requests and answers" },
	[GAN_CTL_OPT_AS] = { "as", "OUTCOME", "as", GAN_CTL_TEXT,
	    "sent: it arrived; not-sent: it did not, send it again" },
	[GAN_CTL_OPT_CHECK] = { "check", NULL, NULL, GAN_CTL_FLAG,
	    "say what is not well; exit 1 when something is" },
	[GAN_CTL_OPT_ALL] = { "all-matching", NULL, NULL, GAN_CTL_FLAG,
	    "all whose signature is right with the secrets of now" },
	[GAN_CTL_OPT_EVENT_FILE] = { "event-file", "FILE", NULL, GAN_CTL_TEXT,
	    "take the event's body from a file" },
	[GAN_CTL_OPT_WITHOUT_AFTER] = { "without-after", NULL, NULL, GAN_CTL_FLAG,
	    "do not wait any longer for what had to be delivered first" },
	[GAN_CTL_OPT_BODY] = { "body", "FILE", NULL, GAN_CTL_TEXT,
	    "take the new body from a file; - is standard input" },
	[GAN_CTL_OPT_EDIT] = { "edit", NULL, NULL, GAN_CTL_FLAG,
	    "change the body in $VISUAL or $EDITOR" },
};

const struct gan_ctl_option gan_ctl_globals[] = {
	{ "socket", "PATH", NULL, GAN_CTL_TEXT,
	    "control socket (else $GANTRY_SOCKET, else " GAN_CTL_SOCKET ")" },
	{ "config", "FILE", NULL, GAN_CTL_TEXT,
	    "rules and config commands: check this file, without gantryd" },
	{ "output", "FORM", NULL, GAN_CTL_TEXT, "table, json or jsonl" },
	{ "reason", "TEXT", NULL, GAN_CTL_TEXT, "why, for the audit log" },
	{ "yes", NULL, NULL, GAN_CTL_FLAG, "do not ask before acting on several things" },
	{ "color", "WHEN", NULL, GAN_CTL_TEXT, "auto, always or never" },
	{ "help", NULL, NULL, GAN_CTL_FLAG, "this text, or that of a command" },
	{ "version", NULL, NULL, GAN_CTL_FLAG, "print the version" },
};
const size_t gan_ctl_nglobals = GAN_COUNT(gan_ctl_globals);

static const struct gan_ctl_column events_cols[] = {
	{ "ID", "id", GAN_COL_PLAIN },
	{ "RECEIVED (UTC)", "received_at", GAN_COL_TIME },
	{ "SOURCE", "source", GAN_COL_PLAIN },
	{ "TOPIC", "topic", GAN_COL_PLAIN },
	{ "STATE", "state", GAN_COL_STATE },
	{ "REASON", "reason", GAN_COL_LONG },
	{ 0 },
};
static const struct gan_ctl_column deliveries_cols[] = {
	{ "ID", "id", GAN_COL_PLAIN },
	{ "KEY", "key", GAN_COL_PLAIN },
	{ "CONNECTOR", "connector", GAN_COL_PLAIN },
	{ "OPERATION", "operation", GAN_COL_PLAIN },
	{ "STATE", "state", GAN_COL_STATE },
	{ "TRIES", "attempts", GAN_COL_RIGHT },
	{ "NEXT (UTC)", "next_at", GAN_COL_TIME },
	{ "ANSWER", "last.status", GAN_COL_RIGHT },
	{ "ERROR", "last.error", GAN_COL_LONG },
	{ 0 },
};
static const struct gan_ctl_column attention_cols[] = {
	{ "KIND", "kind", GAN_COL_STATE },
	{ "ID", "id", GAN_COL_PLAIN },
	{ "KEY", "key", GAN_COL_PLAIN },
	{ "CONNECTOR", "connector", GAN_COL_PLAIN },
	{ "RULE", "rule", GAN_COL_PLAIN },
	{ "SINCE (UTC)", "since", GAN_COL_TIME },
	{ "REASON", "reason", GAN_COL_LONG },
	{ 0 },
};
static const struct gan_ctl_column lanes_cols[] = {
	{ "CONNECTOR", "connector", GAN_COL_PLAIN },
	{ "KEY", "key", GAN_COL_PLAIN },
	{ "STATE", "state", GAN_COL_PLAIN },
	{ "WAITING", "waiting", GAN_COL_RIGHT },
	{ "HEAD", "head", GAN_COL_PLAIN },
	{ "HEAD IS", "head_state", GAN_COL_STATE },
	{ "NEXT (UTC)", "next_at", GAN_COL_TIME },
	{ "REASON", "reason", GAN_COL_LONG },
	{ 0 },
};
static const struct gan_ctl_column audit_cols[] = {
	{ "AT (UTC)", "at", GAN_COL_TIME },
	{ "WHO", "who", GAN_COL_PLAIN },
	{ "VERB", "verb", GAN_COL_PLAIN },
	{ "OBJECT", "object", GAN_COL_PLAIN },
	{ "BEFORE", "before", GAN_COL_PLAIN },
	{ "AFTER", "after", GAN_COL_PLAIN },
	{ "REASON", "reason", GAN_COL_LONG },
	{ 0 },
};
static const struct gan_ctl_column quarantine_cols[] = {
	{ "ID", "id", GAN_COL_PLAIN },
	{ "RECEIVED (UTC)", "received_at", GAN_COL_TIME },
	{ "SOURCE", "source", GAN_COL_PLAIN },
	{ "TOPIC", "topic", GAN_COL_PLAIN },
	{ "FROM", "remote", GAN_COL_PLAIN },
	{ "WHY", "why", GAN_COL_LONG },
	{ 0 },
};
static const struct gan_ctl_column accept_cols[] = {
	{ "ID", "id", GAN_COL_PLAIN },
	{ "SOURCE", "source", GAN_COL_PLAIN },
	{ "TOPIC", "topic", GAN_COL_PLAIN },
	{ "ACCEPTED", "accepted", GAN_COL_PLAIN },
	{ "EVENT", "event", GAN_COL_PLAIN },
	{ "REASON", "reason", GAN_COL_LONG },
	{ 0 },
};
static const struct gan_ctl_column rules_cols[] = {
	{ "RULE", "name", GAN_COL_PLAIN },
	{ "FILE", "file", GAN_COL_PLAIN },
	{ "FROM", "from", GAN_COL_PLAIN },
	{ "TO", "to", GAN_COL_PLAIN },
	{ "ENABLED", "enabled", GAN_COL_PLAIN },
	{ "TESTS", "tests", GAN_COL_RIGHT },
	{ "DESCRIPTION", "description", GAN_COL_LONG },
	{ 0 },
};
static const struct gan_ctl_column doctor_cols[] = {
	{ "LEVEL", "level", GAN_COL_STATE },
	{ "CHECK", "check", GAN_COL_PLAIN },
	{ "FINDING", "finding", GAN_COL_LONG },
	{ "WHAT TO DO", "action", GAN_COL_LONG },
	{ 0 },
};

const struct gan_ctl_command gan_ctl_commands[] = {
	{ "status", "", NULL, 0, 0, BIT(CHECK), QUICK, "how the gateway is", gan_ctl_run_status,
	    NULL },
	{ "show", "KEY|ID", "text", 1, 1, BIT(BODIES), QUICK,
	    "the story of a business key, an event or a delivery", gan_ctl_run_show, NULL },
	{ "events list", "", NULL, 0, 0, BIT(SOURCE) | BIT(TOPIC) | BIT(STATE) | PAGE, QUICK,
	    "events, newest first", gan_ctl_run_plain, events_cols },
	{ "deliveries list", "", NULL, 0, 0, FILTER | PAGE, QUICK, "deliveries, newest first",
	    gan_ctl_run_plain, deliveries_cols },
	{ "attention", "", NULL, 0, 0, BIT(BEFORE) | BIT(LIMIT), QUICK, "all that needs a person",
	    gan_ctl_run_plain, attention_cols },
	{ "lanes", "", NULL, 0, 0, BIT(CONNECTOR) | BIT(KEY) | BIT(LIMIT), QUICK,
	    "queues of keys that wait", gan_ctl_run_plain, lanes_cols },
	{ "retry", "[ID...]", "id", 0, -1, FILTER | BIT(WITHOUT_AFTER), QUICK,
	    "send dead, expired or waiting deliveries now; map a rejected event again",
	    gan_ctl_run_each, NULL },
	{ "resolve", "ID", "id", 1, 1, BIT(AS), QUICK, "say what became of an unknown delivery",
	    gan_ctl_run_plain, NULL },
	{ "skip", "[ID...]", "id", 0, -1, FILTER, QUICK,
	    "never send a delivery; close a rejected event", gan_ctl_run_each, NULL },
	{ "correct", "ID", "id", 1, 1, BIT(BODY) | BIT(EDIT), QUICK,
	    "send an edited copy in place of a dead, unknown or expired delivery",
	    gan_ctl_run_correct, NULL },
	{ "approve", "ID", "id", 1, 1, 0, QUICK,
	    "let the correction of a delivery go that another user made", gan_ctl_run_plain, NULL },
	{ "pause", "CONNECTOR", "connector", 1, 1, 0, QUICK, "send nothing to a connector",
	    gan_ctl_run_plain, NULL },
	{ "resume", "CONNECTOR", "connector", 1, 1, 0, QUICK, "go on sending to it",
	    gan_ctl_run_plain, NULL },
	{ "rules list", "", NULL, 0, 0, 0, QUICK, "rules in force", gan_ctl_run_files, rules_cols },
	{ "rules check", "[RULE]", "rule", 0, 1, 0, SLOW,
	    "load and compile the rule files, run their tests, print what is wrong",
	    gan_ctl_run_files, NULL },
	{ "rules test", "[RULE]", "rule", 0, 1, 0, SLOW, "the same with a line for each test",
	    gan_ctl_run_files, NULL },
	{ "rules try", "RULE [EVENT-ID]", "rule", 1, 2, BIT(EVENT_FILE) | BIT(SOURCE) | BIT(TOPIC),
	    SLOW, "what a rule would make of an event; nothing is sent", gan_ctl_run_try, NULL },
	{ "config show", "", NULL, 0, 0, 0, QUICK, "the configuration with all defaults",
	    gan_ctl_run_files, NULL },
	{ "config check", "", NULL, 0, 0, 0, SLOW,
	    "would a reload be accepted? configuration, rules and tests", gan_ctl_run_files, NULL },
	{ "reload", "", NULL, 0, 0, 0, SLOW, "put the files in force, all or nothing",
	    gan_ctl_run_reload, NULL },
	{ "quarantine list", "", NULL, 0, 0, BIT(SOURCE) | BIT(BEFORE) | BIT(LIMIT), QUICK,
	    "requests with a wrong signature", gan_ctl_run_plain, quarantine_cols },
	{ "quarantine accept", "[ID...]", "ids", 0, -1, BIT(ALL) | BIT(SOURCE), SLOW,
	    "verify them again and take them in", gan_ctl_run_accept, accept_cols },
	{ "audit", "", NULL, 0, 0, PAGE, QUICK, "who did what, newest first", gan_ctl_run_plain,
	    audit_cols },
	{ "backup", "PATH", "path", 1, 1, 0, SLOW,
	    "copy the database while it works; gantryd writes the file", gan_ctl_run_backup, NULL },
	{ "store check", "", NULL, 0, 0, 0, SLOW, "is the database whole?", gan_ctl_run_plain,
	    NULL },
	{ "doctor", "", NULL, 0, 0, 0, QUICK, "what is likely to hurt soon", gan_ctl_run_plain,
	    doctor_cols },
	{ "help", "[COMMAND]", NULL, 0, 2, 0, QUICK, "help on a command", gan_ctl_run_help, NULL },
	{ "completion", "bash", NULL, 1, 1, 0, QUICK, "a completion script for the shell",
	    gan_ctl_run_completion, NULL },
};
const size_t gan_ctl_ncommands = GAN_COUNT(gan_ctl_commands);
