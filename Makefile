# make run     the reference kernel core, checked; then one counterexample
# make test    all tests
# make linux   Linux's own spinlocks, built from Debian's source (some minutes, some GB)
# make bench   the table of Benchmarks/README.md, measured anew
# make format  formats the Swift sources
# Each installs what it needs first (Debian packages, as root or through sudo).

SWIFT ?= swift
CONFIGURATION ?= release
DATABASE ?= locklab.db

BUILD_PACKAGES = libzydis-dev libdw-dev libelf-dev libsqlite3-dev
TEST_PACKAGES = $(BUILD_PACKAGES) gdb qemu-system-x86 python3 python3-venv gcc binutils make patch
LINUX_PACKAGES = $(BUILD_PACKAGES) linux-source-6.1 xz-utils gcc binutils make flex bison bc libssl-dev
BENCH_PACKAGES = $(BUILD_PACKAGES) bochs bochs-term bochsbios vgabios time sqlite3

.PHONY: run test linux bench format lint build images

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

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Database Tests Plugins Benchmarks

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Database Tests Plugins Benchmarks
