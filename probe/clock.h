/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: every time in the probe is an int64 count of nanoseconds on CLOCK_TAI, unless its name says otherwise.
 * The kernel's software time stamps are CLOCK_REALTIME; adding the TAI offset puts them on the same scale.
 */
#ifndef PROBE_CLOCK_H
#define PROBE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static inline int64_t clock_now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static inline struct timespec clock_timespec(int64_t time_ns)
{
	return (struct timespec){ .tv_sec = time_ns / NS_PER_S, .tv_nsec = time_ns % NS_PER_S };
}

/* CLOCK_TAI - CLOCK_REALTIME in ns, a whole number of seconds: 37 s where the kernel was told, 0 where it was not. */
int64_t clock_tai_offset_ns(void);

/* Sleeps for a relative time, for the waits that are not measured. */
void clock_pause_ns(int64_t duration_ns);

#endif
