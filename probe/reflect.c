// SPDX-License-Identifier: Apache-2.0
/*
 * reflect: the verb that answers. One thread receives, verifies, stamps and replies; only then does it fetch the
 * transmit stamps. What does not carry the session's key gets no answer, and a reply is never longer than its
 * request nor itself answered, so a reflector serves nobody else and amplifies nothing.
 */
#define _GNU_SOURCE
#include <time.h> /* before linux headers that need struct timespec */

#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control.h"
#include "report.h"
#include "rt.h"
#include "sock.h"
#include "verbs.h"

#define BATCH 32

struct reflect_config {
	struct sock_config sock;
	const char *key;
	int64_t cpu, fifo, gather_ns;
	bool spin;
};

#define AT(member) offsetof(struct reflect_config, member)

static const struct arg_option options[] = {
	{ "bind", ARG_ADDRESS, AT(sock.bind), 0, 0, NULL, "address and port to answer on, for UDP; port 0: any" },
	{ "device", ARG_INTERFACE, AT(sock.device), 0, 0, NULL, "only on this interface, for UDP" },
	{ "l2", ARG_INTERFACE, AT(sock.l2), 0, 0, NULL, "raw Ethernet on this interface, instead of UDP" },
	{ "priority", ARG_INTEGER, AT(sock.priority), 0, 15, NULL, "SO_PRIORITY of the replies" },
	{ "key", ARG_TEXT, AT(key), 0, 0, NULL, "file with the session's key, 32 hexadecimal digits; - (default): stdin" },
	{ "hw", ARG_FLAG, AT(sock.hardware), 0, 0, NULL, "the NIC's stamps too" },
	{ "fifo", ARG_INTEGER, AT(fifo), 1, 98, NULL, "SCHED_FIFO priority of the session; the reflector runs one below" },
	{ "cpu", ARG_INTEGER, AT(cpu), 0, 1023, NULL, "CPU of the reflecting thread" },
	{ "spin", ARG_FLAG, AT(spin), 0, 0, NULL, "receive without sleeping: takes a whole CPU" },
	{ "gather", ARG_DURATION, AT(gather_ns), 0, 10 * NS_PER_MS, NULL, "look for packets only so often: higher rates, later reading" },
	{ "busy-poll", ARG_INTEGER, AT(sock.busy_poll_us), 0, 1000, NULL, "SO_BUSY_POLL, us" },
	{ 0 },
};

static const struct arg_command command = { "reflect", "answer the packets of one session", options };

struct reflector {
	const struct reflect_config *config;
	struct siphash_key key;
	struct sock sock;
	int64_t tai_offset_ns;
	_Atomic bool stop, done;
	struct report_queue reports;
	uint64_t received, replied, rejected, send_failed, receive_errors;
	int last_errno;
	bool stamps_expected;

	uint8_t frame[BATCH][SOCK_FRAME_MAX];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][STAMP_CONTROL_SIZE];
	struct sockaddr_storage from[BATCH];
	struct iovec piece[BATCH];
	struct mmsghdr message[BATCH];
};

static bool is_own(const struct reflector *r, const struct wire_frame *frame)
{
	return frame->destination[0] & 1 || !memcmp(frame->destination, r->sock.mac, 6);
}

static size_t put_control(void *at, int level, int type, const void *data, size_t size)
{
	struct cmsghdr *header = at;

	memset(at, 0, CMSG_SPACE(size));
	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = (socklen_t)CMSG_LEN(size);
	memcpy(CMSG_DATA(header), data, size);
	return CMSG_SPACE(size);
}

/* The reply leaves from the address that the request came to; the route back is the routing table's choice. */
static size_t put_source(void *at, const struct stamp_control *control)
{
	struct in6_pktinfo to6;
	struct in_pktinfo to4;

	if (control->to4) {
		memcpy(&to4, control->to4, sizeof(to4));
		to4.ipi_ifindex = 0;
		return put_control(at, IPPROTO_IP, IP_PKTINFO, &to4, sizeof(to4));
	}
	if (!control->to6)
		return 0;
	memcpy(&to6, control->to6, sizeof(to6));
	if (IN6_IS_ADDR_MULTICAST(&to6.ipi6_addr))
		return 0;
	if (!IN6_IS_ADDR_LINKLOCAL(&to6.ipi6_addr))
		to6.ipi6_ifindex = 0;
	return put_control(at, IPPROTO_IPV6, IPV6_PKTINFO, &to6, sizeof(to6));
}

static void count_send(struct reflector *r, ssize_t sent, bool stamped)
{
	if (sent >= 0) {
		r->replied++;
		r->stamps_expected |= stamped;
		return;
	}
	r->send_failed++;
	r->last_errno = errno;
	if (stamped) {
		stamp_enable(r->sock.send_fd, &r->sock.send_want); /* the failed packet may or may not have used an id */
		report_restart(&r->reports);
	}
}

