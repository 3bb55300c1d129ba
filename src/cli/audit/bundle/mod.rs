//! Evidence bundles: what they hold for people, how they are written and how they are checked. The format is in `docs/bundle.md`.

pub mod people;
pub mod read;
pub mod write;

#[cfg(test)]
pub(crate) mod tests;
