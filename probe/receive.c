// SPDX-License-Identifier: Apache-2.0
/*
 * receive: the thread that matches replies and transmit stamps to the packets in flight, and emits their records.
 * It reads the packet first and does everything else after the time stamp `a'`.
 */
#define _GNU_SOURCE
#include "exchange.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define BATCH 32

static struct slot *slot_of(struct exchange *x, uint64_t seq)
{
	return &x->slots[seq & x->mask];
}

static bool in_flight(struct exchange *x, uint64_t seq)
{
	return seq >= atomic_load_explicit(&x->tail, memory_order_relaxed) &&
	       seq < atomic_load_explicit(&x->head, memory_order_acquire);
}

static bool was_answered(const struct exchange *x, uint64_t seq)
{
	uint64_t at = seq & x->mask;

	return x->answered[at / 64] >> at % 64 & 1;
}

static void set_answered(struct exchange *x, uint64_t seq, bool yes)
{
	uint64_t at = seq & x->mask;

	x->answered[at / 64] = (x->answered[at / 64] & ~(UINT64_C(1) << at % 64)) | (uint64_t)yes << at % 64;
}

static void put_record(struct exchange *x, const struct record *record)
{
	if (!ring_put(&x->ring, record, sizeof(*record)))
		x->rx.records_dropped++;
}

static bool stamps_complete(const struct exchange *x, const struct slot *slot)
{
	const int64_t *stamp = slot->stamp;

	if (x->config->sock.hardware && !(stamp[STAMP_T] && stamp[STAMP_T2]))
		return false;
	return stamp[STAMP_s] && stamp[STAMP_t] && stamp[STAMP_s2] && stamp[STAMP_t2];
}

static bool is_complete(const struct exchange *x, const struct slot *slot, uint32_t tx_flags)
{
	if (tx_flags & RECORD_SEND_FAILED)
		return true;
	if (!(slot->rx_flags & RECORD_REPLIED))
		return false;
	return !(tx_flags & RECORD_TX_STAMPS) || stamps_complete(x, slot);
}

static void emit(struct exchange *x, uint64_t seq, const struct slot *slot, uint32_t tx_flags)
{
	struct record record = { .seq = seq, .flags = tx_flags | slot->rx_flags };
	bool replied = slot->rx_flags & RECORD_REPLIED;

	memcpy(record.stamp, slot->stamp, sizeof(record.stamp));
	put_record(x, &record);
	set_answered(x, seq, replied);
	if (!(tx_flags & RECORD_SENT))
		return;
	x->rx.replied += replied;
	x->rx.lost += !replied;
	if (tx_flags & RECORD_TX_STAMPS && replied && !stamps_complete(x, slot))
		x->rx.tx_stamps_missing++;
}

/* Emits, in order, every record that is complete or has waited long enough. */
static void emit_ready(struct exchange *x)
{
	uint64_t tail = atomic_load_explicit(&x->tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&x->head, memory_order_acquire);
	int64_t grace_ns = exchange_grace_ns(x->config);
	int64_t now_ns = 0;

	for (; tail < head; tail++) {
		struct slot *slot = slot_of(x, tail);
		uint32_t tx_flags = atomic_load_explicit(&slot->tx_flags, memory_order_acquire);
		bool replied = slot->rx_flags & RECORD_REPLIED;

		if (!tx_flags)
			break; /* still inside sendmsg */
		if (!is_complete(x, slot, tx_flags)) {
			now_ns = now_ns ? now_ns : clock_now_ns(CLOCK_MONOTONIC);
			if (now_ns - slot->sent_mono_ns < (replied ? grace_ns : x->config->timeout_ns)) {
				if (head - tail <= x->mask / 4 * 3)
					break;
				x->rx.given_up_early += !replied;
			}
		}
		emit(x, tail, slot, tx_flags);
		atomic_store_explicit(&x->tail, tail + 1, memory_order_release);
	}
}

/* A reply whose packet's own record is gone: late, or one more of a packet that was answered. */
static void take_extra(struct exchange *x, const struct record *reply)
{
	uint64_t tail = atomic_load_explicit(&x->tail, memory_order_relaxed);
	bool known = tail - reply->seq <= x->mask; /* else too long ago to tell: it is called late */
	bool again = known && was_answered(x, reply->seq);
	struct record extra = *reply;

	if (again) {
		extra.flags = RECORD_DUPLICATED;
		x->rx.duplicated++;
	} else {
		extra.flags |= RECORD_LATE;
		x->rx.late++;
		x->rx.reordered += (reply->flags & RECORD_REORDERED) != 0;
	}
	if (known)
		set_answered(x, reply->seq, true);
	put_record(x, &extra);
}

