#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=5 mem=6G timeout=2400 init=systemd root=uses tree=passt source=yes in=matrix
#
# What people use sigmactl run for, with the real programs: a build, a database whose data is on the
# host and which loses nothing when all is killed, a search engine in a JVM, tools that measure and
# debug, a server, images of containers, jobs of cron and systemd; and many runs, after which everything
# is back.

. "$(dirname "$0")/lib.sh"
[ -d /run/systemd/system ] || skip_all "systemd is not PID 1"
need_sigma
[ -x /usr/lib/qemu/virtiofsd ] || skip_all "no virtiofsd in this machine"
. "$(dirname "$0")/passt.sh"
install_passt

RUNS=${CYCLES:-10}
ADDRESS=192.0.2.10
work=/srv/work
pg=/usr/lib/postgresql/15/bin
java=/usr/share/java
lean=("--kernel=$VMLINUX" --net=none --append=mitigations=off)

# run [OPTION]... -- CMD; begin: the same, in place of a subshell in the background
run() { sigmactl run "${lean[@]}" "$@"; }
begin() { exec sigmactl run "${lean[@]}" "$@"; }
ends() { local status=0; "${@:2}" || status=$?; [ $status = "$1" ]; }
is_over() { [ -z "$(sigmactl list --no-legend)" ] && ! pgrep -x sigmad && ! pgrep -x virtiofsd; }
is_back() { until_true 60 is_over && host_is_as_before; }

mkdir -p $work/sigma
cp uses/Search.java $work
tar -c -C /mnt --exclude='*.o' --exclude=selftests common daemon ctl guest kmod packaging Kbuild Makefile |
	tar -x -C $work/sigma
cd $work || exit
cat >sum.c <<-'END'
	#include <stdio.h>
	#include <stdlib.h>
	static __attribute__((noinline)) int add(int a, int b) { return a + b; }
	int main(int argc, char **argv) { printf("%d\n", add(atoi(argv[1]), atoi(argv[argc - 1]))); }
END
ip link add br0 type bridge && ip addr add $ADDRESS/24 dev br0 && ip link set br0 up
ip route add default via 192.0.2.1
remember_host

# ---- a build
# shellcheck disable=SC2034 # used by eval
objects="build/common/owner.o build/common/lock.o build/common/reason.o build/common/rundir.o"
# shellcheck disable=SC2016 # expanded in the guest
check "make -j of some files of this project, on two CPUs" eval '
	run --cpus=2 --memory=768M -- sh -c "make -C sigma -j\$(nproc) $objects" >out && cat out &&
	nm sigma/build/common/lock.o | grep " T "'
check "make has nothing to compile on the host afterwards" eval '
	make -C sigma $objects >out && ! grep CC out'
check "make fails as it does on the host" eval 'echo "#error no" >>sigma/common/lock.c
	ends 2 run --memory=512M -- make -C sigma $objects 2>err && grep "#error no" err'
check "a program is compiled" eval 'run -- gcc -g -o sum sum.c && [ "$(./sum 4 5)" = 9 ]'

# ---- tools, on a host whose CPUs are busy
check "fio verifies what it wrote" eval '
	run --memory=512M -- fio --name=verify --filename=$work/fio --size=16M --rw=randwrite --bs=4k \
		--ioengine=psync --verify=crc32c --end_fsync=1 >out && grep "err= 0" out'
for _ in 0 1 2 3 4; do
	exec sh -c 'while :; do :; done' &
	busy+=($!)
done
check "cyclictest beside a busy host, with the profile latency" eval '
	run --profile=latency --memory=512M -- cyclictest -q -m -p 90 -i 10000 -l 200 -D 5 >out'
say "$(tail -n 1 out)"
kill "${busy[@]}"
check "strace traces a program" eval '
	run -- strace -f -o trace sh -c "cat sum.c; true" >out && cmp out sum.c && grep execve.*cat trace'
check "gdb stops at a breakpoint, and shows the frames" eval '
	run --memory=512M -- gdb -batch -nx -ex "break add" -ex run -ex backtrace --args ./sum 4 5 >out && grep "#1 .* in main" out'
