use crate::{ToolSpec, ToolsError};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

impl ToolSpec {
    /// Returns the tool whose arguments are the fields of a Rust type; needs the feature `schemars`.
    ///
    /// The name is the schema's title: the type's name, or the value of `#[schemars(rename = "...")]`. The description
    /// is the type's doc comment. The doc comments of the fields describe the parameters, which are required unless
    /// they are an `Option` or have a default.
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    /// use sparring_tools::ToolSpec;
    ///
    /// /// Books a table at a restaurant.
    /// #[derive(Deserialize, JsonSchema)]
    /// #[schemars(rename = "book_table")]
    /// struct BookTable {
    ///     /// Where to eat.
    ///     place: String,
    ///     people: Option<u8>,
    /// }
    ///
    /// let spec = ToolSpec::from_type::<BookTable>()?;
    /// assert_eq!(spec.name, "book_table");
    /// assert_eq!(spec.description, "Books a table at a restaurant.");
    /// assert_eq!(spec.required, ["place"]);
    /// assert_eq!(spec.parameters["place"]["description"], "Where to eat.");
    /// # Ok::<(), sparring_tools::ToolsError>(())
    /// ```
    ///
    /// # Errors
    /// [`ToolsError::Spec`] if the type does not serialise as a JSON object (a number, an enum, a tuple, ...).
    #[cfg_attr(docsrs, doc(cfg(feature = "schemars")))]
    pub fn from_type<T: JsonSchema>() -> Result<Self, ToolsError> {
        let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
        let mut spec = Self::default();
        match schema.to_value() {
            Value::Object(mut map) if map.get("type").is_some_and(|kind| kind == "object") => {
                let mut take = |key: &str| match map.shift_remove(key) {
                    Some(Value::String(text)) => text,
                    _ => String::new(),
                };
                (spec.name, spec.description) = (take("title"), take("description"));
                // A tool's schema is read as draft 2020-12 in any case.
                take("$schema");
                spec.read_parameters(&map, "parameters")?;
                Ok(spec)
            }
            _ => Err(ToolsError::spec(
                "parameters",
                format!("{} is not a struct with named fields", T::schema_name()),
            )),
        }
    }
}
