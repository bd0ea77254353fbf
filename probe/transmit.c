// SPDX-License-Identifier: Apache-2.0
/*
 * transmit: the pacing thread. Each packet is due at start + seq * period on an absolute clock, so the pace does not
 * drift; a packet that is late goes out at once. Everything that can be done before the wake-up is done before it.
 */
#define _GNU_SOURCE
#include "exchange.h"

#include <errno.h>
#include <string.h>

#define FLUSH_INTERVAL_NS (5 * NS_PER_MS)

struct transmit {
	struct exchange *exchange;
	clockid_t clock;
	uint32_t next_id;               /* the kernel's id of the next packet for which stamps are asked */
	uint8_t payload[WIRE_SIZE_MAX];
	_Alignas(struct cmsghdr) uint8_t control[STAMP_CONTROL_SIZE];
	size_t control_size;
	struct iovec pieces[2];
	struct msghdr message;
};

static void prepare(struct transmit *t, struct exchange *x)
{
	bool l2 = x->sock.l2;

	memset(t, 0, sizeof(*t));
	t->exchange = x;
	t->clock = x->config->clock ? CLOCK_MONOTONIC : CLOCK_TAI;
	for (size_t i = 0; i < sizeof(t->payload); i++)
		t->payload[i] = (uint8_t)i;
	t->control_size = stamp_request(t->control, x->config->sock.hardware);
	t->pieces[0] = (struct iovec){ x->sock.header, x->sock.header_size };
	t->pieces[1] = (struct iovec){ t->payload, (size_t)x->config->size };
	t->message = (struct msghdr){
		.msg_name = &x->sock.to,
		.msg_namelen = x->sock.to_size,
		.msg_iov = l2 ? t->pieces : t->pieces + 1,
		.msg_iovlen = l2 ? 2 : 1,
	};
}

static void seal(struct transmit *t, enum wire_type type, uint64_t seq, bool stamped)
{
	struct exchange *x = t->exchange;
	struct wire_packet packet = {
		.type = type,
		.flags = stamped ? WIRE_FLAG_STAMP : 0,
		.run = x->run,
		.seq = seq,
		.vlan_tci = x->sock.vlan_tci,
	};

	wire_seal(t->payload, (size_t)x->config->size, &packet, &x->key);
}

/* The short way, of a connected socket. An ICMP refusal of an earlier packet is reported here: it is not this one's. */
static int send_connected(const struct transmit *t)
{
	const struct exchange *x = t->exchange;
	size_t size = (size_t)x->config->size;

	if (send(x->sock.send_fd, t->payload, size, MSG_DONTWAIT) >= 0)
		return 0;
	return errno == ECONNREFUSED && send(x->sock.send_fd, t->payload, size, MSG_DONTWAIT) >= 0 ? 0 : errno;
}

/* 0 or an errno. A failed packet may or may not have used an id: the ids start again. */
static int send_sealed(struct transmit *t, bool stamped)
{
	struct exchange *x = t->exchange;
	int error;

	if (!x->sock.to_size)
		return send_connected(t);
	t->message.msg_control = stamped ? t->control : NULL;
	t->message.msg_controllen = stamped ? (socklen_t)t->control_size : 0;
	if (sendmsg(x->sock.send_fd, &t->message, MSG_DONTWAIT) >= 0) {
		t->next_id += stamped;
		return 0;
	}
	error = errno;
	if (stamped && !stamp_enable(x->sock.send_fd, &x->sock.send_want))
		t->next_id = 0;
	return error;
}

static bool stopped(const struct exchange *x)
{
	return atomic_load_explicit(&x->stop, memory_order_relaxed);
}

/* Waits until `due_ns` on the pacing clock and returns the time it then is; earlier when told to stop. */
static int64_t wait_until(const struct transmit *t, int64_t due_ns)
{
	int64_t wake_ns = due_ns - t->exchange->config->lead_ns;
	struct timespec wake = clock_timespec(wake_ns);
	int64_t now_ns = clock_now_ns(t->clock);

	while (now_ns < due_ns) {
		/* Long waits are cut so that a stop is seen; the last one is a single sleep. */
		if (due_ns - now_ns > 200 * NS_PER_MS) {
			if (stopped(t->exchange))
				return now_ns;
			clock_pause_ns(100 * NS_PER_MS);
		} else if (now_ns < wake_ns) {
			clock_nanosleep(t->clock, TIMER_ABSTIME, &wake, NULL);
		}
		now_ns = clock_now_ns(t->clock);
	}
	return now_ns;
}

