//! The vectors of `tests/http_rule`: what `google.api.http` says, as data that other transcoders can be asked too.
//!
//! Each rule set is a gateway of its own that knows its rules from `transcoding.rules`, before a service that answers
//! what the vector says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, stream};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stand::{Answer, Gate, Reply, Upstream, Wire, compile, run};

const SERVICE: &str = "vectors.v1.Library";

/// How many gateways run at once.
const AT_ONCE: usize = 4;

/// What section 2.2 of the research behind the gateway found other transcoders to disagree on.
const ROWS: [&str; 20] = [
    "verb-delimiter",
    "trailing-slash",
    "empty-segment",
    "slash-in-single",
    "multi-segment-decoding",
    "plus-in-query",
    "query-names-decoded",
    "flag-without-value",
    "unknown-query",
    "query-with-whole-body",
    "path-versus-body",
    "scalar-twice",
    "map-in-query",
    "unknown-body-field",
    "enum-case",
    "default-values",
    "duration-in-query",
    "bool-in-query",
    "form-post",
    "array-trailing-comma",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "schema")]
    _schema: String,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Value>,
    #[serde(default)]
    options: BTreeMap<String, Value>,
    #[serde(default)]
    exposed: Vec<String>,
    #[serde(default)]
    vectors: Vec<Vector>,
    #[serde(default)]
    load_error: bool,
    #[serde(default)]
    covers: Vec<String>,
    #[serde(default)]
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    why: String,
    covers: Vec<String>,
    request: Ask,
    answer: Option<Value>,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    method: String,
    target: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Expected {
    Call { rpc: String, message: Value, body: Option<Value> },
    Refusal { status: Statuses },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Statuses {
    One(u16),
    Any(Vec<u16>),
}

static SET: LazyLock<Vec<u8>> =
    LazyLock::new(|| compile(include_str!("../http_rule/vectors.proto")));

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(SET.as_slice()).unwrap());

fn groups() -> Vec<Group> {
    let file: File = serde_json::from_str(include_str!("../http_rule/vectors.json")).unwrap();
    file.groups
}

impl Group {
    /// The RPCs that clients may call: those of the rules, and those that the group names.
    fn public(&self) -> BTreeSet<String> {
        let selected = self.rules.iter().filter_map(|rule| rule["selector"].as_str());
        let selected = selected.filter_map(|selector| selector.rsplit_once('.'));
        let selected = selected.map(|(service, method)| format!("{service}/{method}"));
        let known = |rpc: &String| method(rpc).is_some();
        selected.filter(known).chain(self.exposed.iter().cloned()).collect()
    }

    /// The section `transcoding`, as JSON, which is YAML too.
    fn section(&self) -> String {
        let mut section = json!({ "rules": self.rules });
        for (option, value) in &self.options {
            section[option] = value.clone();
        }
        section.to_string()
    }
}

fn method(rpc: &str) -> Option<MethodDescriptor> {
    let (service, method) = rpc.split_once('/')?;
    POOL.get_service_by_name(service)?.methods().find(|known| known.name() == method)
}

/// The message as canonical JSON: fields with their default are left out, where absent and default are the same.
fn canonical(message: &DynamicMessage) -> Value {
    serde_json::to_value(message).unwrap()
}

/// The request of an RPC, as someone else's JSON writes it.
fn request(rpc: &str, json: &Value) -> Value {
    canonical(&DynamicMessage::deserialize(method(rpc).unwrap().input(), json).unwrap())
}

