// SPDX-License-Identifier: GPL-2.0
/* Memory objects are the same on both sides. */
#include "../kmod/shared/object.c"
