# make run     the reference kernel core, checked; then one counterexample
# make test    all tests
# make linux   Linux's own spinlocks, built from Debian's source (some minutes, some GB)
# make bench   the table of Benchmarks/README.md, measured anew
# make peers   the images of Benchmarks/peers.yml
# make soundness   every reduction of the search against the search without any, on random kernels
#                  (PROGRAMS=10000, SEED=1)
# make catalogue  docs/catalogue.md, from a run of the reference scenarios
# make format  formats the Swift sources
# Each installs what it needs first (Debian packages, as root or through sudo).

SWIFT ?= swift
CONFIGURATION ?= release
DATABASE ?= locklab.db
PROGRAMS ?= 10000
SEED ?= 1

BUILD_PACKAGES = libzydis-dev libdw-dev libelf-dev libsqlite3-dev
TEST_PACKAGES = $(BUILD_PACKAGES) gdb qemu-system-x86 python3 python3-venv gcc binutils make patch rustc
LINUX_PACKAGES = $(BUILD_PACKAGES) linux-source-6.1 xz-utils gcc binutils make flex bison bc libssl-dev
BENCH_PACKAGES = $(BUILD_PACKAGES) bochs bochs-term bochsbios vgabios time sqlite3 spin gcc

.PHONY: run test linux bench peers soundness catalogue format lint build images

build:
	@ci/install-packages $(BUILD_PACKAGES)
	$(SWIFT) build -c $(CONFIGURATION) --product locklab

run: build
	@ci/demo "$$($(SWIFT) build -c $(CONFIGURATION) --show-bin-path)/locklab" $(DATABASE)

test:
	@ci/install-packages $(TEST_PACKAGES)
	@Tests/Oracle/prepare .build/oracle
	$(SWIFT) build -c $(CONFIGURATION) --build-tests -Xswiftc -enable-testing
	LOCKLAB_ORACLE="$(CURDIR)/.build/oracle" $(SWIFT) test -c $(CONFIGURATION) --skip-build -Xswiftc -enable-testing

linux: build
	@ci/install-packages $(LINUX_PACKAGES)
	$(MAKE) -C Examples/linux-locks check LOCKLAB="$$($(SWIFT) build -c $(CONFIGURATION) --show-bin-path)/locklab"

bench: build
	@ci/install-packages $(BENCH_PACKAGES)
	$(SWIFT) build -c $(CONFIGURATION) --product locklab-bench
	@Benchmarks/run "$$($(SWIFT) build -c $(CONFIGURATION) --show-bin-path)"

soundness:
	@ci/install-packages $(BUILD_PACKAGES)
	$(SWIFT) build -c $(CONFIGURATION) --build-tests -Xswiftc -enable-testing
	LOCKLAB_SOUNDNESS=$(PROGRAMS) LOCKLAB_SEED=$(SEED) $(SWIFT) test -c $(CONFIGURATION) --skip-build -Xswiftc -enable-testing --filter SoundnessTests

peers:
	@Benchmarks/build-peers

catalogue: build
	@ci/catalogue "$$($(SWIFT) build -c $(CONFIGURATION) --show-bin-path)/locklab" docs/catalogue.md

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Database Tests Plugins Benchmarks

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Database Tests Plugins Benchmarks
