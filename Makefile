# SPDX-License-Identifier: MIT
# Gantry.  `make` leaves gantryd, gantryctl and gantry-sim in $(BUILD); it
# configures itself when needed.  See README.md for the two commands that
# matter: `make demo` and `make check`.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
BUILD ?= build
PYTHON ?= /usr/bin/python3
PYTEST_ARGS ?=
# V=1 shows the commands of the compiler whole.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-3s %s\n' $(1) $@)
# make mutants: words of the names of those wanted (all by default).
MUTANTS ?=
# make fuzz: how long each, and which (all of tests/fuzz by default).
SECONDS_EACH ?= 60
FUZZ ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

all: programs

quiet_goals := clean distclean format
ifneq ($(filter-out $(quiet_goals),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk
endif

# check and demo install what is missing; a plain make only says so.
deps_for := $(if $(filter demo,$(MAKECMDGOALS)),build)
deps_for := $(if $(filter check check-% lint mutants bench soak fuzz,$(MAKECMDGOALS)),check,$(deps_for))
# One for each build folder, so that gcc and clang each get the flags they know.
$(BUILD)/config.mk: configure.ac config.mk.in
	$(if $(deps_for),contrib/install-deps $(deps_for))
	@command -v autoconf >/dev/null || { echo "autoconf not found: run contrib/install-deps" >&2; exit 1; }
	autoconf
	@mkdir -p $(BUILD)
	cd $(BUILD) && CC='$(CC)' $(CURDIR)/configure --quiet $(if $(FAILPOINTS),--enable-failpoints)
	@touch $@

# SANITIZE=1: AddressSanitizer and UBSan (no FORTIFY, which they replace).
# FUZZING=1: the same with clang's coverage for libFuzzer (`make fuzz`).
ifdef SANITIZE
MODE = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
MODE_LD = -fsanitize=address,undefined
else ifdef FUZZING
MODE = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
MODE_LD = -fsanitize=address,undefined
else
MODE = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN)
MODE_LD = $(HARDEN_LD)
endif
# ANALYZE=1: gcc's static analyser. It takes what is stored through a pointer into
# an array for a leak (gcc 12); leaks are found by the sanitizer build instead.
ifdef ANALYZE
MODE += -fanalyzer -Wno-analyzer-too-complex -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak
endif
ifdef WERROR
MODE += -Werror
endif
CPPFLAGS = -D_GNU_SOURCE -Isrc -DGAN_VERSION='"$(VERSION)"' $(LIB_CPPFLAGS)
CFLAGS = -std=gnu17 -pipe $(MODE) $(WARN) $(LIB_CFLAGS)
DEPFLAGS = -MMD -MP
LIBS = $(LIB_LIBS) $(JQ_LIBS) -lpthread -lm

mains := gantryd gantryctl
lib_src := $(filter-out $(mains:%=src/%.c),$(wildcard src/*.c src/*/*.c))
lib_obj := $(lib_src:%.c=$(BUILD)/%.o) $(patsubst %.S,$(BUILD)/%.o,$(wildcard src/*/*.S))
sim_src := $(wildcard contrib/gantry-sim/*.c)
sim_obj := $(sim_src:%.c=$(BUILD)/%.o)
# What the simulator may share with the gateway: base and json, never a connector.
lib := $(BUILD)/libgantry.a
unit_src := $(wildcard tests/unit/test_*.c)
unit_bin := $(unit_src:%.c=$(BUILD)/%)
testlib_obj := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c))
bench_bin := $(patsubst %.c,$(BUILD)/%,$(filter-out tests/bench/slow_sync.c,$(wildcard tests/bench/*.c)))

fuzz_bin := $(FUZZ:%=$(BUILD)/tests/fuzz/fuzz_%)
# libFuzzer brings its own main(); every other compiler gets the replayer's.
ifdef FUZZING
fuzz_main := -fsanitize=fuzzer
else
fuzz_main := $(BUILD)/tests/fuzz/replay.o
endif

programs: $(mains:%=$(BUILD)/%) $(BUILD)/gantry-sim

$(BUILD)/%.o: %.c $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.S $(BUILD)/config.mk $(wildcard src/*/*.jq)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -Wa,-Isrc -Wa,-I$(BUILD) -c -o $@ $<

# The description of the HTTP interface, as GET /openapi.json tells it.
$(BUILD)/src/inbound/openapi.o: $(BUILD)/openapi.json
$(BUILD)/openapi.json: doc/openapi.yaml $(BUILD)/config.mk
	$(call say,GEN)
	$(Q)$(PYTHON) -c 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout, \
	    ensure_ascii=False, separators=(",", ":"))' < $< > $@

$(lib): $(lib_obj)
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

$(mains:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/src/%.o $(lib)
	$(call say,LD)
	$(Q)$(CC) $(MODE) $(MODE_LD) -o $@ $^ $(LIBS)

$(BUILD)/gantry-sim: $(sim_obj) $(lib)
	$(call say,LD)
	$(Q)$(CC) $(MODE) $(MODE_LD) -o $@ $^ $(LIBS)

# Unit tests: -Werror, because a START_TEST that nobody adds is only a warning.
$(unit_bin): $(BUILD)/%: %.c $(testlib_obj) $(lib)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -Wall -Werror -Wno-sign-conversion -Wno-conversion \
	    $(CHECK_CFLAGS) $(DEPFLAGS) $(MODE_LD) -o $@ $< $(testlib_obj) $(lib) $(CHECK_LIBS) $(LIBS)

$(bench_bin): $(BUILD)/%: %.c $(lib)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(DEPFLAGS) $(MODE_LD) -o $@ $< $(lib) $(LIBS)

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(lib)
	$(call say,LD)
	$(Q)$(CC) $(MODE) $(MODE_LD) -o $@ $< $(fuzz_main) $(lib) $(LIBS)
.SECONDARY: $(fuzz_bin:%=%.o) $(BUILD)/tests/fuzz/replay.o

# Preloads of the fault tests.
$(BUILD)/tests/%.so: tests/%.c $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu17 -O2 $(WARN) -fPIC -shared -o $@ $<

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)

.PHONY: all programs deps check check-unit check-fuzz check-e2e check-fault check-full check-docs check-asan fuzz fuzz-run lint \
    format bench bench-programs soak mutants demo install dist clean distclean

deps:
	@contrib/install-deps

check: deps
	$(MAKE) programs
	$(MAKE) check-unit
	$(MAKE) check-fuzz
	$(MAKE) check-docs
	$(MAKE) check-e2e
	$(MAKE) check-fault

check-unit: $(unit_bin) $(mains:%=$(BUILD)/%)
	tests/run-unit $(BUILD) $(unit_bin)

# The stored inputs of every parser, with this compiler; `make fuzz` looks for new ones.
check-fuzz: $(fuzz_bin)
	tests/fuzz/replay $(BUILD) $(FUZZ)

fuzz: deps
	$(MAKE) CC=clang BUILD=build-fuzz FUZZING=1 fuzz-run

fuzz-run: $(fuzz_bin)
	tests/fuzz/search $(BUILD) $(SECONDS_EACH) $(FUZZ)

check-e2e: programs
	GANTRY_BUILD=$(abspath $(BUILD)) $(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e $(PYTEST_ARGS)

# Faults, attacks and load against the real daemon; skips, with a reason, what this machine cannot do.
# Some of it needs a gantryd with failpoints (src/base/failpoint.h), in a build folder of its own.
check-fault: programs $(BUILD)/tests/fault/slow_dns.so $(BUILD)/tests/bench/load
	$(MAKE) BUILD=$(BUILD)-failpoints FAILPOINTS=1 $(BUILD)-failpoints/gantryd
	GANTRY_BUILD=$(abspath $(BUILD)) $(PYTHON) -m pytest -q -rs -p no:cacheprovider tests/fault $(PYTEST_ARGS)

# The same with whole figures, about an hour; check-asan has those of the noise, `make bench` WAITING.
check-full:
	$(MAKE) check-fault GANTRY_FLOOD=1000000 GANTRY_EIO_SYNCS=60 GANTRY_ROUNDS=20 GANTRY_RELOADS=100 \
	    GANTRY_IMAGES=1500

check-docs: programs
	GANTRY_BUILD=$(abspath $(BUILD)) $(PYTHON) -m pytest -q -p no:cacheprovider tests/docs $(PYTEST_ARGS)

check-asan: deps
	$(MAKE) BUILD=$(BUILD)-asan SANITIZE=1 programs
	$(MAKE) BUILD=$(BUILD)-asan SANITIZE=1 check-unit
	$(MAKE) BUILD=$(BUILD)-asan SANITIZE=1 check-fuzz
	$(MAKE) BUILD=$(BUILD)-asan SANITIZE=1 check-e2e
	GANTRY_NOISE=100000 GANTRY_BUILD=$(abspath $(BUILD)-asan) $(PYTHON) -m pytest -q -p no:cacheprovider \
	    tests/fault/test_http_noise.py $(PYTEST_ARGS)

lint: deps
	tests/lint $(BUILD)

# Deliberate faults, one by one: the suite must notice each. About ten minutes.
mutants: deps
	$(MAKE) programs $(BUILD)/tests/fault/slow_dns.so $(BUILD)/tests/bench/load
	$(PYTHON) tests/mutants/run $(BUILD) $(MUTANTS)

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

bench-programs: $(bench_bin) $(BUILD)/tests/bench/slow_sync.so

bench: deps
	$(MAKE) programs bench-programs
	GANTRY_BUILD=$(abspath $(BUILD)) tests/bench/run $(BENCH)

# A long run with everything at once; ends with "soak: ok" or what it found.
MINUTES ?= 30
soak: deps
	$(MAKE) programs
	GANTRY_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/soak/run $(MINUTES)

demo:
	@contrib/install-deps build
	@$(MAKE) --no-print-directory programs
	@GANTRY_BUILD=$(abspath $(BUILD)) contrib/demo $(if $(ONCE),--once)

man_pages := $(wildcard doc/*.scd)
man_out := $(man_pages:doc/%.scd=$(BUILD)/man/%)
man: $(man_out)
$(BUILD)/man/%: doc/%.scd
	@mkdir -p $(@D)
	scdoc < $< > $@

install: programs man
	contrib/install --destdir "$(DESTDIR)" --build "$(BUILD)" --unitdir "$(UNITDIR)"

dist:
	git archive --format=tar.gz --prefix=gantry-$(VERSION)/ -o gantry-$(VERSION).tar.gz HEAD

clean:
	rm -rf build build-*

distclean: clean
	rm -rf configure configure~ autom4te.cache gantry-*.tar.gz
