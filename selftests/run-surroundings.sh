#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=3G timeout=600 in=matrix
#
# What surrounds a program of sigmactl run: a terminal, which stays one; /proc, /sys, /dev, /run and /tmp,
# which are the guest's own; limits and CPUs; a kernel of series 6.12; a network by a bridge.

. "$(dirname "$0")/lib.sh"
need_sigma
[ -x /usr/lib/qemu/virtiofsd ] || skip_all "no virtiofsd in this machine"

work=/srv/work
keys=$work/keys screen=$work/screen

lean=(--memory=256M --append=mitigations=off)
run() { sigmactl run --kernel="$VMLINUX" --net=none "${lean[@]}" "$@"; }
is_over() { [ -z "$(sigmactl list --no-legend)" ] && ! pgrep -x sigmad && ! pgrep -x virtiofsd; }
is_back() { until_true 60 is_over && host_is_as_before; }

# on_terminal COMMAND: its keys come from the fifo, and what a person would see is in $screen. A shell that
# runs a script has its jobs ignore these signals, and so would a program in a guest
on_terminal()
{
	: >$screen
	env --default-signal=INT,QUIT script -qfec "tty >$work/tty; stty -g >$work/before; $1; echo status=\$?; stty -g >$work/after" /dev/null \
		<$keys >>$screen 2>&1 &
	terminal=$!
}
type_keys() { printf '%b' "$1" >&"$keyboard"; }
# Without what erases the line of progress
sees() { sed 's/\x1b\[K//g' $screen | tr '\r' '\n' | grep -aE "$1"; }
shows() { until_true "${2:-60}" sees "$1" || { cat -v $screen | tail -n 20; return 1; }; }

mkdir -p $work
cd $work || exit
mkfifo $keys
exec {keyboard}<>$keys
run_words="sigmactl run --kernel=$VMLINUX --net=none ${lean[*]} --"
ip link add br0 type bridge && ip addr add 10.9.9.1/24 dev br0 && ip link set br0 up
remember_host

# ---- a terminal
cat >winch <<-'EOF'
	trap 'echo "size $(stty size)"' WINCH
	trap 'echo interrupted; exit 6' INT
	stty size; tty
	while :; do sleep 0.2; done
EOF

on_terminal "stty rows 33 cols 111; $run_words bash winch"
check "a terminal has its size in the guest" shows "^33 111$"
check "and is one there" shows "^/dev/pts/"
check "its size changes" eval 'stty -F $(cat tty) rows 20 cols 44 && shows "^size 20 44$"'
type_keys '\003'
check "Ctrl-C interrupts the program there" shows "interrupted$"
check "whose exit status is that of sigmactl" shows "^status=6$"
wait "$terminal"
check "the terminal is then as it was" cmp before after

# in_state LETTER: of sleep, in the guest
inside() { sigmactl exec "$(guests)" -- "$@"; }
# shellcheck disable=SC2016 # expanded in the guest
in_state() { inside sh -c 'grep "^State:.$0" "/proc/$(pgrep -x sleep)/status"' "$1"; }
on_terminal "$run_words bash --norc -i"
check "a shell in a guest has a prompt" shows "bash-.*# "
type_keys 'sleep 1000\n'
check "it runs a program" until_true 60 in_state S
type_keys '\032'
check "which Ctrl-Z stops" eval 'shows "Stopped +sleep 1000" && in_state T'
type_keys 'fg\n'
check "and fg continues" until_true 60 in_state S
type_keys '\003'
check "and Ctrl-C ends" shows "\^C"
type_keys 'echo st=$?; exit 5\n'
check "of which the shell knows" shows "^st=130$"
check "the shell's exit status is that of sigmactl" shows "^status=5$"
wait "$terminal"
check "the terminal is as it was" cmp before after

# As people type it in a shell of the host
on_terminal "bash --norc -i"
check "a shell of the host has a prompt" shows "bash-.*# "
type_keys "$run_words sh -c 'echo begun; sed -u s/^/got-/'\n"
check "it runs a program in a guest" shows "^begun$"
type_keys 'first\n'
check "which reads the terminal" shows "^got-first$"
type_keys '\032'
check "Ctrl-Z stops it, and sigmactl" shows "Stopped +sigmactl run"
type_keys 'echo at-$((40 + 2))\n'
check "the host's shell has the terminal" shows "^at-42$"
type_keys 'fg\n'
# What is typed before sigmactl has the terminal again may be lost
reads_again() { type_keys 'second\n'; sees "^got-second$"; }
check "fg continues it" until_true 60 reads_again
type_keys '\004'
check "Ctrl-D is the end of its input" until_true 60 is_over
type_keys 'exit 0\n'
check "the host's shell ends" shows "^status=0$"
wait "$terminal"
check "everything is back" is_back

