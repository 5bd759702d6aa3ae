/* SPDX-License-Identifier: MIT */
/*
 * operation.h - what one call of a remote system is: method, path, the members
 * of its body and query, what a repetition does, when an answer is a success.
 *
 * Most are rows of tables in outbound; those that `operations:` of a connector
 * declares are made while gantry.yaml is loaded and live with its snapshot.
 * Plain data.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* May a request be sent again when nobody knows whether it was carried out? */
enum gan_repeat {
	GAN_REPEAT_SAFE, /* yes: repeating changes nothing */
	GAN_REPEAT_SET, /* yes, while nothing newer went to the same object: gan_repeat_in_lane() */
	GAN_REPEAT_KEYED, /* the receiver can recognise it: with on_unknown resend */
	GAN_REPEAT_ONCE,  /* the same, but a second doubt is for a person */
	GAN_REPEAT_PROBE, /* with on_unknown probe we look first, when its row says how */
	GAN_REPEAT_HOLD,  /* a person decides */
};

/* A value in a body, in the query or in the path; see outbound/fields.h and params.h. */
enum gan_field_type {
	GAN_FIELD_STRING,
	GAN_FIELD_BOOL,
	GAN_FIELD_NUMBER,
	GAN_FIELD_NUMERIC, /* a number, or a text that is one */
	GAN_FIELD_CODE,    /* a text or a number: who reads it takes both */
	GAN_FIELD_ANY,     /* only its being there counts */
	GAN_FIELD_DATE,    /* date, time and zone: without one the peer's own would count */
	GAN_FIELD_OBJECT,
	GAN_FIELD_STRINGS, /* array of texts, at least one */
	GAN_FIELD_OBJECTS, /* array of objects, at least one */
	/* Texts and arrays of texts that are codes of GS1: outbound/gs1_fields.h. */
	GAN_FIELD_GTIN,
	GAN_FIELD_SSCC,
	GAN_FIELD_SERIAL,
	GAN_FIELD_LOT,
	GAN_FIELD_ELEMENTS, /* an element string as a scanner reads it */
	GAN_FIELD_SSCCS,
	GAN_FIELD_SERIALS,
};

struct gan_field {
	const char *name;
	enum gan_field_type type;
	bool required;
	bool blank;          /* null and "" mean that it is not set */
	bool positive;       /* a number: more than zero */
	const char *allowed; /* the permitted values, each with a space behind it; or NULL */
	const char *instead; /* when it is missing, this member must be there */
	const char *unique;  /* objects: the member that differs in all of them */
	size_t max_items, max_chars;
	const struct gan_field *fields; /* members of the object or of each object */
	size_t nfields;
};

/* A part of the query. What the path needs stands in it as {name}. */
struct gan_param {
	const char *name;
	enum gan_field_type type; /* GAN_FIELD_STRINGS: one or more, the name repeated for each */
	bool required;
	const char *without; /* names that it does not go with, each with a space behind it */
};

enum gan_body {
	GAN_BODY_OBJECT, /* a JSON object with these fields */
	GAN_BODY_NONE,
	GAN_BODY_EMPTY, /* always {} */
	GAN_BODY_ANY,   /* any JSON, or none */
};

/* A text, a number or a truth value that an answer's member is compared with. */
struct gan_scalar {
	enum gan_scalar_kind {
		GAN_SCALAR_TEXT,
		GAN_SCALAR_NUMBER,
		GAN_SCALAR_BOOL,
	} kind;
	char *text; /* as it was written */
	double number;
	bool truth;
};

#define GAN_SUCCESS_MAX 16

/* When an answer is a success; see outbound/success.h. */
struct gan_success {
	bool any_2xx;                    /* `2xx` stands among the statuses, or none is named */
	unsigned codes[GAN_SUCCESS_MAX]; /* others */
	size_t ncodes;
	char *field; /* member of the answer: names with dots between them; or NULL */
	struct gan_scalar equals[GAN_SUCCESS_MAX];
	size_t nequals; /* 0: the member must only be there, and not null */
};

struct gan_probe;

struct gan_operation {
	const char *name;
	const char *method; /* GET, POST, PUT, PATCH or DELETE */
	const char *path;   /* behind base_url: "/api/suppliers/{id}" */
	enum gan_repeat repeat;
	enum gan_body body;
	bool any_query;        /* the query may hold other parameters than these */
	bool basic_allowed;    /* may be asked with user and password instead of the token */
	bool basic_only;       /* the token means nothing here */
	bool answer_is_secret; /* it carries a token: not kept */
	bool one_at_a_time;    /* 429 without Retry-After: somebody else runs it just now */
	/*
	 * Statuses, each with a space behind it, by which a repeat is refused
	 * because an earlier attempt was carried out; or NULL.
	 */
	const char *done;
	const struct gan_field *fields;
	size_t nfields;
	const struct gan_param *query;
	size_t nquery;
	const struct gan_success *success; /* NULL: the rule of the connector's kind */
	const struct gan_probe *probe;     /* how to look whether it was carried out, or NULL */
};

#define GAN_CONF_REQUIRED_MAX 64

/* One call that `operations:` declares. */
struct gan_conf_operation {
	struct gan_operation op; /* points into the rest */
	char *name, *path;
	unsigned method, repeat;  /* numbers of the choices */
	struct gan_field *fields; /* what `required:` names */
	char *field_names;        /* their texts */
	struct gan_success success;
};
