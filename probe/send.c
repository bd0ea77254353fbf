// SPDX-License-Identifier: Apache-2.0
/*
 * send: the verb. Checks its options, sets up the exchange and its two measuring threads, writes what they record,
 * and ends with one line of JSON on stderr that says what happened and what the kernel granted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "exchange.h"
#include "verbs.h"

#define SLOTS_MIN 4096
#define SLOTS_MAX 65536
#define RING_SIZE (4 << 20)     /* bytes: 30,000 records */
#define WRITE_INTERVAL_MS 20
#define PIPE_ATOMIC 4096        /* bytes that a pipe takes without blocking once poll says so */

#define AT(member) offsetof(struct send_config, member)

static const char *const clocks[] = { "tai", "monotonic", NULL };

static const struct arg_option options[] = {
	{ "udp", ARG_ADDRESS, AT(sock.peer), 0, 0, NULL, "the reflector's address, for UDP" },
	{ "bind", ARG_ADDRESS, AT(sock.bind), 0, 0, NULL, "own address, for UDP; port 0: any" },
	{ "device", ARG_INTERFACE, AT(sock.device), 0, 0, NULL, "own interface, for UDP" },
	{ "l2", ARG_INTERFACE, AT(sock.l2), 0, 0, NULL, "raw Ethernet on this interface, instead of UDP" },
	{ "dst", ARG_MAC, AT(sock.destination), 0, 0, NULL, "the reflector's MAC address, with --l2" },
	{ "vlan", ARG_INTEGER, AT(sock.vlan), 0, 4094, NULL, "802.1Q tag, with --l2; 0: priority tag" },
	{ "pcp", ARG_INTEGER, AT(sock.pcp), 0, 7, NULL, "priority in the tag" },
	{ "priority", ARG_INTEGER, AT(sock.priority), 0, 15, NULL, "SO_PRIORITY" },
	{ "key", ARG_TEXT, AT(key), 0, 0, NULL, "file with the session's key, 32 hexadecimal digits; - (default): stdin" },
	{ "period", ARG_DURATION, AT(period_ns), 1000, 60 * NS_PER_S, NULL, "from packet to packet; 1ms unless given" },
	{ "count", ARG_INTEGER, AT(count), 1, INT64_C(10000000000), NULL, "packets; without it, until stopped" },
	{ "size", ARG_INTEGER, AT(size), WIRE_SIZE_MIN, WIRE_SIZE_MAX, NULL, "bytes of payload; 128 unless given" },
	{ "clock", ARG_CHOICE, AT(clock), 0, 0, clocks, "that paces: tai (default) or monotonic" },
	{ "lead", ARG_DURATION, AT(lead_ns), 0, NS_PER_MS, NULL, "wake up so much earlier and watch the clock until it is time" },
	{ "timeout", ARG_DURATION, AT(timeout_ns), NS_PER_MS, 60 * NS_PER_S, NULL, "after which a reply is late; 1s unless given" },
	{ "tx-stamps", ARG_INTEGER, AT(tx_stamps_every), 0, 1000000, NULL, "stamp 1 in N transmissions; 0: none; 1 unless given" },
	{ "hw", ARG_FLAG, AT(sock.hardware), 0, 0, NULL, "the NIC's stamps too" },
	{ "fifo", ARG_INTEGER, AT(fifo), 1, 98, NULL, "SCHED_FIFO priority of the receiver; the sender of packets runs two below" },
	{ "cpu", ARG_INTEGER, AT(cpu), 0, 1023, NULL, "CPU of both measuring threads" },
	{ "rx-cpu", ARG_INTEGER, AT(receive_cpu), 0, 1023, NULL, "another CPU for the receiving thread" },
	{ "spin", ARG_FLAG, AT(spin), 0, 0, NULL, "receive without sleeping: takes a whole CPU" },
	{ "gather", ARG_DURATION, AT(gather_ns), 0, 10 * NS_PER_MS, NULL, "look for packets only so often: higher rates, later reading" },
	{ "busy-poll", ARG_INTEGER, AT(sock.busy_poll_us), 0, 1000, NULL, "SO_BUSY_POLL, us" },
	{ "output", ARG_TEXT, AT(output), 0, 0, NULL, "file for the records; - (default): stdout" },
	{ 0 },
};

