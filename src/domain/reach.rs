//! How a written summons reaches a person: stay may differ from the registered address (rules 30, 33).

use zeroize::Zeroize as _;

use super::limits::ADDRESS_LINES_MAX;
use super::name::{AddressLine, PostalPlace};
use super::participant::is_e164;
use super::violation::{FieldReason, Violations};

/// Reach as it came.
#[derive(Default)]
pub struct ReachDraft {
    /// The address, if set.
    pub postal_address: Option<PostalAddressDraft>,
    /// The phone, if set.
    pub phone: Option<String>,
    /// Whether the address is protected.
    pub address_protected: bool,
}

/// An address as it came.
#[derive(Default)]
pub struct PostalAddressDraft {
    /// Lines.
    pub lines: Vec<String>,
    /// Four digits.
    pub postcode: String,
    /// Postal place.
    pub place: String,
}

/// How a person is reached. A protected address carries nothing else.
pub enum Reach {
    /// By post, by phone or both; at least one is there.
    Open {
        /// The address at the place of stay.
        postal_address: Option<PostalAddress>,
        /// The phone.
        phone: Option<Phone>,
    },
    /// The unit must ask the sender.
    Protected,
}

/// A phone number in E.164 form.
pub struct Phone(Box<str>);

impl Phone {
    /// The number. Personal.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A postal address in Norway.
pub struct PostalAddress {
    lines: Vec<AddressLine>,
    postcode: [u8; 4],
    place: PostalPlace,
}

impl PostalAddress {
    /// 1 to 3 lines.
    #[must_use]
    pub fn lines(&self) -> &[AddressLine] {
        &self.lines
    }

    /// Four ASCII digits.
    #[must_use]
    pub const fn postcode(&self) -> &[u8; 4] {
        &self.postcode
    }

    /// The postal place.
    #[must_use]
    pub const fn place(&self) -> &PostalPlace {
        &self.place
    }
}

impl Drop for PostalAddress {
    fn drop(&mut self) {
        self.postcode.zeroize();
    }
}

fn postcode(text: &str) -> Result<[u8; 4], FieldReason> {
    let bytes: [u8; 4] = text.as_bytes().try_into().map_err(|_| FieldReason::PatternMismatch)?;
    if bytes.iter().all(u8::is_ascii_digit) { Ok(bytes) } else { Err(FieldReason::PatternMismatch) }
}

fn postal_address(draft: PostalAddressDraft, path: &str, v: &mut Violations) -> Option<PostalAddress> {
    let PostalAddressDraft { lines: drafted, postcode: code, place } = draft;
    let lines_path = format!("{path}.lines");
    let mut lines = Vec::new();
    if v.count(&lines_path, drafted.len(), 1, ADDRESS_LINES_MAX) {
        for (i, line) in drafted.iter().enumerate() {
            lines.extend(v.text(&format!("{lines_path}[{i}]"), line, AddressLine::parse));
        }
    }
    let postcode = v.text(&format!("{path}.postcode"), &code, postcode);
    let place = v.text(&format!("{path}.place"), &place, PostalPlace::parse);
    Some(PostalAddress { lines, postcode: postcode?, place: place? })
}

impl Reach {
    /// Checks a draft; what is wrong is noted under `path`.
    pub(super) fn parse(draft: ReachDraft, path: &str, v: &mut Violations) -> Option<Self> {
        let ReachDraft { postal_address: address, phone, address_protected } = draft;
        if address_protected {
            v.demand(address.is_none() && phone.is_none(), path, FieldReason::ReachOfProtected);
            return Some(Self::Protected);
        }
        if address.is_none() && phone.is_none() {
            v.note(path, FieldReason::ReachEmpty);
            return None;
        }
        let address = address.map(|draft| postal_address(draft, &format!("{path}.postal_address"), v));
        let phone = phone.map(|phone| {
            let fits = |text: &str| if is_e164(text) { Ok(Phone(text.into())) } else { Err(FieldReason::PatternMismatch) };
            v.text(&format!("{path}.phone"), &phone, fits)
        });
        // A part that was set and refused has been noted, so a missing one here is one that was never set.
        Some(Self::Open { postal_address: address.flatten(), phone: phone.flatten() })
    }
}
