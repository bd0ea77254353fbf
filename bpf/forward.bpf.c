// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A layer-2 forwarder in XDP, in front of a kernel bridge. The same program runs on every port (a NIC and taps), and
 * they share its maps. A frame to a station that is known behind another port is redirected there; everything else
 * goes on to the kernel, where the ports belong to a bridge that does with it what bridges do.
 *
 * A station is a MAC address in a VLAN: 802.1Q's independent learning. The VLAN is the ID in the outer tag, whether
 * 802.1Q or 802.1ad; no tag, and a tag with ID 0 (priority only), are VLAN 0. An inner tag is data. Tags must be in the
 * frame: a NIC that takes them out has to be told not to.
 *
 * Learnt from the source of every frame, also of one that is passed on; a station that speaks behind another port has
 * moved. An entry that was not refreshed for `ageing_ns` is removed when somebody asks for it. When the table is full,
 * the station not heard of for longest gives way.
 *
 * Frames must be whole, with their checksums in them: neither survives a redirect if left for later.
 */
#include "bpf_helpers.h"

#define MAX_STATIONS 4096
#define MAX_PORTS    64
#define TAG_8021Q    0x8100
#define TAG_8021AD   0x88a8
#define VLAN_ID	     0x0fff

struct ethernet {
	uint8_t destination[6], source[6];
	uint8_t type[2];
};

struct tag {
	uint8_t control[2], type[2];
};

struct station {
	uint8_t mac[6];
	uint16_t vlan;
};

struct entry {
	uint64_t seen_ns; /* CLOCK_MONOTONIC_COARSE */
	uint32_t port;	  /* an interface's index */
	uint32_t unused;
};

struct settings {
	uint64_t ageing_ns;
	uint32_t nic;	/* the port whose frames count as inward */
	uint8_t own[6]; /* the hypervisor's own MAC, on the bridge */
	uint8_t unused[6];
};

/* What became of a frame, and of the table. attachment/forwarder.py has the same list. */
enum path {
	REDIRECTED,
	PASSED_UNKNOWN,
	PASSED_MULTICAST,
	PASSED_RUNT,
	PASSED_SAME_PORT,
	PASSED_TO_THE_HYPERVISOR,
	LEARNT,
	MOVED,
	AGED,
	PATHS
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_STATIONS);
	__type(key, struct station);
	__type(value, struct entry);
} stations SEC(".maps");

/* The ports, by interface index. The kernel takes one out when its device goes. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, MAX_PORTS);
	__type(key, uint32_t);
	__type(value, uint32_t);
} ports SEC(".maps");

/* Of frames from the NIC, then of frames from the other ports. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * PATHS);
	__type(key, uint32_t);
	__type(value, uint64_t);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct settings);
} settings SEC(".maps");

ALWAYS_INLINE void count(bool inward, enum path path)
{
	uint32_t key = (inward ? 0 : PATHS) + path;
	uint64_t *counter = bpf_map_lookup_elem(&counters, &key);

	if (counter)
		(*counter)++; /* each CPU has its own, and XDP is not interrupted by XDP */
}

ALWAYS_INLINE bool is_multicast(const uint8_t *mac) { return mac[0] & 1; }

ALWAYS_INLINE bool is_zero(const uint8_t *mac) { return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]); }

ALWAYS_INLINE bool is_same(const uint8_t *one, const uint8_t *other)
{
	for (int i = 0; i < 6; i++)
		if (one[i] != other[i])
			return false;
	return true;
}

ALWAYS_INLINE void learn(const struct station *source, uint32_t port, uint64_t now_ns, bool inward)
{
	struct entry *known = bpf_map_lookup_elem(&stations, source);

	if (!known) {
		struct entry fresh = { .seen_ns = now_ns, .port = port };

		if (!bpf_map_update_elem(&stations, source, &fresh, 0))
			count(inward, LEARNT);
		return;
	}
	/* Written only when changed: the other CPUs read it. */
	if (known->port != port) {
		known->port = port;
		count(inward, MOVED);
	}
	if (known->seen_ns != now_ns)
		known->seen_ns = now_ns;
}

int latlab_forward(struct xdp_md *context);

SEC("xdp")
int latlab_forward(struct xdp_md *context)
{
	const uint8_t *data = (const uint8_t *)(uintptr_t)context->data;
	const uint8_t *end = (const uint8_t *)(uintptr_t)context->data_end;
	const struct ethernet *header = (const struct ethernet *)data;
	struct station source = { 0 }, destination = { 0 };
	uint32_t zero = 0, port = context->ingress_ifindex, to;
	const struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	uint64_t now_ns = bpf_ktime_get_coarse_ns();
	struct entry *known;
	uint16_t type;
	bool inward;

	if (!set)
		return XDP_PASS; /* cannot be: an array's elements always exist */
	inward = port == set->nic;
	if (data + sizeof(*header) > end)
		goto runt;
	type = (uint16_t)(header->type[0] << 8 | header->type[1]);
	if (type == TAG_8021Q || type == TAG_8021AD) {
		const struct tag *tag = (const struct tag *)(header + 1);

		if ((const uint8_t *)(tag + 1) > end)
			goto runt;
		source.vlan = (uint16_t)(tag->control[0] << 8 | tag->control[1]) & VLAN_ID;
		destination.vlan = source.vlan;
	}
	__builtin_memcpy(source.mac, header->source, sizeof(source.mac));
	__builtin_memcpy(destination.mac, header->destination, sizeof(destination.mac));

	/* No station has such an address; the bridge drops the frame. */
	if (!is_multicast(source.mac) && !is_zero(source.mac))
		learn(&source, port, now_ns, inward);

	if (is_multicast(destination.mac)) {
		count(inward, PASSED_MULTICAST);
		return XDP_PASS;
	}
	/* Never learnt, since it does not speak from behind a port. */
	if (is_same(destination.mac, set->own)) {
		count(inward, PASSED_TO_THE_HYPERVISOR);
		return XDP_PASS;
	}
	known = bpf_map_lookup_elem(&stations, &destination);
	if (!known)
		goto unknown;
	/* Another CPU may have refreshed it after we looked at the clock: the difference is signed. */
	if ((int64_t)(now_ns - known->seen_ns) > (int64_t)set->ageing_ns) {
		if (!bpf_map_delete_elem(&stations, &destination))
			count(inward, AGED);
		goto unknown;
	}
	to = known->port;
	if (to == port) {
		count(inward, PASSED_SAME_PORT);
		return XDP_PASS;
	}
	if (bpf_redirect_map(&ports, to, XDP_PASS) != XDP_REDIRECT)
		goto unknown; /* it was learnt behind a port that is one no more */
	count(inward, REDIRECTED);
	return XDP_REDIRECT;

unknown:
	count(inward, PASSED_UNKNOWN);
	return XDP_PASS;
runt:
	count(inward, PASSED_RUNT);
	return XDP_PASS;
}

/* What the kernel asks for is whether it may be used with GPL-only helpers; of our two licences, one is this. */
char LICENSE[] SEC("license") = "GPL";
