//! `update_mask` (AIP-134): which fields an update changes.
//!
//! An empty mask means the fields that are set; `*` means all that can be changed.

use prost_types::FieldMask;

use crate::Violations;

/// A field a client may change, and whether the request sets it.
#[derive(Clone, Copy, Debug)]
pub struct Writable {
    /// Its name in the resource.
    pub name: &'static str,
    /// Whether the request holds a value other than the default.
    pub is_set: bool,
}

/// The fields that an update changes.
#[derive(Debug)]
pub struct Mask(Vec<&'static str>);

impl Mask {
    /// Reads `update_mask`. What is not `writable` is a violation: a field the service sets, an unknown one, a part of one.
    pub fn of(
        mask: Option<&FieldMask>,
        writable: &[Writable],
        violations: &mut Violations,
    ) -> Self {
        let paths = mask.map_or(&[][..], |mask| &mask.paths);
        match paths {
            [] => {
                Self(writable.iter().filter(|field| field.is_set).map(|field| field.name).collect())
            }
            [all] if all == "*" => Self(writable.iter().map(|field| field.name).collect()),
            paths => {
                Self(paths.iter().filter_map(|path| named(path, writable, violations)).collect())
            }
        }
    }

    /// Whether the update changes `field`.
    pub fn has(&self, field: &str) -> bool {
        self.0.contains(&field)
    }

    /// Whether the update changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn named(path: &str, writable: &[Writable], violations: &mut Violations) -> Option<&'static str> {
    let field = writable.iter().find(|field| field.name == path);
    if field.is_none() {
        violations.add("update_mask", format!("names {path:?}, which can't be changed"));
    }
    field.map(|field| field.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Writable; 2] =
        [Writable { name: "email", is_set: true }, Writable { name: "name", is_set: false }];

    fn check(paths: &[&str], expected: Option<&[&str]>) {
        let mask = FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() };
        let mut violations = Violations::new();
        let found = Mask::of(Some(&mask), &FIELDS, &mut violations);
        match expected {
            Some(expected) => {
                violations.check().unwrap();
                assert_eq!(found.0, expected, "{paths:?}");
            }
            None => assert!(violations.check().is_err(), "{paths:?}"),
        }
    }

    #[test]
    fn the_mask_says_what_changes() {
        check(&[], Some(&["email"]));
        check(&["*"], Some(&["email", "name"]));
        check(&["name"], Some(&["name"]));
        check(&["name", "email"], Some(&["name", "email"]));
    }

    #[test]
    fn refuses_what_a_client_may_not_set() {
        check(&["roles"], None);
        check(&["name", "roles"], None);
        check(&["name.first"], None);
        check(&["*", "name"], None);
        check(&[""], None);
    }
}
