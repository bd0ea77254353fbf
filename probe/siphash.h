/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siphash: SipHash-2-4 with a 64-bit result (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
 * It is the keyed hash that lets the probe answer only the packets of its own session.
 */
#ifndef PROBE_SIPHASH_H
#define PROBE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

/* The key as the paper writes it: 16 bytes, each half little-endian. */
struct siphash_key siphash_key_from_bytes(const uint8_t bytes[16]);

/* 32 hexadecimal digits; 0, or -EINVAL. */
int siphash_key_from_hex(const char *text, struct siphash_key *key);

uint64_t siphash(const struct siphash_key *key, const void *data, size_t size);

#endif
