#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G kernel=7.2 timeout=480
#
# Shared folders: files both ways, read-only shares, the rights that the guest has in a share,
# extended attributes, ACLs and submounts, and a virtiofsd that dies.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=8
NOBODY=65534
program=/usr/lib/qemu/virtiofsd
[ -x $program ] || skip_all "no virtiofsd in this machine"
things=/srv/things
papers=/srv/papers
marks=/srv/marks

sum() { sha256sum "$1" | cut -d ' ' -f 1; }
sum_in_guest() { in_guest 1 "sha256sum $1" | cut -d ' ' -f 1; }
mounts() { in_guest 1 "mkdir -p /run/$1 && mount -t virtiofs $1 /run/$1"; }
servers() { pgrep -c -x virtiofsd; }
no_servers() { [ "$(servers)" = 0 ]; }
# server FOLDER: the first of the two processes of its virtiofsd, the init of a PID namespace
server() { pgrep -o -f "^$program .*$1"; }
# Extended attributes, without the package attr: setxattr FILE NAME HEX; getxattr FILE NAME BYTES
# shellcheck disable=SC2016 # expanded by perl
setxattr='perl -e '\''$v = pack("H*", $ARGV[2]);
	syscall(188, $ARGV[0], $ARGV[1], $v, length($v), 0) and die "$!\n"'\'
# shellcheck disable=SC2016
getxattr='perl -e '\''$v = " " x $ARGV[2];
	syscall(191, $ARGV[0], $ARGV[1], $v, length($v)) > 0 or die "$!\n"; print $v'\'
# An ACL (linux/posix_acl_xattr.h): the owner writes, user 1 reads, nobody else does either
acl=02000000$(printf '%s' 01000600ffffffff 0200040001000000 04000000ffffffff 10000400ffffffff \
	20000000ffffffff)
mark_on_host() { eval "$getxattr $marks/note user.mark 4"; }
set_acl() { in_guest 1 "$setxattr /run/marks/note system.posix_acl_access $acl"; }
as() { echo "setpriv --reuid $1 --regid $1 --clear-groups"; }
device_of() { in_guest 1 "stat -c %d $1"; }
sigmad_said() { grep -q -- "$1" /run/sigma/g/sigmad.log; }

mkdir -p $things $papers
chmod 1777 $things
echo "from the host" >$things/note
echo "not for everybody" >$things/secret && chmod 600 $things/secret
echo "to be read" >$papers/note
dd if=/dev/urandom of=$things/data bs=1M count=$MIB status=none
# A file system that keeps attributes on each kernel, with another one in it
mkdir -p $marks && truncate -s 16M /srv/marks.img && mkfs.ext4 -q /srv/marks.img &&
	mount -o loop /srv/marks.img $marks && mkdir $marks/inner && mount -t tmpfs tmpfs $marks/inner
echo marked >$marks/note && chmod 600 $marks/note
shares=("line=[Share]" "line=Path=$things" "line=[Share]" "line=Path=$papers" line=ReadOnly=yes)
extra=("line=[Share]" "line=Path=$marks" line=ACL=yes)
remember_host

# ---- without virtiofsd
guest g disk=/dev/vdb net=1 "${shares[@]}" "${extra[@]}"
mv $program $program.away
refuse "a guest with a share is refused where there is no virtiofsd" \
	"g.guest:[0-9]+: \[Share\].*install the package" \
	sigmactl start g
check "the refused start took nothing from the host" host_is_as_before
mv $program.away $program

# ---- a guest that root starts
check "g starts" sigmactl start g
check "g answers" wait_guest 1
check "g mounts a share" mounts things
check "g reads what the host wrote" [ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]
check "g reads $MIB MiB as the host wrote them" \
	[ "$(sum_in_guest /run/things/data)" = "$(sum $things/data)" ]
check "g writes $MIB MiB" in_guest 1 "head -c ${MIB}M /dev/urandom >/run/things/made && sync"
check "the host reads the $MIB MiB as g wrote them" \
	[ "$(sum_in_guest /run/things/made)" = "$(sum $things/made)" ]
check "a new file of the host shows up in the mounted share" eval '
	echo later >$things/later && until_true 5 in_guest 1 "cat /run/things/later"'
check "a file that g removes is gone on the host" \
	eval 'in_guest 1 "rm /run/things/made" && [ ! -e $things/made ]'
check "g mounts the read-only share" mounts papers
check "g reads the read-only share" [ "$(in_guest 1 'cat /run/papers/note')" = "to be read" ]
check "g mounts a share with ACLs" mounts marks
check "g sets an extended attribute, and the host sees it" eval '
	in_guest 1 "$setxattr /run/marks/note user.mark 7365656e" &&
	[ "$(mark_on_host)" = seen ]'