static void take_reply(struct exchange *x, const struct record *reply)
{
	static const int replied[] = { STAMP_R, STAMP_r, STAMP_a, STAMP_w2, STAMP_R2, STAMP_r2, STAMP_a2 };
	struct slot *slot = slot_of(x, reply->seq);

	if (!in_flight(x, reply->seq)) {
		take_extra(x, reply);
		return;
	}
	if (slot->rx_flags & RECORD_REPLIED) {
		slot->rx_flags |= RECORD_DUPLICATED;
		x->rx.duplicated++;
		return;
	}
	slot->rx_flags |= RECORD_REPLIED | reply->flags;
	x->rx.reordered += (reply->flags & RECORD_REORDERED) != 0;
	for (size_t i = 0; i < sizeof(replied) / sizeof(replied[0]); i++)
		slot->stamp[replied[i]] = reply->stamp[replied[i]];
}

/* Both came over the network: a sum beyond int64 wraps instead of being undefined. */
static int64_t add(int64_t time_ns, int64_t offset_ns)
{
	return (int64_t)((uint64_t)time_ns + (uint64_t)offset_ns);
}

/* A report of the reflector's transmit stamps belongs to an earlier packet, which waits for it in its slot. */
static void take_report(struct exchange *x, uint64_t seq, const struct wire_report *report)
{
	uint64_t reported = seq - (uint64_t)(int64_t)report->back;
	struct slot *slot = slot_of(x, reported);
	int64_t w_ns;

	if (!in_flight(x, reported) || !(slot->rx_flags & RECORD_REPLIED))
		return;
	w_ns = slot->stamp[STAMP_w2];
	if (report->s_offset_ns != WIRE_OFFSET_NONE)
		slot->stamp[STAMP_s2] = add(w_ns, report->s_offset_ns);
	if (report->t_offset_ns != WIRE_OFFSET_NONE)
		slot->stamp[STAMP_t2] = add(w_ns, report->t_offset_ns);
	slot->stamp[STAMP_T2] = report->T_ns;
}

struct receive {
	struct exchange *exchange;
	uint64_t next_seq;      /* one above the highest seq that came back */
	uint8_t frame[BATCH][SOCK_FRAME_MAX];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][STAMP_CONTROL_SIZE];
	struct iovec piece[BATCH];
	struct mmsghdr message[BATCH];
};

static void take_message(struct receive *r, int i, int64_t a_ns)
{
	struct exchange *x = r->exchange;
	const uint8_t *payload = r->frame[i];
	size_t size = r->message[i].msg_len;
	struct stamp_control control;
	struct wire_packet packet;
	struct wire_frame frame;
	struct record reply = { 0 };

	if (x->sock.l2) {
		if (wire_frame_parse(payload, size, &frame)) {
			x->rx.rejected++;
			return;
		}
		payload += frame.payload_offset;
		size -= frame.payload_offset;
	}
	if (wire_open(payload, size, &x->key, &packet) || packet.run != x->run ||
	    (packet.type != WIRE_REPLY && packet.type != WIRE_FLUSH_REPLY) ||
	    (packet.type == WIRE_REPLY && packet.seq >= atomic_load_explicit(&x->head, memory_order_acquire))) {
		x->rx.rejected++;
		return;
	}
	if (packet.type == WIRE_REPLY) {
		stamp_parse(&r->message[i].msg_hdr, &control);
		reply.seq = packet.seq;
		reply.stamp[STAMP_R] = packet.R_ns;
		reply.stamp[STAMP_r] = packet.r_ns;
		reply.stamp[STAMP_a] = packet.a_ns;
		reply.stamp[STAMP_w2] = packet.w_ns;
		reply.stamp[STAMP_R2] = control.hardware_ns;
		reply.stamp[STAMP_r2] = control.software_ns ? control.software_ns + x->tai_offset_ns : 0;
		reply.stamp[STAMP_a2] = a_ns;
		if (packet.seq + 1 < r->next_seq)
			reply.flags |= RECORD_REORDERED;
		take_reply(x, &reply);
		if (packet.seq >= r->next_seq)
			r->next_seq = packet.seq + 1;
	}
	for (int k = 0; k < packet.reports; k++)
		take_report(x, packet.seq, &packet.report[k]);
}

