#!/usr/bin/env bash
# fetch-crl.sh URL FILE [URL FILE ...]: fetches revocation lists (DER or PEM) for crl_files; run it hourly, from cron or a systemd timer.
#
# Each FILE is replaced by a rename, and only by something that openssl reads as a list. The gateway takes a changed file within seconds; it
# uses none that no CA of client_ca_files or issuing_ca_files signed, and none older than the list in force. A fetch that fails leaves the file
# there is, and the exit code is 1: the gateway goes on with it until its next update and crl_grace_s have passed.
set -uo pipefail
[ $# -ge 2 ] && [ $(($# % 2)) = 0 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
failed=0
while [ $# -gt 0 ]; do
    url=$1 file=$2 new=$2.new
    shift 2
    if curl --fail --silent --show-error --location --max-time 60 --max-filesize 67108864 --output "$new" "$url" &&
        { openssl crl -in "$new" -inform DER -noout || openssl crl -in "$new" -inform PEM -noout; } 2>/dev/null; then
        chmod 0644 "$new" && sync "$new" && mv "$new" "$file" || failed=1
    else
        echo "fetch-crl.sh: $url gave no revocation list; $file stays" >&2
        rm -f "$new"
        failed=1
    fi
done
exit "$failed"
