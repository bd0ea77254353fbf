/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stamp: the kernel's time stamps of packets (Documentation/networking/timestamping.rst).
 * Receive stamps come with the packet; transmit stamps come later, through the socket's error queue, under an id
 * that counts the packets for which stamps were asked (SOF_TIMESTAMPING_OPT_ID).
 */
#ifndef PROBE_STAMP_H
#define PROBE_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define STAMP_CONTROL_SIZE 256 /* bytes: room for stamps, source address and extended error */

enum stamp_kind { STAMP_KIND_SENT = 0, STAMP_KIND_QDISC = 1 }; /* SCM_TSTAMP_SND, SCM_TSTAMP_SCHED */

/* What the control messages of one received message say. Times are as the kernel gave them; 0 = none. */
struct stamp_control {
	int64_t software_ns;    /* CLOCK_REALTIME */
	int64_t hardware_ns;    /* the NIC's clock */
	bool transmit;          /* a transmit stamp, of packet `id` */
	uint32_t id;
	uint32_t kind;          /* enum stamp_kind, or one this program does not know */
	const uint8_t *to4;     /* struct in_pktinfo, unaligned, in the control buffer; or NULL */
	const uint8_t *to6;     /* struct in6_pktinfo, likewise */
};

/* Reads the control messages of `message`. Never fails: what is not understood is left out. */
void stamp_parse(const struct msghdr *message, struct stamp_control *control);

struct stamp_want {
	bool receive;           /* stamps on every packet received */
	bool transmit;          /* stamps may be asked for, packet by packet, with stamp_request() */
	bool hardware;          /* the NIC's too; configuring the NIC is somebody else's work */
};

/* Sets the socket up; also restarts the ids of transmit stamps from 0. 0 or -errno. */
int stamp_enable(int fd, const struct stamp_want *want);

/* A control message that asks for the transmit stamps of one packet. Returns the size of the control messages. */
size_t stamp_request(void *control, bool hardware);

/* Called for each transmit stamp. */
typedef void stamp_sink(void *context, const struct stamp_control *control);

/* Empties the error queue without waiting. Returns the number of stamps. */
int stamp_drain(int fd, stamp_sink *sink, void *context);

#endif
