/* SPDX-License-Identifier: GPL-2.0 */
/* Links the guard's program as one piece of code and constants that runs at any address. */
OUTPUT_FORMAT(elf64-x86-64)
ENTRY(guard_entry)

SECTIONS
{
	. = 0;
	.text : { *(.text.entry) *(.text .text.*) *(.rodata .rodata.*) }
	.data : { *(.data .data.* .bss .bss.* COMMON .got .got.* .rela.* .init_array) }
	/DISCARD/ : { *(*) }

	ASSERT(SIZEOF(.data) == 0, "the guard's program has data or addresses of its own")
}
