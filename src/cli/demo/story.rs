//! What is played: three notices, one of which comes back, a report, a result and its correction.

use serde_json::{Value, json};

use super::super::exit::CliError;
use super::super::schema::Service;
use super::Stage;
use super::cast::{Kind, Sent, expect};
use super::people;

/// What the first half leaves for the second.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The adult's case.
    pub adult: Sent,
    /// The notice that was sent anew.
    pub moved: Sent,
}

fn only(items: &[Value], what: &str) -> Result<Value, CliError> {
    match items {
        [one] => Ok(one.clone()),
        _ => Err(CliError::Failed(format!("this did not hold: exactly one item for {what}, there were {}", items.len()))),
    }
}

fn names(item: &Value, person: people::Person) -> bool {
    item["notice"]["subject"]["fnr"] == person.number && item["notice"]["subject"]["family_name"] == person.family
}

/// The notices, and the one that comes back.
///
/// # Errors
/// What did not hold.
pub async fn notices(stage: &mut Stage) -> Result<Opened, CliError> {
    let days = stage.days;
    stage.chapter("The notices (melding om vilkår)");
    let adult = stage.cast.send("politi-oslo", Kind::Notice, &people::adult(days), None, "notice-adult").await?;
    stage.cast.ledger.note(
        "politi-oslo",
        "sent",
        format!("a notice on an adult in 0301 Oslo, attendance and control: case {}", adult.case_ref),
    );
    expect(!adult.case_ref.is_empty() && !adult.requisition_id.is_empty(), "a notice with control gets a case and a requisition")?;
    stage.step("politi-oslo sends a notice with attendance and control for an adult in Oslo");

    let youth = stage.cast.send("politi-innlandet", Kind::Notice, &people::youth(days), None, "notice-16-years").await?;
    stage.cast.ledger.note(
        "politi-innlandet",
        "sent",
        format!("a notice on a 16-year-old in 3411 Ringsaker, guardian notified: case {}", youth.case_ref),
    );
    expect(youth.requisition_id.is_empty(), "a notice without control gets no requisition")?;
    stage.step("politi-innlandet sends a notice for a 16-year-old, whose guardian (verge) is notified");

    let wrong = stage.cast.send("politi-oslo", Kind::Notice, &people::moved(days, "5501"), None, "notice-wrong-municipality").await?;
    stage.cast.ledger.note("politi-oslo", "sent", format!("a notice on a person in 5501 Tromsø: case {}", wrong.case_ref));
    stage.step("politi-oslo sends a notice to Tromsø, where the person does not stay");

    let item = only(&stage.cast.receive("ru-oslo", Service::Municipal, true).await?, "ru-oslo")?;
    expect(names(&item, people::ADULT) && item["case_ref"] == adult.case_ref.as_str(), "ru-oslo gets the adult's notice with its case")?;
    expect(item["requisition_id"] == adult.requisition_id.as_str(), "and the requisition for the form")?;
    expect(item["contact"]["phone"].is_string(), "and the prosecution's contact")?;
    let item = only(&stage.cast.receive("ru-hamar", Service::Municipal, true).await?, "ru-hamar")?;
    expect(names(&item, people::YOUTH), "ru-hamar, which serves Ringsaker, gets the 16-year-old's notice")?;
    expect(item["notice"]["guardian_notified_on"].is_string(), "with the day the guardian was notified")?;
    stage.step("each unit receives the notice for its own municipality, and no other");

    let moved = sent_anew(stage, &wrong).await?;
    Ok(Opened { adult, moved })
}

