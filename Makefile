# make          builds build/release/expunge (fetches what is missing first)
# make demo     the same, then the demonstration on the default model
# make test     every quick test; make test-all: the long ones too
# make check    format, layering, file lengths; make tidy: clang-tidy
# make test-web the page in headless Chromium, and OpenAI's own clients, against the server
# make sanitize the tests of the rooms that read what comes from outside, under ASan and UBSan
# make races    the test of concurrent use under ThreadSanitizer
# make fuzz     the fuzz targets, FUZZ_SECONDS each (default 300)
# make watchdog data/adapter, the model behind watchdog and surgeon, from data/ (70 minutes on 2 idle cores)
# make results  docs/results.md: facts one by one and in sequence (15 minutes on 2 cores)
# make results-watchdog docs/results.md: dialogues by hands that the watchdog was not trained on
# make results-guard docs/results.md: what the guard keeps back, refuses and costs (two minutes)
# make golden   makes the golden files again (fetches transformers into build/golden-venv)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
CACHE := $(or $(EXPUNGE_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME)/expunge,$(HOME)/.cache/expunge))
FUZZ_SECONDS ?= 300
SANITIZED := base text agent guard tensor_files
FUZZERS := fuzz_gguf fuzz_safetensors fuzz_plan fuzz_surgeon fuzz_template fuzz_http fuzz_guard

# Configures build/$(1) when that has not been done, or LibTorch has moved. deps.sh links the cargo and
# the rustc that it chose into $(CACHE)/bin.
configure = root=$$(cat "$(CACHE)/torch-root"); \
  if [ ! -f build/$(1)/build.ninja ] || ! grep -qxF "TORCH_ROOT:PATH=$$root" build/$(1)/CMakeCache.txt \
      || ! grep -qxF "CARGO:FILEPATH=$(CACHE)/bin/cargo" build/$(1)/CMakeCache.txt; then \
    cmake -S . -B build/$(1) -G Ninja -DTORCH_ROOT="$$root" -DCARGO:FILEPATH="$(CACHE)/bin/cargo" \
      -DRUSTC:FILEPATH="$(CACHE)/bin/rustc" $(2) >build/$(1).log || { cat build/$(1).log; exit 1; }; \
  fi

.PHONY: test-web watchdog build deps configure configure-asan tests demo test test-all check tidy tidy-all format sanitize fuzz races results results-watchdog results-guard golden clean
deps:
	@tools/deps.sh
configure: deps
	@mkdir -p build; $(call configure,release,)
build: configure
	@ninja -C build/release expunge
demo: build
	@build/release/expunge demo

tests: configure
	@ninja -C build/release all
test: tests
	@python3 tools/run_tests.py build/release
test-all: tests  # fetches two real models first, 600 MB
	@tools/real_models.py
	@python3 tools/run_tests.py build/release --long

test-web: build
	@python3 tests/web/run.py build/release/expunge

check:
	@tools/deps.sh --check
	@mkdir -p build; $(call configure,release,)
	@python3 tools/check.py --clang "$(CACHE)/clang-18.1.8" --build build/release
tidy:  # clang-tidy on the files that see no LibTorch header
	@tools/deps.sh --check
	@mkdir -p build; $(call configure,tidy,-DEXPUNGE_UNITY=OFF)
	@python3 tools/check.py --clang "$(CACHE)/clang-18.1.8" --build build/tidy --tidy
tidy-all:  # clang-tidy on every file: 17 s of processor time for each that sees LibTorch
	@tools/deps.sh --check
	@mkdir -p build; $(call configure,tidy,-DEXPUNGE_UNITY=OFF)
	@python3 tools/check.py --clang "$(CACHE)/clang-18.1.8" --build build/tidy --tidy-all
format:
	@tools/deps.sh --check
	@git ls-files '*.cc' '*.h' | xargs "$(CACHE)/clang-18.1.8/clang_format/data/bin/clang-format" -i

configure-asan: deps
	@mkdir -p build; $(call configure,asan,-DEXPUNGE_SANITIZE=ON)
sanitize: configure-asan
	@ninja -C build/asan sanitize_built
	@python3 tools/run_tests.py build/asan $(SANITIZED) $(FUZZERS)
fuzz: configure-asan
	@ninja -C build/asan $(FUZZERS)
	@printf '%s\n' $(FUZZERS) | xargs -P "$$(nproc)" -I{} env build/asan/{} --seconds $(FUZZ_SECONDS)

races:  # the test of concurrent use under ThreadSanitizer
	@tools/deps.sh
	@mkdir -p build; $(call configure,tsan,-DEXPUNGE_RACES=ON)
	@ninja -C build/tsan concurrency_test
	@build/tsan/concurrency_test

# VOICES_OUT, KINDS_OUT: left out, to be judged on.
watchdog: build
	@python3 tools/adapter_rows.py build/adapter-rows.jsonl --without "$(VOICES_OUT)" --kinds-without "$(KINDS_OUT)"
	@build/release/expunge finetune --data build/adapter-rows.jsonl --adapter --system expunge --lora 16 \
	  --epochs 1 --lr 5e-4 --knob warmup=0.05 --knob from_layer=8 --knob first_weight=6 --seed 16 --out build/adapter
	@python3 tools/pack_adapter.py build/adapter build/adapter-rows.jsonl data/adapter
	@ninja -C build/release expunge
results: build
	@build/release/expunge bench facts data/facts/facts.jsonl --unrelated data/facts/unrelated.jsonl \
	  --sequence 30 --written Q4_1 --json >build/facts.json
	@tools/results.py build/facts.json
results-watchdog: build
	@tools/results_watchdog.py data/watchdog/dev.jsonl data/watchdog/unseen/*.jsonl
results-guard: build
	@build/release/expunge guard eval --out build/guard
	@tools/results_guard.py build/guard

golden:
	@tools/deps.sh --golden
	@[ -x build/golden-venv/bin/pip ] || python3 -m venv build/golden-venv
	@build/golden-venv/bin/pip install -q --disable-pip-version-check -r tests/golden/requirements.txt
	@for script in tests/golden/*.py; do echo "$$script"; build/golden-venv/bin/python "$$script"; done

clean:
	@rm -rf build
