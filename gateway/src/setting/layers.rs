//! Settings that are said for everything, for an upstream or for an RPC: the nearest wins.

/// Declares a section of the configuration that has layers: its own keys, and the options, which stand in it as defaults
/// and once more in each layer under `upstreams` and `rpcs`.
///
/// Serde's `flatten` would do without a macro, but forgets on which line a value stands.
macro_rules! layered {
    (
        $(#[$section_doc:meta])*
        own: { $($(#[$own_doc:meta])* $own:ident: $own_type:ty,)* }
        options: { $($(#[$doc:meta])* $option:ident: $type:ty,)* }
    ) => {
        $(#[$section_doc])*
        #[derive(Clone, Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct Config {
            $($(#[$own_doc])* pub(crate) $own: $own_type,)*
            $($(#[$doc])* pub(super) $option: Option<$type>,)*
            /// Options for all RPCs of an upstream, by its name.
            pub(crate) upstreams: std::collections::BTreeMap<String, $crate::setting::Spanned<Layer>>,
            /// Options for one RPC, by `package.Service/Method`.
            pub(crate) rpcs: std::collections::BTreeMap<String, $crate::setting::Spanned<Layer>>,
        }

        /// Options as one layer states them: what it leaves out, a wider one says.
        #[derive(Clone, Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct Layer {
            $($(#[$doc])* pub(super) $option: Option<$type>,)*
        }

        impl Config {
            /// The options as they stand in the section itself.
            fn defaults(&self) -> Layer {
                Layer { $($option: self.$option.clone(),)* }
            }

            /// The options of an upstream: the nearest layer wins.
            fn of_upstream(&self, upstream: &str) -> Layer {
                let own = self.upstreams.get(upstream).map(|layer| layer.value.clone());
                own.unwrap_or_default().or(&self.defaults())
            }

            /// The options of an RPC behind an upstream: the nearest layer wins.
            fn of_rpc(&self, rpc: &str, upstream: &str) -> Layer {
                let own = self.rpcs.get(rpc).map(|layer| layer.value.clone());
                own.unwrap_or_default().or(&self.of_upstream(upstream))
            }
        }

        impl Layer {
            /// What this layer says, and a wider one where this says nothing.
            fn or(self, wider: &Self) -> Self {
                Self { $($option: self.$option.or_else(|| wider.$option.clone()),)* }
            }
        }
    };
}

pub(crate) use layered;
