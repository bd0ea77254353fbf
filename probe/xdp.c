// SPDX-License-Identifier: Apache-2.0
/*
 * xdp: attaches a pinned XDP program to an interface, through a BPF link that is pinned too.
 *
 * A link, because the kernel then guards both sides: it is refused (EBUSY) where any program is attached, nobody can
 * put another program in its place, and detaching it can take off no program but its own. What iproute2 and bpftool
 * attach is attached by interface alone: taking it off later takes off whatever is there then.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "args.h"
#include "note.h"
#include "verbs.h"

static const char *const modes[] = { "native", "generic", NULL };
static const uint32_t mode_flags[] = { XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE };

struct xdp_config {
	const char *program, *device, *pin;
	int64_t mode;
};

static const struct arg_option options[] = {
	{ .name = "program", .kind = ARG_TEXT, .offset = offsetof(struct xdp_config, program),
	  .help = "path at which the loaded program is pinned" },
	{ .name = "device", .kind = ARG_INTERFACE, .offset = offsetof(struct xdp_config, device),
	  .help = "interface to attach it to" },
	{ .name = "mode", .kind = ARG_CHOICE, .offset = offsetof(struct xdp_config, mode), .choices = modes,
	  .help = "native: in the driver; generic: in the kernel's stack" },
	{ .name = "pin", .kind = ARG_TEXT, .offset = offsetof(struct xdp_config, pin),
	  .help = "path to pin the link at, on a bpf file system" },
	{ 0 },
};

static const struct arg_command command = { "xdp", "attach a pinned XDP program to an interface", options };

/* A descriptor, 0 for those commands that give none, or a negative errno. */
static int bpf(enum bpf_cmd number, union bpf_attr *attr)
{
	long result = syscall(SYS_bpf, number, attr, sizeof(*attr));

	return result < 0 ? -errno : (int)result;
}

static int open_pinned(const char *path)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = (uintptr_t)path;
	return bpf(BPF_OBJ_GET, &attr);
}

static int make_link(int program, uint32_t index, uint32_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.target_ifindex = index;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = flags;
	return bpf(BPF_LINK_CREATE, &attr);
}

static int pin_object(int fd, const char *path)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.bpf_fd = (uint32_t)fd;
	attr.pathname = (uintptr_t)path;
	return bpf(BPF_OBJ_PIN, &attr);
}

static const char *reason(int err)
{
	switch (err) {
	case -EBUSY:
	case -EEXIST:
		return "another XDP program is attached";
	case -EOPNOTSUPP:
		return "its driver has no XDP of that mode";
	case -ERANGE:
		return "its MTU, or its peer's, is larger than XDP of that mode can take";
	}
	return strerror(-err);
}

int verb_xdp(int argc, char **argv)
{
	struct xdp_config c = { 0 };
	int program, link, err = args_parse(&command, argc, argv, &c);
	uint32_t index;

	if (err)
		return err < 0 ? EXIT_USAGE : EXIT_FINE;
	if (!c.program || !c.device || !c.pin) {
		complain("xdp needs --program PATH, --device IFNAME and --pin PATH");
		return EXIT_USAGE;
	}
	index = if_nametoindex(c.device);
	if (!index) {
		complain("there is no interface %s", c.device);
		return EXIT_UNABLE;
	}
	program = open_pinned(c.program);
	if (program < 0) {
		complain("%s: no BPF program that can be used: %s", c.program, strerror(-program));
		return EXIT_UNABLE;
	}
	link = make_link(program, index, mode_flags[c.mode]);
	if (link < 0) {
		complain("%s: %s XDP cannot be attached: %s", c.device, modes[c.mode], reason(link));
		return EXIT_UNABLE;
	}
	/* Not pinned, it would be gone with this process: then nothing was attached. */
	err = pin_object(link, c.pin);
	if (err)
		complain("%s: the link cannot be pinned there: %s", c.pin, strerror(-err));
	close(link);
	close(program);
	return err ? EXIT_UNABLE : EXIT_FINE;
}
