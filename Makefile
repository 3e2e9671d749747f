# SPDX-License-Identifier: GPL-2.0
#
#	make			modules for the running kernel (KDIR=...) and user space
#	make install		both (DESTDIR=, PREFIX=)
#	make uninstall		takes back what "install" with the same PREFIX= and KVERSION= did
#	make install-dkms	sources of the modules, for "dkms install sigma/VERSION"
#	make deb		Debian packages, in O/deb; DKMS builds the modules
#	make check-packages	do they install and go again, and does "make install", and do
#				guests boot with Debian's own initrds? DEBIAN=12 or 13
#	make check-unit		unit tests and fuzz targets, on this machine; T=NAME: one of them
#	make lint		sparse, shellcheck, mandoc and codespell over the sources, what is in
#				selftests/lint/, and checkpatch (CHECKPATCH=...); T=NAME: one of them
#	make check		all tests, lint too, in virtual machines; T=NAME: one of them, and
#				only what it needs is built; CPU=max,-la57: with SVM, so that all
#				guests are confined, and slow
#	make check-faults	faults of the host under guests, which take too long for "make check"
#	make check-load		does a guarded guest under load for a minute ever leave its CPU?
#	make check-kgdb		does gdb debug a guest's kernel through its console, and crash open its
#				dump? Builds a kernel
#	make check-debug	some tests on a host whose kernel looks for faults of its own: order and
#				context of locks, use of freed memory; KERNEL=races: accesses without a
#				lock; T=NAME as above. Builds a kernel
#	make check-cpus		hosts and guests of three kernels on CPUs of all kinds; T=MODEL: one
#				of selftests/cpus/models. Takes about an hour
#	make matrix		hosts and guests of all kernels, with real-time preemption, too, and
#				hosts of other sizes and settings, and tests of such; T=NAME: one of
#				selftests/matrix/machines, or of the tests with in=matrix. Writes
#				docs/machines.md
#	make soak		guests that start, work, meet faults of all kinds and end, drawn from
#				SEED= for MINUTES= (10), in a virtual machine; table and build/soak.json
#	make reliability	docs/reliability.md, from the logs of what ran
#	make machines		docs/machines.md, likewise
#	make check-vmx		some of them in Bochs, guests confined by VMX; T=NAME as above
#	make fuzz		fuzz targets, in O/fuzz (selftests/fuzz/main.c has their options);
#				with CC=clang, and an O of its own, for libFuzzer
#	make bench		all that is measured, in virtual machines, and a page of it,
#				build/bench/report.html. ROUNDS=1: fewer; QUICK=1: little.
#				T="iosc net": only these: selftests/rig/bench has their names
#	make rings		O/bench/rings: split beside packed virtqueues
#	make demo		the whole thing on show, in a virtual machine
#	make shell		a shell in the virtual machine
#
# check, bench, demo and shell never load a module into the machine they run on. V=1 shows the
# commands. User space is built under O (default build).

