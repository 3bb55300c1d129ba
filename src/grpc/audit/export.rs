//! An export as a stream.

use std::collections::VecDeque;

use tonic::Status;

use super::answer::covers;
use super::{pb, status};
use crate::audit::leaf::{AuditorOpening, Opening as _};
use crate::audit::range::{Held, OpenEntry};
use crate::gateway::Exported;
use crate::grpc::stream::Source;
use crate::policy::reason::Reason;
use pb::export_response::Part;

/// The head, the entries, the end.
pub(super) struct Export {
    exported: Exported,
    head_is_sent: bool,
    chunk: VecDeque<OpenEntry>,
    sent: u64,
    ended: bool,
}

impl Export {
    pub(super) const fn new(exported: Exported) -> Self {
        Self { exported, head_is_sent: false, chunk: VecDeque::new(), sent: 0, ended: false }
    }

    fn head(&self) -> pb::ExportHead {
        let Exported { checkpoint, from, to, edge, consistency, sight, .. } = &self.exported;
        let (participants, whole_log) = covers(sight);
        pb::ExportHead {
            checkpoint: checkpoint.clone(),
            from_index: *from,
            to_index: *to,
            edge: edge.peaks().map(|(_, _, hash)| hash.as_bytes().to_vec().into()).collect(),
            consistency: consistency.iter().map(|hash| hash.as_bytes().to_vec().into()).collect(),
            participants,
            whole_log,
        }
    }
}

fn entry(entry: OpenEntry) -> Result<pb::ExportEntry, Status> {
    let OpenEntry { index, leaf, held } = entry;
    let leaf = leaf.ok_or_else(|| status::of_reason(Reason::Internal))?.as_bytes().to_vec().into();
    let (opening, absence) = match held {
        Held::Record(held) => {
            let (record, openings) = *held;
            let opening = AuditorOpening::new(openings, record.sender_part(), record.gateway_part());
            let bytes = opening.map_err(|_| status::of_reason(Reason::Internal))?.encode();
            (Some(bytes.to_vec().into()), pb::ExportAbsence::Unspecified)
        }
        Held::Erased => (None, pb::ExportAbsence::Erased),
        Held::Closed => (None, pb::ExportAbsence::Closed),
        Held::Unreadable => (None, pb::ExportAbsence::Unreadable),
    };
    Ok(pb::ExportEntry { index, leaf, opening, absence: absence.into() })
}

impl Source for Export {
    type Answer = pb::ExportResponse;

    async fn next(&mut self) -> Result<Option<pb::ExportResponse>, Status> {
        if !self.head_is_sent {
            self.head_is_sent = true;
            return Ok(Some(pb::ExportResponse { part: Some(Part::Head(self.head())) }));
        }
        if self.ended {
            return Ok(None);
        }
        if self.chunk.is_empty()
            && let Some(chunk) = self.exported.next().await.map_err(status::of_end)?
        {
            self.chunk = chunk.into();
        }
        let part = match self.chunk.pop_front() {
            Some(open) => {
                self.sent += 1;
                Part::Entry(entry(open)?)
            }
            None => {
                self.ended = true;
                Part::End(pb::ExportEnd { entries: self.sent })
            }
        };
        Ok(Some(pb::ExportResponse { part: Some(part) }))
    }
}
