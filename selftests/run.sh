#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=3G timeout=720
#
# sigmactl run -- CMD: a program on a kernel of its own is a process of the host as to its files,
# streams, signals and exit status, and CPU and memory are back when it has ended, however it ends.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=100
[ -x /usr/lib/qemu/virtiofsd ] || skip_all "no virtiofsd in this machine"
work=/srv/work
made=/srv/made
other=/srv/other

# run [OPTION]... -- CMD: without a network, and with a kernel that need not be unpacked first
run() { sigmactl run --kernel="$VMLINUX" --memory=256M --net=none "--append=mitigations=off" "$@"; }
# begin -- CMD: the same, in place of a subshell in the background, so that $! is sigmactl itself
begin() { exec sigmactl run --kernel="$VMLINUX" --memory=256M --net=none "--append=mitigations=off" "$@"; }
# ends STATUS COMMAND: it has this exit status
ends() { local status=0; "${@:2}" || status=$?; [ $status = "$1" ]; }
no_guests() { [ -z "$(sigmactl list --no-legend)" ]; }
is_over() { no_guests && ! pgrep -x sigmad; }
is_back() { until_true 60 is_over && host_is_as_before; }
no_brokers() { ! pgrep -x sigmad-broker; }
no_servers() { ! pgrep -x virtiofsd; }

mkdir -p $work $made $other
mount -t tmpfs tmpfs $other
cd $work || exit
remember_host

# ---- a process of the host
check "exit status and streams of a program" eval '
	printf "a\nb\n" | ends 3 run -- sh -c "uname -n; cat; echo problem >&2; exit 3" >out 2>err &&
	grep -x a out && grep -x b out && grep problem err && ! grep problem out'
check "CPU and memory are back when it returns" host_is_as_before
check "the program has the same folder, user, groups, mask, limits and environment" eval '
	(umask 027 && ulimit -n 321 && A="b  c" sigmactl run -- \
		sh -c "pwd; id; umask; ulimit -n; echo \"\$A\"; id -u >made; mkfifo fifo; chown 7:8 fifo") >out &&
	{ echo $work; id; echo 0027; echo 321; echo "b  c"; } | diff - out'
check "what it wrote is on the host, with its owner and mode" eval '
	[ "$(cat made)" = 0 ] && [ "$(stat -c %u:%g:%a made)" = 0:0:640 ] &&
	[ "$(stat -c %u:%g:%F fifo)" = 7:8:fifo ]'
printf '[Share]\nReadAhead=256K\n[Memory]\nHugePages=8\nTransparentHugePages=never\n[Sysctl]\nvm.max_map_count=77777\n' >my.conf
# shellcheck disable=SC2016 # expanded in the guest
check "--setenv: a variable of the program, and one that it has here" eval '
	A=here B="b  c" run -EA=there --setenv=B -- sh -c "echo \"\$A \$B\"" >out && grep -x "there b  c" out'
check "the guest has no more than it was given" eval '
	run --cpus=1 --profile=./my.conf -- sh -c "nproc; ls /run /tmp; cat /proc/1/comm
		cat /proc/sys/vm/max_map_count /proc/sys/vm/nr_hugepages /sys/kernel/mm/transparent_hugepage/enabled
		cat /sys/class/bdi/0:*/read_ahead_kb" \
		>out && cat out && grep -x 1 out && grep -x init out && ! grep sigma/ out'
check "and what a profile says" eval 'grep -x 77777 out && grep -x 8 out && grep -x 256 out && grep "\[never\]" out'
# mmap() of a file, and read() of another one to there
cat >dirty.pl <<-'END'
	open F, "+<mapped"; $page = syscall(9, 0, 4096, 3, 1, fileno F, 0);
	open W, "<word"; syscall(0, fileno W, $page, 4); open R, ">ready"; sleep 1000;
END
head -c 4096 /dev/zero >mapped && echo word >word
check "what a process that it left has in its memory of a file is on the host" eval '
	run -- sh -c "perl dirty.pl & until [ -e ready ]; do sleep 0.1; done
		stat -c %d / $other/." >out && [ "$(head -c 4 mapped)" = word ]'
check "a file system of the host is one of its own in the guest" [ "$(sort -u out | wc -l)" = 2 ]
head -c ${MIB}M /dev/urandom >$made/data
check "$MIB MiB go through it unchanged" eval '
	run -- cat <$made/data | cmp - $made/data'
check "it reads a pipe to its end, and is told when nobody reads any more" eval '
	seq 1000000 | run -- sh -c "wc -l; trap \"\" PIPE; yes 2>/dev/null || true" | head -n 2 >out &&
	grep -x 1000000 out'
