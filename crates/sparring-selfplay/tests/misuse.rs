//! Only checked settings run: an unchecked configuration must not compile.

#[test]
fn an_unchecked_configuration_does_not_run() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
