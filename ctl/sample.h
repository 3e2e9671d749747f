/* SPDX-License-Identifier: GPL-2.0 */
/* A guest file with explanations: 'sigmactl start --help' shows it, a new guest file begins so. */
#ifndef SIGMACTL_SAMPLE_H
#define SIGMACTL_SAMPLE_H

#define GUESTFILE_SAMPLE \
"[Guest]\n" \
"# How many CPUs (2), also of one kind of cores (2 efficiency); or CPUs of the host: cpu2,cpu4-7\n" \
"CPUs=1\n" \
"# A size with K, M, G or T, which is rounded up to 2M\n" \
"Memory=512M\n" \
"# How much of it programs of host and guest share as memory objects: iosc-calls(7)\n" \
"#SharedMemory=64M\n" \
"# May hyperthread siblings be split between host and guest?\n" \
"SplitCores=no\n" \
"# When the machine is suspended: the guest sleeps, too (sleep), is stopped (stop), or does not let\n" \
"# the machine sleep (refuse)\n" \
"#Suspend=sleep\n" \
"# What wakes it when it is asleep: network, magic, vsock, channel. Default: nothing\n" \
"#WakeOn=network vsock\n" \
"# Default: the host's own kernel\n" \
"#Kernel=/boot/vmlinuz-6.1.0-50-amd64\n" \
"# Default: the folder of that kernel in /lib/modules\n" \
"#Modules=/srv/guest/lib/modules/6.1.0-50-amd64\n" \
"# An initrd of your own; one with SIGMA's drivers is always added. Default: none\n" \
"#Initrd=/boot/initrd.img-6.1.0-50-amd64\n" \
"# Appended to sigmad's own; indented lines continue it. Default: empty\n" \
"#CommandLine=root=/dev/vda rw\n" \
"# Sockets of vsock(7) to the host: yes, no, or the guest's CID. Default: yes if the host has\n" \
"# vhost_vsock, with a CID made from the guest's name\n" \
"#VSock=yes\n" \
"\n" \
"# A disk, which is a file or block device; repeatable: /dev/vda, /dev/vdb, ...\n" \
"#[Disk]\n" \
"#Path=/var/lib/sigma/demo.img\n" \
"# raw: take it as it is, also if it looks like a qcow2 image or a compressed file. Default: auto\n" \
"#Format=raw\n" \
"# qcow2: a qemu-storage-daemon serves the image. Name the image that it is based on, if it is\n" \
"#Format=qcow2\n" \
"#Backing=/var/lib/sigma/base.img\n" \
"#ReadOnly=no\n" \
"# Bypass the host's page cache, if the file system can?\n" \
"#DirectIO=yes\n" \
"# 512 or 4096 bytes. Default: 512 for a file, the device's own for a block device\n" \
"#BlockSize=4096\n" \
"# The guest has the disk as /dev/disk/by-id/virtio-SERIAL. Default: sigma-0, sigma-1, ...\n" \
"#Serial=database\n" \
"# Instead of all these: the vhost-user socket of a program like qemu-storage-daemon\n" \
"#Socket=/run/disk.sock\n" \
"\n" \
"# A NIC; repeatable: eth0, eth1, ... Give one of Bridge= (of the host), Address= (of the host's\n" \
"# end of the link) and User=yes. With User=yes, passt makes the guest's connections as you, and\n" \
"# the guest can be reached only by Forward=PROTOCOL:[ADDRESS:]HOST-PORT:GUEST-PORT, repeatable\n" \
"#[Network]\n" \
"#Bridge=br0\n" \
"#Address=10.0.0.1/24 fd00::1/64\n" \
"# Of the guest's end, which is set up as the guest starts\n" \
"#GuestAddress=10.0.0.2/24 fd00::2/64\n" \
"#Gateway=10.0.0.1\n" \
"#DNS=10.0.0.1\n" \
"#User=yes\n" \
"#Forward=tcp:2222:22\n" \
"# Default: made from the guest's name, always the same\n" \
"#MACAddress=52:54:00:12:34:56\n" \
"# Does the host's kernel serve the NIC (yes), or sigmad (no)? Default: yes if it has vhost_net\n" \
"#VHost=yes\n" \
"\n" \
"# A folder, by virtiofsd; repeatable. In the guest: mount -t virtiofs TAG /mnt. If you start the\n" \
"# guest by sudo, its root has your rights in the folder, and its other users may at most read\n" \
"#[Share]\n" \
"#Path=/home/me/project\n" \
"# Default: the folder's name\n" \
"#Tag=project\n" \
"#ReadOnly=no\n"

#endif
