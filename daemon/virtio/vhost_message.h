/* SPDX-License-Identifier: GPL-2.0 */
/* Messages of the vhost-user protocol between vhost_user.c and a back end. */
#ifndef SIGMA_VHOST_MESSAGE_H
#define SIGMA_VHOST_MESSAGE_H

#include <linux/vhost_types.h>

#include "vhost_link.h"

enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_GET_CONFIG = 24,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
};

/* What the back end sends over its channel */
#define VU_CONFIG_CHANGED	2

#define VU_F_PROTOCOL_FEATURES	(1ULL << 30)	/* a bit among the virtio features */

#define VU_PROTOCOL_MQ		(1ULL << 0)
#define VU_PROTOCOL_REPLY_ACK	(1ULL << 3)
#define VU_PROTOCOL_CHANNEL	(1ULL << 5)	/* BACKEND_REQ, SLAVE_REQ in older versions */
#define VU_PROTOCOL_CONFIG	(1ULL << 9)
#define VU_PROTOCOL_MEM_SLOTS	(1ULL << 15)
#define VU_PROTOCOL_KNOWN	(VU_PROTOCOL_MQ | VU_PROTOCOL_REPLY_ACK | VU_PROTOCOL_CHANNEL | \
				 VU_PROTOCOL_CONFIG | VU_PROTOCOL_MEM_SLOTS)

#define VU_REGIONS_MAX	8		/* of SET_MEM_TABLE */

struct vu_region {
	uint64_t phys, size;
	uint64_t user;		/* address in sigmad; SET_VRING_ADDR uses these addresses */
	uint64_t offset;	/* in the file */
};

struct vu_message {
	uint32_t request, flags;
	uint32_t size;		/* of the payload */
	union {
		uint64_t number;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct {
			uint32_t nr, padding;
			struct vu_region region[VU_REGIONS_MAX];
		} table;
		struct {
			uint64_t padding;
			struct vu_region region;
		} region;
		struct {
			uint32_t offset, size, flags;
			uint8_t data[VHOST_USER_CONFIG_MAX];
		} config;
	} __attribute__((packed));
} __attribute__((packed));

/** vu_begin - set the deadline of the messages that follow to @seconds from now */
void vu_begin(struct vhost_user *vu, unsigned int seconds);

/**
 * vu_channel_read - read a message that the back end has sent over its channel
 *
 * Return: the message's number, 0: there is none; or -errno: the channel cannot be used any more.
 */
int vu_channel_read(const struct vhost_user *vu);

/** vu_wait - wait until poll(2) sees @events on the socket; 0 or -errno */
int vu_wait(const struct vhost_user *vu, short events);

/** vu_explain - put what is wrong into @vu->why; returns @error */
int vu_explain(struct vhost_user *vu, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Send a message without a reply. It is confirmed if the back end supports that. @msg is
 * overwritten. Return: 0, or -errno and the reason in @vu->why.
 */
int vu_tell(struct vhost_user *vu, enum vu_request request, struct vu_message *msg, uint32_t size,
	    const int *fds, unsigned int nr_fds);
int vu_tell_number(struct vhost_user *vu, enum vu_request request, uint64_t number);
int vu_tell_state(struct vhost_user *vu, enum vu_request request, unsigned int index,
		  unsigned int num);
int vu_tell_eventfd(struct vhost_user *vu, enum vu_request request, unsigned int index, int fd);

/* Send a message and receive its reply in @msg, which must have @reply bytes; errors likewise */
int vu_ask(struct vhost_user *vu, enum vu_request request, struct vu_message *msg, uint32_t size,
	   uint32_t reply);
int vu_ask_number(struct vhost_user *vu, enum vu_request request, uint64_t *number);

#endif