/* The receive thread empties the slots in time unless it gets no CPU; then sending waits, and it is counted. */
static void wait_for_slot(struct exchange *x, uint64_t seq)
{
	bool counted = false;

	while (seq - atomic_load_explicit(&x->tail, memory_order_acquire) > x->mask && !stopped(x)) {
		x->tx.slots_full += !counted;
		counted = true;
		clock_pause_ns(50 * 1000);
	}
}

static void send_one(struct transmit *t, uint64_t seq)
{
	struct exchange *x = t->exchange;
	const struct send_config *config = x->config;
	struct slot *slot = &x->slots[seq & x->mask];
	bool stamped = config->tx_stamps_every && seq % (uint64_t)config->tx_stamps_every == 0;
	uint32_t flags = stamped ? RECORD_TX_STAMPS : 0;
	int64_t due_ns = x->start_ns + (int64_t)seq * config->period_ns;
	int64_t woke_ns;
	int error;

	memset(slot->stamp, 0, sizeof(slot->stamp));
	slot->rx_flags = 0;
	atomic_store_explicit(&slot->tx_flags, 0, memory_order_relaxed);
	seal(t, WIRE_REQUEST, seq, stamped);
	if (stamped)
		atomic_store_explicit(&x->id_to_seq[t->next_id & x->mask], seq, memory_order_relaxed);

	woke_ns = wait_until(t, due_ns);
	if (woke_ns < due_ns)
		return; /* stopped */
	slot->stamp[STAMP_w] = t->clock == CLOCK_TAI ? woke_ns : clock_now_ns(CLOCK_TAI);
	/* w - S is the pacing clock's, whatever the TAI clock did meanwhile. */
	slot->stamp[STAMP_S] = slot->stamp[STAMP_w] - (woke_ns - due_ns);
	if (woke_ns - due_ns > config->period_ns) {
		flags |= RECORD_LATE_WAKEUP;
		x->tx.late_wakeups++;
	}
	atomic_store_explicit(&x->head, seq + 1, memory_order_release);
	error = send_sealed(t, stamped);
	slot->sent_mono_ns = clock_now_ns(CLOCK_MONOTONIC); /* for time-outs only: near enough, and off the path */
	if (error) {
		x->tx.send_failed++;
		x->tx.last_errno = error;
	} else {
		x->tx.sent++;
	}
	atomic_store_explicit(&slot->tx_flags, flags | (error ? RECORD_SEND_FAILED : RECORD_SENT), memory_order_release);
}

/* The last replies' transmit stamps wait at the reflector: fetch them with packets that are not measured. */
static void flush(struct transmit *t, uint64_t seq)
{
	struct exchange *x = t->exchange;

	atomic_store_explicit(&x->sending_done, true, memory_order_release);
	while (!atomic_load_explicit(&x->receiving_done, memory_order_acquire)) {
		clock_pause_ns(FLUSH_INTERVAL_NS);
		if (x->config->tx_stamps_every) {
			seal(t, WIRE_FLUSH, seq, false);
			send_sealed(t, false);
		}
	}
}

void *transmit_thread(void *exchange)
{
	static struct transmit t; /* too large for a stack that is locked; there is one such thread */
	struct exchange *x = exchange;
	uint64_t count = x->config->count ? (uint64_t)x->config->count : UINT64_MAX;
	uint64_t seq = 0;

	prepare(&t, x);
	while (sem_wait(&x->go))
		;
	while (seq < count && !stopped(x)) {
		wait_for_slot(x, seq);
		if (stopped(x))
			break;
		send_one(&t, seq++);
	}
	flush(&t, atomic_load_explicit(&x->head, memory_order_relaxed));
	return NULL;
}
