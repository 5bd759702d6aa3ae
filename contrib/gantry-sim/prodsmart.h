/* SPDX-License-Identifier: MIT */
/*
 * prodsmart.h - Prodsmart's REST side: what the files prodsmart*.c share.
 *
 * A request goes through one table of operations (prodsmart_table.c): path and
 * method as the vendor's page spells them, the query names it knows, the body
 * it takes, and who answers.  prodsmart.c walks the steps that all operations
 * share; five general handlers (list, get, create, update, delete) serve most
 * rows from pools of JSON objects, helped by what is special of each kind.
 *
 * Everything lives in memory, in one thread.  A member whose name begins with
 * '$' is the simulator's own and never leaves it by an answer.
 */
#pragma once

#include "sim.h"

#define GAN_PS_PAGE 25

enum gan_ps_pool_id {
	GAN_PS_SUPPLIERS,
	GAN_PS_CLIENTS,
	GAN_PS_CLIENT_ORDERS,
	GAN_PS_PURCHASE_ORDERS,
	GAN_PS_PRODUCTION_ORDERS,
	GAN_PS_PRODUCTS,
	GAN_PS_FAMILIES,
	GAN_PS_BOMS,
	GAN_PS_STOCK,
	GAN_PS_MACHINES,
	GAN_PS_PRODUCTIONS,
	GAN_PS_DOWNTIMES,
	GAN_PS_PUNCHCLOCKS,
	GAN_PS_MOVEMENTS,
	GAN_PS_LABOR,
	GAN_PS_NPOOLS,
};

/* Objects in the order they came; deleted ones leave a hole. */
struct gan_ps_pool {
	cJSON **items;
	size_t len, cap;
	struct gan_sim_table by_key;  /* key -> place in items, -1 when deleted */
	struct gan_sim_table by_code; /* code -> how many have it */
	bool closed;                  /* POST /state named what there is */
};

/* When requests came, in microseconds of the monotonic clock; oldest first. */
struct gan_ps_window {
	int64_t *at;
	size_t cap, first, n;
};

struct gan_ps_channel {
	struct gan_ps_channel *next;
	char name[128];
	cJSON *left, *handed, *lost; /* arrays; a string is the text of an item as it is */
	int64_t reads;
	int last; /* items of the last read: what a fault on its answer loses */
};

struct gan_ps {
	struct gan_ps_pool pools[GAN_PS_NPOOLS];
	struct gan_ps_channel *channels, *last_read;
	struct gan_ps_window arrived; /* all requests */
	struct gan_ps_window served;  /* those within the limit */
	int64_t most;                 /* requests in one window, ever */
	int64_t refused;              /* by the limit */
	int64_t naive_dates;
	int64_t last_id;
	int64_t report_until_ms;
	cJSON *notifications;
	char token[64]; /* the newest */
};

/* ---- bodies: prodsmart_check.c, prodsmart_fields.c -------------------------- */

enum gan_ps_type {
	GAN_PS_STR,
	GAN_PS_TEXT, /* a string that is not empty */
	GAN_PS_NUM,
	GAN_PS_POS, /* above zero */
	GAN_PS_INT,
	GAN_PS_BOOL,
	GAN_PS_DATE,
	GAN_PS_NUMSTR, /* a number, or a number in a string */
	GAN_PS_LIST,   /* of objects */
	GAN_PS_OBJECT,
	GAN_PS_CODE_OBJ, /* a string, or an object with `code` */
	GAN_PS_ANY,
};

struct gan_ps_field {
	const char *name; /* NULL ends a list */
	enum gan_ps_type type;
	bool required;                  /* a list: not empty, too */
	const struct gan_ps_field *sub; /* members of the object or of each item; NULL: any */
	const char *unique;             /* member that differs from item to item */
	size_t max;                     /* characters of a string; 0: any */
};

enum gan_ps_filter { GAN_PS_NOFILTER, GAN_PS_EQUAL, GAN_PS_BEFORE, GAN_PS_AFTER };

/* A name of the query. */
struct gan_ps_arg {
	const char *name;
	enum gan_ps_type type;
	bool required, many;
	enum gan_ps_filter filter;
	const char *path; /* of what it is compared with: "a", "a.b" or "a[].b" */
};

/* ---- operations ------------------------------------------------------------------ */

#define GAN_PS_BASIC 1U         /* Basic, and no access_token */
#define GAN_PS_BASIC_TOO 2U     /* Basic or access_token */
#define GAN_PS_BODY_OPTIONAL 4U /* may come without its body */

struct gan_ps_call;

struct gan_ps_op {
	const char *name, *method, *path;
	enum gan_ps_pool_id pool;
	int ok;      /* documented status of success */
	int missing; /* status when the path names what is not there */
	unsigned flags;
	const struct gan_ps_arg *args;     /* may be NULL */
	const struct gan_ps_field *fields; /* of the body; NULL: none is taken */
	void (*run)(struct gan_ps_call *c);
};

extern const struct gan_ps_op gan_ps_ops[];
extern const size_t gan_ps_nops;

