"""What testssl.sh and sslyze say of a running gateway: nothing above low.

    scan.py [--whole]

Both get as far as the gateway lets a client: testssl.sh has no certificate and is cut off after its handshakes, which is all it needs; sslyze shows that of a
laboratory. --whole lets testssl.sh also play every client that it knows, which takes minutes. Prints each finding that is not plainly good, and fails if one
is above low, if TLS 1.3 is not all there is, or if a scan did not come to its end.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "python")]
from client import Gateway  # noqa: E402

# Findings that are about the development certificate and not about the gateway, each with why.
OF_THE_CERTIFICATE = {
    "cert_revocation": "the development CA has no revocation service; `samband pki csr` leaves that to the real CA",
}
# Of these testssl.sh says a word that means nothing here.
OF_THE_SCAN = {
    "optimal_proto": "without a client certificate the system's openssl is turned away at the end of some of its tries",
    "engine_problem": "the system's openssl has no GOST",
    "service": "there is no HTTP to look at without a client certificate",
    "scanTime": "how long it took",
}
GOOD = {"OK", "INFO", "DEBUG", "LOW"}
OLD = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2")
COMMANDS = (
    "sslv2 sslv3 tlsv1 tlsv1_1 tlsv1_2 tlsv1_3 compression early_data fallback heartbleed openssl_ccs reneg resum robot elliptic_curves ems"
).split()


def testssl(port: int, certs: Path, folder: Path, whole: bool) -> list[str]:
    out = folder / "testssl.json"
    parts = [] if whole else ["-p", "-s", "-f", "-P", "-S", "-U"]
    command = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", "--add-ca", str(certs / "ca.pem"), *parts]
    done = subprocess.run([*command, "--jsonfile", str(out), f"localhost:{port}"], capture_output=True, text=True, timeout=900)
    findings = json.loads(out.read_text(encoding="utf-8"))
    by_id = {finding["id"]: finding for finding in findings}
    faults = []
    if "TLS1_3" not in by_id or "scan_interrupted" in by_id or "Scan interrupted" in done.stdout + str(findings):
        faults.append("the scan did not come to its end: " + done.stdout[-300:])
    for finding in findings:
        name, severity, said = finding["id"], finding["severity"], finding["finding"]
        if severity in ("OK", "INFO", "DEBUG"):
            continue
        excuse = OF_THE_CERTIFICATE.get(name) or OF_THE_SCAN.get(name)
        print(f"testssl: {severity:8} {name}: {said}{f' ({excuse})' if excuse else ''}")
        if severity not in GOOD and not excuse:
            faults.append(f"testssl: {severity} {name}: {said}")
    for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2"):
        if not by_id.get(name, {}).get("finding", "").startswith("not offered"):
            faults.append(f"testssl: {name}: {by_id.get(name)}")
    count = sum(finding["severity"] in ("OK", "INFO") for finding in findings)
    print(f"testssl: {len(findings)} findings, {count} of them good")
    return faults


def sslyze(port: int, certs: Path, folder: Path) -> list[str]:
    out = folder / "sslyze.json"
    identity = ["--cert", str(certs / "lab-ous/cert.pem"), "--key", str(certs / "lab-ous/key.pem")]
    program = Path(sys.executable).with_name("sslyze")
    command = [str(program), *identity, "--json_out", str(out), "--mozilla_config", "disable", *[f"--{name}" for name in COMMANDS]]
    subprocess.run([*command, f"localhost:{port}"], capture_output=True, check=True, timeout=300)
    (server,) = json.loads(out.read_text(encoding="utf-8"))["server_scan_results"]
    if server["scan_status"] != "COMPLETED":
        return [f"sslyze: {server['scan_status']}, {server['connectivity_status']}"]
    results = {name: part["result"] for name, part in server["scan_result"].items() if part and part["status"] == "COMPLETED"}
    expected = {
        "tls_compression": ("supports_compression", False),
        "tls_1_3_early_data": ("supports_early_data", False),
        "heartbleed": ("is_vulnerable_to_heartbleed", False),
        "openssl_ccs_injection": ("is_vulnerable_to_ccs_injection", False),
        "tls_fallback_scsv": ("supports_fallback_scsv", True),
        "session_renegotiation": ("is_vulnerable_to_client_renegotiation_dos", False),
    }
    faults = []
    for name, (field, wanted) in expected.items():
        said = results.get(name, {}).get(field)
        print(f"sslyze: {name}: {field} = {said}")
        if said is not wanted:
            faults.append(f"sslyze: {name}: {field} is {said}")
    for name in OLD:
        accepted = results.get(f"{name}_cipher_suites", {}).get("accepted_cipher_suites")
        if accepted != []:
            faults.append(f"sslyze: {name} accepts {accepted}")
    modern = [suite["cipher_suite"]["name"] for suite in results["tls_1_3_cipher_suites"]["accepted_cipher_suites"]]
    print(f"sslyze: TLS 1.3 only, with {', '.join(modern)}")
    if not modern or set(modern) - {"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"}:
        faults.append(f"sslyze: suites {modern}")
    robot = results.get("robot", {}).get("robot_result", "")
    print(f"sslyze: robot: {robot}")
    if "NOT_VULNERABLE" not in robot:
        faults.append(f"sslyze: robot: {robot}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--whole", action="store_true", help="testssl.sh with everything it has")
    whole = parser.parse_args().whole
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gateway = Gateway(folder / "home")
        gateway.prepare()
        # Scanners knock more often than a client ever would.
        file = folder / "home/samband.toml"
        file.write_text(file.read_text(encoding="utf-8") + "\n[limits]\nhandshakes_per_address_burst = 100000\nhandshakes_burst = 100000\n", encoding="utf-8")
        gateway.start()
        gateway.wait_until_serving()
        faults = sslyze(gateway.port, gateway.certs(), folder) + testssl(gateway.port, gateway.certs(), folder, whole)
        gateway.wait_until_serving()
        if gateway.stop() != 0:
            faults.append("the gateway did not stop as it should")
    for fault in faults:
        print("FAULT", fault)
    print(f"scan: {'nothing above low' if not faults else f'{len(faults)} faults'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
