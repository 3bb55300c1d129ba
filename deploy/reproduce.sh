#!/usr/bin/env bash
# reproduce.sh build OUT [COMMIT]   the release build: OUT gets the program, its hash is printed
# reproduce.sh check [COMMIT]       builds it twice, in folders of other names and depths, and compares the bytes
#
# The build does not depend on where it stands, who runs it or when: paths of sources, of cargo's home and of the toolchain are written as
# /samband, /cargo and /rust, in Rust and in C; the time is the commit's; nothing is taken over from an earlier build. It does depend on what stands
# in docs/release.md: the commit, Cargo.lock, the Rust version, and the C compiler and linker.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
usage() { sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# build FOLDER COMMIT: the program of that commit, built in a new folder.
build() {
    local folder=$1 commit=$2 home sysroot
    mkdir -p "$folder"
    git -C "$root" archive "$commit" | tar -C "$folder" -xf -
    home=${CARGO_HOME:-$HOME/.cargo}
    sysroot=$(rustc --print sysroot)
    (
        cd "$folder"
        unset RUSTFLAGS CARGO_BUILD_TARGET CARGO_PROFILE_RELEASE_INCREMENTAL
        export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$folder/target TZ=UTC LC_ALL=C
        SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct "$commit")
        export SOURCE_DATE_EPOCH
        # The last that fits counts: the folder with its target, then what lies elsewhere.
        local maps=("$folder=/samband" "$home=/cargo" "$sysroot=/rust") rust='' c='' map
        for map in "${maps[@]}"; do
            rust+=${rust:+$'\x1f'}--remap-path-prefix=$map
            c+=" -ffile-prefix-map=$map"
        done
        export CARGO_ENCODED_RUSTFLAGS=$rust CFLAGS="$c" CXXFLAGS="$c"
        cargo build --release --locked --bin samband
    )
}

commit=
case ${1:-} in
    build)
        [ $# -ge 2 ] || usage
        commit=$(git -C "$root" rev-parse "${3:-HEAD}^{commit}")
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        build "$work" "$commit"
        install -m 0755 "$work/target/release/samband" "$2"
        sha256sum "$2"
        ;;
    check)
        commit=$(git -C "$root" rev-parse "${2:-HEAD}^{commit}")
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        for folder in "$work/a" "$work/another/folder/of/another/depth"; do
            began=$SECONDS
            build "$folder" "$commit"
            sha256sum "$folder/target/release/samband"
            mv "$folder/target/release/samband" "$work/$(basename "$folder").program"
            rm -rf "$folder"
            echo "reproduce: built in $((SECONDS - began)) s"
        done
        if cmp "$work/a.program" "$work/depth.program"; then
            echo "reproduce: two builds of ${commit:0:12} in different folders are the same $(stat -c %s "$work/a.program") bytes"
        else
            echo "reproduce: the two builds of ${commit:0:12} differ" >&2
            exit 1
        fi
        ;;
    *) usage ;;
esac
