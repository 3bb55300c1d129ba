//! The parties of the demo: each with its own certificate and connection, and a ledger of what each one did and saw.

use std::collections::BTreeMap;

use prost_reflect::Value as Field;
use serde_json::{Value, json};

use crate::clock::{Entropy, SystemClock, SystemEntropy, random_32};
use crate::domain::id::MessageId;
use crate::tls::pki::DevPki;

use super::super::client::Client;
use super::super::exit::CliError;
use super::super::explain::Refusal;
use super::super::mailbox::{acknowledge, what};
use super::super::outbox::{complete, fresh_id};
use super::super::schema::{self, Service};
use super::super::send::split_receipt;

/// What one party did and saw, in order.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By party.
    pub lines: BTreeMap<&'static str, Vec<(&'static str, String)>>,
    /// Every receipt: a name for its file, and its bytes.
    pub receipts: Vec<(String, MessageId, Service, &'static str, Vec<u8>)>,
}

impl Ledger {
    /// Notes something that `party` did or saw.
    pub fn note(&mut self, party: &'static str, verb: &'static str, what: String) {
        self.lines.entry(party).or_default().push((verb, what));
    }
}

/// An accepted message.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The sender's handle.
    pub message_id: MessageId,
    /// The case; empty for a laboratory.
    pub case_ref: String,
    /// The requisition; empty without one.
    pub requisition_id: String,
}

/// Which of the three messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `ConditionNotice`
    Notice,
    /// `NonAttendanceReport`
    Report,
    /// `LabResult`
    Result,
}

impl Kind {
    const fn call(self) -> (Service, &'static str, &'static str) {
        match self {
            Self::Notice => (Service::Prosecution, "SendConditionNotice", "ConditionNotice"),
            Self::Report => (Service::Municipal, "ReportNonAttendance", "NonAttendanceReport"),
            Self::Result => (Service::Laboratory, "SendLabResult", "LabResult"),
        }
    }
}

/// Everyone's connections to one gateway, and the ledger.
#[derive(Debug)]
pub struct Cast {
    pki: DevPki,
    address: String,
    clients: BTreeMap<&'static str, Client>,
    /// What was done and seen.
    pub ledger: Ledger,
}

impl Cast {
    /// Parties with certificates of `pki`.
    #[must_use]
    pub fn new(pki: &DevPki) -> Self {
        Self { pki: pki.clone(), address: String::new(), clients: BTreeMap::new(), ledger: Ledger::default() }
    }

    /// Everyone connects anew, to the gateway at `address`.
    pub fn connect(&mut self, address: std::net::SocketAddr) {
        self.address = address.to_string();
        self.clients.clear();
    }

    /// The connection of `party`.
    ///
    /// # Errors
    /// Its certificate cannot be used.
    pub fn client(&mut self, party: &'static str) -> Result<Client, CliError> {
        if let Some(client) = self.clients.get(party) {
            return Ok(client.clone());
        }
        let client = Client::to(&self.address, "localhost", &self.pki.client_files(party))?;
        self.clients.insert(party, client.clone());
        Ok(client)
    }

    /// One call of `party`.
    ///
    /// # Errors
    /// A refusal, or no connection.
    pub async fn ask(&mut self, party: &'static str, service: Service, method: &str, request: &Value) -> Result<Value, CliError> {
        self.client(party)?.ask(service, method, request).await
    }

    async fn submit(
        &mut self,
        party: &'static str,
        kind: Kind,
        content: &Value,
        replaces: Option<MessageId>,
    ) -> Result<(MessageId, Value), CliError> {
        let (service, method, message) = kind.call();
        let content = schema::from_value(schema::descriptor(message), content)?;
        let mut draft = prost_reflect::DynamicMessage::new(service.method(method)?.input());
        draft.set_field_by_name("content", Field::Message(content));
        if let Some(replaces) = replaces {
            draft.set_field_by_name("replaces", Field::String(replaces.to_string()));
        }
        let entropy = SystemEntropy::default();
        let id = fresh_id(&SystemClock, &entropy as &dyn Entropy);
        let request = complete(&draft, id, &random_32(&entropy));
        let client = self.client(party)?;
        let first = client.call(service, method, request.clone()).await?;
        // The answer may have been lost: the very same once more must give the very same.
        let again = client.call(service, method, request).await?;
        expect(first == again, "a retry is answered with the first receipt, byte for byte")?;
        Ok((id, first))
    }

