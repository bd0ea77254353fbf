// SPDX-License-Identifier: Apache-2.0
/* sock: opening and binding; nothing here runs while packets are measured. */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "note.h"

#define BUFFER_SIZE (4 * 1024 * 1024) /* bytes asked for; without privilege the kernel gives at most rmem_max */

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* Large buffers are wished for, not needed: what does not fit is counted as lost or as missing stamps. */
static void enlarge(int fd)
{
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_SIZE))
		set_int(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_SIZE);
	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_SIZE))
		set_int(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_SIZE);
}

/* A socket that only sends takes nothing in: received packets would fill the memory that its stamps need. */
static int refuse_all(int fd)
{
	struct sock_filter reject = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &reject };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

static int set_common(int fd, const struct sock_config *config)
{
	int error;

	enlarge(fd);
	error = set_int(fd, SOL_SOCKET, SO_PRIORITY, (int)config->priority);
	if (error) {
		complain("--priority %d: %s: above 6 it needs root or CAP_NET_ADMIN", (int)config->priority, strerror(-error));
		return error;
	}
	if (config->busy_poll_us) {
		error = set_int(fd, SOL_SOCKET, SO_BUSY_POLL, (int)config->busy_poll_us);
		if (error)
			complain("--busy-poll: %s: it needs root or CAP_NET_ADMIN", strerror(-error));
	}
	return error;
}

static int enable_stamps(int fd, const struct stamp_want *want)
{
	int error = stamp_enable(fd, want);

	if (error)
		complain("SO_TIMESTAMPING: %s: this kernel is too old or was built without it", strerror(-error));
	return error;
}

static int open_udp(const struct sock_config *config, int family, bool shared)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0) {
		error = -errno;
		complain("UDP socket: %s", strerror(-error));
		return error;
	}
	error = set_common(fd, config);
	if (!error && shared)
		error = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error && config->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, config->device, (socklen_t)strlen(config->device))) {
		error = -errno;
		complain("--device %s: %s: `ip link` lists the interfaces", config->device, strerror(-error));
	}
	if (error)
		close(fd);
	return error ? error : fd;
}

static int bind_udp(int fd, const struct sockaddr_storage *socket, socklen_t size)
{
	char text[80];
	int error;

	if (!bind(fd, (const struct sockaddr *)socket, size))
		return 0;
	error = -errno;
	args_address_text(socket, text, sizeof(text));
	complain("cannot bind to %s: %s: choose an address of this machine and a free port (port 0: any)", text,
		 strerror(-error));
	return error;
}

/* The own address towards the peer, from the routing table; the port is that of `own`. */
static int route_to(const struct sock_config *config, struct sockaddr_storage *own, socklen_t *size)
{
	const struct sockaddr *peer = (const struct sockaddr *)&config->peer.socket;
	int fd = open_udp(config, peer->sa_family, false);
	char text[80];
	int error = 0;

	if (fd < 0)
		return fd;
	*size = config->peer.size;
	if ((config->bind.size && bind_udp(fd, own, *size)) || connect(fd, peer, *size)) {
		error = -errno;
		args_address_text(&config->peer.socket, text, sizeof(text));
		complain("no way to %s: %s: see `ip route get`", text, strerror(-error));
	} else {
		getsockname(fd, (struct sockaddr *)own, size);
		if (!config->bind.size)
			((struct sockaddr_in *)own)->sin_port = 0; /* the same place in sockaddr_in6 */
	}
	close(fd);
	return error;
}

/* Without transmit stamps nothing wakes the receiver in vain: one connected socket, which spares a route per packet. */
static int sender_udp_plain(struct sock *sock, const struct sock_config *config)
{
	socklen_t size = config->peer.size;
	int fd = open_udp(config, config->peer.socket.ss_family, false);
	char text[80];
	int error;

	if (fd < 0)
		return fd;
	sock->send_fd = sock->receive_fd = fd;
	error = config->bind.size ? bind_udp(fd, &config->bind.socket, size) : 0;
	if (error)
		return error;
	if (!connect(fd, (const struct sockaddr *)&config->peer.socket, size)) {
		getsockname(fd, (struct sockaddr *)&sock->bound, &size);
		return 0;
	}
	error = -errno;
	args_address_text(&config->peer.socket, text, sizeof(text));
	complain("no way to %s: %s: see `ip route get`", text, strerror(-error));
	return error;
}

/*
 * Two sockets with one address and port: stamps of what was sent must not wake who waits for replies. Which of them
 * takes in the replies is told to the kernel; what it prefers by itself changed between 6.12 and 6.18.
 */
static int sender_udp(struct sock *sock, const struct sock_config *config)
{
	struct sock_filter first = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &first };
	int family = config->peer.socket.ss_family;
	struct sockaddr_storage own = config->bind.socket;
	socklen_t size;
	int error;

	if (config->bind.size && own.ss_family != family) {
		complain("--bind and --udp are of different families: give both as IPv4 or both as IPv6");
		return -EINVAL;
	}
	if (!config->stamp_transmit)
		return sender_udp_plain(sock, config);
	error = route_to(config, &own, &size);
	if (error)
		return error;
	sock->to = config->peer.socket;
	sock->to_size = config->peer.size;
	sock->receive_fd = open_udp(config, family, true);
	if (sock->receive_fd < 0)
		return sock->receive_fd;
	error = bind_udp(sock->receive_fd, &own, size);
	if (error)
		return error;
	if (setsockopt(sock->receive_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program))) {
		error = -errno;
		complain("SO_ATTACH_REUSEPORT_CBPF: %s: use --tx-stamps 0, which needs only one socket", strerror(-error));
		return error;
	}
	getsockname(sock->receive_fd, (struct sockaddr *)&sock->bound, &size);
	sock->send_fd = open_udp(config, family, true);
	if (sock->send_fd < 0)
		return sock->send_fd;
	error = refuse_all(sock->send_fd);
	return error ? error : bind_udp(sock->send_fd, &sock->bound, size);
}

