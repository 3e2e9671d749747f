/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults for tests. Both modules call sigma_fault() in front of each thing that they take; no call
 * is on a path of data. The module parameter fail_nth=N makes the Nth call from then on fail. A test
 * that counts N up until nothing fails reaches each error label: selftests/faults.sh, guest-faults.sh.
 * The kernel's own error injection cannot do that: Debian builds its kernels without
 * CONFIG_FUNCTION_ERROR_INJECTION and CONFIG_FAULT_INJECTION.
 */
#ifndef _SIGMA_FAULT_H
#define _SIGMA_FAULT_H

/** sigma_fault - shall what follows fail? Return: 0, or -ENOMEM once fail_nth is counted down */
int sigma_fault(void);

/**
 * sigma_fault_ptr - the same for what returns a pointer or an error
 *
 * Return: NULL, or ERR_PTR(-ENOMEM)
 */
void *sigma_fault_ptr(void);

#endif
