#!/usr/bin/env bash
# fetch-crl.sh CAS URL FILE [URL FILE ...]: fetches revocation lists (DER or PEM) for crl_files; run it hourly, from cron or a systemd timer.
#
# CAS holds the CAs of client_ca_files and issuing_ca_files, PEM, one after the other. Each FILE is replaced by a rename, and only by a list of
# at most 8 MiB that one of CAS signed and that is not older than the one in FILE, so that whoever answers in a server's place cannot put an older
# one back. It does not ask yet that both are of one issuer: a FILE for each CA, over a connection you trust. The gateway takes a changed file
# within seconds. A fetch that fails leaves the file there is, and the exit code is 1: the gateway goes on with it until its next update and
# crl_grace_s have passed.
set -uo pipefail
[ $# -ge 3 ] && [ $(($# % 2)) = 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
cas=$1
shift
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
# One CA in each file: of several with one name openssl asks the first.
awk -v to="$work/ca" '/-----BEGIN CERTIFICATE-----/ { n++ } n { print > (to "." n ".pem") }' "$cas" || exit 1
[ -e "$work/ca.1.pem" ] || { echo "fetch-crl.sh: $cas holds no CA in PEM" >&2; exit 1; }

# pem FILE: the list in FILE as PEM.
pem() { openssl crl -in "$1" -inform DER 2>/dev/null || openssl crl -in "$1" -inform PEM 2>/dev/null; }
# is_signed PEM: whether one of CAS signed it.
is_signed() {
    local ca
    for ca in "$work"/ca.*.pem; do
        # The exit code does not tell.
        openssl crl -in "$1" -noout -CAfile "$ca" 2>&1 | grep -q '^verify OK$' && return
    done
    return 1
}
# made PEM: when it was made, in seconds.
made() { date -u -d "$(openssl crl -in "$1" -noout -lastupdate | cut -d= -f2)" +%s; }
# is_older PEM FILE: whether the list in FILE is of the same CA and newer.
is_older() {
    pem "$2" >"$work/held.pem" || return 1
    [ "$(openssl crl -in "$1" -noout -issuer)" = "$(openssl crl -in "$work/held.pem" -noout -issuer)" ] && [ "$(made "$1")" -lt "$(made "$work/held.pem")" ]
}

failed=0
while [ $# -gt 0 ]; do
    url=$1 file=$2 new=$2.new why=
    shift 2
    curl --fail --silent --show-error --location --max-time 60 --max-filesize 8388608 --output "$new" "$url" && pem "$new" >"$work/new.pem" || why="gave no revocation list"
    [ -n "$why" ] || is_signed "$work/new.pem" || why="gave a list that no CA of $cas signed"
    [ -n "$why" ] || ! is_older "$work/new.pem" "$file" || why="gave a list older than the one there is"
    if [ -z "$why" ]; then
        # What was judged is what is put there, and nothing that stood beside it.
        cp "$work/new.pem" "$new" && chmod 0644 "$new" && sync "$new" && mv "$new" "$file" && continue
        why="was fetched and cannot be written"
    fi
    echo "fetch-crl.sh: $url $why; $file stays" >&2
    rm -f "$new"
    failed=1
done
exit "$failed"
