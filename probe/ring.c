// SPDX-License-Identifier: Apache-2.0
/* ring: single producer, single consumer, no locks; the two counters only ever grow. */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ring_create(struct ring *ring, size_t capacity)
{
	ring->bytes = malloc(capacity);
	if (!ring->bytes)
		return -ENOMEM;
	memset(ring->bytes, 0, capacity); /* touch every page now: a page fault later would be measured */
	ring->capacity = capacity;
	atomic_init(&ring->put, 0);
	atomic_init(&ring->taken, 0);
	return 0;
}

void ring_destroy(struct ring *ring)
{
	free(ring->bytes);
	ring->bytes = NULL;
}

bool ring_put(struct ring *ring, const void *data, size_t size)
{
	uint64_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
	uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
	size_t at = put & (ring->capacity - 1);
	size_t first = ring->capacity - at;

	if (ring->capacity - (put - taken) < size)
		return false;
	if (first > size)
		first = size;
	memcpy(ring->bytes + at, data, first);
	memcpy(ring->bytes, (const uint8_t *)data + first, size - first);
	atomic_store_explicit(&ring->put, put + size, memory_order_release);
	return true;
}

size_t ring_peek(struct ring *ring, const uint8_t **data)
{
	uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
	uint64_t put = atomic_load_explicit(&ring->put, memory_order_acquire);
	size_t at = taken & (ring->capacity - 1);
	size_t size = put - taken;

	*data = ring->bytes + at;
	return size < ring->capacity - at ? size : ring->capacity - at;
}

void ring_take(struct ring *ring, size_t size)
{
	uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

	atomic_store_explicit(&ring->taken, taken + size, memory_order_release);
}
