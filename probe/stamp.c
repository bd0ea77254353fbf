// SPDX-License-Identifier: Apache-2.0
/* stamp: SO_TIMESTAMPING set-up, the parsing of its control messages, and the error queue. */
#define _GNU_SOURCE
#include <time.h> /* before linux/errqueue.h, which needs struct timespec */

#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "clock.h"
#include "stamp.h"

#define DRAIN_BATCH 16

static int64_t timespec_ns(const struct timespec *time)
{
	if (time->tv_sec < 0 || time->tv_sec >= INT64_MAX / NS_PER_S || time->tv_nsec < 0 || time->tv_nsec >= NS_PER_S)
		return 0;
	return time->tv_sec * NS_PER_S + time->tv_nsec;
}

static void parse_error(const uint8_t *data, size_t size, struct stamp_control *control)
{
	struct sock_extended_err error;

	if (size < sizeof(error))
		return;
	memcpy(&error, data, sizeof(error));
	if (error.ee_errno != ENOMSG || error.ee_origin != SO_EE_ORIGIN_TIMESTAMPING)
		return;
	control->transmit = true;
	control->id = error.ee_data;
	control->kind = error.ee_info;
}

static void parse_stamps(const uint8_t *data, size_t size, struct stamp_control *control)
{
	struct scm_timestamping stamps;

	if (size < sizeof(stamps))
		return;
	memcpy(&stamps, data, sizeof(stamps));
	control->software_ns = timespec_ns(&stamps.ts[0]);
	control->hardware_ns = timespec_ns(&stamps.ts[2]);
}

static void parse_one(int level, int type, const uint8_t *data, size_t size, struct stamp_control *control)
{
	if (level == SOL_SOCKET && type == SO_TIMESTAMPING)
		parse_stamps(data, size, control);
	else if ((level == IPPROTO_IP && type == IP_RECVERR) || (level == IPPROTO_IPV6 && type == IPV6_RECVERR) ||
		 (level == SOL_PACKET && type == PACKET_TX_TIMESTAMP))
		parse_error(data, size, control);
	else if (level == IPPROTO_IP && type == IP_PKTINFO && size >= sizeof(struct in_pktinfo))
		control->to4 = data;
	else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO && size >= sizeof(struct in6_pktinfo))
		control->to6 = data;
}

/* Not by CMSG_NXTHDR: the walk is fuzzed, so it trusts no length and no alignment. */
void stamp_parse(const struct msghdr *message, struct stamp_control *control)
{
	const uint8_t *bytes = message->msg_control;
	size_t size = message->msg_controllen, at = 0;
	struct cmsghdr header;

	*control = (struct stamp_control){ 0 };
	while (size - at >= sizeof(header)) {
		memcpy(&header, bytes + at, sizeof(header));
		if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > size - at)
			return;
		parse_one(header.cmsg_level, header.cmsg_type, bytes + at + CMSG_LEN(0), header.cmsg_len - CMSG_LEN(0), control);
		if (CMSG_ALIGN((size_t)header.cmsg_len) > size - at)
			return;
		at += CMSG_ALIGN((size_t)header.cmsg_len);
	}
}

static int set_flags(int fd, uint32_t flags)
{
	return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) ? -errno : 0;
}

int stamp_enable(int fd, const struct stamp_want *want)
{
	uint32_t flags = SOF_TIMESTAMPING_SOFTWARE;
	int error;

	if (want->hardware)
		flags |= SOF_TIMESTAMPING_RAW_HARDWARE;
	if (want->receive)
		flags |= SOF_TIMESTAMPING_RX_SOFTWARE;
	if (want->receive && want->hardware)
		flags |= SOF_TIMESTAMPING_RX_HARDWARE;
	if (want->transmit)
		flags |= SOF_TIMESTAMPING_OPT_TSONLY;
	if (want->transmit && want->hardware)
		flags |= SOF_TIMESTAMPING_OPT_TX_SWHW;
	error = set_flags(fd, flags);
	if (error || !want->transmit)
		return error;
	/* The kernel sets its counter to 0 when OPT_ID goes from off to on. */
	return set_flags(fd, flags | SOF_TIMESTAMPING_OPT_ID);
}

size_t stamp_request(void *control, bool hardware)
{
	struct cmsghdr *header = control;
	uint32_t flags = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE;

	if (hardware)
		flags |= SOF_TIMESTAMPING_TX_HARDWARE;
	memset(control, 0, CMSG_SPACE(sizeof(flags)));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SO_TIMESTAMPING;
	header->cmsg_len = CMSG_LEN(sizeof(flags));
	memcpy(CMSG_DATA(header), &flags, sizeof(flags));
	return CMSG_SPACE(sizeof(flags));
}

int stamp_drain(int fd, stamp_sink *sink, void *context)
{
	_Alignas(struct cmsghdr) uint8_t control[DRAIN_BATCH][STAMP_CONTROL_SIZE];
	struct mmsghdr messages[DRAIN_BATCH];
	int got, total = 0;

	do {
		for (int i = 0; i < DRAIN_BATCH; i++)
			messages[i].msg_hdr = (struct msghdr){ .msg_control = control[i], .msg_controllen = STAMP_CONTROL_SIZE };
		got = recvmmsg(fd, messages, DRAIN_BATCH, MSG_ERRQUEUE | MSG_DONTWAIT, NULL);
		for (int i = 0; i < got; i++) {
			struct stamp_control parsed;

			stamp_parse(&messages[i].msg_hdr, &parsed);
			if (parsed.transmit) {
				sink(context, &parsed);
				total++;
			}
		}
	} while (got == DRAIN_BATCH);
	return total;
}
