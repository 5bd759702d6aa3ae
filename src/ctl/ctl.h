/* SPDX-License-Identifier: MIT */
/*
 * ctl.h - gantryctl: what its files share.
 *
 * args.c holds the one table of commands; parsing, help, completion and the
 * synopsis of gantryctl(1) come from it.  A command is either sent to gantryd
 * (client.c) or done here from the files (offline.c); what comes back is shown
 * by output.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "json/span.h"

/* Exit codes: design.md section 12. */
#define GAN_CTL_OK 0
#define GAN_CTL_NEGATIVE 1
#define GAN_CTL_USAGE 64
#define GAN_CTL_UNAVAILABLE 69
#define GAN_CTL_NOPERM 77
#define GAN_CTL_CONFIG 78

#define GAN_CTL_SOCKET "/run/gantry/control.sock"
#define GAN_CTL_CONFIG_FILE "/etc/gantry/gantry.yaml"

enum gan_ctl_output {
	GAN_CTL_TABLE,
	GAN_CTL_JSON,
	GAN_CTL_JSONL,
};

enum gan_ctl_option_kind {
	GAN_CTL_TEXT,
	GAN_CTL_COUNT,
	GAN_CTL_TIME, /* a date, or how long ago: sent as milliseconds */
	GAN_CTL_FLAG,
};

enum {
	GAN_CTL_OPT_STATE,
	GAN_CTL_OPT_SOURCE,
	GAN_CTL_OPT_TOPIC,
	GAN_CTL_OPT_CONNECTOR,
	GAN_CTL_OPT_RULE,
	GAN_CTL_OPT_KEY,
	GAN_CTL_OPT_SINCE,
	GAN_CTL_OPT_UNTIL,
	GAN_CTL_OPT_BEFORE,
	GAN_CTL_OPT_LIMIT,
	GAN_CTL_OPT_BODIES,
	GAN_CTL_OPT_AS,
	GAN_CTL_OPT_CHECK,
	GAN_CTL_OPT_ALL,
	GAN_CTL_OPT_EVENT_FILE,
	GAN_CTL_OPT_WITHOUT_AFTER,
	GAN_CTL_OPT_BODY,
	GAN_CTL_OPT_EDIT,
	GAN_CTL_OPT_PLAN,
	GAN_CTL_OPT_RULES,
	GAN_CTL_OPT_AFTER,
	GAN_CTL_NOPTIONS,
};

struct gan_ctl_option {
	const char *name; /* without the dashes */
	const char *arg;  /* what help calls its argument; NULL: a flag */
	const char *key;  /* in the request's args; NULL: not sent */
	enum gan_ctl_option_kind kind;
	const char *help;
};

/* A column of a listing. */
struct gan_ctl_column {
	const char *heading; /* NULL: end of the columns */
	const char *path;    /* "last.status" */
	enum {
		GAN_COL_PLAIN,
		GAN_COL_RIGHT,
		GAN_COL_TIME,
		GAN_COL_LONG, /* on a line of its own when the terminal is narrow */
		GAN_COL_STATE,
	} kind;
};

struct gan_ctl;

struct gan_ctl_command {
	const char *name;     /* "events list": also the verb in the protocol */
	const char *operands; /* "[ID...]", for help */
	const char *key;      /* of the first operand in the request's args */
	int min, max;         /* operands; max -1: any number */
	uint32_t options;     /* bits by enum */
	unsigned deadline_s;
	const char *help;
	int (*run)(struct gan_ctl *ctl);
	const struct gan_ctl_column *columns; /* of a listing; NULL: not a listing */
};

struct gan_ctl {
	const char *socket, *config;
	bool socket_given, config_given;
	enum gan_ctl_output output;
	const char *reason;
	bool yes, color, help;
	const struct gan_ctl_command *cmd;
	char **operands;
	int noperands;
	const char *opt[GAN_CTL_NOPTIONS]; /* a flag that is set is "" */
	int fd;                            /* the connection; -1: none yet */
	struct gan_buf in;                 /* read ahead from it */
};

/* One answer of gantryd. */
struct gan_ctl_reply {
	char *line;
	int exit;
	struct gan_span result; /* of line; empty when null */
	char *text;             /* or NULL */
};
void gan_ctl_reply_fini(struct gan_ctl_reply *r); /* also a GAN_AUTO handler */

/* ---- gantryctl.c calls this ---- */
int gan_ctl_main(int argc, char **argv);

/* ---- args.c, help.c ---- */
extern const struct gan_ctl_command gan_ctl_commands[];
extern const size_t gan_ctl_ncommands;
extern const struct gan_ctl_option gan_ctl_options[GAN_CTL_NOPTIONS];
extern const struct gan_ctl_option gan_ctl_globals[];
extern const size_t gan_ctl_nglobals;

/*
 * Fill *ctl.  Returns 0, or GAN_EINVAL with a message.  ctl->cmd is NULL with
 * --help or --version alone; *ret_version says which.  argv may be reordered.
 */
GAN_MUST_CHECK int gan_ctl_parse(
    int argc, char **argv, struct gan_ctl *ctl, bool *ret_version, struct gan_err *err);

const struct gan_ctl_command *gan_ctl_find(const char *first, const char *second, int *ret_words);
void gan_ctl_put_synopsis(const struct gan_ctl_command *c, struct gan_buf *out);
void gan_ctl_put_help(struct gan_buf *out);
void gan_ctl_put_command_help(const struct gan_ctl_command *c, struct gan_buf *out);
void gan_ctl_put_completion(struct gan_buf *out);