/// Asks as the vector says, byte by byte: client libraries mend targets.
async fn send(gate: &Gate, request: &Ask) -> Reply {
    let encoded = request.body_base64.as_ref().map(|body| STANDARD.decode(body).unwrap());
    let body = encoded.or_else(|| request.body.clone().map(String::into_bytes));
    let Ask { method, target, headers, .. } = request;
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    if let Some(body) = &body {
        write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    let bytes = [head.as_bytes(), b"\r\n", body.as_deref().unwrap_or_default()].concat();
    let mut replies = Wire::talk(gate, bytes).await;
    assert_eq!(replies.len(), 1, "{method} {target}: {replies:?}");
    replies.remove(0)
}

/// Runs the vectors of one rule set; what is not as expected is told in a sentence each.
async fn run_group(group: &Group) -> Vec<String> {
    let next = Arc::new(Mutex::new(Vec::new()));
    let library = {
        let next = Arc::clone(&next);
        Upstream::answering(move |_| Answer::wire(&next.lock().unwrap())).await
    };
    let gate = Gate::start(|config| {
        let config = config.schema(SET.clone()).upstream("library", SERVICE, &[&library.url()]);
        config.access(&format!("{SERVICE}/Annotated"), "internal");
        for rpc in group.public() {
            config.access(&rpc, "public");
        }
        config.section("transcoding", &group.section())
    })
    .await;
    let mut faults = Vec::new();
    for vector in &group.vectors {
        let answer = vector.answer.clone().unwrap_or_else(|| json!({}));
        let answer_type = POOL.get_message_by_name("vectors.v1.Answer").unwrap();
        *next.lock().unwrap() =
            DynamicMessage::deserialize(answer_type, answer).unwrap().encode_to_vec();
        let reply = send(&gate, &vector.request).await;
        let seen = library.seen();
        library.forget();
        let called: Vec<(String, Value)> = seen
            .into_iter()
            .map(|call| {
                let input = method(&call.rpc).unwrap().input();
                let message = DynamicMessage::decode(input, call.message).unwrap();
                (call.rpc, canonical(&message))
            })
            .collect();
        let fault = match &vector.expected {
            Expected::Refusal { status } => {
                let fits = match status {
                    Statuses::One(status) => reply.status == *status,
                    Statuses::Any(all) => all.contains(&reply.status),
                };
                !fits || !called.is_empty()
            }
            Expected::Call { rpc, message: expected, body } => {
                let other = body.as_ref().is_some_and(|body| {
                    serde_json::from_slice::<Value>(&reply.body).ok().as_ref() != Some(body)
                });
                reply.status != 200 || called != [(rpc.clone(), request(rpc, expected))] || other
            }
        };
        if fault {
            let Ask { method, target, body, .. } = &vector.request;
            let called: Vec<String> =
                called.iter().map(|(rpc, message)| format!("{rpc} {message}")).collect();
            faults.push(format!(
                "{}: {} ({method} {target} {})\n  calls: {called:?}\n  answer: {reply}",
                group.name,
                vector.why,
                body.as_deref().unwrap_or_default()
            ));
        }
    }
    faults
}

#[tokio::test]
async fn every_vector_that_is_a_request_is_answered_as_it_says() {
    let groups = groups();
    let groups: Vec<&Group> = groups.iter().filter(|group| !group.load_error).collect();
    let faults = stream::iter(&groups).map(|group| run_group(group)).buffer_unordered(AT_ONCE);
    let faults: Vec<Vec<String>> = faults.collect().await;
    let faults = faults.concat();
    assert!(faults.is_empty(), "{} vectors:\n{}", faults.len(), faults.join("\n"));
}

/// Checks a rule set that no gateway may take; what is not as expected is told.
async fn refuse_group(group: &Group) -> Option<String> {
    let folder = TempDir::new().unwrap();
    let mut access = json!({ format!("{SERVICE}/Annotated"): "internal" });
    for rpc in group.public() {
        access[rpc] = json!("public");
    }
    let config = format!(
        "schema: {{ file: schema.binpb }}\nlistener: {{ address: \"127.0.0.1:0\" }}\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         upstreams: {{ a: {{ services: [{SERVICE}], endpoints: [\"http://127.0.0.1:1\"] }} }}\n\
         authorization: {{ access: {access} }}\ntranscoding: {}\n",
        group.section()
    );
    fs::write(folder.path().join("schema.binpb"), SET.as_slice()).unwrap();
    fs::write(folder.path().join("gateway.yaml"), config).unwrap();
    let exit = run(folder.path(), &[], ["--check"]).await;
    let about_rules = exit.errors.lines().all(|line| line.contains("transcoding.rules["));
    let refused = exit.code == Some(78) && about_rules && !exit.errors.is_empty();
    (!refused).then(|| format!("{}\n  {}{}", group.name, exit.out, exit.errors))
}

#[tokio::test]
async fn every_rule_set_that_must_be_refused_is_refused_at_load_for_its_rules() {
    let groups = groups();
    let groups: Vec<&Group> = groups.iter().filter(|group| group.load_error).collect();
    let faults = stream::iter(&groups).map(|group| refuse_group(group)).buffer_unordered(AT_ONCE);
    let faults: Vec<String> = faults.filter_map(async |fault| fault).collect().await;
    assert!(faults.is_empty(), "{} rule sets:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_rule_and_every_open_case_has_vectors() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
    for group in groups() {
        let Group { name, vectors, load_error, covers, why, .. } = group;
        assert!(load_error == vectors.is_empty(), "{name}: a rule set is refused, or has vectors");
        let refused = load_error.then_some((covers, why));
        let asked = vectors.into_iter().map(|vector| (vector.covers, vector.why));
        for (covers, why) in refused.into_iter().chain(asked) {
            assert!(!covers.is_empty() && !why.is_empty(), "{name}: {why}");
            all += 1;
            for covered in covers {
                *count.entry(covered).or_default() += 1;
            }
        }
    }
    assert!(all >= 150, "there are {all} vectors");
    let rules: Vec<String> = (1..=14).map(|rule| format!("R{rule}")).collect();
    for name in rules.iter().map(String::as_str).chain(ROWS) {
        assert!(count.contains_key(name), "no vector covers {name}");
    }
    for name in count.keys() {
        let known = ROWS.contains(&name.as_str())
            || rules.contains(name)
            || matches!(name.as_str(), "R15" | "R16");
        assert!(known, "{name} is no rule and no case");
    }
}