refuse "g sets none in a share without Xattr=" "not supported" \
	in_guest 1 "$setxattr /run/things/note user.mark 7365656e"
check "g sets an ACL, which holds in g and on the host" eval '
	! in_guest 1 "$(as 1) cat /run/marks/note" &&
	set_acl && in_guest 1 "$(as 1) cat /run/marks/note" | grep -x marked &&
	$(as 1) cat $marks/note && ! $(as 2) cat $marks/note'
check "a file system in the share is one of its own in g" \
	eval '[ "$(device_of /run/marks)" != "$(device_of /run/marks/inner/.)" ]'
refuse "g cannot write to the read-only share" "read-only" in_guest 1 "touch /run/papers/new"
refuse "g cannot remount the read-only share for writing" \
	"read-only" in_guest 1 "mount -o remount,rw /run/papers; touch /run/papers/new"
check "the read-only share is as before" [ "$(ls $papers)" = note ]

# ---- the guest's kernel restarts
in_guest 1 "(sleep 1; echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &"
sleep 2
check "g restarts" eval 'wait_state g running && wait_guest 1'
check "g mounts both shares after the restart" eval 'mounts things && mounts papers'
check "g reads a share after the restart" \
	[ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]

# ---- a takeover
check "sigmad is killed, and its virtiofsd ends with it" \
	eval 'kill -9 "$(sigmactl status --json g | jq .pid)" && until_true 5 no_servers'
check "another user's sigmactl start takes g over" env SUDO_UID=$NOBODY sigmactl start g
check "g mounts the share again after the takeover" \
	in_guest 1 "umount -l /run/things; mount -t virtiofs things /run/things"
check "g reads the share after the takeover" \
	[ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]
check "the share has the rights of the user who started g first" in_guest 1 "cat /run/things/secret"
check "g mounts the read-only share again after the takeover" \
	eval 'in_guest 1 "umount -l /run/papers"; mounts papers'

# ---- virtiofsd dies
check "a program in g reads the share in a loop" in_guest 1 "( while cat /run/things/data
	>/run/read; do : >/run/reading; done; : >/run/reader-ended ) >/dev/null 2>&1 </dev/null &"
check "the program reads" until_true 20 in_guest 1 "test -e /run/reading"
check "virtiofsd is killed" eval 'kill -9 "$(server $things)"'
check "sigmad logs that virtiofsd ended and that it started another one" \
	until_true 20 sigmad_said "fs.: virtiofsd ended, and another one serves"
check "g goes on" eval 'beats g && in_guest 1 true'
check "the other share goes on" in_guest 1 "cat /run/papers/note"
check "the program gets an error" until_true 20 in_guest 1 "test -e /run/reader-ended"
refuse "another read gets an error before the share is mounted again" \
	"error|descriptor" in_guest 1 "cat /run/things/note"
check "g mounts the share again" \
	in_guest 1 "umount /run/things && mount -t virtiofs things /run/things"
check "g reads the share again" [ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]
check "g reads $MIB MiB as the host wrote them again" \
	[ "$(sum_in_guest /run/things/data)" = "$(sum $things/data)" ]
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "no virtiofsd is left after the kill" no_servers
umount $marks/inner $marks
check "the host has everything back" host_is_as_before

# ---- a guest that a user starts
guest g kernel=6.12 disk=/dev/vdb net=1 "${shares[@]}"
check "a user starts g" env SUDO_UID=$NOBODY sigmactl start g
check "g answers" wait_guest 1
check "g mounts the user's share" mounts things
check "g reads the user's share" [ "$(in_guest 1 'cat /run/things/note')" = "from the host" ]
check "g writes to the user's share" in_guest 1 "echo mine >/run/things/mine"
check "the new file belongs to the user" [ "$(stat -c %u $things/mine)" = $NOBODY ]
refuse "root in g cannot read a file that the user cannot read" \
	"denied" in_guest 1 "cat /run/things/secret"
refuse "root in g cannot remove another user's file" \
	"permitted|denied" in_guest 1 "rm /run/things/note"
check "g stops" eval 'sigmactl stop g && wait_gone g'
check "no virtiofsd is left after the stop" no_servers
chmod 700 $papers
refuse "a share that the user cannot read is refused" "g.guest:.*cannot read the folder" \
	env SUDO_UID=$NOBODY sigmactl start g
check "the host has everything back" host_is_as_before
finish
