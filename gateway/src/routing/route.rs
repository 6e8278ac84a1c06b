//! One route.

use super::method::MethodPattern;
use super::template::Template;

/// A public rule: requests of this method and path lead there.
#[derive(Clone, Debug)]
pub(crate) struct Route<T> {
    /// The methods it takes.
    pub(crate) method: MethodPattern,
    /// The paths it takes.
    pub(crate) template: Template,
    /// What it leads to.
    pub(crate) target: T,
}
