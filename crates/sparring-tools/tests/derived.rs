//! Tools whose arguments are Rust types.
#![cfg(feature = "schemars")]
#![allow(dead_code)] // the types are only described

use schemars::JsonSchema;
#[cfg(feature = "validate")]
use serde_json::json;
use sparring_tools::{Dialect, ToolSpec};

/// Plans a trip.
#[derive(JsonSchema)]
struct PlanTrip {
    /// Every stop, in order.
    stops: Vec<Stop>,
    by: Option<Vehicle>,
    #[schemars(rename = "type", length(min = 2))]
    kind: String,
    /// A trip that this one continues.
    after: Option<Box<PlanTrip>>,
}

/// A place and how long to stay.
#[derive(JsonSchema)]
struct Stop {
    city: String,
    #[schemars(range(max = 30))]
    nights: u8,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Vehicle {
    Train,
    Ferry,
}

#[test]
fn fields_are_parameters() {
    let spec = ToolSpec::from_type::<PlanTrip>().unwrap();
    assert_eq!((spec.name.as_str(), spec.description.as_str()), ("PlanTrip", "Plans a trip."));
    assert_eq!(spec.parameters.keys().collect::<Vec<_>>(), ["stops", "by", "type", "after"]);
    assert_eq!(spec.required, ["stops", "type"]);
    assert_eq!(spec.parameters["stops"]["description"], "Every stop, in order.");
    for dialect in Dialect::ALL.iter().filter(|d| !matches!(d, Dialect::Flat | Dialect::Bfcl)) {
        assert_eq!(ToolSpec::from_json(&spec.to_json(*dialect)), Ok(spec.clone()), "{dialect:?}");
    }
}

#[test]
fn a_type_that_is_not_an_object_is_refused() {
    for error in [
        ToolSpec::from_type::<u8>().unwrap_err(),
        ToolSpec::from_type::<(String, u8)>().unwrap_err(),
        ToolSpec::from_type::<Vehicle>().unwrap_err(),
    ] {
        assert!(error.to_string().ends_with("is not a struct with named fields"), "{error}");
    }
}

#[cfg(feature = "validate")]
#[test]
fn nested_types_are_checked() {
    let spec = ToolSpec::from_type::<PlanTrip>().unwrap();
    let problems = |arguments: serde_json::Value| -> Vec<String> {
        let entries = arguments.as_object().unwrap().clone();
        let call = sparring_tools::ToolCall::new("PlanTrip", entries);
        spec.validate(&call).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    };
    let oslo = json!([{"city": "Oslo", "nights": 2}]);
    let fine = json!({"stops": oslo, "type": "city", "by": "ferry",
    "after": {"stops": [], "type": "ski", "after": null}});
    assert_eq!(problems(fine), [""; 0]);
    for bad in [
        json!({"stops": [{"city": "Oslo"}], "type": "city"}),
        json!({"stops": [{"city": "Oslo", "nights": 31}], "type": "city"}),
        json!({"stops": oslo, "type": "city", "by": "plane"}),
        json!({"stops": oslo, "type": "x"}),
        json!({"stops": oslo, "type": "city", "after": {"stops": oslo}}),
        json!({"stops": oslo}),
    ] {
        assert_eq!(problems(bad.clone()).len(), 1, "{bad}: {:?}", problems(bad.clone()));
    }
}
