/* SPDX-License-Identifier: GPL-2.0 */
/* The version of programs, modules and packages. The Makefile reads it, too. */
#ifndef SIGMA_VERSION_H
#define SIGMA_VERSION_H

#define SIGMA_VERSION "0.1"

#endif
