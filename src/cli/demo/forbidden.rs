//! Six attempts at what nobody may do, each refused with its reason.

use serde_json::json;

use crate::clock::{Clock as _, SystemClock, SystemEntropy};
use crate::tls::files;
use crate::tls::issue::Leaf;
use crate::tls::pki::DevPki;

use super::super::exit::CliError;
use super::super::schema::Service;
use super::Stage;
use super::cast::{Kind, refusal};
use super::people;
use super::story::Opened;

/// A certificate of the right CA whose key nobody enrolled.
pub const STRANGER: &str = "ukjent";
/// An organisation number of the unissued range.
const STRANGER_NUMBER: &str = "800000815";

/// Issues the stranger's certificate.
///
/// # Errors
/// A file cannot be written.
pub fn issue_stranger(pki: &DevPki) -> Result<(), CliError> {
    let config = |what: String| CliError::Config(what);
    let number = STRANGER_NUMBER.parse().map_err(|_| config("the stranger's organisation number is out of shape".to_owned()))?;
    let authority = pki.authority().map_err(|error| config(error.to_string()))?;
    let issued = authority.issue(&Leaf::client(STRANGER, number, SystemClock.now()), &SystemEntropy::default());
    let issued = issued.map_err(|error| config(error.to_string()))?;
    let (certificate, key) = (pki.certificate_file(STRANGER), pki.key_file(STRANGER));
    if let Some(dir) = certificate.parent() {
        files::make_private_dir(dir)?;
    }
    files::write(&key, issued.key_pem().as_bytes(), 0o600)?;
    files::write(&certificate, issued.certificate_pem().as_bytes(), 0o644)?;
    Ok(())
}

/// Plays them.
///
/// # Errors
/// One that was allowed, or refused for another reason.
pub async fn six_attempts(stage: &mut Stage, opened: &Opened) -> Result<(), CliError> {
    let (days, adult) = (stage.days, &opened.adult);
    stage.chapter("What nobody may do");
    let receive = json!({"reader_id": "demo", "until_empty": true});

    let stream = stage.cast.client("ru-oslo")?.stream(Service::Prosecution, "Receive", &receive).await;
    let refused = match stream {
        Ok(mut answers) => refusal(answers.next().await)?,
        Err(error) => refusal::<()>(Err(error))?,
    };
    stage.refused("ru-oslo", "asks for results", &refused, "CALL_NOT_ALLOWED")?;

    let refused = stage.cast.send_refused("lab-ous", Kind::Notice, &people::adult(days)).await?;
    stage.refused("lab-ous", "sends a notice", &refused, "CALL_NOT_ALLOWED")?;

    let result = people::result(days, &adult.requisition_id, "42.5");
    let refused = stage.cast.send_refused("politi-oslo", Kind::Result, &result).await?;
    stage.refused("politi-oslo", "sends a result on its own requisition", &refused, "CALL_NOT_ALLOWED")?;

    let refused = stage.cast.send_refused("lab-st-olav", Kind::Result, &result).await?;
    stage.refused("lab-st-olav", "sends a result on an order that does not name it", &refused, "REFERENCE_UNKNOWN")?;

    let refused = stage.cast.send_refused("ru-hamar", Kind::Report, &people::report(days, &adult.case_ref)).await?;
    stage.refused("ru-hamar", "reports on a case of ru-oslo", &refused, "REFERENCE_UNKNOWN")?;

    let refused = refusal(stage.cast.ask(STRANGER, Service::Audit, "GetCheckpoint", &json!({})).await)?;
    stage.refused(STRANGER, "connects with a certificate that is not enrolled", &refused, "NOT_ENROLLED")
}
