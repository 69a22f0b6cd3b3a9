# SPDX-License-Identifier: GPL-2.0-only
#
# Build everything in build/, or in the cache (see tests/vm/fetch).  Pass O, the
# absolute path of build/, to the makefiles of the directories; each writes to the
# subdirectory of its name there.

# The kernel to build for and to boot; tests/vm/kernel lists the names.  The
# tests run on all kernels unless KERNEL names one.
ifndef KERNELS
KERNELS := $(or $(KERNEL),stock debug newest)
endif
KERNEL ?= stock
export KERNEL KERNELS

# The devices to test, by their drivers; tests/vm/suite lists the names.  Our accelerator
# needs our QEMU; the packaged one suffices for the other devices.
DEVICES := $(or $(DEVICE),pci mirror sva loop aead later vcrypto vqueues edu copier all pair switch \
			acs zen host)
export DEVICES
qemus := packaged $(if $(filter pci mirror sva vqueues all pair switch acs zen host,$(DEVICES)), \
		qemu)
host := $(filter host,$(DEVICES))
# The build compiles many small files, so use all CPUs.
jobs := -j$(shell nproc)

O := $(CURDIR)/build
MODULES := $(O)/modules/$(KERNEL)

all: modules lib tools tests qemu

help:
	@echo 'make all          build modules, lib, tools, tests and qemu (the default)'
	@echo 'make modules      build the kernel modules, for KERNEL=$(KERNEL)'
	@echo 'make grown        build modules and liblite-accel with longer structs, for tests/compat'
	@echo 'make lib          build liblite-accel'
	@echo 'make tools        build the command lite-accel'
	@echo 'make tests        build the test programs'
	@echo 'make unit         run the unit tests of liblite-accel, for x86_64, arm64 and riscv64'
	@echo 'make qemu         build QEMU with the accelerator, in the cache'
	@echo 'make demo         hash a file with an accelerator in software (FILE=path: your file)'
	@echo '                  (DEVICE=pci or sva: with our accelerator in QEMU;'
	@echo '                  DEVICE=edu: copy a file with QEMU'\''s edu)'
	@echo 'make shell        open a shell in the virtual machine'
	@echo 'make test         run all tests in the virtual machine, on $(KERNELS)'
	@echo '                  (RESUME=1: skip suites that have passed on the same inputs;'
	@echo '                  DEVICE=pci, mirror, sva, loop, aead, later, vcrypto, vqueues, edu, copier: only it;'
	@echo '                  DEVICE=all: pci, loop and edu in one machine;'
	@echo '                  DEVICE=NAME: the driver drivers/devices/NAME.c)'
	@echo 'make check        run the static checks'
	@echo 'make check-fresh  run demos and .ci/run in a new, minimal Debian 12 (RELEASE=trixie: 13)'
	@echo 'make bench        measure, print a table, write build/bench.tsv'
	@echo 'make stress       run the long campaigns, on $(KERNEL), newest and debug, and fuzz-qemu'
	@echo 'make fuzz-qemu    make random accesses to the accelerator in a QEMU with sanitizers'
	@echo '                  (SECONDS=60; SEED=n: run seed n first)'
	@echo 'make clean        remove build/; the cache stays'

# Link the sources into a directory per kernel, where kbuild may leave its files:
# two kernels do not disturb each other, nor the source tree.
modules: kernel
	@mkdir -p $(MODULES)/tests/vm $(MODULES)/tests/bench
	@cp -asf $(CURDIR)/Kbuild $(CURDIR)/include $(CURDIR)/drivers $(MODULES)
	@cp -asf $(CURDIR)/tests/vm/selftest $(MODULES)/tests/vm
	@cp -asf $(CURDIR)/tests/bench/floor $(MODULES)/tests/bench
	@cp -asf $(CURDIR)/tests/kunit $(CURDIR)/tests/devices $(MODULES)/tests
	@$(PREPARE)
	@$(MAKE) --no-print-directory $(jobs) -C $$(tests/vm/kernel --print kdir) \
		M=$(MODULES) CONFIG_DEBUG_INFO_BTF_MODULES= modules