# ---- what the guest has of its own
touch /tmp/host /run/host
check "/proc, /sys, /dev, /run and /tmp are the guest's own" eval '
	run -- sh -c "ls /tmp /run; ls /dev/sigma /sys/class/sigma; pgrep -x bash; true" >out 2>&1
	cat out; ! grep -E "^(host|control|[0-9]+)$" out'
check "programs can write to /tmp and /run" eval '
	run -- sh -c "echo a >/tmp/a && echo b >/run/b && cat /tmp/a /run/b && stat -f -c %T /tmp" >out && cat out &&
	printf "a\nb\ntmpfs\n" | cmp - out && [ ! -e /tmp/a ]'
mkdir -p /tmp/there
check "--tmp-from-host: /tmp is the host's, and the folder of a program can be there" eval '
	(cd /tmp/there && run --tmp-from-host -- sh -c "pwd; ls ..; echo x >made") >out && cat out &&
	grep -x /tmp/there out && grep -x host out && [ "$(cat /tmp/there/made)" = x ]'
refuse "without it, a folder in /tmp is refused" "own" env -C /tmp/there \
	sigmactl run --kernel="$VMLINUX" --net=none "${lean[@]}" -- true
check "limits of all kinds go along" eval '
	limits="ulimit -S -c 7; ulimit -S -f 4000000; ulimit -S -s 4096; ulimit -S -t 5000; ulimit -S -n 321; ulimit -H -n 1024"
	all="for kind in c f s t n; do ulimit -S -\$kind; ulimit -H -\$kind; done"
	(eval "$limits"; eval "$all" >here; run -- bash -c "$all" >out); cat out; cmp here out'
check "--cpus=2 gives two" [ "$(run --cpus=2 -- nproc)" = 2 ]
check "--append has words for the kernel" eval '
	run --append=rig.word=3 -- cat /proc/cmdline >out; grep "rig.word=3" out'
mkdir -m 700 closed && touch closed/file && chown 7:8 closed
check "a folder that the user cannot read is so in a guest, with the same error" eval '
	for how in "run --" env; do
		$how sh -c "exec setpriv --reuid=nobody --clear-groups ls closed 2>&1" >out.${how%% *}
		echo $? >>out.${how%% *}
	done; cat out.run; grep "Permission denied" out.run && cmp out.run out.env'
check "a program without memory fails, and its guest ends as ever" eval '
	run -- perl -e "my \$x = \"x\" x (1 << 30)" >out 2>&1; [ $? -gt 0 ] && cat out && is_back'

# ---- another kernel, of which the host has modules
version=$(kernel_version 6.12)
mount -t tmpfs tmpfs /lib/modules
for series in 6.1 6.12; do
	mkdir "/lib/modules/$(kernel_version $series)" &&
		mount --bind "$TREES/$series/lib/modules/$(kernel_version $series)" "/lib/modules/$(kernel_version $series)"
done
check "--kernel= of another series" [ "$(sigmactl run --kernel="$(kernel_image 6.12)" --net=none "${lean[@]}" -- uname -r)" = "$version" ]

# ---- a bridge
printf '%s\n' "start 10.9.9.20" "end 10.9.9.20" "interface br0" "lease_file /run/leases" "pidfile /run/udhcpd.pid" \
	"option subnet 255.255.255.0" "option router 10.9.9.1" >/run/udhcpd.conf
touch /run/leases
busybox udhcpd -f /run/udhcpd.conf >/run/udhcpd.log 2>&1 &
udhcpd=$!
check "--net=bridge=: the guest has an address of the bridge's network, and reaches the host" eval '
	sigmactl run --kernel="$VMLINUX" --net=bridge=br0 "${lean[@]}" -- sh -c "ip -4 -o address; ping -c 1 10.9.9.1" >out
	cat out /run/udhcpd.log; grep "inet 10.9.9.20/24" out && grep "1 received" out'
kill $udhcpd
refuse "a bridge that is not there" "nosuch" sigmactl run --kernel="$VMLINUX" --net=bridge=nosuch "${lean[@]}" -- true
check "everything is back" is_back
finish