static void reply(struct reflector *r, int i, uint8_t *payload, size_t size, const struct wire_frame *frame,
		  struct wire_packet *packet, const struct stamp_control *control)
{
	_Alignas(struct cmsghdr) uint8_t out_control[STAMP_CONTROL_SIZE];
	uint8_t header[ETHERNET_HEADER_SIZE + VLAN_HEADER_SIZE];
	struct iovec pieces[2] = { { header, 0 }, { payload, size } };
	struct msghdr message = { .msg_name = &r->from[i], .msg_namelen = r->message[i].msg_hdr.msg_namelen };
	bool stamped = packet->type == WIRE_REQUEST && packet->flags & WIRE_FLAG_STAMP;
	size_t control_size = 0;

	packet->type = packet->type == WIRE_REQUEST ? WIRE_REPLY : WIRE_FLUSH_REPLY;
	packet->reports = 0;
	memset(packet->report, 0, sizeof(packet->report));
	if (r->sock.l2) {
		struct sockaddr_ll *to = (struct sockaddr_ll *)&r->from[i];
		struct wire_frame back = *frame;

		back.vlan_tci = r->sock.tagged_by_device ? -1 : packet->vlan_tci;
		memcpy(back.destination, frame->source, 6);
		memcpy(back.source, r->sock.mac, 6);
		pieces[0].iov_len = wire_frame_build(header, &back);
		to->sll_protocol = htons(back.vlan_tci >= 0 ? 0x8100 : ETHERTYPE_LATLAB);
		message.msg_iov = pieces;
		message.msg_iovlen = 2;
	} else {
		message.msg_iov = pieces + 1;
		message.msg_iovlen = 1;
		control_size = put_source(out_control, control);
	}
	if (stamped)
		control_size += stamp_request(out_control + control_size, r->config->sock.hardware);
	message.msg_control = control_size ? out_control : NULL;
	message.msg_controllen = (socklen_t)control_size;

	packet->w_ns = clock_now_ns(CLOCK_TAI);
	report_fill(&r->reports, packet, packet->w_ns);
	if (stamped)
		report_expect(&r->reports, packet);
	wire_seal(payload, size, packet, &r->key);
	if (control_size || r->sock.l2)
		count_send(r, sendmsg(r->sock.send_fd, &message, MSG_DONTWAIT), stamped);
	else
		count_send(r, sendto(r->sock.send_fd, payload, size, MSG_DONTWAIT, message.msg_name, message.msg_namelen), false);
}

static void take_message(struct reflector *r, int i, int64_t a_ns)
{
	uint8_t *payload = r->frame[i];
	size_t size = r->message[i].msg_len;
	struct wire_frame frame = { .vlan_tci = -1 };
	struct stamp_control control;
	struct wire_packet packet;

	r->received++;
	if (r->sock.l2) {
		if (wire_frame_parse(payload, size, &frame) || !is_own(r, &frame)) {
			r->rejected++;
			return;
		}
		payload += frame.payload_offset;
		size -= frame.payload_offset;
	}
	if (wire_open(payload, size, &r->key, &packet) || (packet.type != WIRE_REQUEST && packet.type != WIRE_FLUSH)) {
		r->rejected++;
		return;
	}
	stamp_parse(&r->message[i].msg_hdr, &control);
	packet.a_ns = a_ns;
	packet.r_ns = control.software_ns ? control.software_ns + r->tai_offset_ns : 0;
	packet.R_ns = control.hardware_ns;
	reply(r, i, payload, size, &frame, &packet, &control);
}

/* See receive_some() in receive.c: a batch of what is there already, else one packet that is slept for. */
static int receive_some(struct reflector *r)
{
	int fd = r->sock.receive_fd;
	ssize_t size;
	int got = recvmmsg(fd, r->message, BATCH, MSG_DONTWAIT, NULL);

	if (got >= 0 || errno != EAGAIN || r->config->spin)
		return got;
	if (r->config->gather_ns) {
		clock_pause_ns(r->config->gather_ns);
		return recvmmsg(fd, r->message, BATCH, MSG_DONTWAIT, NULL);
	}
	size = recvmsg(fd, &r->message[0].msg_hdr, 0);
	if (size < 0)
		return -1;
	r->message[0].msg_len = (unsigned int)size;
	return 1;
}

static void prepare(struct reflector *r)
{
	for (int i = 0; i < BATCH; i++) {
		r->piece[i] = (struct iovec){ r->frame[i], SOCK_FRAME_MAX };
		r->message[i].msg_hdr = (struct msghdr){
			.msg_name = &r->from[i],
			.msg_iov = &r->piece[i],
			.msg_iovlen = 1,
			.msg_control = r->control[i],
		};
	}
}

