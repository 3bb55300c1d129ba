//! `AuditService/Export`: the frame, the entries, the end.

use std::vec::IntoIter;

use tonic::Status;

use super::answer::covers;
use super::{pb, shared, status};
use crate::audit::leaf::{AuditorOpening, Opening as _};
use crate::audit::range::{Held, OpenEntry};
use crate::domain::hold::HoldCopy;
use crate::gateway::{Export, ExportOf};
use crate::grpc::stream::Source;
use crate::policy::reason::Reason;

/// Entries in one answer.
const ENTRIES_PER_ANSWER: usize = 256;

/// What a request asks for.
///
/// # Errors
/// A field out of shape.
pub(super) fn export_of(request: &pb::ExportRequest) -> Result<ExportOf, Status> {
    let pb::ExportRequest { from_index, to_index, from_time, to_time, case_ref, tree_size } = request;
    Ok(ExportOf {
        from_index: *from_index,
        to_index: *to_index,
        period: super::period(from_time.as_ref(), to_time.as_ref())?,
        case_ref: case_ref.as_deref().map(str::parse).transpose().map_err(|error| status::of_id("case_ref", error))?,
        tree_size: *tree_size,
    })
}

/// The answers of an export.
pub(super) struct Exporting {
    export: Export,
    is_begun: bool,
    left: IntoIter<OpenEntry>,
    sent: u64,
    ended: bool,
}

impl Exporting {
    pub(super) fn new(export: Export) -> Self {
        Self { export, is_begun: false, left: Vec::new().into_iter(), sent: 0, ended: false }
    }
}

fn entry(entry: &OpenEntry) -> Result<pb::ExportEntry, Status> {
    let damaged = || status::of_reason(Reason::Internal);
    let (opening, absence) = match &entry.held {
        Held::Record(held) => {
            let (record, openings) = &**held;
            let opening = AuditorOpening::new(openings.clone(), record.sender_part(), record.gateway_part());
            (Some(opening.map_err(|_| damaged())?.encode().to_vec().into()), pb::ExportAbsence::Unspecified)
        }
        Held::Erased => (None, pb::ExportAbsence::Erased),
        Held::Closed => (None, pb::ExportAbsence::Closed),
        Held::Unreadable => (None, pb::ExportAbsence::Unreadable),
    };
    let leaf = entry.leaf.ok_or_else(damaged)?.as_bytes().to_vec().into();
    Ok(pb::ExportEntry { index: entry.index, leaf, opening, absence: absence.into() })
}

impl Source for Exporting {
    type Answer = pb::ExportResponse;

    async fn next(&mut self) -> Result<Option<pb::ExportResponse>, Status> {
        use pb::export_response::Part;
        let answer = |part| Ok(Some(pb::ExportResponse { part: Some(part) }));
        if !self.is_begun {
            self.is_begun = true;
            let frame = self.export.frame();
            let (participants, whole_log) = covers(&frame.sight);
            let hashes = |hashes: &[crate::audit::tree::Hash]| hashes.iter().map(shared::hash).collect();
            return answer(Part::Frame(pb::ExportFrame {
                checkpoint: frame.checkpoint.clone(),
                from_index: frame.from,
                to_index: frame.to,
                edge: hashes(&frame.edge),
                consistency: hashes(&frame.consistency),
                participants,
                whole_log,
                hold: frame.hold.map(|copy| super::hold::of_copy(copy).into()),
                hold_lost: frame.hold.map_or(0, HoldCopy::lost),
            }));
        }
        if self.ended {
            return Ok(None);
        }
        if self.left.len() == 0 {
            match self.export.next().await.map_err(status::of_end)? {
                Some(entries) => self.left = entries.into_iter(),
                None => {
                    self.ended = true;
                    return answer(Part::End(pb::ExportEnd { entries: self.sent }));
                }
            }
        }
        let entries: Vec<pb::ExportEntry> =
            self.left.by_ref().take(ENTRIES_PER_ANSWER).map(|open| entry(&open)).collect::<Result<_, Status>>()?;
        self.sent += entries.len() as u64;
        answer(Part::Entries(pb::ExportEntries { entries }))
    }
}
