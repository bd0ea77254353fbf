/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: the packet, its layout and nothing else: no sockets, no clocks, so that it can be fuzzed.
 *
 * All numbers are big-endian. The rest of the payload, up to the size the user chose, is padding.
 *
 *   byte  size
 *      0     8   tag: SipHash-2-4 of everything after it, under the session's key
 *      8     1   version: 1
 *      9     1   type: 1 request, 2 reply, 3 flush request, 4 flush reply
 *     10     1   flags: 1 = the reflector shall take the transmit stamps of its reply
 *     11     1   number of reports in use: 0, 1 or 2
 *     12     4   run: a random number of the sending process, echoed in its replies
 *     16     8   seq
 *     24    32   replies: R, r, a, w' of this packet (0 = not taken)
 *                requests: i64 802.1Q tag of its frame and of the reply's (-1 = none), and zeros
 *     56    20   report 1 | each: i32 seq of this packet - seq of the reported one
 *     76    20   report 2 |       i32 s' - w', i32 t' - w' (INT32_MIN = not taken), i64 T' (0 = not taken)
 *
 * Transmit stamps exist only after the packet has left, hence the reports: a reply tells those of earlier replies.
 * The tag travels inside because the kernel takes it off before a socket that asked for one ethertype sees the frame.
 *
 * A reply is as long as its request, and a reply is never answered.
 */
#ifndef PROBE_WIRE_H
#define PROBE_WIRE_H

#include "siphash.h"

#define WIRE_SIZE_MIN 96
#define WIRE_SIZE_MAX 8900
#define WIRE_REPORTS_MAX 2
#define WIRE_FLAG_STAMP 1
#define WIRE_OFFSET_NONE INT32_MIN

enum wire_type { WIRE_REQUEST = 1, WIRE_REPLY, WIRE_FLUSH, WIRE_FLUSH_REPLY };

struct wire_report {
	int32_t back;           /* seq of the packet that carries the report - seq of the reported packet */
	int32_t s_offset_ns;    /* s' - w' */
	int32_t t_offset_ns;    /* t' - w' */
	int64_t T_ns;
};

struct wire_packet {
	enum wire_type type;
	uint8_t flags;
	uint8_t reports;
	uint32_t run;
	uint64_t seq;
	int64_t R_ns, r_ns, a_ns, w_ns; /* of a reply */
	int32_t vlan_tci;               /* of a request; -1 = none */
	struct wire_report report[WIRE_REPORTS_MAX];
};

/* Writes the packet's fields into `payload` (at least WIRE_SIZE_MIN bytes) and tags all `size` bytes of it. */
void wire_seal(uint8_t *payload, size_t size, const struct wire_packet *packet, const struct siphash_key *key);

/* Verifies and reads a payload. 0, -EMSGSIZE (too short or too long), -EBADMSG (not ours, or not verified). */
int wire_open(const uint8_t *payload, size_t size, const struct siphash_key *key, struct wire_packet *packet);

/* The 32-bit form of an offset, or WIRE_OFFSET_NONE if either time is 0 or they are more than 2.1 s apart. */
int32_t wire_offset(int64_t time_ns, int64_t base_ns);

#define ETHERNET_HEADER_SIZE 14
#define VLAN_HEADER_SIZE 4
#define ETHERTYPE_LATLAB 0x88b5 /* IEEE 802 local experimental ethertype 1 */

struct wire_frame {
	uint8_t destination[6], source[6];
	int32_t vlan_tci;       /* -1: the frame carries no tag */
	size_t payload_offset;  /* bytes */
};

/* Reads the header of an Ethernet frame, tagged or not. 0, or -EBADMSG if it is not one of ours. */
int wire_frame_parse(const uint8_t *frame, size_t size, struct wire_frame *header);

/* Writes a header of 14 or, with a tag, 18 bytes; returns its size. */
size_t wire_frame_build(uint8_t *frame, const struct wire_frame *header);

#endif