# Build modules and library of a later version, with longer structs for every ioctl.
grown:
	@$(MAKE) --no-print-directory modules KERNEL=stock MODULES=$(O)/modules/grown \
		PREPARE='tests/compat/grow include/uapi/lite_accel.h >$(O)/grown.h && \
		ln -sf $(O)/grown.h $(O)/modules/grown/include/uapi/lite_accel.h'
	@$(MAKE) --no-print-directory -C lib O=$(O)/grown UAPI=$(O)/modules/grown/include/uapi

all-modules:
	@set -e; for kernel in $(KERNELS) $(and $(host),$(filter newest,$(KERNELS)),bare); do \
		$(MAKE) --no-print-directory modules KERNEL=$$kernel; done
	@$(if $(filter stock,$(KERNELS)),$(MAKE) --no-print-directory grown)

kernel:
	@tests/vm/kernel

qemu:
	@qemu/build

lib:
	@$(MAKE) --no-print-directory -C lib O=$(O)

tools: lib
	@$(MAKE) --no-print-directory -C tools O=$(O)

tests: lib
	@$(MAKE) --no-print-directory $(jobs) -C tests/selftests O=$(O) \
		KSELFTEST=$$(tests/vm/kernel --sources)/tools/testing/selftests
	@install -m 755 tests/kunit/run $(O)/tests/selftests/kunit

unit:
	@tests/vm/need build cross
	@set -e; for arch in x86_64 arm64 riscv64; do tests/unit/run $$arch; done

bench-programs: lib
	@tests/vm/need build test
	@$(MAKE) --no-print-directory -C tests/bench O=$(O)

demo:
	@tests/vm/demo '$(or $(DEVICE),loop)' '$(FILE)'

test:
	@tests/vm/need build test $(qemus) $(and $(host),cross) $(filter debug,$(KERNELS))
	@tests/vm/suite --plan
	@$(MAKE) --no-print-directory all-modules lib tools tests $(filter qemu,$(qemus))
	@tests/vm/suite

shell: modules lib tools qemu
	@tests/vm/run --shell

check:
	@tests/vm/need build test qemu debug check
	@tests/check/run

check-fresh:
	@tests/vm/check-fresh $(RELEASE)

# Measure the rows of SVA on the newest kernel.
bench: modules lib tools bench-programs qemu
	@$(MAKE) --no-print-directory modules KERNEL=newest
	@tests/bench/run

# Run the campaigns (the suites that call accel_times(), or those of a vendor's commands), TIMES
# as long as in "make test", on the stock kernel, in SVA on the newest.  On the debug kernel run
# storm, because that kernel finds most, and fail_nth_device, because no other kernel injects
# failures.
TIMES ?= 10
CAMPAIGNS = $(basename $(notdir $(shell grep -l 'accel_times\|"vendor.h"' tests/selftests/*.c)))
DEBUG_CAMPAIGNS = storm fail_nth_device

stress: export KERNELS := $(sort $(KERNEL) newest debug)
stress: all-modules lib tools tests qemu
	@KERNELS='$(KERNEL) newest' tests/vm/suite --stress $(TIMES) \
		$(filter-out $(DEBUG_CAMPAIGNS),$(CAMPAIGNS))
	@KERNELS=debug tests/vm/suite --stress $(TIMES) $(DEBUG_CAMPAIGNS)
	@$(MAKE) --no-print-directory fuzz-qemu

fuzz-qemu:
	@tests/vm/need build qemu
	@qemu/build --sanitized
	@tests/fuzz-qemu/fuzz --qemu "$$(qemu/build --sanitized | tail -n 1)" \
		$(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

clean:
	rm -rf $(O)

.PHONY: all help modules grown all-modules kernel qemu lib tools tests unit bench-programs
.PHONY: demo test shell check check-fresh bench stress fuzz-qemu clean
