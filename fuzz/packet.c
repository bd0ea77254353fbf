// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz: everything that reads bytes from the network or from control messages, under libFuzzer, ASan and UBSan.
 *
 * The first byte chooses what the rest is. A verified packet is rare by chance, so packets are also tagged with the
 * right key before they are read, and what was read must come out the same when it is written again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../probe/report.h"
#include "../probe/stamp.h"
#include "../probe/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct siphash_key key = { 1, 2 };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const struct wire_report *x, const struct wire_report *y)
{
	return x->back == y->back && x->s_offset_ns == y->s_offset_ns && x->t_offset_ns == y->t_offset_ns && x->T_ns == y->T_ns;
}

static void packet(const uint8_t *data, size_t size)
{
	struct wire_packet packet;

	if (!wire_open(data, size, &key, &packet)) {
		check(size >= WIRE_SIZE_MIN && size <= WIRE_SIZE_MAX);
		check(packet.reports <= WIRE_REPORTS_MAX);
	}
}

/* A reflector's answer: read, reported upon, written, read again. */
static void verified_packet(const uint8_t *data, size_t size)
{
	static struct report_queue queue;
	struct wire_packet first, again;
	uint64_t tag;
	uint8_t *copy;

	if (size < WIRE_SIZE_MIN)
		return;
	copy = malloc(size); /* exactly: ASan sees a byte too far */
	memcpy(copy, data, size);
	tag = __builtin_bswap64(siphash(&key, copy + 8, size - 8));
	memcpy(copy, &tag, 8);
	if (!wire_open(copy, size, &key, &first)) {
		struct stamp_control stamp = { .software_ns = first.r_ns & INT64_MAX >> 1, .id = first.run, .kind = first.run & 1 };

		first.type = WIRE_REPLY;
		first.w_ns &= INT64_MAX >> 1; /* the reflector's own clock, never a stranger's number */
		first.reports = 0;
		report_fill(&queue, &first, first.w_ns);
		check(first.reports <= WIRE_REPORTS_MAX);
		report_expect(&queue, &first);
		report_take_stamp(&queue, &stamp);
		wire_seal(copy, size, &first, &key);
		check(!wire_open(copy, size, &key, &again));
		check(again.seq == first.seq && again.run == first.run && again.reports == first.reports);
		check(again.R_ns == first.R_ns && again.r_ns == first.r_ns && again.a_ns == first.a_ns);
		for (int i = 0; i < WIRE_REPORTS_MAX; i++)
			check(same(&again.report[i], &first.report[i]));
	}
	free(copy);
}

static void frame(const uint8_t *data, size_t size)
{
	struct wire_frame header;
	uint8_t built[ETHERNET_HEADER_SIZE + VLAN_HEADER_SIZE];

	if (wire_frame_parse(data, size, &header))
		return;
	check(header.payload_offset <= size);
	check(wire_frame_build(built, &header) == header.payload_offset);
	check(!memcmp(built, data, header.payload_offset));
	packet(data + header.payload_offset, size - header.payload_offset);
}

static void control(const uint8_t *data, size_t size)
{
	struct stamp_control parsed;
	struct msghdr message = { 0 };
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	message.msg_control = copy;
	message.msg_controllen = size;
	stamp_parse(&message, &parsed);
	check(parsed.software_ns >= 0 && parsed.hardware_ns >= 0);
	check(!parsed.to4 || (parsed.to4 >= copy && parsed.to4 < copy + size));
	check(!parsed.to6 || (parsed.to6 >= copy && parsed.to6 < copy + size));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const target[])(const uint8_t *, size_t) = { packet, verified_packet, frame, control };

	if (size)
		target[data[0] & 3](data + 1, size - 1);
	return 0;
}
