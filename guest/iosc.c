// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's end of IOSC (inter-OS communication): doorbells and the control rings.
 *
 * All doorbells arrive in one interrupt, on CPU 0. A table has the callback for each number: a
 * virtqueue, or the control rings. It is read under RCU, so that a queue can be removed without a
 * lock in the interrupt's path. The last numbers belong to the message channels, which always
 * exist.
 *
 * Through the control rings this side sends one request at a time and waits for the response. The
 * interrupt handler takes responses from the ring, matches them to the request by token, and hands
 * them over. It passes events to the bus, which only flags work. So neither waits for the other,
 * and however fast sigmad sends, nothing is queued here. sigmad could keep this CPU busy by sending
 * without end, but it may stop the guest anyway.
 *
 * sigmad may be restarted while a request is in flight: the new sigmad answers it. If the response
 * comes after the timeout, nobody waits for it any more, and it is taken as a sign that sigmad is
 * back.
 */
#include <linux/device.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

#define REQUEST_TIMEOUT		(30 * HZ)	/* sigmad may be restarting */
#define RECEIVING_CPU		0

void sigma_iosc_ring(struct sigma_guest *guest, unsigned int n)
{
	sigma_doorbell_ring(&guest->iosc.doorbell_tx, n);
}

static void doorbell_rung(void *data, unsigned int n)
{
	struct sigma_guest *guest = data;
	struct sigma_doorbell_user *user;

	if (n >= SIGMA_DOORBELL_END) {
		sigma_channels_rung(&guest->channels, n);
		return;
	}
	if (n == SIGMA_DOORBELL_OBJECTS) {
		sigma_objects_rung(&guest->channels.objects);
		return;
	}
	rcu_read_lock();
	user = rcu_dereference(guest->iosc.user[n]);
	if (user)
		user->rung(user);
	rcu_read_unlock();
}

int sigma_iosc_attach(struct sigma_guest *guest, u32 n, struct sigma_doorbell_user *user)
{
	struct sigma_iosc *iosc = &guest->iosc;
	int err = 0;

	if (n < SIGMA_DOORBELL_FIRST || n >= SIGMA_DOORBELL_END)
		return -ERANGE;

	mutex_lock(&iosc->user_lock);
	if (rcu_access_pointer(iosc->user[n]))
		err = -EBUSY;
	else
		rcu_assign_pointer(iosc->user[n], user);
	mutex_unlock(&iosc->user_lock);
	return err;
}

void sigma_iosc_detach(struct sigma_guest *guest, u32 n)
{
	mutex_lock(&guest->iosc.user_lock);
	RCU_INIT_POINTER(guest->iosc.user[n], NULL);
	mutex_unlock(&guest->iosc.user_lock);
}

/* Return: a request was waiting for @msg */
static bool take_answer(struct sigma_iosc *iosc, const union sigma_message *msg, size_t len)
{
	bool wanted;

	spin_lock(&iosc->answer_lock);
	wanted = iosc->waiting && msg->head.token == iosc->sent.token &&
		 msg->head.id == iosc->sent.id && msg->head.device == iosc->sent.device &&
		 msg->head.flags == (iosc->sent.flags | SIGMA_MSG_RESPONSE);
	if (wanted) {
		memcpy(&iosc->answer, msg, len);
		iosc->answer_len = len;
		iosc->waiting = false;
		complete(&iosc->answered);
	}
	spin_unlock(&iosc->answer_lock);
	return wanted;
}

static void control_rung(struct sigma_doorbell_user *user)
{
	struct sigma_iosc *iosc = container_of(user, struct sigma_iosc, control);
	struct sigma_guest *guest = container_of(iosc, struct sigma_guest, iosc);
	union sigma_message msg;
	int len = 0;

	while (!iosc->rx_broken && (len = sigma_ring_get(&iosc->rx, &msg)) > 0) {
		/*
		 * Was the ring full before? The barrier orders the store of `consumed` before
		 * this read of `produced`. The host has one between its store of `produced` and
		 * its read of `consumed`. So at least one side sees the other's store, and
		 * neither sleeps for ever.
		 */
		smp_mb();
		if (sigma_ring_waiting(&iosc->rx) == SIGMA_RING_SLOTS - 1)
			sigma_iosc_ring(guest, SIGMA_DOORBELL_CONTROL);

		if (len < sizeof(msg.head))
			continue;
		if (!(msg.head.flags & SIGMA_MSG_RESPONSE))
			sigma_bus_event(guest, &msg, len);
		else if (!take_answer(iosc, &msg, len))
			sigma_bus_rescan(guest);
	}
	if (len < 0) {
		iosc->rx_broken = true;
		dev_err(guest->dev,
			"the control ring from the host is broken; devices can no longer be added or removed, restart this guest\n");
	}
	wake_up(&iosc->room);
}

