# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# apt, without touching the machine's own apt configuration: a private list of sources and a private folder of package
# lists, so that packages of other components and of backports can be had, with or without root.
# The sources are the machine's own mirrors; signatures are checked as ever.

readonly APT=$CACHE/apt
readonly APT_LISTS_MAX_AGE_MINUTES=1440

read_os_release() {
    OS_ID=$(. /etc/os-release && echo "${ID:-}")
    OS_CODENAME=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
}

apt_is_known() { [[ $OS_ID == debian || $OS_ID == ubuntu ]] && command -v apt-get >/dev/null; }

# The suite that has the QEMU (>= 8.0, for igb) and the kernel that the bench needs, where the release's own are older.
apt_newer_suite() { [[ $OS_CODENAME != bookworm ]] || echo bookworm-backports; }

# write_apt_conf FILE SOURCES SOURCE-PARTS
write_apt_conf() {
    cat >"$1" <<CONF
// Hooks of the machine's own updates (indexing, caches) have no business with a private list.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::SourceList "$2";
Dir::Etc::SourceParts "$3";
Dir::State::Lists "$APT/lists";
Dir::Cache "$APT/cache";
// apt's own user may not enter a home folder.
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Retries "3";
Acquire::Languages "none";
CONF
}

# own_repositories: of the distribution itself, one per line: address, suite, codename, keyring ("-": none known).
own_repositories() {
    local keyring=/usr/share/keyrings/$OS_ID-archive-keyring.gpg
    [[ -r $keyring ]] || keyring=-
    # apt of Debian 12 does not know SIGNED_BY and leaves the word as it is; a key may also be written out in place.
    apt-get -c "$1" indextargets --format 'T $(REPO_URI) $(RELEASE) $(CODENAME) $(SIGNED_BY)' \
        'Created-By: Packages' "Origin: ${OS_ID^}" |
        awk -v codename="$OS_CODENAME" -v keyring="$keyring" '
            $1 != "T" || $2 ~ /^cdrom:/ || $3 ~ /-(backports|proposed|proposed-updates)$/ { next }
            $4 == codename || index($4, codename "-") == 1 { print $2, $3, $4, $5 ~ /^\// ? $5 : keyring }' |
        sort -u
}

# private_sources: from own_repositories on standard input to lines of a sources.list.
private_sources() {
    local uri suite codename keyring options components
    while read -r uri suite codename keyring; do
        options="[arch=$(dpkg --print-architecture)]"
        [[ $keyring == - ]] || options="${options%]} signed-by=$keyring]"
        components=main
        # netperf: non-free in Debian 12, main since Debian 13, multiverse in Ubuntu.
        [[ $OS_ID != ubuntu ]] || components="main restricted universe multiverse"
        [[ $codename != bookworm ]] || components="main non-free"
        echo "deb $options $uri $suite $components"
        [[ $codename != bookworm ]] || echo "deb $options $uri bookworm-backports main"
    done
}

apt_prepare_anew() {
    mkdir -p "$APT/lists/partial" "$APT/cache/archives/partial" || return
    local repositories
    write_apt_conf "$APT/own.conf" /etc/apt/sources.list /etc/apt/sources.list.d || return
    # The machine's own lists tell suites and origins, if it has any; a fresh container has none.
    sed '/^Dir::State::Lists/d' "$APT/own.conf" >"$APT/machine.conf" || return
    repositories=$(own_repositories "$APT/machine.conf") || return
    if [[ -z $repositories ]]; then
        apt-get -c "$APT/own.conf" update || return
        repositories=$(own_repositories "$APT/own.conf") || return
    fi
    if [[ -z $repositories ]]; then
        echo "apt has no network source of ${OS_ID^} $OS_CODENAME in /etc/apt/sources.list or sources.list.d"
        return 1
    fi
    private_sources <<<"$repositories" >"$APT/sources.list" || return
    write_apt_conf "$APT/apt.conf" "$APT/sources.list" - || return
    apt-get -c "$APT/apt.conf" update || return
    touch "$APT/fresh"
}

# apt_prepare: package lists no older than a day.
apt_prepare() {
    [[ -z $(find "$APT/fresh" -mmin "-$APT_LISTS_MAX_AGE_MINUTES" 2>/dev/null) ]] || return 0
    step "fetched the package lists" apt_prepare_anew
}

# apt_newer: the option that prefers the newer suite, if there is one, as words to put on a command line.
apt_newer() {
    local suite
    suite=$(apt_newer_suite)
    [[ -z $suite ]] || echo "-oAPT::Default-Release=$suite"
}

apt_has() { [[ -n $(apt-cache -c "$APT/apt.conf" show --no-all-versions "$1" 2>/dev/null) ]]; }
