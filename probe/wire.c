// SPDX-License-Identifier: Apache-2.0
/* wire: building, verifying and reading packets and their Ethernet frames. Pure: bytes in, bytes out. */
#include "wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define VERSION 1

enum { TAG = 0, COVERED = 8, VERSION_AT = 8, TYPE = 9, FLAGS = 10, REPORTS = 11, RUN = 12, SEQ = 16, STAMPS = 24, REPORT = 56 };
enum { REPORT_SIZE = 20 };

_Static_assert(REPORT + WIRE_REPORTS_MAX * REPORT_SIZE == WIRE_SIZE_MIN, "the layout fills the smallest packet");

static inline void put64(uint8_t *at, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(at, &value, 8);
}

static inline uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, 8);
	return __builtin_bswap64(value);
}

static inline void put32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(at, &value, 4);
}

static inline uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, 4);
	return __builtin_bswap32(value);
}

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool is_request(enum wire_type type)
{
	return type == WIRE_REQUEST || type == WIRE_FLUSH;
}

void wire_seal(uint8_t *payload, size_t size, const struct wire_packet *packet, const struct siphash_key *key)
{
	payload[VERSION_AT] = VERSION;
	payload[TYPE] = (uint8_t)packet->type;
	payload[FLAGS] = packet->flags;
	payload[REPORTS] = packet->reports;
	put32(payload + RUN, packet->run);
	put64(payload + SEQ, packet->seq);
	put64(payload + STAMPS, (uint64_t)(is_request(packet->type) ? packet->vlan_tci : packet->R_ns));
	put64(payload + STAMPS + 8, (uint64_t)packet->r_ns);
	put64(payload + STAMPS + 16, (uint64_t)packet->a_ns);
	put64(payload + STAMPS + 24, (uint64_t)packet->w_ns);
	for (int i = 0; i < WIRE_REPORTS_MAX; i++) {
		const struct wire_report *report = &packet->report[i];
		uint8_t *at = payload + REPORT + i * REPORT_SIZE;

		put32(at, (uint32_t)report->back);
		put32(at + 4, (uint32_t)report->s_offset_ns);
		put32(at + 8, (uint32_t)report->t_offset_ns);
		put64(at + 12, (uint64_t)report->T_ns);
	}
	put64(payload + TAG, siphash(key, payload + COVERED, size - COVERED));
}

int wire_open(const uint8_t *payload, size_t size, const struct siphash_key *key, struct wire_packet *packet)
{
	if (size < WIRE_SIZE_MIN || size > WIRE_SIZE_MAX)
		return -EMSGSIZE;
	if (payload[VERSION_AT] != VERSION || payload[TYPE] < WIRE_REQUEST || payload[TYPE] > WIRE_FLUSH_REPLY ||
	    payload[REPORTS] > WIRE_REPORTS_MAX)
		return -EBADMSG;
	if (get64(payload + TAG) != siphash(key, payload + COVERED, size - COVERED))
		return -EBADMSG;
	packet->type = payload[TYPE];
	packet->flags = payload[FLAGS];
	packet->reports = payload[REPORTS];
	packet->run = get32(payload + RUN);
	packet->seq = get64(payload + SEQ);
	packet->R_ns = (int64_t)get64(payload + STAMPS);
	packet->vlan_tci = is_request(packet->type) && packet->R_ns >= 0 && packet->R_ns <= UINT16_MAX ? (int32_t)packet->R_ns : -1;
	packet->r_ns = (int64_t)get64(payload + STAMPS + 8);
	packet->a_ns = (int64_t)get64(payload + STAMPS + 16);
	packet->w_ns = (int64_t)get64(payload + STAMPS + 24);
	for (int i = 0; i < WIRE_REPORTS_MAX; i++) {
		const uint8_t *at = payload + REPORT + i * REPORT_SIZE;

		packet->report[i] = (struct wire_report){
			.back = (int32_t)get32(at),
			.s_offset_ns = (int32_t)get32(at + 4),
			.t_offset_ns = (int32_t)get32(at + 8),
			.T_ns = (int64_t)get64(at + 12),
		};
	}
	return 0;
}

int32_t wire_offset(int64_t time_ns, int64_t base_ns)
{
	int64_t offset_ns = time_ns - base_ns;

	if (!time_ns || !base_ns || offset_ns <= INT32_MIN || offset_ns > INT32_MAX)
		return WIRE_OFFSET_NONE;
	return (int32_t)offset_ns;
}

int wire_frame_parse(const uint8_t *frame, size_t size, struct wire_frame *header)
{
	size_t at = ETHERNET_HEADER_SIZE;
	uint16_t type;

	if (size < ETHERNET_HEADER_SIZE)
		return -EBADMSG;
	memcpy(header->destination, frame, 6);
	memcpy(header->source, frame + 6, 6);
	header->vlan_tci = -1;
	type = get16(frame + 12);
	if (type == 0x8100) {
		if (size < ETHERNET_HEADER_SIZE + VLAN_HEADER_SIZE)
			return -EBADMSG;
		header->vlan_tci = get16(frame + 14);
		type = get16(frame + 16);
		at += VLAN_HEADER_SIZE;
	}
	header->payload_offset = at;
	return type == ETHERTYPE_LATLAB ? 0 : -EBADMSG;
}

size_t wire_frame_build(uint8_t *frame, const struct wire_frame *header)
{
	size_t at = 12;

	memcpy(frame, header->destination, 6);
	memcpy(frame + 6, header->source, 6);
	if (header->vlan_tci >= 0) {
		frame[at++] = 0x81;
		frame[at++] = 0x00;
		frame[at++] = (uint8_t)(header->vlan_tci >> 8);
		frame[at++] = (uint8_t)header->vlan_tci;
	}
	frame[at++] = ETHERTYPE_LATLAB >> 8;
	frame[at++] = ETHERTYPE_LATLAB & 0xff;
	return at;
}
