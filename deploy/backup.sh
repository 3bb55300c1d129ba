#!/usr/bin/env bash
# backup.sh DATA ARCHIVE KEYS: a backup that forgets what the gateway erases.
#
# DATA is the data folder of a stopped gateway, or that folder in a snapshot of its file system: it must not change meanwhile.
# ARCHIVE gets <time>.tar: everything but the keys, the search index and the reserve. All that is personal in it is sealed; keep as many as you
# like. What the gateway has erased since cannot be read from it by anyone: the key is gone.
# KEYS gets keys.tar, the keys of the newest archive's files, wrapped by the storage key. There is ever only this one: it replaces the last.
# Run it at least once in every erase_within, keep no older copies of KEYS, and keep the storage key apart from both.
set -euo pipefail
[ $# = 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$1 archive=$2 keys=$3
[ -f "$data/FORMAT" ] || { echo "backup.sh: $data is no data folder" >&2; exit 1; }
umask 077
mkdir -p "$archive" "$keys"
name=$archive/$(date -u +%Y%m%dT%H%M%S.%NZ).tar
# What did not become a backup, as a folder that changed meanwhile, leaves nothing behind.
trap 'rm -f "$name.part" "$keys/keys.tar.part"' EXIT
tar -C "$data" --exclude=./keys --exclude=./index --exclude=./reserve --exclude=./LOCK -cf "$name.part" .
tar -C "$data" -cf "$keys/keys.tar.part" keys
sync "$name.part" "$keys/keys.tar.part"
mv "$name.part" "$name"
# The old keys are overwritten before they go; on disks that write elsewhere this is all that a file system offers.
if [ -f "$keys/keys.tar" ]; then shred -u "$keys/keys.tar"; fi
mv "$keys/keys.tar.part" "$keys/keys.tar"
sync "$archive" "$keys"
