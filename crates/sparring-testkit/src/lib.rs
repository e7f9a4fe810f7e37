//! Toy policies, and conformance suites for third-party backends, samplers and rewards.