#define GAN_PS_PARAMS 64

/* A request on its way through an operation. */
struct gan_ps_call {
	struct gan_sim_prodsmart *p;
	struct gan_ps *ps;
	const struct gan_sim_request *req;
	struct gan_sim_answer *ans;
	const struct gan_ps_op *op;
	char param[512]; /* of the path, decoded; "" when the path has none */
	char *query;     /* a copy; the pairs point into it */
	struct {
		const char *name, *value;
	} pairs[GAN_PS_PARAMS];
	size_t npairs;
	cJSON *body;
	bool failed;
};

/* Answer with an error; the first one stays. */
void gan_ps_fail(struct gan_ps_call *c, int status, const char *fmt, ...) GAN_PRINTF(3, 4);
/* Say something about the request in the journal, such as "naive-date". */
void gan_ps_note(struct gan_ps_call *c, const char *word, const char *where);
/* Answer with this tree, which is freed; members named $… are left out. */
void gan_ps_answer(struct gan_ps_call *c, int status, cJSON *tree);
/* Value of a name of the query, or NULL. */
const char *gan_ps_arg(const struct gan_ps_call *c, const char *name);
bool gan_ps_flag(const struct gan_ps_call *c, const char *name); /* is it "true"? */

/* False, and the answer is made, when the body or the query is not as the page says. */
bool gan_ps_check_body(struct gan_ps_call *c, const struct gan_ps_field *fields);
bool gan_ps_check_query(struct gan_ps_call *c);
/*
 * YYYY-MM-DDThh:mm:ss with an optional fraction and zone.  Without a zone it is
 * company time, and *ret_naive tells so.
 */
bool gan_ps_date(
    const struct gan_sim_prodsmart *p, const char *text, int64_t *ret_ms, bool *ret_naive);

/* prodsmart_query.c: does the item pass all filters of the query? */
bool gan_ps_matches(const struct gan_ps_call *c, const cJSON *item);

/* ---- pools: prodsmart_pool.c -------------------------------------------------------- */

/* What is special about a kind of object; all members but the first two may be empty. */
struct gan_ps_kind {
	const char *name; /* in POST and GET /state */
	const char *key;  /* member that names it: "id", "code", "product-code", "" for none */
	bool unique_code; /* a second one of the same code is refused */
	/* Bring what came, by the API or the state, into the form that is kept. */
	void (*tidy)(struct gan_ps *ps, cJSON *item);
	/* A fresh tree as the operation of the call shows it. */
	cJSON *(*view)(const struct gan_ps_call *c, const cJSON *item);
	/* More to check than the table can say; `old` is what is replaced, or NULL. */
	void (*check)(struct gan_ps_call *c, const cJSON *old);
	/* Status that refuses a deletion because others depend on it, or 0. */
	int (*held)(const struct gan_ps_call *c, const cJSON *item);
};

extern const struct gan_ps_kind gan_ps_kinds[GAN_PS_NPOOLS];

#define GAN_PS_KEY 32
/* Text of an id or a code; a number's is written to out. */
const char *gan_ps_key_text(const cJSON *v, char out[GAN_PS_KEY]);
/* Of the member that names objects of this pool. */
const char *gan_ps_key(enum gan_ps_pool_id pool, const cJSON *item, char out[GAN_PS_KEY]);
cJSON *gan_ps_find(const struct gan_ps *ps, enum gan_ps_pool_id pool, const char *key);
/* First one of that code, or NULL. */
cJSON *gan_ps_find_code(const struct gan_ps *ps, enum gan_ps_pool_id pool, const char *code);
int64_t gan_ps_count_code(const struct gan_ps *ps, enum gan_ps_pool_id pool, const char *code);
/* Takes the item; an object of the same key is replaced.  Gives an id to what needs one. */
cJSON *gan_ps_put(struct gan_ps *ps, enum gan_ps_pool_id pool, cJSON *item);
void gan_ps_remove(struct gan_ps *ps, enum gan_ps_pool_id pool, const char *key);
void gan_ps_clear(struct gan_ps *ps, enum gan_ps_pool_id pool);

/* It was created now, by the API. */
void gan_ps_made(cJSON *item);

/* The general handlers. */
void gan_ps_list(struct gan_ps_call *c);
void gan_ps_get(struct gan_ps_call *c);
void gan_ps_create(struct gan_ps_call *c);
void gan_ps_update(struct gan_ps_call *c);
void gan_ps_delete(struct gan_ps_call *c);

/* cJSON with our kind of failure: none; memory of a simulator is there or it ends. */
cJSON *gan_ps_copy(const cJSON *tree);
void gan_ps_set(cJSON *object, const char *name, cJSON *value); /* replaces; takes value */
void gan_ps_drop(cJSON *object, const char *name);
cJSON *gan_ps_member(const cJSON *object, const char *name);
/* A fresh object of one member. */
cJSON *gan_ps_wrap(const char *name, const char *text);

/* ---- the rest, by file ------------------------------------------------------------------ */

