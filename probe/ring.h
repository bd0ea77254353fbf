/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring: a byte queue between one thread that must never wait (it measures) and one that may (it writes to disk).
 * A put that does not fit is refused whole; the caller counts it.
 */
#ifndef PROBE_RING_H
#define PROBE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *bytes;
	size_t capacity;                        /* bytes, a power of two */
	_Alignas(64) _Atomic uint64_t put;      /* bytes ever put */
	_Alignas(64) _Atomic uint64_t taken;    /* bytes ever taken */
};

/* 0, or -ENOMEM. `capacity` is a power of two. */
int ring_create(struct ring *ring, size_t capacity);
void ring_destroy(struct ring *ring);

bool ring_put(struct ring *ring, const void *data, size_t size);

/* The longest run of bytes that lie side by side; 0 = empty. They stay until ring_take(). */
size_t ring_peek(struct ring *ring, const uint8_t **data);
void ring_take(struct ring *ring, size_t size);

#endif