static const struct arg_command command = {
	"send", "send packets with a fixed period and record the stamps of each exchange", options,
};

static int check(const struct send_config *config)
{
	const struct sock_config *sock = &config->sock;

	if (!sock->l2 == !sock->peer.size)
		complain("send: where to? Give either --udp ADDR:PORT, or --l2 IFNAME --dst MAC");
	else if (sock->l2 && !sock->destination.set)
		complain("--l2: give the reflector's address too: --dst MAC");
	else if (sock->l2 && (sock->bind.size || sock->device))
		complain("--bind and --device go with --udp: --l2 names the interface already");
	else if (!sock->l2 && (sock->destination.set || sock->vlan >= 0 || sock->pcp > 0))
		complain("--dst, --vlan and --pcp go with --l2: for UDP use a VLAN interface, and its egress-qos-map");
	else if (sock->pcp > 0 && sock->vlan < 0)
		complain("--pcp is part of the tag: give --vlan ID too (0: a tag that holds only the priority)");
	else if (sock->peer.size && !((const struct sockaddr_in *)&sock->peer.socket)->sin_port)
		complain("--udp: port 0 cannot be sent to: give the port that the reflector printed");
	else if (config->count > INT64_MAX / 4 / config->period_ns)
		complain("--count times --period is more than 70 years: give less of one");
	else
		return 0;
	return -EINVAL;
}

static int allocate(struct exchange *x)
{
	int64_t in_flight = exchange_grace_ns(x->config) / x->config->period_ns * 3 / 2;
	uint64_t slots = SLOTS_MIN;

	while (slots < SLOTS_MAX && (int64_t)slots < in_flight)
		slots *= 2;
	x->mask = slots - 1;
	x->slots = calloc(slots, sizeof(*x->slots));
	x->id_to_seq = calloc(slots, sizeof(*x->id_to_seq));
	x->answered = calloc(slots / 64, sizeof(*x->answered));
	if (!x->slots || !x->id_to_seq || !x->answered || ring_create(&x->ring, RING_SIZE)) {
		complain("out of memory: the sender needs 16 MB");
		return -ENOMEM;
	}
	return 0;
}

static void release(struct exchange *x)
{
	sock_close(&x->sock);
	ring_destroy(&x->ring);
	free(x->slots);
	free((void *)x->id_to_seq);
	free(x->answered);
}

static int open_output(const char *path)
{
	int fd = STDOUT_FILENO;

	if (strcmp(path, "-"))
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		fd = -errno;
		complain("--output %s: %s", path, strerror(-fd));
	}
	return fd;
}

static int write_all(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size) {
		ssize_t written = write(fd, at, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			int error = -errno;

			complain("the records cannot be written: %s", strerror(-error));
			return error;
		}
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

/* Writes what is in the ring, but does not wait on a pipe whose reader is slow: signals must still be seen. */
static int write_ready(struct exchange *x, int fd, bool is_pipe)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	const uint8_t *data;
	size_t size;
	int error;

	while ((size = ring_peek(&x->ring, &data))) {
		if (is_pipe && poll(&ready, 1, 0) <= 0)
			return 0;
		if (is_pipe && size > PIPE_ATOMIC)
			size = PIPE_ATOMIC;
		error = write_all(fd, data, size);
		if (error)
			return error;
		ring_take(&x->ring, size);
	}
	return 0;
}

