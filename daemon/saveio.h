/* SPDX-License-Identifier: GPL-2.0 */
/* The records of the file of a guest that was saved: see ../common/savefile.h. */
#ifndef SIGMA_SAVEIO_H
#define SIGMA_SAVEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/savefile.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/**
 * struct save_writer - a file that is being written
 * @fd: where, from its position on
 * @check: of the last record, or of the head
 * @packer: of Zstandard
 * @packed: room for the longest frame, @room bytes
 * @copy: of what is packed, SAVE_CHUNK bytes
 * @cancelled: NULL, or set after save_writer_open(): atomic, nothing more is written once it is true
 */
struct save_writer {
	int fd;
	const bool *cancelled;
	uint64_t check;
	struct ZSTD_CCtx_s *packer;
	uint8_t *packed, *copy;
	size_t room;
};

/** save_writer_open - write @head, whose check is set here; 0, and save_writer_close() follows, or -errno */
int save_writer_open(struct save_writer *writer, int fd, struct save_head *head);

/**
 * save_writer_put - write @len bytes of a part, at most SAVE_CHUNK
 *
 * They are read once, since the host's clock is in the window and others may write to the memory, too.
 * Nothing is written for zeros. Return: 0, -ECANCELED or another -errno.
 */
int save_writer_put(struct save_writer *writer, enum save_kind kind, uint64_t offset, const void *bytes,
		    size_t len);

/** save_writer_put_all - the same for a whole part of any length */
int save_writer_put_all(struct save_writer *writer, enum save_kind kind, const void *bytes, size_t len);

/** save_writer_end - write the last record, and have all on stable storage; 0 or -errno */
int save_writer_end(struct save_writer *writer);

void save_writer_close(struct save_writer *writer);

/**
 * struct save_reader - a file that is being read; as struct save_writer
 * @unpacker: of Zstandard
 */
struct save_reader {
	int fd;
	uint64_t check;
	struct ZSTD_DCtx_s *unpacker;
	uint8_t *packed;
	size_t room;
};

/**
 * save_reader_open - after save_head_read()
 *
 * Return: 0, and save_reader_close() follows; or -ENOMEM.
 */
int save_reader_open(struct save_reader *reader, int fd, const struct save_head *head);

/**
 * save_reader_next - read the next record and its frame
 *
 * Its kind and length are within their bounds; its offset may be anything. Return: 1; 0: that was the last
 * one, and the file ends; -ENODATA: it is cut off; -EBADMSG: it was altered; another -errno.
 */
int save_reader_next(struct save_reader *reader, struct save_record *record);

/** save_reader_take - unpack the frame to @record->length bytes at @to. 0 or -EBADMSG: it was altered */
int save_reader_take(struct save_reader *reader, const struct save_record *record, void *to);

/**
 * struct save_parts - the parts of a guest that have a place
 * @at: where; NULL: none of this kind may be there
 * @size: bytes
 */
struct save_parts {
	struct {
		uint8_t *at;
		uint64_t size;
	} of[SAVE_KINDS];
};

/**
 * save_reader_fill - read all records, and put what is in them in its place
 * @stop: asked between two records: shall this end?
 *
 * Return: 0; -EINTR: @stop; -ENODATA, -EBADMSG or another -errno, as above.
 */
int save_reader_fill(struct save_reader *reader, const struct save_parts *parts, bool (*stop)(void));

void save_reader_close(struct save_reader *reader);

#endif
