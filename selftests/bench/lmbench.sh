# SPDX-License-Identifier: GPL-2.0
#
# shellcheck shell=bash disable=SC2034 # used by those who source it
#
# LMbench as it is run on each side of a comparison. Its programs are in a tar archive, /run/lmbench.tar, or
# on the disk /dev/vdb of a guest.

# Each benchmark goes on for ENOUGH microseconds, and its figure is the median of N. The cost of loops and
# of reading the clock is not subtracted (LOOP_O, TIMING_O): it is the same on all sides
# shellcheck disable=SC2016 # expanded by the shell that runs them
LMBENCH='export ENOUGH=20000 LOOP_O=0 TIMING_O=0 N=3 PATH=/run/lmbench:$PATH; cd /run/lmbench &&
	ip link set lo up && echo 127.0.0.1 localhost >>/etc/hosts && mkdir -p /var/tmp/lmbench && cp hello /var/tmp/lmbench/ &&
	dd if=/dev/zero of=mapped bs=1M count=4 &&
	for call in null read write stat open; do lat_syscall -N $N $call /run/lmbench/mapped || exit; done;
	lat_select -N $N -n 100 tcp && lat_select -N $N -n 100 file &&
	lat_sig -N $N install && lat_sig -N $N catch && lat_sig -N $N prot mapped &&
	for what in fork exec shell; do lat_proc -N $N $what || exit; done;
	for set in "0 2" "16 2" "64 2" "16 8" "64 8" "16 16" "64 16"; do
		lat_ctx -N $N -s $set || exit; done;
	lat_fs -N $N /run/lmbench &&
	lat_mmap -N $N 4m mapped && echo && lat_pagefault -N $N mapped'
NR_FIGURES=25		# of all these

# Read what they print, print ITEM, WHAT and microseconds
lmbench_figures()
{
	awk -v OFS='\t' '
	function is(item, what, us) { print item, what, us }
	/^Simple syscall:/		{ is("processes", "null call", $3) }
	/^Simple read:/			{ read = $3 }
	/^Simple write:/		{ is("processes", "null I/O", (read + $3) / 2) }
	/^Simple stat:/			{ is("processes", "stat", $3) }
	/^Simple open\/close:/		{ is("processes", "open and close", $3) }
	/^Select on 100 tcp/		{ is("processes", "select, 100 TCP", $6) }
	/^Signal handler installation:/	{ is("processes", "signal, install", $4) }
	/^Signal handler overhead:/	{ is("processes", "signal, handle", $4) }
	/^Process fork\+exit:/		{ is("processes", "fork", $3) }
	/^Process fork\+execve:/	{ is("processes", "exec", $3) }
	/^Process fork\+\/bin\/sh/	{ is("processes", "sh", $4) }
	/^"size=/			{ sub("k.*", "", $1); size = substr($1, 7) }
	/^[0-9]+ [0-9.]+$/ && size != ""	{ is("contexts", $1 "p/" size "K", $2); size = "" }
	/^(0|10)k\t/			{ is("files", toupper($1) ", create", 1e6 / $3)
					  is("files", toupper($1) ", delete", 1e6 / $4) }
	/^[0-9]+\.[0-9]+ [0-9.]+$/	{ is("files", "mmap", $2) }
	/^Protection fault:/		{ is("files", "protection fault", $3) }
	/^Pagefaults on/		{ is("files", "page fault", $4) }
	/^Select on 100 fd/		{ is("files", "select, 100 fds", $5) }'
}

# Unpack the programs into a tmpfs
LMBENCH_UNPACK='mkdir /run/lmbench && mount -t tmpfs none /run/lmbench && tar -xf /run/lmbench.tar -C /run/lmbench'

pack_lmbench()
{
	tar -cf /run/lmbench.tar -C "$TREES/lmbench/usr/lib/lmbench/bin/x86_64-linux-gnu" . &&
		truncate -s %512 /run/lmbench.tar
}

# unpack_lmbench DISK: in the guest of network 1
unpack_lmbench() { in_guest 1 "ln -s $1 /run/lmbench.tar; $LMBENCH_UNPACK"; }