static int write_header(struct exchange *x, int fd)
{
	const struct send_config *config = x->config;
	int64_t pacing_ns, tai_ns;

	x->tai_offset_ns = clock_tai_offset_ns();
	pacing_ns = clock_now_ns(config->clock ? CLOCK_MONOTONIC : CLOCK_TAI);
	tai_ns = config->clock ? clock_now_ns(CLOCK_TAI) : pacing_ns;
	x->start_ns = pacing_ns + 10 * NS_PER_MS;
	x->header = (struct record_header){
		.header_size = sizeof(struct record_header),
		.record_size = sizeof(struct record),
		.version = RECORD_VERSION,
		.pacing_clock = config->clock ? CLOCK_MONOTONIC : CLOCK_TAI,
		.tai_offset_ns = x->tai_offset_ns,
		.period_ns = config->period_ns,
		.count = (uint64_t)config->count,
		.size_bytes = (uint32_t)config->size,
		.tx_stamps_every = (uint32_t)config->tx_stamps_every,
		.start_tai_ns = tai_ns + (x->start_ns - pacing_ns),
	};
	memcpy(x->header.magic, RECORD_MAGIC, sizeof(x->header.magic));
	return write_all(fd, &x->header, sizeof(x->header));
}

/*
 * The receiving thread sleeps without a time-out of its own, which would cost it a timer per packet. If it has not
 * moved since the last look, it is woken to see to its time-outs.
 */
static void nudge(struct exchange *x, pthread_t receive, uint64_t *rounds_before)
{
	uint64_t rounds = atomic_load_explicit(&x->rounds, memory_order_relaxed);

	if (rounds == *rounds_before)
		pthread_kill(receive, SIGUSR1);
	*rounds_before = rounds;
}

/* Writes until the receiving thread is done and the ring is empty. */
static int write_records(struct exchange *x, struct control *control, int fd, pthread_t transmit, pthread_t receive)
{
	struct stat output;
	bool is_pipe = !fstat(fd, &output) && !S_ISREG(output.st_mode);
	bool done = false;
	uint64_t rounds = 0;
	const uint8_t *data;
	int error = 0;

	while (!done) {
		if (control_wait(control, WRITE_INTERVAL_MS))
			atomic_store(&x->stop, true);
		if (atomic_load(&x->stop))
			pthread_kill(transmit, SIGUSR1); /* it may be in a sleep that a step of the clock made long */
		nudge(x, receive, &rounds);
		done = atomic_load(&x->receiving_done);
		if (!error) {
			error = write_ready(x, fd, is_pipe);
			if (error)
				atomic_store(&x->stop, true);
		}
	}
	while (!error && ring_peek(&x->ring, &data)) {
		error = write_ready(x, fd, is_pipe);
		clock_pause_ns(NS_PER_MS);
	}
	return error;
}

static void late_warnings(const struct exchange *x, struct warnings *warnings)
{
	int64_t offset_ns = clock_tai_offset_ns();

	if (offset_ns != x->tai_offset_ns)
		warn(warnings, "the TAI offset changed from %" PRId64 " to %" PRId64 " s during the run: kernel stamps are off by it",
		     x->tai_offset_ns / NS_PER_S, offset_ns / NS_PER_S);
	if (x->tx.send_failed)
		warn(warnings, "%" PRIu64 " packets could not be sent; the last reason: %s", x->tx.send_failed,
		     strerror(x->tx.last_errno));
	if (x->rx.receive_errors)
		warn(warnings, "%" PRIu64 " errors while receiving; the last one: %s", x->rx.receive_errors,
		     strerror(x->rx.last_errno));
	if (x->rx.given_up_early)
		warn(warnings, "%" PRIu64 " packets were given up before the time-out, for lack of slots: use a longer --period or a shorter --timeout",
		     x->rx.given_up_early);
	if (x->tx.slots_full)
		warn(warnings, "sending waited %" PRIu64 " times for the receiving thread: it got too little CPU", x->tx.slots_full);
	if (x->rx.records_dropped)
		warn(warnings, "%" PRIu64 " records were dropped: the output is too slow for this rate", x->rx.records_dropped);
}