check "a program that is not there" eval 'ends 127 run -- /no/such/program 2>err && grep "/no/such" err'
check "a program that cannot be executed" eval '
	echo text >plain && ends 126 run -- ./plain 2>err && grep plain err'
# shellcheck disable=SC2016 # expanded in the guest
check "a program that dies of a signal" ends 143 run -- sh -c 'kill -TERM $$'
check "CPU and memory are back after all of these" host_is_as_before

# ---- other roots
check "--overlay: what the program writes stays in the guest" eval '
	run --overlay --share=$made --share=$made:/no-such -- sh -c "echo x >made
		rm -r /srv/work/fifo; touch $made/kept /no-such/too; ls" &&
	[ "$(cat made)" = 0 ] && [ -p fifo ] && [ -e $made/kept ] && [ -e $made/too ] && [ ! -e /no-such ]'
check "--read-only: it cannot write" eval '
	run --read-only -- sh -c "! touch made && ! touch $other/made" 2>err &&
	[ "$(grep -ci "read-only" err)" = 2 ]'

# ---- roots that are unpacked
# put FILE: where an image has it, by its digest, in $sum
put() { sum=$(sha256sum "$1" | cut -d ' ' -f 1) && mv "$1" "image/blobs/sha256/$sum"; }
mkdir -p tree/bin tree/etc upper/etc image/blobs/sha256
cp "$(command -v busybox)" tree/bin/busybox
ln -s busybox tree/bin/sh
touch tree/etc/lower upper/etc/upper upper/etc/.wh.lower
tar -czf root.tar.gz -C tree .
cp root.tar.gz lower.layer && put lower.layer && layers="{\"digest\": \"sha256:$sum\"}"
tar -cf upper.layer -C upper . && put upper.layer && layers="$layers, {\"digest\": \"sha256:$sum\"}"
# shellcheck disable=SC2016 # expanded in the guest
printf '{"config": {"User": "7:8", "WorkingDir": "/srv/new", "Env": ["PATH=/bin", "A=image"], %s}}' \
	'"Entrypoint": ["sh", "-c"], "Cmd": ["busybox id -u; pwd; echo $A; busybox ls /etc"]' >config && put config
echo "{\"config\": {\"digest\": \"sha256:$sum\"}, \"layers\": [$layers]}" >manifest && put manifest
echo "{\"manifests\": [{\"digest\": \"sha256:$sum\"}]}" >image/index.json
echo '{"imageLayoutVersion": "1.0.0"}' >image/oci-layout
tar -cf image.tar -C image .
check "the program of an image runs, as its user, in its folder, with its environment" eval '
	run --rootfs=image.tar -- >out; cat out
	printf "7\n/srv/new\nimage\n" | cmp - <(head -n 3 out) && grep -x upper out && ! grep lower out'
check "what was unpacked is gone" eval '[ -z "$(ls /var/lib/sigma/roots)" ]'

# ---- how it ends
check "--timeout ends a program" eval '
	ends 124 run --timeout=2 --rootfs=root.tar.gz -- sh -c "echo /etc/* /srv/* >/made
		busybox cat /made; busybox sleep 1000" >out'
check "whose root was an archive, and not the host's" grep -x "/etc/lower /srv/\*" out
# The parent is the agent. Without it, nothing in the guest answers the host
# shellcheck disable=SC2016 # expanded in the guest
check "--timeout ends a guest that does not answer" \
	ends 124 run --timeout=2 -- sh -c 'kill -STOP $PPID; sleep 1000'
begin --name=both -- sh -c 'touch started; until [ -e go ]; do sleep 0.2; done' 2>err &
check "a program runs, and can be joined" until_true 120 [ -e started ]
sigmactl exec both -- sh -c "touch $work/go; sleep 1000" 2>joined &
check "what exec runs in its guest ends with it" eval 'ends 125 wait $! && grep "ended before" joined'
check "nothing waited for that" eval '! grep "in time" err && is_back'
rm started
begin -- sh -c 'trap "exit 9" TERM; touch started; while :; do sleep 1; done' 2>begun &
check "a program runs in the background" until_true 120 [ -e started ]
check "it gets the signals of sigmactl" eval 'kill -TERM $!; ends 9 wait $!'
rm started
echo old >word
head -c 8M /dev/urandom >$work/big
begin --unchanging --name=still -- sh -c 'cat word big >/dev/null; touch started; exec sleep 1000' 2>begun &
check "another one runs" until_true 120 [ -e started ]
echo new >word.new && mv word.new word
check "with --unchanging, what it has read does not come from the host again" eval '
	[ "$(sigmactl exec still -- cat $work/word)" = old ]'
