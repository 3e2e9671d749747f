/* SPDX-License-Identifier: GPL-2.0 */
/* A minimal bzImage: a good header, and no kernel in it. */
#ifndef SIGMA_TEST_IMAGE_H
#define SIGMA_TEST_IMAGE_H

#include <asm/bootparam.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define IMAGE_SETUP_SECTS	3
#define IMAGE_SETUP_SIZE	((IMAGE_SETUP_SECTS + 1) * 512)
#define IMAGE_CODE_SIZE		4096
#define IMAGE_SIZE		(IMAGE_SETUP_SIZE + IMAGE_CODE_SIZE)
#define IMAGE_HEADER_AT		0x1f1
#define IMAGE_VERSION_AT	0x300
#define IMAGE_CODE_BYTE		0x90
#define IMAGE_INIT_SIZE		0x3000000
#define IMAGE_PREF_ADDRESS	0x1000000
#define IMAGE_ENTRY_64		0x200

static inline void image_make(uint8_t file[IMAGE_SIZE], const char *version)
{
	struct setup_header *hdr = (struct setup_header *)(file + IMAGE_HEADER_AT);

	memset(file, 0, IMAGE_SETUP_SIZE);
	memset(file + IMAGE_SETUP_SIZE, IMAGE_CODE_BYTE, IMAGE_CODE_SIZE);
	memcpy(file, "MZ", 2);
	hdr->setup_sects = IMAGE_SETUP_SECTS;
	hdr->syssize = IMAGE_CODE_SIZE / 16;
	hdr->boot_flag = 0xaa55;
	hdr->jump = 0x6aeb;
	memcpy(&hdr->header, "HdrS", 4);
	hdr->version = 0x20f;
	hdr->kernel_version = IMAGE_VERSION_AT - 0x200;
	hdr->loadflags = LOADED_HIGH;
	hdr->kernel_alignment = 0x200000;
	hdr->relocatable_kernel = 1;
	hdr->xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G;
	hdr->cmdline_size = 2047;
	hdr->pref_address = IMAGE_PREF_ADDRESS;
	hdr->init_size = IMAGE_INIT_SIZE;
	sprintf((char *)file + IMAGE_VERSION_AT, "%s (builder@host) #1 SMP", version);
}

#endif
