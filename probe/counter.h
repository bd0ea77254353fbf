/* SPDX-License-Identifier: Apache-2.0 */
/* counter: the processor's own count of time, which no clock service touches: TSC on x86, CNTVCT on Arm. */
#ifndef PROBE_COUNTER_H
#define PROBE_COUNTER_H

#include <stdint.h>

#if defined(__x86_64__)

#define COUNTER_NAME "tsc"

/* Fenced on both sides: what stands around it in the program happens around it in the processor. */
static inline uint64_t counter_now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

#elif defined(__aarch64__)

#define COUNTER_NAME "cntvct"

static inline uint64_t counter_now(void)
{
	uint64_t count;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(count) : : "memory");
	return count;
}

#else
#error "no counter is known for this architecture"
#endif

#endif
