//! The participant register on disk beside the one in force. No participant is named: that is for `check-config`.

use serde_json::json;

use crate::app::reload::read_register;
use crate::cli::register_state::Held;
use crate::clock::SystemClock;
use crate::config::Config;

use super::{Finding, Health};

/// Whether the register on disk is in force, or would be.
pub fn look(config: &Config) -> Finding {
    let file = config.participants_file.display();
    let figures = json!({"file": file.to_string()});
    let finding = |health, text: String| Finding::new("register", health, text, figures.clone());
    let advice = "`samband check-config` says which rule and where";
    let Ok((register, _)) = read_register(&config.participants_file, &SystemClock) else {
        return finding(
            Health::Bad,
            format!("{file}: no register as it is, so not in force; the gateway goes on with the last one; {advice}"),
        );
    };
    let held = Held::stored(config, &register);
    match &held {
        Held::Unknown(why) => return finding(Health::Unknown, format!("{file}: not held against the register in force: {why}")),
        Held::Nothing => return finding(Health::Ok, format!("{file}: comes into force at the first start")),
        Held::Stored(_) | Held::Running(_) => {}
    }
    let Some(past) = held.past() else { return finding(Health::Unknown, format!("{file}: there is no register in force")) };
    let generation = past.in_force().generation();
    if past.in_force().iter().eq(register.iter()) {
        return finding(Health::Ok, format!("{file}: in force, generation {generation}"));
    }
    if past.check(&register).is_err() {
        let text = format!("{file}: not in force, it breaks a rule against generation {generation}, which is; mend it, {advice}");
        return finding(Health::Bad, text);
    }
    match crate::cli::store::holder_of(&config.data_dir) {
        Some(_) => {
            finding(Health::Warning, format!("{file}: not in force yet; the gateway takes it within seconds, or its log says why not"))
        }
        None => finding(Health::Ok, format!("{file}: comes into force at the next start")),
    }
}
