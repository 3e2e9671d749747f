# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The library of the tests that use passt. That of Debian 12 lacks vhost-user, so a later one is
# taken from its tree. It runs with its own C library.

program=/usr/bin/passt
files=/opt/passt

[ -e "$TREES/passt/usr/bin/passt" ] || skip_all "no passt in this machine"
mkdir -p $files
cp -L "$TREES"/passt/usr/{bin/passt,lib64/ld-linux-x86-64.so.2,lib/x86_64-linux-gnu/libc.so.6} $files
install_passt()
{
	printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' $files/ld-linux-x86-64.so.2 $files \
		$files/passt >$program && chmod +x $program
}
