/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that are not raw disks: images of other formats, and compressed files.
 *
 * Whatever is in a raw disk's first bytes, the guest can have written it. A format such as qcow2
 * names further files of the host, so a disk that is taken for such an image because it looks like
 * one would let the guest read them (CVE-2008-2004). Therefore a format that is recognised is only
 * a reason to refuse the disk.
 */
#ifndef SIGMA_VIRTIO_FORMAT_H
#define SIGMA_VIRTIO_FORMAT_H

#include <stdbool.h>

/**
 * struct format - a kind of file that is not a raw disk
 * @name: with an article: "a qcow2 image"
 * @remedy: the command that makes a raw disk of it
 * @served: it can be served with Format=qcow2, too
 * @image: it may name other files, so that a conversion would copy their contents
 */
struct format {
	const char *name, *remedy;
	bool image, served;
};

/**
 * format_recognise - the format that the first bytes of a file tell
 *
 * Return: the format, or NULL: it looks like none of those that are known here, as raw disks do.
 */
const struct format *format_recognise(int fd);

#endif
