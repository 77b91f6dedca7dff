# shellcheck shell=bash
# Sourced by every check: the repository's root as the current directory, and a few words to say what is going on.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Says what is run, and runs it.
run() {
    printf '+ %s\n' "$*" >&2
    "$@"
}

# Ends the check: it has failed.
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# Ends the check: there is nothing it could look at here. `.ci/run` shows the reason in its table.
skip() {
    printf 'skipped: %s\n' "$*"
    exit 0
}

# The manifests that are workspaces of their own, as far as they exist.
manifests() {
    local manifest
    for manifest in Cargo.toml fuzz/Cargo.toml benches/peers/Cargo.toml; do
        if [[ -f $manifest ]]; then
            printf '%s\n' "$manifest"
        fi
    done
}

# A temporary file by the name of $log, gone at the end.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