check "perf stat counts for a program" eval '
	run -- perf stat -e task-clock,context-switches -o counts true && grep "task-clock" counts'

# ---- a server
sends() { iperf3 -c $ADDRESS -p 5201 -n 4M >client; }
sigmactl run "--kernel=$VMLINUX" --append=mitigations=off --net=user --publish=5201:5201 -- \
	iperf3 -s --one-off >server 2>err &
check "iperf3 -s --one-off is reached at the host's address" eval 'until_true 120 sends && wait $!'
check "it received all of it" grep receiver server

# ---- a database, all of which is killed
database() {
	begin --name=db --memory=768M --profile=database -- setpriv --reuid=postgres --regid=postgres \
		--init-groups $pg/postgres -D $work/data -c unix_socket_directories=/tmp \
		-c listen_addresses= -c shared_buffers=32MB
}
as_postgres() { sigmactl exec db -- env -C / setpriv --reuid=postgres "$@"; }
sql() { as_postgres psql -h /tmp -AtX "$@"; }
answers() { [ "$(sql -d "$1" -c 'SELECT 1')" = 1 ]; }
sums() { sql -d bench -c 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) -
	(SELECT sum(delta) FROM pgbench_history), (SELECT sum(bbalance) FROM pgbench_branches) -
	(SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(abalance) FROM pgbench_accounts) -
	(SELECT sum(bbalance) FROM pgbench_branches)'; }
history() { sql -d bench -c 'SELECT count(*) FROM pgbench_history'; }
has_history() { [ "$(history)" -gt "$1" ]; }

install -d -o postgres -g postgres -m 700 data
check "a database is made in a guest" eval '
	run --memory=768M -- setpriv --reuid=postgres --regid=postgres --init-groups \
		$pg/initdb --no-locale -D $work/data >out'
check "its files on the host are of its user" [ "$(stat -c %U data/PG_VERSION)" = postgres ]
database >db.log 2>&1 &
server=$!
check "it is up in another guest" until_true 120 answers postgres
check "pgbench fills it" eval '
	sql -d postgres -c "CREATE DATABASE bench" &&
	as_postgres pgbench -h /tmp -i -s 1 bench'
sigmactl exec db -- env -C / setpriv --reuid=postgres pgbench -h /tmp -c 4 -T 1000 bench >bench.log 2>&1 &
client=$!
check "transactions are done" until_true 120 has_history 200
committed=$(history)
kill -9 $server $client
pkill -9 -x sigmad
pkill -9 -x virtiofsd
check "guest, sigmad and virtiofsd are killed, and everything is back" is_back
database >db.log 2>&1 &
server=$!
check "the database is up again" until_true 180 answers bench
say "$(grep -E 'recovery|redo' db.log)"
check "it had not been shut down" grep "not properly shut down" db.log
check "no transaction that was there is lost" [ "$(history)" -ge "$committed" ]
check "and none is there by half" [ "$(sums)" = "0|0|0" ]
check "tables and indices are without damage" as_postgres \
	$pg/pg_amcheck -h /tmp --install-missing --heapallindexed -d bench
check "SIGTERM ends it in order" eval 'kill -TERM $server; wait $server && grep "is shut down" db.log'
check "everything is back" is_back


# ---- a search engine in a JVM
printf 'a kernel and its guest\na guest\nthe kernel\n' >line
mkdir texts
for _ in $(seq 200); do cat line line; done >texts/some
classes=$(printf "%s:" $java/lucene-{core,analyzers-common}-*.jar)
check "a guest compiles a program of Java" run --memory=768M --profile=jvm -- javac -cp "$classes" -d $work Search.java
# search RUN...: make an index and count its lines, by the command RUN
search()
{
	"$@" sh -c "java -Xmx200m -cp $classes$work Search index $work/texts $work/index &&
		java -Xmx200m -cp $classes$work Search count $work/index kernel guest zebra"
}
check "Lucene finds in a guest what it finds on the host" eval '
	search run --memory=768M --profile=jvm -- >out && cat out &&
	printf "kernel: 800\nguest: 800\nzebra: 0\n" | cmp - out && search env | cmp - out'

