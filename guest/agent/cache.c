// SPDX-License-Identifier: GPL-2.0
/*
 * The page cache of this guest, for 'sigmactl cache' and 'sigmactl run --cache=': lists what is in it
 * of the files of some trees (common/cachelist.h), and reads what such a list has. The agent is run
 * for that as another program of the guest would be, with the list on stdin or stdout.
 *
 * Trees that are in memory anyway, and those of the kernel, are left out. So are files that cannot be
 * opened or have changed their size. cachestat(2), since Linux 6.5, tells soon that nothing of a file
 * is cached, and mincore(2) tells which pages are.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../../common/cachelist.h"
#include "../../common/meminfo.h"
#include "agent.h"

#define FOLDERS_OPEN	32
#define WINDOW		(1ULL << 30)	/* bytes that are mapped at a time */
#define BLOCK		(1U << 20)	/* bytes that are read at a time */
#define GAP_PAGES	16		/* are read along, for one large read in place of two */
#define SPARE		(64ULL << 20)	/* bytes of memory that are left for programs */
#define READAHEAD_KIB	"1024"

#ifndef SYS_cachestat
#define SYS_cachestat	451
#endif

struct page_range {
	uint64_t offset, len;
};

struct page_counts {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

static unsigned long files, left_out;
static uint64_t pages;

/* Saving */

/* File systems that have their files elsewhere than in memory */
static bool is_stored(int fd)
{
	static const unsigned int magic[] = {
		0x65735546,	/* FUSE, and so virtiofs */
		0xef53,		/* ext4 */
		0x58465342,	/* XFS */
		0x9123683e,	/* btrfs */
		0x794c7630,	/* overlay */
	};
	struct statfs fs;

	for (size_t i = 0; !fstatfs(fd, &fs) && i < sizeof(magic) / sizeof(*magic); i++)
		if ((unsigned int)fs.f_type == magic[i])
			return true;
	return false;
}

/* False only if it is known that nothing is. An overlay's files are cached as those below them */
static bool may_be_cached(int fd)
{
	struct page_range all = {};
	struct page_counts counts = {};
	struct statfs fs;

	return syscall(SYS_cachestat, fd, &all, &counts, 0) || counts.cached ||
	       fstatfs(fd, &fs) || fs.f_type == 0x794c7630;
}

static void add_page(struct cachelist_file *file, uint64_t page)
{
	if (file->nr && file->range[file->nr - 1].last + 1 == page) {
		file->range[file->nr - 1].last = page;
	} else {
		if (file->nr == CACHELIST_RANGES_MAX) {
			cachelist_print(stdout, file);
			file->nr = 0;
		}
		file->range[file->nr].first = page;
		file->range[file->nr++].last = page;
	}
	pages++;
}

/* 0 or -errno. Pages of the kernel are as large as those of a list on x86-64 */
static int add_window(struct cachelist_file *file, int fd, uint64_t at, uint64_t size)
{
	static unsigned char cached[WINDOW / CACHELIST_PAGE];
	const size_t nr = (size + CACHELIST_PAGE - 1) / CACHELIST_PAGE;
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, at);
	int error = 0;

	if (map == MAP_FAILED)
		return -errno;
	if (mincore(map, size, cached))
		error = -errno;
	munmap(map, size);
	for (size_t i = 0; i < nr && !error; i++)
		if (cached[i] & 1)
			add_page(file, at / CACHELIST_PAGE + i);
	return error;
}

static void save_file(const char *path, int fd, uint64_t size)
{
	static struct cachelist_file file;
	int error = 0;

	file.nr = 0;
	snprintf(file.path, sizeof(file.path), "%s", path);
	for (uint64_t at = 0; at < size && !error; at += WINDOW)
		error = add_window(&file, fd, at, MIN(size - at, WINDOW));
	left_out += !!error;
	if (!file.nr)
		return;
	cachelist_print(stdout, &file);
	files++;
}

static int open_quietly(const char *path)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = open(path, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? open(path, flags) : fd;
}

/* For nftw() */
static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int fd;

	(void)ftw;
	/* /proc/kcore and the like are not opened */
	if (type == FTW_D || type == FTW_DP) {
		fd = open(path, O_PATH | O_CLOEXEC);
		type = fd >= 0 && is_stored(fd) ? FTW_CONTINUE : FTW_SKIP_SUBTREE;
		if (fd >= 0)
			close(fd);
		return type;
	}
	if (type != FTW_F || !S_ISREG(st->st_mode) || !st->st_size)
		return FTW_CONTINUE;
	fd = open_quietly(path);
	if (fd < 0) {
		left_out++;
		return FTW_CONTINUE;
	}
	if (may_be_cached(fd))
		save_file(path, fd, st->st_size);
	close(fd);
	return ferror(stdout) ? FTW_STOP : FTW_CONTINUE;
}

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "sigma-agent: %s: %s\n", what, why);
	return EXIT_FAILURE;
}

