/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * Memory objects: memory that a program on one side makes, and lends to the program at the other end
 * of a channel (channel.h), which maps it. Nothing is copied, and it can be taken back at any time.
 *
 * The area. SIGMA_SET_SHARED (sigma.h) sets a piece of the guest's memory aside, which the guest's
 * kernel does not use as its own. Its first half has the objects of the host's programs, its second
 * half those of the guest's: each kernel allots its own half, and reads and writes both.
 *
 * An object is a file descriptor of its own, which outlives the channel by which it was made. Its
 * memory goes when the last descriptor and the last mapping have gone.
 *
 *   mmap     MAP_SHARED, any part of it. EPERM: PROT_WRITE without the right to write
 *   poll     EPOLLHUP | EPOLLERR: it is void: of an object that was taken, because it was taken back
 *            or the session is over; of one's own, because the guest was destroyed. An access to the
 *            mapping is a SIGBUS then, or with SIGMA_TAKE_ZEROES finds memory of the program's own
 *   fstat    st_size: its bytes
 *   fdinfo   what it is, its bytes, and whether it is void
 *
 * It has no pages that a device or another process can hold on to: O_DIRECT and the like fail with
 * EFAULT. So what was taken back is nowhere mapped any more.
 *
 * A grant lends an object, or a part of it, to the program at the other end of a channel. Its number
 * is passed in a message, and means nothing on another channel or in another session. It ends when it
 * is revoked, when the session is over, and when the object goes.
 *
 * In shared memory. Each kernel has a table of its grants, which only it writes, and words in which it
 * says which grants of the other side its programs hold. The place of grant number N is N modulo
 * SIGMA_GRANTS.
 *
 *   to grant    fill in the place, then publish `number` by a release store
 *   to take     read `number` and the rest, check all of it, set `held` to the number, execute a full
 *               barrier, and read `number` once more: if it has changed, the grant was revoked
 *   to revoke   clear `number`, execute a full barrier, and read the other side's `held`: while it is
 *               the number, the other kernel has mappings. Ring SIGMA_DOORBELL_OBJECTS
 *   on the doorbell, a kernel unmaps from its programs whatever is granted no more, clears `held`, and
 *               rings back
 *
 * Memory that was lent is not used for anything else before the other kernel has cleared `held`, or
 * has stopped.
 */
#ifndef _UAPI_SIGMA_OBJECT_H
#define _UAPI_SIGMA_OBJECT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include "channel.h"

#define SIGMA_GRANTS		256	/* of one side at once */
#define SIGMA_OBJECT_ALIGN	4096

/* Rights of a grant. It always allows to read */
#define SIGMA_OBJECT_WRITE	0x1

/* Written by the kernel that grants */
struct sigma_grant {
	__le32 number;			/* 0: none */
	__le32 channel;			/* 1..SIGMA_CHANNELS */
	__le32 session;			/* sigma_channel_state.session of this side */
	__le32 rights;			/* SIGMA_OBJECT_* */
	__le64 offset;			/* in the area, a multiple of SIGMA_OBJECT_ALIGN */
	__le64 size;			/* bytes, likewise, not 0 */
};

/* Written by the kernel of one side */
struct sigma_grants {
	struct sigma_grant grant[SIGMA_GRANTS];
	__le32 held[SIGMA_GRANTS];	/* numbers of grants of the other side; 0: not held */
	__u8 pad[3072];
};

/**
 * struct sigma_object_new - argument of SIGMA_CHANNEL_NEW_OBJECT
 * @size: bytes; rounded up to SIGMA_OBJECT_ALIGN
 * @flags: 0
 */
struct sigma_object_new {
	__u64 size;
	__u64 flags;
};

/**
 * struct sigma_object_grant - argument of SIGMA_CHANNEL_GRANT
 * @offset: in the object, a multiple of SIGMA_OBJECT_ALIGN
 * @size: bytes, likewise; 0: all from @offset on
 * @fd: an object that was made here
 * @rights: SIGMA_OBJECT_*
 * @number: out
 * @reserved: 0
 */
struct sigma_object_grant {
	__u64 offset;
	__u64 size;
	__s32 fd;
	__u32 rights;
	__u32 number;
	__u32 reserved;
};

/* Once it is void, a mapping has memory of the program's own, zeroes at first, in place of a SIGBUS */
#define SIGMA_TAKE_ZEROES	0x1

/**
 * struct sigma_object_take - argument of SIGMA_CHANNEL_TAKE
 * @number: of a grant of the peer
 * @flags: SIGMA_TAKE_*
 * @size: out: bytes
 * @rights: out: SIGMA_OBJECT_*
 * @reserved: 0
 */
struct sigma_object_take {
	__u32 number;
	__u32 flags;
	__u64 size;
	__u32 rights;
	__u32 reserved;
};

/*
 * On a channel. Each fails with EOPNOTSUPP where the guest has no area (SharedMemory= of its file).
 *
 * SIGMA_CHANNEL_NEW_OBJECT: make an object of zeroes. Returns a new file descriptor.
 *   EINVAL  a field is out of bounds
 *   ENOSPC  this side's half of the area has no room for it in one piece
 *   ENODEV  the guest was destroyed
 *   ENOMEM, EMFILE
 * SIGMA_CHANNEL_GRANT: lend it to the program at the other end of this channel.
 *   EAGAIN  there is no session yet
 *   EPIPE, EPROTO  the session is over
 *   EBADF   not an object that was made on this side
 *   EXDEV   it was made for another guest
 *   EINVAL  a field is out of bounds
 *   EMFILE  this side has SIGMA_GRANTS grants, or such that the other kernel has not let go of
 *   ENOSPC  as above: a host moves an object to the area when it is lent to a guarded guest
 *   ENODEV  the guest was destroyed
 * SIGMA_CHANNEL_REVOKE: take a grant of this channel back; the argument points to its number. When it
 *   returns 0, no program on the other side has the memory mapped any more.
 *   EBADF   there is no such grant, or not any more
 *   EINTR   a signal came while the other kernel had not let go of it. The grant is void, and memory
 *           that was lent is not used for anything else before; call again to wait
 *   ETIMEDOUT  the other kernel has not let go of it in time. Likewise. Not of an object that was lent to a
 *           guarded guest and is not any more: it has left the area
 * SIGMA_CHANNEL_TAKE: get an object that the peer has lent. Returns a new file descriptor.
 *   EBADF   there is no such grant on this channel, or not any more
 *   EPROTO  it is out of bounds: the other kernel wrote nonsense
 *   EINVAL  a field is out of bounds
 *   EAGAIN, EPIPE, ENODEV, ENOMEM, EMFILE as above
 */
#define SIGMA_CHANNEL_NEW_OBJECT _IOW(SIGMA_CHANNEL_IOC, 0x02, struct sigma_object_new)
#define SIGMA_CHANNEL_GRANT	_IOWR(SIGMA_CHANNEL_IOC, 0x03, struct sigma_object_grant)
#define SIGMA_CHANNEL_REVOKE	_IOW(SIGMA_CHANNEL_IOC, 0x04, __u32)
#define SIGMA_CHANNEL_TAKE	_IOWR(SIGMA_CHANNEL_IOC, 0x05, struct sigma_object_take)

#endif
