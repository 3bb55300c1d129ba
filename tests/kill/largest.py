"""The largest messages that are valid: a notice with every name, line and list full, and a result of 64 findings."""

from pathlib import Path

from client import ROOT

FINDINGS_MAX = 64
GROUPS = ("AMPHETAMINES", "CANNABIS")


def codes() -> list[tuple[str, str]]:
    """Codes of no real analysis and their groups, enough for the largest result."""
    return [(f"NOR{90000 + number}", GROUPS[number % 2]) for number in range(FINDINGS_MAX)]


def write_table(file: Path) -> None:
    """The table that comes with the program, and these codes."""
    rows = [f"{code},U-Prøve {code},URINE,{group},no,2024-01-01,,test" for code, group in codes()]
    table = (ROOT / "data/nlk_codes.csv").read_text(encoding="utf-8")
    file.write_text("\n".join([table.rstrip("\n"), *rows, ""]), encoding="utf-8")


def notice(content: dict) -> dict:
    """The notice with everything that does not decide where it goes as long as it may be."""
    address = {"lines": ["Å" * 60] * 3, "postcode": "0155", "place": "Ø" * 40}
    reach = {"postal_address": address, "phone": "+479999999999999"}
    subject = {**content["subject"], "family_name": "Ŧ" * 100, "given_name": "Æ" * 100, "reach": reach}
    return {**content, "subject": subject}


def result(content: dict) -> dict:
    """The result with as many findings as there may be."""
    quantity = {"comparator": "COMPARATOR_GREATER_THAN", "value": "987654321.654321", "unit": "nmol/L", "cut_off": "123456789.123456"}
    finding = {"accredited": True, "quantity": quantity, "detected": {"confirmed_by": "CONFIRMATION_METHOD_LC_MS_MS"}}
    return {**content, "findings": [{"nlk_code": code, "group": f"SUBSTANCE_GROUP_{group}", **finding} for code, group in codes()]}
