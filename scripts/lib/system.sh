# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The programs of the distribution that latlab calls: which are missing, and how they are installed without changing
# more of the machine than that: no recommended packages, no service started or enabled.

readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_MARK="latlab setup: temporary"

# qemu_program: the system emulator for this machine's own architecture.
qemu_program() { echo "qemu-system-$(uname -m)"; }

# programs_needed: "program package" per line. Without these the emulated bench or its guest cannot be built.
programs_needed() {
    local qemu_package=qemu-system-x86
    [[ $(uname -m) == x86_64 ]] || qemu_package=qemu-system-arm
    cat <<LIST
$(qemu_program) $qemu_package
ip iproute2
tc iproute2
ethtool ethtool
ping iputils-ping
busybox busybox-static
depmod kmod
ps procps
xz xz-utils
LIST
    # Ubuntu compresses kernel modules with zstd.
    [[ $OS_ID != ubuntu ]] || echo zstd zstd
}

# programs_optional: instruments and loads beside the probe, and what one attachment alone needs (Open vSwitch, bpftool).
# latlab runs without them and says what is not measured.
# Of a user's own guest: ssh reaches it, qemu-img looks at its disk; dropbear, syslinux and mtools make the disk of the
# lab's tests (dropbear-bin is the program alone, without a service). For tests too: isochron and flent read our files,
# chromium our page.
programs_optional() {
    cat <<LIST
netperf netperf
iperf3 iperf3
ptp4l linuxptp
ovs-vswitchd openvswitch-switch
/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk openvswitch-switch-dpdk
bpftool bpftool
ssh openssh-client
qemu-img qemu-utils
dropbear dropbear-bin
mformat mtools
isochron isochron
flent flent
chromium chromium
LIST
    # It boots PCs; nothing else has it.
    [[ $(uname -m) != x86_64 ]] || echo syslinux syslinux
}

# DPDK's drivers that latlab's OVS uses, which OVS's package does not depend on.
readonly DPDK_DRIVERS=(librte-mempool-ring librte-net-af-packet librte-net-af-xdp)

# dpdk_drivers: their packages, of the DPDK that OVS was built with, whose version their names end in.
dpdk_drivers() {
    local version driver
    version=$(apt-cache -c "$APT/apt.conf" show --no-all-versions openvswitch-switch-dpdk |
        sed -nE 's/^Depends:.*librte-ethdev([0-9.]+).*/\1/p')
    [[ -n $version ]] || return 0
    for driver in "${DPDK_DRIVERS[@]}"; do echo "$driver$version"; done
}

# program_is_fit NAME: there, and of use: QEMU before 8.0 has no igb; a dynamic busybox needs more than itself in a guest;
# an OVS with DPDK needs DPDK's drivers.
program_is_fit() {
    command -v "$1" >/dev/null || return 1
    case $1 in
        qemu-system-*) [[ $("$1" --version) =~ version\ ([0-9]+) ]] && ((BASH_REMATCH[1] >= 8)) ;;
        */ovs-vswitchd-dpdk) compgen -G "/usr/lib/*/dpdk/pmds-*/librte_net_af_xdp.so*" >/dev/null ;;
        busybox) ! ldd "$(command -v busybox)" >/dev/null 2>&1 ;;
    esac
}

# packages_missing needed|optional: their names, each once.
packages_missing() {
    local program package
    "programs_$1" | while read -r program package; do
        program_is_fit "$program" || echo "$package"
    done | sort -u
    # A virtual environment that works needs its maker no more.
    [[ $1 == optional ]] || venv_is_ready || find_python >/dev/null || echo python3-venv
}

# Packages that were asked for and could not be had are remembered, or every call would ask for them again.
packages_unavailable() { cat "$APT/unavailable" 2>/dev/null || true; }

forbid_services() {
    # A policy of the machine's own stays: a container's forbids starting anyway, an administrator's knows better.
    if [[ -e $POLICY ]] && ! grep -q "$POLICY_MARK" "$POLICY"; then
        return 0
    fi
    # Holds only as long as this process lives: should it be killed, what it leaves behind forbids nothing.
    printf '#!/bin/sh\n# %s\nkill -0 %d 2>/dev/null && exit 101\nexit 0\n' "$POLICY_MARK" $$ >"$POLICY"
    chmod 755 "$POLICY"
}