static void take_stamp(void *context, const struct stamp_control *control)
{
	struct exchange *x = context;
	uint64_t seq = atomic_load_explicit(&x->id_to_seq[control->id & x->mask], memory_order_relaxed);
	int64_t software_ns = control->software_ns ? control->software_ns + x->tai_offset_ns : 0;
	struct slot *slot = slot_of(x, seq);

	if (!in_flight(x, seq))
		return;
	/* After a failed send the ids start again: a stamp older than the packet is of an earlier one. */
	if (software_ns && software_ns < slot->stamp[STAMP_w])
		return;
	if (control->hardware_ns)
		slot->stamp[STAMP_T] = control->hardware_ns;
	else if (control->kind == STAMP_KIND_QDISC)
		slot->stamp[STAMP_s] = software_ns;
	else if (control->kind == STAMP_KIND_SENT)
		slot->stamp[STAMP_t] = software_ns;
}

/*
 * What has come already is read in one call. Only then the thread sleeps, and for one packet: a batched call that
 * sleeps would look for a second packet before it returns the first.
 */
static int receive_some(struct receive *r)
{
	int fd = r->exchange->sock.receive_fd;
	ssize_t size;
	int got = recvmmsg(fd, r->message, BATCH, MSG_DONTWAIT, NULL);

	if (got >= 0 || errno != EAGAIN || r->exchange->config->spin)
		return got;
	if (r->exchange->config->gather_ns) { /* nobody waits on the socket, so no packet pays for a wake-up */
		clock_pause_ns(r->exchange->config->gather_ns);
		return recvmmsg(fd, r->message, BATCH, MSG_DONTWAIT, NULL);
	}
	size = recvmsg(fd, &r->message[0].msg_hdr, 0);
	if (size < 0)
		return -1;
	r->message[0].msg_len = (unsigned int)size;
	return 1;
}

static void receive_batch(struct receive *r)
{
	struct exchange *x = r->exchange;
	int64_t a_ns;
	int got;

	for (int i = 0; i < BATCH; i++) {
		r->message[i].msg_hdr.msg_controllen = STAMP_CONTROL_SIZE;
		r->message[i].msg_hdr.msg_namelen = 0;
	}
	got = receive_some(r);
	a_ns = clock_now_ns(CLOCK_TAI);
	for (int i = 0; i < got; i++)
		take_message(r, i, a_ns);
	if (got >= 0 || errno == EAGAIN || errno == EINTR)
		return;
	/* ECONNREFUSED and its kin: an ICMP message about an earlier packet. That packet will be counted as lost. */
	x->rx.receive_errors++;
	x->rx.last_errno = errno;
	if (errno != ECONNREFUSED)
		clock_pause_ns(NS_PER_MS); /* ENETDOWN may come for every call: do not spin on it */
}

static void prepare(struct receive *r, struct exchange *x)
{
	r->exchange = x;
	for (int i = 0; i < BATCH; i++) {
		r->piece[i] = (struct iovec){ r->frame[i], SOCK_FRAME_MAX };
		r->message[i].msg_hdr = (struct msghdr){
			.msg_iov = &r->piece[i],
			.msg_iovlen = 1,
			.msg_control = r->control[i],
		};
	}
}

void *receive_thread(void *exchange)
{
	static struct receive r; /* too large for a locked stack; there is one such thread */
	struct exchange *x = exchange;
	bool finished = false;

	prepare(&r, x);
	while (!finished) {
		bool last = atomic_load_explicit(&x->sending_done, memory_order_acquire);

		receive_batch(&r);
		if (x->config->tx_stamps_every)
			stamp_drain(x->sock.send_fd, take_stamp, x);
		emit_ready(x);
		atomic_fetch_add_explicit(&x->rounds, 1, memory_order_relaxed);
		finished = last && atomic_load_explicit(&x->tail, memory_order_relaxed) ==
					   atomic_load_explicit(&x->head, memory_order_relaxed);
	}
	atomic_store_explicit(&x->receiving_done, true, memory_order_release);
	return NULL;
}
