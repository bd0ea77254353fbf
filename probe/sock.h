/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock: the sockets of both ends, over UDP (IPv4, IPv6) and raw Ethernet.
 *
 * The sender that takes transmit stamps has two: one only sends and one only receives. A transmit stamp wakes whoever waits on the socket that
 * sent, so with one socket each request would wake the receiver twice for nothing, inside the send path that is
 * being measured. The reflector, a single thread that never waits while it sends, has one.
 */
#ifndef PROBE_SOCK_H
#define PROBE_SOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "args.h"
#include "stamp.h"
#include "wire.h"

#define SOCK_FRAME_MAX (ETHERNET_HEADER_SIZE + VLAN_HEADER_SIZE + WIRE_SIZE_MAX + 1) /* +1: one too long is seen */

struct sock_config {
	struct arg_address peer;        /* sender over UDP: where the reflector is */
	struct arg_address bind;        /* own address */
	const char *device;             /* UDP: SO_BINDTODEVICE, or NULL */
	const char *l2;                 /* raw Ethernet on this interface, or NULL for UDP */
	struct arg_mac destination;     /* sender over Ethernet */
	int64_t vlan, pcp;              /* -1 = no tag; sender over Ethernet */
	int64_t priority;               /* SO_PRIORITY */
	bool hardware;                  /* hardware stamps */
	bool stamp_transmit;
	int64_t busy_poll_us;           /* SO_BUSY_POLL of the receiving socket, 0 = off */
};

struct sock {
	int send_fd, receive_fd;        /* the same one in the reflector */
	bool l2;
	struct stamp_want send_want;    /* to restart the stamps' ids */
	struct sockaddr_storage to;     /* sender: the peer */
	socklen_t to_size;              /* 0: send_fd is connected */
	uint8_t header[ETHERNET_HEADER_SIZE + VLAN_HEADER_SIZE]; /* sender over Ethernet */
	size_t header_size;
	int32_t vlan_tci;               /* sender over Ethernet: its tag, -1 = none */
	bool tagged_by_device;          /* over Ethernet: the interface is a VLAN's, and tags by itself */
	uint8_t mac[6];                 /* own, over Ethernet */
	struct sockaddr_storage bound;  /* own, over UDP */
};

/* 0, or -errno after one line on stderr. */
int sock_open_sender(struct sock *sock, const struct sock_config *config);
int sock_open_reflector(struct sock *sock, const struct sock_config *config);
void sock_close(struct sock *sock);

#endif