allow_services() {
    if [[ -e $POLICY ]] && grep -q "$POLICY_MARK" "$POLICY"; then
        rm -f "$POLICY"
    fi
}

# apt_install PACKAGE...: those of the newer suite first, alone, so that nothing else comes from it.
apt_install() {
    local install=(apt-get -c "$APT/apt.conf" install --yes --no-install-recommends -oDpkg::Options::=--force-confold
        -oDPkg::Lock::Timeout=120)
    # needrestart (Ubuntu) would restart the machine's services after an installation.
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    local package older=() newer=()
    for package; do
        case $package in qemu-system-*) newer+=("$package") ;; *) older+=("$package") ;; esac
    done
    if ((${#newer[@]})); then
        # shellcheck disable=SC2046  # no word, or one
        "${install[@]}" $(apt_newer) "${newer[@]}" || return
    fi
    if ((${#older[@]})); then
        "${install[@]}" "${older[@]}" || return
    fi
    rm -rf "$APT/cache/archives"
}

# What these packages, and those that they depend on, make a service of every later start of the machine: open ports and
# a switch that nobody asked for.
readonly SERVICES=(netperf openvswitch-switch dpdk uuidd timemaster)

services_known() {
    local service
    for service in "${SERVICES[@]}"; do
        [[ ! -e /etc/init.d/$service && ! -e /lib/systemd/system/$service.service ]] || echo "$service"
    done
}

# switch_off SERVICE...
switch_off() {
    local service
    for service; do
        if [[ -e /etc/init.d/$service ]]; then
            update-rc.d "$service" disable || return
        else
            # Of systemd alone, which need not run here; the helper wants to be told that a package calls it.
            DPKG_MAINTSCRIPT_PACKAGE=$service deb-systemd-helper disable "$service.service" || return
        fi
        [[ ! -d /run/systemd/system ]] || systemctl stop "$service" || return
    done
}

install_packages() {
    local package available=() unavailable=() before new
    if [[ " $* " == *" openvswitch-switch-dpdk "* ]]; then
        # shellcheck disable=SC2046  # several words, without blanks
        set -- "$@" $(dpdk_drivers)
    fi
    for package; do
        if apt_has "$package"; then available+=("$package"); else unavailable+=("$package"); fi
    done
    if ((${#available[@]})); then
        trap allow_services EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        forbid_services
        before=$(services_known)
        say " to install: ${available[*]}"
        step "installed ${#available[@]} of ${OS_ID^}'s packages" apt_install "${available[@]}"
        mapfile -t new < <(services_known | grep -vxF "$before" || true)
        ((${#new[@]} == 0)) || step "left switched off: ${new[*]}" switch_off "${new[@]}"
        allow_services
        trap - EXIT INT TERM
    fi
    printf '%s\n' "${unavailable[@]}" >"$APT/unavailable"
    ((${#unavailable[@]} == 0)) || say " not to be had from this machine's sources: ${unavailable[*]}; latlab runs without"
}

# setup_system MODE: "all" tries everything that is missing, "auto" only what is needed or was not yet tried.
setup_system() {
    local needed optional
    mapfile -t needed < <(packages_missing needed)
    mapfile -t optional < <(packages_missing optional)
    if [[ $1 == auto ]]; then
        mapfile -t optional < <(printf '%s\n' "${optional[@]}" | grep -vxFf <(packages_unavailable; echo))
    fi
    ((${#needed[@]} + ${#optional[@]})) || return 0

    if ((${#needed[@]} == 0)) && { ((EUID != 0)) || ! apt_is_known; }; then
        say " optional and missing: ${optional[*]} (sudo scripts/setup system)"
        return 0
    fi
    if ((EUID != 0)); then
        give_up "these packages are missing: ${needed[*]} ${optional[*]}" "Run: sudo scripts/setup system"
    fi
    apt_is_known || give_up "this is neither Debian nor Ubuntu, and these packages are missing: ${needed[*]}" \
        "Install what your distribution calls them, then call this again."
    take_lock
    apt_prepare
    install_packages "${needed[@]}" "${optional[@]}"
    mapfile -t needed < <(packages_missing needed)
    ((${#needed[@]} == 0)) || give_up "still missing or too old after the installation: ${needed[*]}" \
        "QEMU must be 8.0 or later, Python 3.11 or later. The whole log: $LOG"
}
