//! What a command writes is none of what it reads, as a bundle that was replaced by its own report is lost, and replaces nothing but its like.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::exit::CliError;
use super::replace::Writes;

/// What tells one file from another, however it is named; nothing for what is not there.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Refuses an output that is one of `inputs`, or lies in one of them that is a folder, or is another output, by whatever name; or a folder; or
/// what the command did not write ([`Writes::allows`]).
///
/// # Errors
/// [`CliError::Usage`], before anything is read or written.
pub fn apart<'p>(outputs: &[(&str, Option<&'p Path>, Writes)], inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<(), CliError> {
    let inputs: Vec<_> = inputs.into_iter().filter_map(|input| identity(input.as_ref())).collect();
    let mut before: Vec<(&str, &'p Path)> = Vec::new();
    for (option, path, writes) in outputs.iter().filter_map(|(option, path, writes)| path.map(|path| (*option, path, *writes))) {
        let refused = |what: &str| Err(CliError::Usage(format!("{option} {}: {what}", path.display())));
        if path.is_dir() {
            return refused("a folder, where a file is wanted; name a file");
        }
        if identity(path).is_some_and(|found| inputs.contains(&found)) {
            return refused("this is a file that the command reads, which what it writes would replace; name another file");
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let above = folder.canonicalize().unwrap_or_default();
        if above.ancestors().filter_map(identity).any(|found| inputs.contains(&found)) {
            return refused("it lies in the folder that the command reads; name a file elsewhere");
        }
        let is_same = |other: &Path| other == path || identity(other).is_some_and(|found| identity(path) == Some(found));
        if let Some((other, _)) = before.iter().find(|(_, other)| is_same(other)) {
            return refused(&format!("{other} names the same file; name two"));
        }
        writes.allows(path)?;
        before.push((option, path));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_output_that_is_an_input_by_whatever_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("data/records")).unwrap();
        fs::write(path("key"), b"k").unwrap();
        fs::hard_link(path("key"), path("hard")).unwrap();
        symlink("key", path("soft")).unwrap();
        symlink("data", path("data-link")).unwrap();
        fs::write(path("other"), [1; 33]).unwrap();
        let inputs = [path("key"), path("data"), path("missing")];
        let said = |out: &Path| apart(&[("--out", Some(out), Writes::Leaf)], &inputs).map_err(|error| (error.code(), error.to_string()));
        for name in ["key", "hard", "soft", "./key", "data/../key"] {
            let (code, what) = said(&path(name)).unwrap_err();
            assert!(code == 2 && what.contains("a file that the command reads"), "{name}: {what}");
        }
        for name in ["data/new", "data/records/2026-11.rec", "data-link/records/x"] {
            assert!(said(&path(name)).unwrap_err().1.contains("in the folder that the command reads"), "{name}");
        }
        for folder in [path("data"), ".".into(), "/".into()] {
            assert!(said(&folder).unwrap_err().1.contains("a folder, where a file is wanted"), "{}", folder.display());
        }
        for name in ["new", "other", "missing", "nowhere/new"] {
            said(&path(name)).unwrap();
        }
        let two = |other: &str| {
            let out = path("other");
            apart(&[("--out", Some(&out), Writes::Leaf), ("--cosigned-out", Some(&path(other)), Writes::Leaf)], &inputs)
        };
        assert!(two("./other").unwrap_err().to_string().contains("--out names the same file"));
        two("new").unwrap();
        assert!(apart(&[("--out", None, Writes::Leaf), ("--leaf-out", Some(Path::new("new")), Writes::Leaf)], [path("key")]).is_ok());
        fs::write(path("other"), "somebody's").unwrap();
        assert!(said(&path("other")).unwrap_err().1.contains("is there already"));
    }
}
