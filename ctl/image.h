/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Images of containers, as folders in the layout of the OCI image specification (image-layout.md):
 * index.json names manifests, a manifest names a configuration and layers, and each of these is a file
 * in blobs/ whose name is its digest.
 */
#ifndef SIGMACTL_IMAGE_H
#define SIGMACTL_IMAGE_H

#include <stdbool.h>

#include "unpack.h"

/**
 * struct image - what an image's configuration says about its program
 * @argv: Entrypoint and Cmd; ends with NULL; may be empty
 * @env: NAME=VALUE; ends with NULL
 * @user: USER, UID, USER:GROUP and so on; NULL: root
 * @workdir: NULL: /
 */
struct image {
	char **argv, **env;
	char *user, *workdir;
};

/** image_is_layout - is the folder one? */
bool image_is_layout(int folder);

/**
 * image_unpack - unpack an image
 * @layout: descriptor of the layout's folder
 * @name: of it, for messages
 * @tag: which image; NULL: the only one for this machine
 * @root: descriptor of the folder that becomes its root
 * @image: out, to be freed with image_free(), also after an error
 *
 * Each file is compared with its digest before it is used.
 * Return: 0 or a reported -errno.
 */
int image_unpack(int layout, const char *name, const char *tag, int root, struct image *image,
		 struct unpack_report *report);
void image_free(struct image *image);

#endif
