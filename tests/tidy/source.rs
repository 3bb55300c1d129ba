//! Source files with comments and texts blanked, and with or without what only tests use.

use std::fs;
use std::path::Path;

/// A Rust file; `code` and `production` have the lines and columns of the original.
pub struct Source {
    /// From the package's root, with `/`.
    pub path: String,
    /// Comments and texts are blank.
    pub code: String,
    /// As `code`, and items under `#[cfg(test)]` are blank.
    pub production: String,
    /// As `production`, with texts.
    texts: String,
    /// Modules declared under `#[cfg(test)]` whose text stands in other files: the paths without `.rs`.
    test_modules: Vec<String>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let (code, with_texts) = blank(text);
        let tests = test_items(&code);
        let mut test_modules = Vec::new();
        let (mut production, mut texts) = (code.clone().into_bytes(), with_texts.clone().into_bytes());
        for (start, end) in tests {
            test_modules.extend(module_in_other_file(path, &code[start..end], &with_texts[start..end]));
            for at in start..end {
                if production[at] != b'\n' {
                    production[at] = b' ';
                    texts[at] = b' ';
                }
            }
        }
        let text_of = |bytes| String::from_utf8(bytes).expect("whole characters were blanked by ASCII spaces");
        Self { path: path.to_owned(), code, production: text_of(production), texts: text_of(texts), test_modules }
    }

    /// Line and name of each of `names` that is reached from the crate's root.
    pub fn modules_named(&self, names: &[&str]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for root in ["crate::", "samband::"] {
            for at in word_starts(&self.code, root) {
                let rest = &self.code[at + root.len()..];
                let line = line_of(&self.code, at);
                found.extend(heads(rest).into_iter().map(|head| (line, head)));
            }
        }
        for at in word_starts(&self.code, "super::") {
            if self.code[..at].ends_with("super::") {
                continue;
            }
            let mut rest = &self.code[at..];
            let mut ups = 0;
            while let Some(next) = rest.strip_prefix("super::") {
                (rest, ups) = (next, ups + 1);
            }
            if ups >= self.depth() + inline_modules(&self.code[..at]) {
                let heads = heads(rest).into_iter().filter(|head| names.contains(&head.as_str()));
                found.extend(heads.map(|head| (line_of(&self.code, at), head)));
            }
        }
        found
    }

    /// How many `super` lead from this file's module to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count() - 1;
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// Lines with an `expect` that does not say in words why it cannot fail. A constant's name is taken for its words.
    pub fn expects_without_reason(&self) -> Vec<usize> {
        let mut lines = Vec::new();
        for (at, call) in self.production.match_indices(".expect(") {
            let rest = self.texts[at + call.len()..].trim_start();
            let said = match rest.strip_prefix('"') {
                Some(text) => text.split('"').next().is_some_and(|words| words.len() >= 8 && words.contains(' ')),
                None => {
                    rest.chars().take_while(|c| *c != ')').all(|c| c.is_ascii_uppercase() || matches!(c, '_' | ':') || c.is_ascii_digit())
                }
            };
            if !said {
                lines.push(line_of(&self.production, at));
            }
        }
        lines
    }
}

/// Blanks all of the files that are declared under `#[cfg(test)]` elsewhere.
pub fn production(mut files: Vec<Source>) -> Vec<Source> {
    let prefixes: Vec<String> = files.iter().flat_map(|file| file.test_modules.clone()).collect();
    for file in &mut files {
        let of_tests = |prefix: &String| file.path == format!("{prefix}.rs") || file.path.starts_with(&format!("{prefix}/"));
        if prefixes.iter().any(of_tests) {
            file.production.clear();
        }
    }
    files
}

/// Every file of `src/`.
pub fn sources() -> Vec<Source> {
    let files = read_tree(&["src"], &["rs"]);
    assert!(files.len() > 50, "the source was not found");
    production(files.iter().map(|(path, text)| Source::new(path, text)).collect())
}

/// A file of the package.
pub fn read(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Path and text of the files below `folders` with one of `endings`, by path.
pub fn read_tree(folders: &[&str], endings: &[&str]) -> Vec<(String, String)> {
    let mut open: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)) else { continue };
        for entry in entries {
            let entry = entry.expect("a folder of the source can be read");
            let path = format!("{folder}/{}", entry.file_name().to_str().expect("names in the source are UTF-8"));
            if entry.file_type().expect("a file has a type").is_dir() {
                open.push(path);
            } else if endings.iter().any(|ending| path.ends_with(&format!(".{ending}"))) {
                files.push((path.clone(), read(&path)));
            }
        }
    }
    files.sort();
    files
}

/// Lines that hold `text`.
pub fn lines_with(code: &str, text: &str) -> Vec<usize> {
    code.match_indices(text).map(|(at, _)| line_of(code, at)).collect()
}

