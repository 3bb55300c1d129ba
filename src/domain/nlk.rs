//! Codes of Norsk laboratoriekodeverk and the dated table that says which group a code belongs to. The table is the operator's: the one compiled in
//! is used when the configuration names none.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use super::limits::NLK_ROWS_MAX;
use super::sample::Matrix;
use super::substance::SubstanceGroup;
use super::table::Validity;
use super::time::{Date, parse_date};
use super::violation::FieldReason;

/// Not `^(NPU|NOR)[0-9]{5}$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an NLK code is NPU or NOR and five digits")]
pub struct InvalidNlkCode;

impl From<InvalidNlkCode> for FieldReason {
    fn from(_: InvalidNlkCode) -> Self {
        Self::PatternMismatch
    }
}

/// A code: `^(NPU|NOR)[0-9]{5}$`, upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NlkCode([u8; 8]);

impl FromStr for NlkCode {
    type Err = InvalidNlkCode;

    fn from_str(text: &str) -> Result<Self, InvalidNlkCode> {
        let bytes: [u8; 8] = text.as_bytes().try_into().map_err(|_| InvalidNlkCode)?;
        let fits = (bytes.starts_with(b"NPU") || bytes.starts_with(b"NOR")) && bytes[3..].iter().all(u8::is_ascii_digit);
        if fits { Ok(Self(bytes)) } else { Err(InvalidNlkCode) }
    }
}

impl fmt::Display for NlkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NlkEntry {
    matrix: Matrix,
    group: SubstanceGroup,
    unspecific: bool,
}

impl NlkEntry {
    /// The matrix that the code is for.
    #[must_use]
    pub const fn matrix(self) -> Matrix {
        self.matrix
    }

    /// The group that the code belongs to.
    #[must_use]
    pub const fn group(self) -> SubstanceGroup {
        self.group
    }

    /// A code of a whole class, used for screening: it can never be DETECTED (rule 48).
    #[must_use]
    pub const fn is_unspecific(self) -> bool {
        self.unspecific
    }
}

/// The columns, in order.
const HEADER: &str = "code,name,matrix,group,unspecific,from,until,source";

/// The table compiled in.
const BUILT_IN: &str = include_str!("../../data/nlk_codes.csv");

/// What is wrong with a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NlkRowFault {
    /// Another header.
    #[error("the first line must be '{HEADER}'")]
    Header,
    /// Too few or too many commas, or quotes.
    #[error("write eight columns separated by commas; no column can hold a comma or a quotation mark")]
    Columns,
    /// Not a code.
    #[error("{0}")]
    Code(InvalidNlkCode),
    /// Not a matrix.
    #[error("the column matrix must be URINE, ORAL_FLUID, BLOOD or HAIR")]
    Matrix,
    /// Not a group.
    #[error("the column group must be a group of the schema, such as CANNABIS or ALCOHOL")]
    Group,
    /// Neither yes nor no.
    #[error("the column unspecific must be yes (a whole class, for screening) or no")]
    Unspecific,
    /// Not a date.
    #[error("the columns from and until must be a date YYYY-MM-DD or empty")]
    Date,
    /// The last day before the first.
    #[error("until must not lie before from")]
    PeriodOrder,
    /// Two rows of one code on one day.
    #[error("this code is in force on the same day by line {0} too; end the one before the other begins")]
    Overlap(usize),
    /// More rows than the bound.
    #[error("a table has at most {NLK_ROWS_MAX} codes")]
    TooMany,
    /// No row.
    #[error("names no code; a table has at least one")]
    Empty,
}

/// A table that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct InvalidNlkTable {
    /// From 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub fault: NlkRowFault,
}

/// A look-up or an installation came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a table of analysis codes is already in use; restart the gateway to use another")]
pub struct AlreadyInstalled;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    line: usize,
    validity: Validity,
    entry: NlkEntry,
}

/// Which group and matrix a code belongs to, and from when to when. One code has at most one row on each day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NlkTable(HashMap<NlkCode, Vec<Row>>);