/* Waits for room if the ring is full because sigmad does not run */
static int send(struct sigma_guest *guest, const union sigma_message *msg, size_t len)
{
	struct sigma_iosc *iosc = &guest->iosc;
	int err;

	if (!wait_event_timeout(iosc->room, sigma_ring_room(&iosc->tx), REQUEST_TIMEOUT))
		return -ETIMEDOUT;
	err = sigma_ring_put(&iosc->tx, msg, len);
	if (!err)
		sigma_iosc_ring(guest, SIGMA_DOORBELL_CONTROL);
	return err;
}

static int exchange(struct sigma_guest *guest, const union sigma_message *msg, size_t len)
{
	struct sigma_iosc *iosc = &guest->iosc;
	bool answered;
	int err;

	spin_lock_irq(&iosc->answer_lock);
	reinit_completion(&iosc->answered);
	iosc->sent = msg->head;
	iosc->waiting = true;
	spin_unlock_irq(&iosc->answer_lock);

	err = send(guest, msg, len);
	if (!err)
		wait_for_completion_timeout(&iosc->answered, REQUEST_TIMEOUT);

	spin_lock_irq(&iosc->answer_lock);
	answered = !iosc->waiting;
	iosc->waiting = false;
	spin_unlock_irq(&iosc->answer_lock);
	if (err)
		return err;
	return answered ? 0 : -ETIMEDOUT;
}

int sigma_iosc_request(struct sigma_guest *guest, const struct sigma_request *request)
{
	struct sigma_iosc *iosc = &guest->iosc;
	union sigma_message msg = {
		.head = {
			.flags = request->flags,
			.id = request->id,
			.device = cpu_to_le16(request->device),
		},
	};
	u16 status;
	int err;

	if (WARN_ON(request->out_len > SIGMA_MSG_PAYLOAD_MAX))
		return -EMSGSIZE;
	if (request->out_len)
		memcpy(msg.bytes + sizeof(msg.head), request->out, request->out_len);

	mutex_lock(&iosc->request_lock);
	msg.head.token = cpu_to_le16(le16_to_cpu(iosc->sent.token) + 1);
	err = exchange(guest, &msg, sizeof(msg.head) + request->out_len);
	if (err) {
		dev_err(guest->dev, "request 0x%02x of device %u: %s\n", request->id,
			request->device, err == -ETIMEDOUT ?
			"no answer; is sigmad running on the host?" :
			"the control ring to the host is broken");
		goto unlock;
	}

	status = le16_to_cpu(iosc->answer.head.status);
	if (status) {
		dev_warn(guest->dev, "request 0x%02x of device %u: sigmad refused it, error %u\n",
			 request->id, request->device, status);
		err = -EREMOTEIO;
	} else if (iosc->answer_len != sizeof(msg.head) + request->in_len) {
		dev_err(guest->dev, "request 0x%02x of device %u: sigmad answered with %zu bytes, not %zu\n",
			request->id, request->device, iosc->answer_len - sizeof(msg.head),
			request->in_len);
		err = -EPROTO;
	} else if (request->in_len) {
		memcpy(request->in, iosc->answer.bytes + sizeof(msg.head), request->in_len);
	}
unlock:
	mutex_unlock(&iosc->request_lock);
	return err;
}

int sigma_iosc_open(struct sigma_guest *guest)
{
	struct sigma_iosc *iosc = &guest->iosc;

	mutex_init(&iosc->user_lock);
	mutex_init(&iosc->request_lock);
	spin_lock_init(&iosc->answer_lock);
	init_waitqueue_head(&iosc->room);
	init_completion(&iosc->answered);

	iosc->tx.ring = guest->window + SIGMA_IOSC_RING_OFF(SIGMA_CHANNEL_CONTROL, SIGMA_TO_HOST);
	iosc->rx.ring = guest->window + SIGMA_IOSC_RING_OFF(SIGMA_CHANNEL_CONTROL, SIGMA_TO_GUEST);
	/* Not 0 if an earlier attempt to bind has used the rings */
	iosc->tx.index = le32_to_cpu(READ_ONCE(iosc->tx.ring->produced));
	iosc->rx.index = le32_to_cpu(READ_ONCE(iosc->rx.ring->consumed));

	iosc->control.rung = control_rung;
	RCU_INIT_POINTER(iosc->user[SIGMA_DOORBELL_CONTROL], &iosc->control);

	iosc->doorbell_rx.words = &guest->header->to_guest;
	iosc->doorbell_rx.handler = doorbell_rung;
	iosc->doorbell_rx.data = guest;
	return sigma_fault() ?: sigma_doorbell_listen(&iosc->doorbell_rx, "sigma", RECEIVING_CPU);
}
