# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# .venv: the locked, hashed Python packages, and latlab itself, editable, with its probe and its XDP forwarder. Two stamps in it tell what
# it was made of; they are written last, so an interrupted setup is done again.

venv_lock_key() { sha256sum requirements.lock; }

# The folder is part of the key: an editable install names it.
venv_project_key() { { pwd && cat pyproject.toml hatch_build.py probe/*.[ch] bpf/*.[ch]; } | sha256sum; }

stamp_is() { [[ -f .venv/$1 && $(<".venv/$1") == "$2" ]]; }

venv_has_packages() { [[ -x .venv/bin/python ]] && stamp_is .latlab-lock "$(venv_lock_key)"; }

venv_is_ready() {
    venv_has_packages && stamp_is .latlab-project "$(venv_project_key)" &&
        compgen -G "src/latlab/_bin/latlab-probe-*" >/dev/null && [[ -f src/latlab/_bin/forward.bpf.o ]]
}

# find_python: a Python of at least 3.11 that can make virtual environments.
find_python() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

pip_install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@"; }

make_venv() { rm -f .venv/.latlab-* && "$1" -m venv --clear .venv; }

install_locked() {
    pip_install --require-hashes -r requirements.lock || return
    venv_lock_key >.venv/.latlab-lock
}

install_project() {
    pip_install --no-deps --no-build-isolation -e . || return
    venv_project_key >.venv/.latlab-project
}

setup_user() {
    ! venv_is_ready || return 0
    take_lock
    if ! venv_has_packages; then
        local python
        python=$(find_python) || give_up "no Python 3.11 or later that can make virtual environments" \
            "Run: sudo scripts/setup system"
        step "made .venv with $("$python" --version)" make_venv "$python"
        step "installed the locked Python packages" install_locked
    fi
    step "installed latlab and compiled its probe" install_project
}
