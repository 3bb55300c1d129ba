"""Every role, played against the real program over mutual TLS.

    SAMBAND_BINARY=... SAMBAND_STUBS=... python -m unittest -v test_roles

Synthetic persons only. Each test opens cases of its own; mailboxes are shared, so items are looked up by their case.
"""

import os
import sys
import tempfile
import threading
import time
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "soak"))
import evidence
import grpc
from authority import Authority
from client import PREFIXES, SERVICES, Gateway, Party, Refusal, audit_pb2, common_pb2, day, laboratory_pb2
from client import message_id, messages_pb2, methods, municipal_pb2, prosecution_pb2, report, request_type, result, sample, streamed

ACCEPTED, HANDED_OUT, ACKNOWLEDGED, RETURNED, WITHDRAWN, SUPERSEDED = range(1, 7)
NAMES = ["politi-oslo", "politi-innlandet", "ru-oslo", "ru-hamar", "ru-tromso", "lab-ous", "lab-st-olav", "tilsyn"]


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="samband-python-")
        cls.gateway = Gateway(Path(cls.folder.name) / "gateway")
        cls.gateway.start()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(lambda: cls.gateway.process.poll() is None and cls.gateway.kill())
        cls.gateway.wait_until_serving()
        cls.connect()

    @classmethod
    def connect(cls):
        cls.parties = {name: Party(cls.gateway, name) for name in NAMES}
        cls.police, cls.innlandet, cls.unit, cls.hamar, cls.tromso, cls.lab, cls.olav, cls.auditor = cls.parties.values()
        cls.vkey = cls.gateway.vkey()

    def refused(self, reason: str, call, *args, code: str | None = None, **kwargs) -> Refusal:
        """The call is refused with this reason, in one domain, and nothing of the content stands in the error."""
        with self.assertRaises(Refusal) as caught:
            call(*args, **kwargs)
        refusal = caught.exception
        self.assertEqual(refusal.reason, reason, str(refusal))
        self.assertEqual(refusal.domain, "samband")
        self.assertNotIn("Testesen", str(refusal))
        if code:
            self.assertEqual(refusal.code.name, code)
        return refusal

    def opened(self, name: str = "notice-both", police=None, **fields):
        """An accepted notice: its request and what was accepted."""
        police = police or self.police
        request = police.request(police.notice(name, **fields))
        return request, police.send(request)

    def taken(self, party, case_ref: str) -> list:
        """Receives and acknowledges everything; the items of one case."""
        return [item for item in party.take() if item.case_ref == case_ref]

    def status(self, party, *ids) -> list:
        answer = party.own("GetStatus", message_ids=list(ids))
        self.assertFalse(answer.unknown_message_ids)
        return [entry.status for entry in answer.statuses]

    def proved(self, request, accepted) -> evidence.Receipt:
        """The receipt holds, says what was sent and commits to its content."""
        receipt = evidence.receipt(accepted.receipt, self.vkey)
        self.assertEqual(receipt.index, accepted.log_index)
        self.assertEqual(receipt.says["message_id"], request.message_id)
        self.assertEqual(receipt.says["content_commit"], evidence.content_commit(request))
        return receipt

    # The three messages

    def test_a_notice_is_received_acknowledged_reported_on_and_the_report_received(self):
        request, accepted = self.opened()
        receipt = self.proved(request, accepted)
        self.assertEqual(receipt.says["actor"], "politi-oslo")
        self.assertEqual(receipt.says["case_ref"].replace("-", ""), accepted.case_ref.replace("-", ""))
        self.assertEqual(self.status(self.police, request.message_id), [ACCEPTED])

        (item,) = [item for item in self.unit.receive() if item.case_ref == accepted.case_ref]
        self.assertEqual(self.status(self.police, request.message_id), [HANDED_OUT])
        self.assertEqual(item.notice, request.content)
        self.assertEqual((item.sender.id, item.requisition_id), ("politi-oslo", accepted.requisition_id))
        self.assertEqual(item.contact.key, request.content.contact)
        self.assertIn(municipal_pb2.HANDLING_NOTE_SAMPLER_NOT_IN_TREATMENT, item.notes)
        self.assertEqual(item.accepted_at, accepted.accepted_at)
        self.unit.acknowledge(item)
        self.unit.acknowledge(item)
        self.assertEqual(self.status(self.police, request.message_id), [ACKNOWLEDGED])
        self.assertEqual(self.taken(self.unit, accepted.case_ref), [])

        sent = self.unit.request(report(accepted.case_ref))
        reported = self.unit.send(sent)
        self.proved(sent, reported)
        self.assertEqual(reported.case_ref, accepted.case_ref)
        (item,) = self.taken(self.police, accepted.case_ref)
        self.assertEqual(item.report, sent.content)
        self.assertEqual((item.sender.id, item.notice_message_id), ("ru-oslo", request.message_id))
        self.assertEqual(item.report_meaning, prosecution_pb2.REPORT_MEANING_NOT_MET_ON_DATES_ONLY)
        self.assertEqual(self.status(self.unit, sent.message_id), [ACKNOWLEDGED])
        self.assertEqual(self.taken(self.innlandet, accepted.case_ref), [])

    def test_a_result_is_corrected_and_both_are_received_in_order(self):
        request, accepted = self.opened("notice-control")
        first = self.lab.request(result(accepted.requisition_id, "PY-1"))
        answer = self.lab.send(first)
        receipt = self.proved(first, answer)
        self.assertEqual(answer.requisition_id, accepted.requisition_id)
        self.assertNotIn("case_ref", receipt.says)
        self.assertNotIn(accepted.case_ref.encode(), answer.receipt)
        (item,) = self.taken(self.police, accepted.case_ref)
        self.assertEqual(item.result, first.content)
        self.assertFalse(item.HasField("replaces_item"))

        self.refused("RESULT_EXISTS", self.lab.send, self.lab.request(result(accepted.requisition_id, "PY-1", "result-corrected")))
        second = self.lab.request(result(accepted.requisition_id, "PY-1", "result-corrected"), replaces=first.message_id)
        self.proved(second, self.lab.send(second))
        (corrected,) = self.taken(self.police, accepted.case_ref)
        self.assertEqual(corrected.result, second.content)
        self.assertEqual(corrected.replaces_item, item.item_number)
        self.assertEqual(corrected.notice_message_id, request.message_id)
        self.assertEqual(self.status(self.lab, first.message_id, second.message_id), [SUPERSEDED, ACKNOWLEDGED])
        self.assertFalse(any(got.HasField("contact") and got.WhichOneof("item") != "notice" for got in self.unit.receive()))

    def test_a_notice_is_returned_and_sent_anew_to_the_right_unit(self):
        request, accepted = self.opened("notice-attendance")
        (item,) = [item for item in self.unit.receive() if item.case_ref == accepted.case_ref]
        reason = common_pb2.NOTICE_RETURN_REASON_NOT_STAYING_HERE
        self.unit.own("Return", item_number=item.item_number, reason=reason)
        self.unit.own("Return", item_number=item.item_number, reason=reason)
        self.assertEqual(self.status(self.police, request.message_id), [RETURNED])
        self.refused("NOTICE_RETURNED", self.unit.send, self.unit.request(report(accepted.case_ref)))

        anew = self.police.request(self.police.notice("notice-attendance", municipality_of_stay="3411"), replaces=request.message_id)
        again = self.police.send(anew)
        self.proved(anew, again)
        self.assertEqual(again.case_ref, accepted.case_ref)
        (item,) = self.taken(self.hamar, accepted.case_ref)
        self.assertEqual(item.notice, anew.content)
        (told,) = self.taken(self.unit, accepted.case_ref)
        self.assertEqual(told.WhichOneof("item"), "withdrawal")

    def test_a_withdrawal_follows_its_notice_and_ends_the_requisition(self):
        request, accepted = self.opened()
        (item,) = self.taken(self.unit, accepted.case_ref)
        revoked = common_pb2.NOTICE_WITHDRAWAL_REASON_CONDITION_REVOKED
        withdrawal = self.police.request(withdrawal=revoked, replaces=request.message_id)
        self.proved(withdrawal, self.police.send(withdrawal))
        (told,) = self.taken(self.unit, accepted.case_ref)
        self.assertEqual((told.withdrawal, told.replaces_item), (revoked, item.item_number))
        self.assertFalse(told.HasField("contact"))
        self.assertEqual(self.status(self.police, request.message_id), [WITHDRAWN])
        self.refused("REQUISITION_WITHDRAWN", self.lab.send, self.lab.request(result(accepted.requisition_id, "PY-2")))
        self.refused("NOTICE_WITHDRAWN", self.unit.send, self.unit.request(report(accepted.case_ref)))
        self.refused("REPLACES_MISSING", self.police.send, self.police.request(withdrawal=revoked))

    def test_a_report_is_corrected_and_withdrawn(self):
        _, accepted = self.opened("notice-attendance")
        self.taken(self.unit, accepted.case_ref)
        first = self.unit.request(report(accepted.case_ref))
        self.unit.send(first)
        self.taken(self.police, accepted.case_ref)
        second = self.unit.request(report(accepted.case_ref, absent=-2), replaces=first.message_id)
        self.unit.send(second)
        self.taken(self.police, accepted.case_ref)
        wrong_case = common_pb2.REPORT_WITHDRAWAL_REASON_WRONG_CASE
        self.unit.send(self.unit.request(withdrawal=wrong_case, replaces=second.message_id))
        (told,) = self.taken(self.police, accepted.case_ref)
        self.assertEqual(told.report_withdrawal, wrong_case)
        self.assertEqual(self.status(self.unit, first.message_id, second.message_id), [SUPERSEDED, WITHDRAWN])

    def test_every_sample_notice_is_accepted_as_it_stands(self):
        for name in ("notice-16-waiver", "notice-16-judgment", "notice-protected-address", "notice-control"):
            with self.subTest(name):
                request, accepted = self.opened(name)
                self.proved(request, accepted)
                self.assertEqual(accepted.HasField("requisition_id"), request.content.HasField("control"))

    # Idempotency and receipts

    def test_a_retry_gets_the_same_bytes_and_other_content_is_refused(self):
        request, accepted = self.opened()
        self.assertEqual(self.police.send(request), accepted)
        again = self.police.own("GetReceipt", message_id=request.message_id).accepted
        self.assertEqual(again, accepted)
        backwards = b"".join(raw for _, raw in reversed(evidence.fields(request.SerializeToString())))
        self.assertNotEqual(backwards, request.SerializeToString())
        answer = prosecution_pb2.SendConditionNoticeResponse.FromString(
            self.police.raw("ProsecutionService", "SendConditionNotice", backwards)
        )
        self.assertEqual(answer.accepted.receipt, accepted.receipt)
        other = prosecution_pb2.SendConditionNoticeRequest()
        other.CopyFrom(request)
        other.content.subject.given_name = "Kari"
        self.refused("MESSAGE_ID_REUSED", self.police.send, other)
        other.CopyFrom(request)
        other.content_salt = os.urandom(32)
        self.refused("MESSAGE_ID_REUSED", self.police.send, other)
        self.refused("MESSAGE_UNKNOWN", self.innlandet.own, "GetReceipt", message_id=request.message_id)

    def test_canonical_content_is_in_ascending_order(self):
        numbers = [number for number, _ in evidence.fields(evidence.canonical(self.police.request(self.police.notice())))]
        self.assertEqual(numbers, [5])
        content = self.police.request(self.police.notice()).content.SerializeToString(deterministic=True)
        numbers = [number for number, _ in evidence.fields(content)]
        self.assertEqual(numbers, sorted(numbers))

    def test_receipts_are_the_same_bytes_after_a_restart(self):
        request, accepted = self.opened()
        self.assertEqual(self.gateway.stop(), 0, self.gateway.tail())
        for party in self.parties.values():
            party.channel.close()
        self.gateway.start()
        self.gateway.wait_until_serving()
        self.connect()
        self.assertEqual(self.police.send(request), accepted)
        (item,) = self.taken(self.unit, accepted.case_ref)
        self.assertEqual(item.notice, request.content)

    def test_message_ids_that_are_old_ahead_or_no_uuid_of_version_7_are_refused(self):
        now = int(time.time() * 1000)
        for reason, ident in [
            ("MESSAGE_ID_STALE", message_id(now - 31 * 86_400_000)),
            ("MESSAGE_ID_STALE", message_id(now + 6 * 60_000)),
            ("BAD_MESSAGE_ID", message_id().upper()),
            ("BAD_MESSAGE_ID", "8c3f6a52-0000-4000-8000-000000000000"),
            ("BAD_MESSAGE_ID", ""),
        ]:
            with self.subTest(ident):
                self.refused(reason, self.police.send, self.police.request(self.police.notice(), message_id=ident))
        for salt in (b"", bytes(32), os.urandom(31)):
            self.refused("BAD_CONTENT_SALT", self.police.send, self.police.request(self.police.notice(), content_salt=salt))

    def test_validate_only_answers_as_a_real_send_and_stores_nothing(self):
        request = self.police.request(self.police.notice(), validate_only=True)
        self.assertEqual(type(self.police.send(request)), common_pb2.Validated)
        answer = self.police.own("GetStatus", message_ids=[request.message_id])
        self.assertEqual(list(answer.unknown_message_ids), [request.message_id])
        bad = self.police.request(self.police.notice(municipality_of_stay="9999"), validate_only=True)
        self.assertIn("municipality_of_stay", "".join(self.refused("CONTENT_INVALID", self.police.send, bad).fields))

    # What may not be said or done

    def test_each_call_is_allowed_to_one_role_and_denied_to_all_others(self):
        calls = [(service, method.name) for service in SERVICES for method in methods(service)]
        self.assertEqual(len(calls), 38)
        for name in ("politi-innlandet", "ru-tromso", "lab-st-olav", "tilsyn"):
            own = next(service for prefix, service in PREFIXES if name.startswith(prefix))
            for service, method in calls:
                with self.subTest(f"{name} {service}/{method}"):
                    request = request_type(service, method)()
                    if "reader_id" in request.DESCRIPTOR.fields_by_name:
                        request.reader_id, request.until_empty = "main", True
                    if service == own:
                        try:
                            self.parties[name].call(service, method, request)
                        except Refusal as refusal:
                            self.assertNotEqual(refusal.code, grpc.StatusCode.PERMISSION_DENIED)
                            self.assertNotIn(refusal.reason, (None, "CALL_NOT_ALLOWED", "INTERNAL", "UNIMPLEMENTED"), str(refusal))
                    else:
                        self.refused("CALL_NOT_ALLOWED", self.parties[name].call, service, method, request, code="PERMISSION_DENIED")

    def test_a_refusal_by_an_enrolled_participant_is_in_the_log(self):
        request = laboratory_pb2.SendLabResultRequest(message_id=message_id(), content_salt=os.urandom(32))
        self.refused("CALL_NOT_ALLOWED", self.hamar.call, "LaboratoryService", "SendLabResult", request)
        rows = self.auditor.call("AuditService", "ListRecords", audit_pb2.ListRecordsRequest(participant="ru-hamar"))
        records = [row.entry.record for row in rows if row.HasField("entry")]
        self.assertTrue(any("REFUSED" in record.kind_name and record.actor == "ru-hamar" for record in records))
        self.assertTrue(rows[-1].HasField("end"))

    def test_references_of_others_are_answered_exactly_like_unknown_ones(self):
        _, accepted = self.opened()
        self.taken(self.unit, accepted.case_ref)
        unknown = sample("report")["case_ref"]
        foreign = self.refused("REFERENCE_UNKNOWN", self.hamar.send, self.hamar.request(report(accepted.case_ref)))
        never = self.refused("REFERENCE_UNKNOWN", self.hamar.send, self.hamar.request(report(unknown)))
        self.assertEqual((foreign.code, foreign.text, foreign.fields), (never.code, never.text, never.fields))
        foreign = self.refused("REFERENCE_UNKNOWN", self.olav.send, self.olav.request(result(accepted.requisition_id, "PY-3")))
        never = self.refused("REFERENCE_UNKNOWN", self.olav.send, self.olav.request(result(sample("result")["requisition_id"], "PY-3")))
        self.assertEqual((foreign.code, foreign.text, foreign.fields), (never.code, never.text, never.fields))
        self.refused("ITEM_UNKNOWN", self.hamar.own, "Acknowledge", item_numbers=[2])

    def test_rules_of_the_content_are_refused_with_field_and_reason(self):
        def changed(field, reason, change, name="notice-both"):
            request = self.police.request(self.police.notice(name))
            change(request.content)
            with self.subTest(reason):
                refusal = self.refused("CONTENT_INVALID", self.police.send, request, code="INVALID_ARGUMENT")
                self.assertTrue(any(field in path for path in refusal.fields), refusal.fields)
                self.assertIn(reason, " ".join(refusal.fields.values()), refusal.fields)

        changed("municipality_of_stay", "MUNICIPALITY_UNKNOWN", lambda content: setattr(content, "municipality_of_stay", "0000"))
        changed("subject", "IDENTITY_CHECK_DIGIT", lambda content: setattr(content.subject, "fnr", "12848930058"))
        changed("decision_date", "DATE_IN_FUTURE", lambda content: setattr(content, "decision_date", day(2)))
        changed("attendance", "REQUIRED_COUNT_NOT_ONE", lambda content: setattr(content.attendance, "required_count", 2))
        changed("family_name", "NAME_NOT_NFC", lambda content: setattr(content.subject, "family_name", "A\u030ase"))
        changed("guardian", "GUARDIAN_REQUIRED", lambda content: content.ClearField("guardian_notified_on"), "notice-16-waiver")

        _, accepted = self.opened("notice-control")
        screened = self.lab.request(result(accepted.requisition_id, "PY-4"))
        screened.content.seal = messages_pb2.SEAL_BROKEN
        refusal = self.refused("CONTENT_INVALID", self.lab.send, screened)
        self.assertIn("DETECTED_WITH_BROKEN_SEAL", " ".join(refusal.fields.values()))
        more = self.lab.request(result(accepted.requisition_id, "PY-4"))
        more.content.findings[0].group, more.content.findings[0].nlk_code = messages_pb2.SUBSTANCE_GROUP_COCAINE, "NPU53115"
        self.refused("CONTENT_INVALID", self.lab.send, more)
        del more.content.findings[0]
        self.assertIn(self.refused("GROUP_MISSING", self.lab.send, more).code.name, ("INVALID_ARGUMENT", "FAILED_PRECONDITION"))

    def test_unknown_fields_large_requests_and_broken_bytes_are_refused_without_repeating_them(self):
        good = self.police.request(self.police.notice()).SerializeToString()
        send = lambda data: self.police.raw("ProsecutionService", "SendConditionNotice", data)  # noqa: E731
        self.refused("UNKNOWN_FIELD", send, good + b"\x78\x01", code="INVALID_ARGUMENT")
        doubled = next(raw for number, raw in evidence.fields(good) if number == 1)
        self.refused("DUPLICATE_FIELD", send, good + doubled)
        large = self.police.request(self.police.notice())
        large.content.subject.family_name = "A" * 100_000
        refusal = self.refused("REQUEST_TOO_LARGE", send, large.SerializeToString())
        self.assertNotIn("AAAA", str(refusal))
        with self.assertRaises(Refusal) as caught:
            send(b"\xff" * 64)
        self.assertEqual(caught.exception.code.name, "INVALID_ARGUMENT")
        self.assertIsNotNone(caught.exception.reason)
        with self.assertRaises(Refusal) as caught:
            send(good.replace("Testesen".encode(), b"\xff\xfe\xfd\xfcesen"))
        self.assertEqual(caught.exception.code.name, "INVALID_ARGUMENT")
        self.assertIsNotNone(caught.exception.reason)
        self.refused("UNIMPLEMENTED", self.police.raw, "ProsecutionService", "SendGossip", b"", code="UNIMPLEMENTED")
        self.refused("BODY_MISSING", self.police.send, self.police.request())

    def test_nobody_gets_in_without_a_certificate(self):
        with Party(self.gateway, "politi-oslo", identity=False) as nobody, self.assertRaises(Refusal) as caught:
            nobody.own("LookUp")
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNAVAILABLE)

    # Mailbox, feed, directory

    def test_the_status_feed_tells_each_change_and_goes_on_from_its_cursor(self):
        def changes(cursor):
            request = prosecution_pb2.ProsecutionServiceWatchStatusRequest(cursor=cursor)
            return self.police.call("ProsecutionService", "WatchStatus", request)

        before = changes("")
        cursor = before[-1].cursor if before else ""
        request, accepted = self.opened()
        news = changes(cursor)
        self.assertEqual([(entry.status.message_id, entry.status.status) for entry in news], [(request.message_id, ACCEPTED)])
        self.taken(self.unit, accepted.case_ref)
        later = changes(news[-1].cursor)
        mine = [entry.status.status for entry in later if entry.status.message_id == request.message_id]
        self.assertEqual(mine, [ACKNOWLEDGED])
        self.assertEqual(changes(later[-1].cursor), [])

    def test_a_followed_feed_and_an_open_stream_tell_news_without_being_asked_again(self):
        self.taken(self.tromso, "")
        stub = self.tromso.stub()
        stream = stub.Receive(municipal_pb2.MunicipalServiceReceiveRequest(reader_id="open", max_items=1), timeout=20)
        got = []
        waiting = threading.Thread(target=lambda: got.extend(stream))
        waiting.start()
        request, accepted = self.opened("notice-protected-address")
        waiting.join(timeout=15)
        self.assertEqual([item.case_ref for item in got], [accepted.case_ref])
        self.assertTrue(got[0].notice.subject.reach.address_protected)
        self.tromso.acknowledge(*got)
        follow = prosecution_pb2.ProsecutionServiceWatchStatusRequest(follow=True)
        feed = self.police.stub().WatchStatus(follow, timeout=15)
        for change in feed:
            if change.status.message_id == request.message_id:
                self.assertEqual(change.status.status, ACKNOWLEDGED)
                break
        feed.cancel()

    def test_a_newer_stream_of_the_same_reader_takes_over(self):
        _, accepted = self.opened("notice-protected-address")
        old = self.tromso.stub().Receive(municipal_pb2.MunicipalServiceReceiveRequest(reader_id="twice"), timeout=20)
        first = next(old)
        new = streamed(
            self.tromso.stub().Receive, municipal_pb2.MunicipalServiceReceiveRequest(reader_id="twice", until_empty=True)
        )
        self.assertIn(first.item_number, [item.item_number for item in new])
        with self.assertRaises(grpc.RpcError) as caught:
            list(old)
        self.assertEqual(Refusal(caught.exception).reason, "STREAM_TAKEN_OVER")
        self.tromso.acknowledge(*new)
        self.assertEqual(self.taken(self.tromso, accepted.case_ref), [])

    def test_an_item_that_is_not_acknowledged_comes_again(self):
        _, accepted = self.opened("notice-attendance")
        of_case = lambda: [item.item_number for item in self.unit.receive() if item.case_ref == accepted.case_ref]  # noqa: E731
        first = of_case()
        self.assertEqual(len(first), 1)
        self.assertEqual(of_case(), first)
        self.assertEqual(len(self.taken(self.unit, accepted.case_ref)), 1)
        self.assertEqual(of_case(), [])

    def test_everyone_looks_up_its_own_counterparts_only(self):
        role = {"politi": 1, "ru": 2, "lab": 3}
        for name, seen in [("politi-oslo", {2, 3}), ("ru-oslo", {1, 3}), ("lab-ous", {1})]:
            counterparts = self.parties[name].own("LookUp").counterparts
            self.assertEqual({entry.role for entry in counterparts}, seen, name)
            self.assertTrue(all(role[entry.id.split("-")[0]] == entry.role for entry in counterparts))
        (unit,) = self.police.own("LookUp", municipality="3412").counterparts
        self.assertEqual((unit.id, list(unit.municipalities)), ("ru-hamar", ["3403", "3411", "3412"]))

    def test_a_unit_sets_its_own_contact(self):
        self.hamar.own("SetContact", role_name="Sentralbord", phone="+4700000099")
        (unit,) = self.police.own("LookUp", participant_id="ru-hamar").counterparts
        self.assertEqual([(contact.role_name, contact.phone) for contact in unit.contacts], [("Sentralbord", "+4700000099")])
        self.refused("BAD_ARGUMENT", self.hamar.own, "SetContact", role_name="Vakt")

    # The auditor

    def test_the_auditor_proves_an_entry_and_its_receipts_leaf(self):
        request, accepted = self.opened()
        receipt = self.proved(request, accepted)
        asked = audit_pb2.GetProofRequest(message_id=request.message_id)
        proofs = self.auditor.call("AuditService", "GetProof", asked).proofs
        (proof,) = [proof for proof in proofs if proof.index == accepted.log_index]
        leaf, sender, gateway = evidence.auditor_leaf(proof.proof)
        self.assertEqual(proof.leaf, receipt.leaf)
        self.assertEqual(leaf, receipt.leaf)
        self.assertEqual(sender, receipt.says)
        self.assertEqual(gateway["recipient"], "ru-oslo")
        self.assertEqual(proof.record.content_commit.hex(), evidence.content_commit(request))
        self.refused("ENTRY_UNKNOWN", self.auditor.call, "AuditService", "GetProof", audit_pb2.GetProofRequest(index=10**9))

    def test_heads_are_consistent(self):
        head = lambda: evidence.checkpoint(  # noqa: E731
            self.auditor.call("AuditService", "GetCheckpoint").checkpoint.decode(), self.vkey
        )
        old = head()
        request, accepted = self.opened()
        new = head()
        self.assertGreater(new.size, accepted.log_index)
        between = evidence.receipt(accepted.receipt, self.vkey).head
        for first, second in [(old, between), (between, new), (old, new)]:
            asked = audit_pb2.GetConsistencyProofRequest(old_size=first.size, new_size=second.size)
            hashes = self.auditor.call("AuditService", "GetConsistencyProof", asked).hashes
            evidence.consistent(first, second, list(hashes))
            if hashes:
                with self.assertRaises(evidence.Broken):
                    evidence.consistent(first, second, [bytes(32), *hashes[1:]])

    def test_no_record_and_no_file_of_the_log_holds_content(self):
        self.opened()
        rows = self.auditor.call("AuditService", "ListRecords", audit_pb2.ListRecordsRequest())
        self.assertGreater(len(rows), 2)
        words = ("Testesen", "12848930057", "Storgata")
        for row in rows:
            self.assertFalse(any(word in str(row) for word in words))
        for path in self.gateway.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                self.assertFalse(any(word.encode() in data for word in words), path.name)

    def test_a_certificate_that_ends_soon_is_told_of_in_the_trailers_of_answers_refusals_and_streams(self):
        name = "samband-certificate-expires"
        authority = Authority(self.gateway.certs())
        for to, days, told in (("lab-kort", 30, True), ("lab-lang", 90, False)):
            authority.shortened("lab-st-olav", to, days)
            with Party(self.gateway, to) as party:
                stub = party.stub()
                _, call = stub.LookUp.with_call(laboratory_pb2.LaboratoryServiceLookUpRequest(), timeout=20)
                found = [call.trailing_metadata()]
                with self.assertRaises(grpc.RpcError) as refused:
                    stub.LookUp(laboratory_pb2.LaboratoryServiceLookUpRequest(participant_id="X"), timeout=20)
                found.append(refused.exception.trailing_metadata())
                feed = stub.WatchStatus(laboratory_pb2.LaboratoryServiceWatchStatusRequest(follow=False), timeout=20)
                list(feed)
                found.append(feed.trailing_metadata())
            for trailers in found:
                values = [value for key, value in trailers if key == name]
                self.assertEqual(len(values), int(told), f"{to}: {trailers}")
                for value in values:
                    left = datetime.fromisoformat(value.replace("Z", "+00:00")) - datetime.now(timezone.utc)
                    self.assertTrue(timedelta(days=29) < left <= timedelta(days=30), value)

    def test_health_is_served(self):
        self.assertEqual(self.police.channel.unary_unary("/grpc.health.v1.Health/Check", bytes, bytes)(b"", timeout=10), b"\x08\x01")


if __name__ == "__main__":
    unittest.main()
