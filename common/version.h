/* SPDX-License-Identifier: GPL-2.0 */
/* What sigmad and sigmactl answer to --version. */
#ifndef SIGMA_VERSION_H
#define SIGMA_VERSION_H

#define SIGMA_VERSION "0.1"

#endif