/* "2h" ago, or RFC 3339, in wall-clock milliseconds. */
bool gan_ctl_time(const char *s, int64_t now_ms, int64_t *ret_ms);

/* ---- client.c ---- */

/* GAN_ENET: nobody answers; GAN_EPERM: the socket may not be opened. Once is enough. */
GAN_MUST_CHECK int gan_ctl_connect(struct gan_ctl *ctl, struct gan_err *err);

/* Send one request line and wait for its answer, at most deadline_s. */
GAN_MUST_CHECK int gan_ctl_call(struct gan_ctl *ctl, const struct gan_buf *request,
    unsigned deadline_s, struct gan_ctl_reply *ret_reply, struct gan_err *err);

/* ---- request.c ---- */

/* {"verb":…,"args":{ … open: members follow, gan_ctl_request_end() closes it. */
void gan_ctl_request_begin(struct gan_buf *b, const char *verb);
void gan_ctl_request_str(struct gan_buf *b, const char *key, const char *value);
void gan_ctl_request_int(struct gan_buf *b, const char *key, int64_t value);
void gan_ctl_request_flag(struct gan_buf *b, const char *key);
/* All operands as "ids", when there are any. */
void gan_ctl_request_ids(const struct gan_ctl *ctl, struct gan_buf *b);
void gan_ctl_request_end(struct gan_buf *b, const char *reason);
/* All options of the command that are sent. GAN_EINVAL: a value makes no sense. */
GAN_MUST_CHECK int gan_ctl_request_options(
    struct gan_ctl *ctl, struct gan_buf *b, struct gan_err *err);

/* ---- run.c, bulk.c, correct.c, replay.c, diff.c, offline.c: each returns an exit code ---- */

int gan_ctl_run_plain(struct gan_ctl *ctl);
int gan_ctl_run_status(struct gan_ctl *ctl);
int gan_ctl_run_show(struct gan_ctl *ctl);
int gan_ctl_run_reload(struct gan_ctl *ctl);
int gan_ctl_run_backup(struct gan_ctl *ctl);
int gan_ctl_run_each(struct gan_ctl *ctl);
int gan_ctl_run_diff(struct gan_ctl *ctl);
int gan_ctl_run_replay(struct gan_ctl *ctl);
int gan_ctl_run_correct(struct gan_ctl *ctl);
int gan_ctl_run_accept(struct gan_ctl *ctl);
int gan_ctl_run_files(struct gan_ctl *ctl);
int gan_ctl_run_try(struct gan_ctl *ctl);
int gan_ctl_run_help(struct gan_ctl *ctl);
int gan_ctl_run_completion(struct gan_ctl *ctl);

/* The same without gantryd. event: the text of --event-file, or NULL. */
int gan_ctl_offline(struct gan_ctl *ctl, const char *event, size_t event_len);

/* Go on with n things?  Asks; without a terminal only --yes does. bulk.c */
bool gan_ctl_confirmed(const struct gan_ctl *ctl, const char *verb, size_t n);

/* Send, show, and hand back the exit code. */
int gan_ctl_exchange(struct gan_ctl *ctl, const struct gan_buf *request);

/* "gantryctl: …" on stderr; returns the exit code that goes with the error. */
int gan_ctl_fail(const struct gan_err *err);
int gan_ctl_fail_text(int exit_code, const char *text);
/* Text of the daemon, made safe, with a line break at its end. */
void gan_ctl_say_lines(FILE *to, const char *text);

/* ---- output.c, view.c, story.c ---- */

/* Show an answer as --output says, with the command's own view for people. */
void gan_ctl_show(struct gan_ctl *ctl, const struct gan_ctl_reply *r);
/* Print JSON or JSON lines. */
void gan_ctl_put_json(enum gan_ctl_output how, struct gan_span s, struct gan_buf *out);

void gan_ctl_print_list(
    const struct gan_ctl *ctl, struct gan_span array, const struct gan_ctl_column *columns);
void gan_ctl_put_object(struct gan_span object, unsigned indent, struct gan_buf *out);
void gan_ctl_put_status(struct gan_span status, struct gan_buf *out);
void gan_ctl_put_try(struct gan_span result, struct gan_buf *out);
/* Reasons why a gateway with this status is not well, one a line. Returns how many. */
unsigned gan_ctl_unhealthy(struct gan_span status, struct gan_buf *out);

/* The story of a key, an event or a delivery; color: with escape sequences. */
struct gan_ctl_telling {
	bool color;
	bool full;              /* bodies uncut, and the heads of requests and answers */
	struct gan_span status; /* of gantryd, to say why a connector does not send; or empty */
};
void gan_ctl_put_story(
    struct gan_span story, const struct gan_ctl_telling *how, struct gan_buf *out);

/* How two values differ, a line for each member that does. diff.c */
void gan_ctl_put_diff(struct gan_span before, struct gan_span after, struct gan_buf *out);

/* What a person can do about a delivery or event in this state; NULL: nothing is needed. */
const char *gan_ctl_advice(const char *kind_or_state);

/* Data for a terminal: control characters become '?', line breaks stay when lines is set. */
void gan_ctl_put_safe(struct gan_buf *out, const char *s, size_t n, bool lines);
