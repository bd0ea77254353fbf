/* SPDX-License-Identifier: Apache-2.0 */
/* phc: a NIC's clock (PTP hardware clock), compared with the system's by the best way that its driver has. */
#ifndef PROBE_PHC_H
#define PROBE_PHC_H

#include <stdint.h>

#define PHC_TRIES_MAX 25 /* PTP_MAX_SAMPLES */

enum phc_way {
	PHC_PRECISE,    /* PTP_SYS_OFFSET_PRECISE: both at one instant, by the hardware or the hypervisor */
	PHC_EXTENDED,   /* PTP_SYS_OFFSET_EXTENDED: the driver reads the system clock right around the NIC's register */
	PHC_BASIC,      /* PTP_SYS_OFFSET: the kernel reads the system clock around the driver's function */
	PHC_WAYS,
};

struct phc_reading {
	enum phc_way way;
	int64_t system_ns;      /* CLOCK_REALTIME, in the middle of its two readings */
	int64_t phc_ns;
	int64_t width_ns;       /* between these two readings; 0: PHC_PRECISE, where there is only one */
};

extern const char *const phc_way_names[]; /* by enum phc_way, ends with NULL */

/* 0 and the descriptor, or -errno after one line on stderr. */
int phc_open(const char *path, int *fd);

/*
 * The tightest of `tries` readings, by `*way` or, where the driver lacks it, by the next one, which `*way` then is.
 * 0 or -errno, silent.
 */
int phc_read(int fd, enum phc_way *way, unsigned int tries, struct phc_reading *reading);

#endif
