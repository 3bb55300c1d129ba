//! Entries of a range with what opens them, for a check that needs this gateway no more.

use std::sync::Arc;

use bytes::Bytes;

use super::PageOf;
use super::survey::Range;
use crate::audit::event::Asked;
use crate::audit::question::Period;
use crate::audit::range::{Held, OpenEntry};
use crate::audit::sight::Sight;
use crate::audit::tree::{Frontier, Hash};
use crate::domain::id::CaseRef;
use crate::gateway::{Gateway, Refusal};
use crate::policy::permit::Caller;
use crate::policy::table::Verb;
use crate::store::{ENTRIES_AT_ONCE, StoreError};

/// An export under way: what proves its range, then its entries.
#[derive(Debug)]
pub struct Exported {
    gateway: Arc<Gateway>,
    caller: Caller,
    case_ref: Option<CaseRef>,
    next: u64,
    /// The signed checkpoint that everything is proved against.
    pub checkpoint: Bytes,
    /// First index.
    pub from: u64,
    /// One past the last index.
    pub to: u64,
    /// The right edge of the entries before the first.
    pub edge: Frontier,
    /// The consistency proof from `to` to the checkpoint.
    pub consistency: Vec<Hash>,
    /// Whose records are opened.
    pub sight: Sight,
}

impl Gateway {
    /// Begins an export of `period`; of one case, the entries of others come without what opens them.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal: an export of a log whose tiles are damaged could not be checked.
    pub async fn export(self: &Arc<Self>, caller: &Caller, period: Period, case_ref: Option<CaseRef>) -> Result<Exported, Refusal> {
        let asked = Asked { from_time: period.from, to_time: period.to, case_ref, ..Asked::default() };
        self.ask(caller, Verb::Export, asked, PageOf::First).await?;
        let begun = async {
            let Range { from, to, head, checkpoint } = self.range(period, false).await?;
            let damaged = || StoreError::Damaged { place: "log/tile: the published tiles do not lead to the log's head".into() };
            let edge = self.store.edge(from).await?.ok_or_else(damaged)?;
            let consistency = self.store.consistency(to, head.size()).await?.ok_or_else(damaged)?;
            Ok(Exported {
                gateway: Arc::clone(self),
                caller: caller.clone(),
                case_ref,
                next: from,
                checkpoint,
                from,
                to,
                edge,
                consistency,
                sight: self.sight(caller),
            })
        };
        match begun.await {
            Ok(exported) => Ok(exported),
            Err(error) => Err(self.failed(caller, Verb::Export, error, None).await),
        }
    }
}

impl Exported {
    /// The next entries; none after the last.
    ///
    /// # Errors
    /// The caller's key is no longer enrolled, or the store's refusal.
    pub async fn next(&mut self) -> Result<Option<Vec<OpenEntry>>, Refusal> {
        if self.next >= self.to {
            return Ok(None);
        }
        drop(self.gateway.permit_or_refuse(&self.caller, Verb::Export).await?);
        // The scope that the export began with, unless it was narrowed since.
        let now = self.gateway.sight(&self.caller);
        match self.gateway.store.entries(self.next, self.to.min(self.next + ENTRIES_AT_ONCE)).await {
            Ok(mut entries) if !entries.is_empty() => {
                self.next += entries.len() as u64;
                for entry in &mut entries {
                    let Held::Record(held) = &entry.held else { continue };
                    let of_case = self.case_ref.is_none_or(|case_ref| held.0.case_ref == Some(case_ref));
                    if !(of_case && self.sight.sees(&held.0) && now.sees(&held.0)) {
                        entry.held = Held::Closed;
                    }
                }
                Ok(Some(entries))
            }
            Ok(_) => {
                let error = StoreError::Damaged { place: format!("the published log at index {}", self.next) };
                Err(self.gateway.failed(&self.caller, Verb::Export, error, None).await)
            }
            Err(error) => Err(self.gateway.failed(&self.caller, Verb::Export, error, None).await),
        }
    }
}