static bool is_any(const struct sockaddr_storage *socket)
{
	if (socket->ss_family == AF_INET6)
		return !memcmp(&((const struct sockaddr_in6 *)socket)->sin6_addr, &in6addr_any, sizeof(in6addr_any));
	return ((const struct sockaddr_in *)socket)->sin_addr.s_addr == INADDR_ANY;
}

static int reflector_udp(struct sock *sock, const struct sock_config *config)
{
	socklen_t size = sizeof(sock->bound);
	int family = config->bind.socket.ss_family;
	int fd = open_udp(config, family, false);
	int error;

	if (fd < 0)
		return fd;
	sock->send_fd = sock->receive_fd = fd;
	error = bind_udp(fd, &config->bind.socket, config->bind.size);
	if (error)
		return error;
	getsockname(fd, (struct sockaddr *)&sock->bound, &size);
	if (!is_any(&config->bind.socket))
		return 0;
	/* Then the reply leaves from the address that the request was sent to. */
	return family == AF_INET ? set_int(fd, IPPROTO_IP, IP_PKTINFO, 1) : set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static bool is_vlan_interface(int fd, const char *name)
{
	struct vlan_ioctl_args request = { .cmd = GET_VLAN_VID_CMD };

	strncpy(request.device1, name, sizeof(request.device1) - 1);
	return !ioctl(fd, SIOCGIFVLAN, &request);
}

static int open_l2(struct sock *sock, const struct sock_config *config, uint16_t protocol)
{
	struct sockaddr_ll own = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
	struct ifreq request = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0) {
		error = -errno;
		complain("raw Ethernet socket: %s: it needs root or CAP_NET_RAW", strerror(-error));
		return error;
	}
	strncpy(request.ifr_name, config->l2, IFNAMSIZ - 1);
	own.sll_ifindex = (int)if_nametoindex(config->l2);
	if (!own.sll_ifindex || ioctl(fd, SIOCGIFHWADDR, &request) || bind(fd, (struct sockaddr *)&own, sizeof(own))) {
		error = -errno;
		complain("--l2 %s: %s: `ip link` lists the interfaces", config->l2, strerror(-error));
	} else {
		memcpy(sock->mac, request.ifr_hwaddr.sa_data, 6);
		error = set_common(fd, config);
	}
	sock->tagged_by_device = !error && is_vlan_interface(fd, config->l2);
	if (error)
		close(fd);
	return error ? error : fd;
}

static int sender_l2(struct sock *sock, const struct sock_config *config)
{
	struct wire_frame frame = { .vlan_tci = -1 };
	struct sockaddr_ll *to = (struct sockaddr_ll *)&sock->to;

	sock->receive_fd = open_l2(sock, config, ETHERTYPE_LATLAB);
	if (sock->receive_fd < 0)
		return sock->receive_fd;
	sock->send_fd = open_l2(sock, config, 0); /* protocol 0: receives nothing */
	if (sock->send_fd < 0)
		return sock->send_fd;
	memcpy(frame.destination, config->destination.bytes, 6);
	memcpy(frame.source, sock->mac, 6);
	if (config->vlan >= 0)
		frame.vlan_tci = sock->vlan_tci = (int32_t)(config->pcp << 13 | config->vlan);
	sock->header_size = wire_frame_build(sock->header, &frame);
	to->sll_family = AF_PACKET;
	to->sll_ifindex = (int)if_nametoindex(config->l2);
	to->sll_protocol = htons(config->vlan >= 0 ? 0x8100 : ETHERTYPE_LATLAB);
	to->sll_halen = 6;
	memcpy(to->sll_addr, config->destination.bytes, 6);
	sock->to_size = sizeof(*to);
	return 0;
}

int sock_open_sender(struct sock *sock, const struct sock_config *config)
{
	struct stamp_want receive = { .receive = true, .hardware = config->hardware };
	int error;

	*sock = (struct sock){ .send_fd = -1, .receive_fd = -1, .l2 = config->l2 != NULL, .vlan_tci = -1 };
	sock->send_want = (struct stamp_want){ .transmit = config->stamp_transmit, .hardware = config->hardware };
	error = sock->l2 ? sender_l2(sock, config) : sender_udp(sock, config);
	if (!error)
		error = enable_stamps(sock->receive_fd, &receive);
	if (!error && config->stamp_transmit)
		error = enable_stamps(sock->send_fd, &sock->send_want);
	if (error)
		sock_close(sock);
	return error;
}

int sock_open_reflector(struct sock *sock, const struct sock_config *config)
{
	int error = 0;

	*sock = (struct sock){ .send_fd = -1, .receive_fd = -1, .l2 = config->l2 != NULL, .vlan_tci = -1 };
	sock->send_want = (struct stamp_want){ .receive = true, .transmit = true, .hardware = config->hardware };
	if (sock->l2) {
		sock->send_fd = sock->receive_fd = open_l2(sock, config, ETHERTYPE_LATLAB);
		error = sock->send_fd < 0 ? sock->send_fd : 0;
	} else {
		error = reflector_udp(sock, config);
	}
	if (!error)
		error = enable_stamps(sock->receive_fd, &sock->send_want);
	if (error)
		sock_close(sock);
	return error;
}

void sock_close(struct sock *sock)
{
	if (sock->send_fd >= 0)
		close(sock->send_fd);
	if (sock->receive_fd >= 0 && sock->receive_fd != sock->send_fd)
		close(sock->receive_fd);
	sock->send_fd = sock->receive_fd = -1;
}