    /// Sends a message, twice as after a lost answer, and keeps its receipt under `name`.
    ///
    /// # Errors
    /// A refusal, no connection, or two different answers.
    pub async fn send(
        &mut self,
        party: &'static str,
        kind: Kind,
        content: &Value,
        replaces: Option<MessageId>,
        name: &str,
    ) -> Result<Sent, CliError> {
        let (message_id, answer) = self.submit(party, kind, content, replaces).await?;
        let (accepted, receipt) = split_receipt(&answer["accepted"])?;
        let number = self.ledger.receipts.len() + 1;
        self.ledger.receipts.push((format!("{number:02}-{name}"), message_id, kind.call().0, party, receipt));
        let text = |name: &str| accepted[name].as_str().unwrap_or_default().to_owned();
        Ok(Sent { message_id, case_ref: text("case_ref"), requisition_id: text("requisition_id") })
    }

    /// Tries to send a message that must be refused.
    ///
    /// # Errors
    /// It was not refused.
    pub async fn send_refused(&mut self, party: &'static str, kind: Kind, content: &Value) -> Result<Refusal, CliError> {
        refusal(self.submit(party, kind, content, None).await)
    }

    /// Receives all that is in the mailbox of `party` and notes what it saw. `acknowledge_all` settles it.
    ///
    /// # Errors
    /// A refusal, or no connection.
    pub async fn receive(&mut self, party: &'static str, service: Service, acknowledge_all: bool) -> Result<Vec<Value>, CliError> {
        let client = self.client(party)?;
        let mut items = Vec::new();
        let mut stream = client.stream(service, "Receive", &json!({"reader_id": "demo", "until_empty": true})).await?;
        while let Some(item) = stream.next().await? {
            self.ledger.note(
                party,
                "received",
                format!("{} from {}: {}", what(&item), item["sender"]["id"].as_str().unwrap_or_default(), gist(&item)),
            );
            items.push(item);
        }
        if acknowledge_all && !items.is_empty() {
            let numbers: Vec<u64> = items.iter().filter_map(|item| item["item_number"].as_u64()).collect();
            acknowledge(&client, service, &numbers).await?;
        }
        Ok(items)
    }
}

/// The refusal that must have come.
///
/// # Errors
/// Anything else came.
pub fn refusal<T>(result: Result<T, CliError>) -> Result<Refusal, CliError> {
    match result {
        Err(CliError::Refused(refusal)) => Ok(*refusal),
        Err(other) => Err(other),
        Ok(_) => Err(CliError::Failed("something forbidden was allowed".to_owned())),
    }
}

/// Fails the demo unless `holds`.
///
/// # Errors
/// When it does not.
pub fn expect(holds: bool, what: &str) -> Result<(), CliError> {
    if holds { Ok(()) } else { Err(CliError::Failed(format!("this did not hold: {what}"))) }
}

/// The names of what an item told its reader.
fn gist(item: &Value) -> String {
    let mut told = Vec::new();
    for body in ["notice", "report", "result"] {
        let Some(content) = item[body].as_object() else { continue };
        told.extend(content.keys().filter(|name| !matches!(name.as_str(), "case_ref" | "requisition_id")).cloned());
    }
    for (name, label) in [("withdrawal", "reason"), ("case_ref", "case"), ("requisition_id", "requisition")] {
        if let Some(value) = item[name].as_str() {
            told.push(format!("{label} {value}"));
        }
    }
    told.join(", ")
}
