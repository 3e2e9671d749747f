/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The versions of what works together. Programs and modules of one version are installed together, but
 * an upgrade leaves the loaded sigma.ko, and a sigmad whose guest runs, as they are. By the rules in
 * ARCHITECTURE.md they go on working together, so people are warned. Only with another layout of the
 * shared memory window no guest is started: see guest_start().
 */
#ifndef SIGMA_VERSIONS_H
#define SIGMA_VERSIONS_H

#include <stdbool.h>

#define VERSIONS_MODULE		"/sys/module/sigma/version"
#define VERSIONS_TEXT_MAX	160
#define VERSIONS_REMEDY \
	"stop all guests, then 'modprobe -r sigma && modprobe sigma'; if that changes nothing, install both of one version"

/**
 * versions_fit - is the loaded sigma.ko of the version of this program?
 * @path: VERSIONS_MODULE
 * @program: name of this program
 * @why: out: if not, both versions, for people; the remedy is VERSIONS_REMEDY
 *
 * Return: true also if it is not loaded, which others complain of.
 */
bool versions_fit(const char *path, const char *program, char why[VERSIONS_TEXT_MAX]);

#endif
