//! Tests of the store on real folders.
