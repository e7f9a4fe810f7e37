//! stub
use sparring_tools::bfcl::PyValue;
pub(crate) enum ReturnFormat {
    Python,
    Java,
    JavaScript,
}
pub(crate) fn decode(_: &str, _: ReturnFormat, _: bool) -> Result<PyValue, String> {
    Err("stub".into())
}
