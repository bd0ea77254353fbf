/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: THE definition of the probe's output stream. Little-endian; times are int64 ns, 0 = not taken.
 *
 * The stream is one header of 128 bytes, then records of 136 bytes until the end.
 *
 *   header:  numpy dtype [('magic','S8'), ('header_size','<u4'), ('record_size','<u4'), ('version','<u4'),
 *            ('pacing_clock','<u4'), ('tai_offset_ns','<i8'), ('period_ns','<i8'), ('count','<u8'),
 *            ('size_bytes','<u4'), ('tx_stamps_every','<u4'), ('start_tai_ns','<i8'), ('zeros','V64')]
 *   record:  numpy dtype [('seq','<u8'), ('flags','<u4'), ('reserved','<u4'), ('stamps','<i8',15)]
 *
 * A packet has exactly one record with SENT or SEND_FAILED; these come in the order of seq, from 0, without a gap
 * unless the summary counts `records_dropped`. Lost = SENT and not REPLIED. Records with neither SENT nor SEND_FAILED
 * are extras and no samples; they repeat a seq whose own record has gone out already:
 *   LATE        its reply came after the time-out (the packet's own record has no REPLIED: it stays lost);
 *   DUPLICATED  one more reply to it came (if that happens earlier, the flag is on the packet's own record instead).
 * S and w are 0 in an extra: they stand in the packet's own record.
 */
#ifndef PROBE_RECORD_H
#define PROBE_RECORD_H

#include <stdint.h>

#define RECORD_MAGIC "LATLAB1\n"
#define RECORD_VERSION 1

enum record_stamp {
	STAMP_S,                /* scheduled */
	STAMP_w,                /* sender woke */
	STAMP_s,                /* entered the qdisc: kernel, SOF_TIMESTAMPING_TX_SCHED */
	STAMP_t,                /* handed to the driver: kernel, SOF_TIMESTAMPING_TX_SOFTWARE */
	STAMP_T,                /* left the NIC: the NIC's clock, as it is */
	STAMP_R,                /* reached the NIC: the NIC's clock, as it is */
	STAMP_r,                /* reached the stack: kernel, SOF_TIMESTAMPING_RX_SOFTWARE */
	STAMP_a,                /* read by the application */
	STAMP_w2,               /* the return leg, primed in the documents: w' s' t' T' of the reflector, */
	STAMP_s2,
	STAMP_t2,
	STAMP_T2,
	STAMP_R2,               /* R' r' a' of the sender */
	STAMP_r2,
	STAMP_a2,
	STAMPS
};

enum record_flag {
	RECORD_SENT = 1,
	RECORD_REPLIED = 2,
	RECORD_LATE = 4,
	RECORD_DUPLICATED = 8,
	RECORD_REORDERED = 16,          /* a reply with a higher seq had come before */
	RECORD_SEND_FAILED = 32,
	RECORD_TX_STAMPS = 64,          /* transmit stamps were asked for */
	RECORD_LATE_WAKEUP = 128,       /* w - S was more than a period */
	/* 256 is taken: RECEIVED, of imported one-way measurements (src/latlab/stats/records.py) */
};

struct record_header {
	char magic[8];
	uint32_t header_size;           /* 128 */
	uint32_t record_size;           /* 136 */
	uint32_t version;
	uint32_t pacing_clock;          /* 11 CLOCK_TAI, 1 CLOCK_MONOTONIC */
	int64_t tai_offset_ns;          /* CLOCK_TAI - CLOCK_REALTIME at the start */
	int64_t period_ns;
	uint64_t count;                 /* packets asked for; 0 = until stopped */
	uint32_t size_bytes;            /* UDP payload, or Ethernet payload */
	uint32_t tx_stamps_every;       /* 1 in so many packets; 0 = none */
	int64_t start_tai_ns;           /* S of seq 0; with CLOCK_MONOTONIC pacing, as near as TAI was then known */
	uint8_t zeros[64];
};

struct record {
	uint64_t seq;
	uint32_t flags;
	uint32_t reserved;
	int64_t stamp[STAMPS];
};

_Static_assert(sizeof(struct record_header) == 128, "header size");
_Static_assert(sizeof(struct record) == 136, "record size");

#endif