/// Lines that hold `word`, not as a part of a longer name.
pub fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let whole = |at: &usize| !code[at + word.len()..].starts_with(is_name) || word.ends_with('!');
    word_starts(code, word).into_iter().filter(whole).map(|at| line_of(code, at)).collect()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands without a name's character in front of it.
fn word_starts(code: &str, word: &str) -> Vec<usize> {
    code.match_indices(word).map(|(at, _)| at).filter(|at| !code[..*at].ends_with(is_name)).collect()
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The first names of a path or of a group of paths.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| is_name(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else {
        // A macro or an item of the root has no module in front of it.
        let head = name(rest);
        return if rest[head.len()..].starts_with("::") { vec![head] } else { Vec::new() };
    };
    let (mut depth, mut fresh, mut found) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                found.push(name(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    found
}

/// How many `mod name {` are open at the end of `code`.
fn inline_modules(code: &str) -> usize {
    let (mut open, mut last) = (Vec::new(), 0);
    for (at, c) in code.char_indices() {
        match c {
            '{' => {
                let item = code[last..at].trim_end();
                open.push(item.rsplit([' ', '\n']).nth(1) == Some("mod"));
                last = at + 1;
            }
            '}' => {
                open.pop();
                last = at + 1;
            }
            ';' => last = at + 1,
            _ => {}
        }
    }
    open.into_iter().filter(|module| *module).count()
}

/// Start and end of every item under `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    items_under(code, "#[cfg(test)]")
}

/// Start and end of every item under `attribute`.
pub fn items_under(code: &str, attribute: &str) -> Vec<(usize, usize)> {
    let mut items: Vec<(usize, usize)> = Vec::new();
    for (start, attribute) in code.match_indices(attribute) {
        if items.last().is_some_and(|(_, end)| start < *end) {
            continue;
        }
        let (mut depth, mut end) = (0, code.len());
        for (at, c) in code[start + attribute.len()..].char_indices() {
            let at = start + attribute.len() + at;
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(c, '}' | ';') {
                end = at + 1;
                break;
            }
        }
        items.push((start, end));
    }
    items
}

/// Where the text of `mod name;`, at the end of an item, stands: the path without `.rs`.
fn module_in_other_file(file: &str, item: &str, with_texts: &str) -> Option<String> {
    let declaration = item.strip_suffix(';')?;
    let mut words = declaration.rsplit(|c: char| !is_name(c));
    let name = words.next()?;
    if words.next() != Some("mod") {
        return None;
    }
    if let Some((_, path)) = with_texts.split_once("#[path = \"") {
        let folder = &file[..=file.rfind('/')?];
        return path.split('"').next().map(|path| format!("{folder}{}", path.trim_end_matches(".rs")));
    }
    let folder = ["/mod.rs", "/lib.rs", "/main.rs", ".rs"].iter().find_map(|ending| file.strip_suffix(ending))?;
    Some(format!("{folder}/{name}"))
}

/// The text with comments and literals blanked, and the same with literals left in.
fn blank(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let (mut code, mut texts) = (bytes.to_vec(), bytes.to_vec());
    let mut at = 0;
    while at < bytes.len() {
        let (end, is_comment) = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => (at + text[at..].find('\n').unwrap_or(text.len() - at), true),
            b'/' if bytes[at..].starts_with(b"/*") => (at + text[at..].find("*/").map_or(text.len() - at, |len| len + 2), true),
            b'"' => (string_end(text, at, false), false),
            b'r' if is_raw(text, at) => (string_end(text, at, true), false),
            b'\'' => (char_end(text, at), false),
            _ => (at + 1, false),
        };
        if end > at + 1 {
            for i in at..end {
                if bytes[i] != b'\n' {
                    code[i] = b' ';
                    if is_comment {
                        texts[i] = b' ';
                    }
                }
            }
        }
        at = end;
    }
    let text_of = |bytes| String::from_utf8(bytes).expect("comments and literals are whole characters");
    (text_of(code), text_of(texts))
}

fn is_raw(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back();
    !before.is_some_and(|c| is_name(c) && c != 'b') && text[at + 1..].trim_start_matches('#').starts_with('"')
}

fn string_end(text: &str, at: usize, raw: bool) -> usize {
    if raw {
        let hashes = text[at + 1..].len() - text[at + 1..].trim_start_matches('#').len();
        let close = format!("\"{}", "#".repeat(hashes));
        let open = at + hashes + 2;
        return text[open..].find(&close).map_or(text.len(), |len| open + len + close.len());
    }
    let mut escaped = false;
    for (i, byte) in text.bytes().enumerate().skip(at + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// The end of a character's literal; a lifetime's tick is one byte.
fn char_end(text: &str, at: usize) -> usize {
    let mut rest = text[at + 1..].chars();
    match (rest.next(), rest.next()) {
        (Some('\\'), Some(_)) => at + 3 + text[at + 3..].find('\'').map_or(0, |len| len + 1),
        (Some(c), Some('\'')) => at + 2 + c.len_utf8(),
        _ => at + 1,
    }
}
