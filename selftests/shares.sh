#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=480
#
# Shared folders: files both ways, read-only ones, whose rights the guest has in them, and a
# virtiofsd that dies.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=8
NOBODY=65534
program=/usr/lib/qemu/virtiofsd
[ -x $program ] || skip_all "no virtiofsd in this machine"
things=/srv/things
papers=/srv/papers

sum() { sha256sum "$1" | cut -d ' ' -f 1; }
sum_in_guest() { in_guest 1 "sha256sum $1" | cut -d ' ' -f 1; }
mounts() { in_guest 1 "mkdir -p /run/$1 && mount -t virtiofs $1 /run/$1"; }
servers() { pgrep -c -x virtiofsd; }
no_servers() { [ "$(servers)" = 0 ]; }
# What sigmad runs for the share TAG: the init of a PID namespace, and what that made
server() { pgrep -o -f "^$program .*$1"; }
sigmad_said() { grep -q -- "$1" /run/sigma/g/sigmad.log; }

mkdir -p $things $papers
chmod 1777 $things
echo "from the host" >$things/note
echo "not for everybody" >$things/secret && chmod 600 $things/secret
echo "to be read" >$papers/note
dd if=/dev/urandom of=$things/data bs=1M count=$MIB status=none
shares=(line=[Share] line=Path=$things line=[Share] line=Path=$papers line=ReadOnly=yes)
remember_host

# ---- without
guest g disk=/dev/vdb net=1 "${shares[@]}"
mv $program $program.away
refuse "without virtiofsd it does not start" "g.guest:[0-9]+: \[Share\].*install the package" \
	sigmactl start g
check "nothing was taken" host_is_as_before
mv $program.away $program

# ---- root's
check "g starts" sigmactl start g
check "it answers" wait_guest 1
check "it mounts a folder" mounts things
check "what the host wrote is there" [ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]
check "$MIB MiB from the host are the same" [ "$(sum_in_guest /run/things/data)" = "$(sum $things/data)" ]
check "the guest writes $MIB MiB" in_guest 1 "head -c ${MIB}M /dev/urandom >/run/things/made && sync"
check "they are the same on the host" [ "$(sum_in_guest /run/things/made)" = "$(sum $things/made)" ]
check "a file of the host shows up later" eval '
	echo later >$things/later && until_true 5 in_guest 1 "cat /run/things/later"'
check "a file goes" eval 'in_guest 1 "rm /run/things/made" && [ ! -e $things/made ]'
check "it mounts the other one" mounts papers
check "and reads it" [ "$(in_guest 1 'cat /run/papers/note')" = "to be read" ]
refuse "but cannot write" "read-only" in_guest 1 "touch /run/papers/new"
refuse "nor remount it" "read-only" in_guest 1 "mount -o remount,rw /run/papers; touch /run/papers/new"
check "nothing came there" [ "$(ls $papers)" = note ]

# ---- its next kernel
in_guest 1 "(sleep 1; echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &"
sleep 2
check "g restarts" eval 'wait_state g running && wait_guest 1'
check "it mounts both again" eval 'mounts things && mounts papers'
check "and reads" [ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]

# ---- another sigmad
check "sigmad is killed" eval 'kill -9 "$(sigmactl status --json g | jq .pid)" && until_true 5 no_servers'
check "another one takes g over, for somebody" env SUDO_UID=$NOBODY sigmactl start g
check "it mounts the folder anew" in_guest 1 "umount -l /run/things; mount -t virtiofs things /run/things"
check "and reads" [ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]
check "with the rights of who started it first" in_guest 1 "cat /run/things/secret"
check "the other one too" eval 'in_guest 1 "umount -l /run/papers"; mounts papers'

# ---- without warning
check "a program reads the folder again and again" in_guest 1 "( while cat /run/things/data
	>/run/read; do : >/run/reading; done; : >/run/reader-ended ) >/dev/null 2>&1 </dev/null &"
check "it does" until_true 20 in_guest 1 "test -e /run/reading"
check "virtiofsd is killed" eval 'kill -9 "$(server $things)"'
check "sigmad says what became of it" until_true 20 sigmad_said "fs.: virtiofsd ended, and another one serves"
check "g goes on" eval 'beats g && in_guest 1 true'
check "so does the other share" in_guest 1 "cat /run/papers/note"
check "the program gets an error" until_true 20 in_guest 1 "test -e /run/reader-ended"
refuse "so does another one" "error|descriptor" in_guest 1 "cat /run/things/note"
check "the guest mounts the folder anew" in_guest 1 "umount /run/things && mount -t virtiofs things /run/things"
check "and reads" [ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]
check "$MIB MiB from the host are the same again" [ "$(sum_in_guest /run/things/data)" = "$(sum $things/data)" ]
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "no virtiofsd is left" no_servers
check "all is back" host_is_as_before

# ---- somebody's
guest g kernel=6.12 disk=/dev/vdb net=1 "${shares[@]}"
check "somebody starts g" env SUDO_UID=$NOBODY sigmactl start g
check "it answers" wait_guest 1
check "it mounts the folder" mounts things
check "it reads" [ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]
check "it writes" in_guest 1 "echo mine >/run/things/mine"
check "as this user" [ "$(stat -c %u $things/mine)" = $NOBODY ]
refuse "its root reads no file that this user cannot" "denied" in_guest 1 "cat /run/things/secret"
refuse "nor takes one of others" "permitted|denied" in_guest 1 "rm /run/things/note"
check "g stops" eval 'sigmactl stop g && wait_gone g'
check "no virtiofsd is left" no_servers
chmod 700 $papers
refuse "a folder that this user cannot read is refused" "g.guest:.*cannot read the folder" \
	env SUDO_UID=$NOBODY sigmactl start g
check "all is back" host_is_as_before
finish
