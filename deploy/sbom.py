#!/usr/bin/env python3
"""Writes the bill of materials of the program as CycloneDX 1.6 JSON: every crate that is compiled into it or runs while it is built, with version,
checksum, licence and what it needs, as Cargo.lock pins them for one platform. The output is checked against the schema before it is written.

    pip install 'cyclonedx-python-lib[json-validation]==11.12.0'
    deploy/sbom.py samband.cdx.json [--target x86_64-unknown-linux-gnu] [--binary target/release/samband]

The same commit gives the same bytes: no time and no random serial number stand in it. With --binary the hash of that file stands in it, too.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def cargo(*arguments: str) -> dict:
    return json.loads(subprocess.run(["cargo", "metadata", "--format-version=1", "--locked", *arguments], cwd=ROOT, check=True, capture_output=True).stdout)


def reached(edges: str, target: str) -> set[tuple[str, str]]:
    """Names and versions of what these edges lead to. `cargo metadata` would also count what only the tests' features bring."""
    command = ["cargo", "tree", "--locked", "--edges", edges, "--target", target, "--prefix", "none", "--no-dedupe", "--format", "{p}"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return {(name, version.removeprefix("v")) for name, version, *_ in (line.split() for line in lines if line)}


def component(package: dict, checksums: dict, is_inside: bool) -> Component:
    name, version = package["name"], package["version"]
    url = PackageURL("cargo", name=name, version=version)
    made = Component(
        type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=str(url), description=package["description"],
        scope=ComponentScope.REQUIRED if is_inside else ComponentScope.EXCLUDED,
    )  # fmt: skip
    if package["license"]:
        made.licenses.add(LicenseFactory().make_from_string(package["license"].replace("/", " OR ")))
    if checksum := checksums.get((name, version)):
        made.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=checksum))
    if package["repository"]:
        made.external_references.add(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"])))
    if package["source"] not in (REGISTRY, None):
        raise SystemExit(f"{name} {version} comes from {package['source']}, which deny.toml does not allow")
    return made


def bill(target: str, binary: Path | None) -> Bom:
    found = cargo("--filter-platform", target)
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    root = found["resolve"]["root"]
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    name_of = lambda package: (packages[package]["name"], packages[package]["version"])  # noqa: E731
    compiled, all_of_them = reached("normal", target), reached("normal,build", target)
    inside = {package for package in packages if name_of(package) in compiled}
    building = {package for package in packages if name_of(package) in all_of_them} - inside
    if len(inside) != len(compiled) or len(inside | building) != len(all_of_them):
        raise SystemExit("cargo tree and cargo metadata do not name the same crates")
    own = packages[root]
    main = Component(
        type=ComponentType.APPLICATION, name=own["name"], version=own["version"], description=own["description"],
        purl=PackageURL("cargo", name=own["name"], version=own["version"]), bom_ref=own["name"],
    )  # fmt: skip
    main.licenses.add(LicenseFactory().make_from_string(own["license"]))
    main.properties.add(Property(name="cargo:target", value=target))
    if binary:
        main.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(binary.read_bytes()).hexdigest()))
    bom = Bom()
    bom.metadata.component = main
    made = {package: component(packages[package], checksums, package in inside) for package in inside | building if package != root}
    without = [f"{one.name} {one.version}" for one in made.values() if not one.licenses or not one.hashes]
    if without:
        raise SystemExit(f"without licence or checksum: {', '.join(sorted(without))}")
    for one in made.values():
        bom.components.add(one)
    made[root] = main
    for package, one in made.items():
        wanted = [made[dependency["pkg"]] for dependency in nodes[package]["deps"] if dependency["pkg"] in made]
        bom.register_dependency(one, wanted)
    return bom


def written(bom: Bom) -> str:
    """Without the time of writing, and under a number that follows from what it says."""
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    document["metadata"].pop("timestamp", None)
    document.pop("serialNumber", None)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))}"
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the program's bill of materials, CycloneDX 1.6.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--target", default="x86_64-unknown-linux-gnu")
    parser.add_argument("--binary", type=Path, default=None, help="the program built from this, to name it by its hash")
    args = parser.parse_args()
    bom = bill(args.target, args.binary)
    text = written(bom)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        print(f"sbom: not a CycloneDX 1.6 document: {error}", file=sys.stderr)
        return 1
    args.out.write_text(text, encoding="utf-8")
    inside = sum(one.scope == ComponentScope.REQUIRED for one in bom.components)
    print(f"sbom: {inside} crates in the program, {len(bom.components) - inside} that run while it is built, {args.target}: CycloneDX 1.6, valid")
    return 0


if __name__ == "__main__":
    sys.exit(main())
