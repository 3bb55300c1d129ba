//! What pages are styled with, built into the binary. The name of each holds the start of its digest, so that a browser may keep it for ever.
//!
//! Third parties' files are taken by `src/web/auditor/assets/refresh.sh`, which notes version and licence beside them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use bytes::Bytes;

/// One file.
#[derive(Debug)]
pub(super) struct Asset {
    /// The path it is fetched by.
    pub(super) path: String,
    /// Its type.
    pub(super) content_type: &'static str,
    /// Its bytes.
    pub(super) content: Bytes,
}

const CSS: &str = "text/css; charset=utf-8";

/// All of them, in the order in which style sheets apply.
static ASSETS: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    [
        asset("designsystemet-theme.css", CSS, include_bytes!("assets/designsystemet-theme.css")),
        asset("designsystemet.css", CSS, include_bytes!("assets/designsystemet.css")),
        // Names the font by its path.
        asset("samband.css", CSS, include_bytes!("assets/samband.css")),
        asset("inter-latin.woff2", "font/woff2", include_bytes!("assets/inter-latin.woff2")),
        asset("inter-latin-ext.woff2", "font/woff2", include_bytes!("assets/inter-latin-ext.woff2")),
        asset("icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
    ]
});

fn asset(name: &str, content_type: &'static str, content: &'static [u8]) -> Asset {
    let hash = digest::digest(&digest::SHA256, content);
    let mut path = String::from("/assets/");
    for byte in &hash.as_ref()[..8] {
        write!(path, "{byte:02x}").expect("writing to a String cannot fail");
    }
    write!(path, "/{name}").expect("writing to a String cannot fail");
    Asset { path, content_type, content: Bytes::from_static(content) }
}

/// The asset of a path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The paths of the style sheets, in their order.
pub(super) fn style_sheets() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().filter(|asset| asset.content_type == CSS).map(|asset| asset.path.as_str())
}

/// The path of the icon.
pub(super) fn icon() -> &'static str {
    &ASSETS[5].path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_names_only_what_is_here() {
        for asset in ASSETS.iter().filter(|asset| asset.content_type == CSS) {
            let text = std::str::from_utf8(&asset.content).unwrap();
            assert!(!text.contains("@import") && !text.contains("//fonts."), "{}", asset.path);
            for target in text.split("url(").skip(1) {
                let target = target.trim_start_matches(['"', '\'']);
                if target.starts_with("data:") {
                    continue;
                }
                let name = target.split([')', '"', '\'']).next().unwrap();
                assert!(find(name).is_some(), "{} names {name}; its present path is another", asset.path);
            }
        }
        assert!(find("/assets/0000000000000000/icon.svg").is_none());
        assert!(find(icon()).is_some());
    }
}
