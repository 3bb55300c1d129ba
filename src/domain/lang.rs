//! The two languages in which people are told what the log says. Both stand side by side at each place, so that none can be forgotten.

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// Norwegian, bokmål.
    Nb,
    /// English.
    En,
}

impl Lang {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Nb, Self::En];

    /// The tag, as in the `lang` attribute and in paths.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Nb => "nb",
            Self::En => "en",
        }
    }

    /// The language's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nb => "Norsk bokmål",
            Self::En => "English",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Nb => Self::En,
            Self::En => Self::Nb,
        }
    }

    /// What is said in this language.
    #[must_use]
    pub const fn say<'t>(self, nb: &'t str, en: &'t str) -> &'t str {
        match self {
            Self::Nb => nb,
            Self::En => en,
        }
    }

    /// A count with its noun, in one and in many.
    #[must_use]
    pub fn count(self, n: u64, nb: [&str; 2], en: [&str; 2]) -> String {
        let [one, many] = match self {
            Self::Nb => nb,
            Self::En => en,
        };
        format!("{} {}", self.number(n), if n == 1 { one } else { many })
    }

    /// A number with thousands apart: a no-break space in Norwegian, a comma in English.
    #[must_use]
    pub fn number(self, n: u64) -> String {
        let digits = n.to_string();
        let mut out = String::with_capacity(digits.len() * 2);
        for (i, digit) in digits.chars().enumerate() {
            // Four digits stay together in Norwegian.
            if i > 0 && (digits.len() - i).is_multiple_of(3) && !(self == Self::Nb && digits.len() == 4) {
                out.push_str(self.say("\u{a0}", ","));
            }
            out.push(digit);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_each_language_does() {
        for (n, nb, en) in [(0, "0", "0"), (999, "999", "999"), (1000, "1000", "1,000"), (12_345, "12\u{a0}345", "12,345")] {
            assert_eq!(Lang::Nb.number(n), nb);
            assert_eq!(Lang::En.number(n), en);
        }
        assert_eq!(Lang::En.number(1_234_567), "1,234,567");
        assert_eq!(Lang::Nb.count(1, ["sak", "saker"], ["case", "cases"]), "1 sak");
        assert_eq!(Lang::En.count(2, ["sak", "saker"], ["case", "cases"]), "2 cases");
    }
}
