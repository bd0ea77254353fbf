// SPDX-License-Identifier: Apache-2.0
/* clock: the TAI offset, measured rather than read, so that it is the one the kernel really uses. */
#include "clock.h"

int64_t clock_tai_offset_ns(void)
{
	int64_t before_ns = clock_now_ns(CLOCK_REALTIME);
	int64_t tai_ns = clock_now_ns(CLOCK_TAI);
	int64_t after_ns = clock_now_ns(CLOCK_REALTIME);
	int64_t difference_ns = tai_ns - (before_ns + (after_ns - before_ns) / 2);
	int64_t half_s = difference_ns < 0 ? -NS_PER_S / 2 : NS_PER_S / 2;

	return (difference_ns + half_s) / NS_PER_S * NS_PER_S;
}

void clock_pause_ns(int64_t duration_ns)
{
	struct timespec duration = clock_timespec(duration_ns);

	nanosleep(&duration, NULL);
}