static void print_summary(const struct exchange *x, const struct rt_result *receive, const struct rt_result *transmit,
			  bool locked, const struct warnings *warnings)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		complain("out of memory for the summary");
		return;
	}
	fprintf(out, "{\"sent\":%" PRIu64 ",\"replied\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"late\":%" PRIu64
		     ",\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"send_failed\":%" PRIu64 ",\"rejected\":%" PRIu64,
		x->tx.sent, x->rx.replied, x->rx.lost, x->rx.late, x->rx.duplicated, x->rx.reordered, x->tx.send_failed,
		x->rx.rejected);
	fprintf(out, ",\"receive_errors\":%" PRIu64 ",\"tx_stamps_missing\":%" PRIu64 ",\"records_dropped\":%" PRIu64
		     ",\"late_wakeups\":%" PRIu64 ",\"given_up_early\":%" PRIu64,
		x->rx.receive_errors, x->rx.tx_stamps_missing, x->rx.records_dropped, x->tx.late_wakeups, x->rx.given_up_early);
	fprintf(out, ",\"scheduler\":\"%s\",\"transmit_scheduler\":\"%s\",\"cpu\":", receive->scheduler, transmit->scheduler);
	fprintf(out, transmit->cpu < 0 ? "null" : "%d", transmit->cpu);
	fprintf(out, ",\"memory_locked\":%s,\"tai_offset_ns\":%" PRId64, locked ? "true" : "false", x->tai_offset_ns);
	json_warnings(out, warnings);
	fputs("}\n", out);
	fclose(out);
	fputs(text, stderr);
	free(text);
}

static int run(struct exchange *x, struct control *control, int fd)
{
	const struct send_config *config = x->config;
	struct rt_config transmit_rt = { .fifo = rt_below(config->fifo, RT_TRANSMIT_BELOW), .cpu = config->cpu };
	struct rt_config receive_rt = { .fifo = config->fifo, .cpu = config->receive_cpu >= 0 ? config->receive_cpu : config->cpu };
	struct rt_result transmit_result, receive_result;
	static struct warnings warnings;
	pthread_t transmit, receive;
	bool locked;
	int error;

	sem_init(&x->go, 0, 0);
	error = rt_thread(&receive, &receive_rt, receive_thread, x, &receive_result, &warnings);
	if (error)
		return error;
	error = rt_thread(&transmit, &transmit_rt, transmit_thread, x, &transmit_result, &warnings);
	if (error) {
		atomic_store(&x->sending_done, true);
		control_join(receive, &x->receiving_done);
		return error;
	}
	locked = rt_lock_memory(&warnings);
	error = write_header(x, fd);
	if (error)
		atomic_store(&x->stop, true);
	sem_post(&x->go);
	if (!error)
		error = write_records(x, control, fd, transmit, receive);
	while (!atomic_load(&x->receiving_done)) {
		pthread_kill(transmit, SIGUSR1);
		pthread_kill(receive, SIGUSR1);
		clock_pause_ns(2 * NS_PER_MS);
	}
	pthread_join(transmit, NULL);
	pthread_join(receive, NULL);
	late_warnings(x, &warnings);
	print_summary(x, &receive_result, &transmit_result, locked, &warnings);
	return error;
}

int verb_send(int argc, char **argv)
{
	static struct send_config config = {
		.sock = { .vlan = -1 },
		.key = "-",
		.output = "-",
		.period_ns = NS_PER_MS,
		.size = 128,
		.timeout_ns = NS_PER_S,
		.tx_stamps_every = 1,
		.cpu = -1,
		.receive_cpu = -1,
	};
	static struct exchange x;
	struct control control;
	int error = args_parse(&command, argc, argv, &config);
	int fd;

	if (error == ARGS_HELP)
		return EXIT_FINE;
	if (error || check(&config))
		return EXIT_USAGE;
	config.sock.stamp_transmit = config.tx_stamps_every > 0;
	x.config = &config;
	if (control_open(&control, config.key, &x.key))
		return EXIT_USAGE;
	if (getrandom(&x.run, sizeof(x.run), 0) != sizeof(x.run)) {
		complain("getrandom: %s", strerror(errno));
		return EXIT_UNABLE;
	}
	if (sock_open_sender(&x.sock, &config.sock))
		return EXIT_UNABLE;
	fd = open_output(config.output);
	error = fd < 0 ? fd : allocate(&x);
	if (!error)
		error = run(&x, &control, fd);
	if (fd > STDERR_FILENO && close(fd) && !error) {
		error = -errno;
		complain("--output %s: %s", config.output, strerror(-error));
	}
	release(&x);
	return error ? EXIT_UNABLE : EXIT_FINE;
}