PREFIX ?= /usr
O ?= build
KVERSION ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVERSION)/build
MODDIR ?= /lib/modules/$(KVERSION)/updates
LIBDIR := $(PREFIX)/lib/sigma
BASH_COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
# Debian keeps site-functions for what the administrator writes
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/$(if $(wildcard /etc/debian_version),vendor-completions,site-functions)
MANUALS := $(wildcard docs/*.[1-8])
VERSION := $(shell sed -n 's/.*SIGMA_VERSION "\(.*\)"/\1/p' common/version.h)
# Where DKMS, initramfs-tools and dracut look, whatever the PREFIX
SRCDIR := /usr/src/sigma-$(VERSION)
INITRAMFS_HOOKS ?= /usr/share/initramfs-tools/hooks
DRACUT_MODULES ?= /usr/lib/dracut/modules.d

CC ?= gcc
PKG_CONFIG ?= pkg-config
IASL ?= iasl
INSTALL ?= install
STRIP ?= strip
CFLAGS ?= -O2 -g
# What unit tests and fuzz targets are built with: sanitizers, and assertions (common/assert.h)
SANITIZE := -Og -DSIGMA_ASSERT -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

COMMON_LIBS := libsystemd inih
DAEMON_LIBS := $(COMMON_LIBS) libkmod libarchive libnl-3.0 libnl-route-3.0 liburing libseccomp libzstd json-c
# It loads libkmod and libarchive when a verb needs them (ctl/library.h)
CTL_LIBS := $(COMMON_LIBS) json-c

# pkg-config runs when something is compiled for the first time, and not again
sigma_cflags = -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror -D_GNU_SOURCE \
	       -DSIGMA_LIBDIR='"$(LIBDIR)"' -I$(O)/daemon/load -MMD -MP $(libs_cflags)
libs_cflags = $(eval libs_cflags := $(shell $(PKG_CONFIG) --cflags $(DAEMON_LIBS) $(CTL_LIBS)))$(libs_cflags)
daemon_ldlibs = $(eval daemon_ldlibs := $(shell $(PKG_CONFIG) --libs $(DAEMON_LIBS)) -lpthread -lutil)$(daemon_ldlibs)
ctl_ldlibs = $(eval ctl_ldlibs := $(shell $(PKG_CONFIG) --libs $(CTL_LIBS)))$(ctl_ldlibs)

common_src := $(wildcard common/*.c)
daemon_src := $(wildcard daemon/*.c daemon/*/*.c)
ctl_src := $(wildcard ctl/*.c)
unit_src := $(wildcard selftests/unit/*.c)
fuzz_shared := selftests/fuzz/main.c selftests/fuzz/common.c
fuzz_src := $(filter-out $(fuzz_shared),$(wildcard selftests/fuzz/*.c))

# Each folder is a library but for its main.o, so that tests can have the rest. Nothing of
# daemon/ is in sigmactl, nor of ctl/ in sigmad: what both use is in common/
common_obj := $(common_src:%.c=$(O)/%.o)
daemon_obj := $(filter-out $(O)/daemon/main.o,$(daemon_src:%.c=$(O)/%.o))
ctl_obj := $(filter-out $(O)/ctl/main.o,$(ctl_src:%.c=$(O)/%.o))
main_obj := $(O)/daemon/main.o $(O)/ctl/main.o
sanitized = $(patsubst $(O)/%,$(O)/sanitized/%,$(1))
# each fuzz target is a unit test, too
unit_tests := $(unit_src:selftests/unit/%.c=$(O)/unit/%) $(fuzz_src:selftests/fuzz/%.c=$(O)/unit/fuzz-%)
# what the tests run inside of the virtual machines
programs := $(patsubst selftests/programs/%.c,$(O)/programs/%,$(wildcard selftests/programs/*.c)) \
	    $(O)/programs/notes-server $(O)/programs/notes-client

ifneq ($(V),1)
Q := @
quiet = @echo "  $(1)	$(2)";
MAKEFLAGS += --no-print-directory
endif

.DELETE_ON_ERROR:
# Objects of the tests stay: one edit compiles one file
.SECONDARY:
.PHONY: all needs modules user unit fuzz programs rings install install-modules install-user \
	install-hooks install-dkms uninstall deb check check-unit lint check-vmx check-cpus matrix \
	check-packages check-kgdb check-debug check-faults check-load soak reliability machines bench \
	demo shell clean

all: modules user

# What these goals need of this machine is looked for once, before anything is compiled
goals := $(or $(MAKECMDGOALS),all)
kinds := $(if $(filter-out modules install-modules,$(goals)),user) \
	 $(if $(filter all modules install install-modules,$(goals)),modules) \
	 $(if $(filter deb,$(goals)),deb) \
	 $(if $(filter unit fuzz programs check-unit $(O)/unit/% $(O)/fuzz/% $(O)/programs/%,$(goals)),stubs)

needs:
	@CC='$(CC)' IASL='$(IASL)' PKG_CONFIG='$(PKG_CONFIG)' KDIR='$(KDIR)' KVERSION='$(KVERSION)' \
		LIBRARIES='$(sort $(DAEMON_LIBS) $(CTL_LIBS))' packaging/needs $(kinds)

modules: | needs
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) modules

units := $(addprefix $(O)/,sigma@.service sigma-broker@.service sigma-unserved@.service \
	 sigma-end@.service sigma-pool.service sigma-agent.service sigma-run.service)

user: $(O)/sigmad $(O)/sigmactl $(O)/guest/init/init $(O)/guest/agent/sigma-agent $(O)/libiosc.a $(O)/libiosc.so $(O)/libiosc.pc \
      $(O)/iosc-idl $(units)

$(O)/daemon/load/sigma.hex: daemon/load/sigma.asl | needs
	@mkdir -p $(@D)
	$(call quiet,IASL,$@)$(IASL) -vs -tc -p $(@:.hex=) $< >$(@:.hex=.log) || \
		{ cat $(@:.hex=.log) >&2; exit 1; }

$(daemon_obj) $(call sanitized,$(daemon_obj)): | $(O)/daemon/load/sigma.hex

$(O)/%.o: %.c | needs
	@mkdir -p $(@D)
	$(call quiet,CC,$@)$(CC) $(sigma_cflags) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(O)/sanitized/%.o: %.c | needs
	@mkdir -p $(@D)
	$(call quiet,CC,$@)$(CC) $(sigma_cflags) $(CFLAGS) $(CPPFLAGS) $(SANITIZE) -c -o $@ $<

$(O)/libcommon.a: $(common_obj)
$(O)/libsigma.a: $(daemon_obj)
$(O)/libctl.a: $(ctl_obj)
$(O)/sanitized/libcommon.a: $(call sanitized,$(common_obj))
$(O)/sanitized/libsigma.a: $(call sanitized,$(daemon_obj))
$(O)/sanitized/libctl.a: $(call sanitized,$(ctl_obj))

libraries := $(O)/libcommon.a $(O)/libsigma.a $(O)/libctl.a
$(libraries) $(call sanitized,$(libraries)):
	$(call quiet,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(O)/sigmad: $(O)/daemon/main.o $(O)/libsigma.a $(O)/libcommon.a
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(daemon_ldlibs)

$(O)/sigmactl: $(O)/ctl/main.o $(O)/libctl.a $(O)/libcommon.a
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(ctl_ldlibs)

# static, since nothing else is in the initrd, and as small as it gets
$(O)/guest/init/init: $(wildcard guest/init/*.[ch]) | needs
	@mkdir -p $(@D)
	$(call quiet,CC,$@)$(CC) -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Os \
		-ffunction-sections -fdata-sections -Wl,--gc-sections -static -s \
		-o $@ $(filter %.c,$^)

# static, too, since it runs in any guest
agent_src := $(wildcard guest/agent/*.c) common/relay.c common/cachelist.c
$(O)/guest/agent/sigma-agent: $(agent_src) guest/agent/agent.h common/agent.h common/cachelist.h \
			      common/meminfo.h common/relay.h common/version.h | needs
	@mkdir -p $(@D)
	$(call quiet,CC,$@)$(CC) -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Os \
		-ffunction-sections -fdata-sections -Wl,--gc-sections -static -s -o $@ $(agent_src)

# For programs of others. Its number goes up when a symbol goes or changes its meaning
LIBIOSC := libiosc.so.1

$(O)/lib/%.o: CFLAGS += -fPIC

iosc_obj := $(patsubst %.c,$(O)/%.o,$(wildcard lib/*.c))
idl_obj := $(patsubst %.c,$(O)/%.o,$(wildcard lib/idl/*.c))

$(O)/libiosc.a: $(iosc_obj)
	$(call quiet,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(O)/$(LIBIOSC): $(iosc_obj) lib/libiosc.map
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,-z,defs \
		-Wl,--version-script=lib/libiosc.map -o $@ $(iosc_obj)

$(O)/libiosc.so: $(O)/$(LIBIOSC)
	$(Q)ln -sf $(LIBIOSC) $@

$(O)/libiosc.pc: lib/libiosc.pc.in common/version.h Makefile
	@mkdir -p $(@D)
	$(Q)sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@VERSION@,$(VERSION),' $< >$@

# Makes stubs of interfaces. It looks for iosc.capnp where that is installed
$(O)/lib/idl/main.o $(O)/sanitized/lib/idl/main.o: sigma_cflags += -DSIGMA_INCLUDEDIR='"$(PREFIX)/include"'

$(O)/iosc-idl: $(idl_obj)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# Interfaces of tests and examples
interfaces := $(wildcard selftests/calls/*.capnp) docs/examples/calls/notes.capnp
stubs := $(foreach name,$(basename $(notdir $(interfaces))),\
	   $(addprefix $(O)/stubs/$(name),.h -client.h -server.h -fuzz.c))
$(stubs) &: $(interfaces) lib/idl/iosc.capnp $(O)/iosc-idl
	@mkdir -p $(O)/stubs
	$(call quiet,IDL,$(O)/stubs)for file in $(interfaces); do \
		$(O)/iosc-idl -f -I lib/idl -o $(O)/stubs $$file || exit; \
	done

$(units): $(O)/%: udev/%.in Makefile
	@mkdir -p $(@D)
	$(Q)sed -e 's,@PREFIX@,$(PREFIX),' $< >$@

# What has the PREFIX in it is made again for another one
$(O)/prefix: FORCE
	@mkdir -p $(@D)
	@echo $(PREFIX) | cmp -s - $@ || echo $(PREFIX) >$@

$(O)/common/profile.o $(O)/daemon/load/initrd.o $(O)/ctl/agent_install.o $(O)/ctl/check.o $(O)/lib/idl/main.o $(O)/libiosc.pc $(units): $(O)/prefix

FORCE:

$(O)/unit/%: $(O)/sanitized/selftests/unit/%.o $(call sanitized,$(O)/libctl.a $(O)/libsigma.a $(O)/libcommon.a)
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ $(daemon_ldlibs) $(ctl_ldlibs)

# selftests/unit/guard-NAME.c tests NAME.c of the guard's program, which has no libraries
$(O)/unit/guard-%: $(O)/sanitized/selftests/unit/guard-%.o $(O)/sanitized/kmod/guard/program/%.o
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^

$(addprefix $(O)/sanitized/selftests/unit/,idl.o manual.o profile.o): sigma_cflags += -DSOURCES='"$(CURDIR)"'

# The agent is linked with what it talks to; $(O)/unit/cache has its page cache
$(O)/unit/agent: $(patsubst guest/agent/%.c,$(O)/sanitized/guest/agent/%.o,\
		   $(filter-out guest/agent/main.c guest/agent/cache.c,$(wildcard guest/agent/*.c)))

$(O)/unit/cache: $(O)/sanitized/guest/agent/cache.o

# Those of calls use libiosc and what iosc-idl makes, and nothing else
sanitized_iosc := $(call sanitized,$(iosc_obj))
sanitized_stubs := $(addprefix $(O)/sanitized/selftests/,unit/stubs.o unit/call-versions.o fuzz/stubs.o)
$(sanitized_stubs): sigma_cflags += -Ilib -I$(O)/stubs
$(sanitized_stubs): | $(stubs)

$(O)/unit/stubs $(O)/unit/pair $(O)/unit/call-versions: $(O)/unit/%: $(O)/sanitized/selftests/unit/%.o $(sanitized_iosc)
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^

$(O)/unit/fuzz-stubs: $(O)/sanitized/selftests/fuzz/stubs.o $(O)/sanitized/selftests/fuzz/main.o $(sanitized_iosc)
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^

$(O)/sanitized/iosc-idl: $(call sanitized,$(idl_obj))
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^

$(O)/unit/idl: $(O)/sanitized/selftests/unit/idl.o $(O)/sanitized/ctl/in_root.o | $(O)/sanitized/iosc-idl
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^

fuzz_agent := $(addprefix $(O)/sanitized/guest/agent/,request.o user.o)
$(O)/unit/fuzz-agent $(O)/fuzz/agent: $(fuzz_agent)

# Of sigmactl, what root reads of a user
$(O)/unit/fuzz-users $(O)/fuzz/users: $(O)/sanitized/ctl/users_request.o

# The guest's first program has no library, either
$(O)/unit/guest-init: $(addprefix $(O)/sanitized/guest/init/,agent.o cmdline.o dhcp.o file.o partition.o \
		      readahead.o root.o super.o system.o)

# What it makes of exits, for AMD CPUs and for Intel's: fuzz targets guard-svm and guard-vmx
guard_program := $(O)/sanitized/kmod/guard/program
guard_shared := $(addprefix $(guard_program)/,act.o decide.o cpuid.o)
$(O)/unit/guard-decide: $(guard_shared)

# These use the CPU as no program may: a test has one of its own
$(addprefix $(guard_program)/,act.o svm.o vmx.o): sigma_cflags += -include selftests/fuzz/guard-hw.h

fuzz_obj := $(call sanitized,$(O)/selftests/fuzz/common.o $(O)/libsigma.a $(O)/libcommon.a)

$(O)/unit/fuzz-%: $(O)/sanitized/selftests/fuzz/%.o $(O)/sanitized/selftests/fuzz/main.o $(fuzz_obj)
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ $(daemon_ldlibs)

$(O)/unit/fuzz-guard-%: $(O)/sanitized/selftests/fuzz/guard-%.o $(guard_program)/%.o $(guard_shared) \
			$(O)/sanitized/selftests/fuzz/main.o
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^

ifneq ($(findstring clang,$(CC)),)
SANITIZE += -fsanitize=fuzzer-no-link
$(O)/fuzz/stubs: $(O)/sanitized/selftests/fuzz/stubs.o $(sanitized_iosc)
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -fsanitize=fuzzer -o $@ $^
$(O)/fuzz/%: $(O)/sanitized/selftests/fuzz/%.o $(fuzz_obj)
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(daemon_ldlibs)
$(O)/fuzz/guard-%: $(O)/sanitized/selftests/fuzz/guard-%.o $(guard_program)/%.o $(guard_shared)
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -fsanitize=fuzzer -o $@ $^
else
$(O)/fuzz/%: $(O)/unit/fuzz-%
	@mkdir -p $(@D)
	$(Q)cp $< $@
endif

$(O)/programs/%: selftests/programs/%.c | needs
	@mkdir -p $(@D) $(O)/selftests/programs
	$(call quiet,CC,$@)$(CC) $(sigma_cflags) -MF $(O)/selftests/programs/$*.d $(CFLAGS) $(CPPFLAGS) \
		$(LDFLAGS) -o $@ $< $(filter %.a,$^)

$(O)/programs/channels $(O)/programs/roundtrip $(O)/programs/calls $(O)/programs/objects: $(O)/libiosc.a
$(O)/programs/calls $(O)/programs/objects: sigma_cflags += -Ilib -I$(O)/stubs
$(O)/programs/calls $(O)/programs/objects: | $(stubs)
$(O)/programs/ioctls $(O)/programs/wild: $(O)/libcommon.a

# The example of docs/examples/calls.md, as it says
$(O)/programs/notes-%: docs/examples/calls/%.c $(O)/libiosc.a | $(stubs)
	@mkdir -p $(@D)
	$(call quiet,CC,$@)$(CC) -Wall -Wextra -Wno-unused-parameter -Werror -Ilib -I$(O)/stubs $(CFLAGS) \
		$(LDFLAGS) -o $@ $< $(O)/libiosc.a

unit: $(unit_tests)

fuzz: $(fuzz_src:selftests/fuzz/%.c=$(O)/fuzz/%)

programs: $(programs)

$(O)/bench/%: $(O)/selftests/bench/%.o $(O)/libsigma.a $(O)/libcommon.a
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(daemon_ldlibs)

rings: $(O)/bench/rings

# Stubs of several makers, for "make bench T=calls": their tools are in the tree "stubs"
$(O)/bench/stubs: $(wildcard selftests/bench/stubs/*.*) $(stubs) $(O)/libiosc.a
	@mkdir -p $(O)/stubs/bench $(@D)
	$(call quiet,RPCGEN,$(O)/stubs/bench/xdr*)cp selftests/bench/stubs/xdr.x $(O)/stubs/bench && \
		cd $(O)/stubs/bench && rm -f xdr.h xdr_routines.c && \
		rpcgen -M -h -o xdr.h xdr.x && rpcgen -M -c -o xdr_routines.c xdr.x
	$(call quiet,PROTOC,$(O)/stubs/bench/files.pb-c*)protoc-c --proto_path=selftests/bench/stubs \
		--c_out=$(O)/stubs/bench selftests/bench/stubs/files.proto
	$(call quiet,CC,$@)$(CC) -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-unused-variable -Werror \
		-D_GNU_SOURCE $(CFLAGS) -I$(O)/stubs -I$(O)/stubs/bench -Ilib -I/usr/include/tirpc \
		-o $@ $(filter selftests/bench/stubs/%.c,$^) $(O)/stubs/bench/xdr_routines.c \
		$(O)/stubs/bench/files.pb-c.c $(O)/libiosc.a -ltirpc -lprotobuf-c

install: install-modules install-user install-hooks

install-modules: modules
	$(Q)$(INSTALL) -D -m 644 -t $(DESTDIR)$(MODDIR) kmod/sigma.ko guest/sigma_guest.ko
	$(Q)$(STRIP) --strip-debug $(DESTDIR)$(MODDIR)/sigma.ko $(DESTDIR)$(MODDIR)/sigma_guest.ko
	$(if $(DESTDIR),,$(Q)depmod $(KVERSION))

# What puts sigma_guest.ko into a distribution's own initrd
install-hooks:
	$(Q)$(INSTALL) -D -m 755 packaging/initramfs-tools/hook $(DESTDIR)$(INITRAMFS_HOOKS)/sigma
	$(Q)$(INSTALL) -D -m 755 -t $(DESTDIR)$(DRACUT_MODULES)/90sigma packaging/dracut/module-setup.sh

DKMS_SOURCES = Kbuild common/version.h \
	$(shell find kmod guest \( -path guest/init -o -path guest/agent \) -prune -o ! -name '*.mod.c' \
	\( -name '*.[chS]' -o -name '*.mk' -o -name Kbuild \) -print)

install-dkms: install-hooks
	$(Q)for source in $(DKMS_SOURCES); do \
		$(INSTALL) -D -m 644 $$source $(DESTDIR)$(SRCDIR)/$$source || exit; \
	done
	$(Q)sed 's,@VERSION@,$(VERSION),' packaging/dkms.conf.in >$(DESTDIR)$(SRCDIR)/dkms.conf

install-user: user
	$(Q)$(INSTALL) -D -m 755 -t $(DESTDIR)$(PREFIX)/libexec $(O)/sigmad
	$(Q)$(INSTALL) -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(O)/sigmactl $(O)/iosc-idl
	$(Q)$(INSTALL) -D -m 755 $(O)/guest/init/init $(DESTDIR)$(LIBDIR)/guest-init
	$(Q)$(INSTALL) -D -m 755 -t $(DESTDIR)$(LIBDIR) $(O)/guest/agent/sigma-agent
	$(Q)$(INSTALL) -D -m 644 -t $(DESTDIR)$(LIBDIR)/profiles profiles/*.conf
	$(Q)$(INSTALL) -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/udev/rules.d udev/90-sigma.rules
	$(Q)$(INSTALL) -D -m 644 udev/sigma.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/sigma.conf
	$(Q)$(INSTALL) -D -m 644 udev/sigma.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/sigma.conf
	$(Q)$(INSTALL) -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $(units) udev/sigma.slice \
		udev/sigma-broker.socket udev/sigma-run.socket
	$(Q)$(INSTALL) -d $(DESTDIR)$(PREFIX)/lib/systemd/system/multi-user.target.wants
	$(Q)ln -sf ../sigma-agent.service $(DESTDIR)$(PREFIX)/lib/systemd/system/multi-user.target.wants
	$(Q)$(INSTALL) -d $(DESTDIR)/etc/sigma
	$(Q)$(INSTALL) -D -m 644 -t $(DESTDIR)$(PREFIX)/include lib/iosc.h lib/iosc_call.h lib/iosc_message.h \
		lib/idl/iosc.capnp
	$(Q)$(INSTALL) -D -m 644 -t $(DESTDIR)$(PREFIX)/lib $(O)/libiosc.a
	$(Q)$(INSTALL) -D -m 755 -t $(DESTDIR)$(PREFIX)/lib $(O)/$(LIBIOSC)
	$(Q)ln -sf $(LIBIOSC) $(DESTDIR)$(PREFIX)/lib/libiosc.so
	$(Q)$(INSTALL) -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/pkgconfig $(O)/libiosc.pc
	$(Q)for page in $(MANUALS); do \
		$(INSTALL) -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit; \
	done
	$(Q)$(INSTALL) -D -m 644 ctl/completion/sigmactl.bash $(DESTDIR)$(BASH_COMPLETIONS)/sigmactl
	$(Q)$(INSTALL) -D -m 644 ctl/completion/sigmactl.zsh $(DESTDIR)$(ZSH_COMPLETIONS)/_sigmactl
	$(if $(DESTDIR),,$(activate))

# The library's cache, and what a boot would do with the rules and units: the group, /run/sigma
# and the devices' permissions
define activate
$(Q)if [ "$$(id -u)" = 0 ]; then ldconfig; fi
$(Q)if command -v systemd-sysusers >/dev/null; then \
	systemd-sysusers $(PREFIX)/lib/sysusers.d/sigma.conf; \
else \
	echo "No systemd-sysusers: add the group yourself: groupadd --system sigma"; \
fi
$(Q)if command -v systemd-tmpfiles >/dev/null; then \
	systemd-tmpfiles --create $(PREFIX)/lib/tmpfiles.d/sigma.conf; \
fi
$(Q)if command -v udevadm >/dev/null; then \
	udevadm control --reload && udevadm trigger --subsystem-match=sigma || \
	echo "udev does not run: /dev/sigma gets its group at the next boot"; \
fi
$(Q)if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
endef

# What install would lay out, file by file. Guest files and the group stay
uninstall:
	$(if $(DESTDIR),,$(Q)for guest in /sys/class/sigma/*/state; do \
		[ ! -e $$guest ] || { echo "$$guest: guests are there; 'sigmactl stop' them first" >&2; exit 1; }; \
	done)
	$(Q)rm -rf $(O)/installed
	$(Q)$(MAKE) install DESTDIR=$(abspath $(O)/installed)
	$(Q)cd $(O)/installed && find . ! -type d -exec rm -f $(abspath $(DESTDIR))/{} \;
	$(Q)cd $(O)/installed && find . -depth -type d \( -name '*sigma' -o -path '*/sigma/*' \) \
		-exec rmdir --ignore-fail-on-non-empty $(abspath $(DESTDIR))/{} \;
	$(Q)rm -r $(O)/installed
	$(if $(DESTDIR),,$(forget))

