//! What counts as right, and what is wrong with an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::play::Outcome;

/// What a step expects. What is absent is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The HTTP status of the last answer.
    pub status: Option<u16>,
    /// Parts of the JSON that is printed: see [`subset`].
    pub body: Option<Value>,
    /// Headers of the last answer, by lower-case name; `*` takes any value.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Texts that are printed.
    #[serde(default)]
    pub text: Vec<String>,
    /// How many milliseconds it may take at most.
    pub max_ms: Option<u64>,
}

impl Expect {
    /// Everything that is wrong with an outcome, in sentences; nothing when all is as expected.
    pub fn judge(&self, outcome: &Outcome) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(status) = self.status
            && outcome.status != Some(status)
        {
            let came = outcome.status.map_or("no answer".to_owned(), |status| status.to_string());
            wrong.push(format!("expected status {status}, but got {came}"));
        }
        if let Some(body) = &self.body
            && let Err(difference) = subset(body, &outcome.json())
        {
            wrong.push(format!("the body differs at {difference}"));
        }
        for (name, value) in &self.headers {
            match outcome.headers.get(name) {
                None => wrong.push(format!("the header {name} is missing")),
                Some(came) if value != "*" && came != value => {
                    wrong.push(format!("the header {name} is {came:?} and not {value:?}"));
                }
                Some(_) => {}
            }
        }
        for text in &self.text {
            if !outcome.printed.contains(text) {
                wrong.push(format!("it does not say {text:?}"));
            }
        }
        if let Some(limit) = self.max_ms
            && outcome.took > Duration::from_millis(limit)
        {
            wrong.push(format!("it took {} ms, more than {limit}", outcome.took.as_millis()));
        }
        wrong
    }
}

/// Whether all that is in `part` is in `whole`: objects may have more keys, arrays more elements at their end; the
/// text `*` stands for any value that is there. The error says where they differ.
pub fn subset(part: &Value, whole: &Value) -> Result<(), String> {
    compare(part, whole, "$")
}

fn compare(part: &Value, whole: &Value, place: &str) -> Result<(), String> {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().try_for_each(|(key, value)| match whole.get(key) {
                Some(other) => compare(value, other, &format!("{place}.{key}")),
                None => Err(format!("{place}: there is no {key}")),
            })
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().enumerate().try_for_each(|(at, value)| match whole.get(at) {
                Some(other) => compare(value, other, &format!("{place}[{at}]")),
                None => Err(format!("{place}: there are only {} elements", whole.len())),
            })
        }
        (Value::String(any), other) if any == "*" && !other.is_null() => Ok(()),
        _ if part == whole => Ok(()),
        _ => Err(format!("{place}: expected {part}, but got {whole}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_subset_leaves_out_but_never_differs() {
        let whole = json!({"id": "1", "tags": ["a", "b"], "price": {"units": "5", "nanos": 0}});
        for part in [
            json!({}),
            json!({"id": "1"}),
            json!({"id": "*"}),
            json!({"tags": ["a"]}),
            json!({"price": {"nanos": 0}}),
        ] {
            assert_eq!(subset(&part, &whole), Ok(()), "{part}");
        }
        for part in [
            json!({"id": 1}),
            json!({"name": "*"}),
            json!({"tags": ["b"]}),
            json!({"tags": ["a", "b", "c"]}),
            json!({"price": {"units": 5}}),
            json!([]),
        ] {
            assert!(subset(&part, &whole).is_err(), "{part}");
        }
    }

    #[test]
    fn says_everything_that_is_wrong() {
        let outcome = Outcome {
            status: Some(500),
            printed: r#"{"id":"2"}"#.to_owned(),
            took: Duration::from_millis(20),
            ..Outcome::default()
        };
        let expect = Expect {
            status: Some(200),
            body: Some(json!({"id": "1"})),
            headers: [("x-request-id".to_owned(), "*".to_owned())].into(),
            text: vec!["name".to_owned()],
            max_ms: Some(10),
        };
        assert_eq!(expect.judge(&outcome).len(), 5, "{:?}", expect.judge(&outcome));
        assert_eq!(
            Expect { status: Some(500), max_ms: Some(20), ..Expect::default() }.judge(&outcome),
            [""; 0]
        );
    }
}
