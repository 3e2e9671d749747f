// SPDX-License-Identifier: GPL-2.0
/*
 * Records of the file of a guest that was saved: see saveio.h. Each frame stands alone. The fastest
 * level of Zstandard is about as fast as a disk, and the host's kernel writes what is in its page cache
 * while the next frame is packed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "../common/whole.h"
#include "saveio.h"

#define LEVEL	1

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !*bytes && !memcmp(bytes, bytes + 1, len - 1);
}

static int put_record(struct save_writer *writer, struct save_record *record)
{
	int error;

	record->check = save_record_sum(record, writer->check);
	error = write_whole(writer->fd, record, sizeof(*record));
	writer->check = record->check;
	return error ?: write_whole(writer->fd, writer->packed, record->packed);
}

int save_writer_open(struct save_writer *writer, int fd, struct save_head *head)
{
	int error;

	*writer = (struct save_writer){
		.fd = fd, .packer = ZSTD_createCCtx(), .room = ZSTD_compressBound(SAVE_CHUNK),
	};
	writer->packed = malloc(writer->room);
	writer->copy = malloc(SAVE_CHUNK);
	error = writer->packer && writer->packed && writer->copy ? 0 : -ENOMEM;
	/* Both parameters are of every version */
	if (!error && (ZSTD_isError(ZSTD_CCtx_setParameter(writer->packer, ZSTD_c_compressionLevel, LEVEL)) ||
		       ZSTD_isError(ZSTD_CCtx_setParameter(writer->packer, ZSTD_c_checksumFlag, 1))))
		error = -EOPNOTSUPP;
	head->check = save_head_sum(head);
	writer->check = head->check;
	error = error ?: write_whole(fd, head, sizeof(*head));
	if (error)
		save_writer_close(writer);
	return error;
}

int save_writer_put(struct save_writer *writer, enum save_kind kind, uint64_t offset, const void *bytes,
		    size_t len)
{
	struct save_record record = { .kind = kind, .length = len, .offset = offset };
	size_t packed;

	if (writer->cancelled && __atomic_load_n(writer->cancelled, __ATOMIC_RELAXED))
		return -ECANCELED;
	/* The packer reads more than once, and would not notice a change between its frame and its checksum */
	memcpy(writer->copy, bytes, len);
	if (is_zero(writer->copy, len))
		return 0;
	packed = ZSTD_compress2(writer->packer, writer->packed, writer->room, writer->copy, len);
	if (ZSTD_isError(packed))
		return -ENOMEM;
	record.packed = packed;
	return put_record(writer, &record);
}

int save_writer_put_all(struct save_writer *writer, enum save_kind kind, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;
	size_t nr, at = 0;
	int error = 0;

	for (; at < len && !error; at += nr) {
		nr = len - at < SAVE_CHUNK ? len - at : SAVE_CHUNK;
		error = save_writer_put(writer, kind, at, from + at, nr);
	}
	return error;
}

int save_writer_end(struct save_writer *writer)
{
	struct save_record record = { .kind = SAVE_END };
	int error = put_record(writer, &record);

	/* A pipe or a device need not have stable storage */
	if (!error && fsync(writer->fd) && errno != EINVAL && errno != EROFS)
		error = -errno;
	return error;
}

void save_writer_close(struct save_writer *writer)
{
	ZSTD_freeCCtx(writer->packer);
	free(writer->packed);
	free(writer->copy);
	writer->packer = NULL;
	writer->packed = NULL;
	writer->copy = NULL;
}

int save_reader_open(struct save_reader *reader, int fd, const struct save_head *head)
{
	*reader = (struct save_reader){
		.fd = fd, .check = head->check, .unpacker = ZSTD_createDCtx(),
		.room = ZSTD_compressBound(SAVE_CHUNK),
	};
	reader->packed = malloc(reader->room);
	if (reader->unpacker && reader->packed)
		return 0;
	save_reader_close(reader);
	return -ENOMEM;
}

static int check_end(const struct save_reader *reader, const struct save_record *record)
{
	uint8_t more;
	ssize_t nr;

	if (record->length || record->packed || record->offset)
		return -EBADMSG;
	nr = read(reader->fd, &more, sizeof(more));
	return nr < 0 ? -errno : nr ? -EBADMSG : 0;
}

int save_reader_next(struct save_reader *reader, struct save_record *record)
{
	int error = read_whole(reader->fd, record, sizeof(*record));

	if (error)
		return error;
	if (record->check != save_record_sum(record, reader->check) || record->reserved)
		return -EBADMSG;
	reader->check = record->check;
	if (record->kind == SAVE_END)
		return check_end(reader, record);
	if (record->kind >= SAVE_KINDS || !record->length || record->length > SAVE_CHUNK ||
	    !record->packed || record->packed > reader->room)
		return -EBADMSG;
	error = read_whole(reader->fd, reader->packed, record->packed);
	return error ?: 1;
}

int save_reader_take(struct save_reader *reader, const struct save_record *record, void *to)
{
	size_t len = ZSTD_decompressDCtx(reader->unpacker, to, record->length, reader->packed,
					 record->packed);

	return ZSTD_isError(len) || len != record->length ? -EBADMSG : 0;
}

int save_reader_fill(struct save_reader *reader, const struct save_parts *parts, bool (*stop)(void))
{
	struct save_record record;
	int ret;

	while ((ret = save_reader_next(reader, &record)) > 0) {
		uint8_t *at = parts->of[record.kind].at;
		uint64_t size = parts->of[record.kind].size;

		if (stop())
			return -EINTR;
		if (!at || record.offset > size || record.length > size - record.offset)
			return -EBADMSG;
		ret = save_reader_take(reader, &record, at + record.offset);
		if (ret)
			return ret;
	}
	return ret;
}

void save_reader_close(struct save_reader *reader)
{
	ZSTD_freeDCtx(reader->unpacker);
	free(reader->packed);
	reader->unpacker = NULL;
	reader->packed = NULL;
}
