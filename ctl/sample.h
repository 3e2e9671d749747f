/* SPDX-License-Identifier: GPL-2.0 */
/* A guest file with explanations: 'sigmactl start --help' shows it, a new guest file begins so. */
#ifndef SIGMACTL_SAMPLE_H
#define SIGMACTL_SAMPLE_H

#define GUESTFILE_SAMPLE \
"[Guest]\n" \
"# How many CPUs, of any kind or, say, 2 efficiency; or which ones of the host: cpu2,cpu4-7\n" \
"CPUs=1\n" \
"# With K, M, G or T; rounded up to 2M\n" \
"Memory=512M\n" \
"# May hyperthread siblings be split between host and guest?\n" \
"SplitCores=no\n" \
"# Default: the host's own kernel\n" \
"#Kernel=/boot/vmlinuz-6.1.0-50-amd64\n" \
"# Default: the folder of that kernel in /lib/modules\n" \
"#Modules=/srv/guest/lib/modules/6.1.0-50-amd64\n" \
"# Your own; one with SIGMA's drivers is always added. Default: none\n" \
"#Initrd=/boot/initrd.img-6.1.0-50-amd64\n" \
"# Stands behind sigmad's own; indented lines go on with it. Default: empty\n" \
"#CommandLine=root=/dev/vda rw\n" \
"# Sockets of vsock(7) to the host: yes, no, or the guest's CID. Default: yes where the\n" \
"# host has vhost_vsock, with a CID made from the guest's name\n" \
"#VSock=yes\n" \
"\n" \
"# A file or block device; as often as wanted: /dev/vda, /dev/vdb, ...\n" \
"#[Disk]\n" \
"#Path=/var/lib/sigma/demo.img\n" \
"#ReadOnly=no\n" \
"# Past the host's page cache, where the file system can?\n" \
"#DirectIO=yes\n" \
"# 512 or 4096 bytes. Default: 512 for a file, as the device has it\n" \
"#BlockSize=4096\n" \
"# The guest has it as /dev/disk/by-id/virtio-SERIAL. Default: sigma-0, sigma-1, ...\n" \
"#Serial=database\n" \
"# Instead of all these: the vhost-user socket of who serves it, like qemu-storage-daemon\n" \
"#Socket=/run/disk.sock\n" \
"\n" \
"# As often as wanted: eth0, eth1, ... Bridge= of the host, or Address= of the host's end, or\n" \
"# User=yes: what the guest connects to it does as you, and nobody reaches it but by Forward=\n" \
"# PROTOCOL:[ADDRESS:]PORT of the host:PORT of the guest, as often as wanted. Takes passt\n" \
"#[Network]\n" \
"#Bridge=br0\n" \
"#Address=10.0.0.1/24\n" \
"#User=yes\n" \
"#Forward=tcp:2222:22\n" \
"# Default: made from the guest's name, always the same\n" \
"#MACAddress=52:54:00:12:34:56\n" \
"# Does the host's kernel move the frames, or sigmad? Default: yes where it has vhost_net\n" \
"#VHost=yes\n" \
"\n" \
"# A folder, as often as wanted; in the guest: mount -t virtiofs TAG /mnt. Takes virtiofsd.\n" \
"# Under sudo the guest's root has your rights in it, and its other users may read at most\n" \
"#[Share]\n" \
"#Path=/home/me/project\n" \
"# Default: the folder's name\n" \
"#Tag=project\n" \
"#ReadOnly=no\n"

#endif
