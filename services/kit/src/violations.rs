//! Everything that is wrong with a request, told at once: `INVALID_ARGUMENT` with `google.rpc.BadRequest`.
//!
//! Fields are named by their path in the contract: `items[0].product_id`.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// As many violations as one answer tells.
const MOST: usize = 20;
/// Bytes of one field's path, and of one description: what a client made up is not repeated at any length.
const LONGEST: usize = 200;
/// Bytes of all violations together, encoded: error details travel in a header of limited size, in base64.
const BUDGET: usize = 3500;

/// Collects violations; [`check`](Self::check) refuses when there is one.
#[derive(Debug, Default)]
#[must_use]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// The refusal of a request for one field.
    pub fn one(field: impl Into<String>, description: impl Into<String>) -> Status {
        let mut violations = Self::new();
        violations.add(field, description);
        refusal(violations.0)
    }

    /// Says what is wrong with `field`.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        let (field, description) = (cut(field.into()), cut(description.into()));
        let violation = FieldViolation::new(field, description);
        let told: usize = self.0.iter().map(encoded).sum();
        if self.0.len() < MOST && told + encoded(&violation) <= BUDGET {
            self.0.push(violation);
        }
    }

    /// `field` must hold something.
    pub fn required(&mut self, field: &str, is_set: bool) {
        if !is_set {
            self.add(field, "is required");
        }
    }

    /// `field` must hold `fewest` to `most` characters, none of them a control character.
    pub fn text(&mut self, field: &str, value: &str, fewest: usize, most: usize) {
        let characters = value.chars().count();
        if characters == 0 && fewest > 0 {
            self.add(field, "is required");
        } else if characters < fewest || characters > most {
            self.add(field, format!("must have {fewest} to {most} characters"));
        } else if value.chars().any(char::is_control) {
            self.add(field, "must not have control characters");
        }
    }

    /// `field` is the service's to set (`OUTPUT_ONLY`).
    pub fn output_only(&mut self, field: &str, is_set: bool) {
        if is_set {
            self.add(field, "is set by the service and can't be given");
        }
    }

    /// Refuses the request when anything is wrong with it.
    pub fn check(self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(refusal(self.0)) }
    }
}

/// At most [`LONGEST`] bytes of whole characters.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

/// The bytes of a violation in an answer: both texts, with a tag and a length before each and before the whole.
fn encoded(violation: &FieldViolation) -> usize {
    violation.field.len() + violation.description.len() + 3 * 3
}

/// The message names the first; the details name all.
fn refusal(violations: Vec<FieldViolation>) -> Status {
    let message = violations
        .first()
        .map_or_else(String::new, |first| format!("{} {}", first.field, first.description));
    Status::with_error_details(
        Code::InvalidArgument,
        message,
        ErrorDetails::with_bad_request(violations),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_violations_passes() {
        let mut violations = Violations::new();
        violations.text("name", "Ada", 1, 100);
        violations.output_only("id", false);
        assert!(violations.check().is_ok());
    }

    #[test]
    fn all_violations_are_told_at_once() {
        let mut violations = Violations::new();
        violations.text("name", "", 1, 100);
        violations.text("note", "a\u{7}", 0, 100);
        violations.text("long", "aaaa", 1, 3);
        violations.output_only("user.roles", true);
        let status = violations.check().unwrap_err();
        let details = status.get_error_details();
        let fields: Vec<_> = details
            .bad_request()
            .unwrap()
            .field_violations
            .iter()
            .map(|v| v.field.as_str())
            .collect();
        assert_eq!(fields, ["name", "note", "long", "user.roles"]);
        assert_eq!(status.message(), "name is required");
    }

    #[test]
    fn the_answer_stays_small_however_much_is_wrong() {
        let mut violations = Violations::new();
        for line in 0..1000 {
            violations.add(format!("items[{line}].quantity"), "\u{1f4a5}".repeat(1000));
        }
        assert!(violations.check().unwrap_err().details().len() < 4096);
        let one = Violations::one("\u{e9}".repeat(10_000), "\u{e9}".repeat(10_000));
        assert!(one.details().len() < 1024 && one.message().len() < 512);
    }
}
