/// Declares a struct of settings: its defaults, a setter for each field, and its form in a file, where unknown fields
/// are refused.
#[doc(hidden)]
#[macro_export]
macro_rules! settings {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$meta:meta])* $field:ident: $type:ty = $default:expr, $with:ident;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$meta])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            $(#[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub fn $with(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}
