//! Characters that a reader does not see, or that make him see others than are there.

use std::borrow::Cow;

/// Whether a reader of a text does not see this character, or sees others in another order because of it: Unicode's Cc, Cf, Zl and Zp, as far as
/// they are given out. Line ends and what terminals take for commands are among them.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The first such character of `text`, and the how manieth it is, from 1.
#[must_use]
pub fn first_unseen(text: &str) -> Option<(usize, char)> {
    (1..).zip(text.chars()).find(|(_, c)| is_unseen(*c))
}

/// A text of others as it may stand in a line on a terminal: what is not seen is written out, `\u{202e}`, line ends too.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    written_out(text, is_unseen)
}

/// The same for lines that were put together: line ends stay.
#[must_use]
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    written_out(text, |c| c != '\n' && is_unseen(c))
}

fn written_out(text: &str, is_meant: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_meant) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_meant(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out_and_all_else_stays() {
        assert_eq!(shown("a\u{1b}[31m\n\u{202e}b\u{9b}\u{7f}"), "a\\u{1b}[31m\\u{a}\\u{202e}b\\u{9b}\\u{7f}");
        assert_eq!(shown_lines("en\nto\r\u{200b}"), "en\nto\\u{d}\\u{200b}");
        for plain in ["", "Sør-Øst politidistrikt (\u{e5}) \"x\" \\u{1b}", "e\u{301} 王 \u{a0}"] {
            assert!(matches!(shown(plain), Cow::Borrowed(same) if same == plain), "{plain:?}");
        }
        assert_eq!(first_unseen("på\u{ad}tale"), Some((3, '\u{ad}')));
        assert_eq!(first_unseen("påtale"), None);
    }
}
