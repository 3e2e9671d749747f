// SPDX-License-Identifier: GPL-2.0
/* What a hostile peer may send to the stubs of an interface: the target that iosc-idl makes of it. */
#include "fuzz.h"

#include "files-fuzz.c"

FUZZ_TARGET(2000);

/* id, interface, method, kind, reserved, size, status */
#define HEAD(method, kind, size)	1, 0, 0, 0, 0, 0, 0, 0, B16(method), kind, 0, B16(size), 0, 0
#define MESSAGE(length)			B16(length), 1
#define B32(value)			B16((value) & 0xffff), B16((value) >> 16)

CASE(open, MESSAGE(40), HEAD(FILES_METHOD_OPEN, IOSC_CALL, 12), B32(8), B32(0), B32(0), B32(0),
	'/', 'a', 'b', 'c', 'd', 'e', 'f', 'g')
CASE(long_path, MESSAGE(40), HEAD(FILES_METHOD_OPEN, IOSC_CALL, 12), B32(9), B32(0), B32(0), B32(0))
CASE(huge_path, MESSAGE(32), HEAD(FILES_METHOD_OPEN, IOSC_CALL, 12), B32(0xffffffff), B32(0), B32(0))
CASE(newer, MESSAGE(40), HEAD(FILES_METHOD_OPEN, IOSC_CALL, 24), B32(0), B32(0), B32(0), B32(1), B32(0),
	B32(0))
CASE(older, MESSAGE(24), HEAD(FILES_METHOD_OPEN, IOSC_CALL, 4), B32(0), B32(0))
CASE(write, MESSAGE(40), HEAD(FILES_METHOD_OPEN, IOSC_CALL, 12), B32(8), B32(0), B32(0), B32(0),
	'/', 'a', 'b', 'c', 'd', 'e', 'f', 'g',
	MESSAGE(32), HEAD(FILES_METHOD_WRITE, IOSC_CALL, 8), B32(256), B32(8), B32(0), B32(0),
	MESSAGE(32), HEAD(FILES_METHOD_CLOSE, IOSC_CALL, 4), B32(256), B32(0),
	MESSAGE(32), HEAD(FILES_METHOD_CLOSE, IOSC_CALL, 4), B32(256), B32(0))
CASE(lists, MESSAGE(88), HEAD(FILES_METHOD_SORT, IOSC_CALL, 40), B32(2), B32(1), B32(0), B32(0), B32(0),
	B32(0), B32(0), B32(0), B32(0), B32(0), B32(4), B32(3), B32(0), B32(0), B32(0), B32(0), B32(0),
	B32(0))
CASE(count, MESSAGE(32), HEAD(FILES_METHOD_COUNT, IOSC_ONEWAY, 8), B32(5), B32(8), B32(0), B32(0))
CASE(event, MESSAGE(40), HEAD(FILES_METHOD_COUNTED, IOSC_EVENT, 12), B32(5), B16(1), B16(0), B32(8),
	B32(0), B32(0), B32(0))
CASE(entries, MESSAGE(40), HEAD(FILES_METHOD_GET_DIRENTRIES, IOSC_REPLY, 12), B32(5), B32(0), B32(8),
	B32(0), B32(0), B32(0))
CASE(short_head, MESSAGE(15), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
