//! Legal holds: an auditor in whose scope a case lies keeps its records beyond their months, and ends that again.
//!
//! Auditors and not operators: what has to be kept may be needed to look into what an operator did.

use std::collections::BTreeSet;

use super::PageOf;
use crate::audit::event::{Asked, kind};
use crate::audit::record::Record;
use crate::audit::sight::Sight;
use crate::domain::hold::{HeldCase, Hold, HoldCopy, HoldGround, HoldReason};
use crate::domain::id::CaseRef;
use crate::domain::time::Date;
use crate::gateway::{Gateway, Refusal};
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{RecordFilter, StoreError};

/// Records of a case that are looked at at once.
const LOOKED_AT: usize = 1000;
/// The kinds that tell of a hold.
const OF_A_HOLD: [u16; 4] = [kind::HOLD_PLACED, kind::HOLD_LIFTED, kind::HOLD_ENDED, kind::HELD_ERASED];

/// A hold in force, as auditors are shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldInForce {
    /// Its case and terms.
    pub hold: Hold,
    /// Log index of the entry whose terms are in force.
    pub terms: u64,
    /// Whether every record could be read to be held.
    pub copy: HoldCopy,
}

/// What a reference is to an auditor.
pub(super) enum Within {
    /// A case of which it sees something.
    Seen(HeldCase),
    /// One perhaps: there are records that cannot be read.
    MayBe,
    /// None.
    No,
}

pub(super) const MAY_BE: &str = "records that cannot be read, and may be of the case";

/// What this record of a case tells of its parties.
fn add_parties(case: &mut HeldCase, record: &Record) {
    let (prosecution, unit) = match record.kind {
        kind::NOTICE_ACCEPTED | kind::NOTICE_WITHDRAWN => (&record.actor, &record.recipient),
        kind::REPORT_ACCEPTED | kind::REPORT_WITHDRAWN => (&record.recipient, &record.actor),
        kind::RESULT_ACCEPTED | kind::RESULT_WITHDRAWN => (&record.recipient, &None),
        kind::CASE_ENDED => (&record.sender, &None),
        kind::HOLD_PLACED => (&record.sender, &record.recipient),
        _ => return,
    };
    case.prosecution = case.prosecution.take().or_else(|| prosecution.clone());
    case.unit = case.unit.take().or_else(|| unit.clone());
}

impl Gateway {
    /// Names what lets a hold last beyond the lawful maximum, once.
    pub fn set_hold_ground(&self, ground: HoldGround) {
        _ = self.hold_ground.set(ground);
    }

