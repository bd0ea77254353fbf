/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * bpf_helpers: the little of the kernel's interface to BPF programs that ours use, so that building them needs neither
 * the kernel's headers nor libbpf's. Numbers and layouts are the kernel's ABI (include/uapi/linux/bpf.h): they never
 * change. Maps are described in BTF, as libbpf's loader reads them: `__uint(type, ...)` is an array's length.
 */
#ifndef BPF_HELPERS_H
#define BPF_HELPERS_H

#include <stdbool.h>
#include <stdint.h>

#define SEC(name)	  __attribute__((section(name), used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val) *name
#define ALWAYS_INLINE	  static inline __attribute__((always_inline))

enum { BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_ARRAY = 6, BPF_MAP_TYPE_LRU_HASH = 9, BPF_MAP_TYPE_DEVMAP_HASH = 25 };

enum xdp_action { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT };

/* What a program is given. `data` and `data_end` are addresses, in 32 bits that the verifier widens. */
struct xdp_md {
	uint32_t data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, uint64_t flags) = (void *)2;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
/* `otherwise` is returned when the map has no such key. */
static long (*const bpf_redirect_map)(void *map, uint32_t key, uint64_t otherwise) = (void *)51;
/* Nanoseconds since the start, as of the last tick. Linux 5.11. */
static uint64_t (*const bpf_ktime_get_coarse_ns)(void) = (void *)160;

#endif
