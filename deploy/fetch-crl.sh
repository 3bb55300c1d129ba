#!/usr/bin/env bash
# fetch-crl.sh CAS URL FILE [URL FILE ...]: fetches revocation lists (DER or PEM) for crl_files; run it hourly, from cron or a systemd timer.
#
# CAS holds the CAs of client_ca_files and issuing_ca_files, PEM, one after the other. Each FILE is replaced by a rename, and only by a list that
# `samband pki check-crl` takes in its place: one of CAS signed it, it is whole, in date, at most 8 MiB, and of the same CA and key as the one in
# FILE and not older, so that a server that lies, or whoever answers in its place, takes no good list away. FILE holds one list; one of several is
# left alone. Of a link the file that it points at is replaced; one that points at nothing is refused. What is no list any more is replaced with a
# warning, and kept as FILE.damaged. Runs at once wait for each other, 90 s for each list. The gateway takes a changed file within seconds. A fetch that fails leaves the file there is, and the exit code is 1:
# the gateway goes on with it until its next update and crl_grace_s have passed. The first fetch has nothing to hold a list against but CAS: look at what it got.
# SAMBAND names the program if it is not on the path.
set -uo pipefail
[ $# -ge 3 ] && [ $(($# % 2)) = 1 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
cas=$1
shift

failed=0 new=
trap '[ -z "$new" ] || rm -f -- "$new"' EXIT
while [ $# -gt 0 ]; do
    url=$1 file=$2 why=
    shift 2
    # A rename over a link would leave the file behind it as it is.
    if ! real=$(readlink -f -- "$file"); then
        echo "fetch-crl.sh: $file: no file can be put there; $url is not fetched" >&2
        failed=1
        continue
    fi
    # Two runs at once would write over each other's file between its check and its rename. The lock goes with the process.
    if ! { exec {folder}<"$(dirname -- "$real")" && flock -w 90 "$folder"; }; then
        echo "fetch-crl.sh: $file: another run is at work in its folder; $url is not fetched" >&2
        failed=1
        continue
    fi
    new=$real.new
    rm -f -- "$new"
    # Not every curl bounds an answer of unknown length by --max-filesize. A byte more than a list may have is refused below.
    if ! curl --fail --silent --show-error --location --max-time 60 --max-filesize 8388608 "$url" | head -c 8388609 >"$new"; then
        why="gave nothing"
    elif ! said=$("${SAMBAND:-samband}" pki check-crl --cas "$cas" --against "$file" "$new"); then
        why="gave nothing that may take its place"
    elif [[ $said == *", which is damaged" ]] && ! ln -f -- "$real" "$real.damaged"; then
        why="was fetched, and the damaged file cannot be kept beside it"
    elif ! { chmod 0644 "$new" && sync "$new" && mv -T -- "$new" "$real"; }; then
        why="was fetched and cannot be written"
    fi
    if [ -z "$why" ]; then
        new=
        exec {folder}<&-
        continue
    fi
    echo "fetch-crl.sh: $url $why; $file stays" >&2
    rm -f -- "$new"
    new= failed=1
    exec {folder}<&-
done
exit "$failed"
