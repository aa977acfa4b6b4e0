# Two commands do all the set-up: `make demo` and `make test`. `make help` lists the others.
# Everything lives in .venv/ and build/; both can be deleted at any time.

VENV   := .venv
BIN    := $(VENV)/bin
CMAKE  := $(BIN)/cmake
JOBS   := $(shell nproc)
# What the package and the C tests are compiled with; ninja and cmake come from the .venv.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CONSTRAINTS      := deploy/constraints.txt
QUICKFIX_VERSION := $(shell sed -n 's/^quickfix==//p' $(CONSTRAINTS))
# `make build LTO=OFF` compiles in half the time while one works on C; what runs is slower.
LTO              ?= ON
PIP_INSTALL      := $(BIN)/python -m pip install -q -c $(CONSTRAINTS)

# A change in any of these recompiles; a change in the list of Python files reinstalls the links to
# them; a change inside a Python file needs nothing.
COMPILED := CMakeLists.txt ext/CMakeLists.txt pyproject.toml $(wildcard ext/touchline/*/*)
PY_FILES := $(sort $(shell find src control fix -type f ! -name '*.pyc' ! -name '*.so'))
C_FILES  := $(COMPILED) $(wildcard tests/*/*.c tests/harness/*.h benchmarks/core/*)

.PHONY: help
help:
	@echo "make demo        run a venue, four FIX clients and the proof on this machine"
	@echo "make test        ctest, under sanitizers, with all invariants; ruff, mypy, pytest"
	@echo "make build       .venv with touchline and all its parts, installed to be edited in place"
	@echo "make wheel       wheel and sdist into dist/"
	@echo "make lint        ruff and mypy --strict"
	@echo "make sanitize    ctest and the model test of the engine under ASan and UBSan"
	@echo "make test-checked  the model, every invariant asserted after every command"
	@echo "make bench       all benchmarks, report in build/bench; under ten minutes"
	@echo "make bench-api   calls from Python against the baseline BASELINE, saved where there is none"
	@echo "make bench-compare  touchline and other packages on PyPI on one flow; about five minutes"
	@echo "make bench-gate  instructions per command and FIX order against the budget (needs valgrind)"
	@echo "make fix-conformance  every FIX script on every engine of the gateway, and both compared"
	@echo "make docs        docs/fix/ anew, from the scripts played and every field tried"
	@echo "make wire        the binary protocols: every rule, loss by seed, AF_XDP, a killed venue"
	@echo "make fix-attacks  every attack on the gateway with honest brokers beside it; long"
	@echo "make javascript  a FIX engine in JavaScript, for the test that trades with it (needs npm)"
	@echo "make fix-soak    50 brokers for SECONDS=3600 who leave and come back; all adds up"
	@echo "make fuzz        the random tests, a hundred times as far; half an hour or more"
	@echo "make model       reference and core on COMMANDS=1000000 random commands from SEED=1"
	@echo "make long-start  the venue started over long journals"
	@echo "make campaign    kills, stops and full disks in full flow, and what is lost; minutes"
	@echo "make clean       remove build/, dist/ and caches; 'make distclean' also .venv"

# ── set-up ──────────────────────────────────────────────────────────────────────────────────────

$(VENV)/made:
	@python=$$(sh deploy/machine.sh) && echo "Making $(VENV) with $$python" && \
	  "$$python" -m venv $(VENV)
	@touch $@

$(VENV)/tools: $(VENV)/made $(CONSTRAINTS)
	@echo "Installing build tools into $(VENV)"
	@$(PIP_INSTALL) setuptools wheel scikit-build-core cython numpy cmake ninja
	@wheel=$$($(BIN)/python deploy/quickfix_wheel.py $(QUICKFIX_VERSION)) && \
	  $(PIP_INSTALL) "$$wheel"
	@touch $@

build/files.list: FORCE
	@mkdir -p build
	@echo '$(PY_FILES)' | cmp -s - $@ || echo '$(PY_FILES)' > $@

.PHONY: FORCE
FORCE:

$(VENV)/installed: $(VENV)/tools build/files.list $(COMPILED)
	@echo "Compiling touchline and installing it into $(VENV)"
	@$(PIP_INSTALL) --no-build-isolation -C cmake.define.TOUCHLINE_LTO=$(LTO) \
	  -e '.[venue,bench,test]'
	@touch $@

.PHONY: build
build: $(VENV)/installed

.PHONY: wheel
wheel: build
	$(BIN)/python -m build --no-isolation --outdir dist .

# ── the main job ────────────────────────────────────────────────────────────────────────────────

# A start over six million FIX requests, and over ten million commands of a program.
.PHONY: long-start
long-start: build
	@rm -rf build/long-start && mkdir -p build/long-start/requests build/long-start/commands
	cd tests && ../$(BIN)/python -m harness.long_start $(CURDIR)/build/long-start/requests \
	  requests 6000000
	cd tests && ../$(BIN)/python -m harness.long_start $(CURDIR)/build/long-start/commands \
	  commands 10000000
	@rm -rf build/long-start

# The whole venue ended in full flow, so often; `full` mounts a small disk, as root. And the gateway
# killed after steps of a session, so many with each engine.
CAMPAIGN_SEED ?= 1
SESSION_KILLS ?= 100
define campaign
	@rm -rf build/campaign && mkdir -p build/campaign
	cd tests && ../$(BIN)/python -m harness.campaign $(CURDIR)/build/campaign $(1) $(CAMPAIGN_SEED)
endef
define session_kills
	@rm -rf build/campaign && mkdir -p build/campaign
	cd tests && ../$(BIN)/python -m harness.session_kills $(CURDIR)/build/campaign/venue \
	  $(SESSION_KILLS) $(CAMPAIGN_SEED) $(1)
endef
.PHONY: campaign
campaign: build
	$(call campaign,kill 40)
	$(call campaign,stop 20)
	$(call campaign,full 8)
	$(call session_kills,native)
	$(call session_kills,quickfix)
	@rm -rf build/campaign

# Reference and core, command by command over random mixes of everything in docs/rules.md.
COMMANDS ?= 1000000
SEED     ?= 1
.PHONY: model
model: build
	cd tests && ../$(BIN)/python -m harness.model_campaign $(COMMANDS) $(SEED)

.PHONY: demo
demo: build
	@$(BIN)/touchline demo

# ── tests ───────────────────────────────────────────────────────────────────────────────────────

# Every step runs, whatever failed before it, and the runners' own closing lines are the last word.
# What compiles and what only reads share the processors; pytest has them to itself.
.PHONY: test
test:
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -k -j $(JOBS) -O lint test-c test-sanitized test-checked; \
	  others=$$?; $(MAKE) --no-print-directory test-python && exit $$others

# The tests of a file run one after another in one process, so that they share what they start.
.PHONY: test-python
test-python: build
	$(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8 --dist loadfile

# Each test is linked for itself, so without the optimisation over the whole core; the package that
# pytest tests has it. Under sanitizers every invariant is asserted, too.
build/c/build.ninja: FLAGS = -DTOUCHLINE_BENCHMARKS=ON -DTOUCHLINE_LTO=OFF
build/sanitized/build.ninja: FLAGS = -DTOUCHLINE_SANITIZE=ON -DTOUCHLINE_CHECKED=ON $(QUICK)
build/c/build.ninja build/sanitized/build.ninja: $(VENV)/tools CMakeLists.txt ext/CMakeLists.txt
	@mkdir -p $(@D)
	@$(CMAKE) -G Ninja -S . -B $(@D) -DTOUCHLINE_TESTS=ON $(FLAGS) > $(@D).log || \
	  (cat $(@D).log; exit 1)

# Compiled in half the time, for what is slow by what it looks at.
QUICK := -DCMAKE_C_FLAGS_RELEASE='-O1 -DNDEBUG'

.PHONY: test-c test-sanitized
test-c: build/c/build.ninja
	+@$(CMAKE) --build build/c -- --quiet
	$(BIN)/ctest --test-dir build/c --output-on-failure -j $(JOBS)

test-sanitized: build/sanitized/build.ninja
	+@$(CMAKE) --build build/sanitized -- --quiet
	$(BIN)/ctest --test-dir build/sanitized --output-on-failure -j $(JOBS)

# The engine's shells compiled another way, beside a copy of the Python files, in a folder that
# comes before the installed package: -S keeps the editable install's finder away.
SITE          = $(shell $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
ASAN          = $(shell gcc -print-file-name=libasan.so)
define shells
	@$(CMAKE) -G Ninja -S . -B $(1) -DSKBUILD=2 $(2) \
	  -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python > $(1).log || (cat $(1).log; exit 1)
	+@$(CMAKE) --build $(1) -- --quiet
	@rm -rf $(1)/site && mkdir -p $(1)/site
	@cp -rL src/touchline $(1)/site/
	@$(CMAKE) --install $(1) --prefix $(1)/site > $(1).log
endef
MODEL_TESTS := tests/core/test_model.py tests/core/test_golden.py tests/core/test_book.py
MODEL_ROOMS := -DTOUCHLINE_ROOMS='core;runtime;market;study'

.PHONY: sanitize
sanitize: test-sanitized build
	$(call shells,build/sanitized-python,-DTOUCHLINE_SANITIZE=ON $(QUICK) $(MODEL_ROOMS))
	LD_PRELOAD=$(ASAN) ASAN_OPTIONS=detect_leaks=0 \
	  PYTHONPATH=$(CURDIR)/build/sanitized-python/site:$(SITE) \
	  $(BIN)/python -S -m pytest $(MODEL_TESTS)

# The model, on flows that are always the same, with every invariant of the engine asserted after
# every command.
CHECKED_TESTS := tests/core/test_recorded_flow.py tests/core/test_extremes.py \
  tests/core/test_checked_build.py
.PHONY: test-checked
test-checked: build
	$(call shells,build/checked,-DTOUCHLINE_CHECKED=ON $(QUICK) $(MODEL_ROOMS))
	PYTHONPATH=$(CURDIR)/build/checked/site:$(SITE) $(BIN)/python -S -m pytest -q \
	  --hypothesis-seed=1 $(MODEL_TESTS) $(CHECKED_TESTS)

.PHONY: lint
lint: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests benchmarks deploy

# ── longer runs ─────────────────────────────────────────────────────────────────────────────────

.PHONY: bench bench-gate fuzz
bench: build
	$(BIN)/python -m benchmarks.report

bench-gate: build
	@sh deploy/machine.sh valgrind > /dev/null
	$(BIN)/python -m benchmarks.gate

BASELINE := baseline
.PHONY: bench-api bench-compare
bench-api: build
	@if $(BIN)/python -m benchmarks.api list | grep -q '_$(BASELINE)$$'; then \
	  $(BIN)/python -m benchmarks.api compare $(BASELINE); \
	else \
	  $(BIN)/python -m benchmarks.api save $(BASELINE); \
	fi

bench-compare: build
	$(BIN)/python -m benchmarks.compare

FUZZ_TESTS := tests/core/test_model.py tests/market/test_instruments.py \
  tests/capture/test_database.py
fuzz: build build/sanitized/build.ninja
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest $(FUZZ_TESTS)
	@rm -rf build/fuzz && mkdir -p build/fuzz/corpus
	cd tests && ../$(BIN)/python -m harness.fix_differential --corpus $(CURDIR)/build/fuzz/corpus
	@$(MAKE) --no-print-directory $(if $(shell command -v clang),fuzz-libfuzzer,fuzz-mutator)
	cd tests && ../$(BIN)/python -m harness.fix_differential 1000000 $(FUZZ_SEED)

# The codecs under sanitizers: by libFuzzer where clang is, by the tests' own mutators elsewhere.
FUZZ_SEED   := 1
FUZZ_INPUTS := 10000000
CODEC := $(addprefix ext/touchline/wire/fix_,frame.c message.c message_quick.c message_shape.c \
  message_groups.c check.c format.c text.c text_time.c dialect.c tables.c)
WIRE_CODEC := $(addprefix ext/touchline/wire/,itch.c soupbin.c moldudp64.c moldudp64_receiver.c \
  ouch.c ouch_terms.c)
FEED_CODEC := $(wildcard ext/touchline/study/feed_*.c ext/touchline/study/books*.c) \
  $(addprefix ext/touchline/,study/ladder.c study/huge_array.c wire/itch.c)
# $(1): the test, without its .c; $(2): what it tests; $(3): bytes of the longest input. The seeds
# of the mutator are where libFuzzer begins; those of FIX are whole messages.
define libfuzzer
	clang -g -O2 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	  -DTOUCHLINE_LIBFUZZER -Iext -Itests/harness $(1).c $(2) -o build/fuzz/$(notdir $(1))
	@mkdir -p build/fuzz/$(notdir $(1)).corpus
	@$(if $(4),cp $(4)/* build/fuzz/$(notdir $(1)).corpus,\
	  build/sanitized/$(notdir $(1)) 2000 $(FUZZ_SEED) build/fuzz/$(notdir $(1)).corpus)
	build/fuzz/$(notdir $(1)) -runs=$(FUZZ_INPUTS) -seed=$(FUZZ_SEED) -max_len=$(3) \
	  -artifact_prefix=build/fuzz/ -verbosity=0 -print_final_stats=1 \
	  build/fuzz/$(notdir $(1)).corpus
endef
FUZZERS := fuzz_fix_codec fuzz_wire_codec fuzz_feed
.PHONY: fuzz-libfuzzer fuzz-mutator
fuzz-libfuzzer:
	@$(CMAKE) --build build/sanitized --target $(FUZZERS) -- --quiet
	$(call libfuzzer,tests/wire/fuzz_fix_codec,$(CODEC),4096,build/fuzz/corpus)
	$(call libfuzzer,tests/wire/fuzz_wire_codec,$(WIRE_CODEC),600)
	$(call libfuzzer,tests/study/fuzz_feed,$(FEED_CODEC),1500)

fuzz-mutator:
	@echo "There is no clang, so the decoders are fuzzed by the tests' own mutators"
	@$(CMAKE) --build build/sanitized --target $(FUZZERS) -- --quiet
	build/sanitized/fuzz_fix_codec $(FUZZ_INPUTS) $(FUZZ_SEED) build/fuzz/corpus
	build/sanitized/fuzz_wire_codec $(FUZZ_INPUTS) $(FUZZ_SEED)
	build/sanitized/fuzz_feed $(FUZZ_INPUTS) $(FUZZ_SEED)

.PHONY: docs
docs: build
	@cd tests && $(CURDIR)/$(BIN)/python -m harness.fix_pages
	@cd tests && $(CURDIR)/$(BIN)/python -m harness.asyncapi_page

.PHONY: fix-conformance fix-attacks fix-soak
fix-conformance: build
	@cd tests && $(CURDIR)/$(BIN)/python -m harness.fix_conformance

# Every test of the binary protocols, in C and in Python: "N passed, 0 failed".
.PHONY: wire
wire: build build/c/build.ninja
	+@$(CMAKE) --build build/c -- --quiet
	@cd tests && $(CURDIR)/$(BIN)/python -m harness.wire_checks

fix-attacks: build
	@cd tests && $(CURDIR)/$(BIN)/python -m attacks

# Another engine, in another language, as a broker of a test.
.PHONY: javascript
javascript: build/javascript/made
build/javascript/made: tests/fix/javascript/package.json
	@rm -rf $(@D) && mkdir -p $(@D) && cp $< $(@D)
	@cd $(@D) && npm install --ignore-scripts --no-package-lock --no-audit --no-fund \
	  --loglevel=error
	@touch $@

SECONDS := 3600
fix-soak: build
	@rm -rf build/soak && mkdir -p build/soak
	@cd tests && $(CURDIR)/$(BIN)/python -m harness.fix_soak $(CURDIR)/build/soak $(SECONDS) 1
	@rm -rf build/soak

.PHONY: clean distclean
clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	rm -f $(VENV)/installed

distclean: clean
	rm -rf $(VENV)