impl NlkTable {
    /// Reads CSV without quoting: the header `code,name,matrix,group,unspecific,from,until,source`, then one row a line, 1 to [`NLK_ROWS_MAX`]. Both
    /// dates are included; an empty `from` is a row that is not in force yet. Empty lines and a byte order mark are passed over.
    ///
    /// # Errors
    /// The first line that is wrong, and why.
    pub fn parse(csv: &str) -> Result<Self, InvalidNlkTable> {
        let mut lines = csv.strip_prefix('\u{feff}').unwrap_or(csv).lines().zip(1..);
        let at = |line| move |fault| InvalidNlkTable { line, fault };
        if lines.next().is_none_or(|(header, _)| header != HEADER) {
            return Err(at(1)(NlkRowFault::Header));
        }
        let mut table: HashMap<NlkCode, Vec<Row>> = HashMap::new();
        for (count, (text, line)) in lines.filter(|(text, _)| !text.is_empty()).enumerate() {
            if count == NLK_ROWS_MAX {
                return Err(at(line)(NlkRowFault::TooMany));
            }
            let (code, row) = parse_row(text, line).map_err(at(line))?;
            let rows = table.entry(code).or_default();
            if let Some(other) = rows.iter().find(|other| other.validity.overlaps(&row.validity)) {
                return Err(at(line)(NlkRowFault::Overlap(other.line)));
            }
            rows.push(row);
        }
        if table.is_empty() { Err(at(1)(NlkRowFault::Empty)) } else { Ok(Self(table)) }
    }

    /// The table compiled in.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("the table compiled in is well-formed; a test reads it")
    }

    /// The process's table: the installed one, else the one compiled in. It never changes again after the first call.
    #[must_use]
    pub fn in_force() -> &'static Self {
        IN_FORCE.get()
    }

    /// Makes this the process's table, before anything is looked up; the same table again is no error.
    ///
    /// # Errors
    /// Another table is in use already.
    pub fn install(self) -> Result<(), AlreadyInstalled> {
        IN_FORCE.install(self)
    }

    /// What the table says of `code` on a day; `None` when it is not in force then.
    #[must_use]
    pub fn lookup(&self, code: NlkCode, on: Date) -> Option<NlkEntry> {
        self.0.get(&code)?.iter().find(|row| row.validity.holds_on(on)).map(|row| row.entry)
    }

    /// Whether a finding can be made of `group` in `matrix` by a code in force on a day.
    #[must_use]
    pub fn has_code(&self, group: SubstanceGroup, matrix: Matrix, on: Date) -> bool {
        self.entries(group, matrix, on).next().is_some()
    }

    /// Whether a finding of `group` in `matrix` can be DETECTED: there is a specific code in force on a day.
    #[must_use]
    pub fn has_specific_code(&self, group: SubstanceGroup, matrix: Matrix, on: Date) -> bool {
        self.entries(group, matrix, on).any(|entry| !entry.is_unspecific())
    }

    fn entries(&self, group: SubstanceGroup, matrix: Matrix, on: Date) -> impl Iterator<Item = NlkEntry> {
        let rows = self.0.values().flatten().filter(move |row| row.validity.holds_on(on));
        rows.map(|row| row.entry).filter(move |entry| entry.group == group && entry.matrix == matrix)
    }
}

fn parse_row(text: &str, line: usize) -> Result<(NlkCode, Row), NlkRowFault> {
    let columns: Vec<&str> = text.split(',').collect();
    let [code, _name, matrix, group, unspecific, from, until, _source] = columns[..] else { return Err(NlkRowFault::Columns) };
    if text.contains('"') {
        return Err(NlkRowFault::Columns);
    }
    let code = code.parse().map_err(NlkRowFault::Code)?;
    let matrix = Matrix::ALL.into_iter().find(|known| known.as_str() == matrix).ok_or(NlkRowFault::Matrix)?;
    let group = *SubstanceGroup::ALL.iter().find(|known| known.as_str() == group).ok_or(NlkRowFault::Group)?;
    let unspecific = match unspecific {
        "yes" => true,
        "no" => false,
        _ => return Err(NlkRowFault::Unspecific),
    };
    let date = |text: &str| if text.is_empty() { Ok(None) } else { parse_date(text).map(Some).ok_or(NlkRowFault::Date) };
    let validity = Validity::between(date(from)?, date(until)?).ok_or(NlkRowFault::PeriodOrder)?;
    Ok((code, Row { line, validity, entry: NlkEntry { matrix, group, unspecific } }))
}