async fn sent_anew(stage: &mut Stage, wrong: &Sent) -> Result<Sent, CliError> {
    let item = only(&stage.cast.receive("ru-tromso", Service::Municipal, false).await?, "ru-tromso")?;
    let back = json!({"item_number": item["item_number"], "reason": "NOTICE_RETURN_REASON_NOT_STAYING_HERE"});
    stage.cast.ask("ru-tromso", Service::Municipal, "Return", &back).await?;
    stage.cast.ledger.note("ru-tromso", "returned", "the notice: the person does not stay here".to_owned());
    let id = wrong.message_id.to_string();
    let answer = stage.cast.ask("politi-oslo", Service::Prosecution, "GetStatus", &json!({"message_ids": [id]})).await?;
    expect(answer["statuses"][0]["status"] == "DELIVERY_STATUS_RETURNED", "politi-oslo sees that its notice came back")?;
    stage.cast.ledger.note("politi-oslo", "saw", "that the notice to Tromsø came back".to_owned());
    stage.step("ru-tromso returns it, and politi-oslo sees that");

    let notice = people::moved(stage.days, "3403");
    let anew = stage.cast.send("politi-oslo", Kind::Notice, &notice, Some(wrong.message_id), "notice-sent-anew").await?;
    stage.cast.ledger.note("politi-oslo", "sent", format!("the notice anew to 3403 Hamar: case {}", anew.case_ref));
    expect(anew.case_ref == wrong.case_ref, "the case keeps its reference")?;
    let item = only(&stage.cast.receive("ru-hamar", Service::Municipal, true).await?, "ru-hamar")?;
    expect(names(&item, people::MOVED) && item["case_ref"] == wrong.case_ref.as_str(), "ru-hamar gets the notice that Tromsø returned")?;
    let told = only(&stage.cast.receive("ru-tromso", Service::Municipal, true).await?, "ru-tromso")?;
    expect(told["withdrawal"].is_string() && told.get("notice").is_none(), "ru-tromso is told that its notice is withdrawn, and no more")?;
    stage.step("politi-oslo sends it anew to Hamar, with the same case reference; ru-tromso is told it is withdrawn");
    Ok(anew)
}

/// The report, the result and its correction.
///
/// # Errors
/// What did not hold.
pub async fn answers(stage: &mut Stage, opened: &Opened) -> Result<(), CliError> {
    let (days, adult) = (stage.days, &opened.adult);
    stage.chapter("The answers, after the restart");
    let report = stage.cast.send("ru-oslo", Kind::Report, &people::report(days, &adult.case_ref), None, "report").await?;
    stage.cast.ledger.note("ru-oslo", "sent", format!("a report of a missed conversation in case {}", report.case_ref));
    stage.step("ru-oslo reports that the person did not meet (ikke møtt)");
    let first = stage.cast.send("lab-ous", Kind::Result, &people::result(days, &adult.requisition_id, "42.5"), None, "result").await?;
    stage.cast.ledger.note("lab-ous", "sent", format!("a result on requisition {}", first.requisition_id));
    expect(first.case_ref.is_empty(), "a laboratory is never told the case")?;
    stage.step("lab-ous sends a result (prøvesvar) on the requisition");

    let items = stage.cast.receive("politi-oslo", Service::Prosecution, true).await?;
    expect(items.len() == 2, "politi-oslo gets the report and the result")?;
    expect(items[0]["report"]["missed_dates"].is_array(), "first the report")?;
    expect(items[0]["report_meaning"] == "REPORT_MEANING_NOT_MET_ON_DATES_ONLY", "with how it is to be read")?;
    expect(items[1]["result"]["findings"].as_array().is_some_and(|findings| findings.len() == 2), "then the result with both findings")?;
    let own = adult.message_id.to_string();
    expect(items.iter().all(|item| item["notice_message_id"] == own.as_str()), "each with the id of politi-oslo's own notice")?;
    stage.step("politi-oslo, and nobody else, receives both");

    let corrected = people::result(days, &adult.requisition_id, "24.5");
    stage.cast.send("lab-ous", Kind::Result, &corrected, Some(first.message_id), "result-corrected").await?;
    stage.cast.ledger.note("lab-ous", "sent", format!("a corrected result on requisition {}", first.requisition_id));
    let item = only(&stage.cast.receive("politi-oslo", Service::Prosecution, true).await?, "politi-oslo")?;
    expect(item["replaces_item"] == items[1]["item_number"], "the correction names the result that it replaces")?;
    expect(item["result"]["findings"][0]["quantity"]["value"] == "24.5", "and holds the corrected amount")?;
    stage.step("lab-ous corrects the result, and politi-oslo sees what it replaces");

    for (party, service) in [("politi-innlandet", Service::Prosecution), ("ru-oslo", Service::Municipal), ("ru-hamar", Service::Municipal)]
    {
        expect(stage.cast.receive(party, service, false).await?.is_empty(), "every mailbox is empty")?;
    }
    let id = opened.moved.message_id.to_string();
    let answer = stage.cast.ask("politi-oslo", Service::Prosecution, "GetStatus", &json!({"message_ids": [id]})).await?;
    expect(answer["statuses"][0]["status"] == "DELIVERY_STATUS_ACKNOWLEDGED", "the notice sent anew is acknowledged")?;
    stage.step("every mailbox is empty, everything sent is acknowledged");
    Ok(())
}