    /// Holds the records of `case_ref` until the end of the day `until`, or gives the hold on it other terms; an event when this returns. The copy
    /// is made by the next turn, which is due at once.
    ///
    /// # Errors
    /// [`Reason::ReferenceUnknown`] when no record of the case is kept within the caller's scope, [`Reason::DataDamaged`] when that cannot be told,
    /// [`Reason::HoldEndPast`], [`Reason::HoldTooLong`],
    /// [`Reason::TooManyHolds`], not the caller's call, or the store's refusal.
    pub async fn place_hold(&self, caller: &Caller, case_ref: CaseRef, reason: HoldReason, until: Date) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, Verb::PlaceHold).await?;
        let acted = async {
            let sight = self.sight(caller);
            let (case, oldest) = match self.within(&sight, case_ref).await? {
                Within::Seen(case) => (case, self.oldest_of(&sight, case_ref).await?),
                // One who sees everything sees this case too, if it is one, and may keep its records from going before they are mended.
                Within::MayBe if sight.parties().is_none() => (HeldCase { case_ref, prosecution: None, unit: None }, None),
                Within::MayBe => return Err(StoreError::Damaged { place: MAY_BE.into() }),
                Within::No => return Err(StoreError::Denied(Reason::ReferenceUnknown.into())),
            };
            let ground = self.hold_ground.get().cloned();
            self.store.act(Command::PlaceHold { permit, case, reason, until, oldest, ground }).await
        };
        match acted.await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(caller, Verb::PlaceHold, error, None).await),
        }
    }

    /// Ends the hold on `case_ref`; an event when this returns. What its month no longer keeps is erased by the next turn, which is due at once.
    ///
    /// # Errors
    /// [`Reason::HoldUnknown`] when there is none, or the case is not within the caller's scope; not the caller's call, or the store's refusal.
    pub async fn lift_hold(&self, caller: &Caller, case_ref: CaseRef) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, Verb::LiftHold).await?;
        let acted = async {
            let sight = self.sight(caller);
            if sight.parties().is_some() {
                match self.within(&sight, case_ref).await? {
                    Within::Seen(_) => {}
                    Within::MayBe => return Err(StoreError::Damaged { place: MAY_BE.into() }),
                    Within::No => return Err(StoreError::Denied(Reason::HoldUnknown.into())),
                }
            }
            self.store.act(Command::LiftHold { permit, case_ref }).await
        };
        match acted.await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(caller, Verb::LiftHold, error, None).await),
        }
    }

    /// Holds in force on cases within the caller's scope, by case.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn holds(&self, caller: &Caller) -> Result<Vec<HoldInForce>, Refusal> {
        self.ask(caller, Verb::ListHolds, Asked::default(), PageOf::First).await?;
        let found = async {
            let (sight, mut seen) = (self.sight(caller), Vec::new());
            for hold in self.store.holds().await? {
                if sight.parties().is_none() || self.case_within(&sight, hold.case.case_ref).await?.0.is_some() {
                    let terms = self.terms_of(&sight, &hold).await?;
                    let case = hold.case.case_ref;
                    let copy = self.read_by(&sight, move |store| async move { store.hold_copy(case).await }).await?;
                    seen.push(HoldInForce { hold, terms, copy });
                }
            }
            Ok(seen)
        };
        match found.await {
            Ok(holds) => Ok(holds),
            Err(error) => Err(self.failed(caller, Verb::ListHolds, error, None).await),
        }
    }

    /// The day of the oldest record of a case; none where one that cannot be read may be older. A hold on it is shown to whoever sees anything of the
    /// case, and so is what that needs.
    async fn oldest_of(&self, sight: &Sight, case_ref: CaseRef) -> Result<Option<Date>, StoreError> {
        let filter = RecordFilter { case_ref: Some(case_ref), ..RecordFilter::default() };
        let page = self.page_by(sight, &filter, LOOKED_AT).await?;
        let (index, first) = match page.entries.iter().find_map(|entry| Some((entry.index, entry.record.as_ref()?))) {
            Some((index, record)) => (index, record.time.oslo_date()),
            None => return Ok(None),
        };
        Ok(page.unreadable.iter().all(|(damaged, _)| *damaged > index).then_some(first))
    }

    /// The index of the last entry that placed this hold or changed it. Where it cannot be found, the first stands.
    async fn terms_of(&self, sight: &Sight, hold: &Hold) -> Result<u64, StoreError> {
        let (mut from_index, mut last) = (hold.placed, hold.placed);
        loop {
            let filter =
                RecordFilter { case_ref: Some(hold.case.case_ref), kinds: vec![kind::HOLD_PLACED], from_index, ..RecordFilter::default() };
            let page = self.page_by(sight, &filter, LOOKED_AT).await?;
            last = page.entries.iter().rev().find(|entry| entry.record.is_some()).map_or(last, |entry| entry.index);
            match page.next_index {
                Some(next) => from_index = next,
                None => return Ok(last),
            }
        }
    }

    /// What `caller` sees now, and the holds on cases of which it sees something.
    pub(super) async fn seeing(&self, caller: &Caller) -> Result<Sight, StoreError> {
        let sight = self.sight(caller);
        if sight.parties().is_none() {
            return Ok(sight);
        }
        let (mut known, mut within) = (BTreeSet::new(), Vec::new());
        // By one kind at a time, which the index knows: this is asked for every page that a scope is shown.
        for kind in OF_A_HOLD {
            let mut next = Some(0);
            while let Some(from_index) = next {
                let filter = RecordFilter { kinds: vec![kind], from_index, ..RecordFilter::default() };
                let page = self.page_by(&sight, &filter, LOOKED_AT).await?;
                for case in page.entries.iter().filter_map(|entry| entry.record.as_ref()?.case_ref) {
                    if known.insert(case) && self.case_within(&sight, case).await?.0.is_some() {
                        within.push(case);
                    }
                }
                next = page.next_index;
            }
        }
        Ok(sight.with_holds_on(within))
    }

    /// Whether `case_ref` is a case of which `sight` sees something. To whoever sees a part, a reference of which it sees nothing may be one of its own
    /// while any entry of the log cannot be read, whatever the reference is.
    pub(super) async fn within(&self, sight: &Sight, case_ref: CaseRef) -> Result<Within, StoreError> {
        let filter = RecordFilter { case_ref: Some(case_ref), ..RecordFilter::default() };
        let unjudged = self.unjudged(sight, &filter).await?;
        Ok(match self.evenly(sight, self.case_within(sight, case_ref)).await? {
            (Some(case), _) => Within::Seen(case),
            (None, is_damaged) if unjudged > 0 || (sight.parties().is_none() && is_damaged) => Within::MayBe,
            _ => Within::No,
        })
    }

    /// The case, if `sight` sees a record of something that happened in it, and whether records that may be of it cannot be read. Who only asked for
    /// it, or held it, makes no case.
    pub(super) async fn case_within(&self, sight: &Sight, case_ref: CaseRef) -> Result<(Option<HeldCase>, bool), StoreError> {
        let (mut case, mut is_seen, mut from_index) = (HeldCase { case_ref, prosecution: None, unit: None }, false, 0);
        let mut is_damaged = false;
        loop {
            let filter = RecordFilter { case_ref: Some(case_ref), from_index, ..RecordFilter::default() };
            let page = self.page_by(sight, &filter, LOOKED_AT).await?;
            is_damaged |= !page.unreadable.is_empty();
            for record in page.entries.iter().filter_map(|entry| entry.record.as_ref()) {
                is_seen |= record.happened_in_its_case() && sight.sees(record);
                add_parties(&mut case, record);
            }
            match page.next_index {
                Some(next) if !is_seen || case.prosecution.is_none() || case.unit.is_none() => from_index = next,
                _ => return Ok((is_seen.then_some(case), is_damaged)),
            }
        }
    }
}
