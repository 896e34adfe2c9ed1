# What the scripts share: the folder they work in, how they speak, and the virtual environment .venv.
# Sourced, never run.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=2 # errors only

say() {
    printf '==> %s\n' "$*"
}

# Prints a command as a person would type it.
show() {
    local word
    printf '\n$'
    for word; do
        [[ $word == *[!A-Za-z0-9_./:=,-]* ]] && word="'$word'"
        printf ' %s' "$word"
    done
    printf '\n\n'
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Whether "$@" runs a Python that is at least 3.11.
is_new_enough() {
    "$@" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "There is no Python 3.11 or later on the path. Install one, or name one: PYTHON=/path/to/python3 scripts/$(basename "$0")"
}

# What an installation depends on: the folder, the packaging and the pins.
fingerprint() {
    { pwd; cat pyproject.toml constraints.txt; } | cksum
}

# Makes .venv where there is none and installs the project with the extras "$1" (such as "test"
# or "evaluation,notification"). Does nothing where that was done before.
ensure_venv() {
    local extras=$1 python stamp
    if ! is_new_enough .venv/bin/python; then
        python=$(find_python)
        say "Making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv || {
            rm -rf .venv
            die "The virtual environment could not be made. Install Python's venv module (python3-venv), then run this again."
        }
    fi
    stamp=.venv/installed-$extras
    if [[ -f $stamp && $(<"$stamp") == "$(fingerprint)" ]]; then
        return
    fi
    say "Installing noether-testkit[$extras] into .venv (a minute or two the first time)"
    .venv/bin/python -m pip install -e ".[$extras]" -c constraints.txt ||
        die "The installation failed, see above. Check the network, then run this again; to start afresh, remove .venv."
    fingerprint >"$stamp"
}
