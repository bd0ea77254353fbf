# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernel of the emulated bench and of its guests: the distribution's own, unpacked beside the machine, not installed.
#   CACHE/kernels/RELEASE/boot/vmlinuz-RELEASE  boot/config-RELEASE  lib/modules/RELEASE/
#   CACHE/kernels/current -> RELEASE

readonly KERNELS=$CACHE/kernels

kernel_is_ready() { compgen -G "$KERNELS/current/boot/vmlinuz-*" >/dev/null; }

kernel_metapackage() {
    if [[ $OS_ID == ubuntu ]]; then echo linux-image-generic; else echo "linux-image-$(dpkg --print-architecture)"; fi
}

kernel_apt() {
    local program=$1
    shift
    # shellcheck disable=SC2046  # no word, or one
    "$program" -c "$APT/apt.conf" $(apt_newer) "$@"
}

# kernel_parts: names of kernel packages with a version in them, out of the Depends of `apt-cache show`.
kernel_parts() {
    sed -nE 's/^(Pre-)?Depends: //p' | tr ',' '\n' | sed -E 's/^ *([^ (|:]+).*/\1/' |
        grep -E '^linux-(image|modules|modules-extra|binary)-[0-9]' || true
}

# kernel_packages META: what META stands for, and what that needs: one package in Debian, three in Ubuntu.
kernel_packages() {
    local queue=("$1") found=() part parts
    while ((${#queue[@]})); do
        parts=$(kernel_apt apt-cache show --no-all-versions "${queue[0]}" | kernel_parts)
        queue=("${queue[@]:1}")
        for part in $parts; do
            if [[ " ${found[*]} " != *" $part "* ]]; then
                found+=("$part")
                queue+=("$part")
            fi
        done
    done
    # Without any, printf would print an empty line, which mapfile takes for a package without a name.
    if ((${#found[@]})); then printf '%s\n' "${found[@]}"; fi
}

# unpack_kernel PACKAGE...: downloads into a temporary folder and puts the result in place with renames only.
unpack_kernel() {
    local temporary release deb
    rm -rf "$KERNELS"/.new.* || return # left by a setup that was killed
    mkdir -p "$KERNELS" "$APT/cache/archives/partial" || return
    temporary=$(mktemp -d "$KERNELS/.new.XXXXXX") || return
    (cd "$temporary" && kernel_apt apt-get download "$@") || return
    for deb in "$temporary"/*.deb; do
        dpkg-deb -x "$deb" "$temporary/all" || return
        rm "$deb" || return
    done
    release=$(basename "$temporary"/all/boot/vmlinuz-*) || return
    release=${release#vmlinuz-}
    mkdir -p "$temporary/kept/boot" "$temporary/kept/lib/modules" || return
    mv "$temporary/all/boot/"{vmlinuz,config}-"$release" "$temporary/kept/boot/" || return
    # Debian 13 moved the modules below /usr.
    if [[ -d $temporary/all/usr/lib/modules/$release ]]; then
        mv "$temporary/all/usr/lib/modules/$release" "$temporary/kept/lib/modules/" || return
    else
        mv "$temporary/all/lib/modules/$release" "$temporary/kept/lib/modules/" || return
    fi
    depmod -b "$temporary/kept" "$release" || return
    printf '%s\n' "$@" >"$temporary/kept/packages" || return

    if [[ -e $KERNELS/$release ]]; then
        mv -T "$KERNELS/$release" "$temporary/old" || return
    fi
    mv -T "$temporary/kept" "$KERNELS/$release" || return
    ln -s "$release" "$temporary/current" && mv -T "$temporary/current" "$KERNELS/current" || return
    rm -rf "$temporary"
}

# setup_kernel MODE: "auto" is content with any kernel that is there; "all" looks for a newer one.
setup_kernel() {
    if [[ $1 == auto ]] && kernel_is_ready; then
        return 0
    fi
    apt_is_known || give_up "the kernel of the bench is taken from Debian's or Ubuntu's packages, and this is neither" \
        "Put a kernel of at least 6.1 and its modules into $KERNELS/current/{boot,lib/modules} by hand."
    take_lock
    apt_prepare
    local packages
    mapfile -t packages < <(kernel_packages "$(kernel_metapackage)")
    ((${#packages[@]})) || give_up "$(kernel_metapackage) names no kernel package" "The whole log: $LOG"
    if kernel_is_ready && [[ $(cat "$KERNELS/current/packages" 2>/dev/null) == "$(printf '%s\n' "${packages[@]}")" ]]; then
        say " the kernel is the newest: $(readlink "$KERNELS/current")"
        return 0
    fi
    step "unpacked the bench's kernel" unpack_kernel "${packages[@]}"
}
