//! Taking a message: permit, bounds, then the store's decision.

use zeroize::Zeroizing;

use super::{Gateway, Refusal};
use crate::audit::event::{ContentCommit, MessageKind};
use crate::domain::id::MessageId;
use crate::domain::limits::CONTENT_BYTES_MAX;
use crate::domain::mac::hmac_sha256_of_content;
use crate::domain::sensitive::Content;
use crate::policy::command::{Body, Command, Reference, Searched, Submission};
use crate::policy::permit::{Caller, Denial, authorize};
use crate::policy::reason::Reason;
use crate::policy::table::{FLOWS, Verb};
use crate::store::{Accepted, Outcome, StoreError};

/// A message as the wire gave it, parsed.
pub struct Draft {
    /// Which of the three.
    pub kind: MessageKind,
    /// The sender's handle.
    pub message_id: MessageId,
    /// The sender's salt.
    pub salt: Zeroizing<[u8; 32]>,
    /// The message that is corrected or withdrawn.
    pub replaces: Option<MessageId>,
    /// Only answer as if.
    pub validate_only: bool,
    /// Content or withdrawal.
    pub body: Body,
    /// The request written again without its handle, salt and `validate_only`.
    pub canonical: Content,
}

/// A message whose content is refused as it stands.
pub struct Unfit<'d> {
    /// Which of the three.
    pub kind: MessageKind,
    /// The sender's handle.
    pub message_id: MessageId,
    /// The sender's salt.
    pub salt: &'d [u8; 32],
    /// As in a [`Draft`].
    pub canonical: &'d Content,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// Accepted, now or before.
    Accepted(Accepted),
    /// `validate_only`: it would have been.
    Validated,
}

/// HMAC-SHA256 of the canonical content under the sender's salt.
#[must_use]
pub fn content_commit(salt: &[u8; 32], canonical: &[u8]) -> ContentCommit {
    hmac_sha256_of_content(salt, canonical)
}

fn send_verb(kind: MessageKind) -> Verb {
    FLOWS.iter().find(|flow| flow.kind == kind).map_or(Verb::SendNotice, |flow| flow.send)
}

impl Gateway {
    /// Takes a message. Durable when it returns.
    ///
    /// # Errors
    /// Why not; in the log already.
    pub async fn submit(&self, caller: &Caller, draft: Draft) -> Result<Submitted, Refusal> {
        let (verb, message_id) = (send_verb(draft.kind), draft.message_id);
        match self.try_submit(caller, verb, draft).await {
            Ok(submitted) => Ok(submitted),
            Err(denial) => Err(self.refuse(caller, verb, denial, Some(message_id)).await),
        }
    }

    /// What a message was answered that is refused today for its content alone, if the very same was accepted before under this id: a day or a rule
    /// may have changed since, and its sender is owed the receipt.
    ///
    /// # Errors
    /// The store cannot tell now.
    pub async fn accepted_before(&self, caller: &Caller, draft: Unfit<'_>) -> Result<Option<Accepted>, Refusal> {
        let Unfit { kind, message_id, salt, canonical } = draft;
        let (verb, commit) = (send_verb(kind), content_commit(salt, canonical));
        let Ok(permit) = authorize(caller, verb, commit, &self.store.register()) else { return Ok(None) };
        let submission = Submission {
            kind,
            message_id,
            commit,
            replaces: None,
            validate_only: false,
            body: Body::Unfit,
            canonical: Content::default(),
            mailbox_items_max: self.settings.mailbox_items_max,
            searched: Searched::Unknown,
        };
        match self.store.act(Command::Submit { permit, submission: Box::new(submission) }).await {
            Ok(Outcome::Accepted(accepted)) => Ok(Some(accepted)),
            Ok(Outcome::Done { .. }) | Err(StoreError::Denied(_)) => Ok(None),
            Err(error) => Err(self.failed(caller, verb, error, Some(message_id)).await),
        }
    }

    async fn try_submit(&self, caller: &Caller, verb: Verb, draft: Draft) -> Result<Submitted, Denial> {
        let Draft { kind, message_id, salt, replaces, validate_only, body, canonical } = draft;
        if canonical.len() > CONTENT_BYTES_MAX {
            return Err(Reason::TooLarge.into());
        }
        let commit = content_commit(&salt, &canonical);
        let permit = authorize(caller, verb, commit, &self.store.register())?;
        // A withdrawal has no content to deliver; its reason stands in the event.
        let canonical = if matches!(body, Body::Withdrawal(_)) { Content::default() } else { canonical };
        let mailbox_items_max = self.settings.mailbox_items_max;
        let searched = Searched::Unknown;
        let submission = Submission { kind, message_id, commit, replaces, validate_only, body, canonical, mailbox_items_max, searched };
        if submission.reference() != Reference::None {
            self.references
                .peek(caller.id(), self.clock.elapsed_millis())
                .map_err(|wait| Denial { reason: Reason::ReferencesLimited, retry_after_millis: Some(wait) })?;
        }
        let outcome = self.store.act(Command::Submit { permit, submission: Box::new(submission) }).await;
        match outcome.map_err(|error| super::denial_of(&error))? {
            Outcome::Accepted(accepted) => Ok(Submitted::Accepted(accepted)),
            Outcome::Done { .. } => Ok(Submitted::Validated),
        }
    }
}
