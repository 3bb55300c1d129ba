//! Who may do what, and what follows from it: the const table, permits, denials, and `decide`.
//!
//! Pure. Every store loads a [`view::View`], calls [`decide::decide`], persists the events and applies them.

pub mod case;
pub mod command;
pub mod decide;
pub mod permit;
pub mod reason;
pub mod table;
pub mod view;