/// One table for a process's life, decided by whichever comes first: an installation or a look-up.
struct Place(OnceLock<NlkTable>);

impl Place {
    fn get(&self) -> &NlkTable {
        self.0.get_or_init(NlkTable::built_in)
    }

    fn install(&self, table: NlkTable) -> Result<(), AlreadyInstalled> {
        if *self.0.get_or_init(|| table.clone()) == table { Ok(()) } else { Err(AlreadyInstalled) }
    }
}

static IN_FORCE: Place = Place(OnceLock::new());

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Date = Date::constant(2026, 11, 20);

    #[test]
    fn codes_have_one_spelling() {
        assert_eq!("NPU53115".parse::<NlkCode>().unwrap().to_string(), "NPU53115");
        for bad in ["", "NPU5311", "NPU531150", "npu53115", "NPX53115", "NPU5311a", "NPU5311٥", " NPU5311"] {
            assert_eq!(bad.parse::<NlkCode>(), Err(InvalidNlkCode), "{bad}");
        }
    }

    #[test]
    fn the_table_gives_group_matrix_and_whether_the_code_is_specific() {
        let table = NlkTable::built_in();
        let entry = |code: &str| table.lookup(code.parse().unwrap(), DAY);
        let cannabis = |unspecific| Some(NlkEntry { matrix: Matrix::Urine, group: SubstanceGroup::Cannabis, unspecific });
        assert_eq!(entry("NPU53115"), cannabis(false));
        assert_eq!(entry("NOR25839"), cannabis(true));
        assert_eq!(entry("NPU09102"), None, "creatinine is no substance");
        assert_eq!(table.lookup("NPU53115".parse().unwrap(), Date::constant(2023, 12, 31)), None);
        assert_eq!(table.0.len(), 18);
    }

    const GOOD: &str = "NPU00001,U-Etylglukuronid,URINE,ALCOHOL,no,2026-01-01,2026-06-30,a list";

    fn table(rows: &[&str]) -> Result<NlkTable, InvalidNlkTable> {
        NlkTable::parse(&format!("{HEADER}\n{}\n", rows.join("\n")))
    }

    #[test]
    fn a_row_may_follow_another_of_its_code_and_holds_on_both_its_ends() {
        let table = table(&[GOOD, "", "NPU00001,U-Etylglukuronid,URINE,ALCOHOL,yes,2026-07-01,,a list"]).unwrap();
        let on = |month, day| table.lookup("NPU00001".parse().unwrap(), Date::constant(2026, month, day)).map(NlkEntry::is_unspecific);
        assert_eq!((on(1, 1), on(6, 30), on(7, 1)), (Some(false), Some(false), Some(true)));
        assert_eq!(table.lookup("NPU00001".parse().unwrap(), Date::constant(2025, 12, 31)), None);
        let able = |month| {
            let (group, day) = (SubstanceGroup::Alcohol, Date::constant(2026, month, 1));
            (table.has_code(group, Matrix::Urine, day), table.has_specific_code(group, Matrix::Urine, day))
        };
        assert_eq!((able(2), able(8)), ((true, true), (true, false)));
        assert!(!table.has_code(SubstanceGroup::Alcohol, Matrix::Blood, DAY) && !table.has_code(SubstanceGroup::Ghb, Matrix::Urine, DAY));
    }

    #[test]
    fn a_table_from_a_spreadsheet_is_read_and_a_row_without_a_first_day_is_off() {
        let table = NlkTable::parse(&format!("\u{feff}{HEADER}\r\n{}\r\n", GOOD.replace("2026-01-01,2026-06-30", ","))).unwrap();
        assert_eq!(table.lookup("NPU00001".parse().unwrap(), DAY), None);
    }

    #[test]
    fn each_fault_of_a_table_is_refused_at_its_line() {
        use NlkRowFault as F;
        let cases = [
            ("NPU00001", "npu00001", F::Code(InvalidNlkCode)),
            ("URINE", "SWEAT", F::Matrix),
            ("ALCOHOL", "TOBACCO", F::Group),
            (",no,", ",,", F::Unspecific),
            ("2026-01-01", "1.1.2026", F::Date),
            ("2026-06-30", "2026-06-31", F::Date),
            ("2026-06-30", "2025-12-31", F::PeriodOrder),
            ("a list", "a, list", F::Columns),
            (",a list", "", F::Columns),
            ("a list", "\"a list\"", F::Columns),
        ];
        for (from, to, fault) in cases {
            let bad = GOOD.replace(from, to);
            assert_ne!(bad, GOOD);
            assert_eq!(table(&[&GOOD.replace("00001", "00002"), &bad]), Err(InvalidNlkTable { line: 3, fault }), "{bad}");
        }
        let overlaps = ["2026-06-30,2026-07-01", "2025-01-01,2026-01-01", "2026-02-01,2026-02-02", "2025-01-01,"];
        for period in overlaps {
            let twice = table(&[GOOD, &GOOD.replace("2026-01-01,2026-06-30", period)]);
            assert_eq!(twice, Err(InvalidNlkTable { line: 3, fault: F::Overlap(2) }), "{period}");
        }
        assert_eq!(table(&[]), Err(InvalidNlkTable { line: 1, fault: F::Empty }));
        assert_eq!(NlkTable::parse(GOOD), Err(InvalidNlkTable { line: 1, fault: F::Header }));
        assert_eq!(NlkTable::parse(""), Err(InvalidNlkTable { line: 1, fault: F::Header }));
        let many: Vec<String> = (0..=NLK_ROWS_MAX).map(|i| GOOD.replace("00001", &format!("{i:05}"))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(table(&many[1..]).is_ok());
        assert_eq!(table(&many), Err(InvalidNlkTable { line: NLK_ROWS_MAX + 2, fault: F::TooMany }));
    }

    #[test]
    fn the_first_table_stays_whether_installed_or_looked_up() {
        let own = table(&[GOOD]).unwrap();
        let place = Place(OnceLock::new());
        assert_eq!(place.install(own.clone()), Ok(()));
        assert_eq!(place.install(own.clone()), Ok(()), "the same again");
        assert_eq!(place.install(NlkTable::built_in()), Err(AlreadyInstalled));
        assert_eq!(place.get(), &own);
        let place = Place(OnceLock::new());
        assert_eq!(place.get(), &NlkTable::built_in());
        assert_eq!(place.install(own), Err(AlreadyInstalled));
    }

    /// The lines of the page's table that say what the built-in table allows: group, ordered in, detected in.
    fn answers() -> String {
        let table = NlkTable::built_in();
        let mut lines = String::from("| group | can be ordered in | can be DETECTED in |\n|---|---|---|\n");
        for group in SubstanceGroup::ALL {
            let list = |able: &dyn Fn(Matrix) -> bool| {
                let names: Vec<&str> = Matrix::ALL.into_iter().filter(|matrix| able(*matrix)).map(Matrix::as_str).collect();
                if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
            };
            let ordered = list(&|matrix| table.has_code(*group, matrix, DAY));
            let detected = list(&|matrix| table.has_specific_code(*group, matrix, DAY));
            lines.push_str(&format!("| {} | {ordered} | {detected} |\n", group.as_str()));
        }
        lines
    }

    #[test]
    fn the_page_of_rules_says_what_the_built_in_table_can_order_and_detect() {
        let page = include_str!("../../docs/rules.md");
        assert!(page.contains(&answers()), "docs/rules.md must hold:\n{}", answers());
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_back(text in "\\PC{0,10}") {
            if let Ok(code) = text.parse::<NlkCode>() {
                prop_assert_eq!(code.to_string(), text);
            }
        }
    }
}