/* prodsmart_fields.c */
extern const struct gan_ps_field gan_ps_authorization_fields[], gan_ps_partner_fields[],
    gan_ps_client_order_fields[], gan_ps_purchase_order_fields[], gan_ps_order_fields[],
    gan_ps_order_update_fields[], gan_ps_notify_fields[], gan_ps_activate_fields[],
    gan_ps_product_fields[], gan_ps_bom_fields[], gan_ps_stock_fields[], gan_ps_family_fields[],
    gan_ps_counter_fields[], gan_ps_parameters_fields[], gan_ps_startstop_fields[],
    gan_ps_production_fields[], gan_ps_movement_fields[], gan_ps_movement_update_fields[];

/* prodsmart_token.c */
void gan_ps_authorization_get(struct gan_ps_call *c);
void gan_ps_authorization_create(struct gan_ps_call *c);
void gan_ps_authorization_delete(struct gan_ps_call *c);
bool gan_ps_admitted(struct gan_ps_call *c);

/* prodsmart_limit.c: false, and 429 is answered, when the company's limit is passed. */
bool gan_ps_within_limit(struct gan_ps_call *c);
void gan_ps_window_free(struct gan_ps_window *w);

/* prodsmart_feed.c */
void gan_ps_changes_read(struct gan_ps_call *c);
GAN_MUST_CHECK int gan_ps_changes_push(struct gan_ps *ps, const cJSON *spec, struct gan_err *err);
void gan_ps_changes_show(const struct gan_ps *ps, struct gan_buf *out);
void gan_ps_changes_clear(struct gan_ps *ps);

/* prodsmart_trade.c: suppliers, clients and their orders */
void gan_ps_partner_tidy(struct gan_ps *ps, cJSON *item);
cJSON *gan_ps_partner_view(const struct gan_ps_call *c, const cJSON *item);
void gan_ps_partner_check(struct gan_ps_call *c, const cJSON *old);
int gan_ps_supplier_held(const struct gan_ps_call *c, const cJSON *item);
int gan_ps_client_held(const struct gan_ps_call *c, const cJSON *item);
cJSON *gan_ps_trade_view(const struct gan_ps_call *c, const cJSON *item);
int gan_ps_client_order_held(const struct gan_ps_call *c, const cJSON *item);
int gan_ps_purchase_order_held(const struct gan_ps_call *c, const cJSON *item);
void gan_ps_client_order_update(struct gan_ps_call *c);

/* prodsmart_orders.c: production orders */
void gan_ps_order_tidy(struct gan_ps *ps, cJSON *item);
cJSON *gan_ps_order_view(const struct gan_ps_call *c, const cJSON *item);
void gan_ps_order_notify(struct gan_ps_call *c);
void gan_ps_order_activate(struct gan_ps_call *c);
/* "text" -> {"id":…,"code":"text","name":…}, as answers show a location */
cJSON *gan_ps_location(const char *code);

/* prodsmart_goods.c: products, BOM, stock, families */
void gan_ps_product_tidy(struct gan_ps *ps, cJSON *item);
cJSON *gan_ps_product_view(const struct gan_ps_call *c, const cJSON *item);
void gan_ps_product_check(struct gan_ps_call *c, const cJSON *old);
int gan_ps_product_held(const struct gan_ps_call *c, const cJSON *item);
void gan_ps_product_list(struct gan_ps_call *c);
void gan_ps_bom_set(struct gan_ps_call *c);
void gan_ps_stock_set(struct gan_ps_call *c);
void gan_ps_stock_get(struct gan_ps_call *c);
/* Of a product, and of its lot if one is given. */
void gan_ps_stock_add(struct gan_ps *ps, const char *code, const char *lot, double change);
void gan_ps_family_create(struct gan_ps_call *c);
int gan_ps_family_held(const struct gan_ps_call *c, const cJSON *item);

/* prodsmart_moves.c: inventory movements */
void gan_ps_movement_tidy(struct gan_ps *ps, cJSON *item);
cJSON *gan_ps_movement_view(const struct gan_ps_call *c, const cJSON *item);
void gan_ps_movement_create(struct gan_ps_call *c);
void gan_ps_movement_update(struct gan_ps_call *c);
void gan_ps_movement_delete(struct gan_ps_call *c);

/* prodsmart_floor.c: machines and the downtimes that they begin */
void gan_ps_machine_counter(struct gan_ps_call *c);
void gan_ps_machine_parameters(struct gan_ps_call *c);
void gan_ps_machine_startstop(struct gan_ps_call *c);

/* prodsmart_records.c: productions, punch clocks, the report */
void gan_ps_production_tidy(struct gan_ps *ps, cJSON *item);
cJSON *gan_ps_production_view(const struct gan_ps_call *c, const cJSON *item);
void gan_ps_production_list(struct gan_ps_call *c);
void gan_ps_punchclock_tidy(struct gan_ps *ps, cJSON *item);
void gan_ps_report(struct gan_ps_call *c);
