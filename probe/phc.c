// SPDX-License-Identifier: Apache-2.0
/* phc: the three ioctls that compare a PTP hardware clock with the system's (include/uapi/linux/ptp_clock.h). */
#include "phc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "note.h"

const char *const phc_way_names[] = { "precise", "extended", "basic", NULL };

static int64_t time_ns(const struct ptp_clock_time *time)
{
	return time->sec * NS_PER_S + time->nsec;
}

int phc_open(const char *path, int *fd)
{
	struct ptp_clock_caps caps;
	int error = 0;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0) {
		error = -errno;
		complain("%s: %s: `ls /dev/ptp*` shows the clocks, /sys/class/ptp/*/clock_name what they are", path, strerror(-error));
	} else if (ioctl(*fd, (int)PTP_CLOCK_GETCAPS, &caps)) {
		error = -errno;
		complain("%s: %s: it is no PTP hardware clock", path, strerror(-error));
		close(*fd);
	}
	return error;
}

/* Keeps the tightest: a reading that was interrupted is wider. */
static void consider(struct phc_reading *best, const struct ptp_clock_time *before, const struct ptp_clock_time *phc,
		     const struct ptp_clock_time *after)
{
	int64_t before_ns = time_ns(before), width_ns = time_ns(after) - before_ns;

	/* A system clock that was stepped back in between gives a width below 0. */
	if (width_ns < 0 || (best->width_ns >= 0 && width_ns >= best->width_ns))
		return;
	best->system_ns = before_ns + width_ns / 2;
	best->phc_ns = time_ns(phc);
	best->width_ns = width_ns;
}

static int read_precise(int fd, struct phc_reading *reading)
{
	struct ptp_sys_offset_precise both = { 0 };

	if (ioctl(fd, (int)PTP_SYS_OFFSET_PRECISE, &both))
		return -errno;
	reading->system_ns = time_ns(&both.sys_realtime);
	reading->phc_ns = time_ns(&both.device);
	reading->width_ns = 0;
	return 0;
}

static int read_extended(int fd, unsigned int tries, struct phc_reading *reading)
{
	struct ptp_sys_offset_extended all = { .n_samples = tries };

	if (ioctl(fd, (int)PTP_SYS_OFFSET_EXTENDED, &all))
		return -errno;
	for (unsigned int i = 0; i < tries; i++)
		consider(reading, &all.ts[i][0], &all.ts[i][1], &all.ts[i][2]);
	return 0;
}

/* System, clock, system, clock, ..., system: each clock's reading stands between two of the system's. */
static int read_basic(int fd, unsigned int tries, struct phc_reading *reading)
{
	struct ptp_sys_offset all = { .n_samples = tries };

	if (ioctl(fd, (int)PTP_SYS_OFFSET, &all))
		return -errno;
	for (unsigned int i = 0; i < tries; i++)
		consider(reading, &all.ts[2 * i], &all.ts[2 * i + 1], &all.ts[2 * i + 2]);
	return 0;
}

static int read_by(int fd, enum phc_way way, unsigned int tries, struct phc_reading *reading)
{
	switch (way) {
	case PHC_PRECISE:
		return read_precise(fd, reading);
	case PHC_EXTENDED:
		return read_extended(fd, tries, reading);
	default:
		return read_basic(fd, tries, reading);
	}
}

int phc_read(int fd, enum phc_way *way, unsigned int tries, struct phc_reading *reading)
{
	int error;

	for (;; (*way)++) {
		*reading = (struct phc_reading){ .way = *way, .width_ns = -1 };
		error = read_by(fd, *way, tries, reading);
		/*
		 * ENOTTY and EINVAL: a kernel that does not know it. ENODEV: PRECISE of ptp_kvm, in a guest whose
		 * clocksource is another than kvm-clock (get_device_system_crosststamp).
		 */
		if (*way == PHC_BASIC || (error != -EOPNOTSUPP && error != -ENOTTY && error != -EINVAL && error != -ENODEV))
			break;
	}
	return !error && reading->width_ns < 0 ? -EAGAIN : error;
}
