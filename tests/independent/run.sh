#!/bin/sh
# Verifies a log's folder and receipts with software that is not Samband's: Go's transparency log packages and two packages from PyPI.
#
#   run.sh <log dir> <vkey file> <receipts dir>
#
# The log dir may be an https:// address of the auditors' listener; SAMBAND_CA, SAMBAND_CLIENT_CERT and SAMBAND_CLIENT_KEY then name the authority's
# and the client's files. The receipts folder holds NAME.tlog-proof beside NAME.leaf (the 33 bytes that stand in the log). What is missing is installed: Debian's Go with
# apt-get, when run as root, and the Python packages into a virtual environment of their own. A verifier that cannot be had is named and left out;
# with none at all, or when one refuses, the exit code is not 0.
#
# SAMBAND_VERIFIERS names the folder for what is built and installed, ${XDG_CACHE_HOME:-~/.cache}/samband-verifiers by default.
# SAMBAND_VERIFIERS_ALL=1 makes a missing verifier a failure, for continuous integration.
set -eu

case ${1:-} in https://*) remote=1 ;; *) remote=0 ;; esac
if [ $# -ne 3 ] || { [ "$remote" = 0 ] && [ ! -d "$1" ]; } || [ ! -f "$2" ] || [ ! -d "$3" ]; then
    echo "usage: $0 <log dir> <vkey file> <receipts dir>" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
tools=${SAMBAND_VERIFIERS:-${XDG_CACHE_HOME:-$HOME/.cache}/samband-verifiers}
mkdir -p "$tools"
ran=0
missing=0
failed=0

gocode=/usr/share/gocode
if ! command -v go >/dev/null 2>&1 || [ ! -d "$gocode/src/golang.org/x/mod/sumdb/tlog" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        { apt-get update && apt-get install -y --no-install-recommends golang-go golang-golang-x-mod-dev; } >"$tools/apt.log" 2>&1 || true
    fi
fi
if command -v go >/dev/null 2>&1 && [ -d "$gocode/src/golang.org/x/mod/sumdb/tlog" ]; then
    # A program that does not build is a failed check, not a missing verifier.
    if GO111MODULE=off GOPATH=$gocode go build -o "$tools/verify.new" "$here/verify.go" && mv "$tools/verify.new" "$tools/verify"; then
        "$tools/verify" "$1" "$(cat "$2")" "$3" || failed=1
    else
        failed=1
    fi
    ran=$((ran + 1))
else
    echo "go: left out: install golang-go and golang-golang-x-mod-dev" >&2
    missing=1
fi

# The newest Python decides what can be installed: aics-tlog needs 3.12, proofbundle 3.10.
find_python() {
    for python in python3.14 python3.13 python3.12 python3 python3.11 python3.10 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
        if "$python" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, $1))" >/dev/null 2>&1; then
            echo "$python"
            return 0
        fi
    done
    return 1
}
if ! "$tools/venv/bin/python" -c 'import proofbundle' >/dev/null 2>&1; then
    if python=$(find_python 12) || python=$(find_python 10); then
        rm -rf "$tools/venv"
        if "$python" -m venv "$tools/venv" >"$tools/pip.log" 2>&1; then
            for package in aics-tlog==0.2.1 proofbundle==6.3.1; do
                "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "$package" >>"$tools/pip.log" 2>&1 || true
            done
        fi
    fi
fi
for module in aics_tlog proofbundle; do
    if ! "$tools/venv/bin/python" -c "import $module" >/dev/null 2>&1; then
        echo "python: left out: $module could not be installed" >&2
        missing=1
    fi
done
if "$tools/venv/bin/python" -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("aics_tlog") or u.find_spec("proofbundle")))' 2>/dev/null; then
    "$tools/venv/bin/python" "$here/verify.py" "$1" "$2" "$3" || failed=1
    ran=$((ran + 1))
fi

if [ "$ran" = 0 ]; then
    echo "no verifier could be had: nothing was checked" >&2
    exit 1
fi
if [ "$missing" = 1 ] && [ "${SAMBAND_VERIFIERS_ALL:-0}" = 1 ]; then
    echo "a verifier is missing" >&2
    exit 1
fi
exit "$failed"
