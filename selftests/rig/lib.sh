# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The library of the rig's scripts: where things are, and how to run a command inside one of the
# trees.
#
#	build/trees/NAME	Debian roots made by mmdebstrap, see "tree"
#	build/rig/		objects, images, initrds, run directories
#	build/logs/		what the virtual machines wrote
#
# All of it is a cache: it may be removed at any time and is made again.

RIG=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$RIG/../.." && pwd)
TREES=$TOP/build/trees
CACHE=$TOP/build/rig
LOGS=$TOP/build/logs
KERNELS="6.1 6.12 7.2"
MORE_KERNELS="rt rt6.1 cloud"	# for the tests that ask for them
LINT_KERNEL=6.12	# its tree has the tools of "lint", too
# Modules are compiled with these. Others would have "lint" compile them anew
MODULES_CFLAGS="-Werror -g0"

# What a healthy kernel never logs
BAD_LOG='BUG:|WARNING:|Oops|general protection|blocked for more than|rcu.*stall|soft lockup'
BAD_LOG+='|No irq handler|Call Trace|Kernel panic'

# unintended LOG: a host's log without what is as it should be: what a host says that is crashed on
# purpose, until its crash kernel begins, and that this kernel has no handler for interrupts that were
# pending, or that a guest still sends; and how it comes that memory is short
unintended()
{
	awk '/sysrq: Trigger a crash/ { crashed = dying = 1 }
	     dying { dying = !/Linux version/; next }
	     crashed && /No irq handler for vector/ { next }
	     /invoked oom-killer|page allocation failure: .*__GFP_RETRY_MAYFAIL.*__GFP_MOVABLE/ { short = 1 }
	     short { short = !/Out of memory: Killed|pages hwpoisoned/; next }
	     { print }' "$1"
}

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

say()
{
	[ -n "${QUIET:-}" ] || echo "  ${*}" >&2
}

# Run a command as root: as the real one, or in a user namespace with all of this user's subordinate
# IDs, so that the files of the trees keep their owners.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		unshare --mount --propagation private -- "$@"
	else
		unshare --user --map-auto --map-root-user --mount --pid --fork --kill-child -- "$@"
	fi
}

# in_tree NAME COMMAND...: run the command in build/trees/NAME, with the project at /src
in_tree()
{
	local tree=$TREES/$1
	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	as_root sh -ec '
		tree=$1 top=$2
		shift 2
		mkdir -p "$tree/src"
		mount --bind "$top" "$tree/src"
		mount --rbind /dev "$tree/dev"
		mount -t proc proc "$tree/proc"
		exec chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			HOME=/root LC_ALL=C.UTF-8 "$@"
	' sh "$tree" "$TOP" "$@"
}

# Is the machine's own QEMU new enough? Before version 9 TCG has no x2APIC; with version 10 a host
# sometimes stalled while it booted, see "vm".
own_qemu()
{
	local major

	major=$({ qemu-system-x86_64 --version 2>/dev/null || true; } |
		sed -n 's/.* version \([0-9]*\).*/\1/p')
	[ "${major:-0}" -ge 11 ]
}

# Print the names of the trees that a virtual machine needs, beside those of its kernels
machine_trees()
{
	echo host
	own_qemu || echo qemu
}

# Print the names of the trees that tests need
trees()
{
	echo "$KERNELS" passt
	machine_trees
}

# version NAME: print the kernel version in build/trees/NAME
version()
{
	local dir
	for dir in "$TREES/$1"/lib/modules/*/kernel; do
		basename "$(dirname "$dir")"
		return
	done
}

# vmlinuz NAME: print the path of its kernel image
vmlinuz()
{
	local v image
	v=$(version "$1")
	for image in "$TREES/$1/boot/vmlinuz-$v" "$TREES/$1/lib/modules/$v/vmlinuz"; do
		[ -e "$image" ] && echo "$image" && return
	done
	die "build/trees/$1: no kernel image; remove build/trees/$1.recipe to make it again"
}

# make_initrd ROOT KERNEL IMAGE MODULE...: an initrd with initrd-init, the busybox of that root, and
# these modules of that kernel with all that they depend on, in load order
make_initrd()
{
	local root=$1 kernel=$2 image=$3 dir=$3.dir module file name

	shift 3
	rm -rf "$dir"
	mkdir -p "$dir"/{bin,dev,proc,sys,root,modules}
	cp "$TREES/$root/usr/bin/busybox" "$dir/bin/"
	install -m 755 "$RIG/initrd-init" "$dir/init"
	for file in $(
		for module in "$@"; do
			/usr/sbin/modprobe -d "$TREES/$kernel" -S "$(version "$kernel")" \
				--show-depends "$module"
		done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
	); do
		name=${file##*/}
		case $name in
		*.xz)	xz -dc "$file" >"$dir/modules/${name%.xz}" ;;
		*.zst)	zstd -qdc "$file" >"$dir/modules/${name%.zst}" ;;
		*)	cp "$file" "$dir/modules/" ;;
		esac
		echo "${name%%.ko*}.ko" >>"$dir/modules/order"
	done
	(cd "$dir" && find . | cpio --quiet -o -H newc -R 0:0) >"$image.new"
	mv "$image.new" "$image"
	rm -rf "$dir"
}