define forget
$(Q)if [ -d /run/systemd/system ]; then systemctl stop sigma-run.socket sigma-run.service sigma-broker.socket 2>/dev/null || :; fi
$(Q)rm -rf /run/sigma
$(Q)depmod $(KVERSION)
$(Q)ldconfig
$(Q)if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
endef

# From a copy of the sources, since dpkg-buildpackage leaves its files in them and beside them. The
# package is built like anywhere else, so without the variables of this make
DEB_SOURCES := COPYING Kbuild LICENSES Makefile common ctl daemon debian docs guest kmod lib packaging profiles udev
deb: | needs
	$(Q)rm -rf $(O)/deb
	$(Q)mkdir -p $(O)/deb/source
	$(Q)tar -c --exclude='*.o' --exclude='*.ko' $(DEB_SOURCES) | tar -x -C $(O)/deb/source
	$(Q)cd $(O)/deb/source && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES \
		dpkg-buildpackage -us -uc -b -d >../build.log 2>&1 || { cat ../build.log >&2; exit 1; }
	$(Q)rm -r $(O)/deb/source
	$(Q)for package in $(O)/deb/*.deb; do echo "  DEB	$$package"; done

unit_wanted := $(if $(T),$(filter $(addprefix $(O)/unit/,$(T)),$(unit_tests)),$(unit_tests))
# On all CPUs, unless somebody said how many
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j $(shell nproc))
check-unit:
	$(if $(unit_wanted),$(Q)$(MAKE) $(parallel) $(unit_wanted))
	$(Q)selftests/rig/unit $(O)/unit $(T)

CHECKPATCH ?=
lint:
	$(Q)KDIR=$(KDIR) CHECKPATCH=$(CHECKPATCH) selftests/rig/lint $(T)

check:
	$(Q)selftests/rig/check $(T)

check-vmx:
	$(Q)selftests/rig/check --vmx $(T)

check-cpus:
	$(Q)selftests/rig/check --cpus $(T)

matrix:
	$(Q)selftests/rig/check --matrix $(T)

DEBIAN ?= 12
check-packages:
	$(Q)selftests/rig/packages
	$(Q)selftests/packages/run $(DEBIAN)

check-kgdb:
	$(Q)selftests/rig/packages
	$(Q)selftests/kgdb/run

check-debug:
	$(Q)DEBUG_KERNEL=$(KERNEL) selftests/rig/check --debug $(T)

check-faults:
	$(Q)selftests/rig/check kdump kexec host-faults sigmad-killed guest-ends guest-faults

check-load:
	$(Q)selftests/rig/packages
	$(Q)selftests/load/run

MINUTES ?= 10
SEED ?=
soak:
	$(Q)selftests/rig/packages
	$(Q)selftests/soak/run $(MINUTES) $(SEED)

reliability:
	$(Q)selftests/reliability/report

machines:
	$(Q)selftests/matrix/report

ROUNDS ?= 3
bench:
	$(Q)selftests/rig/packages
	$(Q)selftests/rig/bench $(ROUNDS) $(T)

demo:
	$(Q)selftests/rig/packages
	$(Q)selftests/rig/demo

shell:
	$(Q)selftests/rig/packages
	$(Q)selftests/rig/vm -b

# Folder by folder: below this one kbuild would take the objects and modules out of build/trees, too
clean:
	$(Q)rm -rf $(O)/common $(O)/daemon $(O)/ctl $(O)/guest $(O)/unit $(O)/fuzz $(O)/bench \
		$(O)/selftests $(O)/sanitized $(libraries) $(O)/sigmad $(O)/sigmactl $(O)/lib $(O)/libiosc.* $(O)/iosc-idl $(O)/stubs \
		$(units) $(O)/prefix $(O)/deb
	$(Q)[ ! -d $(KDIR) ] || for folder in kmod guest; do \
		$(MAKE) -C $(KDIR) M=$(CURDIR)/$$folder clean || exit; \
	done
	$(Q)rm -f modules.order Module.symvers .*.cmd

user_obj := $(common_obj) $(daemon_obj) $(ctl_obj)
-include $(patsubst %.o,%.d,$(iosc_obj) $(idl_obj) $(main_obj) $(user_obj) $(call sanitized,$(user_obj))) \
	 $(wildcard $(O)/sanitized/lib/*.d $(O)/sanitized/lib/idl/*.d $(O)/sanitized/selftests/*/*.d $(O)/sanitized/kmod/guard/program/*.d \
		    $(O)/sanitized/guest/*/*.d $(O)/selftests/*/*.d)
