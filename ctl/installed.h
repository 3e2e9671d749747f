/* SPDX-License-Identifier: GPL-2.0 */
/* Checks of 'sigmactl check' of what is installed. Each reports findings: finding.h. */
#ifndef SIGMACTL_INSTALLED_H
#define SIGMACTL_INSTALLED_H

/** installed_module - is there a sigma.ko? */
void installed_module(void);

/** installed_initrd - are there the files for the initrd of a guest? See daemon/load/initrd.c */
void installed_initrd(void);

/** installed_signature - does the kernel load modules without a signature, or accept that of sigma.ko? */
void installed_signature(void);

#endif
