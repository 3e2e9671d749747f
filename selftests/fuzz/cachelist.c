// SPDX-License-Identifier: GPL-2.0
/* Lists of page caches: any text; and what was read of one is the same when it is written and read again. */
#include <errno.h>

#include "../../common/cachelist.h"
#include "fuzz.h"

FUZZ_TARGET(4000);

static struct cachelist list, list_again;
static struct cachelist_file file, again;

static void check_file(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size), *in;

	FUZZ_CHECK(file.nr > 0 && file.nr <= CACHELIST_RANGES_MAX && *file.path == '/');
	for (unsigned int i = 0; i < file.nr; i++) {
		FUZZ_CHECK(file.range[i].first <= file.range[i].last);
		FUZZ_CHECK(file.range[i].last < CACHELIST_PAGES_MAX);
		FUZZ_CHECK(!i || file.range[i].first > file.range[i - 1].last);
	}
	cachelist_begin(out);
	cachelist_print(out, &file);
	fclose(out);
	in = fmemopen(text, size, "r");
	FUZZ_CHECK(!cachelist_open(&list_again, in));
	FUZZ_CHECK(cachelist_next(&list_again, &again) == 1);
	FUZZ_CHECK(!strcmp(file.path, again.path) && file.nr == again.nr);
	FUZZ_CHECK(!memcmp(file.range, again.range, file.nr * sizeof(*file.range)));
	FUZZ_CHECK(!cachelist_next(&list_again, &again));
	fclose(in);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *in = size ? fmemopen((void *)data, size, "r") : NULL;
	int ret;

	if (!in)
		return 0;
	ret = cachelist_open(&list, in);
	FUZZ_CHECK(!ret || ret == -EINVAL || ret == -EPROTONOSUPPORT);
	while (!ret) {
		ret = cachelist_next(&list, &file);
		FUZZ_CHECK(ret == 1 || ret == 0 || ret == -EINVAL);
		if (ret <= 0)
			break;
		check_file();
		ret = 0;
	}
	fclose(in);
	return 0;
}

#define HEAD 's', 'i', 'g', 'm', 'a', '-', 'c', 'a', 'c', 'h', 'e', ' ', '1', '\n'

CASE(a_list, HEAD, '0', '-', '1', '5', ',', '3', '2', ' ', '/', 'a', '\n', '7', ' ', '/', 'b', '\\', '0',
	'4', '0', '\n')
CASE(another_version, 's', 'i', 'g', 'm', 'a', '-', 'c', 'a', 'c', 'h', 'e', ' ', '2', '\n')
CASE(no_ranges, HEAD, ' ', '/', 'a', '\n')
CASE(no_path, HEAD, '1', ' ', '\n')
CASE(relative_path, HEAD, '1', ' ', 'a', '\n')
CASE(backwards, HEAD, '5', '-', '4', ' ', '/', 'a', '\n')
CASE(not_ascending, HEAD, '5', ',', '5', ' ', '/', 'a', '\n')
CASE(too_large, HEAD, '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9',
	'9', '9', '9', ' ', '/', 'a', '\n')
CASE(escaped_nul, HEAD, '1', ' ', '/', '\\', '0', '0', '0', '\n')
CASE(half_an_escape, HEAD, '1', ' ', '/', '\\', '0', '\n')
CASE(cut_off, HEAD, '1', ' ', '/', 'a')
CASE(a_nul, HEAD, '1', ' ', '/', 'a', 0, '\n')
