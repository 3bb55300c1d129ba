//! Content that cannot be read stays where it is, and holds up nothing else.

use super::super::inspect::tests::{Home, flip, gateway};
use super::*;
use crate::audit::event::MessageKind;
use crate::domain::id::MessageId;
use crate::domain::reason::NoticeWithdrawal;
use crate::policy::case::DeliveryStatus;
use crate::store::Store as _;
use crate::store::contract::case_bed::{Bed, OSLO, RU_OSLO, wish};

/// Bytes that a content of the bed takes in a base.
const SEALED: u64 = 27 + 16;

/// What a stream gives until its end, and why it ended.
async fn drain(gateway: &Arc<Gateway>, bed: &Bed, max_items: Option<u64>, until_empty: bool) -> (Vec<ItemNumber>, Result<(), Reason>) {
    let options = ReceiveOptions { reader: "r1".into(), max_items, until_empty };
    let mut stream = gateway.receive(&bed.caller(RU_OSLO), Verb::MunicipalReceive, options).await.unwrap();
    let mut items = Vec::new();
    loop {
        match stream.next().await {
            Ok(Some(delivery)) => {
                assert!(delivery.content.is_some_and(|content| content.len() == 27));
                items.push(delivery.item.item);
            }
            Ok(None) => return (items, Ok(())),
            Err(refusal) => return (items, Err(refusal.0.reason)),
        }
    }
}

async fn notices(bed: &Bed, count: usize) -> Vec<(MessageId, ItemNumber)> {
    let mut sent = Vec::new();
    for _ in 0..count {
        let (message_id, accepted) = bed.send_notice(&wish(), None).await.unwrap();
        sent.push((message_id, ItemNumber::main(accepted.index)));
    }
    sent
}

fn numbers(sent: &[(MessageId, ItemNumber)]) -> Vec<ItemNumber> {
    sent.iter().map(|(_, item)| *item).collect()
}

#[tokio::test]
async fn one_damaged_content_is_left_in_the_mailbox_and_the_sound_ones_are_handed_out() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    bed.ready().await;
    let mut sent = notices(&bed, 4).await;
    store.turn_now().await.unwrap();
    sent.extend(notices(&bed, 2).await);
    let content = home.dir.path().join("data/base/000000000001.content");
    flip(&content, SEALED + 5);
    let (gateway, (damaged, item)) = (gateway(&bed), sent.remove(1));

    let damage = Err(Reason::DataDamaged);
    assert_eq!(drain(&gateway, &bed, None, true).await, (numbers(&sent), damage), "in their order, and then why it ends");
    assert_eq!(drain(&gateway, &bed, None, false).await, (numbers(&sent), damage), "also who stays connected is told");
    assert_eq!(drain(&gateway, &bed, Some(5), true).await, (numbers(&sent), Ok(())), "who wanted no more has all of them");
    assert_eq!(bed.acknowledge(RU_OSLO, vec![item]).await, Err(Reason::ItemUnknown), "nobody settles what nobody was handed");
    bed.acknowledge(RU_OSLO, numbers(&sent)).await.unwrap();
    let mut next = notices(&bed, 1).await;
    assert_eq!(drain(&gateway, &bed, Some(1), true).await, (numbers(&next), Ok(())));
    bed.acknowledge(RU_OSLO, numbers(&next)).await.unwrap();
    assert_eq!(drain(&gateway, &bed, Some(1), true).await, (Vec::new(), damage));

    // Its sender sees that nobody has it, and that its time is up.
    assert_eq!(bed.status(OSLO, damaged).await, Some(DeliveryStatus::Accepted));
    bed.advance_days(6);
    gateway.sweep().await.unwrap();
    assert_eq!(bed.status(OSLO, damaged).await, Some(DeliveryStatus::Overdue));
    store.turn_now().await.expect_err("what is to be delivered and cannot be read is never left out of a base");

    // The sender's way out: it withdraws, of which nobody has to hear, and sends anew.
    let reason = NoticeWithdrawal::SentInError.number();
    let (withdrawal, _) = bed.withdraw(OSLO, MessageKind::ConditionNotice, damaged, reason).await.unwrap();
    assert_eq!(bed.status(OSLO, withdrawal).await, Some(DeliveryStatus::NothingToDeliver));
    next = notices(&bed, 1).await;
    assert_eq!(drain(&gateway, &bed, None, true).await, (numbers(&next), Ok(())));
    store.turn_now().await.unwrap();
}

#[tokio::test]
async fn a_correction_takes_the_place_of_what_cannot_be_read_and_a_file_that_is_mended_is_handed_out() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    bed.ready().await;
    let sent = notices(&bed, 2).await;
    store.turn_now().await.unwrap();
    let (content, gateway) = (home.dir.path().join("data/base/000000000001.content"), gateway(&bed));
    for at in [5, SEALED + 5] {
        flip(&content, at);
    }
    assert_eq!(drain(&gateway, &bed, None, true).await, (Vec::new(), Err(Reason::DataDamaged)));
    let (_, corrected) = bed.send_notice(&wish(), Some(sent[0].0)).await.unwrap();
    let corrected = ItemNumber::main(corrected.index);
    assert_eq!(drain(&gateway, &bed, None, true).await, (vec![corrected], Err(Reason::DataDamaged)));
    flip(&content, SEALED + 5);
    assert_eq!(drain(&gateway, &bed, None, true).await, (vec![sent[1].1, corrected], Ok(())));
}

#[tokio::test]
async fn a_file_whose_key_is_damaged_holds_up_nothing_behind_it_however_much_is_in_it() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    bed.ready().await;
    // More than may be handed out at once, and than one question to the store gives.
    notices(&bed, PAGE + 20).await;
    store.turn_now().await.unwrap();
    store.stop().await.unwrap();
    drop((bed, store));
    flip(&home.dir.path().join("data/keys/base-000000000001.content.key"), 20);
    let (_store, bed) = home.open(1 << 32);
    let behind = notices(&bed, 20).await;
    let gateway = gateway(&bed);
    for _ in 0..2 {
        assert_eq!(drain(&gateway, &bed, None, true).await, (numbers(&behind), Err(Reason::DataDamaged)));
    }
    bed.acknowledge(RU_OSLO, numbers(&behind)).await.unwrap();
}

/// What breaks between the hand-out and the reading.
#[tokio::test]
async fn what_breaks_after_it_was_handed_out_holds_up_nothing_either() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    bed.ready().await;
    let sent = notices(&bed, 3).await;
    store.turn_now().await.unwrap();
    let gateway = gateway(&bed);
    let options = ReceiveOptions { reader: "r1".into(), max_items: None, until_empty: true };
    let mut stream = gateway.receive(&bed.caller(RU_OSLO), Verb::MunicipalReceive, options).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().item.item, sent[0].1);
    flip(&home.dir.path().join("data/base/000000000001.content"), SEALED + 5);
    assert_eq!(stream.next().await.unwrap().unwrap().item.item, sent[2].1);
    assert_eq!(stream.next().await.unwrap_err().0.reason, Reason::DataDamaged);
}