/* Of how many bytes, for people */
static void summarise(FILE *out, const char *what)
{
	fprintf(out, "%lu files, %llu MiB, %s", files,
		(unsigned long long)(pages * CACHELIST_PAGE >> 20), what);
	if (left_out)
		fprintf(out, "; %lu files are left out: they are gone, smaller, or cannot be read",
			left_out);
	fputc('\n', out);
}

int cache_save(char *const *trees)
{
	cachelist_begin(stdout);
	for (; *trees; trees++) {
		if (**trees != '/')
			return complain(*trees, "no absolute path");
		if (nftw(*trees, visit, FOLDERS_OPEN, FTW_PHYS | FTW_ACTIONRETVAL) < 0)
			return complain(*trees, strerror(errno));
	}
	if (fflush(stdout) || ferror(stdout))
		return complain("stdout", strerror(errno));
	summarise(stderr, "are in the guest's page cache");
	return EXIT_SUCCESS;
}

/* Loading */

/* What reads may fill, in pages */
static uint64_t budget(void)
{
	const uint64_t available = meminfo_available();

	return available > SPARE ? (available - SPARE) / CACHELIST_PAGE : 0;
}

/*
 * The read-ahead of a file system, while its files are loaded: the kernel makes requests of this size
 * of large reads. Afterwards it is as before, since a fault in a mapped file reads as much around it.
 */
struct readahead {
	dev_t device;
	char path[64], before[32];
};

static bool exchange(const char *path, const char *value, char before[32])
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : pread(fd, before, 31, 0);

	before[len > 0 ? len : 0] = '\0';
	if (len > 0)
		len = pwrite(fd, value, strlen(value), 0);
	if (fd >= 0)
		close(fd);
	return len > 0;
}

static void end_readahead(struct readahead *readahead)
{
	char now[32];

	if (*readahead->before)
		exchange(readahead->path, readahead->before, now);
	*readahead->before = '\0';
}

static void begin_readahead(struct readahead *readahead, dev_t device)
{
	if (*readahead->path && readahead->device == device)
		return;
	end_readahead(readahead);
	readahead->device = device;
	snprintf(readahead->path, sizeof(readahead->path), "/sys/class/bdi/%u:%u/read_ahead_kb",
		 major(device), minor(device));
	if (!exchange(readahead->path, READAHEAD_KIB, readahead->before))
		*readahead->before = '\0';
}

/* Read pages, both included, of a file of @size bytes. False: it is not whole */
static bool read_range(int fd, uint64_t first, uint64_t last, uint64_t size)
{
	static char block[BLOCK];
	uint64_t at = first * CACHELIST_PAGE, end = MIN((last + 1) * CACHELIST_PAGE, size);
	ssize_t len = 1;

	for (; at < end && len > 0; at += len)
		len = pread(fd, block, MIN(end - at, BLOCK), at);
	return len > 0;
}

static void load_file(const struct cachelist_file *file, struct readahead *readahead, uint64_t room)
{
	bool whole = true;
	struct stat st;
	int fd = -1;

	/* The list may be another guest's: no device is opened, nothing of /proc or /sys is read */
	if (!lstat(file->path, &st) && S_ISREG(st.st_mode))
		fd = open_quietly(file->path);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_stored(fd)) {
		left_out++;
		goto close;
	}
	begin_readahead(readahead, st.st_dev);
	for (unsigned int i = 0; i < file->nr && whole && pages < room; i++) {
		const uint64_t first = file->range[i].first;
		uint64_t last = file->range[i].last;

		while (i + 1 < file->nr && file->range[i + 1].first - last <= GAP_PAGES)
			last = file->range[++i].last;
		last = MIN(last, first + (room - pages));
		whole = first * CACHELIST_PAGE < (uint64_t)st.st_size &&
			read_range(fd, first, last, st.st_size);
		if (whole)
			pages += last - first + 1;
	}
	files++;
	left_out += !whole;
close:
	if (fd >= 0)
		close(fd);
}

int cache_load_list(void)
{
	static struct cachelist list;
	static struct cachelist_file file;
	struct readahead readahead = {};
	const uint64_t room = budget();
	char why[64];
	int ret;

	ret = cachelist_open(&list, stdin);
	if (ret == -EPROTONOSUPPORT)
		return complain("the list", "is of a newer SIGMA");
	if (ret)
		return complain("the list", "is none of 'sigmactl cache save'");
	while (pages < room && (ret = cachelist_next(&list, &file)) > 0)
		load_file(&file, &readahead, room);
	end_readahead(&readahead);
	if (ret < 0) {
		snprintf(why, sizeof(why), "is damaged in line %lu", list.line);
		return complain("the list", why);
	}
	summarise(stdout, pages < room ? "were read into the guest's page cache" :
		  "were read into the guest's page cache; its memory has no room for more");
	return EXIT_SUCCESS;
}
