//! The table of municipalities: which numbers exist on a day. Based on Kartverket's data under CC BY 4.0.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::participant::MunicipalityNumber;
use super::table::{Validity, rows};
use super::time::Date;

/// The division of 357 municipalities in 15 counties.
const SINCE: Date = Date::constant(2024, 1, 1);

/// One municipality.
#[derive(Debug)]
pub struct Municipality {
    name: &'static str,
    county: &'static str,
    validity: Validity,
}

impl Municipality {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its county's name.
    #[must_use]
    pub const fn county(&self) -> &'static str {
        self.county
    }
}

static TABLE: LazyLock<HashMap<MunicipalityNumber, Municipality>> = LazyLock::new(|| {
    rows::<3>(include_str!("../../data/municipalities.csv"))
        .map(|[number, name, county]| {
            let number = number.parse().expect("the embedded table holds four-digit numbers; a test counts them");
            (number, Municipality { name, county, validity: Validity::since(SINCE) })
        })
        .collect()
});

/// The municipality `number` as it stands `on` that day, if it exists then.
#[must_use]
pub fn lookup(number: MunicipalityNumber, on: Date) -> Option<&'static Municipality> {
    TABLE.get(&number).filter(|municipality| municipality.validity.holds_on(on))
}

/// Whether `number` exists `on` that day.
#[must_use]
pub fn exists(number: MunicipalityNumber, on: Date) -> bool {
    lookup(number, on).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_357_municipalities_from_2024_on() {
        assert_eq!(TABLE.len(), 357);
        let oslo = "0301".parse().unwrap();
        assert_eq!(lookup(oslo, SINCE).unwrap().name(), "Oslo");
        assert!(!exists(oslo, Date::constant(2023, 12, 31)));
        assert!(!exists("9999".parse().unwrap(), SINCE));
        assert!(["3403", "3411", "3412", "5501"].iter().all(|number| exists(number.parse().unwrap(), SINCE)));
    }
}