# ---- images that others make
# shellcheck disable=SC2016 # expanded in the guest
umoci_image()
{
	umoci init --layout image && umoci new --image image:v1 && umoci unpack --image image:v1 bundle &&
		mkdir -p bundle/rootfs/bin && cp "$(command -v busybox)" bundle/rootfs/bin &&
		umoci repack --image image:v1 bundle &&
		umoci config --image image:v1 --config.user=7:8 --config.workingdir=/srv --config.env=A=image \
			--config.entrypoint=/bin/busybox --config.entrypoint=sh --config.entrypoint=-c \
			--config.cmd='busybox id -u; pwd; echo $A'
}
says_image() { run --memory=256M "--rootfs=$1" -- >out && cat out && printf '7\n/srv\nimage\n' | cmp - out; }
check "umoci makes an image" umoci_image
check "its program runs" says_image image:v1
check "and that of the archive that skopeo makes of it" eval '
	skopeo --insecure-policy copy oci:image:v1 oci-archive:image.tar && says_image image.tar'

# ---- jobs
mkdir -p /etc/cron.d
echo "* * * * * root cd $work && sigmactl run ${lean[*]} --name=nightly -- sh -c 'id -u; uname -n; exit 7' >cron 2>&1; echo \$? >>cron" >/etc/cron.d/nightly
systemctl start cron
check "cron runs a program in a guest" until_true 240 eval '[ "$(tail -n 1 cron)" = 7 ]'
say "$(cat cron)"
rm /etc/cron.d/nightly
check "its guest is gone" is_back
# make_service LINE...: a service that runs a script of these lines in a guest
make_service()
{
	printf '%s\n' '#!/bin/sh' "$@" >job && chmod +x job
	printf '%s\n' '[Unit]' 'Wants=modprobe@sigma.service sigma-pool.service' \
		'After=modprobe@sigma.service sigma-pool.service' '[Service]' Type=oneshot \
		"WorkingDirectory=$work" KillMode=process TimeoutStopSec=3min \
		"ExecStart=$(command -v sigmactl) run ${lean[*]} --name=report -- ./job" \
		>/run/systemd/system/report.service && systemctl daemon-reload
}
make_service 'uname -n >report'
check "a service runs a program in a guest" eval 'systemctl start report && grep . report'
make_service 'exit 9'
check "the service has the exit status of the program" eval '
	! systemctl start report && [ "$(systemctl show -P ExecMainStatus report)" = 9 ]'
make_service 'trap "echo stopped >stopped; exit 0" TERM' 'touch ready' 'while :; do sleep 1; done'
check "systemctl stop ends the program in order" eval '
	systemctl start --no-block report && until_true 120 [ -e ready ] &&
	systemctl stop report && grep stopped stopped'
check "no guest is left" is_back

# ---- as the shell would
check "a program that goes to the background is ended with its guest" eval '
	run -- sh -c "setsid sleep 1000 & echo begun" >out && grep begun out && is_back'
mkdir gone && cd gone && rmdir $work/gone || exit
refuse "a folder that is not there any more" "sigmactl: run: .*working directory" sigmactl run "${lean[@]}" -- true
cd $work || exit
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
refuse "a user without rights" "sigmactl: run:.*sigma-run" as_nobody sigmactl run -- true
check "has the exit status 125" ends 125 as_nobody sigmactl run -- true
check "four at once" eval '
	jobs=(); for i in 1 2 3 4; do run --memory=256M -- sh -c "sleep 5; echo $i" >out.$i & jobs+=($!); done
	for i in 1 2 3 4; do wait ${jobs[i-1]} && [ "$(cat out.$i)" = $i ] || exit; done'
check "$RUNS runs in a row" eval '
	for ((i = 0; i < RUNS; i++)); do [ "$(run --memory=256M -- echo $i)" = $i ] || break; done; [ $i = $RUNS ]'
check "everything is back" is_back
finish
