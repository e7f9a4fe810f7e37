//! The embedded default: a small tool-use world, its held-out tests and a pretrained base.