static void reflect_batch(struct reflector *r)
{
	int64_t a_ns;
	int got;

	for (int i = 0; i < BATCH; i++) {
		r->message[i].msg_hdr.msg_namelen = sizeof(r->from[i]);
		r->message[i].msg_hdr.msg_controllen = STAMP_CONTROL_SIZE;
	}
	got = receive_some(r);
	a_ns = clock_now_ns(CLOCK_TAI);
	for (int i = 0; i < got; i++)
		take_message(r, i, a_ns);
	if (r->stamps_expected) {
		stamp_drain(r->sock.send_fd, report_take_stamp, &r->reports);
		r->stamps_expected = r->reports.oldest != r->reports.next;
	}
	if (got >= 0 || errno == EAGAIN || errno == EINTR)
		return;
	r->receive_errors++;
	r->last_errno = errno;
	if (errno != ECONNREFUSED)
		clock_pause_ns(NS_PER_MS);
}

static void *reflect_thread(void *context)
{
	struct reflector *r = context;

	prepare(r);
	while (!atomic_load_explicit(&r->stop, memory_order_relaxed))
		reflect_batch(r);
	atomic_store(&r->done, true);
	return NULL;
}

static void print_ready(const struct reflector *r)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&r->sock.bound;
	const uint8_t *mac = r->sock.mac;
	char address[80];

	if (r->sock.l2) {
		fputs("{\"ready\":true,\"interface\":", stdout);
		json_string(stdout, r->config->sock.l2);
		printf(",\"address\":\"%02x:%02x:%02x:%02x:%02x:%02x\",\"port\":0}\n", mac[0], mac[1], mac[2], mac[3], mac[4],
		       mac[5]);
	} else {
		args_address_text(&r->sock.bound, address, sizeof(address));
		printf("{\"ready\":true,\"address\":\"%s\",\"port\":%u}\n", address, ntohs(v4->sin_port));
	}
	fflush(stdout);
}

static void print_summary(const struct reflector *r, const struct rt_result *rt, bool locked, struct warnings *warnings)
{
	if (clock_tai_offset_ns() != r->tai_offset_ns)
		warn(warnings, "the TAI offset changed during the run: kernel stamps are off by whole seconds");
	if (r->send_failed)
		warn(warnings, "%" PRIu64 " replies could not be sent; the last reason: %s", r->send_failed, strerror(r->last_errno));
	fprintf(stderr, "{\"received\":%" PRIu64 ",\"replied\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"send_failed\":%" PRIu64
			",\"receive_errors\":%" PRIu64 ",\"reports_dropped\":%" PRIu64,
		r->received, r->replied, r->rejected, r->send_failed, r->receive_errors, r->reports.dropped);
	fprintf(stderr, ",\"scheduler\":\"%s\",\"cpu\":", rt->scheduler);
	fprintf(stderr, rt->cpu < 0 ? "null" : "%d", rt->cpu);
	fprintf(stderr, ",\"memory_locked\":%s,\"tai_offset_ns\":%" PRId64, locked ? "true" : "false", r->tai_offset_ns);
	json_warnings(stderr, warnings);
	fputs("}\n", stderr);
}

static int run(struct reflector *r, struct control *control)
{
	struct rt_config rt = { .fifo = rt_below(r->config->fifo, RT_REFLECT_BELOW), .cpu = r->config->cpu };
	static struct warnings warnings;
	struct rt_result result;
	pthread_t thread;
	bool locked;
	int error;

	r->tai_offset_ns = clock_tai_offset_ns();
	r->reports.tai_offset_ns = r->tai_offset_ns;
	r->reports.hardware = r->config->sock.hardware;
	error = rt_thread(&thread, &rt, reflect_thread, r, &result, &warnings);
	if (error)
		return error;
	locked = rt_lock_memory(&warnings);
	print_ready(r);
	while (!control_wait(control, -1))
		;
	atomic_store(&r->stop, true);
	control_join(thread, &r->done);
	print_summary(r, &result, locked, &warnings);
	return 0;
}

int verb_reflect(int argc, char **argv)
{
	static struct reflect_config config = { .key = "-", .cpu = -1 };
	static struct reflector r; /* too large for a stack */
	struct control control;
	int error = args_parse(&command, argc, argv, &config);

	if (error == ARGS_HELP)
		return EXIT_FINE;
	if (error)
		return EXIT_USAGE;
	if (!config.sock.l2 == !config.sock.bind.size) {
		complain("reflect: where? Give either --bind ADDR:PORT, or --l2 IFNAME");
		return EXIT_USAGE;
	}
	if (config.sock.l2 && config.sock.device) {
		complain("--device goes with --bind: --l2 names the interface already");
		return EXIT_USAGE;
	}
	r.config = &config;
	if (control_open(&control, config.key, &r.key))
		return EXIT_USAGE;
	if (sock_open_reflector(&r.sock, &config.sock))
		return EXIT_UNABLE;
	error = run(&r, &control);
	sock_close(&r.sock);
	return error ? EXIT_UNABLE : EXIT_FINE;
}
