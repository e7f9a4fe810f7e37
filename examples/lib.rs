//! The examples are the files beside this one; each says on top how it is run.
#![forbid(unsafe_code)]
