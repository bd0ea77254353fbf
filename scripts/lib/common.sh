# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the parts of scripts/setup share: where things are kept, how a step is shown, how one gives up.
# A step's output goes to a log, and is shown only when the step fails.

readonly EXIT_NOT_ABLE=4 # the machine cannot do it: the same number as latlab's own

# Debian keeps ip, tc, ethtool and depmod out of an ordinary user's PATH.
export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"
export LC_ALL=C.UTF-8

# A home that is absent, or somebody else's (sudo may keep the caller's), would be left with files of the wrong owner.
if [[ -z ${HOME:-} || ! -O $HOME ]]; then
    HOME=$(getent passwd "$EUID" | cut -d: -f6)
    export HOME
    unset XDG_CACHE_HOME
fi
readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/latlab
readonly LOG=$CACHE/setup.log

say() { printf '%s\n' "$*" >&2; }

# give_up WHAT WHAT-TO-DO
give_up() {
    say "setup: $1"
    say "$2"
    exit "$EXIT_NOT_ABLE"
}

# One setup at a time: two would unpack over each other. The lock is released when this process ends, however it ends.
LOCK_IS_TAKEN=
take_lock() {
    [[ -z $LOCK_IS_TAKEN ]] || return 0
    mkdir -p "$CACHE"
    exec 9>"$CACHE/setup.lock"
    flock --nonblock 9 || { say "waiting for another setup to end"; flock 9; }
    : >"$LOG"
    LOCK_IS_TAKEN=yes
}

# seconds_since MICROSECONDS: with one decimal
seconds_since() {
    local tenths=$(((${EPOCHREALTIME/[.,]/} - $1 + 50000) / 100000))
    printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# step WORDS COMMAND...: runs it and tells, in the past tense, what was done and how long it took.
# The lock is not inherited, or a daemon left behind by a package would hold it for ever.
step() {
    local words=$1 start=${EPOCHREALTIME/[.,]/}
    shift
    [[ ! -t 2 ]] || printf ' %s ...' "$words" >&2
    if ! "$@" </dev/null >>"$LOG" 2>&1 9>&-; then
        [[ ! -t 2 ]] || printf '\r\033[K' >&2
        tail -n 20 "$LOG" | sed 's/^/    /' >&2
        give_up "failed: $words" "The whole log: $LOG"
    fi
    [[ ! -t 2 ]] || printf '\r\033[K' >&2
    printf ' %-58s %7s s\n' "$words" "$(seconds_since "$start")" >&2
}