check "what it has in its page cache is listed" eval '
	sigmactl cache save still list $work && grep -x "0-2047 $work/big" list'
check "and is still there when it is loaded" eval '
	sigmactl cache load still list >out && grep "MiB, were read" out'
refuse "a list that is none" "my.conf: no list" sigmactl cache load still my.conf
check "sigmactl is killed, and everything is back" eval 'kill -9 $!; is_back'
check "no virtiofsd is left" no_servers
rm started
begin --name=left -- sh -c 'touch started; exec sleep 1000' 2>begun &
check "one more runs" until_true 120 [ -e started ]
check "sigmad is killed, and then sigmactl: everything is back" eval '
	pid=$! served=$(sigmad_pid left) && kill -STOP $pid && kill -9 $served $pid && is_back'
rm started
begin --name=left -- sh -c 'touch started; exec sleep 1000' 2>begun &
check "and one more" until_true 120 [ -e started ]
# pidfd_open() and pidfd_getfd(): the state file of the sigmad stays open, and so locked, when that is dead
cat >holder.pl <<-'END'
	$pid = shift() + 0; $process = syscall(434, $pid, 0);
	for (glob "/proc/$pid/fd/*") {
		(stat)[1] == (stat "/run/sigma/left/state")[1] or next;
		m{(\d+)$} and syscall(438, $process, $1 + 0, 0) >= 0 and open R, ">held";
	}
	sleep 8;
END
check "also when the files of the sigmad are closed late" eval '
	pid=$! served=$(sigmad_pid left) && { perl holder.pl $served & } && until_true 10 [ -e held ] &&
	kill -STOP $pid && kill -9 $served $pid && is_back'
rm started
begin --keep --name=left -- touch started 2>begun &
check "one goes on without sigmactl" eval 'until_true 120 [ -e started ] && wait $!'
check "and without its sigmad" eval '
	kill -9 "$(sigmad_pid left)" && until_true 60 no_brokers && [ "$(state left)" = running ] &&
	sigmactl kill left && is_back'
begin --rootfs=root.tar.gz -- true 2>begun &
check "a start that is killed takes nothing" eval 'sleep 1; kill -9 $!; is_back'
check "the guest's kernel panics: an error, and everything is back" eval '
	ends 125 run -- sh -c "echo c >/proc/sysrq-trigger" 2>err && grep panicked err && is_back'
check "with --keep the guest goes on, until it is stopped" eval '
	run --keep --name=kept --unchanging --cache=list -- fincore -nb -o RES $work/big >out &&
	sigmactl list | grep "kept *running" &&
	sigmactl stop kept 2>err && ! grep "switch itself off" err && is_back'
check "with --cache, a file is in the cache before the program begins" grep 8388608 out
refuse "a cache that would be thrown away" "give --unchanging, too" run --cache=list -- true

# ---- what is refused
refuse "a folder that the guest has its own of" "of its own" sh -c "cd /run && sigmactl run -- true"
refuse "no command" "no command behind" sigmactl run --
refuse "too much memory" "Memory=" run --memory=100G -- true
refuse "no CPU is free" "CPU" run --cpus=64 -- true
printf '[Kernel]\nTicks=full\n' >bad.conf
refuse "a profile with a mistake" "bad.conf:2: Ticks=: no setting of .Kernel.; it has" \
	run --profile=./bad.conf -- true
refuse "a share at a folder that the host lacks" "no folder /no-such" run --share=$made:/no-such -- true
check "a refused run has exit status 125" ends 125 run --memory=100G -- true
check "nothing was taken by these" host_is_as_before

# ---- several
check "five runs in a row, with the profiles that come with SIGMA" eval '
	for profile in $(sigmactl profiles --no-legend | cut -d " " -f 1) end; do
		[ $profile = end ] || run --profile=$profile -- sh -c "dmesg; ! dmesg | grep \"set sysctl\"" || break
	done >out && [ $profile = end ] && [ "$(grep -c "Command line:" out)" -ge 5 ]'
check "two at once" eval '
	run -- sh -c "echo one; sleep 1" >one & first=$!
	run -- sh -c "echo two" >two && wait $first && [ "$(cat one two)" = "$(printf "one\ntwo")" ]'
check "everything is back" is_back
check "no file of these runs is left" eval '[ -z "$(find /run/sigma/.run /var/lib/sigma/roots -mindepth 1)" ] && no_servers'
finish
